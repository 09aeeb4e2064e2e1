"""Hypothesis strategies for what the adapter carries: packets, bundles, and bundles that are damaged.

    @given(bundles())
    def test_my_parser_takes_any_bundle(data: bytes) -> None: ...

    @given(damaged_bundles())
    def test_my_parser_takes_what_is_good_of_a_damaged_one(damaged: DamagedBundle) -> None: ...

Importing this module registers some of them: ``st.from_type(Bundle)``, ``st.from_type(DamagedBundle)`` and, for what a
stack sends, ``st.from_type(Nbl)``, also where such a thing is a part of something that hypothesis builds.

Sizes are drawn so that every border is met often: nothing, one byte, around multiples of 16, the largest. Long packets
are filled with a pattern, so that a large example costs hypothesis no more than a small one, and shrinks as fast.
"""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

from wintun_sim.bundle import ALIGNMENT, HEADER_SIZE, MAX_PACKET_SIZE, MAX_PACKETS, Bundle, decode, encode
from wintun_sim.operations import Nbl
from wintun_sim.testing.damage import Damage, DamagedBundle, can_be_damaged, damage

WRITTEN_OUT = 16  # bytes of a packet that are drawn; the rest repeats them, so that even 256 packets can be drawn
IPV4_HEADER, IPV6_HEADER = 20, 40  # bytes: the least that the adapter takes for such a packet


def packets(*, min_size: int = 0, max_size: int = MAX_PACKET_SIZE, ip: bool = False) -> st.SearchStrategy[bytes]:
    """Return a strategy for packets of `min_size` to `max_size` bytes (within 0 to 61,424).

    With `ip`, every packet is one that the adapter receives: IPv4 of 20 bytes or more, or IPv6 of 40 or more, judged as
    the adapter does by the first four bits alone. Without, a packet is any bytes.

    Raises ValueError for sizes that are out of range or leave no packet.
    """
    smallest = max(min_size, IPV4_HEADER) if ip else min_size
    if not 0 <= min_size <= max_size <= MAX_PACKET_SIZE or smallest > max_size:
        raise ValueError(f"packets(ip={ip}): no packet has {min_size} to {max_size} bytes")
    return _packets(_sizes(smallest, max_size), ip)


def bundles(
    of: st.SearchStrategy[bytes] | None = None,
    *,
    min_packets: int = 0,
    max_packets: int = MAX_PACKETS,
    zeroed: bool = True,
) -> st.SearchStrategy[bytes]:
    """Return a strategy for whole bundles of `min_packets` to `max_packets` (0 to 256) packets, by default `packets()`.

    With `zeroed=False`, the reserved bytes and the padding hold anything, as bundles of real clients do; such a bundle
    decodes, but not strictly. Raises ValueError for numbers that are out of range.
    """
    if not 0 <= min_packets <= max_packets <= MAX_PACKETS:
        raise ValueError(f"bundles: a bundle has 0 to {MAX_PACKETS} packets, not {min_packets} to {max_packets}")
    lists = st.lists(packets() if of is None else of, min_size=min_packets, max_size=max_packets)
    encoded = lists.map(_encoded)
    return encoded if zeroed else encoded.flatmap(_littered)


def damaged_bundles(*kinds: Damage, of: st.SearchStrategy[bytes] | None = None) -> st.SearchStrategy[DamagedBundle]:
    """Return a strategy for bundles that were damaged in one of these ways, by default in any.

    `of` gives their packets, at most 8 of them, by default `packets(max_size=100)`; those that cannot be damaged in the
    way that was drawn are made of other sizes. See `wintun_sim.testing.damage` for what a DamagedBundle tells.
    """
    return _damaged(kinds or tuple(Damage), packets(max_size=100) if of is None else of)


def nbls(*, most_packets: int = 4) -> st.SearchStrategy[Nbl]:
    """Return a strategy for NBLs that a stack sends, of 0 to `most_packets` IP packets of up to 1,500 bytes.

    Cancel ids, the sizes of MDLs and unused bytes before the data are drawn too. Raises ValueError for a number of
    packets below 0.
    """
    if most_packets < 0:
        raise ValueError(f"nbls: an NBL cannot have {most_packets} packets; 0 is the least")
    contents = st.lists(packets(ip=True, max_size=1500), max_size=most_packets).map(tuple)
    return st.builds(Nbl, contents, st.integers(0, 3), st.sampled_from((0, 1, 7, 64)), st.integers(0, 20))


@st.composite
def _damaged(draw: st.DrawFn, kinds: Sequence[Damage], of: st.SearchStrategy[bytes]) -> DamagedBundle:
    how = draw(st.sampled_from(kinds))
    contents = draw(st.lists(of, min_size=1, max_size=8))
    number = draw(st.integers(0, len(contents) - 1))
    if not can_be_damaged(contents, how, number):
        size = ALIGNMENT * 2 + (how is not Damage.LATER_README)
        contents[number] = contents[-1] = bytes([0x45]) * size
    return damage(contents, how, number=number, amount=draw(st.integers(1, 15)))


def _register() -> None:
    """Tell hypothesis how to draw what cannot be drawn from a type's own arguments."""
    st.register_type_strategy(Bundle, lambda _: bundles().map(decode))
    st.register_type_strategy(DamagedBundle, lambda _: damaged_bundles())
    st.register_type_strategy(Nbl, lambda _: nbls())


def _encoded(contents: Sequence[bytes]) -> bytes:
    return encode(contents)


def _sizes(smallest: int, largest: int) -> st.SearchStrategy[int]:
    small = st.integers(smallest, min(largest, smallest + 4 * ALIGNMENT))
    multiples = st.integers(smallest // ALIGNMENT, largest // ALIGNMENT).map(lambda n: n * ALIGNMENT)
    near_multiples = st.builds(int.__add__, multiples, st.integers(-1, 1))
    return st.one_of(small, near_multiples, st.just(largest)).map(lambda size: min(max(size, smallest), largest))


@st.composite
def _packets(draw: st.DrawFn, sizes: st.SearchStrategy[int], ip: bool) -> bytes:
    size = draw(sizes)
    drawn = min(size, WRITTEN_OUT)
    start = draw(st.binary(min_size=drawn, max_size=drawn))
    if ip:
        version = draw(st.sampled_from((4, 6))) if size >= IPV6_HEADER else 4
        start = bytes([version << 4 | start[0] & 15]) + start[1:]
    return (start * -(-size // WRITTEN_OUT))[:size]


def _littered(data: bytes) -> st.SearchStrategy[bytes]:
    """Return a strategy that overwrites a bundle's reserved and padding bytes with others, at least one not zero."""
    if not data:
        return st.just(data)
    return st.binary(min_size=1, max_size=WRITTEN_OUT).filter(any).map(lambda litter: _spread(data, litter))


def _spread(data: bytes, litter: bytes) -> bytes:
    littered = bytearray(data)
    bundle = decode(data)
    places = [
        place
        for offset, size in zip(bundle.offsets.tolist(), bundle.sizes.tolist(), strict=True)
        for place in (
            *range(offset - HEADER_SIZE + 4, offset),
            *range(offset + size, offset + size + -size % ALIGNMENT),
        )
    ]
    for index, place in enumerate(places):
        littered[place] = litter[index % len(litter)]
    return bytes(littered)


_register()
