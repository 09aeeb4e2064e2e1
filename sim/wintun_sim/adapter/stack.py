"""The network stack above the adapter: it sends, receives, asks and counts."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from wintun_sim import ndis
from wintun_sim.adapter.errors import NtStatusError
from wintun_sim.adapter.sent import Sent
from wintun_sim.adapter.switchboard import Switchboard
from wintun_sim.operations import CancelSend, Nbl, Oid, OidCompleted, OidKind

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

STATISTICS: Final = (
    *("ifInDiscards", "ifInErrors"),
    *("ifHCInOctets", "ifHCInUcastPkts", "ifHCInMulticastPkts", "ifHCInBroadcastPkts"),
    *("ifHCOutOctets", "ifHCOutUcastPkts", "ifHCOutMulticastPkts", "ifHCOutBroadcastPkts"),
    *("ifOutErrors", "ifOutDiscards"),
    *("ifHCInUcastOctets", "ifHCInMulticastOctets", "ifHCInBroadcastOctets"),
    *("ifHCOutUcastOctets", "ifHCOutMulticastOctets", "ifHCOutBroadcastOctets"),
)
"""The fields of NDIS_STATISTICS_INFO
(learn.microsoft.com/windows-hardware/drivers/ddi/ntddndis/ns-ntddndis-_ndis_statistics_info).
"""

_STATISTICS_INFO: Final = struct.Struct(f"<BBHI{len(STATISTICS)}Q")
_QUERY_SIZE: Final = 256  # bytes: more than any answer


class Stack:
    """The stack of one adapter; found as ``Adapter.stack``."""

    def __init__(self, switchboard: Switchboard) -> None:
        self._switchboard = switchboard

    # Packets out: what a client will read

    def send(self, packets: ReadableBuffer | Nbl | Iterable[ReadableBuffer | Nbl], *, cancel_id: int = 0) -> Sent:
        """Send one packet, or several as one chain of NBLs.

        A packet becomes an NBL with one NET_BUFFER and this ``cancel_id``; an ``Nbl`` is sent as it is. What becomes of
        each is in the ``Sent`` that is returned: a stack whose packets are refused gets them back with a status, not an
        error. Raises ``IllegalCall`` where no stack would send: when the adapter is Paused, say.
        """
        items = packets if isinstance(packets, Iterable) and not _is_packet(packets) else (packets,)
        return self._switchboard.send([_nbl(item, cancel_id, index) for index, item in enumerate(items)])

    def cancel_send(self, cancel_id: int) -> None:
        """Cancel what was sent with this ``cancel_id`` and not read yet; those NBLs end with SEND_ABORTED."""
        board = self._switchboard
        board.perform(CancelSend(name=board.name("cancel-send"), adapter=board.adapter, cancel_id=cancel_id))

    # Packets in: what a client wrote

    @property
    def received(self) -> list[bytes]:
        """The packets that came in and were not taken yet by ``receive``, oldest first."""
        return list(self._switchboard.received)

    def receive(self, timeout: float | None = None) -> bytes:
        """Take the oldest packet that came in; wait for one, at most ``timeout`` seconds, while there is none.

        Raises ``TimeoutError``, and ``AdapterGone`` when the adapter is halted or closed and none can come.
        """
        while True:
            self._switchboard.wait(lambda: bool(self._switchboard.received), timeout, "packets")
            taken = self._switchboard.take(1)
            if taken:
                return taken[0]

    def receive_all(self) -> list[bytes]:
        """Take all packets that came in, oldest first; there may be none."""
        return self._switchboard.take()

    # The link

    @property
    def connected(self) -> bool:
        """The link state that was indicated last: connected while a client has the device open."""
        links = self._switchboard.links
        return bool(links) and links[-1]

    @property
    def link_states(self) -> list[bool]:
        """All link states that were indicated, in order; the first, at initialization, is False: disconnected."""
        return list(self._switchboard.links)

    def wait_until_connected(self, timeout: float | None = None) -> None:
        """Wait until a client has the device open, at most ``timeout`` seconds. Raises as ``receive``."""
        self._switchboard.wait(lambda: self.connected, timeout, "a client")

    def wait_until_disconnected(self, timeout: float | None = None) -> None:
        """Wait until no client has the device open, at most ``timeout`` seconds. Raises as ``receive``."""
        self._switchboard.wait(lambda: not self.connected, timeout, "the end of the last client")

    # Questions

    def oid(
        self, kind: OidKind, oid: int | str, length: int, data: bytes = b"", *, direct: bool = False
    ) -> OidCompleted:
        """Make an OID request with a buffer of ``length`` bytes that begins with ``data``, and return how it ended.

        ``oid`` is a number or a name as in ``wintun_sim.ndis``; ValueError for another name.
        """
        board = self._switchboard
        number = ndis.parse(oid) if isinstance(oid, str) else oid
        name = board.name("oid")
        request = Oid(name=name, adapter=board.adapter, kind=kind, oid=number, length=length, data=data, direct=direct)
        return next(event for event in board.perform(request) if isinstance(event, OidCompleted))

    def query_oid(self, oid: int | str) -> bytes:
        """Return the answer to a query. Raises ``NtStatusError`` when the adapter does not answer it."""
        return self._succeed(oid, self.oid(OidKind.QUERY, oid, _QUERY_SIZE)).data

    def set_oid(self, oid: int | str, data: bytes) -> None:
        """Set a value. Raises ``NtStatusError`` when the adapter does not take it."""
        self._succeed(oid, self.oid(OidKind.SET, oid, len(data), data))

    def statistics(self) -> dict[str, int]:
        """Return what OID_GEN_STATISTICS answers, by the names of NDIS_STATISTICS_INFO: ``ifHCOutUcastPkts``, …

        *In* is what the client wrote, *Out* what it read, both in packets or bytes.
        """
        _, _, _, _, *values = _STATISTICS_INFO.unpack(self.query_oid(ndis.OID_GEN_STATISTICS))
        return dict(zip(STATISTICS, values, strict=True))

    def _succeed(self, oid: int | str, event: OidCompleted) -> OidCompleted:
        if ndis.nt_success(event.status):
            return event
        name = oid if isinstance(oid, str) else ndis.name_of_oid(oid)
        needed = f"; it needs {event.needed} bytes" if event.needed else ""
        raise NtStatusError(
            event.status,
            f"{name} on {self._switchboard.device}: {ndis.name_of(event.status)} (0x{event.status:08X}): the adapter"
            f" does not answer that{needed}; learn what it answers in docs/adapter.md",
        )


def _is_packet(item: object) -> bool:
    try:
        memoryview(item)  # type: ignore[arg-type]  # that is the question
    except TypeError:
        return False
    return True


def _nbl(item: object, cancel_id: int, index: int) -> Nbl:
    if isinstance(item, Nbl):
        return item
    try:
        return Nbl((bytes(memoryview(item)),), cancel_id=cancel_id)  # type: ignore[arg-type]  # tried out
    except TypeError:
        raise TypeError(
            f"send: item {index} is neither a packet (bytes-like) nor an Nbl, but {type(item).__name__}"
        ) from None
