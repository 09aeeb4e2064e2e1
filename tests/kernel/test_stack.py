"""What a stack may do to a miniport: send again from a completion, keep packets, call at DISPATCH_LEVEL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from tests.kernel.specimen import PACKET, break_by, broken, build_miniport, machine_of, perform_with
from wintun_sim.kernel import DriverMachine
from wintun_sim.operations import (
    Cancel,
    Create,
    Initialize,
    IrpCompleted,
    Load,
    Nbl,
    NblCompleted,
    PacketReceived,
    Pause,
    PauseCompleted,
    Read,
    Restart,
    Returned,
    Send,
    Write,
)

BEGIN = (Load(name="driver"), Initialize(name="adapter"), Restart(name="restart"))
SEND = Send(name="send", nbls=(Nbl((PACKET,)), Nbl((PACKET,))))
SEND_AGAIN = replace(SEND, again=True)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The images of both miniports."""
    place = tmp_path_factory.mktemp("images")
    return {name: build_miniport(name, place) for name in ("specimen", "loopback")}


@pytest.fixture
def specimen(images: dict[str, Path]) -> Iterator[DriverMachine]:
    """The specimen, Running, with one handle."""
    with machine_of(images["specimen"]) as machine:
        for operation in (*BEGIN, Create(name="handle")):
            machine.perform(operation)
        yield machine


@pytest.fixture
def loopback(images: dict[str, Path]) -> Iterator[DriverMachine]:
    """The loopback, Running."""
    with machine_of(images["loopback"]) as machine:
        for operation in BEGIN:
            machine.perform(operation)
        yield machine


def test_a_protocol_may_send_again_from_its_completion(specimen: DriverMachine) -> None:
    """Two packets, each sent twice, meet four reads: each NBL is back twice, and then for good."""
    for number in range(4):
        specimen.perform(Read(name=f"read {number}", handle="handle"))
    events = specimen.perform(SEND_AGAIN)
    assert [event.operation for event in events if isinstance(event, IrpCompleted)] == [
        f"read {number}" for number in range(4)
    ]
    backs = [(event.index, event.again) for event in events if isinstance(event, NblCompleted)]
    assert sorted(backs) == [(0, False), (0, True), (1, False), (1, True)]
    assert specimen.counters("adapter").nbls_owned == 0
    assert not broken(events)


def test_a_lock_that_is_held_over_a_completion_is_taken_again(specimen: DriverMachine) -> None:
    """The send that comes back in needs the lock that the completion is called under: a deadlock with itself."""
    specimen.perform(break_by("COMPLETES_NBL_UNDER_LOCK"))
    rules = [event.rule for event in broken(specimen.perform(SEND_AGAIN))]
    assert rules[0] == "CompletionUnderLock"
    assert "Stuck" in rules or "SpinLock" in rules


def test_what_may_be_called_at_dispatch_level_is(specimen: DriverMachine, loopback: DriverMachine) -> None:
    """Reads, writes, cancels and sends: both miniports keep the rules there too."""
    flag = "HOST_FLAG_AT_DISPATCH"
    assert not broken(perform_with(loopback, flag, SEND))
    events = perform_with(specimen, flag, Read(name="read", handle="handle"))
    events += perform_with(specimen, flag, Cancel(name="cancel", request="read"))
    events += perform_with(specimen, flag, Write(name="write", handle="handle", data=PACKET))
    events += perform_with(specimen, flag, SEND)
    assert not broken(events)
    assert [type(event) for event in events] == [
        IrpCompleted,
        PacketReceived,
        IrpCompleted,
        NblCompleted,
        NblCompleted,
    ]


def test_a_send_that_meets_a_pause_excuses_no_nbl_of_an_earlier_one(images: dict[str, Path]) -> None:
    """The driver keeps an NBL and lets the pause end: that is found under every schedule, whoever else sends just then.

    What came with a send that is still inside is not counted: the driver may not know of it yet.
    """
    messages = set()
    with closing(DriverMachine(images["specimen"], order="raw", seed=1)) as machine:
        for operation in (*BEGIN, break_by("KEEPS_NBL"), Send(name="kept", nbls=(Nbl((PACKET,)),))):
            machine.perform(operation)
        machine.snapshot()
        for number in range(100):
            machine.restore()
            second = Send(name=f"second {number}", nbls=(Nbl((PACKET,)),))
            events = machine.play([[second], [Pause(name=f"pause {number}")]])
            (rule,) = (event for event in broken(events) if event.rule == "PauseOutstanding")
            messages.add(rule.message.partition("while ")[2].partition(" sent")[0])
    assert messages == {"1", "2"}


def test_a_stack_that_keeps_packets_delays_the_pause(loopback: DriverMachine) -> None:
    """The pause is pending until the last packet is given back, and then completes by NdisMPauseComplete."""
    held = perform_with(loopback, "HOST_FLAG_HOLD", SEND)
    assert [type(event) for event in held] == [PacketReceived, NblCompleted, PacketReceived, NblCompleted]
    assert loopback.perform(Pause(name="pause")) == [Returned("pause", 0)]
    lib, operations = loopback._lib, loopback._operations
    loopback.perform(Restart(name="again"))
    array = operations.actors([[(Send(name="kept", nbls=SEND.nbls), None)], [(Pause(name="late"), None)]])
    array[0].operations[0].flags |= lib.HOST_FLAG_HOLD
    lib.host_run(loopback._host, array, 2)
    events = loopback.take_events()
    assert not broken(events)
    assert events[-1] == PauseCompleted("late")
    assert Returned("late", 0x103) in events
