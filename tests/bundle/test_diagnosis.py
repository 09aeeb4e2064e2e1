"""What `diagnose` tells a person of a damaged bundle: where, what, and how it was probably written.

The golden vectors (shared/vectors) hold one of each; what has to be said of them is typed from shared/FORMAT.md.
"""

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.bundle import oracle, write_vectors
from tests.bundle.write_vectors import PING, PING6, record
from wintun_sim.bundle import Gravity, Layout, Reason, diagnose, records
from wintun_sim.operations.data import ipv4, ipv6

VECTORS = {vector.name: vector.bundle for vector in write_vectors.vectors()}

SAID = {
    # offset, record and gravity of the remark that matters, words of it, and the layout
    "stray-byte": (48, 1, Gravity.ERROR, "1 stray byte where a header", Layout.UNKNOWN),
    "header-cut": (48, 1, Gravity.ERROR, "15 stray bytes", Layout.UNKNOWN),
    "packet-cut": (0, 0, Gravity.ERROR, "the header says 32 bytes, and 31 are left", Layout.UNKNOWN),
    "padding-cut": (
        48,
        1,
        Gravity.ERROR,
        "28 bytes is whole, but 1 of 4 bytes of padding behind it is",
        Layout.UNKNOWN,
    ),
    "no-padding": (0, 0, Gravity.ERROR, "4 of 4 bytes of padding behind it are missing", Layout.NO_LAST_PADDING),
    "over-long": (48, 1, Gravity.ERROR, "a size of 61,425 bytes (0x0000EFF1)", Layout.UNKNOWN),
    "over-long-cut": (0, 0, Gravity.ERROR, "over long", Layout.UNKNOWN),
    "size-of-all-ones": (48, 1, Gravity.ERROR, "0xFFFFFFFF", Layout.UNKNOWN),
    "size-that-wraps": (0, 0, Gravity.ERROR, "0xFFFFFFF0", Layout.UNKNOWN),
    "one-too-many": (8192, 256, Gravity.NOTE, "256 packets at most", Layout.BUNDLE),
    "used-reserved-bytes": (52, 1, Gravity.NOTE, "reserved bytes of the header are not zero (6c 65", Layout.BUNDLE),
    "used-padding": (47, 0, Gravity.NOTE, "padding is not zero (00 00 00 a5)", Layout.BUNDLE),
    "first-readme": (48, 1, Gravity.WARNING, "empty", Layout.FIRST_README),
    "later-readme": (96, 2, Gravity.WARNING, "empty", Layout.LATER_README),
    "later-layout": (48, 1, Gravity.ERROR, "over long", Layout.LATER_FORMAT),
}


@pytest.mark.parametrize("name", SAID)
def test_each_golden_vector_that_is_damaged_is_told_by_place_and_cause(name: str) -> None:
    offset, number, gravity, words, layout = SAID[name]
    found = diagnose(VECTORS[name])
    assert found.layout is layout
    assert any(
        (remark.offset, remark.number, remark.gravity) == (offset, number, gravity) and words in remark.text
        for remark in found.remarks
    ), str(found)


@pytest.mark.parametrize("name", VECTORS)
def test_a_diagnosis_stops_where_the_driver_stops(name: str) -> None:
    """A write has no limit of 256 packets, so the oracle has none here."""
    expected = oracle.decode(VECTORS[name], limit=None)
    found = diagnose(VECTORS[name])
    assert (found.stop.reason.name, found.stop.offset, found.stop.number) == expected.stop
    assert found.length == len(VECTORS[name])
    assert [record.size for record in records(VECTORS[name])] == [len(packet) for packet in expected.packets]


def test_a_good_bundle_is_good_and_there_is_nothing_to_say() -> None:
    found = diagnose(oracle.encode([PING, PING6]))
    assert (found.good, found.clean, found.remarks, found.gravity) == (True, True, (), Gravity.NOTE)
    assert str(found).splitlines() == [
        "112 bytes, 2 records",
        "layout: a bundle: headers of 16 bytes, records that begin at multiples of 16",
        "as a write: STATUS_SUCCESS, Information 112; 2 packets received",
    ]


def test_bundles_one_behind_the_other_are_good_as_a_write() -> None:
    """`wintun-sim bundle encode` makes such files, and the adapter takes such a write whole."""
    found = diagnose(oracle.encode([PING]) * 700)
    assert (found.good, found.clean, found.received) == (True, False, 700)
    (remark,) = found.remarks
    assert (remark.offset, remark.number) == (256 * 48, 256)


def test_what_only_strict_decoding_minds_is_good_but_not_clean() -> None:
    found = diagnose(VECTORS["used-padding"])
    assert (found.good, found.clean, found.gravity) == (True, False, Gravity.NOTE)


