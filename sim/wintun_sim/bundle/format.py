"""What encoding and decoding share: the limits, the reasons to stop, the error, and the door to the compiled codec.

Every number here is read from shared/bundle.h, where the format is described.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from wintun_sim import native
from wintun_sim.errors import WintunSimError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer
    from numpy.typing import NDArray

    # Any object with the buffer protocol; type checkers need to be told that arrays have it before Python 3.12.
    Readable = ReadableBuffer | NDArray[Any]
    Writable = WriteableBuffer | NDArray[Any]

ffi, lib = native.load(native.CODEC)

ALIGNMENT: int = lib.BUNDLE_ALIGNMENT
"""Bytes: every record begins and ends at a multiple of this from its bundle's start; 16."""
HEADER_SIZE: int = lib.BUNDLE_HEADER_SIZE
"""Bytes before a packet: its size (4) and reserved ones (12); 16."""
MAX_PACKETS: int = lib.BUNDLE_MAX_PACKETS
"""Packets in a bundle; 256."""
MAX_PACKET_SIZE: int = lib.BUNDLE_MAX_PACKET_SIZE
"""Bytes of the largest packet; 61,424."""
MAX_RECORD_SIZE: int = lib.BUNDLE_MAX_RECORD_SIZE
"""Bytes of the largest record; 61,440."""
MAX_BUFFER_SIZE: int = lib.BUNDLE_MAX_BUFFER_SIZE
"""Bytes of the largest read or write; 15,728,640."""
MIN_READ_SIZE: int = lib.BUNDLE_MIN_READ_SIZE
"""Bytes of the smallest read buffer; 61,440."""
MIN_WRITE_SIZE: int = lib.BUNDLE_MIN_WRITE_SIZE
"""Bytes of the smallest write; 16."""
NO_LIMIT: int = lib.BUNDLE_NO_LIMIT


class Reason(enum.Enum):
    """Why the codec stopped. The values are those of C's `enum bundle_reason`; str() gives the words."""

    END = lib.BUNDLE_END
    CUT_SHORT = lib.BUNDLE_CUT_SHORT
    OVER_LONG = lib.BUNDLE_OVER_LONG
    TOO_MANY = lib.BUNDLE_TOO_MANY
    NO_ROOM = lib.BUNDLE_NO_ROOM
    NOT_ZERO = lib.BUNDLE_NOT_ZERO

    def __str__(self) -> str:
        return self.name.lower().replace("_", " ")


class Stop(NamedTuple):
    """Where the codec stopped and why."""

    reason: Reason
    offset: int
    """In bytes from the bundle's start: where the record begins, or would have begun, that was not taken."""
    number: int
    """Of that record; the first is 0. So it is also how many records were taken."""

    def __str__(self) -> str:
        return f"{self.reason} at record {self.number}, offset {self.offset}"


class BundleError(WintunSimError, ValueError):
    """Packets that make no bundle, or, with strict decoding, bytes that are none. `stop` says where and why."""

    def __init__(self, message: str, stop: Stop) -> None:
        super().__init__(message)
        self.stop = stop


def record_size(packet_size: int) -> int:
    """Return the bytes that a packet of `packet_size` bytes (0 to MAX_PACKET_SIZE) takes in a bundle.

    Raises ValueError for a size outside of that range.
    """
    if not 0 <= packet_size <= MAX_PACKET_SIZE:
        raise ValueError(f"a packet has 0 to {MAX_PACKET_SIZE} bytes, not {packet_size}")
    return -(-(HEADER_SIZE + packet_size) // ALIGNMENT) * ALIGNMENT


def stop_of(stop: Any) -> Stop:
    """Return C's `struct bundle_stop` as a Stop."""
    return Stop(Reason(stop.reason), stop.offset, stop.number)


def view_of(operation: str, buffer: Readable, *, writable: bool = False) -> memoryview:
    """Return a buffer's bytes as a memoryview of one dimension; while it lives, the buffer cannot be resized.

    C is shown the view for one call at a time (`with ffi.from_buffer(...)`): CPython crashes when it collects a cycle
    that holds a memoryview and, by way of C data that lives on, a buffer of that memoryview.

    Raises TypeError for an object that is no buffer, is not contiguous, or is read-only and has to be written to.
    """
    try:
        view = memoryview(cast("ReadableBuffer", buffer))
        if not view.nbytes:
            view = view if view.ndim == 1 else memoryview(bytearray())
        elif view.format != "B" or view.ndim != 1:
            view = view.cast("B")
        reason = "it is not contiguous" if not view.c_contiguous else "it is read-only" if view.readonly else ""
    except (TypeError, ValueError, BufferError) as error:
        view, reason = memoryview(b""), str(error)
    if reason and (writable or reason != "it is read-only"):
        kind = "writable, contiguous" if writable else "contiguous"
        raise TypeError(f"{operation} needs a {kind} bytes-like object, not this {_name(buffer)}: {reason}")
    return view


def bytes_of(operation: str, packet: Readable, index: int) -> memoryview:
    """Return a packet as a memoryview of contiguous bytes; raise TypeError that names its index otherwise."""
    try:
        view = memoryview(cast("ReadableBuffer", packet))
    except (TypeError, ValueError, BufferError) as error:
        raise TypeError(f"{operation}: packet {index} is no bytes-like object but {_name(packet)}: {error}") from error
    if not view.c_contiguous:
        raise TypeError(f"{operation}: packet {index} is not contiguous; pass a copy of it, as bytes(packet) makes")
    return view


def _name(value: object) -> str:
    return type(value).__name__
