"""Judges one image as ``wintun-sim check`` does, cheapest first, and stops at the first finding.

All of it runs in a worker, whose process may die of the image; that is a finding too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Final

from wintun_sim import native
from wintun_sim.check.campaign import pieces
from wintun_sim.check.explore import Shard, explore_whole
from wintun_sim.check.machines import CURRENT
from wintun_sim.check.main import plan
from wintun_sim.check.task import Task, perform
from wintun_sim.check.worker import Worker, WorkerDied
from wintun_sim.scenario import Scenario, load, shipped
from wintun_sim.scenario.scenario import VERSIONS

SEED: Final = 1
STEPS: Final = 6_000
"""Operations of the random walks; a check by default plays many times as many."""

SCHEDULES: Final = 100
"""Schedules of each concurrent scenario; a check by default has more."""

PATIENCE: Final = 40.0
"""Seconds of a mutant's standing still; the host's own watchdog counts in processor time and comes first."""


@cache
def tasks() -> tuple[Task, ...]:
    """Return what is played on an image."""
    return tasks_of({name: load(path) for name, path in shipped().items()})


def tasks_of(scenarios: Mapping[str, Scenario]) -> tuple[Task, ...]:
    """Return scenarios, the shortest first and once with each version of NDIS, and then walks."""
    first = plan(SEED, 0, {}, scenarios)
    first.sort(key=lambda task: sum(1 for _ in task.scenario.operations()) if task.scenario else 0)
    versions = [
        Task(task.order, version, 0, name=task.name, scenario=task.scenario)
        for version in VERSIONS[:-1]
        for task in first
        if task.name == "lifecycle"
    ]
    return (*first, *versions, *plan(SEED, STEPS, {}))


def judge(image: Path) -> str:
    """Return what is found first, in few words; nothing if nothing is."""
    for stage in (played, short):
        found = stage(image)
        if found:
            return found
    return ""


def played(image: Path) -> str:
    """Hold the image against the model."""
    for task in tasks():
        finding = perform(task, image).finding
        if finding is not None:
            return f"{task.kind} {task.name}".strip() + f": {finding.kind} {finding.rule}"
    return ""


def short(image: Path) -> str:
    """Let each thing that Windows gives the driver be missing once: the tests of that, with this image."""
    import pytest

    failed: list[str] = []

    class Listener:
        def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
            if report.failed:
                failed.append(report.nodeid.rpartition("::")[2])

    def mutant(instrumented: bool = False) -> Path:
        return image

    original = native.driver_image
    native.driver_image = mutant
    try:
        file = Path(__file__).parents[1] / "driver" / "test_failures.py"
        words = [str(file), "-x", "-q", "--no-header", "-p", "no:cacheprovider", "-W", "ignore"]
        status = pytest.main(words, plugins=[Listener()])
    finally:
        native.driver_image = original
    if status not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        raise RuntimeError(f"the tests of shortages could not be run: {status!r}")
    return f"shortage: {failed[0]}" if failed else ""


def explored(image: Path, most: int | None = None) -> str:
    """Explore the corpus of concurrent scenarios, or ``most`` of them, each with a few schedules; say what is found."""
    for piece in pieces(SEED, image, deep=False, schedules=100 * SCHEDULES)[:most]:
        shard = Shard(piece.scenario, image, replace(piece.effort, runs=SCHEDULES))
        discoveries = explore_whole(shard, CURRENT).discoveries
        if discoveries:
            return f"explored: {' '.join(discoveries[0].signature())}"
    return ""


class Judges:
    """A worker that judges image after image."""

    def __init__(self) -> None:
        self.worker = Worker(PATIENCE)

    def __call__(self, image: Path, *, explore: bool) -> str:
        """Return what is found first, by exploring too if wanted; nothing if nothing is.

        Raises ``WorkerDied`` where the worker cannot work.
        """
        try:
            found = self.worker.call(judge, image)
            return self.worker.call(explored, image) if explore and not found else found
        except WorkerDied as death:
            if death.reason.startswith("exit status"):
                raise  # nothing that a driver does ends the process like that
            return f"{death.kind}: {death.reason}"

    def close(self) -> None:
        """End the worker."""
        self.worker.close()


def words(found: str) -> Iterator[str]:
    """Give the stage of a finding and its kind."""
    stage, _, kind = found.partition(": ")
    yield stage.partition(" ")[0]
    yield kind.partition(" ")[0]
