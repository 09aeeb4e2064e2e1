"""The fast walk: a random walk through the model's automaton, hundreds of operations of which the driver then carries
out in one go.

The automaton knows what the model says without asking it, and the driver's side is arrays: operations in, events and
counters out, compared as a whole with what was expected. Where anything differs, this knows no more than that: the
judge plays the same operations one by one, on new machines, and finds out what is wrong, and whether it is (events may
come in another order than the model's).
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final

import numpy as np

from wintun_sim import ndis
from wintun_sim.check.alphabet import LETTERS, aim, named
from wintun_sim.check.automaton import NOTHING, Answer, Automaton, picker
from wintun_sim.check.finding import Finding
from wintun_sim.check.judge import Judge
from wintun_sim.check.machines import open_batches
from wintun_sim.check.visited import Visited
from wintun_sim.check.walk import Namer
from wintun_sim.model import CURRENT
from wintun_sim.model.core import COUNTERS
from wintun_sim.model.oids import statistics_info
from wintun_sim.operations import Event, Load, Oid, OidCompleted, OidKind, Operation
from wintun_sim.scenario.scenario import Order

LENGTH: Final = 500
"""Operations of one stretch of a walk; then it begins anew, with a driver that was just loaded."""

_DRIVER: Final = 1
_STATISTICS: Final = 152
_ALPHABET: Final[tuple[Operation, ...]] = (
    *(letter for letter, _ in LETTERS),
    Oid(kind=OidKind.QUERY, oid=ndis.OID_GEN_STATISTICS, length=_STATISTICS),
)
"""The letters, and what is asked of each adapter at the end of a stretch: a walk through states cannot ask it, since
the answer tells of all that was."""

_QUERY: Final = len(_ALPHABET) - 1
_ANY_OID: Final = next(number for number, letter in enumerate(_ALPHABET) if isinstance(letter, Oid))


@dataclass(slots=True)
class Stretch:
    """A part of a walk, which begins when the driver was loaded.

    ``letters`` are the operations, numbered from 2 on, ``targets`` the numbers of what they are done to, ``counted``
    those of the adapters whose counters are told after each, 0 for none; ``answers`` are what they do, and
    ``subjects`` whom the events are about.
    """

    letters: list[int] = field(default_factory=list)
    targets: list[int] = field(default_factory=list)
    counted: list[int] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    subjects: list[int] = field(default_factory=list)

    def operations(self) -> list[Operation]:
        """Return the operations with names, after the driver's load."""
        namer = Namer()
        names = ["", namer.name("load")]
        made: list[Operation] = [Load(name=names[_DRIVER])]
        for letter, target in zip(self.letters, self.targets, strict=True):
            operation = _ALPHABET[letter]
            names.append(namer.name(operation.verb))
            made.append(named(operation, names[-1], names[target]))
        return made


@contextmanager
def seldom_collecting() -> Iterator[None]:
    """Let Python look seldom for garbage: nearly all that a walk makes is kept, and looked through at each time."""
    usual = gc.get_threshold()
    gc.set_threshold(200_000, *usual[1:])
    try:
        yield
    finally:
        gc.set_threshold(*usual)


