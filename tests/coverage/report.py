"""What was reached, and whether each line that was not is one that cannot be: as tables, as in docs/coverage.md."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from tests.coverage.counts import Line, Lines
from tests.coverage.image import HERE, MEASURED, ROOT

NAMES: Final = frozenset(path.name for path in MEASURED)
TEXTS: Final = {path.name: path.read_text("utf-8").splitlines() for path in MEASURED}
DRIVER_SOURCES: Final = frozenset(path.name for path in MEASURED if path.parent == ROOT / "driver")
DRIVER: Final = "driver/*.c"


@dataclass(frozen=True, slots=True)
class Excuse:
    """Why some lines of a function are not reached; no ``lines``: all of them."""

    source: str
    function: str
    lines: tuple[str, ...]
    reason: str

    def allows(self, source: str, line: Line, text: str) -> Iterator[str]:
        """Give the places of this excuse that a line may be at."""
        if (source, line.function) == (self.source, self.function):
            yield from (place for place in self.places() if not self.lines or text.startswith(place))

    def places(self) -> tuple[str, ...]:
        """Return what must be found at least once."""
        return self.lines or (self.function,)


_LIST: Final = tomllib.loads((HERE / "unreached.toml").read_text("utf-8"))
CODEC: Final = frozenset(_LIST["codec_of_the_driver"])
EXCUSES: Final = tuple(
    Excuse(entry["source"], entry["function"], tuple(entry.get("lines", ())), entry["reason"])
    for entry in _LIST["unreached"]
)


def all_lines(lines: Lines) -> Iterator[tuple[str, int, Line]]:
    """Give each line that is there for the driver, with its source's name and its number."""
    for source in sorted(lines):
        for number, line in sorted(lines[source].items()):
            if source in DRIVER_SOURCES or line.function in CODEC:
                yield source, number, line


def wrong(lines: Lines, known: Sequence[Excuse] = EXCUSES) -> list[str]:
    """Say of each line that was not wholly reached, and has no excuse, where it is; and of each excuse too many."""
    left = {(excuse, place) for excuse in known for place in excuse.places()}
    found: list[str] = []
    for source, number, line in all_lines(lines):
        if line.count > 0 and all(line.branches):
            continue
        text = TEXTS[source][number - 1].strip()
        allowed = ((excuse, place) for excuse in known for place in excuse.allows(source, line, text))
        chosen = next(
            ((excuse, place) for excuse, place in allowed if (excuse, place) in left or not excuse.lines), None
        )
        if chosen is not None:
            left.discard(chosen)
        else:
            what = "a branch is not taken" if line.count else "not reached"
            found.append(f"{source}:{number}: {text}: {what}, and there is no excuse")
    for excuse, place in sorted(left, key=lambda pair: known.index(pair[0])):
        found.append(f"{excuse.source}: {place}: has an excuse, but was reached or is not there")
    for name in lines.keys() - DRIVER_SOURCES:
        called = {line.function for line in lines[name].values() if line.count > 0} - CODEC
        found += [f"{name}: {function}: is used by the driver, but not listed" for function in sorted(called)]
    return found


@dataclass(slots=True)
class Size:
    """So many lines and branches."""

    lines: int = 0
    branches: int = 0

    def less(self, other: Size) -> Size:
        """Return the difference."""
        return Size(self.lines - other.lines, self.branches - other.branches)

    def share_of(self, whole: Size) -> str:
        """Say in percent, rounded down, how much of the whole this is."""
        return f"{100 * self.lines // max(whole.lines, 1)} % / {100 * self.branches // max(whole.branches, 1)} %"

    def __str__(self) -> str:
        return f"{self.lines} / {self.branches}"


def _sizes(lines: Lines, size_of: Callable[[Line], Size]) -> dict[str, Size]:
    """Add up, for each source and for the driver as a whole."""
    found: dict[str, Size] = {}
    for source, _, line in all_lines(lines):
        part = size_of(line)
        for name in (source, DRIVER) if source in DRIVER_SOURCES else (source,):
            size = found.setdefault(name, Size())
            size.lines += part.lines
            size.branches += part.branches
    return found


def whole(lines: Lines) -> dict[str, Size]:
    """Count all lines and branches."""
    return _sizes(lines, lambda line: Size(1, len(line.branches)))


def reached(lines: Lines) -> dict[str, Size]:
    """Count the lines that were executed, and the branches that were taken."""
    return _sizes(lines, lambda line: Size(line.count > 0, sum(map(bool, line.branches))))


def table(stages: Mapping[str, Lines]) -> str:
    """Write what was reached by the first stage, by the first two, and so on, in Markdown.

    Of the last stage nothing may be ``wrong``: what it has not reached cannot be reached.
    """
    last = list(stages.values())[-1]
    all_there_is, in_the_end = whole(last), reached(last)
    heads = [stage if number == 0 else f"and {stage}" for number, stage in enumerate(stages)]
    rows = [["source", "lines / branches", "out of reach", *heads], ["---"] + ["--:"] * (2 + len(heads))]
    for source in sorted(all_there_is, key=lambda name: (name == DRIVER, name not in DRIVER_SOURCES, name)):
        row = [f"`{_path(source)}`", str(all_there_is[source]), str(all_there_is[source].less(in_the_end[source]))]
        rows.append(row + [reached(lines)[source].share_of(in_the_end[source]) for lines in stages.values()])
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def reasons() -> str:
    """Write what is out of reach, and why, in Markdown."""
    rows = ["| function | lines | why nothing reaches them |\n", "|---|---|---|\n"]
    for excuse in EXCUSES:
        lines = "<br>".join(f"`{line.replace('|', chr(92) + '|')}`" for line in excuse.lines) or "all"
        rows.append(f"| `{excuse.function}`, `{_path(excuse.source)}` | {lines} | {excuse.reason} |\n")
    return "".join(rows)


def _path(source: str) -> str:
    folder = "driver/" if source in DRIVER_SOURCES else "" if source == DRIVER else "shared/"
    return f"{folder}{source}"
