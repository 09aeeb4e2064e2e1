"""Whatever the driver shows must be something that the model can show; and a judge of that must be able to fail."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

import pytest

from wintun_sim import native
from wintun_sim.check import refine
from wintun_sim.check.corpus import corpus, pairs, stories, triples
from wintun_sim.check.refine import Refinement, say_outcome
from wintun_sim.errors import UnavailableError
from wintun_sim.model import CURRENT, Adapter, ModelMachine, Steps
from wintun_sim.model.requests import SentNbl
from wintun_sim.operations import Counters, Event, NblCompleted, Returned, RuleBroken
from wintun_sim.operations.outcome import Sequences
from wintun_sim.scenario import Scenario, parse

SEND_AGAINST_PAUSE = parse("""\
# wintun-sim scenario 1
order raw
load
initialize
restart
h: create
r: read h 61440
actor stack:
    s: send ipv4(20)
actor system:
    pause
""")


class Result(Enum):
    QUIET = "quiet"
    BLOCKED = "blocked"


@dataclass
class Log:
    """What the model did on one way through a scenario, as if a driver had."""

    events: tuple[Event, ...]
    counters: tuple[tuple[str, Counters], ...]
    result: Result = Result.QUIET


def logs_of(refinement: Refinement) -> Iterator[Log]:
    """One log for each outcome of the model."""
    for path in refinement.find_all().outcomes.values():
        events, counters = refinement.run(path)
        yield Log(events, tuple(counters.items()))


def test_the_model_refines_itself_and_keeps_every_property() -> None:
    """Some of each kind: each outcome of the model is right in the eyes of the same judge."""
    for scenario in (*stories()[::4], *pairs()[::40], *triples()[::30]):
        refinement = Refinement(scenario)
        for log in logs_of(refinement):
            verdict = refinement.judge(log)
            assert verdict.is_judged
            assert verdict.wrong == (), scenario.title


def test_an_outcome_that_the_model_must_do_without_is_found() -> None:
    """So it is the model that lets the others pass, and not the judge's good nature."""
    whole = Refinement(SEND_AGAINST_PAUSE)
    logs = list(logs_of(whole))
    assert len(logs) == 2
    for missing, log in zip(whole.find_all().outcomes, logs, strict=True):
        without = Refinement(SEND_AGAINST_PAUSE, forbidden=frozenset({missing}))
        assert without.judge(log).wrong[0].kind == "outcome"
        assert [without.judge(other).is_right for other in logs if other is not log] == [True]


def test_what_differs_is_shown_beside_the_nearest() -> None:
    refinement = Refinement(SEND_AGAINST_PAUSE)
    delivered = next(log for log in logs_of(refinement) if NblCompleted("s", 0, 0) in log.events)
    aborted = NblCompleted("s", 0, 0xC023000C)
    events = tuple(aborted if event == NblCompleted("s", 0, 0) else event for event in delivered.events)
    wrong = refinement.judge(Log(events, delivered.counters)).wrong
    (outcome,) = [found for found in wrong if found.kind == "outcome"]
    assert outcome.rule == "nbls"
    assert outcome.message == (
        "the driver shows what the model never does: NBLs of adapter: the model has 'nbl s.0 STATUS_SUCCESS'; "
        "the driver has 'nbl s.0 STATUS_NDIS_REQUEST_ABORTED'"
    )
    assert outcome.details[0] == "nearest of 2 outcomes of the model, 1 of 2:"


def test_a_pause_that_was_pending_is_one_that_succeeded_unless_it_never_ends() -> None:
    refinement = Refinement(SEND_AGAINST_PAUSE)
    log = next(log for log in logs_of(refinement) if Returned("pause", 0) in log.events)
    place = log.events.index(Returned("pause", 0))
    pending = list(log.events)
    pending[place] = Returned("pause", 0x103)
    (wrong, *_) = [w for w in refinement.judge(Log(tuple(pending), log.counters)).wrong if w.kind == "outcome"]
    assert "never completed of adapter: the model has nothing; the driver has pause" in "\n".join(wrong.details)


def test_the_budgets_end_is_neither_right_nor_wrong() -> None:
    whole = Refinement(SEND_AGAINST_PAUSE)
    for log in logs_of(whole):
        verdict = Refinement(SEND_AGAINST_PAUSE, state_limit=5).judge(log)
        assert not verdict.is_judged
        assert verdict.is_right


def test_a_run_with_a_fault_is_judged_by_the_properties_alone() -> None:
    """What fails has no counterpart in the model; but that everything comes back holds all the same."""
    refinement = Refinement(SEND_AGAINST_PAUSE)
    log = next(log for log in logs_of(refinement) if NblCompleted("s", 0, 0) in log.events)
    short = tuple(
        NblCompleted("s", 0, 0xC000009A) if isinstance(event, NblCompleted) and event.operation == "s" else event
        for event in log.events
    )
    assert refinement.judge(Log(short, log.counters), faulted=True).is_right
    assert not refinement.judge(Log(short, log.counters)).is_right
    lost = tuple(event for event in log.events if not (isinstance(event, NblCompleted) and event.operation == "s"))
    assert [w.rule for w in refinement.judge(Log(lost, log.counters), faulted=True).wrong] == ["completed-once"]


def test_a_rule_broken_and_a_driver_that_hangs_are_wrong_whatever_else_happened() -> None:
    refinement = Refinement(SEND_AGAINST_PAUSE)
    log = next(logs_of(refinement))
    broken = Log((*log.events, RuleBroken("s", "IrqlReturn", "…")), log.counters)
    assert [(w.kind, w.rule) for w in refinement.judge(broken).wrong] == [("rule", "IrqlReturn")]
    hung = Log((RuleBroken("s", "Stuck", "…"),), (), Result.BLOCKED)
    assert [(w.kind, w.rule) for w in refinement.judge(hung).wrong] == [("hang", "Stuck")]


