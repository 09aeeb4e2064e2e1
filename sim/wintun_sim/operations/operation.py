"""What the stack, the client and the system do to an adapter.

An operation is data: small, frozen, the same for every machine. Its ``name`` is unique in a run, and it is how
everything else refers to it: the name of a :class:`Create` is the handle, the name of a :class:`Read` is the request
that a :class:`Cancel` cancels, the name of an :class:`Initialize` is the adapter, the name of a :class:`Load` is the
driver. An operation without a name gets one from its verb and its place in the scenario.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, IntEnum
from typing import ClassVar, Final

DEFAULT_ADAPTER = "adapter"  # the name of the Initialize to which operations belong that name none
DEFAULT_DRIVER = "driver"  # likewise of the Load
FILLER: Final = 0xA5
"""What fills the buffers of clients and of OID requests beforehand, so that one sees which bytes a driver wrote."""


class PowerState(IntEnum):
    """NDIS_DEVICE_POWER_STATE (learn.microsoft.com/windows-hardware/drivers/network/oid-pnp-set-power)."""

    UNSPECIFIED = 0
    D0 = 1
    D1 = 2
    D2 = 3
    D3 = 4


class ShutdownAction(IntEnum):
    """NDIS_SHUTDOWN_ACTION (…/drivers/ddi/ndis/nc-ndis-miniport_shutdown)."""

    POWER_OFF = 0
    BUG_CHECK = 1


class OidKind(Enum):
    """The request types of NDIS_OID_REQUEST that a miniport is asked with.

    They are listed at …/drivers/ddi/oidrequest/ns-oidrequest-ndis_oid_request.
    """

    QUERY = "query"
    SET = "set"
    STATISTICS = "statistics"
    METHOD = "method"


class Account(Enum):
    """Who opens the device; the host decides from the device's security descriptor."""

    SYSTEM = "system"
    ADMINISTRATOR = "administrator"
    USER = "user"


@dataclass(frozen=True, slots=True)
class Nbl:
    """One NET_BUFFER_LIST that the stack sends.

    ``packets`` are the data of its NET_BUFFERs, in order (none is legal). ``cancel_id`` is what a CancelSend may name.
    ``mdl_size`` > 0 spreads each NET_BUFFER over MDLs of at most that many bytes; ``data_offset`` leaves that many
    unused bytes before the data, as protocols do. The data of the NET_BUFFERs whose positions are in ``unmapped``
    cannot be mapped: NdisGetDataBuffer returns NULL for them.
    """

    packets: tuple[bytes, ...]
    cancel_id: int = 0
    mdl_size: int = 0
    data_offset: int = 0
    unmapped: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """Something that is done to an adapter; the subclasses say what."""

    verb: ClassVar[str]
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load(Operation):
    """Load the driver's image and call DriverEntry. The name is the driver's.

    A second Load is a copy with globals of its own.
    """

    verb: ClassVar[str] = "load"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unload(Operation):
    """Ask the driver to unload.

    Windows does it at once when no device of the driver is open, else when the last handle closes.
    """

    verb: ClassVar[str] = "unload"
    driver: str = DEFAULT_DRIVER


@dataclass(frozen=True, slots=True, kw_only=True)
class Initialize(Operation):
    """MiniportInitializeEx of a new adapter."""

    verb: ClassVar[str] = "initialize"
    driver: str = DEFAULT_DRIVER


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterOperation(Operation):
    """An operation on one adapter, named by its Initialize."""

    adapter: str = DEFAULT_ADAPTER


@dataclass(frozen=True, slots=True, kw_only=True)
class Restart(AdapterOperation):
    """MiniportRestart: Paused → Restarting → Running."""

    verb: ClassVar[str] = "restart"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause(AdapterOperation):
    """MiniportPause: Running → Pausing → Paused."""

    verb: ClassVar[str] = "pause"


@dataclass(frozen=True, slots=True, kw_only=True)
class Halt(AdapterOperation):
    """MiniportHaltEx: everything is given back."""

    verb: ClassVar[str] = "halt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shutdown(AdapterOperation):
    """MiniportShutdownEx, for power-off or for a bug check, as ``action`` says."""

    verb: ClassVar[str] = "shutdown"
    action: ShutdownAction = ShutdownAction.POWER_OFF


@dataclass(frozen=True, slots=True, kw_only=True)
class SurpriseRemove(AdapterOperation):
    """MiniportDevicePnPEventNotify with NdisDevicePnPEventSurpriseRemoved.

    The pause and the halt that follow are operations of their own.
    """

    verb: ClassVar[str] = "surprise-remove"


@dataclass(frozen=True, slots=True, kw_only=True)
class SetPower(AdapterOperation):
    """OID_PNP_SET_POWER: the power is to be ``state``, which may be any ULONG; only D0…D3 are valid."""

    verb: ClassVar[str] = "set-power"
    state: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Oid(AdapterOperation):
    """MiniportOidRequest of ``kind`` about ``oid``, or MiniportDirectOidRequest when ``direct``.

    ``length`` is the InformationBufferLength in bytes; a set (or method) request's ``data`` fills the buffer's
    beginning, the rest is ``FILLER``.
    """

    verb: ClassVar[str] = "oid"
    kind: OidKind
    oid: int
    length: int
    data: bytes = b""
    direct: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Send(AdapterOperation):
    """MiniportSendNetBufferLists with a chain of NBLs, ``nbls``; number *i* is called ``name.i``.

    With ``again`` the protocol sends each NBL once more, by itself and from the completion handler in which it gets it
    back, whatever became of it; but not once NDIS has begun to halt the adapter or to shut it down, nor from within
    such a second send of the same adapter, for there would be no end to the depth of the calls.
    """

    verb: ClassVar[str] = "send"
    nbls: tuple[Nbl, ...]
    again: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelSend(AdapterOperation):
    """MiniportCancelSend: give back the queued NBLs whose cancel id is ``cancel_id``."""

    verb: ClassVar[str] = "cancel-send"
    cancel_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Create(AdapterOperation):
    """A client opens the adapter's device: IRP_MJ_CREATE on a new file object, which bears this operation's name.

    ``account`` is the client's.
    """

    verb: ClassVar[str] = "create"
    account: Account = Account.SYSTEM


@dataclass(frozen=True, slots=True, kw_only=True)
class HandleOperation(Operation):
    """An operation on one open handle, named by its Create."""

    handle: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleanup(HandleOperation):
    """IRP_MJ_CLEANUP: the last user handle to the file object was closed."""

    verb: ClassVar[str] = "cleanup"


@dataclass(frozen=True, slots=True, kw_only=True)
class Close(HandleOperation):
    """IRP_MJ_CLOSE: every IRP of the file object is complete and its last reference is gone."""

    verb: ClassVar[str] = "close"


@dataclass(frozen=True, slots=True, kw_only=True)
class Read(HandleOperation):
    """IRP_MJ_READ with a client buffer of ``length`` bytes, filled with ``FILLER`` beforehand."""

    verb: ClassVar[str] = "read"
    length: int = 61_440


@dataclass(frozen=True, slots=True, kw_only=True)
class Write(HandleOperation):
    """IRP_MJ_WRITE of ``data``.

    The stack gives the indicated packets whose positions are in ``rejected`` back with NDIS_STATUS_FAILURE.
    """

    verb: ClassVar[str] = "write"
    data: bytes = field(repr=False)
    rejected: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel(Operation):
    """IoCancelIrp on a pending read, named by its Read."""

    verb: ClassVar[str] = "cancel"
    request: str
