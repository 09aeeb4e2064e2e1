"""What CURRENT repairs, taken back one by one: each class is the adapter with one of its repairs missing.

A class here says how the published driver of April 2019 behaved, and why that had to change. It overrides the steps
concerned and nothing else, so any of them can be combined (:mod:`wintun_sim.model.revisions`). Two repairs that no
sequence of calls can show have no class: sizes that were loaded twice from memory that the client can change, and reads
beyond a buffer's end.
"""

from __future__ import annotations

from typing import Final

from wintun_sim import ndis
from wintun_sim.errors import WintunSimError
from wintun_sim.lifecycle import State
from wintun_sim.model.adapter import Adapter
from wintun_sim.model.client import check_length
from wintun_sim.model.core import Steps
from wintun_sim.model.limits import QUEUE_LIMIT, RECORD_HEADER, SMALLEST_READ, record_size
from wintun_sim.model.requests import FileObject, ReadRequest, Room, SentNbl, WriteRequest
from wintun_sim.operations import LinkChanged, PowerState, ShutdownAction

STATUS_OF_SENDER: Final = 0x5A5A5A5A
"""What the host leaves in an NBL's Status before it sends it, so that one sees whether a driver sets it."""

FILLER: Final = 0xA5
"""What the host fills a client's buffer with, so that one sees which bytes a driver wrote."""


class UndefinedUpstream(WintunSimError):
    """The published driver did here what nobody can foretell: memory that is no longer its own decides what follows.

    ``place`` names where, in few words; docs/revisions.md has them all. Nothing that the model would say from there on
    would be worth comparing, so the run ends.
    """

    def __init__(self, place: str, message: str) -> None:
        super().__init__(f"undefined upstream, {place}: {message}")
        self.place = place

    def __reduce__(self) -> tuple[type[UndefinedUpstream], tuple[str, str]]:
        return type(self), (self.place, str(self).split(": ", 1)[1])


CANCELLED_CURSOR: Final = "cancelled cursor"
FREED_CONTEXT: Final = "freed context"
LOCK_HELD: Final = "lock held"
HALTED_HANDLE: Final = "halted handle"

PLACES: Final = {
    CANCELLED_CURSOR: "a half-read NBL is cancelled: the queue's cursor stays in an NBL that the stack has back",
    FREED_CONTEXT: "halt frees the adapter's context while requests are inside, which go on using it",
    LOCK_HELD: "an NBL goes back under the queue's lock, and the stack sends it again from there: it waits for itself",
    HALTED_HANDLE: "an adapter that ignored its halt calls NDIS with a handle that NDIS has freed",
}
"""Every place that raises :class:`UndefinedUpstream`."""


class SendStatus(Adapter):
    """Success was never written into an NBL: one that was delivered, or empty, kept whatever its sender had left there.

    A sender that reads the status of its own NBL then reads its own leftovers. And of several failures the last one
    stayed, even over the verdict of a flush.
    """

    def fail(self, nbl: SentNbl, status: int) -> None:
        """Write the status, whatever was there."""
        nbl.status = status

    def complete_nbl(self, nbl: SentNbl) -> Steps:
        """Give the NBL back, and in its status what the sender had there if nothing failed."""
        nbl.status = nbl.status or STATUS_OF_SENDER
        yield from super().complete_nbl(nbl)


class ZeroPadding(Adapter):
    """Of a record's header only the size was written, and its padding not at all: there stayed what was there before.

    A client that reuses its buffers takes old bytes for new ones, and no two runs give the same bundle.
    """

    def bundle_of(self, request: ReadRequest) -> bytes:
        """Return the records with the buffer's old bytes between them."""
        data = bytearray()
        for packet in request.packets:
            header = len(packet).to_bytes(4, "little") + bytes([FILLER]) * (RECORD_HEADER - 4)
            data += header + packet + bytes([FILLER]) * (record_size(len(packet)) - RECORD_HEADER - len(packet))
        return bytes(data)


class PacketLimit(Adapter):
    """256 packets were the documented limit of a bundle, and nothing enforced it: a large read took all that fitted.

    A client whose tables have the documented 256 places writes beyond their end.
    """

    def room_in(self, read: ReadRequest) -> Room:
        """Ask for bytes alone."""
        return Room(-1, super().room_in(read).length)

    def chains(self, packets: list[bytes]) -> list[list[bytes]]:
        """Indicate all packets of a write in one call."""
        return [packets] if packets else []


