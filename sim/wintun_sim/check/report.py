"""What a check says: for people, for programs, and as the scenario file that replays a failure."""

from __future__ import annotations

import re
import shlex
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wintun_sim.check.finding import Finding, say_event, shorten
from wintun_sim.check.machines import describe_driver, driver_words
from wintun_sim.check.sides import PARTS, scenario_part
from wintun_sim.check.visited import Visited
from wintun_sim.model import REPAIRS
from wintun_sim.model.revisions import missing_repairs
from wintun_sim.operations import Event, RuleBroken
from wintun_sim.operations.outcome import Places, differences, outcome_of
from wintun_sim.scenario import Expectation, Scenario, Step, format_scenario

_MOST_NAMES = 6
"""Names of one topic that the report for people gives."""

if TYPE_CHECKING:
    from wintun_sim.check.campaign import Campaign
    from wintun_sim.check.explore_report import Race
    from wintun_sim.check.task import Result, Task


@dataclass(slots=True)
class Found:
    """A finding, shrunk, with what each operation caused on both machines.

    ``model`` and ``driver`` have the events of each by the operation's name. ``minimal``: no operation can be left out.
    """

    finding: Finding
    model: dict[str, tuple[Event, ...]]
    driver: dict[str, tuple[Event, ...]]
    minimal: bool

    def file_name(self, seed: int) -> str:
        """Name the scenario file."""
        words = re.sub(r"[^A-Za-z0-9]+", "-", f"{self.finding.kind}-{self.finding.rule}").strip("-")
        return f"{words}-{seed}.scenario"

    def text(self) -> str:
        """Write the scenario: the model's events as what is expected, the driver's as comments where they differ."""
        finding = self.finding
        places = Places(finding.operations)
        steps: list[Step] = []
        comments: dict[str, list[str]] = {}
        for operation in finding.operations:
            ours, theirs = self.model.get(operation.name), self.driver.get(operation.name)
            expected = () if ours is None else tuple(map(Expectation, ours)) or (Expectation(None),)
            steps.append(Step(operation, expected))
            if ours is not None and theirs is not None and _apart(ours, theirs, places):
                comments[operation.name] = [f"the driver: {say_event(event)}" for event in theirs or (None,)]
        preamble = [f"{finding.kind} {finding.rule}: {finding.message}", "=> is what the model does."]
        scenario = Scenario(f"{finding.kind}: {finding.rule}", finding.order, finding.ndis, tuple(steps))
        return format_scenario(scenario, comments, preamble=preamble)


def _apart(ours: Sequence[Event], theirs: Sequence[Event], places: Places) -> bool:
    broken = any(isinstance(event, RuleBroken) for event in theirs)
    return broken or any(differences(outcome_of(ours, places), outcome_of(theirs, places)))


def _by_number(depth: str) -> tuple[str, int]:
    what, _, bound = depth.rpartition(" ")
    return what, int(bound)


