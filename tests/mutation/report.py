"""What a campaign says: how many mutants were found, which survived, and why that is right.

survivors.toml has the reasons. An entry is known by the source, the line of code as it stands there and the words of
the change, in the model by the function too, so that it stays right when lines move. Its kind says whether the mutant
cannot be told from what it was made of by anybody (``equivalent``), only by calls at once that were not met here
(``concurrency``), or could be told and is not (``open``).
"""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.mutation.mutate import Mutant

DOES_NOT_COMPILE: Final = "does not compile"
SAME: Final = "the same"
"""Verdicts on what does not count."""

SURVIVORS: Final = Path(__file__).with_name("survivors.toml")
KINDS: Final = ("equivalent", "concurrency", "open")

Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Judged:
    """A mutant and what was found in it: nothing, if it survived."""

    mutant: Mutant
    found: str

    @property
    def counts(self) -> bool:
        """Tell whether it compiles and differs."""
        return self.found not in (DOES_NOT_COMPILE, SAME)

    def key(self) -> Key:
        """Return what its reason is found by."""
        return self.mutant.key()


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a mutant may survive: one of KINDS, and why in words."""

    kind: str
    why: str


def read_reasons(path: Path = SURVIVORS) -> dict[Key, Reason]:
    """Read survivors.toml. Raises ``ValueError`` for what is not as it should be."""
    entries = tomllib.loads(path.read_text("utf-8")).get("survivor", [])
    reasons: dict[Key, Reason] = {}
    for entry in entries:
        kind, why = entry["kind"], " ".join(entry["why"].split())
        if kind not in KINDS or not why:
            raise ValueError(f"{path.name}: {entry}: a kind of {' or '.join(KINDS)} and a reason are wanted")
        for change in entry["changes"]:
            place = [entry[part] for part in ("file", "function", "line") if part in entry]
            key = (*place[:-1], " ".join(place[-1].split()), change)
            if key in reasons:
                raise ValueError(f"{path.name}: {key} stands there twice")
            reasons[key] = Reason(kind, why)
    return reasons


def survivors(verdicts: Sequence[Judged]) -> list[Judged]:
    """Return the mutants in which nothing was found."""
    return [judged for judged in verdicts if judged.counts and not judged.found]


def wrong(verdicts: Sequence[Judged], reasons: dict[Key, Reason], *, whole: bool) -> list[str]:
    """Say which survivors have no reason and, after a ``whole`` campaign, which reasons have no survivor."""
    left = survivors(verdicts)
    lines = [
        f"survived without a reason: {judged.mutant.file}:{judged.mutant.line}: {judged.mutant.function}:"
        f" {judged.mutant.what()}\n    in: {judged.mutant.context}"
        for judged in left
        if judged.key() not in reasons
    ]
    if whole:
        found = {judged.key() for judged in left}
        lines += [f"a reason without a survivor: {': '.join(key)}" for key in reasons if key not in found]
    return lines


def table(verdicts: Sequence[Judged], reasons: dict[Key, Reason], folder: str = "driver") -> str:
    """Return the score of each source in ``folder``, as a Markdown table."""
    lines = [
        "| source | mutants | compile and differ | found | survive: equivalent | concurrency | open | score |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    files = sorted({judged.mutant.file for judged in verdicts})
    for name in [*files, "all"]:
        mine = [judged for judged in verdicts if name in (judged.mutant.file, "all")]
        real = [judged for judged in mine if judged.counts]
        kinds = Counter(reasons[judged.key()].kind for judged in survivors(mine) if judged.key() in reasons)
        found = sum(bool(judged.found) for judged in real)
        able = len(real) - kinds["equivalent"]
        score = f"{100 * found / able:.1f} %" if able else "–"
        title = f"`{folder}/{name}`" if name != "all" else "all"
        lines.append(
            f"| {title} | {len(mine)} | {len(real)} | {found} | {kinds['equivalent']} | {kinds['concurrency']}"
            f" | {kinds['open']} | {score} |"
        )
    return "\n".join(lines) + "\n"


def stages(verdicts: Sequence[Judged]) -> str:
    """Return what found the mutants first, as a Markdown table."""
    counts = Counter(
        judged.found.partition(" ")[0].rstrip(":") for judged in verdicts if judged.counts and judged.found
    )
    lines = ["| found by | mutants |", "|---|--:|"]
    lines += [f"| {stage} | {count} |" for stage, count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))]
    return "\n".join(lines) + "\n"


def left_over(verdicts: Sequence[Judged], reasons: dict[Key, Reason]) -> str:
    """Return the survivors and their reasons, as a Markdown list: one item for each reason and kind."""
    groups: dict[Reason, Counter[str]] = {}
    for judged in survivors(verdicts):
        reason = reasons[judged.key()]
        groups.setdefault(reason, Counter())[f"`{judged.mutant.file}` {judged.mutant.function}"] += 1
    lines: list[str] = []
    for reason, places in groups.items():
        where = ", ".join(f"{place} ({count})" if count > 1 else place for place, count in places.items())
        lines.append(_wrapped(f"- *{reason.kind}*, {where}: {reason.why}"))
    return "\n".join(lines) + "\n"


def _wrapped(text: str) -> str:
    import textwrap

    return textwrap.fill(text, 118, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


def write(
    document: Path,
    verdicts: Sequence[Judged],
    reasons: dict[Key, Reason],
    *,
    whole: bool,
    folder: str = "driver",
    section: str = "measured",
) -> None:
    """Put what was measured into the page, between the two marks of a section."""
    begin, end = f"<!-- {section}: begin -->\n", f"<!-- {section}: end -->\n"
    before, _, rest = document.read_text("utf-8").partition(begin)
    which = "all mutants" if whole else f"a sample: `--sample {len(verdicts)}`"
    parts = [
        f"Measured with {which}.\n",
        table(verdicts, reasons, folder),
        stages(verdicts),
        left_over(verdicts, reasons),
    ]
    document.write_text(before + begin + "\n".join(parts) + end + rest.partition(end)[2], "utf-8")
