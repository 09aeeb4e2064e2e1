"""Judges the model's mutants as ``wintun-sim check`` judges a driver: the driver is right here, and the model wrong.

What takes long to import, and does not depend on the model, is imported once; each mutant then gets a fork of that
process, which forgets the model and the judge, and imports both anew with one module's text exchanged. The process
itself never loads an image, so that a copy of it may. What a mutant does to its own process is a finding as well: an
exception, a crash, or no end, which is told by processor time.
"""

from __future__ import annotations

import contextlib
import importlib.util
import math
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import CodeType, ModuleType
from typing import Final

from wintun_sim import native
from wintun_sim.check.worker import Worker
from wintun_sim.scenario import Scenario, load, shipped

MODEL: Final = Path(native.__file__).parent / "model"
_PACKAGE: Final = "wintun_sim.model"

TASK_SECONDS: Final = 2
"""Processor time in which a scenario or walk must end; with the right model each takes a tenth of a second."""

EXPLORING_SECONDS: Final = 600
"""Processor time for all that is explored of one mutant."""

_DEPENDENT: Final = (_PACKAGE, "wintun_sim.check", "tests.mutation.kill")
"""What is imported anew with each mutant, modules inside of it included: the model, and all that imports it."""

SCENARIOS: Final = 100
"""Concurrent scenarios that are explored, of the 700 of the corpus: a mutant costs six seconds of a processor so."""

MEMORY: Final = 8 << 30
"""Bytes of address space: the host's arenas are large and mostly empty; a loop without an end fills what it gets."""

_DONE: Final = "found: "
"""How a fork's answer begins, so that one that found nothing is not one that died."""

PATIENCE: Final = 3600.0
"""Seconds of a worker's standing still. It waits for its forks, and these end by processor time."""


class Forge:
    """A worker that judges mutant after mutant, each in a fork of its own."""

    def __init__(self) -> None:
        self.worker = Worker(PATIENCE)

    def play(self, file: str, text: str, seconds: int = TASK_SECONDS) -> str:
        """Return what is found first in the model with this ``text`` of ``file``; nothing if nothing is.

        Each scenario or walk must end within so many seconds of processor time.
        """
        return self.worker.call(judge, file, text, seconds, False)

    def explore(self, file: str, text: str) -> str:
        """Do the same with calls at once."""
        return self.worker.call(judge, file, text, EXPLORING_SECONDS, True)

    def close(self) -> None:
        """End the worker."""
        self.worker.close()


def judge(file: str, text: str, seconds: int, explore: bool) -> str:
    """Judge one mutant in a fork of this process."""
    _scenarios()  # once, for all forks
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        with os.fdopen(writing, "w", encoding="utf-8") as answer, contextlib.suppress(BaseException):
            answer.write(_DONE + _judge(file, text, seconds, explore))
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as answers:
        said = answers.read()
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return said.removeprefix(_DONE) if said.startswith(_DONE) else _ended(code)


def _ended(code: int) -> str:
    """Say how a fork ended that had nothing to say."""
    if code == -signal.SIGXCPU:
        return "hang: no end"
    return f"crash: {signal.Signals(-code).name}" if code < 0 else f"crash: exit status {code}"


@cache
def _scenarios() -> dict[str, Scenario]:
    return {name: load(path) for name, path in shipped().items()}


# What follows happens in a fork


def _judge(file: str, text: str, seconds: int, explore: bool) -> str:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))
    _allow(seconds)
    try:
        stages = list(_stages(file, text, explore))
    except Exception as error:  # whatever a mutant does as it is imported
        return f"import: exception {type(error).__name__}"
    for name, stage in stages:
        _allow(seconds)
        try:
            found = stage()
        except Exception as error:  # the model's
            found = f"{'' if name else 'explored: '}exception {type(error).__name__}"
        if found:
            return f"{name}: {found}".removeprefix(": ")
    return ""


def _allow(seconds: int) -> None:
    """Let this process have so much more processor time, and no more."""
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(time.process_time()) + seconds, hard))


Stage = tuple[str, Callable[[], str]]
"""What is played, and what plays it and says what was found."""


def _stages(file: str, text: str, explore: bool) -> Iterator[Stage]:
    """Import the mutant, and the judge anew with it; give what is to be done, cheapest first."""
    _exchange(file, text)
    from tests.mutation import kill
    from wintun_sim.check.task import Task, perform

    def play(task: Task) -> str:
        finding = perform(task, None).finding
        return "" if finding is None else f"{finding.kind} {finding.rule}"

    if explore:
        yield "", partial(kill.explored, native.driver_image(instrumented=True), SCENARIOS)
        return
    for task in kill.tasks_of(_scenarios()):
        yield f"{task.kind} {task.name}".strip(), partial(play, task)


def _exchange(file: str, text: str) -> None:
    """Forget what was imported of the model, and of all that imported it; let one of its modules have another text."""
    for name in [name for name in sys.modules if name.startswith(_DEPENDENT)]:
        package, _, last = name.rpartition(".")
        del sys.modules[name]
        if package in sys.modules:
            vars(sys.modules[package]).pop(last, None)
    sys.meta_path.insert(0, _Finder(f"{_PACKAGE}.{Path(file).stem}", MODEL / file, text))


class _Finder(MetaPathFinder, Loader):
    """Finds one module, and gives it a text that is not its file's."""

    def __init__(self, name: str, path: Path, text: str) -> None:
        self.name = name
        self.path = path
        self.code: CodeType = compile(text, str(path), "exec", dont_inherit=True)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find that module, and no other one."""
        if fullname != self.name:
            return None
        return importlib.util.spec_from_file_location(fullname, self.path, loader=self)

    def exec_module(self, module: ModuleType) -> None:
        """Make the module what its text says."""
        exec(self.code, vars(module))
