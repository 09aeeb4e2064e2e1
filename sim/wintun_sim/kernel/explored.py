"""What exploring finds: how runs are chosen, how they end, what is kept of each, and how shards are put together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum

from wintun_sim.errors import WintunSimError
from wintun_sim.kernel.machine import Fault
from wintun_sim.lifecycle import State, Trigger
from wintun_sim.operations import Counters, Event


class Strategy(Enum):
    """How the schedule of the next run is found."""

    DEPTH_FIRST = "depth-first"
    """One schedule after the other, with ``bound`` preemptions at most; a preemption is the choice of another actor
    while the running one could go on."""
    REDUCED = "reduced"
    """Of the schedules that differ in the order of independent steps only, one, with any number of preemptions (dynamic
    partial-order reduction, Abdulla et al. 2014). Needs instrumented images, and a driver without data races."""
    RANDOM = "random"
    """Each option of each choice with the same odds. Run number i draws from the seed and i alone."""
    PCT = "pct"
    """Priorities that change at ``depth`` - 1 points (probabilistic concurrency testing, Burckhardt et al. 2010): an
    error that needs ``depth`` things to happen in an order shows in each run with the probability
    :func:`pct_bound`."""
    REPLAY = "replay"
    """One run by given choices, and then the first option of each."""


class Result(Enum):
    """How a run ended; in the order of ``enum host_result``."""

    QUIET = "quiet"
    """Everything ended. Pending reads are no actors."""
    BLOCKED = "blocked"
    """An actor waits for what nobody will bring: a RuleBroken named Stuck says who and for what."""
    CRASHED = "crashed"
    """A RuleBroken named Crash says where."""
    EXHAUSTED = "exhausted"
    """No end came within the limit of scheduling points: a RuleBroken named Stuck for each actor that is left."""


@dataclass(frozen=True, slots=True)
class FaultSite:
    """A call of the driver that may fail: of what kind (``fault``), and where in which image (1 is the first)."""

    fault: Fault
    image: int
    place: int
    """In the image's code, as its debugging information counts."""
    where: str = field(compare=False)
    """The function and the line of the source, as far as the image says."""

    def __str__(self) -> str:
        return f"{self.fault.name.lower().replace('_', ' ')} in {self.where}"


Choice = tuple[int, int, int]
"""Its kind (``enum choice_kind``), the number of options, and the option taken."""


class Diverged(WintunSimError):
    """A schedule asks for a choice that the run does not have: it was made for another scenario, image or version."""


@dataclass(frozen=True, slots=True)
class Log:
    """What came of a run, and of all runs that cannot be told from it."""

    events: tuple[Event, ...]
    """In order, the ending's too."""
    counters: tuple[tuple[str, Counters], ...]
    """What each adapter owned when the actors had ended, before the ending."""
    result: Result
    """How the run ended."""
    choices: tuple[int, ...]
    """Of the first run that showed it; see :func:`choice`."""
    seen: int
    """In how many runs."""
    first_run: int
    """The number of the first of them, from 0."""
    points: int
    """The scheduling points of that run, the ending's not counted."""
    preemptions: int
    """How often it chose another actor while the running one could go on."""


@dataclass(slots=True)
class Exploration:
    """What a ``strategy`` found: distinct logs in the order of the first runs that showed them; how much was done."""

    strategy: Strategy
    logs: list[Log] = field(default_factory=list)
    runs: int = 0
    steps: int = 0
    """Scheduling points passed in all runs."""
    complete: bool = False
    """The strategy has no other run. A random one always has."""
    cut: bool = False
    """Runs were left out for the bound, so that ``complete`` holds within it only. Of REDUCED: runs may be missing,
    since there is a data race, or since a run had more actors or dependences than can be followed."""
    longest: int = 0
    """Scheduling points of the longest run."""
    longest_choices: int = 0
    """Choices of the run that had most."""
    actors: int = 0
    """Actors of the run that had most, work items and DPCs included."""
    pruned: int = 0
    """REDUCED: runs beside ``runs`` that were given up on the way, since others show what would come of them."""
    met: frozenset[tuple[Trigger, State]] = frozenset()
    """Which call came in which state of its adapter, receive indications too; endings are not counted."""
    bound: float | None = None
    """PCT: the least probability with which one run shows an error of the depth that was looked for."""

    @property
    def holds(self) -> bool:
        """Whether every run that REDUCED left out shows nothing but what others show. It does not where a data race was
        found, for then accesses that are no scheduling points make a difference; ``cut`` says so too."""
        return self.strategy is not Strategy.REDUCED or not self.cut


def choice(number: int) -> Choice:
    """Take a choice apart: kind (1 actor, 2 fault, 3 host), options, the option taken."""
    return number >> 16, number >> 8 & 0xFF, number & 0xFF


def pct_bound(actors: int, steps: int, depth: int) -> float:
    """Return 1 / (n k^(d-1)) for n actors, k steps and depth d."""
    return 1.0 / (actors * steps ** (depth - 1))  # type: ignore[no-any-return]


def union(parts: Iterable[Exploration]) -> Exploration:
    """Put together what the shards of one exploration found, given in the order of the shards.

    The same logs, each with the choices of the first shard that has it, come of any way to cut it.
    """
    parts = list(parts)
    whole = Exploration(parts[0].strategy, complete=True)
    logs: dict[tuple[object, ...], Log] = {}
    for part in parts:
        for log in part.logs:
            key = (log.events, tuple(getattr(event, "data", b"") for event in log.events), log.counters, log.result)
            known = logs.get(key)
            first, seen = (known, known.seen + log.seen) if known is not None else (log, log.seen)
            run = first.first_run if known is not None else whole.runs + log.first_run
            logs[key] = Log(
                first.events,
                first.counters,
                first.result,
                first.choices,
                seen,
                run,
                first.points,
                first.preemptions,
            )
        whole.runs += part.runs
        whole.steps += part.steps
        whole.complete &= part.complete
        whole.cut |= part.cut
        whole.pruned += part.pruned
        whole.met |= part.met
        whole.longest = max(whole.longest, part.longest)
        whole.longest_choices = max(whole.longest_choices, part.longest_choices)
        whole.actors = max(whole.actors, part.actors)
        if part.bound is not None:
            whole.bound = min(whole.bound or 1.0, part.bound)
    whole.logs = list(logs.values())
    return whole
