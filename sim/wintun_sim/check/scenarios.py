"""Carries out one scenario on one machine or on both, and holds it against what it expects."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from wintun_sim.check import worker
from wintun_sim.check.finding import say_operation, say_unexpected
from wintun_sim.check.machines import CURRENT, open_driver, open_model
from wintun_sim.check.task import compare
from wintun_sim.check.worker import Worker, WorkerDied
from wintun_sim.model import UndefinedUpstream
from wintun_sim.model.revisions import Repair, missing_repairs
from wintun_sim.operations import Event, Machine, Operation, RuleBroken
from wintun_sim.operations.outcome import Places, differences, outcome_of
from wintun_sim.scenario import Scenario
from wintun_sim.trace import Trace, record
from wintun_sim.trace.trace import TraceStep

Choice = Literal["model", "driver", "both"]


@dataclass(frozen=True, slots=True)
class Run:
    """What happened, on one machine or two, and what was wrong with it, a line each."""

    traces: tuple[Trace, ...]
    findings: tuple[str, ...]
    undefined: str = ""
    """Why the run ended early: the published driver left undefined what follows."""


def play(scenario: Scenario, machine: Choice, image: Path | None = None, revision: str = CURRENT) -> Run:
    """Carry out a scenario; where a driver is concerned, in a process of its own, since it may not survive it.

    Raises ``UsageError`` for a scenario or an image that cannot be used, ``UnavailableError`` without a host kernel.
    """
    if machine == "model":
        return play_here(scenario, machine, image, revision)
    process = Worker()
    try:
        return process.call(play_here, scenario, machine, image, revision)
    except WorkerDied as death:
        operations = list(scenario.operations())[: death.steps]
        where = say_operation(operations[-1]) if operations else "the image was loaded"
        return Run((), (f"{death.kind} {death.reason}: the driver's process ended while {where}",))
    finally:
        process.close()


def play_here(scenario: Scenario, machine: Choice, image: Path | None, revision: str) -> Run:
    """Do the same in this process."""
    if machine == "both":
        return _play_both(scenario, image, revision)
    opened: Machine
    if machine == "model":
        opened = open_model(scenario.order, scenario.ndis, revision)
        description = "model" if revision == CURRENT else f"model, {revision}"
    else:
        opened, description = open_driver(image, scenario.order, scenario.ndis), "driver"
    try:
        trace, undefined = _record(scenario, _Watched(opened), description)
    finally:
        opened.close()
    return Run((trace,), tuple(_wrong(scenario, trace, revision)), undefined)


def _record(scenario: Scenario, machine: _Watched, description: str) -> tuple[Trace, str]:
    """Record a run, up to where the published driver leaves undefined what follows, if it comes to that."""
    try:
        return record(scenario, machine, description), ""
    except UndefinedUpstream as error:
        steps = tuple(TraceStep(operation, events) for operation, events in machine.done)
        return Trace(description, scenario.title, scenario.order, scenario.ndis, steps), str(error)


def _play_both(scenario: Scenario, image: Path | None, revision: str) -> Run:
    comparison = compare(scenario, image, revision)
    traces = tuple(
        Trace(
            description,
            scenario.title,
            scenario.order,
            scenario.ndis,
            tuple(TraceStep(op, events[op.name]) for op in scenario.operations() if op.name in events),
        )
        for description, events in (("model", comparison.model), ("driver", comparison.driver))
    )
    findings = [f"{trace.machine}: {line}" for trace in traces for line in _wrong(scenario, trace, revision)]
    if comparison.finding is not None:
        found = comparison.finding
        findings.append(f"{found.kind} {found.rule}: {found.message}")
    return Run(traces, tuple(findings), comparison.undefined)


class _Watched:
    """A machine that lets the worker's parent know how far it is."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self.done: list[tuple[Operation, tuple[Event, ...]]] = []
        self.counters = machine.counters
        self.close = machine.close

    def perform(self, operation: Operation) -> tuple[Event, ...]:
        worker.progress.step()
        events = tuple(self._machine.perform(operation))
        self.done.append((operation, events))
        return events


def _wrong(scenario: Scenario, trace: Trace, revision: str) -> Iterator[str]:
    """Say where a trace is not what the scenario expects of a revision, and which rules were broken.

    Rules that the revision is known to break, for want of a repair, are left out.
    """
    lacking = missing_repairs(revision)
    places = Places(scenario.operations())
    expected = {step.operation.name: step.expected_for(revision) for step in scenario.steps()}
    for step in trace.steps:
        wanted = expected[step.operation.name]
        expected_rules = {event for event in wanted or () if isinstance(event, RuleBroken)}
        for event in step.events:
            if isinstance(event, RuleBroken) and event not in expected_rules and not _is_known(event, lacking):
                yield f"rule {event.rule}: {say_operation(step.operation)}: {event.message}"
        if wanted is None:
            continue
        for difference in differences(outcome_of(wanted, places), outcome_of(step.events, places)):
            yield f"expectation {difference.sequence}: {say_operation(step.operation)}: {say_unexpected(difference)}"


def _is_known(event: RuleBroken, lacking: Sequence[Repair]) -> bool:
    return any(repair.breaks(event.rule, event.message) or event.rule in repair.halted for repair in lacking)
