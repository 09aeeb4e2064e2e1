/* Blocks: where they lie, how they are found, and what their guards betray (arena.h).
 *
 * Fresh blocks are cut from the end of what is in use, so that a small world stays small and its snapshot cheap; a slot
 * that has been through the quarantine is used again for blocks of its size class. A bit for each 16 bytes says where
 * headers are.
 */
#include <string.h>

#include "host.h"
#include "race.h"
#include "shadow.h"

enum
{
    GRANULE = 16,
    RED_ZONE = 16,         /* bytes behind a block at least */
    RED_ZONE_CHECKED = 64, /* and so many of them are filled and looked at */
    QUARANTINE_COUNT = 256,
    QUARANTINE_BYTES = 1 << 20,
    CLIENT_SEARCHED = 4096,
    SMALL_LIMIT = 1024, /* below it a size class for each granule, above it eight for each doubling */
    SMALL_CLASSES = SMALL_LIMIT / GRANULE
};

#define LIVE_GUARD  UINT32_C(0x4556494c)
#define FREED_GUARD UINT32_C(0x44454552)
#define SPARE_GUARD UINT32_C(0x45524153)
#define FRONT_GUARD UINT64_C(0xFDFDFDFDFDFDFDFD)

static const uint8_t FRESH = 0xCD;
static const uint8_t FREED = 0xDD;
static const uint8_t GUARD = 0xFD;

static const char *const kind_names[BLOCK_KINDS] = {
    [BLOCK_NONE] = "nothing",
    [BLOCK_HOST] = "memory of the system",
    [BLOCK_POOL] = "pool memory",
    [BLOCK_MDL] = "an MDL",
    [BLOCK_NBL] = "a NET_BUFFER_LIST",
    [BLOCK_NBL_POOL] = "a NET_BUFFER_LIST pool",
    [BLOCK_NB] = "a NET_BUFFER",
    [BLOCK_NB_POOL] = "a NET_BUFFER pool",
    [BLOCK_IRP] = "an IRP",
    [BLOCK_DEVICE] = "a device object",
    [BLOCK_FILE] = "a file object",
    [BLOCK_CLIENT] = "a client's buffer",
    [BLOCK_WORK_ITEM] = "a work item",
    [BLOCK_TIMER] = "a timer object",
    [BLOCK_CONFIGURATION] = "a configuration handle",
    [BLOCK_OTHER] = "an object of the system",
};

bool arena_is_for_drivers(enum block_kind kind)
{
    switch (kind)
    {
    case BLOCK_POOL:
    case BLOCK_MDL:
    case BLOCK_NBL:
    case BLOCK_NB:
    case BLOCK_IRP:
    case BLOCK_DEVICE:
    case BLOCK_FILE:
    case BLOCK_CLIENT:
    case BLOCK_CONFIGURATION:
    case BLOCK_OTHER:
        return true;
    default:
        return false;
    }
}

const char *block_kind_name(enum block_kind kind)
{
    return kind < BLOCK_KINDS ? kind_names[kind] : kind_names[BLOCK_NONE];
}

/* The smallest class whose slots have `total` bytes or more. */
static unsigned class_of(size_t total)
{
    if (total <= SMALL_LIMIT)
        return (unsigned)((total + GRANULE - 1) / GRANULE - 1);
    unsigned exponent = 63U - (unsigned)__builtin_clzll(total - 1);
    size_t step = (size_t)1 << (exponent - 3);
    size_t steps = (total - ((size_t)1 << exponent) + step - 1) / step;
    return SMALL_CLASSES + (exponent - 10) * 8 + (unsigned)steps - 1;
}

static size_t class_size(unsigned class_index)
{
    if (class_index < SMALL_CLASSES)
        return (size_t)(class_index + 1) * GRANULE;
    unsigned exponent = (class_index - SMALL_CLASSES) / 8 + 10;
    unsigned steps = (class_index - SMALL_CLASSES) % 8 + 1;
    return ((size_t)1 << exponent) + steps * ((size_t)1 << (exponent - 3));
}

bool block_is_live(const struct block *block)
{
    return block->guard == LIVE_GUARD;
}

