"""What the driver does when Windows has nothing left to give, on each version of NDIS, and at DISPATCH_LEVEL.

Memory, mappings and registrations hardly ever fail on a developer's machine, and then fail on a user's at the worst
time. Here each fails once, and what must follow is what the adapter's description says, not what was seen.
"""

import struct
from collections.abc import Iterator, Sequence
from functools import partial

import pytest

from wintun_sim import ndis
from wintun_sim.errors import UnavailableError
from wintun_sim.kernel.machine import Demand, DriverMachine, Fault
from wintun_sim.operations import (
    CancelSend,
    Cleanup,
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
    Oid,
    OidCompleted,
    OidKind,
    Operation,
    PacketReceived,
    Pause,
    Read,
    Restart,
    Returned,
    RuleBroken,
    Send,
    Unload,
    Write,
)

PACKETS = [bytes([0x45, number]) + bytes(26) for number in range(3)]
RECORD = 48  # bytes: a header of 16, a packet of 28, padding
STATISTICS_SIZE = 152
IN_ERRORS, IN_PACKETS = 1, 3  # which of the 64-bit counters of NDIS_STATISTICS_INFO


def machine_of(version: tuple[int, int]) -> Iterator[DriverMachine]:
    try:
        machine = DriverMachine(ndis=version)
    except UnavailableError as error:
        pytest.skip(str(error))
    yield machine
    machine.close()


@pytest.fixture
def machine() -> Iterator[DriverMachine]:
    """The driver, loaded."""
    for made in machine_of((6, 80)):
        assert status(made.perform(Load(name="driver"))) == ndis.STATUS_SUCCESS
        yield made


def play(machine: DriverMachine, *operations: Operation) -> list[Event]:
    return [event for operation in operations for event in machine.perform(operation)]


def status(events: Sequence[Event]) -> int:
    """Return the status of the one handler that returned."""
    (returned,) = [event for event in events if isinstance(event, Returned)]
    return returned.status


def initialize(machine: DriverMachine, name: str = "adapter") -> Sequence[Event]:
    return machine.perform(Initialize(name=name, driver="driver"))


def running(machine: DriverMachine) -> None:
    """Initialize, restart, and open a handle."""
    initialize(machine)
    play(machine, Restart(name="restart", adapter="adapter"), Create(name="handle", adapter="adapter"))


def goes(machine: DriverMachine) -> None:
    """Close the handle, pause, halt, and unload; nothing may be left."""
    pause = Pause(name="last pause", adapter="adapter")
    play(machine, Cleanup(name="cleanup", handle="handle"), Close(name="close", handle="handle"), pause)
    unload = Unload(name="unload", driver="driver")
    events = play(machine, Halt(name="halt", adapter="adapter"), unload)
    assert events == [Returned("halt", ndis.STATUS_SUCCESS), Returned("unload", ndis.STATUS_SUCCESS)]
    assert machine.check() == []


def counter(machine: DriverMachine, position: int) -> int:
    (answer,) = machine.perform(
        Oid(
            name=f"statistics {position}",
            adapter="adapter",
            kind=OidKind.QUERY,
            oid=ndis.OID_GEN_STATISTICS,
            length=STATISTICS_SIZE,
        )
    )
    assert isinstance(answer, OidCompleted)
    value: int = struct.unpack_from("<18Q", answer.data, 8)[position]
    return value


def records() -> bytes:
    """Three records, coded here from the description of the format."""
    return b"".join(struct.pack("<I12x", len(packet)) + packet + bytes(4) for packet in PACKETS)


# Coming up


@pytest.mark.parametrize("version", [(6, 20), (6, 30), (6, 40), (6, 80), (6, 89)])
def test_the_driver_registers_with_every_ndis_that_it_knows_and_any_later_one(version: tuple[int, int]) -> None:
    """From Windows 7 on. The host breaks a rule where a header's revision does not fit the version registered for."""
    for machine in machine_of(version):
        assert play(machine, Load(name="driver")) == [Returned("driver", ndis.STATUS_SUCCESS)]
        assert initialize(machine) == [LinkChanged("adapter", False), Returned("adapter", ndis.STATUS_SUCCESS)]
        play(machine, Halt(name="halt", adapter="adapter"))
        assert play(machine, Unload(name="unload", driver="driver")) == [Returned("unload", ndis.STATUS_SUCCESS)]


@pytest.mark.parametrize("version", [(6, 0), (6, 1)])
def test_an_older_ndis_is_told_so_and_nothing_remains(version: tuple[int, int]) -> None:
    for machine in machine_of(version):
        (event,) = machine.perform(Load(name="driver"))
        assert event == Returned("driver", ndis.NDIS_STATUS_UNSUPPORTED_REVISION)


