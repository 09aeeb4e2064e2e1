"""IP packets from and to capture files (pcap and pcapng), as the adapter carries them: without any link layer.

Scapy takes the records apart, but it is lenient: it ends a damaged file as if it were a whole one. So the outer
structure is checked here first, and a file that ends in the middle of a record, or that scapy gave up on before its
end, is refused.
Formats: the drafts of the IETF's opsawg group, draft-ietf-opsawg-pcap and draft-ietf-opsawg-pcapng; link types:
tcpdump.org/linktypes.html.
"""

import io
import logging
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

from wintun_sim.errors import UsageError

__all__ = [
    "LARGEST_FRAME",
    "LARGEST_PACKET",
    "Capture",
    "Captured",
    "read_packets",
    "shipped_captures",
    "write_packets",
]

PCAP_MAGICS = (b"\xa1\xb2\xc3\xd4", b"\xa1\xb2\x3c\x4d")
PCAPNG_SECTION = b"\x0a\x0d\x0d\x0a"
PCAPNG_INTERFACE, PCAPNG_OLD_PACKET, PCAPNG_SIMPLE_PACKET, PCAPNG_PACKET = 1, 2, 3, 6
PCAPNG_SMALLEST = {PCAPNG_INTERFACE: 20, PCAPNG_OLD_PACKET: 32, PCAPNG_SIMPLE_PACKET: 16, PCAPNG_PACKET: 32}  # bytes
LINKTYPE_RAW = 101
LARGEST_PACKET = 65_575  # bytes: IPv6's header and the most that its length field can say
LARGEST_FRAME = 262_140  # bytes that scapy reads of one record

ETHERTYPE_IPV4 = 0x0800
ETHERTYPE_IPV6 = 0x86DD
ETHERTYPES_VLAN = (0x8100, 0x88A8)


@dataclass(frozen=True, slots=True)
class Captured:
    """One IP packet, `data`, and when it was seen: `time_ns`, nanoseconds since 1970, 0 where that is not known."""

    time_ns: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Capture:
    """What a capture file holds.

    `packets` are its IP packets in the file's order. `skipped` counts the other records: those of another protocol,
    a packet that the capture itself had cut off ("snap length"), or an interface that the file does not describe.
    """

    packets: tuple[Captured, ...]
    skipped: int


def shipped_captures() -> dict[str, Path]:
    """Return the captures that come with the package by name ("tcp", "jumbo", …); captures/README.md describes them."""
    directory = Path(__file__).parent.parent / "captures"
    return {path.stem: path for path in sorted(directory.glob("*.pcap"))}


def read_packets(source: str | os.PathLike[str] | BinaryIO) -> Capture:
    """Read all IP packets of a pcap or pcapng file, given by its path or as a binary stream.

    Ethernet frames (VLAN tags too), Linux "cooked" and BSD loopback records lose their link layer and padding.

    Raises UsageError for a file that is damaged, compressed, no capture at all, or of a link type that carries no IP;
    OSError for one that cannot be opened.
    """
    if not isinstance(source, str | os.PathLike):
        return _read_text(source.read(), str(getattr(source, "name", "the capture")))
    return _read_text(Path(source).read_bytes(), os.fspath(source))


def write_packets(path: str | os.PathLike[str], packets: Iterable[Captured]) -> int:
    """Write IP packets as a pcap file (raw IP, nanoseconds) and return how many there were.

    Raises UsageError for a packet that is longer than LARGEST_PACKET or a time outside of 1970 to 2106; then, and when
    writing fails (OSError), no file is left behind.
    """
    from scapy.utils import RawPcapWriter

    target = Path(path)
    count = 0
    with _quiet_scapy():
        writer = RawPcapWriter(str(target), linktype=LINKTYPE_RAW, nano=True, sync=False)
        try:
            writer.write_header(None)
            for packet in packets:
                seconds, nanoseconds = divmod(packet.time_ns, 1_000_000_000)
                if len(packet.data) > LARGEST_PACKET or not 0 <= seconds < 2**32:
                    raise UsageError(
                        f"cannot write packet {count} to {target}: {len(packet.data)} bytes at {packet.time_ns} ns do "
                        f"not fit a pcap file (at most {LARGEST_PACKET} bytes, 1970 to 2106)"
                    )
                writer.write_packet(packet.data, sec=seconds, usec=nanoseconds)
                count += 1
            writer.close()
        except BaseException:
            writer.f.close()
            target.unlink(missing_ok=True)
            raise
    return count


def _read_text(text: bytes, name: str) -> Capture:
    from scapy.error import Scapy_Exception
    from scapy.utils import RawPcapNgReader, RawPcapReader

    records = _whole_records(text, name)
    stream = io.BytesIO(text)
    packets: list[Captured] = []
    with _quiet_scapy():
        try:
            reader = RawPcapReader(stream)
        except Scapy_Exception as error:
            raise UsageError(f"cannot read {name}: its header is damaged ({error})") from error
        time_of = _pcapng_time if isinstance(reader, RawPcapNgReader) else _pcap_time(reader)
        while stream.tell() < len(text):
            try:
                data, metadata = reader._read_packet(size=LARGEST_FRAME)
            except EOFError:
                break
            except Exception as error:  # scapy's parser on a hostile file: whatever it raises, the file is at fault
                raise _damaged(name, stream.tell(), f"malformed record ({error})") from error
            link_type = metadata.linktype if isinstance(reader, RawPcapNgReader) else reader.linktype & 0xFFFF
            if link_type not in LINK_LAYERS:
                raise UsageError(
                    f"cannot use {name}: link type {link_type} is none that this reader knows to carry IP packets; "
                    "record on a TUN or Ethernet device"
                )
            packet = LINK_LAYERS[link_type](data) if len(data) >= metadata.wirelen else None
            if packet is not None:
                packets.append(Captured(time_of(metadata), packet))
        if stream.tell() < len(text):
            raise _damaged(name, stream.tell(), "malformed record")
    return Capture(tuple(packets), records - len(packets))


