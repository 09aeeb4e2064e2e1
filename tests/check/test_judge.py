"""The judge must see every kind of difference, and must not see any where there is none."""

import sys
from collections.abc import Callable, Sequence
from functools import partial

import pytest

from tests.check import false_drivers as false
from wintun_sim.check import task as task_module
from wintun_sim.check.finding import Finding
from wintun_sim.check.machines import open_driver
from wintun_sim.check.main import plan
from wintun_sim.check.shrink import shrink
from wintun_sim.check.task import Result, Task, compare, drawn, perform
from wintun_sim.check.visited import Visited
from wintun_sim.errors import UnavailableError
from wintun_sim.integrations.pcap import read_packets, shipped_captures
from wintun_sim.model import ModelMachine
from wintun_sim.operations import Operation
from wintun_sim.scenario import parse, shipped
from wintun_sim.scenario.names import check_operations
from wintun_sim.scenario.scenario import Scenario, Step

Maker = Callable[..., ModelMachine]

FALSE: dict[str, tuple[Maker, tuple[str, str]]] = {
    "forgets an NBL": (partial(ModelMachine, revision=false.ForgetsAnNbl), ("outcome", "nbls")),
    "repeats the link": (partial(ModelMachine, revision=false.RepeatsTheLink), ("outcome", "links")),
    "counts no discards": (partial(ModelMachine, revision=false.CountsNoDiscards), ("outcome", "returns")),
    "loses a handle": (partial(ModelMachine, revision=false.LosesAHandle), ("counters", "handles")),
    "completes reads first": (false.CompletesReadsFirst, ("order", "order")),
    "returns first": (false.ReturnsFirst, ("order", "order")),
    "counts the halted": (false.CountsTheHalted, ("counters", "handles")),
    "remembers writes": (false.RemembersWrites, ("counters", "allocations")),
    "breaks a rule": (false.BreaksARule, ("rule", "SpinLockBalanced")),
}


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Callable[[Maker], None]:
    """Puts another machine where the driver would be."""

    def put(maker: Maker) -> None:
        monkeypatch.setattr(task_module, "open_driver", lambda image, order, ndis: maker(order=order, ndis=ndis))

    return put


def walks(seed: int, steps: int) -> list[Result]:
    return [perform(task, None) for task in plan(seed, steps, {})]


def test_two_models_agree_on_random_walks(driver: Callable[[Maker], None]) -> None:
    driver(ModelMachine)
    results = walks(1, 3000)
    assert [result.finding for result in results if result.finding] == []
    assert sum(result.steps for result in results) >= 3000


def test_two_models_agree_on_captured_traffic(driver: Callable[[Maker], None]) -> None:
    driver(ModelMachine)
    packets = tuple(packet.data for packet in read_packets(shipped_captures()["fragments"]).packets)
    for order in ("strict", "raw"):
        result = perform(Task(order, (6, 80), 1500, "some seed", "fragments", packets), None)
        assert result.finding is None


@pytest.mark.parametrize("name", FALSE)
def test_each_false_driver_is_found_and_shrunk(name: str, driver: Callable[[Maker], None]) -> None:
    """What is left after shrinking fails in the same way, and a person can read it."""
    maker, signature = FALSE[name]
    driver(maker)
    found = next((result.finding for result in walks(2, 6000) if result.finding), None)
    assert found is not None
    assert found.signature() == signature

    def still(operations: Sequence[Operation]) -> bool:
        again = judged(found, operations)
        return again is not None and again.signature() == signature

    shrunk = shrink(found.operations, still)
    assert shrunk.complete
    assert still(shrunk.operations)
    assert check_operations(shrunk.operations)
    assert len(shrunk.operations) <= (8 if signature != ("counters", "allocations") else 12)  # growth takes its time


