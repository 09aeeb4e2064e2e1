"""What the outside can see of an adapter.

Every event names the operation it belongs to by that operation's name. A machine gives the events of a run in the
order in which they happened; what must agree between machines is the *outcome*, five sequences per adapter (see
``outcome``).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened; the subclasses say what."""

    verb: ClassVar[str]


@dataclass(frozen=True, slots=True)
class Returned(Event):
    """Load, Unload, Initialize, Restart, Pause, Halt, Shutdown or SurpriseRemove returned ``status``.

    The status is 0 where the handler returns nothing.
    """

    verb: ClassVar[str] = "returned"
    operation: str
    status: int


@dataclass(frozen=True, slots=True)
class OidCompleted(Event):
    """An OID request ended with ``status``: at its return, or by NdisMOidRequestComplete.

    ``information`` is BytesWritten or BytesRead, ``needed`` is BytesNeeded, ``data`` the first ``information`` bytes
    that a query wrote.
    """

    verb: ClassVar[str] = "oid"
    operation: str
    status: int
    information: int
    needed: int
    data: bytes = b""


@dataclass(frozen=True, slots=True)
class IrpCompleted(Event):
    """A Create, Cleanup, Close, Read or Write on ``handle`` completed with ``status``.

    ``data`` are the first ``information`` bytes of a read's buffer.
    """

    verb: ClassVar[str] = "irp"
    operation: str
    handle: str
    status: int
    information: int = 0
    data: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class NblCompleted(Event):
    """NBL number ``index`` of a Send came back to the stack with ``status``.

    ``again``: the protocol sends it once more, now and from its completion handler, so it comes back a second time.
    """

    verb: ClassVar[str] = "nbl"
    operation: str
    index: int
    status: int
    again: bool = False


@dataclass(frozen=True, slots=True)
class PacketReceived(Event):
    """The stack was given one packet, ``data``, by the Write ``operation``; it may have rejected it then."""

    verb: ClassVar[str] = "received"
    operation: str
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class LinkChanged(Event):
    """The adapter indicated NDIS_STATUS_LINK_STATE: ``connected`` or not."""

    verb: ClassVar[str] = "link"
    adapter: str
    connected: bool


@dataclass(frozen=True, slots=True)
class PauseCompleted(Event):
    """The driver called NdisMPauseComplete for the Pause ``operation``, which had returned NDIS_STATUS_PENDING."""

    verb: ClassVar[str] = "paused"
    operation: str


@dataclass(frozen=True, slots=True)
class RuleBroken(Event):
    """The driver broke a ``rule``, named as Microsoft names it where Microsoft does; ``message`` says how."""

    verb: ClassVar[str] = "broken"
    operation: str
    rule: str
    message: str


@dataclass(frozen=True, slots=True)
class Refused(Event):
    """The host refused an operation that Windows would never do in this state; nothing changed.

    ``reason`` names state and page.
    """

    verb: ClassVar[str] = "refused"
    operation: str
    reason: str