class ReadCheck(Adapter):
    """A read's buffer was looked at when a packet arrived for it: until then a read that could never succeed waited.

    Its client learns of its mistake when the network happens to speak, which may be never.
    """

    def check_read(self, request: ReadRequest) -> int:
        """Let every read wait."""
        return ndis.STATUS_SUCCESS

    def take_read(self) -> ReadRequest | None:
        """Complete those at the head that cannot be used, and take the first that can."""
        while (request := super().take_read()) is not None:
            status = check_length(request.length, SMALLEST_READ)
            if not status:
                return request
            self.complete_read(request, status)
        return None


class CopyFailure(Adapter):
    """A read into which a packet could not be copied went back to the head of its queue, half filled.

    There it can be cancelled, and with it go packets whose NBLs were completed long ago: nobody learns of their loss.
    """

    failed: ReadRequest | None = None
    """The read in hand into which the last packet could not be copied."""

    def copy_failed(self, read: ReadRequest, nbl: SentNbl) -> None:
        """Note the read too."""
        super().copy_failed(read, nbl)
        self.failed = read

    def most_packets(self, read: ReadRequest) -> int:
        """Take them one at a time, and none for a read that failed, this time."""
        return 0 if read is self.failed else 1

    def end_read(self, read: ReadRequest) -> Steps:
        """Let a read that failed wait at the head, with what is in it."""
        if read is not self.failed:
            yield from super().end_read(read)
            return
        self.failed = None
        if self.refuse_read(read):
            yield "the read was cancelled while it was in hand; what was in it is lost"
            self.complete_read(read, ndis.STATUS_CANCELLED)
        else:
            self.reads.appendleft(read)
        yield "the half-filled read is out of hand"

    def key(self) -> tuple[object, ...]:
        """Add the failure to the state."""
        return (*super().key(), self.failed.operation if self.failed else None)


class OverflowCount(Adapter):
    """An NBL of which the last packet was in hand still counted against the limit of the queue.

    A queue that has room drops its oldest NBL because somebody is reading. Only calls at once can show it.
    """

    def is_full(self) -> bool:
        """Count the NBLs in hand too."""
        in_hand = sum(not nbl.queued for nbl in self.copying)
        return len(self.queue) + in_hand >= QUEUE_LIMIT


class OverflowOrder(Adapter):
    """A chain was queued whole before waiting reads were served, at the expense of its own head; nothing counted it.

    With reads at hand for everything, packets were lost, and no statistic told of it.
    """

    def should_make_room(self) -> bool:
        """Drop at once."""
        return False

    def drop_oldest(self) -> list[SentNbl]:
        """Drop without counting."""
        discards = self.discards_out
        dropped = super().drop_oldest()
        self.discards_out = discards
        return dropped


class CancelSend(Adapter):
    """To cancel an NBL that was half read left the queue's cursor inside it.

    The next read copies out of an NBL that the stack has back and may have freed.
    """

    def take_out(self, cancel_id: int) -> list[SentNbl]:
        """Take out what was not begun. Raises ``UndefinedUpstream`` for the NBL that the cursor is in."""
        if self.queue and self.queue[0].next and self.queue[0].cancel_id == cancel_id:
            nbl = self.queue[0]
            raise UndefinedUpstream(
                CANCELLED_CURSOR, f"NBL {nbl.operation}.{nbl.index} is half read and cancelled; the cursor stays in it"
            )
        return super().take_out(cancel_id)


class LinkDuplicates(Adapter):
    """Every create and every close indicated the link as it was then, changed or not.

    NDIS passes each indication on to the stack, which takes it for a change; and two made at once could overtake each
    other, so that the last one was the wrong one.
    """

    def indicate_link(self) -> Steps:
        """Indicate what the handles say now."""
        connected = self.handles > 0
        yield "the handles were looked at; the link is to be indicated"
        self.events.append(LinkChanged(self.name, connected))
        yield "the link is indicated"


class StalePackets(Adapter):
    """The send queue outlived the last close, and sends without a client were queued.

    The next client begins with what was meant for the one before, minutes or hours old.
    """

    def refuse_send(self) -> int:
        """Take packets whether anybody has the device open or not."""
        return self.refuse_traffic()

    def close_handle(self) -> list[SentNbl]:
        """Count a handle less, and let the queue be."""
        self.handles -= 1
        self.link_changes += self.handles == 0
        return []


