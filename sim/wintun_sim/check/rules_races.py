"""Random orders of concurrent calls for a driver that is not a Wintun, judged by what holds for every miniport.

The scenarios are those of the corpus, with what is asked of a device left out where the driver has none. Nothing is
known of what such a driver waits for, so schedules are drawn at random, some dozens of each scenario.
"""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Final

from wintun_sim.check.campaign import Campaign, Piece, run_pieces
from wintun_sim.check.corpus import pairs, triples
from wintun_sim.check.effort import Effort
from wintun_sim.operations import Cancel, Create, HandleOperation, Operation
from wintun_sim.scenario import Scenario, Step
from wintun_sim.scenario.scenario import Actor

RUNS: Final = 100
"""Schedules of one scenario."""

DEFAULT_SCHEDULES: Final = 20_000
"""Schedules of one check; a few seconds."""


def rules_pieces(seed: int, *, has_device: bool) -> list[Piece]:
    """Return the scenarios that make sense for any miniport, in an order that the seed determines."""
    chosen = [*pairs(), *triples()]
    Random(f"{seed}/rules").shuffle(chosen)
    seen: set[Scenario] = set()
    found: list[Piece] = []
    for scenario in chosen:
        fitting = scenario if has_device else _without_device(scenario)
        if fitting is None or replace(fitting, title="") in seen:
            continue
        seen.add(replace(fitting, title=""))
        found.append(Piece(fitting, Effort("random", runs=RUNS, seed=seed, rules_only=True)))
    return found


def _without_device(scenario: Scenario) -> Scenario | None:
    """Leave out what is asked of a device; None where fewer than two actors remain."""
    actors = tuple(Actor(actor.name, left) for actor in scenario.actors if (left := _of_ndis(actor.steps)))
    return replace(scenario, setup=_of_ndis(scenario.setup), actors=actors) if len(actors) > 1 else None


def _of_ndis(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    return tuple(step for step in steps if not _is_of_device(step.operation))


def _is_of_device(operation: Operation) -> bool:
    return isinstance(operation, (Create, HandleOperation, Cancel))


def explore_by_rules(image: Path, executor: Executor, *, seed: int, schedules: int, has_device: bool) -> Campaign:
    """Explore as many scenarios as the budget allows."""
    return run_pieces(rules_pieces(seed, has_device=has_device), image, executor, schedules)
