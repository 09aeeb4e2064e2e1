"""The story of a run: who takes part, and line by line what goes from one to another. All renderers draw from it.

Who takes part are *lanes*: each client's handle on the left, the adapters in the middle, NDIS and what is above it on
the right. Where there are many handles or adapters, they share a lane. A *line* is an arrow between two lanes, or a
note on one. Runs of lines that are alike become one (``fold``), so that a thousand NBLs can be looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import Enum
from itertools import groupby
from typing import Final

from wintun_sim import ndis
from wintun_sim.lifecycle import Ledger, State
from wintun_sim.operations import (
    AdapterOperation,
    Cancel,
    Create,
    Event,
    HandleOperation,
    Initialize,
    IrpCompleted,
    LinkChanged,
    Load,
    NblCompleted,
    Operation,
    PacketReceived,
    Refused,
    RuleBroken,
    Unload,
)
from wintun_sim.operations.outcome import Places
from wintun_sim.render.words import event_words, operation_words, plain, received_words, status_of
from wintun_sim.trace import Course, Moment

MOST_CLIENTS: Final = 5
"""Handles with a lane of their own; more share one."""

MOST_ADAPTERS: Final = 4
ENOUGH_ALIKE: Final = 5
"""Operations alike, one behind the other, of which all but the first and the last are folded."""


_SAID_OTHERWISE: Final = ("begins", "start", "done")
"""Ends of words that say no more than that a call began or returned, which arrows show."""


class Tone(Enum):
    """How a line should look."""

    CALL = "call"
    """Somebody does something to the adapter."""
    GOOD = "good"
    """The adapter answers: a success, or news."""
    BAD = "bad"
    """It answers: a failure."""
    BROKEN = "broken"
    """A rule was broken, or an operation refused."""
    STEP = "step"
    """Where a call stands, among others."""
    FOLD = "fold"
    """Lines that were left out."""


@dataclass(frozen=True, slots=True)
class Lane:
    """Somebody who takes part: ``name`` is what the lane is called, ``kind`` is "client", "adapter" or "host"."""

    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class Line:
    """From lane ``source`` to lane ``target`` (positions; a note where they are the same): ``text``, in a ``tone``.

    ``states`` are those of the adapters behind the line, in the order of their lanes, None before an adapter was
    initialized. ``status`` is what a terminal adds to the line: what changed in the adapter. ``actor`` is who acts,
    where several do.
    """

    source: int
    target: int
    text: str
    tone: Tone
    states: tuple[State | None, ...] = ()
    status: str = ""
    actor: str = ""


@dataclass(frozen=True, slots=True)
class Story:
    """Everything that a renderer needs. Texts are plain: printable, one line each, of limited length.

    ``title`` is the run's, ``subtitle`` says on which machine and how it was made.
    """

    title: str
    subtitle: str
    lanes: tuple[Lane, ...]
    lines: tuple[Line, ...]

    def adapters(self) -> list[int]:
        """Return the positions of the lanes of adapters."""
        return [place for place, lane in enumerate(self.lanes) if lane.kind == "adapter"]


def story_of(course: Course, *, seed: int | None = None, steps: bool = False) -> Story:
    """Tell the story of a run. ``seed`` is mentioned; with ``steps``, so is where each call stands between others."""
    teller = _Teller(course, steps)
    for moment in course.moments:
        teller.tell(moment)
    if course.ended:
        host = len(teller.lanes.all) - 1
        teller.blocks.append(_Block([Line(host, host, plain(f"ended early: {course.ended}"), Tone.BROKEN)]))
    subtitle = [plain(course.machine, 80), f"order {course.order}", f"NDIS {course.ndis[0]}.{course.ndis[1]}"]
    if seed is not None and course.actors:
        subtitle.append(f"seed {seed}")
    title = plain(course.title or "A run without a title", 100)
    return Story(title, ", ".join(subtitle), tuple(teller.lanes.all), tuple(fold(teller.blocks)))


@dataclass(slots=True)
class _Block:
    """The lines of one moment, and what makes it like others."""

    lines: list[Line]
    shape: object = None
    name: str = ""


class _Lanes:
    """Who takes part, and where everybody stands."""

    def __init__(self, course: Course) -> None:
        operations = list(dict.fromkeys(moment.operation for moment in course.moments))
        self.places = Places(operations)
        clients = [operation.name for operation in operations if isinstance(operation, Create)]
        adapters = [operation.name for operation in operations if isinstance(operation, Initialize)]
        self._clients = self._share(clients, MOST_CLIENTS)
        self._adapters = self._share(adapters, MOST_ADAPTERS)
        self.all: list[Lane] = []
        self.all += [Lane(f"client {plain(name, 24)}", "client") for name in self._names(clients, MOST_CLIENTS)]
        if len(clients) > MOST_CLIENTS:
            self.all.append(Lane(f"{len(clients):,} clients", "client"))
        self.first_adapter = len(self.all)
        self.all += [Lane(plain(name, 24), "adapter") for name in self._names(adapters, MOST_ADAPTERS)]
        if len(adapters) > MOST_ADAPTERS:
            self.all.append(Lane(f"{len(adapters):,} adapters", "adapter"))
        self.host = len(self.all)
        self.all.append(Lane("NDIS", "host"))
        self.adapter_names = adapters if len(adapters) <= MOST_ADAPTERS else []

    @staticmethod
    def _share(names: list[str], most: int) -> dict[str, int]:
        return {name: 0 if len(names) > most else place for place, name in enumerate(names)}

    @staticmethod
    def _names(names: list[str], most: int) -> list[str]:
        return [] if len(names) > most else names

    def which(self, adapter: str) -> str:
        """Say which adapter is meant, where they share a lane."""
        return "" if self.adapter_names or not self._adapters else f" @{plain(adapter, 24)}"

    def client(self, handle: str) -> int:
        """Return the lane of a handle; NDIS' where nobody opened it."""
        return self._clients.get(handle, self.host)

    def adapter(self, name: str) -> int:
        """Return the lane of an adapter; NDIS' where nobody initialized it."""
        return self.first_adapter + self._adapters[name] if name in self._adapters else self.host

    def of_operation(self, operation: Operation) -> tuple[int, int]:
        """Return from whom an operation comes, and to whom it goes."""
        target = self.adapter(self.places.adapters.get(operation.name, ""))
        if isinstance(operation, Load | Unload):
            return self.host, self.host
        if isinstance(operation, HandleOperation | Create | Cancel):
            handle = self.places.handles.get(operation.name, "")
            if isinstance(operation, Cancel):
                handle = self.places.handles.get(operation.request, "")
            return self.client(handle), target
        return self.host, target

    def of_event(self, event: Event) -> tuple[int, int]:
        """Return from whom an event comes, and who learns of it."""
        source = self.adapter(self.places.adapter_of(event))
        if isinstance(event, RuleBroken):
            return source, source
        if isinstance(event, IrpCompleted):
            return source, self.client(event.handle)
        return source, self.host


