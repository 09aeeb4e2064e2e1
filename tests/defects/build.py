"""Builds the driver from a copy of its sources, broken by a patch or not."""

import shutil
import subprocess
from pathlib import Path

from wintun_sim.kernel import builder

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


def build(directory: Path, patch: str | None) -> Path:
    """Build the driver in `directory`, with the defect of that name; return the image. Skips without the means."""
    if not (ROOT / "driver").is_dir() or shutil.which("git") is None:
        import pytest

        pytest.skip("the driver's sources, and git to apply a patch to them, are needed and are not here")
    for room in ("driver", "shared"):
        shutil.copytree(ROOT / room, directory / room)
    if patch is not None:
        subprocess.run(["git", "apply", str(HERE / f"{patch}.patch")], cwd=directory, check=True)
    image = directory / "image.so"
    sources = [*sorted((directory / "driver").glob("*.c")), directory / "shared" / "bundle.c"]
    builder.build(sources, image, include=[directory / "driver", directory / "shared"])
    return image
