"""The three drawings of a story: each line is there, nothing hostile is, and the same run gives the same text."""

import re
import xml.etree.ElementTree as ElementTree
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.render.courses import EVIL, hostile, many, sent, started, thousand
from tests.render.grammar import is_mermaid
from tests.scenario.strategies import events, operations
from wintun_sim.lifecycle import TABLE, Order, State
from wintun_sim.lifecycle.diagrams import transitions
from wintun_sim.operations import NblCompleted
from wintun_sim.operations.outcome import Places
from wintun_sim.render import mermaid, states, story_of, svg, terminal
from wintun_sim.render.palette import NAMED, STATES
from wintun_sim.trace import Course, Moment

SVG = "{http://www.w3.org/2000/svg}"
STARTED = Course("model", "A client opens an adapter", moments=tuple(started()))

# The timeline


def test_the_timeline_draws_an_arrow_and_its_words_on_one_line() -> None:
    assert terminal.render(story_of(STARTED), 110).splitlines() == [
        "A client opens an adapter",
        "model, order strict, NDIS 6.80",
        "",
        "  client h     adapter      NDIS",
        "      │           │           ●  load driver",
        "      │           │           ●  driver returns STATUS_SUCCESS",
        "      │           ├◀──────────┤  initialize adapter",
        "      │           ├──────────▶┤  link down",
        "      │           ├──────────▶┤  adapter returns STATUS_SUCCESS            [Paused]",
        "      │           ├◀──────────┤  restart",
        "      │           ├──────────▶┤  restart returns STATUS_SUCCESS            [Running]",
        "      ├──────────▶┤           │  create h",
        "      │           ├──────────▶┤  link up",
        "      ├◀──────────┤           │  h: STATUS_SUCCESS                         [Running, 1 handle, link up]",
    ]


def test_an_arrow_crosses_the_lanes_between_its_ends() -> None:
    lines = terminal.render(story_of(many(2, 1))).splitlines()
    (create,) = [line for line in lines if line.endswith("create h0")]
    assert create.startswith("     ├─────────┼────────▶┤".replace("─", "─"))


@pytest.mark.parametrize("width", [1, 60, 80, 400])
def test_no_line_is_wider_than_was_asked_for(width: int) -> None:
    for course in (STARTED, thousand(), many(9, 9), hostile("日本語" * 40)):
        lines = terminal.render(story_of(course), width).splitlines()
        assert all(terminal._columns(line) <= max(width, 60) for line in lines)


def test_a_terminal_is_sent_no_command() -> None:
    text = terminal.render(story_of(hostile(), steps=True))
    assert all(line.isprintable() for line in text.splitlines())


# Mermaid


@pytest.mark.parametrize(
    "course", [STARTED, thousand(), many(5, 4), many(200, 100), hostile(), hostile("end"), hostile("")], ids=str
)
def test_every_line_of_a_mermaid_diagram_is_one_that_its_grammar_knows(course: Course) -> None:
    lines = mermaid.render(story_of(course, steps=True)).splitlines()
    assert lines[0] == "sequenceDiagram"
    for line in lines:
        assert is_mermaid(line), line
    assert len(lines) < 1500


def test_a_mermaid_diagram_has_the_lines_of_its_story() -> None:
    text = mermaid.render(story_of(STARTED))
    assert "    p2->>p1: initialize adapter\n" in text
    assert "    p1-->>p0: h: STATUS_SUCCESS\n" in text
    assert text.count("Note right of p1: ") == 4, "Initializing, Paused, Restarting, Running"


def test_what_a_stranger_wrote_means_nothing_to_mermaid() -> None:
    text = mermaid.render(story_of(hostile(), steps=True))
    for meaning in ("<", ">alert", "%%", "\x1b", "&", "'"):
        assert meaning not in text.replace("->>", "")
    assert mermaid.escape("end") != "end"
    assert mermaid.escape("a;b#c<d>") == "a#59;b#35;c#60;d#62;"
    assert mermaid.escape("") == "#32;"


# Pictures


