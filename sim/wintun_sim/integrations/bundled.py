"""Captures as bundles and back, with the time of each packet kept.

A bundle has no room for time stamps, so they go beside it: as a row of integers in Python, and in a small file of their
own on disk, which says a line for each packet::

    # wintun-sim times 1
    1700000000123456789
    1700000000123500000

That is nanoseconds since 1970, in the order of the packets; 0 where a capture did not say. Bundles and times together
hold all that a capture of IP packets says of them.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from wintun_sim.bundle import decode_many, encode_many
from wintun_sim.errors import UsageError
from wintun_sim.integrations.pcap import Captured

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FIRST_LINE: Final = "# wintun-sim times 1"
"""The first line of a file of times, with the version of its form."""
MOST_DIGITS: Final = 20  # of a time that is a number of 64 bits


@dataclass(frozen=True, slots=True)
class Bundled:
    """Packets as bundles, and when each was seen.

    ``data`` are bundles one behind the other, of 256 packets each but the last; ``lengths`` the bytes of each bundle,
    one row; ``times`` the nanoseconds since 1970 of each packet, one row as long as there are packets.
    """

    data: bytes
    lengths: NDArray[np.int64]
    times: NDArray[np.int64]


def to_bundles(packets: Iterable[Captured]) -> Bundled:
    """Return captured packets as bundles, with their times beside them.

    Raises BundleError for a packet of more than 61,424 bytes, OverflowError for a time that has no 64 bits.
    """
    import numpy as np

    known = list(packets)
    data, lengths = encode_many([packet.data for packet in known])
    return Bundled(data, lengths, np.array([packet.time_ns for packet in known], np.int64))


def from_bundles(
    data: bytes, lengths: Sequence[int] | NDArray[np.integer[Any]], times: Sequence[int] | NDArray[np.integer[Any]]
) -> Iterator[Captured]:
    """Give the packets of bundles that lie one behind the other, with these lengths in bytes, and with these times.

    Raises BundleError for bytes that are no bundles (reserved bytes and padding are not looked at), ValueError for
    lengths that do not add up and where there are not as many times as packets.
    """
    from wintun_sim.bundle import BundleError, Reason

    bundles = decode_many(data, lengths)
    for index in range(len(bundles)):
        stop = bundles.stop(index)
        if stop.reason is not Reason.END:
            raise BundleError(f"from_bundles: bundle {index} (the first is 0) is damaged: {stop}", stop)
    return with_times(bundles.tolist(), [int(time) for time in times])


def with_times(packets: Sequence[bytes], times: Sequence[int]) -> Iterator[Captured]:
    """Give packets with these times, nanoseconds since 1970. Raises ValueError where there are not as many of each."""
    if len(packets) != len(times):
        raise ValueError(f"{len(times):,} times are not those of {len(packets):,} packets; there is one for each")
    return (Captured(time, packet) for time, packet in zip(times, packets, strict=True))


def write_times(path: str | os.PathLike[str], times: Iterable[int]) -> None:
    """Write times, nanoseconds since 1970, a line each. Raises OSError."""
    lines = [FIRST_LINE, *(str(int(time)) for time in times)]
    Path(path).write_text("\n".join(lines) + "\n", encoding="ascii", newline="\n")


def read_times(path: str | os.PathLike[str]) -> list[int]:
    """Read times that ``write_times`` wrote. Raises UsageError for any other file, OSError where there is none."""
    lines = Path(path).read_bytes().split(b"\n")
    if lines[0].rstrip() != FIRST_LINE.encode("ascii"):
        raise UsageError(f"cannot read {os.fspath(path)}: its first line is not {FIRST_LINE!r}, so it holds no times")
    times = []
    for number, raw in enumerate(lines[1:], 2):
        digits = raw.strip()
        if not digits and number == len(lines):
            break
        if not digits.isdigit() or len(digits) > MOST_DIGITS or int(digits) >= 2**63:
            shown = digits[:40].decode("ascii", "backslashreplace")
            raise UsageError(f"cannot read {os.fspath(path)}: line {number} is no time in nanoseconds: {shown!r}")
        times.append(int(digits))
    return times
