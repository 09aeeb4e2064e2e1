"""Adapters with one thing wrong each, to see whether the judge notices.

They are made of the model, so that the only difference is the one that each is named for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from wintun_sim import ndis
from wintun_sim.model import CURRENT, ModelMachine, Steps
from wintun_sim.model.requests import FileObject, SentNbl
from wintun_sim.operations import (
    Counters,
    Event,
    Halt,
    IrpCompleted,
    NblCompleted,
    Operation,
    Pause,
    Returned,
    RuleBroken,
    Write,
)


class ForgetsAnNbl(CURRENT):
    """A pause drops the last queued NBL instead of giving it back."""

    __slots__ = ()

    def pause(self, operation: str) -> Steps:
        if self.queue:
            self.queue.pop()
        yield from super().pause(operation)


class RepeatsTheLink(CURRENT):
    """Every create indicates the link, as if it had not been up before."""

    __slots__ = ()

    def create(self, operation: str, file: FileObject) -> Steps:
        if self.handles:
            self.link_indicated -= 2
        yield from super().create(operation, file)


class CountsNoDiscards(CURRENT):
    """Packets that were dropped are in no statistic."""

    __slots__ = ()

    def drop_oldest(self) -> list[SentNbl]:
        before = self.discards_out
        dropped = super().drop_oldest()
        self.discards_out = before
        return dropped


class LosesAHandle(CURRENT):
    """A restart forgets that a handle is open."""

    __slots__ = ()

    def restart(self, operation: str) -> Steps:
        yield from super().restart(operation)
        self.handles = max(self.handles - 1, 0)


class CompletesReadsFirst(ModelMachine):
    """A read completes before the NBLs whose packets it carries."""

    def perform(self, operation: Operation) -> Sequence[Event]:
        def late(event: Event) -> bool:
            return isinstance(event, NblCompleted) and event.status == ndis.STATUS_SUCCESS

        events = super().perform(operation)
        if not any(isinstance(event, IrpCompleted) and event.data for event in events):
            return events
        return [event for event in events if not late(event)] + [event for event in events if late(event)]


class ReturnsFirst(ModelMachine):
    """A pause or halt returns before what it gives back has gone back."""

    def perform(self, operation: Operation) -> Sequence[Event]:
        events = super().perform(operation)
        if not isinstance(operation, (Pause, Halt)):
            return events
        return sorted(events, key=lambda event: not isinstance(event, Returned))


class CountsTheHalted(ModelMachine):
    """An adapter that was halted still has a handle, for whoever asks."""

    def counters(self, adapter: str) -> Counters:
        counted = super().counters(adapter)
        halted = adapter in self.adapters and not self.adapters[adapter].published
        return replace(counted, handles=1) if halted else counted


class BreaksARule(ModelMachine):
    """Holds a lock at the end of a pause."""

    def perform(self, operation: Operation) -> Sequence[Event]:
        events = list(super().perform(operation))
        if isinstance(operation, Pause):
            events.append(RuleBroken(operation.name, "SpinLockBalanced", "a spin lock is held at return"))
        return events


class RemembersWrites(ModelMachine):
    """Holds a block of memory for each write, until its adapter is halted."""

    writes = 0

    def perform(self, operation: Operation) -> Sequence[Event]:
        self.writes += isinstance(operation, Write)
        return super().perform(operation)

    def allocations(self, adapter: str) -> int:
        return 2 * len(self.adapters) + self.writes


class FillsACache(RemembersWrites):
    """Holds a block of memory for each of the first three writes, and uses those again."""

    def allocations(self, adapter: str) -> int:
        return 2 * len(self.adapters) + min(self.writes, 3)