class LowPower(Adapter):
    """Any power state was accepted, and sleep changed nothing but that sends and writes were refused.

    NDIS wants what is queued back before the device sleeps, and waits for it. Values that are no power state were taken
    too: 0 for awake, what is beyond D3 for asleep.
    """

    def is_power_state(self, state: int) -> bool:
        """Take anything."""
        return True

    def set_power(self, state: int) -> Steps:
        """Store the state."""
        self.power = state
        yield "the power state is stored; what is queued stays queued"

    def refuse_traffic(self) -> int:
        """Take D0 and everything below for awake."""
        status = super().refuse_traffic()
        return (
            ndis.STATUS_SUCCESS if status == ndis.STATUS_NDIS_LOW_POWER_STATE and self.power < PowerState.D1 else status
        )


class Shutdown(Adapter):
    """A shutdown overwrote the state and did nothing else; a pause under way then found another state than its own.

    Such a pause never ends, nor does NDIS's wait for it. From then on a pause and a restart fail, which a pause never
    may (…/drivers/ddi/ndis/nc-ndis-miniport_pause).
    """

    def shutdown(self, operation: str, action: ShutdownAction) -> Steps:
        """Overwrite the state."""
        if action == ShutdownAction.POWER_OFF:
            self.state = State.SHUTDOWN
            yield "Shutdown: what is queued stays queued"
        self.returned(operation)

    def may_end_pause(self) -> bool:
        """End a pause only where nothing came between."""
        return super().may_end_pause() and self.state is State.PAUSING

    def pause(self, operation: str) -> Steps:
        """Fail unless Running."""
        if self.state is not State.RUNNING:
            yield "there is nothing to pause"
            self.returned(operation, ndis.NDIS_STATUS_FAILURE)
            return
        yield from super().pause(operation)

    def restart(self, operation: str) -> Steps:
        """Fail unless Paused."""
        if self.state is not State.PAUSED:
            yield "there is nothing to restart"
            self.returned(operation, ndis.NDIS_STATUS_FAILURE)
            return
        yield from super().restart(operation)


class Version(Adapter):
    """The driver registered for NDIS 6.30 at most, the newest of its time: no later Windows gave it what came since."""

    newest_ndis = (6, 30)


class LateRead(Adapter):
    """A read that came after its handle's cleanup waited like any other.

    Nobody cancels it any more: the handle cannot be closed until a packet happens to arrive.
    """

    def refuse_read(self, request: ReadRequest) -> bool:
        """Refuse what was cancelled or comes to a closed queue."""
        return request.cancelled or self.reads_closed


class OnePump(Adapter):
    """Several calls could serve reads at once, each with a read and a packet of its own.

    Which of them completes its read first is anybody's guess, and with it the order of the packets. One call at a time
    shows it only where it comes in a second time: a stack that sends from its completion handler serves the next read
    while the first one is not complete yet.
    """

    @property
    def serving(self) -> bool:
        """Nobody takes note of who serves."""
        return False

    @serving.setter
    def serving(self, value: bool) -> None:
        """Forget it."""

    def most_packets(self, read: ReadRequest) -> int:
        """Take one at a time, and leave the next to whoever comes first."""
        return min(1, super().most_packets(read))

    def strip_overlong(self) -> list[SentNbl]:
        """Leave an NBL that another call is copying from to that call."""
        return [nbl for nbl in super().strip_overlong() if nbl not in self.copying]


class LockedCompletion(Adapter):
    """NBLs that were taken out of the queue went back to the stack under the queue's lock.

    A stack that sends from its completion handler comes back for that lock, on the processor that holds it.
    """

    def give_back(self, nbls: list[SentNbl]) -> Steps:
        """Complete NBLs. Raises ``UndefinedUpstream`` where the stack comes back in, for it never gets out again."""
        for nbl in nbls:
            if self.is_sent_again(nbl):
                which = f"NBL {nbl.operation}.{nbl.index}"
                raise UndefinedUpstream(LOCK_HELD, f"{which} goes back under the lock, and is sent again from there")
        yield from super().give_back(nbls)


