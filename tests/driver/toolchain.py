"""The compilers and linkers that can make something of the driver's sources, and the driver's files."""

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DRIVER = ROOT / "driver"
HEADERS = ROOT / "sim" / "wintun_sim" / "kernel" / "include"
SOURCES = [*sorted(DRIVER.glob("*.c")), ROOT / "shared" / "bundle.c"]
WARNINGS = ("-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror")
WINDOWS_MACHINES = ("x86_64", "aarch64")


@dataclass(frozen=True)
class Target:
    """A way to compile the driver: its name, the tool, and what the tool needs beyond paths and warnings."""

    name: str
    tool: str
    options: tuple[str, ...]


def windows(machine: str) -> Target:
    """Return how clang compiles for Windows on a machine of `WINDOWS_MACHINES`."""
    options = (f"--target={machine}-pc-windows-msvc", "-std=gnu11", "-O2", "-ffreestanding", "-fms-extensions")
    return Target(f"windows-{machine}", "clang", (*options, "-nostdlibinc", f"-I{HEADERS / 'windows'}"))


HOST = ("-std=gnu11", "-O2", "-fshort-wchar", "-fPIC")
TARGETS = (
    Target("host-gcc", "gcc", HOST),
    Target("host-clang", "clang", (*HOST, "-fms-extensions", "-fdeclspec")),
    *map(windows, WINDOWS_MACHINES),
)


def find(tool: str) -> str:
    """Return the path of a tool, by its own name or with the version that Debian appends; skip the test without it."""
    for name in (tool, f"{tool}-14"):
        if path := shutil.which(name):
            return path
    pytest.skip(f"{tool} is not installed")


def run(*command: str | Path, directory: Path) -> str:
    """Run a command and return what it printed; fail the test with that where the command fails."""
    done = subprocess.run(
        command, cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300
    )
    assert done.returncode == 0, f"{Path(command[0]).name} failed:\n{done.stdout}"
    return done.stdout


def compile_sources(target: Target, directory: Path, sources: Sequence[Path] = SOURCES) -> list[Path]:
    """Compile C files with warnings as errors into a directory, and return the object files."""
    paths = (f"-I{HEADERS}", f"-I{ROOT / 'shared'}", f"-I{DRIVER}")
    run(find(target.tool), *target.options, *WARNINGS, *paths, "-c", *sources, directory=directory)
    return [directory / f"{source.stem}.o" for source in sources]


def driver_version() -> tuple[int, int, int]:
    """Return what version.h says."""
    text = (DRIVER / "version.h").read_text("utf-8")
    major, minor, build = (
        int(re.findall(rf"^#define TUN_VERSION_{part} (\d+)$", text, re.MULTILINE)[0])
        for part in ("MAJOR", "MINOR", "BUILD")
    )
    return major, minor, build