def test_slack_is_what_the_driver_never_showed() -> None:
    refinement = Refinement(SEND_AGAINST_PAUSE)
    logs = list(logs_of(refinement))
    shown = refinement.judge(logs[0]).outcome
    (slack,) = refinement.slack([shown])
    assert slack == refinement.judge(logs[1]).outcome
    assert any(line.startswith("NBLs adapter: 'nbl s.0 ") for line in say_outcome(slack))
    assert refinement.slack(refinement.judge(log).outcome for log in logs) == []


def explore(scenario: Scenario, runs: int) -> tuple[Refinement, set[Sequences]]:
    """Explore a scenario on the project's driver and demand that nothing is wrong with it."""
    from wintun_sim.kernel.explorer import Explorer, Strategy

    try:
        image = native.driver_image(instrumented=True)
    except UnavailableError as error:
        pytest.skip(str(error))
    refinement = Refinement(scenario)
    layout = refinement.layout
    shown = set()
    with Explorer(
        image, order=scenario.order, setup=layout.setup, actors=layout.actors, ending=layout.ending
    ) as explorer:
        for log in explorer.explore(Strategy.DEPTH_FIRST, runs=runs).logs:
            verdict = refinement.judge(log)
            assert verdict.wrong == (), scenario.title
            assert verdict.is_judged, scenario.title
            shown.add(verdict.outcome)
    return refinement, shown


@pytest.mark.parametrize("part", range(4))
def test_every_outcome_of_the_driver_is_one_of_the_models(part: int) -> None:
    """The stories, and of the others a part; ``wintun-sim check`` does them all."""
    for scenario in (*stories(), *corpus()[len(stories()) :: 12])[part::4]:
        explore(scenario, runs=700)


def test_the_driver_shows_all_that_the_model_does_where_two_writes_meet_a_pause() -> None:
    """A hundred schedules show each of the model's outcomes: no slack."""
    scenario = next(story for story in stories() if story.title.startswith("Two clients write"))
    refinement, shown = explore(scenario, runs=20_000)
    assert refinement.slack(shown) == []


LATE = {
    "a send that was refused asleep says so after a pause": """\
# wintun-sim scenario 1
order raw
load
initialize
restart
h: create
set-power D3
actor stack:
    send ipv4(20)
actor system:
    pause
""",
    "the last client leaves an adapter that was shut down": """\
# wintun-sim scenario 1
load
initialize
h1: create
h2: create
actor one:
    cleanup h1
    close h1
    shutdown
actor other:
    cleanup.2: cleanup h2
""",
    "statistics are told later than they were copied": """\
# wintun-sim scenario 1
load
initialize
restart
h: create
actor client:
    write h bundle(ipv4(20))
actor ndis:
    oid statistics OID_GEN_STATISTICS 152
actor system:
    pause
""",
}
"""What random scenarios found that was right, and was taken for wrong."""


@pytest.mark.parametrize("story", LATE)
def test_what_is_only_late_is_not_wrong(story: str) -> None:
    refinement, shown = explore(parse(LATE[story]), runs=5000)
    assert shown
    assert all(refinement.judge(log).is_right for log in logs_of(refinement))


PROGRAM = """
from wintun_sim.check.corpus import stories
from wintun_sim.check.refine import Refinement, say_outcome
for scenario in stories()[:4]:
    for outcome, path in Refinement(scenario).find_all().outcomes.items():
        print(say_outcome(outcome), path)
"""


def test_the_seed_of_pythons_hashes_has_no_say() -> None:
    texts = {
        subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(texts) == 1
    assert texts != {b""}


class LeavesAPauseWaiting(CURRENT):
    """Whoever brings the active transactions to 0 does not look whether a pause waits for that."""

    __slots__ = ()

    def leave(self, count: int) -> Steps:
        self.active -= count
        yield "the last transaction has ended"


class LosesTheRundown(CURRENT):
    """Whoever finds the adapter halting takes hold of it all the same, and never lets go."""

    __slots__ = ()

    def admit_request(self) -> bool:
        self.rundown += 1
        return self.published and not self.rundown_closed


class GivesBackTooLate(CURRENT):
    """What a pause waits for is counted off before it is back."""

    __slots__ = ()

    def end_nbls(self, nbls: list[SentNbl]) -> Steps:
        yield from self.leave(len(nbls))
        for nbl in nbls:
            yield "an NBL goes back, and the pause may be over"
            yield from self.complete_nbl(nbl)


@pytest.mark.parametrize(
    ("false", "rule", "title"),
    [
        (LeavesAPauseWaiting, "pause-ends", "The adapter is paused while a packet is copied"),
        (LosesTheRundown, "stuck", "A client opens the device while the adapter is halted"),
        (GivesBackTooLate, "nothing-after", "The adapter is paused while a packet is copied"),
    ],
)
def test_a_model_that_does_what_no_adapter_may_is_found_whatever_the_driver_does(
    false: type[Adapter], rule: str, title: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each shows all that the driver shows, and something else besides, so no run of the driver tells."""
    monkeypatch.setattr(
        refine, "open_model", lambda order, ndis, _: ModelMachine(order=order, ndis=ndis, revision=false)
    )
    (story,) = (story for story in stories() if story.title == title)
    assert ("model", rule) in {(wrong.kind, wrong.rule) for wrong in Refinement(story).unsound()}
