/* What happened before what: vector clocks of actors and of the objects by which they order their accesses (Lamport,
 * "Time, Clocks, and the Ordering of Events in a Distributed System", CACM 1978; Mattern, "Virtual Time and Global
 * States of Distributed Systems", 1989). Data races are found with them (race.h).
 *
 * Of two steps of different actors one happened before the other only when a chain of hand-overs leads from it there:
 * what an actor did before it *released* an object happened before what another does after it *acquired* it. An object
 * is any address, compared and never followed. What is documented to put accesses in order makes such a pair, and
 * nothing else does: that a schedule let one come first is no reason for it to be first on another day.
 *
 * All of this is kept while a run is watched (happens_begin) and costs one comparison a call while none is. It lies
 * outside the arena: a run begins with everything before it in its past, so a restore has nothing to bring back.
 */
#ifndef WINTUN_SIM_HAPPENS_H
#define WINTUN_SIM_HAPPENS_H

#include <stdbool.h>
#include <stdint.h>

#include "host.h"

enum
{
    HAPPENS_ACTORS = 64 /* of one run, told apart; what later ones do is taken for the doing of the last of these */
};

struct vector_clock
{
    uint32_t of[HAPPENS_ACTORS];
};

struct happens_actor
{
    struct vector_clock clock;    /* what happened before its next step; its own entry counts its releases from 1 on */
    struct vector_clock released; /* its clock at its last fence: what an access that is no release hands over */
    struct vector_clock pending;  /* what such accesses brought it, which its next fence makes its past */
};

struct happens_object
{
    uintptr_t object;
    uint32_t run; /* in which it was last released: in another one the clock means nothing */
    struct vector_clock clock;
};

/* From when on an actor works for which operation. */
struct happens_turn
{
    uint32_t actor;
    uint32_t clock;
    uint32_t operation;
};

struct races;

struct happens
{
    bool wanted;                 /* runs are to be watched (play.c) */
    bool watched;                /* one is under way */
    uint32_t run;                /* its number, from 1 on */
    uint32_t actors;             /* that have begun in it */
    uint8_t number[ACTOR_LIMIT]; /* of the actor with that index, among them */
    struct happens_actor of[HAPPENS_ACTORS];
    struct happens_object *objects; /* by address, in a table of a power of two */
    uint32_t object_capacity;
    uint32_t object_count; /* of this run */
    struct happens_turn *turns;
    uint32_t turn_count;
    uint32_t turn_capacity;
    struct races *races;
};

/* For host_open and host_close. */
struct happens *happens_new(void);
void happens_delete(struct happens *happens);

/* A run begins: whatever was done so far happened before it, by whomever. Outside of actors. */
void happens_begin(void);
void happens_end(void);

/* The slow halves of what follows; all do nothing outside of actors. */
void happens_actor_begins(const struct actor *actor);
void happens_operation_begins(uint32_t operation);
void happens_object_acquired(const volatile void *object);
void happens_object_released(const volatile void *object);
void happens_object_stored(const volatile void *object, bool releases, bool replaces);
void happens_object_loaded(const volatile void *object, bool acquires);
void happens_fenced(bool acquires, bool releases);
void happens_object_handed(const volatile void *from, const volatile void *to);

static inline bool happens_watched(void)
{
    return __builtin_expect(current_host->happens->watched, 0);
}

/* An actor begins: after what its creator has done so far. For actor_start. */
static inline void happens_begins(const struct actor *actor)
{
    if (happens_watched())
        happens_actor_begins(actor);
}

/* From here on the current actor works for this operation. */
static inline void happens_works_for(uint32_t operation)
{
    if (happens_watched())
        happens_operation_begins(operation);
}

/* The current actor goes on knowing all that those did who released the object before. */
static inline void happens_acquire(const volatile void *object)
{
    if (happens_watched())
        happens_object_acquired(object);
}

/* Whoever acquires the object from here on knows all that the current actor did. */
static inline void happens_release(const volatile void *object)
{
    if (happens_watched())
        happens_object_released(object);
}

/* An atomic write, which `replaces` what was handed over before unless it is part of an operation that read it; an
 * atomic read. Without `releases` or `acquires` they order nothing by themselves, but do together with fences. */
static inline void happens_store(const volatile void *object, bool releases, bool replaces)
{
    if (happens_watched())
        happens_object_stored(object, releases, replaces);
}

static inline void happens_load(const volatile void *object, bool acquires)
{
    if (happens_watched())
        happens_object_loaded(object, acquires);
}

static inline void happens_fence(bool acquires, bool releases)
{
    if (happens_watched())
        happens_fenced(acquires, releases);
}

/* Whoever acquires `to` knows what was released with `from`: a timer that was set, and the DPC that it queues. Callable
 * from anywhere. */
static inline void happens_hand(const volatile void *from, const volatile void *to)
{
    if (happens_watched())
        happens_object_handed(from, to);
}

/* For race.c: the current actor's number in this run, and its clock. */
static inline uint32_t happens_current(const struct happens *happens)
{
    return happens->number[current_host->scheduler.current->index];
}

/* For which operation the actor of that number worked when its own clock stood there. */
uint32_t happens_operation_at(uint32_t actor, uint32_t clock);

#endif
