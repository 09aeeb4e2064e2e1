"""Ways in which bundles have been written, right and wrong, and how each is recognised.

Wintun's README of April 2019 gave the padding as ``16-((4+size)&15)`` and drew none behind the last packet; a later one
gave ``16-(size&15)``; from July 2019 on, the header has 4 bytes and the alignment is 4. The driver never wrote or took
the first two. Clients that followed them exist, and so do clients that write sizes in the network's byte order, or a
packet without any header at all. A layout is recognised when it explains every byte of a buffer that is no bundle.
"""

from __future__ import annotations

import enum
import ipaddress
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from wintun_sim.bundle.format import ALIGNMENT, HEADER_SIZE, MAX_PACKET_SIZE, Reason

ByteOrder = Literal["little", "big"]
Buffer = bytes | memoryview
"""Bytes that are looked at; slices of `bytes` are the faster ones where there are many."""

NATIVE: Final[ByteOrder] = "little" if sys.byteorder == "little" else "big"
OTHER: Final[ByteOrder] = "big" if sys.byteorder == "little" else "little"

IPV4_HEADER, IPV6_HEADER = 20, 40  # bytes: the least that the adapter takes for such a packet
LATER_MAX_PACKET_SIZE: Final = 61_436  # bytes, of the layout from July 2019 on
LOOK_AHEAD: Final = 4096  # bytes behind a record that cannot be taken in which another is looked for

