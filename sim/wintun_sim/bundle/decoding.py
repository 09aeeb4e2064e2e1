"""Bundles to packets.

Decoding makes an index, the place and size of every packet, and copies nothing: a Bundle looks like a sequence of
read-only memoryviews into the buffer, made when asked for. The buffer is locked against resizing as long as the Bundle
lives; its bytes may change, and the packets with them, but never the index.

The 12 reserved bytes of a header and the padding are not looked at, since real clients do not zero them, unless
decoding is strict; then nothing passes that the driver would not have written itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, overload

from wintun_sim import native
from wintun_sim.bundle.format import HEADER_SIZE, MAX_PACKETS, BundleError, Reason, Stop, ffi, lib, stop_of, view_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from wintun_sim.bundle.format import Readable

_packets = native.load_module("wintun_sim.bundle._packets").packets
_new = ffi.new_allocator(should_clear_after_alloc=False)  # for what C fills in
_OFFSETS = ffi.typeof("uint64_t[]")
_SIZES = ffi.typeof("uint32_t[]")
_STOP = ffi.typeof("struct bundle_stop *")
_STOPS = ffi.typeof("struct bundle_stop[]")


class Bundle(Sequence[memoryview]):
    """The packets of a decoded bundle, as read-only memoryviews into its buffer. Made by decode()."""

    __slots__ = ("_offsets", "_sizes", "_stop", "_view")

    def __init__(self, view: memoryview, offsets: Any, sizes: Any, stop: Any) -> None:
        self._view = view
        self._offsets = offsets
        self._sizes = sizes
        self._stop = stop

    @property
    def offsets(self) -> NDArray[np.int64]:
        """Where each packet, not its header, begins: bytes from the buffer's start; one row of len(self), read-only."""
        return _array(self._offsets, "int64", len(self))

    @property
    def sizes(self) -> NDArray[np.int32]:
        """Each packet's size, 0 to 61,424 bytes: one row of len(self), read-only."""
        return _array(self._sizes, "int32", len(self))

    @property
    def consumed(self) -> int:
        """The bytes of the records taken, padding included: what a write would report as its Information."""
        return self._stop.offset  # type: ignore[no-any-return]

    @property
    def stop(self) -> Stop:
        """Where decoding ended, and why: Reason.END if the whole buffer is one bundle."""
        return stop_of(self._stop)

    def tolist(self) -> list[bytes]:
        """Return the packets as bytes: copies, made in one call."""
        buffer = ffi.buffer
        return _packets(  # type: ignore[no-any-return]
            self._view, buffer(self._offsets), buffer(self._sizes), self._stop.number
        )

    def __len__(self) -> int:
        return self._stop.number  # type: ignore[no-any-return]

    @overload
    def __getitem__(self, index: int) -> memoryview: ...
    @overload
    def __getitem__(self, index: slice) -> list[memoryview]: ...
    def __getitem__(self, index: int | slice) -> memoryview | list[memoryview]:
        if isinstance(index, slice):
            return [self._packet(i) for i in range(*index.indices(len(self)))]
        count = len(self)
        if not -count <= index < count:
            raise IndexError(f"the bundle has {count} packets, and none of number {index}")
        return self._packet(index % count)

    def _packet(self, number: int) -> memoryview:
        offset = self._offsets[number]
        return self._view[offset : offset + self._sizes[number]].toreadonly()

    def __repr__(self) -> str:
        return f"<Bundle of {len(self)} packets in {self.consumed} of {len(self._view)} bytes: {self.stop}>"


class Bundles:
    """The packets of several decoded bundles, whose index is a few arrays. Made by decode_many()."""

    __slots__ = ("_view", "consumed", "counts", "offsets", "reasons", "sizes")

    def __init__(
        self,
        view: memoryview,
        offsets: NDArray[np.int64],
        sizes: NDArray[np.int32],
        stops: NDArray[np.uint64],
    ) -> None:
        import numpy as np

        self._view = view
        self.offsets = offsets
        """Where each packet of all bundles begins, in bytes from the start of the whole buffer; one row, read-only."""
        self.sizes = sizes
        """The size of each packet of all bundles, 0 to 61,424 bytes; one row as long as `offsets`, read-only."""
        self.counts: NDArray[np.uint32] = stops.view(np.uint32)[:, 2]
        """How many of the packets belong to each bundle: one row as long as there are bundles."""
        self.consumed: NDArray[np.uint64] = stops[:, 0]
        """The bytes of the records that were taken of each bundle."""
        self.reasons: NDArray[np.uint32] = stops.view(np.uint32)[:, 3]
        """Why decoding of each bundle ended: the values of Reason."""

    def __len__(self) -> int:
        """The number of bundles."""
        return len(self.counts)

    def stop(self, index: int) -> Stop:
        """Return where decoding of bundle `index` ended, offsets counted from that bundle's start, and why."""
        return Stop(Reason(int(self.reasons[index])), int(self.consumed[index]), int(self.counts[index]))

    def tolist(self) -> list[bytes]:
        """Return the packets of all bundles as bytes: copies, made in one call."""
        return _packets(self._view, self.offsets, self.sizes, len(self.offsets))  # type: ignore[no-any-return]

    def __repr__(self) -> str:
        return f"<Bundles: {len(self)}, with {len(self.offsets)} packets>"


