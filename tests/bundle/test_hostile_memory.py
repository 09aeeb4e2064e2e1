"""The driver reads and writes memory that a hostile client chose: any length, any alignment, and changing meanwhile.

Here the memory ends, and begins, at a page that cannot be touched: one byte too far and the test run dies. The walker
and the writer are the ones that the driver uses, called through cffi.
"""

import random
import sys
import threading
from collections.abc import Iterator

import numpy as np
import pytest

from tests.bundle import oracle
from tests.bundle.fence import Fence, unix_only
from wintun_sim import bundle
from wintun_sim.bundle.format import NO_LIMIT, ffi, lib

pytestmark = unix_only

LENGTHS = range(201)
LARGEST_RECORD = 61_440


@pytest.fixture(scope="module")
def fence() -> Iterator[Fence]:
    with Fence(2 * LARGEST_RECORD) as memory:
        yield memory


def walk(memory: memoryview, limit: int = NO_LIMIT) -> oracle.Decoded:
    """Walk as the driver does when a client writes; report as the oracle does."""
    walker, record = ffi.new("struct bundle_walker *"), ffi.new("struct bundle_record *")
    found = oracle.Decoded()
    with ffi.from_buffer("char[]", memory) as base:
        lib.bundle_walker_init(walker, base, len(memory), limit)
        while (reason := lib.bundle_next(walker, record)) == lib.BUNDLE_OK:
            assert record.number == found.number
            assert record.packet == ffi.cast("unsigned char *", base) + record.offset + 16
            found.packets.append(bytes(ffi.buffer(record.packet, record.size)))
            found.offsets.append(record.offset + 16)
        assert lib.bundle_next(walker, record) == reason, "a walker that stopped stays where it is"
    assert walker.number == found.number
    found.reason, found.offset = bundle.Reason(reason).name, walker.offset
    return found


def check_everything(memory: memoryview) -> None:
    """Every way to read a bundle says of this memory what the oracle says."""
    data = bytes(memory)
    expected = oracle.decode(data)
    assert walk(memory) == oracle.decode(data, limit=None)
    assert walk(memory, 2) == oracle.decode(data, limit=2)
    decoded = bundle.decode(memory)
    assert (decoded.tolist(), decoded.offsets.tolist()) == (expected.packets, expected.offsets)
    assert (decoded.stop.reason.name, decoded.stop.offset, decoded.stop.number) == expected.stop
    strictly = oracle.decode(data, strict=True)
    if strictly.reason == "END":
        assert bundle.decode(memory, strict=True).tolist() == strictly.packets
    else:
        with pytest.raises(bundle.BundleError) as refusal:
            bundle.decode(memory, strict=True)
        stop = refusal.value.stop
        assert (stop.reason.name, stop.offset, stop.number) == strictly.stop
    many = bundle.decode_many(memory, [len(memory)])
    assert (many.tolist(), many.offsets.tolist()) == (expected.packets, expected.offsets)


def cut_bundles(length: int) -> Iterator[bytes]:
    """Bundles whose last record is whole, or cut at any place that `length` gives."""
    packets = [bytes([size]) * size for size in (3, 0, 16, 15, 17, 40, 1, 31, 64)]
    yield oracle.encode(packets)[:length]
    yield b"\xff" * length
    yield bytes(length)
    left = length - 16
    if left >= 0:
        for size in (left, left + 1, max(left - 15, 0), 61_424, 61_425, 0xFFFF_FFFF, 0xFFFF_FFF0):
            yield size.to_bytes(4, sys.byteorder) + bytes(12) + b"\xa5" * left


@pytest.mark.parametrize("length", LENGTHS)
def test_nothing_behind_a_buffer_of_any_length_is_read(fence: Fence, length: int) -> None:
    """All 16 alignments come by, since the end is what stays in place."""
    memory = fence.at_end(length)
    for content in cut_bundles(length):
        memory[:] = content
        check_everything(memory)


@pytest.mark.parametrize("length", LENGTHS)
def test_nothing_before_a_buffer_is_read(fence: Fence, length: int) -> None:
    memory = fence.at_start(length)
    for content in cut_bundles(length):
        memory[:] = content
        check_everything(memory)


@pytest.mark.parametrize("missing", range(-1, 34))
def test_the_largest_record_cut_anywhere_near_its_end(fence: Fence, missing: int) -> None:
    for size in (61_424, 61_423, 61_409, 61_408):
        record = oracle.encode([b"\x45" * size]) + b"\xa5"
        memory = fence.at_end(len(record) - 1 - missing)
        memory[:] = record[: len(memory)]
        check_everything(memory)


