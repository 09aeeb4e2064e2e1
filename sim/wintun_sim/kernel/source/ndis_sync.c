/* NDIS' own names for locks, events, memory, work items and timers.
 *
 * Documentation: learn.microsoft.com/windows-hardware/drivers/ddi/ndis/ (nf-ndis-ndisacquirespinlock and neighbours).
 */
#include <ndis.h>

#include "host.h"
#include "wait.h"

static volatile uint64_t *word_of(PNDIS_SPIN_LOCK lock)
{
    return (volatile uint64_t *)(volatile void *)&lock->SpinLock;
}

VOID NTAPI NdisAllocateSpinLock(PNDIS_SPIN_LOCK SpinLock)
{
    lock_initialize(word_of(SpinLock));
    SpinLock->OldIrql = PASSIVE_LEVEL;
}

VOID NTAPI NdisFreeSpinLock(PNDIS_SPIN_LOCK SpinLock)
{
    lock_retire(word_of(SpinLock), "NdisFreeSpinLock");
}

VOID NTAPI NdisAcquireSpinLock(PNDIS_SPIN_LOCK SpinLock)
{
    SpinLock->OldIrql =
        lock_acquire(LOCK_NDIS_SPIN, word_of(SpinLock), NULL, true, "NdisAcquireSpinLock", CALLER_PLACE);
}

VOID NTAPI NdisReleaseSpinLock(PNDIS_SPIN_LOCK SpinLock)
{
    lock_release(LOCK_NDIS_SPIN, word_of(SpinLock), NULL, true, SpinLock->OldIrql, "NdisReleaseSpinLock");
}

VOID NTAPI NdisDprAcquireSpinLock(PNDIS_SPIN_LOCK SpinLock)
{
    SpinLock->OldIrql =
        lock_acquire(LOCK_NDIS_SPIN, word_of(SpinLock), NULL, false, "NdisDprAcquireSpinLock", CALLER_PLACE);
}

VOID NTAPI NdisDprReleaseSpinLock(PNDIS_SPIN_LOCK SpinLock)
{
    lock_release(LOCK_NDIS_SPIN, word_of(SpinLock), NULL, false, 0, "NdisDprReleaseSpinLock");
}

VOID NTAPI NdisInitializeEvent(PNDIS_EVENT Event)
{
    rule_irql("Irql_Synch_Function", "NdisInitializeEvent", PASSIVE_LEVEL, PASSIVE_LEVEL);
    KeInitializeEvent(&Event->Event, NotificationEvent, FALSE);
}

VOID NTAPI NdisSetEvent(PNDIS_EVENT Event)
{
    rule_irql("Irql_Synch_Function", "NdisSetEvent", PASSIVE_LEVEL, DISPATCH_LEVEL);
    KeSetEvent(&Event->Event, IO_NO_INCREMENT, FALSE);
}

VOID NTAPI NdisResetEvent(PNDIS_EVENT Event)
{
    rule_irql("Irql_Synch_Function", "NdisResetEvent", PASSIVE_LEVEL, DISPATCH_LEVEL);
    KeClearEvent(&Event->Event);
}

BOOLEAN NTAPI NdisWaitEvent(PNDIS_EVENT Event, UINT msToWait)
{
    rule_irql("Irql_Synch_Function", "NdisWaitEvent", PASSIVE_LEVEL, PASSIVE_LEVEL);
    LARGE_INTEGER timeout = {.QuadPart = -(LONGLONG)msToWait * (LONGLONG)CLOCK_MILLISECOND};
    NTSTATUS status =
        KeWaitForSingleObject(&Event->Event, Executive, KernelMode, FALSE, msToWait == 0 ? NULL : &timeout);
    return status == STATUS_SUCCESS;
}

VOID NTAPI NdisMSleep(ULONG MicrosecondsToSleep)
{
    rule_irql("Irql_Miscellaneous_Function", "NdisMSleep", PASSIVE_LEVEL, PASSIVE_LEVEL);
    LARGE_INTEGER interval = {.QuadPart = -(LONGLONG)MicrosecondsToSleep * 10};
    KeDelayExecutionThread(KernelMode, FALSE, &interval);
}

static PVOID allocate(UINT length, ULONG tag, const char *caller)
{
    rule_irql("IrqlExAllocatePool", caller, PASSIVE_LEVEL, DISPATCH_LEVEL);
    if (length == 0)
        rule_broken("DRIVER_VERIFIER_DETECTED_VIOLATION", "%s was asked for no bytes at all (first parameter 0x0)",
                    caller);
    return fault_strikes(HOST_FAULT_POOL) ? NULL : arena_allocate(BLOCK_POOL, length, tag, caller);
}

NDIS_STATUS NTAPI NdisAllocateMemoryWithTag(PVOID *VirtualAddress, UINT Length, ULONG Tag)
{
    *VirtualAddress = allocate(Length, Tag, "NdisAllocateMemoryWithTag");
    return *VirtualAddress == NULL ? NDIS_STATUS_FAILURE : NDIS_STATUS_SUCCESS;
}

PVOID NTAPI NdisAllocateMemoryWithTagPriority(NDIS_HANDLE NdisHandle, UINT Length, ULONG Tag, EX_POOL_PRIORITY Priority)
{
    (void)NdisHandle;
    (void)Priority;
    return allocate(Length, Tag, "NdisAllocateMemoryWithTagPriority");
}

/* The length does not count where there are no flags, and there are none for memory that NDIS 6 gave
 * (…/ddi/ndis/nf-ndis-ndisfreememory). */
VOID NTAPI NdisFreeMemory(PVOID VirtualAddress, UINT Length, UINT MemoryFlags)
{
    (void)Length;
    rule_irql("IrqlExAllocatePool", "NdisFreeMemory", PASSIVE_LEVEL, DISPATCH_LEVEL);
    if (MemoryFlags != 0)
        rule_broken("BAD_POOL_CALLER", "NdisFreeMemory was given the MemoryFlags 0x%X: memory that has a tag has none",
                    MemoryFlags);
    arena_free(BLOCK_POOL, VirtualAddress, 0, "NdisFreeMemory");
}

VOID NTAPI NdisFreeMemoryWithTagPriority(NDIS_HANDLE NdisHandle, PVOID VirtualAddress, ULONG Tag)
{
    (void)NdisHandle;
    rule_irql("IrqlExAllocatePool", "NdisFreeMemoryWithTagPriority", PASSIVE_LEVEL, DISPATCH_LEVEL);
    arena_free(BLOCK_POOL, VirtualAddress, Tag, "NdisFreeMemoryWithTagPriority");
}

const struct export ndis_sync_exports[] = {
    EXPORT(NdisAllocateSpinLock),
    EXPORT(NdisFreeSpinLock),
    EXPORT(NdisAcquireSpinLock),
    EXPORT(NdisReleaseSpinLock),
    EXPORT(NdisDprAcquireSpinLock),
    EXPORT(NdisDprReleaseSpinLock),
    EXPORT(NdisInitializeEvent),
    EXPORT(NdisSetEvent),
    EXPORT(NdisResetEvent),
    EXPORT(NdisWaitEvent),
    EXPORT(NdisMSleep),
    EXPORT(NdisAllocateMemoryWithTag),
    EXPORT(NdisAllocateMemoryWithTagPriority),
    EXPORT(NdisFreeMemory),
    EXPORT(NdisFreeMemoryWithTagPriority),
    EXPORTS_END,
};
