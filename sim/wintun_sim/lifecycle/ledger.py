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
from wintun_sim.lifecycle.overlap import Call
from wintun_sim.lifecycle.records import Adapter, Driver, DriverPhase, Handle, HandlePhase, Lent
from wintun_sim.lifecycle.refusals import CALLS, REFUSALS, Refusals
from wintun_sim.lifecycle.table import TABLE, State
from wintun_sim.operations import (
    FILLER,
    AdapterOperation,
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
    Read,
    Restart,
    Returned,
    Send,
    SetPower,
    Unload,
    Write,
)


class Ledger(Refusals):
    """What the host knows of drivers, adapters, handles and requests: how it comes to know it."""

    # What whoever holds the ledger asks and tells

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
        reason = REFUSALS[type(operation)](self, operation)
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

    def forget(self) -> None:
        """Forget what is over, at rest: halted adapters that no handle keeps, closed handles, ended reads, and names.

        For whoever goes on for ever, and gives no name again.
        """
        live = (HandlePhase.OPEN, HandlePhase.CLEANED)
        self.handles = {name: handle for name, handle in self.handles.items() if handle.phase in live}
        self.adapters = {name: each for name, each in self.adapters.items() if each.exists or each.handles}
        self.reads = {name: True for name, is_pending in self.reads.items() if is_pending}
        self._names.clear()

    def key(self) -> tuple[object, ...]:
        """Return all that refusals depend on as one hashable value, whatever the order in which it came to be."""
        records: list[Driver | Adapter | Handle] = [*self.drivers.values(), *self.adapters.values()]
        records += self.handles.values()
        pending = frozenset(name for name, is_pending in self.reads.items() if is_pending)
        named = (frozenset(self._names), frozenset(self._under_way), frozenset(self._half_paused))
        return (frozenset(record.key() for record in records), frozenset(self.reads), pending, *named)

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
        trigger, call = CALLS[type(operation)]
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
                    adapter.power = int.from_bytes(operation.data.ljust(4, bytes([FILLER]))[:4], "little")

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


_BEGINNINGS: Final[dict[type[Operation], Callable[[Ledger, Any], None]]] = {
    Load: Ledger._begin_load,
    Unload: Ledger._begin_unload,
    Initialize: Ledger._begin_initialize,
    Create: Ledger._begin_create,
    Cleanup: Ledger._begin_request,
    Close: Ledger._begin_request,
    Read: Ledger._begin_request,
    Write: Ledger._begin_request,
    **dict.fromkeys(CALLS.keys() - {Initialize}, Ledger._begin_call),
}
