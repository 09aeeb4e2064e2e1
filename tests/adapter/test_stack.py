"""The stack above: what it sent comes back with a verdict, what clients wrote comes in, and it may ask."""

from __future__ import annotations

import pytest

from tests.adapter.world import (
    INVALID_LENGTH,
    INVALID_OID,
    MEDIA_DISCONNECTED,
    PAUSED,
    SEND_ABORTED,
    SUCCESS,
    fails,
    ipv4,
)
from wintun_sim import Adapter, AdapterGone, IllegalCall, Sent, Stack
from wintun_sim.operations import Nbl, OidKind
from wintun_sim.testing.plugin import AdapterFactory


def statuses(sent: Sent) -> tuple[int | None, ...]:
    return sent.statuses


def connected(stack: Stack) -> bool:
    return stack.connected


def test_without_a_client_nothing_is_sent(wintun_adapter: Adapter) -> None:
    sent = wintun_adapter.stack.send(ipv4())
    assert sent.status == MEDIA_DISCONNECTED
    assert repr(sent) == "<Sent: STATUS_NDIS_MEDIA_DISCONNECTED>"


def test_what_nobody_read_comes_back_when_the_last_client_leaves(wintun_adapter: Adapter) -> None:
    with wintun_adapter.open() as one, wintun_adapter.open() as two:
        sent = wintun_adapter.stack.send([ipv4(1), ipv4(2)])
        assert repr(sent) == "<Sent: held, held>"
        one.close()
        assert not sent.done()
        two.close()
    assert sent.statuses == (MEDIA_DISCONNECTED, MEDIA_DISCONNECTED)
    assert sent.wait(timeout=0) == MEDIA_DISCONNECTED


def test_the_queue_holds_1000_and_then_drops_the_oldest(wintun_adapter: Adapter) -> None:
    with wintun_adapter.open() as handle:
        sent = wintun_adapter.stack.send([ipv4(mark) for mark in range(1001)])
        assert sent.statuses[:2] == (SEND_ABORTED, None)
        assert statuses(sent).count(None) == 1000
        marks: list[int] = []
        while not sent.done():
            marks += [int.from_bytes(packet[1:5], "big") for packet in handle.read().result().packets]
        assert marks == list(range(1, 1001))
        assert sent.status == SEND_ABORTED, "the first that is no success"
    assert wintun_adapter.stack.statistics()["ifOutDiscards"] == 1


def test_an_nbl_with_several_packets_ends_once_and_can_be_cancelled(wintun_adapter: Adapter) -> None:
    with wintun_adapter.open() as handle:
        sent = wintun_adapter.stack.send([Nbl((ipv4(1), ipv4(2)), cancel_id=7), ipv4(3)], cancel_id=8)
        wintun_adapter.stack.cancel_send(8)
        assert statuses(sent) == (None, SEND_ABORTED)
        assert handle.read().result().packets == [ipv4(1), ipv4(2)]
        assert statuses(sent) == (SUCCESS, SEND_ABORTED)
        assert wintun_adapter.stack.send(Nbl(())).status == SUCCESS, "nothing is soon delivered"
        assert wintun_adapter.stack.send(bytearray(61_425)).status == INVALID_LENGTH


def test_in_strict_order_nobody_sends_to_a_paused_adapter_and_in_raw_order_it_refuses(
    wintun_adapters: AdapterFactory,
) -> None:
    strict, raw = wintun_adapters(), wintun_adapters(order="raw")
    with strict.open(), raw.open():
        strict.pause()
        raw.pause()
        with pytest.raises(IllegalCall, match=r"send: MiniportSendNetBufferLists in Paused: .*pausing-a-binding"):
            strict.stack.send(ipv4())
        assert raw.stack.send(ipv4()).status == PAUSED


@pytest.mark.parametrize("item", [3, "packet", None])
def test_what_is_no_packet_is_not_sent(wintun_adapter: Adapter, item: object) -> None:
    with wintun_adapter.open() as handle:
        for wrong in (item, [ipv4(), item]):
            with pytest.raises(TypeError, match="neither a packet"):
                wintun_adapter.stack.send(wrong)  # type: ignore[arg-type]  # that is the mistake
        read = handle.read()
        assert not read.done()


