"""What must hold in every run: each property is shown a run that keeps it, and one with a single thing changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from tests.check.test_refine import Log, Result, logs_of
from wintun_sim.bundle import encode
from wintun_sim.check.finding import STATISTICS
from wintun_sim.check.refine import Refinement
from wintun_sim.operations import (
    Counters,
    Event,
    IrpCompleted,
    LinkChanged,
    NblCompleted,
    OidCompleted,
    PacketReceived,
    PauseCompleted,
    Returned,
)
from wintun_sim.operations.data import ipv4
from wintun_sim.scenario import parse

TEXT = """\
# wintun-sim scenario 1
order raw
load
initialize
restart
h: create
r: read h 61440
r2: read h 61440
actor stack:
    s: send nbl(ipv4(61424, 1), ipv4(20, 2)) ipv4(20, 3)
actor client:
    w: write h bundle(ipv4(20, 4), ipv4(20, 5))
actor system:
    pause
"""
REFINEMENT = Refinement(parse(TEXT))
SUCCESS, PENDING, CANCELLED, PAUSED = 0, 0x103, 0xC0000120, 0xC023002A
WHOLE = next(
    log
    for log in logs_of(REFINEMENT)
    if sum(isinstance(event, NblCompleted) and event.status == SUCCESS for event in log.events) == 2
    and any(isinstance(event, PacketReceived) for event in log.events)
)
"""A run in which all packets come through before the pause ends."""

Change = Callable[[list[Event]], None]


def broken(events: Sequence[Event], counters: Counters | None = None, *, faulted: bool = False) -> set[str]:
    """The properties that a run does not keep."""
    counted = WHOLE.counters if counters is None else (("adapter", counters),)
    wrong = REFINEMENT.judge(Log(tuple(events), counted), faulted=faulted).wrong
    return {found.rule for found in wrong if found.kind in ("property", "order")}


def place(events: Sequence[Event], kind: type[Event], name: str, index: int = 0) -> int:
    def fits(event: Event) -> bool:
        named = getattr(event, "operation", "") == name and getattr(event, "index", index) == index
        return isinstance(event, kind) and named

    return next(number for number, event in enumerate(events) if fits(event))


def put(kind: type[Event], name: str, event: Event, index: int = 0) -> Change:
    def change(events: list[Event]) -> None:
        events[place(events, kind, name, index)] = event

    return change


def drop(kind: type[Event], name: str, index: int = 0) -> Change:
    def change(events: list[Event]) -> None:
        del events[place(events, kind, name, index)]

    return change


def double(kind: type[Event], name: str, index: int = 0) -> Change:
    def change(events: list[Event]) -> None:
        where = place(events, kind, name, index)
        events.insert(where, events[where])

    return change


def move_behind(kind: type[Event], name: str, other: type[Event], behind: str, index: int = 0) -> Change:
    def change(events: list[Event]) -> None:
        event = events.pop(place(events, kind, name, index))
        events.insert(place(events, other, behind) + 1, event)

    return change


def swap_packets(events: list[Event]) -> None:
    """The second read gets its packets the wrong way round."""
    read = events[place(events, IrpCompleted, "r2")]
    assert isinstance(read, IrpCompleted)
    swapped = encode([ipv4(20, 3), ipv4(20, 2)])
    assert len(read.data) == len(swapped)
    events[place(events, IrpCompleted, "r2")] = IrpCompleted("r2", "h", SUCCESS, len(swapped), swapped)


def one_packet_twice(events: list[Event]) -> None:
    data = encode([ipv4(20, 2), ipv4(20, 2), ipv4(20, 3)])
    events[place(events, IrpCompleted, "r2")] = IrpCompleted("r2", "h", SUCCESS, len(data), data)


def one_packet_less(events: list[Event]) -> None:
    data = encode([ipv4(20, 2)])
    events[place(events, IrpCompleted, "r2")] = IrpCompleted("r2", "h", SUCCESS, len(data), data)


def link_said_twice(events: list[Event]) -> None:
    events.append(LinkChanged("adapter", False))


def end_of_pause(events: Sequence[Event]) -> tuple[type[Event], str]:
    kind = PauseCompleted if any(isinstance(event, PauseCompleted) for event in events) else Returned
    return kind, "pause"


def nbl_after_pause(events: list[Event]) -> None:
    move_behind(NblCompleted, "s", *end_of_pause(events), index=1)(events)


def packet_after_pause(events: list[Event]) -> None:
    move_behind(PacketReceived, "w", *end_of_pause(events))(events)


def test_a_run_as_it_should_be_breaks_nothing() -> None:
    assert broken(WHOLE.events) == set()
    assert len(REFINEMENT.setup) == 6, "what load, initialize, restart and create gave, and the link, down and up"


CHANGES: dict[str, tuple[Change, str]] = {
    "a request completes twice": (double(IrpCompleted, "w"), "completed-once"),
    "a request never completes": (drop(IrpCompleted, "r"), "completed-once"),
    "an NBL completes twice": (double(NblCompleted, "s"), "completed-once"),
    "an NBL never comes back": (drop(NblCompleted, "s", 1), "completed-once"),
    "a handle cannot be closed": (drop(IrpCompleted, "end.close.h"), "completed-once"),
    "a handler returns twice": (double(Returned, "pause"), "returned-once"),
    "a pause never ends": (put(Returned, "pause", Returned("pause", PENDING)), "pause-ends"),
    "a status that is none of a read's": (
        put(IrpCompleted, "r", IrpCompleted("r", "h", PAUSED)),
        "allowed-status",
    ),
    "an NBL that was too long and was not": (
        put(NblCompleted, "s", NblCompleted("s", 0, 0xC0010014)),
        "allowed-status",
    ),
    "a request that failed carries something": (
        put(IrpCompleted, "w", IrpCompleted("w", "h", PAUSED, 16)),
        "information",
    ),
    "more was taken than was written": (
        put(IrpCompleted, "w", IrpCompleted("w", "h", SUCCESS, 10_000)),
        "information",
    ),
    "an NBL completes after its read": (move_behind(NblCompleted, "s", IrpCompleted, "r2"), "nbl-before-read"),
    "an NBL comes back after the pause": (nbl_after_pause, "nothing-after"),
    "a packet is indicated after the pause": (packet_after_pause, "nothing-after"),
    "packets overtake each other": (swap_packets, "packet-order"),
    "a packet is delivered twice": (one_packet_twice, "packet-twice"),
    "a packet is lost": (one_packet_less, "packet-lost"),
    "a packet comes after its write": (move_behind(PacketReceived, "w", IrpCompleted, "w"), "received-late"),
    "a packet of a write is missing": (drop(PacketReceived, "w"), "packets-received"),
    "the link is said to be what it is": (link_said_twice, "link"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_one_change_is_enough(name: str) -> None:
    change, rule = CHANGES[name]
    events = list(WHOLE.events)
    if name == "a pause never ends":
        events = [event for event in events if not isinstance(event, PauseCompleted)]
    change(events)
    assert rule in broken(events), name


@pytest.mark.parametrize(
    ("counters", "rule"),
    [
        (Counters(1, 1, 1), "lost-wake-up"),
        (Counters(2, 0, 1), "owned-at-rest"),
        (Counters(0, 0, 2), "handles"),
    ],
)
def test_what_is_owned_at_rest_must_be_owed(counters: Counters, rule: str) -> None:
    assert rule in broken(WHOLE.events, counters)


@pytest.mark.parametrize("number", range(len(STATISTICS)), ids=STATISTICS)
def test_a_counter_that_is_off_by_one_is_found(number: int) -> None:
    events = list(WHOLE.events)
    where = place(events, OidCompleted, "end.statistics.adapter")
    answer = events[where]
    assert isinstance(answer, OidCompleted)
    data = bytearray(answer.data)
    data[8 + 8 * number] ^= 1
    events[where] = OidCompleted(answer.operation, 0, answer.information, answer.needed, bytes(data))
    assert broken(events) == {"statistics"}


def test_a_run_that_did_not_reach_its_end_is_not_asked_for_what_never_came() -> None:
    wrong = REFINEMENT.judge(Log((), (), Result.BLOCKED)).wrong
    assert wrong == ()


def test_where_memory_was_short_a_request_may_say_so() -> None:
    events = list(WHOLE.events)
    put(IrpCompleted, "w", IrpCompleted("w", "h", 0xC000009A))(events)
    assert "allowed-status" in broken(events)
    assert "allowed-status" not in broken(events, faulted=True)


def test_a_read_that_is_left_waiting_by_its_handles_cleanup_is_found() -> None:
    refinement = Refinement(parse(TEXT.replace("    pause", "    cleanup h")))
    log = next(log for log in logs_of(refinement) if IrpCompleted("r2", "h", CANCELLED) in log.events)
    assert refinement.judge(log).is_right
    events = [event for event in log.events if event != IrpCompleted("r2", "h", CANCELLED)]
    events.append(IrpCompleted("r2", "h", CANCELLED))
    assert "late-read" in {wrong.rule for wrong in refinement.judge(Log(tuple(events), log.counters)).wrong}


def test_a_request_that_was_let_in_and_ends_after_a_halt_is_found() -> None:
    """One that comes later is refused with STATUS_INVALID_HANDLE, whenever that is."""
    refinement = Refinement(parse(TEXT.replace("    pause", "    halt")))
    log = next(log for log in logs_of(refinement) if IrpCompleted("r2", "h", CANCELLED) in log.events)
    assert refinement.judge(log).is_right
    events = list(log.events)
    move_behind(IrpCompleted, "r2", Returned, "halt")(events)
    assert "halt-waits" in {wrong.rule for wrong in refinement.judge(Log(tuple(events), log.counters)).wrong}


def test_an_operation_begins_when_the_one_before_it_has_returned() -> None:
    """A write that completes after the same actor's next operation has ended did not return when it should have."""
    text = TEXT.replace("actor system:\n    pause\n", "").replace(
        "\nactor client:", "\nactor client:\n    w0: write h zeros(16)"
    )
    refinement = Refinement(parse(text))
    log = next(logs_of(refinement))
    assert refinement.judge(log).is_right
    events = list(log.events)
    move_behind(IrpCompleted, "w0", IrpCompleted, "w")(events)
    assert "synchronous" in {wrong.rule for wrong in refinement.judge(Log(tuple(events), log.counters)).wrong}
