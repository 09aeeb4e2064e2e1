"""The host's bookkeeping, told of operations and events by hand, as a driver under test would make them."""

import pytest

from wintun_sim import ndis
from wintun_sim.lifecycle import Ledger, State
from wintun_sim.operations import (
    Cancel,
    CancelSend,
    Cleanup,
    Close,
    Create,
    Event,
    Halt,
    Initialize,
    IrpCompleted,
    Load,
    Nbl,
    NblCompleted,
    Oid,
    OidCompleted,
    OidKind,
    Operation,
    Pause,
    PauseCompleted,
    Read,
    Restart,
    Returned,
    Send,
    SetPower,
    Shutdown,
    SurpriseRemove,
    Unload,
    Write,
)

PACKET = Nbl((b"\x45" + bytes(19),))


def play(ledger: Ledger, operation: Operation, *events: Event) -> str | None:
    """Do one operation whose call returns, with these events."""
    reason = ledger.admit(operation)
    for event in events:
        ledger.observe(event)
    if reason is None:
        ledger.end(operation)
    return reason


def returned(name: str, status: int = 0) -> Returned:
    return Returned(name, status)


def running(order: str = "raw") -> Ledger:
    ledger = Ledger(order)
    assert play(ledger, Load(name="d"), returned("d")) is None
    assert play(ledger, Initialize(name="a", driver="d"), returned("a")) is None
    assert play(ledger, Restart(name="r", adapter="a"), returned("r")) is None
    assert play(ledger, Create(name="h", adapter="a"), IrpCompleted("h", "h", 0)) is None
    return ledger


def test_the_states_follow_the_events() -> None:
    ledger = Ledger()
    play(ledger, Load(name="d"), returned("d"))
    assert ledger.admit(Initialize(name="a", driver="d")) is None
    assert ledger.state("a") is State.INITIALIZING
    ledger.observe(returned("a"))
    assert ledger.state("a") is State.PAUSED
    ledger.admit(Restart(name="r1", adapter="a"))
    assert ledger.state("a") is State.RESTARTING
    ledger.observe(returned("r1", ndis.NDIS_STATUS_RESOURCES))
    assert ledger.state("a") is State.PAUSED
    play(ledger, Restart(name="r2", adapter="a"), returned("r2"))
    assert ledger.state("a") is State.RUNNING
    ledger.admit(Pause(name="p", adapter="a"))
    assert ledger.state("a") is State.PAUSING
    ledger.observe(returned("p"))
    assert ledger.state("a") is State.PAUSED
    play(ledger, Halt(name="halt", adapter="a"), returned("halt"))
    assert ledger.state("a") is State.HALTED


@pytest.mark.parametrize("early", [False, True])
def test_a_pending_pause_ends_with_its_completion_even_if_that_comes_first(early: bool) -> None:
    """Another processor may call NdisMPauseComplete before MiniportPause has returned NDIS_STATUS_PENDING."""
    ledger = running()
    pause = Pause(name="p", adapter="a")
    assert ledger.admit(pause) is None
    halves: list[Event] = [Returned("p", ndis.NDIS_STATUS_PENDING), PauseCompleted("p")]
    for event in reversed(halves) if early else halves:
        assert ledger.state("a") is (State.PAUSED if early and event is halves[0] else State.PAUSING)
        assert ledger.refusal(Restart(name="r9", adapter="a")), "not before both have happened"
        ledger.observe(event)
    ledger.end(pause)
    assert ledger.state("a") is State.PAUSED
    assert play(ledger, Restart(name="r9", adapter="a"), returned("r9")) is None


def test_while_a_pause_is_pending_no_other_pnp_operation_begins() -> None:
    ledger = running()
    play(ledger, Pause(name="p", adapter="a"), Returned("p", ndis.NDIS_STATUS_PENDING))
    for operation in (
        Restart(name="x1", adapter="a"),
        Halt(name="x2", adapter="a"),
        Pause(name="x3", adapter="a"),
        SetPower(name="x4", adapter="a", state=4),
    ):
        reason = ledger.refusal(operation)
        assert reason is not None
        assert "Pausing" in reason
        assert "nc-ndis-miniport_pause" in reason
    assert ledger.refusal(Send(name="s", adapter="a", nbls=(PACKET,))) is None, "raw: the miniport refuses it itself"
    assert ledger.refusal(Shutdown(name="x5", adapter="a")) is None
    assert ledger.refusal(Read(name="x6", handle="h")) is None


