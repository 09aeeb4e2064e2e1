"""What is wrong with a bundle, told to a person: offset by offset, and what its writer probably believed.

A parser stops where a record cannot be taken, and that is rarely where the mistake was made. So the whole buffer is
looked at: what lies in the bytes that nobody checks, what the adapter would skip, and whether another way of writing
bundles explains all of it, as Wintun's documentation has described the format wrongly twice and the format has changed
since (shared/FORMAT.md tells that story). A buffer is judged as one write to the adapter, so the 256 packets of a
bundle are no limit here; a remark says where they end.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from wintun_sim.bundle.decoding import decode
from wintun_sim.bundle.format import (
    HEADER_SIZE,
    MAX_BUFFER_SIZE,
    MAX_PACKET_SIZE,
    MAX_PACKETS,
    MIN_WRITE_SIZE,
    BundleError,
    Reason,
    Stop,
    ffi,
    lib,
    record_size,
    stop_of,
    view_of,
)
from wintun_sim.bundle.layouts import (
    IPV4_HEADER,
    IPV6_HEADER,
    NATIVE,
    Buffer,
    Layout,
    ip_length,
    packet_words,
    recognise,
    resumes_at,
)

if TYPE_CHECKING:
    from wintun_sim.bundle.format import Readable

MOST_REMARKS: Final = 1000
"""Remarks that a diagnosis keeps; how many there were beyond is counted."""

SHOWN: Final = 20
"""Remarks that the text of a diagnosis shows."""

_SIZE: Final = 4  # bytes of a header that are its packet's size; the rest is reserved
_RESERVED_ZERO: Final = bytes(HEADER_SIZE - _SIZE)


class Gravity(enum.IntEnum):
    """How much a remark matters."""

    NOTE = 0
    """The adapter does not mind; decoding, or strict decoding, does."""
    WARNING = 1
    """The adapter goes on, but hardly does what was meant."""
    ERROR = 2
    """The adapter stops here, or refuses the whole."""

    def __str__(self) -> str:
        return self.name.lower()


class Remark(NamedTuple):
    """Something to know about one place of a buffer."""

    offset: int
    """In bytes from the buffer's start: the first byte concerned."""
    number: int
    """Of the record; the first is 0."""
    gravity: Gravity
    text: str
    """What is there, and what should be."""

    def __str__(self) -> str:
        return f"offset {self.offset}, record {self.number}: {self.gravity}: {self.text}"


class Record(NamedTuple):
    """One record of a buffer, as the adapter takes it."""

    offset: int
    """Of its header, in bytes from the buffer's start."""
    size: int
    """Of its packet, 0 to 61,424 bytes."""
    padding: int
    """Bytes behind the packet, 0 to 15."""
    words: str
    """What the packet is, in a few words."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What was found in a buffer that should be one bundle. Made by diagnose(); ``str()`` tells it to a person.

    ``length`` is the buffer's, in bytes. ``stop`` says where the adapter stops, and why: Reason.END where all bytes are
    taken. ``received`` and ``skipped`` count the packets that a write of the buffer hands to the stack, and those that
    it passes over since they are no IP packets. ``refused`` names the status with which the adapter refuses the whole
    write for its length, or is empty. ``remarks`` are in the order of their offsets, at most 1,000; ``left_out`` counts
    the others. ``layout`` is how the buffer was written, as far as that can be told, and ``resumes_at`` the offset
    behind the stop at which a record seems to begin again, or None.
    """

    length: int
    layout: Layout
    stop: Stop
    received: int
    skipped: int
    refused: str
    remarks: tuple[Remark, ...]
    left_out: int
    resumes_at: int | None
    gravity: Gravity
    """The gravest of all remarks; a note where there is none."""

    clean: bool
    """Whether the buffer is exactly what `encode` writes: strict decoding takes all of it."""

    @property
    def good(self) -> bool:
        """Whether a write of the buffer does what was meant: a bundle, and nothing to remark but notes."""
        return self.gravity is Gravity.NOTE and self.layout is Layout.BUNDLE

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def lines(self) -> Iterator[str]:
        """Give the diagnosis as lines of text."""
        records = f"{self.stop.number:,} record{'s' * (self.stop.number != 1)}"
        yield f"{self.length:,} bytes, {records}{'' if self.stop.reason is Reason.END else ', then an error'}"
        yield from (f"  {remark}" for remark in self.remarks[:SHOWN])
        more = len(self.remarks) - SHOWN + self.left_out
        if more > 0:
            yield f"  and {more:,} more remarks"
        if self.resumes_at is not None:
            yield (
                f"  offset {self.resumes_at}: a record seems to begin here again, {self.resumes_at - self.stop.offset}"
                f" bytes after the one at offset {self.stop.offset} that could not be taken"
            )
        yield f"layout: {self.layout.words}"
        if self.layout.repair:
            yield f"repair: {self.layout.repair}"
        yield f"as a write: {self._as_write()}"

    def _as_write(self) -> str:
        if self.refused:
            return f"{self.refused}, Information 0; nothing is received"
        received = f"{self.received:,} packet{'s' * (self.received != 1)} received"
        skipped = f", {self.skipped:,} skipped" if self.skipped else ""
        return f"STATUS_SUCCESS, Information {self.stop.offset}; {received}{skipped}"


