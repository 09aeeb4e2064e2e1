"""The story of a run: who takes part, who does what to whom, and what is left out so that it can be looked at."""

from tests.render.courses import EVIL, PAUSED, SUCCESS, hostile, many, sent, started, thousand
from wintun_sim.lifecycle import State
from wintun_sim.operations import (
    Cleanup,
    IrpCompleted,
    NblCompleted,
    Oid,
    OidCompleted,
    OidKind,
    PacketReceived,
    Pause,
    Read,
    Refused,
    Returned,
    RuleBroken,
    SetPower,
    Write,
)
from wintun_sim.operations.data import ipv4
from wintun_sim.render import Story, Tone, shortened, story_of
from wintun_sim.render.words import plain
from wintun_sim.trace import Course, Moment


def arrows(story: Story) -> list[tuple[str, str, str]]:
    return [(story.lanes[line.source].name, story.lanes[line.target].name, line.text) for line in story.lines]


def test_clients_stand_on_the_left_adapters_in_the_middle_and_ndis_on_the_right() -> None:
    story = story_of(Course("model", "A title", moments=tuple(started())))
    assert [lane.name for lane in story.lanes] == ["client h", "adapter", "NDIS"]
    assert (story.title, story.subtitle) == ("A title", "model, order strict, NDIS 6.80")
    assert arrows(story) == [
        ("NDIS", "NDIS", "load driver"),
        ("NDIS", "NDIS", "driver returns STATUS_SUCCESS"),
        ("NDIS", "adapter", "initialize adapter"),
        ("adapter", "NDIS", "link down"),
        ("adapter", "NDIS", "adapter returns STATUS_SUCCESS"),
        ("NDIS", "adapter", "restart"),
        ("adapter", "NDIS", "restart returns STATUS_SUCCESS"),
        ("client h", "adapter", "create h"),
        ("adapter", "NDIS", "link up"),
        ("adapter", "client h", "h: STATUS_SUCCESS"),
    ]


def test_the_adapters_states_are_followed_line_by_line() -> None:
    story = story_of(Course("model", moments=(*started(), Moment(Pause(name="pause"), events=()))))
    assert [line.states[0] for line in story.lines] == [
        *(None, None),
        *(State.INITIALIZING, State.INITIALIZING, State.PAUSED),
        *(State.RESTARTING, State.RUNNING),
        *(State.RUNNING, State.RUNNING, State.RUNNING),
        State.PAUSING,
    ]
    said = [line.status for line in story.lines if line.status]
    assert said == ["Paused", "Running", "Running, 1 handle, link up", "Pausing, 1 handle, link up"]


def test_what_is_lent_to_an_adapter_and_its_power_are_told_when_they_change() -> None:
    moments = (
        *started(),
        sent("s", 2),
        sent("s2", 1, NblCompleted("s", 0, SUCCESS)),
        Moment(Pause(name="pause"), events=(Returned("pause", SUCCESS),)),
        Moment(SetPower(name="p", state=4), events=(OidCompleted("p", SUCCESS, 4, 0),)),
    )
    said = [line.status for line in story_of(Course("model", moments=moments, order="raw")).lines if line.status][3:]
    assert said == [
        "Running, 1 handle, link up, 2 NBLs",
        "Paused, 1 handle, link up, 2 NBLs",
        "Paused, D3, 1 handle, link up, 2 NBLs",
    ]


def test_operations_and_events_are_told_in_a_few_words() -> None:
    moments = (
        *started(),
        Moment(Read(name="r", handle="h")),
        sent("s", 1, NblCompleted("s", 0, SUCCESS), IrpCompleted("r", "h", SUCCESS, 112, b"T\0\0\0" + bytes(108))),
        Moment(
            Write(name="w", handle="h", data=bytes(192)),
            events=(PacketReceived("w", ipv4(84)), PacketReceived("w", ipv4(60)), IrpCompleted("w", "h", SUCCESS, 192)),
        ),
        Moment(
            Oid(name="q", kind=OidKind.QUERY, oid=0x00020101, length=8),
            events=(OidCompleted("q", SUCCESS, 8, 8, bytes(8)),),
        ),
        Moment(Cleanup(name="c", handle="h"), events=(IrpCompleted("c", "h", SUCCESS),)),
    )
    story = story_of(Course("model", moments=moments))
    assert [text for _, _, text in arrows(story)[10:]] == [
        "read r: up to 61,440 bytes",
        "send s: 1 NBL, 1 packet, 84 bytes",
        "s.0: STATUS_SUCCESS",
        "r: STATUS_SUCCESS, 112 bytes, 1 packet",
        "write w: 192 bytes",
        "received of w: 2 packets of 60 to 84 bytes",
        "w: STATUS_SUCCESS, 192 bytes",
        "oid q: query OID_GEN_XMIT_OK 8",
        "q: STATUS_SUCCESS, 8 bytes",
        "cleanup c: h",
        "c: STATUS_SUCCESS",
    ]