def parsed(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(text)


@pytest.mark.parametrize("course", [STARTED, thousand(), many(5, 4), many(6, 5), hostile()], ids=str)
def test_a_picture_is_a_document_with_a_row_for_each_line(course: Course) -> None:
    story = story_of(course, steps=True)
    root = parsed(svg.render(story))
    words = [each for each in root.iter(f"{SVG}text") if "words" in (each.get("class") or "").split()]
    assert len(words) == len(story.lines)
    rows = [float(each.get("y") or 0) for each in words]
    assert rows == sorted(set(rows))
    assert root.find(f"{SVG}title") is not None


def test_a_picture_loads_and_runs_nothing() -> None:
    text = svg.render(story_of(hostile(), steps=True))
    assert {each.tag.removeprefix(SVG) for each in parsed(text).iter()} <= {
        *("svg", "title", "desc", "style", "rect", "text", "path", "circle")
    }
    assert not re.search(r"url\(|@import|href|<script|\bon\w+=", text)


def test_words_and_lanes_keep_apart() -> None:
    """Words stand to the right of all lanes, and the picture is wide enough for the longest of them."""
    for course in (STARTED, many(5, 4), hostile()):
        root = parsed(svg.render(story_of(course, steps=True)))
        lanes = [float(each.get("x") or 0) for each in root.iter(f"{SVG}text") if each.get("class") == "lane"]
        words = [each for each in root.iter(f"{SVG}text") if "words" in (each.get("class") or "").split()]
        assert all(float(each.get("x") or 0) > max(lanes) + 30 for each in words)
        width = float(root.get("width") or 0)
        assert all(float(each.get("x") or 0) + 7.8 * len(each.text or "") <= width for each in words)


def test_an_adapters_lane_shows_its_states_from_end_to_end() -> None:
    root = parsed(svg.render(story_of(STARTED)))
    bars = [
        (each.get("class"), float(each.get("y") or 0), float(each.get("height") or 0))
        for each in root.iter(f"{SVG}rect")
        if each.find(f"{SVG}title") is not None
    ]
    assert [name for name, _, _ in bars] == ["initializing", "paused", "restarting", "running"]
    for (_, top, height), (_, following, _) in pairwise(bars):
        assert top + height == following


def test_a_thousand_operations_that_differ_are_shortened_to_what_can_be_scrolled() -> None:
    sends = [
        sent(f"s{number}", 1 + number % 2, *(NblCompleted(f"s{number}", 0, number % 2 and 0xC023002A),))
        for number in range(3000)
    ]
    story = story_of(Course("model", moments=(*started(), *sends)))
    root = parsed(svg.render(story))
    assert float(root.get("height") or 0) < 50_000
    assert any("lines are left out here" in (each.text or "") for each in root.iter(f"{SVG}text"))


@pytest.mark.parametrize("draw", [terminal.render, mermaid.render, svg.render])
def test_the_same_run_is_drawn_the_same(draw: object) -> None:
    assert callable(draw)
    assert draw(story_of(thousand())) == draw(story_of(thousand()))


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours (w3.org/TR/WCAG21, relative luminance)."""

    def luminance(colour: str) -> float:
        parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_words_and_bars_can_be_told_from_what_they_stand_on(theme: str) -> None:
    """4.5 to 1 for text and 3 to 1 for the rest is what people with weak eyes need."""
    for ground in ("page", "stripe"):
        below = getattr(NAMED[ground], theme)
        for name in ("ink", "quiet", "call", "good", "bad", "broken"):
            assert contrast(getattr(NAMED[name], theme), below) >= 4.5, f"{name} on {ground}"
        for state, colours in STATES.items():
            assert contrast(getattr(colours, theme), below) >= 3, f"{state} on {ground}"
    for name in ("client", "adapter", "host"):
        assert contrast(getattr(NAMED["ink"], theme), getattr(NAMED[name], theme)) >= 4.5


@st.composite
def runs(draw: st.DrawFn) -> Course:
    """Any operations, each with any events: hardly a run that a host would make."""
    sequence = draw(operations())
    event = events([operation.name for operation in sequence], Places(sequence).handles)
    moments = [Moment(operation, events=tuple(draw(st.lists(event, max_size=6)))) for operation in sequence]
    return Course("model", draw(st.text(max_size=20)), moments=tuple(moments))


@given(runs())
@settings(max_examples=60)
def test_any_run_can_be_drawn(course: Course) -> None:
    story = story_of(course)
    assert all(line.isprintable() for line in terminal.render(story).splitlines())
    assert all(is_mermaid(line) for line in mermaid.render(story).splitlines())
    parsed(svg.render(story))


# The transition table


def test_the_picture_of_the_states_has_every_state_and_every_transition() -> None:
    root = parsed(states.svg())
    texts = [each.text for each in root.iter(f"{SVG}text")]
    assert all(state.value in texts for state in State)
    labels = sorted(each.text or "" for each in root.iter(f"{SVG}text") if each.get("class") == "label")
    assert labels == sorted(words for order in Order for _, _, words in transitions(order))


def test_the_table_of_the_states_has_a_row_for_each_trigger() -> None:
    rows = states.terminal().splitlines()
    assert rows[0].split() == [state.value for state in State]
    assert len(rows) == 1 + len(TABLE)
    assert re.fullmatch(r"MiniportHaltEx +– +– +– +Halted +– +Halted raw +–", rows[9])


def test_no_text_is_hostile_by_itself() -> None:
    """Or the tests above would show nothing."""
    assert not EVIL.isprintable()
