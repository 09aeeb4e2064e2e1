"""One machine behind one lock: operations go in from any thread, and each event goes to whom it concerns.

A machine does one operation at a time, to its end, so an operation's events are all there when it returns. Those that
end a request that began earlier, in whatever thread, complete that request's future after the lock was let go: what a
client hangs on its future may therefore use the adapter again. A thread sees every consequence of its own call when
the call returns.
"""

from __future__ import annotations

import itertools
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Protocol

from wintun_sim import ndis
from wintun_sim.adapter.errors import AdapterGone, IllegalCall, NtStatusError, RequestCancelled
from wintun_sim.adapter.reasons import explain
from wintun_sim.adapter.request import ReadResult, Request
from wintun_sim.adapter.sent import Sent
from wintun_sim.kernel import DriverGone, MachineFull
from wintun_sim.lifecycle import HandlePhase, Ledger, State
from wintun_sim.operations import (
    Cancel,
    Cleanup,
    Close,
    Event,
    IrpCompleted,
    LinkChanged,
    Machine,
    Nbl,
    NblCompleted,
    OidCompleted,
    Operation,
    PacketReceived,
    Read,
    Refused,
    Returned,
    RuleBroken,
    Send,
    Write,
)

MAX_LENGTH: Final = 0xFFFFFFFF  # bytes: what ReadFile and WriteFile can be asked for
_FATAL: Final = ("Crash", "Stuck")


class BookedMachine(Machine, Protocol):
    """A machine that shows its ledger, as both of the package do."""

    ledger: Ledger


@dataclass(slots=True)
class _Pending:
    """A request that is not complete. ``cancelled``: its client asked for its end."""

    request: Request[Any]
    operation: Read | Write
    cancelled: bool = False


