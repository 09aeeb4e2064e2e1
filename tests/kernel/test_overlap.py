"""The project's driver and several calls into it at once: under every schedule all comes back once, none is left over,
and no two accesses to the same memory race.

Which pairs may overlap is what ``lifecycle.may_overlap`` says of the raw order. Each pair meets an adapter that is
Running and has either a read waiting or a half-read NBL. Afterwards the adapter is halted, the handles are closed and
the driver is unloaded, so that whatever was lost on the way shows as a leak, a handle that cannot be closed or a packet
that never came back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import pytest

from tests.kernel.specimen import PACKET, broken
from wintun_sim import native
from wintun_sim.kernel import DriverMachine
from wintun_sim.operations import (
    Cancel,
    CancelSend,
    Cleanup,
    Close,
    Create,
    Event,
    Halt,
    Initialize,
    IrpCompleted,
    Load,
    Nbl,
    NblCompleted,
    Oid,
    OidKind,
    Operation,
    Pause,
    PauseCompleted,
    PowerState,
    Read,
    Refused,
    Restart,
    Returned,
    Send,
    SetPower,
    Shutdown,
    Unload,
    Write,
)

SCHEDULES = 120
RECORD = len(PACKET).to_bytes(4, "little") + bytes(12) + PACKET + bytes(-len(PACKET) % 16)

BEGIN = (
    Load(name="driver"),
    Initialize(name="adapter"),
    Restart(name="restart"),
    Create(name="first"),
    Create(name="second"),
)
HALF_READ = (
    Read(name="short", handle="first", length=61440),
    Send(name="earlier", nbls=(Nbl((PACKET, bytes([0x45]) + bytes(61423)), cancel_id=1), Nbl((PACKET,)))),
)
WAITING = (Read(name="waiting", handle="second"),)
BEFORE: dict[str, tuple[Operation, ...]] = {"read waiting": WAITING, "half read": HALF_READ}

CALLS: dict[str, tuple[Operation, ...]] = {
    "send": (Send(name="send", nbls=(Nbl((PACKET, PACKET)), Nbl(()), Nbl((PACKET,), cancel_id=1))),),
    "more": (Send(name="more", nbls=(Nbl((PACKET,)),)), Send(name="much", nbls=(Nbl((bytes(61425), PACKET)),))),
    "cancel-send": (CancelSend(name="cancel send", cancel_id=1),),
    "read": (Read(name="read", handle="first"), Read(name="small", handle="first", length=100)),
    "write": (Write(name="write", handle="first", data=RECORD * 3),),
    "cancel": (Cancel(name="cancel", request="waiting"),),
    "create": (Create(name="third"), Cleanup(name="cleanup 3", handle="third"), Close(name="close 3", handle="third")),
    "cleanup": (Cleanup(name="cleanup", handle="second"),),
    "oid": (Oid(name="oid", kind=OidKind.STATISTICS, oid=0x00020106, length=152),),
    "set-power": (SetPower(name="sleep", state=PowerState.D3), SetPower(name="wake", state=PowerState.D0)),
    "pause": (Pause(name="pause"),),
    "halt": (Halt(name="halt"),),
    "shutdown": (Shutdown(name="shutdown"),),
}
NEVER = {
    frozenset(pair)
    for pair in (
        *(("halt", other) for other in ("send", "more", "cancel-send", "oid", "set-power", "pause", "shutdown")),
        *(("set-power", other) for other in ("oid", "pause")),
    )
}
PAIRS = [
    (one, other) for number, one in enumerate(CALLS) for other in list(CALLS)[number + 1 :] if {one, other} not in NEVER
]


@pytest.fixture(scope="module", params=[(first, image) for first in BEFORE for image in ("plain", "instrumented")])
def machine(request: pytest.FixtureRequest) -> Iterator[DriverMachine]:
    """The driver, Running, at the snapshot that each run begins from; its instrumented image tells of every access."""
    first, image = request.param
    machine = DriverMachine(native.driver_image(instrumented=image == "instrumented"), order="raw", seed=1)
    for operation in (*BEGIN, *BEFORE[first]):
        assert not broken(machine.perform(operation))
    machine.snapshot()
    yield machine
    machine.close()


def end(played: Sequence[Operation]) -> Iterator[Operation]:
    """Yield what takes everything down after `played`."""
    verbs = {operation.verb for operation in played}
    if "shutdown" in verbs:
        return
    if "halt" not in verbs:
        yield Halt(name="halt")
    for handle in ("first", "second"):
        if not any(isinstance(operation, Cleanup) and operation.handle == handle for operation in played):
            yield Cleanup(name=f"cleanup {handle}", handle=handle)
        yield Close(name=f"close {handle}", handle=handle)
    yield Unload(name="unload")


def check(played: Sequence[Operation], events: Sequence[Event]) -> None:
    """Everything that was asked for came back exactly once, and no rule was broken; whose create came after the halt
    has no handle to clean up and to close."""
    assert not broken(events)
    failed = {event.operation for event in events if isinstance(event, IrpCompleted) and event.status != 0}
    impossible = [
        operation for operation in played if isinstance(operation, (Cleanup, Close)) and operation.handle in failed
    ]
    assert [event.operation for event in events if isinstance(event, Refused)] == [op.name for op in impossible]
    came = Counter(
        (event.operation, event.index if isinstance(event, NblCompleted) else 0)
        for event in events
        if isinstance(event, (IrpCompleted, NblCompleted, Returned, PauseCompleted))
        and not (isinstance(event, Returned) and event.status == 0x103)
    )
    assert set(came.values()) == {1}
    for operation in played:
        if isinstance(operation, Send):
            for index in range(len(operation.nbls)):
                assert came[operation.name, index] == 1
        elif operation not in impossible and not isinstance(operation, (CancelSend, Cancel, Oid, SetPower)):
            assert came[operation.name, 0] == 1, operation


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_two_calls_at_once_lose_nothing(machine: DriverMachine, one: str, other: str) -> None:
    """Under random schedules; the seed of the machine determines them all."""
    played = [*CALLS[one], *CALLS[other]]
    for _ in range(SCHEDULES):
        machine.restore()
        events = list(machine.play([CALLS[one], CALLS[other]]))
        for operation in end(played):
            events += machine.play([[operation]])
        if Unload(name="unload") in list(end(played)):
            check(played, events)
        else:
            assert not broken(events)
