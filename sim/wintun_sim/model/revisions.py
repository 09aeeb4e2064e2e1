"""The revisions of the adapter, and all that sets them apart.

``CURRENT`` is the text of this package. ``UPSTREAM`` is the published driver at commit 1369525 of April 2019: CURRENT
with every repair taken back. ``BEFORE`` is that commit's parent: UPSTREAM with the pause that cut clients off. Any
other selection of repairs is a revision too (``taken_back``): what a repair is good for one sees only without it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from wintun_sim.errors import UsageError
from wintun_sim.model import repairs
from wintun_sim.model.adapter import CURRENT, Adapter


@dataclass(frozen=True, slots=True)
class Repair:
    """One repair: what was, what is, the class that takes it back, and the rules that are broken without it.

    ``taken_back`` is None where no sequence of calls can show the repair. ``rules`` are broken in a way that
    ``message``, a regular expression, describes; ``halted`` are rules that are broken without the repair once NDIS has
    halted an adapter which ignored that.
    """

    name: str
    upstream: str
    current: str
    taken_back: type[Adapter] | None = None
    rules: tuple[str, ...] = ()
    halted: tuple[str, ...] = ()
    message: str = ""

    def breaks(self, rule: str, message: str) -> bool:
        """Tell whether a rule that was broken, and how the host says it, is what the lack of this repair comes to."""
        return rule in self.rules and re.search(self.message, message) is not None


_ROWS: Final = (
    Repair(
        "send-status",
        "success is never written into a delivered NBL; an NBL without NET_BUFFERs keeps its status; of several"
        " failures the last one stays",
        "NDIS_STATUS_SUCCESS is written; a flush, cancel or overflow decides, else the first failure",
        repairs.SendStatus,
        ("NblStatus",),
    ),
    Repair(
        "zero-padding",
        "a record's reserved header bytes and padding keep what was in the client's memory",
        "they are zero",
        repairs.ZeroPadding,
    ),
    Repair(
        "packet-limit",
        "256 packets are documented and not enforced; a write indicates all its packets at once",
        "a read stops at 256 packets; a write of more is received whole, in indications of at most 256",
        repairs.PacketLimit,
    ),
    Repair(
        "read-check",
        "a read's buffer is checked when a packet arrives for it",
        "it is checked and mapped when the read arrives",
        repairs.ReadCheck,
    ),
    Repair(
        "copy-failure",
        "a half-filled read goes back to its queue, where its packets can be lost",
        "the NET_BUFFER that failed is dropped and the same read goes on; only an empty one goes back",
        repairs.CopyFailure,
    ),
    Repair(
        "overflow-count",
        "an NBL that is being copied counts against the limit of the send queue",
        "only queued ones count",
        repairs.OverflowCount,
    ),
    Repair(
        "overflow-order",
        "a chain is queued whole, dropping the oldest, before waiting reads are served; no statistic changes",
        "waiting reads are served before anything is dropped; ifOutDiscards counts the NET_BUFFERs",
        repairs.OverflowOrder,
    ),
    Repair(
        "cancel-send",
        "cancelling a half-read NBL leaves the queue's cursor in it (undefined from there on)",
        "the cursor moves on; the rest of that NBL is not delivered",
        repairs.CancelSend,
    ),
    Repair(
        "link-duplicates",
        "every create and close indicates the link state",
        "only changes are indicated, in order, none left out",
        repairs.LinkDuplicates,
        ("LinkStateDuplicate",),
    ),
    Repair(
        "stale-packets",
        "the send queue survives the last close; sends without a handle are queued",
        "the last close empties the queue, and a send without a handle is refused (NDIS_STATUS_MEDIA_DISCONNECTED)",
        repairs.StalePackets,
    ),
    Repair(
        "low-power",
        "D1 to D3 leave the queue alone; any value is accepted",
        "D1 to D3 give queued NBLs back and wait for what is under way; other values are NDIS_STATUS_INVALID_DATA",
        repairs.LowPower,
    ),
    Repair(
        "shutdown",
        "a shutdown overwrites any state and gives nothing back; a pause under way then never ends, a later one fails",
        "a shutdown gives queued NBLs back; a pause under way ends, and none ever fails",
        repairs.Shutdown,
    ),
    Repair(
        "late-read",
        "a read that comes after its file object's cleanup stays pending",
        "it completes with STATUS_CANCELLED",
        repairs.LateRead,
    ),
    Repair(
        "version",
        "the driver registers for NDIS 6.30 at most",
        "for the highest of 6.20, 6.30 and 6.80 that the host offers",
        repairs.Version,
    ),
    Repair(
        "locked-completion",
        "NBLs, and reads with bad buffers, are completed under the queue's lock",
        "nothing that can come back into the driver is called with a lock held",
        repairs.LockedCompletion,
        rules=("CompletionUnderLock", "SpinLockSafe"),
    ),
    Repair(
        "one-pump",
        "several calls may serve reads at once and reorder packets",
        "one at a time serves, and the others leave it their work",
        repairs.OnePump,
    ),
    Repair(
        "double-fetch",
        "a packet's size is loaded several times from memory that the client can change",
        "it is loaded once",
        rules=("DoubleFetch",),
    ),
    Repair(
        "bounds",
        "up to 3 bytes are read past a write buffer whose length is no multiple of 4; a failed mapping is not noticed",
        "nothing is read past the end; STATUS_INSUFFICIENT_RESOURCES",
        rules=("DRIVER_PAGE_FAULT_BEYOND_END_OF_ALLOCATION",),
        message=r"^in IRP_MJ_WRITE: .* reads 4 bytes, \d+ bytes into a client's buffer",
    ),
    Repair(
        "halt-rundown",
        "halt drains, unpublishes and frees without waiting, and does nothing unless Paused",
        "halt releases everything in every state, and waits for requests that are inside",
        repairs.HaltRundown,
        halted=(
            *("LeakAtHalt", "LeakAtUnload", "DeleteDevice", "NblOwnership", "NdisAllocateNetBuffer"),
            *("NdisMIndicateStatusEx", "BUGCODE_NDIS_DRIVER"),
        ),
    ),
)

REPAIRS: Final[Mapping[str, Repair]] = MappingProxyType({row.name: row for row in _ROWS})
"""Every repair by name."""


class Upstream(
    repairs.HaltRundown,
    repairs.OnePump,
    repairs.LockedCompletion,
    repairs.Version,
    repairs.LateRead,
    repairs.Shutdown,
    repairs.LowPower,
    repairs.StalePackets,
    repairs.LinkDuplicates,
    repairs.CancelSend,
    repairs.OverflowOrder,
    repairs.OverflowCount,
    repairs.CopyFailure,
    repairs.ReadCheck,
    repairs.PacketLimit,
    repairs.ZeroPadding,
    repairs.SendStatus,
):
    """The published driver at commit 1369525: no repair at all."""


class Before(repairs.OldPause, Upstream):
    """That commit's parent: a pause cuts the client off."""


