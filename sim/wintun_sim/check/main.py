"""The main job: judges a driver on scenarios, captured traffic and random walks, and says what it found."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Final

from wintun_sim.check.campaign import Watcher as ExploreWatcher
from wintun_sim.check.campaign import run_campaign
from wintun_sim.check.finding import Finding, say_operation
from wintun_sim.check.isolated import Death, isolated, team
from wintun_sim.check.machines import CURRENT, open_model
from wintun_sim.check.report import Found, Report
from wintun_sim.check.shrink import shrink
from wintun_sim.check.task import WALK_LENGTH, Comparison, Result, Task, compare, drawn, perform
from wintun_sim.check.visited import Visited
from wintun_sim.check.worker import PATIENCE, TIMEOUT, Worker, WorkerDied
from wintun_sim.operations import Operation
from wintun_sim.scenario.scenario import VERSIONS, Order, Scenario, Step
from wintun_sim.trace import record

DEFAULT_STEPS: Final = 60_000
"""Operations that a check carries out one at a time, playbacks of captures included; with the fast walks about 20
seconds on two cores."""

MOST_FAILING: Final = 6
"""Failing tasks after which a check stops looking for more."""

ORDERS: Final[tuple[Order, ...]] = ("strict", "raw")

STATEFUL_SHARE: Final = 50
"""How many of the operations hypothesis' state machine has one of."""

STATEFUL_LENGTH: Final = 500
"""Operations of one task of the state machine."""

FAST_SHARE: Final = 10
"""How many operations of fast walks there are for each other one."""

FAST_LENGTH: Final = 500_000
"""Operations of one fast walk; the more there are, the seldomer the model is asked."""

NO_SCENARIOS: Final[Mapping[str, Scenario]] = MappingProxyType({})

Watcher = Callable[[int, int], None]
"""Told how many operations are done, and how many there are, from time to time."""


