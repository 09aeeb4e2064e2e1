"""The link is up while somebody has the device open. Only changes are told, and each of them."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tests.model.world import link, opened, paused, running
from wintun_sim.operations import LinkChanged


def test_two_clients_come_and_go_and_the_stack_hears_of_it_twice() -> None:
    """Upstream said connected, connected, connected, disconnected."""
    world = running()
    events = [*world.create(), *world.create(), *world.leave("h1"), *world.leave("h2")]
    assert [event for event in events if isinstance(event, LinkChanged)] == [link(True), link(False)]


def test_the_link_goes_down_before_the_last_close_completes() -> None:
    world = opened()
    world.cleanup()
    assert world.close() == [link(False), world.irp("close1")]


def test_pause_restart_and_halt_say_nothing_of_the_link() -> None:
    world = paused()
    assert not any(isinstance(event, LinkChanged) for event in [*world.restart(), *world.pause(), *world.halt()])


@given(st.lists(st.booleans(), max_size=30))
def test_at_rest_the_last_state_told_is_whether_a_handle_is_open(steps: list[bool]) -> None:
    world = running()
    told = [link(False)]
    handles: list[str] = []
    for opening in steps:
        if opening or not handles:
            events = world.create()
            handles.append(f"h{world.numbers['h']}")
        else:
            events = world.leave(handles.pop())
        told += [event for event in events if isinstance(event, LinkChanged)]
        assert told[-1] == link(bool(handles))
        assert all(one.connected != other.connected for one, other in pairwise(told))
        assert world.counters().handles == len(handles)
