"""The exploring part of a check: the corpus of concurrent scenarios, and then small ones at random, within a budget.

The budget is a number of schedules. Scenarios are handed out in batches, the next one before the last one is done, and
whether there is another batch depends on what the batches before have used; so the same scenarios are explored whatever
the number of workers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from random import Random
from typing import Any, Final

from wintun_sim.check.corpus import corpus, random_scenario, stories
from wintun_sim.check.effort import Effort
from wintun_sim.check.explore import Discovery, Explored, Exploring, can_reduce, resolved, sites_of, to_json
from wintun_sim.check.explore_report import MOST_SHOWN, Race
from wintun_sim.check.exploring import explain, weight
from wintun_sim.check.isolated import Death, isolated
from wintun_sim.check.machines import CURRENT
from wintun_sim.check.sides import CLIENT_WRITES, NOT_MAPPED, PARTS, exploring_part
from wintun_sim.operations import Write
from wintun_sim.scenario import Scenario
from wintun_sim.trace.schedule import scenario_hash

DEFAULT_SCHEDULES: Final = 400_000
"""Schedules of one check; about 40 seconds on two cores."""

DEEP_SCHEDULES: Final = 100_000_000
"""Schedules of a deep check; hours."""

MOST_RANDOM: Final = 300
"""Random scenarios of one check at most."""

MOST_FAILING: Final = 12
"""Scenarios with findings after which a check stops looking for more."""

PRICE: Final = 100
"""What a scenario costs beside its schedules, counted in schedules: it is opened, and the model explores it."""

MOST_RUNS: Final = 2_000
"""Schedules of one scenario at most, with the default budget or a larger one."""

Watcher = Callable[[str, int, int, int], None]
"""Told which scenario was explored, its findings, how many schedules are used up, and how many there are."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One scenario of a campaign, and how hard it is explored."""

    scenario: Scenario
    effort: Effort
    is_random: bool = False
    part: str = ""
    """What of a check this is beside the exploring of its scenario (``sides``), if it is more."""

    @property
    def name(self) -> str:
        """Return what the report calls it."""
        return self.scenario.title


@dataclass(slots=True)
class Campaign:
    """What came of a campaign. ``planned`` counts the corpus, ``explored`` what there was budget for."""

    schedules: int
    deep: bool = False
    planned: int = 0
    results: list[tuple[Piece, Explored]] = field(default_factory=list)
    races: list[Race] = field(default_factory=list)
    also: list[tuple[str, Discovery]] = field(default_factory=list)
    stopped: bool = False

    @property
    def used(self) -> int:
        """Count the schedules that were carried out."""
        return sum(explored.schedules for _, explored in self.results)

    @property
    def met(self) -> frozenset[tuple[str, str]]:
        """Name, by topic of ``Visited``, what was met."""
        return frozenset().union(*(explored.met for _, explored in self.results))

    def sides(self) -> Iterator[tuple[str, str]]:
        """Give the repairs that were judged from both sides and in which nothing was found, each with the part that
        told them apart."""
        for piece, explored in self.results:
            if explored.discoveries:
                continue
            yield from ((repair, exploring_part(piece.name)) for repair in explored.sides)
            if piece.part == NOT_MAPPED or (piece.part == CLIENT_WRITES and explored.sees_memory):
                yield from ((repair, piece.part) for repair, parts in PARTS.items() if piece.part in parts)

    def to_json(self) -> dict[str, Any]:
        """Return it as an object that ``json.dumps`` takes; the same for the same seed."""
        return {
            "schedules": self.used,
            "planned_schedules": self.schedules,
            "deep": self.deep,
            "corpus": self.planned,
            "stopped": self.stopped,
            "scenarios": [
                {
                    "name": piece.name,
                    "random": piece.is_random,
                    "sha256": scenario_hash(piece.scenario),
                    **came_of(explored),
                }
                for piece, explored in self.results
            ],
        }

    def lines(self) -> Iterator[str]:
        """Sum it up for people."""
        if not self.results:
            return
        random = sum(piece.is_random for piece, _ in self.results)
        corpus_size = len({piece.name for piece, _ in self.results}) - random
        points = ", ".join(sorted({explored.points for _, explored in self.results}))
        explored = [explored for _, explored in self.results]
        longest = max(each.longest for each in explored)
        yield (
            f"explored {corpus_size} of {self.planned} concurrent scenarios and {random} random ones, points: {points}:"
            f" {self.used:,} schedules of up to {longest:,} steps"
        )
        kinds: dict[str, list[Explored]] = {}
        for each in explored:
            kinds.setdefault(each.effort.kind(), []).append(each)
        for kind, same in kinds.items():
            whole = sum(each.complete for each in same)
            exhaustive = sum(each.exhaustive for each in same)
            how = f", {whole} with every schedule within the bound, {exhaustive} with every one there is" * bool(whole)
            yield f"  {kind}: {len(same)} scenarios{how}"
        if all(each.effort.rules_only for each in explored):
            return
        shown = sum(len(each.outcomes) for each in explored)
        slack = sum(each.slack or 0 for each in explored)
        unknown = sum(each.not_judged for each in explored)
        yield f"  {shown:,} outcomes of the driver, {unknown:,} of them not judged; {slack:,} of the model never shown"


def came_of(explored: Explored) -> dict[str, Any]:
    """Return what came of a scenario, its findings by kind and rule."""
    return {**to_json(explored), "findings": [[found.wrong.kind, found.wrong.rule] for found in explored.discoveries]}


