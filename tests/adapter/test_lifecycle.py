"""NDIS comes and goes: pause, sleep, shutdown, removal, update. What it would never do is refused."""

from __future__ import annotations

import pytest

from tests.adapter.world import CANCELLED, INVALID_DATA, MEDIA_DISCONNECTED, PAUSED, SUCCESS, fails, ipv4, state
from wintun_sim import Adapter, AdapterGone, IllegalCall
from wintun_sim.lifecycle import State
from wintun_sim.model import ModelMachine
from wintun_sim.operations import PowerState, ShutdownAction
from wintun_sim.testing.plugin import AdapterFactory


def test_an_adapter_comes_up_running_or_paused(wintun_adapters: AdapterFactory) -> None:
    assert wintun_adapters().state is State.RUNNING
    young = wintun_adapters(running=False)
    assert state(young) is State.PAUSED
    young.restart()
    assert state(young) is State.RUNNING


def test_pause_and_restart(wintun_adapter: Adapter) -> None:
    wintun_adapter.pause()
    assert state(wintun_adapter) is State.PAUSED
    wintun_adapter.restart()
    assert state(wintun_adapter) is State.RUNNING


def test_an_illegal_call_names_operation_state_and_page_and_changes_nothing(wintun_adapter: Adapter) -> None:
    with wintun_adapter.open() as handle:
        read = handle.read()
        for call, words in (
            (wintun_adapter.restart, r"restart: MiniportRestart in Running: .*nc-ndis-miniport_restart"),
            (wintun_adapter.halt, r"halt: MiniportHaltEx in Running: .*miniport-adapter-states-and-operations"),
            (wintun_adapter.resume, r"set-power: OID_PNP_SET_POWER in Running: .*oid-pnp-set-power"),
            (wintun_adapter.unload, r"unload: .*halt them first .*nc-ndis-miniport_unload"),
        ):
            with pytest.raises(IllegalCall, match=words):
                call()
        assert state(wintun_adapter) is State.RUNNING
        assert not read.done()
        wintun_adapter.stack.send(ipv4(1))
        assert read.result().packets == [ipv4(1)]
    assert wintun_adapter.broken_rules == []


def test_a_stack_with_packets_out_is_not_paused_until_they_are_back(wintun_adapters: AdapterFactory) -> None:
    """A client that stops reading can hold up NDIS; the raw order shows what the adapter would do with them."""
    strict, raw = wintun_adapters(), wintun_adapters(order="raw")
    with strict.open() as handle, raw.open():
        sent = strict.stack.send(ipv4(1))
        with pytest.raises(IllegalCall, match=r"1 NBLs held.*pausing-a-driver-stack"):
            strict.pause()
        assert handle.read().result().packets == [ipv4(1)]
        assert sent.status == SUCCESS
        strict.pause()
        sent = raw.stack.send(ipv4(1))
        raw.pause()
        assert sent.status == PAUSED


def test_sleep_and_waking(wintun_adapter: Adapter) -> None:
    wintun_adapter.suspend()
    assert (wintun_adapter.state, wintun_adapter.power) == (State.PAUSED, PowerState.D3)
    with pytest.raises(IllegalCall, match="set the power first"):
        wintun_adapter.restart()
    wintun_adapter.resume()
    assert (wintun_adapter.state, wintun_adapter.power) == (State.RUNNING, PowerState.D0)
    wintun_adapter.pause()
    wintun_adapter.suspend()
    assert wintun_adapter.power is PowerState.D3


def test_a_power_state_that_there_is_not_is_refused_by_the_adapter(wintun_adapter: Adapter) -> None:
    wintun_adapter.pause()
    with fails(INVALID_DATA, "set-power on WINTUN", "D0, D1, D2 or D3"):
        wintun_adapter.set_power(5)
    assert wintun_adapter.power is PowerState.D0


def test_an_update_waits_for_nobody_but_the_client(wintun_adapter: Adapter) -> None:
    """The client answers its cancelled read by closing, and the driver leaves: no reboot."""
    with wintun_adapter.open() as stubborn:
        with wintun_adapter.open() as polite:
            polite.read().add_done_callback(lambda read: polite.close())
            wintun_adapter.remove()
            wintun_adapter.unload()
            assert polite.closed
        assert not wintun_adapter.unloaded
        assert wintun_adapter.handles == [stubborn], "who keeps the driver"
    assert wintun_adapter.unloaded


