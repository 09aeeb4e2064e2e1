/* Pool memory over the arena: tags, flags, IRQL. What a driver leaves behind is looked for when it unloads
 * (ndis_miniport.c).
 *
 * Documentation: learn.microsoft.com/windows-hardware/drivers/ddi/wdm/nf-wdm-exallocatepool2,
 * …/nf-wdm-exallocatepoolwithtag.
 */
#include <ntddk.h>

#include "host.h"

#undef ExFreePool

#define NONE_TAG 0x656E6F4EUL /* 'enoN': what ExAllocatePool uses */

static bool is_paged(POOL_TYPE type)
{
    return (type & 1) != 0;
}

static PVOID allocate(SIZE_T size, ULONG tag, bool paged, bool zeroed, const char *caller)
{
    rule_irql("IrqlExAllocatePool", caller, PASSIVE_LEVEL, paged ? APC_LEVEL : DISPATCH_LEVEL);
    if (size == 0)
        rule_broken("DRIVER_VERIFIER_DETECTED_VIOLATION", "%s was asked for no bytes at all (first parameter 0x0)",
                    caller);
    if (fault_strikes(HOST_FAULT_POOL))
        return NULL;
    void *bytes = arena_allocate(BLOCK_POOL, size, tag, caller);
    if (bytes != NULL && zeroed)
        memset(bytes, 0, size);
    return bytes;
}

PVOID NTAPI ExAllocatePoolWithTag(POOL_TYPE PoolType, SIZE_T NumberOfBytes, ULONG Tag)
{
    if (Tag == 0)
        rule_broken("BAD_POOL_CALLER", "ExAllocatePoolWithTag was given the tag 0");
    PVOID bytes = allocate(NumberOfBytes, Tag, is_paged(PoolType), (PoolType & POOL_ZERO_ALLOCATION) != 0,
                           "ExAllocatePoolWithTag");
    if (bytes == NULL && (PoolType & POOL_RAISE_IF_ALLOCATION_FAILURE) != 0)
        crash_now("ExAllocatePoolWithTag raises STATUS_INSUFFICIENT_RESOURCES, and nobody handles it");
    return bytes;
}

PVOID NTAPI ExAllocatePool(POOL_TYPE PoolType, SIZE_T NumberOfBytes)
{
    rule_broken("UnSafeAllocatePool", "ExAllocatePool is deprecated: ExAllocatePool2 takes its place");
    return allocate(NumberOfBytes, NONE_TAG, is_paged(PoolType), false, "ExAllocatePool");
}

PVOID NTAPI ExAllocatePool2(POOL_FLAGS Flags, SIZE_T NumberOfBytes, ULONG Tag)
{
    const POOL_FLAGS kinds = POOL_FLAG_NON_PAGED | POOL_FLAG_NON_PAGED_EXECUTE | POOL_FLAG_PAGED;
    POOL_FLAGS kind = Flags & kinds;
    if (kind == 0 || (kind & (kind - 1)) != 0 || Tag == 0)
    {
        rule_broken("BAD_POOL_CALLER", "ExAllocatePool2 was given %s",
                    Tag == 0 ? "the tag 0" : "flags that do not name exactly one kind of pool");
        return NULL;
    }
    PVOID bytes = allocate(NumberOfBytes, Tag, kind == POOL_FLAG_PAGED, (Flags & POOL_FLAG_UNINITIALIZED) == 0,
                           "ExAllocatePool2");
    if (bytes == NULL && (Flags & POOL_FLAG_RAISE_ON_FAILURE) != 0)
        crash_now("ExAllocatePool2 raises STATUS_INSUFFICIENT_RESOURCES, and nobody handles it");
    return bytes;
}

VOID NTAPI ExFreePoolWithTag(PVOID P, ULONG Tag)
{
    rule_irql("IrqlExAllocatePool", "ExFreePoolWithTag", PASSIVE_LEVEL, DISPATCH_LEVEL);
    arena_free(BLOCK_POOL, P, Tag, "ExFreePoolWithTag");
}

VOID NTAPI ExFreePool(PVOID P)
{
    rule_irql("IrqlExAllocatePool", "ExFreePool", PASSIVE_LEVEL, DISPATCH_LEVEL);
    arena_free(BLOCK_POOL, P, 0, "ExFreePool");
}

const struct export pool_exports[] = {
    EXPORT(ExAllocatePool), EXPORT(ExAllocatePoolWithTag), EXPORT(ExAllocatePool2),
    EXPORT(ExFreePool),     EXPORT(ExFreePoolWithTag),     EXPORTS_END,
};
