"""Builds the driver from a copy of its sources, broken by a patch or not.

`python -m tests.defects.build NAME -o IMAGE` makes an instrumented image with the defect of that name, to keep.
"""

import argparse
import shutil
import subprocess
import tempfile
from pathlib import Path

from wintun_sim.kernel import builder

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


def build(directory: Path, patch: str | None, *, instrumented: bool = False) -> Path:
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
    include = [directory / "driver", directory / "shared"]
    builder.build(sources, image, include=include, instrumented=instrumented)
    return image


def main() -> None:
    """Build the image that the command line asks for."""
    parser = argparse.ArgumentParser(description="Makes an image of the driver with a defect.")
    parser.add_argument("name", metavar="NAME", help="a patch, without its ending")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="IMAGE")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        shutil.copyfile(build(Path(directory), arguments.name, instrumented=True), arguments.output)
    print(arguments.output)


if __name__ == "__main__":
    main()