def runs_for(schedules: int) -> int:
    """Return how many schedules one scenario gets at most, so that a small budget reaches more than one."""
    return min(max(schedules // 100, 100), MOST_RUNS)


def pieces(seed: int, image: Path, *, deep: bool, schedules: int) -> list[Piece]:
    """Return the corpus: the stories first, the others in an order that the seed determines."""
    told = list(stories())
    others = [scenario for scenario in corpus(deep) if scenario not in told]
    Random(f"{seed}/corpus").shuffle(others)
    efforts = deep_efforts(seed, image) if deep else (Effort(runs=runs_for(schedules), seed=seed),)
    return [Piece(scenario, effort) for scenario in (*told, *others) for effort in efforts]


def deep_efforts(seed: int, image: Path) -> tuple[Effort, ...]:
    """Return what ``--deep`` tries with each scenario: bound 3, and reduction without a bound where it is possible."""
    bounded = Effort(bound=3, runs=50_000, seed=seed)
    reduced = Effort("reduced", bound=None, runs=50_000, seed=seed)
    return (bounded, reduced) if can_reduce(image) else (bounded,)


def special_pieces(seed: int, image: Path | None, executor: Executor) -> Iterator[Piece]:
    """Give the stories again: each with every call that may fail failing once, or with a client that changes what it
    has written, at any time."""
    found = [executor.submit(isolated, sites_of, story, resolved(image)) for story in stories()]
    for story, future in zip(stories(), found, strict=True):
        sites = future.result()
        for number, site in enumerate(() if isinstance(sites, Death) else sites, 1):
            part = NOT_MAPPED if site.fault.name == "MAPPING" else ""
            yield Piece(story, Effort(bound=1, runs=1_000, seed=seed, fault=number), part=part)
        if any(isinstance(operation, Write) for operation in story.operations()):
            yield Piece(story, Effort(bound=1, runs=1_000, seed=seed, writes=1), part=CLIENT_WRITES)


def random_pieces(seed: int) -> Iterator[Piece]:
    """Give small scenarios that nobody thought of."""
    for number in range(MOST_RANDOM):
        scenario = random_scenario(f"{seed}/{number}")
        yield Piece(scenario, Effort(runs=500, seed=seed), is_random=True)


def run_campaign(
    image: Path | None,
    executor: Executor,
    *,
    seed: int,
    schedules: int = DEFAULT_SCHEDULES,
    deep: bool = False,
    revision: str = CURRENT,
    watcher: Watcher | None = None,
) -> Campaign:
    """Explore the corpus, and random scenarios with what is left of the budget; explain what is found."""
    planned = pieces(seed, resolved(image), deep=deep, schedules=schedules)
    campaign = Campaign(schedules, deep, len({piece.name for piece in planned}))
    for source in (iter(planned), special_pieces(seed, image, executor), random_pieces(seed)):
        for piece, explored in _explore(source, campaign, image, executor, revision):
            campaign.results.append((piece, explored))
            if watcher is not None:
                watcher(piece.name, len(explored.discoveries), _spent(campaign), schedules)
    _explain(campaign, image, executor)
    return campaign


def run_pieces(pieces: Sequence[Piece], image: Path, executor: Executor, schedules: int) -> Campaign:
    """Explore pieces in order while there is budget left, and explain what is found."""
    campaign = Campaign(schedules, planned=len(pieces))
    for piece, explored in _explore(iter(pieces), campaign, image, executor, CURRENT):
        campaign.results.append((piece, explored))
    _explain(campaign, image, executor)
    return campaign


def _spent(campaign: Campaign) -> int:
    return campaign.used + PRICE * len(campaign.results)


def _explore(
    source: Iterator[Piece], campaign: Campaign, image: Path | None, executor: Executor, revision: str
) -> Iterator[tuple[Piece, Explored]]:
    """Give the results of batch after batch, in order, while there is budget left."""
    under_way: list[list[tuple[Piece, Exploring]]] = []
    size = min(max(campaign.schedules // 10_000, 4), 64)
    for number in count():
        if not _is_over(campaign):
            under_way.append(_begin(source, size, image, executor, revision))
        if number == 0:
            continue  # the second batch is handed out before the first one is waited for
        if not under_way or not (batch := under_way.pop(0)):
            return
        for piece, exploring in batch:
            yield piece, exploring.end()


def _is_over(campaign: Campaign) -> bool:
    failing = sum(bool(explored.discoveries) for _, explored in campaign.results)
    campaign.stopped = failing >= MOST_FAILING
    return campaign.stopped or _spent(campaign) >= campaign.schedules


def _begin(
    source: Iterator[Piece], size: int, image: Path | None, executor: Executor, revision: str
) -> list[tuple[Piece, Exploring]]:
    batch: list[tuple[Piece, Exploring]] = []
    for piece in source:
        exploring = Exploring(piece.scenario, resolved(image), piece.effort, revision)
        exploring.begin(executor)
        batch.append((piece, exploring))
        if len(batch) == size:
            break
    return batch


def _explain(campaign: Campaign, image: Path | None, executor: Executor) -> None:
    """Explain the simplest finding of each defect, ``MOST_SHOWN`` at most; name the others."""
    best: dict[tuple[str, str], tuple[Explored, Discovery]] = {}
    for _, explored in campaign.results:
        for discovery in explored.discoveries:
            known = best.get(discovery.signature())
            if known is None or weight(discovery) < weight(known[1]):
                best[discovery.signature()] = (explored, discovery)
    chosen: Sequence[tuple[Explored, Discovery]] = sorted(best.values(), key=lambda pair: weight(pair[1]))
    campaign.races = explain(chosen[:MOST_SHOWN], image, executor)
    campaign.also = [(explored.scenario.title, discovery) for explored, discovery in chosen[MOST_SHOWN:]]
