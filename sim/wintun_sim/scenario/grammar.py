"""The text of a scenario.

::

    # wintun-sim scenario 1
    title The client keeps its handle across a pause
    order strict               # or raw; strict where nothing is said
    ndis 6.80                  # or 6.20, 6.30; 6.80 where nothing is said
    revisions UPSTREAM BEFORE  # for which holds, too, what is expected without a mark; none where nothing is said

    load
    initialize
    restart
    h: create                  # an operation may have a name, which others refer to
    r: read h 61440
       => nothing              # what it must cause: these events and no others
    pause
    w: write h bundle(ipv4(84))
       => irp w STATUS_NDIS_PAUSED 0
       => [BEFORE, UPSTREAM] irp w STATUS_NDIS_PAUSED 0

    actor client:              # then, all at once, what each actor does
        cancel r
    actor stack:
        restart.again: restart

``#`` begins a comment. One operation stands on one line, but inside parentheses a line may end anywhere; how lines are
indented means nothing. Operations and events are those of ``operations.text``, bytes those of ``operations.data``. The
first line names the version of the grammar; a text without it is read as version 1.

Lines that begin with ``=>`` say everything that the operation above them causes, in any order that the outcome
(``operations.outcome``) does not distinguish; an operation without such lines may cause anything. A line marked with
revisions in brackets is meant for those alone, and a revision for which there are such lines takes no others.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from wintun_sim.errors import UsageError
from wintun_sim.operations import NblCompleted, Operation
from wintun_sim.operations.outcome import Places
from wintun_sim.operations.scan import Scanner, ScenarioError, nearest
from wintun_sim.operations.text import format_event, format_operation, parse_events, parse_operation
from wintun_sim.scenario import names
from wintun_sim.scenario.scenario import OTHER_VERSIONS, VERSIONS, Actor, Expectation, Order, Scenario, Step

MAX_FILE_SIZE: Final = 1 << 26
"""Bytes of scenario text that are read at all."""

_VERSION_LINE: Final = re.compile(r"\s*#\s*wintun-sim\s+(\w+)\s+(\S+)")
_ORDERS: Final[dict[str, Order]] = {"strict": "strict", "raw": "raw"}


def load(path: str | Path) -> Scenario:
    """Read a scenario from a file.

    Raises ``ScenarioError`` for what is in the file, ``OSError`` for the file itself.
    """
    with open(path, "rb") as file:
        data = file.read(MAX_FILE_SIZE + 1)
    if len(data) > MAX_FILE_SIZE:
        raise UsageError(f"{path}: more than {MAX_FILE_SIZE} bytes are no scenario; split it")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise ScenarioError(f"byte {error.start} is not UTF-8 text", "is it a scenario?", source=str(path)) from None
    return parse(text, str(path))


def parse(text: str, source: str = "") -> Scenario:
    """Read a scenario; ``source`` is what errors call the text. Raises ``ScenarioError``."""
    return _Reader(Scanner(text, source)).read()


@dataclass(slots=True)
class _Line:
    """An operation as it was read, and where its expectations stand: they can be read when all names are known."""

    operation: Operation
    position: int
    expectations: list[int] = field(default_factory=list)


class _Reader:
    def __init__(self, scanner: Scanner) -> None:
        self.scanner = scanner
        self.header = Scenario()
        self.lines: list[_Line] = []
        self.names: set[str] = set()
        self.blocks: list[tuple[str, int]] = []  # the name of each actor and the number of lines before it

    def read(self) -> Scenario:
        scanner = self.scanner
        self._check_version()
        while True:
            scanner.skip_lines()
            token = scanner.peek()
            if token.kind == "end":
                return self._build()
            if token.text == "=>":
                self._note_expectation()
            elif token.kind != "word":
                scanner.fail(f"a line cannot begin with {token.text!r}", "write an operation, or # before a comment")
            else:
                self._read_line()

    def _check_version(self) -> None:
        match = _VERSION_LINE.match(self.scanner.text)
        if match and (match[1] not in ("scenario", "trace") or match[2] != "1"):
            self.scanner.fail(
                f"this is '{match[1]} {match[2]}', but scenario 1 can be read here", "use a wintun-sim that fits", 0
            )

    def _read_line(self) -> None:
        scanner = self.scanner
        token = scanner.next()
        labelled = scanner.peek().text == ":"
        if token.text in ("title", "order", "ndis", "revisions") and not labelled:
            if self.lines or self.blocks:
                scanner.fail(f"{token.text} stands after an operation", "put it before the first one", token.position)
            self._read_header(token.text)
        elif token.text == "actor" and not labelled:
            name = scanner.name("an actor")
            if name in (block[0] for block in self.blocks):
                scanner.fail(f"two actors are called {name!r}", "rename one of them", token.position)
            scanner.demand_mark(":", "after the actor's name")
            scanner.end_line("the actor's name")
            self.blocks.append((name, len(self.lines)))
        else:
            name = ""
            scanner.position = token.position
            if labelled:
                name = scanner.name("an operation")
                scanner.demand_mark(":", "after the operation's name")
                if name in self.names:
                    scanner.fail(f"two operations are called {name!r}", "rename one of them", token.position)
                self.names.add(name)
            self.lines.append(_Line(parse_operation(scanner, name), token.position))

    def _read_header(self, word: str) -> None:
        scanner = self.scanner
        if word == "title":
            self.header = replace(self.header, title=scanner.rest_of_line())
            return
        if word == "revisions":
            self.header = replace(self.header, revisions=tuple(self._header_revisions()))
            return
        token = scanner.word(f"the {word}")
        if word == "order":
            if token.text not in _ORDERS:
                scanner.fail(f"there is no order {token.text!r}", "write strict or raw", token.position)
            self.header = replace(self.header, order=_ORDERS[token.text])
        else:
            versions = {f"{major}.{minor}": (major, minor) for major, minor in (*VERSIONS, *OTHER_VERSIONS)}
            if token.text not in versions:
                scanner.fail(f"the host has no NDIS {token.text}", nearest("", versions), token.position)
            self.header = replace(self.header, ndis=versions[token.text])
        scanner.end_line(f"the {word}")

    def _header_revisions(self) -> Iterator[str]:
        yield self.scanner.word("a revision, as in revisions UPSTREAM").text
        while not self.scanner.at_line_end():
            yield self.scanner.word("a revision").text

    def _note_expectation(self) -> None:
        """Remember where the line begins and go past it, minding lines that go on inside parentheses."""
        scanner = self.scanner
        start = 0 if not self.blocks else self.blocks[-1][1]
        if len(self.lines) <= start:
            scanner.fail("an expected event stands before any operation", "put it under the operation that causes it")
        scanner.next()
        self.lines[-1].expectations.append(scanner.position)
        depth = 0
        while depth > 0 or not scanner.at_line_end():
            token = scanner.next()
            depth += (token.text == "(") - (token.text == ")") if token.kind == "mark" else 0
            if token.kind == "end":
                scanner.fail("a parenthesis is open at the end of the text", "close it")

    def _build(self) -> Scenario:
        operations = names.fill([line.operation for line in self.lines])
        places = Places(operations)
        known = {operation.name for operation in operations}
        steps = [
            Step(operation, tuple(self._expectations(line, places, known)))
            for operation, line in zip(operations, self.lines, strict=True)
        ]
        ends = [start for _, start in self.blocks[1:]] + [len(steps)]
        scenario = replace(
            self.header,
            setup=tuple(steps[: self.blocks[0][1] if self.blocks else len(steps)]),
            actors=tuple(
                Actor(name, tuple(steps[start:end])) for (name, start), end in zip(self.blocks, ends, strict=False)
            ),
        )
        self._check_names(scenario)
        return scenario

    def _check_names(self, scenario: Scenario) -> None:
        try:
            names.check(scenario)
        except ScenarioError as error:
            # Find the operation to blame: the first at which the scenario up to it is wrong.
            operations = list(scenario.operations())
            place = next((n for n in range(len(operations)) if not names.check_operations(operations[: n + 1])), 0)
            self.scanner.fail(error.reason, error.repair, self.lines[place].position)

    def _expectations(self, line: _Line, places: Places, known: set[str]) -> list[Expectation]:
        scanner = self.scanner
        found: list[Expectation] = []
        for position in line.expectations:
            scanner.position = position
            revisions = self._revisions()
            start = scanner.peek().position
            if scanner.peek().text == "nothing":
                scanner.next()
                scanner.end_line("nothing")
                found.append(Expectation(None, revisions))
                continue
            for event in parse_events(scanner, places.handles):
                operation = getattr(event, "operation", None)
                if operation is not None and operation not in known:
                    scanner.fail(f"no operation is called {operation!r}", nearest(operation, known), start)
                found.append(Expectation(event, revisions))
        return found

    def _revisions(self) -> tuple[str, ...]:
        scanner = self.scanner
        revisions: list[str] = []
        if scanner.take_mark("["):
            while not revisions or scanner.take_mark(","):
                revisions.append(scanner.word("a revision, as in [UPSTREAM]").text)
            scanner.demand_mark("]", "after the revisions")
        return tuple(revisions)


# Writing


def format_scenario(
    scenario: Scenario, comments: Mapping[str, Sequence[str]] | None = None, *, preamble: Sequence[str] = ()
) -> str:
    """Write a scenario; ``parse`` reads the same one back.

    ``comments`` are lines to write as comments under the operation of that name, ``preamble`` at the top.
    """
    lines = ["# wintun-sim scenario 1", *(_comment(line) for line in preamble)]
    lines += [f"title {scenario.title}"] * bool(scenario.title)
    lines += [f"order {scenario.order}", f"ndis {scenario.ndis[0]}.{scenario.ndis[1]}"]
    lines += [f"revisions {' '.join(scenario.revisions)}"] * bool(scenario.revisions)
    lines.append("")
    written = names.given(list(scenario.operations()))
    comments = comments or {}
    for step in scenario.setup:
        lines += _format_step(step, written, comments)
    for actor in scenario.actors:
        lines += ["", f"actor {actor.name}:"]
        for step in actor.steps:
            lines += [f"    {line}" for line in _format_step(step, written, comments)]
    return "\n".join(lines) + "\n"


def _comment(line: str) -> str:
    return f"# {' '.join(line.splitlines())}".rstrip()


def _format_step(step: Step, written: set[str], comments: Mapping[str, Sequence[str]]) -> list[str]:
    name = step.operation.name
    label = f"{name}: " if name in written else ""
    lines = [label + format_operation(step.operation)]
    lines += [f"    => {line}" for line in _format_expectations(step.expected)]
    return lines + [f"    {_comment(line)}" for line in comments.get(name, ())]


def _format_expectations(expected: Sequence[Expectation]) -> list[str]:
    lines: list[str] = []
    place = 0
    while place < len(expected):
        entry = expected[place]
        mark = f"[{', '.join(entry.revisions)}] " if entry.revisions else ""
        if isinstance(entry.event, NblCompleted):
            count = _run_of_nbls(expected[place:])
            last = entry.event.index + count - 1
            text = format_event(entry.event)
            if count > 1:
                text = text.replace(f".{entry.event.index} ", f".{entry.event.index}..{last} ", 1)
        else:
            count, text = 1, "nothing" if entry.event is None else format_event(entry.event)
        lines.append(mark + text)
        place += count
    return lines


def _run_of_nbls(expected: Sequence[Expectation]) -> int:
    """Count the expectations at the beginning that one line can say: NBLs of one send, one after another, alike."""
    first = expected[0]
    assert isinstance(first.event, NblCompleted)
    count = 1
    while count < len(expected) and expected[count] == replace(
        first, event=replace(first.event, index=first.event.index + count)
    ):
        count += 1
    return count
