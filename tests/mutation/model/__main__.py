"""Judges the judge from the other side: breaks the model in every small way there is, and counts what is found.

    python -m tests.mutation.model [--jobs N] [--results FILE] [--only FILE.py] [--sample N] [--quick] [--write]

Each mutant (mutate.py) of the model's parts through which CURRENT runs takes the model's place, and is held against
the driver (kill.py): one call at a time and then, unless asked to be --quick, with calls at once. One of which Python
makes what it made of the model, or of an earlier mutant, does not count. What survives must stand in survivors.toml
with its reason. Results are kept in FILE, by what was compiled, so that a run that was broken off goes on; after a
change of driver or judge, begin with a new file. --write puts the score into docs/mutation.md. Exit status 0: each
survivor has its reason; 1: one has none, or a reason has no survivor; 2: it cannot be run here.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import json
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final

from tests.mutation import report
from tests.mutation.campaign import add_arguments, sampled, told
from tests.mutation.model.kill import MODEL, Forge
from tests.mutation.model.mutate import ModelMutant, digest, mutants
from tests.mutation.report import DOES_NOT_COMPILE, SAME, Judged, Key, Reason
from wintun_sim.errors import WintunSimError

PARTS: Final = (
    *("requests.py", "core.py", "life.py", "pump.py", "sending.py", "client.py", "oids.py"),
    *("attributes.py", "limits.py", "machine.py"),
)
"""What CURRENT runs through, one operation at a time."""

DOCUMENT: Final = Path(__file__).parents[3] / "docs" / "mutation.md"
REASONS: Final = Path(__file__).with_name("survivors.toml")


class Campaign:
    """Judges mutants on a few threads, each with a worker of its own."""

    def __init__(self, results: Path | None, reasons: dict[Key, Reason], exploring: bool) -> None:
        self.results = results
        self.reasons = reasons
        self.exploring = exploring
        self.known: dict[str, str] = {}
        self._own = threading.local()
        self._forges: list[Forge] = []
        self._lock = threading.Lock()
        if results is not None and results.is_file():
            self.known = dict(json.loads(line) for line in results.read_text("utf-8").splitlines())

    def judge(self, texts: dict[str, str], work: Sequence[tuple[ModelMutant, str]], jobs: int) -> Iterator[str]:
        """Give what was found in each mutant, in their order."""
        with ThreadPoolExecutor(jobs) as pool:
            yield from pool.map(lambda pair: self._judge(texts, *pair), work)

    def _judge(self, texts: dict[str, str], mutant: ModelMutant, name: str) -> str:
        text = mutant.apply(texts[mutant.file])
        forge = self.forge()
        found = self._known(name, partial(forge.play, mutant.file, text))
        if found or not self.exploring or self._is_equivalent(mutant):
            return found
        return self._known(f"{name}/explored", partial(forge.explore, mutant.file, text))

    def look_at_model(self, texts: dict[str, str]) -> None:
        """See that nothing is found in the model as it is. Raises ``ValueError``."""
        whole = digest_of(texts)
        found = self._known(whole, lambda: self.forge().play(PARTS[0], texts[PARTS[0]]))
        if found:
            raise ValueError(f"something is found in the model as it is: {found}")

    def _known(self, name: str, find: Callable[[], str]) -> str:
        if name not in self.known:
            found = find()
            with self._lock:
                self.known[name] = found
                if self.results is not None:
                    with self.results.open("a", encoding="utf-8") as file:
                        file.write(json.dumps([name, found]) + "\n")
        return self.known[name]

    def _is_equivalent(self, mutant: ModelMutant) -> bool:
        """Tell whether there is a reason why nothing can be found, so that it is not looked for at length."""
        reason = self.reasons.get(mutant.key())
        return reason is not None and reason.kind == "equivalent"

    def forge(self) -> Forge:
        """Return this thread's worker."""
        forge: Forge | None = getattr(self._own, "forge", None)
        if forge is None:
            forge = self._own.forge = Forge()
            with self._lock:
                self._forges.append(forge)
        return forge

    def close(self) -> None:
        """End all workers."""
        for forge in self._forges:
            forge.close()


def digest_of(texts: dict[str, str]) -> str:
    """Return the name under which the model as it is is kept among the results."""
    return hashlib.sha256("".join(map(digest, texts.values())).encode()).hexdigest()


def run(
    only: Sequence[str], sample: int | None, jobs: int, results: Path | None, reasons: dict[Key, Reason], explore: bool
) -> list[Judged]:
    """Judge mutants: of some files only, or only so many of them, drawn at random but always the same.

    Raises ``ValueError`` where something is found in the model as it is.
    """
    texts = {part: (MODEL / part).read_text("utf-8") for part in PARTS}
    chosen = [
        mutant
        for part, text in texts.items()
        if not only or part in only
        for mutant in mutants(part, text, importlib.import_module(f"wintun_sim.model.{Path(part).stem}"))
    ]
    campaign = Campaign(results, reasons, explore)
    try:
        campaign.look_at_model(texts)
        return _run(campaign, texts, sampled(chosen, sample), jobs)
    finally:
        campaign.close()


def _run(campaign: Campaign, texts: dict[str, str], chosen: Sequence[ModelMutant], jobs: int) -> list[Judged]:
    seen = {f"{part}/{digest(text)}" for part, text in texts.items()}
    left_out: list[Judged] = []
    work: list[tuple[ModelMutant, str]] = []
    for mutant in chosen:
        made = digest(mutant.apply(texts[mutant.file]))
        name = f"{mutant.file}/{made}"
        if not made or name in seen:
            left_out.append(Judged(mutant, SAME if made else DOES_NOT_COMPILE))
            continue
        seen.add(name)
        work.append((mutant, name))
    return told(left_out, [mutant for mutant, _ in work], campaign.judge(texts, work, jobs))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the campaign, and say what came of it."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation.model", description="Judge the judge.")
    add_arguments(parser)
    parser.add_argument("--only", action="append", default=[], choices=PARTS, metavar="FILE.py", help="of this source")
    parser.add_argument("--quick", action="store_true", help="one call at a time only")
    parser.add_argument("--reasons", type=Path, default=REASONS, metavar="FILE", help="why survivors may survive")
    given = parser.parse_args(arguments)
    try:
        reasons = report.read_reasons(given.reasons)
        verdicts = run(given.only, given.sample, given.jobs, given.results, reasons, not given.quick)
    except (WintunSimError, OSError, ValueError) as error:
        print(f"mutation: error: {error}", file=sys.stderr)
        return 2
    print(report.table(verdicts, reasons, "model"))
    whole = given.sample is None
    concerned = {key: reason for key, reason in reasons.items() if not given.only or key[0] in given.only}
    wrong = report.wrong(verdicts, concerned, whole=whole)
    print("\n".join(wrong))
    if given.write and not given.only and not wrong:
        report.write(DOCUMENT, verdicts, reasons, whole=whole, folder="model", section="measured, model")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
