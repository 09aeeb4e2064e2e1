"""The fast walk: it goes where the model goes, asks it seldom, and leaves what it does not like to the judge."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from tests.defects.build import build
from wintun_sim.check.automaton import NOTHING
from wintun_sim.check.fast_walk import LENGTH, FastWalk, Stretch
from wintun_sim.check.main import ORDERS, fast_plan
from wintun_sim.check.task import Task, _open, drawn, perform
from wintun_sim.kernel import builder
from wintun_sim.model import ModelMachine
from wintun_sim.operations import Halt, Load, Operation
from wintun_sim.operations.outcome import Places
from wintun_sim.scenario.scenario import Order

NDIS = (6, 80)


@pytest.fixture(params=ORDERS)
def order(request: pytest.FixtureRequest) -> Order:
    """Each order of calls."""
    found: Order = request.param
    return found


@pytest.fixture
def walk(order: Order) -> Iterator[FastWalk]:
    """A walk of the project's own driver."""
    with closing(FastWalk(None, order, NDIS, "a walk")) as made:
        yield made


def test_the_automaton_gives_what_a_machine_gives_that_remembers_everything(walk: FastWalk, order: Order) -> None:
    """A model that is asked for each operation of whole stretches has the same events, counters and statistics as the
    automaton, which forgets names and counts, and has met most of these states on another way."""
    asked_before = 0
    for _ in range(8):
        stretch = walk.draw(LENGTH)
        operations = stretch.operations()
        model = ModelMachine(order=order, ndis=NDIS)
        model.perform(operations[0])
        ids = {"": 0, **{operation.name: number for number, operation in enumerate(operations, start=1)}}
        places = Places(operations)
        subjects: list[int] = []
        for operation, answer in zip(operations[1:], stretch.answers, strict=True):
            events = model.perform(operation)
            adapter = places.adapters[operation.name]
            counters = model.counters(adapter) if answer.adapter else NOTHING
            told = walk.machine.tell(events, counters)
            assert answer.told is not None
            assert (told.rows, told.data, told.counters) == (
                answer.told.rows,
                answer.told.data,
                answer.told.counters,
            ), operation
            subjects += [ids[name] for name in told.names]
        assert subjects == stretch.subjects
        asked_before += len(stretch.answers)
    assert walk.automaton.answers < asked_before  # or it would save nothing
    assert 100 < len(walk.automaton) < walk.automaton.answers


def test_a_walk_does_not_depend_on_what_is_known_already(walk: FastWalk, order: Order) -> None:
    """It draws from what may be asked, and that is the same in whatever order states were found."""

    def stretches(made: FastWalk) -> list[list[Operation]]:
        return [made.draw(200).operations() for _ in range(3)]

    with closing(FastWalk(None, order, NDIS, "some seed")) as made:
        first = stretches(made)
    for _ in range(5):
        walk.draw(LENGTH)
    walk._random = Random("some seed")
    assert stretches(walk) == first


def test_the_driver_agrees_and_what_was_visited_is_counted(order: Order) -> None:
    result = perform(Task(order, NDIS, 20_000, "1/fast", fast=True), None)
    assert result.finding is None
    assert result.steps >= 20_000
    counts = result.visited.counts
    asked_at_the_end = result.steps - sum(counts["operations"].values())
    assert 10 < asked_at_the_end <= 40  # in each stretch, but where the adapter was shut down or halted
    for name in ("pause in Running", "set-power in Paused", "halt in Paused", "read in Running", "read in Halted"):
        assert counts["operations"][name] > 0, name
    for name in ("nbl: STATUS_SUCCESS and sent again", "irp: STATUS_CANCELLED", "link: down"):
        assert counts["statuses"][name] > 0, name


def test_a_check_walks_in_both_orders_ten_times_as_far_as_it_goes_otherwise() -> None:
    tasks = fast_plan(1, 100_000)
    assert sum(task.steps for task in tasks) == 1_000_000
    assert {task.order for task in tasks} == set(ORDERS)
    assert fast_plan(1, 100_000, "UPSTREAM") == []  # whose excuses only the judge knows
    assert len({task.seed for task in fast_plan(1, 1_000_000)}) == len(fast_plan(1, 1_000_000)) == 20


@pytest.mark.parametrize(
    ("patch", "order", "signatures"),
    [
        ("last-close-keeps-queue", "strict", {("outcome", "nbls")}),
        ("halt-leaks-pool", "strict", {("rule", "LeakAtHalt")}),
        ("late-read-stays", "raw", {("outcome", "irps")}),
        ("halt-keeps-reads", "raw", {("hang", "Stuck")}),
    ],
)
def test_what_a_patch_broke_is_found_and_shown_by_the_judge(
    patch: str, order: Order, signatures: set[tuple[str, str]], tmp_path: Path
) -> None:
    """The walk sees that something differs; the judge's finding says what, and ends with the operation that shows."""
    result = perform(Task(order, NDIS, 60_000, "2/fast", fast=True), build(tmp_path, patch))
    assert result.finding is not None
    assert result.finding.signature() in signatures
    assert result.finding.operations[0] == Load(name="driver")
    assert 2 < len(result.finding.operations) <= LENGTH + 4


