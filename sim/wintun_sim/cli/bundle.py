"""`wintun-sim bundle`: packets to bundles and back, on files and pipes.

Packets are a capture (pcap or pcapng), or text: one packet a line in hexadecimal, `-` for one of no bytes, `#` for
comments. A file of bundles has them one behind the other, 256 packets in each but the last.
"""

from __future__ import annotations

import argparse
import io
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wintun_sim.bundle import Stop

PIPE = "-"
EMPTY_PACKET = "-"
CAPTURE_STARTS = (
    b"\xa1\xb2\xc3\xd4", b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\x3c\x4d", b"\x4d\x3c\xb2\xa1", b"\x0a\x0d\x0d\x0a", b"\x1f\x8b"
)  # fmt: skip


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "bundle",
        help="packets to bundles and back",
        description="Translates between packets (a capture, or a line of hexadecimal digits for each) and bundles, "
        "which is what a read from the adapter or a write to it carries.",
        allow_abbrev=False,
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    encode = actions.add_parser(
        "encode",
        help="packets to bundles",
        description="Reads a capture (pcap, pcapng) or lines of hexadecimal digits and writes bundles, one behind the "
        "other, with 256 packets in each but the last.",
        allow_abbrev=False,
    )
    decode = actions.add_parser(
        "decode",
        help="bundles to packets",
        description="Reads bundles, one behind the other, and writes their packets. Where a record is damaged, the "
        "packets before it are written, one line says what is wrong, and the exit status is 2.",
        allow_abbrev=False,
    )
    for action, what in ((encode, "bundles"), (decode, "packets")):
        action.add_argument("input", nargs="?", default=PIPE, metavar="INPUT", help="default: standard input")
        action.add_argument(
            "-o", "--output", default=PIPE, metavar="FILE", help=f"where the {what} go; default: standard output"
        )
    decode.add_argument(
        "--to", choices=("hex", "pcap"), help="default: pcap for a FILE that ends in .pcap, otherwise hex, a line each"
    )
    decode.add_argument("--strict", action="store_true", help="reserved bytes and padding have to be zero")
    encode.set_defaults(function=run_encode)
    decode.set_defaults(function=run_decode)


def run_encode(arguments: argparse.Namespace) -> int:
    """Carry out `bundle encode`."""
    from wintun_sim.bundle import BundleError, encode, split
    from wintun_sim.errors import UsageError

    text = _read(arguments.input)
    name = _name(arguments.input)
    packets = _captured(text, name) if text.startswith(CAPTURE_STARTS) else _parsed(text, name)
    if arguments.output == PIPE and sys.stdout.isatty():
        raise UsageError("bundle encode: a terminal cannot show bundles; give a file (-o FILE) or a pipe")
    try:
        bundles = b"".join(encode(group) for group in split(packets))
    except BundleError as error:
        raise UsageError(f"cannot encode {name}: {error}") from error
    _write(arguments.output, bundles)
    return 0


def run_decode(arguments: argparse.Namespace) -> int:
    """Carry out `bundle decode`."""
    from wintun_sim.bundle import Reason
    from wintun_sim.errors import UsageError

    data = _read(arguments.input)
    packets, stop = _decoded(data, arguments.strict)
    to_pcap = arguments.to == "pcap" or (arguments.to is None and arguments.output.endswith(".pcap"))
    if to_pcap and arguments.output == PIPE and sys.stdout.isatty():
        raise UsageError("bundle decode: a terminal cannot show a capture; give a file (-o FILE) or a pipe")
    if to_pcap and arguments.output != PIPE:
        _write_capture(Path(arguments.output), packets)
    elif to_pcap:
        _write(PIPE, _capture(packets))
    else:
        _write(arguments.output, "".join(f"{packet.hex() or EMPTY_PACKET}\n" for packet in packets).encode("ascii"))
    if stop.reason is not Reason.END:
        sys.stdout.flush()
        raise UsageError(
            f"cannot decode all of {_name(arguments.input)}: {stop}, of {len(data)} bytes (the first record is 0); the "
            f"{len(packets)} packets before it were written"
        )
    return 0


def _decoded(data: bytes, strict: bool) -> tuple[list[bytes], Stop]:
    """Return the packets of bundles one behind the other, and where and why they ended, counted over all of them."""
    from wintun_sim.bundle import BundleError, Reason, Stop, decode

    packets: list[bytes] = []
    offset = 0
    while True:
        bundle = decode(memoryview(data)[offset:])
        stop = bundle.stop
        if strict:
            try:
                decode(memoryview(data)[offset : offset + bundle.consumed], strict=True)
            except BundleError as error:
                stop = error.stop
        packets += bundle.tolist()[: stop.number]
        offset += stop.offset
        if stop.reason is not Reason.TOO_MANY:
            return packets, Stop(stop.reason, offset, len(packets))


def _captured(text: bytes, name: str) -> list[bytes]:
    from wintun_sim.integrations.pcap import read_packets

    stream = io.BytesIO(text)
    stream.name = name
    capture = read_packets(stream)
    if capture.skipped:
        records = f"{capture.skipped:,} of {len(capture.packets) + capture.skipped:,} records"
        print(f"wintun-sim: note: {name}: {records} are no whole IP packets and were left out", file=sys.stderr)
    return [packet.data for packet in capture.packets]


def _parsed(text: bytes, name: str) -> list[bytes]:
    from wintun_sim.errors import UsageError

    packets = []
    for number, raw in enumerate(text.split(b"\n"), 1):
        line = raw.partition(b"#")[0].strip()
        try:
            digits = line.decode("ascii")
            if digits:
                packets.append(b"" if digits == EMPTY_PACKET else bytes.fromhex(digits))
        except ValueError:
            shown = line[:40].decode("ascii", "backslashreplace")
            raise UsageError(
                f"cannot read {name}: line {number} is no packet in hexadecimal digits: {shown!r} (and the file is no "
                "pcap or pcapng capture)"
            ) from None
    return packets


def _write_capture(path: Path, packets: Iterable[bytes]) -> None:
    """Write packets as a capture, without times, since bundles have none."""
    from wintun_sim.integrations.pcap import Captured, write_packets

    write_packets(path, (Captured(0, packet) for packet in packets))


def _capture(packets: Iterable[bytes]) -> bytes:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "packets.pcap"
        _write_capture(path, packets)
        return path.read_bytes()


def _read(source: str) -> bytes:
    return sys.stdin.buffer.read() if source == PIPE else Path(source).read_bytes()


def _write(target: str, data: bytes) -> None:
    if target == PIPE:
        sys.stdout.buffer.write(data)
    else:
        Path(target).write_bytes(data)


def _name(source: str) -> str:
    return "standard input" if source == PIPE else source
