"""The adapter's numbers."""

from typing import Final

LARGEST_PACKET: Final = 61_424
"""Bytes: 0xF000 less the record's header."""

LARGEST_BUNDLE: Final = 256
"""Packets in one bundle, and in one receive indication."""

SMALLEST_READ: Final = 61_440
"""Bytes of a read's buffer: any packet fits into it."""

SMALLEST_WRITE: Final = 16
"""Bytes of a write's buffer: one empty record."""

LARGEST_BUFFER: Final = 15_728_640
"""Bytes of a read's or write's buffer: 256 records of the largest size."""

QUEUE_LIMIT: Final = 1_000
"""NBLs in the send queue."""

RECORD_HEADER: Final = 16
"""Bytes before a packet in a bundle: its size, 4 bytes, and 12 that mean nothing."""

RECORD_ALIGNMENT: Final = 16
"""Bytes: each record begins at a multiple of this from the beginning of its bundle."""

SMALLEST_IPV4: Final = 20
"""Bytes of an IPv4 header without options."""

SMALLEST_IPV6: Final = 40
"""Bytes of an IPv6 header."""


def record_size(packet_size: int) -> int:
    """Return the bytes that a packet takes up in a bundle: header, packet, and padding to a multiple of 16."""
    return (RECORD_HEADER + packet_size + RECORD_ALIGNMENT - 1) & -RECORD_ALIGNMENT
