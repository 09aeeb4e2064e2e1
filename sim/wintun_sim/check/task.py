"""One piece of a check's work, as data: which operations to judge, and what came of it.

A task says everything that its result depends on, so it can be done in any process, and done again: what a worker did
before it died is found back by drawing the same operations without a driver.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final

from wintun_sim.check import worker
from wintun_sim.check.captures import Packets, Playback
from wintun_sim.check.finding import Finding, say_operation
from wintun_sim.check.judge import Judge
from wintun_sim.check.machines import open_driver, open_model
from wintun_sim.check.visited import Visited
from wintun_sim.check.walk import Namer, Walk, wind_down
from wintun_sim.errors import UsageError
from wintun_sim.lifecycle import Ledger
from wintun_sim.operations import Event, Operation
from wintun_sim.scenario import Scenario
from wintun_sim.scenario.scenario import Order

WALK_LENGTH: Final = 250
"""Operations of one walk; then a new one begins, with new machines."""

_WIND_DOWN: Final = 0.8
"""How often a walk ends by closing everything, so that what is leaked is seen; else it just stops."""


@dataclass(frozen=True, slots=True)
class Task:
    """``steps`` operations at most, on new machines: a random walk or, where there are packets, a playback of them."""

    kind: str  # "walk" or the name of a capture
    seed: str
    order: Order
    ndis: tuple[int, int]
    steps: int
    packets: tuple[bytes, ...] = field(default=(), repr=False)


@dataclass(slots=True)
class Result:
    """What came of a task. ``steps`` counts the operations that were judged."""

    steps: int
    finding: Finding | None
    visited: Visited


def perform(task: Task, image: Path | None) -> Result:
    """Do a task: in a worker, since the image may end the process."""
    judge = _open(image, task.order, task.ndis)
    try:
        packets = Packets() if task.packets else None
        finding: Finding | None = None
        for operation in draw(task, judge.ledger):
            worker.progress.step()
            finding = judge.step(operation)
            if finding is None and packets is not None:
                wrong = packets.step(operation, judge.events[-1][1])
                if wrong is not None:
                    finding = judge.finding("packets", "packets", f"{say_operation(operation)}: {wrong}")
            if finding is not None:
                break
            judge.events.clear()
        return Result(len(judge.operations), finding, judge.visited)
    finally:
        judge.close()


def draw(task: Task, ledger: Ledger) -> Iterator[Operation]:
    """Draw a task's operations one by one; ``ledger`` is kept up to date by whoever carries them out."""
    random = Random(task.seed)
    source = Playback(random, ledger, task.packets, task.order) if task.packets else Walk(random, ledger)
    for _ in range(task.steps):
        operation = source.next()
        if operation is None:
            break
        yield operation
    if random.random() < _WIND_DOWN:
        yield from _end(ledger, source.namer, random)


def _end(ledger: Ledger, namer: Namer, random: Random) -> Iterator[Operation]:
    for operation in wind_down(ledger, namer, random):
        if ledger.refusal(operation) is None:
            yield operation


def drawn(task: Task, steps: int) -> list[Operation]:
    """Draw the first ``steps`` operations of a task again, on the model alone."""
    ledger = Ledger(task.order)
    model = open_model(task.order, task.ndis)
    operations: list[Operation] = []
    for operation in draw(task, ledger):
        operations.append(operation)
        if len(operations) == steps:
            break
        if ledger.admit(operation) is None:
            for event in model.perform(operation):
                ledger.observe(event)
            ledger.end(operation)
        else:
            model.perform(operation)
    model.close()
    return operations


@dataclass(slots=True)
class Comparison:
    """A scenario on both machines: what each operation caused, up to the first finding, if there is one."""

    finding: Finding | None
    model: dict[str, tuple[Event, ...]]
    driver: dict[str, tuple[Event, ...]]


def compare(scenario: Scenario, image: Path | None) -> Comparison:
    """Judge a scenario: in a worker, as ``perform``."""
    if scenario.actors:
        raise UsageError("check: a scenario with actors cannot be judged one operation at a time; see wintun-sim run")
    judge = _open(image, scenario.order, scenario.ndis)
    try:
        finding: Finding | None = None
        for operation in scenario.operations():
            worker.progress.step()
            finding = judge.step(operation)
            if finding is not None:
                break
        names = [operation.name for operation in judge.operations]
        ours = {name: tuple(events[0]) for name, events in zip(names, judge.events, strict=True)}
        theirs = {name: tuple(events[1]) for name, events in zip(names, judge.events, strict=True)}
        return Comparison(finding, ours, theirs)
    finally:
        judge.close()


def _open(image: Path | None, order: Order, ndis: tuple[int, int]) -> Judge:
    return Judge(open_model(order, ndis), open_driver(image, order, ndis), order, ndis)
