"""The model as a machine: operations in, events out, the host's part included.

The host is the I/O manager and NDIS: it knows drivers, devices and file objects, opens a device only for the system
account, refuses what Windows would never do, and unloads a driver when its last handle is closed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from wintun_sim import ndis
from wintun_sim.lifecycle import Call, Ledger, Order
from wintun_sim.model.adapter import CURRENT, Adapter
from wintun_sim.model.attributes import attributes_of, registered_version
from wintun_sim.model.core import Steps, Until
from wintun_sim.model.requests import FileObject, ReadRequest, SentNbl, WriteRequest
from wintun_sim.operations import (
    Account,
    Attributes,
    Cancel,
    CancelSend,
    Cleanup,
    Close,
    Counters,
    Create,
    Event,
    Halt,
    Initialize,
    IrpCompleted,
    Load,
    NblCompleted,
    Oid,
    Operation,
    Pause,
    Read,
    Refused,
    Restart,
    Returned,
    Send,
    SetPower,
    Shutdown,
    SurpriseRemove,
    Unload,
    Write,
)

OLDEST_NDIS: Final = (6, 20)
"""What the driver needs: NDIS 6.20, which came with Windows 7."""


SECOND_SEND: Final = "a second send"
"""What the ledger calls the send that a protocol makes from its completion handler; no operation has such a name."""


class Stuck(AssertionError):
    """A call waits for what nobody will bring. The model says so rather than wait for ever."""


class ModelMachine:
    """Plays operations on the model; see :class:`wintun_sim.operations.Machine`."""

    def __init__(
        self,
        *,
        order: Order | str = Order.STRICT,
        ndis: tuple[int, int] = (6, 80),
        revision: type[Adapter] = CURRENT,
    ) -> None:
        """Make a host of version ``ndis`` on which nothing is loaded. ValueError for an unknown order."""
        self.ledger = Ledger(order)
        self.ndis = ndis
        self.revision = revision
        self.adapters: dict[str, Adapter] = {}
        self.events: list[Event] = []
        self._settled = 0
        self._files: dict[str, tuple[Adapter, FileObject]] = {}
        self._reads: dict[str, tuple[Adapter, ReadRequest]] = {}
        self._closes: dict[str, str] = {}
        self._unloads: dict[str, str] = {}
        self._again: dict[str, str] = {}
        self._sending_again: set[str] = set()

    def perform(self, operation: Operation) -> Sequence[Event]:
        """Carry out one operation until nothing can go on, and return what happened, in order.

        An operation that Windows would never do now gives one ``Refused``. Raises ValueError for an unknown name, and
        for one used before.
        """
        reason = self.ledger.admit(operation)
        if reason is not None:
            return (Refused(operation.name, reason),)
        for point in self.start(operation):
            if point.__class__ is Until and not point.ready():
                raise Stuck(f"{operation.verb} {operation.name}: {point.words}")
        self.settle()
        self.ledger.end(operation)
        return self.take_events()

    def start(self, operation: Operation) -> Steps:
        """Return the steps of an operation that the ledger has admitted."""
        return _STARTS[type(operation)](self, operation)

    def settle(self) -> None:
        """Let the host take note of what happened since the last time, and do what follows from it."""
        events = self.events
        while self._settled < len(events):
            event = events[self._settled]
            self._settled += 1
            self.ledger.observe(event)
            if type(event) is NblCompleted and event.again:
                name = self._again[event.operation]
                self.ledger.adapters[name].calls[SECOND_SEND] = Call.SEND
                self._sending_again.add(name)
            elif type(event) is IrpCompleted:
                self._reads.pop(event.operation, None)
                handle = self._closes.pop(event.operation, None)
                if handle is not None:
                    del self._files[handle]
                    self._unload_if_due(self.ledger.handles[handle].adapter.driver.name)
        for name in [name for name in self._sending_again if not self.adapters[name].sending_again]:
            self._sending_again.remove(name)
            del self.ledger.adapters[name].calls[SECOND_SEND]

    def take_events(self) -> tuple[Event, ...]:
        """Return what happened, and forget it."""
        events = tuple(self.events)
        self.events.clear()
        self._settled = 0
        return events

    def counters(self, adapter: str) -> Counters:
        """Count what ``adapter`` owns now, by its own state: nothing after its halt.

        Raises ValueError for an unknown adapter.
        """
        if adapter not in self.ledger.adapters:
            raise ValueError(f"counters: there is no adapter {adapter!r}; an initialize of that name must come first")
        device = self.adapters.get(adapter)
        if device is None or not device.published:
            return Counters(0, 0, 0)
        return Counters(device.active, len(device.reads), device.open_files())

    def attributes(self, adapter: str) -> Attributes:
        """Return what ``adapter`` told NDIS of itself. Raises KeyError for one that was never initialized."""
        return attributes_of(registered_version(self.ndis, self.adapters[adapter].newest_ndis))

    def forget(self) -> None:
        """Forget what is over, as the ledger does, and with it all that was counted; at rest, after ``take_events``.

        What is left, and what will happen, is the same for all machines with the same ``key``.
        """
        self.ledger.forget()
        self.adapters = {name: adapter for name, adapter in self.adapters.items() if name in self.ledger.adapters}
        self._files = {name: file for name, file in self._files.items() if name in self.ledger.handles}
        held = {nbl.operation for adapter in self.adapters.values() for nbl in adapter.queue}
        self._again = {name: adapter for name, adapter in self._again.items() if name in held}
        for adapter in self.adapters.values():
            adapter.forget()

    def close(self) -> None:
        """Forget everything."""
        for names in (self.adapters, self._files, self._reads, self._closes, self._unloads, self._again):
            names.clear()

    def key(self) -> tuple[object, ...]:
        """Return the state of all adapters and open files as one hashable value."""
        return tuple(adapter.key() for adapter in self.adapters.values()), self.file_keys()

    def file_keys(self) -> tuple[tuple[str, bool], ...]:
        """Return the state of all open files, each with its name."""
        return tuple(file.key() for _, file in self._files.values())

    # What the host does itself

    def _load(self, operation: Load) -> Steps:
        yield "the image is in memory; DriverEntry asks for the version of NDIS"
        supported = self.ndis >= OLDEST_NDIS
        status = ndis.STATUS_SUCCESS if supported else ndis.NDIS_STATUS_UNSUPPORTED_REVISION
        self.events.append(Returned(operation.name, status))

    def _unload(self, operation: Unload) -> Steps:
        yield "the driver is to be unloaded as soon as no handle is open"
        self._unloads[operation.driver] = operation.name
        self._unload_if_due(operation.driver)

    def _unload_if_due(self, driver: str) -> None:
        if driver in self._unloads and self.ledger.unload_due(driver):
            self.events.append(Returned(self._unloads.pop(driver), ndis.STATUS_SUCCESS))

    def _create(self, operation: Create) -> Steps:
        file = FileObject(operation.name)
        if operation.account is not Account.SYSTEM:
            yield "the security descriptor lets in the system account alone"
            self.events.append(IrpCompleted(operation.name, operation.name, ndis.STATUS_ACCESS_DENIED))
            return
        adapter = self.adapters[operation.adapter]
        self._files[operation.name] = (adapter, file)
        yield from adapter.create(operation.name, file)

    # What the host hands on

    def _initialize(self, operation: Initialize) -> Steps:
        adapter = self.adapters[operation.name] = self.revision(operation.name, self.events)
        return adapter.initialize(operation.name)

    def _set_power(self, operation: SetPower) -> Steps:
        data = (operation.state & 0xFFFFFFFF).to_bytes(4, "little")
        return self.adapters[operation.adapter].set_oid(operation.name, ndis.OID_PNP_SET_POWER, data, len(data))

    def _halt(self, operation: Halt) -> Steps:
        adapter = self.adapters[operation.adapter]
        adapter.ending = True
        return adapter.halt(operation.name)

    def _shutdown(self, operation: Shutdown) -> Steps:
        adapter = self.adapters[operation.adapter]
        adapter.ending = True
        return adapter.shutdown(operation.name, operation.action)

    def _send(self, operation: Send) -> Steps:
        if operation.again:
            self._again[operation.name] = operation.adapter
        nbls = [SentNbl(operation.name, index, nbl, operation.again) for index, nbl in enumerate(operation.nbls)]
        return self.adapters[operation.adapter].send(nbls)

    def _cleanup(self, operation: Cleanup) -> Steps:
        adapter, file = self._files[operation.handle]
        return adapter.cleanup(operation.name, file)

    def _close(self, operation: Close) -> Steps:
        self._closes[operation.name] = operation.handle
        adapter, file = self._files[operation.handle]
        return adapter.close(operation.name, file)

    def _read(self, operation: Read) -> Steps:
        adapter, file = self._files[operation.handle]
        request = ReadRequest(operation.name, file, operation.length)
        self._reads[operation.name] = (adapter, request)
        return adapter.read(request)

    def _write(self, operation: Write) -> Steps:
        adapter, file = self._files[operation.handle]
        return adapter.write(WriteRequest(operation.name, file, operation.data, operation.rejected))

    def _cancel(self, operation: Cancel) -> Steps:
        pending = self._reads.get(operation.request)
        if pending is not None:
            adapter, request = pending
            yield "IoCancelIrp is called"
            yield from adapter.cancel(request)


_STARTS: Final[dict[type[Operation], Callable[[ModelMachine, Any], Steps]]] = {
    Load: ModelMachine._load,
    Unload: ModelMachine._unload,
    Initialize: ModelMachine._initialize,
    Restart: lambda machine, operation: machine.adapters[operation.adapter].restart(operation.name),
    Pause: lambda machine, operation: machine.adapters[operation.adapter].pause(operation.name),
    Halt: ModelMachine._halt,
    Shutdown: ModelMachine._shutdown,
    SurpriseRemove: lambda machine, operation: machine.adapters[operation.adapter].surprise_remove(operation.name),
    SetPower: ModelMachine._set_power,
    Oid: lambda machine, operation: machine.adapters[operation.adapter].oid(operation),
    Send: ModelMachine._send,
    CancelSend: lambda machine, operation: machine.adapters[operation.adapter].cancel_send(operation.cancel_id),
    Create: ModelMachine._create,
    Cleanup: ModelMachine._cleanup,
    Close: ModelMachine._close,
    Read: ModelMachine._read,
    Write: ModelMachine._write,
    Cancel: ModelMachine._cancel,
}
