/* A slab grows by chunks, each twice as large as the last one up to a bound. Its objects never go back to the arena:
 * the arena goes as a whole. */
#include "slab.h"

#include <string.h>

#include "host.h"
#include "race.h"
#include "shadow.h"

#define STATE_LIVE UINT64_C(0x4c4956452e534c42)
#define STATE_FREE UINT64_C(0x465245452e534c42)

enum
{
    FIRST_CHUNK = 64,        /* objects: also how long a freed one rests at least, in objects taken after it */
    FIRST_HIDDEN_CHUNK = 16, /* of objects that no driver sees: every restore copies them */
    LARGEST_CHUNK = 4096
};

_Static_assert(sizeof(struct slab_item) % 16 == 0, "objects must stay 16-byte aligned");

struct slab_chunk
{
    struct slab_chunk *next;
    uint32_t count;
    uint32_t padding;
};

_Static_assert(sizeof(struct slab_chunk) % 16 == 0, "objects must stay 16-byte aligned");

void slab_initialize(struct slab *slab, const char *name, size_t size, size_t poisoned)
{
    memset(slab, 0, sizeof *slab);
    slab->name = name;
    slab->size = (size + 15) / 16 * 16;
    slab->poisoned = poisoned / 16 * 16;
    slab->stride = sizeof(struct slab_item) + slab->size;
}

void slab_close(struct slab *slab)
{
    struct slab_chunk *next = NULL;
    for (struct slab_chunk *chunk = slab->chunks; chunk != NULL; chunk = next)
    {
        next = chunk->next;
        arena_free(BLOCK_HOST, chunk, 0, slab->name);
    }
    slab->chunks = NULL;
    slab->first = slab->last = NULL;
    slab->live = slab->total = slab->fresh = 0;
}

static struct slab_item *chunk_item(const struct slab *slab, struct slab_chunk *chunk, uint32_t number)
{
    return (struct slab_item *)(void *)((uint8_t *)(chunk + 1) + number * slab->stride);
}

static void append_free(struct slab *slab, struct slab_item *item)
{
    item->next = NULL;
    if (slab->first == NULL)
        slab->first = item;
    else
        slab->last->next = item;
    slab->last = item;
}

static bool grow(struct slab *slab)
{
    const uint32_t first = slab->poisoned == 0 ? FIRST_HIDDEN_CHUNK : FIRST_CHUNK;
    const uint32_t count = slab->total < first ? first : slab->total > LARGEST_CHUNK ? LARGEST_CHUNK : slab->total;
    struct slab_chunk *chunk =
        arena_allocate_unfilled(BLOCK_HOST, sizeof *chunk + count * slab->stride, SLAB_TAG, slab->name);
    if (chunk == NULL)
        return false;
    chunk->next = slab->chunks;
    chunk->count = count;
    slab->chunks = chunk;
    for (uint32_t number = 0; number < count; number++)
        *chunk_item(slab, chunk, number) = (struct slab_item){.slab = slab};
    slab->total += count;
    slab->fresh = count;
    return true;
}

void *slab_take(struct slab *slab)
{
    if (slab->fresh == 0 && slab->first == NULL && !grow(slab))
        return NULL;
    struct slab_item *item = slab->first;
    if (slab->fresh != 0)
    {
        item = chunk_item(slab, slab->chunks, slab->chunks->count - slab->fresh);
        slab->fresh -= 1;
    }
    else
    {
        slab->first = item->next;
        if (!slab_is_poisoned(item + 1, slab->poisoned))
            rule_broken("WriteAfterFree", "%s was written to after it had been given back during operation #%u",
                        slab->name, item->operation);
    }
    const struct actor *actor = actor_current();
    item->state = STATE_LIVE;
    item->operation = actor == NULL ? 0 : actor->operation;
    item->image = actor == NULL ? (uint16_t)0 : image_number(actor->image);
    item->tag = 0;
    slab->live++;
    if (slab->poisoned != 0)
        shadow_allow(item + 1, slab->size);
    return item + 1;
}

void slab_give(struct slab *slab, void *object)
{
    struct slab_item *item = slab_item_of(object);
    const struct actor *actor = actor_current();
    item->state = STATE_FREE;
    item->operation = actor == NULL ? 0 : actor->operation;
    slab_poison(object, slab->poisoned);
    if (slab->poisoned != 0)
    {
        race_freed(object, slab->size, slab->name);
        shadow_forbid(object, slab->size);
    }
    append_free(slab, item);
    slab->live--;
}

static struct slab_item *find(const struct slab *slab, const volatile void *object, uint64_t state)
{
    const struct arena *arena = &current_host->arena;
    const uintptr_t address = (uintptr_t)object;
    if (address % 16 != 0 || address < (uintptr_t)arena->start + sizeof(struct slab_item) ||
        address + slab->size > (uintptr_t)arena->end)
        return NULL;
    struct slab_item *item = (struct slab_item *)address - 1;
    return item->state == state && item->slab == slab ? item : NULL;
}

struct slab_item *slab_live(const struct slab *slab, const volatile void *object)
{
    return find(slab, object, STATE_LIVE);
}

struct slab_item *slab_free(const struct slab *slab, const volatile void *object)
{
    return find(slab, object, STATE_FREE);
}

void slab_visit(const struct slab *slab, void (*visit)(void *object, void *context), void *context)
{
    for (struct slab_chunk *chunk = slab->chunks; chunk != NULL; chunk = chunk->next)
        for (uint32_t number = 0; number < chunk->count; number++)
            if (chunk_item(slab, chunk, number)->state == STATE_LIVE)
                visit(chunk_item(slab, chunk, number) + 1, context);
}

struct slab_item *slab_item_at(void *chunk, uintptr_t address)
{
    struct slab_item *first = (struct slab_item *)(void *)((struct slab_chunk *)chunk + 1);
    if (address < (uintptr_t)first)
        return NULL;
    const struct slab *slab = first->slab;
    return chunk_item(slab, chunk, (uint32_t)((address - (uintptr_t)first) / slab->stride));
}

void slab_chunk_shadow(void *bytes)
{
    struct slab_chunk *chunk = bytes;
    const struct slab *slab = slab_item_at(chunk, (uintptr_t)(chunk + 1))->slab;
    for (uint32_t number = 0; number < chunk->count && slab->poisoned != 0; number++)
        if (chunk_item(slab, chunk, number)->state == STATE_LIVE)
            shadow_write(chunk_item(slab, chunk, number) + 1, slab->size, true);
}

uint32_t slab_count(const struct slab *slab, uint16_t image)
{
    uint32_t count = 0;
    for (struct slab_chunk *chunk = slab->chunks; chunk != NULL; chunk = chunk->next)
        for (uint32_t number = 0; number < chunk->count; number++)
        {
            const struct slab_item *item = chunk_item(slab, chunk, number);
            count += item->state == STATE_LIVE && (image == 0 || item->image == image);
        }
    return count;
}