def test_failures_and_broken_rules_have_tones_of_their_own() -> None:
    moment = Moment(
        Pause(name="p"),
        events=(
            NblCompleted("s", 0, PAUSED),
            RuleBroken("p", "SpinLockSafe", "a lock is held"),
            Returned("p", SUCCESS),
        ),
    )
    story = story_of(Course("driver", moments=(*started(), sent("s", 1), moment)))
    assert [line.tone for line in story.lines[-4:]] == [Tone.CALL, Tone.BAD, Tone.BROKEN, Tone.GOOD]
    broken = story.lines[-2]
    assert (broken.source, broken.target, broken.text) == (1, 1, "broken: SpinLockSafe: a lock is held")


def test_what_the_host_refused_is_told_beside_the_operation() -> None:
    moment = Moment(Pause(name="p"), events=(Refused("p", "only a Running adapter is paused"),))
    story = story_of(Course("model", moments=(*started()[:2], moment)))
    assert arrows(story)[-1] == ("NDIS", "NDIS", "refused: only a Running adapter is paused")
    assert story.lines[-1].tone is Tone.BROKEN


# What is left out


def test_a_thousand_nbls_that_come_back_alike_are_one_line() -> None:
    story = story_of(thousand())
    assert len(story.lines) == 14
    assert story.lines[-2].text == "s.0 to .999: 1,000 NBLs, STATUS_NDIS_PAUSED"


def test_nbls_of_many_sends_are_one_line_and_those_of_a_few_are_not() -> None:
    for count, lines in ((4, 4), (5, 1)):
        sends = [sent(f"s{number}", 1) for number in range(count)]
        back = tuple(NblCompleted(f"s{number}", 0, PAUSED) for number in range(count))
        story = story_of(Course("model", moments=(*started(), *sends, Moment(Pause(name="p"), events=back))))
        assert sum("STATUS_NDIS_PAUSED" in line.text for line in story.lines) == lines
    assert story.lines[-1].text == "s0.0 to s4.0: 5 NBLs, STATUS_NDIS_PAUSED"


def test_of_many_operations_alike_the_first_and_the_last_are_told() -> None:
    sends = [sent(f"s{number}", 1, NblCompleted(f"s{number}", 0, PAUSED)) for number in range(1000)]
    story = story_of(Course("model", moments=(*started(), *sends)))
    assert [line.text for line in story.lines[10:]] == [
        "send s0: 1 NBL, 1 packet, 84 bytes",
        "s0.0: STATUS_NDIS_PAUSED",
        "998 more alike: s1 to s998",
        "send s999: 1 NBL, 1 packet, 84 bytes",
        "s999.0: STATUS_NDIS_PAUSED",
    ]


def test_one_that_ends_otherwise_is_not_folded_away() -> None:
    """It is the one that somebody looks for."""
    sends = [
        sent(f"s{number}", 1, NblCompleted(f"s{number}", 0, PAUSED if number != 500 else SUCCESS))
        for number in range(1000)
    ]
    texts = [line.text for line in story_of(Course("model", moments=(*started(), *sends))).lines]
    assert "s500.0: STATUS_SUCCESS" in texts
    assert len(texts) < 25


def test_many_handles_and_many_adapters_share_a_lane() -> None:
    assert [lane.name for lane in story_of(many(5, 4)).lanes] == [
        *(f"client h{number}" for number in range(5)),
        *("a0", "a1", "a2", "a3"),
        "NDIS",
    ]
    assert [lane.name for lane in story_of(many(6, 5)).lanes] == ["6 clients", "5 adapters", "NDIS"]


