"""Carries out one scenario, with actors or without, and keeps its course for people to look at.

Whose turn it is among actors is drawn from a seed. The same seed gives the same course, on the same machine; the model
and a driver take steps of their own, so a seed means another order on each.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, permutations, product
from pathlib import Path
from typing import Final, Literal

from wintun_sim import native
from wintun_sim.check.isolated import Death, isolated
from wintun_sim.check.machines import CURRENT, open_model
from wintun_sim.check.scenarios import play
from wintun_sim.errors import UsageError
from wintun_sim.lifecycle import Call, Order, may_overlap
from wintun_sim.model import ModelMachine, Stuck, UndefinedUpstream
from wintun_sim.model.interleave import Interleaving
from wintun_sim.operations import (
    AdapterOperation,
    Close,
    Create,
    Event,
    HandleOperation,
    Initialize,
    Load,
    Operation,
    Unload,
)
from wintun_sim.operations.outcome import Places
from wintun_sim.scenario import Scenario
from wintun_sim.trace import Course, Moment, course_of, record

HOST: Final = "the host"
"""The actor to whom what no actor's call caused is put down."""

MOST_MOMENTS: Final = 100_000
"""Moments of a course; a longer one is cut, and says so."""


def follow(
    scenario: Scenario,
    machine: Literal["model", "driver"] = "model",
    *,
    image: Path | None = None,
    revision: str = CURRENT,
    seed: int = 0,
) -> Course:
    """Carry out a scenario and return its course; where a driver is concerned, in a process of its own.

    ``seed`` (0…2⁶⁴−1) determines who among actors takes which turn, and nothing else. A driver that crashes, or goes on
    where the published one left undefined what follows, ends the course early. Raises ``UsageError`` for a scenario,
    revision or image that cannot be used, ``UnavailableError`` where there is no host kernel.
    """
    if not scenario.actors:
        played = play(scenario, machine, image, revision)
        if not played.traces:
            return Course(machine, scenario.title, scenario.order, scenario.ndis, ended="; ".join(played.findings))
        return course_of(played.traces[0], played.undefined)
    if machine == "model":
        return _follow_model(scenario, revision, seed)
    _check_overlaps(scenario)
    try:
        found = isolated(_follow_driver, scenario, image, seed)
    except ValueError as error:
        raise UsageError(f"trace: {error}") from error
    if isinstance(found, Death):
        reason = f"the driver's process ended after {found.steps} steps ({found.kind}: {found.reason})"
        return Course("driver", scenario.title, scenario.order, scenario.ndis, ended=reason)
    return found


def _course(scenario: Scenario, machine: str, moments: Sequence[Moment], ended: str) -> Course:
    names = tuple(actor.name for actor in scenario.actors)
    if len(moments) > MOST_MOMENTS:
        ended = f"it was cut after {MOST_MOMENTS:,} moments"
    kept = tuple(moments[:MOST_MOMENTS])
    return Course(machine, scenario.title, scenario.order, scenario.ndis, kept, names, ended)


# The model


def _follow_model(scenario: Scenario, revision: str, seed: int) -> Course:
    machine = open_model(scenario.order, scenario.ndis, revision)
    moments: list[Moment] = []
    ended = ""
    try:
        for step in scenario.setup:
            moments.append(Moment(step.operation, events=tuple(machine.perform(step.operation))))
        for moment in _turns(machine, scenario, random.Random(seed)):
            moments.append(moment)
    except UndefinedUpstream as error:
        ended = str(error)
    except Stuck as error:
        ended = f"it waits for what nobody will bring: {error}"
    except ValueError as error:
        raise UsageError(f"trace: {error}") from error
    return _course(scenario, "model" if revision == CURRENT else f"model, {revision}", moments, ended)


def _turns(machine: ModelMachine, scenario: Scenario, chance: random.Random) -> Iterator[Moment]:
    """Let the actors take turns to the end, and give what each turn was."""
    run = Interleaving(machine, [[step.operation for step in actor.steps] for actor in scenario.actors])
    seen = 0
    while able := run.able():
        choice = chance.randrange(len(able))
        actor = run.actors[able[choice]]
        operation, begins = actor.next, actor.steps is None
        assert operation is not None, "who can take a step has something to do"
        run.choose(able, choice)
        name, (_, words) = scenario.actors[able[choice]].name, run.words[-1]
        yield Moment(operation, name, begins, words, tuple(machine.events[seen:]))
        seen = len(machine.events)


# A driver