class FastWalk:
    """A walk of one seed, stretch by stretch."""

    def __init__(self, image: Path | None, order: Order, ndis: tuple[int, int], seed: str) -> None:
        """Load an image (default: the project's own, instrumented). Raises what ``open_driver`` raises."""
        self.machine = open_batches(image, _ALPHABET, [aim(letter) for letter in _ALPHABET], order, ndis)
        self.automaton = Automaton(order)
        self._random = Random(seed)
        self._met: list[Answer] = []

    def draw(self, length: int) -> Stretch:
        """Draw the next stretch: of ``length`` operations, and a few that ask for statistics."""
        stretch = Stretch()
        answers, targets, counted, subjects = stretch.answers, stretch.targets, stretch.counted, stretch.subjects
        random, state = self._random.random, self.automaton.start
        live: tuple[int, ...] = (0, _DRIVER)
        for number in range(_DRIVER + 1, _DRIVER + 1 + length):
            choices = state.choices
            place = choices[int(random() * len(choices))]
            answer = state.answers[place]
            if answer is None or answer.times == 0:
                answer = self._meet(self.automaton.ask(state, place))
            answer.times += 1
            live = (*live, number)
            answers.append(answer)
            targets.append(live[answer.target])
            counted.append(live[answer.adapter])
            subjects += answer.subjects(live)
            live = answer.alive(live)
            state = answer.then
        stretch.letters += [answer.letter for answer in answers]
        self._ask_statistics(stretch, [live[target] for letter, target in state.asks if letter == _ANY_OID])
        return stretch

    def _meet(self, answer: Answer) -> Answer:
        """Meet an answer for the first time in this walk."""
        self._met.append(answer)
        if answer.told is None:
            answer.told = self.machine.tell(answer.events, answer.counters)
            answer.subjects = picker(map(answer.names.index, answer.told.names))
        return answer

    def _ask_statistics(self, stretch: Stretch, adapters: Sequence[int]) -> None:
        """Ask each of the adapters that may be asked at the end what it has counted."""
        grown = np.array([answer.statistics for answer in stretch.answers], np.int64)
        counted = np.array(stretch.counted)
        for adapter in adapters:
            sums = grown[counted == adapter].sum(axis=0).tolist()
            stretch.subjects += [_DRIVER + 1 + len(stretch.answers), 0]
            stretch.answers.append(self._statistics(sums))
            stretch.letters.append(_QUERY)
            stretch.targets.append(adapter)
            stretch.counted.append(0)

    def _statistics(self, sums: Sequence[int]) -> Answer:
        """Return what a query for statistics is answered."""
        adapter = CURRENT("", [])
        for name, value in zip(COUNTERS, sums, strict=True):
            setattr(adapter, name, value)
        data = statistics_info(adapter)
        event = OidCompleted("", ndis.NDIS_STATUS_SUCCESS, len(data), len(data), data)
        return Answer(_QUERY, (event,), self.automaton.start, told=self.machine.tell((event,), NOTHING))

    def agrees(self, stretch: Stretch) -> bool:
        """Carry out a stretch on the driver, and tell whether all is as expected."""
        played = self.machine.play_batch(stretch.letters, stretch.targets, stretch.counted)
        told = [answer.told for answer in stretch.answers if answer.told is not None]
        expected = np.frombuffer(bytearray(b"".join([each.rows for each in told])), np.int64)
        if played.done != len(stretch.letters) or played.events.size != expected.size:
            return False
        expected = expected.reshape(played.events.shape)
        expected[:, 1:3] = np.array(stretch.subjects).reshape(-1, 2)
        return bool(
            (played.events == expected).all()
            and played.data == b"".join([each.data for each in told])
            and played.counters == b"".join([each.counters for each in told])
        )

    def look_again(self, stretch: Stretch, judge: Judge) -> Finding | None:
        """Let a judge, on new machines, play what did not agree; return what is wrong, if anything is.

        Nothing is where the driver's events came in another order than the model's, which it may choose.
        """
        happened: list[Event] = []
        operations = stretch.operations()
        for operation in operations:
            finding = judge.step(operation)
            if finding is not None:
                return finding
            happened += judge.events[-1][1]
        for answer, (ours, _) in zip(stretch.answers, judge.events[1:], strict=True):
            told = self.machine.tell(ours, answer.counters)
            same = answer.told is not None and (told.rows, told.data) == (answer.told.rows, answer.told.data)
            assert same, f"the automaton gives {answer.events}, the model {ours}"
        finding = judge.inspect()
        before = len(judge.events[0][1])
        if finding is None and happened[before:] != self.machine.read_batch([each.name for each in operations]):
            return judge.finding(
                "repetition", "repetition", "carried out twice, the same operations had different effects"
            )
        return finding

    def visited(self) -> Visited:
        """Return what was met since the last time."""
        visited = Visited()
        for answer in self._met:
            for topic, name, count in answer.visited:
                visited.counts[topic][name] += count * answer.times
            answer.times = 0
        self._met.clear()
        return visited

    def close(self) -> None:
        """Give the driver back, and forget the automaton."""
        self._met.clear()
        self.automaton.close()
        self.machine.close()
