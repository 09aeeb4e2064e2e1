"""What random operations are made of: packets, NBLs, bundles, OID requests; most as they should be, some at a limit,
some damaged.

Every choice comes from the ``random.Random`` that is given. Packets bear consecutive filler numbers, so that one that
is lost, doubled or out of order is seen.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Final

from wintun_sim import bundle as codec
from wintun_sim import ndis
from wintun_sim.operations import Nbl, Oid, OidKind
from wintun_sim.operations.data import MAX_FILLER, ipv4, ipv6

LARGEST: Final = codec.MAX_PACKET_SIZE
"""Bytes of the largest packet: 61,424 (the largest record is 61,440 with its header of 16)."""

SMALL: Final = (20, 21, 31, 32, 33, 40, 48, 60, 84, 96, 127, 128)
COMMON: Final = (20, 40, 52, 84, 576, 1280, 1420, 1500)
LIMITS: Final = (20_000, 30_704, 30_705, 32_768, 61_392, 61_408, 61_409, 61_423, LARGEST)
BEYOND: Final = (LARGEST + 1, LARGEST + 16, 65_535, 65_536, 70_000)

READ_LENGTHS: Final = (61_440, 61_440, 61_440, 61_441, 61_456, 65_536, 122_880, 1_048_576)
ODD_READ_LENGTHS: Final = (0, 1, 16, 61_424, 61_439, 15_728_640, 15_728_641)

OIDS: Final = (*(row.value for row in ndis.OIDS if row.value != ndis.OID_PNP_SET_POWER), 0x00010101, 0x00010107, 0)
LENGTHS: Final = (0, 1, 2, 3, 4, 5, 7, 8, 9, 11, 12, 13, 14, 15, 16, 64, 151, 152, 153, 256)
KINDS: Final = (
    OidKind.QUERY,
    OidKind.QUERY,
    OidKind.QUERY,
    OidKind.STATISTICS,
    OidKind.SET,
    OidKind.SET,
    OidKind.METHOD,
)


class Pantry:
    """Makes packets and what carries them."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self._filler = 0

    def packet(self, sizes: tuple[int, ...] = COMMON) -> bytes:
        """Make a packet of one of the sizes (20 bytes at least) that no other one equals."""
        size = self.random.choice(sizes)
        self._filler = (self._filler + 1) & MAX_FILLER
        return ipv6(size, self._filler) if size >= 40 and self._filler % 3 == 0 else ipv4(size, self._filler)

    def any_packet(self) -> bytes:
        """Make a packet for the stack to send, now and then one at or beyond a limit, or one that is empty."""
        die = self.random.random()
        if die < 0.55:
            return self.packet(SMALL)
        if die < 0.90:
            return self.packet(COMMON)
        if die < 0.96:
            return self.packet(LIMITS)
        if die < 0.98:
            return self.packet(BEYOND)
        return bytes(self.random.choice((0, 1, 15, 16, 17)))

    def nbl(self) -> Nbl:
        """Make one NBL of a few NET_BUFFERs, in one MDL each or in several, sometimes one that cannot be mapped."""
        random = self.random
        count = random.choice((0, 1, 1, 1, 1, 1, 2, 3, 5)) if random.random() < 0.97 else random.randrange(6, 40)
        packets = tuple(self.any_packet() for _ in range(count))
        nbl = Nbl(packets, cancel_id=random.choice((0, 0, 1, 2, 3)))
        if random.random() < 0.3:
            pieces = (1, 16, 20, 100) if sum(map(len, packets)) < 1000 else (1500, 4096, 65_536)
            nbl = replace(nbl, mdl_size=random.choice(pieces))
        if random.random() < 0.2:
            nbl = replace(nbl, data_offset=random.choice((1, 2, 14, 64, 4095)))
        if packets and random.random() < 0.06:
            unmapped = frozenset(n for n in range(count) if random.random() < 0.5)
            nbl = replace(nbl, unmapped=unmapped)
        return nbl

    def chain(self, flood: bool) -> tuple[Nbl, ...]:
        """Make the NBLs of one send; when ``flood``, often so many that the queue of 1,000 overflows."""
        random = self.random
        if flood and random.random() < 0.2:
            size, count = random.choice(SMALL), random.choice((100, 300, 999, 1000, 1001, 1100))
            return tuple(Nbl((self.packet((size,)),)) for _ in range(count))
        return tuple(self.nbl() for _ in range(random.choice((1, 1, 1, 2, 3, 8))))

    def bundle(self) -> bytes:
        """Make what a client writes: mostly a clean bundle."""
        die = self.random.random()
        if die < 0.6:
            return codec.encode([self.packet() for _ in range(self.random.choice((1, 1, 2, 3, 10)))])
        if die < 0.63:
            return codec.encode([self.packet((20, 40)) for _ in range(256)])
        if die < 0.66:
            return codec.encode([self.packet(LIMITS)])
        return self.damaged_bundle()

    def damaged_bundle(self) -> bytes:
        """Make something that is not quite a bundle."""
        random = self.random
        good = codec.encode([self.packet(SMALL) for _ in range(random.randrange(3))])
        last = self.packet(SMALL)
        match random.randrange(12):
            case 0:  # the end is missing
                whole = good + codec.encode([last])
                return whole[: random.randrange(len(whole) + 1)]
            case 1:  # a size beyond the largest packet
                return good + self._header(random.choice((LARGEST + 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFF0, 0xFFFFFFFF)))
            case 2:  # a size that is legal, but not all there
                return good + self._header(random.choice((1, 16, 1000, LARGEST))) + last
            case 3:  # stray bytes at the end
                return good + codec.encode([last]) + random.randbytes(random.randrange(1, 16))
            case 4:  # an empty record
                return good + bytes(16) + codec.encode([last])
            case 5:  # neither IPv4 nor IPv6
                return good + codec.encode([bytes([random.choice((0x00, 0x55, 0xF0))]) + last[1:], self.packet(SMALL)])
            case 6:  # too short for its version
                short = (ipv4(random.randrange(20)), ipv6(random.randrange(40)))
                return good + codec.encode([random.choice(short), last])
            case 7:  # reserved bytes and padding that a client did not zero
                noisy = bytearray(good + codec.encode([last]))
                start = len(good)
                noisy[start + 4 : start + 16] = random.randbytes(12)
                noisy[start + 16 + len(last) :] = random.randbytes(len(noisy) - start - 16 - len(last))
                return bytes(noisy)
            case 8:  # more records than a bundle may have
                packets = [self.packet((20,)) for _ in range(random.choice((257, 300, 1000)))]
                return b"".join(codec.encode(packets[start : start + 256]) for start in range(0, len(packets), 256))
            case 9:  # noise
                return random.randbytes(random.choice((0, 1, 15, 16, 17, 48, 200)))
            case 10:  # larger than any buffer may be
                return bytes(15_728_641) if random.random() < 0.03 else b""
            case _:  # the last padding is missing
                whole = good + codec.encode([self.packet((21, 31, 33))])
                return whole.rstrip(b"\0") or whole

    def _header(self, size: int) -> bytes:
        return size.to_bytes(4, "little") + bytes(12)

    def rejected(self) -> frozenset[int]:
        """Choose the packets of a write that the stack does not take."""
        if self.random.random() < 0.9:
            return frozenset()
        return frozenset(n for n in range(4) if self.random.random() < 0.5)

    def oid(self, name: str, adapter: str) -> Oid:
        """Make an OID request that does not set the power, of any kind and length."""
        random = self.random
        kind = random.choice(KINDS)
        length = random.choice(LENGTHS)
        data = random.randbytes(random.choice((0, 4, length))) if kind is not OidKind.QUERY else b""
        direct = random.random() < 0.08
        oid = random.choice(OIDS)
        return Oid(name=name, adapter=adapter, kind=kind, oid=oid, length=length, data=data[:length], direct=direct)
