"""The scenarios that ship with the package, each a file of its own in ``wintun_sim/scenarios``.

What they expect was typed from the documentation, never recorded from a run.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from wintun_sim.errors import UsageError
from wintun_sim.operations.scan import nearest
from wintun_sim.scenario.grammar import load
from wintun_sim.scenario.scenario import Scenario

DIRECTORY: Final = Path(__file__).parent.parent / "scenarios"
STORIES: Final = DIRECTORY / "races"
"""Concurrent scenarios, which are explored and not played one operation at a time."""

SUFFIX: Final = ".scenario"


def shipped() -> dict[str, Path]:
    """Return the files of the corpus by name, in alphabetical order."""
    return {path.name.removesuffix(SUFFIX): path for path in sorted(DIRECTORY.glob(f"*{SUFFIX}"))}


def stories() -> dict[str, Path]:
    """Return the files of the concurrent scenarios that were written by hand, by name, in alphabetical order."""
    return {path.name.removesuffix(SUFFIX): path for path in sorted(STORIES.glob(f"*{SUFFIX}"))}


def find(name: str) -> Scenario:
    """Read the scenario in the file ``name``, or the shipped one of that name, a concurrent one included.

    Raises ``ScenarioError`` for what is in it, ``UsageError`` where there is none.
    """
    path = Path(name)
    known = stories() | shipped()
    if not path.exists() and name in known:
        path = known[name]
    if not path.is_file():
        hint = nearest(name, known)
        raise UsageError(f"scenario {name}: neither a file nor one that ships with wintun-sim; {hint}")
    return load(path)
