"""All outcomes of actors, found from each state once: the same as when every order of steps is tried out."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, combinations

import pytest

from tests.model.brute_force import explore
from tests.model.test_races import CORPUS, HALT, OPENED, PAUSE, SETUPS, read, send, write
from tests.model.world import bundle, ipv4, nbl
from wintun_sim.lifecycle import Order
from wintun_sim.model import ModelMachine, revision
from wintun_sim.model.interleave import interleave
from wintun_sim.model.outcomes import find_all, is_possible
from wintun_sim.model.snapshot import Snapshot
from wintun_sim.model.space import Space
from wintun_sim.operations import (
    CancelSend,
    Cleanup,
    Close,
    Create,
    Initialize,
    Load,
    Operation,
    Restart,
    Send,
    Write,
)
from wintun_sim.operations.outcome import Places, Sequences, sequences_of

CALLS: list[Operation] = [
    *CORPUS,
    read(5, "h2"),
    Cleanup(name="other-cleanup", handle="h1"),
    Write(name="other-write", handle="h2", data=bundle(ipv4(mark=5), b"?", ipv4(mark=6))),
    Send(name="chain", adapter="a", nbls=(nbl(ipv4(mark=9)), nbl(), nbl(ipv4(mark=10)))),
    Send(name="broken", adapter="a", nbls=(nbl(ipv4(mark=8), unmapped=[0]), nbl(ipv4(61_425)))),
    Send(name="again", adapter="a", nbls=(nbl(ipv4(mark=11)),), again=True),
]
Actors = Sequence[Sequence[Operation]]


def raw() -> ModelMachine:
    return ModelMachine(order=Order.RAW)


def may_overlap(setup: Sequence[Operation], one: Operation, other: Operation) -> bool:
    """Tell whether each may begin while the other is under way."""
    for first, second in ((one, other), (other, one)):
        machine = raw()
        for operation in setup:
            machine.perform(operation)
        if machine.ledger.admit(first) or machine.ledger.refusal(second):
            return False
    return True


def places(setup: Sequence[Operation], actors: Actors) -> Places:
    return Places(chain(setup, *actors))


def outcomes(setup: Sequence[Operation], actors: Actors) -> set[Sequences]:
    """All outcomes; what is at rest is left out, since ``explore`` knows nothing of it."""
    found = find_all(Space(raw, setup, actors), places(setup, actors))
    assert found.complete
    return {frozenset(pair for pair in outcome if pair[0][1] != "rest") for outcome in found.outcomes}


def brute_force(setup: Sequence[Operation], actors: Actors) -> set[Sequences]:
    found = explore(raw, setup, actors)
    assert found.complete
    return {sequences_of(events, places(setup, actors)) for events in found.events.values()}


@pytest.mark.parametrize("setup", SETUPS.values(), ids=SETUPS.keys())
def test_each_state_once_is_enough(setup: list[Operation]) -> None:
    """Of pairs every seventh: each call is among them with another partner in each set-up."""
    for number, (one, other) in enumerate(combinations(CALLS, 2)):
        actors: list[list[Operation]] = [[one], [other]]
        for actor in actors:
            if isinstance(actor[0], Close):
                actor.insert(0, Cleanup(name="before", handle="h2"))
        if number % 7 == len(setup) % 7:
            assert outcomes(setup, actors) == brute_force(setup, actors), f"{one.name} against {other.name}"


@pytest.mark.parametrize(
    "actors",
    [
        [[read()], [PAUSE], [send()]],
        [[read(), *[Cleanup(name="cleanup", handle="h1")]], [HALT], [write()]],
        [[send(1)], [send(2)], [PAUSE, Restart(name="again", adapter="a")]],
        [[Create(name="h2", adapter="a")], [Cleanup(name="c", handle="h1"), Close(name="cl", handle="h1")], [send()]],
    ],
)
def test_three_actors_are_no_different(actors: Actors) -> None:
    assert outcomes(OPENED, actors) == brute_force(OPENED, actors)


def test_every_outcome_comes_with_steps_that_lead_to_it() -> None:
    actors: Actors = [[read()], [PAUSE], [send()]]
    space = Space(raw, OPENED, actors)
    found = find_all(space, places(OPENED, actors))
    assert len(found.outcomes) == 2, "delivered, or given back by the pause"
    for outcome, path in found.outcomes.items():
        run = space.begin()
        for actor in path:
            run.actors[actor].step(run.machine)
        assert run.able() == []
        mine = sequences_of(run.machine.events, places(OPENED, actors))
        assert mine == frozenset(pair for pair in outcome if pair[0][1] != "rest")


def test_an_outcome_is_looked_for_without_finding_all_others() -> None:
    """Whatever else happens on the way, that way is left; so a few dozen states do where there are hundreds."""
    actors: Actors = [[read()], [PAUSE], [send(1, ipv4(mark=1), ipv4(mark=2))]]
    found = find_all(Space(raw, OPENED, actors), places(OPENED, actors))
    for outcome in found.outcomes:
        space = Space(raw, OPENED, actors)
        assert is_possible(space, places(OPENED, actors), outcome) is True
        assert len(space) < found.states / 2


def test_an_outcome_that_there_is_not_is_told_from_one_that_was_not_found() -> None:
    actors: Actors = [[read()], [PAUSE], [send()]]
    where = places(OPENED, actors)
    for outcome in find_all(Space(raw, OPENED, actors), where).outcomes:
        for place, entries in outcome:
            shorter = frozenset(outcome - {(place, entries)} | ({(place, entries[1:])} if entries[1:] else set()))
            assert is_possible(Space(raw, OPENED, actors), where, shorter) is False
            longer = frozenset(outcome - {(place, entries)} | {(place, (*entries, entries[0]))})
            assert is_possible(Space(raw, OPENED, actors), where, longer) is False
            assert is_possible(Space(raw, OPENED, actors, state_limit=5), where, longer) is None
        assert is_possible(Space(raw, OPENED, actors, state_limit=5), where, outcome) is None


def test_an_exploration_that_ends_early_says_so() -> None:
    actors: Actors = [[read()], [PAUSE], [send()]]
    assert not find_all(Space(raw, OPENED, actors, state_limit=20), places(OPENED, actors)).complete
    assert not find_all(Space(raw, OPENED, actors), places(OPENED, actors), limit=20).complete


def test_what_follows_when_all_are_done_belongs_to_the_outcome() -> None:
    """The ending's operations are done if the host would do them then, and left out if not."""
    ending = [PAUSE, HALT, Restart(name="never", adapter="a"), Cleanup(name="nobody's", handle="h9")]
    actors: Actors = [[Cleanup(name="c", handle="h1"), Close(name="cl", handle="h1")], [send()]]
    where = Places(chain(OPENED, *actors, ending))
    found = find_all(Space(raw, OPENED, actors, ending), where)
    for outcome in found.outcomes:
        returns = dict(outcome)["a", "returns", ""]
        assert [getattr(event, "operation", "") for event in returns] == ["p", "halt"]
        assert not any(place[1] in ("rest", "pending", "refused") for place, _ in outcome)


