"""A client writes: packets, bundles, and what is neither."""

from __future__ import annotations

import pytest

from tests.adapter.world import INVALID_PARAMETER, INVALID_USER_BUFFER, LOW_POWER, PAUSED, fails, ipv4
from wintun_sim import Adapter
from wintun_sim.bundle import BundleError, encode
from wintun_sim.operations import PowerState
from wintun_sim.testing.plugin import AdapterFactory

IPV6 = b"\x60" + bytes(39)


def test_what_a_client_writes_the_stack_receives(wintun_adapter: Adapter) -> None:
    with wintun_adapter.open() as handle:
        write = handle.write([ipv4(1), IPV6])
        assert write.done(), "writes never wait"
        assert write.result() == 112, "two records: 16 + 32 and 16 + 48 bytes"
    assert wintun_adapter.stack.received == [ipv4(1), IPV6]
    assert wintun_adapter.stack.receive() == ipv4(1)
    assert wintun_adapter.stack.receive_all() == [IPV6]
    assert wintun_adapter.stack.received == []


def test_any_bytes_like_object_is_a_packet_and_any_iterable_a_list(wintun_adapter: Adapter) -> None:
    with wintun_adapter.open() as handle:
        handle.write(packet for packet in (bytearray(ipv4(1)), memoryview(ipv4(2))))
    assert wintun_adapter.stack.received == [ipv4(1), ipv4(2)]


def test_what_is_not_ip_is_skipped_and_counted(wintun_adapter: Adapter) -> None:
    with wintun_adapter.open() as handle:
        assert handle.write([b"\x55" + bytes(19), ipv4(1), ipv4(2)[:19]]).result() == 144
    assert wintun_adapter.stack.received == [ipv4(1)]
    assert wintun_adapter.stack.statistics()["ifInErrors"] == 2


def test_a_bundle_goes_in_as_it_is_and_ends_at_the_first_damaged_record(wintun_adapter: Adapter) -> None:
    """The write succeeds all the same; that less was consumed than written is how a client notices."""
    whole = encode([ipv4(1)])
    with wintun_adapter.open() as handle:
        assert handle.write_bundle(whole).result() == 48
        assert handle.write_bundle(bytearray(whole + whole[:36])).result() == 48
        assert handle.write_bundle(whole[:36]).result() == 0
    assert wintun_adapter.stack.received == [ipv4(1)] * 2


@pytest.mark.parametrize(
    ("size", "status"), [(0, INVALID_PARAMETER), (15, INVALID_USER_BUFFER), (15_728_641, INVALID_USER_BUFFER)]
)
def test_a_buffer_of_the_wrong_size_is_refused_at_the_call(wintun_adapter: Adapter, size: int, status: int) -> None:
    with wintun_adapter.open() as handle, fails(status, f"{size:,} bytes; give it 16 to 15,728,640"):
        handle.write_bundle(bytes(size))


def test_no_packets_are_a_buffer_of_no_bytes(wintun_adapter: Adapter) -> None:
    with wintun_adapter.open() as handle, fails(INVALID_PARAMETER, "write on WINTUN"):
        handle.write([])


def test_packets_that_no_bundle_can_carry_never_reach_the_adapter(wintun_adapter: Adapter) -> None:
    with wintun_adapter.open() as handle:
        with pytest.raises(BundleError, match="61425 bytes"):
            handle.write([bytes(61_425)])
        with pytest.raises(BundleError, match="one too many"):
            handle.write([ipv4()] * 257)
        with pytest.raises(TypeError, match="put a single packet into a list"):
            handle.write(ipv4())  # type: ignore[arg-type]  # the mistake
    assert wintun_adapter.stack.statistics()["ifInErrors"] == 0


def test_while_paused_writes_are_refused_and_say_what_to_do(wintun_adapter: Adapter) -> None:
    with wintun_adapter.open() as handle:
        wintun_adapter.pause()
        with fails(PAUSED, "write on WINTUN", "Paused", "STATUS_NDIS_PAUSED", "write them again after the restart"):
            handle.write([ipv4()])
        wintun_adapter.restart()
        assert handle.write([ipv4()]).result() == 48


def test_an_adapter_that_sleeps_refuses_writes_as_paused_since_windows_pauses_it_first(wintun_adapter: Adapter) -> None:
    with wintun_adapter.open() as handle:
        wintun_adapter.suspend()
        with fails(PAUSED, "Paused in D3"):
            handle.write([ipv4()])
        wintun_adapter.resume()
        handle.write([ipv4()])


def test_only_the_raw_order_shows_low_power_to_a_client(wintun_adapters: AdapterFactory) -> None:
    adapter = wintun_adapters(order="raw")
    with adapter.open() as handle:
        adapter.set_power(PowerState.D2)
        with fails(LOW_POWER, "Running in D2", "STATUS_NDIS_LOW_POWER_STATE", "back in D0"):
            handle.write([ipv4()])
        adapter.set_power(PowerState.D0)
        handle.write([ipv4()])


def test_after_a_shutdown_writes_are_refused(wintun_adapter: Adapter) -> None:
    with wintun_adapter.open() as handle:
        wintun_adapter.shutdown()
        with fails(PAUSED, "Shutdown"):
            handle.write([ipv4()])
