"""The driver's machine, with an eye on what its image counts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.coverage.counts import Counts
from wintun_sim.kernel import DriverMachine
from wintun_sim.operations import Event, Load, Operation


class CountingMachine(DriverMachine):
    """Collects the counts whenever they are about to be lost: with the machine, with a restore of its world, and at a
    load, which may use an image again that was unloaded.
    """

    def __init__(
        self,
        image: Path,
        counts: Counts,
        *,
        order: str = "strict",
        ndis: tuple[int, int] = (6, 80),
        seed: int | None = None,
    ) -> None:
        super().__init__(image, order=order, ndis=ndis, seed=seed)
        self._counts = counts

    def perform(self, operation: Operation) -> Sequence[Event]:
        if isinstance(operation, Load):
            self._counts.collect()
        return super().perform(operation)

    def restore(self) -> None:
        self._counts.collect()
        super().restore()

    def close(self) -> None:
        self._counts.collect()
        super().close()