def records(buffer: Readable) -> Iterator[Record]:
    """Give the records of a buffer up to the first that cannot be taken, as many as there are.

    Raises TypeError for what is no contiguous bytes-like object.
    """
    view = view_of("records", buffer)
    found = _walk(view)
    for offset, size in zip(found.offsets, found.sizes, strict=True):
        words = packet_words(view[offset : offset + size])
        yield Record(offset - HEADER_SIZE, size, record_size(size) - HEADER_SIZE - size, words)


def diagnose(buffer: Readable) -> Diagnosis:
    """Say what is wrong with a buffer that should be one bundle, as the adapter would take it from a write.

    `buffer` is any contiguous bytes-like object, of any length and content; it is not changed, and nothing in it makes
    this fail. Raises TypeError for what is no contiguous bytes-like object.
    """
    view = bytes(view_of("diagnose", buffer))  # nobody may change it on the way
    found = _walk(view)
    notes = _Notes()
    received = skipped = 0
    for number, (offset, size) in enumerate(zip(found.offsets, found.sizes, strict=True)):
        if number == MAX_PACKETS:
            notes.add(offset - HEADER_SIZE, number, Gravity.NOTE, _TOO_MANY)
        taken = _look_at(view, notes, number, offset, size)
        received, skipped = received + taken, skipped + (not taken)
    layout = recognise(view, found.stop.reason, found.offsets, found.sizes)
    if found.stop.reason is not Reason.END:
        notes.add(found.stop.offset, found.stop.number, Gravity.ERROR, _why(view, found.stop))
    refused = _refusal(len(view))
    if refused and len(view) > MAX_BUFFER_SIZE:
        notes.add(MAX_BUFFER_SIZE, found.stop.number, Gravity.ERROR, f"a write has at most {MAX_BUFFER_SIZE:,} bytes")
    stopped = found.stop.reason is not Reason.END and layout is Layout.UNKNOWN
    return Diagnosis(
        len(view),
        layout,
        found.stop,
        0 if refused else received,
        0 if refused else skipped,
        refused,
        tuple(sorted(notes.kept)),
        notes.left_out,
        resumes_at(view, found.stop.offset) if stopped else None,
        notes.gravest,
        _is_clean(view),
    )


_TOO_MANY: Final = (
    f"a bundle has {MAX_PACKETS} packets at most; the adapter takes more from a write, but no read brings more, and"
    " `decode` stops here (bundles that lie one behind the other in a file go on like this)"
)


class _Walk(NamedTuple):
    offsets: list[int]  # of packets
    sizes: list[int]
    stop: Stop


class _Notes:
    def __init__(self) -> None:
        self.kept: list[Remark] = []
        self.left_out = 0
        self.gravest = Gravity.NOTE

    def add(self, offset: int, number: int, gravity: Gravity, text: str) -> None:
        """Keep a remark, unless there are enough; errors are few, and always kept."""
        self.gravest = max(self.gravest, gravity)
        if len(self.kept) < MOST_REMARKS or gravity is Gravity.ERROR:
            self.kept.append(Remark(offset, number, gravity, text))
        else:
            self.left_out += 1


