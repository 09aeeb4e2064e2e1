"""The concurrent scenarios of a check: named, the same every time, and every call among them against every other."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import combinations_with_replacement

import pytest

from wintun_sim.check.corpus import CALLS, SITUATIONS, corpus, pairs, random_scenario, stories, triples
from wintun_sim.errors import UsageError
from wintun_sim.lifecycle import Order
from wintun_sim.model import ModelMachine
from wintun_sim.scenario import check, ending, find, format_scenario, parse
from wintun_sim.scenario import corpus as shipped

KINDS = {
    **dict.fromkeys(("send", "send-chain", "send-broken", "send-again"), "send"),
    **dict.fromkeys(("sleep", "nod"), "power"),
    **dict.fromkeys(("pause", "break", "restart"), "pause"),
    **{name: name for name in ("statistics", "halt", "shutdown", "remove")},
}
"""What a call is to NDIS, which does not make two of them at once as said below; the others it does not know."""

NEVER = {
    *(("statistics", "statistics"), ("statistics", "power"), ("power", "power"), ("power", "pause")),
    *(("pause", "pause"), ("send", "halt"), ("statistics", "halt"), ("power", "halt"), ("pause", "halt")),
    *(("halt", "halt"), ("halt", "shutdown"), ("shutdown", "shutdown"), ("halt", "remove"), ("remove", "remove")),
    *(("power", "remove"), ("pause", "remove"), ("shutdown", "remove"), ("cancel-send", "halt")),
}
"""Requests are serialised, so are PnP operations, and nothing of NDIS overlaps a halt
(learn.microsoft.com/windows-hardware/drivers/network/miniport-adapter-oid-request-serialization, …/halt-handler)."""

ONE_HANDLE = {("cleanup", "cleanup"), ("leave", "leave"), ("other-leaves", "other-leaves"), ("cleanup", "other-leaves")}
"""A handle is cleaned up once."""


def test_each_scenario_has_a_title_of_its_own_and_is_a_text() -> None:
    scenarios = corpus(deep=True)
    assert len({scenario.title for scenario in scenarios}) == len(scenarios) > 3000
    assert 500 < len(corpus()) < 1000
    for scenario in (*corpus(), *map(random_scenario, range(40))):
        check(scenario)
        assert parse(format_scenario(scenario)) == scenario


def test_every_call_meets_every_other_one_that_it_may_meet() -> None:
    """And the orders in which the stack calls have their say only where it calls something."""
    together = {tuple(scenario.title.split("; ")[0].split(" against ")) for scenario in pairs()}
    for one, other in combinations_with_replacement([call.name for call in CALLS], 2):
        kinds = (KINDS.get(one, one), KINDS.get(other, other))
        never = kinds in NEVER or kinds[::-1] in NEVER or (one, other) in ONE_HANDLE
        assert ((one, other) in together) != never, f"{one} and {other}"
    of_ndis = {call.name for call in CALLS if call.of_ndis}
    for scenario in pairs():
        names = set(scenario.title.split("; ")[0].split(" against "))
        assert scenario.order == "strict" or names & of_ndis, scenario.title


def test_three_actors_are_traffic_and_what_ends_it() -> None:
    assert all(len(scenario.actors) == 3 for scenario in triples())
    deep = {scenario.title.split("; ")[0] for scenario in triples(deep=True)}
    assert "send against read against pause" in deep
    assert "create against leave against statistics" in deep


@pytest.mark.parametrize("situation", SITUATIONS)
def test_a_situation_is_what_its_name_says(situation: str) -> None:
    machine = ModelMachine(order=Order.RAW)
    for operation in SITUATIONS[situation]:
        machine.perform(operation)
    adapter = machine.adapters["adapter"]
    owned = machine.counters("adapter")
    expected = {
        "nobody is there": (0, 0, 0),
        "one client": (0, 0, 1),
        "a read waits": (0, 1, 2),
        "an NBL is half read": (2, 0, 2),
        "packets wait": (2, 0, 1),
        "paused": (0, 1, 2),
        "the queue is full": (1000, 0, 1),
    }[situation]
    assert (owned.nbls_owned, owned.reads_pending, owned.handles) == expected
    assert [nbl.next for nbl in adapter.queue][:1] == ([1] if "half" in situation else [0] if owned.nbls_owned else [])


def test_the_stories_are_told_with_a_title_and_at_least_two_actors() -> None:
    assert len(stories()) > 20
    for story in stories():
        assert story.title[0].isupper()
        assert len(story.actors) >= 2


def test_what_follows_the_actors_takes_everything_down() -> None:
    """Each handle that was ever opened is cleaned up and closed; names never clash with the scenario's own."""
    scenario = parse("""\
# wintun-sim scenario 1
load
initialize
b: initialize
end.send.adapter: create
actor one:
    h: create @b
""")
    operations = ending(scenario)
    names = [operation.name for operation in operations]
    assert len(set(names) | {operation.name for operation in scenario.operations()}) == len(names) + 5
    assert [operation.verb for operation in operations] == [
        *("oid", "oid", "read", "send", "read", "send"),
        *("cleanup", "close", "cleanup", "close", "pause", "halt", "pause", "halt", "unload"),
    ]
    assert "end.end.send.adapter" in names


PROGRAM = """
from wintun_sim.check.corpus import corpus, random_scenario
from wintun_sim.scenario import ending, format_scenario
for scenario in (*corpus(), *map(random_scenario, range(20))):
    print(format_scenario(scenario), ending(scenario))
"""


def test_the_seed_of_pythons_hashes_has_no_say() -> None:
    texts = {
        subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(texts) == 1
    assert len(texts.pop()) > 100_000


def test_a_story_is_found_by_its_name() -> None:
    """As the scenarios that are played one operation at a time are; so no name belongs to both."""
    assert find("late-close").title == "A client closes its handle while the adapter is paused"
    assert not shipped.stories().keys() & shipped.shipped().keys()
    with pytest.raises(UsageError, match="did you mean 'late-close'"):
        find("late-clos")
