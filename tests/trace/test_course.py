"""A course is a run moment by moment, and it must survive being written down."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.scenario.strategies import events, operations
from wintun_sim.errors import UsageError
from wintun_sim.model import ModelMachine
from wintun_sim.operations import Operation
from wintun_sim.operations.outcome import Places
from wintun_sim.scenario import find
from wintun_sim.trace import Course, Moment, course_from_json, course_of, course_to_json, record


@st.composite
def courses(draw: st.DrawFn) -> Course:
    sequence = draw(operations())
    event = events([operation.name for operation in sequence], Places(sequence).handles)

    def moment(operation: Operation) -> Moment:
        words = st.text(max_size=10)
        return Moment(
            operation, draw(words), draw(st.booleans()), draw(words), tuple(draw(st.lists(event, max_size=2)))
        )

    moments = tuple(moment(operation) for operation in sequence)
    return Course("model", draw(st.text(max_size=10)), "raw", (6, 20), moments, ("a", "b"), draw(st.text(max_size=10)))


@given(courses())
@settings(max_examples=50)
def test_a_course_survives_json(course: Course) -> None:
    assert course_from_json(json.loads(json.dumps(course_to_json(course)))) == course


def test_a_trace_is_a_course_of_one_moment_each() -> None:
    trace = record(find("lifecycle"), ModelMachine(), "model")
    course = course_of(trace, "enough")
    assert [(moment.operation, moment.events) for moment in course.moments] == [
        (step.operation, step.events) for step in trace.steps
    ]
    assert all(moment.begins and not moment.actor for moment in course.moments)
    assert (course.machine, course.title, course.ended, course.actors) == ("model", trace.title, "enough", ())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format": "wintun-sim trace 1"}, "'wintun-sim course 1' can be read here"),
        ({"order": "loose"}, "no order 'loose'"),
        ({"ndis": "5.1"}, "no NDIS '5.1'"),
        ({"actors": None}, "'actors' is not a list"),
        ({"actors": [1]}, "'actors' are not all texts"),
        ({"moments": [1]}, "a moment is int"),
        ({"moments": [{}]}, "'begins' is missing"),
        ({"moments": [{"begins": True, "operation": "dance", "name": "x"}]}, "dance"),
        ({"ended": 1}, "'ended' is missing, or not a text"),
    ],
)
def test_what_is_no_course_is_refused(change: dict[str, object], words: str) -> None:
    document = course_to_json(course_of(record(find("lifecycle"), ModelMachine(), "model")))
    with pytest.raises(UsageError, match=words):
        course_from_json({**document, **change})