def test_surprise_removal(wintun_adapter: Adapter) -> None:
    with wintun_adapter.open() as handle:
        read = handle.read()
        wintun_adapter.surprise_remove()
        assert not read.done(), "the notice alone ends nothing"
        with pytest.raises(IllegalCall, match="removed before"):
            wintun_adapter.surprise_remove()
        wintun_adapter.remove()
        with fails(CANCELLED):
            read.result()
    assert state(wintun_adapter) is State.HALTED
    with pytest.raises(IllegalCall, match=r"surprise-remove.*Halted"):
        wintun_adapter.surprise_remove()


@pytest.mark.parametrize("action", ShutdownAction)
def test_after_a_shutdown_ndis_calls_nothing_but_the_client_may_close(
    wintun_adapter: Adapter, action: ShutdownAction
) -> None:
    with wintun_adapter.open() as handle:
        read = handle.read()
        wintun_adapter.shutdown(action)
        assert state(wintun_adapter) is State.SHUTDOWN
        assert not read.done()
        with pytest.raises(IllegalCall, match="nothing is called after MiniportShutdownEx"):
            wintun_adapter.halt()
    with fails(CANCELLED, "its handle was closed"):
        read.result()


def test_removing_a_paused_adapter(wintun_adapter: Adapter) -> None:
    wintun_adapter.pause()
    wintun_adapter.remove()
    with pytest.raises(IllegalCall, match="Halted"):
        wintun_adapter.remove()


def test_a_closed_adapter_says_so(wintun_adapters: AdapterFactory) -> None:
    adapter = wintun_adapters()
    with adapter.open() as handle:
        pass
    adapter.close()
    adapter.close()
    assert adapter.closed
    assert adapter.unloaded
    for call in (
        adapter.pause,
        adapter.open,
        adapter.stack.statistics,
        handle.read,
        lambda: adapter.stack.send(ipv4()),
    ):
        with pytest.raises(AdapterGone, match=r"WINTUN.*: the adapter was closed; make another"):
            call()
    handle.close()
    assert handle.cancel() == 0
    with pytest.raises(AdapterGone, match="the adapter was closed"):
        adapter.stack.receive()


@pytest.mark.parametrize("prepare", [Adapter.pause, Adapter.remove, Adapter.shutdown, Adapter.suspend])
def test_an_adapter_closes_from_every_state(wintun_adapters: AdapterFactory, prepare: object) -> None:
    assert callable(prepare)
    adapter = wintun_adapters()
    prepare(adapter)
    adapter.close()


def test_ndis_of_other_versions(wintun_adapters: AdapterFactory) -> None:
    for version in ((6, 20), (6, 30), (6, 80), (6, 84)):
        assert wintun_adapters(ndis=version).state is State.RUNNING


def test_a_machine_of_ones_own_is_played_on_and_closed() -> None:
    machine = ModelMachine(order="raw")
    with Adapter(machine) as adapter, adapter.open():
        sent = adapter.stack.send(ipv4())
        adapter.halt()
        assert sent.status == PAUSED
    assert sent.status != MEDIA_DISCONNECTED
    assert machine.adapters == {}


@pytest.mark.parametrize("options", [{"order": "raw"}, {"ndis": (6, 30)}])
def test_a_machine_of_ones_own_takes_no_options_here(options: dict[str, object]) -> None:
    """An option that does nothing would mislead."""
    with pytest.raises(ValueError, match="has its order and its NDIS already"):
        Adapter(ModelMachine(), **options)  # type: ignore[arg-type]  # two kinds of values


def test_machines_and_orders_that_there_are_not() -> None:
    with pytest.raises(ValueError, match="no machine 'modle'; known are 'model' and 'driver'"):
        Adapter("modle")  # type: ignore[arg-type]  # the mistake
    with pytest.raises(ValueError, match="loose"):
        Adapter(order="loose")
