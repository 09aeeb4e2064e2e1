"""Findings name lines of somebody's source: what is read of an image's line tables must be what its compiler wrote."""

import re
import struct
from pathlib import Path

import pytest

from tests.fuzz import seeds
from wintun_sim import native
from wintun_sim.kernel.builder import build
from wintun_sim.kernel.lines import Line, Lines, lines_of, read_lines

SOURCE = """\
#include <ndis.h>

NTSTATUS NTAPI first(ULONG a)
{
    DbgPrint("first");
    return a == 7 ? STATUS_SUCCESS : STATUS_UNSUCCESSFUL; /* line 6 */
}

DRIVER_INITIALIZE DriverEntry;
NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    UNREFERENCED_PARAMETER(DriverObject);
    UNREFERENCED_PARAMETER(RegistryPath);
    DbgPrint("entry"); /* line 14 */
    return first(7);
}
"""


@pytest.mark.parametrize("version", [4, 5])
def test_a_table_says_where_the_code_of_each_line_begins(version: int) -> None:
    """The table is typed from the standard: line 5 at 0x1000; then a special opcode, line 5 + 1 at 0x1004."""
    table = seeds.lines()[version - 4]
    lines = read_lines({".debug_line": table})
    assert lines.at(0xFFF) is None
    assert lines.at(0x1000) == lines.at(0x1003) == Line("driver/send.c", 5)
    # 0x4B = 75: (75 - 13) // 14 = 4 bytes on, and -5 + (75 - 13) % 14 = 1 line on; likewise 0xF2: 16 bytes, no line.
    assert lines.at(0x1004) == Line("driver/send.c", 6)
    assert lines.at(0x1014) == Line("driver/send.c", 5 + 1 - 5 + (0xF2 - 13) % 14)


def test_an_image_that_was_just_built_has_the_lines_of_its_source(tmp_path: Path) -> None:
    source = tmp_path / "small.c"
    source.write_text(SOURCE)
    build([source], tmp_path / "small.so", instrumented=True)
    lines = lines_of(tmp_path / "small.so")
    by_function: dict[str, set[int]] = {}
    for start in lines.starts():
        line = lines.at(start)
        if line is not None and line.file.endswith("small.c"):
            by_function.setdefault(lines.function(start), set()).add(line.line)
    assert by_function["first"] <= set(range(3, 8))
    assert {5, 6} <= by_function["first"] | by_function["DriverEntry"]
    assert 14 in by_function["DriverEntry"]


def test_a_message_that_names_a_place_is_told_with_the_line() -> None:
    lines = read_lines({".debug_line": seeds.lines()[0]})
    told = lines.explain("access violation, in TunServe+0x4 (image +0x1004) and (image +0xfff)")
    assert told == "access violation, in TunServe+0x4 (driver/send.c:6) and (image +0xfff)"


def test_our_own_driver_has_a_line_for_every_instruction_of_its_functions() -> None:
    lines = lines_of(native.driver_image(instrumented=True))
    functions = [(start, size, name) for start, size, name in lines.functions() if name.startswith("Tun")]
    assert len(functions) > 40
    for start, size, name in functions:
        line = lines.source(start)
        assert line is not None, name
        assert re.search(r"driver/\w+\.c$", line.file), name
        assert all(lines.source(offset) is not None for offset in range(start, start + size)), name


@pytest.mark.parametrize(
    "content", [b"", b"\x7fELF", b"\x7fELF\x02\x01" + bytes(58), b"\x7fELF\x02\x01" + b"\xff" * 100]
)
def test_a_file_that_is_no_image_has_no_lines(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "no.so").write_bytes(content)
    lines = lines_of(tmp_path / "no.so")
    assert lines.at(0x1000) is None
    assert lines.function(0x1000) == ""


def test_a_table_without_a_range_of_lines_ends_the_reading_and_nothing_else() -> None:
    """A special opcode divides by the line range."""
    table = bytearray(seeds.lines()[0])
    place = table.index(bytes((1, 1, 1, 0xFB, 14, 13))) + 4
    table[place] = 0
    assert isinstance(read_lines({".debug_line": bytes(table)}), Lines)
    assert struct.unpack_from("<I", table)[0] == len(table) - 4
