"""Why a request ended as it did, and what its client can do: the words of every ``NtStatusError``.

What each status means is in ``docs/adapter.md``; here it is said to somebody whose program just met it.
"""

from __future__ import annotations

from typing import Final

from wintun_sim import bundle, ndis

_HANDLE: Final = {
    "halted": (
        "the adapter was halted while this handle was open",
        "close the handle, which is all that it is good for, so that the driver can be unloaded",
    ),
    "closed": ("the handle was closed", "open another one"),
    "open": ("the adapter was halted, and old handles keep its device", "close them and open the adapter that follows"),
}

_REASONS: Final[dict[int, tuple[str, str]]] = {
    ndis.STATUS_NDIS_PAUSED: (
        "while the adapter is not Running, the stack takes no packets",
        "keep the packets and write them again after the restart; reads go on waiting",
    ),
    ndis.STATUS_NDIS_LOW_POWER_STATE: (
        "the adapter sleeps and takes no packets",
        "keep the packets and write them again when it is back in D0; reads go on waiting",
    ),
    ndis.STATUS_INSUFFICIENT_RESOURCES: ("the buffer could not be mapped for want of memory", "try again later"),
    ndis.STATUS_ACCESS_DENIED: (
        "the device's security descriptor, D:P(A;;GA;;;SY), lets in the system account alone",
        "run the client as a service of LocalSystem",
    ),
    ndis.STATUS_NDIS_UNSUPPORTED_REVISION: (
        "the driver needs NDIS 6.20 or newer, which came with Windows 7",
        "give the adapter ndis=(6, 20), (6, 30) or (6, 80)",
    ),
    ndis.NDIS_STATUS_INVALID_DATA: (
        "the value is not one that the adapter knows",
        "a power state is D0, D1, D2 or D3, which are 1 to 4",
    ),
    ndis.STATUS_OBJECT_NAME_NOT_FOUND: (
        "there is no such device",
        "wait until the adapter is there, and take the number from its LUID",
    ),
}

_CANCELLED: Final = {
    "cancel": ("the client cancelled it", "nothing was lost: what it would have read, the next read gets"),
    "close": ("its handle was closed", "wait for pending requests before closing, or expect this"),
    "halt": ("the adapter was halted", "close the handle, so that the driver can be unloaded or updated"),
}


def explain(verb: str, device: str, state: str, status: int, circumstance: str = "", length: int = 0) -> str:
    """Return what to tell a client whose ``verb`` on ``device`` in ``state`` ended with ``status``.

    ``circumstance`` tells the ends of one status apart: for STATUS_CANCELLED "cancel", "close", "halt" or another
    operation, for STATUS_INVALID_HANDLE "halted" or "closed". ``length`` is the request's, in bytes.
    """
    reason, repair = _reason(verb, status, circumstance, length)
    return f"{verb} on {device}, {state}: {ndis.name_of(status)} (0x{status:08X}): {reason}; {repair}"


def _reason(verb: str, status: int, circumstance: str, length: int) -> tuple[str, str]:
    if status == ndis.STATUS_CANCELLED:
        return _CANCELLED.get(circumstance, (f"the {circumstance} cancelled it", "read again"))
    if status == ndis.STATUS_INVALID_HANDLE:
        return _HANDLE["open" if verb == "open" else circumstance]
    if status in (ndis.STATUS_INVALID_PARAMETER, ndis.STATUS_INVALID_USER_BUFFER):
        smallest = bundle.MIN_READ_SIZE if verb == "read" else bundle.MIN_WRITE_SIZE
        return f"the buffer has {length:,} bytes", f"give it {smallest:,} to {bundle.MAX_BUFFER_SIZE:,}"
    return _REASONS.get(status, ("the driver says so", "its documentation may know why"))
