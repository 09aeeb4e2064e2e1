"""Everything that a driver of a TUN device cannot do without is there, whatever else may be missing.

A driver that imports a function which the host kernel does not have is not loaded, so one that refers to all of them
and is loaded shows that all of them are there.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kernel.specimen import machine_of
from tests.kernel.test_imports import words
from wintun_sim.errors import UsageError
from wintun_sim.kernel.builder import build
from wintun_sim.operations import Load, Returned

FUNCTIONS = words("""
NdisGetVersion NdisMRegisterMiniportDriver NdisMDeregisterMiniportDriver NdisMSetMiniportAttributes
NdisRegisterDeviceEx NdisDeregisterDeviceEx NdisGetDeviceReservedExtension NdisMIndicateStatusEx NdisMPauseComplete
NdisMRestartComplete NdisMOidRequestComplete NdisMSendNetBufferListsComplete NdisMIndicateReceiveNetBufferLists
NdisAllocateNetBufferListPool NdisFreeNetBufferListPool NdisAllocateNetBufferAndNetBufferList NdisFreeNetBufferList
NdisAllocateMdl NdisFreeMdl NdisGetDataBuffer NdisAllocateMemoryWithTag NdisFreeMemory NdisMSleep
NdisAllocateSpinLock NdisFreeSpinLock NdisAcquireSpinLock NdisReleaseSpinLock
IoAcquireCancelSpinLock IoReleaseCancelSpinLock IoCsqInitialize IoCsqInitializeEx IoCsqInsertIrp IoCsqInsertIrpEx
IoCsqRemoveIrp IoCsqRemoveNextIrp IoAllocateMdl IoFreeMdl MmProbeAndLockPages MmUnlockPages
KeInitializeSpinLock KeReleaseSpinLock KeAcquireInStackQueuedSpinLock KeReleaseInStackQueuedSpinLock
KeAcquireInStackQueuedSpinLockAtDpcLevel KeReleaseInStackQueuedSpinLockFromDpcLevel KeAcquireSpinLockAtDpcLevel
KeReleaseSpinLockFromDpcLevel ExAcquireSpinLockShared ExReleaseSpinLockShared ExAcquireSpinLockExclusive
ExReleaseSpinLockExclusive ExAcquireFastMutex ExReleaseFastMutex ExInitializeRundownProtection
ExAcquireRundownProtection ExReleaseRundownProtection ExWaitForRundownProtectionRelease KeInitializeEvent KeSetEvent
KeClearEvent KeWaitForSingleObject KeDelayExecutionThread KeGetCurrentIrql KeLowerIrql
NdisAllocateIoWorkItem NdisQueueIoWorkItem NdisFreeIoWorkItem IoAllocateWorkItem IoQueueWorkItem IoFreeWorkItem
NdisAllocateTimerObject NdisSetTimerObject NdisCancelTimerObject NdisFreeTimerObject KeInitializeDpc KeInsertQueueDpc
NdisOpenConfigurationEx NdisReadConfiguration NdisCloseConfiguration ExAllocatePoolWithTag ExAllocatePool2
ExFreePoolWithTag RtlUnicodeStringPrintf RtlCopyUnicodeString DbgPrint
""")

SECOND_RING = words("""
IoRegisterPlugPlayNotification IoUnregisterPlugPlayNotification NdisMGetDeviceProperty IoGetDeviceObjectPointer
ObfReferenceObject ObReferenceObjectByHandle ObOpenObjectByPointer ObfDereferenceObject ObCloseHandle ZwClose
ZwQuerySystemInformation ZwSetSecurityObject RtlCreateAcl RtlCreateSecurityDescriptor RtlSetDaclSecurityDescriptor
PsLookupProcessByProcessId KeStackAttachProcess KeUnstackDetachProcess ProbeForRead ProbeForWrite MmIsVerifierEnabled
NdisSetOptionalHandlers NdisMDirectOidRequestComplete
""")
"""What later designs of such drivers need as well: devices that come and go, handles, processes."""

# What the headers define themselves, each used once.
INLINES = """
NdisQueryMdl(Mdl, &Pointer, &Number, NormalPagePriority);
NdisMoveMemory(Pointer, Pointer, Number);
NdisZeroMemory(Pointer, Number);
NdisSetNblFlag(Nbl, 1);
Nb = NET_BUFFER_LIST_FIRST_NB(Nbl);
Nb = NET_BUFFER_NEXT_NB(Nb);
Nbl = NET_BUFFER_LIST_NEXT_NBL(Nbl);
NET_BUFFER_LIST_STATUS(Nbl) = 0;
Mdl = NET_BUFFER_FIRST_MDL(Nb);
Mdl = NET_BUFFER_CURRENT_MDL(Nb);
Number = NET_BUFFER_CURRENT_MDL_OFFSET(Nb) + NET_BUFFER_DATA_LENGTH(Nb) + NET_BUFFER_DATA_OFFSET(Nb);
Pointer = NET_BUFFER_LIST_INFO(Nbl, NetBufferListCancelId);
Pointer = NDIS_GET_NET_BUFFER_LIST_CANCEL_ID(Nbl);
NET_BUFFER_LIST_MINIPORT_RESERVED(Nbl)[0] = Pointer;
ExInitializeFastMutex(Mutex);
InitializeListHead(List);
Number = IsListEmpty(List);
InsertHeadList(List, List);
InsertTailList(List, List);
Pointer = RemoveHeadList(List);
Pointer = RemoveTailList(List);
RemoveEntryList(List);
IoMarkIrpPending(Irp);
Pointer = IoGetCurrentIrpStackLocation(Irp);
IoSetCancelRoutine(Irp, NULL);
IoCompleteRequest(Irp, IO_NO_INCREMENT);
IoInitializeRemoveLock(Remove, 1, 0, 0);
IoAcquireRemoveLock(Remove, Irp);
IoReleaseRemoveLock(Remove, Irp);
IoReleaseRemoveLockAndWait(Remove, Irp);
Pointer = MmGetSystemAddressForMdlSafe(Mdl, NormalPagePriority);
Number = MmGetMdlByteCount(Mdl);
KeAcquireSpinLock(Lock, &Irql);
KeRaiseIrql(DISPATCH_LEVEL, &Irql);
InterlockedIncrement(&Value);
InterlockedDecrement(&Value);
InterlockedExchange(&Value, 1);
InterlockedCompareExchange(&Value, 1, 2);
InterlockedAdd(&Value, 1);
InterlockedIncrement64(&Wide);
InterlockedCompareExchange64(&Wide, 1, 2);
InterlockedExchangePointer(&Pointer, NULL);
InterlockedCompareExchangePointer(&Pointer, NULL, NULL);
Value = ReadAcquire(&Value);
WriteRelease(&Value, 1);
Pointer = ReadPointerAcquire(&Pointer);
KeMemoryBarrier();
RtlZeroMemory(Pointer, Number);
Number = RtlUshortByteSwap(1) + RtlUlongByteSwap(1);
ASSERT(Number != 0);
ASSERTMSG("a number", Number != 0);
""".strip()

DRIVER = """
#define NDIS_MINIPORT_DRIVER 1
#define NDIS680_MINIPORT 1
#include <ntifs.h>
#include <ndis.h>
#include <ntstrsafe.h>

