/* Locks. The Windows functions (lock.c, lock_ndis.c, …) keep their state in the driver's own lock words, so that a
 * snapshot has it. This is what other rooms need of them.
 */
#ifndef WINTUN_SIM_LOCK_H
#define WINTUN_SIM_LOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "actor.h"

struct actor;

struct locks
{
    uint64_t cancel; /* the lock word of the cancel spin lock */
};

/* How many spin locks the actor holds, the cancel spin lock included. */
unsigned lock_spin_count(const struct actor *actor);

/* Whether the actor holds the lock at `address`. */
bool lock_is_held(const struct actor *actor, const volatile void *address);

/* Takes away the locks that a handler left behind, down to `count`. */
void lock_drop(struct actor *actor, unsigned count);

/* The actor that holds the lock at `address`, NULL if none does. */
struct actor *lock_holder(const volatile void *address);

#endif
