"""Draws the tables of this room: Mermaid diagrams and Markdown tables, as docs/lifecycle.md shows them.

``python -m wintun_sim.lifecycle.diagrams`` writes the page to standard output.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Final

from wintun_sim.lifecycle.overlap import OVERLAP, Call, why_apart
from wintun_sim.lifecycle.table import TABLE, Order, State

DRIVERS: Final = "learn.microsoft.com/windows-hardware/drivers/"

_INTRODUCTION = """\
# The life of an adapter

This page is made from the tables in `sim/wintun_sim/lifecycle/table.py` and `overlap.py`, which both machines obey, by
`python -m wintun_sim.lifecycle.diagrams > docs/lifecycle.md`; a test fails when they differ.
[lesson.md](lesson.md) tells what it means. The rows and columns of the first are those of
learn.microsoft.com/windows-hardware/drivers/network/miniport-adapter-states-and-operations.
"""

_STRICT = """\
## The strict order

The host calls an adapter as Windows drives a whole stack of drivers.
"""

_RAW = """\
## The raw order

The host also does what the handlers' own pages oblige a miniport to cope with. These transitions come on top; and in
states that do not change, the calls that the table below marks with *raw*.
"""

_ALL = """\
## Every call in every state

The state that follows, or – where the call never comes; *raw* where it comes in the raw order only.
"""

_NEVER = """\
## Why not

Why a call never comes in a state, or comes in the raw order only, and the page under
learn.microsoft.com/windows-hardware/drivers that says so.
"""

_ALL_THE_SAME = """\
## What the raw order rests on

Each call that comes in the raw order only, and the page that has a miniport cope with it.
"""

_OVERLAP = """\
## What overlaps what

Calls on one adapter that may be under way at once, on different processors: in *both* orders, in the *raw* order only,
or never (–). A pause counts until it is complete, and an OID request that the driver pended until it has completed it.
"""

_APART = """\
Why the others never overlap, or do so in the raw order only:
"""


def transitions(order: Order) -> Iterator[tuple[State, State, str]]:
    """Give the changes of state that ``order`` is the first to allow: from, to, and the triggers that make them."""
    for before in State:
        for after in State:
            triggers = [
                trigger.value
                for trigger, row in TABLE.items()
                if row[before].next is after is not before and row[before].order is order
            ]
            if triggers:
                yield before, after, ", ".join(triggers)


def mermaid(order: Order) -> str:
    """Return the state diagram of ``order``, in Mermaid's language."""
    lines = ["stateDiagram-v2"]
    if order is Order.STRICT:
        lines.append(f"    [*] --> {State.HALTED.value}")
    lines += [f"    {before.value} --> {after.value}: {triggers}" for before, after, triggers in transitions(order)]
    return "\n".join(lines)


def table() -> str:
    """Return every trigger in every state, as a Markdown table."""
    lines = ["| | " + " | ".join(state.value for state in State) + " |", "|---" * (len(State) + 1) + "|"]
    for trigger, row in TABLE.items():
        cells = [
            "–" if cell.next is None else f"{cell.next.value}{' *raw*' if cell.order is Order.RAW else ''}"
            for cell in (row[state] for state in State)
        ]
        lines.append(f"| {trigger.value} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def reasons() -> str:
    """Return why triggers do not come, as a Markdown table: one row for each reason and page."""
    groups: dict[tuple[str, str], dict[str, list[str]]] = {}
    for trigger, row in TABLE.items():
        for state, cell in row.items():
            if cell.next is None or cell.order is Order.RAW:
                raw = " *raw*" if cell.next is not None else ""
                where = groups.setdefault((cell.why, cell.page), {})
                where.setdefault(trigger.value, []).append(state.value + raw)
    lines = ["| why | page | what, and where |", "|---|---|---|"]
    for (why, source), where in groups.items():
        calls = "; ".join(f"{trigger} in {', '.join(states)}" for trigger, states in where.items())
        lines.append(f"| {why} | *{source.removeprefix(DRIVERS)}* | {calls} |")
    return "\n".join(lines)


def raw_pages() -> str:
    """Return what has a miniport cope with the raw order, as a Markdown table."""
    lines = ["| call | in | page |", "|---|---|---|"]
    for trigger, row in TABLE.items():
        for state, cell in row.items():
            if cell.next is not None and cell.order is Order.RAW:
                lines.append(f"| {trigger.value} | {state.value} | *{cell.raw_page.removeprefix(DRIVERS)}* |")
    return "\n".join(lines)


def overlaps() -> str:
    """Return which calls may overlap in which orders, as a Markdown table."""
    words = {(): "–", (Order.RAW,): "*raw*", (Order.STRICT, Order.RAW): "both"}
    lines = ["| | " + " | ".join(call.value for call in Call) + " |", "|---" * (len(Call) + 1) + "|"]
    for one in Call:
        lines.append(f"| {one.value} | " + " | ".join(words[OVERLAP[one, other]] for other in Call) + " |")
    return "\n".join(lines)


def reasons_apart() -> str:
    """Return why calls do not overlap, as a Markdown table: one row for each reason and page."""
    groups: dict[tuple[str, str], list[str]] = {}
    calls = list(Call)
    for position, one in enumerate(calls):
        for other in calls[position:]:
            if len(OVERLAP[one, other]) < len(Order):
                raw = " *raw*" if OVERLAP[one, other] else ""
                groups.setdefault(why_apart(one, other), []).append(f"{one.value} and {other.value}{raw}")
    lines = ["| why | page | what |", "|---|---|---|"]
    lines += [
        f"| {why} | *{page.removeprefix(DRIVERS)}* | {'; '.join(pairs)} |" for (why, page), pairs in groups.items()
    ]
    return "\n".join(lines)


def page() -> str:
    """Return docs/lifecycle.md."""
    parts = [
        _INTRODUCTION,
        _STRICT,
        f"```mermaid\n{mermaid(Order.STRICT)}\n```\n",
        _RAW,
        f"```mermaid\n{mermaid(Order.RAW)}\n```\n",
        _ALL,
        table() + "\n",
        _NEVER,
        reasons() + "\n",
        _ALL_THE_SAME,
        raw_pages() + "\n",
        _OVERLAP,
        overlaps() + "\n",
        _APART,
        reasons_apart() + "\n",
    ]
    return "\n".join(parts)


if __name__ == "__main__":
    sys.stdout.write(page())
