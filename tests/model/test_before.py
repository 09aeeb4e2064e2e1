"""The parent of the published commit: a pause cut the client off, and the reference count went negative.

The sequences are typed from the description of that driver, not from a run of the model.
"""

import pytest

from tests.model.test_upstream import VALID, forced
from tests.model.world import (
    CANCELLED,
    D2,
    INVALID_HANDLE,
    LOW_POWER,
    PAUSED,
    World,
    halted,
    initialized,
    ipv4,
    link,
    opened,
    paused,
    received,
    returned,
    running,
    sent,
)
from wintun_sim.lifecycle import State
from wintun_sim.model import BEFORE
from wintun_sim.operations import Event, Halt, LinkChanged, Pause, Restart

LEFT = 0x5A5A5A5A
FAILURE = 0xC0000001


def handles(world: World) -> int:
    """The driver's reference count."""
    return world.machine.adapters["a"].handles


def links(events: list[Event]) -> str:
    """The link states among events: C and D."""
    return "".join("C" if event.connected else "D" for event in events if isinstance(event, LinkChanged))


@pytest.mark.parametrize(("order", "status"), [("paused", PAUSED), ("asleep", LOW_POWER)])
def test_all_requests_are_refused_while_paused_or_asleep(order: str, status: int) -> None:
    """Nothing is counted, and nothing is cancelled."""
    world = opened("raw", BEFORE)
    if order == "paused":
        world.pause()
    else:
        world.set_power(D2)
    count = handles(world)
    assert world.create() == [world.irp("h2", status, handle="h2")]
    assert world.read() == [world.irp("r1", status)]
    assert world.write(VALID) == [world.irp("w1", status)]
    assert world.cleanup() == [world.irp("cleanup1", status)]
    assert world.close() == [world.irp("close1", status)]
    assert handles(world) == count


def test_paused_comes_before_asleep() -> None:
    world = paused("raw", BEFORE)
    world.set_power(D2)
    assert world.read() == [world.irp("r1", PAUSED)]


def test_after_halt_there_is_no_adapter_to_ask() -> None:
    world = halted("raw", BEFORE)
    assert world.read() == [world.irp("r1", INVALID_HANDLE)]
    assert world.cleanup() == [world.irp("cleanup1", INVALID_HANDLE)]


def test_a_refused_cleanup_cancels_no_reads() -> None:
    """Asleep without a pause: the reads stay pending, though their handle is gone."""
    world = opened("raw", BEFORE)
    world.read()
    world.set_power(D2)
    assert world.cleanup() == [world.irp("cleanup1", LOW_POWER)]
    assert world.counters().reads_pending == 1


def test_a_pause_gives_back_nbls_cancels_reads_and_takes_the_link_down() -> None:
    """In this order; and the count is 0, whatever handles are open."""
    world = opened("raw", BEFORE)
    world.send(ipv4())
    world.pause()
    world.restart()
    world.read()
    world.read()
    world.machine.adapters["a"].handles = 1
    assert world.pause() == [
        world.irp("r1", CANCELLED),
        world.irp("r2", CANCELLED),
        link(False),
        returned("pause2"),
    ]
    assert handles(world) == 0
    assert world.counters().handles == 1


def test_a_pause_gives_back_what_is_queued() -> None:
    world = opened("raw", BEFORE)
    world.send(ipv4())
    assert world.pause() == [sent("s1", PAUSED), link(False), returned("pause1")]


def test_a_restart_takes_the_link_down_once_more() -> None:
    world = paused("raw", BEFORE)
    assert world.restart() == [link(False), returned("restart2")]


def test_the_first_restart_does_so_too() -> None:
    assert initialized("raw", BEFORE).restart() == [link(False), returned("restart1")]


def test_only_running_is_paused_and_only_paused_restarted() -> None:
    world = paused("raw", BEFORE)
    assert forced(world, Pause(name="p", adapter="a")) == [returned("p", FAILURE)]
    world = opened("raw", BEFORE)
    assert forced(world, Restart(name="q", adapter="a")) == [returned("q", FAILURE)]


def test_halt_finds_no_reads_to_cancel() -> None:
    world = paused("raw", BEFORE)
    assert world.halt() == [returned("halt1")]


def test_halt_in_running_does_nothing() -> None:
    world = opened("raw", BEFORE)
    assert forced(world, Halt(name="x", adapter="a")) == [returned("x")]
    assert world.machine.adapters["a"].published


def test_a_close_after_the_pause_takes_the_count_below_zero() -> None:
    """The story of the commit: open, pause, restart, close."""
    world = opened("raw", BEFORE)
    assert handles(world) == 1
    world.pause()
    assert handles(world) == 0
    world.restart()
    world.cleanup()
    assert world.close() == [link(False), world.irp("close1")]
    assert handles(world) == -1


def test_a_client_with_two_handles_ends_up_open_and_disconnected() -> None:
    """It closes both after the restart and opens both again: two handles are open, and the link is down for good."""
    world = running("raw", BEFORE)
    events = [*world.create(), *world.create()]
    counts = [handles(world)]
    for step in (world.pause, world.restart):
        events += step()
        counts.append(handles(world))
    for handle in ("h1", "h2"):
        events += world.leave(handle)
        counts.append(handles(world))
    for _ in range(2):
        events += world.create()
        counts.append(handles(world))
    assert counts == [2, 0, 0, -1, -2, -1, 0]
    assert links(events) == "CCDDDDDD"
    assert world.counters().handles == 2


def test_closing_within_the_pause_does_no_harm() -> None:
    """The closes are refused and not counted."""
    world = running("raw", BEFORE)
    events = [*world.create(), *world.create(), *world.pause(), *world.leave("h1"), *world.leave("h2")]
    events += [*world.restart(), *world.create(), *world.create()]
    assert links(events) == "CCDDCC"
    assert handles(world) == 2
    assert world.counters().handles == 2


def test_an_old_handle_works_again_but_the_stack_is_told_otherwise() -> None:
    world = opened("raw", BEFORE)
    world.pause()
    world.restart()
    assert world.read() == []
    assert world.write(VALID) == [*received("w1", ipv4()), world.irp("w1", 0, 48)]
    assert handles(world) == 0


def test_a_close_asleep_leaves_the_link_up_until_the_next_pause() -> None:
    world = opened("raw", BEFORE)
    world.set_power(D2)
    assert world.leave() == [world.irp("cleanup1", LOW_POWER), world.irp("close1", LOW_POWER)]
    assert handles(world) == 1
    assert world.counters().handles == 0
    assert links(world.pause()) == "D"
    assert handles(world) == 0


def test_queue_and_bundles_are_those_of_the_next_commit() -> None:
    world = opened("raw", BEFORE)
    assert world.machine.adapters["a"].state is State.RUNNING
    (event, read) = [*world.send(ipv4()), *world.read()]
    assert event == sent("s1", LEFT)
    assert getattr(read, "data", b"")[4:16] == b"\xa5" * 12
