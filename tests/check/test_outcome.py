"""What two runs may differ in, and what not."""

import pytest

from wintun_sim.ndis import STATUS_NDIS_PAUSED, STATUS_PENDING
from wintun_sim.operations import (
    Close,
    Create,
    Event,
    Halt,
    Initialize,
    IrpCompleted,
    LinkChanged,
    Load,
    Nbl,
    NblCompleted,
    Operation,
    PacketReceived,
    Pause,
    PauseCompleted,
    Read,
    Refused,
    Returned,
    RuleBroken,
    Send,
    Write,
)
from wintun_sim.operations.outcome import Places, deliveries, differences, order_broken, outcome_of

OPERATIONS: list[Operation] = [
    Load(name="driver"),
    Initialize(name="adapter"),
    Initialize(name="other"),
    Create(name="h"),
    Create(name="g", adapter="other"),
    Read(name="r", handle="h"),
    Read(name="r2", handle="h"),
    Write(name="w", handle="h", data=b""),
    Send(name="s", nbls=(Nbl((b"1",)), Nbl((b"2", b"3")), Nbl(()))),
    Pause(name="pause"),
    Halt(name="halt"),
    Close(name="close", handle="g"),
]
PLACES = Places(OPERATIONS)


def sequences_that_differ(left: list[Event], right: list[Event]) -> list[str]:
    return [found.sequence for found in differences(outcome_of(left, PLACES), outcome_of(right, PLACES))]


def test_order_between_sequences_is_forgotten() -> None:
    events: list[Event] = [
        LinkChanged("adapter", True),
        IrpCompleted("h", "h", 0),
        NblCompleted("s", 0, 0),
        PacketReceived("w", b"x"),
        Returned("pause", 0),
    ]
    assert sequences_that_differ(events, events[::-1]) == []


def test_order_of_requests_is_kept_for_each_handle_alone() -> None:
    one, two = IrpCompleted("r", "h", 0), IrpCompleted("r2", "h", 0)
    other = IrpCompleted("close", "g", 0)
    assert sequences_that_differ([one, two, other], [other, one, two]) == []
    assert sequences_that_differ([one, two], [two, one]) == ["irps"]


@pytest.mark.parametrize(
    ("left", "right", "sequence"),
    [
        (NblCompleted("s", 0, 0), NblCompleted("s", 0, STATUS_NDIS_PAUSED), "nbls"),
        (PacketReceived("w", b"x"), PacketReceived("w", b"y"), "packets"),
        (LinkChanged("adapter", True), LinkChanged("adapter", False), "links"),
        (IrpCompleted("r", "h", 0, 16, bytes(16)), IrpCompleted("r", "h", 0, 16, bytes(15) + b"\1"), "irps"),
        (Returned("halt", 0), Returned("halt", 1), "returns"),
        (Refused("pause", "why"), Returned("pause", 0), "returns"),
    ],
)
def test_what_differs_is_seen(left: Event, right: Event, sequence: str) -> None:
    assert sequence in sequences_that_differ([left], [right])
    assert sequence in sequences_that_differ([left, left], [left]) or isinstance(left, Refused)


def test_events_of_different_adapters_are_not_mixed_up() -> None:
    assert sequences_that_differ([LinkChanged("adapter", True)], [LinkChanged("other", True)]) == ["links", "links"]


def test_a_pause_that_completes_later_is_a_pause_that_succeeds() -> None:
    """Windows lets MiniportPause choose, and so does the judge; but a pause that never completes is seen."""
    at_once: list[Event] = [NblCompleted("s", 0, STATUS_NDIS_PAUSED), Returned("pause", 0)]
    later: list[Event] = [Returned("pause", STATUS_PENDING), at_once[0], PauseCompleted("pause")]
    before: list[Event] = [PauseCompleted("pause"), Returned("pause", STATUS_PENDING), at_once[0]]
    assert sequences_that_differ(at_once, later) == []
    assert sequences_that_differ(at_once, before) == []
    assert sequences_that_differ(at_once, later[:2]) == ["returns"]
    assert sequences_that_differ(at_once, [*at_once, PauseCompleted("pause")]) == ["returns"]


def test_why_the_host_refuses_is_not_compared_but_that_it_does_is() -> None:
    assert sequences_that_differ([Refused("pause", "a")], [Refused("pause", "b")]) == []
    assert sequences_that_differ([Refused("pause", "a")], []) == ["refused"]


def test_broken_rules_are_no_outcome() -> None:
    assert sequences_that_differ([RuleBroken("pause", "SpinLock", "held")], []) == []


def test_the_read_that_carries_an_nbls_last_packet_is_the_next_one_with_data() -> None:
    packets = {("s", 0): 1, ("s", 1): 2, ("s", 2): 0}
    events: list[Event] = [
        NblCompleted("s", 2, 0),
        NblCompleted("s", 0, 0),
        IrpCompleted("r", "h", 0, 16, b"x"),
        NblCompleted("s", 1, 0),
        IrpCompleted("r2", "h", 0, 16, b"y"),
    ]
    assert deliveries(events, packets) == {("s", 0, False): "r", ("s", 1, False): "r2"}


def test_an_nbl_that_was_sent_again_has_two_reads_to_its_name() -> None:
    events: list[Event] = [
        NblCompleted("s", 0, 0, again=True),
        IrpCompleted("r", "h", 0, 16, b"x"),
        NblCompleted("s", 0, 0),
        IrpCompleted("r2", "h", 0, 16, b"x"),
    ]
    assert deliveries(events, {("s", 0): 1}) == {("s", 0, True): "r", ("s", 0, False): "r2"}


def test_an_nbl_after_the_read_with_its_last_packet_is_out_of_order() -> None:
    carried = {("s", 0, False): "r"}
    nbl, read = NblCompleted("s", 0, 0), IrpCompleted("r", "h", 0, 16, b"x")
    assert order_broken([nbl, read], PLACES, carried) == []
    assert "s.0" in order_broken([read, nbl], PLACES, carried)[0]


def test_a_packet_after_its_write_is_out_of_order() -> None:
    packet, write = PacketReceived("w", b"x"), IrpCompleted("w", "h", 0, 48)
    assert order_broken([packet, write], PLACES, {}) == []
    assert "w" in order_broken([write, packet], PLACES, {})[0]


def test_what_a_pause_or_halt_gives_back_comes_before_its_end() -> None:
    nbl, read = NblCompleted("s", 0, STATUS_NDIS_PAUSED), IrpCompleted("r", "h", 0)
    assert order_broken([nbl, read, Returned("halt", 0)], PLACES, {}) == []
    assert order_broken([Returned("pause", STATUS_PENDING), nbl, PauseCompleted("pause")], PLACES, {}) == []
    assert "halt" in order_broken([Returned("halt", 0), read], PLACES, {})[0]
    assert "pause" in order_broken([PauseCompleted("pause"), nbl], PLACES, {})[0]
    assert order_broken([Returned("halt", 0), IrpCompleted("close", "g", 0)], PLACES, {}) == []
