"""Bytes as people write them in scenarios: ``ipv4(84)``, ``bundle(ipv4(84), ipv6(60, 7))``, ``zeros(16) + hex(45 00)``.

====================  =================================================================================================
``ipv4(n)``           an IPv4 packet of n bytes with a correct header; its payload is a filler
``ipv4(n, k)``        likewise with filler number k (0…65535), so that packets of one size can be told apart
``ipv6(n)``           an IPv6 packet of n bytes (header 40); ``ipv6(n, k)`` likewise
``hex(45 00 …)``      these bytes, in words of an even number of digits
``zeros(n)``          n zero bytes
``bundle(e, …)``      the bundle of these packets, as the codec encodes it (at most 256 of at most 61,424 bytes)
``untidy(e, …)``      likewise, as the published driver fills a read: reserved bytes and padding keep what was in the
                      buffer, which the host fills with A5; any number of packets
``cut(e, n)``         the first n bytes of e
``e + e``             one after the other
====================  =================================================================================================

A packet shorter than its header is the beginning of that header. In a list, ``ipv4(n, 0..9)`` stands for the ten
packets ``ipv4(n, 0)`` to ``ipv4(n, 9)``. ``format_data`` finds the expression back from the bytes.
"""

from __future__ import annotations

import itertools
import struct
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Final

from wintun_sim import bundle as codec
from wintun_sim.operations.operation import FILLER
from wintun_sim.operations.scan import MAX_BYTES, Scanner, nearest

MAX_FILLER: Final = 0xFFFF
"""The largest number of a filler."""

_FILLER_PERIOD: Final = 1 << 16
_FILLER: Final = bytes((7 * position + (position >> 8)) & 0xFF for position in range(_FILLER_PERIOD)) * 3
_WORDS: Final = ("bundle", "cut", "hex", "ipv4", "ipv6", "untidy", "zeros")


