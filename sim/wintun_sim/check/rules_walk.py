"""Random walks over a miniport that is not a Wintun: the same moods, but OIDs of any kind, a device only where there is
one, and a stack that is as demanding as Windows may be.

How an operation is done follows from its name alone, so that a scenario says all there is to say: at which IRQL it
comes, whether the stack keeps what it receives, whether something that it asks for fails, and whether time passes
afterwards.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from random import Random
from typing import Final

from wintun_sim.check.walk import Namer, Walk
from wintun_sim.kernel import Demand, Fault
from wintun_sim.lifecycle import Ledger
from wintun_sim.operations import (
    CancelSend,
    Create,
    Event,
    Initialize,
    IrpCompleted,
    Load,
    Oid,
    OidKind,
    Operation,
    Send,
)
from wintun_sim.scenario.names import base

NO_SUCH_NAME: Final = 0xC0000034
"""STATUS_OBJECT_NAME_NOT_FOUND: what opening a device gives that nobody registered."""

COMMON_OIDS: Final = (
    *(0x00010101, 0x00010102, 0x00010103, 0x00010104, 0x00010105, 0x00010106, 0x00010107, 0x0001010C, 0x0001010D),
    *(0x0001010E, 0x0001010F, 0x00010111, 0x00010112, 0x00010114, 0x00010116, 0x00010117, 0x0001021A, 0x00010201),
    *(0x00010202, 0x00010203, 0x00010206, 0x00010208, 0x00010209, 0x00020101, 0x00020102, 0x00020103, 0x00020106),
    *(0x01010101, 0x01010102, 0x01010103, 0x01010104, 0xFC01020C, 0xFD010100, 0xFD010102, 0xFD010103, 0xFF000001),
)
"""OIDs that NDIS and its protocols ask many miniports (…/drivers/network/general-oids and its neighbours)."""

LENGTHS: Final = (0, 1, 2, 3, 4, 4, 4, 6, 8, 8, 12, 16, 20, 64, 152, 256, 1024, 4096)

_RESOURCES: Final = tuple(Fault)
_STARTING: Final = (Load, Initialize)
_MOST_LOADS: Final = 6


def _die(operation: Operation, purpose: str) -> int:
    """Return a number that only the operation's name decides."""
    return zlib.crc32(f"{purpose} {operation.name}".encode())


def demand_of(operation: Operation, order: str) -> Demand:
    """Say how the stack does an operation.

    In the strict order the bindings give back what they received before the miniport is paused, so they keep nothing
    for long (…/drivers/network/pausing-a-binding).
    """
    die = _die(operation, "demand")
    demand = Demand.NONE
    if isinstance(operation, Send | CancelSend) and die & 1:
        demand |= Demand.AT_DISPATCH
    if isinstance(operation, Send):
        demand |= Demand.HOLD if die & 2 else Demand.NONE
        demand |= Demand.KEEP if die & 16 and order == "raw" else Demand.NONE
    if isinstance(operation, Oid):
        demand |= Demand.CANCEL if die & 2 else Demand.NONE
        demand |= Demand.SYNCHRONOUS if operation.direct and die & 4 else Demand.NONE
        demand |= Demand.AT_DISPATCH if die & 1 else Demand.NONE
    return demand


def fault_of(operation: Operation) -> tuple[Fault, int] | None:
    """Say what fails during an operation, and how often it succeeds before; most often nothing does."""
    die = _die(operation, "fault")
    if die % (4 if isinstance(operation, _STARTING) else 12):
        return None
    return _RESOURCES[(die >> 8) % len(_RESOURCES)], (die >> 16) % (6 if isinstance(operation, _STARTING) else 2)


def time_after(operation: Operation) -> float | None:
    """Say how many seconds pass after an operation at least, until nothing is owed; None: no time passes."""
    die = _die(operation, "time")
    if die & 1 or (isinstance(operation, Send) and die & 2):
        return None
    return float(die >> 8 & 7) if die & 12 == 0 else 0.0


class _Namer(Namer):
    """Counts from a number that is the walk's own, so that the names of two walks decide differently."""

    def __init__(self, start: int) -> None:
        super().__init__()
        self._start = start

    def name(self, verb: str) -> str:
        first = base(verb)
        self._counts[first] += 1
        return f"{first}.{self._start + self._counts[first]}"


class RulesWalk(Walk):
    """Draws the operations; ``observe`` is told what each caused, ``oids_of`` which OIDs an adapter says it knows."""

    def __init__(self, random: Random, ledger: Ledger, oids_of: Callable[[str], Sequence[int]]) -> None:
        super().__init__(random, ledger)
        self.namer = _Namer(random.randrange(2, 100_000))
        self.oids_of = oids_of
        self.without_device: set[str] = set()

    def observe(self, operation: Operation, events: Sequence[Event]) -> None:
        """Take note of adapters that have no device: nobody opens them a second time."""
        for event in events:
            if isinstance(event, IrpCompleted) and isinstance(operation, Create) and event.status == NO_SUCH_NAME:
                self.without_device.add(operation.adapter)

    def next_or_none(self) -> Operation | None:
        """Draw the next operation; None where a driver that cannot be loaded leaves nothing to be done."""
        if len(self.ledger.drivers) >= _MOST_LOADS and not self.ledger.adapters:
            return None
        return self.next()

    def _recover(self) -> Operation:
        """Go on without a device, too: with whatever can be done to an adapter."""
        for verb in ("restart", "initialize", "load", "set-power", "oid", "halt", "unload"):
            operation = self._sensible(verb)
            if operation is not None:
                return operation
        return super()._recover()

    def _draw_create(self, careless: bool) -> Operation | None:
        operation = super()._draw_create(careless)
        return None if isinstance(operation, Create) and operation.adapter in self.without_device else operation

    def _draw_oid(self, adapter: str) -> Operation:
        random = self.random
        own = self.oids_of(adapter)
        die = random.random()
        if die < 0.6 and own:
            oid = random.choice(own)
        elif die < 0.95:
            oid = random.choice(COMMON_OIDS)
        else:
            oid = random.randrange(1 << 32)
        kind = random.choice(
            (OidKind.QUERY, OidKind.QUERY, OidKind.STATISTICS, OidKind.SET, OidKind.SET, OidKind.METHOD)
        )
        length = random.choice(LENGTHS)
        data = random.randbytes(random.choice((0, 4, length))) if kind is not OidKind.QUERY else b""
        return Oid(
            adapter=adapter, kind=kind, oid=oid, length=length, data=data[:length], direct=random.random() < 0.08
        )
