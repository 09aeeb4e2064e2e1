"""Devices and handles: who may open one, what an old handle keeps alive, and when a driver leaves."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kernel.specimen import PACKET, broken, build_miniport, machine_of
from wintun_sim import ndis
from wintun_sim.errors import UsageError
from wintun_sim.kernel import DriverMachine, Fault
from wintun_sim.operations import (
    Account,
    Cancel,
    Cleanup,
    Close,
    Counters,
    Create,
    Event,
    Halt,
    Initialize,
    IrpCompleted,
    Load,
    Operation,
    PacketReceived,
    Read,
    Refused,
    Restart,
    Returned,
    Unload,
    Write,
)

BEGIN = (Load(name="driver"), Initialize(name="adapter"), Restart(name="restart"), Create(name="handle"))


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The specimen's image."""
    return build_miniport("specimen", tmp_path_factory.mktemp("specimen"))


def perform_all(machine: DriverMachine, *operations: Operation) -> list[Event]:
    """Carry out operations that break no rule, and return what came of them."""
    events = [event for operation in operations for event in machine.perform(operation)]
    assert not broken(events)
    return events


@pytest.mark.parametrize(
    ("account", "status"),
    [(Account.SYSTEM, 0), (Account.ADMINISTRATOR, 0), (Account.USER, ndis.STATUS_ACCESS_DENIED)],
)
def test_the_security_descriptor_decides_who_opens(image: Path, account: Account, status: int) -> None:
    """The specimen's lets in everyone, but first denies users to write; entries count in their order."""
    with machine_of(image) as machine:
        perform_all(machine, *BEGIN[:3])
        assert perform_all(machine, Create(name="h", account=account)) == [IrpCompleted("h", "h", status)]
        assert machine.counters("adapter") == Counters(0, 0, int(status == 0))


def test_an_old_handle_outlives_its_adapter(image: Path) -> None:
    """Device object and code stay for it, the driver refuses its requests, and leaves with its close."""
    with machine_of(image) as machine:
        perform_all(machine, *BEGIN, Read(name="read", handle="handle"))
        assert perform_all(machine, Halt(name="halt")) == [
            IrpCompleted("read", "handle", ndis.STATUS_CANCELLED),
            Returned("halt", 0),
        ]
        assert perform_all(machine, Unload(name="unload")) == []
        gone = IrpCompleted("write", "handle", ndis.STATUS_INVALID_HANDLE)
        assert perform_all(machine, Write(name="write", handle="handle", data=PACKET)) == [gone]
        assert perform_all(machine, Cleanup(name="cleanup", handle="handle"), Close(name="close", handle="handle")) == [
            IrpCompleted("cleanup", "handle", ndis.STATUS_INVALID_HANDLE),
            IrpCompleted("close", "handle", ndis.STATUS_INVALID_HANDLE),
            Returned("unload", 0),
        ]


def test_an_adapter_that_comes_back_has_a_new_device_under_the_old_name(image: Path) -> None:
    """The old handle stays with the old device object, and a new one reaches the new adapter."""
    with machine_of(image) as machine:
        perform_all(machine, *BEGIN, Halt(name="halt"), Initialize(name="again"))
        perform_all(machine, Restart(name="restart again", adapter="again"), Create(name="new", adapter="again"))
        events = perform_all(
            machine,
            Write(name="old write", handle="handle", data=PACKET),
            Write(name="new write", handle="new", data=PACKET),
        )
        assert events == [
            IrpCompleted("old write", "handle", ndis.STATUS_INVALID_HANDLE),
            PacketReceived("new write", PACKET),
            IrpCompleted("new write", "new", 0, len(PACKET)),
        ]


def test_a_name_that_is_taken_fails_the_initialization_and_nothing_leaks(image: Path) -> None:
    """The specimen has one name for all its devices, so its second adapter cannot have one."""
    with machine_of(image) as machine:
        perform_all(machine, *BEGIN[:2])
        assert perform_all(machine, Initialize(name="second")) == [Returned("second", 0xC0000035)]


