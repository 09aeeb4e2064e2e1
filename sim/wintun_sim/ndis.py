"""Status codes, OIDs and major functions by name: one table, with where each comes from.

NTSTATUS values are those of [MS-ERREF] 2.3.1 (learn.microsoft.com/openspecs/windows_protocols/ms-erref). NDIS has
statuses of its own in two ranges: 0xC001xxxx, kept from the first NDIS, and 0xC023xxxx. Several NDIS_STATUS names are
other spellings of an NTSTATUS; they are aliases here. OIDs come from the page of each OID
(learn.microsoft.com/windows-hardware/drivers/network/<oid-name-with-dashes>).

``name_of`` and ``parse`` translate between numbers and names in traces, scenarios and reports, ``win32_of`` a status
into the error code that a program under Windows sees.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

ERREF: Final = "learn.microsoft.com/openspecs/windows_protocols/ms-erref"  # where [MS-ERREF] lists NTSTATUS values
NETWORK: Final = "learn.microsoft.com/windows-hardware/drivers/network"  # where NDIS and its OIDs are described
DDI: Final = "learn.microsoft.com/windows-hardware/drivers/ddi"  # the pages of functions and structures
KERNEL: Final = "learn.microsoft.com/windows-hardware/drivers/kernel"  # the pages on IRPs and statuses
WIN32: Final = "learn.microsoft.com/windows/win32"  # the pages for programs in user mode

# Statuses: NTSTATUS

STATUS_SUCCESS: Final = 0x00000000
STATUS_PENDING: Final = 0x00000103
STATUS_UNSUCCESSFUL: Final = 0xC0000001
STATUS_INVALID_HANDLE: Final = 0xC0000008
STATUS_INVALID_PARAMETER: Final = 0xC000000D
STATUS_INVALID_DEVICE_REQUEST: Final = 0xC0000010
STATUS_ACCESS_DENIED: Final = 0xC0000022
STATUS_OBJECT_NAME_NOT_FOUND: Final = 0xC0000034
STATUS_INSUFFICIENT_RESOURCES: Final = 0xC000009A
STATUS_NOT_SUPPORTED: Final = 0xC00000BB
STATUS_INVALID_USER_BUFFER: Final = 0xC00000E8
STATUS_CANCELLED: Final = 0xC0000120

# Statuses: NDIS, the range kept from the first NDIS

NDIS_STATUS_INVALID_LENGTH: Final = 0xC0010014
NDIS_STATUS_INVALID_DATA: Final = 0xC0010015
NDIS_STATUS_BUFFER_TOO_SHORT: Final = 0xC0010016
NDIS_STATUS_INVALID_OID: Final = 0xC0010017

# Statuses: NDIS 6

STATUS_NDIS_REQUEST_ABORTED: Final = 0xC023000C
STATUS_NDIS_RESET_IN_PROGRESS: Final = 0xC023000D
STATUS_NDIS_MEDIA_DISCONNECTED: Final = 0xC023001F
STATUS_NDIS_PAUSED: Final = 0xC023002A
STATUS_NDIS_UNSUPPORTED_REVISION: Final = 0xC023002C
STATUS_NDIS_LOW_POWER_STATE: Final = 0xC023002F

# Statuses: other spellings

NDIS_STATUS_SUCCESS: Final = STATUS_SUCCESS
NDIS_STATUS_PENDING: Final = STATUS_PENDING
NDIS_STATUS_FAILURE: Final = STATUS_UNSUCCESSFUL
NDIS_STATUS_RESOURCES: Final = STATUS_INSUFFICIENT_RESOURCES
NDIS_STATUS_NOT_SUPPORTED: Final = STATUS_NOT_SUPPORTED
NDIS_STATUS_REQUEST_ABORTED: Final = STATUS_NDIS_REQUEST_ABORTED
NDIS_STATUS_SEND_ABORTED: Final = STATUS_NDIS_REQUEST_ABORTED
NDIS_STATUS_RESET_IN_PROGRESS: Final = STATUS_NDIS_RESET_IN_PROGRESS
NDIS_STATUS_MEDIA_DISCONNECTED: Final = STATUS_NDIS_MEDIA_DISCONNECTED
NDIS_STATUS_PAUSED: Final = STATUS_NDIS_PAUSED
NDIS_STATUS_UNSUPPORTED_REVISION: Final = STATUS_NDIS_UNSUPPORTED_REVISION
NDIS_STATUS_LOW_POWER_STATE: Final = STATUS_NDIS_LOW_POWER_STATE

# Status indications (…/network/ndis-status-link-state)

NDIS_STATUS_LINK_STATE: Final = 0x40010017

# OIDs

OID_GEN_TRANSMIT_BUFFER_SPACE: Final = 0x00010108
OID_GEN_RECEIVE_BUFFER_SPACE: Final = 0x00010109
OID_GEN_TRANSMIT_BLOCK_SIZE: Final = 0x0001010A
OID_GEN_RECEIVE_BLOCK_SIZE: Final = 0x0001010B
OID_GEN_VENDOR_ID: Final = 0x0001010C
OID_GEN_VENDOR_DESCRIPTION: Final = 0x0001010D
OID_GEN_CURRENT_PACKET_FILTER: Final = 0x0001010E
OID_GEN_CURRENT_LOOKAHEAD: Final = 0x0001010F
OID_GEN_MAXIMUM_TOTAL_SIZE: Final = 0x00010111
OID_GEN_VENDOR_DRIVER_VERSION: Final = 0x00010116
OID_GEN_LINK_PARAMETERS: Final = 0x00010208
OID_GEN_INTERRUPT_MODERATION: Final = 0x00010209
OID_GEN_XMIT_OK: Final = 0x00020101
OID_GEN_RCV_OK: Final = 0x00020102
OID_GEN_STATISTICS: Final = 0x00020106
OID_PNP_SET_POWER: Final = 0xFD010101
OID_PNP_QUERY_POWER: Final = 0xFD010102

# Major functions of an IRP (…/drivers/kernel/irp-major-function-codes)

IRP_MJ_CREATE: Final = 0x00  # a file object is opened
IRP_MJ_CLOSE: Final = 0x02  # its last reference is gone
IRP_MJ_READ: Final = 0x03  # a client reads
IRP_MJ_WRITE: Final = 0x04  # a client writes
IRP_MJ_CLEANUP: Final = 0x12  # its last user handle is closed


@dataclass(frozen=True, slots=True)
class Name:
    """One row of the table: what a number is called, where that is documented, and how else it is spelt."""

    name: str
    value: int
    page: str
    aliases: tuple[str, ...] = ()


# Every status that is known here, each with the page that lists it.
STATUSES: Final[tuple[Name, ...]] = (
    Name("STATUS_SUCCESS", STATUS_SUCCESS, ERREF, ("NDIS_STATUS_SUCCESS",)),
    Name("STATUS_PENDING", STATUS_PENDING, ERREF, ("NDIS_STATUS_PENDING",)),
    Name("STATUS_UNSUCCESSFUL", STATUS_UNSUCCESSFUL, ERREF, ("NDIS_STATUS_FAILURE",)),
    Name("STATUS_INVALID_HANDLE", STATUS_INVALID_HANDLE, ERREF),
    Name("STATUS_INVALID_PARAMETER", STATUS_INVALID_PARAMETER, ERREF),
    Name("STATUS_INVALID_DEVICE_REQUEST", STATUS_INVALID_DEVICE_REQUEST, ERREF),
    Name("STATUS_ACCESS_DENIED", STATUS_ACCESS_DENIED, ERREF),
    Name("STATUS_OBJECT_NAME_NOT_FOUND", STATUS_OBJECT_NAME_NOT_FOUND, ERREF),
    Name("STATUS_INSUFFICIENT_RESOURCES", STATUS_INSUFFICIENT_RESOURCES, ERREF, ("NDIS_STATUS_RESOURCES",)),
    Name("STATUS_NOT_SUPPORTED", STATUS_NOT_SUPPORTED, ERREF, ("NDIS_STATUS_NOT_SUPPORTED",)),
    Name("STATUS_INVALID_USER_BUFFER", STATUS_INVALID_USER_BUFFER, ERREF),
    Name("STATUS_CANCELLED", STATUS_CANCELLED, ERREF),
    Name("NDIS_STATUS_INVALID_LENGTH", NDIS_STATUS_INVALID_LENGTH, f"{DDI}/ndis/nc-ndis-miniport_oid_request"),
    Name("NDIS_STATUS_INVALID_DATA", NDIS_STATUS_INVALID_DATA, f"{DDI}/ndis/nc-ndis-miniport_oid_request"),
    Name("NDIS_STATUS_BUFFER_TOO_SHORT", NDIS_STATUS_BUFFER_TOO_SHORT, f"{DDI}/ndis/nc-ndis-miniport_oid_request"),
    Name("NDIS_STATUS_INVALID_OID", NDIS_STATUS_INVALID_OID, f"{DDI}/ndis/nc-ndis-miniport_oid_request"),
    Name(
        "STATUS_NDIS_REQUEST_ABORTED",
        STATUS_NDIS_REQUEST_ABORTED,
        ERREF,
        ("NDIS_STATUS_REQUEST_ABORTED", "NDIS_STATUS_SEND_ABORTED"),
    ),
    Name("STATUS_NDIS_RESET_IN_PROGRESS", STATUS_NDIS_RESET_IN_PROGRESS, ERREF, ("NDIS_STATUS_RESET_IN_PROGRESS",)),
    Name("STATUS_NDIS_MEDIA_DISCONNECTED", STATUS_NDIS_MEDIA_DISCONNECTED, ERREF, ("NDIS_STATUS_MEDIA_DISCONNECTED",)),
    Name("STATUS_NDIS_PAUSED", STATUS_NDIS_PAUSED, ERREF, ("NDIS_STATUS_PAUSED",)),
    Name(
        "STATUS_NDIS_UNSUPPORTED_REVISION",
        STATUS_NDIS_UNSUPPORTED_REVISION,
        ERREF,
        ("NDIS_STATUS_UNSUPPORTED_REVISION",),
    ),
    Name("STATUS_NDIS_LOW_POWER_STATE", STATUS_NDIS_LOW_POWER_STATE, ERREF, ("NDIS_STATUS_LOW_POWER_STATE",)),
    Name("NDIS_STATUS_LINK_STATE", NDIS_STATUS_LINK_STATE, f"{NETWORK}/ndis-status-link-state"),
)

OIDS: Final[tuple[Name, ...]] = tuple(
    Name(name, value, f"{NETWORK}/{name.lower().replace('_', '-')}")
    for name, value in (
        ("OID_GEN_MAXIMUM_TOTAL_SIZE", OID_GEN_MAXIMUM_TOTAL_SIZE),
        ("OID_GEN_CURRENT_LOOKAHEAD", OID_GEN_CURRENT_LOOKAHEAD),
        ("OID_GEN_TRANSMIT_BUFFER_SPACE", OID_GEN_TRANSMIT_BUFFER_SPACE),
        ("OID_GEN_RECEIVE_BUFFER_SPACE", OID_GEN_RECEIVE_BUFFER_SPACE),
        ("OID_GEN_TRANSMIT_BLOCK_SIZE", OID_GEN_TRANSMIT_BLOCK_SIZE),
        ("OID_GEN_RECEIVE_BLOCK_SIZE", OID_GEN_RECEIVE_BLOCK_SIZE),
        ("OID_GEN_VENDOR_DESCRIPTION", OID_GEN_VENDOR_DESCRIPTION),
        ("OID_GEN_VENDOR_ID", OID_GEN_VENDOR_ID),
        ("OID_GEN_VENDOR_DRIVER_VERSION", OID_GEN_VENDOR_DRIVER_VERSION),
        ("OID_GEN_XMIT_OK", OID_GEN_XMIT_OK),
        ("OID_GEN_RCV_OK", OID_GEN_RCV_OK),
        ("OID_GEN_CURRENT_PACKET_FILTER", OID_GEN_CURRENT_PACKET_FILTER),
        ("OID_GEN_STATISTICS", OID_GEN_STATISTICS),
        ("OID_GEN_INTERRUPT_MODERATION", OID_GEN_INTERRUPT_MODERATION),
        ("OID_GEN_LINK_PARAMETERS", OID_GEN_LINK_PARAMETERS),
        ("OID_PNP_SET_POWER", OID_PNP_SET_POWER),
        ("OID_PNP_QUERY_POWER", OID_PNP_QUERY_POWER),
    )
)
"""The 17 OIDs that the adapter reports as supported, in the order in which it reports them."""

# The major functions that the adapter handles, with their page.
MAJORS: Final[tuple[Name, ...]] = tuple(
    Name(name, value, f"{KERNEL}/irp-major-function-codes")
    for name, value in (
        ("IRP_MJ_CREATE", IRP_MJ_CREATE),
        ("IRP_MJ_CLOSE", IRP_MJ_CLOSE),
        ("IRP_MJ_READ", IRP_MJ_READ),
        ("IRP_MJ_WRITE", IRP_MJ_WRITE),
        ("IRP_MJ_CLEANUP", IRP_MJ_CLEANUP),
    )
)

_STATUS_NAMES: Final = {row.value: row.name for row in STATUSES}
_OID_NAMES: Final = {row.value: row.name for row in OIDS}
_MAJOR_NAMES: Final = {row.value: row.name for row in MAJORS}
_VALUES: Final = {spelling: row.value for row in (*STATUSES, *OIDS, *MAJORS) for spelling in (row.name, *row.aliases)}

WIN32_PAGE: Final = f"{WIN32}/api/winternl/nf-winternl-rtlntstatustodoserror"
"""RtlNtStatusToDosError, which makes of a request's status what GetLastError returns."""