static uint8_t *red_zone(const struct block *block, size_t *length)
{
    uint8_t *end = (uint8_t *)block_bytes(block) + block->size;
    size_t room = (size_t)((uint8_t *)(uintptr_t)block + class_size(block->size_class) - end);
    *length = room < RED_ZONE_CHECKED ? room : RED_ZONE_CHECKED;
    return end;
}

static bool all_bytes_are(const uint8_t *bytes, size_t length, uint8_t value)
{
    return length == 0 || (bytes[0] == value && memcmp(bytes, bytes + 1, length - 1) == 0);
}

static bool guards_intact(const struct block *block)
{
    size_t length;
    const uint8_t *zone = red_zone(block, &length);
    return block->front_guard == FRONT_GUARD && all_bytes_are(zone, length, GUARD);
}

static void mark_start(struct arena *arena, const struct block *block)
{
    size_t granule = (size_t)((const uint8_t *)block - arena->start) / GRANULE;
    arena->starts[granule / 64] |= UINT64_C(1) << (granule % 64);
}

void arena_initialize(struct arena *arena, uint8_t *start, uint8_t *limit, uint64_t *starts, uint8_t *shadow)
{
    memset(arena, 0, sizeof *arena);
    arena->start = start;
    arena->end = start;
    arena->limit = limit;
    arena->starts = starts;
    arena->shadow_room = shadow;
}

static void list_append(struct block **oldest, struct block **newest, struct block *block)
{
    block->next = NULL;
    block->previous = *newest;
    if (*newest == NULL)
        *oldest = block;
    else
        (*newest)->next = block;
    *newest = block;
}

static void list_remove(struct block **oldest, struct block **newest, struct block *block)
{
    if (block->previous == NULL)
        *oldest = block->next;
    else
        block->previous->next = block->next;
    if (block->next == NULL)
        *newest = block->previous;
    else
        block->next->previous = block->previous;
}

static bool in_blocks(const struct arena *arena, const volatile void *address)
{
    return (uintptr_t)address >= (uintptr_t)arena->start && (uintptr_t)address < (uintptr_t)arena->end;
}

static bool is_start(const struct arena *arena, const struct block *block)
{
    if (!in_blocks(arena, block) || ((uintptr_t)block - (uintptr_t)arena->start) % GRANULE != 0)
        return false;
    size_t granule = ((uintptr_t)block - (uintptr_t)arena->start) / GRANULE;
    return (arena->starts[granule / 64] >> (granule % 64) & 1) != 0;
}

/* Whether a header can be believed: a driver that writes far beyond a block destroys the next one's, and nothing that
 * follows may go astray on what it reads there.
 */
static bool is_sound(const struct arena *arena, const struct block *block)
{
    return is_start(arena, block) && (block->guard == LIVE_GUARD || block->guard == FREED_GUARD) &&
           block->size <= class_size(block->size_class) &&
           sizeof *block + block->size + RED_ZONE <= class_size(block->size_class) &&
           (block->next == NULL || is_start(arena, block->next)) &&
           (block->previous == NULL || is_start(arena, block->previous));
}

/* In an actor, the end of the run. */
static void report_destroyed(const char *finder)
{
    rule_broken("BAD_POOL_HEADER",
                "%s found a block's header overwritten: something wrote far beyond the block before it", finder);
    if (actor_current() != NULL)
        crash_now("memory is so far overwritten that the driver cannot go on");
}

static void report_write_after_free(const struct block *block)
{
    rule_broken("DRIVER_PAGE_FAULT_IN_FREED_SPECIAL_POOL", "%s of %llu bytes was written after %s had freed it",
                block_kind_name((enum block_kind)block->kind), (unsigned long long)block->size, block->caller);
}

/* Of packets that the stack lent only the beginning, as of a client's buffer (io_client.c): a send can have many
 * megabytes of them, which no miniport writes to at any time. arena_check looks at all of those that still rest. */
static size_t searched_at_reuse(const struct block *block)
{
    return block->kind == BLOCK_CLIENT && block->size > CLIENT_SEARCHED ? CLIENT_SEARCHED : block->size;
}

