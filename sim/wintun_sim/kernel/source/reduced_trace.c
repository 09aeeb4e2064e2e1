/* Steps and their races (reduced.h). */
#include <stdlib.h>
#include <string.h>

#include "gate.h"
#include "reduced.h"

enum
{
    FIRST_OBJECTS = 256,
    RACES = 256 /* of one step, at most */
};

enum standing
{
    TAKEN,
    FREE,
    UNKNOWN
};

void uses_add(struct uses *uses, uintptr_t object, unsigned how)
{
    static const unsigned was = DEPEND_WAS_FREE | DEPEND_WAS_TAKEN;
    for (size_t i = 0; i < uses->count; i++)
        if (uses->of[i].object == object)
        {
            uses->of[i].how = (uses->of[i].how & (was | DEPEND_WRITE)) | (how & ~was);
            return;
        }
    if (uses->count == uses->capacity)
        oracle_grow(&uses->of, &uses->capacity, uses->count + 1, sizeof *uses->of);
    uses->of[uses->count++] = (struct use){object, how};
}

void uses_add_all(struct uses *uses, const struct uses *from)
{
    for (size_t i = 0; i < from->count; i++)
        uses_add(uses, from->of[i].object, from->of[i].how);
}

bool uses_conflict(const struct uses *one, const struct uses *other)
{
    for (size_t i = 0; i < one->count; i++)
        for (size_t k = 0; k < other->count; k++)
            if (one->of[i].object == other->of[k].object && ((one->of[i].how | other->of[k].how) & DEPEND_WRITE) != 0)
                return true;
    return false;
}

/* Objects */

static struct trace_object *place_of(const struct trace *trace, uintptr_t object)
{
    const size_t mask = trace->object_capacity - 1;
    size_t slot = (size_t)((uint64_t)object * UINT64_C(0x9E3779B97F4A7C15) >> 32) & mask;
    while (trace->objects[slot].run == trace->run && trace->objects[slot].object != object)
        slot = (slot + 1) & mask;
    return &trace->objects[slot];
}

static void make_room_for_objects(struct trace *trace)
{
    struct trace_object *old = trace->objects;
    const size_t capacity = trace->object_capacity;
    struct trace_object *grown = NULL;
    size_t grown_capacity = 0;
    oracle_grow(&grown, &grown_capacity, capacity == 0 ? FIRST_OBJECTS : capacity * 2, sizeof *grown);
    /* A power of two, whatever there is room for. */
    trace->object_capacity = capacity == 0 ? FIRST_OBJECTS : capacity * 2;
    trace->objects = grown;
    memset(grown, 0, grown_capacity * sizeof *grown);
    for (size_t slot = 0; slot < capacity; slot++)
        if (old[slot].run == trace->run)
            *place_of(trace, old[slot].object) = old[slot];
    free(old);
}

static struct trace_object *object_of(struct trace *trace, uintptr_t address)
{
    if (trace->object_count * 2 >= trace->object_capacity)
        make_room_for_objects(trace);
    struct trace_object *object = place_of(trace, address);
    if (object->run == trace->run)
        return object;
    trace->object_count += 1;
    *object = (struct trace_object){.object = address, .run = trace->run};
    return object;
}

/* Beginning and ending */

void trace_clear(struct trace *trace)
{
    trace->count = 0;
    trace->use_count = 0;
    trace->object_count = 0;
    trace->run += 1;
    trace->open = false;
    trace->floor = 0;
    trace->actors = 0;
}

void trace_delete(struct trace *trace)
{
    for (size_t i = 0; i < trace->capacity; i++)
        free(trace->steps[i].uses.of);
    free(trace->steps);
    free(trace->uses);
    free(trace->objects);
}

void trace_actor(struct trace *trace, const struct actor *actor)
{
    uint32_t number = trace->actors;
    if (number == TRACE_ACTORS)
    {
        trace->lost = true; /* taken for the last one, which makes up an order that there may not be */
        number = TRACE_ACTORS - 1;
    }
    else
        trace->actors += 1;
    trace->number[actor->index] = (uint8_t)number;
    trace->made[number] = 0;
    memset(trace->clocks[number], 0, sizeof trace->clocks[number]);
    trace->creator[number] = trace->open ? (uint32_t)trace->count : 0;
}

static void join(const struct trace *trace, uint32_t *into, const uint32_t *from)
{
    for (uint32_t i = 0; i < trace->actors; i++)
        if (from[i] > into[i])
            into[i] = from[i];
}

