"""What an instrumented image shows at the moment it happens: each access to memory that is not the driver's.

The driver is careless (miniports/careless.c), which does the one thing wrong that it is told. On the left what it does,
on the right the rule that it breaks and what the message says: of what, who gave it back, and in which function.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.kernel.specimen import MINIPORTS, broken, machine_of
from wintun_sim.kernel import DriverGone, builder
from wintun_sim.operations import (
    Halt,
    Initialize,
    Load,
    Nbl,
    Oid,
    OidKind,
    Operation,
    Pause,
    Restart,
    RuleBroken,
    Send,
    Unload,
)

FREED = "DRIVER_PAGE_FAULT_IN_FREED_SPECIAL_POOL"
BEYOND = "DRIVER_PAGE_FAULT_BEYOND_END_OF_ALLOCATION"
OPAQUE = "OpaqueStructure"

FOUND = {
    "READS_FREED_MEMORY": (FREED, r"TouchFreed\+\S+ \(.*\) reads 4 bytes, 12 bytes into pool memory of 40 bytes that"
                                  r" ExFreePoolWithTag freed during break \(ExAllocatePoolWithTag"),
    "WRITES_FREED_MEMORY": (FREED, r"TouchFreed.* writes 4 bytes, 8 bytes into pool memory"),
    "READS_BEHIND_THE_END": (BEYOND, r"TouchBeside.* reads 4 bytes just behind the end of pool memory of 40 bytes"),
    "WRITES_BEHIND_THE_END": (BEYOND, r"TouchBeside.* writes 4 bytes just behind the end of pool memory of 40 bytes"),
    "READS_BEFORE_THE_BEGINNING": (BEYOND, r"TouchBeside.* reads 4 bytes, 4 bytes before the beginning of pool memory"),
    "COPIES_TOO_MUCH": (BEYOND, r"reads 44 bytes at the beginning of pool memory of 40 bytes"),
    "FILLS_TOO_MUCH": (BEYOND, r"writes 41 bytes at the beginning of pool memory of 40 bytes"),
    "READS_PAST_A_HALF_WORD": (BEYOND, r"TouchBeside.* reads 4 bytes, 38 bytes into pool memory of 40 bytes"),
    "LOOKS_INTO_A_HANDLE": (OPAQUE, r"reads 4 bytes at the beginning of memory of the system"),
    "WRITES_INTO_A_HANDLE": (OPAQUE, r"writes 4 bytes at the beginning of a NET_BUFFER_LIST pool"),
    "USES_A_RETURNED_VARIABLE": ("StackUseAfterReturn", r"reads 4 bytes of a stack that no function uses any more"),
    "USES_FREED_MEMORY_ATOMICALLY": (FREED, r"writes 4 bytes at the beginning of pool memory"),
    "READS_FREED_MEMORY_VOLATILE": (FREED, r"TouchFreed.* reads 4 bytes at the beginning of pool memory"),
    "READS_COMPLETED_NBL": (FREED, r"Send.* reads 4 bytes, 140 bytes into a NET_BUFFER_LIST of the stack that was given"
                                   r" back during send"),
    "READS_COMPLETED_NET_BUFFER": (FREED, r"Send.* into a NET_BUFFER_LIST of the stack that was given back"),
    "READS_INDICATED_NBL": (FREED, r"Send.* into a NET_BUFFER_LIST that was given back during send"),
    "READS_COMPLETED_OID": (FREED, r"OidRequest.* of 240 bytes that is not the driver's any more"),
    "LOOPS_OVER_MEMORY": ("Crash", r"MiniportOidRequest: endless loop: 134217728 accesses .* the last in Loop\+"),
    "LOOPS_ON_THE_SPOT": ("Crash", r"MiniportOidRequest: endless loop: .* of processor time .* in Loop"),
    "READS_NULL": ("Crash", r"MiniportOidRequest: access violation at NULL \+ 0x0, in OidRequest\+"),
    "CALLS_FREED_MEMORY": (FREED, r"TouchFreed.* reads 8 bytes at the beginning of pool memory"),
    "ASSERTS": ("Crash", r"MiniportOidRequest: assertion failed: Defect == 0 \(careless\.c:\d+\)"),
    "ASKS_FOR_A_BUG_CHECK": ("Crash", r"MiniportOidRequest: the driver called for bug check 0xE2, first parameter 0x7"),
    "SHIFTS_TOO_FAR": ("UndefinedBehavior", r"a shift is by more bits .*, in careless\.c:\d+:\d+"),
    "DIVIDES_BY_ZERO": ("UndefinedBehavior", r"a division is by zero or overflows, in careless\.c:\d+:\d+"),
}  # fmt: skip


def defects() -> list[str]:
    listed = re.search(r"enum defect\n\{(.*?)\}", (MINIPORTS / "careless.c").read_text("utf-8"), re.DOTALL)
    assert listed is not None
    return re.findall(r"[A-Z_]+", listed[1])


@pytest.fixture(scope="module", params=["gcc", "clang"])
def image(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The careless miniport, instrumented by one compiler after the other."""
    if shutil.which(request.param) is None:
        pytest.skip(f"{request.param} is not installed")
    built = tmp_path_factory.mktemp("careless") / "careless.so"
    compiler = builder.find_compiler(request.param)
    builder.build([MINIPORTS / "careless.c"], built, compiler=compiler, instrumented=True, sanitize=["undefined"])
    return built


def life(defect: str) -> Iterator[Operation]:
    number = defects().index(defect).to_bytes(4, "little")
    yield Load(name="driver")
    yield Initialize(name="adapter")
    yield Restart(name="restart")
    yield Oid(name="break", kind=OidKind.SET, oid=0xFFA00001, length=4, data=number)
    yield Send(name="send", nbls=(Nbl((bytes([0x45]) + bytes(19),)),))
    yield Pause(name="pause")
    yield Halt(name="halt")
    yield Unload(name="unload")


def rules_broken(image: Path, operations: Iterator[Operation]) -> Sequence[RuleBroken]:
    found: list[RuleBroken] = []
    with machine_of(image) as machine:
        try:
            for operation in operations:
                found += broken(machine.perform(operation))
        except DriverGone:
            pass
    return found


def test_every_defect_of_the_careless_driver_is_listed() -> None:
    assert defects() == ["KEEPS_ALL", *FOUND]


def test_without_a_defect_nothing_is_found(image: Path) -> None:
    assert rules_broken(image, life("KEEPS_ALL")) == []


@pytest.mark.parametrize("defect", FOUND)
def test_the_access_is_found_at_once_and_the_message_says_of_what_and_where(defect: str, image: Path) -> None:
    rule, words = FOUND[defect]
    found = rules_broken(image, life(defect))
    assert any(event.rule == rule and re.search(words, event.message) for event in found), found


def test_a_run_that_is_taken_back_leaves_the_map_of_memory_as_it_was(image: Path) -> None:
    """What was allocated after the snapshot is nobody's after the restore, and what was freed is the driver's again."""
    with machine_of(image) as machine:
        operations = list(life("KEEPS_ALL"))
        for operation in operations[:3]:
            machine.perform(operation)
        machine.snapshot()
        for _ in range(3):
            assert broken(machine.play([operations[3:7]])) == []
            machine.restore()
