"""A reader of INF files, as strict as these tests need it: sections, entries, comments, and %strings%.

The format is told at learn.microsoft.com/windows-hardware/drivers/install/general-syntax-rules-for-inf-files.
"""

import re
from dataclasses import dataclass

SECTION = re.compile(r"\[([^\]]+)\]")
TOKEN = re.compile(r"%([^%\s]+)%")


@dataclass(frozen=True)
class Entry:
    """One line: `key = values`, or only values."""

    key: str
    values: tuple[str, ...]


Inf = dict[str, list[Entry]]


def parse(text: str) -> Inf:
    """Return the sections by name, with %strings% replaced; raise ValueError for what is no INF."""
    sections: Inf = {}
    entries: list[Entry] | None = None
    for number, line in enumerate(text.splitlines(), 1):
        line = _without_comment(line).strip()
        if not line:
            continue
        if match := SECTION.fullmatch(line):
            if match[1] in sections:
                raise ValueError(f"line {number}: section [{match[1]}] again")
            entries = sections.setdefault(match[1], [])
        elif entries is None:
            raise ValueError(f"line {number}: {line!r} is in no section")
        else:
            key, equals, rest = line.rpartition("=") if line.count("=") < 2 else line.partition("=")
            entries.append(Entry(key.strip() if equals else "", _values(rest)))
    strings = {entry.key: entry.values[0] for entry in sections.get("Strings", [])}
    return {
        name: [Entry(_expand(e.key, strings), tuple(_expand(v, strings) for v in e.values)) for e in entries]
        for name, entries in sections.items()
    }


def _without_comment(line: str) -> str:
    """Return what stands before a semicolon that is not in quotes."""
    return re.sub(r'^((?:[^";]|"[^"]*")*);.*$', r"\1", line)


def _values(text: str) -> tuple[str, ...]:
    return tuple(value.strip().strip('"') for value in re.findall(r'(?:[^",]|"[^"]*")+', text))


def _expand(text: str, strings: dict[str, str]) -> str:
    """Replace %string%; numbers name directories and remain."""

    def value(match: re.Match[str]) -> str:
        if match[1].isdigit():
            return match[0]
        if match[1] not in strings:
            raise ValueError(f"%{match[1]}% is not in [Strings]")
        return strings[match[1]]

    return TOKEN.sub(value, text)
