"""Packets to bundles.

Packets come as an iterable of bytes-like objects, or, where there are many, as one array with the bytes of all, one
packet behind the other, and their lengths. A list of bytes objects goes straight into memory that is there
(`encode_into`); else the first form is turned into the second, since what is joined is encoded in one call. All sizes
are checked before the first byte is written, so a refused call changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, cast

from wintun_sim import native
from wintun_sim.bundle.format import (
    MAX_BUFFER_SIZE,
    MAX_PACKET_SIZE,
    MAX_PACKETS,
    MIN_READ_SIZE,
    NO_LIMIT,
    BundleError,
    Reason,
    Stop,
    bytes_of,
    ffi,
    lib,
    record_size,
    stop_of,
    view_of,
)

if TYPE_CHECKING:
    import numpy as np
    from _typeshed import ReadableBuffer
    from numpy.typing import NDArray

    from wintun_sim.bundle.format import Readable, Writable

    Lengths = Sequence[int] | NDArray[np.integer[Any]]

_encode_into = native.load_module("wintun_sim.bundle._packets").encode_into

PLAIN_TYPES = {bytes, bytearray}  # their len() is their size in bytes
LARGEST_SIZE = 0xFFFFFFFF  # that C can be told


@dataclass(frozen=True, slots=True)
class _Packets:
    """Packets in the form in which C takes them."""

    data: memoryview | bytes  # one packet behind the other
    sizes: Any  # uint32_t[]
    count: int


def encode(packets: Iterable[Readable] | Readable, lengths: Lengths | None = None) -> bytes:
    """Return the bundle of `packets`: at most 256, of 0 to 61,424 bytes each.

    `packets` is an iterable of bytes-like objects; or, with `lengths` (integers, one for each packet, in bytes), one
    contiguous bytes-like object that holds all packets, one behind the other, and nothing else.

    Raises BundleError, which names the packet, its size and the limit, for a packet that is too long or one too many;
    TypeError for what is not bytes-like; ValueError for lengths that are negative or do not add up.
    """
    return _encoded(_gathered("encode", packets, lengths, MAX_PACKETS), MAX_PACKETS)


def encode_into(buffer: Writable, packets: Iterable[Readable] | Readable, lengths: Lengths | None = None) -> int:
    """Write the bundle of `packets` to the start of `buffer` and return its size in bytes.

    `packets` and `lengths` are as encode() takes them. The rest of the buffer is left as it is, and all of it when an
    error is raised: BundleError also for a bundle that the buffer has no room for, TypeError also for a buffer that
    cannot be written to, ValueError also for an array of packets that overlaps the buffer.
    """
    view = view_of("encode_into", buffer, writable=True)
    if lengths is None and isinstance(packets, list | tuple):
        packets = tuple(packets)  # a list may change meanwhile
        written: int = _encode_into(view, packets)
        if written >= 0:
            return written
    gathered = _gathered("encode_into", packets, lengths, MAX_PACKETS)
    size = _measured(gathered, MAX_PACKETS)
    if size > len(view):
        raise _no_room(gathered, size, len(view))
    with ffi.from_buffer("char[]", view, require_writable=True) as target:
        return _write(target, gathered, MAX_PACKETS)


def encode_many(
    packets: Iterable[Readable] | Readable, lengths: Lengths | None = None
) -> tuple[bytes, NDArray[np.int64]]:
    """Return any number of packets as bundles one behind the other, and the size of each bundle in bytes.

    `packets` and `lengths` are as encode() takes them. Every bundle has 256 packets but the last, which has the rest;
    no packets are no bundle. What is returned is what decode_many() takes. Raises what encode() raises.
    """
    import numpy as np

    gathered = _gathered("encode_many", packets, lengths, NO_LIMIT)
    data = _encoded(gathered, NO_LIMIT)
    sizes = np.frombuffer(ffi.buffer(gathered.sizes), dtype=np.uint32, count=gathered.count).astype(np.int64)
    records = record_size(0) + (-(-sizes // 16) * 16)
    return data, np.add.reduceat(records, np.arange(0, gathered.count, MAX_PACKETS)) if gathered.count else sizes


def split(packets: Iterable[Readable], *, length: int = MAX_BUFFER_SIZE) -> Iterator[list[Readable]]:
    """Yield the packets in lists that each fit a bundle: at most 256 packets, and at most `length` bytes encoded.

    `length` is 61,440 to 15,728,640 bytes, the size of a read or write; with the default only the number counts. The
    packets are passed on as they are, and an endless iterable is taken from as needed.

    Raises ValueError for another length, and while iterating BundleError for a packet that is too long and TypeError
    for one that is not bytes-like; both name its index in the whole.
    """
    if not MIN_READ_SIZE <= length <= MAX_BUFFER_SIZE:
        raise ValueError(f"split: a buffer has {MIN_READ_SIZE} to {MAX_BUFFER_SIZE} bytes, not {length}")
    return _split(packets, length)


def _split(packets: Iterable[Readable], length: int) -> Iterator[list[Readable]]:
    group: list[Readable] = []
    room = length
    for index, packet in enumerate(packets):
        size = bytes_of("split", packet, index).nbytes
        if size > MAX_PACKET_SIZE:
            raise _over_long(Stop(Reason.OVER_LONG, length - room, index), size)
        if len(group) == MAX_PACKETS or record_size(size) > room:
            yield group
            group, room = [], length
        group.append(packet)
        room -= record_size(size)
    if group:
        yield group


def _gathered(operation: str, packets: Iterable[Readable] | Readable, lengths: Lengths | None, limit: int) -> _Packets:
    if lengths is not None:
        return _from_array(operation, packets, lengths)  # type: ignore[arg-type]  # checked there
    if not isinstance(packets, list | tuple):
        packets = _iterable(operation, packets, limit)
    return _from_objects(operation, packets)


def _iterable(operation: str, packets: Iterable[Readable] | Readable, limit: int) -> list[Readable]:
    """Return the packets as a list: one more than the limit at most, so that an endless iterable ends in an error."""
    try:
        is_one_buffer = memoryview(packets).ndim < 2  # type: ignore[arg-type]
    except TypeError:
        is_one_buffer = False
    if is_one_buffer or isinstance(packets, str):
        raise TypeError(
            f"{operation} takes an iterable of packets, not one {type(packets).__name__}: put a single packet into a "
            "list, and give an array that holds several packets together with their lengths"
        )
    return list(islice(packets, limit + 1))  # type: ignore[arg-type]


def _from_objects(operation: str, packets: Sequence[Readable]) -> _Packets:
    packets = tuple(packets)  # a list may change meanwhile
    try:
        joined = b"".join(cast("Iterable[bytes]", packets))
        if set(map(type, packets)) <= PLAIN_TYPES:
            sizes = list(map(len, packets))  # type: ignore[arg-type]
        else:
            sizes = [bytes_of(operation, packet, index).nbytes for index, packet in enumerate(packets)]
    except (TypeError, ValueError, BufferError):
        for index, packet in enumerate(packets):
            bytes_of(operation, packet, index)
        raise
    if sum(sizes) != len(joined):
        raise ValueError(f"{operation}: a packet was resized by another thread; encode copies of such packets")
    try:
        in_c = ffi.new("uint32_t[]", sizes)
    except OverflowError:
        in_c = ffi.new("uint32_t[]", [min(size, LARGEST_SIZE) for size in sizes])
    return _Packets(joined, in_c, len(sizes))


def _from_array(operation: str, packets: Readable, lengths: Lengths) -> _Packets:
    import numpy as np

    data = view_of(operation, packets)
    if memoryview(cast("ReadableBuffer", packets)).itemsize != 1:
        raise TypeError(
            f"{operation}: an array of packets holds single bytes (uint8); view it as such if that is meant"
        )
    array = np.array(lengths)  # a copy: nobody changes it after it was checked
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise TypeError(f"{operation}: lengths are one row of integers, not {array.dtype} of {array.ndim} dimensions")
    if array.size and array.min() < 0:
        index = int(array.argmin())
        raise ValueError(f"{operation}: packet {index} cannot have a length of {array[index]} bytes")
    sizes = np.minimum(array.astype(np.uint64), LARGEST_SIZE).astype(np.uint32)
    total = int(sizes.sum(dtype=np.uint64))
    if total != len(data):
        raise ValueError(
            f"{operation}: the {array.size} lengths add up to {total} bytes, but the array of packets has {len(data)}"
        )
    return _Packets(data, ffi.from_buffer("uint32_t[]", sizes), array.size)


def _encoded(packets: _Packets, limit: int) -> bytes:
    target = ffi.new("char[]", max(_measured(packets, limit), 1))
    return bytes(ffi.buffer(target, _write(target, packets, limit)))


def _measured(packets: _Packets, limit: int) -> int:
    """Return the size of the bundle in bytes; raise BundleError for the first packet that cannot be in it."""
    stop = ffi.new("struct bundle_stop *")
    size: int = lib.bundle_measure(packets.sizes, packets.count, limit, stop)
    if stop.reason == lib.BUNDLE_OVER_LONG:
        raise _over_long(stop_of(stop), packets.sizes[stop.number])
    if stop.reason == lib.BUNDLE_TOO_MANY:
        raise BundleError(
            f"packet {stop.number} (the first is 0) is one too many: a bundle has at most {limit} packets; split() and "
            "encode_many() make several bundles",
            stop_of(stop),
        )
    return size


def _write(target: Any, packets: _Packets, limit: int) -> int:
    """Encode packets that were measured and fit into `target` (`char[]`); return the bundle's size in bytes."""
    stop = ffi.new("struct bundle_stop *")
    with ffi.from_buffer("char[]", packets.data) as data:
        _refuse_overlap(target, data)
        return lib.bundle_encode(  # type: ignore[no-any-return]
            target, len(target), data, len(data), packets.sizes, packets.count, limit, stop
        )


def _over_long(stop: Stop, size: int) -> BundleError:
    return BundleError(
        f"packet {stop.number} (the first is 0) has {size} bytes; the largest that a bundle can carry has "
        f"{MAX_PACKET_SIZE}",
        stop,
    )


def _no_room(packets: _Packets, size: int, room: int) -> BundleError:
    offset = 0
    number = 0
    while offset + record_size(packets.sizes[number]) <= room:
        offset += record_size(packets.sizes[number])
        number += 1
    return BundleError(
        f"packet {number} (the first is 0), of {packets.sizes[number]} bytes, does not fit any more: the bundle takes "
        f"{size} bytes and the buffer has {room}",
        Stop(Reason.NO_ROOM, offset, number),
    )


def _refuse_overlap(target: Any, packets: Any) -> None:
    first, second = int(ffi.cast("uintptr_t", target)), int(ffi.cast("uintptr_t", packets))
    if first < second + len(packets) and second < first + len(target):
        raise ValueError(
            "encode_into: the array of packets overlaps the buffer; encode() and copy, or copy the packets"
        )
