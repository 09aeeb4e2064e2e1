"""Courses as JSON, so that a run of several actors can be kept and drawn later.

::

    {"format": "wintun-sim course 1", "machine": "driver", "title": "…", "order": "strict", "ndis": "6.80",
     "actors": ["client", "stack"], "ended": "",
     "moments": [{"name": "pause", "operation": "pause", "actor": "stack", "begins": true, "words": "…",
                  "events": [{"event": "returned", "operation": "pause", "status": 0, "text": "returned pause …"}]}]}

Operations are text, events are objects, as in the JSON of a trace.
"""

from __future__ import annotations

from typing import Final

from wintun_sim.errors import UsageError
from wintun_sim.operations.scan import Scanner
from wintun_sim.operations.text import format_operation, parse_operation
from wintun_sim.trace.course import Course, Moment
from wintun_sim.trace.form import (
    Json,
    event_to_json,
    json_list,
    json_object,
    json_text,
    read_events,
    read_host,
)

COURSE_FORMAT: Final = "wintun-sim course 1"


def course_to_json(course: Course) -> Json:
    """Turn a course into an object that ``json.dumps`` takes."""
    return {
        "format": COURSE_FORMAT,
        "machine": course.machine,
        "title": course.title,
        "order": course.order,
        "ndis": f"{course.ndis[0]}.{course.ndis[1]}",
        "actors": list(course.actors),
        "ended": course.ended,
        "moments": [
            {
                "name": moment.operation.name,
                "operation": format_operation(moment.operation),
                "actor": moment.actor,
                "begins": moment.begins,
                "words": moment.words,
                "events": [event_to_json(event) for event in moment.events],
            }
            for moment in course.moments
        ],
    }


def course_from_json(value: object) -> Course:
    """Turn such an object back into a course. Raises ``UsageError`` for anything else."""
    document = json_object(value, "a course")
    if document.get("format") != COURSE_FORMAT:
        raise UsageError(f"trace: the format is {document.get('format')!r}, but {COURSE_FORMAT!r} can be read here")
    order, version = read_host(document)
    actors = tuple(json_list(document, "actors"))
    if not all(isinstance(actor, str) for actor in actors):
        raise UsageError("trace: 'actors' are not all texts")
    moments = tuple(_moment(json_object(moment, "a moment")) for moment in json_list(document, "moments"))
    head = json_text(document, "machine"), json_text(document, "title")
    return Course(*head, order, version, moments, actors, json_text(document, "ended"))


def _moment(values: Json) -> Moment:
    begins = values.get("begins")
    if not isinstance(begins, bool):
        raise UsageError("trace: 'begins' is missing, or neither true nor false")
    operation = parse_operation(Scanner(json_text(values, "operation"), "trace"), json_text(values, "name"))
    return Moment(operation, json_text(values, "actor"), begins, json_text(values, "words"), read_events(values))