class _Teller:
    """Turns moments into blocks of lines, and keeps count of the adapters' states on the way."""

    def __init__(self, course: Course, steps: bool) -> None:
        self.lanes = _Lanes(course)
        self.blocks: list[_Block] = []
        self._steps = steps
        self._several = bool(course.actors)
        self._ledger: Ledger | None = Ledger(course.order)
        self._links: dict[str, bool] = {}
        self._told: dict[str, str] = {}
        self._under_way: dict[str, Operation] = {}

    def tell(self, moment: Moment) -> None:
        """Add the lines of a moment."""
        operation = moment.operation
        source, target = self.lanes.of_operation(operation)
        actor = plain(moment.actor, 24)
        lines: list[Line] = []
        if moment.begins:
            self._begin(operation, moment.actor)
            words = operation_words(operation)
            if isinstance(operation, AdapterOperation):
                words += self.lanes.which(operation.adapter)
            lines.append(Line(source, target, words, Tone.CALL, self._states(), "", actor))
        refused = [event for event in moment.events if isinstance(event, Refused)]
        for event in refused:
            lines.append(Line(source, source, event_words(event), Tone.BROKEN, self._states(), "", actor))
        groups = list(_groups(event for event in moment.events if not isinstance(event, Refused)))
        lines += self._answers(groups, actor)
        if self._steps and moment.actor and moment.words and not moment.words.endswith(_SAID_OTHERWISE):
            lines.append(Line(target, target, plain(moment.words, 120), Tone.STEP, self._states(), "", actor))
        if not moment.actor:
            self._end("")
        if lines:
            lines[-1] = replace(lines[-1], states=self._states(), status=self._status())
            answers = tuple((type(group[0]), status_of(group[0])) for group in groups)
            ways = tuple((line.source, line.target, line.tone) for line in lines)
            shape = None if self._several else (type(operation), answers, ways, self._states())
            self.blocks.append(_Block(lines, shape, operation.name))

    def _answers(self, groups: Iterable[list[Event]], actor: str) -> Iterator[Line]:
        for group in groups:
            for event in group:
                self._observe(event)
            source, target = self.lanes.of_event(group[0])
            words = _group_words(group)
            if isinstance(group[0], LinkChanged):
                words += self.lanes.which(group[0].adapter)
            yield Line(source, target, words, _tone(group[0]), self._states(), "", actor)

    # The adapters' states. A trace from outside may hold what no host would do; then they are not known from there on.

    def _begin(self, operation: Operation, actor: str) -> None:
        self._end(actor)
        if self._ledger is not None:
            try:
                if self._ledger.admit(operation) is None:
                    self._under_way[actor] = operation
            except ValueError:
                self._ledger = None

    def _end(self, actor: str) -> None:
        """Take note that the operation of an actor has returned; it has, when the next one begins."""
        operation = self._under_way.pop(actor, None)
        if self._ledger is not None and operation is not None:
            self._ledger.end(operation)

    def _observe(self, event: Event) -> None:
        if isinstance(event, LinkChanged):
            self._links[event.adapter] = event.connected
        if self._ledger is not None:
            try:
                self._ledger.observe(event)
            except (KeyError, ValueError):
                self._ledger = None

    def _states(self) -> tuple[State | None, ...]:
        known = {} if self._ledger is None else self._ledger.adapters
        return tuple(known[name].state if name in known else None for name in self.lanes.adapter_names)

    def _status(self) -> str:
        """Say what changed in the adapters since it was last said."""
        if self._ledger is None:
            return ""
        changed = []
        for name in self.lanes.adapter_names:
            record = self._ledger.adapters.get(name)
            if record is None:
                continue
            words = [record.state.value]
            words += [f"D{record.power - 1}"] * (2 <= record.power <= 4)
            words += [f"{record.handles} handle{'s' * (record.handles != 1)}"] * bool(record.handles)
            words += ["link up"] * (self._links.get(name, False) and record.state is not State.HALTED)
            words += [f"{record.nbls:,} NBL{'s' * (record.nbls != 1)}"] * bool(record.nbls)
            said = ", ".join(words)
            if self._told.get(name) != said:
                self._told[name] = said
                changed.append(f"{plain(name, 24)}: {said}" if len(self.lanes.adapter_names) > 1 else said)
        return "; ".join(changed)


