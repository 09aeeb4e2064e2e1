"""The writer and the walker as the driver uses them: a record at a time, and back again when a copy fails."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.bundle import oracle
from wintun_sim.bundle.format import NO_LIMIT, ffi, lib
from wintun_sim.testing.strategies import packets


class Writer:
    """A read buffer of `room` bytes, full of what the client left there."""

    def __init__(self, room: int) -> None:
        self.buffer = ffi.new("char[]", b"\xa5" * room)
        self.writer = ffi.new("struct bundle_writer *")
        self.where = ffi.new("void **")
        lib.bundle_writer_init(self.writer, self.buffer, room)

    def reserve(self, size: int) -> Any:
        return lib.bundle_reserve(self.writer, size, self.where)

    def write(self, packet: bytes) -> Any:
        reason = self.reserve(len(packet))
        if reason == lib.BUNDLE_OK:
            ffi.memmove(self.where[0], packet, len(packet))
        return reason

    def bundle(self) -> bytes:
        return bytes(ffi.buffer(self.buffer, lib.bundle_written(self.writer)))


@given(st.lists(st.tuples(packets(max_size=200), st.booleans()), max_size=60))
def test_a_packet_that_could_not_be_copied_leaves_no_trace(attempts: list[tuple[bytes, bool]]) -> None:
    """The driver drops it and goes on with the same read: the next packet gets its place and its number."""
    writer = Writer(16_384)
    for packet, copied in attempts:
        assert writer.write(packet) == lib.BUNDLE_OK
        if not copied:
            lib.bundle_take_back(writer.writer)
            lib.bundle_take_back(writer.writer)  # the second finds nothing to take back
    kept = [packet for packet, copied in attempts if copied]
    assert writer.bundle() == oracle.encode(kept)
    assert writer.writer.number == len(kept)


def test_taking_back_before_anything_was_reserved_does_nothing() -> None:
    writer = Writer(64)
    lib.bundle_take_back(writer.writer)
    assert writer.write(b"x") == lib.BUNDLE_OK
    assert writer.bundle() == oracle.encode([b"x"])


def test_an_empty_packet_can_be_taken_back_too() -> None:
    writer = Writer(64)
    writer.write(b"kept")
    writer.write(b"")
    lib.bundle_take_back(writer.writer)
    assert writer.bundle() == oracle.encode([b"kept"])


def test_the_257th_packet_is_refused_and_fits_again_after_one_was_taken_back() -> None:
    writer = Writer(257 * 16)
    assert {writer.reserve(0) for _ in range(256)} == {lib.BUNDLE_OK}
    assert writer.reserve(0) == lib.BUNDLE_TOO_MANY
    lib.bundle_take_back(writer.writer)
    assert writer.reserve(0) == lib.BUNDLE_OK
    assert lib.bundle_written(writer.writer) == 4096


def test_what_forbids_a_packet_is_told_in_a_fixed_order() -> None:
    """Over-long before too many before no room: the driver drops the first for good and keeps the others for later."""
    full = Writer(256 * 16)
    for _ in range(256):
        full.reserve(0)
    assert full.reserve(61_425) == lib.BUNDLE_OVER_LONG
    assert full.reserve(2**64 - 1) == lib.BUNDLE_OVER_LONG
    assert full.reserve(61_424) == lib.BUNDLE_TOO_MANY
    small = Writer(61_439)
    assert small.reserve(61_424) == lib.BUNDLE_NO_ROOM
    assert small.reserve(61_408) == lib.BUNDLE_OK
    assert small.reserve(0) == lib.BUNDLE_NO_ROOM
    assert Writer(61_440).reserve(61_424) == lib.BUNDLE_OK


@given(st.lists(st.integers(0, 61_500), max_size=300), st.integers(0, 200_000))
def test_a_plan_says_what_reserving_would_and_touches_nothing(sizes: list[int], room: int) -> None:
    """The driver plans on a copy of the writer what it takes out of its queue, and then cannot fail to reserve it."""
    writer, planned = Writer(room), ffi.new("struct bundle_writer *")
    ffi.memmove(planned, writer.writer, ffi.sizeof(planned[0]))
    plans = [lib.bundle_plan(planned, size) for size in sizes]
    assert bytes(ffi.buffer(writer.buffer, room)) == b"\xa5" * room
    assert [writer.reserve(size) for size in sizes] == plans
    assert bytes(ffi.buffer(planned)) == bytes(ffi.buffer(writer.writer))


@pytest.mark.parametrize("size", range(70))
def test_no_byte_of_the_client_stays_in_header_or_padding(size: int) -> None:
    writer = Writer(256)
    assert writer.write(b"\x45" * size) == lib.BUNDLE_OK
    assert writer.bundle() == oracle.encode([b"\x45" * size])


def test_a_walker_takes_a_write_of_more_than_256_records_whole_unless_told_otherwise() -> None:
    data = b"".join(oracle.encode([b"%d" % number]) for number in range(1000))
    walker, record = ffi.new("struct bundle_walker *"), ffi.new("struct bundle_record *")
    base = ffi.from_buffer("char[]", data)
    for limit, count, reason in (
        (NO_LIMIT, 1000, lib.BUNDLE_END),
        (256, 256, lib.BUNDLE_TOO_MANY),
        (1000, 1000, lib.BUNDLE_END),
    ):
        lib.bundle_walker_init(walker, base, len(data), limit)
        taken = 0
        while lib.bundle_next(walker, record) == lib.BUNDLE_OK:
            taken += 1
        assert (taken, walker.number, lib.bundle_next(walker, record)) == (count, count, reason)


def test_null_is_an_empty_buffer_for_walker_and_writer() -> None:
    walker, record = ffi.new("struct bundle_walker *"), ffi.new("struct bundle_record *")
    lib.bundle_walker_init(walker, ffi.NULL, 0, NO_LIMIT)
    assert lib.bundle_next(walker, record) == lib.BUNDLE_END
    writer, where = ffi.new("struct bundle_writer *"), ffi.new("void **")
    lib.bundle_writer_init(writer, ffi.NULL, 0)
    assert lib.bundle_reserve(writer, 0, where) == lib.BUNDLE_NO_ROOM


def test_bulk_encoding_is_told_the_truth_about_its_limits_too() -> None:
    """Python measures first, so these stops never reach it; other callers of the C functions rely on them."""
    sizes, stop = ffi.new("uint32_t[]", [4, 4, 4]), ffi.new("struct bundle_stop *")
    target = ffi.new("char[]", 96)

    def encode(room: int, available: int, limit: int) -> tuple[int, int, int, int]:
        size = lib.bundle_encode(target, room, b"abcdefghijkl", available, sizes, 3, limit, stop)
        return size, stop.reason, stop.number, stop.offset

    assert encode(96, 12, 3) == (96, lib.BUNDLE_END, 3, 96)
    assert encode(95, 12, 3) == (64, lib.BUNDLE_NO_ROOM, 2, 64)
    assert encode(96, 11, 3) == (64, lib.BUNDLE_CUT_SHORT, 2, 64)
    assert encode(96, 12, 2) == (64, lib.BUNDLE_TOO_MANY, 2, 64)
    sizes[1] = 61_425
    assert encode(96, 12, 3) == (32, lib.BUNDLE_OVER_LONG, 1, 32)
