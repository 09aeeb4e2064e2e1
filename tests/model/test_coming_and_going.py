"""Chapter 1: an adapter comes, is Paused, goes, and what it leaves to those who still hold its device."""

import pytest

from tests.model.world import (
    ACCESS_DENIED,
    CANCELLED,
    INVALID_HANDLE,
    PAUSED,
    SUCCESS,
    UNSUPPORTED_REVISION,
    World,
    bundle,
    halted,
    initialized,
    ipv4,
    link,
    opened,
    paused,
    refused,
    returned,
    sent,
)
from wintun_sim.operations import Account, Counters


def test_a_new_adapter_says_that_it_is_disconnected_and_is_paused() -> None:
    """Once, and before its handler returns: the stack must know before it binds."""
    world = World()
    assert world.load() == [returned("d")]
    assert world.initialize() == [link(False), returned("a")]
    assert world.counters() == Counters(0, 0, 0)


@pytest.mark.parametrize("version", [(6, 0), (6, 1), (6, 19), (5, 99)])
def test_a_system_older_than_windows_7_is_told_so(version: tuple[int, int]) -> None:
    world = World(version=version)
    assert world.load() == [returned("d", UNSUPPORTED_REVISION)]
    assert refused(world.initialize(), "never loaded")
    assert refused(world.create(), "gone")


@pytest.mark.parametrize("version", [(6, 20), (6, 30), (6, 40), (6, 80), (6, 89)])
def test_every_later_system_will_do(version: tuple[int, int]) -> None:
    world = World(version=version)
    assert world.load() == [returned("d")]


def test_a_client_may_come_before_the_stack_does() -> None:
    """A service starts early. Its handle counts, its read waits, only its write has nowhere to go."""
    world = initialized()
    assert world.create() == [link(True), world.irp("h1")]
    assert world.read() == []
    assert world.write(bundle(ipv4())) == [world.irp("w1", PAUSED)]
    assert world.counters() == Counters(0, 1, 1)
    assert world.restart() == [returned("restart1")]
    assert world.send(ipv4()) == [sent("s1", SUCCESS), world.filled("r1", ipv4())]


@pytest.mark.parametrize("account", [Account.ADMINISTRATOR, Account.USER])
def test_only_the_system_may_open_the_device(account: Account) -> None:
    """Whoever can write to it can put packets on the machine's network."""
    world = opened()
    assert world.create(account=account) == [world.irp("h2", ACCESS_DENIED, handle="h2")]
    assert world.counters().handles == 1
    assert refused(world.read("h2"), "never opened")
    assert refused(world.cleanup("h2"), "never opened")


def test_halt_cancels_reads_and_needs_no_help_from_the_client() -> None:
    """The answer to the question that upstream left open: the client keeps its handle, and halt ends all the same."""
    world = paused()
    world.read()
    world.read()
    assert world.halt() == [world.irp("r1", CANCELLED), world.irp("r2", CANCELLED), returned("halt1")]
    assert world.counters() == Counters(0, 0, 0)


def test_halt_in_running_releases_everything_too() -> None:
    world = opened()
    world.send(ipv4(), ipv4())
    assert world.halt() == [sent("s1", PAUSED), sent("s1", PAUSED, 1), returned("halt1")]
    world = opened()
    world.read()
    assert world.halt() == [world.irp("r1", CANCELLED), returned("halt1")]


def test_after_halt_every_request_on_an_old_handle_finds_nobody() -> None:
    world = halted()
    assert world.read() == [world.irp("r1", INVALID_HANDLE)]
    assert world.read(length=0) == [world.irp("r2", INVALID_HANDLE)]
    assert world.write(bundle(ipv4())) == [world.irp("w1", INVALID_HANDLE)]
    assert world.create() == [world.irp("h2", INVALID_HANDLE, handle="h2")]
    assert world.cleanup() == [world.irp("cleanup1", INVALID_HANDLE)]
    assert world.close() == [world.irp("close1", INVALID_HANDLE)]
    assert refused(world.create(), "gone", "ndisderegisterdeviceex")


def test_a_client_that_closes_on_a_cancelled_read_gets_an_update_without_a_reboot() -> None:
    """The old driver leaves with the last handle; the new one can be there before."""
    world = paused()
    world.read()
    world.halt()
    assert world.unload() == []
    assert world.load("new") == [returned("new")]
    assert world.initialize("b", "new") == [link(False, "b"), returned("b")]
    assert world.cleanup() == [world.irp("cleanup1", INVALID_HANDLE)]
    assert world.close() == [world.irp("close1", INVALID_HANDLE), returned("unload1")]
    assert world.create("b") == [link(True, "b"), world.irp("h2", handle="h2")]


def test_a_client_that_keeps_its_handle_is_named_as_what_blocks_the_update() -> None:
    world = opened()
    world.create()
    world.pause()
    world.halt()
    assert world.unload() == []
    assert world.machine.ledger.blocking_handles("d") == ["h1", "h2"]
    world.leave("h1")
    assert world.machine.ledger.blocking_handles("d") == ["h2"]
    assert world.leave("h2")[-1] == returned("unload1")
    assert refused(world.unload(), "unloaded")
    assert refused(world.initialize("b"), "unloaded")


def test_without_handles_a_driver_unloads_at_once() -> None:
    world = initialized()
    assert refused(world.unload(), "halted")
    world.halt()
    assert world.unload() == [returned("unload2")]


def test_two_adapters_of_one_driver_know_nothing_of_each_other() -> None:
    """Each has a device, a queue, a link and counters of its own."""
    world = opened()
    world.initialize("b")
    world.restart("b")
    assert world.create("b") == [link(True, "b"), world.irp("h2", handle="h2")]
    world.read("h2")
    assert world.send(ipv4()) == []
    assert world.send(ipv4(84), adapter="b") == [sent("s2", SUCCESS), world.filled("r1", ipv4(84), handle="h2")]
    assert world.statistics("b") == {"ifHCOutOctets": 84, "ifHCOutUcastOctets": 84, "ifHCOutUcastPkts": 1}
    assert world.statistics("a") == {}
    assert world.halt("b") == [returned("halt1")]
    assert world.counters("a") == Counters(1, 0, 1)
    assert refused(world.unload(), "1 adapter(s)")


def test_surprise_removal_changes_nothing_until_pause_and_halt_come() -> None:
    """There is no hardware to miss; what counts is that open handles do not hold up what follows."""
    world = opened()
    world.read()
    assert world.surprise_remove() == [returned("removal1")]
    assert world.send(ipv4()) == [sent("s1", SUCCESS), world.filled("r1", ipv4())]
    assert refused(world.surprise_remove(), "removed before")
    assert world.pause() == [returned("pause1")]
    world.read()
    assert world.halt() == [world.irp("r2", CANCELLED), returned("halt1")]