@pytest.mark.parametrize("maker", [false.CompletesReadsFirst, false.ReturnsFirst])
def test_a_model_is_held_to_the_order_of_every_run_as_a_driver_is(
    maker: Maker, driver: Callable[[Maker], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(task_module, "open_model", lambda order, ndis, revision: maker(order=order, ndis=ndis))
    driver(ModelMachine)
    found = next((result.finding for result in walks(2, 6000) if result.finding), None)
    assert found is not None
    assert found.signature() == ("order", "order")


def test_what_model_and_driver_get_wrong_alike_is_seen_where_an_order_always_holds(
    driver: Callable[[Maker], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        task_module, "open_model", lambda order, ndis, revision: false.ReturnsFirst(order=order, ndis=ndis)
    )
    driver(false.ReturnsFirst)
    found = next((result.finding for result in walks(2, 6000) if result.finding), None)
    assert found is not None
    assert "in the model" in found.message


def test_a_driver_may_fill_a_cache(driver: Callable[[Maker], None]) -> None:
    driver(false.FillsACache)
    assert [result.finding for result in walks(2, 3000) if result.finding] == []


def judged(finding: Finding, operations: Sequence[Operation]) -> Finding | None:
    scenario = Scenario("", finding.order, finding.ndis, tuple(Step(operation) for operation in operations))
    return compare(scenario, None).finding


def test_the_same_seed_draws_the_same_operations(driver: Callable[[Maker], None]) -> None:
    """So what a worker did before it died can be found back without a driver."""
    driver(ModelMachine)
    task = plan(3, 250, {})[0]
    done = perform(task, None)
    assert len(drawn(task, 10_000)) == done.steps
    assert drawn(task, 40) == drawn(task, 10_000)[:40]
    assert drawn(plan(4, 250, {})[0], 40) != drawn(task, 40)


def test_a_walk_gets_deep() -> None:
    """Full queues, reads that wait, every request in every state: not seen is not judged."""
    visited = Visited()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(task_module, "open_driver", lambda image, order, ndis: ModelMachine(order=order, ndis=ndis))
        for result in walks(5, 20_000):
            visited.add(result.visited)
    assert visited.missing() == []
    assert visited.counts["depths"]["NBLs held >= 1000"] > 10
    assert visited.counts["depths"]["reads pending >= 10"] > 10
    back = [name for name in visited.counts["statuses"] if name.startswith("nbl: ")]
    assert len([name for name in back if not name.endswith(" and sent again")]) == 7
    assert len([name for name in back if name.endswith(" and sent again")]) == 7
    assert visited.counts["nbls"]["unmapped"] > 10


def test_the_corpus_plays_alike_on_two_models(driver: Callable[[Maker], None]) -> None:
    driver(ModelMachine)
    for path in shipped().values():
        assert compare(parse(path.read_text()), None).finding is None


def test_a_plan_covers_orders_versions_and_captures() -> None:
    tasks = plan(1, 10_000, {"tcp": [b"x"] * 100, "udp": [b"y"] * 9, "empty": []})
    assert {(task.name, task.order) for task in tasks if task.kind == "capture"} == {
        (name, order) for name in ("tcp", "udp") for order in ("strict", "raw")
    }
    assert {(task.order, task.ndis) for task in tasks if task.kind == "walk"} == {
        (order, version) for order in ("strict", "raw") for version in ((6, 20), (6, 30), (6, 80))
    }
    assert len({task.seed for task in tasks}) == len(tasks)


def test_what_a_shipped_scenario_expects_is_held_against_both_machines(driver: Callable[[Maker], None]) -> None:
    """Where model and driver agree, but not with what was typed from the documentation, both are wrong."""
    driver(ModelMachine)
    text = "load\n => returned driver 0\ninitialize\n => link up\n => returned adapter 0\n"
    result = perform(Task("strict", (6, 80), 0, name="wrong", scenario=parse(text)), None)
    assert result.finding is not None
    assert result.finding.signature() == ("expectation", "links")
    assert result.finding.source == "wrong"
    assert [operation.verb for operation in result.finding.operations] == ["load", "initialize"]


def test_without_a_host_kernel_the_reason_is_one_clear_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wintun_sim.kernel", None)
    with pytest.raises(UnavailableError, match="the host kernel is not built in here"):
        open_driver(None, "strict", (6, 80))
