"""Chapter 7: low power, and the machine going down."""

import pytest

from tests.model.world import (
    D0,
    D1,
    D2,
    D3,
    INVALID_DATA,
    LOW_POWER,
    PAUSED,
    SUCCESS,
    asleep,
    bundle,
    initialized,
    ipv4,
    link,
    nbl,
    opened,
    paused,
    refused,
    returned,
    sent,
    shut_down,
)
from wintun_sim.operations import Counters, OidCompleted, ShutdownAction


def power_set(number: int = 1) -> OidCompleted:
    return OidCompleted(f"power{number}", SUCCESS, 4, 0)


@pytest.mark.parametrize("state", [D1, D2, D3])
def test_an_adapter_that_falls_asleep_while_running_gives_everything_back_first(state: int) -> None:
    """Only a driver that asks not to be paused for sleep sees this; the raw order lets ours see it."""
    world = opened()
    world.send(ipv4(), ipv4())
    assert world.set_power(state) == [sent("s1", LOW_POWER), sent("s1", LOW_POWER, 1), power_set()]
    assert world.send(ipv4(), nbl()) == [sent("s2", LOW_POWER), sent("s2", LOW_POWER, 1)]
    assert world.write(bundle(ipv4())) == [world.irp("w1", LOW_POWER)]
    assert world.counters() == Counters(0, 0, 1)


def test_reads_wait_through_sleep_and_handles_come_and_go() -> None:
    world = asleep()
    assert world.read() == []
    assert world.create() == [world.irp("h2", handle="h2")]
    assert world.leave("h2")[-1] == world.irp("close1", handle="h2")
    assert world.set_power(D0) == [power_set(2)]
    assert world.send(ipv4()) == [sent("s1", SUCCESS), world.filled("r1", ipv4())]


def test_not_running_is_said_before_asleep() -> None:
    world = paused()
    world.set_power(D3)
    assert world.write(bundle(ipv4())) == [world.irp("w1", PAUSED)]
    assert world.send(ipv4()) == [sent("s1", PAUSED)]


def test_asleep_is_said_before_disconnected() -> None:
    world = asleep()
    world.leave()
    assert world.send(ipv4()) == [sent("s1", LOW_POWER)]


@pytest.mark.parametrize("state", [0, 5, 6, 0x80000000, 0xFFFFFFFF])
def test_a_state_that_is_none_changes_nothing(state: int) -> None:
    world = opened()
    world.send(ipv4())
    assert world.set_power(state) == [OidCompleted("power1", INVALID_DATA, 4, 0)]
    assert world.counters().nbls_owned == 1
    assert world.read() == [sent("s1", SUCCESS), world.filled("r1", ipv4())]


def test_a_real_stack_pauses_before_sleep_and_restarts_after() -> None:
    """So the client, whose read waits all the time, wakes up with the machine and has lost nothing."""
    world = opened("strict")
    assert refused(world.set_power(D3), "Running", "oid-pnp-set-power")
    world.read()
    world.pause()
    assert world.set_power(D3) == [power_set(2)]
    assert refused(world.restart(), "power D3", "oid-pnp-set-power")
    assert world.set_power(D0) == [power_set(3)]
    assert world.restart() == [returned("restart3")]
    assert world.send(ipv4()) == [sent("s1", SUCCESS), world.filled("r1", ipv4())]


def test_a_sleeping_adapter_can_be_halted() -> None:
    world = paused("strict")
    world.set_power(D3)
    assert world.halt() == [returned("halt1")]


def test_power_off_gives_queued_packets_back_and_lets_reads_wait() -> None:
    world = opened()
    world.send(ipv4(), ipv4())
    assert world.shutdown() == [sent("s1", PAUSED), sent("s1", PAUSED, 1), returned("shutdown1")]
    assert world.read() == []
    assert world.write(bundle(ipv4())) == [world.irp("w1", PAUSED)]
    assert world.counters() == Counters(0, 1, 1)


def test_clients_come_and_go_after_shutdown() -> None:
    world = shut_down()
    assert world.create() == [world.irp("h2", handle="h2")]
    world.read()
    assert world.leave("h1") == [world.irp("r1", 0xC0000120), world.irp("cleanup1"), world.irp("close1")]
    assert world.leave("h2")[1] == link(False)


def test_a_bug_check_touches_nothing() -> None:
    """A processor that was stopped may hold any lock."""
    world = opened()
    world.send(ipv4())
    assert world.shutdown(ShutdownAction.BUG_CHECK) == [returned("shutdown1")]
    assert world.counters() == Counters(1, 0, 1)
    assert world.read() == [sent("s1", SUCCESS), world.filled("r1", ipv4())]


def test_nothing_is_called_after_shutdown() -> None:
    world = shut_down()
    for step in (world.halt, world.restart, world.pause, world.shutdown, world.surprise_remove):
        assert refused(step(), "Shutdown", "nc-ndis-miniport_shutdown")
    assert refused(world.send(ipv4()), "Shutdown")
    assert refused(world.set_power(D0), "Shutdown")
    assert refused(world.cancel_send(0), "Shutdown")
    assert refused(world.unload(), "halt them first")


@pytest.mark.parametrize("order", ["strict", "raw"])
def test_a_paused_adapter_can_be_shut_down(order: str) -> None:
    assert initialized(order).shutdown() == [returned("shutdown1")]
