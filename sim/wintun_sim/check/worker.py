"""Processes that may die: each loads images into itself, so that one that crashes or hangs is a finding.

A worker is a Python process of its own (not forked: a process that has loaded an image is not copied), which calls the
functions that it is sent and sends back what they return. Where it is in its work it leaves in memory that it shares
with its parent, so that a worker that died can still say how far it came. How long a worker may stand still is the only
thing here that is measured in seconds; a verdict that rests on it says so.
"""

from __future__ import annotations

import contextlib
import mmap
import pickle
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from typing import Final, TypeVar

from wintun_sim.errors import UnavailableError

Result = TypeVar("Result")

PATIENCE: Final = 30.0
"""Seconds that a worker may go without one step; a step takes milliseconds."""

TIMEOUT: Final = "timeout"
"""The reason of a worker's end when patience ran out."""

_START: Final = (
    "import pickle, sys; sys.path[:] = pickle.loads(bytes.fromhex(sys.argv[1]));"
    "from wintun_sim.check.worker import serve; serve(*map(int, sys.argv[2:]))"
)
_PROGRESS: Final = struct.Struct("=QQ")


class Progress:
    """How many steps a worker has begun, in its present call and altogether; in memory that two processes share."""

    def __init__(self, file: int) -> None:
        self._memory = mmap.mmap(file, _PROGRESS.size)
        self._steps = 0
        self._total = 0

    def begin_call(self) -> None:
        """Count from 0 again."""
        self._steps = 0
        self._write()

    def step(self, count: int = 1) -> None:
        """Begin one step, or several that are taken in one go."""
        self._steps += count
        self._total += count
        self._write()

    def _write(self) -> None:
        _PROGRESS.pack_into(self._memory, 0, self._steps, self._total)

    def read(self) -> tuple[int, int]:
        """Return the steps begun in the present call, and altogether."""
        steps, total = _PROGRESS.unpack_from(self._memory)
        return int(steps), int(total)


class _Nowhere:
    """The progress of a process that is nobody's worker."""

    def step(self, count: int = 1) -> None:
        """Nobody watches."""


progress: Progress | _Nowhere = _Nowhere()
"""Where the code that runs in a worker says how far it is."""


@contextlib.contextmanager
def beating() -> Iterator[None]:
    """Let the parent know that this process is at work, for work that has an end of its own and no steps to count.

    It is for Python that thinks, such as a model's exploration within a budget of states; an image gets no such grace.
    """
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(1.0):
            progress.step()

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


class WorkerDied(Exception):
    """A worker did not come back. ``steps`` are those that it had begun in this call; the last one was deadly.

    ``kind`` is "crash", and ``reason`` the signal's name or the exit status; or "hang", and it is ``TIMEOUT``.
    """

    def __init__(self, kind: str, reason: str, steps: int) -> None:
        super().__init__(f"{kind}: {reason}, in step {steps}")
        self.kind = kind
        self.reason = reason
        self.steps = steps


class Worker:
    """One process that calls functions; it is started when it is needed, and again after it died."""

    def __init__(self, patience: float = PATIENCE) -> None:
        self.patience = patience
        self._abandoned = False
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection | None = None
        self._progress: Progress | None = None

    def call(self, function: Callable[..., Result], *arguments: object) -> Result:
        """Call a function of a module in the worker, and return what it returns, or raise what it raises.

        Raises ``WorkerDied`` when the process ended, or stood still for longer than ``patience``.
        """
        connection, progress = self._start()
        try:
            connection.send_bytes(pickle.dumps((function, arguments)))
            self._wait(connection, progress)
            succeeded, value = pickle.loads(connection.recv_bytes())
        except (EOFError, ConnectionError):
            steps = progress.read()[0]
            raise WorkerDied("crash", self._reap(), steps) from None
        if not succeeded:
            raise value
        return value  # type: ignore[no-any-return]

    def _wait(self, connection: Connection, progress: Progress) -> None:
        seen, since = progress.read(), time.monotonic()
        while not connection.poll(min(self.patience, 1.0)):
            now = progress.read()
            if now != seen:
                seen, since = now, time.monotonic()
            elif time.monotonic() - since > self.patience:
                self.close()
                raise WorkerDied("hang", TIMEOUT, now[0])

    def _start(self) -> tuple[Connection, Progress]:
        if self._connection is not None and self._progress is not None:
            return self._connection, self._progress
        ours, theirs = socket.socketpair()
        with ours, theirs, tempfile.TemporaryFile() as shared:
            shared.truncate(_PROGRESS.size)
            handed = (theirs.fileno(), shared.fileno())
            path = pickle.dumps(sys.path).hex()
            self._process = subprocess.Popen(
                [sys.executable, "-c", _START, path, *map(str, handed)],
                pass_fds=handed,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )
            self._progress = Progress(shared.fileno())
            self._connection = Connection(ours.detach())
        if self._abandoned:
            self._process.kill()
        self._await_first_word()
        return self._connection, self._progress

    def _await_first_word(self) -> None:
        """Wait until the process has imported what it needs; that is not yet work that patience is for."""
        assert self._connection is not None
        try:
            self._connection.recv_bytes()
        except (EOFError, ConnectionError):
            reason = self._reap()
            raise UnavailableError(
                f"check: a worker process could not start ({reason}); what it printed says why"
            ) from None

    def _reap(self) -> str:
        """Wait for the end of a process that has closed its pipes, and say how it ended."""
        assert self._process is not None
        code = self._process.wait()
        self._forget()
        if code < 0:
            with contextlib.suppress(ValueError):
                return signal.Signals(-code).name
        return f"exit status {code}"

    def abandon(self) -> None:
        """End the process from another thread than the one that calls; that call ends with ``WorkerDied``."""
        self._abandoned = True
        process = self._process
        if process is not None:
            process.kill()

    def close(self) -> None:
        """End the process, whatever it is doing. Only for the thread that calls."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._forget()

    def _forget(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._process = self._connection = self._progress = None


def serve(connection_file: int, progress_file: int) -> None:
    """Be a worker: call what is asked for until nobody asks any more."""
    global progress
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent is interrupted too, and then closes this end
    progress = mine = Progress(progress_file)
    with Connection(connection_file) as connection, contextlib.suppress(EOFError, ConnectionError):
        connection.send_bytes(b"")
        while True:
            function, arguments = pickle.loads(connection.recv_bytes())
            mine.begin_call()
            try:
                answer = pickle.dumps((True, function(*arguments)))
            except Exception as error:  # whatever it is, it is the caller's to deal with
                answer = pickle.dumps((False, error))
            connection.send_bytes(answer)
