"""Does work of the judge's in a process of its own, whatever executor it was handed to.

``isolated`` is what goes into an executor: any ``concurrent.futures.Executor`` will do, on this machine or on another,
since functions, arguments and results are picklable. Each thread that does such work keeps a worker process
(``worker.Worker``), so that an image that crashes or hangs ends that process, and the work ends with a ``Death`` to be
reported instead of with a broken pool.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from wintun_sim.check.worker import Worker, WorkerDied

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Death:
    """Work that ended its process. ``kind`` and ``reason`` are those of ``WorkerDied``; ``steps`` were begun."""

    kind: str
    reason: str
    steps: int


class _Kept:
    """A thread's worker; it ends with the thread. A process that was forked meanwhile has no part in it."""

    def __init__(self) -> None:
        self.worker = Worker()
        self.process = os.getpid()

    def is_ours(self) -> bool:
        """Tell whether it was this process that made it, and not one that it was forked from."""
        return self.process == os.getpid()

    def __del__(self) -> None:
        if self.is_ours():
            self.worker.close()


_own = threading.local()


def _own_worker() -> Worker:
    kept: _Kept | None = getattr(_own, "kept", None)
    if kept is None or not kept.is_ours():
        kept = _own.kept = _Kept()
    return kept.worker


def isolated(function: Callable[..., Result], *arguments: object) -> Result | Death:
    """Call a function of a module in this thread's worker process; return what it returns, or how it died."""
    try:
        return _own_worker().call(function, *arguments)
    except WorkerDied as death:
        return Death(death.kind, death.reason, death.steps)


class Team(Executor):
    """An executor of threads, each with a worker process of its own; closing it ends them, whatever they are doing."""

    def __init__(self, jobs: int) -> None:
        self._workers: list[Worker] = []
        self._threads = ThreadPoolExecutor(jobs, initializer=lambda: self._workers.append(_own_worker()))

    def submit(self, function: Callable[..., Result], /, *arguments: object, **named: object) -> Future[Result]:
        """Call a function some time, in one of the threads."""
        return self._threads.submit(function, *arguments, **named)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Give everything back; what is under way is broken off."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        for worker in self._workers:
            worker.abandon()
        self._threads.shutdown()


@contextmanager
def team(jobs: int) -> Iterator[Executor]:
    """Open an executor of ``jobs`` workers."""
    members = Team(jobs)
    try:
        yield members
    finally:
        members.shutdown()
