"""Hypothesis' state machine as a part of a check, and the codec's vectors as another."""

import importlib.util
from collections.abc import Callable
from functools import partial

import pytest

from tests.check import false_drivers as false
from wintun_sim.check import check, vectors
from wintun_sim.check import task as task_module
from wintun_sim.check.main import stateful_plan
from wintun_sim.check.task import Task, drawn, perform
from wintun_sim.errors import UnavailableError
from wintun_sim.model import ModelMachine
from wintun_sim.operations import IrpCompleted, PacketReceived

Maker = Callable[..., ModelMachine]


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Callable[[Maker], None]:
    """Puts another machine where the driver would be."""

    def put(maker: Maker) -> None:
        monkeypatch.setattr(task_module, "open_driver", lambda image, order, ndis: maker(order=order, ndis=ndis))

    return put


def test_two_models_agree_whatever_the_state_machine_does(driver: Callable[[Maker], None]) -> None:
    driver(ModelMachine)
    (task, *_) = stateful_plan(1, 30_000)
    result = perform(task, None)
    assert result.finding is None
    assert result.steps >= 400
    assert len(result.visited.counts["operations"]) > 40


@pytest.mark.parametrize(
    ("maker", "signature"),
    [
        (partial(ModelMachine, revision=false.RepeatsTheLink), ("outcome", "links")),
        (partial(ModelMachine, revision=false.LosesAHandle), ("counters", "handles")),
        (false.BreaksARule, ("rule", "SpinLockBalanced")),
    ],
)
def test_the_state_machine_finds_false_drivers(
    maker: Maker, signature: tuple[str, str], driver: Callable[[Maker], None]
) -> None:
    driver(maker)
    findings = [perform(task, None).finding for task in stateful_plan(2, 75_000)]
    found = [finding for finding in findings if finding is not None]
    assert found
    assert {finding.signature() for finding in found} == {signature}


def test_the_same_seed_plays_the_same_operations(driver: Callable[[Maker], None]) -> None:
    """So what a worker did before it died can be found back without a driver: its last run, as far as it came."""
    driver(ModelMachine)
    task, other = stateful_plan(3, 10_000)[0], stateful_plan(4, 10_000)[0]
    again = [perform(task, None) for _ in range(2)]
    assert again[0].steps == again[1].steps
    assert again[0].visited.to_json() == again[1].visited.to_json()
    assert drawn(task, 60) == drawn(task, 60)
    assert drawn(task, 60)
    assert drawn(task, 60) != drawn(other, 60)


def test_without_hypothesis_the_report_says_what_was_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, package=None: None if name == "hypothesis" else find(name, package),
    )
    assert stateful_plan(1, 10_000) == []
    try:
        report = check(None, seed=1, steps=1, captures={}, jobs=1)
    except UnavailableError as reason:
        pytest.skip(str(reason))
    assert report.to_json()["counts"]["not_run"] == {"state machine": "hypothesis is not installed"}
    assert "not run: the state machine: hypothesis is not installed" in list(report.lines())


def test_the_vectors_are_written_and_their_oracle_is_right() -> None:
    scenario = vectors.scenario()
    expected = [entry.event for step in scenario.steps() for entry in step.expected]
    assert sum(isinstance(event, IrpCompleted) for event in expected) >= 25
    assert sum(isinstance(event, PacketReceived) for event in expected) >= 3
    try:
        result = perform(Task("strict", (6, 80), 0, name=vectors.NAME, scenario=scenario), None)
    except UnavailableError as reason:
        pytest.skip(str(reason))
    assert result.finding is None
