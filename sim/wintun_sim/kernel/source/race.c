/* The accesses that are remembered of each byte, and the comparison of each new one with them (race.h).
 *
 * Memory is looked at in granules of 8 bytes and found by lines of 64, in a table that holds those of the present run
 * only: a line of another run is nobody's, so a run begins by counting on. A cell stands for another, which is dropped,
 * when it happened after it and conflicts with whatever that one conflicts with.
 */
#include "race.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"

enum
{
    GRANULE = 8,
    LINE = 64,
    GRANULES = LINE / GRANULE,
    CELLS = 4, /* of a granule, in its line; further ones are spilled */
    FIRST_LINES = 512,
    FIRST_SPILLS = 64,
    PAIRS = 64,
    SEGMENTS = IMAGE_LIMIT * IMAGE_SEGMENT_LIMIT,
    LARGE = 256 /* bytes of an access whose memory is looked up first, since it may be a client's */
};

struct line
{
    uintptr_t number; /* address / LINE */
    uint32_t run;
    uint8_t count[GRANULES];  /* cells in use, spilled ones apart */
    uint16_t spill[GRANULES]; /* 1 + the first spilled cell; 0: none */
    struct race_cell cells[GRANULES][CELLS];
};

struct spill
{
    struct race_cell cell;
    uint16_t next; /* 1 + the next one */
};

struct range
{
    uintptr_t start;
    size_t size;
};

struct pair
{
    uintptr_t earlier;
    uintptr_t later;
};

struct races
{
    struct line *lines; /* a table of a power of two */
    uint32_t capacity;
    uint32_t count; /* lines of this run */
    struct spill *spills;
    uint32_t spill_capacity;
    uint32_t spill_count; /* of this run */
    uint32_t range_count;
    struct range ranges[SEGMENTS]; /* writable segments of images */
    uint32_t pair_count;
    struct pair pairs[PAIRS]; /* of places: told in this run */
    uint64_t found;
};

struct races *races_new(void)
{
    struct races *races = calloc(1, sizeof *races);
    if (races == NULL)
        return NULL;
    races->capacity = FIRST_LINES;
    races->spill_capacity = FIRST_SPILLS;
    races->lines = calloc(races->capacity, sizeof *races->lines);
    races->spills = malloc(races->spill_capacity * sizeof *races->spills);
    if (races->lines != NULL && races->spills != NULL)
        return races;
    races_delete(races);
    return NULL;
}

void races_delete(struct races *races)
{
    if (races == NULL)
        return;
    free(races->lines);
    free(races->spills);
    free(races);
}

void races_forget(struct races *races)
{
    memset(races->lines, 0, races->capacity * sizeof *races->lines);
}

uint64_t races_found(void)
{
    const struct races *races = current_host->happens->races;
    return races == NULL ? 0 : races->found;
}

static _Noreturn void no_memory(void)
{
    fputs("wintun-sim: there is no memory to look for data races\n", stderr);
    abort();
}

/* The place of a line: it is there in this run, or what is there is of another run. */
static inline struct line *place_of(struct races *races, uintptr_t number, uint32_t run)
{
    uint32_t slot = (uint32_t)((uint64_t)number * UINT64_C(0x9E3779B97F4A7C15) >> 32) & (races->capacity - 1);
    while (races->lines[slot].run == run && races->lines[slot].number != number)
        slot = (slot + 1) & (races->capacity - 1);
    return &races->lines[slot];
}

static __attribute__((noinline)) struct line *add_line(struct races *races, uintptr_t number, uint32_t run)
{
    if (++races->count * 2 > races->capacity)
    {
        struct line *old = races->lines;
        const uint32_t capacity = races->capacity;
        races->capacity *= 2;
        races->lines = calloc(races->capacity, sizeof *races->lines);
        if (races->lines == NULL)
            no_memory();
        for (uint32_t slot = 0; slot < capacity; slot++)
            if (old[slot].run == run)
                *place_of(races, old[slot].number, run) = old[slot];
        free(old);
    }
    struct line *line = place_of(races, number, run);
    line->number = number;
    line->run = run;
    memset(line->count, 0, sizeof line->count);
    memset(line->spill, 0, sizeof line->spill);
    return line;
}

/* Interlocked and volatile accesses are whole, and the compiler never keeps them from memory. */
static inline bool is_plain(const struct race_cell *cell)
{
    return (cell->kind & (ACCESS_ATOMIC | ACCESS_VOLATILE)) == 0;
}

/* Whether `one` conflicts with whatever `other` conflicts with, on the bytes of `other`. */
static inline bool stands_for(const struct race_cell *one, const struct race_cell *other)
{
    return (other->mask & ~one->mask) == 0 && (other->kind & ACCESS_WRITE & ~one->kind) == 0 &&
           (is_plain(one) || !is_plain(other));
}

static inline bool conflict(const struct race_cell *one, const struct race_cell *other)
{
    return (one->mask & other->mask) != 0 && ((one->kind | other->kind) & ACCESS_WRITE) != 0 &&
           (is_plain(one) || is_plain(other));
}

static void keep_cell(struct races *races, struct line *line, unsigned granule, const struct race_cell *cell)
{
    if (line->count[granule] < CELLS)
    {
        line->cells[granule][line->count[granule]++] = *cell;
        return;
    }
    if (races->spill_count == UINT16_MAX)
        return; /* as many unordered readers as no driver has; the earlier ones still count */
    if (races->spill_count == races->spill_capacity)
    {
        races->spill_capacity *= 2;
        races->spills = realloc(races->spills, races->spill_capacity * sizeof *races->spills);
        if (races->spills == NULL)
            no_memory();
    }
    races->spills[races->spill_count++] = (struct spill){*cell, line->spill[granule]};
    line->spill[granule] = (uint16_t)races->spill_count;
}

