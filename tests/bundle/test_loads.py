"""Each size is loaded once, whatever another thread does to it meanwhile: counted, not believed.

A driver that loads a size twice from memory that a hostile client can write to checks one value and uses another. C
lets a compiler load again what is not volatile, so that is asked of the machine code: c/count_loads.c sees every access
of the codec, in every build that the compilers here make of it.
"""

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.driver.toolchain import ROOT, WARNINGS, find, run

CODEC = ROOT / "shared" / "bundle.c"
HERE = Path(__file__).parent / "c"
LOAD = "return *(const volatile unaligned_uint32 *)where;"
FETCH = "*packet_size = load_size(header);"
LIMIT = "if (walker->number >= walker->limit)"

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs POSIX threads and a compiler for them")


def count(compiler: str, level: str, directory: Path, text: str) -> str:
    """Compile a codec with its accesses counted and run it; return what the program said, or where it failed."""
    codec = directory / "codec.c"
    codec.write_text(text, "utf-8")
    common = (find(compiler), "-std=gnu11", level, "-g", f"-I{CODEC.parent}", f"-I{HERE}")
    counted = ("-fsanitize=thread", "-DCOUNTED", "-include", str(HERE / "count_loads.h"))
    run(*common, *counted, "-c", codec, "-o", "codec.o", directory=directory)
    program = directory / "count_loads"
    run(*common, *WARNINGS, HERE / "count_loads.c", "codec.o", "-pthread", "-o", program, directory=directory)
    done = subprocess.run([program], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode in (0, 1), done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("level", ["-O0", "-O1", "-O2", "-O3", "-Os"])
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_every_size_is_loaded_once_while_another_thread_rewrites_it(compiler: str, level: str, tmp_path: Path) -> None:
    """By the walker, which the driver uses, and in bulk; no other byte of the buffer is read, and none around it.

    And a buffer that is filled is never read back, nor written beyond its end.
    """
    said = count(compiler, level, tmp_path, CODEC.read_text("utf-8"))
    numbers = re.fullmatch(
        r"(\d+) calls, (\d+) sizes loaded, (\d+) of them changed meanwhile, (\d+) bytes written", said
    )
    assert numbers is not None, said
    calls, loads, changed, written = map(int, numbers.groups())
    assert calls > 2_000
    assert loads > 5_000
    assert changed > loads / 10, "the other thread did nothing, so that nothing was shown"
    assert written > 50_000


@pytest.mark.parametrize(
    ("right", "wrong", "complaint"),
    [
        (LOAD, LOAD[:-1] + LOAD.removeprefix("return").replace("*(", "| *(", 1), r"byte \d+ was loaded twice"),
        ("if (left < BUNDLE_HEADER_SIZE)", "if (left < 1)", r"4 bytes were read at offset \d+ of a buffer of \d+"),
        (
            FETCH,
            FETCH[:-1] + " + 0 * *(const volatile unsigned char *)(header + 4);",
            r"1 bytes were read at offset \d+, ",
        ),
        (
            LIMIT,
            LIMIT[:-1] + " + (left > 15 && load_size(walker->base + walker->offset) == 7))",
            r"byte \d+ was loaded twice",
        ),
        ("    fill_bytes(where + ", "    if (where[4] != 0)\n        fill_bytes(where + ", "1 bytes were read back at"),
        ("if (size > writer->length - writer->written)", "if (0)", r"\d+ bytes were written at offset \d+ of a buffer"),
    ],
)
def test_a_codec_that_does_otherwise_is_found_out(right: str, wrong: str, complaint: str, tmp_path: Path) -> None:
    """Else the count would prove nothing: each of these is a slip that a review might miss."""
    text = CODEC.read_text("utf-8")
    assert text.count(right) == 1, "the source has changed: make the slip anew"
    assert re.match(complaint, count("gcc", "-O2", tmp_path, text.replace(right, wrong)))
