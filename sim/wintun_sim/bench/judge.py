"""How many operations a second the judge plays on the model and the driver: walking, walking fast, and by hypothesis'
state machine.

Each plays what it plays in a check, on the driver's instrumented image, in both orders of calls. The fast walk begins
with nothing and has to ask the model for each answer once, so it is measured twice: at first, and as it goes on. Rates
are of processor time, so they are those of one core that does nothing else; ratios are of the same round's rates.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from statistics import median
from typing import Final

from wintun_sim.bench.figure import Figure
from wintun_sim.check.fast_walk import LENGTH, FastWalk, seldom_collecting
from wintun_sim.check.main import ORDERS, missing_hypothesis
from wintun_sim.check.task import WALK_LENGTH, Task, perform
from wintun_sim.errors import UnavailableError, WintunSimError

TARGET: Final = 60.0
"""How many times as fast as the state machine the fast walk has to be as it goes on."""

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
        seed = f"{number}/bench"
        turns = range(0, slow_steps, WALK_LENGTH)
        walks = [Task(order, (6, 80), WALK_LENGTH, f"{seed}/{turn}") for order in ORDERS for turn in turns]
        machines = [Task(order, (6, 80), slow_steps, seed, stateful=True) for order in ORDERS]
        rates.setdefault("walk", []).append(_rate(walks))
        rates.setdefault("state machine", []).append(_rate(machines))
        with seldom_collecting(), ExitStack() as stack:
            fast = [stack.enter_context(closing(FastWalk(None, order, (6, 80), seed))) for order in ORDERS]
            rates.setdefault("fast walk, at first", []).append(_fast_rate(fast, steps))
            rates.setdefault("fast walk, further on", []).append(_fast_rate(fast, steps))
    slow = rates["state machine"]
    yield Figure("state machine of hypothesis", median(slow), "operations/s")
    yield Figure("walk", median(rates["walk"]), "operations/s")
    for name in ("fast walk, at first", "fast walk, further on"):
        yield Figure(name, median(rates[name]), "operations/s")
    for name, target in (("walk", None), ("fast walk, at first", None), ("fast walk, further on", TARGET)):
        ratio = median(fast / slow for fast, slow in zip(rates[name], slow, strict=True))
        yield Figure(f"{name}, against the state machine", ratio, "x", target=target)


def _fast_rate(walks: list[FastWalk], steps: int) -> float:
    """Let each walk go on for so many operations; return the operations a second of processor time."""
    start = time.process_time()
    done = 0
    for walk in walks:
        for _ in range(0, steps, LENGTH):
            stretch = walk.draw(LENGTH)
            if not walk.agrees(stretch):
                raise WintunSimError("bench: the driver does not do what the model does: see wintun-sim check")
            done += len(stretch.letters)
    return done / (time.process_time() - start)


def _rate(tasks: list[Task]) -> float:
    """Play tasks; return the operations a second of processor time."""
    start = time.process_time()
    steps = 0
    for task in tasks:
        result = perform(task, None)
        assert result.finding is None, result.finding
        steps += result.steps
    return steps / (time.process_time() - start)