static void found(struct races *races, uintptr_t granule, const struct race_cell *earlier,
                  const struct race_cell *later)
{
    const struct block *block = arena_block_of((const void *)granule);
    if (block != NULL && block->kind == BLOCK_CLIENT)
        return;
    races->found++;
    const struct pair pair = {earlier->place, (later->kind & RACE_FREE) != 0 ? image_calling_place() : later->place};
    for (uint32_t i = 0; i < races->pair_count; i++)
        if (races->pairs[i].earlier == pair.earlier && races->pairs[i].later == pair.later)
            return;
    if (races->pair_count == PAIRS)
        return;
    races->pairs[races->pair_count++] = pair;
    race_report(granule, earlier, later, pair.later);
}

/* Compares one access with those to its granule, and remembers it. */
static void look(struct races *races, const struct vector_clock *clock, struct line *line, unsigned granule,
                 const struct race_cell *now)
{
    struct race_cell *cells = line->cells[granule];
    const unsigned count = line->count[granule];
    for (unsigned i = 0; i < count; i++)
        if (cells[i].actor == now->actor && cells[i].clock == now->clock && stands_for(&cells[i], now))
            return; /* whoever raced with that one was told then */
    const uintptr_t address = line->number * LINE + granule * GRANULE;
    unsigned kept = 0;
    for (unsigned i = 0; i < count; i++)
    {
        const bool before = cells[i].clock <= clock->of[cells[i].actor];
        if (!before && conflict(&cells[i], now))
            found(races, address, &cells[i], now);
        if (!before || !stands_for(now, &cells[i]))
            cells[kept++] = cells[i];
    }
    line->count[granule] = (uint8_t)kept;
    for (uint16_t next = line->spill[granule]; next != 0; next = races->spills[next - 1].next)
    {
        const struct race_cell cell = races->spills[next - 1].cell;
        if (cell.clock > clock->of[cell.actor] && conflict(&cell, now))
            found(races, address, &cell, now);
    }
    if ((now->kind & RACE_FREE) == 0)
        keep_cell(races, line, granule, now);
    else
    {
        line->count[granule] = 0;
        line->spill[granule] = 0;
    }
}

/* The bytes from `low` up to `high` within a granule of 8. */
static inline uint8_t mask_of(size_t low, size_t high)
{
    return (uint8_t)(UINT32_C(0xFF) >> (GRANULE - (high - low)) << low);
}

static void look_at_range(uintptr_t address, size_t size, struct race_cell *now)
{
    struct happens *happens = current_host->happens;
    struct races *races = happens->races;
    const struct vector_clock *clock = &happens->of[now->actor].clock;
    struct line *line = NULL;
    const uintptr_t end = address + size;
    while (address < end)
    {
        const uintptr_t number = address / LINE;
        if (line == NULL || line->number != number)
        {
            line = place_of(races, number, happens->run);
            if (line->run != happens->run && (now->kind & RACE_FREE) != 0)
            {
                address = (number + 1) * LINE; /* nobody was there */
                line = NULL;
                continue;
            }
            if (line->run != happens->run)
                line = add_line(races, number, happens->run);
        }
        const uintptr_t granule = address / GRANULE * GRANULE;
        const size_t last = end - granule < GRANULE ? end - granule : GRANULE;
        now->mask = mask_of(address - granule, last);
        look(races, clock, line, (unsigned)(granule / GRANULE % GRANULES), now);
        address = granule + GRANULE;
    }
}

static bool is_looked_at(const struct races *races, uintptr_t address, size_t size)
{
    const struct arena *arena = &current_host->arena;
    if (address - (uintptr_t)arena->start < (size_t)(arena->end - arena->start))
    {
        const struct block *block = size < LARGE ? NULL : arena_block_of((const void *)address);
        return block == NULL || block->kind != BLOCK_CLIENT;
    }
    for (uint32_t i = 0; i < races->range_count; i++)
        if (address - races->ranges[i].start < races->ranges[i].size)
            return true;
    return false;
}

static void observe(const struct access *access)
{
    struct happens *happens = current_host->happens;
    if (!is_looked_at(happens->races, access->address, access->size))
        return;
    const uint32_t actor = happens_current(happens);
    struct race_cell now = {.place = access->place,
                            .clock = happens->of[actor].clock.of[actor],
                            .actor = (uint8_t)actor,
                            .kind = (uint8_t)access->flags};
    look_at_range(access->address, access->size, &now);
}

void race_block_freed(const void *address, size_t size, const char *caller)
{
    struct happens *happens = current_host->happens;
    if (current_host->scheduler.current == NULL || size == 0)
        return;
    const uint32_t actor = happens_current(happens);
    struct race_cell now = {.place = (uintptr_t)caller,
                            .clock = happens->of[actor].clock.of[actor],
                            .actor = (uint8_t)actor,
                            .kind = ACCESS_WRITE | RACE_FREE};
    look_at_range((uintptr_t)address, size, &now);
}

void races_begin(struct races *races)
{
    races->count = 0;
    races->spill_count = 0;
    races->range_count = 0;
    races->pair_count = 0;
    for (size_t i = 0; i < IMAGE_LIMIT; i++)
    {
        size_t count = 0;
        const struct image_segment *segments = NULL;
        if (current_host->images.of[i].loaded)
            segments = image_segments(&current_host->images.of[i], &count);
        for (size_t k = 0; k < count; k++)
            races->ranges[races->range_count++] = (struct range){(uintptr_t)segments[k].start, segments[k].size};
    }
    current_host->instrument.observer = observe;
}

void races_end(void)
{
    if (current_host->instrument.observer == observe)
        current_host->instrument.observer = NULL;
}
