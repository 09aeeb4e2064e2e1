/* Recording the scheduling points of a run (watch.h). */
#include "watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"
#include "scheduler.h"

static void *grow(void *array, size_t *capacity, size_t size)
{
    const size_t wanted = *capacity == 0 ? 256 : *capacity * 2;
    void *grown = realloc(array, wanted * size);
    if (grown == NULL)
    {
        fprintf(stderr, "wintun-sim: the record of a run needs room for %zu points, which the system refuses\n",
                wanted);
        abort();
    }
    *capacity = wanted;
    return grown;
}

/* Addresses differ between processes; the order in which they are seen does not. From 1. */
static uint32_t number_of(struct watch *watch, const volatile void *object)
{
    for (size_t i = 0; i < watch->object_count; i++)
        if (watch->objects[i] == object)
            return (uint32_t)(i + 1);
    if (watch->object_count == watch->object_capacity)
        watch->objects = grow(watch->objects, &watch->object_capacity, sizeof *watch->objects);
    watch->objects[watch->object_count++] = object;
    return (uint32_t)watch->object_count;
}

void watch_point(const struct actor *actor, bool ends)
{
    struct watch *watch = current_host->watch;
    if (watch->count == watch->capacity)
        watch->points = grow(watch->points, &watch->capacity, sizeof *watch->points);
    struct host_point *point = &watch->points[watch->count++];
    memset(point, 0, sizeof *point);
    point->actor = actor->index;
    point->operation = actor->operation;
    point->irql = actor->irql;
    point->events = current_host->log.count;
    point->choices = (uint32_t)current_host->oracle->count;
    point->runnable = current_host->scheduler.runnable;
    point->handler = actor->handler;
    if (ends)
        return;
    point->kind = actor->point;
    point->what = actor->purpose != NULL ? actor->purpose : point_kind_name((enum point_kind)actor->point);
    if (actor->point == POINT_ACQUIRE || actor->point == POINT_RELEASE)
        point->object = number_of(watch, actor->object);
    for (unsigned i = 0; i < actor->held_count && i < HOST_POINT_LOCKS; i++)
    {
        point->locks[i] = number_of(watch, actor->held[i].address);
        point->families[i] = lock_family_name((enum lock_family)actor->held[i].family);
    }
    const uintptr_t place = image_calling_place();
    const struct image *image = place == 0 ? NULL : image_of(place);
    if (image == NULL)
        return;
    point->image = image->index + 1u;
    point->place = image_offset(image, place - 1);
}

struct watch *watch_new(void)
{
    return calloc(1, sizeof(struct watch));
}

void watch_delete(struct watch *watch)
{
    if (watch == NULL)
        return;
    free(watch->points);
    free(watch->objects);
    free(watch);
}
