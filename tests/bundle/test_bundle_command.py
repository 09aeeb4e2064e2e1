"""`wintun-sim bundle` on files and pipes: what goes in comes out, and bad input is one line and exit status 2."""

import json
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bundle import oracle
from wintun_sim.integrations.pcap import read_packets, shipped_captures


def command(*arguments: object, text: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "wintun_sim", "bundle", *map(str, arguments)],
        input=text,
        capture_output=True,
        check=False,
    )


def refused(*arguments: object, text: bytes = b"") -> str:
    """Run a command that must fail and return the one line that says why."""
    done = command(*arguments, text=text)
    assert done.returncode == 2
    (line,) = done.stderr.decode().splitlines()
    assert line.startswith("wintun-sim: error: ")
    return line.removeprefix("wintun-sim: error: ")


@pytest.mark.parametrize("name", ["tcp", "jumbo"])
def test_a_capture_goes_through_bundles_and_comes_back(name: str, tmp_path: Path) -> None:
    capture = shipped_captures()[name]
    packets = [packet.data for packet in read_packets(capture).packets]
    assert command("encode", capture, "-o", tmp_path / "packets.bundle").returncode == 0
    assert (tmp_path / "packets.bundle").read_bytes() == oracle.encode(packets)
    assert command("decode", "--strict", tmp_path / "packets.bundle", "-o", tmp_path / "back.pcap").returncode == 0
    assert [packet.data for packet in read_packets(tmp_path / "back.pcap").packets] == packets
    piped = command("decode", "--to", "pcap", text=(tmp_path / "packets.bundle").read_bytes())
    assert piped.stdout == (tmp_path / "back.pcap").read_bytes()


def test_lines_of_digits_go_through_pipes() -> None:
    encoded = command("encode", text=b"# two packets and one of no bytes\n45 00 # spaces are fine\n\n6001\n-\n")
    assert encoded.stdout == oracle.encode([b"\x45\x00", b"\x60\x01", b""])
    assert command("decode", text=encoded.stdout).stdout == b"4500\n6001\n-\n"


def test_more_packets_than_a_bundle_holds_make_several_one_behind_the_other() -> None:
    encoded = command("encode", text=b"".join(b"%04x\n" % number for number in range(700)))
    assert encoded.stdout == b"".join(oracle.encode([number.to_bytes(2, "big")]) for number in range(700))
    decoded = command("decode", "--strict", text=encoded.stdout)
    assert decoded.stdout == b"".join(b"%04x\n" % number for number in range(700))


def test_no_packets_are_no_bytes() -> None:
    assert command("encode", text=b"").stdout == b""
    assert command("decode", text=b"").stdout == b""


@pytest.mark.parametrize("records", [1, 300])
def test_what_lies_before_the_damage_is_written_and_the_damage_is_told(records: int) -> None:
    data = oracle.encode([b"\x45"]) * records + b"\xff" * 20
    done = command("decode", text=data)
    assert done.stdout == b"45\n" * records
    assert done.returncode == 2
    assert done.stderr.decode().rstrip() == (
        f"wintun-sim: error: cannot decode all of standard input: over long at record {records}, "
        f"offset {32 * records}, of {len(data)} bytes (the first record is 0); "
        f"the {records} packets before it were written"
    )


def test_strict_decoding_minds_the_padding() -> None:
    data = oracle.encode([b"\x45"]) * 299 + b"\x01" + bytes(15) + b"\x45" + bytes(14) + b"!"
    assert command("decode", text=data).returncode == 0
    assert "not zero at record 299, offset 9568" in refused("decode", "--strict", text=data)


def test_records_that_are_no_ip_packets_are_left_out_with_a_word(tmp_path: Path) -> None:
    """A capture of an Ethernet device has ARP in it; who counts packets afterwards must know where some went."""
    header = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
    arp, ip = (b"\0" * 12 + ethertype + bytes.fromhex("45") + bytes(19) for ethertype in (b"\x08\x06", b"\x08\x00"))
    ip = ip[:16] + struct.pack(">H", 20) + ip[18:]  # the header's total length
    records = b"".join(struct.pack("<IIII", 0, 0, len(frame), len(frame)) + frame for frame in (arp, ip, arp))
    done = command("encode", text=header + records)
    assert done.returncode == 0
    assert done.stdout == oracle.encode([ip[14:]])
    assert done.stderr.decode() == (
        "wintun-sim: note: standard input: 2 of 3 records are no whole IP packets and were left out\n"
    )


