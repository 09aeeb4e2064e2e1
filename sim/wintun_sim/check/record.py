"""What one run of a concurrent scenario left behind, sorted so that it can be asked questions.

A record knows nothing of right and wrong. It is made of a scenario, the events of its set-up and those of one run, on
whichever machine: who began what, in which order that is certain, and what came of it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from wintun_sim.bundle import decode
from wintun_sim.operations import (
    Counters,
    Create,
    Event,
    HandleOperation,
    IrpCompleted,
    LinkChanged,
    NblCompleted,
    OidCompleted,
    Operation,
    PacketReceived,
    PauseCompleted,
    Refused,
    Returned,
    Send,
)
from wintun_sim.scenario import Scenario, ending


@dataclass(frozen=True, slots=True)
class Wrong:
    """One thing that is wrong with a run. ``kind`` and ``rule`` are those of a finding.

    ``place`` is that of the event that shows it, among those of set-up and run; None where one is missing. ``details``
    are lines that say more.
    """

    kind: str
    rule: str
    message: str
    place: int | None = None
    details: tuple[str, ...] = ()


Nbl = tuple[str, int]
"""An NBL by its send and its number there."""


class Layout:
    """The operations of a scenario and of its ending, and in which order they are certain to be done."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.ending = ending(scenario)
        self.setup = tuple(step.operation for step in scenario.setup)
        self.actors = tuple(tuple(step.operation for step in actor.steps) for actor in scenario.actors)
        self.operations: dict[str, Operation] = {
            operation.name: operation for operation in (*scenario.operations(), *self.ending)
        }
        self.of_ending = frozenset(operation.name for operation in self.ending)
        self._places: dict[str, tuple[int, int, int]] = {}
        """Of each operation: set-up, actors or ending; which actor; which of its operations."""
        for phase, lists in enumerate(((self.setup,), self.actors, (self.ending,))):
            for actor, operations in enumerate(lists):
                for place, operation in enumerate(operations):
                    self._places[operation.name] = (phase, actor, place)

    def is_before(self, one: str, other: str) -> bool:
        """Tell whether an operation has returned in every run before the other begins."""
        phase, actor, place = self._places[one]
        other_phase, other_actor, other_place = self._places[other]
        if phase != other_phase:
            return phase < other_phase
        return actor == other_actor and place < other_place

    def all_of(self, kind: type[Operation]) -> list[Operation]:
        """Return the operations of one kind, those of the ending left out."""
        return [o for o in self.operations.values() if isinstance(o, kind) and o.name not in self.of_ending]


