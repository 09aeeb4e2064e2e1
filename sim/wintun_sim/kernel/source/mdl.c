/* Memory descriptor lists over real memory. Locking and mapping move nothing: the mapped address is the memory's own.
 * What is kept is whether each step was allowed, and whether it was undone
 * (learn.microsoft.com/windows-hardware/drivers/kernel/using-mdls).
 *
 * Nothing of this can be seen by another processor, so none of these calls is a scheduling point. MDLs that drivers
 * carve out of their own memory with MmInitializeMdl work too; nothing is remembered of those.
 */
#include "io_room.h"
#include "ndis_room.h"

#include "rule_fast.h"

#include <ndis.h>

/* Every MDL of the host's is one of these. */
struct host_mdl
{
    MDL mdl;
    const char *creator; /* name of the function that made it, a literal; NULL: the host itself */
    bool unmapped;
    bool locked;
    bool mapped;
};

_Static_assert(offsetof(struct host_mdl, mdl) == 0, "an MDL's address is its host_mdl's");

static struct slab *mdl_slab(void)
{
    return &current_host->io->mdl_slab;
}

/* The host's record of an MDL, NULL when the driver made it in memory of its own. */
static struct host_mdl *record_of(MDL *mdl)
{
    return slab_live(mdl_slab(), mdl) == NULL ? NULL : (struct host_mdl *)(void *)mdl;
}

static bool is_stale(const MDL *mdl, const char *function)
{
    if (mdl != NULL && slab_free(mdl_slab(), mdl) == NULL)
        return false;
    rule_broken("DRIVER_VERIFIER_DETECTED_VIOLATION", "%s was given %s", function,
                mdl == NULL ? "NULL instead of an MDL" : "an MDL that is freed already");
    return true;
}

void mdl_slab_open(struct slab *slab)
{
    slab_initialize(slab, "an MDL", sizeof(struct host_mdl), sizeof(MDL));
}

void mdl_initialize(MDL *mdl, const void *address, uint32_t length, int16_t flags)
{
    const uintptr_t start = (uintptr_t)address;
    mdl->Next = NULL;
    mdl->Size = (CSHORT)sizeof(MDL); /* without page numbers: this machine has no physical pages */
    mdl->MdlFlags = flags;
    mdl->AllocationProcessorNumber = 0;
    mdl->Reserved = 0;
    mdl->Process = NULL;
    mdl->MappedSystemVa = flags & (MDL_MAPPED_TO_SYSTEM_VA | MDL_SOURCE_IS_NONPAGED_POOL) ? (void *)start : NULL;
    mdl->StartVa = PAGE_ALIGN(start);
    mdl->ByteCount = length;
    mdl->ByteOffset = BYTE_OFFSET(start);
}

static struct host_mdl *record_new(void *address, uint32_t length, int16_t flags, const char *creator)
{
    struct host_mdl *record = slab_take(mdl_slab());
    if (record == NULL)
        return NULL;
    mdl_initialize(&record->mdl, address, length, flags);
    record->creator = creator;
    record->unmapped = false;
    record->locked = (flags & MDL_PAGES_LOCKED) != 0;
    record->mapped = (flags & MDL_MAPPED_TO_SYSTEM_VA) != 0;
    return record;
}

MDL *mdl_new(void *address, uint32_t length, int16_t flags, bool unmapped)
{
    struct host_mdl *record = record_new(address, length, flags, NULL);
    if (record == NULL)
        return NULL;
    record->unmapped = unmapped;
    return &record->mdl;
}

void mdl_delete(MDL *mdl)
{
    slab_give(mdl_slab(), mdl);
}

uint32_t mdl_count(uint16_t image)
{
    return slab_count(mdl_slab(), image);
}

/* Frees an MDL that `function`'s counterpart `creator` made. */
static void free_checked(PMDL mdl, const char *function, const char *creator, const char *rule)
{
    if (is_stale(mdl, function))
        return;
    struct host_mdl *record = record_of(mdl);
    if (record == NULL || record->creator != creator)
        rule_broken(rule, "%s was given an MDL that %s did not make", function, creator);
    else if (record->locked)
        rule_broken("DRIVER_VERIFIER_DETECTED_VIOLATION", "%s was given an MDL whose pages are still locked", function);
    else
        mdl_delete(mdl);
}

