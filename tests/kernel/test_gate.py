"""The gate in C against the ledger in Python, told the same: what the one admits, refuses or does not know, so does the
other. Nothing is carried out here; the events are made up as any driver could bring them, in any order.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.kernel.specimen import PACKET
from wintun_sim import native
from wintun_sim.errors import UnavailableError
from wintun_sim.kernel.gate import Rules
from wintun_sim.kernel.machine import Demand, DriverMachine
from wintun_sim.kernel.marshal import Names, Operations
from wintun_sim.lifecycle import Ledger, Order
from wintun_sim.ndis import OID_PNP_SET_POWER
from wintun_sim.operations import (
    Cancel,
    CancelSend,
    Cleanup,
    Close,
    Create,
    Event,
    Halt,
    HandleOperation,
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

ANSWERS = ("admitted", "refused", "unknown")
FAILED, PENDING = 0xC0000001, 0x103
BRING_UP: tuple[Operation, ...] = (
    Load(name="d1"),
    Initialize(name="a1", driver="d1"),
    Restart(name="up", adapter="a1"),
    Create(name="h1", adapter="a1"),
)

# Few names, so that most operations meet something, and a few that nothing ever bears.
drivers, adapters, handles = st.sampled_from(("d1", "d2")), st.sampled_from(("a1", "a2")), st.sampled_from(("h1", "h2"))
nbls = st.lists(st.just(Nbl((PACKET,))), max_size=2).map(tuple)
states = st.integers(0, 5)
ANY = st.one_of(
    st.builds(Unload, driver=drivers),
    st.builds(Restart, adapter=adapters),
    st.builds(Pause, adapter=adapters),
    st.builds(Halt, adapter=adapters),
    st.builds(Shutdown, adapter=adapters),
    st.builds(SurpriseRemove, adapter=adapters),
    st.builds(SetPower, adapter=adapters, state=states),
    st.builds(
        Oid,
        adapter=adapters,
        kind=st.sampled_from(OidKind),
        oid=st.sampled_from((OID_PNP_SET_POWER, 0x00010101)),
        length=st.integers(0, 4),
        data=st.binary(max_size=5),
        direct=st.booleans(),
    ),
    st.builds(Send, adapter=adapters, nbls=nbls, again=st.booleans()),
    st.builds(CancelSend, adapter=adapters, cancel_id=st.just(1)),
    st.builds(Cleanup, handle=handles),
    st.builds(Close, handle=handles),
    st.builds(Read, handle=handles),
    st.builds(Write, handle=handles, data=st.just(b"")),
    st.builds(Cancel, request=st.sampled_from(("read", "h1"))),
)
NAMED = {"d2": Load(), "a2": Initialize(driver="d2"), "h2": Create(adapter="a2"), "read": Read(handle="h1")}


class Both:
    """A ledger, and a gate on a host where nothing is loaded; each is told and asked what the other is."""

    def __init__(self, order: Order) -> None:
        self.ledger = Ledger(order)
        try:
            self.machine = DriverMachine(order=order)
        except UnavailableError as error:
            pytest.skip(str(error))
        self.lib, self.host, self.ffi = self.machine._lib, self.machine._host, self.machine._ffi
        self.names = Names()
        self.rules = Rules(self.ffi, order, 200)
        assert self.lib.host_gate(self.host, self.rules.struct)
        self.operations = Operations(self.ffi, self.names, lambda operation: Demand.NONE)
        self.calls: list[tuple[Operation, list[list[Event]]]] = []
        """What is under way, with what may come next, in this order, or instead of one another."""

    def structure(self, operation: Operation) -> Any:
        path = native.driver_image() if isinstance(operation, Load) else None
        return self.operations.array([(operation, path)])

    def begin(self, operation: Operation) -> str:
        """Ask both, and begin it if both admit it."""
        structure = self.structure(operation)
        answer = ANSWERS[self.lib.host_gate_ask(self.host, structure)]
        try:
            expected = "admitted" if self.ledger.refusal(operation) is None else "refused"
        except ValueError:
            expected = "unknown"
        assert answer == expected, f"{operation}: {self.ffi.string(self.lib.host_gate_reason(self.host)).decode()}"
        if expected != "unknown":
            assert ANSWERS[self.lib.host_gate_admit(self.host, structure)] == expected
            self.ledger.admit(operation)
        return expected

    def tell(self, event: Event) -> None:
        """Let both observe an event."""
        told = self.ffi.new("struct host_event *")
        told.operation = self.names.number(getattr(event, "operation"))  # noqa: B009
        told.status = getattr(event, "status", 0)
        match event:
            case Returned():
                told.kind = self.lib.HOST_EVENT_RETURNED
            case OidCompleted():
                told.kind = self.lib.HOST_EVENT_OID_COMPLETED
            case IrpCompleted():
                told.kind = self.lib.HOST_EVENT_IRP_COMPLETED
            case NblCompleted(index=index, again=again):
                told.kind, told.index, told.count = self.lib.HOST_EVENT_NBL_COMPLETED, index, 1
                told.value = again
            case _:
                told.kind = self.lib.HOST_EVENT_PAUSE_COMPLETED
        self.lib.host_gate_observe(self.host, told, 1)
        self.ledger.observe(event)

    def end(self, operation: Operation) -> None:
        self.lib.host_gate_end(self.host, self.structure(operation))
        self.ledger.end(operation)


def endings(operation: Operation, status: int) -> list[list[Event | None]]:
    """Return the orders in which the events of an operation may come; None stands for the return of the call."""
    name = operation.name
    match operation:
        case Send(nbls=sent):
            back: list[Event | None] = [NblCompleted(name, index, status) for index in range(len(sent))]
            if operation.again:
                back[:1] = [NblCompleted(name, 0, status, again=True), *back[:1]] if sent else []
            return [[None, *back], [*back, None], [*back[:1], None, *back[1:]]]
        case CancelSend() | Cancel():
            return [[None]]
        case Pause():
            both: list[Event | None] = [Returned(name, PENDING), PauseCompleted(name)]
            return [[*both, None], [both[1], both[0], None], [both[0], None, both[1]], [Returned(name, status), None]]
        case SetPower() | Oid():
            return [[OidCompleted(name, status, 0, 0, b""), None], [None, OidCompleted(name, status, 0, 0, b"")]]
        case Create():
            return [[IrpCompleted(name, name, status, 0), None]]
        case HandleOperation(handle=handle):
            return [[IrpCompleted(name, handle, status, 0), None], [None, IrpCompleted(name, handle, status, 0)]]
        case _:
            return [[Returned(name, status), None]]


def play(both: Both, data: st.DataObject) -> Iterator[str]:
    """Begin operations and let them come to their ends, as `data` draws them; yield the answers."""
    under_way: list[tuple[Operation, list[Event | None]]] = []

    def begin(operation: Operation, status: int) -> str:
        answer = both.begin(operation)
        if answer == "admitted":
            orders = endings(operation, status)
            under_way.append((operation, list(data.draw(st.sampled_from(orders)))))
        return answer

    def go_on(position: int) -> None:
        operation, left = under_way[position]
        while left:
            event = left.pop(0)
            if event is None:
                both.end(operation)
            else:
                both.tell(event)
            if not isinstance(operation, Create):
                break
        if not left:
            del under_way[position]

    for operation in BRING_UP:
        yield begin(operation, 0)
        while under_way:
            go_on(0)
    new = iter(NAMED.items())
    for number in range(data.draw(st.integers(5, 60))):
        what = data.draw(st.integers(0, 9))
        if what == 0 and (named := next(new, None)):
            yield begin(replace(named[1], name=named[0]), data.draw(st.sampled_from((0, 0, FAILED))))
        elif what < 5 or not under_way:
            yield begin(replace(data.draw(ANY), name=f"n{number}"), data.draw(st.sampled_from((0, 0, 0, FAILED))))
        else:
            go_on(data.draw(st.integers(0, len(under_way) - 1)))


@pytest.mark.parametrize("order", Order)
def test_the_gate_admits_what_the_ledger_admits_and_refuses_what_it_refuses(order: Order) -> None:
    seen: set[str] = set()

    @given(data=st.data())
    @settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
    def compare(data: st.DataObject) -> None:
        both = Both(order)
        try:
            seen.update(play(both, data))
        finally:
            both.machine.close()

    compare()
    assert seen == set(ANSWERS)


def test_a_refusal_says_what_the_table_says() -> None:
    both = Both(Order.STRICT)
    assert both.begin(BRING_UP[0]) == "admitted"
    both.tell(Returned("d1", 0))
    assert both.begin(BRING_UP[1]) == "admitted"
    assert both.begin(Halt(name="early", adapter="a1")) == "refused"
    reason = both.ffi.string(both.lib.host_gate_reason(both.host)).decode()
    assert reason.startswith("MiniportHaltEx in Initializing: NDIS asks nothing of an adapter until")
    assert "learn.microsoft.com" in reason
    both.machine.close()


def test_more_names_than_were_announced_are_refused() -> None:
    both = Both(Order.RAW)
    loads = [Load(name=f"d{number}") for number in range(201)]
    answers = [both.lib.host_gate_admit(both.host, both.structure(load)) for load in loads]
    assert answers == [0] * 200 + [1]
    both.machine.close()
