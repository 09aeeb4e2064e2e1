"""What is fuzzed in Python: everything that takes bytes or text from outside.

Each target takes any bytes. It lets the errors that are documented pass, lets every other one out, and holds what it
got to an oracle: the codec to tests.bundle.oracle, the parsers to reading again what they wrote.
"""

import hashlib
import io
import json
import tempfile
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final
from unittest import mock

from tests.bundle import oracle
from tests.render.grammar import is_mermaid
from wintun_sim import bundle
from wintun_sim.errors import UsageError
from wintun_sim.integrations.pcap import read_packets, write_packets
from wintun_sim.kernel.lines import read_lines
from wintun_sim.operations import scan
from wintun_sim.render import mermaid, story_of, svg, terminal
from wintun_sim.scenario import ScenarioError, format_scenario, parse
from wintun_sim.trace import course_from_json, course_of, course_to_json, from_json, to_json
from wintun_sim.trace.schedule import MAX_CHOICES, parse_schedule

SCENARIO_BYTES: Final = 1 << 20
"""Bytes of packets that a scenario may make here; 256 MiB otherwise, at which a fuzzer would make one run a minute."""


def decode(data: bytes) -> None:
    """Decode one bundle, in both ways, and then all that can be cut out of it in one call."""
    expected = oracle.decode(data)
    found = bundle.decode(data)
    assert found.tolist() == [bytes(packet) for packet in found] == expected.packets
    assert found.offsets.tolist() == expected.offsets
    assert found.sizes.tolist() == [len(packet) for packet in expected.packets]
    assert (found.stop.reason.name, found.stop.offset, found.stop.number) == expected.stop
    assert found.consumed == expected.offset

    strictly = oracle.decode(data, strict=True)
    try:
        clean = bundle.decode(data, strict=True)
        stop = clean.stop
        assert clean.tolist() == strictly.packets
        assert bundle.encode(clean) == data, "what passes as a clean bundle is what is encoded"
    except bundle.BundleError as error:
        stop = error.stop
    assert (stop.reason.name, stop.offset, stop.number) == strictly.stop

    for cut in {0, 1, len(data) // 2, expected.offset} & set(range(len(data) + 1)):
        check_many(data, [cut, len(data) - cut])
    check_many(data, [min(16, len(data) - place) for place in range(0, len(data), 16)])


def check_many(data: bytes, lengths: list[int]) -> None:
    """Decode bundles of these lengths in one call: each comes out as it does alone."""
    many = bundle.decode_many(data, lengths)
    packets: list[bytes] = []
    start = 0
    for index, length in enumerate(lengths):
        alone = oracle.decode(data[start : start + length])
        stop = many.stop(index)
        assert (stop.reason.name, stop.offset, stop.number) == alone.stop
        packets += alone.packets
        start += length
    assert many.tolist() == packets


def encode(data: bytes) -> None:
    """Encode packets whose sizes are the data's 16-bit words, and bytes their patterns; then decode them again."""
    sizes = [int.from_bytes(data[place : place + 2], "big") for place in range(0, len(data) - 1, 2)][:600]
    packets = [bytes([index % 256]) * size for index, size in enumerate(sizes)]
    too_long = [index for index, size in enumerate(sizes) if size > oracle.LARGEST_PACKET]
    refused = [*too_long, *range(oracle.MOST_PACKETS, len(sizes))]
    try:
        encoded = bundle.encode(packets)
    except bundle.BundleError as error:
        if error.stop.number != min(refused, default=-1):
            raise
    else:
        assert not refused
        assert encoded == oracle.encode(packets) == bundle.encode(b"".join(packets), sizes)
        assert bundle.decode(encoded, strict=True).tolist() == packets
        target = bytearray(b"\xa5" * (len(encoded) + 1))
        assert bundle.encode_into(target, packets) == len(encoded)
        assert target == encoded + b"\xa5"
    if not too_long:
        several, lengths = bundle.encode_many(packets)
        assert bundle.decode_many(several, lengths, strict=True).tolist() == packets


def diagnose(data: bytes) -> None:
    """Diagnose a buffer: it agrees with the oracle about where the driver stops, and can always be told."""
    expected = oracle.decode(data, limit=None)
    found = bundle.diagnose(data)
    assert (found.stop.reason.name, found.stop.offset, found.stop.number) == expected.stop
    assert found.clean == (oracle.decode(data, strict=True).reason == "END")
    assert (found.gravity is bundle.Gravity.ERROR) == (expected.reason != "END" or len(data) > oracle.LARGEST_BUFFER)
    received = [packet for packet in expected.packets if oracle.is_ip(packet)]
    if not found.refused:
        assert (found.received, found.skipped) == (len(received), len(expected.packets) - len(received))
    assert all(0 <= remark.offset <= len(data) for remark in found.remarks)
    assert all(line.isprintable() for line in found.lines())
    sizes = [record.size for record in bundle.records(data)]
    assert sizes == [len(packet) for packet in expected.packets]


def scenario(data: bytes) -> None:
    """Read a scenario; what was read and is written is read back."""
    text = data.decode(errors="replace")
    with mock.patch.object(scan, "MAX_TOTAL_BYTES", SCENARIO_BYTES):
        try:
            read = parse(text, "fuzzed")
        except ScenarioError:
            return
        assert parse(format_scenario(read)) == read


def trace(data: bytes) -> None:
    """Read a trace from JSON; what was read and is written is read back."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return
    with mock.patch.object(scan, "MAX_TOTAL_BYTES", SCENARIO_BYTES):
        try:
            read = from_json(document)
        except UsageError:
            return
        assert from_json(json.loads(json.dumps(to_json(read)))) == read


def schedule(data: bytes) -> None:
    """Read a schedule as it is, and with a checksum that fits; what was read is written as it was."""
    text = data.decode(errors="replace")
    for word in (text, f"{text}.{hashlib.sha256(text.encode()).hexdigest()[:6]}"):
        try:
            read = parse_schedule(word)
        except UsageError:
            continue
        assert str(read) == word
        assert len(read.choices) <= MAX_CHOICES


def lines(data: bytes) -> None:
    """Read the line tables of an image; places in it have lines, or none, and nothing else comes of it."""
    cut = len(data) // 2
    for sections in ({".debug_line": data}, {".debug_line": data[:cut], ".debug_str": data, ".debug_line_str": data}):
        read = read_lines({**sections, ".symtab": data[: cut // 24 * 24], ".strtab": data})
        for offset in (0, 1, 0x1010, 1 << 40):
            line = read.at(offset)
            assert line is None or line.line > 0
            read.source(offset)
            read.explain(f"in {read.function(offset)} (image +{offset:#x})")


def draw(data: bytes) -> None:
    """Draw a trace or a course from JSON in each form: nothing in it is more than words to terminal, Mermaid or XML."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return
    is_course = isinstance(document, dict) and "moments" in document
    with mock.patch.object(scan, "MAX_TOTAL_BYTES", SCENARIO_BYTES):
        try:
            course = course_from_json(document) if is_course else course_of(from_json(document))
        except UsageError:
            return
        assert course_from_json(json.loads(json.dumps(course_to_json(course)))) == course
    story = story_of(course, steps=True)
    assert all(line.isprintable() for line in terminal.render(story).splitlines())
    assert all(is_mermaid(line) for line in mermaid.render(story).splitlines())
    picture = ElementTree.fromstring(svg.render(story))
    assert not [each for each in picture.iter() if each.tag.endswith("script")]


def capture(data: bytes) -> None:
    """Read a capture file; its packets are IP packets, and are read back from a file that they are written to."""
    try:
        read = read_packets(io.BytesIO(data))
    except UsageError:
        return
    for packet in read.packets:
        assert packet.data[0] >> 4 in (4, 6)
        assert len(packet.data) >= 20
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "again.pcap")
        try:
            count = write_packets(path, read.packets)
        except UsageError:
            return  # longer than a packet may be, or of a time that the file cannot say
        again = read_packets(path)
    assert count == len(read.packets)
    assert again.packets == read.packets


TARGETS: Final[Mapping[str, Callable[[bytes], None]]] = {
    "decode": decode,
    "encode": encode,
    "diagnose": diagnose,
    "scenario": scenario,
    "trace": trace,
    "draw": draw,
    "schedule": schedule,
    "lines": lines,
    "capture": capture,
}
