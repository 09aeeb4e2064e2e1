"""Batches: what a driver does with hundreds of operations at once is what it does with one after another."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from tests.kernel.specimen import PACKET
from wintun_sim import native
from wintun_sim.kernel import DriverMachine, builder
from wintun_sim.kernel.batch import COLUMNS, BatchMachine
from wintun_sim.operations import (
    CancelSend,
    Counters,
    Create,
    Event,
    Initialize,
    Load,
    Nbl,
    NblCompleted,
    Operation,
    Read,
    Restart,
    Send,
)

NAMES = ("driver", "adapter", "restart", "handle", "send", "one", "two", "read")
OPERATIONS: tuple[Operation, ...] = (
    Initialize(name="adapter"),
    Restart(name="restart"),
    Create(name="handle"),
    Send(name="send", nbls=(Nbl((PACKET,), cancel_id=1), Nbl((PACKET,), cancel_id=2), Nbl((PACKET,)))),
    CancelSend(name="one", cancel_id=1),
    CancelSend(name="two", cancel_id=2),
    Read(name="read", handle="handle", length=61_440),
)
AIMS = ("driver", "adapter", "adapter", "adapter", "adapter", "adapter", "handle")
TARGETS = (1, 2, 2, 2, 2, 2, 4)


def batches(image: Path | None) -> BatchMachine:
    """A machine whose letters are the operations above, each once."""
    image = image or native.driver_image(instrumented=True)
    return BatchMachine(image, OPERATIONS, AIMS, order="raw", ndis=(6, 80))


def test_a_batch_causes_what_its_operations_cause_one_by_one() -> None:
    with closing(DriverMachine(order="raw")) as machine:
        machine.perform(Load(name="driver"))
        one_by_one: list[Event] = []
        counted: list[Counters] = []
        for operation in OPERATIONS:
            one_by_one += machine.perform(operation)
            counted.append(machine.counters("adapter"))
    with closing(batches(None)) as machine:
        for _ in range(2):  # each batch begins anew
            played = machine.play_batch(range(len(OPERATIONS)), TARGETS, [2] * len(OPERATIONS))
            assert played.done == len(OPERATIONS)
            assert machine.read_batch(NAMES) == one_by_one
            told = machine.tell(one_by_one, Counters(0, 0, 0))
            assert played.data == told.data
            assert played.counters == b"".join(machine.tell((), each).counters for each in counted)


def test_nbls_that_two_operations_give_back_are_told_apart() -> None:
    """Neighbours of one send make one event, but not across operations: whoever compares events by operation would
    miss the second."""
    with closing(batches(None)) as machine:
        played = machine.play_batch(range(6), TARGETS[:6], [0] * 6)
        completed = [event for event in machine.read_batch(NAMES) if isinstance(event, NblCompleted)]
        assert [event.index for event in completed] == [0, 1]
        kinds = played.events[:, COLUMNS.index("kind")].tolist()
        assert kinds.count(machine._lib.HOST_EVENT_NBL_COMPLETED) == 2


def test_what_a_driver_prints_is_no_event_of_a_batch(tmp_path: Path) -> None:
    """Neither it nor its text comes between the events that are compared."""
    driver = Path(__file__).parents[2] / "driver"
    shared = driver.parent / "shared"
    head = "static NTSTATUS TunDispatch(PDEVICE_OBJECT DeviceObject, PIRP Irp)\n{\n"
    quiet = (driver / "device.c").read_text("utf-8")
    assert head in quiet
    talkative = tmp_path / "device.c"
    talkative.write_text(quiet.replace(head, head + '    DbgPrint("a request\\n");\n'), "utf-8")
    others = [source for source in sorted(driver.glob("*.c")) if source.name != "device.c"]
    image = tmp_path / "image.so"
    builder.build([*others, talkative, shared / "bundle.c"], image, include=[driver, shared])
    every = range(len(OPERATIONS))
    with closing(batches(image)) as machine, closing(batches(None)) as other:
        says = machine.play_batch(every, TARGETS, [0] * len(OPERATIONS))
        silent = other.play_batch(every, TARGETS, [0] * len(OPERATIONS))
        assert len(says.data) > 0
        assert (says.events == silent.events).all()
        assert says.data == silent.data
        assert machine._count[0] > other._count[0]  # so something was left out
