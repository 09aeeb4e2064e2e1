"""Serving reads: packets that the stack sent meet the reads that wait for them.

One call at a time serves an adapter, so that packets keep their order over all reads. A call that has queued a packet
or a read and finds somebody serving leaves it to that one, who looks at both queues again before it stops. Nothing is
forgotten, because looking, finding nothing and stopping are one step.
"""

from __future__ import annotations

from wintun_sim import ndis
from wintun_sim.model.core import Core, Steps
from wintun_sim.model.limits import LARGEST_PACKET
from wintun_sim.model.requests import ReadRequest, SentNbl


class Pump(Core):
    """The steps of serving."""

    __slots__ = ()

    def serve(self) -> Steps:
        """Fill waiting reads until there is no packet or no read."""
        if self.serving:
            return
        self.serving = True
        read: ReadRequest | None = None
        while True:
            stripped = self.strip_overlong()
            if stripped is not None:
                yield from self.end_nbl(stripped)
                continue
            if read is None:
                read = self.take_read()
            if read is None:
                self.serving = False
                return
            if self.queue and self.has_room(read):
                yield from self.deliver_next(read)
                continue
            yield from self.end_read(read)
            read = None

    def take_read(self) -> ReadRequest | None:
        """Take the oldest read, if there is a packet for it, so that a read always ends with at least one."""
        return self.reads.popleft() if self.queue and self.reads else None

    def strip_overlong(self) -> SentNbl | None:
        """Drop over-long NET_BUFFERs at the head of the queue, until an NBL ends by that; return it.

        They go as soon as they are at the head, whether a read waits or not.
        """
        while self.queue:
            nbl = self.queue[0]
            if len(nbl.packets[nbl.next]) <= LARGEST_PACKET:
                return None
            self.fail(nbl, ndis.NDIS_STATUS_INVALID_LENGTH)
            self.discards_out += 1
            self.advance()
            if not nbl.queued:
                return nbl
        return None

    def has_room(self, read: ReadRequest) -> bool:
        """Tell whether the next packet fits into ``read``."""
        nbl = self.queue[0]
        return read.has_room(nbl.packets[nbl.next])

    def advance(self) -> None:
        """Move past one NET_BUFFER of the head; with its last one the head leaves the queue."""
        nbl = self.queue[0]
        nbl.next += 1
        if nbl.next == len(nbl.packets):
            self.queue.popleft()
            nbl.queued = False

    def fail(self, nbl: SentNbl, status: int) -> None:
        """Note that a NET_BUFFER of ``nbl`` failed: the first failure counts, and none after a flush or cancel."""
        if nbl.status == ndis.NDIS_STATUS_SUCCESS:
            nbl.status = status

    def deliver_next(self, read: ReadRequest) -> Steps:
        """Copy the next packet into ``read`` without a lock; complete its NBL if nothing of it is left in the queue."""
        nbl = self.queue[0]
        position = nbl.next
        self.advance()
        self.copying.append(nbl)
        yield "a packet is in hand and copied without a lock; its NBL cannot be completed by anyone else"
        self.copying.remove(nbl)
        self.copied(read, nbl, position)
        if not nbl.queued and nbl not in self.copying:
            yield from self.end_nbl(nbl)
        else:
            yield "the packet is copied; the rest of its NBL heads the queue"

    def copied(self, read: ReadRequest, nbl: SentNbl, position: int) -> None:
        """Account for a packet that was copied, or could not be and is dropped: the read goes on without it."""
        packet = nbl.packets[position]
        if packet and position in nbl.unmapped:
            self.errors_out += 1
            self.fail(nbl, ndis.NDIS_STATUS_RESOURCES)
        else:
            read.add(packet)
            self.octets_out += len(packet)
            self.packets_out += 1

    def end_nbl(self, nbl: SentNbl) -> Steps:
        """Complete an NBL of which nothing is left."""
        yield "nothing is left of an NBL; it goes back to the stack without a lock"
        yield from self.complete_nbl(nbl)
        yield "the NBL is back, but still counted as active"
        yield from self.leave(1)

    def end_read(self, read: ReadRequest) -> Steps:
        """Complete a read that is as full as it can be now; one whose only packets failed waits again, at the head."""
        if read.packets:
            yield "the next packet does not fit, or there is none; the read completes without a lock"
            self.complete_read(read, ndis.STATUS_SUCCESS)
        elif self.refuse_read(read):
            yield "the read was cancelled while it was in hand"
            self.complete_read(read, ndis.STATUS_CANCELLED)
        else:
            self.reads.appendleft(read)
        yield "the read is out of hand"

    def refuse_read(self, request: ReadRequest) -> bool:
        """Tell whether a read may no longer wait: it was cancelled, its handle cleaned up, or the adapter halts."""
        return request.cancelled or request.file.cleaned or self.reads_closed
