"""Damaged bundles, each with what is wrong with it: what a program that parses bundles has to survive.

    @pytest.mark.parametrize("damaged", damaged_examples(), ids=str)
    def test_my_parser_takes_what_is_good_and_no_more(damaged):
        assert my_parser(damaged.data) == list(damaged.packets)

``damage`` breaks a bundle of given packets in one of several ways, ``damaged_examples`` gives one of each, and
``wintun_sim.testing.strategies.damaged_bundles`` lets hypothesis choose.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from wintun_sim.bundle import HEADER_SIZE, MAX_PACKET_SIZE, MAX_PACKETS, BundleError, Stop, decode, encode
from wintun_sim.bundle.layouts import NATIVE, OTHER, ByteOrder
from wintun_sim.operations.data import ipv4

LITTER: Final = b"\xa5"
"""What stands where the format has zeros."""


class Damage(enum.Enum):
    """A way in which a bundle can be broken; the value says it in words."""

    STRAY_BYTES = "bytes behind the last record, too few for a header"
    PACKET_CUT = "the last packet's end is missing"
    PADDING_CUT = "the last packet is whole, but its padding is not"
    OVER_LONG = "a packet is one byte longer than the largest"
    HUGE_SIZE = "a size is so large that its sum with 16 wraps round in 32 bits"
    SIZE_BEYOND = "a size reaches beyond the end"
    BYTE_ORDER = "the sizes are in the other byte order"
    FIRST_README = "the padding is that of Wintun's first README"
    LATER_README = "the padding is that of a later README of Wintun"
    LATER_FORMAT = "the bundle is in Wintun's format from July 2019 on, with headers of 4 bytes"
    TOO_MANY = "there are more than 256 records"
    USED_RESERVED = "reserved bytes of a header are not zero; only strict decoding minds"
    USED_PADDING = "a byte of padding is not zero; only strict decoding minds"

    def __str__(self) -> str:
        return self.name.lower().replace("_", "-")


@dataclass(frozen=True, slots=True)
class DamagedBundle:
    """A bundle that was broken on purpose. Made by damage().

    ``data`` are its bytes; ``number`` is the first record that was broken, the very first being 0. ``packets`` are
    those that can still be taken, and ``stop`` says where and why a parser stops, as `wintun_sim.bundle.decode` does;
    ``strict_stop`` is the same for strict decoding. ``wrong`` says what is wrong, in words.
    """

    damage: Damage
    number: int
    data: bytes = field(repr=False)
    packets: tuple[bytes, ...] = field(repr=False)
    stop: Stop
    strict_stop: Stop

    @property
    def wrong(self) -> str:
        """What is wrong, in words, and where."""
        return f"{self.damage.value} (record {self.number})"

    def __str__(self) -> str:
        return str(self.damage)


def damage(packets: Sequence[bytes], how: Damage, *, number: int = -1, amount: int = 1) -> DamagedBundle:
    """Return the bundle of ``packets`` (1 to 256, of at most 61,424 bytes each), broken.

    ``number`` chooses the record where any could be broken (an index into ``packets``, so -1 is the last). ``amount``
    (1 to 15) is how many bytes there are too many or too few, where that can be chosen; less where there are not as
    many. Raises ValueError for packets that cannot be broken in this way: PADDING_CUT and USED_PADDING need a size that
    is no multiple of 16, PACKET_CUT a last packet, and BYTE_ORDER a packet, that is not empty, LATER_README a size that
    is a multiple of 16 but not 0.
    """
    if not packets or not 1 <= amount <= 15 or not -len(packets) <= number < len(packets):
        raise ValueError(
            f"damage: {len(packets)} packets, record {number}, amount {amount}: at least one packet, one of the"
            " records, and 1 to 15 are needed"
        )
    number = _first_broken(packets, how, number % len(packets))
    data = b"".join(_BREAKERS[how](packets, number, amount))
    found = decode(data)
    return DamagedBundle(how, number, data, tuple(found.tolist()), found.stop, _strict_stop(data))


def damaged_examples() -> tuple[DamagedBundle, ...]:
    """Return one damaged bundle of each kind, small ones, always the same."""
    packets = [ipv4(28), ipv4(32), ipv4(45)]
    return tuple(damage(packets, how, number=1 if how is Damage.OVER_LONG else -1) for how in Damage)


def can_be_damaged(packets: Sequence[bytes], how: Damage, number: int = -1) -> bool:
    """Tell whether ``damage`` can break these packets in this way."""
    if not packets:
        return False
    if how is Damage.USED_PADDING:
        return len(packets[number]) % HEADER_SIZE != 0
    if how is Damage.PADDING_CUT:
        return len(packets[-1]) % HEADER_SIZE != 0
    if how is Damage.PACKET_CUT:
        return len(packets[-1]) > 0
    if how is Damage.BYTE_ORDER:
        return any(packets)
    if how is Damage.LATER_README:
        return any(packet and len(packet) % HEADER_SIZE == 0 for packet in packets)
    return True


def _first_broken(packets: Sequence[bytes], how: Damage, number: int) -> int:
    if how in (Damage.PACKET_CUT, Damage.PADDING_CUT, Damage.SIZE_BEYOND):
        return len(packets) - 1
    if how is Damage.STRAY_BYTES:
        return len(packets)
    if how is Damage.TOO_MANY:
        return MAX_PACKETS
    if how in (Damage.FIRST_README, Damage.LATER_FORMAT):
        return 0
    if how is Damage.BYTE_ORDER:
        return next((place for place, packet in enumerate(packets) if packet), 0)
    if how is Damage.LATER_README:
        return next((place for place, packet in enumerate(packets) if packet and len(packet) % HEADER_SIZE == 0), 0)
    return number


def _strict_stop(data: bytes) -> Stop:
    """Return where strict decoding stops: at the first record with a byte that is not zero, or where any does."""
    try:
        return decode(data, strict=True).stop
    except BundleError as error:
        return error.stop


Pieces = Iterator[bytes]
Breaker = Callable[[Sequence[bytes], int, int], Pieces]


def _record(
    packet: bytes,
    *,
    size: int | None = None,
    header: int = HEADER_SIZE,
    order: ByteOrder = NATIVE,
    padding: int | None = None,
    litter: bytes = b"",
) -> bytes:
    """Return one record whose parts are as given, right or wrong; ``litter`` stands in the header's reserved bytes."""
    shown = (len(packet) if size is None else size).to_bytes(4, order) + litter
    behind = -len(packet) % HEADER_SIZE if padding is None else padding
    return shown.ljust(header, b"\0") + packet + bytes(behind)


