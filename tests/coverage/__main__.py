"""Measures which lines and branches of the driver are reached, by what, and whether anything is missing.

    python -m tests.coverage [--write] [--keep DIRECTORY]

Prints the table that is in docs/coverage.md; --write puts it there. --keep leaves the image and gcov's files in an
empty directory, for gcovr to show them line by line. Exit status 0: whatever can be reached is; 1: something is not,
or something in unreached.toml is; 2: it cannot be measured here.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.coverage import report
from tests.coverage.counts import Counts, Lines, read_lines
from tests.coverage.image import ROOT, CannotCount, CountedImage, build
from tests.coverage.sources import SOURCES

DOCUMENT = ROOT / "docs" / "coverage.md"
BEGIN, END = "<!-- measured: begin -->\n", "<!-- measured: end -->\n"


def measure(image: CountedImage) -> dict[str, Lines]:
    """Play one source after another, and return what was reached after each."""
    total = Counts()
    stages: dict[str, Lines] = {}
    for name, play in SOURCES.items():
        play(image.path, total)
        total.write()
        stages[name] = read_lines(image.notes, report.NAMES)
        print(f"{name}: {report.reached(stages[name])[report.DRIVER]} lines / branches of the driver", file=sys.stderr)
    return stages


def page(stages: dict[str, Lines], version: str) -> str:
    """Write the measured part of the document."""
    return f"Counted with gcc {version}.\n\n{report.table(stages)}\n{report.reasons()}"


def main() -> int:
    """Measure, and say what came of it."""
    parser = argparse.ArgumentParser(prog="python -m tests.coverage", description="Measure the driver's coverage.")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/coverage.md")
    parser.add_argument("--keep", type=Path, metavar="DIRECTORY", help="leave gcov's files there")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="wintun-sim-coverage-") as temporary:
        directory = (given.keep or Path(temporary)).resolve()
        try:
            directory.mkdir(parents=True, exist_ok=True)
            image = build(directory)
        except (CannotCount, OSError) as error:
            print(f"coverage: error: {error}", file=sys.stderr)
            return 2
        stages = measure(image)
    last = stages[list(stages)[-1]]
    missing = report.wrong(last)
    if missing:
        print("\n".join(missing))
        return 1
    text = page(stages, image.version)
    if given.write:
        before, _, rest = DOCUMENT.read_text("utf-8").partition(BEGIN)
        DOCUMENT.write_text(before + BEGIN + text + END + rest.partition(END)[2], "utf-8")
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
