"""Serving reads: packets that the stack sent meet the reads that wait for them.

There are two queues, of NBLs and of reads, and who puts something into one of them serves: it fills the oldest read
with the oldest packets, as long as there is one of each. One call at a time serves an adapter, so that packets keep
their order over all reads. A call that has queued a packet or a read and finds somebody serving leaves it to that one,
who looks at both queues again before it stops. Nothing is forgotten, because looking, finding nothing and stopping are
one step.

A read takes all packets that it has room for in one step; then they are copied without a lock, which takes long and may
be interrupted by anything: a pause, a cancel, the halt. Meanwhile their NBLs are in ``copying``, and the read is in no
queue, so nobody else completes them. The NBLs go back together: so the lock, and the call to NDIS, are paid for a
bundle and not for a packet.

Pauses do not stop it. Reads are filled in every state, as long as packets are queued; but a pause has just emptied the
queue, and nothing enters it until the restart.
"""

from __future__ import annotations

import sys
from collections.abc import Generator

from wintun_sim import ndis
from wintun_sim.model.core import Core, Steps, Until
from wintun_sim.model.limits import LARGEST_PACKET
from wintun_sim.model.requests import ReadRequest, Room, SentNbl

Taken = tuple[SentNbl, int]
"""A NET_BUFFER in hand: its NBL, and its position in it."""


def nbls_of(taken: list[Taken]) -> list[SentNbl]:
    """Return the NBLs that packets in hand belong to, each once."""
    return list(dict.fromkeys(nbl for nbl, _ in taken))


class Pump(Core):
    """The steps of serving. A packet in hand counts as active by its NBL, so a pause waits for its copy."""

    __slots__ = ()

    def serve(self) -> Steps:
        """Fill waiting reads until there is no packet or no read."""
        if self.serving:
            return
        self.serving = True
        read: ReadRequest | None = None
        while True:
            stripped = self.strip_overlong()
            if stripped:
                yield from self.end_nbls(stripped)
                continue
            if read is None:
                read = self.take_read()
            if read is None:
                self.serving = False
                return
            taken = self.take_packets(read)
            if taken:
                read = yield from self.deliver(read, taken)
            else:
                yield from self.end_read(read)
                read = None

    def take_read(self) -> ReadRequest | None:
        """Take the oldest read, if there is a packet for it, so that a read always ends with at least one."""
        return self.reads.popleft() if self.queue and self.reads else None

    def strip_overlong(self) -> list[SentNbl]:
        """Drop over-long NET_BUFFERs at the head of the queue while there are any; return the NBLs that end by that.

        They go as soon as they are at the head, whether a read waits or not.
        """
        ended = []
        while self.queue and len(self.queue[0].packets[self.queue[0].next]) > LARGEST_PACKET:
            self.fail(self.queue[0], ndis.NDIS_STATUS_INVALID_LENGTH)
            self.discards_out += 1
            nbl, _ = self.advance()
            if not nbl.queued:
                ended.append(nbl)
        return ended

    def take_packets(self, read: ReadRequest) -> list[Taken]:
        """Take as many packets as ``read`` has room for: their NBLs cannot be completed by anyone else now."""
        room, most = self.room_in(read), self.most_packets(read)
        taken: list[Taken] = []
        while self.queue and len(taken) < most and self.reserve(room):
            taken.append(self.advance())
        self.copying += nbls_of(taken)
        return taken

    def room_in(self, read: ReadRequest) -> Room:
        """Return what is left in ``read``."""
        return read.room()

    def most_packets(self, read: ReadRequest) -> int:
        """Return how many packets may be taken for ``read`` at once: as many as there are."""
        return sys.maxsize

    def reserve(self, room: Room) -> bool:
        """Take the next packet's record out of ``room``; False, and nothing is taken, if it does not fit."""
        nbl = self.queue[0]
        packet = nbl.packets[nbl.next]
        return len(packet) <= LARGEST_PACKET and room.take(packet)

    def advance(self) -> Taken:
        """Move past one NET_BUFFER of the head and return it; with its last one the head leaves the queue."""
        nbl = self.queue[0]
        position = nbl.next
        nbl.next += 1
        if nbl.next == len(nbl.packets):
            self.queue.popleft()
            nbl.queued = False
        return nbl, position

    def fail(self, nbl: SentNbl, status: int) -> None:
        """Note that a NET_BUFFER of ``nbl`` failed: the first failure counts, and none after a flush or cancel.

        A flush, a cancel or an overflow has left its own status in the NBL, which is what happened to it as a whole.
        """
        if nbl.status == ndis.NDIS_STATUS_SUCCESS:
            nbl.status = status

    def deliver(self, read: ReadRequest, taken: list[Taken]) -> Generator[str | Until, None, ReadRequest | None]:
        """Copy packets into ``read`` without a lock; complete the NBLs of which nothing is left in the queue.

        Returns the read that is in hand from then on.
        """
        yield "packets are in hand and copied without a lock; their NBLs cannot be completed by anyone else"
        copied = []
        for nbl, position in taken:
            if self.can_copy(nbl, position):
                copied.append(nbl.packets[position])
                continue
            self.copy_failed(read, nbl)
            yield "a packet could not be copied and is dropped; the read goes on with those behind it"
        for packet in copied:
            read.add(packet)
        self.octets_out += sum(map(len, copied))
        self.packets_out += len(copied)
        ended = self.let_go(taken)
        if ended:
            yield from self.end_nbls(ended)
        return read

    def let_go(self, taken: list[Taken]) -> list[SentNbl]:
        """Take packets out of hand; return the NBLs of which nothing is left, neither queued nor in anybody's hand."""
        nbls = nbls_of(taken)
        for nbl in nbls:
            self.copying.remove(nbl)
        return [nbl for nbl in nbls if not nbl.queued and nbl not in self.copying]

    def end_nbls(self, nbls: list[SentNbl]) -> Steps:
        """Complete NBLs of which nothing is left; they count as active until the stack has them all back."""
        for nbl in nbls:
            yield "nothing is left of an NBL; it goes back to the stack without a lock"
            yield from self.complete_nbl(nbl)
        yield "the NBLs are back, but still counted as active"
        yield from self.leave(len(nbls))

    def can_copy(self, nbl: SentNbl, position: int) -> bool:
        """Tell whether a NET_BUFFER's memory can be mapped; of an empty one nothing is to be copied."""
        return not nbl.packets[position] or position not in nbl.unmapped

    def copy_failed(self, read: ReadRequest, nbl: SentNbl) -> None:
        """Note that a packet of ``nbl`` could not be copied into ``read``."""
        self.errors_out += 1
        self.fail(nbl, ndis.NDIS_STATUS_RESOURCES)

    def end_read(self, read: ReadRequest) -> Steps:
        """Complete a read that is as full as it can be now; one whose only packets failed waits again, at the head.

        It was in no queue while it was in hand. Whoever cancels it then, cleans up its handle or halts can only leave a
        mark, so an empty one is asked for that mark in the step in which it would go back.
        """
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
