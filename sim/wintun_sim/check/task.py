"""One piece of a check's work, as data: which operations to judge, and what came of it.

A task says everything that its result depends on, so it can be done in any process, and done again: what a worker did
before it died is found back by drawing the same operations without a driver.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Final

from wintun_sim.check import sides, worker
from wintun_sim.check.captures import Packets, Playback
from wintun_sim.check.fast_walk import LENGTH as STRETCH
from wintun_sim.check.fast_walk import FastWalk, seldom_collecting
from wintun_sim.check.finding import Finding, say_operation, say_unexpected
from wintun_sim.check.judge import Judge
from wintun_sim.check.machines import CURRENT, open_driver, open_model
from wintun_sim.check.vectors import NAME as VECTORS
from wintun_sim.check.visited import Visited
from wintun_sim.check.walk import Namer, Walk, wind_down
from wintun_sim.errors import UsageError
from wintun_sim.lifecycle import Ledger
from wintun_sim.operations import Event, Operation
from wintun_sim.operations.outcome import differences, outcome_of
from wintun_sim.scenario import Scenario, Step
from wintun_sim.scenario.scenario import Order

WALK_LENGTH: Final = 250
"""Operations of one walk; then a new one begins, with new machines."""

_WIND_DOWN: Final = 0.8
"""How often a walk ends by closing everything, so that what is leaked is seen; else it just stops."""


@dataclass(frozen=True, slots=True)
class Task:
    """Operations on new machines: those of a scenario, else a playback of packets, else a random walk, which may be a
    fast one, or runs of the state machine.

    ``name`` is that of the scenario or of the capture. ``steps`` bounds all but scenarios.
    """

    order: Order
    ndis: tuple[int, int]
    steps: int
    seed: str = ""
    name: str = ""
    packets: tuple[bytes, ...] = field(default=(), repr=False)
    scenario: Scenario | None = field(default=None, repr=False)
    revision: str = CURRENT
    stateful: bool = False
    fast: bool = False

    @property
    def kind(self) -> str:
        """Return "scenario", "capture", "walk", "fast-walk" or "state-machine"."""
        if self.fast:
            return "fast-walk"
        if self.stateful:
            return "state-machine"
        return "scenario" if self.scenario is not None else "capture" if self.packets else "walk"


@dataclass(slots=True)
class Result:
    """What came of a task. ``steps`` counts the operations that were judged.

    ``excused`` counts, as "repair: rule", the rules that the revision is known to break; ``undefined`` is the place
    that the published driver left undefined, where the task ended at one. ``sides`` names the repairs that a scenario
    has judged from both sides.
    """

    steps: int
    finding: Finding | None
    visited: Visited
    excused: Counter[str] = field(default_factory=Counter)
    undefined: str | None = None
    sides: tuple[str, ...] = ()


def perform(task: Task, image: Path | None) -> Result:
    """Do a task: in a worker, since the image may end the process."""
    if task.stateful:
        return _perform_stateful(task, image)
    if task.fast:
        return _perform_fast(task, image)
    judge = _open(image, task.order, task.ndis, task.revision)
    try:
        finding: Finding | None = None
        extra = _extra(task, judge)
        for operation in draw(task, judge.ledger):
            worker.progress.step()
            finding = judge.step(operation)
            if judge.undefined is None:
                finding = finding or extra(operation)
            if finding is not None or judge.undefined is not None:
                break
            judge.events.clear()
        finding = finding or judge.inspect()
        told_apart = tuple(_sides(task, image)) if finding is None else ()
        return Result(len(judge.operations), finding, judge.visited, judge.excused, judge.undefined, told_apart)
    finally:
        judge.close()


def _sides(task: Task, image: Path | None) -> Iterator[str]:
    """Name the repairs that a scenario, in which nothing was found, has judged from both sides."""
    if task.scenario is not None:
        yield from sides.by_scenario(task.name, task.scenario, task.ndis, task.revision, image)


def _perform_fast(task: Task, image: Path | None) -> Result:
    """Walk fast; what does not agree is left to the judge."""
    result = Result(0, None, Visited())
    with seldom_collecting(), closing(FastWalk(image, task.order, task.ndis, task.seed)) as walk:
        while result.steps < task.steps and result.finding is None:
            stretch = walk.draw(STRETCH)
            worker.progress.step(len(stretch.letters))
            result.steps += len(stretch.letters)
            if not walk.agrees(stretch):
                with closing(_open(image, task.order, task.ndis, task.revision)) as judge:
                    result.finding = walk.look_again(stretch, judge)
        result.visited = walk.visited()
    return result


def _perform_stateful(task: Task, image: Path | None) -> Result:
    """Let the state machine play, each of its runs on new machines."""
    from wintun_sim.check import stateful

    total = Result(0, None, Visited())
    judges: list[Judge] = []

    def end_last() -> None:
        if judges:
            judge = judges.pop()
            total.finding = total.finding or judge.inspect()
            total.visited.add(judge.visited)
            total.excused.update(judge.excused)
            total.undefined = total.undefined or judge.undefined
            judge.close()

    def make() -> tuple[Ledger, stateful.Player]:
        end_last()
        judge = _open(image, task.order, task.ndis, task.revision)
        judges.append(judge)

        def player(operation: Operation) -> None:
            if judge.undefined is not None:
                return
            worker.progress.step()
            total.steps += 1
            total.finding = total.finding or judge.step(operation)
            if total.finding is not None:
                raise stateful.Enough
            judge.events.clear()

        return judge.ledger, player

    stateful.play(make, task.seed, task.steps)
    end_last()
    return total


def _extra(task: Task, judge: Judge) -> Callable[[Operation], Finding | None]:
    """Return what is checked after each operation beside the model: expectations, or the way of the packets."""
    if task.scenario is not None:
        expected = {
            step.operation.name: expected_of(task.scenario, step, task.revision) for step in task.scenario.steps()
        }
        return lambda operation: _unexpected(task, judge, operation, expected[operation.name])
    if task.packets and task.revision == CURRENT:  # others lose packets, and leave bundles untidy, by design
        packets = Packets()
        return lambda operation: _astray(packets, judge, operation)
    return lambda operation: None


def expected_of(scenario: Scenario, step: Step, revision: str) -> tuple[Event, ...] | None:
    """Return what a scenario expects of ``revision``: of another one than CURRENT only what names it, unless the
    scenario says that it holds for that one too."""
    is_meant = revision in (CURRENT, *scenario.revisions)
    if not is_meant and not any(revision in entry.revisions for entry in step.expected):
        return None
    return step.expected_for(revision)


def _unexpected(task: Task, judge: Judge, operation: Operation, wanted: Sequence[Event] | None) -> Finding | None:
    if wanted is None:
        return None
    for difference in differences(outcome_of(wanted, judge.places), outcome_of(judge.events[-1][1], judge.places)):
        message = f"{task.name}: {say_operation(operation)}: {say_unexpected(difference)}"
        source = "" if task.name == VECTORS else task.name
        return replace(judge.finding("expectation", difference.sequence, message), source=source)
    return None


def _astray(packets: Packets, judge: Judge, operation: Operation) -> Finding | None:
    wrong = packets.step(operation, judge.events[-1][1])
    if wrong is None:
        return None
    return judge.finding("packets", "packets", f"{say_operation(operation)}: {wrong}")


def draw(task: Task, ledger: Ledger) -> Iterator[Operation]:
    """Draw a task's operations one by one; ``ledger`` is kept up to date by whoever carries them out."""
    if task.scenario is not None:
        yield from task.scenario.operations()
        return
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
    """Draw the first ``steps`` operations of a task again, on the model alone; of a state machine its last run, and of
    a fast walk the whole last stretch."""
    if task.stateful:
        return _drawn_by_state_machine(task, steps)
    if task.fast:
        return _drawn_fast(task, steps)
    ledger = Ledger(task.order)
    model = open_model(task.order, task.ndis, task.revision)
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


