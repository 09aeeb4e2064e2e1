"""Chapter 5: the client writes. What of its buffer the stack receives, and what the adapter says of the rest."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.model.world import (
    INVALID_PARAMETER,
    INVALID_USER_BUFFER,
    bundle,
    ipv4,
    ipv6,
    opened,
    received,
    record,
)
from wintun_sim.operations import PacketReceived


@pytest.mark.parametrize(
    ("length", "status"),
    [
        (0, INVALID_PARAMETER),
        (1, INVALID_USER_BUFFER),
        (15, INVALID_USER_BUFFER),
        (15_728_641, INVALID_USER_BUFFER),
    ],
)
def test_a_buffer_that_will_not_do_is_refused(length: int, status: int) -> None:
    world = opened()
    assert world.write(bytes(length)) == [world.irp("w1", status)]
    assert world.statistics() == {}


def test_one_packet() -> None:
    world = opened()
    assert world.write(bundle(ipv4())) == [*received("w1", ipv4()), world.irp("w1", information=48)]
    assert world.statistics() == {"ifHCInOctets": 20, "ifHCInUcastOctets": 20, "ifHCInUcastPkts": 1}


def test_a_record_without_its_end_padding_is_cut_short() -> None:
    """36 bytes hold the packet, but the last record too must be padded. Nothing is received, nothing is an error."""
    world = opened()
    assert world.write(bundle(ipv4())[:36]) == [world.irp("w1")]
    assert world.statistics() == {}


def test_an_empty_record_is_consumed_and_counted_as_an_error() -> None:
    world = opened()
    assert world.write(bytes(16)) == [world.irp("w1", information=16)]
    assert world.statistics() == {"ifInErrors": 1}


def test_what_stands_before_a_bad_record_is_received() -> None:
    good = record(ipv4())
    for tail in (struct.pack("<I12x", 61_425), struct.pack("<I12x", 0xFFFFFFFF), b"\x01" * 15, b"\x14", good[:-1]):
        world = opened()
        assert world.write(good + tail) == [*received("w1", ipv4()), world.irp("w1", information=48)]
        assert "ifInErrors" not in world.statistics()


def test_the_extra_zeros_of_the_old_readme_parse_as_an_empty_record() -> None:
    """Its padding of 16 bytes where none is needed is what clients of that time really write."""
    world = opened()
    data = record(ipv4(32)) + bytes(16)
    assert world.write(data) == [*received("w1", ipv4(32)), world.irp("w1", information=64)]
    assert world.statistics()["ifInErrors"] == 1


@pytest.mark.parametrize(
    "packet",
    [b"", ipv4(1), ipv4(19), b"\x55" + bytes(60), b"\x05" * 40, ipv6(20), ipv6(39), bytes(100)],
    ids=lambda packet: f"{packet[:1].hex()}-{len(packet)}",
)
def test_what_is_not_ip_is_skipped_and_the_next_record_received(packet: bytes) -> None:
    world = opened()
    data = bundle(packet, ipv4())
    assert world.write(data) == [*received("w1", ipv4()), world.irp("w1", information=len(data))]
    assert world.statistics() == {
        "ifInErrors": 1,
        "ifHCInOctets": 20,
        "ifHCInUcastOctets": 20,
        "ifHCInUcastPkts": 1,
    }


@pytest.mark.parametrize("packet", [ipv4(20), ipv4(61_424), ipv6(40), ipv6(61_424), b"\x4f" + b"\xff" * 19])
def test_what_is_ip_by_length_and_nibble_is_received_unchecked(packet: bytes) -> None:
    world = opened()
    assert world.write(bundle(packet))[0] == PacketReceived("w1", packet)


def test_both_families_arrive_in_order() -> None:
    world = opened()
    packets = [ipv4(20), ipv6(40), ipv4(21), ipv6(41)]
    assert world.write(bundle(*packets))[:4] == received("w1", *packets)


def test_more_than_256_packets_are_received_whole() -> None:
    world = opened()
    packets = [ipv4(20, number) for number in range(1000)]
    data = bundle(*packets)
    assert world.write(data) == [*received("w1", *packets), world.irp("w1", information=48_000)]
    assert world.statistics()["ifHCInUcastPkts"] == 1000


def test_what_the_stack_gives_back_with_a_failure_counts_as_an_error() -> None:
    """Positions count the packets that were indicated; what was skipped has none. The write succeeds all the same."""
    world = opened()
    data = bundle(ipv4(20), b"?", ipv4(21), ipv4(22))
    assert world.write(data, rejected=[1, 9])[-1] == world.irp("w1", information=len(data))
    assert world.statistics() == {
        "ifInErrors": 2,
        "ifHCInOctets": 42,
        "ifHCInUcastOctets": 42,
        "ifHCInUcastPkts": 2,
    }


def test_a_write_needs_no_read_and_a_read_no_write() -> None:
    world = opened()
    world.read()
    world.write(bundle(ipv4()))
    assert world.counters().reads_pending == 1


def test_header_and_padding_are_not_looked_at() -> None:
    """Real clients do not zero them."""
    world = opened()
    data = struct.pack("<I", 20) + b"\xa5" * 12 + ipv4() + b"\xa5" * 12
    assert world.write(data)[0] == PacketReceived("w1", ipv4())


def parse(data: bytes) -> tuple[list[bytes], int, int]:
    """Read a bundle as the format's description has it: the packets that are IP, how many were not, bytes consumed."""
    packets, errors, offset = [], 0, 0
    while len(data) - offset >= 16:
        size = int.from_bytes(data[offset : offset + 4], "little")
        end = offset + (16 + size + 15) // 16 * 16
        if size > 61_424 or end > len(data):
            break
        packet = data[offset + 16 : offset + 16 + size]
        if (size >= 20 and packet[0] >> 4 == 4) or (size >= 40 and packet[0] >> 4 == 6):
            packets.append(packet)
        else:
            errors += 1
        offset = end
    return packets, errors, offset


damage = st.one_of(
    st.binary(max_size=20),
    st.integers(0, 0xFFFFFFFF).map(lambda size: struct.pack("<I12x", size)),
    st.just(bytes(16)),
)
records = st.one_of(
    st.integers(0, 100).map(lambda size: record(ipv4(size))),
    st.integers(0, 100).map(lambda size: record(ipv6(size))),
    st.binary(max_size=80).map(record),
)


@given(st.lists(st.one_of(records, damage), max_size=12).map(b"".join).filter(lambda data: len(data) >= 16))
def test_any_buffer_is_received_as_the_format_has_it(data: bytes) -> None:
    packets, errors, consumed = parse(data)
    world = opened()
    assert world.write(data) == [*received("w1", *packets), world.irp("w1", information=consumed)]
    statistics = world.statistics()
    assert statistics.get("ifHCInUcastPkts", 0) == len(packets)
    assert statistics.get("ifHCInOctets", 0) == sum(map(len, packets))
    assert statistics.get("ifInErrors", 0) == errors
