"""Explores one concurrent scenario on a driver's image, and says what came of it and what was wrong.

The work is cut into shards, which are functions and data that any executor can carry to any process: a prefix of
choices for depth-first search, numbers of runs for random schedules. How it is cut depends on the scenario and the
effort alone, and results are put together in the order of the shards, so the same comes out of one worker and of a
hundred. What C found is only which runs can be told from each other; what is right and wrong is judged here, once for
each distinct run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from wintun_sim import native
from wintun_sim.check import sides, worker
from wintun_sim.check.effort import SHARD_CHOICES, SHARE, Effort
from wintun_sim.check.isolated import Death, isolated
from wintun_sim.check.machines import CURRENT
from wintun_sim.check.record import Wrong
from wintun_sim.check.refine import Refinement, say_outcome
from wintun_sim.check.visited import name_of_cell, statuses_in
from wintun_sim.errors import UnavailableError, UsageError
from wintun_sim.operations import Operation, RuleBroken
from wintun_sim.operations.outcome import Sequences
from wintun_sim.operations.text import format_event
from wintun_sim.scenario import Scenario
from wintun_sim.scenario.ending import ending
from wintun_sim.trace.schedule import Schedule, make_schedule

if TYPE_CHECKING:
    from wintun_sim.kernel.explorer import Exploration, Explorer, FaultSite, Log, Strategy

_DEADLY: Final = MappingProxyType({"Crash": "crash", "Stuck": "hang"})

_EVERY_ACCESS: Final = "instrumented"

Watcher = Callable[[int, int], None]
"""Told how many shards of an exploration are done, and how many there are."""


@dataclass(frozen=True, slots=True)
class Shard:
    """A part of an exploration: runs that begin with ``prefix``, or random runs from number ``first`` on."""

    scenario: Scenario = field(repr=False)
    image: Path
    effort: Effort
    prefix: tuple[int, ...] = ()
    first: int = 0


@dataclass(frozen=True, slots=True)
class Discovery:
    """Something that is wrong with a scenario, the first run that shows it, and how many schedules showed it.

    ``choices`` are that run's, ``preemptions`` how often it chose another actor while the running one could go on, and
    ``seen`` the number of schedules: 0 where the model itself is wrong, which no run of the driver shows.
    """

    wrong: Wrong
    choices: tuple[int, ...]
    preemptions: int
    seen: int

    def signature(self) -> tuple[str, str]:
        """What two findings of the same defect have in common."""
        return self.wrong.kind, self.wrong.rule


@dataclass(slots=True)
class Explored:
    """What came of a scenario, held against the ``revision``. ``schedules`` were carried out, ``steps`` scheduling
    points passed in all of them, and ``distinct`` runs told apart, whose hash is ``runs_hash``. ``points`` says where
    actors may be switched; a run has ``longest`` of them at most, and ``longest_choices`` choices.

    ``complete``: the algorithm has no other schedule; ``cut``: some were left out for the bound on preemptions.
    ``met`` names, by topic of ``Visited``, what was met; ``sides`` the repairs that were judged from both sides.
    ``outcomes`` are the driver's, hashed; ``model_outcomes`` the model's, None where it was not asked; ``slack`` are
    those of the model that the driver never showed. ``model_complete``: they are all that it has; ``not_judged`` of the
    driver's are none of its, where they are not. ``discoveries`` are what is wrong.
    """

    scenario: Scenario
    image: Path
    effort: Effort
    revision: str = CURRENT
    points: str = _EVERY_ACCESS
    schedules: int = 0
    steps: int = 0
    distinct: int = 0
    longest: int = 0
    longest_choices: int = 0
    complete: bool = False
    cut: bool = False
    outcomes: tuple[str, ...] = ()
    runs_hash: str = ""
    model_outcomes: int | None = None
    model_complete: bool = False
    slack: int | None = None
    not_judged: int = 0
    met: frozenset[tuple[str, str]] = frozenset()
    sides: tuple[str, ...] = ()
    discoveries: list[Discovery] = field(default_factory=list)

    @property
    def exhaustive(self) -> bool:
        """Whether every schedule was taken, without a bound, and the model's outcomes are all there are."""
        return self.complete and not self.cut and (self.model_outcomes is None or self.model_complete)

    @property
    def sees_memory(self) -> bool:
        """Whether every access of the image to memory was seen."""
        return self.points == _EVERY_ACCESS

    def schedule(self, discovery: Discovery) -> Schedule:
        """Return the schedule of the run that shows a discovery."""
        options = tuple(made & 0xFF for made in discovery.choices)
        return make_schedule(
            self.image, self.scenario, options, fault=self.effort.fault, writes=int(bool(self.effort.writes))
        )


