"""How many schedules of the driver's a second are run, what a scheduling point costs, what partial-order reduction
leaves out, and what a second worker brings.

What is explored: two clients, each of which reads and writes at once, while the stack sends; then three handles are
cleaned up and closed. That are ten requests and about fifty scheduling points, in the world of an adapter that runs. A
run is whole: the world is brought back, the actors run under random choices, the ending is done, and the log is looked
up among those seen before. Rates are of processor time, so they are those of one core that does nothing else.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from statistics import median
from typing import Final

from wintun_sim import bundle, native
from wintun_sim.bench.driver import packet_of
from wintun_sim.bench.figure import Figure
from wintun_sim.errors import WintunSimError
from wintun_sim.kernel.explorer import Explorer, Strategy
from wintun_sim.operations import (
    Cleanup,
    Close,
    Create,
    Initialize,
    IrpCompleted,
    Load,
    Nbl,
    Operation,
    Read,
    Restart,
    Send,
    Write,
)

PLAIN_TARGET: Final = 150_000.0  # runs a second
INSTRUMENTED_TARGET: Final = 30_000.0
POINT_TARGET: Final = 0.25  # of swapcontext
WORKERS_TARGET: Final = 1.9  # times as fast as one
REQUESTS: Final = 10
POINTS: Final = 1_000_000  # that are timed at once

_PACKET: Final = packet_of(64)
_WRITTEN: Final = bundle.encode([_PACKET])
_HANDLES: Final = ("one", "two", "three")
SETUP: Final[tuple[Operation, ...]] = (
    Load(name="driver"),
    Initialize(name="adapter"),
    Restart(name="restart"),
    *(Create(name=name) for name in _HANDLES),
)
ACTORS: Final[tuple[tuple[Operation, ...], ...]] = (
    (Read(name="read", handle="one", length=65_536), Write(name="write", handle="one", data=_WRITTEN)),
    (
        Read(name="other read", handle="two", length=65_536),
        Write(name="other write", handle="two", data=_WRITTEN),
        Send(name="send", nbls=(Nbl((_PACKET,)),)),
    ),
)
ENDING: Final[tuple[Operation, ...]] = tuple(
    operation
    for name in _HANDLES
    for operation in (Cleanup(name=f"cleanup {name}", handle=name), Close(name=f"close {name}", handle=name))
)


def measure(rounds: int, runs: int) -> Iterator[Figure]:
    """Yield one figure after the other: medians over ``rounds``, each of ``runs`` runs. Raises ``WintunSimError`` when
    the driver does not do what is measured."""
    with _explorer(instrumented=False) as plain, _explorer(instrumented=True) as instrumented:
        points = _look(plain, runs)
        rates: dict[str, list[float]] = {"plain": [], "instrumented": []}
        for _ in range(rounds):
            rates["plain"].append(_rate(plain, runs))
            rates["instrumented"].append(_rate(instrumented, runs))
        yield Figure("whole runs, plain image", median(rates["plain"]), "runs/s", target=PLAIN_TARGET)
        yield Figure(
            "whole runs, instrumented image", median(rates["instrumented"]), "runs/s", target=INSTRUMENTED_TARGET
        )
        yield Figure("scheduling points in a run", points, "points")
        yield from _points(plain, rounds)
    yield _workers(rounds, runs)


def _explorer(*, instrumented: bool) -> Explorer:
    image = native.driver_image(instrumented=instrumented)
    return Explorer(image, order="raw", setup=SETUP, actors=ACTORS, ending=ENDING)


def _look(explorer: Explorer, runs: int) -> float:
    """Make sure that all requests come back in each run; return the scheduling points that a run has on average."""
    found = explorer.explore(Strategy.RANDOM, runs=runs)
    for log in found.logs:
        if sum(isinstance(event, IrpCompleted) for event in log.events) != REQUESTS:
            raise WintunSimError("bench: not every request came back: find out more with wintun-sim check")
    return found.steps / found.runs


def _rate(explorer: Explorer, runs: int) -> float:
    """Return runs of one second of processor time."""
    start = time.process_time_ns()
    explorer.count(Strategy.RANDOM, runs=runs)
    return runs * 1e9 / (time.process_time_ns() - start)


def _points(explorer: Explorer, rounds: int) -> Iterator[Figure]:
    """Yield what a scheduling point takes, alone and in relation to a swapcontext beside it."""
    ffi, lib = native.load(native.HOST)
    options = ffi.new("struct host_options *", {"ndis_major": 6, "ndis_minor": 80})
    host = lib.host_create(options, ffi.new("char[]", 512), 512)
    try:
        nanoseconds, ratios = [], []
        for _ in range(rounds):
            point = _time(lambda: lib.host_bench_points(host, POINTS)) / POINTS
            ratios.append(point * POINTS / _time(lambda: lib.host_bench_switches(POINTS)))
            nanoseconds.append(point)
    finally:
        lib.host_destroy(host)
    yield Figure("a scheduling point with two to choose from", median(nanoseconds), "ns")
    yield Figure("a scheduling point against swapcontext", median(ratios), "times", "at most", POINT_TARGET)


def _time(call: Callable[[], object]) -> int:
    start = time.process_time_ns()
    call()
    return time.process_time_ns() - start


def _workers(rounds: int, runs: int) -> Figure:
    """Compare two processes with one, by the clock: each makes the same number of runs."""
    context = get_context("spawn")
    with ProcessPoolExecutor(1, context) as one, ProcessPoolExecutor(1, context) as other:
        for future in [pool.submit(_work, runs) for pool in (one, other)]:
            future.result()
        ratios = []
        for _ in range(rounds):
            start = time.perf_counter_ns()
            one.submit(_work, runs).result()
            alone = time.perf_counter_ns() - start
            start = time.perf_counter_ns()
            for future in [pool.submit(_work, runs) for pool in (one, other)]:
                future.result()
            ratios.append(2 * alone / (time.perf_counter_ns() - start))
    return Figure("two workers against one", median(ratios), "times", target=WORKERS_TARGET)


_own: list[Explorer] = []


def _work(runs: int) -> None:
    if not _own:
        _own.append(_explorer(instrumented=False))
    _own[0].count(Strategy.RANDOM, runs=runs)
