"""What clients ask: the device's dispatch routines, and the cancelling of reads.

The I/O manager knows nothing of NDIS's states. A request is let in from the device's registration until halt, and holds
the rundown until its completion call has returned; one that comes later finds nothing but the device object.

While the adapter is paused, creates, closes and reads go on as ever: none of them is a packet on its way. A write is
one, so it is refused, and a write that came before the pause is waited for.
"""

from __future__ import annotations

from wintun_sim import ndis
from wintun_sim.model.core import Steps
from wintun_sim.model.limits import (
    LARGEST_BUFFER,
    LARGEST_BUNDLE,
    SMALLEST_IPV4,
    SMALLEST_IPV6,
    SMALLEST_READ,
    SMALLEST_WRITE,
)
from wintun_sim.model.pump import Pump
from wintun_sim.model.requests import FileObject, ReadRequest, SentNbl, WriteRequest
from wintun_sim.operations import PacketReceived


def check_length(length: int, smallest: int) -> int:
    """Return why a buffer of ``length`` bytes cannot be used, or STATUS_SUCCESS."""
    if length == 0:
        return ndis.STATUS_INVALID_PARAMETER
    if not smallest <= length <= LARGEST_BUFFER:
        return ndis.STATUS_INVALID_USER_BUFFER
    return ndis.STATUS_SUCCESS


def is_ip(packet: bytes) -> bool:
    """Tell whether the stack can take ``packet``: IPv4 or IPv6 by its first nibble, and at least a header long."""
    if len(packet) < SMALLEST_IPV4:
        return False
    version = packet[0] >> 4
    return version == 4 or (version == 6 and len(packet) >= SMALLEST_IPV6)