@pytest.mark.parametrize(
    ("fault", "place"),
    [
        (Fault.POOL, 0),
        (Fault.ATTRIBUTES, 0),
        (Fault.ATTRIBUTES, 1),
        (Fault.NBL_POOL, 0),
        (Fault.DEVICE, 0),
    ],
)
def test_an_initialize_that_lacks_something_fails_and_leaves_nothing(
    machine: DriverMachine, fault: Fault, place: int
) -> None:
    """Whatever is missing, what was there already goes back: the driver can try again, and unload without a leak.

    The link is told of once the attributes are set, and before the pool and the device are made.
    """
    machine.inject(fault, after=place)
    told = [LinkChanged("unlucky", False)] if fault in (Fault.NBL_POOL, Fault.DEVICE) else []
    assert initialize(machine, "unlucky") == [*told, Returned("unlucky", ndis.NDIS_STATUS_FAILURE)]

    machine.inject(fault, count=0)
    assert status(initialize(machine)) == ndis.STATUS_SUCCESS
    play(machine, Halt(name="halt", adapter="adapter"))
    assert play(machine, Unload(name="unload", driver="driver")) == [Returned("unload", ndis.STATUS_SUCCESS)]
    assert machine.check() == []


def test_a_driver_that_cannot_register_is_not_loaded() -> None:
    for machine in machine_of((6, 80)):
        machine.inject(Fault.REGISTER)
        (event,) = machine.perform(Load(name="driver"))
        assert isinstance(event, Returned)
        assert event.status != ndis.STATUS_SUCCESS


# Under way


@pytest.mark.parametrize("fault", [Fault.MDL, Fault.NBL])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_packet_that_cannot_be_described_to_the_stack_is_skipped_and_counted(
    machine: DriverMachine, fault: Fault, place: int
) -> None:
    """The client is not told, as with any packet that a network loses; the others of its write arrive.

    Nothing of it is left when the driver goes.
    """
    running(machine)
    machine.inject(fault, after=place)
    events = play(machine, Write(name="write", handle="handle", data=records()))
    arrived = [packet for position, packet in enumerate(PACKETS) if position != place]
    assert events == [
        *(PacketReceived("write", packet) for packet in arrived),
        IrpCompleted("write", "handle", ndis.STATUS_SUCCESS, 3 * RECORD),
    ]
    assert [event.data for event in events if isinstance(event, PacketReceived)] == arrived
    assert (counter(machine, IN_PACKETS), counter(machine, IN_ERRORS)) == (2, 1)
    goes(machine)


def test_a_buffer_that_cannot_be_mapped_fails_its_request_and_no_other(machine: DriverMachine) -> None:
    running(machine)
    machine.inject(Fault.MAPPING, count=2)
    events = play(
        machine,
        Read(name="read", handle="handle"),
        Write(name="write", handle="handle", data=records()),
        Write(name="again", handle="handle", data=records()),
    )
    short_of_memory = ndis.STATUS_INSUFFICIENT_RESOURCES
    assert [event for event in events if isinstance(event, IrpCompleted)] == [
        IrpCompleted("read", "handle", short_of_memory, 0),
        IrpCompleted("write", "handle", short_of_memory, 0),
        IrpCompleted("again", "handle", ndis.STATUS_SUCCESS, 3 * RECORD),
    ]
    assert (counter(machine, IN_PACKETS), counter(machine, IN_ERRORS)) == (3, 0)
    pause = Pause(name="pause", adapter="adapter")
    assert play(machine, pause) == [Returned("pause", ndis.STATUS_SUCCESS)], "the failed write is not counted any more"
    play(machine, Restart(name="restart again", adapter="adapter"))
    goes(machine)


def always(demand: Demand, operation: Operation) -> Demand:
    return demand


def test_what_the_stack_does_at_dispatch_level_comes_out_the_same() -> None:
    """Most sends come so on Windows: from a DPC, or with a lock of somebody's held."""
    packets = tuple(PACKETS)
    story = (
        Load(name="driver"),
        Initialize(name="adapter", driver="driver"),
        Restart(name="restart", adapter="adapter"),
        Send(name="refused", adapter="adapter", nbls=(Nbl(packets),)),
        Create(name="handle", adapter="adapter"),
        Read(name="read", handle="handle"),
        Send(name="served", adapter="adapter", nbls=(Nbl(packets), Nbl(()))),
        Send(name="queued", adapter="adapter", nbls=(Nbl(packets, cancel_id=1), Nbl(packets))),
        CancelSend(name="cancel", adapter="adapter", cancel_id=1),
        Write(name="write", handle="handle", data=records()),
        Pause(name="pause", adapter="adapter"),
    )
    events: list[list[Event]] = []
    for demand in (Demand.NONE, Demand.AT_DISPATCH):
        try:
            machine = DriverMachine(order="raw", demand=partial(always, demand))
        except UnavailableError as error:
            pytest.skip(str(error))
        events.append(play(machine, *story))
        machine.close()
    assert [event for event in events[1] if isinstance(event, RuleBroken)] == []
    assert events[0] == events[1]
    statuses = [event.status for event in events[1] if isinstance(event, NblCompleted)]
    disconnected, cancelled = ndis.NDIS_STATUS_MEDIA_DISCONNECTED, ndis.NDIS_STATUS_SEND_ABORTED
    assert statuses == [disconnected, 0, 0, cancelled, ndis.STATUS_NDIS_PAUSED]
