"""Tells one run of several actors so that a person sees what went wrong: side by side, a line for each step.

Each actor has a column, and time goes down. A line is what an actor did at a scheduling point: where in the driver's
source it was, what it did there, the IRQL where that changed, and the locks it held. What the outside saw of it stands
below with ``=>``. Where the run went from one actor to another although the first could have gone on, a line across all
columns says so: these switches are the schedule, and the last thing that can be taken away from a finding.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from wintun_sim.check.finding import say_event, say_operation
from wintun_sim.kernel.lines import Lines
from wintun_sim.kernel.points import Arrival, Step, steps_of
from wintun_sim.operations import Event, Operation, Refused, RuleBroken
from wintun_sim.scenario import Scenario

WIDTH: Final = 120

SYSTEM: Final = "the system"
"""Who does what no actor of the scenario asked for: work items, timers, the stack giving packets back."""

PROPERTIES: Final = (
    "1. Every IRP and every NBL is completed exactly once, with a status that this page allows.",
    "2. Pause and halt always end without the client's help; a pause completes exactly once, when nothing is owned and"
    " no indication runs.",
    "3. Nothing is touched after it was completed or freed.",
    "4. No completion or indication is made while a lock is held that the returning call would take: a stack that sends"
    " again from its completion handler cannot deadlock the driver.",
    "5. No packet is delivered twice, none is lost without a failing NBL status, and order is kept.",
    "6. At rest nothing is owned, the handle count is the number of open handles, the link state is (handles > 0), no"
    " lock is held, and octets and packets in the statistics are what was delivered and received.",
    "7. Whatever the driver shows, the model can show.",
)
"""What holds under every interleaving, in the words of docs/adapter.md."""

_BROKEN: Final[Mapping[str, int]] = MappingProxyType(
    {
        **dict.fromkeys(("completed-once", "returned-once", "allowed-status", "information"), 1),
        **dict.fromkeys(("pause-ends", "pause-ends-once", "lost-wake-up", "nothing-after", "Stuck", "timeout"), 2),
        **dict.fromkeys(("Crash", "DataRace", "DoubleCompletion", "NblOwnership", "WriteAfterFree"), 3),
        **dict.fromkeys(("DRIVER_PAGE_FAULT_IN_FREED_SPECIAL_POOL", "StackUseAfterReturn"), 3),
        **dict.fromkeys(("CompletionUnderLock", "SpinLockSafe"), 4),
        **dict.fromkeys(("packet-twice", "packet-lost", "packet-order", "packets-received"), 5),
        **dict.fromkeys(("nbl-before-read", "received-late", "synchronous"), 5),
        **dict.fromkeys(("link", "handles", "statistics", "LeakAtHalt", "LeakAtUnload"), 6),
    }
)
"""Which of them a finding breaks, by its rule; of others the message of the rule says what it is about."""


def property_of(kind: str, rule: str) -> str:
    """Return what must hold and did not, or an empty text where the rule's own words say it."""
    number = 7 if kind == "outcome" else _BROKEN.get(rule, 0)
    return PROPERTIES[number - 1] if number else ""


_IRQLS: Final = ("PASSIVE", "APC", "DISPATCH")
_DOES: Final[Mapping[str, str]] = MappingProxyType(
    {"acquire": "acquires", "interlocked": "interlocked access", "volatile": "volatile access", "wait": "waits"}
)
_HAVING: Final[Mapping[str, str]] = MappingProxyType({"release": "released a lock", "signal": "given something back"})
"""Points that stand behind what they are about."""


def _does(what: str) -> str:
    """Say what a point is about, as what an actor does there."""
    return {"release": "released", "signal": "gave something back"}.get(what, _DOES.get(what, what))


@dataclass(frozen=True, slots=True)
class _Line:
    """A line in somebody's column, or (``actor`` None) across all of them."""

    actor: str | None
    text: str


