"""What the campaigns on driver and model have in common: what may be asked, which mutants are drawn, how they are told.

They differ in how a mutant is made and judged; that is theirs.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path
from random import Random
from typing import Final, TypeVar

from tests.mutation.mutate import Mutant
from tests.mutation.report import Judged

SAMPLE_SEED: Final = 1

Kind = TypeVar("Kind", bound=Mutant)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of every campaign."""
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="at once; default: 2")
    parser.add_argument("--results", type=Path, metavar="FILE", help="go on from there, and write there")
    parser.add_argument("--sample", type=int, metavar="N", help="so many mutants, always the same")
    parser.add_argument("--write", action="store_true", help="put the score into docs/mutation.md")


def sampled(chosen: list[Kind], count: int | None) -> list[Kind]:
    """Return so many of the mutants, drawn at random but always the same; all where no number is given."""
    if count is None or count >= len(chosen):
        return chosen
    return [chosen[place] for place in sorted(Random(SAMPLE_SEED).sample(range(len(chosen)), count))]


def told(left_out: list[Judged], work: list[Kind], found: Iterable[str]) -> list[Judged]:
    """Count mutants as it is found out what there is to find in each; return all of them in order."""
    print(f"{len(left_out) + len(work)} mutants, {len(work)} of which compile and differ", file=sys.stderr)
    verdicts = list(left_out)
    for number, (mutant, what) in enumerate(zip(work, found, strict=True), start=1):
        verdicts.append(Judged(mutant, what))
        if sys.stderr.isatty():
            print(f"\r{number} of {len(work)}", end="", file=sys.stderr)
    return sorted(verdicts, key=lambda judged: (judged.mutant.file, judged.mutant.start, judged.mutant.what()))
