"""Partial-order reduction on the project's driver: never an outcome less than all schedules have, in far fewer runs.

What an outcome is, docs/judging.md says: sequences of events, among which the order is forgotten. Scenarios are all
pairs of calls that may overlap (test_overlap.py), as far as depth-first search without a bound comes to an end with
them; where it does not, whatever random schedules show must be among what reduction found.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, combinations
from random import Random

import pytest

from tests.kernel.specimen import PACKET
from tests.kernel.test_overlap import BEFORE, BEGIN, CALLS, NEVER, PAIRS, end
from wintun_sim import native
from wintun_sim.kernel.explorer import Exploration, Explorer, Log, Strategy, union
from wintun_sim.operations import (
    Event,
    Initialize,
    IrpCompleted,
    LinkChanged,
    Nbl,
    NblCompleted,
    Oid,
    OidKind,
    Operation,
    PacketReceived,
    Read,
    Restart,
    RuleBroken,
    Send,
    Write,
)

RUNS = 700
ORDERS = ("strict", "raw")


def sequence(event: Event) -> str:
    """Return the name of the sequence that an event of one adapter belongs to."""
    if isinstance(event, IrpCompleted):
        return f"requests of {event.handle}"
    for kind in (NblCompleted, PacketReceived, LinkChanged, RuleBroken):
        if isinstance(event, kind):
            return kind.__name__
    return "returns"


def outcome(log: Log) -> object:
    """Return what came of a run: the sequences, what each adapter owned, and how the run ended."""
    sequences: dict[str, list[tuple[Event, bytes]]] = {}
    for event in log.events:
        sequences.setdefault(sequence(event), []).append((event, getattr(event, "data", b"")))
    rules = {event for event, _ in sequences.pop("RuleBroken", [])}
    return (
        log.result,
        log.counters,
        frozenset((name, tuple(events)) for name, events in sequences.items()),
        frozenset(rules),
    )


def outcomes(found: Exploration) -> set[object]:
    return {outcome(log) for log in found.logs}


def explorer_of(actors: Sequence[Sequence[Operation]], before: str, order: str) -> Explorer:
    return Explorer(
        native.driver_image(instrumented=True),
        order=order,
        setup=(*BEGIN, *BEFORE[before]),
        actors=actors,
        ending=tuple(end(list(chain.from_iterable(actors)))),
    )


def test_every_outcome_of_every_pair_of_calls_is_found() -> None:
    compared, runs, reduced = 0, 0, 0
    for order in ORDERS:
        for before in BEFORE:
            for pair in PAIRS:
                with explorer_of([CALLS[name] for name in pair], before, order) as explorer:
                    whole = explorer.explore(Strategy.DEPTH_FIRST, bound=None, runs=RUNS)
                    if not whole.complete:
                        continue
                    found = explorer.explore(Strategy.REDUCED)
                assert found.complete
                assert found.holds
                assert outcomes(found) == outcomes(whole), (order, before, pair)
                compared, runs, reduced = compared + 1, runs + whole.runs, reduced + found.runs + found.pruned
    assert compared >= 100
    assert reduced * 10 < runs


def triples() -> Iterator[tuple[str, str, str]]:
    """Yield calls of which any two may overlap."""
    for names in combinations(CALLS, 3):
        if not any(frozenset(pair) in NEVER for pair in combinations(names, 2)):
            yield names


@pytest.mark.parametrize("order", ORDERS)
def test_what_random_schedules_of_three_actors_show_is_found_too(order: str) -> None:
    """Depth-first search would take days with these."""
    completed = 0
    for names in Random(20).sample(list(triples()), 12):
        with explorer_of([CALLS[name][:1] for name in names], "read waiting", order) as explorer:
            found = explorer.explore(Strategy.REDUCED, runs=6000)
            shown = explorer.explore(Strategy.RANDOM, runs=400, seed=1)
        if found.complete:
            completed += 1
            assert outcomes(shown) <= outcomes(found), names
    assert completed >= 6


ONE_PACKET = (len(PACKET).to_bytes(4, "little") + bytes(12) + PACKET).ljust(48, b"\0")
SMALL = (
    [Send(name="send", nbls=(Nbl((PACKET,)),))],
    [Read(name="read", handle="first")],
    [Write(name="write", handle="second", data=ONE_PACKET)],
)


def test_another_order_of_the_actors_gives_the_same_outcomes() -> None:
    found = []
    for actors in (SMALL, SMALL[::-1], (SMALL[1], SMALL[2], SMALL[0])):
        with explorer_of(actors, "read waiting", "strict") as explorer:
            found.append(outcomes(explorer.explore(Strategy.REDUCED)))
    assert found[0] == found[1] == found[2]


def test_shards_find_together_what_one_search_finds() -> None:
    with explorer_of(SMALL, "read waiting", "strict") as explorer:
        whole = explorer.explore(Strategy.REDUCED)
        parts = [explorer.explore(Strategy.REDUCED, prefix=prefix) for prefix in explorer.shards(3, bound=None)]
    assert len(parts) > 3
    assert outcomes(union(parts)) == outcomes(whole)


def test_the_same_search_twice_takes_the_same_way() -> None:
    with explorer_of(SMALL, "read waiting", "strict") as explorer:
        first, second = (explorer.explore(Strategy.REDUCED) for _ in range(2))
    assert first == second


def test_calls_of_two_adapters_are_independent() -> None:
    """What is asked of one adapter is nothing to another: there is one order to be run."""
    begin = (*BEGIN, Initialize(name="other"), Restart(name="up", adapter="other"))
    actors = [
        [Oid(name="one", kind=OidKind.STATISTICS, oid=0x00020106, length=152, adapter="adapter")],
        [Oid(name="two", kind=OidKind.STATISTICS, oid=0x00020106, length=152, adapter="other")],
    ]
    with Explorer(native.driver_image(instrumented=True), setup=begin, actors=actors) as explorer:
        whole = explorer.explore(Strategy.DEPTH_FIRST, bound=None)
        found = explorer.explore(Strategy.REDUCED)
    assert whole.runs > 1
    assert (found.runs, found.pruned, found.complete) == (1, 0, True)


def test_a_plain_image_is_refused_since_its_accesses_are_not_seen() -> None:
    with (
        Explorer(native.driver_image(), setup=BEGIN, actors=SMALL) as explorer,
        pytest.raises(ValueError, match="reduction needs to see every access"),
    ):
        explorer.explore(Strategy.REDUCED)


def test_reduction_without_a_look_for_races_is_refused() -> None:
    image = native.driver_image(instrumented=True)
    with (
        Explorer(image, setup=BEGIN, actors=SMALL, races=False) as explorer,
        pytest.raises(ValueError, match="only where no data race is found"),
    ):
        explorer.explore(Strategy.REDUCED)
