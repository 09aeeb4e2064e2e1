/* A run watched step by step, for whoever explains it: where each actor stood at each scheduling point, in which line
 * of the driver, at which IRQL and with which locks.
 *
 * Nobody watches while schedules are counted by the million, so a point costs nothing more then: it is recorded where
 * the run's limit of steps is looked after, and while a run is watched that limit is always reached. Output only, and
 * outside the arena, as the log is.
 */
#ifndef WINTUN_SIM_WATCH_H
#define WINTUN_SIM_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../host_api.h"

struct actor;

struct watch
{
    bool on;
    uint64_t steps_limit; /* the true one of the run under way */
    struct host_point *points;
    size_t count;
    size_t capacity;
    const volatile void **objects; /* locks and events in the order in which they were first seen */
    size_t object_count;
    size_t object_capacity;
};

/* Records that the actor, on whose stack this is called, has come to a point, or to its end. */
void watch_point(const struct actor *actor, bool ends);

struct watch *watch_new(void);
void watch_delete(struct watch *watch);

#endif
