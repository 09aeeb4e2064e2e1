"""How much memory a driver holds in the same situation, again and again: it may hold what it likes, and not ever more.

What a driver never gives back is found when its adapter is halted. What it gives back only then, say a record of each
request, no rule forbids; but an adapter lives for months. The model cannot say how many blocks of memory are right,
since that is how a driver is built. It does say when two moments are the same, as far as anybody can see. So what
counts is whether a driver holds more each time: one that fills a cache, once or twice, does not.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final

GROWTHS: Final = 4
"""How often memory may grow from one moment to the next one like it, with none between in which it shrank."""


class Memory:
    """Blocks of memory that a driver held, by situation."""

    def __init__(self) -> None:
        self._known: dict[Hashable, tuple[int, int]] = {}

    def grows(self, situation: Hashable, blocks: int) -> bool:
        """Take note of what is held in a situation, and tell whether that has grown too often."""
        last, growths = self._known.get(situation, (blocks, 0))
        if blocks != last:
            growths = growths + 1 if blocks > last else 0
        self._known[situation] = (blocks, growths)
        return growths >= GROWTHS