def test_events_in_another_order_are_no_finding(order: Order, monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver may complete a read before it indicates the link. Whatever the walk says, the judge decides."""

    def differs(self: FastWalk, stretch: Stretch) -> bool:
        self.machine.play_batch(stretch.letters, stretch.targets, stretch.counted)
        return False

    monkeypatch.setattr(FastWalk, "agrees", differs)
    result = perform(Task(order, NDIS, 600, "3/fast", fast=True), None)
    assert result.finding is None
    assert result.steps >= 600


def test_a_driver_that_does_not_do_the_same_twice_is_a_finding(walk: FastWalk, order: Order) -> None:
    """It depends on something that is not among its operations, such as memory that it did not initialize."""
    stretch = walk.draw(50)
    assert walk.agrees(stretch)
    real = walk.machine.read_batch
    walk.machine.read_batch = lambda names: real(names)[:-1]  # type: ignore[method-assign]
    with closing(_open(None, order, NDIS, "CURRENT")) as judge:
        finding = walk.look_again(stretch, judge)
    assert finding is not None
    assert finding.signature() == ("repetition", "repetition")


def test_an_automaton_that_errs_is_an_error_and_no_finding(walk: FastWalk, order: Order) -> None:
    stretch = walk.draw(50)
    assert stretch.letters[0] != stretch.letters[1]  # the adapter is initialized, and then it is something else
    stretch.answers[0], stretch.answers[1] = stretch.answers[1], stretch.answers[0]
    assert not walk.agrees(stretch)
    with closing(_open(None, order, NDIS, "CURRENT")) as judge, pytest.raises(AssertionError, match="the automaton"):
        walk.look_again(stretch, judge)


def test_what_a_dead_worker_did_last_is_found_back(order: Order) -> None:
    """A worker counts the steps of a whole stretch before it begins them."""
    task = Task(order, NDIS, 3 * LENGTH, "4/fast", fast=True)
    with closing(FastWalk(None, order, NDIS, task.seed)) as made:
        first, second = made.draw(LENGTH), made.draw(LENGTH)
    assert drawn(task, len(first.letters)) == first.operations()
    assert drawn(task, len(first.letters) + len(second.letters)) == second.operations()


@pytest.mark.parametrize(
    ("body", "signature"),
    [
        ("return STATUS_UNSUCCESSFUL;", ("outcome", "returns")),
        ("*(volatile int *)8 = 1; return 0;", ("crash", "Crash")),
    ],
)
def test_a_driver_that_cannot_be_loaded_is_a_finding(body: str, signature: tuple[str, str], tmp_path: Path) -> None:
    source = tmp_path / "entry.c"
    source.write_text(
        "#include <ndis.h>\nNTSTATUS DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING path);\n"
        "NTSTATUS DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING path)\n"
        "{ (void)driver, (void)path; "
        f"NdisGetVersion(); {body} }}\n"
    )
    image = tmp_path / "entry.so"
    builder.build([source], image)
    finding = perform(Task("strict", NDIS, 1_000, "5/fast", fast=True), image).finding
    assert finding is not None
    assert finding.signature() == signature


def test_halted_adapters_with_open_handles_are_walked_through(walk: FastWalk) -> None:
    """What outlives its adapter is where drivers crash: the small world has room for it."""
    late: Counter[str] = Counter()
    for _ in range(10):
        operations = walk.draw(LENGTH).operations()
        places = Places(operations)
        halted: set[str] = set()
        for operation in operations:
            if isinstance(operation, Halt):
                halted.add(operation.adapter)
            elif places.adapters[operation.name] in halted:
                late[operation.verb] += 1
    assert late.keys() == {"create", "cleanup", "close", "read", "write"}


def test_bench_judge_reports_its_target() -> None:
    """What is measured really happened; nothing here looks at how long it took."""
    command = [sys.executable, "-m", "wintun_sim", "bench", "judge", "--rounds", "1", "--steps", "500", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    report = json.loads(done.stdout)
    assert done.returncode == (1 if report["missed"] else 0)
    targets = {figure["subject"]: figure["target"] for figure in report["figures"] if figure["target"] is not None}
    assert targets == {"fast walk, further on, against the state machine": 60}
    assert all(figure["value"] > 0 for figure in report["figures"])
