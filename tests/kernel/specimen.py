"""Plays a small miniport of the tests' own (miniports/specimen.c), well-behaved or with one defect."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from wintun_sim.kernel import DriverMachine
from wintun_sim.kernel.builder import build
from wintun_sim.operations import (
    Cancel,
    Cleanup,
    Close,
    Create,
    Event,
    Halt,
    Initialize,
    Load,
    Nbl,
    Oid,
    OidKind,
    Operation,
    Pause,
    Read,
    Restart,
    RuleBroken,
    Send,
    Unload,
    Write,
)

MINIPORTS = Path(__file__).parent / "miniports"
OID_BREAK = 0xFFA00001
OID_ANY = 0xFFA00002
PACKET = bytes([0x45]) + bytes(19)


def defects() -> list[str]:
    """Return the names of the specimen's defects by number, as its source lists them; number 0 keeps all rules."""
    text = (MINIPORTS / "specimen.c").read_text("utf-8")
    listed = re.search(r"enum defect\n\{(.*?)\}", text, re.DOTALL)
    assert listed is not None
    return re.findall(r"[A-Z_]+", listed[1])


def build_miniport(name: str, place: Path, define: Sequence[str] = ()) -> Path:
    """Build an image of one of the tests' miniports into the directory `place`."""
    image = place / f"{name}{''.join(define)}.so"
    build([MINIPORTS / f"{name}.c"], image, define=define)
    return image


def break_by(defect: str, adapter: str = "adapter") -> Oid:
    """Return the request that makes the specimen's driver enact a defect from now on."""
    number = defects().index(defect).to_bytes(4, "little")
    return Oid(name=f"break {adapter}", adapter=adapter, kind=OidKind.SET, oid=OID_BREAK, length=4, data=number)


def life(defect: str = "KEEPS_ALL") -> Iterator[Operation]:
    """Yield a life in which each thing happens at least once; the defect is set before anything could show it.

    The first adapter only takes the order to break a rule: initialization itself is something to do wrong.
    """
    yield Load(name="driver")
    yield Initialize(name="first")
    yield break_by(defect, "first")
    yield Halt(name="halt first", adapter="first")
    yield Initialize(name="adapter")
    yield Restart(name="restart")
    yield Create(name="handle")
    yield Oid(name="query", kind=OidKind.QUERY, oid=OID_ANY, length=4)
    yield Oid(name="short query", kind=OidKind.QUERY, oid=OID_ANY, length=2)
    yield Oid(name="query power", kind=OidKind.QUERY, oid=0xFD010102, length=4)
    yield Read(name="read", handle="handle")
    yield Send(name="send", nbls=(Nbl((PACKET,)),))
    yield Write(name="write", handle="handle", data=PACKET)
    yield Send(name="many", nbls=tuple(Nbl((PACKET,)) for _ in range(200)))
    yield Read(name="waits", handle="handle")
    yield Cancel(name="cancel", request="waits")
    yield Cleanup(name="cleanup", handle="handle")
    yield Close(name="close", handle="handle")
    yield Pause(name="pause")
    yield Halt(name="halt")
    yield Unload(name="unload")


def perform_with(machine: DriverMachine, flag: str, operation: Operation) -> list[Event]:
    """Carry out an operation in a way that operations cannot say: `flag` are names of ``enum host_flag``."""
    array = machine._operations.array([(operation, None)])
    for name in flag.split():
        array[0].flags |= getattr(machine._lib, name)
    machine._lib.host_perform(machine._host, array, 1, machine._ffi.NULL)
    return machine.take_events()


def broken(events: Sequence[Event]) -> list[RuleBroken]:
    """Return the broken rules among events."""
    return [event for event in events if isinstance(event, RuleBroken)]


@contextmanager
def machine_of(image: Path, order: str = "raw") -> Iterator[DriverMachine]:
    """Make a machine that loads `image`, and close it in the end."""
    machine = DriverMachine(image, order=order)
    try:
        yield machine
    finally:
        machine.close()