class Switchboard:
    """The machine of one adapter, called ``adapter`` there and ``device`` by clients."""

    def __init__(self, machine: BookedMachine, adapter: str, device: str) -> None:
        self.machine = machine
        self.adapter = adapter
        self.device = device
        self.received: deque[bytes] = deque()
        self.links: list[bool] = []
        self.broken: list[str] = []
        self._pending: dict[str, _Pending] = {}
        self._sends: dict[str, Sent] = {}
        self._numbers = itertools.count(1)
        self._changed = threading.Condition(threading.Lock())
        self._gone: str | None = None

    @property
    def state(self) -> State:
        """The adapter's state, as NDIS keeps it; Halted before it is initialized."""
        record = self.machine.ledger.adapters.get(self.adapter)
        return State.HALTED if record is None else record.state

    def name(self, verb: str) -> str:
        """Return a name for an operation that nobody else has."""
        return f"{verb}-{next(self._numbers)}"

    def phase(self, handle: str) -> HandlePhase:
        """Return what became of a handle."""
        return self.machine.ledger.handles[handle].phase

    # Operations

    def perform(self, operation: Operation) -> Sequence[Event]:
        """Carry out an operation and return its events, when everybody else has theirs.

        Raises ``IllegalCall`` for one that Windows would never do now, ``AdapterGone`` when there is no machine any
        more, or none after this.
        """
        with self._changed:
            self._check_there()
            events, ends = self._perform(operation)
        _run(ends)
        self._check_done(operation, events)
        return events

    def demand(self, operation: Operation) -> None:
        """Carry out an operation that has to succeed. Raises as ``perform``, and ``NtStatusError`` if it fails."""
        for event in self.perform(operation):
            if (
                isinstance(event, Returned | OidCompleted | IrpCompleted)
                and event.operation == operation.name
                and not ndis.nt_success(event.status)
            ):
                raise self._error(operation, event.status, "halted")

    def submit(self, request: Request[Any], operation: Read | Write) -> None:
        """Begin a client's request. Raises ``NtStatusError`` if it is refused at once, ``AdapterGone`` as perform."""
        with self._changed:
            self._check_there()
            if self.phase(operation.handle) is not HandlePhase.OPEN:
                raise self._error(operation, ndis.STATUS_INVALID_HANDLE, "closed")
            self._pending[operation.name] = _Pending(request, operation)
            events, ends = self._perform(operation)
        _run(ends)
        for event in events:
            if type(event) is IrpCompleted and event.operation == operation.name:
                error = request.exception()
                if error is not None:
                    raise error
        self._check_done(operation, events)

    def cancel(self, request: Request[Any]) -> None:
        """Cancel a request, if it is pending."""
        with self._changed:
            if self._gone is not None:
                return
            names = [name for name, pending in self._pending.items() if pending.request is request]
            ends = self._cancel(names)
        _run(ends)

    def cancel_all(self, handle: str) -> int:
        """Cancel all pending requests of a handle; return how many there were."""
        with self._changed:
            names = [name for name, pending in self._pending.items() if pending.operation.handle == handle]
            ends = self._cancel(names) if self._gone is None else []
        _run(ends)
        return len(names)

    def pending(self, handle: str) -> list[Request[Any]]:
        """Return the requests of a handle that are not complete, oldest first."""
        with self._changed:
            return [pending.request for pending in self._pending.values() if pending.operation.handle == handle]

    def close_handle(self, handle: str) -> None:
        """Close a handle as CloseHandle does: cleanup, which cancels its reads, then close. Closing again does nothing.

        Windows does not tell a client what status the two ended with.
        """
        with self._changed:
            if self._gone is not None or self.phase(handle) is not HandlePhase.OPEN:
                return
            _, ends = self._perform(Cleanup(name=self.name("cleanup"), handle=handle))
            if self._gone is None:
                ends += self._perform(Close(name=self.name("close"), handle=handle))[1]
        _run(ends)

    def send(self, nbls: Sequence[Nbl]) -> Sent:
        """Send a chain of NBLs. Raises as ``perform``; a refused send was never made."""
        operation = Send(name=self.name("send"), adapter=self.adapter, nbls=tuple(nbls))
        sent = Sent(len(nbls), self.wait)
        with self._changed:
            self._check_there()
            self._sends[operation.name] = sent
            events, ends = self._perform(operation)
            if any(type(event) is Refused for event in events):
                del self._sends[operation.name]
        _run(ends)
        self._check_done(operation, events)
        return sent

    def wait(self, ready: Callable[[], bool], timeout: float | None, what: str) -> None:
        """Wait until ``ready()``, at most ``timeout`` seconds.

        Raises ``TimeoutError``, and ``AdapterGone`` when the adapter is halted or closed first.
        """
        with self._changed:
            over = self._changed.wait_for(lambda: ready() or self._over() is not None, timeout)
            if not over:
                raise TimeoutError(f"{what} on {self.device}: not within {timeout} s; {self.device} is {self._words()}")
            if not ready():
                raise AdapterGone(f"{what} on {self.device}: {self._over()}, and nobody will bring them")

    def take(self, count: int | None = None) -> list[bytes]:
        """Take ``count`` packets, or all, off those that the stack received."""
        with self._changed:
            number = len(self.received) if count is None else count
            return [self.received.popleft() for _ in range(number)]

    def close(self) -> None:
        """Close the machine; whoever waits is told."""
        with self._changed:
            ends = self._end("the adapter was closed")
            self.machine.close()
        _run(ends)

    def end(self) -> list[str]:
        """Close the machine when it had its last look at its memory; return the rules that were broken in its life."""
        check = getattr(self.machine, "check", None)
        with self._changed:
            if check is not None and self._gone is None:
                self.broken += [_words_of("close", event) for event in check()]
        self.close()
        return self.broken

    # With the lock held

    def _perform(self, operation: Operation) -> tuple[Sequence[Event], list[Callable[[], None]]]:
        """Carry out an operation; return its events and the calls that end requests, for when the lock is let go."""
        try:
            events = self.machine.perform(operation)
        except DriverGone as error:
            return (), self._end(f"the driver is gone ({error})")
        except MachineFull as error:
            return (), self._end(str(error))
        ends = [end for event in events for end in self._deliver(event, operation)]
        self._changed.notify_all()
        return events, ends

    def _deliver(self, event: Event, operation: Operation) -> list[Callable[[], None]]:
        match event:
            case IrpCompleted(operation=name) if name in self._pending:
                return [self._completion(self._pending.pop(name), event, operation)]
            case NblCompleted(operation=name, index=index, status=status) if name in self._sends:
                sent = self._sends[name]
                sent.complete(index, status)
                if sent.done():
                    del self._sends[name]
            case PacketReceived(data=data):
                self.received.append(data)
            case LinkChanged(connected=connected):
                self.links.append(connected)
            case RuleBroken():
                self.broken.append(_words_of(operation.verb, event))
                if event.rule in _FATAL:
                    return self._end(f"the driver is gone ({self.broken[-1]})")
        return []

    def _completion(self, pending: _Pending, event: IrpCompleted, operation: Operation) -> Callable[[], None]:
        """Return the call that ends a request; what it says is decided now, the rest after the lock was let go."""
        request = pending.request
        if ndis.nt_success(event.status):
            read = type(pending.operation) is Read
            return partial(request.set_result, ReadResult(event.data) if read else event.information)
        circumstance = "halted"
        if event.status == ndis.STATUS_CANCELLED:
            circumstance = "cancel" if pending.cancelled else "close" if type(operation) is Cleanup else operation.verb
        error = self._error(pending.operation, event.status, circumstance)
        return partial(request.set_exception, error)

    def _cancel(self, names: Sequence[str]) -> list[Callable[[], None]]:
        ends: list[Callable[[], None]] = []
        for name in names:
            if name in self._pending:
                self._pending[name].cancelled = True
                ends += self._perform(Cancel(name=self.name("cancel"), request=name))[1]
        return ends

    def _end(self, why: str) -> list[Callable[[], None]]:
        """Take note that the machine is gone; return the calls that tell those who still wait for it."""
        if self._gone is None:
            self._gone = why
        ends: list[Callable[[], None]] = []
        for pending in self._pending.values():
            error = AdapterGone(f"{pending.operation.verb} on {self.device}: {why}")
            ends.append(partial(pending.request.set_exception, error))
        self._pending.clear()
        self._changed.notify_all()
        return ends

    def _over(self) -> str | None:
        """Say why nothing will happen any more, or None."""
        if self._gone is None and self.state is State.HALTED:
            return "the adapter was halted"
        return self._gone

    def _check_there(self) -> None:
        if self._gone is not None:
            raise AdapterGone(f"{self.device}: {self._gone}; make another adapter")

    # Errors

    def _check_done(self, operation: Operation, events: Sequence[Event]) -> None:
        for event in events:
            if type(event) is Refused:
                raise IllegalCall(f"{event.reason}; nothing was changed")
        if self._gone is not None:
            raise AdapterGone(f"{operation.verb} on {self.device}: {self._gone}")

    def _error(self, operation: Operation, status: int, circumstance: str) -> NtStatusError:
        length = 0
        if isinstance(operation, Read | Write):
            length = operation.length if isinstance(operation, Read) else len(operation.data)
        verb = "open" if operation.verb == "create" else operation.verb
        message = explain(verb, self.device, self._words(), status, circumstance, length)
        own = status == ndis.STATUS_CANCELLED and circumstance == "cancel"
        return (RequestCancelled if own else NtStatusError)(status, message)

    def _words(self) -> str:
        """Say the adapter's state, and its power where that matters."""
        record = self.machine.ledger.adapters.get(self.adapter)
        power = "" if record is None or record.power <= 1 else f" in D{record.power - 1}"
        return f"{self.state.value}{power}"


def _words_of(verb: str, event: Event) -> str:
    assert isinstance(event, RuleBroken), event
    return f"{verb}: the driver broke {event.rule}: {event.message}"


def _run(ends: Sequence[Callable[[], None]]) -> None:
    for end in ends:
        end()
