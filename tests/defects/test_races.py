"""Races that were hidden on purpose: right one call at a time, and found by trying the orders of calls."""

import re
from pathlib import Path

import pytest

from tests.defects.build import HERE, build
from wintun_sim.check import check
from wintun_sim.check.diagnose import diagnose, replay
from wintun_sim.check.effort import Effort
from wintun_sim.check.explore import explore
from wintun_sim.check.isolated import team
from wintun_sim.scenario import load
from wintun_sim.scenario.corpus import STORIES
from wintun_sim.trace.schedule import parse_schedule

PATCHES = sorted(path.stem for path in (HERE / "races").glob("*.patch") if "\nStory: " in path.read_text("utf-8"))


def said_by(name: str, key: str) -> str:
    text = (HERE / "races" / f"{name}.patch").read_text("utf-8")
    line = re.search(rf"^{key}: (.+)$", text, re.MULTILINE)
    assert line is not None, f"{name}.patch has no line '{key}: …'"
    return line[1]


@pytest.mark.parametrize("name", PATCHES)
def test_a_hidden_race_is_found_shrunk_and_shown_again(name: str, tmp_path: Path) -> None:
    image = build(tmp_path, f"races/{name}", instrumented=True)
    story = load(STORIES / f"{said_by(name, 'Story')}.scenario")
    with team(1) as executor:
        explored = explore(story, image, Effort(bound=1, runs=2000), executor)
    kind, _, rules = said_by(name, "Finding").partition(" ")
    wanted = [found for found in explored.discoveries if found.signature() in {(kind, r) for r in rules.split(" or ")}]
    assert wanted, [found.wrong for found in explored.discoveries]

    diagnosis = diagnose(story, image, Effort(bound=1), wanted[0], "CURRENT")
    assert sum(1 for _ in diagnosis.scenario.operations()) <= sum(1 for _ in story.operations())
    assert len(diagnosis.scenario.actors) == 2
    assert diagnosis.depth <= 1
    again = replay(diagnosis.scenario, image, parse_schedule(diagnosis.schedule).choices, Effort(), "CURRENT")
    assert wanted[0].signature() in {(wrong.kind, wrong.rule) for wrong in again.wrong}


def test_one_call_at_a_time_nothing_is_wrong_with_it(tmp_path: Path) -> None:
    """Which is why a judge that plays one operation after the other passes it."""
    image = build(tmp_path, "races/serving-cleared-outside")
    assert check(image, seed=1, steps=3000, captures={}).findings == []
