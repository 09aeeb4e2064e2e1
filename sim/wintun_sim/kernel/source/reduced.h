/* The steps of one run, what each used, which happened before which as far as dependence goes, and the races among them
 * (oracle_reduced.c).
 */
#ifndef WINTUN_SIM_REDUCED_H
#define WINTUN_SIM_REDUCED_H

#include "depend.h"

enum
{
    TRACE_ACTORS = 64 /* of one run */
};

struct use
{
    uintptr_t object;
    unsigned how; /* enum depend_how, of the whole step */
};

/* What a step used: each object once. */
struct uses
{
    struct use *of;
    size_t count;
    size_t capacity;
};

void uses_add(struct uses *uses, uintptr_t object, unsigned how);
void uses_add_all(struct uses *uses, const struct uses *from);

/* Whether the steps depend on each other. */
bool uses_conflict(const struct uses *one, const struct uses *other);

struct trace_step
{
    struct uses uses;
    size_t place;                 /* of its node */
    uint8_t actor;                /* index */
    uint8_t number;               /* of that actor in this run: an index may have several */
    bool unsure;                  /* it began by waiting for what is not known */
    uint32_t sequence;            /* among the steps of that actor, from 1 */
    uintptr_t waits_for;          /* what it began by waiting for; 0: nothing */
    uint32_t clock[TRACE_ACTORS]; /* for each actor, its last step that happened before this one's end */
};

/* A use of an object, in the list of all of them, newest first. */
struct trace_use
{
    uint32_t step;
    uint32_t older; /* 1 + its place; 0: none */
    unsigned how;
};

struct trace_object
{
    uintptr_t object;
    uint32_t run;
    uint32_t newest; /* 1 + its place */
};

struct trace
{
    struct trace_step *steps;
    size_t count;
    size_t capacity;
    struct trace_use *uses;
    size_t use_count;
    size_t use_capacity;
    struct trace_object *objects; /* by address, in a table of a power of two */
    size_t object_capacity;
    size_t object_count;
    uint32_t run;
    bool open;                                   /* the newest step is under way */
    bool lost;                                   /* a run had more actors, or a step more races, than can be followed */
    uint32_t floor;                              /* steps before this one happened before all that follow */
    uint32_t actors;                             /* that have begun */
    uint8_t number[TRACE_ACTORS];                /* of the actor with that index */
    uint32_t creator[TRACE_ACTORS];              /* 1 + the step that created it; 0: none did */
    uint32_t made[TRACE_ACTORS];                 /* steps, by number */
    uint32_t clocks[TRACE_ACTORS][TRACE_ACTORS]; /* by number: what happened before its next step */
};

/* Hears of a race: its other order needs that one of `actors`, by index, goes on at the node `place` instead of the
 * step that was made there. `surely`: one of them could. */
typedef void trace_race(void *context, size_t place, uint64_t actors, bool surely);

void trace_clear(struct trace *trace);
void trace_delete(struct trace *trace);

/* An actor began, created by the step under way, if there is one. */
void trace_actor(struct trace *trace, const struct actor *actor);

/* The actor makes a step from where it stands; what it uses; and the end of the step, which tells of its races. */
void trace_begin(struct trace *trace, size_t place, const struct actor *actor);
void trace_use(struct trace *trace, uintptr_t object, unsigned how);
void trace_end(struct trace *trace, trace_race *race, void *context);

/* The actor waits in vain: tells of the races of the step that it would have made if what it waits for had come, as far
 * as that is concerned. */
void trace_blocked(struct trace *trace, const struct actor *actor, trace_race *race, void *context);

/* All steps so far happened before all that follow: time passed, or everybody had come to rest. */
void trace_barrier(struct trace *trace);

/* What the newest step used, and that of a node, NULL if there is none. */
const struct uses *trace_newest(const struct trace *trace);
const struct uses *trace_at(const struct trace *trace, size_t place);

#endif
