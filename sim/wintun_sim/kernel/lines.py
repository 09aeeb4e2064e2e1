"""From a place in an image to a line of its source, by the debugging information in the image's file.

Images are compiled with ``-g``; their line tables (DWARF, versions 4 and 5, dwarfstd.org, §6.2) say for each
instruction which line it came from. They are read here by themselves, since a machine that runs a judge need not have
binutils. An image may be anything: whatever makes no sense gives no lines, and no error.
"""

from __future__ import annotations

import re
import struct
import zlib
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

MAX_ROWS: Final = 2_000_000
"""Rows that are read of all line tables together; a driver has some thousands."""

MAX_SECTION: Final = 1 << 26
"""Bytes of a compressed section that are unpacked."""

_NONSENSE: Final = (struct.error, ValueError, IndexError, ArithmeticError, zlib.error)
_PLACE: Final = re.compile(r"image \+0x([0-9a-f]{1,16})")


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a source file, the file called as the compiler called it."""

    file: str
    line: int

    def __str__(self) -> str:
        """Write it as compilers and editors do, with the last folder alone: the others are of some other machine."""
        return f"{'/'.join(self.file.split('/')[-2:])}:{self.line}"


class Lines:
    """The lines of one image."""

    def __init__(self, rows: list[tuple[int, Line | None]], functions: list[tuple[int, int, str]]) -> None:
        self._rows = sorted(rows, key=lambda row: (row[0], row[1] is not None))
        self._starts = [start for start, _ in self._rows]
        self._functions = sorted(functions)
        self._function_starts = [start for start, _, _ in self._functions]

    def starts(self) -> tuple[int, ...]:
        """Return the offsets at which another line begins."""
        return tuple(self._starts)

    def functions(self) -> tuple[tuple[int, int, str], ...]:
        """Return offset, size and name of each function."""
        return tuple(self._functions)

    def at(self, offset: int) -> Line | None:
        """Return the line whose code lies at this offset, as the image's own addresses count; None for no line."""
        place = bisect_right(self._starts, offset) - 1
        return self._rows[place][1] if place >= 0 else None

    def source(self, offset: int) -> Line | None:
        """Return the line, and for code that a header or the compiler put into a function the one before it in the
        function's own file.
        """
        function = self.function(offset)
        place = bisect_right(self._starts, offset) - 1
        while function and place >= 0 and self.function(self._starts[place]) == function:
            line = self._rows[place][1]
            if line is not None and not line.file.endswith(".h"):
                return line
            place -= 1
        return self.at(offset)

    def function(self, offset: int) -> str:
        """Return the name of the function whose code lies there, or an empty text."""
        place = bisect_right(self._function_starts, offset) - 1
        if place < 0:
            return ""
        start, size, name = self._functions[place]
        return name if offset < start + size else ""

    def explain(self, text: str) -> str:
        """Put the line behind each place that a message of the host kernel names as "image +0x…"."""

        def with_line(match: re.Match[str]) -> str:
            line = self.at(int(match[1], 16))
            return match[0] if line is None else f"{line}"

        return _PLACE.sub(with_line, text)


def lines_of(image: Path) -> Lines:
    """Read the lines of an image's file; what has none, or makes no sense, gives no lines. Raises ``OSError``."""
    try:
        sections = _sections(image.read_bytes())
    except _NONSENSE:
        sections = {}
    return read_lines(sections)


def read_lines(sections: Mapping[str, bytes]) -> Lines:
    """Read lines and functions of an ELF file's sections, as far as they make sense."""
    rows: list[tuple[int, Line | None]] = []
    functions: list[tuple[int, int, str]] = []
    with suppress(*_NONSENSE):
        rows.extend(islice(_Tables(sections).rows(), MAX_ROWS))
    with suppress(*_NONSENSE):
        functions.extend(_functions(sections))
    return Lines(rows, functions)


def _sections(data: bytes) -> dict[str, bytes]:
    """Return the sections of a little-endian ELF64 file by name, decompressed."""
    if data[:6] != b"\x7fELF\x02\x01":
        raise ValueError("no ELF64 file")
    start, size, count, names = struct.unpack_from("<Q10xHHH", data, 40)
    if size != 64:
        raise ValueError("section headers of an unknown size")
    headers = [struct.unpack_from("<IIQQQQIIQQ", data, start + number * size) for number in range(count)]
    texts = data[headers[names][4] : headers[names][4] + headers[names][5]]
    found: dict[str, bytes] = {}
    for name, kind, flags, _, offset, length, *_ in headers:
        content = b"" if kind == 8 else data[offset : offset + length]
        if flags & 0x800:  # SHF_COMPRESSED, behind an Elf64_Chdr
            content = zlib.decompressobj().decompress(content[24:], MAX_SECTION) if content[:1] == b"\x01" else b""
        found[_text(texts, name)] = content
    return found