def test_in_strict_order_nobody_sends_while_a_pause_is_pending() -> None:
    ledger = running("strict")
    play(ledger, Pause(name="p", adapter="a"), Returned("p", ndis.NDIS_STATUS_PENDING))
    reason = ledger.refusal(Send(name="s", adapter="a", nbls=(PACKET,)))
    assert reason is not None
    assert "'p' is under way" in reason


def test_shutdown_is_not_undone_by_a_pause_that_completes() -> None:
    ledger = running()
    play(ledger, Pause(name="p", adapter="a"), Returned("p", ndis.NDIS_STATUS_PENDING))
    play(ledger, Shutdown(name="down", adapter="a"), PauseCompleted("p"), returned("down"))
    assert ledger.state("a") is State.SHUTDOWN


def test_a_failed_initialize_leaves_an_adapter_in_name_only() -> None:
    ledger = Ledger()
    play(ledger, Load(name="d"), returned("d"))
    play(ledger, Initialize(name="a", driver="d"), returned("a", ndis.NDIS_STATUS_FAILURE))
    for operation in (Restart(name="x1", adapter="a"), Create(name="x2", adapter="a")):
        assert ledger.refusal(operation)
    assert play(ledger, Unload(name="u", driver="d"), returned("u")) is None, "nothing is left to halt"


def test_calls_that_never_overlap_are_refused_while_one_is_under_way() -> None:
    ledger = running("strict")
    query = Oid(name="o1", adapter="a", kind=OidKind.QUERY, oid=0x00010111, length=4)
    assert ledger.admit(query) is None
    ledger.end(query)
    second = Oid(name="o2", adapter="a", kind=OidKind.QUERY, oid=0x00010111, length=4)
    reason = ledger.refusal(second)
    assert reason is not None
    assert "never overlap in strict order: NDIS makes OID requests one after another" in reason
    assert reason.endswith("network/miniport-adapter-oid-request-serialization)")
    assert ledger.refusal(Send(name="s", adapter="a", nbls=(PACKET,))) is None
    ledger.observe(OidCompleted("o1", 0, 4, 4))
    assert ledger.refusal(second) is None


def test_direct_requests_come_at_any_time_and_a_halt_does_not_wait_for_what_pends() -> None:
    """NDIS serialises the others, cancels what pends before it halts the adapter, and asks nobody first."""
    ledger = running("raw")
    names = ("o1", "o2", "o3")
    plain, direct, other = (
        Oid(name=name, adapter="a", kind=OidKind.QUERY, oid=1, length=4, direct=name != "o1") for name in names
    )
    assert ledger.admit(plain) is None
    assert ledger.admit(direct) is None
    assert ledger.admit(other) is None
    assert "OID request" in (ledger.refusal(Halt(name="x", adapter="a")) or ""), "its handler is under way"
    for operation in (plain, direct, other):
        ledger.end(operation)
    assert ledger.refusal(Halt(name="x", adapter="a")) is None


def test_a_send_is_under_way_until_its_call_returns_and_lent_until_each_nbl_is_back() -> None:
    ledger = running("raw")
    send = Send(name="s", adapter="a", nbls=(PACKET, PACKET))
    assert ledger.admit(send) is None
    assert ledger.refusal(Halt(name="x1", adapter="a")) is not None
    ledger.end(send)
    assert ledger.refusal(Halt(name="x2", adapter="a")) is None
    assert ledger.adapters["a"].nbls == 2
    ledger.observe(NblCompleted("s", 1, 0))
    ledger.observe(NblCompleted("s", 0, 0))
    assert ledger.adapters["a"].nbls == 0


def test_an_nbl_that_is_sent_again_is_still_lent() -> None:
    ledger = running("strict")
    assert play(ledger, Send(name="s", adapter="a", nbls=(PACKET,), again=True)) is None
    ledger.observe(NblCompleted("s", 0, ndis.NDIS_STATUS_SEND_ABORTED, again=True))
    assert "1 NBLs held" in (ledger.refusal(Pause(name="p", adapter="a")) or "")
    ledger.observe(NblCompleted("s", 0, 0))
    assert ledger.refusal(Pause(name="p", adapter="a")) is None


