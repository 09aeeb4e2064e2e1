"""Builds the C tests of the host kernel's core (tests/kernel/c) together with the host kernel."""

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parents[2]
KERNEL = ROOT / "sim/wintun_sim/kernel"
BUILDER = KERNEL / "builder.py"
TESTS = Path(__file__).parent / "c"
IMAGES = Path(__file__).parent / "images"

WARNINGS = ("-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror")
CLANG = ("-fms-extensions", "-fdeclspec", "-Wno-microsoft")
SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer")

# Build name → compiler and what it is told beyond the usual.
BUILDS: dict[str, tuple[str, ...]] = {
    "gcc": ("gcc", "-O2"),
    "gcc-ucontext": ("gcc", "-O2", "-DSWITCH_BY_UCONTEXT"),
    "clang": ("clang", "-O2", *CLANG),
    "gcc-sanitized": ("gcc", "-O1", *SANITIZERS),
    "clang-sanitized": ("clang", "-O1", *CLANG, *SANITIZERS),
}


def missing(build: str) -> str | None:
    """Return why a build cannot be made here, or None when it can."""
    compiler = BUILDS[build][0]
    return None if shutil.which(compiler) else f"{compiler} is not installed"


def names_in_c() -> list[str]:
    """Return the names of the C tests, in the order of the files."""
    texts = [path.read_text("utf-8") for path in sorted(TESTS.glob("test_*.c"))]
    return [name for text in texts for name in re.findall(r"^TEST\((\w+)\)", text, re.MULTILINE)]


def compile_program(build: str, sources: Sequence[Path], place: Path) -> Path:
    """Compile C sources with the whole host kernel, every warning an error, and return the program in `place`."""
    kernel = [*sorted((KERNEL / "source").glob("*.c")), *sorted((KERNEL / "source").glob("*.S"))]
    common = [*BUILDS[build], "-std=gnu11", "-fshort-wchar", "-g", *WARNINGS]
    common += [
        f"-I{directory}" for directory in (KERNEL / "include", KERNEL / "source", KERNEL, ROOT / "shared", TESTS)
    ]

    def compile_one(source: Path) -> str:
        target = place / f"{source.stem}{source.suffix[1:]}.o"
        subprocess.run([*common, "-c", str(source), "-o", str(target)], check=True)
        return str(target)

    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        objects = list(pool.map(compile_one, [*sources, *kernel]))
    program = place / "program"
    subprocess.run([*BUILDS[build], *objects, "-o", str(program), "-ldl", "-lpthread"], check=True)
    return program
