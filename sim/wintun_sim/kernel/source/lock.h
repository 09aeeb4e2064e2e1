/* Locks. Their state is kept in the driver's own lock words, so that a snapshot has it; who holds what is kept with
 * each actor.
 *
 * A lock is acquired at a scheduling point before, and released at one after: whatever others do before an acquire or
 * after a release commutes with it, so no order of events is lost (Lipton, "Reduction", CACM 1975).
 */
#ifndef WINTUN_SIM_LOCK_H
#define WINTUN_SIM_LOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "actor.h"

struct locks
{
    uint64_t cancel;                         /* the word of the cancel spin lock */
    struct remove_lock_holder *remove_locks; /* acquired and not yet released, newest first */
};

/* Of a function that drivers import: where in the driver it was called. */
#define CALLER_PLACE __builtin_return_address(0)

/* How many spin locks the actor holds, the cancel spin lock included. */
unsigned lock_spin_count(const struct actor *actor);

bool lock_is_held(const struct actor *actor, const volatile void *address);

/* Takes away the locks that a handler left behind, down to `count`. */
void lock_drop(struct actor *actor, unsigned count);

/* The actor that holds the lock at `address`, NULL if none does. */
struct actor *lock_holder(const volatile void *address);

/* The words of a spin lock of any family: 8 bytes that lock_initialize has prepared. */
void lock_initialize(volatile uint64_t *word);

/* Acquires as the function `caller` of that family does; `raises`: from <= DISPATCH_LEVEL, raising to it, else the
 * caller must be there. Returns the IRQL before. `handle`: of in-stack queued locks. `place`: see CALLER_PLACE.
 */
uint8_t lock_acquire(enum lock_family family, volatile uint64_t *word, const volatile void *handle, bool raises,
                     const char *caller, const void *place);

/* Acquires if that takes no waiting, at DISPATCH_LEVEL. */
bool lock_try(enum lock_family family, volatile uint64_t *word, const char *caller, const void *place);

/* Releases; `lowers`: sets the IRQL to `irql`. */
void lock_release(enum lock_family family, volatile uint64_t *word, const volatile void *handle, bool lowers,
                  uint8_t irql, const char *caller);

/* Says that nobody may use the lock any more (NdisFreeSpinLock). */
void lock_retire(volatile uint64_t *word, const char *caller);

/* Whether somebody has acquired a remove lock with this tag and not released it (remove_lock.c). */
bool remove_lock_is_held(const void *tag);

/* For the other files of locks: what the actor holds. */
struct held_lock *lock_find(struct actor *actor, const volatile void *address);
void lock_push(struct actor *actor, struct held_lock held);
void lock_pop(struct actor *actor, struct held_lock *held);

#endif
