/* A data race in words: both places, what they do to which bytes of what, and for which operations. */
#include <stdio.h>

#include "arena.h"
#include "race.h"
#include "rules.h"
#include "slab.h"

enum
{
    WORDS = 320
};

static unsigned first_of(unsigned mask)
{
    return (unsigned)__builtin_ctz(mask);
}

static const char *describe_place(uintptr_t place, char *text, size_t size)
{
    const struct image *image = place == 0 ? NULL : image_of(place);
    if (image == NULL)
        snprintf(text, size, "the system");
    else
        image_place(image, place - 1, text, size);
    return text;
}

/* "writes 4 bytes" */
static const char *describe_access(const struct race_cell *cell, char *text, size_t size)
{
    const char *how = cell->kind & ACCESS_ATOMIC ? " atomically" : cell->kind & ACCESS_VOLATILE ? " as volatile" : "";
    const int count = __builtin_popcount(cell->mask);
    snprintf(text, size, "%s%s %d byte%s", cell->kind & ACCESS_WRITE ? "writes" : "reads", how, count,
             count == 1 ? "" : "s");
    return text;
}

/* ", 16 bytes into pool memory of 640 bytes that NdisAllocateMemoryWithTag allocated during operation #3" */
static const char *describe_memory(uintptr_t address, char *text, size_t size)
{
    const struct block *block = arena_block_of((const void *)address);
    char where[64];
    if (block == NULL)
    {
        const struct image *image = image_of(address);
        char variable[128] = "memory that is no driver's";
        if (image != NULL)
            image_variable(image, address, variable, sizeof variable);
        snprintf(text, size, " of %s", variable);
        return text;
    }
    if (block->kind == BLOCK_HOST && block->tag == SLAB_TAG)
    {
        const struct slab_item *item = slab_item_at(block_bytes(block), address);
        instrument_position((intptr_t)(address - (uintptr_t)(item + 1)), item->slab->size, where, sizeof where);
        snprintf(text, size, "%s %s that was given out during operation #%u", where, item->slab->name, item->operation);
        return text;
    }
    instrument_position((intptr_t)(address - (uintptr_t)block_bytes(block)), block->size, where, sizeof where);
    snprintf(text, size, "%s %s of %llu bytes that %s allocated during operation #%u", where,
             block_kind_name((enum block_kind)block->kind), (unsigned long long)block->size, block->allocator,
             block->allocation);
    return text;
}

void race_report(uintptr_t granule, const struct race_cell *earlier, const struct race_cell *later, uintptr_t place)
{
    static const char unordered[] = "nothing puts one before the other";
    const uint32_t operation = happens_operation_at(earlier->actor, earlier->clock);
    char memory[WORDS];
    char here[WORDS];
    char there[WORDS];
    char does[64];
    char did[64];
    describe_place(place, here, sizeof here);
    describe_place(earlier->place, there, sizeof there);
    describe_access(earlier, did, sizeof did);
    if ((later->kind & RACE_FREE) != 0)
        rule_found("DataRace", "%s frees by %s what %s uses during operation #%u, which %s%s, and %s", here,
                   (const char *)later->place, there, operation, did,
                   describe_memory(granule + first_of(earlier->mask), memory, sizeof memory), unordered);
    else
        rule_found("DataRace", "%s %s%s, while %s %s of the same during operation #%u, and %s", here,
                   describe_access(later, does, sizeof does),
                   describe_memory(granule + first_of(later->mask), memory, sizeof memory), there, did, operation,
                   unordered);
}
