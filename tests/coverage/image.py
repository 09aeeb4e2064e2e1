"""Builds the driver so that it counts which of its lines and branches are executed."""

from __future__ import annotations

import platform
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from wintun_sim.kernel import builder

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parents[1]
LEAST_GCC: Final = 12

MEASURED: Final = (*sorted((ROOT / "driver").glob("*.c")), ROOT / "shared" / "bundle.c")
"""The sources of which lines and branches are counted."""


class CannotCount(Exception):
    """Something that is needed is not here; the message says what."""


@dataclass(frozen=True, slots=True)
class CountedImage:
    """An image that counts, and the directory with what gcc noted of its sources, for gcov."""

    path: Path
    notes: Path
    version: str


def build(directory: Path) -> CountedImage:
    """Build the image in an empty directory. Raises ``CannotCount`` without gcc and gcov of version 12 or later."""
    version = gcc_version()
    library = _output("gcc", "-print-file-name=libgcov.a").strip()
    if not Path(library).is_file():
        raise CannotCount("gcc's library for coverage, libgcov.a, is not here")
    if not (ROOT / "driver").is_dir():
        raise CannotCount("the driver's sources are not here")
    # The builder optimizes, and gcov would then blame lines for what the compiler made of them: the last word counts.
    words = ["-O0", "-fprofile-arcs", "-ftest-coverage", "-fprofile-info-section=gcov_info"]
    words += ["-dumpdir", f"{directory}/", f"-Wl,{library}"]
    compiler = directory / "cc"
    compiler.write_text(
        "#!/bin/sh\n"
        'case "$*" in *counters.c*) exec gcc "$@" ;; esac\n'  # counts nothing itself
        f'exec gcc "$@" {shlex.join(words)}\n'
    )
    compiler.chmod(0o755)
    image = directory / "image.so"
    builder.build(
        [*MEASURED, HERE / "counters.c"],
        image,
        include=[ROOT / "driver", ROOT / "shared"],
        compiler=builder.Compiler((str(compiler),), False),
    )
    return CountedImage(image, directory, version)


def gcc_version() -> str:
    """Return gcc's major version. Raises ``CannotCount`` where there is none that can do this."""
    for tool in ("gcc", "gcov"):
        if shutil.which(tool) is None:
            raise CannotCount(f"{tool} is needed to count lines and branches, and is not here")
    version = _output("gcc", "-dumpversion").strip().partition(".")[0]
    if "clang" in _output("gcc", "--version") or not version.isdecimal() or int(version) < LEAST_GCC:
        raise CannotCount(f"gcc {LEAST_GCC} or later is needed to count lines and branches without files")
    if platform.machine() not in builder.THUNKS:
        raise CannotCount(f"images for {platform.machine()} cannot be built")
    return version


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
