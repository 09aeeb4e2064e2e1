"""The transition table as a picture: the seven states of an adapter, and what leads from one to another.

The states have places of their own, chosen so that arrows cross little; everything else comes from the table
(`wintun_sim.lifecycle.table`), and a transition between any two states can be drawn. Solid arrows are of the strict
order, dashed ones of the raw order alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final
from xml.sax.saxutils import escape

from wintun_sim.lifecycle import Order, State
from wintun_sim.lifecycle.diagrams import mermaid as state_diagram
from wintun_sim.lifecycle.diagrams import table, transitions
from wintun_sim.render.palette import STYLE

__all__ = ["mermaid", "svg", "terminal"]

WIDTH: Final = 1120
HEIGHT: Final = 640
BOX: Final = (132, 44)

PLACES: Final[dict[State, tuple[int, int]]] = {
    State.HALTED: (130, 330),
    State.INITIALIZING: (330, 130),
    State.PAUSED: (530, 330),
    State.RESTARTING: (750, 130),
    State.RUNNING: (980, 330),
    State.PAUSING: (760, 420),
    State.SHUTDOWN: (760, 570),
}
BENDS: Final[dict[tuple[State, State], int]] = {
    (State.HALTED, State.INITIALIZING): -50,
    (State.INITIALIZING, State.HALTED): -50,
    (State.PAUSED, State.RESTARTING): -50,
    (State.RESTARTING, State.PAUSED): -50,
    (State.RESTARTING, State.SHUTDOWN): -190,
    (State.RUNNING, State.HALTED): 190,
}
"""How far the handle of an arrow's curve is to the right of the straight line, in pixels."""

LABELS: Final[dict[tuple[State, State], float]] = {
    (State.HALTED, State.INITIALIZING): 0.62,
    (State.INITIALIZING, State.HALTED): 0.62,
    (State.PAUSED, State.RESTARTING): 0.62,
    (State.RESTARTING, State.PAUSED): 0.7,
    (State.INITIALIZING, State.PAUSED): 0.36,
    (State.RESTARTING, State.RUNNING): 0.36,
    (State.RESTARTING, State.SHUTDOWN): 0.33,
    (State.RUNNING, State.PAUSING): 0.45,
    (State.RUNNING, State.SHUTDOWN): 0.62,
}
"""How far along an arrow its words stand; half way where nothing is said."""


def terminal() -> str:
    """Return every trigger in every state, as a table for terminals."""
    rows = [[cell.strip().replace("*", "") for cell in row.strip("|").split("|")] for row in table().splitlines()]
    rows = [row for row in rows if set("".join(row)) != {"-"}]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() + "\n" for row in rows
    )


def mermaid(order: Order) -> str:
    """Return the state diagram of an order in Mermaid's language, with a newline at the end."""
    return f"{state_diagram(order)}\n"


def svg() -> str:
    """Return the picture of both orders as a document, with a newline at the end."""
    return "".join(f"{line}\n" for line in _document())


def _document() -> Iterator[str]:
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'role="img"\n     aria-labelledby="title description">'
    )
    yield '  <title id="title">The life of an adapter</title>'
    yield '  <desc id="description">The states of an NDIS miniport adapter, and what leads from one to another</desc>'
    yield STYLE
    yield f'  <rect class="page" width="{WIDTH}" height="{HEIGHT}" rx="10"/>'
    yield '  <text class="title" x="24" y="38">The life of an adapter</text>'
    yield '  <text class="quiet" x="24" y="60">what NDIS calls in which state; dashed: in the raw order only</text>'
    for order in Order:
        for before, after, triggers in transitions(order):
            yield from _arrow(before, after, triggers, order)
    for state, (x, y) in PLACES.items():
        left, top = x - BOX[0] // 2, y - BOX[1] // 2
        yield f'  <rect class="host" x="{left}" y="{top}" width="{BOX[0]}" height="{BOX[1]}" rx="10"/>'
        yield f'  <rect class="{state.value.lower()}" x="{left}" y="{top}" width="8" height="{BOX[1]}" rx="3"/>'
        yield f'  <text class="lane" x="{x + 4}" y="{y + 5}">{state.value}</text>'
    yield "</svg>"


def _arrow(before: State, after: State, triggers: str, order: Order) -> Iterator[str]:
    (x0, y0), (x1, y1) = PLACES[before], PLACES[after]
    bend = BENDS.get((before, after), 0)
    length = math.hypot(x1 - x0, y1 - y0)
    # The middle, moved to the right of the way from one state to the other.
    cx = (x0 + x1) / 2 - (y1 - y0) / length * bend
    cy = (y0 + y1) / 2 + (x1 - x0) / length * bend
    sx, sy = _edge(x0, y0, cx, cy)
    ex, ey = _edge(x1, y1, cx, cy, gap=10)
    dash = ' style="stroke-dasharray: 6 4"' if order is Order.RAW else ""
    yield f'  <path class="line call"{dash} d="M{sx:.0f} {sy:.0f}Q{cx:.0f} {cy:.0f} {ex:.0f} {ey:.0f}"/>'
    angle = math.degrees(math.atan2(ey - cy, ex - cx))
    yield f'  <path class="head call" transform="translate({ex:.0f} {ey:.0f}) rotate({angle:.0f})" d="M9 0l-11-5v10z"/>'
    at = LABELS.get((before, after), 0.5)
    tx = (1 - at) ** 2 * sx + 2 * at * (1 - at) * cx + at**2 * ex
    ty = (1 - at) ** 2 * sy + 2 * at * (1 - at) * cy + at**2 * ey
    yield f'  <text class="label" x="{tx:.0f}" y="{ty + 4:.0f}">{escape(triggers)}</text>'


def _edge(x: int, y: int, towards_x: float, towards_y: float, gap: int = 0) -> tuple[float, float]:
    """Return where a line from the middle of a state's box leaves it, and ``gap`` pixels farther."""
    dx, dy = towards_x - x, towards_y - y
    scale = min(
        (BOX[0] / 2 + gap) / abs(dx) if dx else math.inf,
        (BOX[1] / 2 + gap) / abs(dy) if dy else math.inf,
    )
    return x + dx * scale, y + dy * scale