void trace_begin(struct trace *trace, size_t place, const struct actor *actor)
{
    const uint64_t bit = UINT64_C(1) << actor->index;
    const struct scheduler *scheduler = &current_host->scheduler;
    if (trace->run == 0)
        trace->run = 1;
    if (trace->count == trace->capacity)
    {
        const size_t old = trace->capacity;
        oracle_grow(&trace->steps, &trace->capacity, trace->count + 1, sizeof *trace->steps);
        memset(trace->steps + old, 0, (trace->capacity - old) * sizeof *trace->steps);
    }
    struct trace_step *step = &trace->steps[trace->count++];
    step->uses.count = 0;
    step->place = place;
    step->actor = actor->index;
    step->number = trace->number[actor->index];
    step->sequence = ++trace->made[step->number];
    step->unsure = (scheduler->gated & bit) != 0;
    /* Whose time is up goes on either way. */
    const bool waits = (scheduler->waiting & bit) != 0 && actor->deadline > current_host->clock.now;
    step->waits_for = waits ? (uintptr_t)actor->object : 0;
    if (step->sequence == 1 && trace->creator[step->number] != 0)
        join(trace, trace->clocks[step->number], trace->steps[trace->creator[step->number] - 1].clock);
    trace->open = true;
}

void trace_use(struct trace *trace, uintptr_t object, unsigned how)
{
    if (trace->open)
        uses_add(&trace->steps[trace->count - 1].uses, object, how);
}

void trace_barrier(struct trace *trace)
{
    trace->floor = (uint32_t)trace->count;
    for (uint32_t number = 0; number < trace->actors; number++)
        memcpy(trace->clocks[number], trace->made, sizeof trace->made);
}

const struct uses *trace_newest(const struct trace *trace)
{
    return &trace->steps[trace->count - 1].uses;
}

const struct uses *trace_at(const struct trace *trace, size_t place)
{
    size_t low = 0; /* steps are in the order of their nodes */
    size_t high = trace->count;
    while (low < high)
    {
        const size_t middle = low + (high - low) / 2;
        if (trace->steps[middle].place < place)
            low = middle + 1;
        else
            high = middle;
    }
    return low < trace->count && trace->steps[low].place == place ? &trace->steps[low].uses : NULL;
}

/* Races */

/* One of the newest step. */
struct race
{
    uint32_t step;
    bool surely;
};

static bool happened_before(const struct trace_step *first, const uint32_t *clock)
{
    return clock[first->number] >= first->sequence;
}

static enum standing after(unsigned how)
{
    return how & DEPEND_IS_FREE ? FREE : how & DEPEND_IS_TAKEN ? TAKEN : UNKNOWN;
}

static enum standing before(unsigned how)
{
    return how & DEPEND_WAS_FREE ? FREE : how & DEPEND_WAS_TAKEN ? TAKEN : UNKNOWN;
}

/* Whether the newest step could be made in place of the step `first`, after all that does not follow from that one. */
static enum standing standing_without(struct trace *trace, const struct trace_step *newest, uint32_t first)
{
    if (newest->unsure)
        return UNKNOWN;
    if (newest->waits_for == 0)
        return FREE;
    const struct trace_step *race = &trace->steps[first];
    const struct trace_object *object = object_of(trace, newest->waits_for);
    if (object->newest == 0)
        return FREE; /* nobody ever took it */
    const struct trace_use *use = NULL;
    for (uint32_t next = object->newest; next != 0; next = use->older)
    {
        use = &trace->uses[next - 1];
        if (use->step < first || (use->step != first && !happened_before(race, trace->steps[use->step].clock)))
            return after(use->how);
    }
    return before(use->how);
}

static void add_race(struct trace *trace, struct race *races, size_t *count, uint32_t step, bool surely)
{
    for (size_t i = 0; i < *count; i++)
        if (races[i].step == step)
            return;
    if (*count < RACES)
        races[(*count)++] = (struct race){step, surely};
    else
        trace->lost = true;
}

/* The races of the newest step over one object, and what happened before it over that one. `past` is what happened
 * before it otherwise. */
static void look_at(struct trace *trace, const struct use *mine, const uint32_t *past, struct race *races,
                    size_t *count)
{
    struct trace_step *newest = &trace->steps[trace->count - 1];
    const bool writes = (mine->how & DEPEND_WRITE) != 0;
    bool joins = true; /* until the newest write, which knows all before it */
    bool races_on = true;
    for (uint32_t next = object_of(trace, mine->object)->newest; next != 0 && (joins || races_on);
         next = trace->uses[next - 1].older)
    {
        const struct trace_use use = trace->uses[next - 1];
        const struct trace_step *other = &trace->steps[use.step];
        const bool written = (use.how & DEPEND_WRITE) != 0;
        if (!writes && !written)
            continue;
        if (joins)
        {
            join(trace, newest->clock, other->clock);
            joins = !written;
        }
        if (!races_on)
            continue;
        if (use.step < trace->floor || happened_before(other, past))
        {
            races_on = !written && use.step >= trace->floor;
            continue;
        }
        const enum standing standing = standing_without(trace, newest, use.step);
        if (standing == TAKEN)
            continue; /* what took it is further back */
        add_race(trace, races, count, use.step, standing == FREE);
        races_on = !written || standing == UNKNOWN;
    }
}