def _groups(events: Iterable[Event]) -> Iterator[list[Event]]:
    """Give neighbouring events that one line can tell of."""
    groups = [list(alike) for _, alike in groupby(events, _alike)]
    for kind, several in groupby(groups, lambda group: _alike_at_large(group[0])):
        run = list(several)
        if kind is not None and len(run) >= ENOUGH_ALIKE:
            yield [event for group in run for event in group]
        else:
            yield from run


def _alike(event: Event) -> object:
    """Return what neighbouring events must share to be told in one line."""
    if isinstance(event, NblCompleted):
        return (NblCompleted, event.operation, event.status, event.again)
    if isinstance(event, PacketReceived):
        return (PacketReceived, event.operation)
    if isinstance(event, RuleBroken):
        return (RuleBroken, event.rule)
    return object()


def _alike_at_large(event: Event) -> object:
    """Return what they must share where there are many: NBLs of several sends came back in the same way."""
    return (event.status, event.again) if isinstance(event, NblCompleted) else None


def _group_words(group: list[Event]) -> str:
    first, last = group[0], group[-1]
    if len(group) == 1:
        return event_words(first)
    if isinstance(first, NblCompleted) and isinstance(last, NblCompleted):
        name, status = plain(first.operation, 40), ndis.name_of(first.status)
        end = f".{last.index}" if last.operation == first.operation else f"{plain(last.operation, 40)}.{last.index}"
        return f"{name}.{first.index} to {end}: {len(group):,} NBLs, {status}{', sent again' * first.again}"
    if isinstance(first, PacketReceived):
        return received_words(
            first.operation, [len(event.data) for event in group if isinstance(event, PacketReceived)]
        )
    return f"{event_words(first)} (and {len(group) - 1:,} times more)"


def _tone(event: Event) -> Tone:
    if isinstance(event, RuleBroken | Refused):
        return Tone.BROKEN
    status = status_of(event)
    return Tone.GOOD if status is None or ndis.nt_success(status) else Tone.BAD


def fold(blocks: Iterable[_Block]) -> Iterator[Line]:
    """Give the lines of all blocks; of many that are alike, one behind the other, the first and the last."""
    for _, alike in groupby(blocks, lambda block: object() if block.shape is None else block.shape):
        group = list(alike)
        if len(group) < ENOUGH_ALIKE:
            yield from (line for block in group for line in block.lines)
            continue
        yield from group[0].lines
        between = group[1:-1]
        first = group[0].lines[0]
        names = f"{plain(between[0].name, 24)} to {plain(between[-1].name, 24)}"
        yield Line(first.source, first.target, f"{len(between):,} more alike: {names}", Tone.FOLD, first.states)
        yield from group[-1].lines


def shortened(story: Story, most: int) -> Story:
    """Return a story of at most ``most`` lines: its beginning and its end, and how much is missing between."""
    if len(story.lines) <= most:
        return story
    head, tail = most // 2, most - most // 2 - 1
    before, after = story.lines[head - 1], story.lines[len(story.lines) - tail :]
    left_out = len(story.lines) - head - tail
    cut = Line(0, len(story.lanes) - 1, f"{left_out:,} lines are left out here", Tone.FOLD, before.states)
    return replace(story, lines=(*story.lines[:head], cut, *after))
