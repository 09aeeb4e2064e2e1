"""A miniport in a style of its own, on the same host: work items, NDIS spin locks, OIDs and pauses that are pending."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kernel.specimen import OID_ANY, PACKET, broken, build_miniport, machine_of
from wintun_sim.kernel import DriverGone, DriverMachine
from wintun_sim.operations import (
    Halt,
    Initialize,
    Load,
    Nbl,
    NblCompleted,
    Oid,
    OidCompleted,
    OidKind,
    Operation,
    PacketReceived,
    Pause,
    PauseCompleted,
    Restart,
    Returned,
    Send,
    Unload,
)

BEGIN = (Load(name="driver"), Initialize(name="adapter"), Restart(name="restart"))
NBL = Nbl((PACKET, PACKET + b"second"), mdl_size=7, data_offset=5)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The loopback's image."""
    return build_miniport("loopback", tmp_path_factory.mktemp("loopback"))


def perform_all(machine: DriverMachine, operations: tuple[Operation, ...]) -> None:
    """Carry out operations that nothing remarkable comes of."""
    for operation in operations:
        assert not broken(machine.perform(operation)), operation


def test_what_is_sent_comes_back_and_is_given_back(image: Path) -> None:
    """Packets over several MDLs are put together, indicated without RESOURCES and returned; nothing is left over."""
    with machine_of(image) as machine:
        perform_all(machine, BEGIN)
        assert machine.perform(Send(name="send", nbls=(NBL, NBL))) == [
            PacketReceived("send", PACKET),
            PacketReceived("send", PACKET + b"second"),
            NblCompleted("send", 0, 0),
            PacketReceived("send", PACKET),
            PacketReceived("send", PACKET + b"second"),
            NblCompleted("send", 1, 0),
        ]
        assert machine.counters("adapter").nbls_owned == 0
        perform_all(machine, (Pause(name="pause"), Halt(name="halt"), Unload(name="unload")))
        assert not broken(machine.check())


def test_an_oid_request_may_be_completed_later(image: Path) -> None:
    with machine_of(image) as machine:
        perform_all(machine, BEGIN)
        oid = Oid(name="oid", kind=OidKind.QUERY, oid=OID_ANY, length=8)
        assert machine.perform(oid) == [OidCompleted("oid", 0, 0, 0)]


def test_a_pause_that_meets_a_send_is_pending_and_completes_once(image: Path) -> None:
    """Under many interleavings of a send, a pause and the work item that both of them wait for."""
    pending = 0
    machine = DriverMachine(image, order="raw", seed=7)
    perform_all(machine, BEGIN)
    machine.snapshot()
    for _ in range(2000):
        machine.restore()
        events = machine.play([[Send(name="send", nbls=(NBL,))], [Pause(name="pause")]])
        assert not broken(events)
        returned = [event.status for event in events if isinstance(event, Returned)]
        completed = [event for event in events if isinstance(event, PauseCompleted)]
        assert (returned, len(completed)) in (([0], 0), ([0x103], 1))
        assert sum(isinstance(event, NblCompleted) for event in events) == 1
        pending += len(completed)
    machine.close()
    assert 0 < pending < 2000


def test_a_driver_that_crashes_is_a_finding_and_not_the_end_of_the_process(tmp_path: Path) -> None:
    """The event says where; from then on the machine can only be closed."""
    with machine_of(build_miniport("loopback", tmp_path, ["CRASH"])) as machine:
        perform_all(machine, BEGIN[:2])
        (crash,) = broken(machine.perform(Restart(name="restart")))
        assert crash.rule == "Crash"
        assert "MiniportRestart" in crash.message
        with pytest.raises(DriverGone, match="restart 'restart' ended the driver"):
            machine.perform(Pause(name="pause"))


def test_a_driver_that_waits_for_ever_is_a_finding(tmp_path: Path) -> None:
    """It is named with the handler that waits, without waiting for it in real time."""
    with machine_of(build_miniport("loopback", tmp_path, ["STUCK"])) as machine:
        perform_all(machine, (*BEGIN, Pause(name="pause")))
        (stuck,) = broken(machine.perform(Halt(name="halt")))
        assert stuck.rule == "Stuck"
        assert "MiniportHaltEx waits" in stuck.message
        with pytest.raises(DriverGone):
            machine.perform(Unload(name="unload"))