static void release_oldest(struct arena *arena)
{
    struct block *block = arena->quarantine_oldest;
    if (!is_sound(arena, block))
    {
        report_destroyed("the reuse of freed memory");
        arena->quarantine_oldest = arena->quarantine_newest = NULL;
        arena->quarantine_count = 0;
        arena->quarantine_bytes = 0;
        return;
    }
    list_remove(&arena->quarantine_oldest, &arena->quarantine_newest, block);
    arena->quarantine_count -= 1;
    arena->quarantine_bytes -= class_size(block->size_class);
    if (!all_bytes_are(block_bytes(block), searched_at_reuse(block), FREED))
        report_write_after_free(block);
    block->guard = SPARE_GUARD;
    block->next = arena->free_of_class[block->size_class];
    arena->free_of_class[block->size_class] = block;
}

static struct block *take_slot(struct arena *arena, unsigned class_index)
{
    struct block *block = arena->free_of_class[class_index];
    if (block != NULL)
    {
        arena->free_of_class[class_index] = block->next;
        return block;
    }
    size_t size = class_size(class_index);
    if (size > (size_t)(arena->limit - arena->end))
        return NULL;
    block = (struct block *)(void *)arena->end;
    arena->end += size;
    mark_start(arena, block);
    return block;
}

void *arena_allocate_unfilled(enum block_kind kind, size_t size, uint32_t tag, const char *caller)
{
    struct arena *arena = &current_host->arena;
    if (size > (size_t)(arena->limit - arena->start))
        return NULL;
    unsigned class_index = class_of(sizeof(struct block) + size + RED_ZONE);
    struct block *block = take_slot(arena, class_index);
    while (block == NULL && arena->quarantine_oldest != NULL)
    {
        release_oldest(arena);
        block = take_slot(arena, class_index);
    }
    if (block == NULL)
    {
        arena->exhausted = true;
        return NULL;
    }
    const struct actor *actor = actor_current();
    block->guard = LIVE_GUARD;
    block->kind = (uint8_t)kind;
    block->size_class = (uint8_t)class_index;
    block->image = actor == NULL ? (uint16_t)0 : image_number(actor->image);
    block->tag = tag;
    block->operation = actor == NULL ? 0 : actor->operation;
    block->size = size;
    block->serial = ++arena->serial;
    block->caller = caller;
    block->allocator = caller;
    block->allocation = block->operation;
    block->front_guard = FRONT_GUARD;
    list_append(&arena->oldest, &arena->newest, block);
    arena->live_count += 1;
    arena->live_bytes += size;
    size_t zone_length;
    uint8_t *zone = red_zone(block, &zone_length);
    memset(zone, GUARD, zone_length);
    if (arena_is_for_drivers(kind))
        shadow_allow(block_bytes(block), size);
    return block_bytes(block);
}

void *arena_allocate(enum block_kind kind, size_t size, uint32_t tag, const char *caller)
{
    void *bytes = arena_allocate_unfilled(kind, size, tag, caller);
    if (bytes != NULL && kind != BLOCK_CLIENT)
        memset(bytes, kind == BLOCK_HOST ? 0 : FRESH, size);
    return bytes;
}

struct block *arena_block_of(const volatile void *address)
{
    const struct arena *arena = &current_host->arena;
    if (!in_blocks(arena, address))
        return NULL;
    size_t granule = ((uintptr_t)address - (uintptr_t)arena->start) / GRANULE;
    size_t word = granule / 64;
    uint64_t bits = arena->starts[word] & (UINT64_MAX >> (63 - granule % 64));
    while (bits == 0)
        bits = arena->starts[--word];
    granule = word * 64 + 63 - (size_t)__builtin_clzll(bits);
    return (struct block *)(void *)(arena->start + granule * GRANULE);
}

struct block *arena_live_block(enum block_kind kind, const volatile void *address)
{
    struct block *block = arena_block_of(address);
    if (block == NULL || block_bytes(block) != (const void *)(uintptr_t)address || !block_is_live(block) ||
        block->kind != kind)
        return NULL;
    return block;
}

