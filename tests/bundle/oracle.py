"""The bundle format once more, in plain Python, from its description alone: what the codec is judged by.

It shares no code with the codec and imports nothing of the project. It is slow and obvious on purpose: a record at a
time, a byte string for each part, every rule on a line of its own.
"""

import sys
from dataclasses import dataclass, field

MOST_PACKETS = 256
LARGEST_PACKET = 61_424
LARGEST_BUFFER = 15_728_640


@dataclass
class Decoded:
    """What is in a bundle: the packets, where each begins in the bundle, and where and why decoding ended."""

    packets: list[bytes] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    reason: str = ""
    offset: int = 0

    @property
    def number(self) -> int:
        return len(self.packets)

    @property
    def stop(self) -> tuple[str, int, int]:
        return self.reason, self.offset, self.number


def padding_of(size: int) -> int:
    """Return how many zeros follow a packet: so many that packet and padding are a multiple of 16."""
    padding = 0
    while (size + padding) % 16 != 0:
        padding += 1
    return padding


def encode(packets: list[bytes], order: str = sys.byteorder) -> bytes:
    """Return the bundle; `order` is the byte order of the machine that it is for."""
    assert len(packets) <= MOST_PACKETS
    bundle = b""
    for packet in packets:
        assert len(packet) <= LARGEST_PACKET
        bundle += len(packet).to_bytes(4, order)  # type: ignore[arg-type]
        bundle += b"\0" * 12
        bundle += packet
        bundle += b"\0" * padding_of(len(packet))
    return bundle


def is_ip(packet: bytes) -> bool:
    """Tell whether the adapter hands a packet to the stack: by its first four bits and its size alone."""
    version = packet[0] // 16 if packet else 0
    return (version == 4 and len(packet) >= 20) or (version == 6 and len(packet) >= 40)


def decode(
    bundle: bytes, *, strict: bool = False, limit: int | None = MOST_PACKETS, order: str = sys.byteorder
) -> Decoded:
    """Take records from the bundle until one cannot be taken; `strict` asks for zeros where the format has them."""
    found = Decoded()
    while not found.reason:
        rest = bundle[found.offset :]
        header, behind = rest[:16], rest[16:]
        size = int.from_bytes(header[:4], order)  # type: ignore[arg-type]
        packet, padding = behind[:size], behind[size : size + padding_of(size % 16)]
        if len(rest) == 0:
            found.reason = "END"
        elif limit is not None and found.number == limit:
            found.reason = "TOO_MANY"
        elif len(header) < 16:
            found.reason = "CUT_SHORT"
        elif size > LARGEST_PACKET:
            found.reason = "OVER_LONG"
        elif len(packet) < size or len(padding) < padding_of(size):
            found.reason = "CUT_SHORT"
        elif strict and (any(header[4:]) or any(padding)):
            found.reason = "NOT_ZERO"
        else:
            found.packets.append(packet)
            found.offsets.append(found.offset + 16)
            found.offset += len(header) + len(packet) + len(padding)
    return found