class Client(Pump):
    """The steps of create, cleanup, close, read, write and cancel."""

    __slots__ = ()

    def create(self, operation: str, file: FileObject) -> Steps:
        """IRP_MJ_CREATE: one more handle; the first one connects the link, as if a cable were put in."""
        if not self.admit_request():
            self.reject(operation, file)
            return
        yield "the create is inside"
        self.open_handle()
        yield "the handle counts"
        yield from self.indicate_link()
        yield "the link is as indicated, or somebody is indicating it"
        self.complete(operation, file, ndis.STATUS_SUCCESS)

    def open_handle(self) -> None:
        """Count a handle."""
        self.handles += 1
        if self.handles == 1:
            self.link_changes += 1

    def close_handle(self) -> list[SentNbl]:
        """Count a handle less; with the last one goes what was meant for it. Return what is to be given back."""
        self.handles -= 1
        if self.handles:
            return []
        self.link_changes += 1
        return self.flush(ndis.NDIS_STATUS_MEDIA_DISCONNECTED)

    def cleanup(self, operation: str, file: FileObject) -> Steps:
        """IRP_MJ_CLEANUP: the handle's reads are cancelled, oldest first, and no more of them may wait.

        The last user handle is closed, and nobody is there to read what they would bring (…/kernel/irp-mj-cleanup). The
        mark on the file object is for a read that was let in before and is not queued yet.
        """
        if not self.admit_request():
            self.reject(operation, file)
            return
        yield "the cleanup is inside"
        file.cleaned = True
        while (request := self.oldest_read_of(file)) is not None:
            self.reads.remove(request)
            yield "the handle is marked; a read of it is taken out of the queue"
            self.complete_read(request, ndis.STATUS_CANCELLED)
            yield "the read is cancelled"
        yield "no read of the handle waits any more"
        self.complete(operation, file, ndis.STATUS_SUCCESS)

    def oldest_read_of(self, file: FileObject) -> ReadRequest | None:
        """Return the oldest read of ``file`` that waits, if there is one."""
        return next((read for read in self.reads if read.file is file), None)

    def close(self, operation: str, file: FileObject) -> Steps:
        """IRP_MJ_CLOSE: one handle less; the last one empties the send queue and disconnects the link."""
        if not self.admit_request():
            self.reject(operation, file)
            return
        yield "the close is inside"
        flushed = self.close_handle()
        yield "the handle counts no more; if it was the last, from here on nothing enters the queue"
        yield from self.give_back(flushed)
        yield "nothing that was meant for the last client is left"
        yield from self.indicate_link()
        yield "the link is as indicated, or somebody is indicating it"
        self.complete(operation, file, ndis.STATUS_SUCCESS)

    def read(self, request: ReadRequest) -> Steps:
        """IRP_MJ_READ: the request waits for packets; whoever has some, this call included, fills it.

        The rundown is held twice: by the call, until it returns, and by the read, until it is complete, which may be
        long before the call returns, or long after. The read is pending from the step in which it is queued
        (…/kernel/cancel-safe-irp-queues): from there on others complete it, cancel it, or hand it on.
        """
        if not self.admit_request():
            self.reject(request.operation, request.file)
            return
        yield "the read is inside"
        status = self.check_read(request)
        if status:
            self.complete(request.operation, request.file, status)
            return
        self.rundown += 1
        if self.refuse_read(request):
            yield "the read came too late to wait"
            self.complete_read(request, ndis.STATUS_CANCELLED)
        else:
            self.reads.append(request)
            yield "the read waits; the call goes on and sees whether there are packets"
            yield from self.serve()
        yield "the call lets go of the rundown; the read holds it for itself while it waits"
        self.rundown -= 1

    def check_read(self, request: ReadRequest) -> int:
        """Return why a read's buffer cannot be used, or STATUS_SUCCESS: now, not when the first packet arrives."""
        return check_length(request.length, SMALLEST_READ)

    def cancel(self, request: ReadRequest) -> Steps:
        """IoCancelIrp: a read that waits is taken out of the queue; one in hand completes as if nothing had been.

        Whether it waits, and that it no longer does, is one step: who takes a read out of the queue completes it.
        """
        request.cancelled = True
        if request in self.reads:
            self.reads.remove(request)
            yield "the cancel routine has taken the read out of the queue"
            self.complete_read(request, ndis.STATUS_CANCELLED)

    # Writes

    def write(self, request: WriteRequest) -> Steps:
        """IRP_MJ_WRITE: records are received until one is over-long or cut short; what is not IP is skipped.

        It counts as active while its packets are with the stack: this is how a pause waits for receive indications, of
        which none may be under way when the adapter is Paused (…/network/pausing-an-adapter).
        """
        if not self.admit_request():
            self.reject(request.operation, request.file)
            return
        yield "the write is inside"
        consumed = 0
        status = self.refuse_traffic()
        if not status:
            self.active += 1
            yield "the write is counted as active: a pause waits for it"
            status = check_length(len(request.data), SMALLEST_WRITE)
            if not status:
                packets, consumed = request.parse()
                yield from self.receive(request, packets)
            yield from self.leave(1)
        yield "the write is done, but for its completion"
        self.complete(request.operation, request.file, status, consumed)

    def receive(self, request: WriteRequest, packets: list[bytes]) -> Steps:
        """Indicate packets to the stack, in chains of at most 256, and count what came of them when all is over.

        A chain is one call of NdisMIndicateReceiveNetBufferLists, with NDIS_RECEIVE_FLAGS_RESOURCES: the stack has to
        give the packets back before that call returns, and MiniportReturnNetBufferLists is never called. What is
        counted at the end belongs to the step of the caller that follows.
        """
        good = [packet for packet in packets if is_ip(packet)]
        for chain in self.chains(good):
            yield "packets are indicated to the stack without a lock"
            for packet in chain:
                self.events.append(PacketReceived(request.operation, packet))
        if good:
            yield "the stack has given the packets back, some of them perhaps with a failure"
        taken = [packet for position, packet in enumerate(good) if position not in request.rejected]
        self.octets_in += sum(map(len, taken))
        self.packets_in += len(taken)
        self.errors_in += len(packets) - len(taken)

    def chains(self, packets: list[bytes]) -> list[list[bytes]]:
        """Cut packets into what is indicated in one call each."""
        return [packets[start : start + LARGEST_BUNDLE] for start in range(0, len(packets), LARGEST_BUNDLE)]