def decode(buffer: Readable, *, strict: bool = False) -> Bundle:
    """Decode one bundle: the packets up to the first record that cannot be taken, which `.stop` tells.

    `buffer` is any contiguous bytes-like object, of any length and alignment. At most 256 records are taken; where more
    bytes follow, the reason is Reason.TOO_MANY. (The driver takes a write of more records whole.)

    With `strict`, the buffer must be exactly one bundle, ending behind a whole record, with its reserved bytes and
    padding zero; otherwise BundleError is raised. Raises TypeError for what is no contiguous bytes-like object.
    """
    view = view_of("decode", buffer)
    length = len(view)
    capacity = min(length // HEADER_SIZE, MAX_PACKETS)
    offsets = _new(_OFFSETS, capacity)
    sizes = _new(_SIZES, capacity)
    stop = _new(_STOP)
    with ffi.from_buffer(view) as memory:
        lib.bundle_decode(memory, length, MAX_PACKETS, strict, offsets, sizes, stop)
    if strict and stop.reason != lib.BUNDLE_END:
        where = stop_of(stop)
        raise BundleError(f"decode: these {length} bytes are not one clean bundle: {where}", where)
    return Bundle(view, offsets, sizes, stop)


def decode_many(
    buffer: Readable, lengths: Sequence[int] | NDArray[np.integer[Any]], *, strict: bool = False
) -> Bundles:
    """Decode bundles that lie one behind the other in `buffer`, with these lengths in bytes, in one call.

    Each is decoded as decode() would, and by itself: a damaged one costs its own rest and nothing of its neighbours.
    `lengths` are integers that add up to the buffer's; each may be any number from 0.

    With `strict`, raises BundleError for the first bundle that is none. Raises TypeError for what is no contiguous
    bytes-like object or no row of integers, ValueError for lengths that are negative or do not add up.
    """
    import numpy as np

    view = view_of("decode_many", buffer)
    lengths = _checked_lengths(np.array(lengths), len(view))
    capacity = min(len(view) // HEADER_SIZE + 1, MAX_PACKETS * len(lengths))
    offsets = np.empty(capacity, np.int64)
    sizes = np.empty(capacity, np.int32)
    stops = np.empty((len(lengths), 2), np.uint64)  # each row a struct bundle_stop
    with ffi.from_buffer(view) as memory:
        total = lib.bundle_decode_many(
            memory,
            ffi.from_buffer(_OFFSETS, lengths),
            len(lengths),
            strict,
            ffi.from_buffer(_OFFSETS, offsets),
            ffi.from_buffer(_SIZES, sizes),
            capacity,
            ffi.from_buffer(_STOPS, stops),
        )
    bundles = Bundles(view, offsets[:total], sizes[:total], stops)
    for array in (bundles.offsets, bundles.sizes, bundles.counts, bundles.consumed, bundles.reasons):
        array.setflags(write=False)
    if strict and (bundles.reasons != Reason.END.value).any():
        index = int((bundles.reasons != Reason.END.value).argmax())
        stop = bundles.stop(index)
        raise BundleError(f"decode_many: bundle {index} (the first is 0) is not a clean one: {stop}", stop)
    return bundles


def _checked_lengths(lengths: NDArray[Any], total: int) -> NDArray[np.uint64]:
    import numpy as np

    if lengths.ndim != 1 or (lengths.size and lengths.dtype.kind not in "iu"):
        raise TypeError(
            f"decode_many: lengths are one row of integers, not {lengths.dtype} of {lengths.ndim} dimensions"
        )
    # Sums of 64-bit integers can wrap round; Python's cannot, and the sum is wanted once per bundle only.
    values = lengths.tolist()
    if values and min(values) < 0:
        index = values.index(min(values))
        raise ValueError(f"decode_many: bundle {index} cannot have a length of {values[index]} bytes")
    if sum(values) != total:
        raise ValueError(f"decode_many: the lengths add up to {sum(values)} bytes, but the buffer has {total}")
    return np.array(values, dtype=np.uint64)


def _array(memory: Any, kind: str, count: int) -> NDArray[Any]:
    import numpy as np

    array = np.frombuffer(ffi.buffer(memory), dtype=kind, count=count) if count else np.empty(0, kind)
    array.setflags(write=False)
    return array
