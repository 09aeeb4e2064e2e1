"""Makes a failing sequence of operations as short as it goes: drops operations, then parts of what is left.

The sequence already ends where the failure shows. Blocks of operations are left out, half of them first, then smaller
blocks, down to single operations, again and again until none can go (Zeller and Hildebrandt's delta debugging, IEEE
TSE 28(2), 2002, in its simplest form). What referred to an operation that is gone, goes with it. Then chains of NBLs
become shorter, and what is special about an NBL is taken away. The budget is a number of operations carried out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from wintun_sim.operations import (
    AdapterOperation,
    Cancel,
    HandleOperation,
    Initialize,
    Nbl,
    Operation,
    Read,
    Send,
    Unload,
)
from wintun_sim.operations.data import ipv4

BUDGET: Final = 60_000
"""Operations that may be carried out to shrink one failure; eight NBLs cost as much as one."""

Test = Callable[[Sequence[Operation]], bool]
"""Whether a sequence of operations still fails in the same way."""


@dataclass(slots=True)
class Shrunk:
    """The shortest sequence found; ``complete`` unless the budget ran out first."""

    operations: list[Operation]
    tests: int
    complete: bool


class _Spent(Exception):
    """The budget is spent."""


class _Shrinker:
    def __init__(self, operations: Sequence[Operation], test: Test, budget: int) -> None:
        self.best = list(operations)
        self.test = test
        self.budget = budget
        self.tests = 0

    def try_(self, candidate: list[Operation]) -> bool:
        """Keep the candidate if it fails in the same way."""
        cost = sum(1 + (len(operation.nbls) >> 3 if isinstance(operation, Send) else 0) for operation in candidate)
        if self.budget < cost:
            raise _Spent
        self.budget -= cost
        self.tests += 1
        if not self.test(candidate):
            return False
        self.best = candidate
        return True

    def drop_operations(self) -> bool:
        """Leave out blocks of operations, large ones first. Whether anything could go."""
        progress = False
        size = max(len(self.best) // 2, 1)
        while True:
            start = 0
            while start < len(self.best):
                candidate = _closed(self.best[:start] + self.best[start + size :])
                if candidate and self.try_(candidate):
                    progress = True
                else:
                    start += size
            if size == 1:
                return progress
            size //= 2

    def simplify_operations(self) -> None:
        """Make single operations simpler, each as far as it goes."""
        for place in range(len(self.best)):
            simpler = True
            while simpler:
                simpler = any(
                    self.try_([*self.best[:place], candidate, *self.best[place + 1 :]])
                    for candidate in _simpler(self.best[place])
                )


def shrink(operations: Sequence[Operation], test: Test, budget: int = BUDGET) -> Shrunk:
    """Return the shortest sequence found for which ``test`` holds, as it must for ``operations``."""
    shrinker = _Shrinker(operations, test, budget)
    try:
        while shrinker.drop_operations():
            pass
        shrinker.simplify_operations()
    except _Spent:
        return Shrunk(shrinker.best, shrinker.tests, False)
    return Shrunk(shrinker.best, shrinker.tests, True)


def _closed(operations: Sequence[Operation]) -> list[Operation]:
    """Leave out the operations whose driver, adapter, handle or request is gone."""
    names: set[str] = set()
    kept: list[Operation] = []
    for operation in operations:
        match operation:
            case Initialize(driver=needed) | Unload(driver=needed):
                pass
            case AdapterOperation(adapter=needed) | HandleOperation(handle=needed) | Cancel(request=needed):
                pass
            case _:
                needed = ""
        if not needed or needed in names:
            kept.append(operation)
            names.add(operation.name)
    return kept


def _simpler(operation: Operation) -> Iterator[Operation]:
    match operation:
        case Send(nbls=nbls):
            if operation.again:
                yield replace(operation, again=False)
            size = len(nbls) // 2
            while size > len(nbls) // 100:
                yield from (
                    replace(operation, nbls=nbls[:start] + nbls[start + size :])
                    for start in range(0, len(nbls), size)
                    if len(nbls) > size
                )
                size //= 2
            if len(nbls) <= 32:
                for place, nbl in enumerate(nbls):
                    for candidate in _simpler_nbl(nbl):
                        yield replace(operation, nbls=(*nbls[:place], candidate, *nbls[place + 1 :]))
        case Read(length=length) if length > 61_440:
            yield replace(operation, length=61_440)


def _simpler_nbl(nbl: Nbl) -> Iterator[Nbl]:
    if nbl.mdl_size:
        yield replace(nbl, mdl_size=0)
    if nbl.data_offset:
        yield replace(nbl, data_offset=0)
    if nbl.unmapped:
        yield replace(nbl, unmapped=frozenset())
    if nbl.cancel_id:
        yield replace(nbl, cancel_id=0)
    if not nbl.unmapped:
        for place, packet in enumerate(nbl.packets):
            yield replace(nbl, packets=nbl.packets[:place] + nbl.packets[place + 1 :])
            if packet != ipv4(20):
                yield replace(nbl, packets=(*nbl.packets[:place], ipv4(20), *nbl.packets[place + 1 :]))
