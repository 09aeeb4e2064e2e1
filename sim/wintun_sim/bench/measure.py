"""Measuring two things side by side, and the table in which they are printed.

Times are taken in rounds: each round runs every contender once, in turn, so that whatever else the machine does meets
all of them. A timing is much shorter than the turns in which a system shares a processor between programs, so most are
not interrupted, and the medians over the rounds, which are compared, are those of uninterrupted ones.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any, Literal

ENOUGH_NS = 200_000  # a timing lasts at least this long, so that the clock does not show


@dataclass(frozen=True, slots=True)
class Row:
    """One comparison: `subject` took `time_ns` per packet where `baseline` took `baseline_ns`.

    With `bound` "at most", `ratio` is time/baseline (how much longer than the least); with "at least" it is
    baseline/time (how many times as fast). `target` is None where the row is for information only.
    """

    subject: str
    size: str
    baseline: str
    time_ns: float
    baseline_ns: float
    bound: Literal["at most", "at least"]
    target: float | None

    @property
    def ratio(self) -> float:
        return self.time_ns / self.baseline_ns if self.bound == "at most" else self.baseline_ns / self.time_ns

    @property
    def verdict(self) -> str:
        """ "met", "missed", or "" where there is no target."""
        if self.target is None:
            return ""
        met = self.ratio <= self.target if self.bound == "at most" else self.ratio >= self.target
        return "met" if met else "missed"

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "ratio": self.ratio, "verdict": self.verdict}


def side_by_side(contenders: Mapping[str, Callable[[], object]], packets: int, rounds: int) -> dict[str, float]:
    """Return each contender's median time in nanoseconds per packet, where one call handles `packets` of them."""
    repeats = {name: _repeats(call) for name, call in contenders.items()}
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, call in contenders.items():
            times[name].append(_time(call, repeats[name]) / packets)
    return {name: median(values) for name, values in times.items()}


def table(rows: Sequence[Row]) -> str:
    """Return the rows as text, with a heading."""
    heading = ("what", "packets", "ns", "against", "ns", "ratio", "target", "verdict")
    cells = [heading, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(heading))]
    right = {2, 4, 5, 6}
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in cells
    )


def _cells(row: Row) -> tuple[str, ...]:
    sign = "<=" if row.bound == "at most" else ">="
    target = "" if row.target is None else f"{sign} {row.target:g}"
    digits = 2 if row.ratio < 100 else 0
    return (
        row.subject,
        row.size,
        f"{row.time_ns:.2f}",
        row.baseline,
        f"{row.baseline_ns:.2f}",
        f"{row.ratio:.{digits}f}",
        target,
        row.verdict,
    )


def _repeats(call: Callable[[], object]) -> int:
    """Return how often `call` has to be called to last long enough; it is warm afterwards."""
    repeats = 1
    while (took := _time(call, repeats) * repeats) < ENOUGH_NS:
        repeats = max(repeats + 1, int(repeats * min(10.0, 1.2 * ENOUGH_NS / max(took, 1))))
    return repeats


def _time(call: Callable[[], object], repeats: int) -> float:
    """Return the nanoseconds that one of `repeats` calls took on average."""
    start = time.perf_counter_ns()
    for _ in range(repeats):
        call()
    return (time.perf_counter_ns() - start) / repeats
