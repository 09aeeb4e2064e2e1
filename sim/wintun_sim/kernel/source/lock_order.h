/* In which order locks are acquired, over all runs of a host, to predict deadlocks that no run need ever reach: who
 * holds one lock and acquires another puts the two in an order, and orders that go round in a circle are a deadlock as
 * soon as as many processors do it at once (learn.microsoft.com/windows-hardware/drivers/devtest/deadlock-detection).
 *
 * The graph lies outside the arena: a restore forgets the locks that were made since the snapshot, and no others, so
 * that an order seen in one schedule counts in the next. A lock is known by its address and by the block around it; one
 * that is initialised again, or lies in memory that was allocated again, is another one.
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

/* The arena is as it was when its last block had this serial number. */
void lock_order_restored(uint64_t serial);

#endif