ERROR_MR_MID_NOT_FOUND: Final = 317  # what Windows says of a status that has no Win32 error

WIN32_ERRORS: Final[Mapping[int, int]] = MappingProxyType(
    {
        STATUS_SUCCESS: 0,  # ERROR_SUCCESS
        STATUS_PENDING: 997,  # ERROR_IO_PENDING
        STATUS_UNSUCCESSFUL: 31,  # ERROR_GEN_FAILURE
        STATUS_INVALID_HANDLE: 6,  # ERROR_INVALID_HANDLE
        STATUS_INVALID_PARAMETER: 87,  # ERROR_INVALID_PARAMETER
        STATUS_INVALID_DEVICE_REQUEST: 1,  # ERROR_INVALID_FUNCTION
        STATUS_ACCESS_DENIED: 5,  # ERROR_ACCESS_DENIED
        STATUS_OBJECT_NAME_NOT_FOUND: 2,  # ERROR_FILE_NOT_FOUND
        STATUS_INSUFFICIENT_RESOURCES: 1450,  # ERROR_NO_SYSTEM_RESOURCES
        STATUS_NOT_SUPPORTED: 50,  # ERROR_NOT_SUPPORTED
        STATUS_INVALID_USER_BUFFER: 1784,  # ERROR_INVALID_USER_BUFFER
        STATUS_CANCELLED: 995,  # ERROR_OPERATION_ABORTED
        STATUS_NDIS_REQUEST_ABORTED: 0x8034000C,  # ERROR_NDIS_REQUEST_ABORTED
        STATUS_NDIS_RESET_IN_PROGRESS: 0x8034000D,  # ERROR_NDIS_RESET_IN_PROGRESS
        STATUS_NDIS_MEDIA_DISCONNECTED: 0x8034001F,  # ERROR_NDIS_MEDIA_DISCONNECTED
        STATUS_NDIS_PAUSED: 0x8034002A,  # ERROR_NDIS_PAUSED
        STATUS_NDIS_UNSUPPORTED_REVISION: 0x8034002C,  # ERROR_NDIS_UNSUPPORTED_REVISION
        STATUS_NDIS_LOW_POWER_STATE: 0x8034002F,  # ERROR_NDIS_LOW_POWER_STATE
    }
)
"""The error codes of winerror.h ([MS-ERREF] 2.2 lists them) for the statuses that a request can end with.

NDIS 6's statuses 0xC023xxxx have no small numbers; theirs are 0x8034xxxx.
"""