/* Whether the block at `address` may be freed so; reports why not. */
static bool may_free(enum block_kind kind, const void *address, uint32_t tag, const char *caller)
{
    const struct block *block = arena_block_of(address);
    const char *name = block_kind_name(kind);
    if (block == NULL || block->guard == SPARE_GUARD)
        rule_broken("BAD_POOL_CALLER", "%s was given %s that was never allocated", caller,
                    address == NULL ? "NULL, which is nothing" : "memory");
    else if (!is_sound(&current_host->arena, block))
        report_destroyed(caller);
    else if (!block_is_live(block))
        rule_broken("BAD_POOL_CALLER", "%s was given %s that %s had freed already", caller,
                    block_kind_name((enum block_kind)block->kind), block->caller);
    else if (block_bytes(block) != address)
        rule_broken("BAD_POOL_CALLER", "%s was given an address %lld bytes into %s of %llu bytes", caller,
                    (long long)((const uint8_t *)address - (const uint8_t *)block_bytes(block)),
                    block_kind_name((enum block_kind)block->kind), (unsigned long long)block->size);
    else if (block->kind != kind)
        rule_broken("BAD_POOL_CALLER", "%s frees %s, but was given %s, allocated by %s", caller, name,
                    block_kind_name((enum block_kind)block->kind), block->caller);
    else if (tag != 0 && tag != block->tag)
        rule_broken("BAD_POOL_CALLER", "%s was given the tag 0x%08X for memory that was allocated with the tag 0x%08X",
                    caller, tag, block->tag);
    else
        return true;
    return false;
}

static void report_overrun(const struct block *block, const char *finder)
{
    const char *side = block->front_guard != FRONT_GUARD ? "before the beginning" : "beyond the end";
    rule_broken("BAD_POOL_HEADER", "%s found that something was written %s of %s of %llu bytes, allocated by %s",
                finder, side, block_kind_name((enum block_kind)block->kind), (unsigned long long)block->size,
                block->caller);
}

bool arena_free(enum block_kind kind, void *address, uint32_t tag, const char *caller)
{
    struct arena *arena = &current_host->arena;
    if (!may_free(kind, address, tag, caller))
        return false;
    struct block *block = (struct block *)address - 1;
    if (!guards_intact(block))
        report_overrun(block, caller);
    list_remove(&arena->oldest, &arena->newest, block);
    arena->live_count -= 1;
    arena->live_bytes -= block->size;
    const struct actor *actor = actor_current();
    block->guard = FREED_GUARD;
    block->operation = actor == NULL ? 0 : actor->operation;
    block->caller = caller;
    memset(address, FREED, block->size);
    if (arena_is_for_drivers(kind) && kind != BLOCK_CLIENT)
        race_freed(address, block->size, caller);
    shadow_forbid(address, block->size);
    list_append(&arena->quarantine_oldest, &arena->quarantine_newest, block);
    arena->quarantine_count += 1;
    arena->quarantine_bytes += class_size(block->size_class);
    while (arena->quarantine_count > QUARANTINE_COUNT || arena->quarantine_bytes > QUARANTINE_BYTES)
        release_oldest(arena);
    return true;
}

void arena_check(void)
{
    const struct arena *arena = &current_host->arena;
    const struct block *block = arena->oldest;
    for (; block != NULL && is_sound(arena, block); block = block->next)
        if (!guards_intact(block))
            report_overrun(block, "a check at rest");
    const struct block *freed = arena->quarantine_oldest;
    for (; freed != NULL && is_sound(arena, freed); freed = freed->next)
        if (!all_bytes_are(block_bytes(freed), freed->size, FREED))
            report_write_after_free(freed);
    if (block != NULL || freed != NULL)
        report_destroyed("a check at rest");
}

struct block *arena_next_live(const struct block *after, enum block_kind kind, uint16_t image)
{
    const struct arena *arena = &current_host->arena;
    struct block *block = after == NULL ? arena->oldest : after->next;
    for (; block != NULL && is_sound(arena, block); block = block->next)
        if ((kind == BLOCK_NONE || block->kind == kind) && (image == 0 || block->image == image))
            return block;
    return NULL; /* the end, or a destroyed header, which arena_check reports */
}
