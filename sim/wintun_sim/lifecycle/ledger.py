"""The host's bookkeeping: refuses what Windows would never do now, from operations and events alone.

Both machines keep one. The protocol is::

    reason = ledger.admit(operation)      # a reason: refused, nothing may be done; None: it has begun
    ... carry it out ...
    ledger.observe(event)                 # every event, in the order in which they happened
    ledger.end(operation)                 # the call has returned

``refusal`` asks the same without beginning anything. Unknown names, and names used twice, raise ``ValueError``: whoever
wrote the operations was wrong, not Windows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from wintun_sim import ndis
from wintun_sim.lifecycle.overlap import Call, may_overlap
from wintun_sim.lifecycle.records import Adapter, Driver, DriverPhase, Handle, HandlePhase, Lent
from wintun_sim.lifecycle.table import (
    CLEANUP_PAGE,
    CLOSE_PAGE,
    DEVICE_PAGE,
    OID_PAGE,
    PNP_PAGE,
    POWER_PAGE,
    SEND_PAGE,
    STACK_PAGE,
    TABLE,
    UNLOAD_PAGE,
    Order,
    State,
    Trigger,
)
from wintun_sim.operations import (
    AdapterOperation,
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
    NblCompleted,
    Oid,
    OidCompleted,
    OidKind,
    Operation,
    Pause,
    PauseCompleted,
    PowerState,
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

_CALLS: Final[dict[type[Operation], tuple[Trigger, Call]]] = {
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


class Ledger:
    """What the host knows of drivers, adapters, handles and requests."""

    def __init__(self, order: Order | str = Order.STRICT) -> None:
        """Begin with nothing loaded. ``order`` is an Order or its text; ValueError for another one."""
        self.order = Order(order)
        self.drivers: dict[str, Driver] = {}
        self.adapters: dict[str, Adapter] = {}
        self.handles: dict[str, Handle] = {}
        self.reads: dict[str, bool] = {}
        """Every read that was ever asked for, and whether it is pending."""
        self._names: set[str] = set()
        self._under_way: dict[str, Operation] = {}
        self._lent: dict[str, Lent] = {}
        self._half_paused: set[str] = set()

    # What whoever holds the ledger asks and tells

    def refusal(self, operation: Operation) -> str | None:
        """Return why Windows would never do this now, or None if it might. Raises ValueError for an unknown name."""
        return _REFUSALS[type(operation)](self, operation)

    def admit(self, operation: Operation) -> str | None:
        """Begin an operation, or return why it is refused; what a refused operation would have named exists in name
        only.

        Raises ValueError for an unknown name, and for a name that is empty or was used before.
        """
        name = operation.name
        if not name or name in self._names:
            raise ValueError(
                f"{operation.verb}: the name {name!r} was used before; give each operation a name of its own"
                if name
                else f"{operation.verb}: an operation needs a name"
            )
        reason = _REFUSALS[type(operation)](self, operation)
        self._names.add(name)
        if reason is None:
            begin = _BEGINNINGS.get(type(operation))
            if begin is not None:
                begin(self, operation)
        else:
            self._note_refused(operation)
        return reason

    def observe(self, event: Event) -> None:
        """Take note of an event. Events that change nothing for the host are ignored."""
        kind = type(event)
        if kind is IrpCompleted:
            self._observe_irp(event)  # type: ignore[arg-type]
        elif kind is NblCompleted:
            self._observe_nbl(event)  # type: ignore[arg-type]
        elif kind is Returned:
            self._observe_returned(event)  # type: ignore[arg-type]
        elif kind is OidCompleted:
            self._observe_oid(event)  # type: ignore[arg-type]
        elif kind is PauseCompleted:
            operation = self._under_way.get(event.operation)  # type: ignore[attr-defined]
            if isinstance(operation, Pause):
                self._observe_pause(operation, None)

    def end(self, operation: Operation) -> None:
        """Take note that the call has returned. A pause or an OID request that is pending goes on until its event."""
        if isinstance(operation, (Send, CancelSend)) or (isinstance(operation, Oid) and operation.direct):
            self.adapters[operation.adapter].calls.pop(operation.name, None)
        elif isinstance(operation, Oid) and operation.name in self.adapters[operation.adapter].calls:
            self.adapters[operation.adapter].calls[operation.name] = Call.PENDING_OID

    def unload_due(self, driver: str) -> bool:
        """Tell whether a driver that was asked to unload may leave now: none of its file objects is open."""
        record = self.drivers[driver]
        return record.phase is DriverPhase.UNLOADING and record.files == 0

    def blocking_handles(self, driver: str) -> list[str]:
        """Name the open handles that keep ``driver`` from being unloaded, in the order in which they were opened."""
        live = (HandlePhase.OPEN, HandlePhase.CLEANED, HandlePhase.CLOSING)
        handles = (handle for handle in self.handles.values() if handle.phase in live)
        return [handle.name for handle in handles if handle.adapter.driver.name == driver]

    def state(self, adapter: str) -> State:
        """Return the adapter's state as NDIS keeps it."""
        return self._adapter(adapter, "state").state

    def key(self) -> tuple[object, ...]:
        """Return all that refusals depend on as one hashable value, whatever the order in which it came to be."""
        records: list[Driver | Adapter | Handle] = [*self.drivers.values(), *self.adapters.values()]
        records += self.handles.values()
        pending = frozenset(name for name, is_pending in self.reads.items() if is_pending)
        named = (frozenset(self._names), frozenset(self._under_way), frozenset(self._half_paused))
        return (frozenset(record.key() for record in records), frozenset(self.reads), pending, *named)

    # Finding what a name stands for

    def _adapter(self, name: str, verb: str) -> Adapter:
        try:
            return self.adapters[name]
        except KeyError:
            raise ValueError(
                f"{verb}: there is no adapter {name!r}; an initialize of that name must come first"
            ) from None

    def _driver(self, name: str, verb: str) -> Driver:
        try:
            return self.drivers[name]
        except KeyError:
            raise ValueError(f"{verb}: there is no driver {name!r}; a load of that name must come first") from None

    def _handle(self, operation: HandleOperation) -> Handle:
        try:
            return self.handles[operation.handle]
        except KeyError:
            raise ValueError(
                f"{operation.verb}: there is no handle {operation.handle!r}; a create of that name must come first"
            ) from None

    # Refusing

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
        trigger, call = _CALLS[type(operation)]
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
                    return (
                        f"{operation.verb}: {trigger.value} in {adapter.state.value} while the {running.value} {name!r}"
                        f" is under way: the two never overlap in {self.order.value} order ({cell.page})"
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
            return f"create: adapter {adapter.name!r} has no device before it is initialized ({DEVICE_PAGE})"
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

    # Beginning

    def _note_refused(self, operation: Operation) -> None:
        """Keep the name, so that what follows on it is refused in turn, and is not an unknown name."""
        kind = type(operation)
        if kind is Load:
            self.drivers[operation.name] = Driver(operation.name, DriverPhase.NEVER)
        elif isinstance(operation, Initialize):
            self.adapters[operation.name] = Adapter(operation.name, self.drivers[operation.driver])
        elif isinstance(operation, Create):
            handle = self.handles[operation.name] = Handle(operation.name, self.adapters[operation.adapter])
            handle.phase = HandlePhase.NEVER
        elif kind is Read:
            self.reads[operation.name] = False

    def _begin_load(self, operation: Load) -> None:
        self.drivers[operation.name] = Driver(operation.name, DriverPhase.LOADING)
        self._under_way[operation.name] = operation

    def _begin_unload(self, operation: Unload) -> None:
        self.drivers[operation.driver].phase = DriverPhase.UNLOADING
        self._under_way[operation.name] = operation

    def _begin_initialize(self, operation: Initialize) -> None:
        driver = self.drivers[operation.driver]
        driver.adapters += 1
        adapter = self.adapters[operation.name] = Adapter(operation.name, driver)
        adapter.state = State.INITIALIZING
        adapter.calls[operation.name] = Call.INITIALIZE
        self._under_way[operation.name] = operation

    def _begin_call(self, operation: AdapterOperation) -> None:
        trigger, call = _CALLS[type(operation)]
        adapter = self.adapters[operation.adapter]
        state = TABLE[trigger][adapter.state].next
        assert state is not None
        adapter.state = state
        adapter.calls[operation.name] = Call.DIRECT_OID if isinstance(operation, Oid) and operation.direct else call
        if isinstance(operation, Send):
            adapter.nbls += len(operation.nbls)
            self._lent[operation.name] = Lent(adapter, len(operation.nbls))
        elif call is not Call.CANCEL_SEND:
            self._under_way[operation.name] = operation
            adapter.removed |= call is Call.SURPRISE_REMOVE

    def _begin_create(self, operation: Create) -> None:
        self.handles[operation.name] = Handle(operation.name, self.adapters[operation.adapter])
        self._under_way[operation.name] = operation

    def _begin_request(self, operation: HandleOperation) -> None:
        handle = self.handles[operation.handle]
        kind = type(operation)
        if kind is Cleanup:
            handle.phase = HandlePhase.CLEANED
        elif kind is Close:
            handle.phase = HandlePhase.CLOSING
        elif kind is Read:
            self.reads[operation.name] = True
        handle.requests += 1
        self._under_way[operation.name] = operation

    # Ending

    def _observe_irp(self, event: IrpCompleted) -> None:
        operation = self._under_way.pop(event.operation, None)
        if isinstance(operation, Create):
            handle = self.handles[operation.name]
            if ndis.nt_success(event.status):
                handle.phase = HandlePhase.OPEN
                handle.adapter.handles += 1
                handle.adapter.driver.files += 1
            else:
                handle.phase = HandlePhase.NEVER
        elif isinstance(operation, HandleOperation):
            handle = self.handles[operation.handle]
            handle.requests -= 1
            if type(operation) is Read:
                self.reads[operation.name] = False
            elif type(operation) is Close:
                handle.phase = HandlePhase.CLOSED
                handle.adapter.handles -= 1
                handle.adapter.driver.files -= 1

    def _observe_nbl(self, event: NblCompleted) -> None:
        lent = self._lent.get(event.operation)
        if lent is not None and not event.again:
            lent.adapter.nbls -= 1
            lent.count -= 1
            if lent.count == 0:
                del self._lent[event.operation]

    def _observe_oid(self, event: OidCompleted) -> None:
        operation = self._under_way.pop(event.operation, None)
        if isinstance(operation, AdapterOperation):
            adapter = self.adapters[operation.adapter]
            adapter.calls.pop(operation.name, None)
            if event.status == ndis.NDIS_STATUS_SUCCESS:
                if isinstance(operation, SetPower):
                    adapter.power = operation.state
                elif (
                    isinstance(operation, Oid)
                    and operation.oid == ndis.OID_PNP_SET_POWER
                    and operation.kind is OidKind.SET
                ):
                    adapter.power = int.from_bytes(operation.data.ljust(4, b"\xa5")[:4], "little")

    def _observe_returned(self, event: Returned) -> None:
        operation = self._under_way.get(event.operation)
        if operation is None:
            return
        success = event.status == ndis.STATUS_SUCCESS
        if isinstance(operation, Pause):
            self._observe_pause(operation, event.status)
            return
        if isinstance(operation, Restart):
            self._leave(operation, State.RESTARTING, State.RUNNING if success else State.PAUSED)
        elif isinstance(operation, Initialize):
            adapter = self.adapters[operation.name]
            adapter.calls.clear()
            adapter.state = State.PAUSED if success else State.HALTED
            adapter.exists = success
            adapter.driver.adapters -= not success
        elif isinstance(operation, Halt):
            adapter = self.adapters[operation.adapter]
            adapter.exists = False
            adapter.driver.adapters -= 1
            adapter.calls.clear()
        elif isinstance(operation, Load):
            self.drivers[operation.name].phase = DriverPhase.LOADED if success else DriverPhase.NEVER
        elif isinstance(operation, Unload):
            self.drivers[operation.driver].phase = DriverPhase.UNLOADED
        elif isinstance(operation, AdapterOperation):
            self.adapters[operation.adapter].calls.pop(operation.name, None)
        del self._under_way[operation.name]

    def _observe_pause(self, operation: Pause, status: int | None) -> None:
        """Take note of a pause's return with ``status``, or of its completion (None).

        It may be completed before its handler has returned NDIS_STATUS_PENDING; it is over when both have happened.
        """
        name = operation.name
        adapter = self.adapters[operation.adapter]
        if status is None or status == ndis.NDIS_STATUS_PENDING:
            if status is None and adapter.state is State.PAUSING:
                adapter.state = State.PAUSED
            if name not in self._half_paused:
                self._half_paused.add(name)
                return
            self._half_paused.remove(name)
        after = State.RUNNING if status not in (None, ndis.NDIS_STATUS_PENDING, ndis.STATUS_SUCCESS) else State.PAUSED
        self._leave(operation, State.PAUSING, after)
        del self._under_way[name]

    def _leave(self, operation: AdapterOperation, before: State, after: State) -> None:
        adapter = self.adapters[operation.adapter]
        adapter.calls.pop(operation.name, None)
        if adapter.state is before:
            adapter.state = after


_REFUSALS: Final[dict[type[Operation], Callable[[Ledger, Any], str | None]]] = {
    Load: lambda ledger, operation: None,
    Unload: Ledger._refuse_unload,
    Initialize: Ledger._refuse_initialize,
    Create: Ledger._refuse_create,
    Cleanup: Ledger._refuse_cleanup,
    Close: Ledger._refuse_close,
    Read: Ledger._refuse_transfer,
    Write: Ledger._refuse_transfer,
    Cancel: Ledger._refuse_cancel,
    **dict.fromkeys((Halt, Shutdown, SetPower, CancelSend), Ledger._refuse_call),
    Restart: Ledger._refuse_restart,
    Pause: Ledger._refuse_pause,
    SurpriseRemove: Ledger._refuse_surprise_remove,
    Oid: Ledger._refuse_oid,
    Send: Ledger._refuse_send,
}
_BEGINNINGS: Final[dict[type[Operation], Callable[[Ledger, Any], None]]] = {
    Load: Ledger._begin_load,
    Unload: Ledger._begin_unload,
    Initialize: Ledger._begin_initialize,
    Create: Ledger._begin_create,
    Cleanup: Ledger._begin_request,
    Close: Ledger._begin_request,
    Read: Ledger._begin_request,
    Write: Ledger._begin_request,
    **dict.fromkeys(_CALLS.keys() - {Initialize}, Ledger._begin_call),
}