def test_a_diagnosis_says_what_to_write_instead() -> None:
    for name in ("first-readme", "later-readme", "later-layout", "no-padding"):
        assert "(-size) % 16 zeros behind every packet, the last one too" in str(diagnose(VECTORS[name]))


def test_sizes_in_the_other_byte_order_are_recognised() -> None:
    other = "little" if oracle.encode([PING]) != oracle.encode([PING], "little") else "big"
    found = diagnose(oracle.encode([PING, PING6], other))
    assert found.layout is Layout.OTHER_BYTE_ORDER
    assert "0x1C000000" in found.remarks[-1].text


@pytest.mark.parametrize("packets", [[PING], [PING6], [PING, PING6]])
def test_packets_without_records_are_recognised(packets: list[bytes]) -> None:
    """The first thing that somebody writes who comes from Linux' TUN device."""
    found = diagnose(b"".join(packets))
    assert found.layout is Layout.BARE_PACKETS
    assert "a header of 16 bytes before each packet" in str(found)


def test_a_capture_is_no_bundle() -> None:
    found = diagnose(b"\xd4\xc3\xb2\xa1" + bytes(40))
    assert found.layout is Layout.CAPTURE
    assert "wintun-sim bundle encode" in str(found)


@pytest.mark.parametrize(
    ("packet", "words"),
    [
        (b"", "empty"),
        (b"\x45" + bytes(18), "IPv4 needs 20 bytes, and these are 19"),
        (b"\x60" + bytes(38), "IPv6 needs 40 bytes, and these are 39"),
        (b"\x50" + bytes(60), "its first four bits are 5"),
    ],
)
def test_packets_that_the_adapter_skips_are_told(packet: bytes, words: str) -> None:
    found = diagnose(oracle.encode([PING, packet]))
    assert (found.received, found.skipped, found.good) == (1, 1, False)
    assert words in found.remarks[-1].text


@pytest.mark.parametrize(("length", "status"), [(0, "PARAMETER"), (1, "USER_BUFFER"), (15, "USER_BUFFER"), (16, "")])
def test_a_write_that_is_too_short_is_refused_whole(length: int, status: str) -> None:
    assert diagnose(bytes(length)).refused == (f"STATUS_INVALID_{status}" if status else "")


