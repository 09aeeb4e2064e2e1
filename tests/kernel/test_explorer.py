"""One concurrent scenario run again and again: what an exploration returns, and that nothing else has a say in it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.kernel.specimen import PACKET, break_by, broken, build_miniport
from wintun_sim import native
from wintun_sim.errors import UnavailableError, UsageError
from wintun_sim.kernel.explorer import Diverged, Exploration, Explorer, Log, Result, Strategy, choice, union
from wintun_sim.kernel.machine import DriverGone, DriverMachine
from wintun_sim.operations import (
    Cancel,
    Cleanup,
    Close,
    Create,
    Halt,
    Initialize,
    IrpCompleted,
    Load,
    Nbl,
    Operation,
    Pause,
    PauseCompleted,
    Read,
    Refused,
    Restart,
    Returned,
    Send,
    Unload,
)

SETUP: tuple[Operation, ...] = (
    Load(name="driver"),
    Initialize(name="adapter"),
    Restart(name="restart"),
    Create(name="client"),
    Read(name="waiting", handle="client", length=65536),
)
PAUSE = (Pause(name="pause"),)
SEND = (Send(name="send", nbls=(Nbl((PACKET,)), Nbl((PACKET,)))),)
ENDING: tuple[Operation, ...] = (
    Halt(name="halt"),
    Cleanup(name="cleanup", handle="client"),
    Close(name="close", handle="client"),
    Unload(name="unload"),
)


def explorer(*, instrumented: bool = False) -> Explorer:
    try:
        image = native.driver_image(instrumented=instrumented)
    except UnavailableError as error:
        pytest.skip(str(error))
    return Explorer(image, order="raw", setup=SETUP, actors=[PAUSE, SEND], ending=ENDING)


@pytest.fixture(scope="module")
def pause_against_send() -> Iterator[Explorer]:
    """The driver, a read waiting; it is paused while two packets are sent."""
    with explorer() as made:
        yield made


def refused(log: Log) -> dict[str, str]:
    return {event.operation: event.reason for event in log.events if isinstance(event, Refused)}


def explore_actors(*actors: Sequence[Operation], ending: Sequence[Operation] = (), order: str = "raw") -> Exploration:
    """Explore actors after the set-up, depth-first with one preemption."""
    with Explorer(order=order, setup=SETUP, actors=actors, ending=ending) as made:
        found = made.explore(Strategy.DEPTH_FIRST, bound=1)
    assert found.complete
    assert not [event for log in found.logs for event in broken(log.events)]
    return found


def test_an_operation_waits_for_what_another_actor_brings_into_being() -> None:
    """The cancel comes first in its actor, and what it cancels is asked for by the other; nothing is refused, and the
    request ends by one or the other hand in every run."""
    found = explore_actors(
        [Cancel(name="cancel", request="late"), Read(name="next", handle="client", length=65536)],
        [Read(name="late", handle="client", length=65536)],
        [Cleanup(name="cleanup", handle="client"), Close(name="close", handle="client")],
        order="strict",
    )
    for log in found.logs:
        assert set(refused(log)) <= {"late", "next", "cancel"}
        done = [event.operation for event in log.events if isinstance(event, IrpCompleted)]
        assert done[-1] == "close"
        assert len(done) + len(refused(log)) == 6 - ("cancel" not in refused(log))


def test_who_waits_at_the_gate_is_never_chosen() -> None:
    """A halt comes after the pause, by another actor: there is one order, and nothing to choose between the two."""
    found = explore_actors(PAUSE, [Halt(name="halt")], order="strict")
    assert [refused(log) for log in found.logs] == [{}] * len(found.logs)
    for log in found.logs:
        returned = [event.operation for event in log.events if isinstance(event, (Returned, PauseCompleted))]
        assert returned.index("halt") > returned.index("pause")
    assert found.runs == 1


def test_when_nobody_can_go_on_the_first_that_waits_is_refused_and_its_actor_goes_on() -> None:
    """No restart comes while Running, whatever happens; the pause behind it lets the other restart come."""
    found = explore_actors([Restart(name="first"), Pause(name="pause")], [Restart(name="second")])
    for log in found.logs:
        assert list(refused(log)) == ["first"]
        assert "MiniportRestart in Running: only a Paused adapter is restarted" in refused(log)["first"]
        assert Returned("second", 0) in log.events


def test_what_nobody_ever_brings_into_being_is_refused_in_the_end() -> None:
    found = explore_actors([Cancel(name="cancel", request="never")], [Cleanup(name="cleanup", handle="nobody")])
    assert [refused(log) for log in found.logs] == [
        {"cancel": "there is no such request", "cleanup": "there is no such handle"}
    ]


def test_the_ending_leaves_out_what_may_not_begin() -> None:
    """The actors close the handle and halt the adapter, or leave that to the ending: nothing is done twice."""
    found = explore_actors([Pause(name="p"), Halt(name="h")], [Cleanup(name="c", handle="client")], ending=ENDING)
    for log in found.logs:
        assert not refused(log)
        ended = [event.operation for event in log.events if isinstance(event, (IrpCompleted, Returned))]
        assert ended.count("halt") == ended.count("cleanup") == 0
        assert ended[-2:] == ["close", "unload"]


def test_every_schedule_within_the_bound_is_taken_and_none_loses_anything(pause_against_send: Explorer) -> None:
    found = pause_against_send.explore(Strategy.DEPTH_FIRST)
    assert found.complete
    assert found.cut
    assert found.runs == sum(log.seen for log in found.logs) > len(found.logs) > 5
    for log in found.logs:
        assert log.result is Result.QUIET
        assert log.preemptions <= 2
        assert not broken(log.events)
        assert dict(log.counters)["adapter"].handles == 1
    answers = {
        (event.status, event.information)
        for log in found.logs
        for event in log.events
        if isinstance(event, IrpCompleted) and event.operation == "waiting"
    }
    # The read carries both packets or, where the pause came first, waits until cleanup cancels it; whether one can come
    # alone depends on how many the driver takes from its queue at once.
    assert {0, 96} <= {information for _, information in answers} <= {0, 48, 96}


def test_without_preemptions_only_whole_calls_change_places(pause_against_send: Explorer) -> None:
    """Two orders: the pause first, or the send."""
    found = pause_against_send.explore(Strategy.DEPTH_FIRST, bound=0)
    assert found.complete
    assert {log.preemptions for log in found.logs} == {0}
    assert len({log.events for log in found.logs}) == 2


def test_the_same_exploration_gives_the_same_to_the_byte_whatever_came_before(pause_against_send: Explorer) -> None:
    first = pause_against_send.explore(Strategy.DEPTH_FIRST)
    drawn = pause_against_send.explore(Strategy.RANDOM, seed=3, runs=500)
    assert pause_against_send.explore(Strategy.DEPTH_FIRST) == first
    assert pause_against_send.explore(Strategy.RANDOM, seed=3, runs=500) == drawn
    with explorer() as other:
        assert other.explore(Strategy.RANDOM, seed=3, runs=500) == drawn


@pytest.mark.parametrize("depth", [1, 2, 5, 9])
def test_shards_put_together_are_the_whole(pause_against_send: Explorer, depth: int) -> None:
    whole = pause_against_send.explore(Strategy.DEPTH_FIRST)
    shards = pause_against_send.shards(depth)
    assert len(set(shards)) == len(shards) >= depth
    parts = [pause_against_send.explore(Strategy.DEPTH_FIRST, prefix=prefix) for prefix in shards]
    assert union(parts) == whole


def test_random_runs_may_be_shared_by_their_numbers(pause_against_send: Explorer) -> None:
    whole = pause_against_send.explore(Strategy.RANDOM, seed=1, runs=300)
    parts = [pause_against_send.explore(Strategy.RANDOM, seed=1, first=first, runs=100) for first in (0, 100, 200)]
    assert union(parts).logs == whole.logs
    assert not whole.complete


def test_a_log_is_replayed_exactly_by_its_choices_on_another_explorer(pause_against_send: Explorer) -> None:
    found = pause_against_send.explore(Strategy.RANDOM, seed=9, runs=200)
    with explorer() as other:
        for log in found.logs:
            (again,) = other.explore(Strategy.REPLAY, choices=log.choices).logs
            assert (again.events, again.counters, again.choices) == (log.events, log.counters, log.choices)


def test_a_schedule_needs_no_more_than_the_options_that_were_taken(pause_against_send: Explorer) -> None:
    """So it can be written in a line; and what is watched is the same run, step by step."""
    found = pause_against_send.explore(Strategy.DEPTH_FIRST, bound=1)
    for log in found.logs[:: max(len(found.logs) // 5, 1)]:
        again, arrivals = pause_against_send.watch([choice(made)[2] for made in log.choices])
        assert (again.events, again.choices, again.preemptions) == (log.events, log.choices, log.preemptions)
        assert max(arrival.choices for arrival in arrivals) == len(log.choices)
    with pytest.raises(Diverged, match=r"choice 1 of 1 is option 9, but the run has a choice among 2 there"):
        pause_against_send.watch([9])


def test_a_schedule_of_another_scenario_is_refused_with_the_place(pause_against_send: Explorer) -> None:
    choices = list(pause_against_send.explore(Strategy.RANDOM, runs=1).logs[0].choices)
    assert choice(choices[0]) == (1, 2, choice(choices[0])[2])
    choices[3] = 1 << 16 | 5 << 8 | 4
    with pytest.raises(Diverged, match=r"choice 4 of \d+ is one among 5, but the run has a choice among 2 there"):
        pause_against_send.explore(Strategy.REPLAY, choices=choices)
    with pytest.raises(Diverged, match=r"choice \d+ of 1000 is one among 2, but the run has no choice any more there"):
        pause_against_send.explore(Strategy.REPLAY, choices=[1 << 16 | 2 << 8] * 1000)


def test_budgets_end_an_exploration_and_it_says_so(pause_against_send: Explorer) -> None:
    assert pause_against_send.explore(Strategy.DEPTH_FIRST, runs=10).runs == 10
    assert not pause_against_send.explore(Strategy.DEPTH_FIRST, runs=10).complete
    few = pause_against_send.explore(Strategy.DEPTH_FIRST, log_limit=3)
    assert len(few.logs) == 3
    assert not few.complete
    looks = []

    def look(runs: int, logs: int) -> bool:
        looks.append((runs, logs))
        return runs >= 2000

    assert pause_against_send.explore(Strategy.RANDOM, progress=look).runs == looks[-1][0] >= 2000
    assert looks == sorted(looks)
    within = pause_against_send.explore(Strategy.RANDOM, steps=5000)
    assert within.steps >= 5000 > pause_against_send.explore(Strategy.RANDOM, runs=within.runs - 1).steps
    with pytest.raises(ValueError, match="random schedules never end"):
        pause_against_send.explore(Strategy.RANDOM)


def test_the_instrumented_image_shows_the_same(pause_against_send: Explorer) -> None:
    """It has more scheduling points where the driver uses interlocked functions; what can come of a run is the same."""
    with explorer(instrumented=True) as instrumented:
        there = instrumented.explore(Strategy.DEPTH_FIRST)
    plain = pause_against_send.explore(Strategy.DEPTH_FIRST)
    assert {log.events for log in there.logs} >= {log.events for log in plain.logs}


def test_a_script_that_explores_prints_the_same_under_every_hash_seed(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "from tests.kernel.test_explorer import explorer, Strategy\n"
        "with explorer() as made:\n"
        "    for strategy in (Strategy.DEPTH_FIRST, Strategy.RANDOM):\n"
        "        for log in made.explore(strategy, runs=300).logs:\n"
        "            print(log)\n",
        "utf-8",
    )
    outputs = set()
    for seed in ("0", "1"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(__file__).parents[2])}
        done = subprocess.run([sys.executable, script], env=environment, capture_output=True, text=True, check=True)
        outputs.add(done.stdout)
    assert len(outputs) == 1


def test_mistakes_of_the_caller_are_said_where_they_are_made(tmp_path: Path) -> None:
    with explorer() as closed:
        pass
    with pytest.raises(DriverGone, match="closed"):
        closed.explore(Strategy.DEPTH_FIRST)
    text = tmp_path / "text.so"
    text.write_text("no image")
    with pytest.raises(UsageError, match=r"explore: .*text\.so"):
        Explorer(images={"late": text}, setup=SETUP, actors=[[Load(name="late")]])
    with pytest.raises(UsageError, match="too many actors: at most 60"):
        Explorer(setup=SETUP, actors=[PAUSE] * 61)


def test_the_machine_plays_on_as_if_nobody_had_explored() -> None:
    """An exploration leaves the world as it found it; so does one that is left in the middle."""
    with explorer() as made:
        made.explore(Strategy.DEPTH_FIRST, runs=7)
        after = made._machine.perform(Pause(name="later"))
    machine = DriverMachine(order="raw")
    for operation in SETUP:
        machine.perform(operation)
    machine.take_events()
    assert after == machine.perform(Pause(name="later"))
    machine.close()


@pytest.mark.parametrize("defect", ["WRITES_BEHIND_INFORMATION", "WRITES_FAR_BEHIND_INFORMATION"])
@pytest.mark.parametrize("halts", [True, False])
def test_no_run_sees_what_another_one_wrote_where_it_must_not(defect: str, halts: bool, tmp_path: Path) -> None:
    """Clients' buffers are not copied before each run. A driver that writes where nobody looks at once is noticed
    later, and then everything is done again with clean buffers, so that each run is what it would be by itself."""
    image = build_miniport("specimen", tmp_path)
    setup = (
        *(Load(name="driver"), Initialize(name="adapter"), break_by(defect), Restart(name="restart")),
        *(Create(name="one"), Create(name="two")),
    )
    actors = [[Read(name=f"{name} {number}", handle=name) for number in range(2)] for name in ("one", "two")]
    ending: list[Operation] = [Pause(name="pause"), Halt(name="halt")] if halts else []
    with Explorer(image, order="raw", setup=setup, actors=actors, ending=ending) as made:
        found = made.explore(Strategy.RANDOM, runs=2500)
        assert (found.runs, sum(log.seen for log in found.logs)) == (2500, 2500)
        rules = [{event.operation for event in broken(log.events)} for log in found.logs]
        # At once by each read; or in the end by whoever looks at all of the memory; or by nobody.
        at_once = {event.name for actor in actors for event in actor}
        expected = at_once if defect == "WRITES_BEHIND_INFORMATION" else {"halt"} if halts else set()
        assert rules == [expected] * len(rules)
        for log in found.logs:
            with Explorer(image, order="raw", setup=setup, actors=actors, ending=ending) as alone:
                (again,) = alone.explore(Strategy.REPLAY, choices=log.choices).logs
                assert (again.events, again.counters) == (log.events, log.counters)
