"""The model as an automaton: its states, found as a walk comes to them, and what each letter does in each.

The model says the same whenever the same is asked in the same state. So it is asked once, in each state that a walk
comes to, and its answer is kept: a walk of a million operations asks it some ten thousand times. Names are places here:
what is alive in a state (a driver, adapters, handles, reads, sends) stands in a list, and an answer says which places
its events are about, and who is alive afterwards.

Two machines are in the same state when they are the same but for names and for what was counted. What is counted each
answer has with it, to be added up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from itertools import chain, repeat
from operator import itemgetter
from typing import TYPE_CHECKING, Final

from wintun_sim.check.alphabet import LETTERS, aimed, named, targets
from wintun_sim.check.visited import Visited
from wintun_sim.lifecycle import Ledger, Order
from wintun_sim.model import ModelMachine
from wintun_sim.model.core import COUNTERS
from wintun_sim.model.snapshot import Snapshot
from wintun_sim.operations import Counters, Event, Load, Operation
from wintun_sim.operations.outcome import Places

if TYPE_CHECKING:
    from wintun_sim.kernel.batch import Told

DRIVER: Final = "driver"
NEWEST_NDIS: Final = (6, 80)
NOTHING: Final = Counters(0, 0, 0)
_NONE: Final = (0,) * len(COUNTERS)

_PROBES: Final = tuple(replace(letter) for letter, _ in LETTERS)
"""Copies to ask the ledger with."""


Picker = Callable[[tuple[int, ...]], tuple[int, ...]]
"""Picks some of many, always those at the same places."""


def picker(places: Iterable[int]) -> Picker:
    """Return what picks those at these places."""
    chosen = tuple(places)
    if len(chosen) > 1:
        return itemgetter(*chosen)
    return lambda many: tuple(many[place] for place in chosen)


_nobody: Final = picker(())


class State:
    """A state of the small world.

    ``asks`` has what may be asked: a letter, and the place of what it is done to; ``answers`` what each of them does,
    once it was asked. ``choices`` are places of asks to draw from, each as often as its letter's weight.
    """

    __slots__ = ("answers", "asks", "choices", "names", "snapshot")

    def __init__(self, machine: ModelMachine, names: tuple[str, ...]) -> None:
        self.snapshot = Snapshot(machine)
        self.names = names
        ledger = machine.ledger
        place = {name: number for number, name in enumerate(names)}
        self.asks = sorted(  # the ledger's own order is that in which this machine came here
            (letter, place[target])
            for letter, operation in enumerate(_PROBES)
            for target in targets(operation, ledger)
            if ledger.refusal(aimed(operation, target)) is None
        )
        self.answers: list[Answer | None] = [None] * len(self.asks)
        self.choices = list(
            chain.from_iterable(repeat(number, LETTERS[letter][1]) for number, (letter, _) in enumerate(self.asks))
        )


@dataclass(slots=True, eq=False)
class Answer:
    """What a letter does in a state.

    ``target`` and ``adapter`` are places among ``names``: nobody's, those of what was alive before, and the
    operation's own. ``adapter`` is 0 where there is none any more, and else the one whose ``counters`` are told and
    whose ``statistics`` have grown so much (in the order of the model's ``COUNTERS``). ``alive`` picks those that
    live on.

    ``told`` are the events as a host tells of them, in numbers, and ``subjects`` picks whom they are about, once
    somebody asked for that; ``times`` counts how often a walk came by.
    """

    letter: int
    events: tuple[Event, ...]
    then: State
    target: int = 0
    adapter: int = 0
    names: tuple[str, ...] = ("",)
    counters: Counters = NOTHING
    statistics: tuple[int, ...] = _NONE
    alive: Picker = _nobody
    visited: tuple[tuple[str, str, int], ...] = ()
    told: Told | None = None
    subjects: Picker = _nobody
    times: int = 0


class Automaton:
    """The states of the model in one order of calls, as far as they were asked for."""

    def __init__(self, order: Order | str) -> None:
        self.answers = 0
        self._letters: dict[str, int] = {DRIVER: -1}
        self._states: dict[object, State] = {}
        self._machine = ModelMachine(order=order, ndis=NEWEST_NDIS)
        self._machine.perform(Load(name=DRIVER))
        self._machine.forget()
        self.start, self._names = self._state_of(self._machine, ("", DRIVER))
        self._state = self.start
        """Where the machine stands, which has the names of whoever asked last."""

    def __len__(self) -> int:
        """Return how many states were found."""
        return len(self._states)

    def close(self) -> None:
        """Forget everything, at once: states and answers hold each other, and all that Python looks through to see
        that nobody else does makes whatever comes next slow."""
        for state in self._states.values():
            state.answers.clear()
        self._states.clear()

    def ask(self, state: State, place: int) -> Answer:
        """Return what a state's ask at ``place`` does, from the model if it was never asked before."""
        answer = state.answers[place]
        if answer is None:
            answer = state.answers[place] = self._find(state, *state.asks[place])
        return answer

    def _find(self, state: State, letter: int, target: int) -> Answer:
        if self._state is not state:
            self._machine, self._names = state.snapshot.restore(), state.names
        machine, names = self._machine, (*self._names, f"#{self.answers}")
        self.answers += 1
        self._letters[names[-1]] = letter
        operation = named(LETTERS[letter][0], names[-1], names[target])
        places = _places(machine, operation)
        before = _copy(machine.ledger)
        events = tuple(machine.perform(operation))
        visited = Visited()
        visited.note(operation, events, before, places)
        name = places.adapters[operation.name]
        adapter = machine.adapters[name]
        exists = machine.ledger.adapters[name].exists
        counters = machine.counters(name) if exists else NOTHING
        statistics = tuple(getattr(adapter, counter) for counter in COUNTERS)
        machine.forget()
        self._state, self._names = self._state_of(machine, names)
        return Answer(
            letter,
            events,
            self._state,
            target,
            names.index(name) if exists else 0,
            names,
            counters,
            statistics,
            picker(map(names.index, self._names)),
            tuple((topic, what, count) for topic, counts in visited.counts.items() for what, count in counts.items()),
        )

    def _state_of(self, machine: ModelMachine, before: Sequence[str]) -> tuple[State, tuple[str, ...]]:
        """Return the state that a machine is in, and the names of what is alive in it, in the state's order."""
        key, names = canonical(machine, self._letters, before)
        state = self._states.get(key)
        if state is None:
            state = self._states[key] = State(machine, names)
        return state, names


def canonical(
    machine: ModelMachine, letters: Mapping[str, int], before: Sequence[str]
) -> tuple[object, tuple[str, ...]]:
    """Return what tells a machine at rest from others, and the names in it in the order in which they come there.

    In place of each name stands its number in that order, and the letter that it was made by. The first name is
    nobody's. Of a halted adapter, which no call reaches any more, nothing is told but that there are handles to it.
    Handles between which nothing makes a difference stay in the order of ``before``.
    """
    numbers = {"": 0}
    key: list[object] = []

    def put(values: Iterable[object]) -> None:
        for value in values:
            if isinstance(value, str):
                key.append(numbers.setdefault(value, len(numbers)))
                key.append(letters[value])
            elif isinstance(value, tuple):
                key.append(len(value))
                put(value)
            elif isinstance(value, frozenset):
                put(tuple(sorted(value)))
            else:
                key.append(value)

    def rank(name: str) -> tuple[object, ...]:
        handle = ledger.handles[name]
        return numbers.get(name, len(numbers)), numbers[handle.adapter.name], handle.phase.value, before.index(name)

    ledger = machine.ledger
    put(driver.key() for driver in ledger.drivers.values())
    for adapter in ledger.adapters.values():
        put((adapter.key(), machine.adapters[adapter.name].key()) if adapter.exists else (adapter.name,))
    for name in sorted(ledger.handles, key=rank):  # which of two was opened first makes no difference
        put((name, ledger.handles[name].adapter.name, *ledger.handles[name].key()))
    files = sorted(machine.file_keys(), key=lambda file: numbers[file[0]])
    put(files)
    return tuple(key), tuple(numbers)


def _places(machine: ModelMachine, operation: Operation) -> Places:
    """Return where an operation belongs, given what is alive."""
    places = Places()
    for name, handle in machine.ledger.handles.items():
        places.adapters[name] = handle.adapter.name
    for name, adapter in machine.adapters.items():
        places.adapters.update((request.operation, name) for request in adapter.reads)
    places.add(operation)
    return places


def _copy(ledger: Ledger) -> Ledger:
    """Return what was known of adapters and reads, whatever happens to them now."""
    known = Ledger(ledger.order)
    known.adapters = {name: copy(adapter) for name, adapter in ledger.adapters.items()}
    known.reads = dict(ledger.reads)
    return known
