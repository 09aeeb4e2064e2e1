"""A scenario as data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from wintun_sim.operations import Event, Operation

Order = Literal["strict", "raw"]

VERSIONS: Final = ((6, 20), (6, 30), (6, 80))
"""The NDIS versions that the host offers, as far as the driver tells them apart."""

OTHER_VERSIONS: Final = ((6, 1), (6, 50))
"""One that is too old for the driver (Windows Vista's), and one between two that it knows (the first Windows 10's)."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """An event that an operation must cause; ``None`` says that it causes nothing.

    ``revisions`` names the revisions of the adapter for which this is expected; empty stands for all that no other
    expectation of the same operation names.
    """

    event: Event | None
    revisions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """An operation and, where they are ``expected``, all the events that it must cause."""

    operation: Operation
    expected: tuple[Expectation, ...] = ()

    def expected_for(self, revision: str) -> tuple[Event, ...] | None:
        """Return the events that are expected of ``revision``, or ``None`` where nothing is said."""
        own = [entry for entry in self.expected if revision in entry.revisions]
        chosen = own or [entry for entry in self.expected if not entry.revisions]
        if not chosen:
            return None
        return tuple(entry.event for entry in chosen if entry.event is not None)


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody who carries out operations one after another, the ``steps``, while other actors do likewise.

    ``name`` is one word.
    """

    name: str
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is done to an adapter: first the ``setup``, one operation at a time, then all actors at once.

    ``order`` says how closely the host keeps to what Windows does, ``ndis`` which version it offers: one of VERSIONS
    or OTHER_VERSIONS. ``title`` is one line without blanks around it. ``revisions`` names those beside CURRENT for
    which holds, too, what is expected without a mark. All operations have names (see ``names.fill``).
    """

    title: str = ""
    order: Order = "strict"
    ndis: tuple[int, int] = (6, 80)
    setup: tuple[Step, ...] = ()
    actors: tuple[Actor, ...] = ()
    revisions: tuple[str, ...] = ()

    def steps(self) -> Iterator[Step]:
        """Give the steps of the set-up and of all actors, in the order of the text."""
        yield from self.setup
        for actor in self.actors:
            yield from actor.steps

    def operations(self) -> Iterator[Operation]:
        """Give all operations, in the order of the text."""
        return (step.operation for step in self.steps())
