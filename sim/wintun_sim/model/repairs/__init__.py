"""What CURRENT repairs, taken back one by one: each class is the adapter with one of its repairs missing.

A class here says how the published driver of April 2019 behaved, and why that had to change. It overrides the steps
concerned and nothing else, so any of them can be combined (:mod:`wintun_sim.model.revisions`). Two repairs that no
sequence of calls can show have no class: sizes that were loaded twice from memory that the client can change, and reads
beyond a buffer's end.

``reading``, ``sending`` and ``states`` have the repairs, by what they are about; ``old_pause`` is no repair of ours but
what the commit before was about; ``undefined`` says where nobody can foretell what the published driver does.
"""

from wintun_sim.model.repairs.old_pause import OldPause
from wintun_sim.model.repairs.reading import CopyFailure, LateRead, OnePump, PacketLimit, ReadCheck, ZeroPadding
from wintun_sim.model.repairs.sending import (
    CancelSend,
    LockedCompletion,
    OverflowCount,
    OverflowOrder,
    SendStatus,
    StalePackets,
)
from wintun_sim.model.repairs.states import HaltRundown, LinkDuplicates, LowPower, Shutdown, Version
from wintun_sim.model.repairs.undefined import PLACES, UndefinedUpstream

__all__ = [
    "PLACES",
    "CancelSend",
    "CopyFailure",
    "HaltRundown",
    "LateRead",
    "LinkDuplicates",
    "LockedCompletion",
    "LowPower",
    "OldPause",
    "OnePump",
    "OverflowCount",
    "OverflowOrder",
    "PacketLimit",
    "ReadCheck",
    "SendStatus",
    "Shutdown",
    "StalePackets",
    "UndefinedUpstream",
    "Version",
    "ZeroPadding",
]
