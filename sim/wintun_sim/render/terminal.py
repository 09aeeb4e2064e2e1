"""A story as a timeline for terminals: lanes as columns, an arrow a line, words beside it, and the adapter's state.

It is text of a given width, without colours: it can be piped, kept, compared and mailed. Lines longer than that are
cut with an ellipsis.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from typing import Final

from wintun_sim.render.story import Line, Story, Tone

__all__ = ["render"]

COLUMN: Final = 12
"""Characters from the middle of one lane to that of the next; fewer where there are many lanes."""

LEAST_COLUMN: Final = 6
LANES: Final = 42
"""Characters that all lanes together take, unless there are very many."""

STATE: Final = 34
"""Characters at the right that are kept for the adapter's state."""

_BADGES: Final = {Tone.BAD: "✗ ", Tone.BROKEN: "‼ ", Tone.FOLD: "", Tone.STEP: "· "}


def render(story: Story, width: int = 132) -> str:
    """Return the timeline, in lines of at most ``width`` characters (at least 60), with a newline at the end."""
    width = max(width, 60)
    return "".join(f"{_cut(line.rstrip(), width)}\n" for line in _lines(story, width))


def _lines(story: Story, width: int) -> Iterator[str]:
    column = max(LEAST_COLUMN, min(COLUMN, LANES // len(story.lanes)))
    room = width - column * len(story.lanes) - STATE
    yield story.title
    yield story.subtitle
    yield ""
    yield from _heading(story, column)
    for line in story.lines:
        drawing = _drawing(line, len(story.lanes), column)
        actor = f"{line.actor}: " if line.actor else ""
        words = f"{_BADGES.get(line.tone, '')}{actor}{line.text}"
        status = f"  [{line.status}]" if line.status else ""
        yield f"{drawing}  {_padded(words, room) if status else words}{status}"


def _heading(story: Story, column: int) -> Iterator[str]:
    """Write the lanes' names above their columns, in as many rows as it takes that none covers another."""
    rows: list[list[str]] = []
    ends: list[int] = []
    for place, lane in enumerate(story.lanes):
        middle = column // 2 + place * column
        start = max(0, middle - len(lane.name) // 2)
        row = next((number for number, end in enumerate(ends) if end + 2 <= start), len(rows))
        if row == len(rows):
            rows.append([])
            ends.append(-2)
        text = "".join(rows[row])
        rows[row] = [text.ljust(start), lane.name]
        ends[row] = start + len(lane.name)
    yield from ("".join(row) for row in rows)


def _drawing(line: Line, lanes: int, column: int) -> str:
    """Draw one line: the lanes, and the arrow between two of them."""
    cells = [" "] * (lanes * column)
    middles = [column // 2 + place * column for place in range(lanes)]
    for middle in middles:
        cells[middle] = "┊" if line.tone is Tone.FOLD else "│"
    left, right = sorted((middles[line.source], middles[line.target]))
    if line.tone is Tone.FOLD:
        cells[left] = "⋮"
    elif left == right:
        cells[left] = "·" if line.tone is Tone.STEP else "●"
    else:
        for place in range(left + 1, right):
            cells[place] = "┼" if place in middles else "─"
        forward = line.source < line.target
        cells[left], cells[right] = ("├", "┤")
        cells[right - 1 if forward else left + 1] = "▶" if forward else "◀"
    return "".join(cells).rstrip()


def _padded(text: str, width: int) -> str:
    return text + " " * (width - _columns(text))


def _columns(text: str) -> int:
    """Return how many columns a text takes: characters of East Asian scripts take two, marks on others none."""
    return sum(
        0 if unicodedata.combining(character) else 1 + (unicodedata.east_asian_width(character) in "WF")
        for character in text
    )


def _cut(line: str, width: int) -> str:
    if _columns(line) <= width:
        return line
    kept, columns = [], 0
    for character in line:
        columns += _columns(character)
        if columns > width - 1:
            break
        kept.append(character)
    return "".join(kept) + "…"