def _is_clean(view: bytes) -> bool:
    try:
        decode(view, strict=True)
    except BundleError:
        return False
    return True


def _walk(view: Buffer) -> _Walk:
    """Take all records, as the adapter does from a write."""
    capacity = len(view) // HEADER_SIZE + 1  # one more than there can be: the limit is never why it stops
    offsets, sizes = ffi.new("uint64_t[]", capacity), ffi.new("uint32_t[]", capacity)
    stop = ffi.new("struct bundle_stop *")
    with ffi.from_buffer(view) as memory:
        count = lib.bundle_decode(memory, len(view), capacity, 0, offsets, sizes, stop)
    return _Walk(ffi.unpack(offsets, count), ffi.unpack(sizes, count), stop_of(stop))


def _look_at(view: bytes, notes: _Notes, number: int, offset: int, size: int) -> bool:
    """Note what is odd about one record; tell whether the stack receives its packet."""
    reserved = view[offset - HEADER_SIZE + _SIZE : offset]
    if reserved != _RESERVED_ZERO:
        place = next(place for place, byte in enumerate(reserved) if byte)
        notes.add(
            offset - HEADER_SIZE + _SIZE + place,
            number,
            Gravity.NOTE,
            f"reserved bytes of the header are not zero ({_hex(reserved)}); only strict decoding minds",
        )
    end = offset + size
    padding = view[end : end + (-size % HEADER_SIZE)]
    if any(padding):
        place = next(place for place, byte in enumerate(padding) if byte)
        notes.add(
            end + place, number, Gravity.NOTE, f"padding is not zero ({_hex(padding)}); only strict decoding minds"
        )
    packet = view[offset:end]
    version = packet[0] >> 4 if size else 0
    if not ((version == 4 and size >= IPV4_HEADER) or (version == 6 and size >= IPV6_HEADER)):
        notes.add(offset - HEADER_SIZE, number, Gravity.WARNING, _no_ip(size, version))
        return False
    said = ip_length(packet)
    unsaid = 0 if version == 4 else IPV6_HEADER  # where a network card was to cut the packet up, and in jumbograms
    if said not in (size, unsaid):
        text = f"the packet says that it has {said:,} bytes, its record says {size:,}; the adapter compares nothing"
        notes.add(offset, number, Gravity.WARNING, text)
    return True


def _no_ip(size: int, version: int) -> str:
    if not size:
        return "an empty packet: the adapter skips it and counts an ifInErrors"
    if version in (4, 6):
        least = IPV4_HEADER if version == 4 else IPV6_HEADER
        why = f"IPv{version} needs {least} bytes, and these are {size}"
    else:
        why = f"its first four bits are {version}, neither 4 nor 6"
    return f"no IP packet ({why}): the adapter skips it and counts an ifInErrors"


def _why(view: bytes, stop: Stop) -> str:
    """Say why a record cannot be taken, with numbers."""
    left = len(view) - stop.offset
    if left < HEADER_SIZE:
        return f"cut short: {left} stray byte{'s' * (left != 1)} where a header of {HEADER_SIZE} bytes should begin"
    size = int.from_bytes(view[stop.offset : stop.offset + _SIZE], NATIVE)
    if size > MAX_PACKET_SIZE:
        return f"over long: a size of {size:,} bytes (0x{size:08X}), where {MAX_PACKET_SIZE:,} is the largest"
    behind = left - HEADER_SIZE
    if behind < size:
        return f"cut short: the header says {size:,} bytes, and {behind:,} are left behind it"
    padding = -size % HEADER_SIZE
    missing = padding - (behind - size)
    return (
        f"cut short: the packet of {size:,} bytes is whole, but {missing} of {padding} bytes of padding behind it"
        f" {'is' if missing == 1 else 'are'} missing; the last record needs them too"
    )


def _refusal(length: int) -> str:
    """Return the status with which the adapter refuses a write of this length, or nothing."""
    if length == 0:
        return "STATUS_INVALID_PARAMETER"
    return "STATUS_INVALID_USER_BUFFER" if not MIN_WRITE_SIZE <= length <= MAX_BUFFER_SIZE else ""


def _hex(data: bytes) -> str:
    return data.hex(" ")
