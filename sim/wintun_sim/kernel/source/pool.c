/* Pool memory over the arena: tags, flags, IRQL, leaks.
 *
 * Documentation: learn.microsoft.com/windows-hardware/drivers/ddi/wdm/nf-wdm-exallocatepool2,
 * …/nf-wdm-exallocatepoolwithtag.
 */
#include "pool.h"

#include <ntddk.h>
#include <stdio.h>

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

uint64_t pool_serial(void)
{
    return current_host->arena.serial;
}

uint32_t pool_count(const struct image *image)
{
    uint32_t count = 0;
    for (struct block *block = NULL; (block = arena_next_live(block, BLOCK_NONE, image_number(image))) != NULL;)
        count += block->kind != BLOCK_HOST && block->kind != BLOCK_CLIENT;
    return count;
}

/* The tag as it is written in the source, or a number where it is no text. */
static const char *tag_text(uint32_t tag, char text[16])
{
    for (int i = 0; i < 4; i++)
    {
        char letter = (char)(tag >> (8 * i));
        if (letter < ' ' || letter > '~')
        {
            snprintf(text, 16, "0x%08X", tag);
            return text;
        }
        text[i + 1] = letter;
    }
    text[0] = text[5] = '\'';
    text[6] = 0;
    return text;
}

struct leak
{
    uint8_t kind;
    uint32_t tag;
    uint32_t count;
    uint64_t bytes;
};

enum
{
    LEAK_LINES = 8
};

static void add_leak(struct leak leaks[LEAK_LINES], const struct block *block)
{
    int i = 0;
    while (i < LEAK_LINES - 1 && leaks[i].count != 0 && (leaks[i].kind != block->kind || leaks[i].tag != block->tag))
        i++;
    leaks[i].kind = block->kind;
    leaks[i].tag = block->tag;
    leaks[i].count += 1;
    leaks[i].bytes += block->size;
}

uint32_t pool_report_leaks(const struct image *image, uint64_t since, const char *when)
{
    struct leak leaks[LEAK_LINES] = {0};
    uint32_t count = 0;
    for (struct block *block = NULL; (block = arena_next_live(block, BLOCK_NONE, image_number(image))) != NULL;)
        if (block->serial > since && block->kind != BLOCK_HOST && block->kind != BLOCK_CLIENT)
        {
            add_leak(leaks, block);
            count += 1;
        }
    if (count == 0)
        return 0;
    char text[512] = "";
    size_t used = 0;
    for (int i = 0; i < LEAK_LINES && leaks[i].count != 0 && used < sizeof text; i++)
    {
        char tag[16];
        int written = snprintf(text + used, sizeof text - used, "%s%u × %s (tag %s, %llu bytes)", i == 0 ? "" : ", ",
                               leaks[i].count, block_kind_name((enum block_kind)leaks[i].kind),
                               tag_text(leaks[i].tag, tag), (unsigned long long)leaks[i].bytes);
        used += written < 0 ? 0 : (size_t)written;
    }
    rule_broken("DRIVER_VERIFIER_DETECTED_VIOLATION", "%s had not been freed %s (first parameter 0x62)", text, when);
    return count;
}

const struct export pool_exports[] = {
    EXPORT(ExAllocatePool), EXPORT(ExAllocatePoolWithTag), EXPORT(ExAllocatePool2),
    EXPORT(ExFreePool),     EXPORT(ExFreePoolWithTag),     EXPORTS_END,
};
