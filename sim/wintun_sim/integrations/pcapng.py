"""IP packets to pcapng files: raw IP, with time stamps of nanoseconds and no end of the world in 2106.

One section, one interface, an enhanced packet block for each packet, all in the machine's byte order, as
draft-ietf-opsawg-pcapng says. What is written here, `wintun_sim.integrations.pcap.read_packets` reads.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from wintun_sim.errors import UsageError
from wintun_sim.integrations.pcap import LARGEST_PACKET, LINKTYPE_RAW, Captured

__all__ = ["write_pcapng"]

SECTION, INTERFACE, PACKET = 0x0A0D0D0A, 1, 6
BYTE_ORDER_MAGIC: Final = 0x1A2B3C4D
UNKNOWN_LENGTH: Final = -1
RESOLUTION_OPTION: Final = struct.pack("=HHB3xHH", 9, 1, 9, 0, 0)  # if_tsresol of 10⁻⁹ s, padded, and the options' end


def write_pcapng(path: str | os.PathLike[str], packets: Iterable[Captured]) -> int:
    """Write IP packets as a pcapng file and return how many there were.

    Raises UsageError for a packet that is longer than LARGEST_PACKET or a time before 1970 or after 2554; then, and
    when writing fails (OSError), no file is left behind.
    """
    target = Path(path)
    count = 0
    try:
        with target.open("wb") as file:
            file.write(_block(SECTION, struct.pack("=IHHq", BYTE_ORDER_MAGIC, 1, 0, UNKNOWN_LENGTH)))
            file.write(_block(INTERFACE, struct.pack("=HHI", LINKTYPE_RAW, 0, 0) + RESOLUTION_OPTION))
            for block in _blocks(packets, target):
                file.write(block)
                count += 1
    except BaseException:
        if target.is_file():
            target.unlink()
        raise
    return count


def _blocks(packets: Iterable[Captured], target: Path) -> Iterator[bytes]:
    for number, packet in enumerate(packets):
        size = len(packet.data)
        if size > LARGEST_PACKET or not 0 <= packet.time_ns < 2**64:
            raise UsageError(
                f"cannot write packet {number} to {target}: {size} bytes at {packet.time_ns} ns do not fit a pcapng"
                f" file (at most {LARGEST_PACKET} bytes, 1970 to 2554)"
            )
        head = struct.pack("=IIIII", 0, packet.time_ns >> 32, packet.time_ns & 0xFFFFFFFF, size, size)
        yield _block(PACKET, head + packet.data + bytes(-size % 4))


def _block(kind: int, body: bytes) -> bytes:
    length = len(body) + 12
    return struct.pack("=II", kind, length) + body + struct.pack("=I", length)
