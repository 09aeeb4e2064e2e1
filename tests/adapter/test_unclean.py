"""What is found when an adapter is closed: handles that the client forgot, rules that a driver broke, and its crash."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.adapter.world import CANCELLED, fails, ipv4
from tests.defects.build import build
from wintun_sim import Adapter, AdapterGone, NtStatusError, Unclean
from wintun_sim.kernel import DriverGone, DriverMachine
from wintun_sim.lifecycle import State
from wintun_sim.model import ModelMachine
from wintun_sim.operations import Event, Nbl, NblCompleted, Operation, Pause, Restart, Returned, RuleBroken, Write
from wintun_sim.testing.plugin import AdapterFactory


def test_a_forgotten_handle_is_named_by_where_it_was_opened(wintun_adapters: AdapterFactory) -> None:
    adapter = wintun_adapters()
    with adapter.open():
        pass
    forgotten = adapter.open()
    pending = forgotten.read()
    with pytest.raises(Unclean) as caught:
        adapter.close()
    (words,) = caught.value.leaked
    assert f"the handle opened at {__file__}:" in words
    assert "was never closed" in words
    assert str(caught.value) == words
    assert caught.value.broken == ()
    with fails(CANCELLED, "its handle was closed"):
        pending.result()
    assert forgotten.closed
    adapter.close()


def test_in_a_with_block_an_error_goes_before_what_was_left_behind() -> None:
    """The handle is open because of the error; the error is what the reader of a failed test needs first."""

    def fail() -> None:
        with Adapter() as adapter:
            adapter.open()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError) as caught:
        fail()
    (note,) = caught.value.__notes__
    assert "was never closed" in note
    with pytest.raises(Unclean, match="was never closed"), Adapter() as adapter:
        adapter.open()


# Drivers that are wrong. The first are the project's own with one defect each, loaded as any image is.


def test_a_driver_that_breaks_a_rule_does_not_pass_unnoticed(tmp_path: Path) -> None:
    adapter = Adapter(DriverMachine(build(tmp_path, "halt-leaks-pool")))
    with adapter.open() as handle:
        assert handle.write([ipv4(1)]).result() == 48
    assert adapter.broken_rules == []
    with pytest.raises(Unclean) as caught:
        adapter.close()
    assert caught.value.leaked == ()
    assert any("WINTUN0: halt: the driver broke LeakAtHalt: " in words for words in caught.value.broken)


def test_a_driver_that_waits_for_ever_is_gone_and_whoever_waits_for_it_is_told(tmp_path: Path) -> None:
    """Its halt waits for a read that nobody will end. The test fails; it does not hang."""
    adapter = Adapter(DriverMachine(build(tmp_path, "halt-keeps-reads")))
    with adapter.open() as handle:
        read = handle.read()
        with pytest.raises(AdapterGone, match=r"halt on WINTUN.*Stuck"):
            adapter.remove()
        with pytest.raises(AdapterGone, match=r"read on WINTUN.*Stuck"):
            read.result()
    with pytest.raises(Unclean, match=r"halt: the driver broke Stuck") as caught:
        adapter.close()
    assert (caught.value.leaked, len(caught.value.broken)) == ((), 1)


@pytest.fixture(scope="module")
def crashing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image of a driver that keeps a pointer into an NBL which was cancelled when half of it was read."""
    return build(tmp_path_factory.mktemp("crashing"), "cancel-send-forgets-cursor")


def test_a_driver_that_crashes_is_gone_and_the_test_goes_on(crashing: Path) -> None:
    adapter = Adapter(DriverMachine(crashing))
    handle = adapter.open()
    adapter.stack.send([Nbl((ipv4(1, 61_424), ipv4(2)), cancel_id=7), ipv4(3)])
    handle.read()
    adapter.stack.cancel_send(7)
    with pytest.raises(AdapterGone, match=r"read on WINTUN.*Crash: .*access violation"):
        handle.read()
    with pytest.raises(AdapterGone, match=r"Crash: .*make another adapter"):
        handle.read()
    handle.close()
    with pytest.raises(Unclean, match="Crash"):
        adapter.close()


CRASHES = """if True:
    import faulthandler, sys
    from wintun_sim import Adapter, AdapterGone
    from wintun_sim.kernel import DriverMachine
    from wintun_sim.operations import Nbl

    def crash():
        adapter = Adapter(DriverMachine(sys.argv[1]))
        handle = adapter.open()
        adapter.stack.send([Nbl((bytes(61424), bytes(20)), cancel_id=7), bytes(20)])
        handle.read()
        adapter.stack.cancel_send(7)
        try:
            handle.read()
        except AdapterGone:
            print("gone", flush=True)

    Adapter("driver").close()
    faulthandler.enable()
    crash()
    faulthandler.disable()
    crash()
    faulthandler.enable()
    Adapter("driver").close()
    import ctypes
    ctypes.string_at(1)
"""