def name_of(status: int) -> str:
    """Name a status (0…0xFFFFFFFF, or the same bits as a negative 32-bit number).

    One without a name is given in hexadecimal.
    """
    status &= 0xFFFFFFFF
    return _STATUS_NAMES.get(status) or f"0x{status:08X}"


def name_of_oid(oid: int) -> str:
    """Name an OID; one that the adapter does not support is given in hexadecimal."""
    return _OID_NAMES.get(oid) or f"0x{oid:08X}"


def name_of_major(major: int) -> str:
    """Name an IRP's major function; one that the adapter does not handle is given in hexadecimal."""
    return _MAJOR_NAMES.get(major) or f"0x{major:02X}"


def parse(text: str) -> int:
    """Turn a name of the table (any spelling), or a number as Python writes it, into its value.

    Raises ``ValueError`` for anything else, and for a number outside 0…0xFFFFFFFF.
    """
    value = _VALUES.get(text)
    if value is not None:
        return value
    try:
        value = int(text, 0)
    except ValueError:
        raise ValueError(f"{text!r} is neither a number nor a status, OID or major function known here") from None
    if not 0 <= value <= 0xFFFFFFFF:
        raise ValueError(f"{text} does not fit in 32 bits; give a number from 0 to 0xFFFFFFFF")
    return value


def nt_success(status: int) -> bool:
    """Tell success and information from warnings and errors (…/drivers/kernel/using-ntstatus-values)."""
    return (status & 0xFFFFFFFF) < 0x80000000


def win32_of(status: int) -> int:
    """Return the Win32 error code of an NTSTATUS; ERROR_MR_MID_NOT_FOUND (317) for one without, as Windows does."""
    return WIN32_ERRORS.get(status & 0xFFFFFFFF, ERROR_MR_MID_NOT_FOUND)
