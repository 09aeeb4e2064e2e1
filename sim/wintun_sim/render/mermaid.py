"""A story as a Mermaid sequence diagram, which GitHub and many editors draw (mermaid.js.org/syntax/sequenceDiagram).

Every character that could mean something to Mermaid or to HTML is written by its number, as Mermaid's ``#35;``: texts
come from scenarios and traces of strangers.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from wintun_sim.lifecycle import State
from wintun_sim.render.story import Line, Story, Tone, shortened

_SAFE: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 .,:_()/-+?=")
_ARROWS: Final = {Tone.CALL: "->>", Tone.GOOD: "-->>", Tone.BAD: "--x", Tone.BROKEN: "--x"}


MOST_LINES: Final = 400
"""Lines of a story that are drawn: Mermaid takes 50,000 characters, and a person takes less."""


def render(story: Story) -> str:
    """Return the diagram's text, with a newline at the end."""
    return "".join(f"{line}\n" for line in _lines(shortened(story, MOST_LINES)))


def escape(text: str) -> str:
    """Return a text as Mermaid shows it and means nothing by it."""
    shown = "".join(
        character if character in _SAFE or character.isalnum() else f"#{ord(character)};" for character in text
    ).strip()
    if shown.lower() == "end":  # the one word that would mean something by itself
        return f"#{ord(shown[0])};{shown[1:]}"
    return shown or "#32;"


def _lines(story: Story) -> Iterator[str]:
    yield "sequenceDiagram"
    yield f"    accTitle: {escape(story.title)}"
    yield f"    accDescr: {escape(story.subtitle)}"
    for place, lane in enumerate(story.lanes):
        yield f"    {'actor' if lane.kind == 'client' else 'participant'} p{place} as {escape(lane.name)}"
    states: tuple[State | None, ...] = ()
    for line in story.lines:
        yield f"    {_arrow(line)}"
        if line.states != states and line.states:
            yield from _changes(story, states, line.states)
            states = line.states


def _arrow(line: Line) -> str:
    actor = f"{line.actor}: " if line.actor else ""
    text = escape(f"{actor}{line.text}")
    if line.tone in (Tone.FOLD, Tone.STEP) or line.source == line.target:
        left, right = sorted((line.source, line.target))
        over = f"p{left}" if left == right else f"p{left},p{right}"
        return f"Note over {over}: {text}"
    return f"p{line.source}{_ARROWS[line.tone]}p{line.target}: {text}"


def _changes(story: Story, before: tuple[State | None, ...], after: tuple[State | None, ...]) -> Iterator[str]:
    """Note the adapters whose state has changed."""
    for place, lane in enumerate(story.adapters()[: len(after)]):
        was = before[place] if place < len(before) else None
        if after[place] is not was and after[place] is not None:
            yield f"    Note right of p{lane}: {escape(str(getattr(after[place], 'value', '')))}"
