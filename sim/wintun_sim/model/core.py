"""What everybody shares: the adapter's state, and the few things that all its calls do with it.

How to read the program
=======================

Each handler is a generator. Everything between two ``yield`` is one *step*, in which no other processor gets in
between; at a ``yield`` any other call may take steps of its own, and its words say where this call stands then. A step
that reads or writes what others share is what the driver does in one hold of its lock. A step that makes an event is a
call out of the driver, during which it holds no lock: the stack or the client may come back in from there.

So a race is two calls whose steps can be put in an order that somebody did not think of. What must not be torn apart
stands in one step, and that is all the synchronisation there is.

Two counts hold everything together, and must not be taken for each other:

``active``   packets that are on their way, in either direction. A *pause* waits until there are none.
``rundown``  requests of clients that are inside the driver. *Halt* waits until there are none.

A read that waits for packets is in the second and not in the first: so a client may sleep through a pause, and halt
must wake it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from typing import Final

from wintun_sim import ndis
from wintun_sim.lifecycle import State
from wintun_sim.model.requests import FileObject, ReadRequest, SentNbl, WriteRequest
from wintun_sim.operations import (
    Event,
    IrpCompleted,
    LinkChanged,
    NblCompleted,
    PauseCompleted,
    PowerState,
    Returned,
)


class Until:
    """A point where a call waits: it may go on when ``ready()``, and its next step follows at once.

    Only halt and low power wait like this. NDIS calls them at PASSIVE_LEVEL, where a handler may wait, and takes their
    return for their end. A pause has no need of it: it may end after its handler has returned.
    """

    __slots__ = ("ready", "words")

    def __init__(self, words: str, ready: Callable[[], bool]) -> None:
        self.words = words
        self.ready = ready


Steps = Generator["str | Until", None, None]
"""A call, step by step."""

COUNTERS: Final = (
    "octets_out",
    "packets_out",
    "errors_out",
    "discards_out",
    "octets_in",
    "packets_in",
    "errors_in",
)
"""What is counted for NDIS_STATISTICS_INFO (…/network/oid-gen-statistics): ifHCOutOctets, ifHCOutUcastPkts,
ifOutErrors, ifOutDiscards, ifHCInOctets, ifHCInUcastPkts, ifInErrors. The octets are of packets, without headers."""


class Core:
    """The state of one adapter, and its primitives.

    ===================  ==========================================================================================
    ``state, power``     one of NDIS's seven states, and D0…D3, as the driver keeps them for itself. What NDIS takes
                         the adapter for stands in the host's ledger, and changes when a handler is called or returns
    ``queue``            the send queue, oldest NBL first; the head may be half read
    ``copying``          the NBLs of which packets are being copied into a read, one entry for each such copy; the NBL
                         may still head the queue. Whoever flushes or cancels leaves them to whoever copies
    ``active``           NBLs owned, and sends and writes that were let in and are still inside
    ``pausing``          the pause that returned NDIS_STATUS_PENDING and waits until ``active`` is 0
    ``reads``            the reads that wait for packets, oldest first; ``reads_closed`` by halt
    ``serving``          somebody fills reads, and will look at both queues again before it stops
    ``handles``          creates less closes
    ``link_changes``     how often there was a first handle or no handle any more: odd is connected.
                         ``link_indicated`` of them were indicated; ``indicating``: somebody indicates the rest
    ``published``        the device leads to this adapter (from initialize to halt)
    ``rundown``          requests inside, each until its completion call has returned; ``rundown_closed`` by halt.
                         In the driver run-down protection (…/kernel/run-down-protection), which lives in the
                         device's extension, since a request may come when the adapter is gone
    ``ending``           NDIS has begun to halt the adapter or to shut it down: the stack sends nothing more
    ``sending_again``    the stack is in one of its completion handlers, sending an NBL once more
    the statistics       octets and packets out and in, errors out and in, discards out
    ===================  ==========================================================================================
    """

    newest_ndis = (6, 80)
    """The newest version of NDIS that the driver registers for."""

    __slots__ = (
        "active",
        "copying",
        "ending",
        "events",
        "handles",
        "indicating",
        "link_changes",
        "link_indicated",
        "name",
        "pausing",
        "power",
        "published",
        "queue",
        "reads",
        "reads_closed",
        "rundown",
        "rundown_closed",
        "sending_again",
        "serving",
        "state",
        *COUNTERS,
    )

    def __init__(self, name: str, events: list[Event]) -> None:
        """Make an adapter that is being initialized; what the outside can see is appended to ``events``."""
        self.name = name
        self.events = events
        self.published = False
        self.rundown = 0
        self.rundown_closed = False
        self.state = State.INITIALIZING
        self.power = int(PowerState.D0)
        self.handles = 0
        self.queue: deque[SentNbl] = deque()
        self.copying: list[SentNbl] = []
        self.active = 0
        self.pausing: str | None = None
        self.reads: deque[ReadRequest] = deque()
        self.reads_closed = False
        self.serving = False
        self.link_changes = 0
        self.link_indicated = 0
        self.indicating = False
        self.ending = False
        self.sending_again = False
        self.octets_out = self.packets_out = self.errors_out = self.discards_out = 0
        self.octets_in = self.packets_in = self.errors_in = 0

    # Who may come in

    def refuse_traffic(self) -> int:
        """Return why neither a send nor a write may go on now, or STATUS_SUCCESS.

        NDIS_STATUS_PAUSED is what the page of MiniportPause wants, NDIS_STATUS_LOW_POWER_STATE that of
        OID_PNP_SET_POWER; for a client's write they are this adapter's choice.
        """
        if self.state is not State.RUNNING:
            return ndis.STATUS_NDIS_PAUSED
        if self.power != PowerState.D0:
            return ndis.STATUS_NDIS_LOW_POWER_STATE
        return ndis.STATUS_SUCCESS

    def admit_request(self) -> bool:
        """Let a client's request in, unless the adapter is gone or going. Halt waits for those that are in."""
        if not self.published or self.rundown_closed:
            return False
        self.rundown += 1
        return True

    def leave(self, count: int) -> Steps:
        """Take ``count`` off the active transactions; whoever brings them to 0 ends the pause that waits for it.

        That the count falls, that it is found to be 0, and that the pause is taken from ``pausing`` is one step: were
        it three, two calls that leave at once could both find 0, and complete the pause twice. Only then, with no lock
        held, NdisMPauseComplete is called (…/ddi/ndis/nf-ndis-ndismpausecomplete): NDIS may restart the adapter there.
        """
        self.active -= count
        if self.pausing is not None and self.may_end_pause():
            pause, self.pausing = self.pausing, None
            self.end_pause()
            yield "the last transaction has ended, and with it the pause; NdisMPauseComplete is called without a lock"
            self.events.append(PauseCompleted(pause))
            yield "NDIS knows that the adapter is paused, and may restart it"

    def may_end_pause(self) -> bool:
        """Tell whether nothing is left for a pause to wait for: no packet is on its way."""
        return self.active == 0

    def end_pause(self) -> None:
        """Be Paused, unless there was a shutdown meanwhile."""
        if self.state is State.PAUSING:
            self.state = State.PAUSED

    # What goes out

    def complete_nbl(self, nbl: SentNbl) -> Steps:
        """NdisMSendNetBufferListsComplete: give an NBL back to the stack, with the verdict on it.

        From here on the NBL is the stack's, which may send it again before the call returns (it is told here for once,
        though it is no step of the adapter's): this is why nobody holds a lock here.
        """
        again = self.is_sent_again(nbl)
        self.events.append(NblCompleted(nbl.operation, nbl.index, nbl.status, again))
        if again:
            nbl.send_again()
            self.sending_again = True
            yield "the stack has the NBL back, and sends it again before its completion handler returns"
            yield from self.send((nbl,))
            self.sending_again = False

    def is_sent_again(self, nbl: SentNbl) -> bool:
        """Tell whether the stack, if it got ``nbl`` back now, would send it again from there."""
        return nbl.again and not (self.ending or self.sending_again)

    def send(self, nbls: Iterable[SentNbl]) -> Steps:
        """MiniportSendNetBufferLists, which is told in ``sending``: what goes back may come in again by it."""
        raise NotImplementedError

    def give_back(self, nbls: list[SentNbl]) -> Steps:
        """Complete NBLs that were taken out of the queue; from that step on they were the caller's alone.

        They count as active until the stack has them all back. Were they counted off when they leave the queue, a pause
        could be complete while the stack still waits for them.
        """
        if nbls:
            for nbl in nbls:
                yield "an NBL is out of the queue and its status decided; it goes back to the stack without a lock"
                yield from self.complete_nbl(nbl)
            yield "the NBLs are back, but still counted as active"
            yield from self.leave(len(nbls))

    def complete(self, operation: str, file: FileObject, status: int, information: int = 0) -> None:
        """IoCompleteRequest of an admitted request other than a read with data; and let go of the rundown."""
        self.events.append(IrpCompleted(operation, file.name, status, information))
        self.rundown -= 1

    def complete_read(self, request: ReadRequest, status: int) -> None:
        """IoCompleteRequest of an admitted read, with its packets if that is a success; and let go of the rundown."""
        if status == ndis.STATUS_SUCCESS:
            data = self.bundle_of(request)
            self.events.append(IrpCompleted(request.operation, request.file.name, status, len(data), data))
        else:
            self.events.append(IrpCompleted(request.operation, request.file.name, status))
        self.rundown -= 1

    def bundle_of(self, request: ReadRequest) -> bytes:
        """Return what the client finds in a read's buffer."""
        return request.bundle()

    def reject(self, operation: str, file: FileObject) -> None:
        """Complete a request that was not admitted: the device object is all that is left, or all there is as yet."""
        self.events.append(IrpCompleted(operation, file.name, ndis.STATUS_INVALID_HANDLE))

    def returned(self, operation: str, status: int = ndis.STATUS_SUCCESS) -> None:
        """Return from a handler."""
        self.events.append(Returned(operation, status))

    # The queue and the link

    def flush(self, status: int) -> list[SentNbl]:
        """Empty the send queue, with ``status`` for each NBL in it, and return those that are to be given back.

        The caller does it in the very step in which sends begin to be refused: so nothing slips into a queue that was
        just emptied, to stay there through the pause. An NBL of which packets are being copied gets the status too, but
        is left to whoever copies, or it would be completed twice.
        """
        flushed = []
        for nbl in self.queue:
            nbl.queued = False
            nbl.status = status
            if nbl not in self.copying:
                flushed.append(nbl)
        self.queue.clear()
        return flushed

    def indicate_link(self) -> Steps:
        """NdisMIndicateStatusEx: indicate the link's changes that were not, unless somebody is at it and will see ours.

        Microsoft asks for no indication without a change (…/network/ndis-status-link-state). Changes are counted, and
        not just the last state kept, so that of two that follow each other closely neither is left out; and one call at
        a time indicates, so that none overtakes another.
        """
        if self.indicating:
            return
        self.indicating = True
        while self.link_indicated != self.link_changes:
            self.link_indicated += 1
            connected = self.link_indicated % 2 == 1
            yield "a change of the link is to be indicated, without a lock"
            self.events.append(LinkChanged(self.name, connected))
            yield "it is indicated; there may have been another meanwhile"
        self.indicating = False

    # Telling states apart

    def forget(self) -> None:
        """Forget what was counted, at rest: nothing but the answers to OIDs depends on it."""
        for counter in COUNTERS:
            setattr(self, counter, 0)
        self.link_changes = self.link_indicated = self.link_changes % 2

    def open_files(self) -> int:
        """Return how many file objects of its device the adapter believes to be open."""
        return self.handles

    def key(self) -> tuple[object, ...]:
        """Return the whole shared state as one hashable value: equal keys, equal futures."""
        return (
            self.name,
            self.published,
            self.rundown,
            self.rundown_closed,
            self.state,
            self.power,
            self.handles,
            _keys(self.queue),
            _keys(self.copying),
            self.active,
            self.pausing,
            _keys(self.reads),
            self.reads_closed,
            self.serving,
            self.link_changes,
            self.link_indicated,
            self.indicating,
            self.ending,
            self.sending_again,
            *(getattr(self, counter) for counter in COUNTERS),
        )


def _keys(items: Iterable[SentNbl | ReadRequest | WriteRequest]) -> tuple[object, ...]:
    return tuple(item.key() for item in items)