@dataclass(slots=True)
class Report:
    """What was done and what came of it.

    ``seed`` chose the walks; ``image`` is the driver's, None for the project's own, and ``revision`` whom it was held
    against. ``steps`` are the operations carried out, of those ``planned``; ``stopped``: it was ended before they were.
    ``excused`` counts what the revision is known to break, ``undefined`` the places behind which the published driver
    leaves open what follows, ``tasks`` what was played; ``visited`` says what was met on the way. ``findings`` are what
    is wrong, ``files`` where each was written, by its name, and ``not_run`` what could not be played, and why.
    """

    seed: int
    image: Path | None
    planned: int
    steps: int = 0
    stopped: bool = False
    revision: str = "CURRENT"
    excused: Counter[str] = field(default_factory=Counter)
    undefined: Counter[str] = field(default_factory=Counter)
    tasks: Counter[str] = field(default_factory=Counter)
    visited: Visited = field(default_factory=Visited)
    told_apart: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """By repair, the scenarios that judged it from both sides."""
    findings: list[Found] = field(default_factory=list)
    files: dict[str, Path] = field(default_factory=dict)
    not_run: dict[str, str] = field(default_factory=dict)
    campaign: Campaign | None = None
    """What was explored, where anything was."""

    @property
    def races(self) -> list[Race]:
        """Return what exploring found and explained."""
        return [] if self.campaign is None else self.campaign.races

    @property
    def failed(self) -> bool:
        """Whether anything was found."""
        return bool(self.findings or self.races)

    @property
    def verdict(self) -> str:
        """Return "passed" or "failed"."""
        return "failed" if self.failed else "passed"

    def note(self, task: Task, result: Result) -> None:
        """Count a task that is done."""
        self.steps += result.steps
        self.tasks[f"{task.kind} {task.name}".strip()] += 1
        self.visited.add(result.visited)
        self.excused.update(result.excused)
        if result.undefined is not None:
            self.undefined[result.undefined] += 1
        for repair in result.sides:
            self.told_apart[repair].add(scenario_part(task.name))

    def sides(self) -> dict[str, list[str]]:
        """Return the repairs that were judged from both sides, with the parts of the check that told these apart."""
        found = {repair: set(parts) for repair, parts in self.told_apart.items()}
        for repair, part in () if self.campaign is None else self.campaign.sides():
            found.setdefault(repair, set()).add(part)
        whole = {repair: list(parts) for repair, parts in PARTS.items() if found.get(repair, set()) >= set(parts)}
        for broken in sorted(self.excused):  # by which the driver has shown that it is without the repair
            repair, _, rule = broken.partition(": ")
            whole.setdefault(repair, []).append(f"rule {rule}")
        return whole

    def not_visited(self) -> dict[str, list[str]]:
        """Name what could have been met and was not: of the topics of ``Visited``, and the repairs that were not judged
        from both sides."""
        lacking = [repair.name for repair in missing_repairs(self.revision)]
        met = frozenset() if self.campaign is None else self.campaign.met
        told_apart = self.sides()
        repairs = [name for name in REPAIRS if name not in told_apart]
        return {**self.visited.not_visited(met, lacking), "repairs": repairs}

    def _not_visited_lines(self) -> Iterator[str]:
        left = {topic: names for topic, names in self.not_visited().items() if names}
        for topic, names in left.items():
            more = f" and {len(names) - _MOST_NAMES} more" * (len(names) > _MOST_NAMES)
            yield f"not visited: {topic}: {', '.join(names[:_MOST_NAMES])}{more}"
        if not left:
            yield "not visited: nothing that was to be visited"

    def write_files(self, directory: Path) -> None:
        """Write a scenario file for each finding. Raises ``OSError``."""
        for found in self.findings:
            path = directory / found.file_name(self.seed)
            path.write_text(found.text(), encoding="utf-8")
            self.files[path.name] = path
        for race in self.races:
            race.write(directory)

    def replay(self, found: Found) -> str:
        """Return the line that shows a finding again."""
        name = found.file_name(self.seed)
        target = found.finding.source or str(self.files.get(name, name))
        words = ["wintun-sim", "run", target, "--machine", "both"]
        words += driver_words(self.image)
        if self.revision != "CURRENT":
            words.append(f"--revision={self.revision}")
        return shlex.join(words)

    def to_json(self) -> dict[str, Any]:
        """Return the report as an object that ``json.dumps`` takes; the same for the same seed."""
        return {
            "verdict": self.verdict,
            "seed": self.seed,
            "image": None if self.image is None else str(self.image),
            "driver": describe_driver(self.image),
            "revision": self.revision,
            "findings": [
                {
                    "kind": found.finding.kind,
                    "rule": found.finding.rule,
                    "message": found.finding.message,
                    "operations": len(found.finding.operations),
                    "minimal": found.minimal,
                    "replay": self.replay(found),
                }
                for found in self.findings
            ]
            + [race.to_json() for race in self.races],
            "explored": None if self.campaign is None else self.campaign.to_json(),
            "counts": {
                "steps": self.steps,
                "stopped": self.stopped,
                "tasks": dict(sorted(self.tasks.items())),
                "excused": dict(sorted(self.excused.items())),
                "undefined": dict(sorted(self.undefined.items())),
                "visited": self.visited.to_json(),
                "met_by_exploring": self._explored(),
                "repairs": self.sides(),
                "not_visited": self.not_visited(),
                "not_run": dict(sorted(self.not_run.items())),
            },
        }

    def _explored(self) -> dict[str, list[str]]:
        """Name, by topic, what was met by exploring."""
        met = sorted(() if self.campaign is None else self.campaign.met)
        return {topic: [name for other, name in met if other == topic] for topic in ("transitions", "statuses")}

    def lines(self) -> Iterator[str]:
        """Give the report for people; the last line is PASSED or the line that replays the failure."""
        scenarios = sum(task.startswith("scenario ") for task in self.tasks)
        captures = sorted(task.removeprefix("capture ") for task in self.tasks if task.startswith("capture "))
        yield (
            f"{self.steps:,} operations: {scenarios} scenarios, {self.tasks['walk']} random walks,"
            f" {self.tasks['fast-walk']} fast ones, {self.tasks['state-machine']} tasks of the state machine,"
            f" captures {', '.join(captures) or 'none'}"
        )
        counts = self.visited.counts
        yield "visited: " + ", ".join(f"{len(counts[topic])} {topic}" for topic in ("operations", "statuses", "oids"))
        for name in sorted(counts["depths"], key=_by_number):
            yield f"  {name}: {counts['depths'][name]:,} times"
        yield f"  both sides of {len(self.sides())} of the {len(REPAIRS)} repairs"
        for name, count in sorted(self.excused.items()):
            yield f"  known of {self.revision}, not counted: {name}, {count:,} times"
        for place, count in sorted(self.undefined.items()):
            yield f"  undefined upstream, run ended there: {place}, {count:,} times"
        for what, why in sorted(self.not_run.items()):
            yield f"not run: the {what}: {why}"
        if self.stopped:
            yield "stopped early: enough failures to explain"
        else:
            yield from self._not_visited_lines()
        if self.campaign is not None:
            yield from self.campaign.lines()
        if not self.failed:
            yield "PASSED"
            return
        for source, discovery in () if self.campaign is None else self.campaign.also:
            yield shorten(f"also {discovery.wrong.kind} {discovery.wrong.rule}, in {source}: {discovery.wrong.message}")
        for number, race in enumerate(self.races):
            yield from race.lines(picture=number == 0)
        for found in self.findings:
            finding = found.finding
            shrunk = "" if found.minimal else " (not shrunk to the end)"
            yield f"FAILED {finding.kind} {finding.rule}: {finding.message}"
            count = len(finding.operations)
            yield f"  shown by {count:,} operation{'s' * (count != 1)}{shrunk}:"
            yield self.replay(found)
