"""How many operations a second the judge plays on the model and the driver: walking, walking fast, and by hypothesis'
state machine.

Each plays what it plays in a check, on the driver's instrumented image, in both orders of calls. The fast walk is
measured twice: from nothing, when the model is asked at every turn, and once its automaton is known. Rates are of
processor time, so they are those of one core that does nothing else; ratios are of the same round's rates.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from statistics import median
from typing import Final

from wintun_sim.bench.figure import Figure
from wintun_sim.check import fast_walk
from wintun_sim.check.main import ORDERS, missing_hypothesis
from wintun_sim.check.task import WALK_LENGTH, Task, perform
from wintun_sim.errors import UnavailableError

TARGET: Final = 60.0
"""How many times as fast as the state machine the fast walk has to be, from nothing, over all its operations."""

SLOW_STEPS: Final = 2_000
"""Operations of the walks and of the state machine in a round, in each order; fewer where the fast walk has fewer."""


def measure(rounds: int, steps: int) -> Iterator[Figure]:
    """Yield the figures; ``steps`` are those of the fast walk in a round, in each order.

    Raises ``UnavailableError`` where there is no host kernel, no instrumented image, or no hypothesis.
    """
    if missing_hypothesis():
        raise UnavailableError(f"bench judge: {missing_hypothesis()}; pip install 'wintun-sim[test]' brings it")
    slow_steps = min(SLOW_STEPS, steps)
    rates: dict[str, list[float]] = {}
    for number in range(rounds):
        fast_walk.automaton.cache_clear()
        seed = f"{number}/bench"
        turns = range(0, slow_steps, WALK_LENGTH)
        walks = [Task(order, (6, 80), WALK_LENGTH, f"{seed}/{turn}") for order in ORDERS for turn in turns]
        machines = [Task(order, (6, 80), slow_steps, seed, stateful=True) for order in ORDERS]
        fast = [Task(order, (6, 80), steps, seed, fast=True) for order in ORDERS]
        known = [Task(order, (6, 80), steps, seed, fast=True) for order in ORDERS]
        for name, tasks in (("walk", walks), ("state machine", machines), ("fast walk", fast), ("known", known)):
            rates.setdefault(name, []).append(_rate(tasks))
    slow = rates["state machine"]
    yield Figure("state machine of hypothesis", median(slow), "operations/s")
    yield Figure("walk", median(rates["walk"]), "operations/s")
    yield Figure("fast walk, from nothing", median(rates["fast walk"]), "operations/s")
    yield Figure("fast walk, all known", median(rates["known"]), "operations/s")
    for name, subject, target in (
        ("walk", "walk", None),
        ("fast walk", "fast walk, from nothing", TARGET),
        ("known", "fast walk, all known", None),
    ):
        ratio = median(fast / slow for fast, slow in zip(rates[name], slow, strict=True))
        yield Figure(f"{subject}, against the state machine", ratio, "x", target=target)


def _rate(tasks: list[Task]) -> float:
    """Play tasks; return the operations a second of processor time."""
    start = time.process_time()
    steps = 0
    for task in tasks:
        result = perform(task, None)
        assert result.finding is None, result.finding
        steps += result.steps
    return steps / (time.process_time() - start)
