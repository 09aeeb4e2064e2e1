"""Chapter 6: NDIS asks and sets. Every OID with every length on both sides of what it demands."""

import struct

import pytest

from tests.model.world import (
    INVALID_DATA,
    INVALID_LENGTH,
    INVALID_OID,
    NOT_SUPPORTED,
    SUCCESS,
    World,
    bundle,
    initialized,
    ipv4,
    opened,
    refused,
)
from wintun_sim import ndis
from wintun_sim.operations import Oid, OidCompleted, OidKind

ULONGS = {
    0x00010111: 61_424,
    0x0001010A: 61_424,
    0x0001010B: 61_424,
    0x00010108: 15_724_544,
    0x00010109: 15_724_544,
    0x0001010C: 0x00FFFFFF,
    0x00010116: 0,
}
VENDOR_DESCRIPTION = 0x0001010D
XMIT_OK, RCV_OK, STATISTICS = 0x00020101, 0x00020102, 0x00020106
LOOKAHEAD, PACKET_FILTER = 0x0001010F, 0x0001010E
LINK_PARAMETERS, INTERRUPT_MODERATION = 0x00010208, 0x00010209
SET_POWER, QUERY_POWER = 0xFD010101, 0xFD010102
QUERIED = {*ULONGS, VENDOR_DESCRIPTION, XMIT_OK, RCV_OK, STATISTICS, INTERRUPT_MODERATION, QUERY_POWER}
ASKING = [OidKind.QUERY, OidKind.STATISTICS]


def answer(event: OidCompleted) -> tuple[int, int, int, bytes]:
    return event.status, event.information, event.needed, event.data


def test_the_adapter_reports_seventeen_oids() -> None:
    assert [row.value for row in ndis.OIDS] == [
        *(0x00010111, 0x0001010F, 0x00010108, 0x00010109, 0x0001010A, 0x0001010B, 0x0001010D, 0x0001010C, 0x00010116),
        *(0x00020101, 0x00020102, 0x0001010E, 0x00020106, 0x00010209, 0x00010208, 0xFD010101, 0xFD010102),
    ]


@pytest.mark.parametrize("kind", ASKING)
@pytest.mark.parametrize("oid", ULONGS)
def test_a_number_fits_into_four_bytes_and_not_into_three(oid: int, kind: OidKind) -> None:
    world = initialized()
    data = struct.pack("<I", ULONGS[oid])
    assert answer(world.oid(kind, oid, 0)) == (INVALID_LENGTH, 0, 4, b"")
    assert answer(world.oid(kind, oid, 3)) == (INVALID_LENGTH, 0, 4, b"")
    assert answer(world.oid(kind, oid, 4)) == (SUCCESS, 4, 4, data)
    assert answer(world.oid(kind, oid, 100)) == (SUCCESS, 4, 4, data)


@pytest.mark.parametrize("kind", ASKING)
def test_the_vendor_is_described_in_fourteen_bytes(kind: OidKind) -> None:
    world = initialized()
    assert answer(world.oid(kind, VENDOR_DESCRIPTION, 13)) == (INVALID_LENGTH, 0, 14, b"")
    assert answer(world.oid(kind, VENDOR_DESCRIPTION, 14)) == (SUCCESS, 14, 14, b"Wintun Tunnel\0")


@pytest.mark.parametrize("kind", ASKING)
def test_interrupt_moderation_is_not_supported_in_twelve_bytes(kind: OidKind) -> None:
    world = initialized()
    assert answer(world.oid(kind, INTERRUPT_MODERATION, 11)) == (INVALID_LENGTH, 0, 12, b"")
    expected = bytes([0x80, 1, 12, 0]) + struct.pack("<II", 0, 1)
    assert answer(world.oid(kind, INTERRUPT_MODERATION, 12)) == (SUCCESS, 12, 12, expected)


@pytest.mark.parametrize("kind", ASKING)
def test_counters_come_in_either_width(kind: OidKind) -> None:
    """Whoever has room for the lower half only gets that, and is told what the whole would need."""
    world = opened()
    world.read()
    world.send(ipv4(), ipv4(), ipv4())
    world.write(bundle(ipv4(), ipv4()))
    for oid, value in ((XMIT_OK, 3), (RCV_OK, 2)):
        assert answer(world.oid(kind, oid, 0)) == (INVALID_LENGTH, 0, 8, b"")
        assert answer(world.oid(kind, oid, 3)) == (INVALID_LENGTH, 0, 8, b"")
        assert answer(world.oid(kind, oid, 4)) == (SUCCESS, 4, 8, struct.pack("<I", value))
        assert answer(world.oid(kind, oid, 7)) == (SUCCESS, 4, 8, struct.pack("<I", value))
        assert answer(world.oid(kind, oid, 8)) == (SUCCESS, 8, 8, struct.pack("<Q", value))