def test_a_crash_is_taken_even_if_somebody_else_took_the_signals_meanwhile(crashing: Path) -> None:
    """Python's faulthandler does, in every pytest; and a crash that is not the driver's is still the process's own."""
    command = [sys.executable, "-c", CRASHES, str(crashing)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.stdout == "gone\n" * 2
    assert done.returncode == -signal.SIGSEGV
    assert done.stderr.count("Fatal Python error: Segmentation fault") == 1


class Crashes(ModelMachine):
    """Crashes at the first write, as the host kernel tells of it."""

    gone = False

    def perform(self, operation: Operation) -> Sequence[Event]:
        if self.gone:
            raise DriverGone("write ended the driver")
        if isinstance(operation, Write):
            self.gone = True
            return [RuleBroken(operation.name, "Crash", "MiniportX: access violation")]
        return super().perform(operation)


def test_a_crash_ends_every_request_and_every_call() -> None:
    adapter = Adapter(Crashes())
    handle = adapter.open()
    read = handle.read()
    with pytest.raises(AdapterGone, match=r"write on WINTUN.*Crash: MiniportX: access violation"):
        handle.write([ipv4()])
    with pytest.raises(AdapterGone, match=r"read on WINTUN.*Crash"):
        read.result()
    assert not read.cancel()
    for call in (handle.read, adapter.pause, adapter.open, adapter.stack.receive, lambda: adapter.stack.send(ipv4())):
        with pytest.raises(AdapterGone, match=r"Crash"):
            call()
    handle.close()
    with pytest.raises(Unclean) as caught:
        adapter.close()
    assert (caught.value.leaked, len(caught.value.broken)) == ((), 1)


def test_a_machine_that_was_closed_under_the_adapter_is_gone_too() -> None:
    machine = DriverMachine()
    adapter = Adapter(machine)
    handle = adapter.open()
    read = handle.read()
    machine.close()
    with pytest.raises(AdapterGone, match="the driver is gone"):
        adapter.pause()
    with pytest.raises(AdapterGone, match="the driver is gone"):
        read.result()
    handle.close()
    adapter.close()


class KeepsNbls(ModelMachine):
    """Never says that an NBL is back."""

    def perform(self, operation: Operation) -> Sequence[Event]:
        return [event for event in super().perform(operation) if not isinstance(event, NblCompleted)]

    def settle(self) -> None:
        self.events[:] = [event for event in self.events if not isinstance(event, NblCompleted)]
        super().settle()


def test_a_driver_that_keeps_packets_cannot_be_removed_and_that_is_found() -> None:
    """NDIS would wait for ever before it pauses such a driver."""
    adapter = Adapter(KeepsNbls())
    with adapter.open() as handle:
        sent = adapter.stack.send(ipv4())
        assert handle.read().result().packets == [ipv4()]
        assert not sent.done()
    with pytest.raises(Unclean, match=r"could not be removed.*1 NBLs held"):
        adapter.close()


class FailsOnce(ModelMachine):
    """Its restart fails once."""

    failed = False

    def perform(self, operation: Operation) -> Sequence[Event]:
        if isinstance(operation, Restart) and not self.failed:
            self.failed = True
            reason = self.ledger.admit(operation)
            assert reason is None
            event = Returned(operation.name, 0xC0000001)
            self.ledger.observe(event)
            return [event]
        return super().perform(operation)


def test_a_handler_that_fails_is_an_error_with_its_status() -> None:
    with pytest.raises(NtStatusError, match=r"restart on a new adapter, Paused: STATUS_UNSUCCESSFUL"):
        Adapter(FailsOnce())
    with Adapter(FailsOnce(), running=False) as adapter:
        with pytest.raises(NtStatusError, match="restart on WINTUN"):
            adapter.restart()
        assert adapter.state is State.PAUSED


class CutsOff(ModelMachine):
    """A pause cancels all reads, as it did before the commit that this project descends from."""

    def perform(self, operation: Operation) -> Sequence[Event]:
        events: list[Event] = []
        if isinstance(operation, Pause):
            for adapter in self.adapters.values():
                while adapter.reads:
                    adapter.complete_read(adapter.reads.popleft(), 0xC0000120)
            self.settle()
            events += self.take_events()
        return [*events, *super().perform(operation)]


def test_a_driver_that_cuts_its_client_off_is_quoted() -> None:
    """The words name whatever operation ended the request, also one that never does so in the project's adapter."""
    with Adapter(CutsOff()) as adapter, adapter.open() as handle:
        read = handle.read()
        adapter.pause()
        with fails(CANCELLED, "the pause cancelled it"):
            read.result()
