"""A story as a picture (SVG 1.1, w3.org/TR/SVG11): lanes from top to bottom, arrows between them, words at the right.

Words stand in a column of their own, so they cover nothing however long they are and however many lanes there are. An
adapter's lane is a bar in the colour of its state. The picture is light or dark as its reader's system is, loads
nothing, runs nothing, and is the same, byte by byte, for the same story.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from xml.sax.saxutils import escape

from wintun_sim.lifecycle import State
from wintun_sim.render.palette import STYLE
from wintun_sim.render.story import Line, Story, Tone, shortened
from wintun_sim.render.words import plain

__all__ = ["MOST_LINES", "render"]

MOST_LINES: Final = 2000
"""Lines of a story that are drawn, each a row."""

ROW: Final = 22  # pixels, as all below
LANE: Final = 118
NARROW_LANE: Final = 84
MARGIN: Final = 24
CHARACTER: Final = 7.9  # of the widest usual font at 13 pixels
TITLE_CHARACTER: Final = 9.6
LANE_CHARACTERS: Final = 15
WORDS: Final = 92
"""Characters of a line's words that are shown; all of them are in its tool tip."""

STATUS: Final = 52
BAR: Final = 10
TOP: Final = 118


def render(story: Story) -> str:
    """Return the picture as a document, with a newline at the end."""
    return "".join(f"{line}\n" for line in _Picture(shortened(story, MOST_LINES)).document())


class _Picture:
    def __init__(self, story: Story) -> None:
        self.story = story
        self.lane = LANE if len(story.lanes) <= 5 else NARROW_LANE
        self.words = MARGIN * 2 + self.lane * len(story.lanes)
        longest = max([0, *(len(_words(line)) for line in story.lines)])
        self.status = self.words + 20 + CHARACTER * min(WORDS, longest)
        longest = max([0, *(len(line.status) for line in story.lines)])
        needed = self.status + CHARACTER * min(STATUS, longest) + MARGIN
        self.width = round(max(needed, MARGIN * 2 + TITLE_CHARACTER * len(story.title), 640))
        self.bottom = TOP + ROW * len(story.lines) + 12
        self.height = self.bottom + 52

    def document(self) -> Iterator[str]:
        """Give the lines of the document."""
        story = self.story
        yield (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{self.width}" height="{self.height}" '
            f'viewBox="0 0 {self.width} {self.height}" role="img"\n     aria-labelledby="title description">'
        )
        yield f'  <title id="title">{escape(story.title)}</title>'
        yield f'  <desc id="description">{escape(story.subtitle)}; {len(story.lines)} lines</desc>'
        yield STYLE
        yield f'  <rect class="page" width="{self.width}" height="{self.height}" rx="10"/>'
        yield f'  <text class="title" x="{MARGIN}" y="38">{escape(story.title)}</text>'
        yield f'  <text class="quiet" x="{MARGIN}" y="60">{escape(story.subtitle)}</text>'
        yield from self._stripes()
        yield from self._lanes()
        yield from self._bars()
        for number, line in enumerate(story.lines):
            yield from self._row(line, TOP + ROW * number + ROW // 2)
        yield from self._legend()
        yield "</svg>"

    def _x(self, lane: int) -> int:
        return MARGIN + self.lane // 2 + lane * self.lane

    def _stripes(self) -> Iterator[str]:
        """Give each other row a shade, so that the eye finds from an arrow to its words."""
        for number in range(1, len(self.story.lines), 2):
            y = TOP + ROW * number
            yield f'  <rect class="stripe" x="{MARGIN}" y="{y}" width="{self.width - 2 * MARGIN}" height="{ROW}"/>'

    def _lanes(self) -> Iterator[str]:
        for place, lane in enumerate(self.story.lanes):
            x, width = self._x(place), self.lane - 12
            name = plain(lane.name, LANE_CHARACTERS if self.lane == LANE else LANE_CHARACTERS - 5)
            yield f'  <rect class="{lane.kind}" x="{x - width // 2}" y="76" width="{width}" height="28" rx="6"/>'
            yield (
                f'  <text class="lane" x="{x}" y="95">{escape(name)}<title>{escape(lane.name)}</title></text>'
            )  # fmt: skip
            yield f'  <path class="life" d="M{x} 104V{self.bottom}"/>'

    def _bars(self) -> Iterator[str]:
        """Draw each adapter's states along its lane."""
        for place, lane in enumerate(self.story.adapters()):
            start, state = 0, None
            for number, line in enumerate([*self.story.lines, None]):
                states = () if line is None else line.states
                now = states[place] if place < len(states) else None
                if line is None or now is not state:
                    if state is not None:
                        yield self._bar(lane, state, start, number)
                    start, state = number, now

    def _bar(self, lane: int, state: State, start: int, end: int) -> str:
        # A state begins at the line that shows it, and ends at the next one that does not.
        top = TOP + ROW * start + ROW // 2
        height = ROW * (end - start) - (ROW // 2 if end == len(self.story.lines) else 0)
        x = self._x(lane) - BAR // 2
        return (
            f'  <rect class="{state.value.lower()}" x="{x}" y="{top}" width="{BAR}" height="{height}">'
            f"<title>{state.value}</title></rect>"
        )

    def _row(self, line: Line, y: int) -> Iterator[str]:
        kind = line.tone.value
        source, target = self._x(line.source), self._x(line.target)
        if line.tone is Tone.FOLD:
            yield f'  <text class="dots" x="{(source + target) // 2}" y="{y + 4}">⋯</text>'
        elif line.tone is Tone.STEP:
            yield f'  <circle class="{kind}" cx="{source}" cy="{y}" r="3"/>'
        elif source == target:
            yield f'  <circle class="{kind}" cx="{source}" cy="{y}" r="5"/>'
        else:
            way = 1 if target > source else -1
            start = source + way * (BAR // 2 if self._is_adapter(line.source) else 1)
            end = target - way * (BAR // 2 + 1 if self._is_adapter(line.target) else 2)
            yield f'  <path class="line {kind}" d="M{start} {y}H{end - way * 7}"/>'
            yield f'  <path class="head {kind}" d="M{end} {y}l{-way * 9} -4.5v9z"/>'
        full = _words(line)
        shown = plain(full, WORDS)
        tip = f"<title>{escape(full)}</title>" if shown != full else ""
        yield f'  <text class="words {kind}" x="{self.words}" y="{y + 4}">{escape(shown)}{tip}</text>'
        if line.status:
            status = plain(line.status, STATUS)
            yield f'  <text class="quiet" x="{self.status:.0f}" y="{y + 4}">{escape(status)}</text>'

    def _is_adapter(self, lane: int) -> bool:
        return self.story.lanes[lane].kind == "adapter"

    def _legend(self) -> Iterator[str]:
        """Say what the colours of the bars mean: of the states that occur."""
        seen = {state for line in self.story.lines for state in line.states if state is not None}
        x, y = MARGIN, self.bottom + 26
        for state in (state for state in State if state in seen):
            yield f'  <rect class="{state.value.lower()}" x="{x}" y="{y - 10}" width="12" height="12" rx="2"/>'
            yield f'  <text class="quiet" x="{x + 18}" y="{y}">{state.value}</text>'
            x += round(18 + CHARACTER * len(state.value) + 22)


def _words(line: Line) -> str:
    return f"{line.actor}: {line.text}" if line.actor else line.text
