"""A driver that hooks its dispatch table sees Plug and Play requests first, and takes handles away from its clients.

The driver is miniports/hooks.c. What it hooks it passes on to what NDIS had put there
(learn.microsoft.com/windows-hardware/drivers/kernel/passing-pnp-irps-down-the-device-stack).
"""

from __future__ import annotations

import re
import struct
from pathlib import Path

import pytest

from tests.kernel.specimen import MINIPORTS, broken, build_miniport, machine_of
from wintun_sim.kernel import DriverMachine
from wintun_sim.operations import (
    Cleanup,
    Create,
    Event,
    Halt,
    Initialize,
    Load,
    Oid,
    OidCompleted,
    OidKind,
    Refused,
    Returned,
    SurpriseRemove,
    Unload,
)

OID_BREAK = 0xFFA00001
OID_COUNTS = 0xFFA00002
SOURCE = (MINIPORTS / "hooks.c").read_text("utf-8")
END = (SurpriseRemove(name="remove"), Halt(name="halt"), Unload(name="unload"))


def listed(name: str) -> list[str]:
    """Return the names of one of the miniport's enumerations, as its source lists them."""
    found = re.search(rf"enum {name}\n\{{(.*?)\}}", SOURCE, re.DOTALL)
    assert found is not None
    return re.findall(r"[A-Z_]+", found[1])


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The miniport's image."""
    return build_miniport("hooks", tmp_path_factory.mktemp("hooks"))


def begin(machine: DriverMachine, defect: str = "KEEPS_ALL") -> None:
    """Make an adapter, whose driver then does one thing differently, and open it."""
    number = listed("defect").index(defect).to_bytes(4, "little")
    for operation in (
        Load(name="driver"),
        Initialize(name="adapter"),
        Oid(name="break", kind=OidKind.SET, oid=OID_BREAK, length=4, data=number),
        Create(name="handle"),
    ):
        assert not broken(machine.perform(operation))


def counts(machine: DriverMachine) -> dict[str, int]:
    """Ask the driver what it has counted."""
    names = listed("count")[:-1]
    (answer,) = machine.perform(Oid(name="counts", kind=OidKind.QUERY, oid=OID_COUNTS, length=4 * len(names)))
    assert isinstance(answer, OidCompleted)
    return {
        name: number
        for name, number in zip(names, struct.unpack(f"<{len(names)}I", answer.data), strict=True)
        if number
    }


def rules(events: list[Event]) -> list[str]:
    """Return the names of the rules that were broken."""
    return [event.rule for event in broken(events)]


def test_the_start_and_a_surprise_removal_reach_ndis_through_the_driver(image: Path) -> None:
    """The adapter is initialized, and told of its removal, only because the hook passed the requests on."""
    with machine_of(image) as machine:
        begin(machine)
        assert counts(machine) == {"STARTS": 1, "CREATES": 1}
        machine.perform(END[0])
        again = Oid(name="again", kind=OidKind.QUERY, oid=OID_COUNTS, length=36)
        (answer,) = machine.perform(again)
        assert isinstance(answer, OidCompleted)
        assert struct.unpack("<9I", answer.data) == (1, 0, 0, 1, 0, 1, 1, 1, 0)


def test_a_driver_that_takes_the_handles_away_is_unloaded_at_once(image: Path) -> None:
    """It found the client's handle in the list of all, and closed it in the client's process: nothing blocks any more.

    What the client does with its handle from then on is refused: it is not there.
    """
    with machine_of(image) as machine:
        begin(machine)
        events = [event for operation in END[1:] for event in machine.perform(operation)]
        assert events == [Returned("halt", 0), Returned("unload", 0)]
        assert isinstance(machine.perform(Cleanup(name="cleanup", handle="handle"))[0], Refused)


def test_a_driver_that_leaves_the_handles_waits_for_its_client(image: Path) -> None:
    with machine_of(image) as machine:
        begin(machine, "LEAVES_HANDLES")
        assert [list(machine.perform(operation)) for operation in END[1:]] == [[Returned("halt", 0)], []]


def test_a_removal_that_the_driver_refuses_comes_as_a_surprise(image: Path) -> None:
    """The veto is taken back, and the device is gone all the same, as if it had been pulled out."""
    with machine_of(image) as machine:
        begin(machine, "VETOES")
        assert list(machine.perform(END[1])) == [Returned("halt", 0)]


def test_a_request_that_is_not_passed_on_is_found(image: Path) -> None:
    with machine_of(image) as machine:
        begin(machine, "PASSES_NOTHING_ON")
        events = list(machine.perform(END[1]))
        assert rules(events) == ["PnpRequest"]
        assert "IRP_MN_REMOVE_DEVICE was completed with 0x00000000 and not passed on" in broken(events)[0].message
        assert events[-1] == Returned("halt", 0)


def test_any_entry_of_the_table_can_be_hooked(image: Path) -> None:
    """Requests to a device of NdisRegisterDeviceEx reach its own routine by way of the hook and of NDIS."""
    with machine_of(image) as machine:
        begin(machine)
        number = listed("defect").index("HOOKS_CREATE").to_bytes(4, "little")
        machine.perform(Oid(name="hook", kind=OidKind.SET, oid=OID_BREAK, length=4, data=number))
        machine.perform(Create(name="second"))
        assert counts(machine) == {"STARTS": 1, "CREATES": 2, "HOOKED_CREATES": 1}
