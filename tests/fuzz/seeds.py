"""Where fuzzing begins: a few small inputs for each target, most of them right and some just wrong.

They are made here from the golden vectors, the shipped scenarios and captures, and a hand-made ELF file; none is kept
in the tree, so none is ever stale.
"""

import json
import platform
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from tests.bundle import write_vectors
from wintun_sim.integrations.pcap import shipped_captures
from wintun_sim.scenario import load, shipped
from wintun_sim.testing.damage import damaged_examples
from wintun_sim.trace import Trace, TraceStep, course_of, course_to_json, from_json, to_json
from wintun_sim.trace.schedule import Schedule

LARGEST: Final = 20_000
"""Bytes of a seed: from larger ones the fuzzers learn slowly, and they find large sizes by themselves."""


def bundles() -> list[bytes]:
    """Return the golden vectors."""
    return [vector.bundle for vector in write_vectors.vectors()]


def decode() -> list[bytes]:
    """Return inputs of fuzz_decode.c: how to read, and a bundle."""
    controls = (bytes((0, 1, 0, 1)), bytes((3, 0, 2, 0x40 | 17)), bytes((8, 0, 9, 0x80 | 5)))
    return [control + bundle for control in controls for bundle in bundles()]


def encode() -> list[bytes]:
    """Return inputs of fuzz_encode.c: its head, and steps."""
    reserve, absurd, take_back = 0, 2, 3
    sizes = (0, 1, 15, 16, 17, 40, 1420, 61_424, 61_425)
    steps = [(reserve, size) for size in sizes]
    programs: list[list[tuple[int, int]]] = [
        [],
        *([step] for step in steps),
        steps,
        [(reserve, 20), (take_back, 0), (take_back, 0), (reserve, 30)],
        [(absurd | shift << 2, 0xFFFF) for shift in (0, 16, 32, 48)],
        [(reserve, 1)] * 257,
    ]
    heads = ((1 << 17, 0, 256, 1 << 17), (61_440, 5, 2, 61_424), (100, 15, 0xFFFF, 50))
    return [
        room.to_bytes(3, "big")
        + bytes([alignment])
        + limit.to_bytes(2, "big")
        + packets.to_bytes(3, "big")
        + b"".join(struct.pack(">BH", kind, size) for kind, size in program)
        for room, alignment, limit, packets in heads
        for program in programs
    ]


def image() -> list[bytes]:
    """Return inputs of fuzz_image.c: the smallest ELF file that is an image, and the same with a flaw."""
    whole = elf_file()
    return [whole, whole[:-1], whole.replace(b"ELF", b"elf"), elf_file(needed=True), elf_file(undefined=True)]


def elf_file(*, needed: bool = False, undefined: bool = False) -> bytes:
    """Return a shared object for this machine: one segment, a dynamic section, and a function called `run`.

    Layouts: the System V ABI, chapters 4 and 5.
    """
    loadable, dynamic, names, symbols, function = 1, 2, 3, 11, 2
    machine = 183 if platform.machine() in ("aarch64", "arm64") else 62
    text = b"\0run\0gone\0"
    table = struct.pack("<IBBHQQ", 0, 0, 0, 0, 0, 0)
    table += struct.pack("<IBBHQQ", 1, 1 << 4 | function, 0, 1, 0x100, 8)
    table += struct.pack("<IBBHQQ", 5, 1 << 4, 0, 0, 0, 0) if undefined else b""
    entries = struct.pack("<qQqQ", 1 if needed else 5, 0, 0, 0)
    start = 64 + 2 * 56 + 3 * 64
    places = (start, start + len(entries), start + len(entries) + len(table))
    size = places[2] + len(text)
    header = b"\x7fELF" + bytes((2, 1, 1)) + bytes(9)
    header += struct.pack("<HHIQQQIHHHHHH", 3, machine, 1, 0, 64, 64 + 2 * 56, 0, 64, 56, 2, 64, 3, 0)
    segments = struct.pack("<IIQQQQQQ", loadable, 5, 0, 0, 0, size, size, 0x1000)
    segments += struct.pack("<IIQQQQQQ", dynamic, 4, places[0], places[0], 0, len(entries), len(entries), 8)
    sections = bytes(64)
    sections += struct.pack("<IIQQQQIIQQ", 0, symbols, 0, 0, places[1], len(table), 2, 1, 8, 24)
    sections += struct.pack("<IIQQQQIIQQ", 0, names, 0, 0, places[2], len(text), 0, 0, 1, 0)
    return header + segments + sections + entries + table + text


