"""Makes mutants of C sources: the same text with one small thing changed, as somebody might get it wrong.

Only what is inside functions is changed, and each change keeps to its line or lines, so that line numbers stay. The
kinds are few and blunt: a statement left out, a lock not taken, a condition negated, a comparison or number off by one,
another constant or status, an operator's twin, two statements the other way round. Two assignments that call nothing
and do not touch what the other writes are left in their order: to exchange them changes nothing.

The text is taken apart by a few regular expressions, which is enough for code as clang-format leaves it; what comes out
and does not compile is no mutant.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Final

_NO_CODE: Final = re.compile(
    r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'|^[ \t]*#(?:\\\n|[^\n])*", re.DOTALL | re.MULTILINE
)
_CONTROL: Final = re.compile(r"(?:if|while|for|switch)\b")
_DECLARATION: Final = re.compile(
    r"(?!return\b|goto\b|else\b|case\b)(?:const\s+|struct\s+|enum\s+|static\s+|volatile\s+)*[A-Za-z_]\w*[\s*]+"
    r"(?:const\s+)?[A-Za-z_]\w*\s*(?:[=;,\[]|$)"
)
_ASSIGNMENT: Final = re.compile(r"\s*([\w>.\-\[\]*() ]+?)\s*[+\-|&]?=(?!=)\s*([^;]*);\s*\Z")
_COUNTING: Final = re.compile(r"\s*(?:\+\+|--)([\w>.\-]+)();\s*\Z")

_PURE: Final = re.compile(
    r"sizeof\(|\((?:const )?(?:[A-Z][A-Z_]*[A-Z0-9]*|TUN_\w+)(?: \*)?\)|NET_BUFFER_[A-Z_]+\(|RtlUshortByteSwap\("
)
"""What has a parenthesis and calls nothing that could notice anything: sizeof, casts, accessors of NDIS."""

_TWINS: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    (r"<=", ("<", "==")),
    (r">=", (">", "==")),
    (r"(?<![<\-=])<(?![<=])", ("<=",)),
    (r"(?<![>\-=])>(?![>=])", (">=",)),
    (r"==", ("!=",)),
    (r"!=", ("==",)),
    (r"&&", ("||",)),
    (r"\|\|", ("&&",)),
    (r"\+=", ("-=",)),
    (r"-=", ("+=",)),
    (r"\+\+", ("--",)),
    (r"--", ("++",)),
    (r"(?<= )\+(?= )", ("-",)),
    (r"(?<= )-(?= )", ("+",)),
    (r"<<", (">>",)),
    (r">>", ("<<",)),
    (r"(?<= )\|(?= )", ("&",)),
    (r"(?<= )&(?= )", ("|",)),
    (r"!(?=[A-Za-z_(])", ("",)),
)
"""Operators, and what each becomes."""

_STATUSES: Final = (
    "NDIS_STATUS_SUCCESS",
    "NDIS_STATUS_FAILURE",
    "NDIS_STATUS_PENDING",
    "NDIS_STATUS_RESOURCES",
    "NDIS_STATUS_INVALID_LENGTH",
    "NDIS_STATUS_INVALID_DATA",
    "NDIS_STATUS_INVALID_OID",
    "NDIS_STATUS_NOT_SUPPORTED",
    "NDIS_STATUS_UNSUPPORTED_REVISION",
    "NDIS_STATUS_SEND_ABORTED",
    "NDIS_STATUS_MEDIA_DISCONNECTED",
    "NDIS_STATUS_PAUSED",
    "NDIS_STATUS_LOW_POWER_STATE",
    "STATUS_SUCCESS",
    "STATUS_PENDING",
    "STATUS_CANCELLED",
    "STATUS_INVALID_HANDLE",
    "STATUS_INVALID_PARAMETER",
    "STATUS_INVALID_USER_BUFFER",
    "STATUS_INSUFFICIENT_RESOURCES",
    "STATUS_ACCESS_DENIED",
)
_STATES: Final = (
    "TunStateHalted",
    "TunStatePaused",
    "TunStateRunning",
    "TunStatePausing",
    "TunStateShutdown",
    "NdisDeviceStateD0",
    "NdisDeviceStateD1",
    "NdisDeviceStateD2",
    "NdisDeviceStateD3",
)
_OPPOSITES: Final = {
    "TRUE": "FALSE",
    "FALSE": "TRUE",
    "TunReadQueueHead": "TunReadQueueTail",
    "TunReadQueueTail": "TunReadQueueHead",
    "MediaConnectStateConnected": "MediaConnectStateDisconnected",
    "MediaConnectStateDisconnected": "MediaConnectStateConnected",
}
_NUMBER: Final = re.compile(r"(?<![\w.])(0[xX][0-9A-Fa-f]+|\d+)(?![\w.])")
_NAME: Final = re.compile(r"(?<![\w.>])[A-Za-z_]\w*(?!\w)")
_CONSTANT: Final = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\Z")
_ENUMERATOR: Final = re.compile(r"(?:Ndis(?:Medium|PhysicalMedium|Interface|Pause|InterruptM|DeviceStateU)|Media)\w+\Z")
_TYPES: Final = re.compile(r"(?:TUN|NDIS|NET|IO|KSPIN|DEVICE|DRIVER|UNICODE|EX|LIST|FILE)_[A-Z_]*\s*[*)]")


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change: ``old`` text at ``start`` becomes ``new``; ``line`` counts from 1, ``context`` is that line.

    ``nth`` counts the changes of that line which the same words describe, from 1.
    """

    file: str
    function: str
    line: int
    start: int
    kind: str
    old: str
    new: str
    context: str
    nth: int = field(default=1, kw_only=True)

    def apply(self, text: str) -> str:
        """Return the mutated text."""
        assert text.startswith(self.old, self.start)
        return text[: self.start] + self.new + text[self.start + len(self.old) :]

    def what(self) -> str:
        """Say in one line what is changed, without where but for ``nth``."""
        return self._what() + f" ({self.nth})" * (self.nth > 1)

    def _what(self) -> str:
        if self.kind == "lock":
            return f"lock: without {' '.join(self.old.split(';')[0].split())} and the release that belongs to it"
        old, new = (" ".join(part.split()) for part in (self.old, self.new))
        return f"{self.kind}: {old} → {new or 'nothing'}" if self.kind != "delete" else f"delete: {old}"

    def key(self) -> tuple[str, ...]:
        """Return what its reason is found by: stable while other lines come and go."""
        return self.file, self.context, self.what()


