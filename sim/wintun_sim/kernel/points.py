"""A run step by step: what each actor did at each scheduling point, in the order in which it was done.

The host records where actors *arrive* (``host_watch``): an actor stands before what it is about to do, and does it when
it is next chosen. So a point's step happens just before the same actor's next arrival, and everybody who arrived in
between had come first: that is where a run was switched from one actor to another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from wintun_sim.kernel.marshal import Names

_ACQUIRE: Final = ("acquire", "release")


@dataclass(frozen=True, slots=True)
class Arrival:
    """An actor has come to a point. ``what`` is empty where it has come to its end.

    ``events`` and ``choices`` were logged and made before it; ``runnable`` are the actors that could go on. ``place``
    is an offset in the code of image ``image`` (from 1; 0: in none). ``lock`` is the number of the lock that the point
    is about, ``locks`` are those held, each with its family; numbers count locks from 1 in the order of the run.
    """

    actor: int
    operation: str
    what: str
    handler: str
    irql: int
    events: int
    choices: int
    runnable: frozenset[int]
    image: int
    place: int
    lock: int
    locks: tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class Step:
    """An actor did what it stood before at ``at``; ``events`` are the places in the log of what that caused.

    ``preempted``: others came in between the arrival and this. ``waited``: because it could not go on.
    """

    at: Arrival
    events: range
    preempted: bool
    waited: bool
    done: bool
    """Whether the actor went on at all: at the end of a run, some may not have."""
    arrived: int
    then: int
    """The places of its arrival and of the next one of its actor, among all arrivals."""


def read_arrivals(ffi: Any, lib: Any, host: Any, names: Names) -> list[Arrival]:
    """Return what the host recorded since ``host_watch``."""
    count = ffi.new("size_t *")
    points = lib.host_points(host, count)

    def text(pointer: Any) -> str:
        return "" if pointer == ffi.NULL else ffi.string(pointer).decode()

    return [
        Arrival(
            actor=point.actor,
            operation=names.name(point.operation),
            what=text(point.what),
            handler=text(point.handler),
            irql=point.irql,
            events=point.events,
            choices=point.choices,
            runnable=frozenset(bit for bit in range(64) if point.runnable >> bit & 1),
            image=point.image,
            place=point.place,
            lock=point.object,
            locks=tuple(
                (number, text(family)) for number, family in zip(point.locks, point.families, strict=True) if number
            ),
        )
        for point in (points[number] for number in range(count[0]))
    ]


def steps_of(arrivals: Sequence[Arrival], event_count: int) -> list[Step]:
    """Put arrivals into the order in which what follows them was done; ``event_count`` were logged in all.

    The events between two arrivals were caused by whoever came to the second one.
    """
    following: dict[int, int] = {}
    latest: dict[int, int] = {}
    for place, arrival in enumerate(arrivals):
        if arrival.actor in latest:
            following[latest[arrival.actor]] = place
        latest[arrival.actor] = place
        if not arrival.what:
            del latest[arrival.actor]  # another actor may bear its number from here on
    order = sorted(following, key=lambda place: following[place])
    steps = [_step(arrivals, place, following[place]) for place in order]
    ended = arrivals[-1].events if arrivals else 0
    for place in sorted(latest.values()):
        last = place == len(arrivals) - 1
        events = range(ended, event_count) if last else range(0)
        waits = arrivals[place].actor not in arrivals[-1].runnable
        steps.append(Step(arrivals[place], events, not last, waits, False, place, len(arrivals)))
    return steps


def _step(arrivals: Sequence[Arrival], place: int, then: int) -> Step:
    arrival = arrivals[place]
    preempted = then != place + 1
    waited = preempted and arrival.actor not in arrival.runnable
    events = range(arrivals[then - 1].events, arrivals[then].events)
    return Step(arrival, events, preempted, waited, True, place, then)
