"""What Windows would never do now, and why: one refusal for each kind of operation.

The states are the table's affair (:mod:`wintun_sim.lifecycle.table`), and what overlaps what has a table of its own
(:mod:`wintun_sim.lifecycle.overlap`). The rest is here: what the host would not do because of a driver, a handle, a
power state or the NBLs that are lent. A reason names operation, state, and the page that says so.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from wintun_sim import ndis
from wintun_sim.lifecycle.overlap import Call, may_overlap, why_apart
from wintun_sim.lifecycle.pages import (
    CLEANUP_PAGE,
    CLOSE_PAGE,
    DEVICE_PAGE,
    OID_PAGE,
    PNP_PAGE,
    POWER_PAGE,
    REGISTER_DEVICE_PAGE,
    SEND_PAGE,
    STACK_PAGE,
    UNLOAD_PAGE,
)
from wintun_sim.lifecycle.records import DriverPhase, HandlePhase, Records
from wintun_sim.lifecycle.table import TABLE, Order, State, Trigger
from wintun_sim.operations import (
    AdapterOperation,
    Cancel,
    CancelSend,
    Cleanup,
    Close,
    Create,
    Halt,
    Initialize,
    Load,
    Oid,
    OidKind,
    Operation,
    Pause,
    PowerState,
    Read,
    Restart,
    Send,
    SetPower,
    Shutdown,
    SurpriseRemove,
    Unload,
    Write,
)

CALLS: Final[dict[type[Operation], tuple[Trigger, Call]]] = {
    Initialize: (Trigger.INITIALIZE, Call.INITIALIZE),
    Restart: (Trigger.RESTART, Call.PAUSE_RESTART),
    Pause: (Trigger.PAUSE, Call.PAUSE_RESTART),
    Halt: (Trigger.HALT, Call.HALT),
    Shutdown: (Trigger.SHUTDOWN, Call.SHUTDOWN),
    SurpriseRemove: (Trigger.SURPRISE_REMOVE, Call.SURPRISE_REMOVE),
    SetPower: (Trigger.SET_POWER, Call.SET_POWER),
    Oid: (Trigger.OID, Call.OID),
    Send: (Trigger.SEND, Call.SEND),
    CancelSend: (Trigger.CANCEL_SEND, Call.CANCEL_SEND),
}


class Refusals(Records):
    """The records, and what they forbid."""

    def refusal(self, operation: Operation) -> str | None:
        """Return why Windows would never do this now, or None if it might. Raises ValueError for an unknown name."""
        return REFUSALS[type(operation)](self, operation)

    def _refuse_unload(self, operation: Unload) -> str | None:
        driver = self._driver(operation.driver, "unload")
        if driver.phase is not DriverPhase.LOADED:
            return f"unload: driver {driver.name!r} is {driver.phase.value} ({UNLOAD_PAGE})"
        if driver.adapters:
            return (
                f"unload: {driver.adapters} adapter(s) of driver {driver.name!r} were not halted, and a driver is"
                f" unloaded only after each of its adapters was; halt them first ({UNLOAD_PAGE})"
            )
        return None

    def _refuse_initialize(self, operation: Initialize) -> str | None:
        driver = self._driver(operation.driver, "initialize")
        if driver.phase is not DriverPhase.LOADED:
            return f"initialize: driver {driver.name!r} is {driver.phase.value}; load one first ({UNLOAD_PAGE})"
        return None

    def _refuse_call(self, operation: AdapterOperation) -> str | None:
        trigger, call = CALLS[type(operation)]
        return self._refuse(operation, trigger, call)

    def _refuse(self, operation: AdapterOperation, trigger: Trigger, call: Call) -> str | None:
        adapter = self._adapter(operation.adapter, operation.verb)
        cell = TABLE[trigger][adapter.state]
        if not cell.allows(self.order):
            only = ", which the raw order allows" if cell.next is not None else ""
            return f"{operation.verb}: {trigger.value} in {adapter.state.value}: {cell.why}{only} ({cell.page})"
        if adapter.calls:
            for name, running in adapter.calls.items():
                if not may_overlap(self.order, running, call):
                    why, page = why_apart(running, call)
                    return (
                        f"{operation.verb}: {trigger.value} in {adapter.state.value} while the {running.value} {name!r}"
                        f" is under way: the two never overlap in {self.order.value} order: {why} ({page})"
                    )
        return None

    def _refuse_restart(self, operation: Restart) -> str | None:
        reason = self._refuse(operation, Trigger.RESTART, Call.PAUSE_RESTART)
        power = self.adapters[operation.adapter].power
        if reason is None and self.order is Order.STRICT and power != PowerState.D0:
            reason = (
                f"restart: MiniportRestart in Paused, power D{power - 1}: NDIS restarts an adapter that it paused for"
                f" sleep only after OID_PNP_SET_POWER to D0; set the power first ({POWER_PAGE})"
            )
        return reason

    def _refuse_pause(self, operation: Pause) -> str | None:
        reason = self._refuse(operation, Trigger.PAUSE, Call.PAUSE_RESTART)
        if reason is None and self.order is Order.STRICT:
            held = self.adapters[operation.adapter].nbls
            if held:
                reason = (
                    f"pause not reached: {held} NBLs held; MiniportPause in Running comes only when every binding above"
                    f" has its NBLs back; read or cancel them first, or use the raw order ({STACK_PAGE})"
                )
        return reason

    def _refuse_surprise_remove(self, operation: SurpriseRemove) -> str | None:
        reason = self._refuse(operation, Trigger.SURPRISE_REMOVE, Call.SURPRISE_REMOVE)
        if reason is None and self.adapters[operation.adapter].removed:
            reason = f"surprise-remove: adapter {operation.adapter!r} was removed before ({PNP_PAGE})"
        return reason

    def _refuse_oid(self, operation: Oid) -> str | None:
        if operation.oid == ndis.OID_PNP_SET_POWER and operation.kind is OidKind.SET and not operation.direct:
            return self._refuse(operation, Trigger.SET_POWER, Call.SET_POWER)
        if len(operation.data) > operation.length:
            return f"oid: {len(operation.data)} bytes do not fit into a buffer of {operation.length} ({OID_PAGE})"
        return self._refuse(operation, Trigger.OID, Call.DIRECT_OID if operation.direct else Call.OID)

    def _refuse_send(self, operation: Send) -> str | None:
        if not operation.nbls:
            return f"send: a chain has at least one NBL ({SEND_PAGE})"
        return self._refuse(operation, Trigger.SEND, Call.SEND)

    def _refuse_create(self, operation: Create) -> str | None:
        adapter = self._adapter(operation.adapter, "create")
        if adapter.exists:
            return None
        if adapter.state is State.INITIALIZING:
            return f"create: adapter {adapter.name!r} has no device before it is initialized ({REGISTER_DEVICE_PAGE})"
        if Call.HALT in adapter.calls.values():
            return None
        if adapter.handles == 0 or adapter.driver.phase is not DriverPhase.LOADED:
            return (
                f"create: the device of adapter {adapter.name!r} is gone: deregistered, and no handle keeps it"
                f" ({DEVICE_PAGE})"
            )
        return None

    def _refuse_transfer(self, operation: Read | Write) -> str | None:
        phase = self._handle(operation).phase
        if phase is HandlePhase.OPEN or (phase is HandlePhase.CLEANED and self.order is Order.RAW):
            return None
        raw = ", and only a client in kernel mode (raw order) could" if phase is HandlePhase.CLEANED else ""
        return (
            f"{operation.verb}: handle {operation.handle!r} is {phase.value}: no user can use it{raw} ({CLEANUP_PAGE})"
        )

    def _refuse_cleanup(self, operation: Cleanup) -> str | None:
        phase = self._handle(operation).phase
        if phase is HandlePhase.OPEN:
            return None
        return (
            f"cleanup: handle {operation.handle!r} is {phase.value}: cleanup comes once, after create ({CLEANUP_PAGE})"
        )

    def _refuse_close(self, operation: Close) -> str | None:
        handle = self._handle(operation)
        if handle.phase is not HandlePhase.CLEANED:
            return (
                f"close: handle {handle.name!r} is {handle.phase.value}: close comes once, after cleanup ({CLOSE_PAGE})"
            )
        if handle.requests:
            return (
                f"close: {handle.requests} request(s) of handle {handle.name!r} are pending: close comes when every"
                f" request is complete ({CLOSE_PAGE})"
            )
        return None

    def _refuse_cancel(self, operation: Cancel) -> str | None:
        if operation.request not in self.reads:
            raise ValueError(f"cancel: there is no request {operation.request!r}; a read of that name must come first")
        return None


REFUSALS: Final[dict[type[Operation], Callable[[Refusals, Any], str | None]]] = {
    Load: lambda records, operation: None,
    Unload: Refusals._refuse_unload,
    Initialize: Refusals._refuse_initialize,
    Create: Refusals._refuse_create,
    Cleanup: Refusals._refuse_cleanup,
    Close: Refusals._refuse_close,
    Read: Refusals._refuse_transfer,
    Write: Refusals._refuse_transfer,
    Cancel: Refusals._refuse_cancel,
    **dict.fromkeys((Halt, Shutdown, SetPower, CancelSend), Refusals._refuse_call),
    Restart: Refusals._refuse_restart,
    Pause: Refusals._refuse_pause,
    SurpriseRemove: Refusals._refuse_surprise_remove,
    Oid: Refusals._refuse_oid,
    Send: Refusals._refuse_send,
}
