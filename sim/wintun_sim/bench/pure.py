"""Bundles in plain Python with `struct`: what one would write without a codec, with the same limits and checks.

It is what the codec's speed in Python is measured against, and knows nothing of the codec.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

HEADER = struct.Struct("=I12x")
MAX_PACKETS = 256
MAX_PACKET_SIZE = 61_424


def decode(data: bytes) -> list[bytes]:
    """Return the packets of a bundle up to the first record that is damaged."""
    packets: list[bytes] = []
    offset, end = 0, len(data)
    size_at = HEADER.unpack_from
    while end - offset >= 16 and len(packets) < MAX_PACKETS:
        (size,) = size_at(data, offset)
        following = offset + (size + 31 & ~15)
        if size > MAX_PACKET_SIZE or following > end:
            break
        packets.append(data[offset + 16 : offset + 16 + size])
        offset = following
    return packets


def encode(packets: Sequence[bytes]) -> bytes:
    """Return the bundle of packets; raise ValueError for one too many or too long."""
    if len(packets) > MAX_PACKETS:
        raise ValueError("too many packets")
    pieces: list[bytes] = []
    for packet in packets:
        size = len(packet)
        if size > MAX_PACKET_SIZE:
            raise ValueError("packet too long")
        pieces += (HEADER.pack(size), packet, bytes(-size % 16))
    return b"".join(pieces)
