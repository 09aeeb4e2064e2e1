"""Several calls at once: actors step by turns, and a sequence of choices says whose turn it is.

An actor does its operations one after another. It can take a step when its call is not waiting, or when its next
operation may begin now, as NDIS and the I/O manager let calls overlap (:mod:`wintun_sim.lifecycle`). Where more than
one actor can, a choice is made: the position of the chosen one among them. The same choices give the same run.

All that can happen is found by walking through the states that actors and machine can be in (``space``). Two states are
the same if what all share is, and if each actor stands at the same place of the program with the same things in hand:
a suspended generator tells both.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, field
from types import GeneratorType
from typing import Any, Final

from wintun_sim.model.core import Steps, Until
from wintun_sim.model.machine import ModelMachine, Stuck
from wintun_sim.operations import (
    Event,
    Operation,
    Refused,
)

STEP_LIMIT = 100_000
"""Steps after which a run counts as endless."""


class Actor:
    """One processor's worth of operations, and how far it is."""

    __slots__ = ("done", "operations", "steps", "waiting")

    def __init__(self, operations: Sequence[Operation]) -> None:
        self.operations = operations
        self.done = 0
        self.steps: Steps | None = None
        self.waiting: Until | None = None

    @property
    def next(self) -> Operation | None:
        """The operation under way, or the one to begin; None at the end."""
        return self.operations[self.done] if self.done < len(self.operations) else None

    def can_step(self, machine: ModelMachine) -> bool:
        """Tell whether the actor can take a step now."""
        if self.steps is not None:
            return self.waiting is None or self.waiting.ready()
        operation = self.next
        if operation is None:
            return False
        try:
            return machine.ledger.refusal(operation) is None
        except ValueError:  # what it names may come into being by another actor
            return False

    def step(self, machine: ModelMachine) -> str:
        """Take a step: on to the next point where others may come in. Return the words said there.

        That a call begins is a step of its own: the host has decided that it may, and then others come in between.
        """
        operation = self.next
        assert operation is not None
        if self.steps is None:
            reason = machine.ledger.admit(operation)
            if reason is not None:
                machine.events.append(Refused(operation.name, reason))
                self.done += 1
                return reason
            self.steps = machine.start(operation)
            return f"{operation.verb} begins"
        self.waiting = None
        try:
            point = next(self.steps)
        except StopIteration:
            self.steps = None
            self.done += 1
            machine.settle()
            machine.ledger.end(operation)
            return "done"
        machine.settle()
        if isinstance(point, Until):
            self.waiting = point
            return point.words
        return point

    def key(self) -> tuple[object, ...]:
        """Return where the actor stands and what it holds, as a hashable value."""
        return (self.done, *_places(self.steps))


def _places(steps: Steps | None) -> Iterable[object]:
    """Give, for a generator and those it delegates to, the place in its code and its locals."""
    generator: object = steps
    while isinstance(generator, GeneratorType):
        frame = generator.gi_frame
        if frame is not None:
            yield (generator.gi_code.co_name, frame.f_lasti, _locals(frame.f_locals))
        generator = generator.gi_yieldfrom


def _locals(names: dict[str, Any]) -> tuple[object, ...]:
    return tuple([(name, _freeze(value)) for name, value in names.items() if name != "self"])


_PLAIN: Final = frozenset({int, bool, str, bytes, type(None)})


def _freeze(value: object) -> object:
    if type(value) in _PLAIN:
        return value
    if isinstance(value, Operation):
        return value.name
    if isinstance(value, (list, tuple)):
        return tuple([_freeze(item) for item in value])
    if isinstance(value, type):  # the class that a step with super() stands in
        return value
    key = getattr(value, "key", None)
    if callable(key):
        return key()
    return None if isinstance(value, Generator) else value


@dataclass(slots=True)
class Run:
    """What happened when actors took turns.

    ``choices`` are all that were made, with the number of actors there were to choose from in ``options``; ``words``
    are the actor and the words of each step, if they were asked for.
    """

    events: tuple[Event, ...]
    choices: list[int]
    options: list[int]
    words: list[tuple[int, str]] = field(default_factory=list)


class Interleaving:
    """One run: a machine, actors, and the choices made so far."""

    def __init__(self, machine: ModelMachine, actors: Sequence[Sequence[Operation]]) -> None:
        self.machine = machine
        self.actors = [Actor(operations) for operations in actors]
        self.choices: list[int] = []
        self.options: list[int] = []
        self.words: list[tuple[int, str]] = []

    def able(self) -> list[int]:
        """Return the actors that can take a step, or one whose operation is refused; none at the end.

        Raises Stuck when calls wait for what nobody will bring, ValueError when an operation names what never was.
        """
        able = [position for position, actor in enumerate(self.actors) if actor.can_step(self.machine)]
        if able:
            return able
        for position, actor in enumerate(self.actors):
            if actor.waiting is None and actor.next is not None:
                return [position]
        waiting = [actor.waiting.words for actor in self.actors if actor.waiting is not None]
        if waiting:
            raise Stuck("; ".join(waiting))
        return []

    def choose(self, able: Sequence[int], choice: int) -> None:
        """Let one of several able actors take a step. Raises ValueError if there is no such choice."""
        if not 0 <= choice < len(able):
            raise ValueError(f"choice {len(self.choices)} is {choice}, but {len(able)} actors can take a step")
        if len(able) > 1:
            self.choices.append(choice)
            self.options.append(len(able))
        actor = able[choice]
        self.words.append((actor, self.actors[actor].step(self.machine)))
        if len(self.words) > STEP_LIMIT:
            raise Stuck(f"{STEP_LIMIT} steps were taken, and no end is in sight")

    def key(self) -> tuple[object, ...]:
        """Return the state as one hashable value."""
        return (self.machine.key(), *(actor.key() for actor in self.actors))


def interleave(machine: ModelMachine, actors: Sequence[Sequence[Operation]], choices: Iterable[int] = ()) -> Run:
    """Run actors on a machine at rest, by ``choices`` and then always the first that can. Return what happened.

    Raises ValueError for a choice that there is not, Stuck when no actor can go on and some wait.
    """
    run = Interleaving(machine, actors)
    remaining = iter(choices)
    while able := run.able():
        run.choose(able, next(remaining, 0) if len(able) > 1 else 0)
    return Run(machine.take_events(), run.choices, run.options, run.words)
