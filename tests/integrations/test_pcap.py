"""Captures: what people recorded elsewhere becomes packets for the adapter, whole, or it is refused with a reason.

The oracle is a reader of a dozen lines over the format drafts' structures, and writers for what the shipped captures do
not have: pcapng, other link layers, other byte orders.
"""

import io
import random
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wintun_sim.errors import UsageError
from wintun_sim.integrations.pcap import Capture, Captured, read_packets, shipped_captures, write_packets

IPV4 = bytes.fromhex("4500001c00004000401100000a0000010a000002 0001000200080000".replace(" ", ""))
IPV6 = bytes.fromhex("6000000000083a40") + bytes(32) + bytes(8)


def pcap(records: list[tuple[int, bytes]], *, link_type: int = 101, order: str = "<", nano: bool = False) -> bytes:
    """A pcap file of (time in ns, data), as draft-ietf-opsawg-pcap lays it out."""
    magic, unit = (0xA1B23C4D, 1) if nano else (0xA1B2C3D4, 1000)
    text = struct.pack(f"{order}IHHIIII", magic, 2, 4, 0, 0, 262_144, link_type)
    for time_ns, data in records:
        seconds, rest = divmod(time_ns, 10**9)
        text += struct.pack(f"{order}IIII", seconds, rest // unit, len(data), len(data)) + data
    return text


def block(kind: int, body: bytes, order: str = "<") -> bytes:
    length = struct.pack(f"{order}I", 12 + len(body) + -len(body) % 4)
    return struct.pack(f"{order}I", kind) + length + body + bytes(-len(body) % 4) + length


def pcapng(link_type: int, records: list[tuple[int, bytes]], order: str = "<") -> bytes:
    """A pcapng file with nanosecond times, as draft-ietf-opsawg-pcapng lays it out."""
    text = block(0x0A0D0D0A, struct.pack(f"{order}IHHq", 0x1A2B3C4D, 1, 0, -1), order)
    resolution = struct.pack(f"{order}HHB3xHH", 9, 1, 9, 0, 0)
    text += block(1, struct.pack(f"{order}HHI", link_type, 0, 0) + resolution, order)
    for time_ns, data in records:
        head = struct.pack(f"{order}IIIII", 0, time_ns >> 32, time_ns & 0xFFFFFFFF, len(data), len(data))
        text += block(6, head + data + bytes(-len(data) % 4), order)
    return text


def records_of(text: bytes) -> list[Captured]:
    """Read a little-endian nanosecond pcap file without any library."""
    assert text[:4] == bytes.fromhex("4d3cb2a1")
    records, offset = [], 24
    while offset < len(text):
        seconds, nanoseconds, length, original = struct.unpack_from("<IIII", text, offset)
        assert length == original
        records.append(Captured(seconds * 10**9 + nanoseconds, text[offset + 16 : offset + 16 + length]))
        offset += 16 + length
    return records


def ones_complement_sum(data: bytes) -> int:
    """The Internet checksum's sum, RFC 1071."""
    total: int = sum(struct.unpack(f"!{(len(data) + 1) // 2}H", data + bytes(len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def read(text: bytes) -> Capture:
    return read_packets(io.BytesIO(text))


@pytest.mark.parametrize("name", ["icmp", "tcp", "udp", "dns", "ipv6", "fragments", "jumbo"])
def test_each_shipped_capture_is_read_whole_and_as_it_was_recorded(name: str) -> None:
    path = shipped_captures()[name]
    capture = read_packets(path)
    assert list(capture.packets) == records_of(path.read_bytes())
    assert capture.skipped == 0
    assert [packet.time_ns for packet in capture.packets] == sorted(packet.time_ns for packet in capture.packets)


def test_the_shipped_captures_are_real_packets_whose_lengths_and_header_checksums_are_right() -> None:
    """Made-up packets would hide what real ones find; a checksum left to the device would be visible here."""
    for path in shipped_captures().values():
        for packet in read_packets(path).packets:
            data = packet.data
            if data[0] >> 4 == 4:
                assert int.from_bytes(data[2:4], "big") == len(data)
                assert ones_complement_sum(data[: (data[0] & 15) * 4]) == 0xFFFF
            else:
                assert int.from_bytes(data[4:6], "big") == len(data) - 40


def transports() -> list[tuple[int, bytes, bytes, bytes]]:
    """Protocol, addresses and transport data of each shipped packet that is no fragment."""
    found = []
    for path in shipped_captures().values():
        for packet in read_packets(path).packets:
            data = packet.data
            if data[0] >> 4 == 4 and int.from_bytes(data[6:8], "big") & 0x3FFF == 0:
                found.append((data[9], data[12:16], data[16:20], data[(data[0] & 15) * 4 :]))
            elif data[0] >> 4 == 6 and data[6] != 44:
                found.append((data[6], data[8:24], data[24:40], data[40:]))
    return found


def test_the_shipped_captures_hold_every_kind_of_traffic_that_the_readme_promises() -> None:
    """TCP, UDP, ICMP and ICMPv6 with whole checksums, over IPv4 and IPv6, fragments of both, the largest packet."""
    kinds = set()
    for protocol, source, destination, data in transports():
        pseudo_header = b"" if protocol == 1 else source + destination + struct.pack("!II", len(data), protocol)
        assert ones_complement_sum(pseudo_header + data) == 0xFFFF
        kinds.add((len(source), protocol))
    assert kinds == {(4, 1), (4, 6), (4, 17), (16, 6), (16, 17), (16, 58)}
    packets = [packet.data for path in shipped_captures().values() for packet in read_packets(path).packets]
    assert any(data[0] >> 4 == 4 and data[6] & 0x20 for data in packets)
    assert any(data[0] >> 4 == 6 and data[6] == 44 for data in packets)
    assert max(map(len, packets)) == 61_424


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("nano", [False, True])
def test_a_pcap_file_of_either_byte_order_and_resolution_is_read(order: str, nano: bool) -> None:
    time_ns = 1_700_000_000_123_456_000 + (789 if nano else 0)
    assert read(pcap([(time_ns, IPV4)], order=order, nano=nano)).packets == (Captured(time_ns, IPV4),)


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_pcapng_file_of_either_byte_order_is_read(order: str) -> None:
    time_ns = 1_700_000_000_123_456_789
    assert read(pcapng(101, [(time_ns, IPV4), (0, IPV6)], order)) == Capture(
        (Captured(time_ns, IPV4), Captured(0, IPV6)), 0
    )


ETHERNET = bytes.fromhex("020000000001020000000002")


@pytest.mark.parametrize(
    ("link_type", "frame", "packet"),
    [
        (101, IPV4, IPV4),
        (12, IPV6, IPV6),
        (228, IPV4, IPV4),
        (229, IPV6, IPV6),
        (1, ETHERNET + b"\x08\x00" + IPV4 + bytes(18), IPV4),
        (1, ETHERNET + b"\x86\xdd" + IPV6, IPV6),
        (1, ETHERNET + b"\x81\x00\x00\x07\x08\x00" + IPV4 + bytes(14), IPV4),
        (1, ETHERNET + b"\x88\xa8\x00\x01\x81\x00\x00\x07\x86\xdd" + IPV6, IPV6),
        (113, bytes(14) + b"\x08\x00" + IPV4, IPV4),
        (276, b"\x86\xdd" + bytes(18) + IPV6, IPV6),
        (0, b"\x02\x00\x00\x00" + IPV4, IPV4),
        (108, b"\x00\x00\x00\x18" + IPV6, IPV6),
    ],
)
def test_the_link_layer_and_its_padding_are_taken_off(link_type: int, frame: bytes, packet: bytes) -> None:
    """The adapter is a layer 3 device: an Ethernet header in front of a packet would make it no IP packet at all."""
    assert read(pcap([(0, frame)], link_type=link_type)).packets == (Captured(0, packet),)
    assert read(pcapng(link_type, [(0, frame)])).packets == (Captured(0, packet),)


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        ETHERNET,
        ETHERNET + b"\x08\x06" + bytes(46),
        ETHERNET + b"\x08\x00" + IPV4[:19],
        ETHERNET + b"\x81\x00",
        ETHERNET + b"\x86\xdd" + IPV4,
    ],
)
def test_a_frame_without_an_ip_packet_is_skipped_and_counted(frame: bytes) -> None:
    whole = ETHERNET + b"\x08\x00" + IPV4
    assert read(pcap([(0, frame), (0, whole)], link_type=1)) == Capture((Captured(0, IPV4),), 1)


def test_a_packet_of_an_interface_that_was_never_described_is_skipped_and_counted() -> None:
    stray = block(6, struct.pack("<IIIII", 7, 0, 0, len(IPV4), len(IPV4)) + IPV4)
    assert read(pcapng(101, [(3, IPV4)]) + stray) == Capture((Captured(3, IPV4),), 1)


def test_a_packet_that_the_recorder_had_cut_off_is_skipped_and_counted() -> None:
    """Half a packet under a whole packet's header would be judged as if the sender had written it so."""
    text = pcap([(0, IPV4)])
    text += struct.pack("<IIII", 0, 0, 24, 28) + IPV4[:24]
    assert read(text) == Capture((Captured(0, IPV4),), 1)


def test_a_file_that_ends_early_is_refused_unless_it_ends_between_two_records() -> None:
    """Nothing in a pcap file says how many records there are, so a cut between two of them cannot be seen."""
    text = shipped_captures()["dns"].read_bytes()
    records = records_of(text)
    boundaries = {24: 0}
    for count, record in enumerate(records, 1):
        boundaries[max(boundaries) + 16 + len(record.data)] = count
    for length in range(len(text)):
        if length in boundaries:
            assert list(read(text[:length]).packets) == records[: boundaries[length]]
        else:
            with pytest.raises(UsageError, match=r"cannot read .*: (damaged near byte \d+|it is empty|it is no pcap)"):
                read(text[:length])


def test_a_pcapng_file_that_ends_early_is_refused_unless_it_ends_between_two_blocks() -> None:
    text = pcapng(101, [(5, IPV4), (6, IPV6)])
    whole = {28: 0, 60: 0, 60 + 32 + 28: 1}
    for length in range(len(text)):
        if length in whole:
            assert len(read(text[:length]).packets) == whole[length]
        else:
            with pytest.raises(UsageError):
                read(text[:length])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "it is empty"),
        (b"GIF89a and so on", "no pcap or pcapng file"),
        (b"\x1f\x8b\x08\x00" + bytes(20), "compressed"),
        (pcap([(0, bytes(60))], link_type=105), "link type 105"),
        (
            pcap([])[:4] + b"\xff" * 20 + struct.pack("<IIII", 0, 0, 0xFFFFFFFF, 1),
            "damaged near byte 24: it ends in the middle",
        ),
        (pcapng(101, []) + block(6, bytes(4)), "damaged near byte 60: a block of type 6 cannot have 16 bytes"),
        (pcapng(101, []) + block(7, bytes(4))[:-4] + bytes(4), "damaged near byte 60: a block of 16 bytes"),
        (pcapng(101, [])[:12] + b"\x09" + pcapng(101, [])[13:], "its header is damaged"),
        (pcapng(101, []) + struct.pack("<II", 6, 4), "damaged near byte 60: it ends in the middle"),
    ],
)
def test_a_foreign_or_damaged_file_is_refused_with_its_name_and_the_reason(
    text: bytes, reason: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "strange.pcap"
    path.write_bytes(text)
    with pytest.raises(UsageError) as caught:
        read_packets(path)
    assert str(path) in str(caught.value)
    assert reason in str(caught.value)
    assert capfd.readouterr() == ("", "")


@given(st.data())
def test_a_damaged_file_never_breaks_the_reader(data: st.DataObject) -> None:
    """Captures come from strangers. Whatever bytes a file has, the reader gives packets or a UsageError."""
    text = bytearray(data.draw(st.sampled_from([pcap([(1, IPV4), (2, IPV6)]), pcapng(1, [(1, IPV4), (2, IPV6)])])))
    for _ in range(data.draw(st.integers(1, 6))):
        text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.integers(0, 255))
    try:
        capture = read(bytes(text))
    except UsageError:
        return
    assert all(packet.data[0] >> 4 in (4, 6) and len(packet.data) >= 20 for packet in capture.packets)


