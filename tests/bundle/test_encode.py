"""Packets become the bundle that the oracle writes, from whatever kind of object they come, or nothing is written."""

import array
import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.bundle import oracle
from wintun_sim import bundle, native
from wintun_sim.testing.strategies import packets

_packets = native.load_module("wintun_sim.bundle._packets")
lists_of_packets = st.lists(packets(), max_size=40)
any_number_of_packets = st.builds(
    lambda some, times: some * times, st.lists(packets(max_size=70), max_size=9), st.integers(0, 90)
)
KINDS = (
    bytes,
    bytearray,
    memoryview,
    lambda packet: np.frombuffer(packet, np.uint8),
    lambda packet: memoryview(packet + packet)[len(packet) :],
    lambda packet: array.array("B", packet),
)


@given(lists_of_packets)
def test_encode_writes_what_the_oracle_writes(contents: list[bytes]) -> None:
    assert bundle.encode(contents) == oracle.encode(contents)


@given(lists_of_packets, st.lists(st.sampled_from(KINDS), min_size=40, max_size=40))
def test_any_bytes_like_object_is_a_packet(contents: list[bytes], kinds: list[type]) -> None:
    objects = [kind(packet) for kind, packet in zip(kinds, contents, strict=False)]
    assert bundle.encode(iter(objects)) == oracle.encode(contents)


@given(lists_of_packets)
def test_one_array_with_lengths_is_the_same_as_a_list(contents: list[bytes]) -> None:
    lengths = [len(packet) for packet in contents]
    joined = np.frombuffer(b"".join(contents), np.uint8)
    assert bundle.encode(joined, lengths) == oracle.encode(contents)
    assert bundle.encode(
        bytes(joined), np.array(lengths, np.int16 if max(lengths, default=0) < 2**15 else np.uint64)
    ) == (oracle.encode(contents))


@given(lists_of_packets, st.integers(0, 100))
def test_encode_into_writes_the_bundle_and_not_a_byte_more(contents: list[bytes], room: int) -> None:
    expected = oracle.encode(contents)
    buffer = bytearray(b"\xa5" * (len(expected) + room))
    assert bundle.encode_into(buffer, contents) == len(expected)
    assert buffer == expected + b"\xa5" * room


@given(st.lists(packets(max_size=300), min_size=1, max_size=20), st.data())
def test_a_buffer_that_is_too_small_is_refused_and_left_alone(contents: list[bytes], data: st.DataObject) -> None:
    expected = oracle.encode(contents)
    buffer = bytearray(b"\xa5" * data.draw(st.integers(0, len(expected) - 1)))
    with pytest.raises(
        bundle.BundleError, match=rf"takes {len(expected)} bytes and the buffer has {len(buffer)}"
    ) as refusal:
        bundle.encode_into(buffer, contents)
    assert buffer == b"\xa5" * len(buffer)
    fitting = next(count for count in itertools.count() if len(oracle.encode(contents[: count + 1])) > len(buffer))
    assert refusal.value.stop == (bundle.Reason.NO_ROOM, len(oracle.encode(contents[:fitting])), fitting)


@given(any_number_of_packets)
def test_many_bundles_in_one_call_are_those_of_one_call_each(contents: list[bytes]) -> None:
    data, lengths = bundle.encode_many(contents)
    singly = [oracle.encode(contents[first : first + 256]) for first in range(0, len(contents), 256)]
    assert data == b"".join(singly)
    assert lengths.tolist() == [len(one) for one in singly]


@given(any_number_of_packets)
def test_split_makes_bundles_of_256_and_loses_nothing(contents: list[bytes]) -> None:
    groups = list(bundle.split(contents))
    assert list(itertools.chain(*groups)) == contents
    assert [len(group) for group in groups[:-1]] == [256] * (len(groups) - 1)
    assert all(groups)


@given(st.lists(packets(), max_size=30), st.integers(61_440, 200_000))
def test_split_fits_the_bundles_into_buffers_of_a_length(contents: list[bytes], length: int) -> None:
    groups = list(bundle.split(contents, length=length))
    encoded = [oracle.encode([bytes(packet) for packet in group]) for group in groups]
    assert list(itertools.chain(*groups)) == contents
    assert all(len(one) <= length for one in encoded)
    for one, (first, *_) in zip(encoded, groups[1:], strict=False):
        assert len(one) + len(oracle.encode([bytes(first)])) > length, (
            "a group ends only where the next packet does not fit"
        )


