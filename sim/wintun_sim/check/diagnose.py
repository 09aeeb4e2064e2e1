"""From a finding to what a person needs: the smallest scenario and schedule that show it, its depth, and its odds.

Operations and actors are taken away as long as exploring what is left, within a small budget, still finds the same
(the order of attempts is that of ``shrink``). Then the schedule: exploring with no preemption, with one, with two, …
gives the fewest that show the finding, which is its depth; and of the choices left, each that can be taken back is.
How likely chance would have been to find it is counted, not guessed: so many of so many schedules, drawn evenly or by
PCT, whose guarantee (1 in n·k^(d-1), for n actors, k steps and depth d; Burckhardt, Kothari, Musuvathi and Nagarakatte,
"A randomized scheduler with probabilistic guarantees of finding bugs", ASPLOS 2010) stands beside.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from wintun_sim.check import worker
from wintun_sim.check.effort import Effort
from wintun_sim.check.explain import Teller
from wintun_sim.check.explore import Discovery, ending_of, fault_of, opened, wrong_with
from wintun_sim.check.record import Wrong
from wintun_sim.check.shrink import shrink
from wintun_sim.errors import UsageError, WintunSimError
from wintun_sim.kernel.lines import lines_of
from wintun_sim.operations import Operation
from wintun_sim.scenario import Scenario
from wintun_sim.scenario.names import check_operations
from wintun_sim.scenario.scenario import Actor, Step
from wintun_sim.trace.schedule import make_schedule

if TYPE_CHECKING:
    from wintun_sim.kernel.explorer import Exploration, Explorer, Log

CANDIDATE_RUNS: Final = 2_000
"""Schedules that are tried to find a finding again in a smaller scenario."""

SHRINK_BUDGET: Final = 3_000
"""Operations of all smaller scenarios together that are tried, as ``shrink`` counts them."""

DEPTH_RUNS: Final = 100_000
"""Schedules that are tried with each number of preemptions to find the depth."""

ODDS_RUNS: Final = 2_000
"""Schedules that are drawn to see how often chance finds it."""

MOST_PREEMPTIONS: Final = 6


@dataclass(frozen=True, slots=True)
class Odds:
    """How often drawn schedules showed a finding: ``hits`` of ``runs``."""

    algorithm: str
    hits: int
    runs: int
    guarantee: int | None = None
    """PCT promises at least one hit in so many schedules."""

    def __str__(self) -> str:
        """Say it in a few words."""
        promise = "" if self.guarantee is None else f" (guaranteed: 1 in {self.guarantee:,})"
        return f"{self.algorithm}: {self.hits:,} of {self.runs:,} schedules{promise}"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """A finding on the smallest scenario that shows it.

    ``depth`` is the fewest preemptions, ``depth_proved`` whether all schedules with fewer were tried. ``schedule``
    replays it on ``scenario``; empty where the image ended the process. ``picture`` are the lines that explain it.
    """

    wrong: Wrong
    scenario: Scenario
    schedule: str
    depth: int
    depth_proved: bool
    minimal: bool
    odds: tuple[Odds, ...]
    picture: tuple[str, ...]
    switches: int


def diagnose(scenario: Scenario, image: Path, effort: Effort, found: Discovery, revision: str) -> Diagnosis:
    """Shrink a finding, and say what there is to say of it: in a worker, since the image may end the process."""
    with worker.beating():
        return _Diagnoser(image, effort, found, revision).run(scenario)


class _Diagnoser:
    def __init__(self, image: Path, effort: Effort, found: Discovery, revision: str) -> None:
        self.image = image
        self.effort = effort
        self.found = found
        self.revision = revision
        self.else_: dict[str, Any] = {}
        """What is special about the runs beside their order: numbers of sites change as a scenario shrinks."""

    def run(self, scenario: Scenario) -> Diagnosis:
        with opened(scenario, self.image) as explorer:
            fault = fault_of(explorer, self.effort)
        self.else_ = {"fault": fault, "client_writes": bool(self.effort.writes)}
        small, complete = self._smallest(scenario)
        with opened(small, self.image) as explorer:
            log, depth, proved = self._shallowest(explorer, small)
            if log is None:
                small, complete = scenario, False
                return self._unshrunk(scenario)
            choices = self._fewest(explorer, small, [made & 0xFF for made in log.choices])
            return self._tell(explorer, small, choices, depth, proved, complete)

    # Finding it again

    def _in(self, log: Log, scenario: Scenario) -> Wrong | None:
        wanted = self.found.signature()
        wrong = wrong_with(log, scenario, self.effort, self.revision, ask_model=wanted[0] == "outcome")
        return next((w for w in wrong if (w.kind, w.rule) == wanted), None)

    def _first(self, found: Exploration, scenario: Scenario) -> Log | None:
        logs = [log for log in found.logs if self._in(log, scenario) is not None]
        return min(logs, key=lambda log: (log.preemptions, _switches(log), log.first_run), default=None)

    def _shows(self, scenario: Scenario) -> bool:
        """Whether a small budget finds it: few preemptions first, then chance."""
        from wintun_sim.kernel.explorer import Strategy

        worker.progress.step()
        try:
            with opened(scenario, self.image) as explorer:
                bound = min(self.found.preemptions, 2)
                found = explorer.explore(Strategy.DEPTH_FIRST, bound=bound, runs=CANDIDATE_RUNS, **self.else_)
                if self._first(found, scenario) is None and not found.complete | (self.found.preemptions > bound):
                    found = explorer.explore(Strategy.RANDOM, runs=CANDIDATE_RUNS, seed=1, **self.else_)
                return self._first(found, scenario) is not None
        except WintunSimError:  # what is left makes no scenario any more
            return False

    # Smaller

    def _smallest(self, scenario: Scenario) -> tuple[Scenario, bool]:
        if not self._shows(scenario):
            return scenario, False
        for actor in scenario.actors:
            fewer = _without(scenario, {step.operation.name for step in actor.steps})
            if fewer is not None and self._shows(fewer):
                scenario = fewer
        whole = scenario

        def still(operations: Sequence[Operation]) -> bool:
            candidate = _rebuilt(whole, operations)
            return candidate is not None and self._shows(candidate)

        shrunk = shrink(list(scenario.operations()), still, SHRINK_BUDGET)
        return _rebuilt(whole, shrunk.operations) or whole, shrunk.complete

    def _shallowest(self, explorer: Explorer, scenario: Scenario) -> tuple[Log | None, int, bool]:
        """Find a run with the fewest preemptions; return it, their number, and whether fewer were ruled out."""
        from wintun_sim.kernel.explorer import Strategy

        proved = True
        for bound in range(MOST_PREEMPTIONS + 1):
            worker.progress.step()
            found = explorer.explore(Strategy.DEPTH_FIRST, bound=bound, runs=DEPTH_RUNS, **self.else_)
            log = self._first(found, scenario)
            if log is not None:
                return log, log.preemptions, proved
            proved &= found.complete
            if found.complete and not found.cut:
                break
        found = explorer.explore(Strategy.RANDOM, runs=DEPTH_RUNS, seed=self.effort.seed, **self.else_)
        log = self._first(found, scenario)
        return log, 0 if log is None else log.preemptions, False

    def _fewest(self, explorer: Explorer, scenario: Scenario, choices: list[int]) -> list[int]:
        """Take back every choice that can be taken back, the last ones first."""
        for place in reversed(range(len(choices))):
            if choices[place] == 0:
                continue
            fewer = [*choices[:place], 0, *choices[place + 1 :]]
            log = self._replayed(explorer, fewer)
            if log is not None and self._in(log, scenario) is not None:
                choices = [made & 0xFF for made in log.choices]
        return choices

    def _replayed(self, explorer: Explorer, choices: Sequence[int]) -> Log | None:
        from wintun_sim.kernel.explorer import Diverged, Strategy

        last = max((place for place, option in enumerate(choices) if option), default=-1)
        try:
            return explorer.explore(Strategy.REPLAY, choices=choices[: last + 1], **self.else_).logs[0]
        except Diverged:
            return None

    # Telling

    def _tell(
        self,
        explorer: Explorer,
        scenario: Scenario,
        choices: list[int],
        depth: int,
        proved: bool,
        complete: bool,
    ) -> Diagnosis:
        odds = tuple(self._odds(explorer, scenario, depth))
        log, arrivals = explorer.watch(choices, **self.else_)
        wrong = self._in(log, scenario) or self.found.wrong
        lines = lines_of(self.image)
        teller = Teller(scenario, arrivals, choices, log.events, lines, ending_of(scenario))
        fault = explorer.fault_sites().index(self.else_["fault"]) + 1 if self.effort.fault else 0
        schedule = make_schedule(self.image, scenario, choices, fault=fault, writes=self.effort.writes)
        return Diagnosis(
            replace(wrong, message=lines.explain(wrong.message)),
            scenario,
            str(schedule),
            log.preemptions if not proved else depth,
            proved,
            complete,
            odds,
            tuple(teller.tell()),
            sum(map(bool, choices)),
        )

    def _unshrunk(self, scenario: Scenario) -> Diagnosis:
        return Diagnosis(self.found.wrong, scenario, "", self.found.preemptions, False, False, (), (), 0)

    def _odds(self, explorer: Explorer, scenario: Scenario, depth: int) -> Iterator[Odds]:
        from wintun_sim.kernel.explorer import PCT_DEPTH, Strategy

        found = explorer.explore(Strategy.RANDOM, runs=ODDS_RUNS, seed=self.effort.seed, **self.else_)
        yield Odds("random", self._hits(found, scenario), found.runs)
        wanted = min(depth + 1, PCT_DEPTH)  # each preemption is one ordering that must be got right
        found = explorer.explore(Strategy.PCT, depth=wanted, runs=ODDS_RUNS, seed=self.effort.seed, **self.else_)
        hits = self._hits(found, scenario)
        yield Odds(f"PCT of depth {wanted}", hits, found.runs, round(1 / found.bound) if found.bound else None)

    def _hits(self, found: Exploration, scenario: Scenario) -> int:
        return sum(log.seen for log in found.logs if self._in(log, scenario) is not None)


def _switches(log: Log) -> int:
    """Count the choices that were not option 0."""
    return sum(made & 0xFF != 0 for made in log.choices)


def _without(scenario: Scenario, names: set[str]) -> Scenario | None:
    return _rebuilt(scenario, [operation for operation in scenario.operations() if operation.name not in names])


def _rebuilt(scenario: Scenario, operations: Sequence[Operation]) -> Scenario | None:
    """Return the scenario with these operations alone, each where it was; None where one needs another that is gone."""
    kept = {operation.name: operation for operation in operations}
    if not check_operations(operations):
        return None

    def steps(old: Sequence[Step]) -> tuple[Step, ...]:
        return tuple(Step(kept[step.operation.name]) for step in old if step.operation.name in kept)

    actors = tuple(Actor(actor.name, left) for actor in scenario.actors if (left := steps(actor.steps)))
    return replace(scenario, setup=steps(scenario.setup), actors=actors) if actors else None


def replay(scenario: Scenario, image: Path, options: Sequence[int], effort: Effort, revision: str) -> Replayed:
    """Replay a schedule exactly, and judge what came of it. Raises ``UsageError`` where the run went another way."""
    from wintun_sim.kernel.explorer import Diverged

    with opened(scenario, image) as explorer:
        try:
            log, arrivals = explorer.watch(options, fault=fault_of(explorer, effort), client_writes=bool(effort.writes))
        except Diverged as error:
            raise UsageError(f"{error}, or was found by another version of wintun-sim") from None
        if [made & 0xFF for made in log.choices] != list(options):
            raise UsageError(
                f"replay: the run made {len(log.choices)} choices, and the schedule has {len(options)}: it was found"
                " by another version of wintun-sim; explore the scenario again"
            )
    lines = lines_of(image)
    teller = Teller(scenario, arrivals, options, log.events, lines, ending_of(scenario))
    wrong = [replace(w, message=lines.explain(w.message)) for w in wrong_with(log, scenario, effort, revision)]
    return Replayed(tuple(wrong), tuple(teller.tell()), log.result.value, teller.last_switch())


@dataclass(frozen=True, slots=True)
class Replayed:
    """One run: what was wrong with it, and the lines that tell it.

    ``stop`` is the line of the source where a debugger stops if no event shows what is wrong: where an actor had to
    stand still last.
    """

    wrong: tuple[Wrong, ...]
    picture: tuple[str, ...]
    result: str
    stop: str