def test_a_long_story_is_shortened_in_the_middle() -> None:
    sends = [sent(f"s{number}", 1 + number % 2, *([NblCompleted(f"s{number}", 0, PAUSED)] * (number % 2))) for number in
             range(100)]  # fmt: skip
    story = story_of(Course("model", moments=(*started(), *sends)))
    short = shortened(story, 20)
    assert len(short.lines) == 20
    assert short.lines[0] == story.lines[0]
    assert short.lines[-1] == story.lines[-1]
    assert short.lines[10].text == f"{len(story.lines) - 19:,} lines are left out here"
    assert shortened(story, len(story.lines)) is story


# What strangers send


def test_no_text_of_a_stranger_has_a_character_that_does_something() -> None:
    story = story_of(hostile(), steps=True)
    texts = [story.title, story.subtitle, *(lane.name for lane in story.lanes)]
    texts += [text for line in story.lines for text in (line.text, line.status, line.actor)]
    assert all(text.isprintable() and len(text) <= 400 for text in texts)
    assert any("\\x1b[2J\\x202e" in text for text in texts)


def test_a_text_is_kept_short_and_on_one_line() -> None:
    assert plain("a\nb\tc") == "a b c"
    assert plain("x" * 500, 10) == "xxxxxxxxx…"
    assert plain("x" * 10, 10) == "x" * 10
    assert plain("\x00\ud800\u202e") == "\\x00\\xd800\\x202e"


def test_a_trace_that_no_host_would_make_has_no_states_and_is_drawn_all_the_same() -> None:
    twice = Moment(Pause(name="pause", adapter=EVIL))
    story = story_of(Course("model", moments=(*started(), twice, twice)))
    assert len(story.lines) == 12
    assert story.lines[-1].states == (None,)


def test_a_run_that_ended_early_says_why() -> None:
    story = story_of(Course("model", moments=tuple(started()), ended="the cursor dangles"))
    assert story.lines[-1].text == "ended early: the cursor dangles"


def test_every_arrow_begins_and_ends_at_the_lane_of_whom_it_concerns() -> None:
    """With lanes of their own, and with shared ones."""
    own = arrows(story_of(many(5, 4)))
    assert [each for each in own if each[2].startswith("create")] == [
        (f"client h{number}", "a0", f"create h{number}") for number in range(5)
    ]
    assert [each[1] for each in own if each[2].startswith("initialize")] == ["a0", "a1", "a2", "a3"]
    shared = arrows(story_of(many(6, 5)))
    assert ("6 clients", "5 adapters", "create h0 @a0") in shared
    assert ("6 clients", "5 adapters", "create h5 @a0") in shared
    assert ("NDIS", "5 adapters", "initialize a0") in shared


def test_what_is_left_out_is_marked_across_all_lanes() -> None:
    sends = [sent(f"s{n}", 1, *([NblCompleted(f"s{n}", 0, PAUSED)] * (n % 2))) for n in range(40)]
    story = shortened(story_of(Course("model", moments=(*started(), *sends))), 20)
    cut = next(line for line in story.lines if line.tone is Tone.FOLD)
    assert (cut.source, cut.target) == (0, len(story.lanes) - 1)


def test_a_seed_is_mentioned_where_it_decided_something() -> None:
    moments = tuple(started())
    assert story_of(Course("model", moments=moments, actors=("a", "b")), seed=7).subtitle.endswith(", seed 7")
    assert "seed" not in story_of(Course("model", moments=moments, actors=("a", "b"))).subtitle
    assert "seed" not in story_of(Course("model", moments=moments), seed=7).subtitle


def test_actors_whose_operations_no_host_would_admit_are_drawn_all_the_same() -> None:
    """The states are lost in the middle of what another actor does, which is ended later."""
    again = Moment(Pause(name="p"), actor="b")
    moments = (*started(), Moment(Pause(name="p"), actor="a"), again, Moment(Read(name="r", handle="h"), actor="a"))
    story = story_of(Course("model", moments=moments, actors=("a", "b")))
    assert [line.actor for line in story.lines[-3:]] == ["a", "b", "a"]
    assert story.lines[-1].states == (None,)
