"""What NDIS calls: the miniport's handlers."""

from __future__ import annotations

from collections.abc import Iterable

from wintun_sim import ndis
from wintun_sim.lifecycle import State
from wintun_sim.model.core import Steps, Until
from wintun_sim.model.limits import QUEUE_LIMIT
from wintun_sim.model.pump import Pump
from wintun_sim.model.requests import SentNbl
from wintun_sim.operations import LinkChanged, PowerState, ShutdownAction


class Stack(Pump):
    """The steps of sends, pauses, and all that NDIS asks of an adapter."""

    __slots__ = ()

    # Coming and going

    def initialize(self, operation: str) -> Steps:
        """MiniportInitializeEx: the link is said to be disconnected, the device appears, the adapter is Paused."""
        self.events.append(LinkChanged(self.name, False))
        yield "the link is indicated; there is no device yet"
        self.published = True
        yield "the device is registered and leads to the adapter"
        self.state = State.PAUSED
        yield "the adapter is Paused"
        self.returned(operation)

    def restart(self, operation: str) -> Steps:
        """MiniportRestart: packets may flow. Nothing else changes, and a shutdown is not undone."""
        if self.state is State.PAUSED:
            self.state = State.RESTARTING
        yield "Restarting: sends are still refused"
        if self.state is State.RESTARTING:
            self.state = State.RUNNING
        yield "Running"
        self.returned(operation)

    def pause(self, operation: str) -> Steps:
        """MiniportPause: what is queued goes back; what is under way ends by itself, and the pause with it."""
        if self.state is State.RUNNING:
            self.state = State.PAUSING
        flushed = self.flush(ndis.NDIS_STATUS_PAUSED)
        yield "Pausing: from here on nothing enters the queue"
        yield from self.give_back(flushed)
        if self.may_end_pause():
            self.end_pause()
            status = ndis.NDIS_STATUS_SUCCESS
        else:
            self.pausing = operation
            status = ndis.NDIS_STATUS_PENDING
        yield "it is decided whether the pause is complete"
        self.returned(operation, status)

    def halt(self, operation: str) -> Steps:
        """MiniportHaltEx: first nobody may wait any more, then nobody may come in, then everything goes."""
        self.reads_closed = True
        while self.reads:
            request = self.reads.popleft()
            yield "the read queue is closed; a read is taken out of it"
            self.complete_read(request, ndis.STATUS_CANCELLED)
            yield "the read is cancelled"
        self.state = State.HALTED
        flushed = self.flush(ndis.NDIS_STATUS_PAUSED)
        yield "no send or write may come in"
        yield from self.give_back(flushed)
        self.rundown_closed = True
        yield Until("the rundown is closed; halt waits for requests that are inside", self._nobody_inside)
        self.published = False
        yield "the adapter is unpublished and freed; its device object remains while a handle is open"
        self.returned(operation)

    def _nobody_inside(self) -> bool:
        return self.rundown == 0

    def shutdown(self, operation: str, action: ShutdownAction) -> Steps:
        """MiniportShutdownEx: for power-off what is queued goes back; in a bug check nothing may be touched."""
        if action == ShutdownAction.POWER_OFF:
            self.state = State.SHUTDOWN
            flushed = self.flush(ndis.NDIS_STATUS_PAUSED)
            yield "Shutdown: no send or write may come in"
            yield from self.give_back(flushed)
            yield "nothing is queued any more; a pause or a power request under way may have ended by that"
        self.returned(operation)

    def surprise_remove(self, operation: str) -> Steps:
        """MiniportDevicePnPEventNotify: there is no hardware to miss; pause and halt follow."""
        yield "the device is said to be gone"
        self.returned(operation)

    def set_power(self, state: int) -> Steps:
        """OID_PNP_SET_POWER to a valid state: low power returns when nothing is owned and nothing is under way."""
        self.power = state
        if state == PowerState.D0:
            return
        flushed = self.flush(ndis.NDIS_STATUS_LOW_POWER_STATE)
        yield "low power: no send or write may come in"
        yield from self.give_back(flushed)
        yield Until("the power request waits for sends, writes and copies under way", self._nothing_active)

    def _nothing_active(self) -> bool:
        return self.active == 0

    # Packets

    def refuse_send(self) -> int:
        """Return why an NBL may not be queued now, or NDIS_STATUS_SUCCESS. Without a client nobody would read it."""
        return self.refuse_traffic() or (0 if self.handles else ndis.NDIS_STATUS_MEDIA_DISCONNECTED)

    def send(self, nbls: Iterable[SentNbl]) -> Steps:
        """MiniportSendNetBufferLists: the NBLs are queued one by one, then waiting reads are served.

        For each NBL the adapter is asked anew, in the step that queues it; once it refuses one, the rest of the chain
        goes back with it. A send that is refused from the beginning is not counted as active: nobody puts off a pause
        by knocking at the door.
        """
        refusal = self.refuse_send()
        admitted = not refusal
        self.active += admitted
        for nbl in nbls:
            refusal = refusal or self.refuse_send()
            if not refusal and nbl.packets and self.should_make_room():
                yield "the queue is full; waiting reads are served before anything is dropped"
                yield from self.serve()
                yield "they are served; the adapter is asked again"
                refusal = self.refuse_send()
            if refusal or not nbl.packets:
                nbl.status = refusal
                yield "an NBL is refused, or has no NET_BUFFER to wait for; it goes back to the stack without a lock"
                yield from self.complete_nbl(nbl)
            else:
                dropped = self.enqueue(nbl)
                yield "an NBL is queued"
                yield from self.give_back(dropped)
            yield "one NBL of the chain is dealt with"
        if admitted:
            yield from self.serve()
            yield "what could be served is served; the send is still counted as active"
            yield from self.leave(1)

    def should_make_room(self) -> bool:
        """Tell whether reads are to be served before another NBL is queued; not if somebody is at it."""
        return self.is_full() and not self.serving

    def is_full(self) -> bool:
        """Tell whether one more NBL would be too many. One whose last NET_BUFFER was taken does not count."""
        return len(self.queue) >= QUEUE_LIMIT

    def enqueue(self, nbl: SentNbl) -> list[SentNbl]:
        """Put an NBL at the queue's end, at the oldest one's expense if it is full; return what is to be given back."""
        dropped = self.drop_oldest() if self.is_full() else []
        nbl.queued = True
        self.queue.append(nbl)
        self.active += 1
        return dropped

    def drop_oldest(self) -> list[SentNbl]:
        """Take the head out of the queue; its NET_BUFFERs that were not taken yet are discarded."""
        nbl = self.queue.popleft()
        nbl.queued = False
        nbl.status = ndis.NDIS_STATUS_SEND_ABORTED
        self.discards_out += len(nbl.packets) - nbl.next
        return [nbl] if nbl not in self.copying else []

    def cancel_send(self, cancel_id: int) -> Steps:
        """MiniportCancelSend: what is queued under that id goes back; of an NBL already half read, the rest."""
        cancelled = self.take_out(cancel_id)
        yield "NBLs were taken out of the queue, if there were any"
        yield from self.give_back(cancelled)

    def take_out(self, cancel_id: int) -> list[SentNbl]:
        """Take what bears ``cancel_id`` out of the queue; return what is to be given back."""
        found = [nbl for nbl in self.queue if nbl.cancel_id == cancel_id]
        for nbl in found:
            self.queue.remove(nbl)
            nbl.queued = False
            nbl.status = ndis.NDIS_STATUS_SEND_ABORTED
        return [nbl for nbl in found if nbl not in self.copying]
