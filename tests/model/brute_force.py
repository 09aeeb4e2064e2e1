"""Every order of steps, tried out by brute force: what the walk through the space of states is held against.

``explore`` makes every choice, by running prefixes again (generators cannot be copied), and goes on from a state only
once: a state is what all share, where each actor stands and what it holds, and the outcome so far.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain

from wintun_sim.model import ModelMachine
from wintun_sim.model.interleave import Interleaving
from wintun_sim.operations import (
    Event,
    IrpCompleted,
    LinkChanged,
    NblCompleted,
    OidCompleted,
    Operation,
    PacketReceived,
    PauseCompleted,
    Returned,
)
from wintun_sim.operations.outcome import Places

Outcome = tuple[object, ...]
"""Five sequences per adapter, hashable; equal if and only if nothing but the order between sequences differs."""


class History:
    """The outcome of a run, as it grows; a pause that was pending stays one that was."""

    def __init__(self, places: Places) -> None:
        self.places = places
        self.sequences: dict[object, list[object]] = {}
        self.seen = 0

    def add(self, machine: ModelMachine) -> None:
        """Take in the machine's events since the last time."""
        for event in machine.events[self.seen :]:
            self._put(event)
        self.seen = len(machine.events)

    def _put(self, event: Event) -> None:
        entry: object = event
        match event:
            case IrpCompleted(_, handle, _, _, data):
                place: object = ("irps", handle)
                entry = (event, data)
            case NblCompleted(operation):
                place = ("nbls", self.places.adapters[operation])
            case PacketReceived(operation, data):
                place = ("packets", self.places.adapters[operation])
                entry = (event, data)
            case LinkChanged(adapter, _):
                place = ("links", adapter)
            case Returned(operation) | OidCompleted(operation) | PauseCompleted(operation):
                place = ("returns", self.places.adapters[operation])
            case _:
                place = "refused"
                entry = type(event)
        self.sequences.setdefault(place, []).append(entry)

    def key(self) -> Outcome:
        """Return the outcome so far."""
        return tuple(sorted(((place, tuple(entries)) for place, entries in self.sequences.items()), key=repr))


@dataclass(slots=True)
class Exploration:
    """Every outcome that was found, each with choices that lead to it; whether that is all there are."""

    outcomes: dict[Outcome, list[int]]
    events: dict[Outcome, tuple[Event, ...]]
    runs: int
    states: int
    complete: bool


def explore(
    make: Callable[[], ModelMachine],
    setup: Sequence[Operation],
    actors: Sequence[Sequence[Operation]],
    *,
    at_end: Callable[[ModelMachine], None] = lambda machine: None,
    state_limit: int = 1_000_000,
) -> Exploration:
    """Run actors in every order after ``setup``; stop, incomplete, after ``state_limit`` states.

    ``at_end`` is called with the machine at the end of each run that was not given up for a state seen before; the
    events of the actors' operations are in ``machine.events``.
    """
    found = Exploration({}, {}, 0, 0, True)
    seen: set[object] = set()
    prefixes: list[list[int]] = [[]]
    places = Places(chain(setup, *actors))
    while prefixes:
        if len(seen) > state_limit:
            found.complete = False
            break
        machine = make()
        for operation in setup:
            machine.perform(operation)
        if _follow(Interleaving(machine, actors), History(places), prefixes.pop(), seen, prefixes, found):
            at_end(machine)
    found.states = len(seen)
    return found


def _follow(
    run: Interleaving,
    history: History,
    prefix: list[int],
    seen: set[object],
    prefixes: list[list[int]],
    found: Exploration,
) -> bool:
    """Run a prefix and on to the end, or give up at a state seen before; leave the choices not made to ``prefixes``."""
    found.runs += 1
    while able := run.able():
        choice = 0
        if len(able) > 1:
            place = len(run.choices)
            if place < len(prefix):
                choice = prefix[place]
            else:
                state = (run.key(), history.key())
                if state in seen:
                    return False
                seen.add(state)
                prefixes.extend([*run.choices, other] for other in range(1, len(able)))
        run.choose(able, choice)
        history.add(run.machine)
    outcome = history.key()
    if outcome not in found.outcomes:
        found.outcomes[outcome] = run.choices
        found.events[outcome] = tuple(run.machine.events)
    return True
