"""What is handed to the adapter: NBLs from the stack, file objects and requests from clients.

Each is somebody else's, on loan: an NBL until it is completed, an IRP likewise, a file object until it is closed.

This is also where *bundles* begin and end. A read or a write carries many packets, one record behind the other, each
with a header and padding. The adapter exchanges packets, and what a client's buffer holds is coded here, by the codec
that the driver uses.
"""

from __future__ import annotations

from wintun_sim.model.limits import LARGEST_BUNDLE, record_size
from wintun_sim.operations import Nbl


class SentNbl:
    """One NET_BUFFER_LIST on its way through the adapter.

    ``packets`` are the data of its NET_BUFFERs; those whose positions are in ``unmapped`` cannot be mapped, and so not
    copied. ``next`` is the position of the first one that was not taken yet, ``queued`` tells whether the NBL is in the
    send queue, ``status`` is the verdict so far. ``again``: the stack sends it once more when it gets it back.
    """

    __slots__ = ("again", "cancel_id", "index", "next", "operation", "packets", "queued", "status", "unmapped")

    def __init__(self, operation: str, index: int, nbl: Nbl, again: bool) -> None:
        self.operation = operation
        self.index = index
        self.packets = nbl.packets
        self.unmapped = nbl.unmapped
        self.cancel_id = nbl.cancel_id
        self.next = 0
        self.queued = False
        self.status = 0
        self.again = again

    def send_again(self) -> None:
        """Begin anew: this is the second time, and there is no third."""
        self.next = self.status = 0
        self.again = False

    def key(self) -> tuple[object, ...]:
        """Return what tells this NBL from others, and its state."""
        return (self.operation, self.index, self.next, self.queued, self.status, self.again)


class FileObject:
    """What a handle stands for. ``cleaned`` is the mark that its cleanup leaves, under the read queue's lock."""

    __slots__ = ("cleaned", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self.cleaned = False

    def key(self) -> tuple[str, bool]:
        """Return what tells this file object from others, and its state."""
        return (self.name, self.cleaned)


class Room:
    """Room for ``records`` more records (below 0: any number), of ``length`` bytes in all."""

    __slots__ = ("length", "records")

    def __init__(self, records: int, length: int) -> None:
        self.records = records
        self.length = length

    def take(self, packet: bytes) -> bool:
        """Use it for a record of ``packet``; False, and nothing is used, if there is not enough."""
        size = record_size(len(packet))
        if self.records == 0 or size > self.length:
            return False
        self.records -= 1
        self.length -= size
        return True


class ReadRequest:
    """One IRP_MJ_READ: a buffer of ``length`` bytes that fills with packets.

    ``information`` are the bytes that their records take up, ``cancelled`` is the IRP's Cancel field.
    """

    __slots__ = ("cancelled", "file", "information", "length", "operation", "packets")

    def __init__(self, operation: str, file: FileObject, length: int) -> None:
        self.operation = operation
        self.file = file
        self.length = length
        self.packets: list[bytes] = []
        self.information = 0
        self.cancelled = False

    def key(self) -> tuple[object, ...]:
        """Return what tells this request from others, and its state."""
        return (self.operation, self.file.name, self.cancelled, tuple(self.packets))

    def room(self) -> Room:
        """Return what is left behind the records that are there."""
        return Room(LARGEST_BUNDLE - len(self.packets), self.length - self.information)

    def add(self, packet: bytes) -> None:
        """Put a record of ``packet`` behind the others."""
        self.packets.append(packet)
        self.information += record_size(len(packet))

    def bundle(self) -> bytes:
        """Return the first ``information`` bytes of the buffer."""
        from wintun_sim import bundle

        starts = range(0, len(self.packets), LARGEST_BUNDLE)
        return b"".join(bundle.encode(self.packets[start : start + LARGEST_BUNDLE]) for start in starts)


class WriteRequest:
    """One IRP_MJ_WRITE of ``data``; the stack rejects the indicated packets whose positions are in ``rejected``."""

    __slots__ = ("data", "file", "operation", "rejected")

    def __init__(self, operation: str, file: FileObject, data: bytes, rejected: frozenset[int]) -> None:
        self.operation = operation
        self.file = file
        self.data = data
        self.rejected = rejected

    def key(self) -> tuple[object, ...]:
        """Return what tells this request from others."""
        return (self.operation,)

    def parse(self) -> tuple[list[bytes], int]:
        """Return the packets before the first record that is over-long or cut short, and the bytes they take up."""
        from wintun_sim import bundle

        packets: list[bytes] = []
        consumed = 0
        rest = memoryview(self.data)
        while True:
            part = bundle.decode(rest[consumed:])
            packets += part.tolist()
            consumed += part.consumed
            if len(part) < LARGEST_BUNDLE:
                return packets, consumed
