"""A bundle's packets are found where the oracle finds them, without a copy, and every end has its reason."""

import array
import gc
import mmap
import subprocess
import sys
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.bundle import oracle
from wintun_sim import bundle
from wintun_sim.bundle import decoding
from wintun_sim.testing.strategies import bundles, packets

small_bundles = bundles(packets(max_size=300), max_packets=40)


def stop_of(found: oracle.Decoded) -> tuple[bundle.Reason, int, int]:
    return bundle.Reason[found.reason], found.offset, found.number


@given(bundles(max_packets=30))
def test_what_was_encoded_comes_back(data: bytes) -> None:
    decoded = bundle.decode(data, strict=True)
    assert bundle.encode(decoded) == data
    assert decoded.stop == (bundle.Reason.END, len(data), len(decoded))


@given(st.one_of(small_bundles, bundles(packets(max_size=300), max_packets=40, zeroed=False)), st.data())
def test_a_bundle_with_a_few_bytes_changed_is_taken_apart_as_the_oracle_does(data: bytes, draw: st.DataObject) -> None:
    damaged = bytearray(data)
    for _ in range(draw.draw(st.integers(0, 3))):
        if damaged:
            damaged[draw.draw(st.integers(0, len(damaged) - 1))] = draw.draw(st.integers(0, 255))
    del damaged[draw.draw(st.integers(0, len(damaged))) :]
    expected = oracle.decode(bytes(damaged))
    decoded = bundle.decode(damaged)
    assert decoded.tolist() == expected.packets
    assert decoded.offsets.tolist() == expected.offsets
    assert decoded.sizes.tolist() == [len(packet) for packet in expected.packets]
    assert decoded.stop == stop_of(expected)
    assert decoded.consumed == expected.offset


@given(
    st.lists(st.one_of(small_bundles, st.binary(max_size=50), small_bundles.map(lambda data: data[:-1])), max_size=8)
)
def test_many_bundles_are_decoded_as_each_would_be_alone(many: list[bytes]) -> None:
    """A damaged one costs its own rest and nothing of its neighbours."""
    found = [oracle.decode(data) for data in many]
    decoded = bundle.decode_many(b"".join(many), [len(data) for data in many])
    assert decoded.tolist() == [packet for one in found for packet in one.packets]
    assert decoded.counts.tolist() == [one.number for one in found]
    assert decoded.consumed.tolist() == [one.offset for one in found]
    assert [decoded.stop(index) for index in range(len(decoded))] == [stop_of(one) for one in found]
    starts = np.cumsum([0, *map(len, many)])[:-1]
    assert decoded.offsets.tolist() == [
        start + offset for start, one in zip(starts.tolist(), found, strict=True) for offset in one.offsets
    ]


@given(st.lists(small_bundles, max_size=5))
def test_strict_decoding_of_many_names_the_first_that_is_not_clean(many: list[bytes]) -> None:
    whole = b"".join(many)
    assert (
        bundle.decode_many(whole, [len(data) for data in many], strict=True).counts.sum()
        == oracle.decode(whole, limit=None).number
    )
    dirty = b"\0\0\0\0" + b"leftovers..."
    with pytest.raises(bundle.BundleError, match=rf"bundle {len(many)} .* not zero at record 0"):
        bundle.decode_many(whole + dirty, [*map(len, many), 16], strict=True)


@pytest.mark.parametrize("count", [255, 256, 257, 600])
def test_256_records_are_taken_and_what_follows_is_too_many(count: int) -> None:
    data = b"".join(oracle.encode([b"%d" % number]) for number in range(count))
    decoded = bundle.decode(data)
    assert decoded.tolist() == [b"%d" % number for number in range(min(count, 256))]
    assert decoded.stop == (
        (bundle.Reason.END, 32 * count, count) if count <= 256 else (bundle.Reason.TOO_MANY, 8192, 256)
    )


def test_a_bundle_is_a_sequence_of_views_into_the_buffer() -> None:
    buffer = bytearray(bundle.encode([b"first", b"", b"third"]))
    decoded = bundle.decode(buffer)
    assert isinstance(decoded, Sequence)
    assert len(decoded) == 3
    assert [bytes(view) for view in decoded] == [b"first", b"", b"third"]
    assert bytes(decoded[-1]) == bytes(decoded[2]) == b"third"
    assert [bytes(view) for view in decoded[1:]] == [b"", b"third"]
    assert [bytes(view) for view in decoded[::-2]] == [b"third", b"first"]
    assert b"third" in decoded
    assert decoded.index(b"") == 1
    for index in (3, -4):
        with pytest.raises(IndexError, match="3 packets"):
            decoded[index]
    buffer[16:21] = b"FIRST"
    assert bytes(decoded[0]) == b"FIRST", "a view shows the buffer as it is now"
    assert decoded[0].readonly
    assert repr(decoded) == "<Bundle of 3 packets in 80 of 80 bytes: end at record 3, offset 80>"


def test_a_refused_memoryview_can_be_collected_with_the_exception_that_refers_to_it() -> None:
    """CPython crashes when it collects a memoryview whose buffer was lent to C data in the same cycle of garbage."""
    for call in (bundle.decode, lambda view, strict: bundle.decode_many(view, [len(view)], strict=strict)):
        for _ in range(50):
            view = memoryview(bytearray(b"no bundle"))[1:]
            with pytest.raises(bundle.BundleError) as refusal:
                call(view, strict=True)
            del view, refusal
        gc.collect()