NTSTATUS NTAPI ZwQuerySystemInformation(ULONG Class, PVOID Information, ULONG Length, PULONG Needed);

PVOID Used[] = {%s};

VOID UseInlines(PIRP Irp, PMDL Mdl, NET_BUFFER_LIST *Nbl, PIO_REMOVE_LOCK Remove, PKSPIN_LOCK Lock, PLIST_ENTRY List,
                PFAST_MUTEX Mutex)
{
    PVOID Pointer = NULL;
    UINT Number = 0;
    NET_BUFFER *Nb;
    KIRQL Irql;
    LONG Value = 0;
    LONG64 Wide = 0;

    %s
}

DRIVER_INITIALIZE DriverEntry;
NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    UNREFERENCED_PARAMETER(RegistryPath);
    for (SIZE_T Index = 0; Index < sizeof Used / sizeof Used[0]; Index++)
        if (((PVOID volatile *)Used)[Index] == NULL)
            return STATUS_UNSUCCESSFUL;
    return DriverObject != NULL ? STATUS_NO_MORE_ENTRIES : STATUS_UNSUCCESSFUL;
}
"""


def driver_that_uses(functions: tuple[str, ...], inlines: str, place: Path) -> Path:
    """Build a driver that refers to functions and uses inlines, and does nothing else."""
    addresses = ",\n    ".join(f"(PVOID)(ULONG_PTR)&{name}" for name in functions)
    source = place / "driver.c"
    source.write_text(DRIVER % (addresses, inlines), "utf-8")
    build([source], place / "driver.so")
    return place / "driver.so"


def test_a_driver_that_uses_all_of_the_first_ring_is_loaded(tmp_path: Path) -> None:
    """It says by a status of its own that it found each address filled in."""
    with machine_of(driver_that_uses(FUNCTIONS, INLINES, tmp_path)) as machine:
        assert list(machine.perform(Load(name="driver"))) == [Returned("driver", 0x8000001A)]


def test_so_is_one_that_uses_all_of_the_second(tmp_path: Path) -> None:
    with machine_of(driver_that_uses(SECOND_RING, "", tmp_path)) as machine:
        assert list(machine.perform(Load(name="driver"))) == [Returned("driver", 0x8000001A)]


@pytest.mark.parametrize("name", ["IoStartPacket", "IoAttachDeviceToDeviceStack"])
def test_what_is_not_there_is_named(tmp_path: Path, name: str) -> None:
    """A driver that needs more is told at once, rather than when it calls."""
    with machine_of(driver_that_uses((name,), "", tmp_path)) as machine, pytest.raises(UsageError, match=name):
        machine.perform(Load(name="driver"))