def actors_of(scenario: Scenario) -> list[list[Operation]]:
    """Return the operations of each actor."""
    return [[step.operation for step in actor.steps] for actor in scenario.actors]


@contextmanager
def opened(scenario: Scenario, image: Path) -> Iterator[Explorer]:
    """Open an explorer of a scenario.

    Raises ``UsageError`` for a scenario without actors or an image that cannot be used, ``UnavailableError`` where
    there is no host kernel.
    """
    if not scenario.actors:
        raise UsageError("explore: this scenario has no actors, so there is one schedule; add 'actor NAME:' lines")
    try:
        from wintun_sim.kernel.explorer import Explorer
    except ImportError as error:
        raise UnavailableError(f"explore: the host kernel is not built in here ({error})") from error
    with Explorer(
        image,
        order=scenario.order,
        ndis=scenario.ndis,
        setup=[step.operation for step in scenario.setup],
        actors=actors_of(scenario),
        ending=ending_of(scenario),
    ) as explorer:
        broken = [event for event in explorer.setup_events if isinstance(event, RuleBroken)]
        if broken:
            raise UsageError(f"explore: the set-up already breaks a rule: {format_event(broken[0])}; play it by itself")
        yield explorer


def ending_of(scenario: Scenario) -> tuple[Operation, ...]:
    """Return what takes everything down after the actors."""
    return ending(scenario)


_refinements = lru_cache(maxsize=2)(Refinement)


def refinement(scenario: Scenario, revision: str = CURRENT) -> Refinement:
    """Return what judges the runs of a scenario; kept, since what the model can show is found once."""
    return _refinements(scenario, revision)


def keep_refinements() -> None:
    """Keep what judges the runs of any scenario from now on: for who explores the same ones on image after image.

    All of the corpus take 1.3 GB.
    """
    global _refinements
    if _refinements.cache_parameters()["maxsize"] is not None:
        _refinements = lru_cache(maxsize=None)(Refinement)


def wrong_with(
    log: Log, scenario: Scenario, effort: Effort, revision: str = CURRENT, *, ask_model: bool = True
) -> tuple[Wrong, ...]:
    """Say everything that is wrong with one run; without ``ask_model`` all but what the model has to say."""
    if effort.rules_only:
        return tuple(_by_rules(log))
    return refinement(scenario, revision).judge(log, faulted=effort.is_faulted, ask_model=ask_model).wrong


def _by_rules(log: Log) -> Iterator[Wrong]:
    """Say what no driver may do; crashes and hangs are events too."""
    for place, event in enumerate(log.events):
        if isinstance(event, RuleBroken):
            yield Wrong(_DEADLY.get(event.rule, "rule"), event.rule, event.message, place)


def shards_of(scenario: Scenario, image: Path, effort: Effort) -> list[Shard]:
    """Cut an exploration; the same cut for any number of workers."""
    if effort.algorithm in ("random", "pct"):
        return [Shard(scenario, image, effort, first=first) for first in range(0, effort.runs, SHARE)]
    if not effort.shared or effort.algorithm == "reduced" or effort.is_faulted:
        return [Shard(scenario, image, effort)]
    with opened(scenario, image) as explorer:
        prefixes = explorer.shards(SHARD_CHOICES, bound=effort.bound)
    return [Shard(scenario, image, effort, prefix) for prefix in prefixes]


def fault_of(explorer: Explorer, effort: Effort) -> FaultSite | None:
    """Return the call that fails. Raises ``UsageError``, which lists those that may, for a number that none has."""
    if not effort.fault:
        return None
    sites = explorer.fault_sites()
    if effort.fault <= len(sites):
        return sites[effort.fault - 1]
    known = "; ".join(f"{number} {site}" for number, site in enumerate(sites, 1)) or "none"
    raise UsageError(f"explore: no call that may fail has the number {effort.fault}; there are: {known}")


def sites_of(scenario: Scenario, image: Path) -> list[FaultSite]:
    """Return the calls of the driver that may fail and are reached by the actors: in a worker."""
    with opened(scenario, image) as explorer:
        worker.progress.step()
        return explorer.fault_sites()


def strategy_of(effort: Effort, image: Path) -> Strategy:
    """Return what C calls the algorithm. Raises ``UsageError`` for reduction of a plain image."""
    from wintun_sim.kernel.explorer import Strategy

    if effort.algorithm == "reduced" and not can_reduce(image):
        raise UsageError(
            f"explore: reduction has to see every access to memory, and {image.name} is a plain image; take"
            " --strategy depth-first, or an instrumented image"
        )
    return Strategy(effort.algorithm)