def test_split_takes_from_an_endless_stream_only_what_it_needs() -> None:
    taken = itertools.count()
    endless = (b"packet %d" % number for number in taken)
    assert len(next(bundle.split(endless))) == 256
    assert next(taken) == 257


def test_no_packets_are_an_empty_bundle() -> None:
    assert bundle.encode([]) == b""
    assert bundle.encode(b"", []) == b""
    assert bundle.encode_into(bytearray(), []) == 0
    data, lengths = bundle.encode_many(())
    assert (data, lengths.tolist(), lengths.dtype) == (b"", [], np.dtype(np.int64))
    assert list(bundle.split([])) == []


def test_256_packets_fit_and_one_more_is_named() -> None:
    assert len(bundle.encode([b""] * 256)) == 4096
    for too_many in ([b""] * 257, itertools.repeat(b""), np.zeros((300, 4), np.uint8)):
        with pytest.raises(bundle.BundleError, match=r"packet 256 .* at most 256 packets") as refusal:
            bundle.encode(too_many)
        assert refusal.value.stop.reason is bundle.Reason.TOO_MANY
        assert refusal.value.stop.number == 256


@pytest.mark.parametrize(
    "call", [bundle.encode, bundle.encode_many, lambda contents: bundle.encode_into(bytearray(99), contents)]
)
def test_the_largest_packet_fits_and_one_byte_more_is_named_with_its_size_and_the_limit(call: object) -> None:
    assert bundle.encode([bytes(61_424)]) == oracle.encode([bytes(61_424)])
    with pytest.raises(bundle.BundleError, match=r"packet 1 .* 61425 bytes; .* 61424") as refusal:
        call([b"fits", bytes(61_425), bytes(70_000)])  # type: ignore[operator]
    assert refusal.value.stop == (bundle.Reason.OVER_LONG, 32, 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((b"a packet",), "put a single packet into a list"),
        ((bytearray(9),), "put a single packet into a list"),
        ((np.zeros(9, np.uint8),), "together with their lengths"),
        (("text",), "put a single packet into a list"),
        ((["text"],), "packet 0 is no bytes-like object but str"),
        (([b"", 5],), "packet 1 is no bytes-like object but int"),
        (([b"", memoryview(b"abcd")[::2]],), "packet 1 is not contiguous"),
        (([np.zeros((4, 4), np.uint8)[:, :2]],), "packet 0 is not contiguous"),
        ((7,), "not iterable"),
        ((np.zeros((2, 8), np.uint8)[:, ::2], [4, 4]), "contiguous"),
        (([b"ab"], [2]), "contiguous bytes-like object, not this list"),
        ((np.zeros(4, np.float64), [32]), "single bytes"),
        ((b"ab", [1.0, 1.0]), "row of integers, not float64"),
        ((b"ab", [[1, 1]]), "row of integers, not int64 of 2 dimensions"),
        ((b"ab", ["1", "1"]), "row of integers"),
        ((b"ab", [True, True]), "row of integers, not bool"),
    ],
)
def test_what_is_no_packet_is_refused_with_the_repair(arguments: tuple[object, ...], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        bundle.encode(*arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        ([3, -1], "packet 1 cannot have a length of -1 bytes"),
        ([1], "the 1 lengths add up to 1 bytes, but the array of packets has 2"),
        ([1, 2], "add up to 3 bytes"),
        ([], "add up to 0 bytes"),
        ([2**63 - 1, 2**63 - 1, 4], "add up to"),
        (np.array([2**64 - 1, 3], np.uint64), "add up to"),
        ([2**32 + 2], "add up to"),
    ],
)
def test_lengths_that_are_not_those_of_the_array_are_refused(lengths: list[int], message: str) -> None:
    """The last three would add up to 2 if a sum were allowed to wrap round."""
    with pytest.raises(ValueError, match=message):
        bundle.encode(b"ab", lengths)


