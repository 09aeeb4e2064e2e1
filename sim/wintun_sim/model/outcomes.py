"""Which outcomes actors can have: all of them, or whether a given one is among them.

Both questions are walks through a space of states (:mod:`wintun_sim.model.space`). The first one goes on from each
state with each history that leads there; the second one knows the history that it wants, leaves every way on which
something else happens, and so comes to an answer where there are too many outcomes to list.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from wintun_sim.model.space import Space, SpaceLimit
from wintun_sim.operations import Event
from wintun_sim.operations.outcome import Place, Places, Sequences, entry_of


@dataclass(slots=True)
class Found:
    """Outcomes, each with the steps that lead to it by the numbers of their actors.

    ``complete``: these are all. ``stuck`` are the words of calls that wait for what nobody brings. ``states`` counts
    the states of machine and actors, ``histories`` those together with what had happened before.
    """

    outcomes: dict[Sequences, list[int]] = field(default_factory=dict)
    stuck: set[str] = field(default_factory=set)
    states: int = 0
    histories: int = 0
    complete: bool = True


def find_all(space: Space, places: Places, *, limit: int = 1_000_000) -> Found:
    """Find every outcome, or those that are found within ``limit`` states and histories."""
    found = Found()
    histories = _Histories(space, places)
    begin = (0, 0)
    came: dict[tuple[int, int], tuple[tuple[int, int], int] | None] = {begin: None}
    waiting = [begin]
    try:
        while waiting:
            here = waiting.pop()
            state, history = here
            steps = space.steps(state)
            if state in space.ends:
                outcome = histories.outcome(histories.after(history, space.ends[state]))
                if outcome not in found.outcomes:
                    found.outcomes[outcome] = _way(came, here)
            for step in steps:
                there = (step.target, histories.after(history, step.happening))
                if there not in came:
                    came[there] = (here, step.actor)
                    waiting.append(there)
            if len(came) > limit:
                raise SpaceLimit(f"there are more than {limit} histories")
    except SpaceLimit:
        found.complete = False
    found.complete &= not space.undefined
    found.stuck.update(space.stuck.values())
    found.states = len(space)
    found.histories = len(came)
    return found


def _way(came: dict[tuple[int, int], tuple[tuple[int, int], int] | None], here: tuple[int, int]) -> list[int]:
    actors: list[int] = []
    while (before := came[here]) is not None:
        here, actor = before
        actors.append(actor)
    return actors[::-1]


class _Histories:
    """Outcomes as they grow, by number; 0 is the empty one.

    A history is a tuple of numbers of sequences, one for each place, and a sequence is its last entry and the number of
    the sequence before. So a step costs the same whatever happened before it, and most often one look into a table.
    """

    def __init__(self, space: Space, places: Places) -> None:
        self._space = space
        self._places = places
        self._happenings: list[list[tuple[int, Event | str]]] = []
        self._places_found: dict[Place, int] = {}
        self._sequences: dict[tuple[int, Event | str], int] = {}
        self._ends: list[tuple[int, Event | str]] = [(0, "")]
        self._histories: dict[tuple[int, ...], int] = {(): 0}
        self._all: list[tuple[int, ...]] = [()]
        self._after: dict[tuple[int, int], int] = {}

    def after(self, history: int, happening: int) -> int:
        """Return the history after something more has happened."""
        if not happening:
            return history
        found = self._after.get((history, happening))
        if found is None:
            found = self._after[history, happening] = self._append(history, happening)
        return found

    def outcome(self, history: int) -> Sequences:
        """Return a history as an outcome."""
        ends = self._all[history]
        return frozenset(
            (place, tuple(self._read(ends[number]))[::-1])
            for place, number in self._places_found.items()
            if number < len(ends) and ends[number]
        )

    def _append(self, history: int, happening: int) -> int:
        sequences = list(self._all[history])
        for place, entry in self._entries(happening):
            sequences += [0] * (place + 1 - len(sequences))
            key = (sequences[place], entry)
            number = self._sequences.setdefault(key, len(self._ends))
            if number == len(self._ends):
                self._ends.append(key)
            sequences[place] = number
        frozen = tuple(sequences)
        number = self._histories.setdefault(frozen, len(self._all))
        if number == len(self._all):
            self._all.append(frozen)
        return number

    def _entries(self, happening: int) -> Iterator[tuple[int, Event | str]]:
        for event in self._space.happenings[happening]:
            entry = entry_of(event, self._places)
            if entry is not None:
                yield self._places_found.setdefault(entry[0], len(self._places_found)), entry[1]

    def _read(self, sequence: int) -> Iterator[Event | str]:
        while sequence:
            sequence, entry = self._ends[sequence]
            yield entry


def is_possible(space: Space, places: Places, wanted: Sequences, *, limit: int = 1_000_000) -> bool | None:
    """Tell whether an outcome is possible; None where ``limit`` states and histories did not suffice to tell, or where
    it might be, behind a step after which nobody can foretell what follows."""
    sequences = sorted(wanted)
    numbers = {place: number for number, (place, _) in enumerate(sequences)}
    entries = [entries for _, entries in sequences]
    all_of_it = tuple(map(len, entries))

    def after(done: tuple[int, ...], happening: int) -> tuple[int, ...] | None:
        """Return how far each sequence is when something more has happened; None if that is not wanted."""
        counts = list(done)
        for event in space.happenings[happening]:
            found = entry_of(event, places)
            if found is None:
                continue
            number = numbers.get(found[0])
            if number is None or counts[number] == all_of_it[number]:
                return None
            if entries[number][counts[number]] != found[1]:
                return None
            counts[number] += 1
        return tuple(counts)

    begin = (0, (0,) * len(entries))
    seen = {begin}
    waiting = [begin]
    is_certain = True
    try:
        while waiting:
            state, done = waiting.pop()
            steps = space.steps(state)
            is_certain &= state not in space.undefined
            if state in space.ends and after(done, space.ends[state]) == all_of_it:
                return True
            for step in steps:
                then = after(done, step.happening)
                if then is not None and (step.target, then) not in seen:
                    seen.add((step.target, then))
                    waiting.append((step.target, then))
            if len(seen) > limit:
                return None
    except SpaceLimit:
        return None
    return False if is_certain else None
