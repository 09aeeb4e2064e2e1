"""Refinement: whatever a driver showed, the model must be able to show.

A run of a concurrent scenario on the driver leaves a log. Its outcome (``operations.outcome``: sequences per adapter
with the order between them forgotten, and what each adapter owned when the actors were done) must be one of those that
the model has for the same scenario, its actors taking steps in any order. The model is asked without a bound on its
preemptions; where a budget of states ends before the answer is certain, the outcome is *not judged*: neither right nor
wrong. Beside that each log is judged by what must hold in every run (``properties``), which asks no model.

The model may allow more than the driver ever shows: its *slack*, which is no fault, but worth a look.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, Protocol

from wintun_sim.check.finding import say_event
from wintun_sim.check.machines import CURRENT, open_model
from wintun_sim.check.properties import broken_properties
from wintun_sim.check.record import Layout, Record, Wrong
from wintun_sim.model import ModelMachine
from wintun_sim.model.outcomes import Found, find_all, is_possible
from wintun_sim.model.space import Space
from wintun_sim.operations import Counters, Event, RuleBroken
from wintun_sim.operations.outcome import AtRest, Place, Places, Sequences, StillPending, at_rest, sequences_of
from wintun_sim.scenario import Scenario

STATE_LIMIT: Final = 30_000
"""States of the model that are looked at for one scenario; about four seconds."""

NEAREST: Final = 2
"""How many of the model's outcomes are shown beside one that is none of them."""

MOST_LOOKED_AT: Final = 100
"""Outcomes of the model that are looked at themselves, for one scenario."""

_DEADLY: Final = {"Crash": "crash", "Stuck": "hang"}
_QUIET: Final = "quiet"


class RunLog(Protocol):
    """What the judge needs of a log; ``wintun_sim.kernel.explorer.Log`` is one."""

    @property
    def events(self) -> Sequence[Event]:
        """What happened, the ending's events included."""

    @property
    def counters(self) -> Sequence[tuple[str, Counters]]:
        """What each adapter owned when the actors were done."""

    @property
    def result(self) -> Enum:
        """How it ended; the value "quiet" says that it went on to the end of the ending."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is said of one log. ``is_judged``: the model knows whether it has such an outcome; else nobody does."""

    outcome: Sequences
    wrong: tuple[Wrong, ...]
    is_judged: bool

    @property
    def is_right(self) -> bool:
        """Tell whether nothing is wrong with it."""
        return not self.wrong


