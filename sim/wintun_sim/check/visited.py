"""What a check has visited: operations in states, statuses, OIDs, shapes of NBLs; and what it has not.

A verdict is worth what was looked at, so the report says it. Everything is a count by name, and counts of several runs
are added up.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Final

from wintun_sim import ndis
from wintun_sim.bundle import MAX_PACKET_SIZE as LARGEST
from wintun_sim.lifecycle import TABLE, Call, Ledger, Order, State, Trigger, may_overlap
from wintun_sim.operations import (
    Event,
    IrpCompleted,
    LinkChanged,
    Nbl,
    NblCompleted,
    Oid,
    OidCompleted,
    OidKind,
    Operation,
    PacketReceived,
    PauseCompleted,
    Refused,
    Returned,
    Send,
    SetPower,
)
from wintun_sim.operations.outcome import Places

TOPICS: Final = ("operations", "transitions", "statuses", "oids", "lengths", "nbls", "depths")

_REQUESTS: Final = ("create", "cleanup", "close", "read", "write")
_STATES: Final = (State.PAUSED, State.RUNNING, State.SHUTDOWN, State.HALTED)
"""States in which an adapter can be at rest between two operations; it passes through the others."""

_TRIGGERS: Final[Mapping[str, Trigger]] = {
    "restart": Trigger.RESTART,
    "pause": Trigger.PAUSE,
    "halt": Trigger.HALT,
    "shutdown": Trigger.SHUTDOWN,
    "surprise-remove": Trigger.SURPRISE_REMOVE,
    "send": Trigger.SEND,
    "cancel-send": Trigger.CANCEL_SEND,
    "oid": Trigger.OID,
    "set-power": Trigger.SET_POWER,
}


_ENDS: Final[Mapping[str, tuple[Trigger, State]]] = {
    "initialize": (Trigger.INITIALIZE_COMPLETE, State.INITIALIZING),
    "restart": (Trigger.RESTART_COMPLETE, State.RESTARTING),
    "pause": (Trigger.PAUSE_COMPLETE, State.PAUSING),
}
"""What the end of a call does, and in which state it comes."""

_NEVER: Final = (Trigger.INITIALIZE_FAILED, Trigger.RESTART_FAILED)
"""Ends that this adapter does not come to unless memory is short, which no operation can say."""

_CALLS: Final[Mapping[Trigger, Call]] = {
    Trigger.SHUTDOWN: Call.SHUTDOWN,
    Trigger.SEND: Call.SEND,
    Trigger.CANCEL_SEND: Call.CANCEL_SEND,
    Trigger.OID: Call.OID,
    Trigger.SURPRISE_REMOVE: Call.SURPRISE_REMOVE,
    Trigger.REQUEST: Call.REQUEST,
}
_UNDER_WAY: Final[Mapping[State, Call]] = {
    State.INITIALIZING: Call.INITIALIZE,
    State.RESTARTING: Call.PAUSE_RESTART,
    State.PAUSING: Call.PAUSE_RESTART,
}
"""In these states an adapter is while such a call is under way, and no longer."""

_LENGTHS: Final[Mapping[int, int]] = {
    ndis.OID_GEN_VENDOR_DESCRIPTION: 14,
    ndis.OID_GEN_STATISTICS: 152,
    ndis.OID_GEN_INTERRUPT_MODERATION: 12,
    ndis.OID_GEN_XMIT_OK: 8,
    ndis.OID_GEN_RCV_OK: 8,
}
"""Bytes that the answer to an OID takes; 4 where nothing is said."""

_NBL_STATUSES: Final = (
    ndis.NDIS_STATUS_SUCCESS,
    ndis.NDIS_STATUS_RESOURCES,
    ndis.NDIS_STATUS_INVALID_LENGTH,
    ndis.NDIS_STATUS_SEND_ABORTED,
    ndis.NDIS_STATUS_MEDIA_DISCONNECTED,
    ndis.NDIS_STATUS_PAUSED,
    ndis.NDIS_STATUS_LOW_POWER_STATE,
)
_IRP_STATUSES: Final = (
    ndis.STATUS_SUCCESS,
    ndis.STATUS_CANCELLED,
    ndis.STATUS_INVALID_HANDLE,
    ndis.STATUS_INVALID_PARAMETER,
    ndis.STATUS_INVALID_USER_BUFFER,
    ndis.STATUS_ACCESS_DENIED,
    ndis.STATUS_NDIS_PAUSED,
    ndis.STATUS_NDIS_LOW_POWER_STATE,
    ndis.STATUS_INSUFFICIENT_RESOURCES,
)
_OID_STATUSES: Final = (
    ndis.NDIS_STATUS_SUCCESS,
    ndis.NDIS_STATUS_INVALID_LENGTH,
    ndis.NDIS_STATUS_INVALID_DATA,
    ndis.NDIS_STATUS_INVALID_OID,
    ndis.NDIS_STATUS_NOT_SUPPORTED,
)
_NEEDS: Final[Mapping[str, tuple[str, ...]]] = {
    "send-status": ("nbl: STATUS_SUCCESS", "nbl: STATUS_SUCCESS and sent again"),
    "stale-packets": (
        "nbl: STATUS_NDIS_MEDIA_DISCONNECTED",
        "nbl: STATUS_NDIS_MEDIA_DISCONNECTED and sent again",
    ),
    "locked-completion": ("nbl: STATUS_NDIS_REQUEST_ABORTED and sent again",),
}
"""By repair, the statuses that no driver without it gives."""

_SHAPES: Final = (
    *("0 NET_BUFFERs", "1 NET_BUFFERs", "2+ NET_BUFFERs", "in several MDLs", "with an offset", "unmapped"),
    *("with a cancel id", "empty packet", "largest packet", "over-long packet", "to be sent again"),
)


class Visited:
    """Counts, by topic and name."""

    def __init__(self) -> None:
        self.counts: dict[str, Counter[str]] = {topic: Counter() for topic in TOPICS}

    def note(self, operation: Operation, events: Sequence[Event], ledger: Ledger, places: Places) -> None:
        """Count one operation, which the ledger does not know yet, and what it caused."""
        adapter = ledger.adapters.get(places.adapters.get(operation.name, ""))
        state = "-" if adapter is None else adapter.state.value
        refused = len(events) == 1 and isinstance(events[0], Refused)
        self.counts["operations"][f"{operation.verb} in {state}" + " refused" * refused] += 1
        self._note_transitions(operation, events, None if adapter is None else adapter.state, refused)
        if isinstance(operation, Send):
            plain = 0
            for nbl in operation.nbls:
                if len(nbl.packets) == 1 and nbl == Nbl(nbl.packets) and 0 < len(nbl.packets[0]) < LARGEST:
                    plain += 1
                else:
                    self.counts["nbls"].update(_shape(nbl))
            self.counts["nbls"]["1 NET_BUFFERs"] += plain
            self.counts["nbls"]["to be sent again"] += len(operation.nbls) * operation.again
        if adapter is not None:
            self._note_depth("NBLs held", adapter.nbls)
            self._note_depth("handles", adapter.handles)
        self._note_depth("reads pending", sum(ledger.reads.values()))
        for event in events:
            self._note_event(operation, event)

    def _note_transitions(
        self, operation: Operation, events: Sequence[Event], state: State | None, refused: bool
    ) -> None:
        """Count the cells of the transition table that an operation goes through."""
        if refused:
            return
        counts = self.counts["transitions"]
        trigger = Trigger.INITIALIZE if operation.verb == "initialize" else _TRIGGERS.get(operation.verb)
        if isinstance(operation, Oid) and operation.oid == ndis.OID_PNP_SET_POWER and operation.kind is OidKind.SET:
            trigger = Trigger.OID if operation.direct else Trigger.SET_POWER
        if trigger is not None:
            counts[name_of_cell(trigger, state or State.HALTED)] += 1
        elif operation.verb in _REQUESTS and state is not None:
            counts[name_of_cell(Trigger.REQUEST, state)] += 1
        for event in events:
            if operation.verb in _ENDS and (
                isinstance(event, PauseCompleted) or (isinstance(event, Returned) and event.status == 0)
            ):
                counts[name_of_cell(*_ENDS[operation.verb])] += 1
            elif isinstance(event, PacketReceived) and state is not None:
                counts[name_of_cell(Trigger.RECEIVE, state)] += 1

    def _note_event(self, operation: Operation, event: Event) -> None:
        match event:
            case Returned(status=status):
                self.counts["statuses"][f"{operation.verb}: {ndis.name_of(status)}"] += 1
            case OidCompleted(status=status):
                self.counts["statuses"][f"{operation.verb}: {ndis.name_of(status)}"] += 1
                if isinstance(operation, Oid):
                    name = f"{operation.kind.value} {ndis.name_of_oid(operation.oid)}" + " direct" * operation.direct
                    self.counts["oids"][f"{name}: {ndis.name_of(status)}"] += 1
                    if not operation.direct:
                        self.counts["lengths"][_length(operation.kind, operation.oid, operation.length)] += 1
                elif isinstance(operation, SetPower) and operation.state > 4:
                    self.counts["oids"]["set-power beyond D3"] += 1
            case IrpCompleted(status=status, information=information):
                self.counts["statuses"][_irp_status(status, information > 0)] += 1
            case NblCompleted(status=status, again=again):
                self.counts["statuses"][_nbl_status(status, again)] += 1
            case LinkChanged(connected=connected):
                self.counts["statuses"]["link: up" if connected else "link: down"] += 1

    def _note_depth(self, what: str, depth: int) -> None:
        for bound in (1, 10, 100, 999, 1000):
            if depth >= bound:
                self.counts["depths"][f"{what} >= {bound}"] += 1

    def add(self, other: Visited) -> None:
        """Add the counts of another run."""
        for topic, counts in other.counts.items():
            self.counts[topic].update(counts)

    def missing(self) -> list[str]:
        """Name the operations that Windows may do in a state and that were not done in it, in either order."""
        wanted = [
            f"{verb} in {state.value}"
            for verb, trigger in _TRIGGERS.items()
            for state in _STATES
            if TABLE[trigger][state].allows(Order.RAW)
        ]
        wanted += [f"{verb} in {state.value}" for verb in _REQUESTS for state in _STATES]
        return [name for name in wanted if name not in self.counts["operations"]]

    def not_visited(self, met: Set[tuple[str, str]] = frozenset(), lacking: Iterable[str] = ()) -> dict[str, list[str]]:
        """Name everything that could have been met and was not, by topic.

        ``met`` names, by topic too, what was met by exploring: some transitions come only while another call is under
        way, and some statuses only when memory is short. ``lacking`` are the repairs that the driver is to be without.
        """
        never = {name for repair in lacking for name in _NEEDS.get(repair, ())}
        wanted: dict[str, list[str]] = {
            "transitions": [
                name_of_cell(trigger, state)
                for trigger, row in TABLE.items()
                for state, cell in row.items()
                if cell.next is not None and trigger not in _NEVER and _may_come(trigger, state)
            ],
            "statuses": [
                *(
                    f"nbl: {ndis.name_of(status)}{again}"
                    for status in _NBL_STATUSES
                    for again in ("", " and sent again")
                ),
                *(f"irp: {ndis.name_of(status)}" for status in _IRP_STATUSES),
                *(f"oid: {ndis.name_of(status)}" for status in _OID_STATUSES),
                *("irp: STATUS_SUCCESS with data", "link: up", "link: down"),
            ],
            "lengths": [
                f"{kind.value} {row.name}: {how}"
                for row in ndis.OIDS
                for kind in (OidKind.QUERY, OidKind.SET)
                for how in ("shorter", "exact", "longer")
            ],
            "nbls": list(_SHAPES),
        }
        left = {
            topic: [
                name
                for name in names
                if not self.counts[topic][name] and (topic, name) not in met and name not in never
            ]
            for topic, names in wanted.items()
        }
        return {"operations": self.missing(), **left}

    def to_json(self) -> dict[str, dict[str, int]]:
        """Return all counts, names in alphabetical order."""
        return {topic: dict(sorted(counts.items())) for topic, counts in self.counts.items()}


def _may_come(trigger: Trigger, state: State) -> bool:
    """Tell whether what is under way in a state lets the trigger come at all."""
    call, running = _CALLS.get(trigger), _UNDER_WAY.get(state)
    return call is None or running is None or any(may_overlap(order, running, call) for order in Order)


def statuses_in(runs: Iterable[Sequence[Event]]) -> set[str]:
    """Name the statuses of requests and of NBLs that come up in runs; each is named once, since there are many runs."""
    irps: set[tuple[int, bool]] = set()
    nbls: set[tuple[int, bool]] = set()
    for events in runs:
        for event in events:
            if isinstance(event, IrpCompleted):
                irps.add((event.status, event.information > 0))
            elif isinstance(event, NblCompleted):
                nbls.add((event.status, event.again))
    return {_irp_status(*each) for each in irps} | {_nbl_status(*each) for each in nbls}


def _irp_status(status: int, has_data: bool) -> str:
    return f"irp: {ndis.name_of(status)}" + " with data" * has_data


def _nbl_status(status: int, again: bool) -> str:
    return f"nbl: {ndis.name_of(status)}" + " and sent again" * again


def name_of_cell(trigger: Trigger, state: State) -> str:
    """Return what a cell of the transition table is called."""
    return f"{trigger.value} in {state.value}"


def _length(kind: OidKind, oid: int, length: int) -> str:
    right = _LENGTHS.get(oid, 4) if kind is not OidKind.SET else 4
    how = "exact" if length == right else "shorter" if length < right else "longer"
    return f"{kind.value} {ndis.name_of_oid(oid)}: {how}"


def _shape(nbl: Nbl) -> list[str]:
    shape = [f"{min(len(nbl.packets), 2)}{'+' if len(nbl.packets) > 1 else ''} NET_BUFFERs"]
    shape += ["in several MDLs"] * any(0 < nbl.mdl_size < len(packet) for packet in nbl.packets)
    shape += ["with an offset"] * bool(nbl.data_offset)
    shape += ["unmapped"] * bool(nbl.unmapped)
    shape += ["with a cancel id"] * bool(nbl.cancel_id)
    shape += ["empty packet"] * any(not packet for packet in nbl.packets)
    shape += ["largest packet"] * any(len(packet) == LARGEST for packet in nbl.packets)
    shape += ["over-long packet"] * any(len(packet) > LARGEST for packet in nbl.packets)
    return shape
