"""A trace is what happened, and it must survive being written down."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.scenario.strategies import events, operations
from wintun_sim.errors import UsageError
from wintun_sim.model import ModelMachine
from wintun_sim.operations.outcome import Places
from wintun_sim.scenario import find, parse
from wintun_sim.trace import Trace, TraceStep, format_trace, from_json, held_up, parse_trace, record, to_json


@st.composite
def traces(draw: st.DrawFn) -> Trace:
    sequence = draw(operations())
    event = events([operation.name for operation in sequence], Places(sequence).handles)
    steps = tuple(TraceStep(operation, tuple(draw(st.lists(event, max_size=3)))) for operation in sequence)
    return Trace("model of something", "A title", draw(st.sampled_from(["strict", "raw"])), (6, 30), steps)


@given(traces())
@settings(max_examples=50)
def test_a_trace_survives_text_and_json(trace: Trace) -> None:
    assert parse_trace(format_trace(trace)) == trace
    assert from_json(json.loads(json.dumps(to_json(trace)))) == trace


def test_the_text_of_a_trace_is_a_scenario_that_expects_what_happened() -> None:
    trace = record(find("lifecycle"), ModelMachine(), "model")
    scenario = parse(format_trace(trace))
    assert [step.operation for step in scenario.setup] == [step.operation for step in trace.steps]
    expected = [step.expected_for("CURRENT") for step in scenario.setup]
    assert expected == [step.events for step in trace.steps]


def test_the_handle_that_blocks_an_update_is_named() -> None:
    """A client that answers the cancelled read by closing blocks nothing; one that keeps its handle is told of."""
    stubborn = record(find("hot-update"), ModelMachine(), "model")
    assert held_up(stubborn) == ["unload u: the driver stays loaded until h is closed"]
    assert held_up(record(find("hot-update-with-a-good-client"), ModelMachine(), "model")) == []


def test_actors_are_not_carried_out_as_if_they_were_one() -> None:
    scenario = parse("load\ninitialize\nactor stack:\n restart")
    with pytest.raises(UsageError, match="stack"):
        record(scenario, ModelMachine(), "model")


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {},
        {"format": "wintun-sim trace 9"},
        {"format": "wintun-sim trace 1", "machine": "m", "title": "", "order": "loose", "ndis": "6.80", "steps": []},
        {"format": "wintun-sim trace 1", "machine": "m", "title": "", "order": "raw", "ndis": "6.80", "steps": {}},
        {"format": "wintun-sim trace 1", "machine": "m", "title": "", "order": "raw", "ndis": "6.80", "steps": [1]},
    ],
)
def test_json_that_is_no_trace_is_refused(value: object) -> None:
    with pytest.raises(UsageError, match="trace"):
        from_json(value)


@pytest.mark.parametrize(
    ("key", "value"),
    [("event", "nothing"), ("status", "0"), ("status", True), ("operation", None), ("operation", 7)],
)
def test_an_event_with_a_wrong_field_is_refused(key: str, value: object) -> None:
    document = to_json(record(parse("load"), ModelMachine(), "model"))
    document["steps"][0]["events"][0][key] = value
    with pytest.raises(UsageError, match="trace"):
        from_json(document)


def test_data_that_is_not_hexadecimal_is_refused() -> None:
    document = to_json(record(find("lifecycle"), ModelMachine(), "model"))
    event = next(event for step in document["steps"] for event in step["events"] if event.get("data"))
    event["data"] = "xy"
    with pytest.raises(UsageError, match="hexadecimal"):
        from_json(document)
