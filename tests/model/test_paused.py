"""Chapter 2: an adapter is paused and restarted, and its client sleeps through it. This is the commit's own story."""

from tests.model.world import (
    MEDIA_DISCONNECTED,
    PAUSED,
    SUCCESS,
    bundle,
    ipv4,
    link,
    nbl,
    opened,
    paused,
    refused,
    returned,
    running,
    sent,
)
from wintun_sim.operations import Counters


def test_a_pause_gives_queued_packets_back_oldest_first_and_is_over() -> None:
    """The stack keeps what was not delivered, and sends it again when it likes."""
    world = opened()
    world.send(ipv4(mark=1), nbl(ipv4(mark=2), ipv4(mark=3)))
    world.send(ipv4(mark=4))
    assert world.counters() == Counters(3, 0, 1)
    assert world.pause() == [sent("s1", PAUSED), sent("s1", PAUSED, 1), sent("s2", PAUSED), returned("pause1")]
    assert world.counters() == Counters(0, 0, 1)


def test_reads_handles_and_link_sleep_through_a_pause() -> None:
    """Before the commit each pause cut the client off; now it does not even notice."""
    world = opened()
    world.read()
    assert world.pause() == [returned("pause1")]
    assert world.counters() == Counters(0, 1, 1)
    assert world.restart() == [returned("restart2")]
    assert world.send(ipv4()) == [sent("s1", SUCCESS), world.filled("r1", ipv4())]


def test_a_half_read_nbl_goes_back_as_paused_although_some_of_it_was_delivered() -> None:
    """A flush decides over what happened to single NET_BUFFERs."""
    world = opened()
    large, small = ipv4(61_424), ipv4(mark=2)
    world.read()
    assert world.send(nbl(large, small)) == [world.filled("r1", large)]
    assert world.counters().nbls_owned == 1
    assert world.pause() == [sent("s1", PAUSED), returned("pause1")]
    world.restart()
    world.read()
    assert world.send(ipv4(mark=3)) == [sent("s2", SUCCESS), world.filled("r2", ipv4(mark=3))]


def test_while_paused_reads_wait_and_writes_are_refused() -> None:
    """What would be sent to a stack that is not listening is the client's to keep."""
    world = paused()
    assert world.read() == []
    assert world.write(bundle(ipv4())) == [world.irp("w1", PAUSED)]
    assert world.write(b"") == [world.irp("w2", PAUSED)], "the state is asked before the buffer"
    assert world.statistics() == {}


def test_while_paused_the_stack_is_refused_too_if_it_sends_at_all() -> None:
    world = paused("raw")
    assert world.send(ipv4(), nbl(), ipv4()) == [sent("s1", PAUSED, index) for index in range(3)]
    assert refused(paused("strict").send(ipv4()), "Paused", "pausing-a-binding")


def test_a_client_may_come_and_go_while_paused() -> None:
    """Create and close count in every state, so the count is right when the adapter runs again, and never negative."""
    world = paused()
    assert world.create() == [world.irp("h2", handle="h2")]
    assert world.leave("h1") == [world.irp("cleanup1"), world.irp("close1")]
    assert world.leave("h2") == [
        world.irp("cleanup2", handle="h2"),
        link(False),
        world.irp("close2", handle="h2"),
    ]
    assert world.counters().handles == 0
    assert world.create() == [link(True), world.irp("h3", handle="h3")]
    world.restart()
    assert world.counters().handles == 1


def test_the_handle_that_outlives_a_pause_closes_late_and_the_count_is_zero() -> None:
    """Open, pause, restart, close: what made upstream's reference count negative."""
    world = paused()
    world.restart()
    assert world.leave() == [world.irp("cleanup1"), link(False), world.irp("close1")]
    assert world.counters().handles == 0
    assert world.send(ipv4()) == [sent("s1", MEDIA_DISCONNECTED)]


def test_restart_does_nothing_but_run() -> None:
    world = paused()
    world.read()
    assert world.restart() == [returned("restart2")]
    assert world.counters() == Counters(0, 1, 1)


def test_in_strict_order_a_pause_waits_until_the_stack_has_its_packets_back() -> None:
    """Protocols pause first and wait for their sends, so a driver that keeps a packet is never paused at all."""
    world = opened("strict")
    world.send(ipv4(mark=1), ipv4(mark=2))
    assert refused(world.pause(), "pause not reached: 2 NBLs held", "pausing-a-driver-stack")
    assert world.counters().nbls_owned == 2, "a refused operation changes nothing"
    world.read()
    assert world.pause() == [returned("pause2")]


def test_pause_and_restart_come_only_where_the_states_allow_them() -> None:
    world = paused()
    assert refused(world.pause(), "Paused", "miniport-adapter-states-and-operations")
    world.restart()
    assert refused(world.restart(), "Running", "nc-ndis-miniport_restart")
    assert running().pause() == [returned("pause1")], "without any client, too"