def _whole_records(text: bytes, name: str) -> int:
    """Return how many packet records a capture file has; raise UsageError unless it ends where a record ends."""
    if not text:
        raise UsageError(f"cannot read {name}: it is empty")
    if text[:2] == b"\x1f\x8b":
        raise UsageError(f"cannot read {name}: it is compressed; decompress it first (gunzip)")
    if text[:4] == PCAPNG_SECTION:
        return _whole_blocks(text, name)
    order: Literal["big", "little"]
    if text[:4] in PCAP_MAGICS:
        order = "big"
    elif text[3::-1] in PCAP_MAGICS:
        order = "little"
    else:
        raise UsageError(f"cannot read {name}: it is no pcap or pcapng file")
    if len(text) < 24:
        raise _damaged(name, 0, "it ends in its header")
    records, offset = 0, 24
    while offset < len(text):
        end = offset + 16 + int.from_bytes(text[offset + 8 : offset + 12], order)
        if end > len(text):
            raise _damaged(name, offset, "it ends in the middle of a record")
        records, offset = records + 1, end
    return records


def _whole_blocks(text: bytes, name: str) -> int:
    """As _whole_records, for pcapng: blocks that begin with a type and their length and end with that length again."""
    order: Literal["big", "little"] = "little"
    records, offset = 0, 0
    while offset < len(text):
        if text[offset : offset + 4] == PCAPNG_SECTION:
            order = "big" if text[offset + 8 : offset + 12] == b"\x1a\x2b\x3c\x4d" else "little"
        length = int.from_bytes(text[offset + 4 : offset + 8], order)
        end = offset + length
        if end > len(text) or offset + 12 > len(text):
            raise _damaged(name, offset, "it ends in the middle of a block")
        kind = int.from_bytes(text[offset : offset + 4], order)
        if length < PCAPNG_SMALLEST.get(kind, 12) or length % 4:
            raise _damaged(name, offset, f"a block of type {kind} cannot have {length} bytes")
        if int.from_bytes(text[end - 4 : end], order) != length:
            raise _damaged(name, offset, f"a block of {length} bytes does not end as it begins")
        records += kind in PCAPNG_SMALLEST and kind != PCAPNG_INTERFACE
        offset = end
    return records


def _damaged(name: str, offset: int, reason: str) -> UsageError:
    return UsageError(f"cannot read {name}: damaged near byte {offset}: {reason}")


def _pcap_time(reader: Any) -> Callable[[Any], int]:
    unit = 1 if reader.nano else 1000
    return lambda metadata: int(metadata.sec * 1_000_000_000 + metadata.usec * unit)


def _pcapng_time(metadata: Any) -> int:
    if metadata.tshigh is None:
        return 0
    ticks = metadata.tshigh << 32 | metadata.tslow
    return int(ticks * 1_000_000_000 // metadata.tsresol)


@contextmanager
def _quiet_scapy() -> Iterator[None]:
    """Keep scapy's remarks on damaged files off standard error: the caller gets one error instead."""
    logger = logging.getLogger("scapy.runtime")
    was_disabled = logger.disabled
    logger.disabled = True
    try:
        yield
    finally:
        logger.disabled = was_disabled


def _ip(data: bytes) -> bytes | None:
    """Return `data` if it is an IP packet, judged by its first four bits and its length, as the adapter judges."""
    version = data[0] >> 4 if data else 0
    if (version == 4 and len(data) >= 20) or (version == 6 and len(data) >= 40):
        return data
    return None


def _unpadded(ethertype: int, data: bytes) -> bytes | None:
    """Return the IP packet in an Ethernet frame's payload without the padding that fills short frames."""
    if _ip(data) is None or ethertype != (ETHERTYPE_IPV4 if data[0] >> 4 == 4 else ETHERTYPE_IPV6):
        return None
    if ethertype == ETHERTYPE_IPV4:
        length = int.from_bytes(data[2:4], "big")
        return data[:length] if length >= 20 else data  # 0 where the network card was to cut the packet up
    payload_length = int.from_bytes(data[4:6], "big")
    return data[: 40 + payload_length] if payload_length > 0 else data  # 0 also for jumbograms


def _ethernet(data: bytes) -> bytes | None:
    offset = 12
    ethertype = int.from_bytes(data[offset : offset + 2], "big")
    while ethertype in ETHERTYPES_VLAN and offset + 6 <= len(data):
        offset += 4
        ethertype = int.from_bytes(data[offset : offset + 2], "big")
    return _unpadded(ethertype, data[offset + 2 :])


def _cooked(data: bytes) -> bytes | None:
    return _unpadded(int.from_bytes(data[14:16], "big"), data[16:])


def _cooked_2(data: bytes) -> bytes | None:
    return _unpadded(int.from_bytes(data[0:2], "big"), data[20:])


def _loopback(data: bytes) -> bytes | None:
    # The first four bytes are the address family, in the recording machine's byte order and numbering.
    return _ip(data[4:])


LINK_LAYERS: dict[int, Callable[[bytes], bytes | None]] = {
    0: _loopback,
    1: _ethernet,
    12: _ip,  # raw IP as some systems number it
    14: _ip,
    LINKTYPE_RAW: _ip,
    108: _loopback,
    113: _cooked,
    228: _ip,  # IPv4 only
    229: _ip,  # IPv6 only
    276: _cooked_2,
}