@given(st.binary(max_size=200), st.sampled_from([b"", pcap([]), pcapng(101, [])]))
def test_arbitrary_bytes_never_break_the_reader(tail: bytes, head: bytes) -> None:
    try:
        read(head + tail)
    except UsageError:
        return


def ip_packets() -> st.SearchStrategy[bytes]:
    version_4 = st.binary(min_size=19, max_size=300).map(lambda rest: b"\x45" + rest)
    version_6 = st.binary(min_size=39, max_size=300).map(lambda rest: b"\x60" + rest)
    return version_4 | version_6


@given(records=st.lists(st.builds(Captured, st.integers(0, 2**32 * 10**9 - 1), ip_packets()), max_size=20))
def test_what_is_written_is_read_back_and_is_what_the_format_says(
    records: list[Captured], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("written") / "packets.pcap"
    assert write_packets(path, records) == len(records)
    assert list(read_packets(path).packets) == records
    assert records_of(path.read_bytes()) == records


def test_the_largest_packets_survive_writing_and_reading(tmp_path: Path) -> None:
    records = [Captured(0, b"\x45" + random.Random(size).randbytes(size - 1)) for size in (61_424, 65_535, 65_575)]
    write_packets(tmp_path / "large.pcap", records)
    assert list(read_packets(tmp_path / "large.pcap").packets) == records


@pytest.mark.parametrize("packet", [Captured(-1, IPV4), Captured(2**32 * 10**9, IPV4), Captured(0, bytes(65_576))])
def test_a_packet_that_does_not_fit_the_format_is_refused_and_no_half_file_stays(
    packet: Captured, tmp_path: Path
) -> None:
    path = tmp_path / "packets.pcap"
    with pytest.raises(UsageError, match="cannot write packet 1"):
        write_packets(path, [Captured(0, IPV4), packet])
    assert not path.exists()


def test_a_missing_file_is_the_operating_systems_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_packets(tmp_path / "nowhere.pcap")
