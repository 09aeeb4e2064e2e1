"""The small world of the fast walk: what may be asked in it, each thing without names.

A walk that meets the same states again and again need not ask the model each time (``automaton``), so here is little
room: two adapters of which one is shut down, two handles, two reads, three NBLs. Within it there is one letter for each
kind of thing that may be asked: each shape of NBL, each way in which a bundle may be wrong, each power state.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from wintun_sim import bundle as codec
from wintun_sim import ndis
from wintun_sim.lifecycle import HandlePhase, Ledger
from wintun_sim.operations import (
    Account,
    AdapterOperation,
    Cancel,
    CancelSend,
    Cleanup,
    Close,
    Create,
    Halt,
    HandleOperation,
    Initialize,
    Nbl,
    Oid,
    OidKind,
    Operation,
    Pause,
    PowerState,
    Read,
    Restart,
    Send,
    SetPower,
    Shutdown,
    ShutdownAction,
    SurpriseRemove,
    Write,
)
from wintun_sim.operations.data import ipv4, ipv6

MOST_HANDLES: Final = 2
MOST_READS: Final = 2
MOST_NBLS: Final = 2

_FEW: Final = codec.encode([ipv4(20, 1), ipv6(40, 2), ipv4(33, 3)])

SENDS: Final = (
    Send(nbls=(Nbl((ipv4(20, 10),)),)),
    Send(nbls=(Nbl((ipv6(1420, 11),)),), again=True),
    Send(nbls=(Nbl((ipv4(21, 12), b"", ipv6(40, 13)), 1, mdl_size=16, data_offset=14, unmapped=frozenset((2,))),)),
    Send(nbls=(Nbl(()), Nbl((ipv4(codec.MAX_PACKET_SIZE + 1, 14),), 1))),
)
_TOO_LONG: Final = (codec.MAX_PACKET_SIZE + 1).to_bytes(4, "little") + bytes(12)

WRITES: Final = (
    Write(handle="", data=codec.encode([ipv4(20, 1)])),
    Write(handle="", data=_FEW, rejected=frozenset((1,))),
    Write(handle="", data=_FEW[:-17]),  # the last record is cut short
    Write(handle="", data=codec.encode([ipv4(20, 1)]) + _TOO_LONG),
    Write(handle="", data=codec.encode([bytes(20), ipv4(19), ipv6(39), ipv6(40, 4)])),  # three are no IP packets
)
READS: Final = tuple(Read(handle="", length=length) for length in (61_440, 61_439))
OIDS: Final = (
    Oid(kind=OidKind.QUERY, oid=ndis.OID_GEN_VENDOR_DESCRIPTION, length=14),
    Oid(kind=OidKind.SET, oid=ndis.OID_GEN_CURRENT_PACKET_FILTER, length=4, data=b"\x0b\0\0\0"),
)


def _is_long(send: Send) -> bool:
    return any(len(packet) >= codec.MAX_PACKET_SIZE for nbl in send.nbls for packet in nbl.packets)


LETTERS: Final[tuple[tuple[Operation, int], ...]] = (
    (Initialize(), 160),
    (Restart(), 240),
    (Pause(), 80),
    (Halt(), 30),
    *((Shutdown(action=action), 1) for action in ShutdownAction),  # nothing follows it but clients that go
    (SurpriseRemove(), 4),
    (SetPower(state=PowerState.D0), 60),
    (SetPower(state=PowerState.D3), 20),
    (SetPower(state=PowerState.D3 + 1), 4),
    *((oid, 10) for oid in OIDS),
    *((send, 20 if _is_long(send) else 120) for send in SENDS),  # long packets cost most of the time
    (CancelSend(cancel_id=1), 60),
    (Create(), 160),
    (Create(account=Account.USER), 10),
    (Cleanup(handle=""), 40),
    (Close(handle=""), 80),
    *((read, 160) for read in READS),
    *((write, 80) for write in WRITES),
    (Cancel(request=""), 40),
)
"""What may be asked, and how often, compared with the others that may be asked in the same state."""


def named(letter: Operation, name: str, target: str) -> Operation:
    """Return a letter as an operation of that name, on ``target``: a driver, an adapter, a handle or a read."""
    return replace(letter, **{"name": name, aim(letter): target})


def aimed(letter: Operation, target: str) -> Operation:
    """Aim a letter of one's own at something else, without making another one."""
    object.__setattr__(letter, aim(letter), target)  # operations are frozen
    return letter


def aim(letter: Operation) -> str:
    """Return the field that says what an operation is done to."""
    if isinstance(letter, AdapterOperation):
        return "adapter"
    if isinstance(letter, HandleOperation):
        return "handle"
    return "request" if isinstance(letter, Cancel) else "driver"


def targets(letter: Operation, ledger: Ledger) -> Iterator[str]:
    """Name what a letter may be done to now, as far as there is room for what it makes; Windows may yet refuse."""
    room = _has_room(letter, ledger)
    match letter:
        case Initialize() if room:
            yield from ledger.drivers
        case AdapterOperation() if room:
            yield from ledger.adapters
        case HandleOperation() if room:
            yield from ledger.handles
        case Cancel():
            yield from (name for name, is_pending in ledger.reads.items() if is_pending)


def _has_room(letter: Operation, ledger: Ledger) -> bool:
    match letter:
        case Initialize():
            return not any(adapter.exists for adapter in ledger.adapters.values())
        case Create():
            live = (HandlePhase.OPEN, HandlePhase.CLEANED)
            return sum(handle.phase in live for handle in ledger.handles.values()) < MOST_HANDLES
        case Read():
            return sum(ledger.reads.values()) < MOST_READS
        case Send(nbls=nbls):
            return sum(adapter.nbls for adapter in ledger.adapters.values()) + len(nbls) <= MOST_NBLS
    return True
