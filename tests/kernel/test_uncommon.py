"""What few miniports need: devices and names of their own, references, handles, processes, security descriptors.

The driver is miniports/uncommon.c. It checks what the host kernel answers, and fails its request where that is not what
Windows would; the deeds from ``FIRST_DEFECT`` on break a rule instead.
"""

from __future__ import annotations

import re
from contextlib import closing
from pathlib import Path

import pytest

from tests.kernel.specimen import MINIPORTS, PACKET, broken, build_miniport, machine_of
from wintun_sim import ndis
from wintun_sim.kernel import DriverGone, DriverMachine
from wintun_sim.operations import (
    Account,
    Cleanup,
    Close,
    Create,
    Event,
    Halt,
    Initialize,
    IrpCompleted,
    Load,
    Oid,
    OidCompleted,
    OidKind,
    Operation,
    Refused,
    Unload,
    Write,
)

OID_DO = 0xFFA00001
BEGIN = (Load(name="driver"), Initialize(name="adapter"), Create(name="handle"))
END = (Cleanup(name="cleanup", handle="handle"), Close(name="close", handle="handle"), Halt(name="halt"))

RULE_OF = {
    "DEREFERENCES_TOO_OFTEN": "REFERENCE_BY_POINTER",
    "REFERENCES_NO_OBJECT": "REFERENCE_BY_POINTER",
    "CLOSES_A_HANDLE_TWICE": "INVALID_KERNEL_HANDLE",
    "TRUSTS_A_USER_HANDLE": "DRIVER_VERIFIER_DETECTED_VIOLATION",
    "REFERENCES_AT_DISPATCH": "IrqlObPassive",
    "DELETES_A_DEVICE_TWICE": "DeleteDevice",
    "DELETES_THE_DEVICE_OF_NDIS": "DeleteDevice",
    "DETACHES_UNATTACHED": "INVALID_PROCESS_DETACH_ATTEMPT",
    "STAYS_ATTACHED": "INVALID_PROCESS_DETACH_ATTEMPT",
    "ATTACHES_AT_DISPATCH": "INVALID_PROCESS_ATTACH_ATTEMPT",
    "PROBES_ODDLY": "ProbeForRead",
    "UNREGISTERS_TWICE": "PnpNotification",
    "FAILS_A_NOTIFICATION": "PnpNotification",
    "KEEPS_A_NOTIFICATION": "LeakAtUnload",
    "KEEPS_A_REFERENCE": "LeakAtUnload",
    "KEEPS_A_HANDLE": "LeakAtUnload",
    "KEEPS_A_LINK": "LeakAtUnload",
    "KEEPS_THE_DEVICE": "DeleteDevice",
    "HOLDS_ITS_OWN_FILE": "LeakAtUnload",
}
CRASHES = {"PROBES_KERNEL_MEMORY": "0xC0000005", "PROBES_MISALIGNED": "0x80000002"}
KEEPS_RULES = [
    "OPENS_A_DEVICE",
    "USES_HANDLES",
    "SHUTS_USERS_OUT",
    "LETS_EVERYONE_IN",
    "REFUSES_BAD_ACLS",
    "VISITS_A_PROCESS",
    "REMEMBERS_A_PROCESS",
    "ASKS_FOR_THE_VERIFIER",
    "HEARS_OF_INTERFACES",
]


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The miniport's image."""
    return build_miniport("uncommon", tmp_path_factory.mktemp("uncommon"))


def deeds() -> list[str]:
    """Return the names of the miniport's deeds by number, as its source lists them."""
    listed = re.search(r"enum deed\n\{(.*?)\}", (MINIPORTS / "uncommon.c").read_text("utf-8"), re.DOTALL)
    assert listed is not None
    return re.findall(r"[A-Z_]+", listed[1])


def do(deed: str, name: str = "do") -> Oid:
    """Return the request that makes the miniport do a deed."""
    data = deeds().index(deed).to_bytes(4, "little")
    return Oid(name=name, kind=OidKind.SET, oid=OID_DO, length=4, data=data)


def perform(machine: DriverMachine, *operations: Operation) -> list[Event]:
    """Carry out operations, and return what came of them."""
    return [event for operation in operations for event in machine.perform(operation)]


def test_every_deed_is_tried() -> None:
    """A deed that no test enacts would prove nothing."""
    assert deeds() == ["DOES_NOTHING", *KEEPS_RULES, "FIRST_DEFECT", *RULE_OF, *CRASHES]


