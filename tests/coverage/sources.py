"""What is played while lines and branches are counted. Nothing is judged here: that is for the tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Final

from tests.coverage.counts import Counts
from tests.coverage.machine import CountingMachine
from tests.model.test_races import HALT, LARGEST, OPENED, PAUSE, RUNNING, SETUPS, read, send
from tests.model.test_space import CALLS, may_overlap
from tests.model.world import bundle, ipv4, nbl
from wintun_sim.check.main import plan
from wintun_sim.check.task import draw
from wintun_sim.kernel import Fault
from wintun_sim.operations import Create, Operation, Restart, Send, Shutdown, Write
from wintun_sim.scenario import load, shipped
from wintun_sim.scenario.scenario import VERSIONS

SEED: Final = 1
STEPS: Final = 20_000
"""Operations of the random walk."""

SCHEDULES: Final = 10
"""Random schedules of each pair of calls."""

MANY_SCHEDULES: Final = 400
"""Random schedules of each of RACES, which have to meet at one point."""

FLOOD: Final = Send(
    name="flood", adapter="a", nbls=(nbl(ipv4(), LARGEST), *(nbl(ipv4(mark=mark)) for mark in range(2, 1001)))
)
"""Fills the send queue, with an NBL of two packets at its head that do not fit into one read."""

SHUTDOWN: Final = Shutdown(name="down", adapter="a")
WRITE: Final = Write(name="w", handle="h1", data=bundle(ipv4(28, 1), ipv4(28, 2)))

RACES: Final[Sequence[tuple[Sequence[Operation], Sequence[Sequence[Operation]]]]] = (
    # A request finds the adapter, and that it must not come in any more.
    (OPENED, [[HALT], [Create(name="h2", adapter="a")], [Create(name="h3", adapter="a")]]),
    (OPENED, [[HALT], [read()]]),
    # A client opens the device while another one's link is indicated.
    (RUNNING, [[Create(name="h1", adapter="a")], [Create(name="h2", adapter="a")]]),
    # A send finds the queue full, and somebody at its head.
    ([*OPENED, FLOOD], [[read()], [send(2)]]),
    # The packet that a read takes is the last one that a pause waits for.
    ([*OPENED, send()], [[read()], [PAUSE]]),
    # The machine is switched off in the middle of a pause or a restart.
    (OPENED, [[PAUSE], [WRITE], [SHUTDOWN]]),
    ([*OPENED, PAUSE], [[Restart(name="again", adapter="a")], [SHUTDOWN]]),
)
"""What no pair of calls meets, or only by a rare chance: a set-up, and what each actor does then."""

OLD_NDIS: Final = (6, 1)
"""A version older than those that the driver knows."""

Source = Callable[[Path, Counts], None]


def play_scenarios(image: Path, counts: Counts) -> None:
    """Play each scenario that ships, with each version of NDIS."""
    for path in shipped().values():
        scenario = load(path)
        for ndis in VERSIONS:
            _play(CountingMachine(image, counts, order=scenario.order, ndis=ndis), scenario.operations())


def walk(image: Path, counts: Counts) -> None:
    """Walk at random, as `wintun-sim check` does."""
    for task in plan(SEED, STEPS, {}):
        machine = CountingMachine(image, counts, order=task.order, ndis=task.ndis)
        _play(machine, draw(task, machine.ledger))


def race(image: Path, counts: Counts) -> None:
    """Play calls at once, from a few states: each pair that may overlap, as the tests of the races do, and RACES."""
    for setup in SETUPS.values():
        pairs = [pair for pair in combinations(CALLS, 2) if may_overlap(setup, *pair)]
        _race(image, counts, setup, [[[call] for call in pair] for pair in pairs], SCHEDULES)
    for before, actors in RACES:
        _race(image, counts, before, [actors], MANY_SCHEDULES)


def _race(
    image: Path, counts: Counts, setup: Sequence[Operation], races: Sequence[Sequence[Sequence[Operation]]], times: int
) -> None:
    machine = CountingMachine(image, counts, order="raw", seed=SEED)
    for operation in setup:
        machine.perform(operation)
    machine.snapshot()
    for actors in races:
        for _ in range(times):
            machine.restore()
            machine.play(actors)
    machine.close()


def run_short(image: Path, counts: Counts) -> None:
    """Let each thing that Windows gives the driver be missing once; and be older than the driver."""
    life = [*OPENED, read(), WRITE]
    for fault in Fault:
        for after in range(2):
            machine = CountingMachine(image, counts)
            machine.inject(fault, after=after)
            _play(machine, life)
    _play(CountingMachine(image, counts, ndis=OLD_NDIS), life[:1])


def _play(machine: CountingMachine, operations: Iterator[Operation] | Sequence[Operation]) -> None:
    try:
        for operation in operations:
            machine.perform(operation)
    finally:
        machine.close()


SOURCES: Final[Mapping[str, Source]] = {
    "scenarios": play_scenarios,
    "walk": walk,
    "races": race,
    "shortages": run_short,
}