def _functions(sections: Mapping[str, bytes]) -> Iterator[tuple[int, int, str]]:
    table, texts = sections.get(".symtab", b""), sections.get(".strtab", b"")
    for name, information, _, section, value, size in struct.iter_unpack("<IBBHQQ", table[: len(table) // 24 * 24]):
        if information & 15 == 2 and section != 0:
            yield value, size, _text(texts, name).partition(".")[0]


def _text(data: bytes, offset: int) -> str:
    end = data.index(b"\0", offset)
    return data[offset:end].decode(errors="replace")


class _Reader:
    """Reads numbers one after another."""

    def __init__(self, data: bytes, place: int = 0) -> None:
        self.data = data
        self.place = place

    def number(self, size: int) -> int:
        if self.place + size > len(self.data):
            raise ValueError("cut short")
        self.place += size
        return int.from_bytes(self.data[self.place - size : self.place], "little")

    def leb(self, *, signed: bool = False) -> int:
        value = shift = 0
        while True:
            byte = self.number(1)
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value - (1 << shift) if signed and byte & 0x40 else value
            if shift > 70:
                raise ValueError("a number without an end")

    def text(self) -> str:
        found = _text(self.data, self.place)
        self.place = self.data.index(b"\0", self.place) + 1
        return found


@dataclass(slots=True)
class _Header:
    end: int
    minimum: int
    default: bool
    base: int
    range: int
    lengths: list[int]
    files: list[str]


class _Tables:
    """All line number programs of a file."""

    def __init__(self, sections: Mapping[str, bytes]) -> None:
        self.reader = _Reader(sections.get(".debug_line", b""))
        self.line_texts = sections.get(".debug_line_str", b"")
        self.texts = sections.get(".debug_str", b"")

    def rows(self) -> Iterator[tuple[int, Line | None]]:
        """Give where each line's code begins; None where a sequence of code ends."""
        reader = self.reader
        while reader.place < len(reader.data):
            header = self._header()
            if header is not None:
                yield from self._run(header)
                reader.place = header.end

    def _header(self) -> _Header | None:
        reader = self.reader
        length = reader.number(4)
        if length >= 0xFFFFFFF0:
            raise ValueError("64-bit DWARF")
        end = reader.place + length
        version = reader.number(2)
        if version not in (4, 5):
            reader.place = end
            return None
        if version == 5:
            reader.number(2)
        program = reader.number(4) + reader.place
        minimum, _, default, base, line_range, opcodes = (reader.number(1) for _ in range(6))
        lengths = [reader.number(1) for _ in range(opcodes - 1)]
        files = self._files_5() if version == 5 else self._files_4()
        reader.place = program
        return _Header(end, minimum, bool(default), base - 256 * (base > 127), line_range, lengths, files)

    def _files_4(self) -> list[str]:
        reader, files = self.reader, ["?"]
        folders = [""]
        while text := reader.text():
            folders.append(text)
        while name := reader.text():
            folder, _, _ = reader.leb(), reader.leb(), reader.leb()
            files.append(_join(folders, folder, name))
        return files

    def _files_5(self) -> list[str]:
        folders = ["", *(name for name, _ in self._entries()[1:])]
        return [_join(folders, folder, name) for name, folder in self._entries()]

    def _entries(self) -> list[tuple[str, int]]:
        """Read a table of names: of folders, or of files, each with the number of its folder."""
        reader = self.reader
        formats = [(reader.leb(), reader.leb()) for _ in range(reader.number(1))]
        entries: list[tuple[str, int]] = []
        for _ in range(reader.leb()):
            name, folder = "", 0
            for content, form in formats:
                value = self._form(form)
                if content == 1 and isinstance(value, str):
                    name = value
                elif content == 2 and isinstance(value, int):
                    folder = value
            entries.append((name, folder))
            if not formats or len(entries) > MAX_ROWS:
                raise ValueError("a table of nothing")
        return entries

    def _form(self, form: int) -> str | int:
        reader = self.reader
        match form:
            case 0x08:
                return reader.text()
            case 0x1F:
                return _text(self.line_texts, reader.number(4))
            case 0x0E:
                return _text(self.texts, reader.number(4))
            case 0x0F:
                return reader.leb()
            case 0x0B | 0x05 | 0x06 | 0x07:
                return reader.number({0x0B: 1, 0x05: 2, 0x06: 4, 0x07: 8}[form])
            case 0x1E:
                return reader.number(16)
            case 0x09:
                reader.number(reader.leb())
                return 0
        raise ValueError(f"form {form:#x} is unknown")

    def _run(self, header: _Header) -> Iterator[tuple[int, Line | None]]:
        reader = self.reader
        address, file, line = 0, 1, 1
        while reader.place < header.end:
            opcode = reader.number(1)
            if opcode > len(header.lengths):
                special = opcode - len(header.lengths) - 1
                address += special // header.range * header.minimum
                line += header.base + special % header.range
                yield address, self._line(header, file, line)
                continue
            match opcode:
                case 0:
                    size = reader.leb()
                    end, extended = reader.place + size, reader.number(1)
                    if extended == 1:
                        yield address, None
                        address, file, line = 0, 1, 1
                    elif extended == 2:
                        address = reader.number(size - 1)
                    reader.place = end
                case 1:
                    yield address, self._line(header, file, line)
                case 2:
                    address += reader.leb() * header.minimum
                case 3:
                    line += reader.leb(signed=True)
                case 4:
                    file = reader.leb()
                case 8:
                    address += (255 - len(header.lengths) - 1) // header.range * header.minimum
                case 9:
                    address += reader.number(2)
                case _:
                    for _ in range(header.lengths[opcode - 1]):
                        reader.leb()

    @staticmethod
    def _line(header: _Header, file: int, line: int) -> Line | None:
        return Line(header.files[file], line) if file < len(header.files) and line > 0 else None


def _join(folders: list[str], folder: int, name: str) -> str:
    before = folders[folder] if folder < len(folders) else ""
    return f"{before}/{name}" if before and not name.startswith("/") else name