def mutants(file: str, text: str) -> list[Mutant]:
    """Return every mutant of a source, in the order of the text."""
    code = _NO_CODE.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)
    found: list[Mutant] = []
    for function, begin, end in _functions(code):
        for start, old, kind, new in _changes(code, begin, end):
            line = text.count("\n", 0, start) + 1
            context = " ".join(text.splitlines()[line - 1].split())
            found.append(Mutant(file, function, line, start, kind, text[start : start + len(old)], new, context))
    found.sort(key=lambda mutant: (mutant.start, mutant.kind, mutant.new))
    seen: Counter[tuple[int, str]] = Counter()
    for place, mutant in enumerate(found):
        seen[mutant.line, mutant.what()] += 1
        found[place] = replace(mutant, nth=seen[mutant.line, mutant.what()])
    return found


def _functions(code: str) -> Iterator[tuple[str, int, int]]:
    """Give the name of each function and where its body begins and ends."""
    for match in re.finditer(r"\b(\w+)\([^;{}]*\)\n\{\n", code):
        depth, place = 0, match.end() - 2
        while True:
            depth += (code[place] == "{") - (code[place] == "}")
            if depth == 0:
                break
            place += 1
        names = re.findall(r"\b(Tun\w+|DriverEntry)\(", code[match.start() : match.end()])
        yield (names[0] if names else match[1]), match.end(), place


def _changes(code: str, begin: int, end: int) -> Iterator[tuple[int, str, str, str]]:
    statements = list(_statements(code, begin, end))
    for start, stop, _ in statements:
        text = code[start:stop]
        if not _DECLARATION.match(text) and not text.startswith("return "):
            yield start, text, "delete", ";" + "\n" * text.count("\n")
    for (start, stop, depth), (later, after, other) in pairwise(statements):
        between = code[stop:later]
        first, second = code[start:stop], code[later:after]
        if depth == other and not between.strip() and _may_swap(first, second):
            yield start, code[start:after], "swap", second + between + first
    yield from _locks(code, statements)
    yield from _conditions(code, begin, end)
    for pattern, twins in _TWINS:
        for match in re.compile(pattern).finditer(code, begin, end):
            if not _is_pointer(code, match):
                for twin in twins:
                    yield match.start(), match[0], "operator", twin
    yield from _constants(code, begin, end)


def _is_pointer(code: str, match: re.Match[str]) -> bool:
    """Tell whether a sign belongs to an arrow."""
    return match[0] in ("-", ">", "--") and ("->" in code[match.start() - 1 : match.end() + 1])


