/* Keeping the map of what drivers may touch (shadow.h). */
#include "shadow.h"

#include <string.h>

#include "io_room.h"
#include "slab.h"

static uint8_t *cell_of(const void *address)
{
    const struct arena *arena = &current_host->arena;
    return &arena->shadow[(size_t)((const uint8_t *)address - arena->start) / SHADOW_GRANULE];
}

void shadow_write(const void *address, size_t size, bool allowed)
{
    uint8_t *cell = cell_of(address);
    const size_t whole = size / SHADOW_GRANULE;
    const size_t rest = size % SHADOW_GRANULE;
    memset(cell, allowed ? SHADOW_GRANULE : 0, whole);
    if (rest != 0)
        cell[whole] = allowed ? (uint8_t)rest : 0;
}

bool shadow_allows(uintptr_t address, size_t size)
{
    const struct arena *arena = &current_host->arena;
    if (size > (uintptr_t)arena->end - address)
        return false;
    size_t offset = address - (uintptr_t)arena->start;
    const size_t end = offset + size;
    while (offset < end)
    {
        const size_t next = (offset / SHADOW_GRANULE + 1) * SHADOW_GRANULE;
        const size_t last = (end < next ? end : next) - 1;
        if (last % SHADOW_GRANULE >= arena->shadow[offset / SHADOW_GRANULE])
            return false;
        offset = next;
    }
    return true;
}

/* What is allocated now; from here on, whoever allocates says so. */
void shadow_begin(void)
{
    struct arena *arena = &current_host->arena;
    if (arena->shadow != NULL)
        return;
    arena->shadow = arena->shadow_room;
    memset(arena->shadow, 0, (size_t)(arena->end - arena->start) / SHADOW_GRANULE);
    for (struct block *block = arena_next_live(NULL, BLOCK_NONE, 0); block != NULL;
         block = arena_next_live(block, BLOCK_NONE, 0))
    {
        if (arena_is_for_drivers((enum block_kind)block->kind))
            shadow_write(block_bytes(block), block->size, true);
        else if (block->tag == SLAB_TAG)
            slab_chunk_shadow(block_bytes(block));
    }
    if (current_host->io != NULL)
        client_forbid_unused();
}
