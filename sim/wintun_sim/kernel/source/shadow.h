/* Which bytes of the arena a driver may touch: for each 16 bytes how many of them, counted from the first. The host
 * kernel keeps this map while an instrumented image is loaded, and only then, since every allocation pays for it.
 *
 * A driver may touch what it was given (pool memory, IRPs, MDLs, NET_BUFFER_LISTs, buffers) as long as it is its own.
 * It may not touch what it gave back, what lies between, and what it knows by an opaque handle only.
 */
#ifndef WINTUN_SIM_SHADOW_H
#define WINTUN_SIM_SHADOW_H

#include "host.h"

enum
{
    SHADOW_GRANULE = 16
};

/* Begins to keep the map, from what is allocated now. Outside of actors; does nothing when it is kept already. */
void shadow_begin(void);

/* For shadow_allow and shadow_forbid, and shadow_begin. */
void shadow_write(const void *address, size_t size, bool allowed);

/* The bytes at `address`, a multiple of 16 in the arena, are the driver's from now on. */
static inline void shadow_allow(const void *address, size_t size)
{
    if (__builtin_expect(current_host->arena.shadow != NULL, 0))
        shadow_write(address, size, true);
}

/* They are no longer. */
static inline void shadow_forbid(const void *address, size_t size)
{
    if (__builtin_expect(current_host->arena.shadow != NULL, 0))
        shadow_write(address, size, false);
}

/* Whether a driver may touch all of these bytes of the arena; the map must be kept. Exact for any range. */
bool shadow_allows(uintptr_t address, size_t size);

/* The same for at most 16 bytes, by one look; false may be wrong, and then shadow_allows is to be asked. */
static inline bool shadow_surely_allows(const struct arena *arena, size_t offset, size_t size)
{
    return (offset & (SHADOW_GRANULE - 1)) + size <= arena->shadow[offset / SHADOW_GRANULE];
}

#endif
