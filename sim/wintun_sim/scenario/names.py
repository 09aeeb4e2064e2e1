"""Names of operations: those that nobody gave, and whether each that is used was introduced.

An operation without a name is called by its verb, ``pause``, the second ``pause.2`` and so on, past names that are
taken; an initialize is called ``adapter`` and a load ``driver``, since that is what they introduce.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from wintun_sim.operations import (
    AdapterOperation,
    Cancel,
    Create,
    HandleOperation,
    Initialize,
    Load,
    Operation,
    Read,
    Unload,
)
from wintun_sim.operations.operation import DEFAULT_ADAPTER, DEFAULT_DRIVER
from wintun_sim.operations.scan import ScenarioError, is_name, nearest
from wintun_sim.scenario.scenario import Scenario

_INTRODUCED: Mapping[str, str] = {"initialize": DEFAULT_ADAPTER, "load": DEFAULT_DRIVER}


def base(verb: str) -> str:
    """Return what the first operation of this verb is called if nobody gave it a name."""
    return _INTRODUCED.get(verb, verb)


def fill(operations: Sequence[Operation]) -> list[Operation]:
    """Return the operations with a name for each that had none."""
    taken = {operation.name for operation in operations}
    counts: dict[str, int] = {}
    filled: list[Operation] = []
    for operation in operations:
        if operation.name:
            filled.append(operation)
            continue
        first = name = base(operation.verb)
        while name in taken or (first in counts and name == first):
            counts[first] = counts.get(first, 1) + 1
            name = f"{first}.{counts[first]}"
        counts.setdefault(first, 1)
        taken.add(name)
        filled.append(replace(operation, name=name))
    return filled


def given(operations: Sequence[Operation]) -> set[str]:
    """Return the names that must be written so that ``fill`` finds all the others back."""
    written = {operation.name for operation in operations if not _could_be_filled(operation)}
    while True:
        bare = [op if op.name in written else replace(op, name="") for op in operations]
        wrong = {ours.name for ours, found in zip(operations, fill(bare), strict=True) if ours.name != found.name}
        if not wrong:
            return written
        written |= wrong


def _could_be_filled(operation: Operation) -> bool:
    first = base(operation.verb)
    _, dot, number = operation.name.rpartition(".")
    return operation.name == first or (operation.name == f"{first}.{number}" and bool(dot) and number.isdecimal())


def check(scenario: Scenario) -> None:
    """Demand that every name is unique and that every name used was introduced, by an operation of the right kind.

    A name counts as introduced from its operation on; where actors are at work, also by an operation of another actor,
    since nobody knows who comes first. Raises ``ScenarioError``, without a place.
    """
    introduced: dict[str, Operation] = {}
    for step in scenario.setup:
        _check_operation(step.operation, introduced)
        _introduce(step.operation, introduced)
    if len({actor.name for actor in scenario.actors}) < len(scenario.actors):
        raise ScenarioError("two actors have the same name", "rename one of them")
    for actor in scenario.actors:
        for step in actor.steps:
            _introduce(step.operation, introduced)
    for actor in scenario.actors:
        for step in actor.steps:
            _check_operation(step.operation, introduced)


def check_operations(operations: Iterable[Operation]) -> bool:
    """Whether a sequence of operations uses only names that it has introduced before, each once."""
    introduced: dict[str, Operation] = {}
    try:
        for operation in operations:
            _check_operation(operation, introduced)
            _introduce(operation, introduced)
    except ScenarioError:
        return False
    return True


def _introduce(operation: Operation, introduced: dict[str, Operation]) -> None:
    if not is_name(operation.name):
        raise ScenarioError(f"an operation is called {operation.name!r}", "begin names with a letter")
    if operation.name in introduced:
        raise ScenarioError(f"two operations are called {operation.name!r}", "rename one of them")
    introduced[operation.name] = operation


def _check_operation(operation: Operation, introduced: Mapping[str, Operation]) -> None:
    kind: type[Operation]
    match operation:
        case Unload(driver=driver) | Initialize(driver=driver):
            wanted, kind = driver, Load
        case AdapterOperation(adapter=adapter):
            wanted, kind = adapter, Initialize
        case HandleOperation(handle=handle):
            wanted, kind = handle, Create
        case Cancel(request=request):
            wanted, kind = request, Read
        case _:
            return
    found = introduced.get(wanted)
    if isinstance(found, kind):
        return
    known = [name for name, entry in introduced.items() if isinstance(entry, kind)]
    problem = f"is a {found.verb}" if found is not None else "was not introduced before it"
    raise ScenarioError(
        f"{operation.verb} {operation.name!r} needs a {kind.verb}, but {wanted!r} {problem}", nearest(wanted, known)
    )