def test_two_images_live_side_by_side_with_globals_of_their_own(image: Path) -> None:
    """A hot update: the new driver serves while a handle still keeps the old one."""
    machine = DriverMachine(image, order="raw", images={"new driver": image})
    perform_all(machine, *BEGIN, Halt(name="halt"), Unload(name="unload"))
    perform_all(machine, Load(name="new driver"), Initialize(name="new", driver="new driver"))
    perform_all(machine, Restart(name="r", adapter="new"), Create(name="h", adapter="new"))
    events = perform_all(
        machine,
        Cleanup(name="cleanup", handle="handle"),
        Close(name="close", handle="handle"),
        Write(name="write", handle="h", data=PACKET),
    )
    assert events[1:] == [
        IrpCompleted("close", "handle", ndis.STATUS_INVALID_HANDLE),
        Returned("unload", 0),
        PacketReceived("write", PACKET),
        IrpCompleted("write", "h", 0, len(PACKET)),
    ]
    machine.close()


def test_a_handle_with_a_pending_request_is_not_closed(image: Path) -> None:
    with machine_of(image) as machine:
        perform_all(machine, *BEGIN, Cleanup(name="cleanup", handle="handle"), Read(name="read", handle="handle"))
        assert machine.counters("adapter") == Counters(0, 1, 1)
        (refused,) = machine.perform(Close(name="close", handle="handle"))
        assert isinstance(refused, Refused)
        cancelled = [IrpCompleted("read", "handle", ndis.STATUS_CANCELLED)]
        assert perform_all(machine, Cancel(name="cancel", request="read")) == cancelled
        assert perform_all(machine, Cancel(name="again", request="read")) == []
        assert perform_all(machine, Close(name="close 2", handle="handle")) == [IrpCompleted("close 2", "handle", 0)]


@pytest.mark.parametrize("fault", [Fault.NBL_POOL, Fault.DEVICE, Fault.ATTRIBUTES, Fault.POOL])
def test_what_fails_during_initialization_leaves_nothing_behind(image: Path, fault: Fault) -> None:
    """Each attempt in turn fails, until one initialization gets through."""
    with machine_of(image) as machine:
        perform_all(machine, *BEGIN[:1])
        failed = 0
        for after in range(8):
            machine.inject(fault, after=after)
            (*_, returned) = perform_all(machine, Initialize(name=f"adapter {after}"))
            assert isinstance(returned, Returned)
            if returned.status == 0:
                break
            failed += 1
        assert failed > 0
        perform_all(machine, Halt(name="halt", adapter=f"adapter {failed}"), Unload(name="unload"))


def test_a_read_that_cannot_be_mapped_fails_alone(image: Path) -> None:
    with machine_of(image) as machine:
        perform_all(machine, *BEGIN)
        machine.inject(Fault.MAPPING)
        write = Write(name="write", handle="handle", data=PACKET)
        assert perform_all(machine, write) == [IrpCompleted("write", "handle", ndis.STATUS_INVALID_PARAMETER)]


@pytest.mark.parametrize("name", ["nothing.so", "text.so"])
def test_an_image_that_is_none_is_bad_input(tmp_path: Path, name: str) -> None:
    """One line that names the file; no traceback, no crash."""
    (tmp_path / "text.so").write_text("This is no image.\n", "utf-8")
    with pytest.raises(UsageError, match=name):
        DriverMachine(tmp_path / name).perform(Load(name="driver"))


def test_a_machine_says_what_it_does_not_know(image: Path) -> None:
    with machine_of(image) as machine:
        with pytest.raises(ValueError, match="no adapter 'nobody'"):
            machine.counters("nobody")
        with pytest.raises(ValueError, match="no snapshot"):
            machine.restore()
    with pytest.raises(ValueError, match=r"NDIS 5\.1"):
        DriverMachine(image, ndis=(5, 1))
