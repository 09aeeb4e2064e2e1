"""Judges one image as ``wintun-sim check`` does, what finds most for its price first, and stops at the first finding.

All of it runs in a worker, whose process may die of the image; that is a finding too. What the model can show in a
concurrent scenario does not depend on the image and is the dearest part of exploring, so each worker keeps it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Final

from wintun_sim import native
from wintun_sim.check.campaign import MOST_RUNS, pieces
from wintun_sim.check.corpus import stories
from wintun_sim.check.effort import Effort
from wintun_sim.check.explore import Shard, explore_whole, keep_refinements, sites_of
from wintun_sim.check.machines import CURRENT
from wintun_sim.check.main import plan
from wintun_sim.check.task import Task, perform
from wintun_sim.check.worker import Worker, WorkerDied
from wintun_sim.errors import UsageError
from wintun_sim.operations import Write
from wintun_sim.scenario import Scenario, load, shipped
from wintun_sim.scenario.scenario import VERSIONS

SEED: Final = 1
STEPS: Final = 6_000
"""Operations of the random walks; a check by default plays many times as many."""

SCHEDULES: Final = MOST_RUNS
"""Schedules of each concurrent scenario, depth-first: as many as a check has."""

DEEP_SCHEDULES: Final = 100_000
"""Schedules of each story with three preemptions; a deep check has half as many, of all scenarios."""

FEW_SCHEDULES: Final = 100
"""Schedules of each where what the model can show is found anew for each mutant."""

FIRST: Final = (
    "overflow-shapes",
    "late-read",
    "repair-low-power",
    "repair-late-read",
    "halt-running",
    "repair-copy-failure",
    "write-versions",
    "oid-requests",
)
"""Shipped scenarios that find most, in front of the shorter ones."""

FIRST_EXPLORED: Final = (
    "The adapter goes to sleep while it sends and receives",
    "The adapter is halted while a read is filled",
    "The adapter is paused while a packet is copied",
    "A read arrives while its handle is cleaned up",
    "NDIS asks for statistics while packets go both ways",
    "An NBL is cancelled while one half of it is copied",
    "An NBL is cancelled between the reads of its two halves",
    "One client leaves while another one comes",
    "A restart follows a pause that a write held up",
)
"""Concurrent scenarios that find most."""

PATIENCE: Final = 60.0
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
    shortest, others = first[:1], first[1:]
    others.sort(key=lambda task: FIRST.index(task.name) if task.name in FIRST else len(FIRST))
    return (*shortest, *versions, *others, *plan(SEED, STEPS, {}))


def judge(image: Path) -> str:
    """Return what is found first, in few words; nothing if nothing is."""
    return played(image) or short(image)


def played(image: Path) -> str:
    """Hold the image against the model."""
    from wintun_sim.kernel.machine import MachineFull

    for task in tasks():
        where = f"{task.kind} {task.name}".strip()
        try:
            finding = perform(task, image).finding
        except MachineFull:
            return f"{where}: memory, all of it used up"
        if finding is not None:
            return f"{where}: {finding.kind} {finding.rule}"
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
    for piece in pieces(SEED, image, deep=False, schedules=100 * FEW_SCHEDULES)[:most]:
        shard = Shard(piece.scenario, image, replace(piece.effort, runs=FEW_SCHEDULES))
        discoveries = explore_whole(shard, CURRENT).discoveries
        if discoveries:
            return f"explored: {' '.join(discoveries[0].signature())}"
    return ""


def explored_at_length(image: Path, only: str = "") -> str:
    """Explore all that a check explores, or the scenario with the title ``only``; say what is found first."""
    keep_refinements()
    for scenario, effort in efforts(image, only):
        where = f"explored {scenario.title}"
        try:
            discoveries = explore_whole(Shard(scenario, image, effort), CURRENT).discoveries
        except UsageError:
            return f"{where}: rule of the set-up"  # which is what it says of a set-up that breaks one
        if discoveries:
            return f"{where}: {' '.join(discoveries[0].signature())}"
    return ""


def efforts(image: Path, only: str = "") -> Iterator[tuple[Scenario, Effort]]:
    """Give what a check explores: the corpus, and the stories with each call that may fail failing in them once; and
    then the stories with one preemption more, as in a deep check.

    With ``only`` it is one scenario of the corpus.
    """
    for scenario in corpus_in_order(image):
        if only in ("", scenario.title):
            yield scenario, Effort(runs=SCHEDULES, seed=SEED)
    for story in () if only else stories():
        for number in range(1, len(sites_of(story, image)) + 1):
            yield story, Effort(bound=1, runs=SCHEDULES // 2, seed=SEED, fault=number)
        if any(isinstance(operation, Write) for operation in story.operations()):
            yield story, Effort(bound=1, runs=SCHEDULES // 2, seed=SEED, writes=1)
    for story in stories():
        if only in ("", story.title):
            yield story, Effort(bound=3, runs=DEEP_SCHEDULES, seed=SEED)


def corpus_in_order(image: Path) -> list[Scenario]:
    """Return the concurrent scenarios, those that find most in front."""
    corpus = [piece.scenario for piece in pieces(SEED, image, deep=False, schedules=1)]
    return sorted(corpus, key=lambda scenario: _place(scenario.title))


def _place(title: str) -> int:
    return FIRST_EXPLORED.index(title) if title in FIRST_EXPLORED else len(FIRST_EXPLORED)


class Judges:
    """A worker that judges image after image."""

    def __init__(self) -> None:
        self.worker = Worker(PATIENCE)

    def play(self, image: Path) -> str:
        """Return what is found first, one call at a time; nothing if nothing is.

        Raises ``WorkerDied`` where the worker cannot work.
        """
        return self._call(judge, image)

    def explore(self, image: Path, only: str = "") -> str:
        """Return what is found first with calls at once, in the scenario ``only`` or in all; as ``play``."""
        return self._call(explored_at_length, image, only)

    def _call(self, function: Callable[..., str], *arguments: object) -> str:
        try:
            return self.worker.call(function, *arguments)
        except WorkerDied as death:
            if death.reason.startswith("exit status"):
                raise  # nothing that a driver does ends the process like that
            return f"{death.kind}: {death.reason}"

    def close(self) -> None:
        """End the worker."""
        self.worker.close()