def _drawn_fast(task: Task, steps: int) -> list[Operation]:
    with closing(FastWalk(None, task.order, task.ndis, task.seed)) as walk:
        stretch = walk.draw(STRETCH)
        while (steps := steps - len(stretch.letters)) > 0:
            stretch = walk.draw(STRETCH)
        return stretch.operations()


def _drawn_by_state_machine(task: Task, steps: int) -> list[Operation]:
    from wintun_sim.check import stateful

    operations: list[Operation] = []
    left = steps

    def make() -> tuple[Ledger, stateful.Player]:
        if left > 0:
            operations.clear()
        model = open_model(task.order, task.ndis, task.revision)

        def player(operation: Operation) -> None:
            nonlocal left
            operations.append(operation)
            left -= 1
            if left <= 0:
                raise stateful.Enough
            model.perform(operation)

        return model.ledger, player

    if steps > 0:
        stateful.play(make, task.seed, task.steps)
    return operations


@dataclass(slots=True)
class Comparison:
    """A scenario on both machines: what each operation caused, up to the first finding, if there is one."""

    finding: Finding | None
    model: dict[str, tuple[Event, ...]]
    driver: dict[str, tuple[Event, ...]]
    undefined: str = ""


def compare(scenario: Scenario, image: Path | None, revision: str = CURRENT) -> Comparison:
    """Judge a scenario: in a worker, as ``perform``."""
    if scenario.actors:
        raise UsageError("check: a scenario with actors cannot be judged one operation at a time; see wintun-sim run")
    judge = _open(image, scenario.order, scenario.ndis, revision)
    try:
        finding: Finding | None = None
        for operation in scenario.operations():
            worker.progress.step()
            finding = judge.step(operation)
            if finding is not None or judge.undefined is not None:
                break
        finding = finding or judge.inspect()
        names = [operation.name for operation in judge.operations]
        ours = {name: tuple(events[0]) for name, events in zip(names, judge.events, strict=True)}
        theirs = {name: tuple(events[1]) for name, events in zip(names, judge.events, strict=True)}
        return Comparison(finding, ours, theirs, judge.undefined or "")
    finally:
        judge.close()


def _open(image: Path | None, order: Order, ndis: tuple[int, int], revision: str) -> Judge:
    return Judge(open_model(order, ndis, revision), open_driver(image, order, ndis), order, ndis, revision)
