"""A schedule is what a person pastes to see a run again: it must say the same run, or say why it does not."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wintun_sim.errors import UsageError
from wintun_sim.scenario import parse
from wintun_sim.trace.schedule import MAX_CHOICES, Schedule, make_schedule, parse_schedule, scenario_hash

IMAGE, SCENARIO = "00112233445566ff", "8899aabbccddeeff"
STORY = """
load
initialize
restart
h: create
actor client:
    r: read h 61440
actor stack:
    pause
"""


def schedule(*choices: int, fault: int = 0, writes: int = 0) -> Schedule:
    return Schedule(IMAGE, SCENARIO, choices, fault, writes)


@pytest.mark.parametrize(
    ("choices", "written"),
    [
        ((), "0"),
        ((0, 0, 0), "3"),
        ((1,), "a"),
        ((0, 0, 1, 0, 2), "2a1b"),
        ((0,) * 31 + (1,) + (0,) * 7 + (2,) + (0,) * 12, "31a7b12"),
        ((26, 27, 52, 53, 254), "zAaAzBaIt"),
    ],
)
def test_only_what_is_not_option_0_is_written(choices: tuple[int, ...], written: str) -> None:
    """Whoever reads it sees how many switches there are, and how far apart."""
    text = str(schedule(*choices))
    assert text.split(".")[:4] == ["ws1", IMAGE, SCENARIO, written]
    assert parse_schedule(text) == schedule(*choices)


@given(st.lists(st.integers(0, 254), max_size=60), st.integers(0, 999), st.integers(0, 1))
def test_every_schedule_is_one_shell_word_and_is_read_back(choices: list[int], fault: int, writes: int) -> None:
    wanted = schedule(*choices, fault=fault, writes=writes)
    text = str(wanted)
    assert set(text) <= set("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHI.,")
    assert text[0].isalpha(), "a word that begins with a dash is an option"
    assert parse_schedule(text) == wanted


@given(st.data())
def test_a_letter_that_was_changed_or_lost_is_noticed(data: st.DataObject) -> None:
    """A schedule with a wrong letter would be a run that nobody has seen, and would look like a finding gone."""
    text = str(schedule(0, 1, 0, 0, 2, 0, fault=3))
    place = data.draw(st.integers(0, len(text) - 1))
    letter = data.draw(st.sampled_from("0123abcfz.,x "))
    for damaged in (text[:place] + letter + text[place + 1 :], text[:place] + text[place + 1 :]):
        if damaged != text:
            with pytest.raises(UsageError, match="schedule: "):
                parse_schedule(damaged)


def signed(body: str) -> str:
    """Return a schedule's text with the checksum that fits, so that what is behind the checksum is reached."""
    good = str(Schedule(IMAGE, SCENARIO, ()))
    from wintun_sim.trace import schedule as module

    assert good.endswith(module._checksum(good.rpartition(".")[0]))
    return f"{body}.{module._checksum(body)}"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it begins with ws1"),
        ("ws2.a.b.c.d", "of version ws2"),
        ("ws1.a.b", "3 parts"),
        (signed(f"ws1.{IMAGE}.nothing.0"), "16 hexadecimal digits"),
        (signed(f"ws1.{IMAGE}.{SCENARIO}.0a"), "from letter 1 on"),
        (signed(f"ws1.{IMAGE}.{SCENARIO}.01"), "from letter 1 on"),
        (signed(f"ws1.{IMAGE}.{SCENARIO}.3A"), "from letter 1 on"),
        (signed(f"ws1.{IMAGE}.{SCENARIO}."), "written otherwise"),
        (signed(f"ws1.{IMAGE}.{SCENARIO}.9999999"), f"more than {MAX_CHOICES:,} choices"),
        (signed(f"ws1.{IMAGE}.{SCENARIO}.999999a999999a"), f"more than {MAX_CHOICES:,} choices"),
        (signed(f"ws1.{IMAGE}.{SCENARIO}.a,x1"), "'x1'"),
        (signed(f"ws1.{IMAGE}.{SCENARIO}.a,w1,f1"), "written otherwise"),
        (signed(f"ws1.{IMAGE}.{SCENARIO}.a,f1,f1"), "written otherwise"),
        ("ws1." + "a" * (1 << 21), "characters"),
    ],
)
def test_what_is_no_schedule_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        parse_schedule(text)


def test_a_schedule_is_refused_by_another_image_and_by_another_scenario(tmp_path: Path) -> None:
    """Its choices would be taken for answers to other questions, and whatever came of it would mean nothing."""
    image, other = tmp_path / "one.so", tmp_path / "other.so"
    image.write_bytes(b"one")
    other.write_bytes(b"other")
    story = parse(STORY)
    made = make_schedule(image, story, (0, 1))
    made.demand(image, story)
    with pytest.raises(UsageError, match="replay it on the image that it was found with"):
        made.demand(other, story)
    with pytest.raises(UsageError, match="belongs to a scenario whose hash"):
        made.demand(image, replace(story, order="raw"))


def test_a_scenario_s_hash_is_of_what_is_done_and_not_of_its_words() -> None:
    story = parse(STORY)
    assert scenario_hash(story) == scenario_hash(parse("title A title\n" + STORY.replace("pause", "pause # now")))
    assert scenario_hash(story) == scenario_hash(parse(STORY + "   => returned pause STATUS_SUCCESS\n"))
    others = (STORY.replace("61440", "61441"), STORY.replace("actor stack:", ""), "order raw\n" + STORY)
    assert len({scenario_hash(story), *(scenario_hash(parse(text)) for text in others)}) == 4


def test_an_option_beyond_the_last_is_refused_like_everything_else_that_is_no_schedule() -> None:
    """Found by fuzzing: the checksum fits and each letter is one that may be there, so only the number betrays it."""
    body = "ws1.0000000000000000.ffffffffffffffff.1zAaAzBaIu1"
    with pytest.raises(UsageError, match="it takes option 255, and the last one is 254"):
        parse_schedule(f"{body}.{hashlib.sha256(body.encode()).hexdigest()[:6]}")
