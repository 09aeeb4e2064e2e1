"""What a check has visited: operations in states, statuses, OIDs, shapes of NBLs; and what it has not.

A verdict is worth what was looked at, so the report says it. Everything is a count by name, and counts of several runs
are added up.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from wintun_sim import ndis
from wintun_sim.bundle import MAX_PACKET_SIZE as LARGEST
from wintun_sim.lifecycle import TABLE, Ledger, Order, State, Trigger
from wintun_sim.operations import (
    Event,
    IrpCompleted,
    LinkChanged,
    Nbl,
    NblCompleted,
    Oid,
    OidCompleted,
    Operation,
    Refused,
    Returned,
    Send,
    SetPower,
)
from wintun_sim.operations.outcome import Places

TOPICS: Final = ("operations", "statuses", "oids", "nbls", "depths")

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

    def _note_event(self, operation: Operation, event: Event) -> None:
        match event:
            case Returned(status=status):
                self.counts["statuses"][f"{operation.verb}: {ndis.name_of(status)}"] += 1
            case OidCompleted(status=status):
                self.counts["statuses"][f"{operation.verb}: {ndis.name_of(status)}"] += 1
                if isinstance(operation, Oid):
                    name = f"{operation.kind.value} {ndis.name_of_oid(operation.oid)}" + " direct" * operation.direct
                    self.counts["oids"][f"{name}: {ndis.name_of(status)}"] += 1
                elif isinstance(operation, SetPower) and operation.state > 4:
                    self.counts["oids"]["set-power beyond D3"] += 1
            case IrpCompleted(status=status, information=information):
                some = " with data" if information else ""
                self.counts["statuses"][f"irp: {ndis.name_of(status)}{some}"] += 1
            case NblCompleted(status=status, again=again):
                self.counts["statuses"][f"nbl: {ndis.name_of(status)}" + " and sent again" * again] += 1
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

    def to_json(self) -> dict[str, dict[str, int]]:
        """Return all counts, names in alphabetical order."""
        return {topic: dict(sorted(counts.items())) for topic, counts in self.counts.items()}


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
