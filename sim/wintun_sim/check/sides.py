"""Both sides of each repair: what a check has played in which the driver would do otherwise without it, or with it.

A verdict on a repair is worth something where both sides can be told apart. Where a sequence of calls shows the repair,
a scenario that ships is played on the driver, and on two models: the one that the driver is held against, and one whose
repair is the other way round. Where the two models differ, the driver, which does as the first one, does not do as the
second. A repair that only calls at once can show is told apart in the same way by all that the two models can do.

Two repairs are of no concern to a model, since they are about memory: the host sees each wrong access to it, and a
driver that had no such repair would make one in what was played.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from wintun_sim.check.machines import CURRENT, is_instrumented
from wintun_sim.check.refine import Refinement
from wintun_sim.model import REPAIRS, ModelMachine, UndefinedUpstream, revision
from wintun_sim.model.revisions import turned
from wintun_sim.operations import Initialize, Operation
from wintun_sim.operations.outcome import Places, differences, outcome_of
from wintun_sim.scenario import Scenario

CLIENT_WRITES: Final = "exploring with a client that changes what it wrote"
NOT_MAPPED: Final = "exploring with a buffer that cannot be mapped"

_EXPLORED: Final = "send against read; the queue is full; strict"
_STRAY_BYTES: Final = "write-damaged"


def scenario_part(name: str) -> str:
    """Return what the part of a check is called that plays a scenario."""
    return f"scenario {name}"


def exploring_part(title: str) -> str:
    """Return what the part of a check is called that explores a scenario."""
    return f"exploring {title}"


_ELSEWHERE: Final[Mapping[str, tuple[str, ...]]] = {
    "overflow-count": (exploring_part(_EXPLORED),),
    "double-fetch": (CLIENT_WRITES,),
    "bounds": (scenario_part(_STRAY_BYTES), NOT_MAPPED),
}

PARTS: Final[Mapping[str, tuple[str, ...]]] = {
    name: _ELSEWHERE.get(name, (scenario_part(f"repair-{name}"),)) for name in REPAIRS
}
"""By repair, the parts of a check that must have told its sides apart."""


def by_scenario(name: str, scenario: Scenario, ndis: tuple[int, int], held: str, image: Path | None) -> Iterator[str]:
    """Name the repairs whose sides a scenario of that name has told apart, if its driver did as ``held`` does."""
    part = scenario_part(name)
    for repair, parts in PARTS.items():
        if part not in parts:
            continue
        if REPAIRS[repair].taken_back is None:
            if is_instrumented(image):
                yield repair
        elif tells_apart(scenario, ndis, held, repair):
            yield repair


def tells_apart(scenario: Scenario, ndis: tuple[int, int], held: str, repair: str) -> bool:
    """Tell whether a scenario without actors goes otherwise on the model ``held`` when a repair is turned round.

    What the published driver leaves undefined is not the same as anything; but where ``held`` does, nothing was judged.
    """
    ours = ModelMachine(order=scenario.order, ndis=ndis, revision=revision(held))
    theirs = ModelMachine(order=scenario.order, ndis=ndis, revision=turned(held, repair))
    places = Places()
    for operation in scenario.operations():
        places.add(operation)
        try:
            mine = outcome_of(ours.perform(operation), places)
        except UndefinedUpstream:
            return False
        try:
            other = outcome_of(theirs.perform(operation), places)
        except UndefinedUpstream:
            return True
        if any(differences(mine, other)) or _describe(ours, operation) != _describe(theirs, operation):
            return True
    return False


def _describe(machine: ModelMachine, operation: Operation) -> object:
    """Return what an adapter that was just initialized told NDIS of itself."""
    is_new = isinstance(operation, Initialize) and machine.ledger.adapters[operation.name].exists
    return machine.attributes(operation.name) if is_new else None


def by_exploring(scenario: Scenario, held: Refinement) -> Iterator[str]:
    """Name the repairs without which the model can show more in a concurrent scenario than ``held``, which is CURRENT,
    can: if the driver showed what that one can, it shows nothing of the rest."""
    part = exploring_part(scenario.title)
    for repair, parts in PARTS.items():
        if part in parts and held.revision == CURRENT:
            allowed = held.find_all()
            other = Refinement(scenario, f"-{repair}").find_all()
            if allowed.complete and other.outcomes.keys() - allowed.outcomes.keys():
                yield repair
