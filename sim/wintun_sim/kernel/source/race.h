/* Data races: two accesses of different actors to the same byte of which neither happened before the other, at least
 * one of them a write and at least one of them plain. Found as in FastTrack (Flanagan and Freund, PLDI 2009): of each
 * byte are known the last accesses that no later one stands for, as an actor and the count of its clock.
 *
 * Looked at are the plain, volatile and interlocked accesses of instrumented images to the arena and to the writable
 * segments of images. A free is a write of the whole block; what is allocated is new. Memory that clients lend is the
 * clients' to change, so nothing there is a race (it is a double fetch, if anything), and stacks are not looked at.
 */
#ifndef WINTUN_SIM_RACE_H
#define WINTUN_SIM_RACE_H

#include "happens.h"
#include "instrument.h"

/* Beyond enum access_flag: a free, which is a write of the whole block. */
enum
{
    RACE_FREE = 8
};

/* One access to bytes of one granule, as it is remembered. */
struct race_cell
{
    uintptr_t place; /* in the driver's code; of a free: the function's name */
    uint32_t clock;  /* the actor's own */
    uint8_t actor;   /* its number in the run */
    uint8_t mask;    /* of the granule's bytes */
    uint8_t kind;    /* enum access_flag, or ACCESS_WRITE | RACE_FREE */
};

struct races *races_new(void);
void races_delete(struct races *races);

/* Nothing that was remembered is of the present run. */
void races_forget(struct races *races);

void races_begin(struct races *races);
void races_end(void);

/* Data races that were found since the host was opened, in all runs. */
uint64_t races_found(void);

/* For race.c: an event. `granule` is the address of the bytes of the masks; `place` where the later one is. */
void race_report(uintptr_t granule, const struct race_cell *earlier, const struct race_cell *later, uintptr_t place);

/* The slow half of race_freed. */
void race_block_freed(const void *address, size_t size, const char *caller);

/* The driver's memory at `address` is given back by the current actor; `caller` is a literal. */
static inline void race_freed(const void *address, size_t size, const char *caller)
{
    if (happens_watched())
        race_block_freed(address, size, caller);
}

#endif
