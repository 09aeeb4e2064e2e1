/* In which order locks are acquired, in all that a host has done, to predict deadlocks that no run need ever reach: who
 * holds one lock and acquires another puts the two in an order, and orders that go round in a circle are a deadlock as
 * soon as as many processors do it at once (learn.microsoft.com/windows-hardware/drivers/devtest/deadlock-detection).
 *
 * A restore brings the graph back as well, so that what is found in a run does not depend on the runs before it, and is
 * found again when that run is replayed. A lock is known by its address and by the block around it; one that is
 * initialised again, or lies in memory that was allocated again, is another one.
 */
#ifndef WINTUN_SIM_LOCK_ORDER_H
#define WINTUN_SIM_LOCK_ORDER_H

#include "actor.h"

struct lock_order;

/* NULL when there is no memory. */
struct lock_order *lock_order_new(void);
void lock_order_delete(struct lock_order *order);

/* `actor`, which holds at least one lock, acquires `address` and would wait for it; before it holds that one too.
 * Reports DeadlockDetection, once for an operation, when that closes a circle. */
void lock_order_acquire(const struct actor *actor, const struct held_lock *wanted);

/* A lock begins its life at `address`. */
void lock_order_begin(const volatile void *address);

/* The current host's graph, for lock_order_restore; NULL when there is no memory. */
struct lock_order *lock_order_copy(void);
void lock_order_restore(const struct lock_order *then);

#endif