def test_random_bytes_with_some_sizes_that_make_sense(fence: Fence) -> None:
    """Records of small sizes in a sea of noise get the walker far; 3,000 buffers, the seed fixed."""
    generator = random.Random(7)
    for _ in range(3_000):
        length = generator.randrange(0, 400)
        content = bytearray(generator.randbytes(length))
        for place in range(0, max(length - 4, 0), 16):
            if generator.random() < 0.8:
                content[place : place + 4] = generator.randrange(0, 70).to_bytes(4, sys.byteorder)
        memory = fence.at_end(length)
        memory[:] = content
        check_everything(memory)


@pytest.mark.parametrize("room", LENGTHS)
def test_nothing_behind_a_read_buffer_of_any_length_is_written(fence: Fence, room: int) -> None:
    """The driver fills a client's buffer: its records are those of the oracle, and what does not fit is told."""
    memory = fence.at_end(room)
    for sizes in ((room,), (max(room - 16, 0),), (max(room - 31, 0), 0), (0,) * 20, (1, 16, 15, 17, 0, 40), (61_424,)):
        memory[:] = b"\xa5" * room
        packets = [bytes([65 + index]) * size for index, size in enumerate(sizes)]
        taken = fill(memory, packets)
        expected = oracle.encode(packets[:taken])
        assert bytes(memory[: len(expected)]) == expected
        assert bytes(memory[len(expected) :]) == b"\xa5" * (room - len(expected))
        assert taken == len(packets) or len(expected) + len(oracle.encode([packets[taken]])) > room


def fill(memory: memoryview, packets: list[bytes]) -> int:
    """Fill a read buffer as the driver does, until a packet does not fit; return how many did."""
    writer, where = ffi.new("struct bundle_writer *"), ffi.new("void **")
    with ffi.from_buffer("char[]", memory, require_writable=True) as base:
        lib.bundle_writer_init(writer, base, len(memory))
        for taken, packet in enumerate(packets):
            before = lib.bundle_written(writer)
            reason = lib.bundle_reserve(writer, len(packet), where)
            if reason != lib.BUNDLE_OK:
                assert reason == lib.BUNDLE_NO_ROOM
                assert lib.bundle_written(writer) == before
                return taken
            ffi.memmove(where[0], packet, len(packet))
    return len(packets)


@pytest.mark.parametrize("room", LENGTHS)
def test_encoding_reads_and_writes_nothing_beyond_either_end(fence: Fence, room: int) -> None:
    """The packets end where memory ends, and then the bundle does."""
    sizes = [size for size in (room % 16, 32, room // 3, 0) if size <= room]
    while sum(sizes) > room:
        sizes.pop()
    packets = fence.at_end(sum(sizes))
    packets[:] = bytes(index % 251 for index in range(len(packets)))
    content = bytes(packets)
    pieces = [content[sum(sizes[:i]) : sum(sizes[: i + 1])] for i in range(len(sizes))]
    assert bundle.encode(packets, sizes) == oracle.encode(pieces)

    expected = oracle.encode(pieces)
    target = fence.at_end(len(expected))
    target[:] = b"\xa5" * len(target)
    assert bundle.encode_into(target, pieces) == len(expected)
    assert bytes(target) == expected


def test_sizes_that_change_during_the_walk_never_lead_out_of_the_buffer(fence: Fence) -> None:
    """A client rewrites every size while the driver decodes: each record is judged by the one size that was loaded.

    Whatever was loaded, records follow each other without a gap and stay inside the buffer. How often the two threads
    meet is up to the machine; the fence makes each meeting that goes wrong a crash.
    """
    memory = fence.at_end(256 * 32)
    sizes = np.frombuffer(memory, np.uint32)[::8]
    memory[:] = bytes(len(memory))
    running = threading.Event()
    running.set()

    def rewrite() -> None:
        generator = random.Random(3)
        while running.is_set():
            sizes[:] = generator.choice((0, 16, 17, 61_424, 0xFFFF_FFFF))
            sizes[generator.randrange(256) :] = generator.choice((1, 16, 100))

    client = threading.Thread(target=rewrite)
    client.start()
    try:
        for _ in range(3_000):
            decoded = bundle.decode(memory)
            starts = decoded.offsets - 16
            ends = decoded.offsets + -(-decoded.sizes.astype(np.int64) // 16) * 16
            assert starts.tolist() == [0, *ends.tolist()][:-1] if len(decoded) else decoded.consumed == 0
            assert decoded.consumed == (ends[-1] if len(decoded) else 0)
            assert decoded.consumed <= len(memory)
    finally:
        running.clear()
        client.join()
