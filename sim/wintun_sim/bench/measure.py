"""Measuring two things side by side, and the table in which they are printed.

Times are taken in rounds: each round runs every contender once, in turn, so that whatever else the machine does meets
all of them. A timing is much shorter than the turns in which a system shares a processor between programs, so most are
not interrupted, and the medians over the rounds are those of uninterrupted ones. The ratio is a median too, of the
rounds' own ratios: how fast the machine is changes in the course of a run, and two neighbours in time share it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any, Literal

ENOUGH_NS = 200_000  # a timing lasts at least this long, so that the clock does not show


Times = list[float]
"""Nanoseconds per packet, one for each round."""


@dataclass(frozen=True, slots=True)
class Row:
    """One comparison: `subject` took `time_ns` per packet where `baseline` took `baseline_ns`; both are medians.

    With `bound` "at most", `ratio` is time/baseline (how much longer than the least); with "at least" it is
    baseline/time (how many times as fast). `target` is None where the row is for information only; `baseline_ns` and
    `ratio` are None where there was no baseline to measure.
    """

    subject: str
    size: str
    baseline: str
    time_ns: float
    baseline_ns: float | None
    ratio: float | None
    bound: Literal["at most", "at least"]
    target: float | None

    @property
    def verdict(self) -> str:
        """ "met", "missed", "not measured", or "" where there is no target."""
        if self.target is None:
            return ""
        if self.ratio is None:
            return "not measured"
        met = self.ratio <= self.target if self.bound == "at most" else self.ratio >= self.target
        return "met" if met else "missed"

    def as_json(self) -> dict[str, Any]:
        """Return the row and its verdict as an object that ``json.dumps`` takes."""
        return {**asdict(self), "verdict": self.verdict}


def at_most(subject: str, size: str, baseline: str, times: Times, baselines: Times, target: float | None) -> Row:
    """Return a row for something that may take at most `target` times as long as its baseline."""
    ratio = median(time / least for time, least in zip(times, baselines, strict=True))
    return Row(subject, size, baseline, median(times), median(baselines), ratio, "at most", target)


def at_least(subject: str, size: str, baseline: str, times: Times, baselines: Times, target: float | None) -> Row:
    """Return a row for something that has to be at least `target` times as fast as its baseline."""
    ratio = median(slow / time for time, slow in zip(times, baselines, strict=True))
    return Row(subject, size, baseline, median(times), median(baselines), ratio, "at least", target)


def alone(subject: str, size: str, baseline: str, times: Times, target: float | None) -> Row:
    """Return a row for something whose baseline could not be measured here."""
    return Row(subject, size, baseline, median(times), None, None, "at least", target)


def side_by_side(contenders: Mapping[str, Callable[[], object]], packets: int, rounds: int) -> dict[str, Times]:
    """Return each contender's times, where one call handles `packets` packets."""
    repeats = {name: _repeats(call) for name, call in contenders.items()}
    times: dict[str, Times] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, call in contenders.items():
            times[name].append(_time(call, repeats[name]) / packets)
    return times


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
    ratio = "" if row.ratio is None else f"{row.ratio:.{2 if row.ratio < 100 else 0}f}"
    return (
        row.subject,
        row.size,
        f"{row.time_ns:.2f}",
        row.baseline,
        "" if row.baseline_ns is None else f"{row.baseline_ns:.2f}",
        ratio,
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