/* Who could make the first of the steps that do not follow from `first`, the newest among them, by index. */
static uint64_t initials(const struct trace *trace, uint32_t first)
{
    uint32_t first_of[TRACE_ACTORS] = {0}; /* by number: the sequence of its first such step; 0: none */
    uint32_t found[TRACE_ACTORS];          /* those steps */
    uint32_t count = 0;
    const struct trace_step *race = &trace->steps[first];
    const uint32_t newest = (uint32_t)trace->count - 1;
    for (uint32_t i = first + 1; i <= newest; i++)
    {
        const struct trace_step *step = &trace->steps[i];
        if (first_of[step->number] != 0 || (i != newest && happened_before(race, step->clock)))
            continue;
        first_of[step->number] = step->sequence;
        found[count++] = i;
    }
    uint64_t actors = 0;
    for (uint32_t i = 0; i < count; i++)
    {
        const struct trace_step *step = &trace->steps[found[i]];
        bool initial = true;
        for (uint32_t k = 0; k < trace->actors && initial; k++)
            initial = k == step->number || first_of[k] == 0 || step->clock[k] < first_of[k];
        if (initial)
            actors |= UINT64_C(1) << step->actor;
    }
    return actors;
}

/* Whether another race of the newest step follows from this one: then the other is first to be turned round. */
static bool is_covered(const struct trace *trace, const struct race *races, size_t count, uint32_t step)
{
    for (size_t i = 0; i < count; i++)
        if (races[i].step != step && races[i].surely &&
            happened_before(&trace->steps[step], trace->steps[races[i].step].clock) && races[i].step > step)
            return true;
    return false;
}

void trace_end(struct trace *trace, trace_race *tell, void *context)
{
    if (!trace->open)
        return;
    trace->open = false;
    struct trace_step *step = &trace->steps[trace->count - 1];
    uint32_t past[TRACE_ACTORS];
    struct race races[RACES];
    size_t count = 0;
    memcpy(past, trace->clocks[step->number], sizeof past);
    memcpy(step->clock, past, sizeof past);
    step->clock[step->number] = step->sequence;
    for (size_t i = 0; i < step->uses.count; i++)
        look_at(trace, &step->uses.of[i], past, races, &count);
    for (size_t i = 0; i < count; i++)
        if (!is_covered(trace, races, count, races[i].step))
            tell(context, trace->steps[races[i].step].place, initials(trace, races[i].step), races[i].surely);
    memcpy(trace->clocks[step->number], step->clock, sizeof past);
    for (size_t i = 0; i < step->uses.count; i++)
    {
        struct trace_object *object = object_of(trace, step->uses.of[i].object);
        if (trace->use_count == trace->use_capacity)
            oracle_grow(&trace->uses, &trace->use_capacity, trace->use_count + 1, sizeof *trace->uses);
        trace->uses[trace->use_count++] =
            (struct trace_use){(uint32_t)trace->count - 1, object->newest, step->uses.of[i].how};
        object->newest = (uint32_t)trace->use_count;
    }
}

void trace_blocked(struct trace *trace, const struct actor *actor, trace_race *race, void *context)
{
    const size_t uses = trace->use_count;
    trace_begin(trace, SIZE_MAX, actor);
    struct trace_step *step = &trace->steps[trace->count - 1];
    if (step->unsure)
        gate_uses(actor);
    else
    {
        step->waits_for = (uintptr_t)actor->object; /* even if its time is up now */
        trace_use(trace, step->waits_for, DEPEND_WRITE);
    }
    uint32_t before[TRACE_ACTORS];
    memcpy(before, trace->clocks[step->number], sizeof before);
    trace_end(trace, race, context);
    /* It was not made: nobody comes after it. */
    memcpy(trace->clocks[step->number], before, sizeof before);
    while (trace->use_count > uses)
    {
        const struct use *use = &step->uses.of[--trace->use_count - uses];
        place_of(trace, use->object)->newest = trace->uses[trace->use_count].older;
    }
    trace->count -= 1;
    trace->made[step->number] -= 1;
}
