"""What a report says it has seen, it has seen; and of what could have been met nothing is left unsaid."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from wintun_sim import ndis
from wintun_sim.check import sides
from wintun_sim.check.campaign import Campaign, Piece
from wintun_sim.check.effort import Effort
from wintun_sim.check.explore import Explored, explore_whole, resolved, shards_of
from wintun_sim.check.record import Wrong
from wintun_sim.check.refine import Refinement
from wintun_sim.check.report import Report
from wintun_sim.check.visited import Visited, name_of_cell, statuses_in
from wintun_sim.errors import UnavailableError
from wintun_sim.lifecycle import State, Trigger
from wintun_sim.model import REPAIRS
from wintun_sim.operations import Event, IrpCompleted, LinkChanged, NblCompleted
from wintun_sim.scenario import Scenario, load, parse, shipped
from wintun_sim.scenario.corpus import stories

SHOWN_BY_CALLS = {name for name, repair in REPAIRS.items() if repair.taken_back is not None} - {"overflow-count"}
UNDEFINED = {"cancel-send", "locked-completion"}
"""In whose scenarios the published driver goes where nobody can follow, so that it is judged by the rules it breaks."""


def scenario_of(repair: str) -> Scenario:
    return load(shipped()[f"repair-{repair}"])


@pytest.mark.parametrize("repair", sorted(SHOWN_BY_CALLS))
def test_a_repairs_scenario_tells_its_sides_apart(repair: str) -> None:
    """With CURRENT on one side, and with that repair's lack on one side."""
    scenario = scenario_of(repair)
    assert list(sides.by_scenario(f"repair-{repair}", scenario, scenario.ndis, "CURRENT", None)) == [repair]
    if repair not in UNDEFINED:
        assert sides.tells_apart(scenario, scenario.ndis, f"-{repair}", repair)
        assert sides.tells_apart(scenario, scenario.ndis, "UPSTREAM", repair)


def test_where_the_model_cannot_go_on_nothing_was_judged() -> None:
    for repair in UNDEFINED:
        assert not sides.tells_apart(scenario_of(repair), (6, 80), "UPSTREAM", repair)


@pytest.mark.parametrize("repair", sorted(SHOWN_BY_CALLS))
def test_the_life_of_an_adapter_tells_few_repairs_apart(repair: str) -> None:
    """A judge of sides that always says yes would be worth nothing."""
    told_apart = sides.tells_apart(load(shipped()["lifecycle"]), (6, 80), "CURRENT", repair)
    assert told_apart == (repair in {"send-status", "zero-padding", "version"})


def test_the_version_is_told_apart_only_where_there_is_a_newer_one() -> None:
    assert [
        sides.tells_apart(scenario_of("version"), version, "CURRENT", "version") for version in ((6, 30), (6, 80))
    ] == [
        False,
        True,
    ]


def test_before_differs_by_a_repair_as_upstream_does() -> None:
    scenario = scenario_of("zero-padding")
    assert sides.tells_apart(scenario, scenario.ndis, "BEFORE", "zero-padding")
    assert not sides.tells_apart(scenario, scenario.ndis, "BEFORE", "late-read")


def test_what_only_calls_at_once_show_is_told_apart_by_all_that_can_happen() -> None:
    from wintun_sim.check.corpus import corpus

    full = {scenario.title: scenario for scenario in corpus() if "the queue is full" in scenario.title}
    titles = [title for title, scenario in full.items() if list(sides.by_exploring(scenario, Refinement(scenario)))]
    assert [sides.exploring_part(title) for title in titles] == list(sides.PARTS["overflow-count"])


@pytest.mark.parametrize(("image", "seen"), [("instrumented", ["bounds"]), ("plain", [])])
def test_what_is_about_memory_needs_an_image_whose_accesses_are_seen(image: str, seen: list[str]) -> None:
    from wintun_sim import native

    try:
        path = native.driver_image(instrumented=image == "instrumented")
    except UnavailableError as reason:
        pytest.skip(str(reason))
    scenario = load(shipped()["write-damaged"])
    assert list(sides.by_scenario("write-damaged", scenario, scenario.ndis, "CURRENT", path)) == seen


# In the report


def report_of(*pieces: tuple[Piece, Explored]) -> Report:
    report = Report(1, None, 1)
    report.campaign = Campaign(1, results=list(pieces))
    return report


def explored(part: str, points: str = "instrumented", wrong: Sequence[Wrong] = ()) -> tuple[Piece, Explored]:
    from wintun_sim.check.explore import Discovery

    found = [Discovery(each, (), 0, 1) for each in wrong]
    piece = Piece(Scenario("s"), Effort(), part=part)
    return piece, Explored(piece.scenario, Path("image.so"), piece.effort, points=points, discoveries=found)


def test_a_repair_of_two_parts_needs_both() -> None:
    for with_exploring in (False, True):
        report = report_of(*[explored(sides.NOT_MAPPED)] * with_exploring)
        assert "bounds" not in report.sides()
        report.told_apart["bounds"].add("scenario write-damaged")
        assert ("bounds" in report.sides()) == with_exploring
        assert ("bounds" in report.not_visited()["repairs"]) != with_exploring


