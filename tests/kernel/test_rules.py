"""Each rule of the I/O manager and of NDIS, broken by a driver that does one thing wrong, and kept by it without that.

The driver is the specimen (miniports/specimen.c). What it does wrong is on the left, on the right what Microsoft or the
documentation calls that.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.kernel.specimen import broken, build_miniport, defects, life, machine_of
from wintun_sim.kernel import DriverGone
from wintun_sim.operations import Load, Returned

RULE_OF = {
    "COMPLETES_TWICE": "DoubleCompletion",
    "KEEPS_REMOVE_LOCK": "RemoveLockReleaseWrite",
    "COMPLETES_UNDER_SPIN_LOCK": "SpinLockSafe",
    "COMPLETES_WITH_CANCEL_ROUTINE": "IrpCancelField",
    "COMPLETES_AS_PENDING": "DRIVER_VERIFIER_IOMANAGER_VIOLATION",
    "CLAIMS_TOO_MUCH": "DRIVER_VERIFIER_IOMANAGER_VIOLATION",
    "MARKS_AND_RETURNS_SUCCESS": "MarkIrpPending",
    "RETURNS_PENDING_UNMARKED": "MarkIrpPending2",
    "MARKS_AFTER_QUEUING": "MarkingQueuedIrps",
    "MARKS_AFTER_INTERLOCKED_QUEUING": "MarkingInterlockedQueuedIrps",
    "COMPLETES_AND_RETURNS_PENDING": "PendedCompletedRequest",
    "FORGETS_TO_COMPLETE": "IrpProcessingComplete",
    "RETURNS_ANOTHER_STATUS": "IrpProcessingComplete",
    "COMPLETES_AT_HIGH_LEVEL": "IrqlIoDispatch",
    "WRITES_BEHIND_INFORMATION": "ClientBuffer",
    "WRITES_FAR_BEHIND_INFORMATION": "ClientBuffer",
    "TOUCHES_COMPLETED_IRP": "DRIVER_PAGE_FAULT_IN_FREED_SPECIAL_POOL",
    "CHANGES_DRIVER_CONTEXT": "CsqDriverContext",
    "SETS_NO_NBL_STATUS": "NblStatus",
    "SETS_ODD_NBL_STATUS": "NblStatus",
    "COMPLETES_NBL_TWICE": "NblOwnership",
    "COMPLETES_NBL_OF_OTHERS": "NblOwnership",
    "CHANGES_SENT_DATA": "NblModified",
    "COMPLETES_NBL_UNDER_LOCK": "CompletionUnderLock",
    "CLAIMS_DISPATCH_LEVEL": "Flags_Irql",
    "TOUCHES_COMPLETED_NBL": "WriteAfterFree",
    "KEEPS_NBL": "PauseOutstanding",
    "COUNTS_WRONG": "ReceiveIndication",
    "INDICATES_WITHOUT_SOURCE": "ReceiveIndication",
    "INDICATES_MORE_THAN_IT_HAS": "ReceiveIndication",
    "INDICATES_WHILE_PAUSED": "ReceiveIndication",
    "INDICATES_FREED_NBL": "NblOwnership",
    "FREES_NBL_TWICE": "NdisAllocateNetBuffer",
    "FREES_MDL_TWICE": "DRIVER_VERIFIER_DETECTED_VIOLATION",
    "FREES_NO_MDL": "NdisAllocateMdl",
    "FREES_POOL_IN_USE": "NdisAllocateNetBuffer",
    "FREES_NO_POOL": "LeakAtHalt",
    "INDICATES_STATUS_TOO_EARLY": "NdisMIndicateStatusEx",
    "INDICATES_STATUS_TOO_LATE": "NdisMIndicateStatusEx",
    "INDICATES_LINK_TWICE": "LinkStateDuplicate",
    "INDICATES_BAD_HEADER": "BUGCODE_NDIS_DRIVER",
    "INDICATES_WITH_FLAGS": "NdisMIndicateStatusEx",
    "INDICATES_TO_SOMEBODY": "NdisMIndicateStatusEx",
    "DESCRIBES_POWER_WITH_BAD_HEADER": "BUGCODE_NDIS_DRIVER",
    "SETS_ATTRIBUTES_OF_AN_OLDER_REVISION": "BUGCODE_NDIS_DRIVER",
    "REGISTERS_DEVICE_WITH_ODD_SIZE": "BUGCODE_NDIS_DRIVER",
    "REGISTERS_DEVICE_WITH_SHORT_TABLE": "BUGCODE_NDIS_DRIVER",
    "ALLOCATES_POOL_OF_A_LATER_REVISION": "BUGCODE_NDIS_DRIVER",
    "ALLOCATES_POOL_AS_A_PROTOCOL": "NdisAllocateNetBuffer",
    "INDICATES_READ_ONLY": "ReceiveIndication",
    "MAPS_MEMORY_TO_BE_EXECUTED": "DRIVER_VERIFIER_DETECTED_VIOLATION",
    "FREES_MEMORY_WITH_FLAGS": "BAD_POOL_CALLER",
    "ALIGNS_TO_NOTHING": "BUGCODE_NDIS_DRIVER",
    "COMPLETES_NBL_AS_A_SWITCH": "BUGCODE_NDIS_DRIVER",
    "SETS_GENERAL_FIRST": "AttributesOrder",
    "SETS_NO_GENERAL": "AttributesOrder",
    "FAILS_INITIALIZE_AND_LEAKS": "LeakAtHalt",
    "FAILS_PAUSE": "MiniportPause_Return",
    "COMPLETES_PAUSE_AND_SUCCEEDS": "MiniportPause_Return",
    "COMPLETES_PAUSE_UNASKED": "DoubleComplete",
    "LEAKS_AT_HALT": "LeakAtHalt",
    "LEAKS_AT_UNLOAD": "LeakAtUnload",
    "KEEPS_DEVICE": "DeleteDevice",
    "DEREGISTERS_DEVICE_TWICE": "DeleteDevice",
    "CHANGES_DEVICE_EXTENSION": "DeviceExtension",
    "FAILS_QUERY_POWER": "NdisOidComplete",
    "COMPLETES_OID_TWICE": "NdisOidDoubleComplete",
    "ACQUIRES_IN_A_CIRCLE": "DeadlockDetection",
    "RUNS_PAGED_CODE_AT_DISPATCH": "PagedCode",
    "COMPLETES_OID_AND_SUCCEEDS": "NdisOidDoubleComplete",
    "WRITES_MORE_THAN_ASKED": "BUGCODE_NDIS_DRIVER",
    "SETS_NO_BYTES_WRITTEN": "OidCounts",
    "SETS_NO_BYTES_NEEDED": "OidCounts",
    "FORGETS_OID": "NdisTimedOidComplete",
    "UNLOCKS_UNLOCKED_PAGES": "DRIVER_VERIFIER_DETECTED_VIOLATION",
    "MAPS_UNLOCKED_PAGES": "DRIVER_VERIFIER_DETECTED_VIOLATION",
    "KEEPS_REGISTRATION": "BUGCODE_NDIS_DRIVER",
    "SETS_ATTRIBUTES_AT_DISPATCH": "Irql_Miniport_Driver_Function",
    "KEEPS_CONFIGURATION": "LeakAtHalt",
}


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The specimen's image."""
    return build_miniport("specimen", tmp_path_factory.mktemp("specimen"))