def test_what_is_owned_at_rest_belongs_to_the_outcome() -> None:
    found = find_all(Space(raw, OPENED, [[send()], [PAUSE]]), places(OPENED, [[send()], [PAUSE]]))
    assert {str(dict(outcome)["a", "rest", ""]) for outcome in found.outcomes} == {
        "(AtRest(adapter='a', counters=Counters(nbls_owned=0, reads_pending=0, handles=1)),)"
    }


def test_a_snapshot_is_taken_up_as_often_as_wanted() -> None:
    """Nothing that one copy does is seen by another one, or by the machine that it was taken from."""
    machine = raw()
    setup = SETUPS["an NBL is half read"]
    for operation in setup:
        machine.perform(operation)
    snapshot = Snapshot(machine)
    before = machine.key(), machine.ledger.key()
    actors: Actors = [[read(1)], [PAUSE], [HALT]]
    runs = [interleave(snapshot.restore(), actors, choices) for choices in ([], [1, 0, 1], [])]
    assert runs[0] == runs[2] == interleave(machine, actors)
    again = snapshot.restore()
    assert (again.key(), again.ledger.key()) == before != (machine.key(), machine.ledger.key())


def test_states_that_differ_in_what_the_host_knows_are_not_the_same() -> None:
    """The adapter cannot tell whether NDIS has heard of its return; what NDIS may do next depends on it."""
    machine = raw()
    keys = set()
    for operation in (Load(name="d"), Initialize(name="a", driver="d"), Restart(name="r", adapter="a"), PAUSE):
        machine.perform(operation)
        keys.add(machine.ledger.key())
    assert len(keys) == 4


def test_where_the_published_driver_leaves_it_to_chance_nothing_is_said() -> None:
    """A half-read NBL is cancelled: from there on its queue points into memory that is not its own. What comes before
    that is certain, and an outcome that contradicts it is none."""
    setup = SETUPS["an NBL is half read"]
    actors: Actors = [[CancelSend(name="c", adapter="a", cancel_id=7)], [PAUSE]]

    def unrepaired() -> ModelMachine:
        return ModelMachine(order=Order.RAW, revision=revision("-cancel-send"))

    found = find_all(Space(unrepaired, setup, actors), places(setup, actors))
    whole = find_all(Space(raw, setup, actors), places(setup, actors))
    assert whole.complete
    assert not found.complete
    assert set(found.outcomes) < set(whole.outcomes), "where the pause comes first"
    for outcome in whole.outcomes:
        possible = is_possible(Space(unrepaired, setup, actors), places(setup, actors), outcome)
        assert possible is (True if outcome in found.outcomes else None)
