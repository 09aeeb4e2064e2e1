"""What the adapter does, row by row: for each row of ``rows.txt`` and each revision something says it, and holds it.

That what the scenarios expect is so on the model, on the driver and on its patched images is checked elsewhere
(test_corpus.py, tests/check/test_revisions.py, tests/defects); here no row may get lost when scenarios are rewritten.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest

from wintun_sim.check.corpus import corpus
from wintun_sim.check.task import expected_of
from wintun_sim.lifecycle import State
from wintun_sim.model import REPAIRS, REVISIONS
from wintun_sim.operations import Event
from wintun_sim.operations.outcome import Places
from wintun_sim.operations.scan import Scanner
from wintun_sim.operations.text import parse_events
from wintun_sim.scenario import Scenario, load, shipped
from wintun_sim.scenario.corpus import stories

FILE = Path(__file__).with_name("rows.txt")
ROOT = Path(__file__).parents[2]
CHAPTERS = {"A": 38, "B": 49, "C": 39, "D": 11, "E": 11, "F": 25}
"""How many rows each chapter has: none may go without somebody's noticing."""

_EVENT = re.compile(r"\[([\w, ]+)\] (.+)")
_PLACE = re.compile(r"([\w-]+): (\S+)")


@dataclass
class Place:
    """An operation of a scenario, and by which event one knows each revision there."""

    scenario: str
    operation: str
    sides: dict[str, str] = field(default_factory=dict)


@dataclass
class Row:
    """One row: where scenarios say it, and which tests, stories and explored scenarios say what they cannot."""

    number: str
    what: str
    places: list[Place] = field(default_factory=list)
    others: list[tuple[str, str]] = field(default_factory=list)


def read(text: str) -> list[Row]:
    """Read the table."""
    rows: list[Row] = []
    for line in lines_of(text):
        if not line.startswith(" "):
            number, _, what = line.partition(" ")
            rows.append(Row(number, what))
        elif event := _EVENT.fullmatch(line.strip()):
            rows[-1].places[-1].sides |= dict.fromkeys(event[1].split(", "), event[2])
        elif place := _PLACE.fullmatch(line.strip()):
            rows[-1].places.append(Place(place[1], place[2]))
        else:
            word, _, name = line.strip().partition(" ")
            assert word in ("test", "story", "explored"), line
            rows[-1].others.append((word, name))
    return rows


def lines_of(text: str) -> Iterator[str]:
    """Give the lines that say something; inside parentheses a line may end anywhere."""
    line = ""
    for part in text.splitlines():
        if not part or part.startswith("#"):
            continue
        line += part if not line else part.strip()
        if line.count("(") == line.count(")"):
            yield line
            line = ""


ROWS = read(FILE.read_text("utf-8"))
PLACES = [(row.number, place) for row in ROWS for place in row.places]


@cache
def scenario(name: str) -> Scenario:
    return load(shipped()[name])


def events_of(text: str, handles: dict[str, str]) -> list[Event]:
    return [] if text == "nothing" else list(parse_events(Scanner(text), handles))


def test_no_row_is_lost_and_none_has_the_number_of_another() -> None:
    numbers = [f"{chapter}{number}" for chapter, count in CHAPTERS.items() for number in range(1, count + 1)]
    assert [row.number for row in ROWS] == numbers


def test_every_row_is_said_somewhere() -> None:
    for row in ROWS:
        assert row.places or row.others, row.number
        assert all(place.sides for place in row.places), row.number


def test_rows_of_the_published_driver_name_both_sides_or_say_where_the_other_one_is() -> None:
    """Of limits and of stories some are CURRENT's alone."""
    for row in ROWS:
        if row.number[0] in "ABC" and row.places:
            sides = {side for place in row.places for side in place.sides}
            assert {"CURRENT", "UPSTREAM"} <= sides or row.others, row.number


@pytest.mark.parametrize(("number", "place"), PLACES, ids=[f"{n}-{p.scenario}-{p.operation}" for n, p in PLACES])
def test_a_scenario_expects_what_makes_the_row(number: str, place: Place) -> None:
    told = scenario(place.scenario)
    steps = {step.operation.name: step for step in told.steps()}
    assert place.operation in steps, f"{number}: {place.scenario} has no such operation"
    handles = Places(told.operations()).handles
    for side, text in place.sides.items():
        assert side in REVISIONS
        expected = expected_of(told, steps[place.operation], side)
        assert expected is not None, f"{number}: {place.scenario} says nothing of {side}"
        wanted = events_of(text, handles)
        assert set(wanted) <= set(expected), f"{number}, {side}"
        assert wanted or not expected, f"{number}, {side}"


def test_what_no_scenario_can_say_is_said_by_a_test_a_story_or_an_explored_scenario() -> None:
    titles = {each.title for each in corpus()}
    for row in ROWS:
        for word, name in row.others:
            if word == "story":
                assert name in stories(), row.number
            elif word == "explored":
                assert name in titles, row.number
            else:
                path, _, test = name.partition("::")
                module = importlib.import_module(path.removesuffix(".py").replace("/", "."))
                assert callable(getattr(module, test, None)), f"{row.number}: {name}"


def test_every_repair_has_its_rows() -> None:
    told = {row.what.partition(":")[0] for row in ROWS if row.number.startswith("C")}
    assert told == set(REPAIRS)


def test_a_mark_names_a_revision_that_there_is() -> None:
    """One that is misspelt would be an expectation that nobody ever looks at."""
    for name in shipped():
        told = scenario(name)
        marks = {mark for step in told.steps() for entry in step.expected for mark in entry.revisions}
        assert marks | set(told.revisions) <= set(REVISIONS), name


def test_every_state_of_the_matrix_has_a_scenario() -> None:
    """What is asked of an adapter in each state at which it can be at rest, and asleep."""
    for state, name in {State.PAUSED: "paused", State.RUNNING: "running", State.HALTED: "halted"}.items():
        assert f"states-{name}" in shipped(), state
    assert {"states-shut-down", "states-asleep"} <= set(shipped())
