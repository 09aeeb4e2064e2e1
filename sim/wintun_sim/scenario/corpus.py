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
SUFFIX: Final = ".scenario"


def shipped() -> dict[str, Path]:
    """Return the files of the corpus by name, in alphabetical order."""
    return {path.name.removesuffix(SUFFIX): path for path in sorted(DIRECTORY.glob(f"*{SUFFIX}"))}


def find(name: str) -> Scenario:
    """Read the scenario in the file ``name``, or the shipped one of that name.

    Raises ``ScenarioError`` for what is in it, ``UsageError`` where there is none.
    """
    path = Path(name)
    if not path.exists() and name in shipped():
        path = shipped()[name]
    if not path.is_file():
        hint = nearest(name, shipped())
        raise UsageError(f"scenario {name}: neither a file nor one that ships with wintun-sim; {hint}")
    return load(path)
