"""The judge: carries out operations on two machines side by side and says where they part.

After every operation both machines are at rest, and then all of this must hold: the events are the same as far as the
outcome tells them apart (``operations.outcome``); the events of both keep the order that every run must keep; what
the host counts of each adapter, and what the adapter told NDIS of itself, is what the model says; the driver does not
hold more memory each time that everything is as it was before; and no rule was broken. The first thing that does not
hold ends the run, since from there on the machines are in different states.

The driver may be held against another revision of the adapter than CURRENT. Rules that such a revision is known to
break are noted under the repair that it lacks and are no findings; and where the model says that the published driver
leaves it to chance what follows, the run is over, and nothing was found.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import fields
from typing import Final

from wintun_sim.check.excuses import Excuses, is_abandoned
from wintun_sim.check.finding import Finding, say_difference, say_operation
from wintun_sim.check.machines import CURRENT, inspect
from wintun_sim.check.memory import Memory
from wintun_sim.check.visited import Visited
from wintun_sim.lifecycle import Ledger
from wintun_sim.model import ModelMachine, UndefinedUpstream
from wintun_sim.operations import (
    Attributes,
    Counters,
    Event,
    LinkChanged,
    Machine,
    Operation,
    RuleBroken,
    Send,
)
from wintun_sim.operations.outcome import Places, deliveries, differences, order_broken, outcome_of
from wintun_sim.scenario.scenario import Order

_ATTRIBUTES: Final = tuple(field.name for field in fields(Attributes))

_DEADLY: Final = {"Crash": "crash", "Stuck": "hang"}
"""What the host calls it when the driver does not come back; it stays alive itself."""


class Judge:
    """Compares a driver with the model, operation by operation."""

    def __init__(
        self, model: ModelMachine, driver: Machine, order: Order, ndis: tuple[int, int], revision: str = CURRENT
    ) -> None:
        self.model = model
        self.revision = revision
        self.excuses = Excuses(revision)
        self.excused: Counter[str] = Counter()
        """How often a rule was broken for want of each repair, as "repair: rule"."""
        self.undefined: str | None = None
        """The place that the published driver left undefined, once it was reached: the run is over."""
        self.driver = driver
        self.order = order
        self.ndis = ndis
        self.ledger = Ledger(order)
        self.visited = Visited()
        self.operations: list[Operation] = []
        self.events: list[tuple[Sequence[Event], Sequence[Event]]] = []
        """What each operation caused, on the model and on the driver."""
        self.places = Places()
        self._packets: dict[tuple[str, int], int] = {}
        self._memory = Memory()

    def step(self, operation: Operation) -> Finding | None:
        """Carry out one operation on both machines; return the first thing that is wrong, if any."""
        self.operations.append(operation)
        self.places.add(operation)
        if isinstance(operation, Send):
            self._packets.update(
                {(operation.name, index): len(nbl.packets) for index, nbl in enumerate(operation.nbls)}
            )
        try:
            ours = self.model.perform(operation)
        except UndefinedUpstream as error:
            self.undefined = error.place
            self.events.append(((), ()))
            return None
        self.visited.note(operation, ours, self.ledger, self.places)
        self._keep_ledger(operation, ours)
        self.events.append((ours, ()))
        theirs = self.driver.perform(operation)
        self.events[-1] = (ours, theirs)
        return self._compare(operation, ours, theirs)

    def _keep_ledger(self, operation: Operation, events: Sequence[Event]) -> None:
        if self.ledger.admit(operation) is None:
            for event in events:
                self.ledger.observe(event)
            self.ledger.end(operation)

    def _compare(self, operation: Operation, ours: Sequence[Event], theirs: Sequence[Event]) -> Finding | None:
        places = self.places
        if list(ours) != list(theirs):
            for event in theirs:
                if isinstance(event, RuleBroken) and not self._excuse(event):
                    kind = _DEADLY.get(event.rule, "rule")
                    return self.finding(kind, event.rule, f"{say_operation(operation)}: {event.message}")
            for difference in differences(outcome_of(ours, places), outcome_of(theirs, places)):
                message = f"{say_operation(operation)}: {say_difference(difference)}"
                return self.finding("outcome", difference.sequence, message)
            broken = order_broken(theirs, places, deliveries(ours, self._packets))
            if broken:
                return self.finding("order", "order", f"{say_operation(operation)}: {broken[0]}")
        broken = order_broken(ours, places, deliveries(theirs, self._packets)) if len(ours) > 1 else []
        if broken:
            return self.finding("order", "order", f"{say_operation(operation)}: in the model {broken[0]}")
        return self._count(operation) or self._look_at_memory(operation) or self._look_at_attributes(operation, ours)

    def _look_at_attributes(self, operation: Operation, events: Sequence[Event]) -> Finding | None:
        """Compare what an adapter has told NDIS of itself, where it may just have told something."""
        told = getattr(self.driver, "attributes", None)
        if told is None:
            return None
        for adapter in dict.fromkeys(event.adapter for event in events if isinstance(event, LinkChanged)):
            if not self.ledger.adapters[adapter].exists:
                continue
            ours, theirs = self.model.attributes(adapter), told(adapter)
            name = next((field for field in _ATTRIBUTES if getattr(ours, field) != getattr(theirs, field)), None)
            if name is not None:
                left, right = getattr(ours, name), getattr(theirs, name)
                message = (
                    f"{say_operation(operation)}: {name} of {adapter} is {left} in the model, {right} in the driver"
                )
                return self.finding("attributes", name, message)
        return None

    def _count(self, operation: Operation) -> Finding | None:
        adapter = self.places.adapters.get(operation.name, "")
        if adapter not in self.ledger.adapters or is_abandoned(self.model.adapters.get(adapter)):
            return None
        ours, theirs = self.model.counters(adapter), self.driver.counters(adapter)
        if ours == theirs:
            return None
        name = next(
            field.name for field in fields(Counters) if getattr(ours, field.name) != getattr(theirs, field.name)
        )
        return self.finding(
            "counters",
            name,
            f"{say_operation(operation)}: {name} of {adapter} is {getattr(ours, name)} in the model,"
            f" {getattr(theirs, name)} in the host",
        )

    def _look_at_memory(self, operation: Operation) -> Finding | None:
        """See whether the driver holds more memory each time that its adapters are as they are now."""
        held = getattr(self.driver, "allocations", None)
        subject = self.ledger.adapters.get(self.places.adapters.get(operation.name, ""))
        if held is None or subject is None or not subject.exists:
            return None
        same_driver = [adapter for adapter in self.ledger.adapters.values() if adapter.driver is subject.driver]
        alive = (
            (adapter.name, adapter.state, adapter.power, self.model.counters(adapter.name))
            for adapter in same_driver
            if adapter.exists
        )
        situation = (len(same_driver), *alive)  # the published driver keeps what halted adapters had
        blocks = held(subject.name)
        if not self._memory.grows(situation, blocks):
            return None
        where = say_operation(operation)
        message = f"{where}: the driver of {subject.name} holds {blocks} blocks of memory, more each time that"
        return self.finding("counters", "allocations", f"{message} its adapters are as they are now")

    def inspect(self) -> Finding | None:
        """Look at all memory of the driver's host, where it has any; return what is wrong, if anything."""
        for event in inspect(self.driver):
            if isinstance(event, RuleBroken) and not self._excuse(event):
                return self.finding("rule", event.rule, f"at the end: {event.message}")
        return None

    def _excuse(self, event: RuleBroken) -> bool:
        """Note a rule that the revision is known to break, and tell whether it is one."""
        repair = self.excuses.repair(event, self.model)
        if repair is not None:
            self.excused[f"{repair}: {event.rule}"] += 1
        return repair is not None

    def finding(self, kind: str, rule: str, message: str) -> Finding:
        """Make a finding of what has been done so far."""
        operations = tuple(self.operations)
        return Finding(kind, rule, message, operations, self.order, self.ndis, revision=self.revision)

    def close(self) -> None:
        """Close both machines."""
        self.model.close()
        self.driver.close()
