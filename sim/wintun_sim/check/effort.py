"""How hard a concurrent scenario is explored, as data: everything that the result depends on, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Final, Literal

from wintun_sim.errors import UsageError

Algorithm = Literal["depth-first", "reduced", "random", "pct"]
"""How the schedules that are tried are chosen."""

ALGORITHMS: Final[tuple[Algorithm, ...]] = ("depth-first", "reduced", "random", "pct")
"""All that there are."""

DEFAULT_RUNS: Final = 50_000
"""Schedules of one scenario at most, where nobody says otherwise."""

SHARD_CHOICES: Final = 6
"""Choices by whose prefixes one large exploration is shared out: some dozens of shards with two actors."""

SHARE: Final = 5_000
"""Random schedules in one share of an exploration."""


_SWITCHES: Final = ("shared", "rules_only")


@dataclass(frozen=True, slots=True)
class Effort:
    """What is tried: which schedules (``algorithm``), and how many at most (``runs``).

    ``bound`` is the number of preemptions in one depth-first run at most, None for any number. ``depth`` is PCT's: how
    many ordering constraints a bug may have. ``seed`` is that of random and PCT. ``fault`` is the number of the site
    that fails in every run, from 1; 0 for none. ``writes``: a client changes what it has written. ``shared``: cut into
    shards by choice prefix, which gives the same result unless ``runs`` ends it early.
    """

    algorithm: Algorithm = "depth-first"
    bound: int | None = 2
    depth: int = 3
    runs: int = DEFAULT_RUNS
    seed: int = 0
    fault: int = 0
    writes: int = 0
    shared: bool = False
    rules_only: bool = False
    """The driver is not a Wintun: no model says anything of it, and no property of the adapter's own."""

    @property
    def is_faulted(self) -> bool:
        """Whether something is made to fail or to change that has no counterpart in the model."""
        return bool(self.fault or self.writes)

    def describe(self) -> str:
        """Say in a few words what is tried."""
        return self._schedules() + f", call {self.fault} fails" * bool(self.fault) + ", a client writes" * self.writes

    def kind(self) -> str:
        """Say the same without the number of the call that fails, for a summary."""
        failing = ", a call that may fail does" * bool(self.fault)
        return self._schedules() + failing + ", a client writes" * self.writes

    def _schedules(self) -> str:
        match self.algorithm:
            case "depth-first":
                within = "any number of preemptions" if self.bound is None else f"at most {self.bound} preemptions"
                return f"depth-first, {within}"
            case "reduced":
                return "partial-order reduction, any number of preemptions"
            case "pct":
                return f"PCT, depth {self.depth}, seed {self.seed}"
            case _:
                return f"random, seed {self.seed}"

    def words(self) -> list[str]:
        """Return the options of ``wintun-sim run`` that say the same."""
        words = ["--strategy", self.algorithm, "--runs", str(self.runs)]
        if self.algorithm == "depth-first":
            words += ["--bound", "any" if self.bound is None else str(self.bound)]
        if self.algorithm == "pct":
            words += ["--depth", str(self.depth)]
        if self.algorithm in ("random", "pct"):
            words += ["--seed", str(self.seed)]
        words += ["--fault", str(self.fault)] if self.fault else []
        words += ["--client-writes"] if self.writes else []
        return words

    def to_json(self) -> dict[str, Any]:
        """Return all of it as an object that ``json.dumps`` takes."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_json(cls, value: object) -> Effort:
        """Take such an object back. Raises ``UsageError`` for anything else."""
        if not isinstance(value, dict) or set(value) != {field.name for field in fields(cls)}:
            raise UsageError("certificate: what was tried is not said in the way of this version")
        if value["algorithm"] not in ALGORITHMS or {type(value[name]) for name in _SWITCHES} != {bool}:
            raise UsageError(f"certificate: there is no algorithm {value['algorithm']!r}")
        numbers = {name: number for name, number in value.items() if name not in ("algorithm", *_SWITCHES)}
        if numbers["bound"] is None:
            del numbers["bound"]
        for name, number in numbers.items():
            if type(number) is not int or not 0 <= number < 1 << 64:
                raise UsageError(f"certificate: {name} is {number!r}, which is no number for it")
        return cls(**value)
