"""Repairs taken back, on the client's side: what a read finds, and when; and how a write is passed on."""

from __future__ import annotations

from collections.abc import Generator

from wintun_sim import ndis
from wintun_sim.model.adapter import Adapter
from wintun_sim.model.client import check_length
from wintun_sim.model.core import Until
from wintun_sim.model.limits import RECORD_HEADER, SMALLEST_READ, record_size
from wintun_sim.model.pump import Taken
from wintun_sim.model.requests import ReadRequest, Room, SentNbl
from wintun_sim.operations import FILLER


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

    def most_packets(self, read: ReadRequest) -> int:
        """Take them one at a time: each may be the one that fails."""
        return 1

    def copy_failed(self, read: ReadRequest, nbl: SentNbl) -> None:
        """Let the read wait again before its NBL goes back, so that whatever the stack sends next finds it there."""
        super().copy_failed(read, nbl)
        if self.refuse_read(read):
            self.complete_read(read, ndis.STATUS_CANCELLED)
        else:
            self.reads.appendleft(read)

    def deliver(self, read: ReadRequest, taken: list[Taken]) -> Generator[str | Until, None, ReadRequest | None]:
        """Copy one packet; a read that it could not be copied into is out of hand."""
        ((nbl, position),) = taken
        still = yield from super().deliver(read, taken)
        return still if self.can_copy(nbl, position) else None


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