static const char IO_ALLOCATE_MDL[] = "IoAllocateMdl";
static const char NDIS_ALLOCATE_MDL[] = "NdisAllocateMdl";

/* IRQL <= DISPATCH_LEVEL. NULL when there is no memory. */
PMDL NTAPI IoAllocateMdl(PVOID VirtualAddress, ULONG Length, BOOLEAN SecondaryBuffer, BOOLEAN ChargeQuota, PIRP Irp)
{
    (void)ChargeQuota;
    check_at_most_dispatch("IrqlIoDispatch", "IoAllocateMdl");
    if (fault_strikes(HOST_FAULT_MDL))
        return NULL;
    struct host_mdl *record = record_new(VirtualAddress, Length, 0, IO_ALLOCATE_MDL);
    if (record == NULL)
        return NULL;
    if (Irp != NULL)
    {
        PMDL *place = &Irp->MdlAddress;
        while (SecondaryBuffer && *place != NULL)
            place = &(*place)->Next;
        *place = &record->mdl;
    }
    return &record->mdl;
}

/* IRQL <= DISPATCH_LEVEL. */
VOID NTAPI IoFreeMdl(PMDL Mdl)
{
    check_at_most_dispatch("IrqlIoDispatch", "IoFreeMdl");
    free_checked(Mdl, "IoFreeMdl", IO_ALLOCATE_MDL, "DRIVER_VERIFIER_DETECTED_VIOLATION");
}

/* IRQL <= DISPATCH_LEVEL. The part must lie within what `SourceMdl` describes. */
VOID NTAPI IoBuildPartialMdl(PMDL SourceMdl, PMDL TargetMdl, PVOID VirtualAddress, ULONG Length)
{
    check_at_most_dispatch("IrqlIoDispatch", "IoBuildPartialMdl");
    if (is_stale(SourceMdl, "IoBuildPartialMdl") || is_stale(TargetMdl, "IoBuildPartialMdl"))
        return;
    const uintptr_t start = (uintptr_t)MmGetMdlVirtualAddress(SourceMdl);
    const uintptr_t part = (uintptr_t)VirtualAddress;
    if (part < start || part - start > SourceMdl->ByteCount || Length > SourceMdl->ByteCount - (part - start))
    {
        rule_broken("DRIVER_VERIFIER_DETECTED_VIOLATION",
                    "IoBuildPartialMdl was asked for a part that is not within its source MDL");
        return;
    }
    const uint32_t length = Length == 0 ? SourceMdl->ByteCount - (uint32_t)(part - start) : Length;
    const int16_t inherited =
        SourceMdl->MdlFlags & (MDL_MAPPED_TO_SYSTEM_VA | MDL_SOURCE_IS_NONPAGED_POOL | MDL_PAGES_LOCKED);
    mdl_initialize(TargetMdl, VirtualAddress, length, (int16_t)(inherited | MDL_PARTIAL));
}

/* Any IRQL. */
SIZE_T NTAPI MmSizeOfMdl(PVOID Base, SIZE_T Length)
{
    return sizeof(MDL) + sizeof(PFN_NUMBER) * ADDRESS_AND_SIZE_TO_SPAN_PAGES(Base, Length);
}

/* IRQL <= DISPATCH_LEVEL. */
VOID NTAPI MmBuildMdlForNonPagedPool(PMDL MemoryDescriptorList)
{
    check_at_most_dispatch("IrqlMmDispatch", "MmBuildMdlForNonPagedPool");
    if (is_stale(MemoryDescriptorList, "MmBuildMdlForNonPagedPool"))
        return;
    if (MemoryDescriptorList->MdlFlags & (MDL_PAGES_LOCKED | MDL_MAPPED_TO_SYSTEM_VA))
        rule_broken("DRIVER_VERIFIER_DETECTED_VIOLATION",
                    "MmBuildMdlForNonPagedPool was given an MDL that is locked or mapped already");
    MemoryDescriptorList->MdlFlags |= MDL_SOURCE_IS_NONPAGED_POOL;
    MemoryDescriptorList->MappedSystemVa = MmGetMdlVirtualAddress(MemoryDescriptorList);
}

