"""Explores a scenario, and explains what it finds: what ``wintun-sim run --explore`` does."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from pathlib import Path

from wintun_sim.check.diagnose import Diagnosis, diagnose
from wintun_sim.check.effort import Effort
from wintun_sim.check.explore import Discovery, Explored, Exploring, Watcher, resolved
from wintun_sim.check.explore_report import MOST_SHOWN, ExploreReport, Race
from wintun_sim.check.isolated import Death, isolated
from wintun_sim.check.machines import CURRENT
from wintun_sim.scenario import Scenario

_KINDS = ("race", "rule", "crash", "hang", "completion", "order")


def explore_and_explain(
    name: str,
    scenario: Scenario,
    image: Path | None,
    effort: Effort,
    executor: Executor,
    *,
    seed: int,
    revision: str = CURRENT,
    watcher: Watcher | None = None,
) -> ExploreReport:
    """Explore a scenario and explain what is found, ``MOST_SHOWN`` findings at most.

    Raises what ``explore.opened`` raises.
    """
    exploring = Exploring(scenario, resolved(image), effort, revision)
    exploring.begin(executor)
    explored = exploring.end(watcher)
    explored.discoveries.sort(key=weight)
    shown = [(explored, discovery) for discovery in explored.discoveries[:MOST_SHOWN]]
    return ExploreReport(name, seed, explored, explain(shown, image, executor, name))


def explain(
    found: Sequence[tuple[Explored, Discovery]], image: Path | None, executor: Executor, name: str = ""
) -> list[Race]:
    """Shrink and explain findings; ``name`` is what their scenario is called, where that is not its title.

    What is wrong with the model itself no schedule shows, so there is nothing to shrink.
    """
    futures = [
        executor.submit(
            isolated, diagnose, explored.scenario, explored.image, explored.effort, discovery, explored.revision
        )
        if discovery.seen
        else None
        for explored, discovery in found
    ]
    races = []
    for (explored, discovery), future in zip(found, futures, strict=True):
        diagnosis = None if future is None else future.result()
        if diagnosis is None or isinstance(diagnosis, Death):
            diagnosis = _unexplained(explored, discovery)
        source = name or explored.scenario.title
        races.append(Race(source, discovery, diagnosis, image, explored.revision, explored.effort))
    return races


def weight(found: Discovery) -> tuple[int, int, int, str]:
    """Order findings: first what is simple, and what says most: few preemptions, a rule's name, many schedules."""
    kind = _KINDS.index(found.wrong.kind) if found.wrong.kind in _KINDS else len(_KINDS)
    return found.preemptions, kind, -found.seen, found.wrong.rule


def _unexplained(explored: Explored, found: Discovery) -> Diagnosis:
    schedule = str(explored.schedule(found)) if found.choices else ""
    return Diagnosis(found.wrong, explored.scenario, schedule, found.preemptions, False, False, (), (), 0)