UPSTREAM: Final = Upstream
BEFORE: Final = Before

REVISIONS: Final[Mapping[str, type[Adapter]]] = MappingProxyType(
    {"CURRENT": CURRENT, "UPSTREAM": UPSTREAM, "BEFORE": BEFORE}
)
"""The revisions that have names."""


def taken_back(*names: str) -> type[Adapter]:
    """Return CURRENT without the repairs of these names. Raises ``UsageError`` for a name that no repair has.

    One that no sequence of calls can show changes nothing here; but a driver without it is excused the rules that it
    breaks.
    """
    classes: list[type[Adapter]] = []
    for name in names:
        if name not in REPAIRS:
            raise UsageError(f"revision -{name}: there is no such repair; there are {', '.join(REPAIRS)}")
        repair = REPAIRS[name].taken_back
        if repair is not None:
            classes.append(repair)
    return type("Without", (*dict.fromkeys(reversed(classes)), Adapter), {"__doc__": f"Without {', '.join(names)}."})


def revision(name: str) -> type[Adapter]:
    """Return the revision of that name: one of ``REVISIONS``, or repairs taken back as in ``-late-read,-shutdown``.

    Raises ``UsageError`` for any other name.
    """
    if name in REVISIONS:
        return REVISIONS[name]
    parts = name.split(",")
    if all(part.startswith("-") for part in parts):
        return taken_back(*(part[1:] for part in parts))
    raise UsageError(
        f"revision {name}: there is none; those with names are {', '.join(REVISIONS)}, and -NAME[,-NAME] takes repairs"
        " back one by one"
    )


def turned(name: str, repair: str) -> type[Adapter]:
    """Return the revision of that name with one repair the other way round: taken back, or made.

    Raises ``UsageError`` as ``revision`` does.
    """
    missing = [row.name for row in missing_repairs(name)]
    others = [row for row in missing if row != repair]
    found = taken_back(*(others if repair in missing else [*missing, repair]))
    return type("Turned", (repairs.OldPause, found), {"__doc__": found.__doc__}) if name == "BEFORE" else found


def missing_repairs(name: str) -> tuple[Repair, ...]:
    """Return the repairs that the revision of that name lacks. Raises ``UsageError`` as ``revision`` does."""
    revision(name)
    if name in REVISIONS:
        return () if name == "CURRENT" else _ROWS
    return tuple(REPAIRS[part[1:]] for part in name.split(","))
