"""A trace as data, and how a machine makes one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from wintun_sim.errors import UsageError
from wintun_sim.operations import Event, Machine, Operation
from wintun_sim.scenario.scenario import Order, Scenario


@dataclass(frozen=True, slots=True)
class TraceStep:
    """An operation and the ``events`` that it caused, in order."""

    operation: Operation
    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class Trace:
    """What happened when ``machine`` (a description, one line) carried out operations one at a time, the ``steps``.

    ``title``, ``order`` and ``ndis`` are those of the scenario.
    """

    machine: str
    title: str = ""
    order: Order = "strict"
    ndis: tuple[int, int] = (6, 80)
    steps: tuple[TraceStep, ...] = ()

    def events(self) -> Iterator[Event]:
        """Give all events, in order."""
        return (event for step in self.steps for event in step.events)


def record(scenario: Scenario, machine: Machine, description: str) -> Trace:
    """Carry out a scenario on a machine, one operation at a time, and keep what happened.

    Raises ``UsageError`` for a scenario with actors: they act at once, and such a machine does one thing at a time.
    """
    if scenario.actors:
        names = ", ".join(actor.name for actor in scenario.actors)
        raise UsageError(
            f"run: this scenario has actors ({names}), who act at once, but the {description} takes one operation at "
            "a time; write their operations, in the order that you want, without the actor lines"
        )
    steps = tuple(TraceStep(operation, tuple(machine.perform(operation))) for operation in scenario.operations())
    return Trace(description, scenario.title, scenario.order, scenario.ndis, steps)
