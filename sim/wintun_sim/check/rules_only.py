"""Judges a driver that is not a Wintun: there is no model of it, so what it answers is nobody's business here.

What is left holds for every miniport: Microsoft's rules, who owns which NET_BUFFER_LIST and when, that everything that
was begun comes to an end (in virtual time: a send within 30 seconds, an OID request within 12, a pause at all), and
that no memory is touched that is not the driver's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from typing import Final

from wintun_sim import ndis
from wintun_sim.check import worker
from wintun_sim.check.finding import Finding, say_operation
from wintun_sim.check.isolated import Death, isolated, team
from wintun_sim.check.main import MOST_FAILING, Watcher, default_jobs
from wintun_sim.check.rules_races import explore_by_rules
from wintun_sim.check.rules_report import RulesFound, RulesReport
from wintun_sim.check.rules_walk import NO_SUCH_NAME, RulesWalk, demand_of, fault_of, time_after
from wintun_sim.check.scenarios import Run
from wintun_sim.check.shrink import shrink
from wintun_sim.check.task import WALK_LENGTH, Result, Task
from wintun_sim.check.visited import Visited
from wintun_sim.check.walk import wind_down
from wintun_sim.check.worker import PATIENCE, TIMEOUT, Worker, WorkerDied
from wintun_sim.errors import UsageError
from wintun_sim.kernel import DriverMachine
from wintun_sim.lifecycle import Ledger
from wintun_sim.operations import Create, Event, Initialize, IrpCompleted, Load, Operation, Returned, RuleBroken
from wintun_sim.operations.outcome import Places
from wintun_sim.scenario import Scenario, Step
from wintun_sim.scenario.scenario import VERSIONS, Order
from wintun_sim.trace import Trace
from wintun_sim.trace.trace import TraceStep

DEFAULT_STEPS: Final = 100_000
"""Operations that a check carries out; about 20 seconds on two cores."""

_DEADLY: Final = {"Crash": "crash", "Stuck": "hang"}
_WIND_DOWN: Final = 0.8
_ORDERS: Final[tuple[Order, ...]] = ("strict", "raw")


@dataclass(slots=True)
class RulesResult(Result):
    """What came of a task: how often a device was opened, and what Load and Initialize returned when nothing failed."""

    devices: int = 0
    statuses: Counter[str] = field(default_factory=Counter)


class RulesJudge:
    """Carries out operations on a driver, and says what it does that no miniport may do."""

    def __init__(self, image: Path, order: Order, ndis_version: tuple[int, int]) -> None:
        self.order = order
        self.ndis = ndis_version
        demand = partial(demand_of, order=order)
        self.machine = DriverMachine(image, order=order, ndis=ndis_version, demand=demand)
        self.ledger = Ledger(order)
        self.operations: list[Operation] = []
        self.events: list[Sequence[Event]] = []
        self.visited = Visited()
        self.statuses: Counter[str] = Counter()
        self.devices = 0
        self._places = Places()

    def step(self, operation: Operation) -> Finding | None:
        """Carry out one operation, let time pass, and return the first thing that is wrong, if any."""
        self.operations.append(operation)
        self._places.add(operation)
        fault = fault_of(operation)
        if fault is not None:
            self.machine.inject(fault[0], after=fault[1])
        events = list(self.machine.perform(operation))
        if fault is not None:
            self.machine.inject(fault[0], count=0)
        self.visited.note(operation, events, self.ledger, self._places)
        seconds = time_after(operation)
        if seconds is not None and not _broken(events):
            events += self.machine.pass_time(seconds)
        self.events.append(events)
        self._note(operation, events, fault is None)
        return self._judge(operation, events)

    def finish(self) -> Finding | None:
        """Let time pass until nothing is owed, and look at all memory."""
        if not self.operations:
            return None
        events = [*self.machine.pass_time(), *self.machine.check()]
        self.events[-1] = [*self.events[-1], *events]
        return self._judge(self.operations[-1], events)

    def _judge(self, operation: Operation, events: Sequence[Event]) -> Finding | None:
        for event in _broken(events):
            kind = _DEADLY.get(event.rule, "rule")
            late = "" if event.operation in (operation.name, "") else f", of {event.operation}"
            return self.finding(kind, event.rule, f"{say_operation(operation)}{late}: {event.message}")
        return None

    def _note(self, operation: Operation, events: Sequence[Event], undisturbed: bool) -> None:
        if self.ledger.admit(operation) is None:
            for event in events:
                self.ledger.observe(event)
            self.ledger.end(operation)
        for event in events:
            if isinstance(operation, Create) and isinstance(event, IrpCompleted) and event.status != NO_SUCH_NAME:
                self.devices += 1
            if isinstance(operation, Load | Initialize) and isinstance(event, Returned) and undisturbed:
                handler = "DriverEntry" if isinstance(operation, Load) else "MiniportInitializeEx"
                self.statuses[f"{handler} on NDIS {self.ndis[0]}.{self.ndis[1]}: {ndis.name_of(event.status)}"] += 1

    def finding(self, kind: str, rule: str, message: str) -> Finding:
        """Make a finding of what has been done so far."""
        return Finding(kind, rule, message, tuple(self.operations), self.order, self.ndis)

    def close(self) -> None:
        """Close the machine."""
        self.machine.close()


def _broken(events: Sequence[Event]) -> list[RuleBroken]:
    return [event for event in events if isinstance(event, RuleBroken)]


def _draw(task: Task, walk: RulesWalk) -> Iterator[Operation]:
    for _ in range(task.steps):
        operation = walk.next_or_none()
        if operation is None:
            return
        yield operation
    if walk.random.random() < _WIND_DOWN:
        for operation in wind_down(walk.ledger, walk.namer, walk.random):
            if walk.ledger.refusal(operation) is None:
                yield operation


def perform(task: Task, image: Path) -> RulesResult:
    """Do a task: in a worker, since the image may end the process."""
    judge = RulesJudge(image, task.order, task.ndis)
    try:
        walk = RulesWalk(Random(task.seed), judge.ledger, judge.machine.supported_oids)
        finding: Finding | None = None
        for operation in _draw(task, walk):
            worker.progress.step()
            finding = judge.step(operation)
            if finding is not None:
                break
            walk.observe(operation, judge.events[-1])
        finding = finding or judge.finish()
        steps = len(judge.operations)
        return RulesResult(steps, finding, judge.visited, devices=judge.devices, statuses=judge.statuses)
    finally:
        judge.close()


def drawn(task: Task, image: Path, steps: int) -> tuple[Operation, ...]:
    """Draw the first ``steps`` operations of a task again, and carry out all of them but the last, which was deadly."""
    judge = RulesJudge(image, task.order, task.ndis)
    try:
        walk = RulesWalk(Random(task.seed), judge.ledger, judge.machine.supported_oids)
        for operation in _draw(task, walk):
            worker.progress.step()
            if len(judge.operations) == steps - 1:
                return (*judge.operations, operation)
            judge.step(operation)
            walk.observe(operation, judge.events[-1])
        return tuple(judge.operations)
    finally:
        judge.close()


def replay(scenario: Scenario, image: Path) -> tuple[Finding | None, dict[str, tuple[Event, ...]]]:
    """Judge a scenario: in a worker, as ``perform``. Returns also what each operation caused."""
    if scenario.actors:
        raise UsageError("run: --rules-only takes one operation at a time, and this scenario has actors")
    judge = RulesJudge(image, scenario.order, scenario.ndis)
    try:
        finding: Finding | None = None
        for operation in scenario.operations():
            worker.progress.step()
            finding = judge.step(operation)
            if finding is not None:
                break
        finding = finding or judge.finish()
        names = [operation.name for operation in judge.operations]
        return finding, {name: tuple(events) for name, events in zip(names, judge.events, strict=True)}
    finally:
        judge.close()


def _post_mortem(task: Task, image: Path, death: Death) -> RulesResult:
    process = Worker()
    try:
        operations = process.call(drawn, task, image, death.steps)
    finally:
        process.close()
    return RulesResult(death.steps, _deadly(operations, death, task.order, task.ndis), Visited())


def check_rules(
    image: Path,
    *,
    seed: int,
    steps: int = DEFAULT_STEPS,
    jobs: int | None = None,
    watcher: Watcher | None = None,
    most_failing: int = MOST_FAILING,
    schedules: int = 0,
) -> RulesReport:
    """Judge an image by random walks, then by random orders of concurrent calls, and report.

    The same arguments give the same report, whatever ``jobs``. Raises ``UsageError`` for an image that cannot be
    loaded, or whose driver never makes an adapter, and ``UnavailableError`` where there is no host kernel.
    """
    report = RulesReport(seed, image, planned=steps)
    failing: list[Finding] = []
    with team(jobs or default_jobs()) as members:
        tasks = _plan(seed, steps)
        futures = [members.submit(isolated, perform, task, image) for task in tasks]
        for task, future in zip(tasks, futures, strict=True):
            done = future.result()
            result = _post_mortem(task, image, done) if isinstance(done, Death) else done
            report.note_rules(task, result.steps, result.visited, result.devices, result.statuses)
            if watcher is not None:
                watcher(report.steps, steps)
            if result.finding is not None:
                failing.append(result.finding)
                if len(failing) == most_failing or result.finding.rule == TIMEOUT:
                    report.stopped = True
                    break
        if schedules and not failing and report.was_judged():
            has_device = report.devices > 0
            report.campaign = explore_by_rules(image, members, seed=seed, schedules=schedules, has_device=has_device)
    report.findings.extend(_explain(finding, image) for finding in _distinct(failing))
    if not report.failed and not report.was_judged():
        raise UsageError(f"check: {image} could not be judged: {report.why_not_judged()}")
    return report


def _plan(seed: int, steps: int) -> list[Task]:
    tasks: list[Task] = []
    for number, done in enumerate(range(0, steps, WALK_LENGTH)):
        version = VERSIONS[-1 - (number // 2) % len(VERSIONS)]
        length = min(WALK_LENGTH, steps - done)
        tasks.append(Task(_ORDERS[number % 2], version, length, f"{seed}/rules/{number}"))
    return tasks


def _distinct(findings: Sequence[Finding]) -> list[Finding]:
    best: dict[tuple[str, str], Finding] = {}
    for finding in findings:
        known = best.setdefault(finding.signature(), finding)
        if len(finding.operations) < len(known.operations):
            best[finding.signature()] = finding
    return list(best.values())


def _explain(finding: Finding, image: Path) -> RulesFound:
    """Shrink a finding, and run what is left once more to show what the driver did."""
    process = Worker()
    try:
        if finding.rule == TIMEOUT:
            return RulesFound(finding, {}, {}, False)

        def still(operations: Sequence[Operation]) -> bool:
            again = _judge(_scenario(finding, operations), image, process)[0]
            return again is not None and again.signature() == finding.signature()

        shrunk = shrink(finding.operations, still)
        shown, events = _judge(_scenario(finding, shrunk.operations), image, process)
        return RulesFound(shown or finding, {}, events, shrunk.complete)
    finally:
        process.close()


def _scenario(finding: Finding, operations: Sequence[Operation]) -> Scenario:
    steps = tuple(Step(operation) for operation in operations)
    return Scenario(f"{finding.kind}: {finding.rule}", finding.order, finding.ndis, steps)


def _judge(scenario: Scenario, image: Path, process: Worker) -> tuple[Finding | None, dict[str, tuple[Event, ...]]]:
    try:
        return process.call(replay, scenario, image)
    except WorkerDied as death:
        operations = tuple(scenario.operations())[: death.steps]
        return _deadly(operations, death, scenario.order, scenario.ndis), {}


def _deadly(
    operations: Sequence[Operation], death: WorkerDied | Death, order: Order, ndis_version: tuple[int, int]
) -> Finding:
    end = f"no step ended within {PATIENCE:.0f} s" if death.reason == TIMEOUT else f"its process ended ({death.reason})"
    where = say_operation(operations[-1]) if operations else "before the first operation"
    return Finding(death.kind, death.reason, f"{where}: {end}", tuple(operations), order, ndis_version)


def play_rules(scenario: Scenario, image: Path) -> Run:
    """Carry out a scenario as ``check_rules`` does, and say what was wrong."""
    process = Worker()
    try:
        finding, events = _judge(scenario, image, process)
    finally:
        process.close()
    steps = tuple(TraceStep(op, events[op.name]) for op in scenario.operations() if op.name in events)
    trace = Trace("driver, by rules only", scenario.title, scenario.order, scenario.ndis, steps)
    return Run((trace,), () if finding is None else (f"{finding.kind} {finding.rule}: {finding.message}",))
