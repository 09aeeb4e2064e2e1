"""`wintun-sim bundle`: packets to bundles and back, on files and pipes, and what is in a bundle or wrong with it.

Packets are a capture (pcap or pcapng), or text: one packet a line in hexadecimal, `-` for one of no bytes, `#` for
comments. A file of bundles has them one behind the other, 256 packets in each but the last. Bundles have no room for
the times of a capture; `--times` keeps them in a file of their own.
"""

from __future__ import annotations

import argparse
import io
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from wintun_sim.cli import bundle_looks

if TYPE_CHECKING:
    from wintun_sim.bundle import Stop
    from wintun_sim.integrations.pcap import Captured

PIPE = "-"
EMPTY_PACKET = "-"
CAPTURES = ("pcap", "pcapng")
CAPTURE_STARTS = (
    b"\xa1\xb2\xc3\xd4", b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\x3c\x4d", b"\x4d\x3c\xb2\xa1", b"\x0a\x0d\x0d\x0a", b"\x1f\x8b"
)  # fmt: skip


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "bundle",
        help="packets to bundles and back, and what is in a bundle or wrong with it",
        description="Translates between packets (a capture, or a line of hexadecimal digits for each) and bundles, "
        "which is what a read from the adapter or a write to it carries; shows what is in a bundle, and what is wrong "
        "with it.",
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
    encode.add_argument("--times", type=Path, metavar="FILE", help="write when each packet of the capture was seen")
    decode.add_argument(
        "--times", type=Path, metavar="FILE", help="read there when each packet was seen, for a capture"
    )
    decode.add_argument(
        "--to",
        choices=("hex", *CAPTURES),
        help="default: what the FILE's name ends in (.pcap, .pcapng), otherwise hex, a line each",
    )
    decode.add_argument("--strict", action="store_true", help="reserved bytes and padding have to be zero")
    encode.set_defaults(function=run_encode)
    decode.set_defaults(function=run_decode)
    bundle_looks.add_parsers(actions)


def run_encode(arguments: argparse.Namespace) -> int:
    """Carry out `bundle encode`."""
    from wintun_sim.bundle import BundleError, encode, split
    from wintun_sim.errors import UsageError

    text = _read(arguments.input)
    name = _name(arguments.input)
    captured = _captured(text, name) if text.startswith(CAPTURE_STARTS) else None
    if captured is None and arguments.times is not None:
        raise UsageError(f"bundle encode: --times keeps the times of a capture, and {name} is none")
    packets = _parsed(text, name) if captured is None else [packet.data for packet in captured]
    if arguments.output == PIPE and sys.stdout.isatty():
        raise UsageError("bundle encode: a terminal cannot show bundles; give a file (-o FILE) or a pipe")
    try:
        bundles = b"".join(encode(group) for group in split(packets))
    except BundleError as error:
        raise UsageError(f"cannot encode {name}: {error}") from error
    if arguments.times is not None:
        from wintun_sim.integrations.bundled import write_times

        write_times(arguments.times, (packet.time_ns for packet in captured or ()))
    _write(arguments.output, bundles)
    return 0


def run_decode(arguments: argparse.Namespace) -> int:
    """Carry out `bundle decode`."""
    from wintun_sim.bundle import Reason
    from wintun_sim.errors import UsageError

    data = _read(arguments.input)
    packets, stop = _decoded(data, arguments.strict)
    kind = arguments.to or Path(arguments.output).suffix.removeprefix(".")
    if kind in CAPTURES and arguments.output == PIPE and sys.stdout.isatty():
        raise UsageError("bundle decode: a terminal cannot show a capture; give a file (-o FILE) or a pipe")
    if kind not in CAPTURES and arguments.times is not None:
        raise UsageError("bundle decode: --times are for a capture, which has room for them; add --to pcap")
    if kind in CAPTURES:
        _write_capture(kind, arguments.output, _timed(packets, arguments.times, stop.reason is Reason.END))
    else:
        _write(arguments.output, "".join(f"{packet.hex() or EMPTY_PACKET}\n" for packet in packets).encode("ascii"))
    if stop.reason is not Reason.END:
        sys.stdout.flush()
        raise UsageError(
            f"cannot decode all of {_name(arguments.input)}: {stop}, of {len(data)} bytes (the first record is 0); the "
            f"{len(packets)} packets before it were written"
        )
    return 0


def _timed(packets: list[bytes], source: Path | None, whole: bool) -> list[Captured]:
    """Return packets with their times, or without where none are given. Of damaged bundles the first packets have."""
    from wintun_sim.errors import UsageError
    from wintun_sim.integrations.bundled import read_times, with_times

    if source is None:
        return list(with_times(packets, [0] * len(packets)))
    times = read_times(source)
    try:
        return list(with_times(packets, times if whole else times[: len(packets)]))
    except ValueError as error:
        raise UsageError(f"cannot use {source}: {error}") from error


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


def _captured(text: bytes, name: str) -> tuple[Captured, ...]:
    from wintun_sim.integrations.pcap import read_packets

    stream = io.BytesIO(text)
    stream.name = name
    capture = read_packets(stream)
    if capture.skipped:
        records = f"{capture.skipped:,} of {len(capture.packets) + capture.skipped:,} records"
        print(f"wintun-sim: note: {name}: {records} are no whole IP packets and were left out", file=sys.stderr)
    return capture.packets


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


def _write_capture(kind: str, target: str, packets: list[Captured]) -> None:
    """Write packets as a capture of this kind to a file or a pipe."""
    from wintun_sim.integrations.pcap import write_packets
    from wintun_sim.integrations.pcapng import write_pcapng

    write = write_pcapng if kind == "pcapng" else write_packets
    if target != PIPE:
        write(Path(target), packets)
        return
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "packets"
        write(path, packets)
        _write(PIPE, path.read_bytes())


def _read(source: str) -> bytes:
    return sys.stdin.buffer.read() if source == PIPE else Path(source).read_bytes()


def _write(target: str, data: bytes) -> None:
    if target == PIPE:
        sys.stdout.buffer.write(data)
    else:
        Path(target).write_bytes(data)


def _name(source: str) -> str:
    return "standard input" if source == PIPE else source
