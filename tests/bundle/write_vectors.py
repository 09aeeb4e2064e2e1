"""Writes shared/vectors/: bundles with what is in them, for codecs in any language to be tested with.

    python -m tests.bundle.write_vectors

The oracle makes the bundles and says what is to be found in them; the codec has no part in it. Sizes are little-endian,
as on every machine that Windows runs on. Each vector is a file NAME.bundle and an entry in vectors.json.
"""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bundle import oracle

DIRECTORY = Path(__file__).parents[2] / "shared" / "vectors"

# An ICMP echo request from 10.0.0.1 to 10.0.0.2, and one over IPv6 from fe80::1 to fe80::2.
PING = bytes.fromhex("4500001c00010000400166de0a0000010a0000020800f7fd00010001")
PING6 = bytes.fromhex(
    "6000000000083a40" + "fe800000000000000000000000000001" + "fe800000000000000000000000000002" + "800082b600010001"
)


@dataclass(frozen=True)
class Vector:
    name: str
    says: str
    bundle: bytes


def filled(size: int) -> bytes:
    """Return a packet in which no two neighbouring bytes are the same."""
    return bytes((index * 7 + size) % 251 for index in range(size))


def record(size: int, packet: bytes, *, reserved: bytes = bytes(12), padding: bytes | None = None) -> bytes:
    """Return a record whose parts are as given, right or wrong."""
    behind = bytes(oracle.padding_of(len(packet))) if padding is None else padding
    return size.to_bytes(4, "little") + reserved + packet + behind


def bundle(*packets: bytes) -> bytes:
    return oracle.encode(list(packets), "little")


def vectors() -> Iterator[Vector]:
    """Yield all vectors: first whole bundles, then damaged ones."""
    yield Vector("nothing", "No record at all: an empty bundle.", b"")
    yield Vector("empty-packet", "One packet of 0 bytes: a header alone.", bundle(b""))
    for size in (1, 15, 16, 17, 31, 32, 33, 64):
        yield Vector(f"size-{size}", f"One packet of {size} bytes.", bundle(filled(size)))
    yield Vector("pings", "Two real packets, IPv4 and IPv6.", bundle(PING, PING6))
    yield Vector("largest", "The largest packet: a record of 61,440 bytes without padding.", bundle(filled(61_424)))
    yield Vector("below-largest", "One byte less, and one byte of padding.", bundle(filled(61_423)))
    yield Vector("full", "256 packets, which is all that a bundle holds.", bundle(*map(filled, range(256))))
    generator = random.Random(1)
    mixed = [filled(generator.choice((0, 40, 52, 576, 1420))) for _ in range(40)]
    yield Vector("mixed", "Packets of the sizes of real traffic, empty ones among them.", bundle(*mixed))
    yield Vector(
        "used-reserved-bytes",
        "The 12 reserved bytes are not zero, as real clients leave them; only strict decoding minds.",
        bundle(PING) + record(len(PING), PING, reserved=b"leftovers...") + bundle(PING6),
    )
    yield Vector(
        "used-padding",
        "The last byte of padding is not zero; only strict decoding minds.",
        record(len(PING), PING, padding=b"\0\0\0\xa5") + bundle(PING6),
    )
    yield Vector("one-too-many", "257 records: the last one is not taken.", b"".join(bundle(b"x") for _ in range(257)))
    yield Vector("stray-byte", "A byte behind the last record: too short for a header.", bundle(PING) + b"\0")
    yield Vector("header-cut", "15 bytes behind the last record: one short of a header.", bundle(PING) + bytes(15))
    yield Vector("packet-cut", "The last byte of the only packet is missing.", bundle(filled(32))[:-1])
    yield Vector(
        "padding-cut", "The last packet is whole, the last byte of its padding is missing.", bundle(PING, PING)[:-1]
    )
    yield Vector(
        "no-padding",
        "The last packet is whole, but has no padding: the first README drew it so.",
        record(28, PING, padding=b""),
    )
    yield Vector(
        "over-long",
        "A size of one more than the largest, and the bytes for it.",
        bundle(PING) + record(61_425, filled(61_425)),
    )
    yield Vector("over-long-cut", "Over-long and cut short: over-long is what is said.", record(61_425, PING))
    yield Vector(
        "size-of-all-ones", "A size of 0xFFFFFFFF, which must not wrap round.", bundle(PING) + record(0xFFFFFFFF, PING)
    )
    yield Vector("size-that-wraps", "A size of 0xFFFFFFF0, to which 16 is 0 in 32 bits.", record(0xFFFFFFF0, PING))
    yield Vector(
        "first-readme",
        "Padding of 16-((4+size)&15) after all packets but the last, as the first README had it: never right.",
        record(28, PING, padding=bytes(16 - ((4 + 28) & 15))) + record(32, filled(32), padding=b""),
    )
    yield Vector(
        "later-readme",
        "Padding of 16-(size&15), as a later README had it: right but where size is a multiple of 16; the 16 zeros too "
        "many there are an empty record.",
        record(28, PING, padding=bytes(16 - (28 & 15))) + record(32, filled(32), padding=bytes(16)) + record(28, PING),
    )
    yield Vector(
        "later-layout",
        "The layout of July 2019, with a header of 4 bytes and an alignment of 4.",
        b"".join(len(packet).to_bytes(4, "little") + packet for packet in (PING, PING, PING6)),
    )


def entry(vector: Vector) -> dict[str, Any]:
    """Return what vectors.json says of a vector."""
    found = oracle.decode(vector.bundle, order="little")
    strictly = oracle.decode(vector.bundle, order="little", strict=True)
    return {
        "name": vector.name,
        "says": vector.says,
        "length": len(vector.bundle),
        "packets": [[offset, len(packet)] for offset, packet in zip(found.offsets, found.packets, strict=True)],
        "stop": stop(found),
        "strict_stop": stop(strictly),
    }


def stop(found: oracle.Decoded) -> dict[str, Any]:
    return {"reason": found.reason, "offset": found.offset, "number": found.number}


def index() -> str:
    """Return the text of vectors.json: one line for each vector's packets, so that it can be read."""
    lines = []
    for vector in vectors():
        fields = [f'    "{key}": {json.dumps(value)}' for key, value in entry(vector).items()]
        lines.append("  {\n" + ",\n".join(fields) + "\n  }")
    return "[\n" + ",\n".join(lines) + "\n]\n"


def main() -> None:
    DIRECTORY.mkdir(exist_ok=True)
    for path in DIRECTORY.glob("*.bundle"):
        path.unlink()
    for vector in vectors():
        (DIRECTORY / f"{vector.name}.bundle").write_bytes(vector.bundle)
    (DIRECTORY / "vectors.json").write_text(index(), encoding="utf-8")


if __name__ == "__main__":
    main()
