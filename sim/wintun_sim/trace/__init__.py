"""Traces: the record of a run, as data, as text and as JSON."""

from wintun_sim.trace.course import Course, Moment, course_of
from wintun_sim.trace.course_form import course_from_json, course_to_json
from wintun_sim.trace.form import format_trace, from_json, parse_trace, to_json
from wintun_sim.trace.trace import Trace, TraceStep, record
from wintun_sim.trace.waits import held_up

__all__ = [
    "Course",
    "Moment",
    "Trace",
    "TraceStep",
    "course_from_json",
    "course_of",
    "course_to_json",
    "format_trace",
    "from_json",
    "held_up",
    "parse_trace",
    "record",
    "to_json",
]
