/* Vector clocks (happens.h). Entries beyond the actors of the run are zero in every clock of the run, so loops end with
 * the actors that have begun. */
#include "happens.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "race.h"

enum
{
    FIRST_OBJECTS = 256,
    FIRST_TURNS = 64
};

struct happens *happens_new(void)
{
    return calloc(1, sizeof(struct happens));
}

void happens_delete(struct happens *happens)
{
    if (happens == NULL)
        return;
    races_delete(happens->races);
    free(happens->objects);
    free(happens->turns);
    free(happens);
}

/* Without these clocks a race would go unseen, and the report would be a lie. */
static void *must_have(void *memory)
{
    if (memory != NULL)
        return memory;
    fputs("wintun-sim: there is no memory to watch what happens before what\n", stderr);
    abort();
}

static uint32_t slot_of(const struct happens *happens, uintptr_t object)
{
    uint64_t hash = (uint64_t)object * UINT64_C(0x9E3779B97F4A7C15);
    return (uint32_t)(hash >> 32) & (happens->object_capacity - 1);
}

/* The object's place in the table: either it is there in this run, or what is there is of another run. */
static struct happens_object *place_of(struct happens *happens, uintptr_t object)
{
    uint32_t slot = slot_of(happens, object);
    while (happens->objects[slot].run == happens->run && happens->objects[slot].object != object)
        slot = (slot + 1) & (happens->object_capacity - 1);
    return &happens->objects[slot];
}

static void grow_objects(struct happens *happens)
{
    struct happens_object *old = happens->objects;
    const uint32_t capacity = happens->object_capacity;
    happens->object_capacity = capacity * 2;
    happens->objects = must_have(calloc(happens->object_capacity, sizeof *happens->objects));
    for (uint32_t slot = 0; slot < capacity; slot++)
        if (old[slot].run == happens->run)
            *place_of(happens, old[slot].object) = old[slot];
    free(old);
}

static struct happens_object *find(struct happens *happens, const volatile void *object)
{
    struct happens_object *found = place_of(happens, (uintptr_t)object);
    return found->run == happens->run ? found : NULL;
}

static struct happens_object *find_or_add(struct happens *happens, const volatile void *object)
{
    struct happens_object *found = place_of(happens, (uintptr_t)object);
    if (found->run == happens->run)
        return found;
    if (++happens->object_count * 2 > happens->object_capacity)
    {
        grow_objects(happens);
        found = place_of(happens, (uintptr_t)object);
    }
    found->object = (uintptr_t)object;
    found->run = happens->run;
    memset(&found->clock, 0, sizeof found->clock);
    return found;
}

static inline void join(const struct happens *happens, struct vector_clock *into, const struct vector_clock *from)
{
    for (uint32_t i = 0; i < happens->actors; i++)
        if (from->of[i] > into->of[i])
            into->of[i] = from->of[i];
}

/* The current actor's clocks, NULL outside of actors. */
static inline struct happens_actor *current(struct happens *happens)
{
    return current_host->scheduler.current == NULL ? NULL : &happens->of[happens_current(happens)];
}

/* What the current actor does from here on is another step than what it handed over. */
static inline void tick(struct happens *happens, struct happens_actor *actor)
{
    actor->clock.of[actor - happens->of] += 1;
}

static void add_turn(struct happens *happens, uint32_t actor, uint32_t operation)
{
    if (happens->turn_count == happens->turn_capacity)
    {
        happens->turn_capacity = happens->turn_capacity == 0 ? FIRST_TURNS : happens->turn_capacity * 2;
        happens->turns = must_have(realloc(happens->turns, happens->turn_capacity * sizeof *happens->turns));
    }
    happens->turns[happens->turn_count++] = (struct happens_turn){actor, happens->of[actor].clock.of[actor], operation};
}

uint32_t happens_operation_at(uint32_t actor, uint32_t clock)
{
    const struct happens *happens = current_host->happens;
    uint32_t operation = 0;
    for (uint32_t i = 0; i < happens->turn_count; i++)
        if (happens->turns[i].actor == actor && happens->turns[i].clock <= clock)
            operation = happens->turns[i].operation;
    return operation;
}