def _filler(size: int, number: int) -> bytes:
    start = number * 31 % _FILLER_PERIOD
    filler = _FILLER if size <= 2 * _FILLER_PERIOD else _FILLER * (size // _FILLER_PERIOD)
    return filler[start : start + size]


@lru_cache(maxsize=1024)
def ipv4(size: int, filler: int = 0) -> bytes:
    """Return an IPv4 packet of ``size`` bytes: experimental protocol 253 (RFC 3692), identification = ``filler``.

    ``filler`` is 0…65535. Above 65,535 bytes the header's total length, which has no more room, stays at 65,535.
    """
    fields = (0x45, 0, min(size, 0xFFFF), filler, 0, 64, 253)
    addresses = bytes((10, 0, 0, 1, 10, 0, 0, 2))
    words = struct.unpack("!10H", struct.pack("!BBHHHBBH", *fields, 0) + addresses)
    total = sum(words)
    total = (total & 0xFFFF) + (total >> 16)
    checksum = ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF
    header = struct.pack("!BBHHHBBH", *fields, checksum) + addresses
    return (header + _filler(size - len(header), filler) if size > len(header) else header)[:size]


@lru_cache(maxsize=1024)
def ipv6(size: int, filler: int = 0) -> bytes:
    """Return an IPv6 packet of ``size`` bytes: no next header (59), flow label = ``filler`` (0…65535)."""
    addresses = bytes((0xFD, *[0] * 14, 1, 0xFD, *[0] * 14, 2))
    header = struct.pack("!IHBB", 0x60000000 | filler, min(max(size - 40, 0), 0xFFFF), 59, 64) + addresses
    return (header + _filler(size - len(header), filler) if size > len(header) else header)[:size]


_PACKETS: Final[dict[str, Callable[[int, int], bytes]]] = {"ipv4": ipv4, "ipv6": ipv6}


# Reading


def parse_data(scanner: Scanner) -> bytes:
    """Read one byte expression."""
    position = scanner.peek().position
    items = parse_items(scanner)
    if len(items) != 1:
        scanner.fail("a range of fillers makes several packets, but one is wanted here", "give one filler", position)
    return items[0]


def parse_items(scanner: Scanner) -> list[bytes]:
    """Read one element of a list of byte expressions: one packet, or as many as its range of fillers says."""
    items = _parse_term(scanner)
    while scanner.peek().text == "+":
        position = scanner.next().position
        added = _parse_term(scanner)
        if len(items) != 1 or len(added) != 1:
            scanner.fail("a range of fillers cannot be part of a sum", "write the packets one by one", position)
        scanner.spend(len(items[0]) + len(added[0]), position)
        items = [items[0] + added[0]]
    return items


def parse_list(scanner: Scanner) -> list[bytes]:
    """Read ``(e, …)``."""
    scanner.open()
    items: list[bytes] = []
    while scanner.peek().text != ")":
        items += parse_items(scanner)
        if not scanner.take_mark(","):
            break
    scanner.close()
    return items


def _parse_term(scanner: Scanner) -> list[bytes]:
    token = scanner.word("bytes", "write ipv4(84), hex(45 00), zeros(16), bundle(…) or cut(…, n)")
    if token.text in _PACKETS:
        return _parse_packets(scanner, _PACKETS[token.text])
    if token.text == "bundle":
        return [_parse_bundle(scanner, token.position)]
    if token.text == "untidy":
        return [_parse_untidy(scanner, token.position)]
    if token.text == "hex":
        return [_parse_hex(scanner)]
    if token.text == "zeros":
        scanner.open()
        size = scanner.number("a size in bytes", MAX_BYTES)
        scanner.spend(size, token.position)
        scanner.close()
        return [bytes(size)]
    if token.text == "cut":
        scanner.open()
        data = parse_data(scanner)
        scanner.demand_mark(",", "before the number of bytes to keep")
        kept = scanner.number("the number of bytes to keep", len(data))
        scanner.close()
        return [data[:kept]]
    return scanner.fail(f"there is no byte expression {token.text!r}", nearest(token.text, _WORDS), token.position)


def _parse_packets(scanner: Scanner, make: Callable[[int, int], bytes]) -> list[bytes]:
    position = scanner.peek().position
    scanner.open()
    size = scanner.number("a size in bytes", MAX_BYTES)
    fillers = range(1)
    if scanner.take_mark(","):
        token = scanner.word("the number of the filler")
        fillers = scanner.range_of(token.text, "the number of the filler", MAX_FILLER, token.position)
    scanner.close()
    for _ in fillers:
        scanner.spend(size, position)
    return [make(size, filler) for filler in fillers]


def _parse_bundle(scanner: Scanner, position: int) -> bytes:
    packets = parse_list(scanner)
    scanner.spend(sum(len(packet) + 2 * codec.HEADER_SIZE for packet in packets), position)
    try:
        return codec.encode(packets)
    except codec.BundleError as error:
        scanner.fail(f"the codec refuses this bundle: {error}", "build a damaged one with hex, zeros and +", position)


def _parse_untidy(scanner: Scanner, position: int) -> bytes:
    packets = parse_list(scanner)
    if any(len(packet) > codec.MAX_PACKET_SIZE for packet in packets):
        scanner.fail("no driver reads a packet larger than 61,424 bytes", "make it smaller", position)
    scanner.spend(sum(len(packet) + 2 * codec.HEADER_SIZE for packet in packets), position)
    return b"".join(map(_untidy_record, packets))


def _untidy_record(packet: bytes) -> bytes:
    size = len(packet).to_bytes(4, sys.byteorder)
    padding = codec.record_size(len(packet)) - codec.HEADER_SIZE - len(packet)
    return size + bytes([FILLER]) * (codec.HEADER_SIZE - 4) + packet + bytes([FILLER]) * padding


def _parse_hex(scanner: Scanner) -> bytes:
    scanner.open()
    parts: list[bytes] = []
    while scanner.peek().text != ")":
        token = scanner.word("hexadecimal digits")
        try:
            if not token.text.isalnum():
                raise ValueError
            parts.append(bytes.fromhex(token.text))
        except ValueError:
            scanner.fail(
                f"{token.text!r} is not an even number of hexadecimal digits", "write 0a, not a", token.position
            )
    scanner.close()
    data = b"".join(parts)
    scanner.spend(len(data), scanner.position)
    return data


# Writing


def format_data(data: bytes) -> str:
    """Write ``data`` as the expression that says most about it; ``parse_data`` reads the same bytes back."""
    parts = list(_records(data))
    return " + ".join(parts) if parts else "zeros(0)"


def format_list(items: Sequence[bytes]) -> str:
    """Write a list of packets, runs of fillers as ranges."""
    return ", ".join(format_items(items))


def format_items(items: Sequence[bytes]) -> Iterator[str]:
    """Write the elements of a list of packets, runs of one kind and size with consecutive fillers as one."""
    recognised = [(_recognise(item), item) for item in items]
    runs = itertools.groupby(
        enumerate(recognised), key=lambda pair: pair[1][0] and (*pair[1][0][:2], pair[1][0][2] - pair[0])
    )
    for key, run in runs:
        members = [pair[1] for pair in run]
        first, last = members[0][0], members[-1][0]
        if key is None or first is None or last is None:
            yield from (format_data(item) for _, item in members)
        elif len(members) == 1:
            yield _packet_text(*first)
        else:
            yield f"{first[0]}({first[1]}, {first[2]}..{last[2]})"


def _packet_text(kind: str, size: int, filler: int) -> str:
    return f"{kind}({size}, {filler})" if filler else f"{kind}({size})"


def _recognise(data: bytes) -> tuple[str, int, int] | None:
    """Say how ``ipv4`` or ``ipv6`` would make these bytes."""
    if len(data) >= 4:
        if data[0] == 0x45:
            filler = int.from_bytes(data[4:6], "big") if len(data) >= 6 else 0
            if ipv4(len(data), filler) == data:
                return "ipv4", len(data), filler
        elif data[0] == 0x60:
            filler = int.from_bytes(data[2:4], "big")
            if ipv6(len(data), filler) == data:
                return "ipv6", len(data), filler
    return None


def _records(data: bytes) -> Iterator[str]:
    """Write the whole records at the beginning as bundles, clean or untidy, then a cut one, then what is left."""
    offset = 0
    packets: list[bytes] = []
    word = ""
    while (record := _record(data, offset)) is not None:
        if packets and (record[0] != word or len(packets) == codec.MAX_PACKETS):
            yield f"{word}({format_list(packets)})"
            packets.clear()
        word = record[0]
        packets.append(record[1])
        offset += codec.record_size(len(record[1]))
    if packets:
        yield f"{word}({format_list(packets)})"
    if offset < len(data):
        rest = data[offset:]
        yield _cut_record(rest) or _plain(rest)


def _record(data: bytes, offset: int) -> tuple[str, bytes] | None:
    """The packet of the record at ``offset`` if that is whole, with the word for bundles of such records: its reserved
    and padding bytes are zero, or as the host fills a buffer.

    A clean record of no packet is not recognised: sixteen zero bytes say the same with less guessing.
    """
    if len(data) - offset < codec.HEADER_SIZE:
        return None
    size = int.from_bytes(data[offset : offset + 4], sys.byteorder)
    if size > codec.MAX_PACKET_SIZE:
        return None
    start, end = offset + codec.HEADER_SIZE, offset + codec.record_size(size)
    if end > len(data):
        return None
    gaps = set(data[offset + 4 : start]) | set(data[start + size : end])
    if gaps == {0} and size:
        return "bundle", data[start : start + size]
    return ("untidy", data[start : start + size]) if gaps == {FILLER} else None


def _cut_record(data: bytes) -> str | None:
    """Write a record whose end is missing, if it is the beginning of one that this room can make."""
    size = int.from_bytes(data[:4], sys.byteorder)
    if len(data) < codec.HEADER_SIZE + 6 or size > codec.MAX_PACKET_SIZE or len(data) >= codec.record_size(size):
        return None
    head = data[codec.HEADER_SIZE : codec.HEADER_SIZE + 6]
    for kind, filler in (("ipv4", int.from_bytes(head[4:6], "big")), ("ipv6", int.from_bytes(head[2:4], "big"))):
        packet = _PACKETS[kind](size, filler)
        if codec.encode([packet])[: len(data)] == data:
            return f"cut(bundle({_packet_text(kind, size, filler)}), {len(data)})"
    return None


def _plain(data: bytes) -> str:
    found = _recognise(data)
    if found is not None:
        return _packet_text(*found)
    if not any(data):
        return f"zeros({len(data)})"
    kept = len(data.rstrip(b"\0"))
    if len(data) - kept >= 8:
        return f"{_hex(data[:kept])} + zeros({len(data) - kept})"
    return _hex(data)


def _hex(data: bytes) -> str:
    if len(data) <= 32:
        return f"hex({data.hex(' ')})"
    lines = [data[start : start + 32].hex(" ", -4) for start in range(0, len(data), 32)]
    indent = "\n" + " " * 8
    return f"hex({indent}{indent.join(lines)})"
