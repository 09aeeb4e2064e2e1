"""Builds the driver without some of its repairs: as the published one was, or its parent, or one repair at a time.

Each repair has a patch of its name in ``repairs/``, which takes it out of the driver. They are applied in one order,
that of the table in ``wintun_sim.model.revisions``, and so any selection of them goes together.
"""

import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.defects.build import HERE, ROOT
from wintun_sim.kernel import builder
from wintun_sim.model import REPAIRS

PATCHES = HERE / "repairs"
OLD_PAUSE = PATCHES / "BEFORE.patch"
"""The pause of the published driver's parent: goes on top of all others."""


def patched() -> list[str]:
    """Return the names of the repairs that have a patch, in the order in which the patches are applied."""
    return [name for name in REPAIRS if (PATCHES / f"{name}.patch").is_file()]


def build_without(directory: Path, names: Iterable[str], *, old_pause: bool = False) -> Path:
    """Build the driver in ``directory`` without the repairs of these names; return the image."""
    if not (ROOT / "driver").is_dir() or shutil.which("git") is None:
        pytest.skip("the driver's sources, and git to apply patches to them, are needed and are not here")
    for room in ("driver", "shared"):
        shutil.copytree(ROOT / room, directory / room)
    chosen = set(names)
    patches = [PATCHES / f"{name}.patch" for name in REPAIRS if name in chosen]
    assert len(patches) == len(chosen), f"no such repairs: {chosen - set(REPAIRS)}"
    for patch in [*patches, *[OLD_PAUSE] * old_pause]:
        # One line of context, so that two patches may change neighbouring lines.
        subprocess.run(["git", "apply", "-C1", str(patch)], cwd=directory, check=True)
    image = directory / "image.so"
    sources = [*sorted((directory / "driver").glob("*.c")), directory / "shared" / "bundle.c"]
    builder.build(sources, image, include=[directory / "driver", directory / "shared"])
    return image