class Teller:
    """Tells a run of a scenario."""

    def __init__(
        self,
        scenario: Scenario,
        arrivals: Sequence[Arrival],
        choices: Sequence[int],
        events: Sequence[Event],
        lines: Lines,
        ending: Sequence[Operation] = (),
    ) -> None:
        """Take a run: where its actors came by, the options that were taken, and what happened."""
        self.scenario = scenario
        self.arrivals = arrivals
        self.choices = choices
        steps = self.steps = steps_of(arrivals, len(events))
        self.events = events
        self.lines = lines
        self._ending = {operation.name for operation in ending}
        self._operations = {operation.name: operation for operation in (*scenario.operations(), *ending)}
        self._owner = {step.operation.name: actor.name for actor in scenario.actors for step in actor.steps}
        self._locks: dict[int, str] = {}
        self._irql: dict[str, int] = {}
        self._begun: set[str] = set()
        self._shown: set[int] = set()
        self._claimed = {place for step in steps for place in step.events}

    def tell(self) -> Iterator[str]:
        """Give the lines of the picture."""
        told = list(self._tell_actors())
        names = [actor.name for actor in self.scenario.actors]
        if any(line.actor == SYSTEM for line in told):
            names.append(SYSTEM)
        width = (WIDTH + 3) // len(names) - 3 if names else WIDTH
        yield " │ ".join(f"{name:<{width}}" for name in names).rstrip()
        yield "─┼─".join("─" * width for _ in names)
        for line in told:
            if line.actor is None:
                yield _fit(line.text, WIDTH)
            else:
                cells = [_fit(line.text, width) if name == line.actor else "" for name in names]
                yield " │ ".join(f"{cell:<{width}}" for cell in cells).rstrip()
        yield from self._tell_ending()

    def last_switch(self) -> str:
        """Return the line of the source where an actor had to stand still last, or an empty text."""
        for _, left in reversed(self._switches()):
            if left is not None and left.at.image:
                return str(self.lines.source(left.at.place) or "")
        return ""

    def _tell_actors(self) -> Iterator[_Line]:
        switches = self._switches()
        number = 0
        for step in self.steps:
            if step.at.operation in self._ending:
                continue
            while switches and switches[0][0] < step.then:
                number += 1
                left = switches[0][1]
                if left is not None:
                    yield from self._begin(self._actor(left), left.at.operation)
                yield _Line(None, f"──▶ switch {number}: {self._say_switch(*switches.pop(0), self._actor(step))}")
            yield from self._tell_step(self._actor(step), step)

    def _switches(self) -> list[tuple[int, Step | None]]:
        """Return the choices that were not option 0: after which arrival each was made, and what was left standing."""
        by_choice: dict[int, tuple[int, Step | None]] = {}
        by_arrival = {step.arrived: step for step in self.steps}
        for place, arrival in enumerate(self.arrivals):
            if arrival.operation not in self._ending and len(arrival.runnable) > 1:
                by_choice[arrival.choices] = (place, by_arrival.get(place))
        return [by_choice.get(place, (-1, None)) for place, option in enumerate(self.choices) if option]

    def _say_switch(self, arrived: int, left: Step | None, next_actor: str) -> str:
        if left is None or left.waited:
            return f"{next_actor} goes on" if arrived >= 0 else f"{next_actor} begins"
        line = self.lines.source(left.at.place) if left.at.image else None
        where = f" at {str(line).removeprefix('driver/')}" if line is not None else ""
        what = f"having {_HAVING[left.at.what]}" if left.at.what in _HAVING else f"before: {_does(left.at.what)}"
        return f"{self._actor(left)} has to stand still{where}, {what}; {next_actor} goes on"

    def _begin(self, actor: str, name: str) -> Iterator[_Line]:
        operation = self._operations.get(name)
        if operation is not None and name not in self._begun:
            self._begun.add(name)
            yield _Line(actor, say_operation(operation))

    def _tell_step(self, actor: str, step: Step) -> Iterator[_Line]:
        at = step.at
        events = list(step.events)
        if not step.done:  # it went on, and did not come to another point: what nobody caused who did, it caused
            names = [getattr(event, "operation", "") for event in self.events]
            events += [n for n, name in enumerate(names) if name == at.operation and n not in self._claimed]
        yield from self._begin(actor, at.operation)
        yield _Line(actor, "  " + self._say_step(actor, step, went_on=step.done or bool(events)))
        for place in events:
            if place < len(self.events):
                self._shown.add(place)
                yield _Line(actor, f"  => {_say(self.events[place])}")

    def _say_step(self, actor: str, step: Step, *, went_on: bool) -> str:
        at = step.at
        line = self.lines.source(at.place) if at.image else None
        where = f"{str(line).removeprefix('driver/')} {self.lines.function(at.place)}: " if line is not None else ""
        what = _does(at.what)
        if at.lock:
            what += f" lock {self._lock(at.lock)}"
        if step.waited and not step.done:
            went_on = False
        if not went_on:
            what = f"stands before: {what}" if not step.waited else f"waits for ever: {what}"
        notes = []
        if at.irql != self._irql.get(actor, 0):
            notes.append(_IRQLS[at.irql] if at.irql < len(_IRQLS) else f"IRQL {at.irql}")
            self._irql[actor] = at.irql
        if at.locks:
            notes.append("holds " + " ".join(self._lock(number) for number, _ in at.locks))
        return where + what + (f" [{', '.join(notes)}]" if notes else "")

    def _lock(self, number: int) -> str:
        """Call locks A, B, C, … in the order in which they are told of."""
        return self._locks.setdefault(number, _letters(len(self._locks)))

    def _actor(self, step: Step) -> str:
        return self._owner.get(step.at.operation, SYSTEM)

    def _tell_ending(self) -> Iterator[str]:
        """Say what of the run is left: what came to light when everything was taken down, one operation at a time."""
        rest = [event for place, event in enumerate(self.events) if place not in self._shown]
        rest = [event for event in rest if not isinstance(event, Refused)]  # what the host would not do then
        by_operation: dict[str, list[Event]] = {}
        for event in rest:
            by_operation.setdefault(getattr(event, "operation", ""), []).append(event)
        if not rest:
            return
        yield "then, one at a time:"
        for name, events in by_operation.items():
            operation = self._operations.get(name)
            caused = "; ".join(map(_say, events))
            said = say_operation(operation) if operation is not None else name or SYSTEM
            yield _fit(f"  {said} => {caused}", WIDTH)


def _say(event: Event) -> str:
    """Write an event; what is said of a broken rule is too long for a column, and stands above."""
    return f"broken: {event.rule}" if isinstance(event, RuleBroken) else say_event(event)


def _fit(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def _letters(number: int) -> str:
    return chr(ord("A") + number % 26) + (str(number // 26) if number >= 26 else "")