/* IRQL <= APC_LEVEL, as what is locked may be pageable. */
VOID NTAPI MmProbeAndLockPages(PMDL MemoryDescriptorList, KPROCESSOR_MODE AccessMode, LOCK_OPERATION Operation)
{
    (void)AccessMode;
    rule_irql("IrqlMmApcLte", "MmProbeAndLockPages", PASSIVE_LEVEL, APC_LEVEL);
    if (is_stale(MemoryDescriptorList, "MmProbeAndLockPages"))
        return;
    if (MemoryDescriptorList->MdlFlags & (MDL_PAGES_LOCKED | MDL_SOURCE_IS_NONPAGED_POOL))
    {
        rule_broken("DRIVER_VERIFIER_DETECTED_VIOLATION",
                    "MmProbeAndLockPages was given an MDL that is locked already or describes nonpaged pool");
        return;
    }
    MemoryDescriptorList->MdlFlags |= MDL_PAGES_LOCKED;
    if (Operation != IoReadAccess)
        MemoryDescriptorList->MdlFlags |= MDL_WRITE_OPERATION;
    struct host_mdl *record = record_of(MemoryDescriptorList);
    if (record != NULL)
        record->locked = true;
}

/* IRQL <= DISPATCH_LEVEL. */
VOID NTAPI MmUnlockPages(PMDL MemoryDescriptorList)
{
    check_at_most_dispatch("IrqlMmDispatch", "MmUnlockPages");
    if (is_stale(MemoryDescriptorList, "MmUnlockPages"))
        return;
    if ((MemoryDescriptorList->MdlFlags & MDL_PAGES_LOCKED) == 0)
    {
        rule_broken("DRIVER_VERIFIER_DETECTED_VIOLATION", "MmUnlockPages was given an MDL whose pages are not locked");
        return;
    }
    MemoryDescriptorList->MdlFlags &= ~(MDL_PAGES_LOCKED | MDL_MAPPED_TO_SYSTEM_VA | MDL_WRITE_OPERATION);
    MemoryDescriptorList->MappedSystemVa = NULL;
    struct host_mdl *record = record_of(MemoryDescriptorList);
    if (record != NULL)
        record->locked = record->mapped = false;
}

/* IRQL <= DISPATCH_LEVEL (AccessMode KernelMode), <= APC_LEVEL (UserMode). NULL when there is no room for a mapping. */
PVOID NTAPI MmMapLockedPagesSpecifyCache(PMDL MemoryDescriptorList, KPROCESSOR_MODE AccessMode,
                                         MEMORY_CACHING_TYPE CacheType, PVOID RequestedAddress, ULONG BugCheckOnFailure,
                                         ULONG Priority)
{
    (void)CacheType;
    (void)RequestedAddress;
    rule_irql(AccessMode == KernelMode ? "IrqlMmDispatch" : "IrqlMmApcLte", "MmMapLockedPagesSpecifyCache",
              PASSIVE_LEVEL, AccessMode == KernelMode ? DISPATCH_LEVEL : APC_LEVEL);
    if (is_stale(MemoryDescriptorList, "MmMapLockedPagesSpecifyCache"))
        return NULL;
    if ((MemoryDescriptorList->MdlFlags & (MDL_PAGES_LOCKED | MDL_PARTIAL | MDL_IO_SPACE)) == 0)
        rule_broken("DRIVER_VERIFIER_DETECTED_VIOLATION",
                    "MmMapLockedPagesSpecifyCache was given an MDL whose pages are not locked");
    if (MemoryDescriptorList->MdlFlags & MDL_MAPPED_TO_SYSTEM_VA)
        rule_broken("DRIVER_VERIFIER_DETECTED_VIOLATION",
                    "MmMapLockedPagesSpecifyCache was given an MDL that is mapped already: "
                    "MmGetSystemAddressForMdlSafe gives its address");
    if (AccessMode == KernelMode && (Priority & MdlMappingNoExecute) == 0 &&
        current_host->ndis->version >= NDIS_RUNTIME_VERSION_630) /* Windows 8, which has the flag */
        rule_broken("DRIVER_VERIFIER_DETECTED_VIOLATION",
                    "MmMapLockedPagesSpecifyCache was asked for memory that can be executed: MdlMappingNoExecute is "
                    "wanted (first parameter 0x2002)");
    struct host_mdl *record = record_of(MemoryDescriptorList);
    if ((record != NULL && record->unmapped) || fault_strikes(HOST_FAULT_MAPPING))
    {
        if (BugCheckOnFailure)
            crash_now("MmMapLockedPagesSpecifyCache failed, and was told to end the system then");
        return NULL;
    }
    if (record != NULL)
        record->mapped = true;
    void *address = MmGetMdlVirtualAddress(MemoryDescriptorList);
    if (AccessMode == KernelMode)
    {
        MemoryDescriptorList->MdlFlags |= MDL_MAPPED_TO_SYSTEM_VA;
        if (MemoryDescriptorList->MdlFlags & MDL_PARTIAL)
            MemoryDescriptorList->MdlFlags |= MDL_PARTIAL_HAS_BEEN_MAPPED;
        MemoryDescriptorList->MappedSystemVa = address;
    }
    return address;
}