def default_jobs() -> int:
    """Count the processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def plan(
    seed: int,
    steps: int,
    captures: Mapping[str, Sequence[bytes]],
    scenarios: Mapping[str, Scenario] = NO_SCENARIOS,
    revision: str = CURRENT,
) -> list[Task]:
    """Cut a check into tasks: all scenarios, each capture in each order, then walks for what is left of the steps.

    Captures get half of the steps at most; scenarios are not counted.
    """
    tasks = [
        Task(scenario.order, scenario.ndis, 0, name=name, scenario=scenario, revision=revision)
        for name, scenario in scenarios.items()
    ]
    left = steps
    for turn, (name, packets) in enumerate(captures.items()):
        for order in ORDERS:
            if len(packets) == 0:
                continue
            share = max(steps // (4 * len(captures)), 1)
            seed_text = f"{seed}/capture/{turn}/{order}"
            tasks.append(Task(order, _version(turn), share, seed_text, name, tuple(packets), revision=revision))
            left -= min(share, 3 * len(packets))
    number = 0
    while left > 0:
        length = min(WALK_LENGTH, left)
        version = _version(number // 2)
        tasks.append(Task(ORDERS[number % 2], version, length, f"{seed}/walk/{number}", revision=revision))
        number += 1
        left -= length
    return tasks


def fast_plan(seed: int, steps: int, revision: str = CURRENT) -> list[Task]:
    """Return the fast walks, in each order as long a one; none on other revisions than CURRENT, which have excuses."""
    left = FAST_SHARE * steps if revision == CURRENT else 0
    tasks: list[Task] = []
    while left > 0:
        length = min(FAST_LENGTH, max(left // len(ORDERS), 1))
        for order in ORDERS:
            number = len(tasks)
            tasks.append(Task(order, _version(number // 2), length, f"{seed}/fast/{number}", fast=True))
            left -= length
    return tasks


def stateful_plan(seed: int, steps: int, revision: str = CURRENT) -> list[Task]:
    """Return the state machine's share of a check; nothing where hypothesis is not installed."""
    if missing_hypothesis():
        return []
    share = min(max(steps // STATEFUL_SHARE, 1), STATEFUL_LENGTH)
    count = max(steps // (STATEFUL_SHARE * STATEFUL_LENGTH), 1)
    return [
        Task(
            ORDERS[number % 2],
            _version(number // 2),
            share,
            f"{seed}/stateful/{number}",
            revision=revision,
            stateful=True,
        )
        for number in range(count)
    ]


def missing_hypothesis() -> str:
    """Say why the state machine is not played, if it is not."""
    return "" if importlib.util.find_spec("hypothesis") is not None else "hypothesis is not installed"


def _version(number: int) -> tuple[int, int]:
    return VERSIONS[-1 - number % len(VERSIONS)]


def check(
    image: Path | None,
    *,
    seed: int,
    steps: int = DEFAULT_STEPS,
    captures: Mapping[str, Sequence[bytes]],
    scenarios: Mapping[str, Scenario] = NO_SCENARIOS,
    jobs: int | None = None,
    watcher: Watcher | None = None,
    most_failing: int = MOST_FAILING,
    revision: str = CURRENT,
    schedules: int = 0,
    deep: bool = False,
    explore_watcher: ExploreWatcher | None = None,
) -> Report:
    """Judge an image (default: the project's own driver) by a revision of the adapter, and report.

    ``steps`` operations are played one at a time on both machines, and ``FAST_SHARE`` times as many by fast walks; then
    ``schedules`` of concurrent scenarios are explored, ``deep`` or not (``campaign``).

    The same arguments give the same report, whatever ``jobs`` (worker processes; default: one for each processor).
    After ``most_failing`` tasks that failed, no more is looked for.
    Raises ``UsageError`` for an image that cannot be used, ``UnavailableError`` where there is no host kernel.
    """
    fast = fast_plan(seed, steps, revision)
    tasks = plan(seed, steps, captures, scenarios, revision) + stateful_plan(seed, steps, revision) + fast
    total = steps + sum(task.steps for task in fast)
    report = Report(seed, image, planned=steps, revision=revision)
    if missing_hypothesis():
        report.not_run["state machine"] = missing_hypothesis()
    failing: list[Finding] = []
    with team(jobs or default_jobs()) as members:
        futures = [members.submit(isolated, perform, task, image) for task in tasks]
        for task, future in zip(tasks, futures, strict=True):
            done = future.result()
            result = _post_mortem(task, done) if isinstance(done, Death) else done
            report.note(task, result)
            if watcher is not None:
                watcher(report.steps, total)
            if result.finding is not None:
                failing.append(result.finding)
                if len(failing) == most_failing or result.finding.rule == TIMEOUT:
                    report.stopped = True
                    break
        for finding in _distinct(failing):
            report.findings.append(explain(finding, image))
        if revision != CURRENT:
            report.not_run["concurrent scenarios"] = "only CURRENT's are explored"
        elif schedules and not failing:  # first what one call at a time shows
            report.campaign = run_campaign(
                image,
                members,
                seed=seed,
                schedules=schedules,
                deep=deep,
                revision=revision,
                watcher=explore_watcher,
            )
    return report


def _distinct(findings: Sequence[Finding]) -> list[Finding]:
    """Keep the shortest finding of each signature, in the order in which the signatures came up."""
    best: dict[tuple[str, str], Finding] = {}
    for finding in findings:
        known = best.setdefault(finding.signature(), finding)
        if len(finding.operations) < len(known.operations):
            best[finding.signature()] = finding
    return list(best.values())


def explain(finding: Finding, image: Path | None) -> Found:
    """Shrink a finding, and run what is left once more to show what both machines did."""
    worker = Worker()
    try:
        if finding.kind not in ("packets", "expectation", "repetition") and finding.rule != TIMEOUT:
            shrunk = shrink(finding.operations, lambda operations: _still(finding, operations, image, worker))
            shown, comparison = _judge(_scenario(finding, shrunk.operations), image, worker, finding.revision)
            return Found(shown or finding, comparison.model, comparison.driver, shrunk.complete)
        if finding.rule != TIMEOUT:
            comparison = _judge(finding.scenario(), image, worker, finding.revision)[1]
            return Found(finding, comparison.model, comparison.driver, False)
        return Found(finding, {}, {}, False)
    finally:
        worker.close()


def _still(finding: Finding, operations: Sequence[Operation], image: Path | None, worker: Worker) -> bool:
    again = _judge(_scenario(finding, operations), image, worker, finding.revision)[0]
    return again is not None and again.signature() == finding.signature()


def _scenario(finding: Finding, operations: Sequence[Operation]) -> Scenario:
    steps = tuple(Step(operation) for operation in operations)
    return Scenario(f"{finding.kind}: {finding.rule}", finding.order, finding.ndis, steps)


def _judge(scenario: Scenario, image: Path | None, worker: Worker, revision: str) -> tuple[Finding | None, Comparison]:
    """Judge a scenario in a worker that may die of it."""
    try:
        comparison = worker.call(compare, scenario, image, revision)
        return comparison.finding, comparison
    except WorkerDied as death:
        operations = tuple(scenario.operations())[: death.steps]
        setup = scenario.setup[: death.steps]
        trace = record(Scenario(setup=setup), open_model(scenario.order, scenario.ndis, revision), "model")
        ours = {step.operation.name: step.events for step in trace.steps}
        return _deadly(operations, death, scenario.order, scenario.ndis, revision), Comparison(None, ours, {})


def judge(scenario: Scenario, image: Path | None, revision: str = CURRENT) -> Comparison:
    """Judge one scenario; an image that ends its worker is a finding."""
    worker = Worker()
    try:
        finding, comparison = _judge(scenario, image, worker, revision)
        return Comparison(finding, comparison.model, comparison.driver)
    finally:
        worker.close()


def _post_mortem(task: Task, death: Death) -> Result:
    operations = tuple(drawn(task, death.steps))
    return Result(death.steps, _deadly(operations, death, task.order, task.ndis, task.revision), Visited())


def _deadly(
    operations: Sequence[Operation], death: WorkerDied | Death, order: Order, ndis: tuple[int, int], revision: str
) -> Finding:
    what = (
        f"no step ended within {PATIENCE:.0f} s" if death.reason == TIMEOUT else f"its process ended ({death.reason})"
    )
    where = say_operation(operations[-1]) if operations else "before the first operation"
    return Finding(death.kind, death.reason, f"{where}: {what}", tuple(operations), order, ndis, revision=revision)


__all__ = ["DEFAULT_STEPS", "check", "default_jobs", "explain", "judge", "plan"]