void happens_begin(void)
{
    struct happens *happens = current_host->happens;
    if (happens->objects == NULL)
    {
        happens->object_capacity = FIRST_OBJECTS;
        happens->objects = must_have(calloc(happens->object_capacity, sizeof *happens->objects));
        happens->races = must_have(races_new());
    }
    if (++happens->run == 0) /* after 4,294,967,295 runs: nothing may look as if it were of this one */
    {
        memset(happens->objects, 0, happens->object_capacity * sizeof *happens->objects);
        races_forget(happens->races);
        happens->run = 1;
    }
    happens->actors = 0;
    happens->object_count = 0;
    happens->turn_count = 0;
    happens->watched = true;
    races_begin(happens->races);
    for (const struct actor *actor = actor_next(0); actor != NULL; actor = actor_next(actor->index + 1U))
        happens_actor_begins(actor);
}

void happens_end(void)
{
    struct happens *happens = current_host->happens;
    if (!happens->watched)
        return;
    happens->watched = false;
    races_end();
}

void happens_actor_begins(const struct actor *actor)
{
    struct happens *happens = current_host->happens;
    struct happens_actor *creator = current(happens);
    if (happens->actors == HAPPENS_ACTORS) /* one too many: it shares the last one's clock, and no order is made up */
    {
        happens->number[actor->index] = HAPPENS_ACTORS - 1;
        if (creator != NULL)
            join(happens, &happens->of[HAPPENS_ACTORS - 1].clock, &creator->clock);
        return;
    }
    const uint32_t number = happens->actors++;
    struct happens_actor *begins = &happens->of[number];
    happens->number[actor->index] = (uint8_t)number;
    memset(begins, 0, sizeof *begins);
    if (creator != NULL)
    {
        begins->clock = creator->clock;
        tick(happens, creator);
    }
    begins->clock.of[number] = 1;
    add_turn(happens, number, actor->operation);
}

void happens_operation_begins(uint32_t operation)
{
    struct happens *happens = current_host->happens;
    struct happens_actor *actor = current(happens);
    if (actor == NULL)
        return;
    tick(happens, actor);
    add_turn(happens, (uint32_t)(actor - happens->of), operation);
}

void happens_object_acquired(const volatile void *object)
{
    struct happens *happens = current_host->happens;
    struct happens_actor *actor = current(happens);
    const struct happens_object *found = actor == NULL ? NULL : find(happens, object);
    if (found != NULL)
        join(happens, &actor->clock, &found->clock);
}

void happens_object_released(const volatile void *object)
{
    struct happens *happens = current_host->happens;
    struct happens_actor *actor = current(happens);
    if (actor == NULL)
        return;
    join(happens, &find_or_add(happens, object)->clock, &actor->clock);
    tick(happens, actor);
}

void happens_object_stored(const volatile void *object, bool releases, bool replaces)
{
    struct happens *happens = current_host->happens;
    struct happens_actor *actor = current(happens);
    if (actor == NULL)
        return;
    struct happens_object *target = find_or_add(happens, object);
    const struct vector_clock *handed = releases ? &actor->clock : &actor->released;
    if (replaces)
        target->clock = *handed;
    else
        join(happens, &target->clock, handed);
    if (releases)
        tick(happens, actor);
}

void happens_object_loaded(const volatile void *object, bool acquires)
{
    struct happens *happens = current_host->happens;
    struct happens_actor *actor = current(happens);
    const struct happens_object *found = actor == NULL ? NULL : find(happens, object);
    if (found != NULL)
        join(happens, acquires ? &actor->clock : &actor->pending, &found->clock);
}

void happens_fenced(bool acquires, bool releases)
{
    struct happens *happens = current_host->happens;
    struct happens_actor *actor = current(happens);
    if (actor == NULL)
        return;
    if (acquires)
        join(happens, &actor->clock, &actor->pending);
    if (!releases)
        return;
    actor->released = actor->clock;
    tick(happens, actor);
}

void happens_object_handed(const volatile void *from, const volatile void *to)
{
    struct happens *happens = current_host->happens;
    if (find(happens, from) == NULL)
        return;
    struct happens_object *target = find_or_add(happens, to);
    join(happens, &target->clock, &find(happens, from)->clock);
}
