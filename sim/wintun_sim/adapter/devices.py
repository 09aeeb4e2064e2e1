r"""Device paths: how clients name an adapter, and which adapters there are in this process.

Windows knows the device as ``\\.\WINTUN<n>`` or ``\\.\Global\WINTUN<n>``, where n is the index in the adapter's LUID
(learn.microsoft.com/windows-hardware/drivers/ddi/ifdef/ns-ifdef-net_luid_lh), and ``\\?\`` does for ``\\.\``. The
README of 2019 gives ``\\.\Device\WINTUN<n>``, which no client can open; here it opens, with a warning.
"""

from __future__ import annotations

import re
import threading
import warnings
from typing import TYPE_CHECKING, Final
from weakref import WeakValueDictionary

from wintun_sim import ndis
from wintun_sim.adapter.errors import ClientWarning, NtStatusError

if TYPE_CHECKING:
    from wintun_sim.adapter.adapter import Adapter

MAX_INDEX: Final = (1 << 24) - 1

_PATH: Final = re.compile(
    r"\\\\[.?]\\(?:(?P<place>GLOBAL|DEVICE)\\)?WINTUN(?P<index>0|[1-9][0-9]{0,7})", re.IGNORECASE | re.ASCII
)

_adapters: WeakValueDictionary[int, Adapter] = WeakValueDictionary()
_lock: Final = threading.Lock()


def register(adapter: Adapter, index: int | None) -> int:
    """Enter an adapter under ``index``, or under the lowest one that is free, and return it.

    Raises ``ValueError`` for an index that is taken, or outside of 0…2²⁴−1.
    """
    with _lock:
        if index is None:
            index = next(number for number in range(MAX_INDEX + 1) if number not in _adapters)
        if not 0 <= index <= MAX_INDEX:
            raise ValueError(f"adapter: an index is 0 to {MAX_INDEX}, not {index}")
        if index in _adapters:
            raise ValueError(f"adapter: there is a WINTUN{index} already; close it first, or take another index")
        _adapters[index] = adapter
        return index


def remove(index: int, adapter: Adapter) -> None:
    """Forget an adapter."""
    with _lock:
        if _adapters.get(index) is adapter:
            del _adapters[index]


def find(path: str, stacklevel: int) -> Adapter:
    """Return the adapter that ``path`` names; warn about a path that Windows does not know, ``stacklevel`` calls up.

    Raises ``NtStatusError`` when there is none.
    """
    match = _PATH.fullmatch(path)
    if match is not None and (match["place"] or "").upper() == "DEVICE":
        warnings.warn(
            rf"open of {path}: Windows does not find this path, although an old README gives it; open"
            rf" \\.\WINTUN{match['index']} or \\.\Global\WINTUN{match['index']}",
            ClientWarning,
            stacklevel=stacklevel + 1,
        )
    with _lock:
        adapter = _adapters.get(int(match["index"])) if match is not None else None
        there = ", ".join(rf"\\.\WINTUN{index}" for index in sorted(_adapters)) or "none"
    if adapter is None:
        status = ndis.STATUS_OBJECT_NAME_NOT_FOUND
        words = f"{ndis.name_of(status)} (0x{status:08X}): no adapter has this name; those there are: {there}"
        raise NtStatusError(status, f"open of {path}: {words}")
    return adapter
