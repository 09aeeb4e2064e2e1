"""The outcome of a run: what must agree between machines, with the order that need not agree forgotten.

Per adapter there are five sequences, each entry with the operation that it belongs to: completions of IRPs (one
sequence for each handle), completions of NBLs, packets received, link states, and returns of NDIS handlers with the
results of OIDs. How the entries of different sequences interleave is forgotten. A pause that returned
NDIS_STATUS_PENDING and was completed later is one that returned NDIS_STATUS_SUCCESS
(learn.microsoft.com/windows-hardware/drivers/ddi/ndis/nc-ndis-miniport_pause allows both). Loads and unloads belong to
no adapter; their returns stand under the driver's name. What the host refused is kept beside, without its words.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Final

from wintun_sim.ndis import STATUS_PENDING, STATUS_SUCCESS
from wintun_sim.operations.event import (
    Event,
    IrpCompleted,
    LinkChanged,
    NblCompleted,
    PacketReceived,
    PauseCompleted,
    Refused,
    Returned,
    RuleBroken,
)
from wintun_sim.operations.machine import Counters
from wintun_sim.operations.operation import (
    AdapterOperation,
    Cancel,
    HandleOperation,
    Initialize,
    Load,
    Operation,
    Unload,
)

SEQUENCES: Final = ("irps", "nbls", "packets", "links", "returns", "refused")
"""The names of the sequences that an outcome has for each adapter."""


@dataclass(slots=True)
class AdapterOutcome:
    """The sequences of one adapter: ``irps``, those of the handle that is the key, ``nbls``, ``packets``, ``links``,
    ``returns`` of handlers, and the names of operations that were ``refused``.
    """

    irps: dict[str, list[Event]] = field(default_factory=dict)
    nbls: list[Event] = field(default_factory=list)
    packets: list[Event] = field(default_factory=list)
    links: list[Event] = field(default_factory=list)
    returns: list[Event] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


Outcome = dict[str, AdapterOutcome]
"""What must agree between machines, by the name of the adapter, or of the driver."""


class Places:
    """Where operations belong: the adapter of each, and the handle of each request."""

    def __init__(self, operations: Iterable[Operation] = ()) -> None:
        self.adapters: dict[str, str] = {}
        self.handles: dict[str, str] = {}
        for operation in operations:
            self.add(operation)

    def add(self, operation: Operation) -> None:
        """Learn one operation. Those it refers to must have been added before; else it belongs to no adapter."""
        match operation:
            case Initialize(name=name) | Load(name=name):
                adapter = name
            case Unload(driver=driver):
                adapter = driver
            case AdapterOperation(adapter=adapter):
                pass
            case HandleOperation(handle=handle):
                adapter = self.adapters.get(handle, "")
            case Cancel(request=request):
                adapter = self.adapters.get(request, "")
            case _:
                raise TypeError(f"{type(operation).__name__} belongs nowhere")
        self.adapters[operation.name] = adapter
        if operation.verb == "create":
            self.handles[operation.name] = operation.name
        elif isinstance(operation, HandleOperation):
            self.handles[operation.name] = operation.handle

    def adapter_of(self, event: Event) -> str:
        """Name the adapter (or the driver) that an event belongs to."""
        if isinstance(event, LinkChanged):
            return event.adapter
        return self.adapters.get(getattr(event, "operation", ""), "")


def outcome_of(events: Iterable[Event], places: Places) -> Outcome:
    """Sort the events of a run, or of a part of one that begins and ends at rest, into sequences.

    Broken rules are no part of an outcome.
    """
    outcome: Outcome = {}
    for event in events:
        if isinstance(event, RuleBroken):
            continue
        adapter = outcome.setdefault(places.adapter_of(event), AdapterOutcome())
        match event:
            case IrpCompleted(handle=handle):
                adapter.irps.setdefault(handle, []).append(event)
            case NblCompleted():
                adapter.nbls.append(event)
            case PacketReceived():
                adapter.packets.append(event)
            case LinkChanged():
                adapter.links.append(event)
            case PauseCompleted(operation):
                adapter.returns.append(Returned(operation, STATUS_SUCCESS))
            case Refused(operation):
                adapter.refused.append(operation)
            case _:
                adapter.returns.append(event)
    for adapter in outcome.values():
        _forget_pending(adapter.returns)
    return outcome


def _forget_pending(returns: list[Event]) -> None:
    """Drop the first half of a pause that was completed later."""
    done = {event.operation for event in returns if isinstance(event, Returned) and event.status != STATUS_PENDING}
    returns[:] = [
        event
        for event in returns
        if not (isinstance(event, Returned) and event.status == STATUS_PENDING and event.operation in done)
    ]


# An outcome to be kept in sets


Place = tuple[str, str, str]
"""Where an entry stands: its adapter (or driver), the sequence, and the handle where that is "irps".

