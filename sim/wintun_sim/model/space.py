"""Every state that actors can bring a machine into, each once, and the steps between them.

Generators cannot be copied, so a state is reached by running a path to it again; that is done once for each step of
the space, however many runs lead through it. What happened on the way to a state is no part of it:
:mod:`wintun_sim.model.outcomes` follows the steps, and puts together what may have happened before and after.

States are found one by one, as somebody asks for their steps, so that whoever looks for one run among all of them need
not pay for the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from wintun_sim.model.interleave import Interleaving
from wintun_sim.model.machine import ModelMachine, Stuck
from wintun_sim.model.repairs import UndefinedUpstream
from wintun_sim.model.snapshot import Snapshot
from wintun_sim.operations import Event, Operation
from wintun_sim.operations.outcome import StillPending, at_rest

Happening = tuple[Event, ...]
"""What happens in one step; most often nothing, seldom more than one event."""


@dataclass(frozen=True, slots=True)
class Step:
    """One actor's step from a state to another, the ``target``; ``words`` say where its call stands then.

    ``actor`` is the actor's number. ``happening`` is the number of what happens in the step, in ``Space.happenings``; 0
    is nothing.
    """

    actor: int
    words: str
    happening: int
    target: int


class SpaceLimit(Exception):
    """There are more states than were allowed."""


class Space:
    """The states of one machine and the actors that share it, numbered from 0, the state in which they begin.

    ``ending`` are operations that follow, one at a time, when all actors are done, each of them if the host would do
    it then. ``ends`` has the number of what they cause, for each state in which all are done; where calls wait for what
    nobody brings, ``stuck`` has the words of that wait instead; and where a step leads to what the published driver
    left to chance, ``undefined`` has the place of that. ``at_end`` is called with the machine at each end, before the
    ending.
    """

    def __init__(
        self,
        make: Callable[[], ModelMachine],
        setup: Sequence[Operation],
        actors: Sequence[Sequence[Operation]],
        ending: Sequence[Operation] = (),
        *,
        state_limit: int = 1_000_000,
        at_end: Callable[[ModelMachine], None] = lambda machine: None,
    ) -> None:
        machine = make()
        for operation in setup:
            machine.perform(operation)
        self._snapshot = Snapshot(machine)
        self._actors = actors
        self._ending = ending
        self._at_end = at_end
        self.state_limit = state_limit
        self.happenings: list[Happening] = [()]
        self.ends: dict[int, int] = {}
        self.stuck: dict[int, str] = {}
        self.undefined: dict[int, str] = {}
        self.runs = 0
        self._happening_numbers: dict[Happening, int] = {(): 0}
        self._numbers: dict[object, int] = {}
        self._reached: list[tuple[int, int] | None] = []
        """How each state was reached first: from which other one, by whose step."""
        self._steps: dict[int, tuple[Step, ...]] = {}
        self._live = self.begin()
        self._number(self._live, None)
        self._live_state = 0

    def __len__(self) -> int:
        """Return how many states were found."""
        return len(self._reached)

    def steps(self, state: int) -> tuple[Step, ...]:
        """Return what can happen next in a state: nothing at an end. Raises SpaceLimit when there are too many."""
        found = self._steps.get(state)
        if found is None:
            found = self._steps[state] = tuple(self._find_steps(state))
        return found

    def path(self, state: int) -> list[int]:
        """Return whose steps lead from the beginning to a state, on the way on which it was found."""
        actors: list[int] = []
        while (reached := self._reached[state]) is not None:
            state, actor = reached
            actors.append(actor)
        return actors[::-1]

    def begin(self) -> Interleaving:
        """Return the actors as they begin, on a machine of their own."""
        self.runs += 1
        return Interleaving(self._snapshot.restore(), self._actors)

    def _bring(self, state: int) -> Interleaving:
        """Bring actors into a state: those that are there already, or new ones by the path to it."""
        if self._live_state == state:
            self._live_state = -1
            return self._live
        run = self.begin()
        for actor in self.path(state):
            run.actors[actor].step(run.machine)
        return run

    def _find_steps(self, state: int) -> list[Step]:
        if len(self) > self.state_limit:
            raise SpaceLimit(f"there are more than {self.state_limit} states")
        run = self._bring(state)
        steps: list[Step] = []
        try:
            able = run.able()
            if not able:
                self._at_end(run.machine)
                run.machine.events[:] = _end(run.machine, self._ending)
                self.ends[state] = self._happen(run.machine, 0)
            for actor in able:
                steps.append(self._step(run if actor == able[0] else self._bring(state), state, actor))
        except Stuck as stuck:
            self.stuck[state] = str(stuck)
        except UndefinedUpstream as undefined:
            self.undefined[state] = undefined.place
        return steps

    def _step(self, run: Interleaving, state: int, actor: int) -> Step:
        before = len(run.machine.events)
        words = run.actors[actor].step(run.machine)
        happening = self._happen(run.machine, before)
        known = len(self)
        target = self._number(run, (state, actor))
        if target == known:  # new: whoever goes on from there, which is most likely, can have these very actors
            self._live, self._live_state = run, target
        return Step(actor, words, happening, target)

    def _happen(self, machine: ModelMachine, before: int) -> int:
        happening = tuple(machine.events[before:])
        number = self._happening_numbers.setdefault(happening, len(self.happenings))
        if number == len(self.happenings):
            self.happenings.append(happening)
        return number

    def _number(self, run: Interleaving, reached: tuple[int, int] | None) -> int:
        number = self._numbers.setdefault((run.key(), run.machine.ledger.key()), len(self))
        if number == len(self):
            self._reached.append(reached)
        return number


def _end(machine: ModelMachine, ending: Sequence[Operation]) -> list[Event]:
    """Take everything down; return what that caused, after what was owned and what had not ended before it."""
    adapters = machine.adapters.values()
    events: list[Event] = [*at_rest((adapter.name, machine.counters(adapter.name)) for adapter in adapters)]
    events += [StillPending(adapter.pausing) for adapter in adapters if adapter.pausing is not None]
    machine.take_events()
    for operation in ending:
        if may_begin(machine, operation):
            events += machine.perform(operation)
    return events


def may_begin(machine: ModelMachine, operation: Operation) -> bool:
    """Tell whether the host would do an operation now. One on something that never came to be it would not."""
    try:
        return machine.ledger.refusal(operation) is None
    except ValueError:
        return False