@dataclass(slots=True)
class Refinement:
    """One scenario, and what the model makes of it; logs are judged one by one.

    ``setup`` are the events of the set-up; by default the model's, from which the driver's do not differ in anything
    that is judged here. ``forbidden`` are outcomes that the model is to do without: a judge that never fails is worth
    nothing, and by these one sees that it does. ``state_limit`` is how many states of the model are looked at, of its
    whole ``space``; ``layout`` and ``places`` say where the operations of the scenario, and its ending's, belong.
    ``revision`` is that of the model.
    """

    scenario: Scenario
    revision: str = CURRENT
    state_limit: int = STATE_LIMIT
    forbidden: frozenset[Sequences] = frozenset()
    layout: Layout = field(init=False)
    places: Places = field(init=False)
    setup: tuple[Event, ...] = field(init=False)
    space: Space = field(init=False)
    _known: dict[Sequences, bool | None] = field(init=False, default_factory=dict)
    _found: Found | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self.layout = Layout(self.scenario)
        self.places = Places(self.layout.operations.values())
        model = self._open()
        self.setup = tuple(event for operation in self.layout.setup for event in model.perform(operation))
        self.space = Space(
            self._open, self.layout.setup, self.layout.actors, self.layout.ending, state_limit=self.state_limit
        )

    def _open(self) -> ModelMachine:
        return open_model(self.scenario.order, self.scenario.ndis, self.revision)

    def judge(self, log: RunLog, *, faulted: bool = False, ask_model: bool = True) -> Verdict:
        """Judge one log. ``faulted``: something that has no counterpart in the model was made to fail or changed.

        Without ``ask_model`` all is judged but the outcome.
        """
        is_whole = log.result.value == _QUIET
        wrong = [_broken(event, place) for place, event in enumerate(log.events) if isinstance(event, RuleBroken)]
        record = Record(self.layout, self.setup, log.events, dict(log.counters), is_whole=is_whole)
        wrong += broken_properties(record, faulted=faulted)
        outcome = self.outcome(log.events, log.counters)
        is_judged = True
        if is_whole and not faulted and ask_model:
            allowed = self.allows(outcome)
            is_judged = allowed is not None
            if allowed is False:
                wrong.append(self._unmatched(outcome))
        return Verdict(outcome, tuple(wrong), is_judged)

    def outcome(self, events: Iterable[Event], counters: Iterable[tuple[str, Counters]]) -> Sequences:
        """Return the outcome of a run: its sequences, and what was counted when the actors were done."""
        return sequences_of([*events, *at_rest(counters)], self.places)

    def allows(self, outcome: Sequences) -> bool | None:
        """Tell whether an outcome is one of the model's; None where the budget ends before that is certain."""
        if outcome in self.forbidden:
            return False
        if outcome not in self._known:
            self._known[outcome] = self._ask(outcome)
        return self._known[outcome]

    def _ask(self, outcome: Sequences) -> bool | None:
        found = self._found
        if found is not None and (outcome in found.outcomes or found.complete):
            return outcome in found.outcomes
        return is_possible(self.space, self.places, outcome, limit=4 * self.state_limit)

    def find_all(self) -> Found:
        """Return all outcomes of the model, or those that are found within the budget."""
        if self._found is None:
            self._found = find_all(self.space, self.places, limit=4 * self.state_limit)
            for outcome in self.forbidden:
                self._found.outcomes.pop(outcome, None)
        return self._found

    def unsound(self) -> list[Wrong]:
        """Return what is wrong with the model itself, whatever the driver does: each thing once.

        That the driver shows nothing else than the model is worth little where the model does what no adapter may. So
        no call may wait for ever, and a run for each outcome, or for ``MOST_LOOKED_AT``, must keep every property.
        """
        found = self.find_all()
        wrong: dict[str, Wrong] = {}
        if found.stuck:
            words = f"in the model a call waits for what nobody brings: {min(found.stuck)}"
            wrong["stuck"] = Wrong("model", "stuck", words)
        for path in list(found.outcomes.values())[:MOST_LOOKED_AT]:
            events, counters = self.run(path)
            record = Record(self.layout, self.setup, events, counters, is_whole=True)
            for each in broken_properties(record, faulted=False):
                wrong.setdefault(each.rule, Wrong("model", each.rule, f"in the model {each.message}"))
        return list(wrong.values())

    def run(self, path: Iterable[int]) -> tuple[tuple[Event, ...], dict[str, Counters]]:
        """Let the model take a way through its space, and then the ending; return what happened, and what each adapter
        owned when the actors were done."""
        run = self.space.begin()
        machine = run.machine
        for actor in path:
            run.actors[actor].step(machine)
        events = list(machine.take_events())
        counters = {name: machine.counters(name) for name in machine.adapters}
        for operation in self.layout.ending:
            if machine.ledger.refusal(operation) is None:
                events += machine.perform(operation)
        return tuple(events), counters

    def slack(self, shown: Iterable[Sequences]) -> list[Sequences]:
        """Return the outcomes of the model that are not among those that the driver showed."""
        seen = set(shown)
        return [outcome for outcome in self.find_all().outcomes if outcome not in seen]

    def nearest(self, outcome: Sequences, most: int = NEAREST) -> list[Sequences]:
        """Return those of the model's outcomes that differ least from one: in few places, and there in few entries."""
        return sorted(self.find_all().outcomes, key=lambda other: _distance(other, outcome))[:most]

    def _unmatched(self, outcome: Sequences) -> Wrong:
        found = self.find_all()
        nearest = self.nearest(outcome)
        details: list[str] = []
        for number, other in enumerate(nearest, 1):
            details.append(f"nearest of {len(found.outcomes)} outcomes of the model, {number} of {len(nearest)}:")
            details += [f"  {line}" for line in say_differences(other, outcome)]
        if not nearest:
            details.append("the model has no outcome within the budget")
        rule = sorted(_differing(nearest[0], outcome))[0][1] if nearest else "outcome"
        message = "the driver shows what the model never does"
        if nearest:
            message += f": {say_differences(nearest[0], outcome)[0]}"
        return Wrong("outcome", rule, message, None, tuple(details))


