"""What may run while something else runs: NDIS serialises some of its calls and not others, and clients know nothing
of it.

The sources are the pages of the handlers (…/drivers/ddi/ndis/nc-ndis-miniport_*): sends and cancels come on any
processor at any time; OID requests one after another (…/network/miniport-adapter-oid-request-serialization), direct
ones at any time; pause, restart, halt and power changes are PnP operations, of which one runs at a time, and no halt
begins while a send or the handler of an OID request is under way: NDIS cancels a request that pends, and waits for it.
Shutdown may interrupt anything but initialize and halt. In the strict order a send does not overlap a pause or a
restart, since the bindings above are paused first and restarted last (…/network/pausing-a-driver-stack).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import Final, NamedTuple

from wintun_sim.lifecycle.pages import (
    HALT_PAGE,
    INITIALIZE_PAGE,
    PAUSE_PAGE,
    PNP_PAGE,
    POWER_PAGE,
    REGISTER_DEVICE_PAGE,
    SERIALIZATION_PAGE,
    SHUTDOWN_PAGE,
    STACK_PAGE,
)
from wintun_sim.lifecycle.table import Order


class Call(Enum):
    """Kinds of calls, as far as overlapping is concerned."""

    SEND = "send"
    CANCEL_SEND = "cancel-send"
    OID = "OID request"
    PENDING_OID = "pending OID request"
    DIRECT_OID = "direct OID request"
    SET_POWER = "power request"
    REQUEST = "client's request"
    PAUSE_RESTART = "pause or restart"
    HALT = "halt"
    SHUTDOWN = "shutdown"
    SURPRISE_REMOVE = "removal notice"
    INITIALIZE = "initialize"


_BOTH: Final = (Order.STRICT, Order.RAW)
_RAW: Final = (Order.RAW,)
_NEVER: Final[tuple[Order, ...]] = ()

_HALF: Final[dict[tuple[Call, Call], tuple[Order, ...]]] = {
    (Call.SEND, Call.SEND): _BOTH,
    (Call.SEND, Call.CANCEL_SEND): _BOTH,
    (Call.SEND, Call.SET_POWER): _RAW,
    (Call.SEND, Call.REQUEST): _BOTH,
    (Call.SEND, Call.PAUSE_RESTART): _RAW,
    (Call.SEND, Call.SHUTDOWN): _BOTH,
    (Call.SEND, Call.SURPRISE_REMOVE): _BOTH,
    (Call.CANCEL_SEND, Call.CANCEL_SEND): _BOTH,
    (Call.CANCEL_SEND, Call.SET_POWER): _BOTH,
    (Call.CANCEL_SEND, Call.REQUEST): _BOTH,
    (Call.CANCEL_SEND, Call.PAUSE_RESTART): _BOTH,
    (Call.CANCEL_SEND, Call.SHUTDOWN): _BOTH,
    (Call.CANCEL_SEND, Call.SURPRISE_REMOVE): _BOTH,
    **{
        (oid, other): _BOTH
        for oid in (Call.OID, Call.PENDING_OID, Call.DIRECT_OID)
        for other in (
            *(Call.SEND, Call.CANCEL_SEND, Call.REQUEST),
            *(Call.PAUSE_RESTART, Call.SHUTDOWN, Call.SURPRISE_REMOVE),
        )
    },
    (Call.PENDING_OID, Call.HALT): _BOTH,
    **{(Call.DIRECT_OID, other): _BOTH for other in (Call.OID, Call.PENDING_OID, Call.DIRECT_OID, Call.SET_POWER)},
    (Call.SET_POWER, Call.REQUEST): _BOTH,
    (Call.SET_POWER, Call.SHUTDOWN): _BOTH,
    (Call.REQUEST, Call.REQUEST): _BOTH,
    (Call.REQUEST, Call.PAUSE_RESTART): _BOTH,
    (Call.REQUEST, Call.HALT): _BOTH,
    (Call.REQUEST, Call.SHUTDOWN): _BOTH,
    (Call.REQUEST, Call.SURPRISE_REMOVE): _BOTH,
    (Call.PAUSE_RESTART, Call.SHUTDOWN): _BOTH,
}

OVERLAP: Final[Mapping[tuple[Call, Call], tuple[Order, ...]]] = MappingProxyType(
    {(a, b): _HALF.get((a, b)) or _HALF.get((b, a)) or _NEVER for a in Call for b in Call}
)
"""In which orders the second may begin while the first runs, for every pair; symmetric."""


def may_overlap(order: Order, running: Call, beginning: Call) -> bool:
    """Tell whether ``beginning`` may begin while ``running`` runs on the same adapter."""
    return order in OVERLAP[running, beginning]


class Apart(NamedTuple):
    """Why two calls never overlap, and the page that says so."""

    why: str
    page: str


_OID_REQUESTS: Final = (Call.OID, Call.PENDING_OID, Call.DIRECT_OID, Call.SET_POWER)
_EVERY: Final = tuple(Call)

_APART: Final[tuple[tuple[Call, tuple[Call, ...], Apart], ...]] = (
    (
        Call.INITIALIZE,
        (Call.REQUEST,),
        Apart("a device appears while its adapter is initialized; this host opens it afterwards", REGISTER_DEVICE_PAGE),
    ),
    (
        Call.INITIALIZE,
        _EVERY,
        Apart("NDIS asks nothing of an adapter until MiniportInitializeEx has returned", INITIALIZE_PAGE),
    ),
    (
        Call.HALT,
        _EVERY,
        Apart("NDIS halts an adapter when nothing that it asked for is under way, and asks nothing more", HALT_PAGE),
    ),
    (Call.SHUTDOWN, _EVERY, Apart("nothing is called after MiniportShutdownEx", SHUTDOWN_PAGE)),
    (Call.SURPRISE_REMOVE, _EVERY, Apart("PnP operations on an adapter come one after another", PNP_PAGE)),
    (
        Call.PAUSE_RESTART,
        (Call.SEND,),
        Apart("bindings are paused before the adapter, and restarted after it", STACK_PAGE),
    ),
    (Call.PAUSE_RESTART, _EVERY, Apart("PnP operations on an adapter come one after another", PAUSE_PAGE)),
    (Call.SET_POWER, (Call.SEND,), Apart("NDIS pauses an adapter before it changes its power", POWER_PAGE)),
    *(
        (
            oid,
            _OID_REQUESTS,
            Apart("NDIS makes OID requests one after another", SERIALIZATION_PAGE),
        )
        for oid in _OID_REQUESTS
    ),
)
"""The first line that speaks of both calls gives the reason."""


def why_apart(one: Call, other: Call) -> Apart:
    """Return why two calls do not overlap, at least in the strict order. Raises ValueError for two that always may."""
    if len(OVERLAP[one, other]) < len(Order):
        for call, others, apart in _APART:
            if (one is call and other in others) or (other is call and one in others):
                return apart
    raise ValueError(f"{one.value} and {other.value} may overlap in both orders")
