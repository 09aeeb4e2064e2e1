"""The course of a run, moment by moment: what pictures and timelines are drawn from.

A trace knows operations that are carried out one at a time. Where actors act at once, an operation has many moments,
and between them come those of others; a course keeps them in the order in which they happened. A trace is a course
whose operations have one moment each.
"""

from __future__ import annotations

from dataclasses import dataclass

from wintun_sim.operations import Event, Operation
from wintun_sim.scenario.scenario import Order
from wintun_sim.trace.trace import Trace


@dataclass(frozen=True, slots=True)
class Moment:
    """What happened in one go, with nobody else in between.

    ``actor`` is who does the operation, empty in the set-up. ``begins``: it is the operation's first moment. ``words``
    say where the operation stands at its end, and are empty where it is done in one moment. ``events`` are what became
    visible, in order.
    """

    operation: Operation
    actor: str = ""
    begins: bool = True
    words: str = ""
    events: tuple[Event, ...] = ()


@dataclass(frozen=True, slots=True)
class Course:
    """A run: ``machine`` is a description in one line, ``ended`` says why it ended early, or is empty.

    ``title``, ``order`` and ``ndis`` are those of the scenario.
    ``actors`` are the names of those who acted at once, in the order of the scenario; none in a run of one operation at
    a time.
    """

    machine: str
    title: str = ""
    order: Order = "strict"
    ndis: tuple[int, int] = (6, 80)
    moments: tuple[Moment, ...] = ()
    actors: tuple[str, ...] = ()
    ended: str = ""


def course_of(trace: Trace, ended: str = "") -> Course:
    """Return the course of a run of one operation at a time."""
    moments = tuple(Moment(step.operation, events=step.events) for step in trace.steps)
    return Course(trace.machine, trace.title, trace.order, trace.ndis, moments, ended=ended)
