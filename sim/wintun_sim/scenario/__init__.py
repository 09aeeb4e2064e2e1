"""Scenarios: a set-up and a few actors, each a list of operations, as data and as text.

``parse`` and ``load`` read scenarios, ``format_scenario`` writes them, ``check`` says whether every name in one has
been introduced. ``grammar`` describes the text.
"""

from wintun_sim.operations.scan import ScenarioError
from wintun_sim.scenario.corpus import find, shipped
from wintun_sim.scenario.ending import ending
from wintun_sim.scenario.grammar import format_scenario, load, parse
from wintun_sim.scenario.names import check
from wintun_sim.scenario.scenario import Actor, Expectation, Scenario, Step

__all__ = [
    "Actor",
    "Expectation",
    "Scenario",
    "ScenarioError",
    "Step",
    "check",
    "ending",
    "find",
    "format_scenario",
    "load",
    "parse",
    "shipped",
]