def rules_broken_in_a_life(image: Path, defect: str) -> list[str]:
    """Play a life with one defect, as far as the driver gets; return the rules that it broke, each once."""
    rules: list[str] = []
    with machine_of(image) as machine:
        for operation in life(defect):
            try:
                events = machine.perform(operation)
            except (DriverGone, ValueError):
                break
            rules += [event.rule for event in broken(events) if event.rule not in rules]
    return rules


def test_a_driver_that_keeps_all_rules_breaks_none(image: Path) -> None:
    """Whatever the other tests find, it is the defect's doing."""
    with machine_of(image) as machine:
        for operation in life():
            assert not broken(machine.perform(operation)), operation


def test_every_defect_is_tried() -> None:
    """A defect that no test enacts would be a rule that nobody checks."""
    assert ["KEEPS_ALL", *RULE_OF] == defects()


def test_a_deadlock_to_come_is_told_with_both_places(image: Path) -> None:
    """Each processor would hold one lock and wait for the other; none ever did, since one did it after the other."""
    with machine_of(image) as machine:
        messages = [
            event.message for operation in life("ACQUIRES_IN_A_CIRCLE") for event in broken(machine.perform(operation))
        ]
    assert len(messages) == 1
    assert len(set(re.findall(r"acquired in (?:OidRequest|AcquireBoth)\+(\w+)", messages[0]))) == 4
    assert "0xC4/0x1001" in messages[0]


@pytest.mark.parametrize("defect", RULE_OF)
def test_a_driver_that_does_one_thing_wrong_is_found(image: Path, defect: str) -> None:
    """And the first rule that is named is the one that it broke, not one of the consequences."""
    rules = rules_broken_in_a_life(image, defect)
    assert rules[:1] == [RULE_OF[defect]]


def test_a_handler_that_lies_outside_of_the_driver_is_found_at_registration(tmp_path: Path) -> None:
    """Whoever forgets to zero the characteristics has handlers that nobody wrote."""
    image = build_miniport("specimen", tmp_path, ["STRAY_HANDLER"])
    with machine_of(image) as machine:
        (wrong,) = broken(machine.perform(Load(name="driver")))
    assert wrong.rule == "BUGCODE_NDIS_DRIVER"
    assert "no function of the driver" in wrong.message


def test_whoever_takes_direct_oids_has_to_cancel_them(tmp_path: Path) -> None:
    """NDIS_STATUS_BAD_CHARACTERISTICS (…/ddi/ndis/nc-ndis-miniport_cancel_direct_oid_request)."""
    image = build_miniport("specimen", tmp_path, ["HALF_OF_DIRECT_OIDS"])
    with machine_of(image) as machine:
        assert machine.perform(Load(name="driver")) == [Returned("driver", 0xC0010005)]