def test_bad_input_is_told_in_one_line(tmp_path: Path) -> None:
    capture = shipped_captures()["icmp"].read_bytes()
    assert "nowhere: No such file" in refused("encode", "nowhere")
    assert "line 2 is no packet in hexadecimal digits: '4x'" in refused("encode", text=b"45\n4x\n")
    assert r"line 1 is no packet in hexadecimal digits: '\\xff" in refused("encode", text=b"\xff\xfe\x00")
    assert "line 1 is no packet" in refused("encode", text=b"450\n")
    assert "it ends in the middle of a record" in refused("encode", text=capture[:-1])
    assert "it is compressed" in refused("encode", text=b"\x1f\x8b123")
    assert "packet 1 (the first is 0) has 61425 bytes" in refused("encode", text=b"45\n" + b"00" * 61_425)
    assert str(tmp_path) in refused("encode", "-o", tmp_path, text=b"45\n")
    assert "nowhere" in refused("decode", "-o", tmp_path / "nowhere" / "x.pcap", text=oracle.encode([b"\x45"]))


VECTORS = Path(__file__).parents[2] / "shared" / "vectors"


def test_a_damaged_bundle_is_diagnosed_offset_by_offset() -> None:
    done = command("diagnose", VECTORS / "later-readme.bundle")
    assert done.returncode == 1
    lines = done.stdout.decode().splitlines()
    assert lines[0] == "160 bytes, 4 records"
    assert lines[2] == (
        "  offset 96, record 2: warning: an empty packet: the adapter skips it and counts an ifInErrors"
    )
    assert "a later README of Wintun, 16-(size&15)" in lines[3]
    assert lines[-1] == "as a write: STATUS_SUCCESS, Information 160; 2 packets received, 2 skipped"


def test_a_good_bundle_ends_with_status_0_and_one_of_strangers_padding_too() -> None:
    for name in ("pings", "used-padding", "used-reserved-bytes"):
        assert command("diagnose", VECTORS / f"{name}.bundle").returncode == 0


def test_a_diagnosis_as_json_says_the_same() -> None:
    done = command("diagnose", "--json", text=(VECTORS / "padding-cut.bundle").read_bytes())
    report = json.loads(done.stdout)
    assert (done.returncode, report["good"], report["layout"]) == (1, False, "unknown")
    assert report["stop"] == {"reason": "cut short", "offset": 48, "number": 1}
    assert [(each["offset"], each["number"], each["gravity"]) for each in report["remarks"]] == [(48, 1, "error")]


def test_records_are_shown_a_line_each_and_one_byte_by_byte() -> None:
    done = command("inspect", VECTORS / "over-long.bundle")
    heading, first, rest = done.stdout.decode().splitlines()
    assert heading.split() == ["record", "offset", "size", "padding", "packet"]
    assert first.split(maxsplit=4) == ["0", "0", "28", "4", "IPv4, ICMP, 10.0.0.1 → 10.0.0.2"]
    assert rest.startswith("offset 48: 61,456 bytes that are no record: over long")
    rows = command("inspect", "--record", 0, VECTORS / "used-padding.bundle").stdout.decode().splitlines()
    assert [row.split()[0] for row in rows[1:]] == ["0", "4", "16", "32", "44"]
    assert rows[1].endswith("size: 28")
    assert rows[-1].split() == ["44", "00", "00", "00", "a5", "....", "padding"]


def test_a_record_that_is_not_there_is_told() -> None:
    assert "there is no record 7; there are 2, from 0 on" in refused("inspect", "--record", 7, VECTORS / "pings.bundle")
    assert "nowhere: No such file" in refused("diagnose", "nowhere")


def test_nothing_is_shown_as_a_table_of_nothing() -> None:
    done = command("inspect", text=b"")
    assert (done.returncode, done.stdout.decode().split()) == (0, ["record", "offset", "size", "padding", "packet"])