def _stray(packets: Sequence[bytes], _number: int, amount: int) -> Pieces:
    yield encode(packets)
    yield bytes(amount)


def _cut_packet(packets: Sequence[bytes], _number: int, amount: int) -> Pieces:
    _demand(packets, Damage.PACKET_CUT)
    whole = encode(packets)
    yield whole[: len(whole) - (-len(packets[-1]) % HEADER_SIZE) - min(amount, len(packets[-1]))]


def _cut_padding(packets: Sequence[bytes], _number: int, amount: int) -> Pieces:
    _demand(packets, Damage.PADDING_CUT)
    whole = encode(packets)
    yield whole[: len(whole) - min(amount, -len(packets[-1]) % HEADER_SIZE)]


def _over_long(packets: Sequence[bytes], number: int, amount: int) -> Pieces:
    for place, packet in enumerate(packets):
        yield _record(bytes(MAX_PACKET_SIZE + amount) if place == number else packet)


def _huge(packets: Sequence[bytes], number: int, amount: int) -> Pieces:
    for place, packet in enumerate(packets):
        yield _record(packet, size=2**32 - amount if place == number else None)


def _beyond(packets: Sequence[bytes], number: int, amount: int) -> Pieces:
    for place, packet in enumerate(packets):
        last = place == number
        beyond = min(len(packet) + (-len(packet) % HEADER_SIZE) + amount, 2**32 - 1)
        yield _record(packet, size=beyond if last else None)


def _byte_order(packets: Sequence[bytes], _number: int, _amount: int) -> Pieces:
    _demand(packets, Damage.BYTE_ORDER)
    for packet in packets:
        yield _record(packet, order=OTHER)


def _first_readme(packets: Sequence[bytes], _number: int, _amount: int) -> Pieces:
    for place, packet in enumerate(packets):
        yield _record(packet, padding=16 - ((4 + len(packet)) & 15) if place + 1 < len(packets) else 0)


def _later_readme(packets: Sequence[bytes], _number: int, _amount: int) -> Pieces:
    _demand(packets, Damage.LATER_README)
    for packet in packets:
        yield _record(packet, padding=16 - (len(packet) & 15))


def _later_format(packets: Sequence[bytes], _number: int, _amount: int) -> Pieces:
    for packet in packets:
        yield _record(packet, header=4, padding=-len(packet) % 4)


def _too_many(packets: Sequence[bytes], _number: int, amount: int) -> Pieces:
    for place in range(MAX_PACKETS + amount):
        yield _record(packets[place % len(packets)])


def _used_reserved(packets: Sequence[bytes], number: int, amount: int) -> Pieces:
    for place, packet in enumerate(packets):
        yield _record(packet, litter=LITTER * min(amount, HEADER_SIZE - 4) if place == number else b"")


def _used_padding(packets: Sequence[bytes], number: int, _amount: int) -> Pieces:
    _demand(packets, Damage.USED_PADDING, number)
    for place, packet in enumerate(packets):
        record = _record(packet)
        yield record[:-1] + LITTER if place == number else record


def _demand(packets: Sequence[bytes], how: Damage, number: int = -1) -> None:
    if not can_be_damaged(packets, how, number):
        raise ValueError(f"damage: packets of these sizes cannot be broken so that {how.value}")


_BREAKERS: Final[dict[Damage, Breaker]] = {
    Damage.STRAY_BYTES: _stray,
    Damage.PACKET_CUT: _cut_packet,
    Damage.PADDING_CUT: _cut_padding,
    Damage.OVER_LONG: _over_long,
    Damage.HUGE_SIZE: _huge,
    Damage.SIZE_BEYOND: _beyond,
    Damage.BYTE_ORDER: _byte_order,
    Damage.FIRST_README: _first_readme,
    Damage.LATER_README: _later_readme,
    Damage.LATER_FORMAT: _later_format,
    Damage.TOO_MANY: _too_many,
    Damage.USED_RESERVED: _used_reserved,
    Damage.USED_PADDING: _used_padding,
}

__all__ = ["Damage", "DamagedBundle", "can_be_damaged", "damage", "damaged_examples"]
