"""Judges the judge: breaks the driver in every small way there is, and counts what is found.

    python -m tests.mutation [--jobs N] [--results FILE] [--only FILE.c] [--sample N] [--write]

Each mutant (tests/mutation/mutate.py) is compiled and judged. One that does not compile, or of which the compiler makes
what it made of the driver or of an earlier mutant, does not count. What survives must stand in survivors.toml with its
reason. Results are kept in FILE, by what was compiled, so that a run that was broken off goes on, and one after a
change of the driver judges little anew; after a change of the judge, begin with a new file. --write puts the score into
docs/mutation.md. Exit status 0: each survivor has its reason; 1: one has none, or a reason has no survivor; 2: it
cannot be run here.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from tests.mutation import report
from tests.mutation.build import DRIVER, ROOT, Workshop
from tests.mutation.campaign import add_arguments, sampled, told
from tests.mutation.kill import Judges
from tests.mutation.mutate import Mutant, mutants
from tests.mutation.report import DOES_NOT_COMPILE, SAME, Judged
from wintun_sim.kernel.builder import BuildError

DOCUMENT: Final = ROOT / "docs" / "mutation.md"


class Campaign:
    """Judges mutants on a few threads, each with a worker and a directory of its own."""

    def __init__(self, workshop: Workshop, results: Path | None) -> None:
        self.workshop = workshop
        self.results = results
        self.reasons = report.read_reasons()
        self.known: dict[str, tuple[str, bool]] = {}
        self._own = threading.local()
        self._judges: list[Judges] = []
        self._lock = threading.Lock()
        if results is not None and results.is_file():
            for line in results.read_text("utf-8").splitlines():
                digest, found, explored = json.loads(line)
                self.known[digest] = (found, explored)

    def compile(self, texts: dict[str, str], chosen: Sequence[Mutant], jobs: int) -> list[str]:
        """Return the digest of what each mutant is compiled to; empty for one that does not compile."""

        def one(mutant: Mutant) -> str:
            made = self.workshop.compile(mutant.file, mutant.apply(texts[mutant.file]), self._place())
            return "" if made is None else made[1]

        with ThreadPoolExecutor(jobs) as pool:
            return list(pool.map(one, chosen))

    def judge(self, texts: dict[str, str], work: Sequence[tuple[Mutant, str]], jobs: int) -> Iterator[str]:
        """Give what was found in each mutant, in their order: all are played before the first is explored."""
        with ThreadPoolExecutor(jobs) as pool:
            deque(pool.map(lambda pair: self._play(texts, *pair), work), maxlen=0)
            yield from pool.map(lambda pair: self._explore(texts, *pair), work)

    def _play(self, texts: dict[str, str], mutant: Mutant, digest: str) -> None:
        """Judge one call at a time, if that was not done before."""
        if digest not in self.known:
            image = self._build(texts, mutant)
            self._keep(digest, self._worker().play(image) if image else "link: a name that nobody has", False)

    def _explore(self, texts: dict[str, str], mutant: Mutant, digest: str) -> str:
        """Explore what survived that, if that was not done before and may find anything. Returns what was found."""
        found, explored = self.known[digest]
        if not found and not explored and not self._is_equivalent(mutant):
            image = self._build(texts, mutant)
            assert image is not None  # it was played
            found = self._worker().explore(image)
            self._keep(digest, found, True)
        return found

    def _build(self, texts: dict[str, str], mutant: Mutant) -> Path | None:
        place = self._place()
        made = self.workshop.compile(mutant.file, mutant.apply(texts[mutant.file]), place)
        image = place / "image.so"
        return image if made and self.workshop.link(mutant.file, made[0], image) else None

    def _keep(self, digest: str, found: str, explored: bool) -> None:
        with self._lock:
            self.known[digest] = (found, explored)
            if self.results is not None:
                with self.results.open("a", encoding="utf-8") as file:
                    file.write(json.dumps([digest, found, explored]) + "\n")

    def _is_equivalent(self, mutant: Mutant) -> bool:
        """Tell whether there is a reason why nothing can be found, so that it is not looked for at length."""
        reason = self.reasons.get(Judged(mutant, "").key())
        return reason is not None and reason.kind == "equivalent"

    def _place(self) -> Path:
        place: Path | None = getattr(self._own, "place", None)
        if place is None:
            place = self._own.place = Path(tempfile.mkdtemp(dir=self.workshop.directory))
        return place

    def _worker(self) -> Judges:
        judges: Judges | None = getattr(self._own, "judges", None)
        if judges is None:
            judges = self._own.judges = Judges()
            with self._lock:
                self._judges.append(judges)
        return judges

    def close(self) -> None:
        """End all workers."""
        for judges in self._judges:
            judges.close()


def run(only: Sequence[str], sample: int | None, jobs: int, results: Path | None) -> list[Judged]:
    """Judge mutants: of some files only, or only so many of them, drawn at random but always the same."""
    texts = {path.name: path.read_text("utf-8") for path in sorted(DRIVER.glob("*.c"))}
    chosen = [mutant for file, text in texts.items() if not only or file in only for mutant in mutants(file, text)]
    with tempfile.TemporaryDirectory(prefix="wintun-sim-mutation-") as directory:
        campaign = Campaign(Workshop(Path(directory)), results)
        try:
            return _run(campaign, texts, sampled(chosen, sample), jobs)
        finally:
            campaign.close()


def _run(campaign: Campaign, texts: dict[str, str], chosen: Sequence[Mutant], jobs: int) -> list[Judged]:
    digests = campaign.compile(texts, chosen, jobs)
    seen = {campaign.workshop.digest(file) for file in texts}
    left_out: list[Judged] = []
    work: list[tuple[Mutant, str]] = []
    for mutant, digest in zip(chosen, digests, strict=True):
        if not digest or digest in seen:
            left_out.append(Judged(mutant, SAME if digest else DOES_NOT_COMPILE))
            continue
        seen.add(digest)
        work.append((mutant, digest))
    return told(left_out, [mutant for mutant, _ in work], campaign.judge(texts, work, jobs))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the campaign, and say what came of it."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description="Judge the judge.")
    add_arguments(parser)
    parser.add_argument("--only", action="append", default=[], metavar="FILE.c", help="mutants of this source")
    given = parser.parse_args(arguments)
    try:
        verdicts = run(given.only, given.sample, given.jobs, given.results)
        reasons = report.read_reasons()
    except (BuildError, OSError, ValueError) as error:
        print(f"mutation: error: {error}", file=sys.stderr)
        return 2
    print(report.table(verdicts, reasons))
    whole = not given.only and given.sample is None
    wrong = report.wrong(verdicts, reasons, whole=whole)
    print("\n".join(wrong))
    if given.write and not given.only and not wrong:
        report.write(DOCUMENT, verdicts, reasons, whole=whole)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
