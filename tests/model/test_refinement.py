"""The driver is right when whatever it shows is something that the model can show.

Each pair of calls that may overlap is played on the driver under random schedules, and explored on the model. Twenty
schedules a pair are a sample, not a proof; that the model's side is complete makes each of them a real test.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain, combinations

import pytest

from tests.model.test_races import CORPUS, SETUPS, read
from tests.model.world import bundle, ipv4, nbl
from wintun_sim.errors import UnavailableError
from wintun_sim.kernel.machine import DriverMachine
from wintun_sim.lifecycle import Order
from wintun_sim.model import ModelMachine
from wintun_sim.model.interleave import explore
from wintun_sim.operations import Cleanup, Event, Operation, Send, Write
from wintun_sim.operations.outcome import AdapterOutcome, Places, outcome_of

SCHEDULES = 20
CALLS: list[Operation] = [
    *CORPUS,
    read(5, "h2"),
    Cleanup(name="other-cleanup", handle="h1"),
    Write(name="other-write", handle="h2", data=bundle(ipv4(mark=5), b"?", ipv4(mark=6))),
    Send(name="chain", adapter="a", nbls=(nbl(ipv4(mark=9)), nbl(), nbl(ipv4(mark=10)))),
    Send(name="broken", adapter="a", nbls=(nbl(ipv4(mark=8), unmapped=[0]), nbl(ipv4(61_425)))),
]


def may_overlap(setup: Sequence[Operation], one: Operation, other: Operation) -> bool:
    """Tell whether each may begin while the other is under way."""
    for first, second in ((one, other), (other, one)):
        machine = ModelMachine(order=Order.RAW)
        for operation in setup:
            machine.perform(operation)
        if machine.ledger.admit(first) or machine.ledger.refusal(second):
            return False
    return True


def frozen(events: Iterable[Event], places: Places) -> object:
    """Make an outcome comparable and hashable; packets and bundles do not show in an event's repr."""

    def entries(of: Iterable[Event]) -> tuple[object, ...]:
        return tuple((event, getattr(event, "data", b"")) for event in of)

    def sequences(of: AdapterOutcome) -> tuple[object, ...]:
        irps = tuple((handle, entries(requests)) for handle, requests in sorted(of.irps.items()))
        return (irps, *map(entries, (of.nbls, of.packets, of.links, of.returns)))

    return tuple(sorted((name, sequences(of)) for name, of in outcome_of(events, places).items()))


def driver(seed: int) -> DriverMachine:
    try:
        return DriverMachine(order=Order.RAW, seed=seed)
    except UnavailableError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("setup", SETUPS.values(), ids=SETUPS.keys())
def test_every_outcome_of_the_driver_is_one_of_the_models(setup: list[Operation]) -> None:
    pairs = [pair for pair in combinations(CALLS, 2) if may_overlap(setup, *pair)]
    assert len(pairs) > 100
    for one, other in pairs:
        places = Places(chain(setup, (one, other)))
        found = explore(lambda: ModelMachine(order=Order.RAW), setup, [[one], [other]])
        allowed = {frozen(events, places) for events in found.events.values()}
        for seed in range(SCHEDULES):
            machine = driver(seed)
            for operation in setup:
                machine.perform(operation)
            events = machine.play([[one], [other]])
            machine.close()
            assert frozen(events, places) in allowed, f"{one.name} against {other.name}, seed {seed}: {events}"