def test_an_empty_send_is_none(wintun_adapter: Adapter) -> None:
    with pytest.raises(IllegalCall, match="a chain has at least one NBL"):
        wintun_adapter.stack.send([])


def test_the_link_is_up_while_somebody_has_the_device_open(wintun_adapter: Adapter) -> None:
    stack = wintun_adapter.stack
    assert not connected(stack)
    with wintun_adapter.open():
        assert connected(stack)
        with wintun_adapter.open():
            pass
        wintun_adapter.pause()
        wintun_adapter.restart()
        assert connected(stack)
    assert stack.link_states == [False, True, False]


def test_waiting_for_what_cannot_come_any_more_ends(wintun_adapter: Adapter) -> None:
    """A test must fail there, not hang."""
    with pytest.raises(TimeoutError, match=r"packets on WINTUN.*: not within 0 s.*Running"):
        wintun_adapter.stack.receive(timeout=0)
    with pytest.raises(TimeoutError, match="a client on WINTUN"):
        wintun_adapter.stack.wait_until_connected(timeout=0)
    with wintun_adapter.open(), pytest.raises(TimeoutError, match="the end of the last client"):
        wintun_adapter.stack.wait_until_disconnected(timeout=0)
    wintun_adapter.remove()
    with pytest.raises(AdapterGone, match="the adapter was halted"):
        wintun_adapter.stack.receive()
    with pytest.raises(AdapterGone, match="the adapter was halted"):
        wintun_adapter.stack.wait_until_connected()
    wintun_adapter.stack.wait_until_disconnected()


def test_statistics_count_both_ways(wintun_adapter: Adapter) -> None:
    """Out is what the stack sent and the client read; in is what the client wrote."""
    with wintun_adapter.open() as handle:
        wintun_adapter.stack.send([ipv4(size=100), ipv4(size=50)])
        handle.read()
        handle.write([ipv4(size=30), b"\0" * 20])
    counted = {name: value for name, value in wintun_adapter.stack.statistics().items() if value}
    assert counted == {
        "ifHCOutOctets": 150,
        "ifHCOutUcastOctets": 150,
        "ifHCOutUcastPkts": 2,
        "ifHCInOctets": 30,
        "ifHCInUcastOctets": 30,
        "ifHCInUcastPkts": 1,
        "ifInErrors": 1,
    }


def test_the_stack_asks_and_sets_by_name_or_number(wintun_adapter: Adapter) -> None:
    stack = wintun_adapter.stack
    assert stack.query_oid("OID_GEN_VENDOR_DESCRIPTION") == b"Wintun Tunnel\0"
    assert stack.query_oid(0x00010111) == (61_424).to_bytes(4, "little")
    stack.set_oid("OID_GEN_CURRENT_LOOKAHEAD", bytes(4))
    with fails(INVALID_OID, "OID_GEN_CURRENT_LOOKAHEAD on WINTUN"):
        stack.query_oid("OID_GEN_CURRENT_LOOKAHEAD")
    with fails(INVALID_LENGTH, "it needs 4 bytes"):
        stack.set_oid("OID_GEN_CURRENT_PACKET_FILTER", bytes(3))
    with pytest.raises(ValueError, match="OID_GEN_NOTHING"):
        stack.query_oid("OID_GEN_NOTHING")


def test_an_oid_request_shows_all_that_came_of_it(wintun_adapter: Adapter) -> None:
    answer = wintun_adapter.stack.oid(OidKind.QUERY, "OID_GEN_XMIT_OK", 4)
    assert (answer.status, answer.information, answer.needed, answer.data) == (SUCCESS, 4, 8, bytes(4))
    answer = wintun_adapter.stack.oid(OidKind.STATISTICS, "OID_GEN_STATISTICS", 151)
    assert (answer.status, answer.information, answer.needed) == (INVALID_LENGTH, 0, 152)
    assert wintun_adapter.stack.oid(OidKind.QUERY, "OID_GEN_XMIT_OK", 8, direct=True).status == INVALID_OID
