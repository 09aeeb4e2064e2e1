/* Copying the world and bringing it back (snapshot.h): only what is in use, so that a small world costs little. */
#include "snapshot.h"

#include <stdlib.h>
#include <string.h>

#include "host.h"
#include "lock_order.h"
#include "scheduler.h"
#include "shadow.h"

/* Longest number of pieces: the struct, the actors, the blocks, the bits of their beginnings and their shadow, stacks,
 * segments of images. */
enum
{
    PIECE_LIMIT = 5 + SNAPSHOT_HOLES + ACTOR_LIMIT + IMAGE_LIMIT * IMAGE_SEGMENT_LIMIT
};

struct piece
{
    uint8_t *place;
    size_t size;
};

struct snapshot
{
    size_t size;
    size_t piece_count;
    struct piece pieces[PIECE_LIMIT];
    struct lock_order *lock_order; /* lies outside the arena */
    uint8_t bytes[];
};

static void add(struct snapshot *snapshot, void *place, size_t size)
{
    snapshot->pieces[snapshot->piece_count++] = (struct piece){place, size};
    snapshot->size += size;
}

/* The bytes of a stack between where its actor stands and its end. */
static void add_stack(struct snapshot *snapshot, const struct actor *actor)
{
    uint8_t *top = scheduler_stack_top(actor);
    scheduler_clean_stack(actor);
#if defined(__x86_64__)
    uint8_t *bottom = (uint8_t *)actor->stack_pointer - 128; /* the System V red zone */
#else
    uint8_t *bottom = actor->stack_pointer;
#endif
    add(snapshot, bottom, (size_t)(top - bottom));
}

/* The blocks, but for the holes. */
static void add_blocks(struct snapshot *snapshot, const struct arena *arena, const struct snapshot_hole *holes,
                       size_t count)
{
    uint8_t *start = arena->start;
    for (size_t i = 0; i < count; i++)
    {
        add(snapshot, start, (size_t)(holes[i].start - start));
        start = holes[i].start + holes[i].size;
    }
    add(snapshot, start, (size_t)(arena->end - start));
}

static void collect(struct snapshot *snapshot, const struct snapshot_hole *holes, size_t count_of_holes)
{
    struct host *host = current_host;
    const struct arena *arena = &host->arena;
    size_t used = (size_t)(arena->end - arena->start);
    add(snapshot, host, sizeof *host);
    add(snapshot, host->scheduler.actors, host->scheduler.used * sizeof(struct actor));
    add(snapshot, arena->starts, (used / 16 + 63) / 64 * sizeof *arena->starts);
    add_blocks(snapshot, arena, holes, count_of_holes);
    if (arena->shadow != NULL)
        add(snapshot, arena->shadow, used / SHADOW_GRANULE);
    for (const struct actor *actor = actor_next(0); actor != NULL; actor = actor_next(actor->index + 1U))
        add_stack(snapshot, actor);
    for (size_t i = 0; i < IMAGE_LIMIT; i++)
    {
        size_t count = 0;
        const struct image_segment *segments = NULL;
        if (host->images.of[i].loaded)
            segments = image_segments(&host->images.of[i], &count);
        for (size_t k = 0; k < count; k++)
            add(snapshot, segments[k].start, segments[k].size);
    }
}

struct snapshot *snapshot_take_without(const struct snapshot_hole *holes, size_t count)
{
    struct snapshot *plan = calloc(1, sizeof *plan);
    if (plan == NULL)
        return NULL;
    collect(plan, holes, count);
    plan->lock_order = lock_order_copy();
    struct snapshot *snapshot = plan->lock_order == NULL ? NULL : realloc(plan, sizeof *plan + plan->size);
    if (snapshot == NULL)
    {
        snapshot_delete(plan);
        return NULL;
    }
    uint8_t *bytes = snapshot->bytes;
    for (size_t i = 0; i < snapshot->piece_count; i++)
    {
        memcpy(bytes, snapshot->pieces[i].place, snapshot->pieces[i].size);
        bytes += snapshot->pieces[i].size;
    }
    return snapshot;
}

struct snapshot *snapshot_take(void)
{
    return snapshot_take_without(NULL, 0);
}

static void clean_stacks(const struct scheduler *scheduler)
{
    for (size_t i = 0; i < scheduler->used; i++)
        scheduler_clean_stack(&scheduler->actors[i]);
}

/* What was begun after the snapshot must look as if it never was. */
static void forget_later_actors(const struct scheduler *now, const struct scheduler *then)
{
    if (now->used > then->used)
        memset(&now->actors[then->used], 0, (size_t)(now->used - then->used) * sizeof(struct actor));
}

static void forget_later_blocks(const struct arena *now, const struct arena *then)
{
    size_t first = ((size_t)(then->end - then->start) / 16 + 63) / 64;
    size_t last = ((size_t)(now->end - now->start) / 16 + 63) / 64;
    if (last > first)
        memset(now->starts + first, 0, (last - first) * sizeof *now->starts);
    if (now->shadow != NULL && now->end > then->end)
        memset(now->shadow + (then->end - then->start) / SHADOW_GRANULE, 0,
               (size_t)(now->end - then->end) / SHADOW_GRANULE);
}

void snapshot_restore(const struct snapshot *snapshot)
{
    const struct host *then = (const struct host *)(const void *)snapshot->bytes;
    forget_later_blocks(&current_host->arena, &then->arena);
    clean_stacks(&current_host->scheduler);
    forget_later_actors(&current_host->scheduler, &then->scheduler);
    struct oracle *oracle = current_host->oracle; /* whoever explores may have put another one there */
    access_observer *observer = current_host->instrument.observer;
    const uint8_t *bytes = snapshot->bytes;
    for (size_t i = 0; i < snapshot->piece_count; i++)
    {
        memcpy(snapshot->pieces[i].place, bytes, snapshot->pieces[i].size);
        bytes += snapshot->pieces[i].size;
    }
    current_host->oracle = oracle;
    current_host->instrument.observer = observer;
    lock_order_restore(snapshot->lock_order);
}

void snapshot_delete(struct snapshot *snapshot)
{
    lock_order_delete(snapshot->lock_order);
    free(snapshot);
}

size_t snapshot_size(const struct snapshot *snapshot)
{
    return snapshot->size;
}
