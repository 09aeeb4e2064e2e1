"""`wintun-sim bundle diagnose` and `bundle inspect`: what is wrong with a bundle, and what is in it, for people."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wintun_sim.cli import whole_number

if TYPE_CHECKING:
    from wintun_sim.bundle import Diagnosis, Record

PIPE = "-"
ROW = 16  # bytes in a row of a dump


def add_parsers(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register both actions."""
    diagnose = actions.add_parser(
        "diagnose",
        help="what is wrong with a bundle",
        description="Says what is wrong with a bundle, offset by offset, how it was probably written, and what the "
        "adapter makes of it as a write. Exit status 0: nothing that matters; 1: something.",
        allow_abbrev=False,
    )
    inspect = actions.add_parser(
        "inspect",
        help="what is in a bundle",
        description="Shows the records of a bundle, a line each: where it begins, the size of its packet, its padding, "
        "and what the packet is; or one record byte by byte.",
        allow_abbrev=False,
    )
    for action in (diagnose, inspect):
        action.add_argument("input", nargs="?", default=PIPE, metavar="INPUT", help="default: standard input")
        action.add_argument("--json", nargs="?", const=PIPE, metavar="FILE", help="as JSON, to FILE or standard output")
    inspect.add_argument(
        "--record", type=whole_number(0, 999_999), metavar="N", help="show record N, from 0, byte by byte"
    )
    diagnose.set_defaults(function=run_diagnose)
    inspect.set_defaults(function=run_inspect)


def run_diagnose(arguments: argparse.Namespace) -> int:
    """Carry out `bundle diagnose`."""
    from wintun_sim.bundle import diagnose
    from wintun_sim.cli.output import write_json

    found = diagnose(_read(arguments.input))
    if arguments.json is not None:
        write_json(_to_json(found), arguments.json)
    if arguments.json != PIPE:
        print(found)
    return 0 if found.good else 1


def run_inspect(arguments: argparse.Namespace) -> int:
    """Carry out `bundle inspect`."""
    from wintun_sim.bundle import diagnose, records
    from wintun_sim.cli.output import write_json
    from wintun_sim.errors import UsageError

    data = _read(arguments.input)
    found = list(records(data))
    if arguments.record is not None and arguments.record >= len(found):
        raise UsageError(f"bundle inspect: there is no record {arguments.record}; there are {len(found):,}, from 0 on")
    if arguments.json is not None:
        write_json({"records": [record._asdict() for record in found]}, arguments.json)
    if arguments.json == PIPE:
        return 0
    if arguments.record is not None:
        record = found[arguments.record]
        print(f"record {arguments.record}, offset {record.offset}: {record.words}")
        print("\n".join(dump(data, record)))
        return 0
    print("\n".join(table(found)))
    if len(data) > (end := found[-1].offset + _length(found[-1]) if found else 0):
        remark = next(remark for remark in reversed(diagnose(data).remarks) if remark.offset == end)
        print(f"offset {end}: {len(data) - end:,} bytes that are no record: {remark.text}")
    return 0


def table(found: list[Record]) -> Iterator[str]:
    """Give the records as lines of text, under a heading."""
    cells = [("record", "offset", "size", "padding", "packet")]
    cells += [(str(n), str(r.offset), str(r.size), str(r.padding), r.words) for n, r in enumerate(found)]
    widths = [max(len(row[column]) for row in cells) for column in range(4)]
    for row in cells:
        yield "  ".join([*(cell.rjust(width) for cell, width in zip(row, widths, strict=False)), row[4]])


def dump(data: bytes, record: Record) -> Iterator[str]:
    """Give one record as rows of bytes, each with its offset and what it is."""
    packet = record.offset + 16
    padding = packet + record.size
    parts = (
        (record.offset, record.offset + 4, f"size: {record.size:,}"),
        (record.offset + 4, packet, "reserved"),
        (packet, padding, f"packet: {record.words}"),
        (padding, padding + record.padding, "padding"),
    )
    for start, end, words in parts:
        for place in range(start, end, ROW):
            row = data[place : min(place + ROW, end)]
            text = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in row)
            yield f"{place:8}  {row.hex(' '):<47}  {text:<16}  {words if place == start else ''}".rstrip()


def _length(record: Record) -> int:
    return 16 + record.size + record.padding


def _to_json(found: Diagnosis) -> dict[str, Any]:
    return {
        "length": found.length,
        "good": found.good,
        "clean": found.clean,
        "layout": found.layout.name.lower(),
        "layout_words": found.layout.words,
        "repair": found.layout.repair,
        "stop": {"reason": str(found.stop.reason), "offset": found.stop.offset, "number": found.stop.number},
        "received": found.received,
        "skipped": found.skipped,
        "refused": found.refused,
        "resumes_at": found.resumes_at,
        "left_out": found.left_out,
        "remarks": [{**remark._asdict(), "gravity": str(remark.gravity)} for remark in found.remarks],
    }


def _read(source: str) -> bytes:
    return sys.stdin.buffer.read() if source == PIPE else Path(source).read_bytes()