def _follow_driver(scenario: Scenario, image: Path | None, seed: int) -> Course:
    """Do the same on a driver's image, in this process."""
    from wintun_sim.kernel import DriverMachine
    from wintun_sim.kernel.explorer import Explorer, Result, Strategy
    from wintun_sim.kernel.lines import lines_of
    from wintun_sim.kernel.points import steps_of

    image = image or native.driver_image(instrumented=True)
    setup = [step.operation for step in scenario.setup]
    machine = DriverMachine(image, order=scenario.order, ndis=scenario.ndis)
    try:
        before = record(Scenario(order=scenario.order, ndis=scenario.ndis, setup=scenario.setup), machine, "driver")
    finally:
        machine.close()
    actors = [[step.operation for step in actor.steps] for actor in scenario.actors]
    with Explorer(image, order=scenario.order, ndis=scenario.ndis, setup=setup, actors=actors) as explorer:
        (log,) = explorer.explore(Strategy.RANDOM, seed=seed, runs=1).logs
        log, arrivals = explorer.watch(log.choices)
    lines = lines_of(image)
    by_name = {operation.name: operation for operation in scenario.operations()}
    moments = list(course_of(before).moments)
    begun = {moment.operation.name for moment in moments}
    told: set[int] = set()
    for step in steps_of(arrivals, len(log.events)):
        arrival = step.at
        told.update(step.events)
        operation = by_name.get(arrival.operation)
        if operation is None:  # something of the host's own: a timer, or a work item
            moments += _of_host([log.events[place] for place in step.events], by_name)
            continue
        line = lines.source(arrival.place) if arrival.image else None
        words = f"{arrival.what}{f' at {line}' if line else ''}" if step.done else f"{arrival.what}: it never went on"
        actor = scenario.actors[arrival.actor].name if arrival.actor < len(scenario.actors) else HOST
        events = tuple(log.events[place] for place in step.events)
        moments.append(Moment(operation, actor, operation.name not in begun, words, events))
        begun.add(operation.name)
    # What came when all actors had ended: the driver was still given time.
    moments += _of_host([event for place, event in enumerate(log.events) if place not in told], by_name)
    ended = "" if log.result is Result.QUIET else f"the run ended {log.result.value}"
    return _course(scenario, "driver", moments, ended)


def _of_host(events: Sequence[Event], by_name: Mapping[str, Operation]) -> Iterator[Moment]:
    """Give events that no actor's call caused, each as a moment of the operation that it belongs to."""
    for event in events:
        operation = by_name.get(str(getattr(event, "operation", "")))
        # A change of the link belongs to none; any operation of the same adapter does.
        operation = operation or next(iter(by_name.values()), None)
        if operation is not None:
            yield Moment(operation, HOST, False, "", (event,))


# What may overlap


def _check_overlaps(scenario: Scenario) -> None:
    """Refuse actors that do at once what Windows never does at once: a driver is not judged by that."""
    _check_handles(scenario)
    for actor in scenario.actors:
        for step in actor.steps:
            if isinstance(step.operation, Load | Unload):
                raise UsageError(
                    f"trace: {actor.name} would {step.operation.verb} a driver while others use it; loads and unloads "
                    "belong into the set-up"
                )
    places = Places(scenario.operations())
    order = Order(scenario.order)
    for one, other in combinations(scenario.actors, 2):
        for left, right in product(one.steps, other.steps):
            calls = (_call(left.operation), _call(right.operation))
            same = places.adapters[left.operation.name] == places.adapters[right.operation.name]
            if same and not may_overlap(order, *calls):
                raise UsageError(
                    f"trace: {one.name}'s {left.operation.verb} {left.operation.name} and {other.name}'s "
                    f"{right.operation.verb} {right.operation.name} would overlap, which NDIS never lets them in the "
                    f"{scenario.order} order; give both to one actor, or trace the model, where one waits for the other"
                )


def _check_handles(scenario: Scenario) -> None:
    """Refuse an actor that uses a handle which another one opens or closes: its create comes first, its close last."""
    for one, other in permutations(scenario.actors, 2):
        used = {step.operation.handle for step in other.steps if isinstance(step.operation, HandleOperation)}
        for step in one.steps:
            handle = step.operation.name if isinstance(step.operation, Create) else None
            handle = step.operation.handle if isinstance(step.operation, Close) else handle
            if handle in used:
                raise UsageError(
                    f"trace: {other.name} uses the handle {handle} while {one.name} may {step.operation.verb} it: a "
                    "file object's create comes first and its close last; put them into the set-up or into one actor"
                )


def _call(operation: Operation) -> Call:
    """Say what kind of call an operation is, as far as overlapping is concerned."""
    if isinstance(operation, Initialize):
        return Call.INITIALIZE
    if not isinstance(operation, AdapterOperation) or operation.verb == "create":
        return Call.REQUEST
    return _KINDS[operation.verb]


_KINDS: Final = {
    "restart": Call.PAUSE_RESTART,
    "pause": Call.PAUSE_RESTART,
    "halt": Call.HALT,
    "shutdown": Call.SHUTDOWN,
    "surprise-remove": Call.SURPRISE_REMOVE,
    "set-power": Call.SET_POWER,
    "oid": Call.OID,
    "send": Call.SEND,
    "cancel-send": Call.CANCEL_SEND,
}