class HaltRundown(Adapter):
    """Halt cancelled the waiting reads, unpublished the context and freed it, without waiting for those inside.

    They go on in memory that is no longer theirs. And in any state but Paused halt returned without releasing anything:
    the device, the memory and the reads stayed behind, and with them the driver.
    """

    abandoned = False
    """NDIS has halted the adapter, and the adapter has not noticed."""

    def halt(self, operation: str) -> Steps:
        """Release all that a Paused adapter has. Raises ``UndefinedUpstream`` if somebody is inside."""
        if self.state is not State.PAUSED:
            self.abandoned = True
            yield "not Paused: nothing is released"
            self.returned(operation)
            return
        while self.reads:
            request = self.reads.popleft()
            yield "a read is taken out of the queue, which stays open"
            self.complete_read(request, ndis.STATUS_CANCELLED)
            yield "the read is cancelled"
        self.published = False
        yield "the adapter is unpublished; who is inside already does not see it"
        if self.rundown:
            raise UndefinedUpstream(FREED_CONTEXT, f"halt {operation} frees what {self.rundown} request(s) are using")
        self.returned(operation)

    def _call_up(self, what: str) -> None:
        if self.abandoned:
            raise UndefinedUpstream(HALTED_HANDLE, f"{what} of adapter {self.name}, whose halt was ignored")

    def indicate_link(self) -> Steps:
        """Raise ``UndefinedUpstream`` where NDIS has no such adapter any more."""
        self._call_up("a link indication")
        yield from super().indicate_link()

    def complete_nbl(self, nbl: SentNbl) -> Steps:
        """Raise ``UndefinedUpstream`` where NDIS has no such adapter any more."""
        self._call_up("a completed NBL")
        yield from super().complete_nbl(nbl)

    def receive(self, request: WriteRequest, packets: list[bytes]) -> Steps:
        """Raise ``UndefinedUpstream`` where NDIS has no such adapter any more."""
        self._call_up("a receive indication")
        yield from super().receive(request, packets)

    def key(self) -> tuple[object, ...]:
        """Add to the state that NDIS has forgotten the adapter."""
        return (*super().key(), self.abandoned)


class OldPause(Adapter):
    """No repair of ours, but what the commit before it was about: a pause cut the client off.

    All requests were refused while not Running or asleep, pending reads were cancelled, and the reference count set to
    0, whatever handles were open. A client that kept its handle then closed it: the count went negative, and from then
    on an open device counted as closed. So the stack never sent to a client that was there.
    """

    files = 0
    """File objects that are really open, which the reference count no longer tells."""

    def admit_request(self) -> bool:
        """Let a request in only where packets may flow."""
        return not self.refuse_traffic() and super().admit_request()

    def reject(self, operation: str, file: FileObject) -> None:
        """Complete a refused request with the reason."""
        if not self.published:
            super().reject(operation, file)
            return
        self.rundown += 1
        self.complete(operation, file, self.refuse_traffic())

    def open_handle(self) -> None:
        """Count the file object, and the reference."""
        self.files += 1
        super().open_handle()

    def open_files(self) -> int:
        """Return what the I/O manager knows, and the reference count does not."""
        return self.files

    def close(self, operation: str, file: FileObject) -> Steps:
        """Close; the file object is gone even if the close was refused, and the reference with it or not."""
        yield from super().close(operation, file)
        self.files -= 1

    def pause(self, operation: str) -> Steps:
        """Give back what is queued, cancel the reads of all handles, forget the handles."""
        if self.state is not State.RUNNING:
            yield "there is nothing to pause"
            self.returned(operation, ndis.NDIS_STATUS_FAILURE)
            return
        self.state = State.PAUSING
        flushed = self.flush(ndis.NDIS_STATUS_PAUSED)
        yield "Pausing: from here on nothing enters the queue"
        yield from self.give_back(flushed)
        while self.reads:
            request = self.reads.popleft()
            yield "a read that waits is taken out of the queue"
            self.complete_read(request, ndis.STATUS_CANCELLED)
        yield "no read waits any more"
        status = ndis.NDIS_STATUS_PENDING
        if self.may_end_pause():
            self.end_pause()
            status = ndis.NDIS_STATUS_SUCCESS
        else:
            self.pausing = operation
        yield "it is decided whether the pause is complete"
        self.returned(operation, status)

    def end_pause(self) -> None:
        """Forget the handles, and say that the link is down."""
        super().end_pause()
        self.handles = 0
        self.events.append(LinkChanged(self.name, False))

    def restart(self, operation: str) -> Steps:
        """Say it again, and go on."""
        if self.state is State.PAUSED:
            self.events.append(LinkChanged(self.name, self.handles > 0))
            yield "the link is indicated"
        yield from super().restart(operation)

    def key(self) -> tuple[object, ...]:
        """Add the open file objects to the state."""
        return (*super().key(), self.files)