def packets() -> list[bytes]:
    """Return inputs of the Python target `encode`: sizes of packets, two bytes each."""
    sizes = ((), (0,), (1, 15, 16, 17), (61_424,), (61_425,), (1,) * 257)
    return [b"".join(size.to_bytes(2, "big") for size in row) for row in sizes]


def diagnose() -> list[bytes]:
    """Return inputs of the Python target `diagnose`: the golden vectors, and one of each kind of damage."""
    return [*bundles(), *(damaged.data for damaged in damaged_examples())]


def scenario() -> list[bytes]:
    """Return the text of the shipped scenarios."""
    return [path.read_bytes() for path in shipped().values()]


def trace() -> list[bytes]:
    """Return traces as JSON: the shipped scenarios, as if what they expect had happened."""
    found = []
    for path in shipped().values():
        read = load(path)
        steps = tuple(TraceStep(step.operation, step.expected_for("") or ()) for step in read.setup)
        found.append(json.dumps(to_json(Trace("seed", read.title, read.order, read.ndis, steps))).encode())
    return found


def schedule() -> list[bytes]:
    """Return schedules, with and without their checksum."""
    choices: tuple[tuple[int, ...], ...] = ((), (0,) * 12, (1, 0, 0, 2), (0, 26, 27, 52, 53, 254, 0))
    words = [str(Schedule("0" * 16, "f" * 16, row, fault, fault)) for row in choices for fault in (0, 3)]
    return [text.encode() for word in words for text in (word, word.rpartition(".")[0])]


def lines() -> list[bytes]:
    """Return line tables of both versions of DWARF, §6.2: one file, a few lines, the end of a sequence."""
    program = bytes((0, 9, 2)) + struct.pack("<Q", 0x1000) + bytes((3, 4, 1, 0x4B, 0xF2, 2, 8, 9, 2, 0, 0, 1, 1))
    opcodes = bytes((0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1))
    fields = bytes((1, 1, 1, 0xFB, 14, 13)) + opcodes
    four = fields + b"driver\0\0send.c\0\x01\0\0\0"
    five = fields + b"\x01\x01\x08\x02/\0driver\0\x02\x01\x08\x02\x0b\x02send.c\0\x01send.c\0\x01"
    found = []
    for version, header in ((b"\x04\0", four), (b"\x05\0\x08\0", five)):
        body = version + struct.pack("<I", len(header)) + header + program
        found.append(struct.pack("<I", len(body)) + body)
    return [*found, found[0] + found[1], found[1][:-3], found[0][:20]]


def draw() -> list[bytes]:
    """Return traces as JSON, and courses, of two actors too."""
    courses = [course_of(from_json(json.loads(each))) for each in trace()[:5]]
    moments = tuple(
        replace(moment, actor="ab"[place % 2], words="x") for place, moment in enumerate(courses[0].moments)
    )
    courses.append(replace(courses[0], moments=moments, actors=("a", "b"), ended="x"))
    return [*trace(), *(json.dumps(course_to_json(course)).encode() for course in courses)]


def capture() -> list[bytes]:
    """Return captures: the shortest that is shipped, the beginning of another, one with a bad length, and a pcapng."""
    files = sorted((path.read_bytes() for path in shipped_captures().values()), key=len)
    whole = files[0]
    section = struct.pack("<IIIHHqI", 0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0, -1, 28)
    interface = struct.pack("<IIHHII", 1, 20, 101, 0, 0, 20)
    packet = struct.pack("<IIIIIII", 6, 60, 0, 1, 2, 28, 28) + write_vectors.PING + struct.pack("<I", 60)
    return [
        whole,
        files[-1][:100],
        whole[:32] + b"\xff\xff\xff\x7f" + whole[36:],
        whole[:20] + b"\x01" + whole[21:],
        section + interface + packet,
    ]


SEEDS: Final[Mapping[str, Callable[[], Sequence[bytes]]]] = {
    "fuzz_decode": decode,
    "fuzz_encode": encode,
    "fuzz_image": image,
    "decode": bundles,
    "encode": packets,
    "diagnose": diagnose,
    "scenario": scenario,
    "trace": trace,
    "draw": draw,
    "schedule": schedule,
    "lines": lines,
    "capture": capture,
}


def seeds(target: str) -> list[bytes]:
    """Return the seeds of a target, those of fuzz_*.c or of `tests.fuzz.targets`."""
    return [seed for seed in SEEDS[target]() if len(seed) <= LARGEST]


def write(target: str, directory: Path) -> None:
    """Write the seeds of a target as files into a directory, which is made if need be."""
    directory.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds(target)):
        (directory / f"{number:03}").write_bytes(seed)
