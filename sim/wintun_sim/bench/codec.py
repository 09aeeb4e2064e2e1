"""How fast the codec is: in C against the least that anyone could do instead, in Python against what people use.

In C, one bundle of 256 packets is worked on again and again, so that it stays in the processor's caches; then many
bundles that do not fit any cache, read from memory. In Python, one bundle in a call, and many in one call, against
`struct`, and against construct and scapy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from wintun_sim import bundle, native
from wintun_sim.bench import others, pure
from wintun_sim.bench.measure import Row, Times, alone, at_least, at_most, side_by_side
from wintun_sim.bundle import format as bundle_format

if TYPE_CHECKING:
    from numpy.typing import NDArray

ffi, lib = native.load("wintun_sim.bench._baseline")

SIZES = (64, 576, 1420)  # bytes: an acknowledgement, what any host accepts, a full packet in a tunnel
ENCODE_TARGETS = {64: 1.15, 576: 1.06, 1420: 1.06}  # × memcpy of the packets one by one
DECODE_TARGET = 1.2  # × a walk that checks nothing
MEMORY_TARGETS = {64: 1.2, 576: 0.6, 1420: 0.45}  # × memcpy of the bytes
ARRAY_TARGET = 50.0  # times as fast as pure Python
# Only for small packets: with larger ones both sides spend their time in the allocator and in copying the packets, and
# another row says how close to that floor the codec is.
LIST_TARGETS = {64: 6.0}  # times as fast as pure Python
CONSTRUCT_TARGET = 300.0  # times as fast, lists of small packets and arrays of any
SCAPY_TARGET = 1300.0
OTHERS_ROUNDS = 21  # at most: they take milliseconds for a bundle, so that the clock does not show

PACKETS = bundle.MAX_PACKETS
REPEATS = 20  # in one call of C, so that the call itself does not show
MANY = 64  # bundles in one call from Python
MIXED_SEED = 1


def measure(rounds: int, megabytes: int) -> Iterator[Row]:
    """Yield one comparison after the other: medians over `rounds`; `megabytes` of bundles for those from memory."""
    for size in SIZES:
        yield from _in_cache(size, rounds)
    for size in SIZES:
        yield from _from_memory(size, rounds, megabytes)
    yield from _from_memory(None, rounds, megabytes)
    for size in SIZES:
        yield from _in_python(size, rounds)
    yield from _in_python(None, rounds)
    for size in SIZES:
        yield from _against_others(size, min(rounds, OTHERS_ROUNDS))


class _Work:
    """Memory for bundles of packets of these sizes, as `struct baseline_work`, and the calls that work on it."""

    def __init__(self, sizes: NDArray[np.uint32], count: int, *, in_place: bool) -> None:
        stored = 1 if in_place else count
        packets_length = int(sizes.sum())
        one = np.frombuffer(bundle.encode(bytes(packets_length), sizes), np.uint8)
        bundle_length = len(one)
        self.bundles: NDArray[np.uint8] = np.tile(one, stored)
        self.lengths = np.full(stored, bundle_length)
        self.packets = count * PACKETS
        packets = np.ones(packets_length, np.uint8)
        offsets, decoded_sizes = np.empty(PACKETS, np.uint64), np.empty(PACKETS, np.uint32)
        self._kept = (packets, sizes, offsets, decoded_sizes)
        self._work = ffi.new(
            "struct baseline_work *",
            {
                "bundles": ffi.from_buffer("unsigned char[]", self.bundles),
                "packets": ffi.from_buffer("unsigned char[]", packets),
                "sizes": ffi.from_buffer("uint32_t[]", sizes),
                "offsets": ffi.from_buffer("uint64_t[]", offsets),
                "decoded_sizes": ffi.from_buffer("uint32_t[]", decoded_sizes),
                "packet_count": PACKETS,
                "bundle_length": bundle_length,
                "packets_length": packets_length,
                "bundle_stride": 0 if in_place else bundle_length,
                "packets_stride": 0,
                "count": count,
            },
        )

    def call(self, function: Any, *arguments: Any) -> Callable[[], object]:
        work = self._work
        return lambda: function(work, *arguments)

    def encode(self) -> Callable[[], object]:
        return self.call(lib.baseline_encode, _address("bundle_encode"))

    def decode(self) -> Callable[[], object]:
        return self.call(lib.baseline_decode, _address("bundle_decode"))


def _address(name: str) -> Any:
    """Return the address of a function in the installed codec."""
    codec = bundle_format.ffi
    return ffi.cast("void *", int(codec.cast("uintptr_t", codec.addressof(bundle_format.lib, name))))


def _in_cache(size: int, rounds: int) -> Iterator[Row]:
    where = f"{size} B"
    work = _Work(_sizes(size), REPEATS, in_place=True)
    times = side_by_side(
        {
            "encode": work.encode(),
            "to place": work.call(lib.baseline_copy_to_place),
            "packed": work.call(lib.baseline_copy_packed),
        },
        work.packets,
        rounds,
    )
    encode, to_place, packed = times["encode"], times["to place"], times["packed"]
    yield at_most("C encode", where, "memcpy of each to its place", encode, to_place, ENCODE_TARGETS[size])
    # Where records must begin at multiples of 16, packets often lie across cache lines that packed ones need not touch.
    yield at_most("C encode", where, "memcpy of each, packed", encode, packed, None)
    work = _Work(_sizes(size), REPEATS, in_place=True)
    times = side_by_side({"decode": work.decode(), "walk": work.call(lib.baseline_walk)}, work.packets, rounds)
    yield at_most("C decode", where, "unchecked walk", times["decode"], times["walk"], DECODE_TARGET)


def _from_memory(size: int | None, rounds: int, megabytes: int) -> Iterator[Row]:
    where = f"{_name(size)}, memory"
    sizes = _sizes(size)
    one = sum(bundle.record_size(each) for each in sizes.tolist())
    work = _Work(sizes, max(1, megabytes * 2**20 // one), in_place=False)
    copy = np.zeros_like(work.bundles)
    times = side_by_side(
        {
            "decode": work.decode(),
            "decode_many": lambda: bundle.decode_many(work.bundles, work.lengths),
            "copy": work.call(lib.baseline_copy_all, ffi.from_buffer("char[]", copy)),
        },
        work.packets,
        rounds,
    )
    copied = times["copy"]
    target = MEMORY_TARGETS.get(size or 0)
    yield at_most("C decode", where, "memcpy of the bytes", times["decode"], copied, target)
    # One bundle's loads wait for each other; decode_many takes several bundles in turns, and theirs do not.
    yield at_most("decode_many", where, "memcpy of the bytes", times["decode_many"], copied, None)


def _in_python(size: int | None, rounds: int) -> Iterator[Row]:
    packets = [bytes(each) for each in _sizes(size).tolist()]
    data = bundle.encode(packets)
    many, lengths = bundle.encode_many(packets * MANY)

    def arrays_of_one() -> object:
        decoded = bundle.decode(data)
        return decoded.offsets, decoded.sizes

    one = side_by_side(
        {
            "struct": lambda: pure.decode(data),
            "list": lambda: bundle.decode(data).tolist(),
            "arrays": arrays_of_one,
            "struct encode": lambda: pure.encode(packets),
            "encode": lambda: bundle.encode(packets),
        },
        PACKETS,
        rounds,
    )
    index = bundle.decode(data)
    floor = side_by_side({"list": lambda: bundle.decode(data).tolist(), "copies": index.tolist}, PACKETS, rounds)
    # By itself, so that its many bundles are where they are when nothing else runs, as the one bundle above is.
    all_at_once = side_by_side({"arrays": lambda: bundle.decode_many(many, lengths)}, PACKETS * MANY, rounds)

    def row(subject: str, times: Times, baselines: Times, target: float | None) -> Row:
        return at_least(subject, _name(size), "pure Python struct", times, baselines, target)

    yield row("decode to list of bytes", one["list"], one["struct"], LIST_TARGETS.get(size or 0))
    yield at_most("decode to list of bytes", _name(size), "making the list alone", floor["list"], floor["copies"], None)
    yield row(
        f"decode to arrays, {MANY} bundles",
        all_at_once["arrays"],
        one["struct"],
        ARRAY_TARGET if size else None,
    )
    yield row("decode to arrays, one bundle", one["arrays"], one["struct"], None)
    yield row("encode a list of bytes", one["encode"], one["struct encode"], None)


def _against_others(size: int, rounds: int) -> Iterator[Row]:
    """Compare lists and arrays with construct and scapy, which make an object of each record."""
    packets = [bytes(size)] * PACKETS
    data = bundle.encode(packets)
    many, lengths = bundle.encode_many(packets * MANY)
    in_list = size in LIST_TARGETS
    known: dict[str, tuple[others.Decode, float | None]] = {"scapy": (others.with_scapy(), SCAPY_TARGET)}
    if not others.missing():
        known["construct"] = (others.with_construct(), CONSTRUCT_TARGET)
        known["construct, compiled"] = (others.with_construct(compiled=True), None)
    for decode, _ in known.values():
        assert decode(data) == packets, "or it is not the same work"
    contenders = {name: (lambda decode=decode: decode(data)) for name, (decode, _) in known.items()}
    times = side_by_side({"list": lambda: bundle.decode(data).tolist(), **contenders}, PACKETS, rounds)
    arrays = side_by_side({"arrays": lambda: bundle.decode_many(many, lengths)}, PACKETS * MANY, rounds)["arrays"]
    lists, many_arrays = "decode to list of bytes", f"decode to arrays, {MANY} bundles"
    for name, (_, goal) in known.items():
        yield at_least(lists, _name(size), name, times["list"], times[name], goal if in_list else None)
        yield at_least(many_arrays, _name(size), name, arrays, times[name], goal)
    if others.missing():
        yield alone(lists, _name(size), "construct", times["list"], CONSTRUCT_TARGET if in_list else None)
        yield alone(many_arrays, _name(size), "construct", arrays, CONSTRUCT_TARGET)


def _sizes(size: int | None) -> NDArray[np.uint32]:
    """Return the sizes of 256 packets: all the same, or, for None, small, middle and full ones mixed as 7 to 4 to 1."""
    if size is not None:
        return np.full(PACKETS, size, np.uint32)
    return np.random.default_rng(MIXED_SEED).choice(SIZES, PACKETS, p=(7 / 12, 4 / 12, 1 / 12)).astype(np.uint32)


def _name(size: int | None) -> str:
    return "mixed" if size is None else f"{size} B"