def test_a_write_that_is_too_long_is_refused_whole() -> None:
    largest = 15_728_640
    block = oracle.encode([ipv4(61_424)])
    found = diagnose(block * (largest // len(block)) + bytes(16))
    assert (found.refused, found.received, found.skipped) == ("STATUS_INVALID_USER_BUFFER", 0, 0)
    assert not found.good
    assert diagnose(block * (largest // len(block))).refused == ""


def test_a_packet_that_says_another_size_than_its_record_is_suspicious() -> None:
    """Its size was probably taken before something was added to it."""
    found = diagnose(oracle.encode([ipv4(60) + b"more", ipv6(60)]))
    (remark,) = found.remarks
    assert (remark.offset, remark.gravity) == (16, Gravity.WARNING)
    assert "says that it has 60 bytes, its record says 64" in remark.text
    (remark,) = diagnose(oracle.encode([ipv4(40) + b"more"])).remarks
    assert "says that it has 40 bytes" in remark.text


def test_a_length_that_a_network_card_was_to_fill_in_is_not_suspicious() -> None:
    """Captures of large sends have 0 there, in IPv6 as the length of the payload."""
    four, six = ipv4(60), ipv6(60)
    assert diagnose(oracle.encode([four[:2] + b"\0\0" + four[4:], six[:4] + b"\0\0" + six[6:]])).good


def test_the_next_record_is_found_behind_one_that_is_damaged() -> None:
    data = oracle.encode([PING]) + record(0xFFFF, PING) + oracle.encode([PING6])
    found = diagnose(data)
    assert (found.stop.offset, found.resumes_at) == (48, 96)
    assert "offset 96: a record seems to begin here again, 48 bytes after" in str(found)
    assert diagnose(data[:96]).resumes_at is None
    # Where a layout explains all of it, or nothing is wrong, there is nothing to find again.
    assert diagnose(VECTORS["first-readme"]).resumes_at is None
    assert diagnose(oracle.encode([PING, PING6])).resumes_at is None


def test_a_million_oddities_are_counted_and_not_listed() -> None:
    """A text of a hundred megabytes helps nobody; the error at the end is there all the same."""
    found = diagnose(bytes(16 * 5000) + b"\xff" * 16)
    assert len(found.remarks) <= 1001
    assert len(found.remarks) + found.left_out == 5000 + 2, "each empty packet, the 257th record, the error"
    assert found.remarks[-1].gravity is Gravity.ERROR
    assert len(str(found).splitlines()) < 30
    assert "  and 4,982 more remarks" in str(found).splitlines(), "of 5,002, 20 are shown"


def test_twenty_remarks_are_shown_and_no_more_are_announced() -> None:
    lines = str(diagnose(bytes(16 * 20))).splitlines()
    assert len([line for line in lines if line.startswith("  offset")]) == 20
    assert not any("more remarks" in line for line in lines)
    assert "  and 1 more remarks" in str(diagnose(bytes(16 * 21))).splitlines()


def test_the_first_byte_that_is_not_zero_is_the_one_that_is_named() -> None:
    reserved = record(28, PING, reserved=bytes(7) + b"\1" + bytes(4))
    padding = record(45, ipv4(45), padding=bytes(1) + b"\1\1")
    first, second = diagnose(reserved + padding).remarks
    assert (first.offset, first.number) == (4 + 7, 0)
    assert (second.offset, second.number) == (48 + 16 + 45 + 1, 1)


@given(st.binary(max_size=200))
def test_any_bytes_have_a_diagnosis_that_agrees_with_the_driver(data: bytes) -> None:
    found = diagnose(data)
    expected = oracle.decode(data, limit=None)
    assert (found.stop.reason.name, found.stop.offset, found.stop.number) == expected.stop
    assert found.clean == (oracle.decode(data, strict=True).reason == "END")
    assert (found.gravity is Gravity.ERROR) == (found.stop.reason is not Reason.END)
    assert list(found.remarks) == sorted(found.remarks)
    assert str(found)


def test_what_is_no_buffer_is_refused() -> None:
    with pytest.raises(TypeError, match="diagnose needs a contiguous bytes-like object"):
        diagnose("text")  # type: ignore[arg-type]


def tcp(size: int) -> bytes:
    """The header of a TCP segment from 10.0.0.1 to 192.168.1.2, in a packet of this size."""
    return ipv4(size)[:9] + bytes((6, 0, 0, 10, 0, 0, 1, 192, 168, 1, 2)) + bytes(size - 20)


def udp6(size: int) -> bytes:
    """The header of a UDP datagram from ::1 to fe80::2, in a packet of this size."""
    addresses = bytes(15) + b"\x01" + b"\xfe\x80" + bytes(13) + b"\x02"
    return b"\x60\0\0\0" + (size - 40).to_bytes(2, "big") + bytes((17, 64)) + addresses + bytes(size - 40)


def test_records_say_what_their_packets_are() -> None:
    """Down to the shortest that the adapter takes, and one byte less."""
    packets = [tcp(20), tcp(20)[:19], udp6(40), udp6(41)[:39], ipv4(60), b"\x50" + bytes(40), b""]
    assert [record.words for record in records(oracle.encode(packets))] == [
        "IPv4, TCP, 10.0.0.1 → 192.168.1.2",
        "no IP packet",
        "IPv6, UDP, ::1 → fe80::2",
        "no IP packet",
        "IPv4, protocol 253, 10.0.0.1 → 10.0.0.2",
        "no IP packet",
        "empty",
    ]


def test_the_shortest_and_the_longest_packets_can_be_told_from_chance() -> None:
    """Without records around them: their own lengths are all that there is."""
    assert diagnose(tcp(20)).layout is Layout.BARE_PACKETS
    assert diagnose(udp6(40)).layout is Layout.BARE_PACKETS
    assert diagnose(udp6(40 + 300)).layout is Layout.BARE_PACKETS
    assert diagnose(udp6(340) + tcp(300)[:-1]).layout is not Layout.BARE_PACKETS


def test_headers_of_zeros_are_no_evidence_of_any_layout() -> None:
    """Two empty packets with the first README's padding between them could be anything."""
    assert diagnose(bytes(16 + 12 + 16)).layout is Layout.UNKNOWN


def test_the_repair_of_the_later_format_says_how_many_zeros_a_header_needs() -> None:
    assert "the size as 4 bytes and 12 of zero" in str(diagnose(VECTORS["later-layout"]))


def test_packets_of_the_later_formats_sizes_are_recognised_up_to_its_largest() -> None:
    """61,436 bytes there; 61,424 here."""
    packet = tcp(61_436)
    assert diagnose(len(packet).to_bytes(4, sys.byteorder) + packet).layout is Layout.LATER_FORMAT
    packet = tcp(61_437) + bytes(3)
    assert diagnose((61_437).to_bytes(4, sys.byteorder) + packet).layout is Layout.UNKNOWN