def _statements(code: str, begin: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Give simple statements: begin, end behind the semicolon, and how deep in braces."""
    place, depth = begin, 0
    while place < end:
        character = code[place]
        if character.isspace() or character in ";{}":
            depth += (character == "{") - (character == "}")
            place += 1
            continue
        if match := _CONTROL.match(code, place):
            place = _closing(code, code.index("(", match.end() - 1)) + 1
            if code[place:].lstrip().startswith(";"):
                place = code.index(";", place) + 1
            continue
        if match := re.compile(r"(?:else|do)\b|case\b[^:]*:|\w+:").match(code, place):
            place = match.end()
            continue
        stop, nesting = place, 0
        while code[stop] != ";" or nesting:
            nesting += (code[stop] in "({") - (code[stop] in ")}")
            stop += 1
        yield place, stop + 1, depth
        place = stop + 1


def _closing(code: str, place: int) -> int:
    depth = 0
    while True:
        depth += (code[place] == "(") - (code[place] == ")")
        if depth == 0:
            return place
        place += 1


def _locks(code: str, statements: list[tuple[int, int, int]]) -> Iterator[tuple[int, str, str, str]]:
    """Leave out both ends of holding a lock: what only another processor could notice."""
    for number, (start, stop, depth) in enumerate(statements):
        if not code.startswith("KeAcquireSpinLock(", start):
            continue
        for later, after, other in statements[number + 1 :]:
            if other == depth and code.startswith("KeReleaseSpinLock(", later):
                yield start, code[start:after], "lock", f";{code[stop:later]};"
                break


def _may_swap(first: str, second: str) -> bool:
    """Tell whether the order of two statements can matter, and the exchanged ones might compile."""
    if _DECLARATION.match(first) or _DECLARATION.match(second):
        return False
    if re.match(r"(?:return|break|continue|goto)\b", first) or re.match(r"(?:return|break|continue|goto)\b", second):
        return False
    left, right = (_ASSIGNMENT.match(text) or _COUNTING.match(text) for text in (first, second))
    if left is None or right is None or any(re.search(r"\w\(", _PURE.sub(" ", part[2])) for part in (left, right)):
        return True
    return any(
        re.search(rf"{re.escape(_written(one))}(?!\w)", other) for one, other in ((left, second), (right, first))
    )


def _written(assignment: re.Match[str]) -> str:
    """Return what stands for what it writes: the target; of an accessor its name, since two names may mean one NBL."""
    accessor = re.match(r"(\w+)\(", assignment[1])
    return accessor[1] if accessor else assignment[1]


def _conditions(code: str, begin: int, end: int) -> Iterator[tuple[int, str, str, str]]:
    for match in re.compile(r"\b(?:if|while) \(").finditer(code, begin, end):
        opening = match.end() - 1
        condition = code[opening + 1 : _closing(code, opening)]
        yield opening + 1, condition, "negate", f"!({condition})"


def _constants(code: str, begin: int, end: int) -> Iterator[tuple[int, str, str, str]]:
    for match in _NUMBER.finditer(code, begin, end):
        value = int(match[0], 0)
        yield match.start(), match[0], "number", str(value + 1)
        if value:
            yield match.start(), match[0], "number", str(value - 1)
    for match in _NAME.finditer(code, begin, end):
        name = match[0]
        if name in _STATUSES:
            yield from ((match.start(), name, "status", other) for other in _others(name, _STATUSES))
        elif name in _STATES:
            yield from ((match.start(), name, "constant", other) for other in _others(name, _STATES))
        elif name in _OPPOSITES:
            yield match.start(), name, "constant", _OPPOSITES[name]
        elif _ENUMERATOR.match(name) or (
            _CONSTANT.match(name)
            and not _TYPES.match(code, match.start())
            and not code[match.end() :].startswith(("(", " *"))
        ):
            yield match.start(), name, "number", f"({name} + 1)"


def _others(name: str, names: tuple[str, ...]) -> list[str]:
    """Choose what a constant becomes: its neighbour in the list, and for a failure success too."""
    place = names.index(name)
    group = [other for other in names if other[:4] == name[:4]]
    neighbour = group[(group.index(name) + 1) % len(group)]
    chosen = [neighbour]
    if names is _STATUSES and "SUCCESS" not in name and "SUCCESS" not in neighbour:
        chosen.append(names[0])
    return [other for other in chosen if other != names[place]]
