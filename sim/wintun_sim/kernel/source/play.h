/* Operations to the end of what they start: one at a time, or several actors at once, until nothing can go on. What
 * host_perform and host_run (api.c) and an exploration (explore.c) have in common.
 *
 * Called outside of actors, by whoever has entered the host.
 */
#ifndef WINTUN_SIM_PLAY_H
#define WINTUN_SIM_PLAY_H

#include "host.h"
#include "operation.h"

struct adapter;

/* What is the caller's rather than the world's: outside the arena, untouched by a restore. */
struct api_room
{
    struct snapshot *snapshot;
    uint32_t *script; /* of a replaying oracle */
    uint64_t step_limit;
    bool unusable; /* an actor is left over that can never end */
};

/* Lets actors run until nothing can go on, and then, once it is all that is left, the stack give back what it kept, on
 * behalf of `operation`. enum host_result; all but HOST_QUIET leave the host unusable until a restore. */
int play_to_rest(struct host *host, uint32_t operation);

/* One operation; enum host_result. */
int play_one(struct host *host, const struct host_operation *operation);

/* The operations of all actors at once, `count` of them, at most ACTOR_LIMIT, each prepared before
 * (operation_prepare). enum host_result. */
int play_actors(struct host *host, const struct host_actor *actors, size_t count);

/* Looks at all memory for what was written where it must not be. */
void play_check_memory(void);

/* What the adapter owns, but for `allocations`, which stays 0. */
void play_count(const struct adapter *adapter, struct host_counters *counters);

#endif
