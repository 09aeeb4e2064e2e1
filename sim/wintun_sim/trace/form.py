"""Traces as text and as JSON.

The text of a trace is a scenario that expects exactly what happened, so whatever reads scenarios reads traces. The JSON
has the same operations as text and the events as objects::

    {"format": "wintun-sim trace 1", "machine": "model", "title": "…", "order": "strict", "ndis": "6.80",
     "steps": [{"name": "pause", "operation": "pause",
                "events": [{"event": "returned", "operation": "pause", "status": 0, "text": "returned pause …"}]}]}

``status`` is a number; ``data`` is hexadecimal; ``text`` is for people and is not read back.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any, Final, TypeAlias

from wintun_sim.errors import UsageError
from wintun_sim.operations import (
    Event,
    IrpCompleted,
    LinkChanged,
    NblCompleted,
    OidCompleted,
    PacketReceived,
    PauseCompleted,
    Refused,
    Returned,
    RuleBroken,
)
from wintun_sim.operations.scan import Scanner
from wintun_sim.operations.text import format_event, format_operation, parse_operation
from wintun_sim.scenario import Expectation, Scenario, Step, format_scenario, parse
from wintun_sim.scenario.scenario import OTHER_VERSIONS, VERSIONS, Order
from wintun_sim.trace.trace import Trace, TraceStep

FORMAT: Final = "wintun-sim trace 1"

Json: TypeAlias = dict[str, Any]

_EVENTS: Final[dict[str, type[Event]]] = {
    event.verb: event
    for event in (
        Returned,
        OidCompleted,
        IrpCompleted,
        NblCompleted,
        PacketReceived,
        LinkChanged,
        PauseCompleted,
        RuleBroken,
        Refused,
    )
}
_MACHINE: Final = "trace of: "


def format_trace(trace: Trace) -> str:
    """Write a trace; ``parse_trace`` reads the same one back."""
    steps = tuple(
        Step(step.operation, tuple(Expectation(event) for event in step.events) or (Expectation(None),))
        for step in trace.steps
    )
    return format_scenario(Scenario(trace.title, trace.order, trace.ndis, steps), preamble=[_MACHINE + trace.machine])


def parse_trace(text: str, source: str = "") -> Trace:
    """Read the text of a trace. Raises ``ScenarioError``."""
    scenario = parse(text, source)
    machine = next((line[2:].removeprefix(_MACHINE) for line in text.splitlines() if line[2:].startswith(_MACHINE)), "")
    steps = tuple(TraceStep(step.operation, step.expected_for("") or ()) for step in scenario.setup)
    return Trace(machine, scenario.title, scenario.order, scenario.ndis, steps)


def to_json(trace: Trace) -> Json:
    """Turn a trace into an object that ``json.dumps`` takes."""
    return {
        "format": FORMAT,
        "machine": trace.machine,
        "title": trace.title,
        "order": trace.order,
        "ndis": f"{trace.ndis[0]}.{trace.ndis[1]}",
        "steps": [
            {
                "name": step.operation.name,
                "operation": format_operation(step.operation),
                "events": [event_to_json(event) for event in step.events],
            }
            for step in trace.steps
        ],
    }


def event_to_json(event: Event) -> Json:
    """Turn an event into an object that ``json.dumps`` takes."""
    values: Json = {field.name: getattr(event, field.name) for field in fields(event)}
    if "data" in values:
        values["data"] = values["data"].hex()
    return {"event": event.verb, **values, "text": format_event(event)}


def from_json(value: object) -> Trace:
    """Turn such an object back into a trace. Raises ``UsageError`` for anything else."""
    document = json_object(value, "a trace")
    if document.get("format") != FORMAT:
        raise UsageError(f"trace: the format is {document.get('format')!r}, but {FORMAT!r} can be read here")
    order, version = read_host(document)
    steps = tuple(_step(json_object(step, "a step")) for step in json_list(document, "steps"))
    return Trace(json_text(document, "machine"), json_text(document, "title"), order, version, steps)


def read_host(document: Json) -> tuple[Order, tuple[int, int]]:
    """Read how the host called the adapter: the order, and the version of NDIS. Raises ``UsageError``."""
    versions = {f"{major}.{minor}": (major, minor) for major, minor in (*VERSIONS, *OTHER_VERSIONS)}
    orders: dict[str, Order] = {"strict": "strict", "raw": "raw"}
    order, version = json_text(document, "order"), json_text(document, "ndis")
    if order not in orders or version not in versions:
        raise UsageError(f"trace: there is no order {order!r} or no NDIS {version!r}")
    return orders[order], versions[version]


def _step(step: Json) -> TraceStep:
    operation = parse_operation(Scanner(json_text(step, "operation"), "trace"), json_text(step, "name"))
    return TraceStep(operation, read_events(step))


def read_events(values: Json) -> tuple[Event, ...]:
    """Read the events of a step. Raises ``UsageError``."""
    return tuple(event_from_json(json_object(event, "an event")) for event in json_list(values, "events"))


def event_from_json(values: Json) -> Event:
    """Turn such an object back into an event. Raises ``UsageError``."""
    verb = json_text(values, "event")
    if verb not in _EVENTS:
        raise UsageError(f"trace: there is no event {verb!r}")
    kinds = {"int": int, "str": str, "bool": bool, "bytes": str}
    found: Json = {}
    for field in fields(_EVENTS[verb]):
        value = values.get(field.name)
        if type(value) is not kinds[str(field.type)]:
            raise UsageError(f"trace: {field.name!r} of a {verb!r} event is {value!r}, not {field.type}")
        found[field.name] = value
    if "data" in found:
        try:
            found["data"] = bytes.fromhex(found["data"])
        except ValueError:
            raise UsageError(f"trace: the data of a {verb!r} event are not hexadecimal") from None
    return _EVENTS[verb](**found)


def json_object(value: object, what: str) -> Json:
    """Demand an object. Raises ``UsageError``."""
    if not isinstance(value, dict):
        raise UsageError(f"trace: {what} is {type(value).__name__}, not an object")
    return value


def json_list(values: Json, key: str) -> list[Any]:
    """Demand a list at ``key``. Raises ``UsageError``."""
    value = values.get(key)
    if not isinstance(value, list):
        raise UsageError(f"trace: {key!r} is not a list")
    return value


def json_text(values: Json, key: str) -> str:
    """Demand a text at ``key``. Raises ``UsageError``."""
    value = values.get(key)
    if not isinstance(value, str):
        raise UsageError(f"trace: {key!r} is missing, or not a text")
    return value