class Record:
    """One run: ``events`` are those of the set-up, of the actors and of the ending, in order."""

    def __init__(
        self,
        layout: Layout,
        setup: Sequence[Event],
        events: Sequence[Event],
        counters: Mapping[str, Counters],
        *,
        is_whole: bool = True,
    ) -> None:
        """Take what happened; ``counters`` are those of the time between actors and ending, by adapter.

        ``is_whole`` tells whether the run went on to the end of the ending.
        """
        self.layout = layout
        self.events = [*setup, *events]
        self.counters = counters
        self.is_whole = is_whole
        self.began = len(setup)
        """The place of the first event of the actors."""

    @cached_property
    def refused(self) -> frozenset[str]:
        """The operations that the host refused."""
        return frozenset(event.operation for event in self.events if isinstance(event, Refused))

    @cached_property
    def at_rest(self) -> int:
        """The place of the first event of the ending, before which the actors were done.

        A change of the link names no operation. Whoever indicates one completes its own request after it, so one that
        nothing of the actors follows is the ending's.
        """
        names = self.layout.of_ending
        places = (place for place, event in enumerate(self.events) if getattr(event, "operation", "") in names)
        first = next(places, len(self.events))
        while first < len(self.events) and first and isinstance(self.events[first - 1], LinkChanged):
            first -= 1
        return first

    @cached_property
    def requests(self) -> Mapping[str, list[tuple[int, IrpCompleted]]]:
        """The completions of each request, with their places."""
        return self._by_operation(IrpCompleted)

    @cached_property
    def returns(self) -> Mapping[str, list[tuple[int, Returned]]]:
        """The returns of each handler, with their places."""
        return self._by_operation(Returned)

    @cached_property
    def pauses(self) -> Mapping[str, list[tuple[int, PauseCompleted]]]:
        """The completions of each pause, with their places."""
        return self._by_operation(PauseCompleted)

    @cached_property
    def oids(self) -> Mapping[str, list[tuple[int, OidCompleted]]]:
        """The ends of each OID request, with their places."""
        return self._by_operation(OidCompleted)

    @cached_property
    def received(self) -> Mapping[str, list[tuple[int, PacketReceived]]]:
        """The packets that the stack received of each write, with their places."""
        return self._by_operation(PacketReceived)

    @cached_property
    def nbls(self) -> Mapping[Nbl, list[tuple[int, NblCompleted]]]:
        """The completions of each NBL, with their places."""
        found: dict[Nbl, list[tuple[int, NblCompleted]]] = defaultdict(list)
        for place, event in enumerate(self.events):
            if isinstance(event, NblCompleted):
                found[event.operation, event.index].append((place, event))
        return dict(found)

    @cached_property
    def links(self) -> Mapping[str, list[tuple[int, bool]]]:
        """What each adapter indicated of its link, with the places."""
        found: dict[str, list[tuple[int, bool]]] = defaultdict(list)
        for place, event in enumerate(self.events):
            if isinstance(event, LinkChanged):
                found[event.adapter].append((place, event.connected))
        return dict(found)

    @cached_property
    def delivered(self) -> Mapping[str, list[bytes]]:
        """The packets that each read brought."""
        return {
            name: list(decode(event.data).tolist())
            for name, completions in self.requests.items()
            for _, event in completions
            if event.data
        }

    @cached_property
    def ends_of_pauses(self) -> Mapping[str, int]:
        """The place at which each pause was over: that of its return, or of its completion where it was pending."""
        ends = {name: found[0][0] for name, found in self.pauses.items()}
        for name, found in self.returns.items():
            if self.layout.operations[name].verb == "pause" and found[0][1].status == 0:
                ends.setdefault(name, found[0][0])
        return ends

    def sent(self) -> Counter[bytes]:
        """Count the packets of all sends that the host did not refuse, as often as each was sent."""
        return Counter(
            packet
            for send in self.layout.operations.values()
            if isinstance(send, Send) and send.name not in self.refused
            for index, nbl in enumerate(send.nbls)
            for packet in nbl.packets * max(1, len(self.nbls.get((send.name, index), ())))
        )

    def adapter_of(self, operation: Operation) -> str:
        """Name the adapter that an operation is about."""
        if isinstance(operation, HandleOperation):
            create = self.layout.operations[operation.handle]
            assert isinstance(create, Create)
            return create.adapter
        return getattr(operation, "adapter", "")

    def first_event_after(self, name: str) -> int:
        """Return the place of the first event of an operation that begins after this one has returned."""
        later = (
            place
            for place, event in enumerate(self.events)
            if (other := getattr(event, "operation", "")) in self.layout.operations
            and self.layout.is_before(name, other)
        )
        return next(later, len(self.events))

    def _by_operation(self, kind: type) -> dict[str, list]:  # type: ignore[type-arg]
        found: dict[str, list[tuple[int, object]]] = defaultdict(list)
        for place, event in enumerate(self.events):
            if isinstance(event, kind):
                found[getattr(event, "operation", "")].append((place, event))
        return dict(found)


def was_sent_again(event: NblCompleted) -> bool:
    """Tell whether the stack sent the NBL once more, from its completion handler, before the driver could go on."""
    return event.again