def test_a_client_that_writes_shows_something_only_where_accesses_are_seen() -> None:
    assert "double-fetch" in report_of(explored(sides.CLIENT_WRITES)).sides()
    assert "double-fetch" not in report_of(explored(sides.CLIENT_WRITES, "kernel calls")).sides()


def test_where_something_was_found_no_side_was_judged() -> None:
    wrong = [Wrong("rule", "DoubleFetch", "twice")]
    assert "double-fetch" not in report_of(explored(sides.CLIENT_WRITES, wrong=wrong)).sides()


def test_a_rule_that_the_published_driver_broke_shows_what_it_is_without() -> None:
    report = Report(1, None, 1, revision="UPSTREAM")
    report.excused["locked-completion: SpinLockSafe"] += 1
    assert report.sides() == {"locked-completion": ["rule SpinLockSafe"]}


def test_a_driver_without_a_repair_is_not_asked_for_what_it_never_gives() -> None:
    success, aborted = "nbl: STATUS_SUCCESS", "nbl: STATUS_NDIS_REQUEST_ABORTED"
    assert {success, aborted} <= set(Report(1, None, 1).not_visited()["statuses"])
    left = Report(1, None, 1, revision="UPSTREAM").not_visited()["statuses"]
    assert aborted in left
    assert success not in left


def test_statuses_are_named_once_whatever_the_number_of_runs() -> None:
    runs: list[list[Event]] = [
        [IrpCompleted("r", "h", 0, 48, b"x" * 48), NblCompleted("s", 0, ndis.STATUS_NDIS_PAUSED, again=True)],
        [IrpCompleted("r", "h", 0, 96, b"x" * 96), LinkChanged("a", True)],
        [IrpCompleted("w", "h", ndis.STATUS_INSUFFICIENT_RESOURCES)],
    ]
    assert statuses_in(runs) == {
        "irp: STATUS_SUCCESS with data",
        "irp: STATUS_INSUFFICIENT_RESOURCES",
        "nbl: STATUS_NDIS_PAUSED and sent again",
    }


# While another call is under way


def test_what_comes_only_while_another_call_is_under_way_is_asked_for() -> None:
    wanted = Visited().not_visited()["transitions"]
    assert name_of_cell(Trigger.SEND, State.PAUSING) in wanted
    assert name_of_cell(Trigger.SHUTDOWN, State.RESTARTING) in wanted


def test_what_the_call_under_way_does_not_let_in_is_not_asked_for() -> None:
    """NDIS tells of a removal neither in a pause nor in a restart, and nobody opens a device that is being made."""
    wanted = Visited().not_visited()["transitions"]
    assert name_of_cell(Trigger.SURPRISE_REMOVE, State.PAUSED) in wanted
    for trigger, state in (
        (Trigger.SURPRISE_REMOVE, State.PAUSING),
        (Trigger.SURPRISE_REMOVE, State.RESTARTING),
        (Trigger.REQUEST, State.INITIALIZING),
    ):
        assert name_of_cell(trigger, state) not in wanted


@pytest.fixture
def explore() -> Callable[[Scenario], frozenset[tuple[str, str]]]:
    """Explores a scenario on the project's own driver, and returns what was met."""

    def explored_by(scenario: Scenario) -> frozenset[tuple[str, str]]:
        try:
            (shard,) = shards_of(scenario, resolved(None), Effort(runs=2_000))
        except UnavailableError as reason:
            pytest.skip(str(reason))
        found = explore_whole(shard, "CURRENT")
        assert not found.discoveries
        return found.met

    return explored_by


OVERTAKEN = """\
load
initialize
restart
h: create

actor stack:
    pause
actor client:
    w: write h bundle(ipv4(20))
actor system:
    shutdown
"""


def test_an_exploration_says_in_which_states_calls_came(
    explore: Callable[[Scenario], frozenset[tuple[str, str]]],
) -> None:
    """A pause, a write and a shutdown in all orders; the set-up goes up to Running."""
    met = {name for topic, name in explore(parse(OVERTAKEN)) if topic == "transitions"}
    request, receive = Trigger.REQUEST.value, Trigger.RECEIVE.value
    assert met == {
        "MiniportInitializeEx in Halted",
        "MiniportRestart in Paused",
        "MiniportPause in Running",
        "MiniportShutdownEx in Running",
        "MiniportShutdownEx in Pausing",
        "MiniportShutdownEx in Paused",
        *(f"{request} in {state}" for state in ("Running", "Pausing", "Paused", "Shutdown")),
        *(f"{receive} in {state}" for state in ("Running", "Pausing", "Shutdown")),
    }


def test_a_story_meets_the_end_of_a_restart_too(explore: Callable[[Scenario], frozenset[tuple[str, str]]]) -> None:
    met = explore(load(stories()["restart-behind-a-pause"]))
    assert ("transitions", "MiniportRestart in Paused") in met
    assert ("transitions", "MiniportPause in Running") in met