/* IRQL <= DISPATCH_LEVEL. */
VOID NTAPI MmUnmapLockedPages(PVOID BaseAddress, PMDL MemoryDescriptorList)
{
    check_at_most_dispatch("IrqlMmDispatch", "MmUnmapLockedPages");
    if (is_stale(MemoryDescriptorList, "MmUnmapLockedPages"))
        return;
    if (BaseAddress != MmGetMdlVirtualAddress(MemoryDescriptorList))
    {
        rule_broken("DRIVER_VERIFIER_DETECTED_VIOLATION",
                    "MmUnmapLockedPages was given another address than the MDL is mapped at");
        return;
    }
    MemoryDescriptorList->MdlFlags &= ~(MDL_MAPPED_TO_SYSTEM_VA | MDL_PARTIAL_HAS_BEEN_MAPPED);
    MemoryDescriptorList->MappedSystemVa = NULL;
    struct host_mdl *record = record_of(MemoryDescriptorList);
    if (record != NULL)
        record->mapped = false;
}

/* Any IRQL. Nothing is protected here: whether a driver writes through a mapping that it asked not to is not seen. */
NTSTATUS NTAPI MmProtectMdlSystemAddress(PMDL MemoryDescriptorList, ULONG NewProtect)
{
    (void)NewProtect;
    return MemoryDescriptorList->MdlFlags & MDL_MAPPED_TO_SYSTEM_VA ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER_1;
}

/* IRQL <= DISPATCH_LEVEL. `VirtualAddress` is nonpaged memory. NULL when there is no memory. */
PMDL NdisAllocateMdl(NDIS_HANDLE NdisHandle, PVOID VirtualAddress, UINT Length)
{
    check_at_most_dispatch("Irql_NetBuffer_Function", "NdisAllocateMdl");
    if (NdisHandle == NULL)
        rule_broken("NdisAllocateMdl", "NdisAllocateMdl was given NULL instead of an NDIS handle");
    if (fault_strikes(HOST_FAULT_MDL))
        return NULL;
    struct host_mdl *record = record_new(VirtualAddress, Length, MDL_SOURCE_IS_NONPAGED_POOL, NDIS_ALLOCATE_MDL);
    return record == NULL ? NULL : &record->mdl;
}

/* IRQL <= DISPATCH_LEVEL. */
VOID NdisFreeMdl(PMDL Mdl)
{
    check_at_most_dispatch("Irql_NetBuffer_Function", "NdisFreeMdl");
    free_checked(Mdl, "NdisFreeMdl", NDIS_ALLOCATE_MDL, "NdisAllocateMdl");
}
