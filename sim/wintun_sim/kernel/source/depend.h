/* What a step of an actor has to do with others: the objects that it uses, for whoever asks which steps may change
 * places without a difference (oracle_reduced.c). Told wherever the host kernel looks at or changes what another actor
 * may look at or change, and costs one comparison while nobody asks.
 *
 * Two steps are independent when no object is used by both, or by both for reading. What may be counted up and down in
 * any order (NBLs lent, requests pending) is "read" by those who count and "written" by those who ask for the count.
 * Objects are addresses, compared and never followed, or names of the caller's (depend_name): each sequence of events
 * that belongs to the outcome of a run is one, and so is what the gate keeps of an adapter or a handle.
 */
#ifndef WINTUN_SIM_DEPEND_H
#define WINTUN_SIM_DEPEND_H

#include "host.h"

enum depend_how
{
    DEPEND_READ = 0,
    DEPEND_WRITE = 1,
    /* Of what actors wait for: whether one that waits for it could go on before, and after. Unsaid: it depends. */
    DEPEND_WAS_FREE = 2,
    DEPEND_WAS_TAKEN = 4,
    DEPEND_IS_FREE = 8,
    DEPEND_IS_TAKEN = 16,

    DEPEND_TAKE = DEPEND_WRITE | DEPEND_WAS_FREE | DEPEND_IS_TAKEN,
    DEPEND_GIVE = DEPEND_WRITE | DEPEND_WAS_TAKEN | DEPEND_IS_FREE
};

static inline void depend(const volatile void *object, unsigned how)
{
    struct oracle *oracle = current_host->oracle;
    if (__builtin_expect(oracle->use != NULL, 0))
        oracle->use(oracle, (uintptr_t)object, how);
}

/* Bytes of a driver's memory: accesses of several sizes meet in the words around them. */
static inline void depend_on_memory(const volatile void *address, size_t size, unsigned how)
{
    const uintptr_t first = (uintptr_t)address & ~(uintptr_t)7;
    for (uintptr_t word = first; word < (uintptr_t)address + size; word += 8)
        depend((const volatile void *)word, how);
}

/* The sequences of events and the books that one name has. */
enum depend_part
{
    DEPEND_BOOKS, /* of the gate: whether an operation on it may begin */
    DEPEND_OIDS,  /* of an adapter: its OID requests, one at a time */
    DEPEND_COMPLETIONS,
    DEPEND_NBLS,
    DEPEND_PACKETS,
    DEPEND_LINKS,
    DEPEND_RETURNS,
    DEPEND_PARTS
};

/* `name` is the id of the operation that brought it into being. No address looks like this. */
static inline const volatile void *depend_name(uint32_t name, enum depend_part part)
{
    return (const volatile void *)(uintptr_t)((UINT64_C(1) << 63) + (uint64_t)name * DEPEND_PARTS + (uint64_t)part);
}

#endif
