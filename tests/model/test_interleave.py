"""Several calls at once, by turns that a sequence of choices decides."""

from math import comb

import pytest

from tests.model.brute_force import explore
from tests.model.world import ipv4, nbl, opened, running, sent
from wintun_sim.lifecycle import Order
from wintun_sim.model import ModelMachine
from wintun_sim.model.interleave import interleave
from wintun_sim.operations import (
    Create,
    Initialize,
    IrpCompleted,
    Load,
    Operation,
    Pause,
    Read,
    Refused,
    Restart,
    Returned,
    Send,
    SurpriseRemove,
)

SEND = Send(name="s", adapter="a", nbls=(nbl(ipv4()),))
SETUP = [
    Load(name="d"),
    Initialize(name="a", driver="d"),
    Restart(name="restart", adapter="a"),
    Create(name="h1", adapter="a"),
]


def raw() -> ModelMachine:
    return ModelMachine(order=Order.RAW)


def test_the_same_choices_give_the_same_run() -> None:
    runs = [interleave(opened().machine, [[SEND], [Pause(name="p", adapter="a")]], [1, 0, 1, 0, 1]) for _ in range(2)]
    assert runs[0] == runs[1]
    assert runs[0].choices[:5] == [1, 0, 1, 0, 1]


def test_without_choices_the_first_actor_goes_first() -> None:
    read = Read(name="r", handle="h1")
    run = interleave(opened().machine, [[read], [SEND]])
    assert [actor for actor, _ in run.words] == sorted(actor for actor, _ in run.words)
    assert run.events[0] == sent("s", 0)


def test_a_choice_that_there_is_not_is_an_error() -> None:
    with pytest.raises(ValueError, match="choice 0 is 2, but 2 actors"):
        interleave(opened().machine, [[SEND], [Pause(name="p", adapter="a")]], [2])


def test_each_step_says_where_the_call_stands() -> None:
    run = interleave(opened().machine, [[SEND]])
    assert run.words[-1] == (0, "done")
    assert all(len(words) > 3 for _, words in run.words)
    assert run.choices == [], "alone there is nothing to choose"


def test_an_actor_waits_until_its_operation_may_begin() -> None:
    """A handle that another actor opens; a restart that comes after the pause. Nobody is refused for being early."""
    run = interleave(
        running().machine,
        [[Read(name="r", handle="h1")], [Restart(name="r2", adapter="a")], [Create(name="h1", adapter="a")], []],
        [],
    )
    assert run.events[-1] == Refused("r2", run.events[-1].reason if isinstance(run.events[-1], Refused) else "")
    run = interleave(opened().machine, [[Restart(name="r2", adapter="a")], [Pause(name="p", adapter="a")]])
    assert run.events == (Returned("p", 0), Returned("r2", 0))


def test_what_nobody_will_ever_introduce_is_the_writers_mistake() -> None:
    with pytest.raises(ValueError, match="no handle 'nobody'"):
        interleave(opened().machine, [[Read(name="r", handle="nobody")], [SEND]])


def test_exploring_makes_every_choice() -> None:
    """Two removal notices on two adapters share nothing: 3 steps each, so 20 orders, and 9 ways to stand."""
    setup = [Load(name="d"), Initialize(name="a", driver="d"), Initialize(name="b", driver="d")]
    actors = [[SurpriseRemove(name="x", adapter="a")], [SurpriseRemove(name="y", adapter="b")]]
    ends: list[ModelMachine] = []
    found = explore(raw, setup, actors, at_end=ends.append)
    assert found.complete
    assert len(found.outcomes) == 1, "the order between adapters is forgotten"
    steps = 3
    assert found.states == steps**2, "while both have steps left"
    assert len(ends) <= comb(2 * steps, steps)


def test_exploring_finds_both_ends_of_a_race_and_how_to_get_there() -> None:
    actors: list[list[Operation]] = [[Read(name="r", handle="h1")], [Pause(name="p", adapter="a")], [SEND]]
    found = explore(raw, SETUP, actors)
    statuses = set()
    for outcome, choices in found.outcomes.items():
        machine = raw()
        for operation in SETUP:
            machine.perform(operation)
        run = interleave(machine, actors, choices)
        assert run.events == found.events[outcome]
        statuses |= {event.status for event in run.events if event.verb == "nbl"}  # type: ignore[attr-defined]
    assert statuses == {0, 0xC023002A}


def test_exploring_stops_at_its_limit_and_says_so() -> None:
    actors: list[list[Operation]] = [[Read(name="r", handle="h1")], [Pause(name="p", adapter="a")], [SEND]]
    assert not explore(raw, SETUP, actors, state_limit=5).complete


def test_a_run_is_over_when_reads_wait() -> None:
    """A pending read is a request, not an actor."""
    run = interleave(opened().machine, [[Read(name="r", handle="h1")], [Read(name="r2", handle="h1")]])
    assert not any(isinstance(event, IrpCompleted) for event in run.events)