def can_reduce(image: Path) -> bool:
    """Tell whether partial-order reduction is possible: it is where every access to memory is seen."""
    from wintun_sim.kernel import builder
    from wintun_sim.kernel.explorer import Strategy

    return builder.kind_of(image) == "instrumented" and "reduced" in {strategy.value for strategy in Strategy}


def explore_shard(shard: Shard, runs: int) -> Exploration:
    """Explore one shard, ``runs`` schedules at most: in a worker, since the image may end the process."""
    effort = shard.effort
    with opened(shard.scenario, shard.image) as explorer:
        worker.progress.step()
        return explorer.explore(
            strategy_of(effort, shard.image),
            bound=effort.bound,
            depth=effort.depth,
            seed=effort.seed,
            first=shard.first,
            runs=runs,
            prefix=shard.prefix,
            fault=fault_of(explorer, effort),
            client_writes=bool(effort.writes),
            progress=_step,
        )


def _step(runs: int, logs: int) -> bool:
    worker.progress.step()
    return False


def explore_whole(shard: Shard, revision: str) -> Explored:
    """Explore and judge a scenario that is not shared out: in a worker."""
    return judge_parts(shard.scenario, shard.image, shard.effort, revision, [explore_shard(shard, shard.effort.runs)])


class Exploring:
    """An exploration under way: ``begin`` hands it out to an executor, ``end`` puts together what came back."""

    def __init__(self, scenario: Scenario, image: Path, effort: Effort, revision: str = CURRENT) -> None:
        self.scenario = scenario
        self.image = image
        self.effort = effort
        self.revision = revision
        self._whole: Future[Explored | Death] | None = None
        self._parts: list[Future[Exploration | Death]] = []
        self._executor: Executor | None = None

    def begin(self, executor: Executor) -> None:
        """Hand out the work."""
        self._executor = executor
        if not self.effort.shared:
            shard = Shard(self.scenario, self.image, self.effort)
            self._whole = executor.submit(isolated, explore_whole, shard, self.revision)
            return
        shards = shards_of(self.scenario, self.image, self.effort)
        share = max(-(-self.effort.runs // len(shards)), 1)
        for shard in shards:
            runs = min(share, self.effort.runs - shard.first)
            self._parts.append(executor.submit(isolated, explore_shard, shard, runs))

    def end(self, watcher: Watcher | None = None) -> Explored:
        """Wait for the work, put it together, and judge it."""
        if self._whole is not None:
            done = self._whole.result()
            return done if isinstance(done, Explored) else self._died([done])
        parts: list[Exploration] = []
        deaths: list[Death] = []
        for number, future in enumerate(self._parts):
            part = future.result()
            if isinstance(part, Death):
                deaths.append(part)
            else:
                parts.append(part)
            if watcher is not None:
                watcher(number + 1, len(self._parts))
        if deaths or self._executor is None:
            return self._died(deaths)
        judged = self._executor.submit(
            isolated, judge_parts, self.scenario, self.image, self.effort, self.revision, parts
        ).result()
        return judged if isinstance(judged, Explored) else self._died([judged])

    def _died(self, deaths: list[Death]) -> Explored:
        """Say that the image ended a process: that is the finding, and what the others saw is not put together."""
        return Explored(
            self.scenario,
            self.image,
            self.effort,
            self.revision,
            discoveries=[_of_death(death) for death in deaths[:1]],
        )


def _of_death(death: Death) -> Discovery:
    what = "schedules did not end in time" if death.kind == "hang" else f"its process ended ({death.reason})"
    return Discovery(Wrong(death.kind, death.reason, f"while it was explored: {what}"), (), 0, 1)


def explore(
    scenario: Scenario,
    image: Path | None,
    effort: Effort,
    executor: Executor,
    *,
    revision: str = CURRENT,
    watcher: Watcher | None = None,
) -> Explored:
    """Explore a scenario on an image (default: the project's own) and judge every distinct run.

    ``executor``: any; ``isolated.team`` opens one with worker processes. Raises what ``opened`` raises.
    """
    exploring = Exploring(scenario, resolved(image), effort, revision)
    exploring.begin(executor)
    return exploring.end(watcher)


def resolved(image: Path | None) -> Path:
    """Return the file of an image: the project's own instrumented one for None."""
    return image if image is not None else native.driver_image(instrumented=True)


def judge_parts(
    scenario: Scenario, image: Path, effort: Effort, revision: str, parts: Sequence[Exploration]
) -> Explored:
    """Put the shards of an exploration together, and judge each distinct run."""
    from wintun_sim.kernel import builder
    from wintun_sim.kernel.explorer import union

    found = union(parts)
    judged = _Judged()
    with worker.beating():
        for log in found.logs:
            judged.add(log, scenario, effort, revision)
        asks = not effort.is_faulted and not effort.rules_only
        model = refinement(scenario, revision).find_all() if asks else None
        unsound = refinement(scenario, revision).unsound() if asks and revision == CURRENT else []
        told_apart = tuple(sides.by_exploring(scenario, refinement(scenario, revision))) if asks else ()
    return Explored(
        scenario,
        image,
        effort,
        revision,
        points=_EVERY_ACCESS if builder.kind_of(image) == "instrumented" else "kernel calls",
        schedules=found.runs,
        steps=found.steps,
        distinct=len(found.logs),
        longest=found.longest,
        longest_choices=found.longest_choices,
        complete=found.complete,
        cut=found.cut,
        outcomes=tuple(sorted(map(_outcome_hash, judged.outcomes | judged.unknown))),
        runs_hash=hashlib.sha256("".join(sorted(map(_digest, found.logs))).encode()).hexdigest(),
        model_outcomes=None if model is None else len(model.outcomes),
        model_complete=model is not None and model.complete,
        slack=None if model is None else sum(outcome not in judged.outcomes for outcome in model.outcomes),
        not_judged=len(judged.unknown),
        met=met_in(found),
        sides=told_apart,
        discoveries=[*judged.best.values(), *(Discovery(wrong, (), 0, 0) for wrong in unsound)],
    )


def met_in(found: Exploration) -> frozenset[tuple[str, str]]:
    """Name what an exploration has met: cells of the transition table, and statuses."""
    cells = (("transitions", name_of_cell(trigger, state)) for trigger, state in found.met)
    return frozenset((*cells, *(("statuses", name) for name in statuses_in(log.events for log in found.logs))))


def _outcome_hash(outcome: Sequences) -> str:
    """Hash an outcome: the same in every process and on every machine."""
    return hashlib.sha256("\n".join(say_outcome(outcome)).encode(errors="backslashreplace")).hexdigest()[:16]


class _Judged:
    """What the distinct runs of a scenario come to."""

    def __init__(self) -> None:
        self.best: dict[tuple[str, str], Discovery] = {}
        self.outcomes: set[Sequences] = set()
        self.unknown: set[Sequences] = set()

    def add(self, log: Log, scenario: Scenario, effort: Effort, revision: str) -> None:
        """Judge one run; of what is wrong alike in it, the first counts."""
        if effort.rules_only:
            wrong = wrong_with(log, scenario, effort)
        else:
            verdict = refinement(scenario, revision).judge(log, faulted=effort.is_faulted)
            wrong = verdict.wrong
            if log.result.value == "quiet":
                (self.outcomes if verdict.is_judged else self.unknown).add(verdict.outcome)
        for each in {(wrong.kind, wrong.rule): wrong for wrong in reversed(wrong)}.values():
            self._note(Discovery(each, log.choices, log.preemptions, log.seen))

    def _note(self, found: Discovery) -> None:
        """Keep the run with the fewest preemptions of each defect, the first of those, and count them all."""
        known = self.best.get(found.signature())
        if known is None:
            self.best[found.signature()] = found
            return
        chosen = found if found.preemptions < known.preemptions else known
        self.best[found.signature()] = Discovery(
            chosen.wrong, chosen.choices, chosen.preemptions, known.seen + found.seen
        )


def _digest(log: Log) -> str:
    """Hash what came of a run: the same in every process and on every machine."""
    text = "\n".join([log.result.value, *map(format_event, log.events), *map(str, log.counters)])
    return hashlib.sha256(text.encode(errors="backslashreplace")).hexdigest()


def to_json(result: Explored) -> dict[str, Any]:
    """Return what came of a scenario as an object that ``json.dumps`` takes."""
    return {
        "algorithm": result.effort.to_json(),
        "points": result.points,
        "schedules": result.schedules,
        "steps": result.steps,
        "distinct": result.distinct,
        "longest": result.longest,
        "complete": result.complete,
        "cut": result.cut,
        "exhaustive": result.exhaustive,
        "runs": result.runs_hash,
        "outcomes": list(result.outcomes),
        "model_outcomes": result.model_outcomes,
        "model_complete": result.model_complete,
        "slack": result.slack,
        "not_judged": result.not_judged,
    }
