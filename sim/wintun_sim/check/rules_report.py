"""What a check by rules alone says: what it found, what it looked at, and what it could not judge."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from wintun_sim.check.finding import say_event
from wintun_sim.check.report import Found, Report
from wintun_sim.check.task import Task
from wintun_sim.check.visited import Visited
from wintun_sim.kernel import builder
from wintun_sim.scenario import Scenario, Step, format_scenario

_OF_DEVICES: Final = ("create", "cleanup", "close", "read", "write")
_GOOD: Final = ": STATUS_SUCCESS"


class RulesFound(Found):
    """A finding, shrunk, with what each operation caused."""

    def text(self) -> str:
        """Write the scenario, with what the driver did as comments."""
        finding = self.finding
        comments = {
            name: [f"the driver: {say_event(event)}" for event in events or (None,)]
            for name, events in self.driver.items()
        }
        preamble = [f"{finding.kind} {finding.rule}: {finding.message}", "Nothing is expected: judged by rules only."]
        steps = tuple(Step(operation) for operation in finding.operations)
        scenario = Scenario(f"{finding.kind}: {finding.rule}", finding.order, finding.ndis, steps)
        return format_scenario(scenario, comments, preamble=preamble)


@dataclass(slots=True)
class RulesReport(Report):
    """What was done and what came of it."""

    devices: int = 0
    """How often the driver was asked to open a device of its own."""
    statuses: Counter[str] = field(default_factory=Counter)
    """What DriverEntry and MiniportInitializeEx returned where nothing was made to fail."""

    def note_rules(self, task: Task, steps: int, visited: Visited, devices: int, statuses: Counter[str]) -> None:
        """Count a task that is done."""
        self.steps += steps
        self.tasks[task.kind] += 1
        self.visited.add(visited)
        self.devices += devices
        self.statuses.update(statuses)

    def was_judged(self) -> bool:
        """Tell whether the driver ever made an adapter."""
        return any(name.startswith("MiniportInitializeEx") and name.endswith(_GOOD) for name in self.statuses)

    def why_not_judged(self) -> str:
        """Say what kept the driver from making an adapter."""
        return "; ".join(sorted(self.statuses)) or "nothing was done"

    def not_judged(self) -> list[str]:
        """Say what this check says nothing about, a line each."""
        assert self.image is not None
        lines = ["what the driver answers: OIDs, statuses, packets and link states (there is no model of it)"]
        if self.devices:
            lines.append("what its device answers (there is no model of it)")
        else:
            lines.append("requests to a device: the driver registered none")
        lines += [name for name in sorted(self.statuses) if not name.endswith(_GOOD)]
        if builder.kind_of(self.image) == "plain":
            lines.append("each access to memory: the image is plain")
        missing = [name for name in self.visited.missing() if self.devices or name.split()[0] not in _OF_DEVICES]
        if missing:
            lines.append(f"what was never done: {', '.join(missing)}")
        if self.campaign is None:
            lines.append("orders of concurrent calls: operations came one at a time, deferred work between them")
        else:
            lines.append("most orders of concurrent calls: some were drawn at random")
        lines.append("MiniportCheckForHangEx, MiniportResetEx: this host kernel never calls them")
        return lines

    def replay(self, found: Found) -> str:
        """Return the line that shows a finding again."""
        name = found.file_name(self.seed)
        target = str(self.files.get(name, name))
        return shlex.join(["wintun-sim", "run", target, "--rules-only", "--image", str(self.image)])

    def to_json(self) -> dict[str, Any]:
        """Return the report as an object that ``json.dumps`` takes; the same for the same seed."""
        report = Report.to_json(self)
        del report["revision"]
        counts = report["counts"]
        for name in ("excused", "undefined", "not_visited", "repairs"):
            counts.pop(name, None)
        counts["returned"] = dict(sorted(self.statuses.items()))
        return {**report, "rules_only": True, "not_judged": self.not_judged()}

    def lines(self) -> Iterator[str]:
        """Give the report for people; the last line is PASSED or the line that replays the failure."""
        yield f"{self.steps:,} operations in {self.tasks['walk']} random walks, judged by rules only"
        counts = self.visited.counts
        yield "visited: " + ", ".join(f"{len(counts[topic])} {topic}" for topic in ("operations", "statuses", "oids"))
        if self.stopped:
            yield "stopped early: enough failures to explain"
        for line in self.not_judged():
            yield f"not judged: {line}"
        if self.campaign is not None:
            yield from self.campaign.lines()
        if not self.failed:
            yield "PASSED"
            return
        for number, race in enumerate(self.races):
            yield from race.lines(picture=number == 0)
        for found in self.findings:
            finding = found.finding
            shrunk = "" if found.minimal else " (not shrunk to the end)"
            yield f"FAILED {finding.kind} {finding.rule}: {finding.message}"
            yield f"  shown by {len(finding.operations)} operations{shrunk}:"
            yield self.replay(found)