The sequence is one of ``SEQUENCES``, or "pending" for ``StillPending`` and "rest" for ``AtRest``.
"""

Sequences = frozenset[tuple[Place, tuple[Event | str, ...]]]
"""An outcome that is hashable: its sequences that are not empty."""


@dataclass(frozen=True, slots=True)
class StillPending(Event):
    """What ``sequences_of`` makes of a pause that returned NDIS_STATUS_PENDING and was not completed until the end."""

    verb: ClassVar[str] = "pending"
    operation: str


@dataclass(frozen=True, slots=True)
class AtRest(Event):
    """What an adapter owned when all actors were done, if it owned anything: no event, but part of an outcome too."""

    verb: ClassVar[str] = "at-rest"
    adapter: str
    counters: Counters


def at_rest(counters: Iterable[tuple[str, Counters]]) -> list[AtRest]:
    """Say what each adapter owns now. Of one that owns nothing nothing is said, be it there or halted."""
    return [AtRest(adapter, counted) for adapter, counted in counters if counted != Counters(0, 0, 0)]


def entry_of(event: Event, places: Places) -> tuple[Place, Event | str] | None:
    """Return what an event adds to an outcome, and where; None for one that is no part of any.

    That a pause is pending is none, since more of it is to come; where that never comes, ``sequences_of`` says so.
    """
    adapter = places.adapter_of(event)
    match event:
        case RuleBroken():
            return None
        case IrpCompleted(handle=handle):
            return (adapter, "irps", handle), event
        case NblCompleted():
            return (adapter, "nbls", ""), event
        case PacketReceived():
            return (adapter, "packets", ""), event
        case LinkChanged():
            return (adapter, "links", ""), event
        case PauseCompleted(operation):
            return (adapter, "returns", ""), Returned(operation, STATUS_SUCCESS)
        case Refused(operation):
            return (adapter, "refused", ""), operation
        case Returned(status=status) if status == STATUS_PENDING:
            return None
        case AtRest(owner):
            return (owner, "rest", ""), event
        case StillPending():
            return (adapter, "pending", ""), event
        case _:
            return (adapter, "returns", ""), event


def sequences_of(events: Iterable[Event], places: Places) -> Sequences:
    """Return the outcome of a whole run in its hashable form."""
    sequences: dict[Place, list[Event | str]] = {}
    events = list(events)
    pending = [event.operation for event in events if isinstance(event, Returned) and event.status == STATUS_PENDING]
    completed = {event.operation for event in events if isinstance(event, PauseCompleted)}
    for event in (*events, *(StillPending(operation) for operation in pending if operation not in completed)):
        entry = entry_of(event, places)
        if entry is not None:
            sequences.setdefault(entry[0], []).append(entry[1])
    return frozenset((place, tuple(entries)) for place, entries in sequences.items())


@dataclass(frozen=True, slots=True)
class Difference:
    """Two outcomes differ at one entry of one sequence; ``None`` stands for an entry that is missing.

    ``left`` and ``right`` are the entries at ``place`` (from 0) in the two.
    ``sequence`` is one of ``SEQUENCES``.
    """

    adapter: str
    sequence: str
    place: int
    left: Event | str | None
    right: Event | str | None


def differences(left: Outcome, right: Outcome) -> Iterator[Difference]:
    """Give the first difference of each sequence that differs, adapters and sequences in a fixed order."""
    for name in sorted(left.keys() | right.keys()):
        ours, theirs = left.get(name, AdapterOutcome()), right.get(name, AdapterOutcome())
        for handle in sorted(ours.irps.keys() | theirs.irps.keys()):
            yield from _first(name, "irps", ours.irps.get(handle, []), theirs.irps.get(handle, []))
        yield from _first(name, "nbls", ours.nbls, theirs.nbls)
        yield from _first(name, "packets", ours.packets, theirs.packets)
        yield from _first(name, "links", ours.links, theirs.links)
        yield from _first(name, "returns", ours.returns, theirs.returns)
        yield from _first(name, "refused", ours.refused, theirs.refused)


Entries = list[Event] | list[str]


def _first(adapter: str, sequence: str, left: Entries, right: Entries) -> Iterator[Difference]:
    if left == right:
        return
    for place in range(max(len(left), len(right))):
        ours = left[place] if place < len(left) else None
        theirs = right[place] if place < len(right) else None
        if ours != theirs:
            yield Difference(adapter, sequence, place, ours, theirs)
            return


# What holds in every order


Delivery = tuple[str, int, bool]
"""An NBL on one of its ways: its send, its index, and whether it is sent again when it comes back."""


def order_broken(events: Iterable[Event], places: Places, deliveries: Mapping[Delivery, str]) -> list[str]:
    """Say where the order of events breaks what every run must keep; empty where it holds.

    A packet is received before its write completes; an NBL completes before the read that carries its last packet; a
    pause or halt ends after the NBLs and requests that it gives back. ``deliveries`` gives, for an NBL all of whose
    packets were delivered, the read that carries the last.
    """
    broken: list[str] = []
    ended: set[str] = set()
    finished: dict[str, str] = {}
    for event in events:
        match event:
            case PacketReceived(operation) if operation in ended:
                broken.append(f"the stack received a packet of {operation} after {operation} had completed")
            case NblCompleted(operation, index, _, again):
                read = deliveries.get((operation, index, again))
                if read in ended:
                    broken.append(f"NBL {operation}.{index} completed after {read}, which carries its last packet")
                broken += _late(finished, places.adapter_of(event), f"NBL {operation}.{index}")
            case IrpCompleted(operation):
                ended.add(operation)
                broken += _late(finished, places.adapter_of(event), f"the request {operation}")
            case Returned(operation, status) if status != STATUS_PENDING:
                finished[places.adapter_of(event)] = operation
            case PauseCompleted(operation):
                finished[places.adapter_of(event)] = operation
    return broken


def _late(finished: Mapping[str, str], adapter: str, what: str) -> list[str]:
    return [f"{what} completed after {finished[adapter]} had ended"] if adapter in finished else []


def deliveries(events: Iterable[Event], packets: Mapping[tuple[str, int], int]) -> dict[Delivery, str]:
    """Say which read carries the last packet of each NBL, from the events of a machine that keeps the order.

    Such a machine completes an NBL right after its last packet was copied, so the next read that completes with data
    carries it. ``packets`` gives the number of NET_BUFFERs of each NBL; one that has none, or failed, is left out.
    """
    waiting: list[Delivery] = []
    found: dict[Delivery, str] = {}
    for event in events:
        match event:
            case NblCompleted(operation, index, status, again) if (
                status == STATUS_SUCCESS and packets[operation, index]
            ):
                waiting.append((operation, index, again))
            case IrpCompleted(operation, data=data) if data:
                found.update(dict.fromkeys(waiting, operation))
                waiting.clear()
    return found


__all__ = [
    "SEQUENCES",
    "AdapterOutcome",
    "Delivery",
    "Difference",
    "Outcome",
    "Places",
    "deliveries",
    "differences",
    "order_broken",
    "outcome_of",
]