_RESERVED: Final = bytes(HEADER_SIZE - 4)
_PROTOCOLS: Final = {1: "ICMP", 2: "IGMP", 6: "TCP", 17: "UDP", 44: "fragment", 47: "GRE", 58: "ICMPv6"}
_CAPTURES: Final = (b"\xa1\xb2\xc3\xd4", b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\x3c\x4d", b"\x4d\x3c\xb2\xa1", b"\n\r\r\n")
_RIGHT: Final = f"put (-size) % {ALIGNMENT} zeros behind every packet, the last one too"


class Layout(enum.Enum):
    """How a buffer was written, as far as that can be told. ``words`` says it, ``repair`` what to do instead."""

    NOTHING = ("nothing at all", "")
    BUNDLE = ("a bundle: headers of 16 bytes, records that begin at multiples of 16", "")
    FIRST_README = (
        "headers of 16 bytes, and the padding of Wintun's first README, 16-((4+size)&15), which the driver never took",
        _RIGHT,
    )
    LATER_README = (
        "headers of 16 bytes, and the padding of a later README of Wintun, 16-(size&15): where the size is a multiple"
        " of 16, the 16 zeros too many read as an empty packet",
        _RIGHT,
    )
    NO_LAST_PADDING = ("a bundle whose last packet has no padding, as Wintun's first README drew it", _RIGHT)
    LATER_FORMAT = (
        "the format that Wintun has had since July 2019: headers of 4 bytes, records that begin at multiples of 4",
        f"write the size as 4 bytes and {HEADER_SIZE - 4} of zero, and {_RIGHT}",
    )
    OTHER_BYTE_ORDER = (
        "a bundle whose sizes are in the other byte order",
        "write sizes in the machine's own byte order, which is little-endian wherever Windows runs",
    )
    BARE_PACKETS = (
        "IP packets without records around them",
        f"put a header of {HEADER_SIZE} bytes before each packet (its size, and zeros), and {_RIGHT}",
    )
    CAPTURE = ("a capture file, no bundle", "`wintun-sim bundle encode` makes bundles of it")
    UNKNOWN = ("none that is known explains all of it", "")

    def __init__(self, words: str, repair: str) -> None:
        self.words = words
        self.repair = repair


@dataclass(frozen=True, slots=True)
class _Rules:
    """How records of a layout are laid out."""

    header: int
    order: ByteOrder
    padding: Callable[[int], int]
    largest: int
    last_padded: bool = True


def _first_readme(size: int) -> int:
    return 16 - (4 + size & 15)


_ALTERNATIVES: Final[tuple[tuple[Layout, _Rules], ...]] = (
    (Layout.NO_LAST_PADDING, _Rules(16, NATIVE, lambda size: -size % 16, MAX_PACKET_SIZE, last_padded=False)),
    (Layout.FIRST_README, _Rules(16, NATIVE, _first_readme, MAX_PACKET_SIZE, last_padded=False)),
    (Layout.FIRST_README, _Rules(16, NATIVE, _first_readme, MAX_PACKET_SIZE)),
    (Layout.LATER_FORMAT, _Rules(4, NATIVE, lambda size: -size % 4, LATER_MAX_PACKET_SIZE)),
    (Layout.OTHER_BYTE_ORDER, _Rules(16, OTHER, lambda size: -size % 16, MAX_PACKET_SIZE)),
)


def recognise(view: Buffer, reason: Reason, offsets: Sequence[int], sizes: Sequence[int]) -> Layout:
    """Say how a buffer was written, where the adapter finds packets of these ``sizes`` and stops for this ``reason``.

    What is a bundle from end to end is one, unless each packet whose size is a multiple of 16 has an empty one behind
    it, which no client means.
    """
    if not view:
        return Layout.NOTHING
    if reason is Reason.END:
        return Layout.LATER_README if _is_later_readme(sizes) else Layout.BUNDLE
    if bytes(view[:4]) in _CAPTURES:
        return Layout.CAPTURE
    if _are_bare_packets(view):
        return Layout.BARE_PACKETS
    return next((layout for layout, rules in _ALTERNATIVES if _fits(view, rules)), Layout.UNKNOWN)


def ip_length(packet: Buffer) -> int:
    """Return how many bytes an IP packet says it has, 0 for what is none that the adapter receives or does not say."""
    version = packet[0] >> 4 if packet else 0
    if version == 4 and len(packet) >= IPV4_HEADER:
        return int.from_bytes(packet[2:4], "big")
    if version == 6 and len(packet) >= IPV6_HEADER:
        return IPV6_HEADER + int.from_bytes(packet[4:6], "big")
    return 0


def resumes_at(view: Buffer, offset: int) -> int | None:
    """Return where, behind a record at ``offset`` that cannot be taken, one begins again; None where none seems to.

    That is at 16 bytes that can be a header, with an IP packet behind them of just the size that they say.
    """
    for place in range(offset + 1, min(offset + LOOK_AHEAD, len(view) - HEADER_SIZE)):
        if view[place + 4 : place + HEADER_SIZE] == _RESERVED:
            size = int.from_bytes(view[place : place + 4], NATIVE)
            packet = view[place + HEADER_SIZE : place + HEADER_SIZE + size]
            if 0 < size <= MAX_PACKET_SIZE and len(packet) == size and ip_length(packet) == size:
                return place
    return None


def packet_words(packet: Buffer) -> str:
    """Say in a few words what a packet is: protocol and addresses where it is IP."""
    version = packet[0] >> 4 if packet else 0
    if version == 4 and len(packet) >= IPV4_HEADER:
        protocol, addresses = packet[9], (packet[12:16], packet[16:20])
    elif version == 6 and len(packet) >= IPV6_HEADER:
        protocol, addresses = packet[6], (packet[8:24], packet[24:40])
    else:
        return "no IP packet" if packet else "empty"
    source, target = (str(ipaddress.ip_address(bytes(address))) for address in addresses)
    return f"IPv{version}, {_PROTOCOLS.get(protocol, f'protocol {protocol}')}, {source} → {target}"


def _is_later_readme(sizes: Sequence[int]) -> bool:
    """Tell whether an empty packet stands behind each whose size is a multiple of 16, and nowhere else."""
    expected = 0
    for place, size in enumerate(sizes):
        if size and size % ALIGNMENT == 0:
            expected += 1
            if place + 1 == len(sizes) or sizes[place + 1]:
                return False
    return expected > 0 and expected == sum(size == 0 for size in sizes)


def _are_bare_packets(view: Buffer) -> bool:
    place = 0
    while place < len(view):
        length = ip_length(view[place:])
        if not length or place + length > len(view):
            return False
        place += length
    return place > 0


def _fits(view: Buffer, rules: _Rules) -> bool:
    """Tell whether records of this layout explain every byte, with evidence in each that it is no chance."""
    place, packets = 0, 0
    while place < len(view):
        start = place + rules.header
        size = int.from_bytes(view[place : place + 4], rules.order)
        end = start + size
        if start > len(view) or size > rules.largest or end > len(view):
            return False
        packet = view[start:end]
        reserved = rules.header > 4 and view[place + 4 : start] == _RESERVED
        if not reserved and (size == 0 or ip_length(packet) != size):
            return False
        packets += size > 0
        if end == len(view):
            return packets > 0 and (not rules.last_padded or rules.padding(size) == 0)
        place = end + rules.padding(size)
    return packets > 0 and rules.last_padded and place == len(view)