def test_the_buffer_outlives_the_bundle_and_its_views() -> None:
    view = bundle.decode(bytearray(bundle.encode([b"kept"])))[0]
    gc.collect()
    assert bytes(view) == b"kept"


def test_a_buffer_cannot_be_resized_under_a_bundle() -> None:
    buffer = bytearray(bundle.encode([b"packet"]))
    decoded = bundle.decode(buffer)
    with pytest.raises(BufferError):
        buffer.clear()
    assert decoded.tolist() == [b"packet"]


def test_the_arrays_are_read_only_and_fit_for_arithmetic() -> None:
    for decoded in (
        bundle.decode(bundle.encode([b"ab", b"c"])),
        bundle.decode_many(bundle.encode([b"ab", b"c"]), [64]),
    ):
        assert [decoded.offsets.dtype, decoded.sizes.dtype] == [np.dtype(np.int64), np.dtype(np.int32)]
        assert (decoded.offsets + decoded.sizes).tolist() == [18, 49]
        for array_ in (decoded.offsets, decoded.sizes):
            with pytest.raises(ValueError, match="read-only"):
                array_[0] = 1 << 20


def test_an_index_that_was_tampered_with_is_refused_and_not_followed() -> None:
    """The arrays are Python's, where anyone can reach anything: what makes bytes of them checks what it is given."""
    memory, offsets, sizes = b"0123456789", np.array([8, 2]), np.array([2, 8], np.int32)
    assert decoding._packets(memory, offsets, sizes, 2) == [b"89", b"23456789"]
    for bad_offsets, bad_sizes, count in (
        ([8, 2], [3, 1], 2),
        ([11, 0], [0, 0], 2),
        ([-1, 0], [1, 1], 2),
        ([0, 0], [-1, 0], 2),
        ([0, 0], [1, 1], 3),
        ([0, 0], [1, 1], -1),
    ):
        with pytest.raises(ValueError, match=r"outside the buffer|fewer than"):
            decoding._packets(memory, np.array(bad_offsets), np.array(bad_sizes, np.int32), count)
    with pytest.raises(TypeError):
        decoding._packets(memory, offsets, sizes)
    with pytest.raises(TypeError):
        decoding._packets(memory, "text", sizes, 2)


@pytest.mark.parametrize(
    "kind",
    [bytes, bytearray, memoryview, lambda data: np.frombuffer(data, np.uint32), lambda data: np.frombuffer(data, ">i2"),
     lambda data: array.array("d", data), lambda data: np.frombuffer(data, np.uint8).reshape(2, -1)],
)  # fmt: skip
def test_any_contiguous_buffer_is_decoded(kind: type) -> None:
    decoded = bundle.decode(kind(bundle.encode([b"one", b"two"])))
    assert decoded.tolist() == [b"one", b"two"]
    assert [bytes(view) for view in decoded] == [b"one", b"two"]


def test_a_mapped_file_is_decoded_in_place() -> None:
    with mmap.mmap(-1, 4096) as memory:
        memory[:32] = bundle.encode([b"mapped"])
        decoded = bundle.decode(memory)
        assert bytes(decoded[0]) == b"mapped"
        assert decoded.stop == (bundle.Reason.END, 4096, 255)  # the zeros behind it are 254 empty records
        del decoded


@pytest.mark.parametrize("empty", [b"", bytearray(), np.zeros(0, np.uint8), memoryview(b"")])
def test_nothing_is_an_empty_bundle(empty: bytes) -> None:
    decoded = bundle.decode(empty, strict=True)
    assert (len(decoded), decoded.tolist(), decoded.offsets.tolist(), decoded.sizes.tolist()) == (0, [], [], [])
    assert decoded.stop == (bundle.Reason.END, 0, 0)
    assert len(bundle.decode_many(empty, [])) == 0
    assert bundle.decode_many(empty, [0, 0]).counts.tolist() == [0, 0]


@pytest.mark.parametrize("bad", ["text", None, 5, [b"x"], memoryview(b"abcd")[::2], np.zeros((4, 4))[:, ::2]])
def test_what_is_no_contiguous_buffer_is_refused(bad: object) -> None:
    with pytest.raises(TypeError, match="decode needs a contiguous bytes-like object"):
        bundle.decode(bad)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="decode_many needs a contiguous bytes-like object"):
        bundle.decode_many(bad, [4])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("lengths", "error", "message"),
    [
        ([16], ValueError, "add up to 16 bytes, but the buffer has 32"),
        ([33, -1], ValueError, "bundle 1 cannot have a length of -1 bytes"),
        ([2**63 - 1, 2**63 - 1, 34], ValueError, "add up to"),
        ([32.0], TypeError, "row of integers, not float64"),
        ([[32]], TypeError, "row of integers"),
    ],
)
def test_lengths_that_are_not_those_of_the_bundles_are_refused(
    lengths: list[int], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        bundle.decode_many(bytes(32), lengths)


def test_numpy_is_not_imported_before_it_is_asked_for() -> None:
    program = (
        "import sys; from wintun_sim import bundle; d = bundle.decode(bundle.encode([b'x'])); d.tolist(); d[0]; d.stop;"
        "assert 'numpy' not in sys.modules; d.offsets; assert 'numpy' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
