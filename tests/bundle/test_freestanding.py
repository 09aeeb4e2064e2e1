"""The codec goes into a Windows driver: it has to build without a C library, for each machine that Windows runs on.

clang stands in for Microsoft's compiler, with nothing but its own stddef.h and stdint.h. Where the codec does something
of its own for that compiler, clang is told to be it.
"""

from pathlib import Path

import pytest

from tests.driver.toolchain import ROOT, WARNINGS, WINDOWS_MACHINES, find, run

SHARED = ROOT / "shared"
SOURCES = sorted(SHARED.glob("*.c"))
STRICT = (*WARNINGS, "-Wcast-align", "-Wpedantic", "-Wstrict-prototypes", "-Wundef")

# <string.h>, for the branch of the codec that is for Microsoft's compiler; Windows' own is not at hand.
STRING_H = """#include <stddef.h>
void *memcpy(void *to, const void *from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int value, size_t size);
"""


def windows(machine: str) -> tuple[str, ...]:
    """Return how clang is called for Windows on a machine of this kind, with no header but its own."""
    return (find("clang"), f"--target={machine}-pc-windows-msvc", "-std=c11", "-ffreestanding", "-nostdlibinc")


@pytest.mark.parametrize("level", ["-O0", "-O2", "-Os"])
@pytest.mark.parametrize("machine", WINDOWS_MACHINES)
def test_the_codec_builds_for_windows_and_needs_three_functions(machine: str, level: str, tmp_path: Path) -> None:
    """Copying and filling memory, which Windows' kernel exports; one name more, and a driver with it might not load.

    And it has no variable that could be written to, so that any number of processors can be in it at once.
    """
    run(*windows(machine), level, *STRICT, "-c", *SOURCES, directory=tmp_path)
    objects = sorted(tmp_path.glob("*.obj")) + sorted(tmp_path.glob("*.o"))
    assert len(objects) == len(SOURCES) > 0
    symbols = [line.split()[-2:] for line in run(find("llvm-nm"), *objects, directory=tmp_path).splitlines() if line]
    defined = {name for kind, name in symbols if kind != "U"}
    assert {"bundle_next", "bundle_reserve", "bundle_decode"} <= defined
    assert {name for kind, name in symbols if kind == "U"} <= {"memcpy", "memmove", "memset"}
    assert not [name for kind, name in symbols if kind in "bBdDcC"]


@pytest.mark.parametrize("machine", WINDOWS_MACHINES)
def test_what_the_codec_has_for_microsofts_compiler_builds_too(machine: str, tmp_path: Path) -> None:
    """clang without its own name takes that branch, and knows `__unaligned` and `__declspec`."""
    (tmp_path / "string.h").write_text(STRING_H)
    pretending = ("-fms-extensions", "-U__clang__", f"-isystem{tmp_path}")
    run(*windows(machine), "-O2", *pretending, *WARNINGS, "-c", *SOURCES, directory=tmp_path)


@pytest.mark.parametrize("compiler", ["gcc", "clang", "x86_64-w64-mingw32-gcc"])
def test_the_codec_builds_without_a_c_library(compiler: str, tmp_path: Path) -> None:
    run(find(compiler), "-std=c11", "-O2", "-ffreestanding", *STRICT, "-c", *SOURCES, directory=tmp_path)


def test_the_codec_includes_nothing_but_two_headers_of_the_language(tmp_path: Path) -> None:
    """What the compiler really opens, with the branches it takes."""
    listed = run(*windows("x86_64"), "-M", *SOURCES, directory=tmp_path)
    opened = {Path(word).name for word in listed.replace("\\\n", " ").split()}
    headers = {name for name in opened if name.endswith(".h")}
    foreign = headers - {path.name for path in SHARED.glob("*.h")}
    assert {name for name in foreign if not name.startswith("__stddef_")} == {"stddef.h", "stdint.h"}