@pytest.mark.parametrize("deed", ["DOES_NOTHING", *KEEPS_RULES])
def test_what_the_host_kernel_answers_is_what_windows_answers(image: Path, deed: str) -> None:
    """The driver has looked at each answer, breaks no rule, and leaves nothing behind."""
    with machine_of(image) as machine:
        events = perform(machine, *BEGIN, do(deed))
        assert [event.status for event in events if isinstance(event, OidCompleted)] == [0]
        assert not broken(events)
        if deed != "REMEMBERS_A_PROCESS":
            ended = perform(machine, Write(name="write", handle="handle", data=PACKET), *END, Unload(name="unload"))
            assert not broken(ended)
            assert not [event for event in ended if isinstance(event, Refused)]


def test_a_descriptor_decides_about_those_who_come_later(image: Path) -> None:
    """The device lets in everyone; then the system alone; then, without a list, everyone again."""
    with machine_of(image) as machine:
        perform(machine, *BEGIN[:2])
        for name, deed, status in (
            ("first", "DOES_NOTHING", 0),
            ("second", "SHUTS_USERS_OUT", ndis.STATUS_ACCESS_DENIED),
            ("third", "LETS_EVERYONE_IN", 0),
        ):
            perform(machine, do(deed, f"before {name}"))
            assert perform(machine, Create(name=name, account=Account.USER)) == [IrpCompleted(name, name, status)]
        perform(machine, do("SHUTS_USERS_OUT", "again"))
        assert perform(machine, Create(name="s", account=Account.SYSTEM)) == [IrpCompleted("s", "s", 0)]


def test_a_process_that_is_gone_stays_for_whoever_refers_to_it(image: Path) -> None:
    """It cannot be looked up any more, but what was looked up before can be used until the reference is given back."""
    with machine_of(image) as machine:
        perform(machine, *BEGIN, do("REMEMBERS_A_PROCESS"), *END[:2])
        events = perform(machine, do("REMEMBERS_A_PROCESS", "later"), Halt(name="halt"), Unload(name="unload"))
        assert [event.status for event in events if isinstance(event, OidCompleted)] == [0]
        assert not broken(events)


def test_interfaces_come_and_go_with_adapters(image: Path) -> None:
    """Another driver's adapter counts as well: one image hears of what the other one brings and takes away."""
    other = build_miniport("loopback", image.parent)
    with closing(DriverMachine(image, order="raw", images={"other": other})) as machine:
        perform(machine, *BEGIN, do("HEARS_OF_INTERFACES"), Load(name="other"))
        events = perform(
            machine,
            Initialize(name="guest", driver="other"),
            Halt(name="halt guest", adapter="guest"),
            do("HEARS_OF_INTERFACES", "later"),
            *END,
            Unload(name="unload"),
        )
        assert [event.status for event in events if isinstance(event, OidCompleted)] == [0]
        assert not broken(events)


def test_an_unload_that_the_driver_itself_blocks_does_not_come(image: Path) -> None:
    """A file object on a device of its own is in use, by nobody but the driver that is to leave."""
    with machine_of(image) as machine:
        perform(machine, *BEGIN, do("HOLDS_ITS_OWN_FILE"), *END)
        events = perform(machine, Unload(name="unload"))
        assert events == broken(events)
        assert len(events) == 1


@pytest.mark.parametrize("deed", RULE_OF)
def test_a_driver_that_does_one_thing_wrong_is_found(image: Path, deed: str) -> None:
    """And the first rule that is named is the one that it broke, not one of the consequences."""
    rules: list[str] = []
    with machine_of(image) as machine:
        story = (*BEGIN, do(deed), Write(name="write", handle="handle", data=PACKET), *END, Unload(name="unload"))
        for operation in story:
            rules += [event.rule for event in broken(machine.perform(operation))]
    assert rules[:1] == [RULE_OF[deed]]


@pytest.mark.parametrize("deed", CRASHES)
def test_what_a_probe_raises_ends_the_run(image: Path, deed: str) -> None:
    """There is no ``__try`` in an image, so nobody handles it; the message names the exception."""
    with machine_of(image) as machine:
        perform(machine, *BEGIN, do(deed))
        (crash,) = broken(machine.perform(Write(name="write", handle="handle", data=PACKET)))
        assert crash.rule == "Crash"
        assert CRASHES[deed] in crash.message
        with pytest.raises(DriverGone):
            machine.perform(END[0])
