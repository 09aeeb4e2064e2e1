"""What only overlap shows: defects that no sequence of calls, one at a time, can tell from the driver as it is.

A patch in ``races/`` names the scenario of the corpus in which it is seen, and what it is found by. Drivers without a
repair that concerns overlap are held against CURRENT, which they fail, and against the model without it, which allows
all that they show.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.defects.build import HERE, build
from tests.defects.unrepaired import build_without
from wintun_sim.check.corpus import corpus
from wintun_sim.check.refine import Refinement
from wintun_sim.errors import UnavailableError

PATCHES = sorted(path.stem for path in (HERE / "races").glob("*.patch") if "\nScenario: " in path.read_text("utf-8"))
RUNS = 3000
"""Schedules with two preemptions at most; most scenarios have fewer."""

REPAIRS = {
    "one-pump": ("The adapter is halted while a read is filled", ("outcome", "irps")),
    "locked-completion": ("A pause gives back what the stack sends again at once", ("hang", "Stuck")),
    "halt-rundown": ("A client leaves while the adapter is halted for an update", ("rule", "DataRace")),
    "shutdown": ("The machine shuts down while a pause waits for a write", ("property", "pause-ends")),
    "low-power": ("The adapter goes to sleep while it sends and receives", ("order", "nothing-after")),
}
"""By repair: a scenario that shows its lack, and one thing by which it is found there."""


def findings(image: Path, title: str, revision: str = "CURRENT") -> set[tuple[str, str]]:
    """Explore the scenario of that title, and return what is wrong by kind and rule."""
    try:
        from wintun_sim.kernel.explorer import Explorer, Strategy
    except (ImportError, UnavailableError) as error:
        pytest.skip(str(error))
    scenario = next(scenario for scenario in corpus() if scenario.title == title)
    refinement = Refinement(scenario, revision=revision)
    layout = refinement.layout
    with Explorer(
        image, order=scenario.order, setup=layout.setup, actors=layout.actors, ending=layout.ending
    ) as explorer:
        logs = explorer.explore(Strategy.DEPTH_FIRST, runs=RUNS).logs
    assert logs
    return {(wrong.kind, wrong.rule) for log in logs for wrong in refinement.judge(log).wrong}


def line_of(patch: str, word: str) -> str:
    """Return what a patch says of itself behind a word at the beginning of a line."""
    line = re.search(rf"^{word}: (.+)$", (HERE / "races" / f"{patch}.patch").read_text("utf-8"), re.MULTILINE)
    assert line is not None, f"{patch}.patch has no line '{word}: …'"
    return line[1]


@pytest.mark.parametrize("name", PATCHES)
def test_what_only_overlap_shows_is_found(name: str, tmp_path: Path) -> None:
    image = build(tmp_path, f"races/{name}", instrumented=True)
    kind, rule = line_of(name, "Finding").split()
    assert (kind, rule) in findings(image, line_of(name, "Scenario"))


def test_the_driver_as_it_is_shows_nothing_of_it(tmp_path: Path) -> None:
    """Built in the same way, so that what the others fail by is the patch."""
    image = build(tmp_path, None, instrumented=True)
    titles = {line_of(name, "Scenario") for name in PATCHES}
    assert {title: findings(image, title) for title in titles} == {title: set() for title in titles}


@pytest.mark.parametrize("name", REPAIRS)
def test_a_driver_without_a_repair_is_the_model_without_it_under_overlap_too(name: str, tmp_path: Path) -> None:
    """Whatever it shows, the model without the repair may show as well; CURRENT may not."""
    image = build_without(tmp_path / "without", [name], instrumented=True)
    title, finding = REPAIRS[name]
    assert finding in findings(image, title)
    assert not [rule for kind, rule in findings(image, title, f"-{name}") if kind == "outcome"]