def test_the_order_on_a_handle_is_the_io_managers() -> None:
    ledger = running("raw")
    read = Read(name="rd", handle="h")
    assert play(ledger, read) is None
    assert play(ledger, Cleanup(name="cu", handle="h")) is None
    assert "2 request(s)" in (ledger.refusal(Close(name="cl", handle="h")) or "")
    ledger.observe(IrpCompleted("rd", "h", ndis.STATUS_CANCELLED))
    ledger.observe(IrpCompleted("cu", "h", 0))
    assert ledger.refusal(Write(name="w", handle="h", data=bytes(16))) is None, "raw: a client in kernel mode"
    close = Close(name="cl", handle="h")
    assert ledger.admit(close) is None
    assert ledger.refusal(Write(name="w", handle="h", data=bytes(16))) is not None
    ledger.observe(IrpCompleted("cl", "h", 0))
    assert ledger.adapters["a"].handles == 0


def test_sleep_as_an_oid_follows_the_rules_of_sleep() -> None:
    ledger = running("strict")
    data = (4).to_bytes(4, "little")
    operation = Oid(name="o", adapter="a", kind=OidKind.SET, oid=ndis.OID_PNP_SET_POWER, length=4, data=data)
    assert "Running" in (ledger.refusal(operation) or "")
    play(ledger, Pause(name="p", adapter="a"), returned("p"))
    assert play(ledger, operation, OidCompleted("o", 0, 4, 0)) is None
    assert "D3" in (ledger.refusal(Restart(name="r9", adapter="a")) or "")


def test_names_must_be_new_and_what_they_refer_to_must_have_been() -> None:
    """That is the writer's mistake, not Windows' refusal."""
    ledger = running()
    for operation in (Load(name=""), Load(name="d"), Load(name="h")):
        with pytest.raises(ValueError, match="name"):
            ledger.admit(operation)
    strangers: list[Operation] = [
        Initialize(name="x", driver="?"),
        Unload(name="x", driver="?"),
        Pause(name="x", adapter="?"),
        Send(name="x", adapter="?", nbls=(PACKET,)),
        CancelSend(name="x", adapter="?", cancel_id=0),
        SurpriseRemove(name="x", adapter="?"),
        Create(name="x", adapter="?"),
        Read(name="x", handle="?"),
        Close(name="x", handle="?"),
        Cancel(name="x", request="?"),
    ]
    for stranger in strangers:
        with pytest.raises(ValueError, match=r"there is no .* '\?'"):
            ledger.admit(stranger)
    with pytest.raises(ValueError, match="loose"):
        Ledger("loose")


def test_what_follows_on_a_refused_operation_is_refused_in_turn() -> None:
    """Scenarios go on after a refusal, and what they name then was never made."""
    ledger = Ledger()
    play(ledger, Load(name="d"), returned("d", ndis.NDIS_STATUS_FAILURE))
    assert play(ledger, Initialize(name="a", driver="d"))
    assert play(ledger, Create(name="h", adapter="a"))
    assert play(ledger, Read(name="rd", handle="h"))
    assert play(ledger, Cancel(name="c", request="rd")) is None, "cancelling what never was is cancelling nothing"
    assert play(ledger, Cleanup(name="cu", handle="h"))
    assert play(ledger, Unload(name="u", driver="d"))


def test_a_refused_operation_changes_nothing() -> None:
    ledger = running("strict")
    before = (ledger.state("a"), ledger.adapters["a"].handles, ledger.adapters["a"].nbls)
    for operation in (
        Restart(name="x1", adapter="a"),
        Halt(name="x2", adapter="a"),
        SetPower(name="x3", adapter="a", state=4),
        Close(name="x4", handle="h"),
        Unload(name="x5", driver="d"),
        Send(name="x6", adapter="a", nbls=()),
        Oid(name="x7", adapter="a", kind=OidKind.SET, oid=1, length=1, data=bytes(2)),
    ):
        reason = ledger.admit(operation)
        assert reason
        assert reason.startswith(operation.verb)
        assert "learn.microsoft.com/" in reason
    assert before == (ledger.state("a"), ledger.adapters["a"].handles, ledger.adapters["a"].nbls)
    assert not ledger.adapters["a"].calls
