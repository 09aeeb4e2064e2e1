"""Sends: what the stack hands to the adapter, and what becomes of it when there is too much, or a change of mind.

A miniport accepts every send (…/ddi/ndis/nc-ndis-miniport_send_net_buffer_lists): what it will not take it completes at
once with the reason, and what it cannot deliver yet it queues. This one delivers to a client that may not read for
hours, so the queue has a limit, and beyond it the oldest NBL is dropped: of packets that are late anyway, the newest
are worth most.
"""

from __future__ import annotations

from collections.abc import Iterable

from wintun_sim import ndis
from wintun_sim.model.core import Steps
from wintun_sim.model.limits import QUEUE_LIMIT
from wintun_sim.model.pump import Pump
from wintun_sim.model.requests import SentNbl


class Sending(Pump):
    """The steps of sends and of cancelled sends."""

    __slots__ = ()

    def refuse_send(self) -> int:
        """Return why an NBL may not be queued now, or NDIS_STATUS_SUCCESS. Without a client nobody would read it."""
        refusal = self.refuse_traffic()
        if not refusal and not self.handles:
            refusal = ndis.NDIS_STATUS_MEDIA_DISCONNECTED
        return refusal

    def send(self, nbls: Iterable[SentNbl]) -> Steps:
        """MiniportSendNetBufferLists: the NBLs are queued one by one, then waiting reads are served.

        For each NBL the adapter is asked anew, in the step that queues it: a pause that comes between has emptied the
        queue, and nothing may enter it afterwards. Once one is refused, the rest of the chain goes back with it.

        An NBL without NET_BUFFERs goes back at once as well, with success: nothing of it could fail.

        The send itself counts as active while it is inside, since it goes on to touch the adapter when its last NBL is
        back. One that is refused from the beginning does not: nobody puts off a pause by knocking at the door.
        """
        refusal = self.refuse_send()
        admitted = not refusal
        if admitted:
            self.active += 1
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
        """MiniportCancelSend: what is queued under that id goes back; of an NBL already half read, the rest.

        What is not queued any more is not found, and ends by itself (…/ddi/ndis/nc-ndis-miniport_cancel_send).
        """
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
