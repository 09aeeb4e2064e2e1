"""How often each line and each branch was executed: out of an image, added up, and by gcov into lines.

An image hands over what would be in gcc's .gcda files: words of 32 bits, first a header, then records of a tag, a
length and that many bytes. Counters are records of their own, and added up here; all others say what function they
belong to (gcc's gcov-io.h describes the format).
"""

from __future__ import annotations

import _ctypes
import ctypes
import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

_HEADER: Final = 16  # bytes: magic, version, stamp of the notes, checksum
_COUNTERS: Final = 0x01A10000  # the tag of how often each arc was taken

_BEGIN = ctypes.CFUNCTYPE(None, ctypes.c_char_p, ctypes.c_void_p)
_ADD = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_uint, ctypes.c_void_p)


class Counts:
    """The counts of all images that were collected, a file for each source that was compiled."""

    def __init__(self) -> None:
        self._files: dict[Path, list[tuple[bytes, list[int]]]] = {}

    def collect(self) -> None:
        """Add what the images count that are loaded into this process now."""
        for path in _loaded_images():
            for name, data in _written_by(path).items():
                self._add(name, data)

    def add(self, other: Counts) -> None:
        """Add what was collected there."""
        for name, records in other._files.items():
            self._add_records(name, records)

    def _add(self, name: Path, data: bytes) -> None:
        self._add_records(name, list(_records(data)))

    def _add_records(self, name: Path, records: list[tuple[bytes, list[int]]]) -> None:
        known = self._files.get(name)
        if known is not None:
            records = [
                (head, [one + other for one, other in zip(ours, theirs, strict=True)])
                for (head, ours), (_, theirs) in zip(known, records, strict=True)
            ]
        self._files[name] = records

    def write(self) -> None:
        """Write the files beside gcc's notes, where gcov looks for them."""
        for name, records in self._files.items():
            data = b"".join(
                head + b"".join(count.to_bytes(8, "little") for count in counters) for head, counters in records
            )
            name.write_bytes(data)


def _loaded_images() -> Iterator[str]:
    """Name the private copies that the host kernel has mapped, as the system's loader knows them."""
    for number in os.listdir("/proc/self/fd"):
        path = f"/proc/self/fd/{number}"
        try:
            if os.readlink(path).startswith("/memfd:driver"):
                yield path
        except FileNotFoundError:
            continue  # the descriptor of the directory itself


def _written_by(path: str) -> dict[Path, bytes]:
    """Call coverage_write of a loaded image; return what it has for each file."""
    parts: dict[Path, list[bytes]] = {}
    current: list[bytes] = []

    def begin(name: bytes, context: object) -> None:
        nonlocal current
        current = parts.setdefault(Path(os.fsdecode(name)), [])

    def add(address: int, length: int, context: object) -> None:
        current.append(ctypes.string_at(address, length))

    library = ctypes.CDLL(path, mode=os.RTLD_NOLOAD | os.RTLD_NOW)
    try:
        library.coverage_write(_BEGIN(begin), _ADD(add))
    finally:
        _ctypes.dlclose(library._handle)
    return {name: b"".join(chunks) for name, chunks in parts.items()}


def _records(data: bytes) -> Iterator[tuple[bytes, list[int]]]:
    """Cut a file into pieces: bytes that are always the same, and the counters that follow them."""
    start = place = _HEADER
    start = 0
    while place < len(data):
        tag = int.from_bytes(data[place : place + 4], "little")
        length = int.from_bytes(data[place + 4 : place + 8], "little", signed=True)
        place += 8
        if tag == _COUNTERS:
            head = data[start : place - 4] + abs(length).to_bytes(4, "little")
            count = abs(length) // 8
            if length < 0:  # all of them are zero, and left out
                counters = [0] * count
            else:
                counters = [int.from_bytes(data[place + 8 * n : place + 8 * n + 8], "little") for n in range(count)]
                place += length
            yield head, counters
            start = place
        else:
            place += length
    if start < len(data):
        yield data[start:], []


@dataclass(slots=True)
class Line:
    """One line of C: how often it was executed, and how often each of its branches was taken."""

    function: str
    count: int
    branches: list[int] = field(default_factory=list)


Lines = dict[str, dict[int, Line]]
"""Lines that the compiler made code of, by the source's name and their number."""


def read_lines(notes: Path, names: frozenset[str]) -> Lines:
    """Let gcov say what the files in ``notes`` mean, for the sources of these names (without their directories)."""
    command = ["gcov", "--json-format", "--stdout", "--branch-probabilities", "--object-directory", str(notes)]
    command += [str(path) for path in sorted(notes.glob("*.gcno"))]
    output = subprocess.run(command, capture_output=True, text=True, check=True, cwd=notes).stdout
    found: Lines = {}
    for text in output.splitlines():
        for file in json.loads(text)["files"] if text.startswith("{") else ():
            name = Path(file["file"]).name
            if name in names:
                lines = found.setdefault(name, {})
                for line in file["lines"]:
                    branches = [branch["count"] for branch in line["branches"]]
                    lines[line["line_number"]] = Line(line.get("function_name", ""), line["count"], branches)
    return found