@pytest.mark.parametrize(
    "buffer",
    [b"0" * 64, memoryview(bytes(64)), np.zeros(128, np.uint8)[::2], "text", np.frombuffer(bytes(64), np.uint8)],
)
def test_a_buffer_that_cannot_be_written_to_is_refused(buffer: object) -> None:
    with pytest.raises(TypeError, match="encode_into needs a writable, contiguous bytes-like object"):
        bundle.encode_into(buffer, [b"packet"])  # type: ignore[arg-type]


def test_packets_inside_the_buffer_that_they_would_be_written_to_are_refused() -> None:
    """Writing the first header would change the second packet before it is read."""
    memory = np.arange(100, dtype=np.uint8)
    before = memory.copy()
    for start in (0, 50, 90):
        with pytest.raises(ValueError, match="overlaps"):
            bundle.encode_into(memory[:91], memory[start : start + 10], [10])
    assert (memory == before).all()
    assert bundle.encode_into(memory[:32], memory[32:42], [10]) == 32
    assert bytes(memory[:32]) == oracle.encode([bytes(before[32:42])])
    assert bundle.encode_into(memory, [memory[4:8], memory[:4]]) == 64, (
        "objects are joined first, so they may lie anywhere"
    )


@pytest.mark.parametrize("length", [0, 61_439, 15_728_641, -1])
def test_split_refuses_lengths_that_no_read_or_write_has(length: int) -> None:
    with pytest.raises(ValueError, match=rf"61440 to 15728640 bytes, not {length}"):
        bundle.split([], length=length)


def test_split_names_the_packet_that_no_bundle_takes() -> None:
    groups = bundle.split([b""] * 300 + [bytes(61_425)])
    assert len(next(groups)) == 256
    with pytest.raises(bundle.BundleError, match=r"packet 300 .* 61425 bytes"):
        next(groups)
    with pytest.raises(TypeError, match="packet 1 is no bytes-like"):
        list(bundle.split([b"", None]))  # type: ignore[list-item]


@given(st.integers(0, 61_424))
def test_record_size_is_what_a_record_takes(size: int) -> None:
    assert bundle.record_size(size) == 16 + size + oracle.padding_of(size)


@pytest.mark.parametrize("size", [-1, 61_425])
def test_record_size_refuses_sizes_that_no_packet_has(size: int) -> None:
    with pytest.raises(ValueError, match=f"0 to 61424 bytes, not {size}"):
        bundle.record_size(size)


def test_a_list_of_bytes_goes_straight_into_memory_that_is_there() -> None:
    """By another way than what is joined first; both write the same, and what this one does not take the other does."""
    room_for = 4096
    buffer = bytearray(b"\xa5" * room_for)
    contents = [b"", b"\x45" * 20, b"x" * 15, b"y" * 16]
    expected = oracle.encode(contents)
    assert bundle.encode_into(buffer, contents) == len(expected)
    assert bytes(buffer) == expected + b"\xa5" * (room_for - len(expected))
    again = bytearray(b"\xa5" * room_for)
    assert bundle.encode_into(again, [bytearray(packet) for packet in contents]) == len(expected)
    assert again == buffer


def test_what_memory_has_no_room_for_leaves_it_alone() -> None:
    refused: list[Any]
    for refused in ([b"x"] * 9, [b"x" * 300], [b""] * 257, [b"x" * 61_425], [b"x", "y"]):
        buffer = bytearray(b"\xa5" * 256)
        assert _packets.encode_into(buffer, tuple(refused)) == -1
        assert buffer == b"\xa5" * 256


def test_bytes_are_joined_with_their_sizes() -> None:
    memory, sizes = bytearray(8), np.zeros(3, np.uint32)
    assert _packets.join_into(memory, sizes, (b"ab", b"", b"cdefgh")) == 8
    assert (bytes(memory), sizes.tolist()) == (b"abcdefgh", [2, 0, 6])
    for refused in ((b"abc", b"defghi"), (b"",) * 4, (b"a", bytearray(b"b"))):
        assert _packets.join_into(memory, sizes, refused) == -1
    with pytest.raises(TypeError):
        _packets.join_into(memory, sizes, [b"a"])
    with pytest.raises(BufferError):
        _packets.join_into(memory, b"1234", (b"a",))
    with pytest.raises(TypeError):
        _packets.encode_into(memory, [b"a"])