def _broken(event: RuleBroken, place: int) -> Wrong:
    return Wrong(_DEADLY.get(event.rule, "rule"), event.rule, event.message, place)


# Saying how two outcomes differ


def _differing(model: Sequences, driver: Sequences) -> Mapping[Place, tuple[tuple[Event | str, ...], ...]]:
    ours, theirs = dict(model), dict(driver)
    places = sorted(ours.keys() | theirs.keys())
    pairs = {place: (ours.get(place, ()), theirs.get(place, ())) for place in places}
    return {place: pair for place, pair in pairs.items() if pair[0] != pair[1]}


def _distance(model: Sequences, driver: Sequences) -> tuple[int, int]:
    differing = _differing(model, driver)
    return len(differing), sum(_edits(*pair) for pair in differing.values())


def _edits(one: tuple[Event | str, ...], other: tuple[Event | str, ...]) -> int:
    """Count the entries outside of what two sequences have in common at their beginning and at their end."""
    first = _common(one, other)
    last = _common(one[first:][::-1], other[first:][::-1])
    return max(len(one), len(other)) - first - last


def _common(one: Sequence[object], other: Sequence[object]) -> int:
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


_NAMES: Final = {
    "irps": "requests of handle",
    "nbls": "NBLs",
    "packets": "packets received",
    "links": "link states",
    "returns": "returns",
    "refused": "refused",
    "pending": "never completed",
    "rest": "at rest",
}


def say_differences(model: Sequences, driver: Sequences) -> list[str]:
    """Say where an outcome of the driver differs from one of the model, a line for each sequence that does."""
    lines = []
    for (adapter, sequence, handle), (ours, theirs) in _differing(model, driver).items():
        first = _common(ours, theirs)
        last = _common(ours[first:][::-1], theirs[first:][::-1])
        what = f"{_NAMES[sequence]} {handle}".strip()
        where = f"{what} of {adapter}" if not handle else what
        mine = _say(ours[first : len(ours) - last])
        its = _say(theirs[first : len(theirs) - last])
        after = f", after {first} alike" if first else ""
        lines.append(f"{where}{after}: the model has {mine}; the driver has {its}")
    return lines


def _say(entries: Sequence[Event | str]) -> str:
    if not entries:
        return "nothing"
    return ", ".join(map(_say_entry, entries))


def _say_entry(entry: Event | str) -> str:
    match entry:
        case AtRest(_, counters):
            owned = f"{counters.nbls_owned} NBLs and {counters.reads_pending} reads waiting"
            return f"{owned}, {counters.handles} handles open"
        case StillPending(operation):
            return operation
        case str():
            return entry
        case _:
            return f"'{say_event(entry)}'"


def say_outcome(outcome: Sequences) -> list[str]:
    """Write an outcome, a line for each sequence."""
    return [
        f"{_NAMES[sequence]} {handle or adapter}: {_say(entries)}"
        for (adapter, sequence, handle), entries in sorted(outcome, key=lambda pair: pair[0])
    ]
