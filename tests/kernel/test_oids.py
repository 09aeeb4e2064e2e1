"""Requests that pend: NDIS may cancel them, waits for them before a halt, and loses patience after 12 seconds.

The driver is miniports/oids.c: what it is asked for pends until it is cancelled
(learn.microsoft.com/windows-hardware/drivers/ddi/ndis/nc-ndis-miniport_cancel_oid_request).
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.kernel.specimen import MINIPORTS, broken, build_miniport, machine_of, perform_with
from wintun_sim.kernel import DriverMachine
from wintun_sim.operations import Halt, Initialize, Load, Oid, OidCompleted, OidKind, Refused, Returned, Unload

OID_BREAK = 0xFFA00001
OID_PENDS = 0xFFA00002
REQUEST_ABORTED = 0xC001000C
BEGIN = (Load(name="driver"), Initialize(name="adapter"))


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The miniport's image."""
    return build_miniport("oids", tmp_path_factory.mktemp("oids"))


def begin(machine: DriverMachine, defect: str = "KEEPS_ALL") -> None:
    """Make an adapter whose driver has a defect."""
    listed = re.search(r"enum defect\n\{(.*?)\}", (MINIPORTS / "oids.c").read_text("utf-8"), re.DOTALL)
    assert listed is not None
    number = re.findall(r"[A-Z_]+", listed[1]).index(defect).to_bytes(4, "little")
    for operation in (*BEGIN, Oid(name="break", kind=OidKind.SET, oid=OID_BREAK, length=4, data=number)):
        assert not broken(machine.perform(operation))


def pends(name: str = "oid", direct: bool = False) -> Oid:
    """Return a request that pends."""
    return Oid(name=name, kind=OidKind.QUERY, oid=OID_PENDS, length=4, direct=direct)


@pytest.mark.parametrize("direct", [False, True])
@pytest.mark.parametrize("level", ["", " HOST_FLAG_AT_DISPATCH"])
def test_a_request_that_pends_is_cancelled(image: Path, direct: bool, level: str) -> None:
    """The driver finds it by its id, and completes it as aborted: at either IRQL that the handler may be called at."""
    with machine_of(image) as machine:
        begin(machine)
        events = perform_with(machine, "HOST_FLAG_CANCEL" + level, pends(direct=direct))
        assert events == [OidCompleted("oid", REQUEST_ABORTED, 0, 0)]


def test_requests_are_asked_one_at_a_time_and_direct_ones_are_not(image: Path) -> None:
    """A second request waits for the first one, which a protocol sees as a refusal here; direct ones go through."""
    with machine_of(image) as machine:
        begin(machine)
        assert not machine.perform(pends("first"))
        assert isinstance(machine.perform(pends("second"))[0], Refused)
        assert not machine.perform(pends("third", direct=True))
        assert not machine.perform(pends("fourth", direct=True))


def test_a_halt_comes_when_every_request_was_cancelled_and_is_complete(image: Path) -> None:
    """The driver gets them all back before MiniportHaltEx, so that nothing is left of the adapter."""
    with machine_of(image) as machine:
        begin(machine)
        machine.perform(pends("first"))
        machine.perform(pends("direct", direct=True))
        events = machine.perform(Halt(name="halt"))
        assert events == [
            OidCompleted("direct", REQUEST_ABORTED, 0, 0),
            OidCompleted("first", REQUEST_ABORTED, 0, 0),
            Returned("halt", 0),
        ]
        assert not broken(machine.perform(Unload(name="unload")))


def test_a_request_that_nobody_cancels_is_late_after_twelve_seconds(image: Path) -> None:
    with machine_of(image) as machine:
        begin(machine)
        machine.perform(pends())
        assert not broken(machine.pass_time(11.0, 11.0))
        (late,) = broken(machine.pass_time(1.0, 1.0))
        assert (late.operation, late.rule) == ("oid", "NdisTimedOidComplete")


def test_a_halt_does_not_wait_for_ever_for_a_request_that_the_driver_ignores(image: Path) -> None:
    """The rule names the request; what the driver does with it after the halt is not NDIS' any more."""
    with machine_of(image) as machine:
        begin(machine, "IGNORES_CANCEL")
        machine.perform(pends())
        events = machine.perform(Halt(name="halt"))
        assert [event.rule for event in broken(events)] == ["NdisTimedOidComplete"]
        assert "0xFFA00002" in broken(events)[0].message
        assert Returned("halt", 0) in events
        assert not broken(machine.perform(Unload(name="unload")))


def test_a_cancel_handler_is_held_to_its_irql(image: Path) -> None:
    with machine_of(image) as machine:
        begin(machine, "CANCELS_AT_ANOTHER_LEVEL")
        events = perform_with(machine, "HOST_FLAG_CANCEL", pends())
        (rule,) = broken(events)
        assert rule.rule == "IrqlReturn"
        assert "MiniportCancelOidRequest" in rule.message


def test_a_synchronous_request_is_answered_before_its_handler_returns(image: Path) -> None:
    """NDIS 6.80 has it; a driver that pends it breaks a rule."""
    with machine_of(image) as machine:
        begin(machine)
        events = perform_with(machine, "HOST_FLAG_SYNCHRONOUS", pends(direct=True))
        assert events == [OidCompleted("oid", 0, 0, 0)]
    with machine_of(image) as machine:
        begin(machine, "PENDS_SYNCHRONOUSLY")
        events = perform_with(machine, "HOST_FLAG_SYNCHRONOUS", pends(direct=True))
        assert [event.rule for event in broken(events)] == ["NdisOidComplete"]
