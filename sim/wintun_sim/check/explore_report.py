"""What exploring says: for people a few lines and a picture, for programs an object, and a scenario file to replay."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wintun_sim.check.diagnose import Diagnosis
from wintun_sim.check.effort import Effort
from wintun_sim.check.explain import property_of
from wintun_sim.check.explore import Discovery, Explored, to_json
from wintun_sim.check.finding import shorten
from wintun_sim.check.machines import driver_words
from wintun_sim.scenario import format_scenario

MOST_SHOWN = 4
"""Findings of one scenario that are shrunk and told; the others are named."""


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "-", text).strip("-")


@dataclass(slots=True)
class Race:
    """A finding of exploring, shrunk and ready to be told. ``path`` is the file that was written for it."""

    source: str
    discovery: Discovery
    diagnosis: Diagnosis
    image: Path | None
    revision: str = "CURRENT"
    effort: Effort = field(default_factory=Effort)
    path: Path | None = None

    def file_name(self) -> str:
        """Name the scenario file."""
        what = _slug(f"{self.diagnosis.wrong.kind}-{self.diagnosis.wrong.rule}")
        source = _slug(self.source).removeprefix(f"{what}-")  # where such a file was explored again
        return f"{what}-{source}.scenario"

    def replay(self) -> str:
        """Return the line that shows it again."""
        diagnosis = self.diagnosis
        words = ["wintun-sim", "run", str(self.path or self.file_name())]
        words += ["--replay", diagnosis.schedule] if diagnosis.schedule else ["--explore", *self.effort.words()]
        words += driver_words(self.image)
        words += ["--rules-only"] * self.effort.rules_only
        if self.revision != "CURRENT":
            words.append(f"--revision={self.revision}")
        return shlex.join(words)

    def text(self) -> str:
        """Write the scenario, with what is wrong as comments."""
        preamble = [self._headline(), *self._facts()]
        return format_scenario(self.diagnosis.scenario, preamble=preamble)

    def write(self, directory: Path) -> None:
        """Write the scenario file into a directory. Raises ``OSError``."""
        self.path = directory / self.file_name()
        self.path.write_text(self.text(), encoding="utf-8")

    def _headline(self) -> str:
        wrong = self.diagnosis.wrong
        return f"{wrong.kind} {wrong.rule}: {wrong.message}"

    def _facts(self) -> Iterator[str]:
        diagnosis = self.diagnosis
        broken = property_of(diagnosis.wrong.kind, diagnosis.wrong.rule)
        if broken:
            yield f"must hold: {broken}"
        count, actors = sum(1 for _ in diagnosis.scenario.operations()), len(diagnosis.scenario.actors)
        size = f"{count} operation{'s' * (count != 1)}, {actors} actor{'s' * (actors != 1)}"
        depth = f"{diagnosis.depth} preemption{'s' * (diagnosis.depth != 1)}"
        fewer = " (none of all schedules with fewer shows it)" if diagnosis.depth_proved and diagnosis.depth else ""
        shrunk = "" if diagnosis.minimal else "; not shrunk to the end"
        yield f"shown by {size}, {depth}{fewer}{shrunk}"
        yield from diagnosis.wrong.details
        for odds in diagnosis.odds:
            yield f"chance: {odds}"

    def lines(self, *, picture: bool = True) -> Iterator[str]:
        """Tell it to people; the last line replays it, and then shows the picture."""
        yield f"FAILED {self._headline()}"
        by = f"by {self.discovery.seen:,} of its schedules" if self.discovery.seen else "whatever the driver does"
        yield f"  found in {self.source}, {by}"
        for fact in self._facts():
            yield f"  {fact}"
        if picture and self.diagnosis.picture:
            yield ""
            yield from self.diagnosis.picture
            yield ""
        yield self.replay()

    def to_json(self) -> dict[str, Any]:
        """Return it as an object that ``json.dumps`` takes."""
        diagnosis = self.diagnosis
        return {
            "kind": diagnosis.wrong.kind,
            "rule": diagnosis.wrong.rule,
            "message": diagnosis.wrong.message,
            "property": property_of(diagnosis.wrong.kind, diagnosis.wrong.rule),
            "source": self.source,
            "schedules": self.discovery.seen,
            "operations": sum(1 for _ in diagnosis.scenario.operations()),
            "actors": len(diagnosis.scenario.actors),
            "depth": diagnosis.depth,
            "depth_proved": diagnosis.depth_proved,
            "minimal": diagnosis.minimal,
            "odds": [
                {"algorithm": odds.algorithm, "hits": odds.hits, "runs": odds.runs, "guarantee": odds.guarantee}
                for odds in diagnosis.odds
            ],
            "schedule": diagnosis.schedule,
            "explanation": list(diagnosis.picture),
            "replay": self.replay(),
        }


@dataclass(slots=True)
class ExploreReport:
    """One scenario, explored."""

    name: str
    seed: int
    explored: Explored
    races: list[Race] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        """Give the report for people; the last line is PASSED or the line that replays a failure."""
        yield from summary(self.explored)
        unexplained = self.explored.discoveries[len(self.races) :]
        for number, race in enumerate(self.races):
            yield from race.lines(picture=number == 0)
        for discovery in unexplained:
            wrong = discovery.wrong
            yield shorten(f"also {wrong.kind} {wrong.rule}, by {discovery.seen:,} schedules: {wrong.message}")
        if not self.explored.discoveries:
            yield "PASSED"
        elif unexplained:
            yield self.races[0].replay()

    def to_json(self) -> dict[str, Any]:
        """Return the report as an object that ``json.dumps`` takes."""
        return {
            "verdict": "failed" if self.explored.discoveries else "passed",
            "seed": self.seed,
            "scenario": self.name,
            "findings": [race.to_json() for race in self.races],
            "also": [[d.wrong.kind, d.wrong.rule, d.seen] for d in self.explored.discoveries[len(self.races) :]],
            "counts": to_json(self.explored),
        }


def summary(explored: Explored) -> Iterator[str]:
    """Say in two lines what was tried, and what there was to see."""
    yield f"{explored.effort.describe()}; points: {explored.points}"
    yield f"{explored.schedules:,} schedules of up to {explored.longest:,} steps, {how_far(explored)}"
    outcomes = f"{explored.distinct:,} distinct runs"
    if explored.outcomes:
        outcomes += f", {len(explored.outcomes):,} outcomes"
    if explored.model_outcomes is not None:
        whole = "" if explored.model_complete else " at least"
        outcomes += f"; the model has{whole} {explored.model_outcomes:,}, and {explored.slack:,} were never seen"
    yield outcomes
    if explored.not_judged:
        yield f"not judged, since the model's outcomes are too many: {explored.not_judged:,} outcomes"


def how_far(explored: Explored) -> str:
    """Say how much of all schedules this was."""
    if explored.exhaustive:
        return "exhaustive"
    if explored.complete and explored.effort.algorithm == "reduced":
        return "not all: reduction holds only for a driver without data races" if explored.cut else "all there are"
    if explored.complete:
        return "all within the bound" if explored.cut else "all there are"
    return "not all"