@pytest.mark.parametrize("kind", ASKING)
def test_statistics_come_whole_or_not_at_all(kind: OidKind) -> None:
    world = opened()
    assert answer(world.oid(kind, STATISTICS, 151)) == (INVALID_LENGTH, 0, 152, b"")
    assert world.oid(kind, STATISTICS, 152).information == 152
    assert world.statistics() == {}


@pytest.mark.parametrize("kind", ASKING)
@pytest.mark.parametrize("length", [0, 1, 100])
def test_going_to_sleep_is_always_agreed_to(kind: OidKind, length: int) -> None:
    assert answer(initialized().oid(kind, QUERY_POWER, length)) == (SUCCESS, 0, 0, b"")


@pytest.mark.parametrize("kind", ASKING)
@pytest.mark.parametrize("oid", [LOOKAHEAD, PACKET_FILTER, LINK_PARAMETERS, SET_POWER, 0x00010101, 0, 0xFFFFFFFF])
def test_what_can_only_be_set_or_is_unknown_is_not_answered(oid: int, kind: OidKind) -> None:
    assert answer(initialized().oid(kind, oid, 100)) == (INVALID_OID, 0, 0, b"")


@pytest.mark.parametrize("oid", [LOOKAHEAD, PACKET_FILTER])
def test_filter_and_lookahead_are_taken_in_four_bytes_exactly(oid: int) -> None:
    world = initialized()
    for length in (0, 3, 5, 100):
        assert answer(world.oid(OidKind.SET, oid, length)) == (INVALID_LENGTH, 0, 4, b"")
    for value in (0, 0xFFFFFFFF):
        assert answer(world.oid(OidKind.SET, oid, 4, struct.pack("<I", value))) == (SUCCESS, 4, 0, b"")


@pytest.mark.parametrize("length", [0, 1, 64])
def test_link_parameters_of_any_length_are_taken(length: int) -> None:
    assert answer(initialized().oid(OidKind.SET, LINK_PARAMETERS, length)) == (SUCCESS, length, 0, b"")


@pytest.mark.parametrize("length", [0, 12])
def test_interrupt_moderation_cannot_be_set(length: int) -> None:
    assert answer(initialized().oid(OidKind.SET, INTERRUPT_MODERATION, length)) == (INVALID_DATA, 0, 0, b"")


@pytest.mark.parametrize("oid", [*sorted(QUERIED - {INTERRUPT_MODERATION}), 0x00010101])
def test_the_rest_cannot_be_set(oid: int) -> None:
    assert answer(initialized().oid(OidKind.SET, oid, 4, bytes(4))) == (INVALID_OID, 0, 0, b"")


def test_the_power_request_looks_at_length_then_value() -> None:
    world = initialized()
    assert answer(world.oid(OidKind.SET, SET_POWER, 3)) == (INVALID_LENGTH, 0, 4, b"")
    assert answer(world.oid(OidKind.SET, SET_POWER, 5)) == (INVALID_LENGTH, 0, 4, b"")
    for state in (0, 5, 0x7FFFFFFF, 0xFFFFFFFF):
        assert answer(world.oid(OidKind.SET, SET_POWER, 4, struct.pack("<I", state)))[0] == INVALID_DATA
    assert answer(world.oid(OidKind.SET, SET_POWER, 4, struct.pack("<I", 4))) == (SUCCESS, 4, 0, b"")


def test_a_set_request_without_data_reads_what_is_in_the_buffer() -> None:
    """0xA5A5A5A5 is no power state."""
    assert answer(initialized().oid(OidKind.SET, SET_POWER, 4))[0] == INVALID_DATA


@pytest.mark.parametrize("oid", sorted(QUERIED | {SET_POWER, 0x00010101}))
def test_methods_are_not_supported_and_direct_requests_find_no_oid(oid: int) -> None:
    world = initialized()
    for direct in (False, True):
        assert answer(world.oid(OidKind.METHOD, oid, 4, direct=direct)) == (NOT_SUPPORTED, 0, 0, b"")
    for kind in (OidKind.QUERY, OidKind.STATISTICS, OidKind.SET):
        assert answer(world.oid(kind, oid, 200, direct=True)) == (INVALID_OID, 0, 0, b"")


def test_oids_are_answered_in_every_state_between_initialize_and_halt() -> None:
    world = initialized()
    for step in (world.restart, world.pause, world.restart, world.create, world.pause):
        assert world.oid(OidKind.QUERY, 0x00010111, 4).status == SUCCESS
        step()
    world.halt()
    assert refused(world.perform(query()), "Halted", "MiniportOidRequest")
    world = World()
    world.load()
    world.initialize()
    world.shutdown()
    assert refused(world.perform(query()), "Shutdown", "nc-ndis-miniport_shutdown")


def query() -> Oid:
    return Oid(name="late", adapter="a", kind=OidKind.QUERY, oid=0x00010111, length=4)
