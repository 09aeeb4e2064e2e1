"""Builds the driver without some of its repairs: as the published one was, or its parent, or one repair at a time.

Each repair has a patch of its name in ``repairs/``, which takes it out of the driver. They are applied in one order,
that of the table in ``wintun_sim.model.revisions``, and so any selection of them goes together.

    python -m tests.defects.unrepaired --revision=UPSTREAM|BEFORE|-NAME[,-NAME] -o IMAGE
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.defects.build import HERE, ROOT
from wintun_sim.errors import WintunSimError
from wintun_sim.kernel import builder
from wintun_sim.model import REPAIRS
from wintun_sim.model.revisions import missing_repairs

PATCHES = HERE / "repairs"
OLD_PAUSE = PATCHES / "BEFORE.patch"
"""The pause of the published driver's parent: goes on top of all others."""


def patched() -> list[str]:
    """Return the names of the repairs that have a patch, in the order in which the patches are applied."""
    return [name for name in REPAIRS if (PATCHES / f"{name}.patch").is_file()]


def build_without(
    directory: Path, names: Iterable[str], *, old_pause: bool = False, instrumented: bool = False
) -> Path:
    """Build the driver in ``directory`` without the repairs of these names; return the image. Skips without git."""
    if not (ROOT / "driver").is_dir() or shutil.which("git") is None:
        import pytest

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
    include = [directory / "driver", directory / "shared"]
    builder.build(sources, image, include=include, instrumented=instrumented)
    return image


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the image of a revision to a file. Exit status 0: it is there; 2: it cannot be made, and why is said."""
    parser = argparse.ArgumentParser(prog="python -m tests.defects.unrepaired", description=main.__doc__)
    parser.add_argument(
        "--revision", required=True, help="UPSTREAM, BEFORE, or repairs to take out, as in --revision=-late-read"
    )
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="IMAGE")
    asked = parser.parse_args(arguments)
    try:
        names = [repair.name for repair in missing_repairs(asked.revision)]
        if shutil.which("git") is None:
            raise WintunSimError("git is needed to apply the patches; install it")
        with tempfile.TemporaryDirectory() as directory:
            known = [name for name in names if name in patched()]
            shutil.copy(build_without(Path(directory), known, old_pause=asked.revision == "BEFORE"), asked.output)
    except (WintunSimError, builder.BuildError, OSError) as error:
        print(f"unrepaired: error: {error}", file=sys.stderr)
        return 2
    print(f"{asked.output}: the driver as {asked.revision}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
