"""Figures that stand alone, such as rates, and the table in which they are printed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure: a median, in ``unit``. ``target`` is None where it is for information only."""

    subject: str
    value: float
    unit: str
    bound: Literal["at least", "at most"] = "at least"
    target: float | None = None

    @property
    def verdict(self) -> str:
        """ "met", "missed", or "" where there is no target."""
        if self.target is None:
            return ""
        met = self.value >= self.target if self.bound == "at least" else self.value <= self.target
        return "met" if met else "missed"

    def as_json(self) -> dict[str, Any]:
        """Return the figure and its verdict as an object that ``json.dumps`` takes."""
        return {**asdict(self), "verdict": self.verdict}


def table(figures: Sequence[Figure]) -> str:
    """Return the figures as text."""
    lines = []
    width = max(len(figure.subject) for figure in figures)
    for figure in figures:
        sign = ">=" if figure.bound == "at least" else "<="
        target = "" if figure.target is None else f"{sign} {figure.target:,g}"
        value = f"{figure.value:,.0f}" if figure.value >= 1000 else f"{figure.value:.2f}"
        line = f"{figure.subject.ljust(width)}  {value:>9} {figure.unit:<7}{target:>10}  {figure.verdict}"
        lines.append(line.rstrip())
    return "\n".join(lines)
