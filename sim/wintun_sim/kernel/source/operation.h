/* Carrying out operations as actors. */
#ifndef WINTUN_SIM_OPERATION_H
#define WINTUN_SIM_OPERATION_H

#include "host.h"

/* A loaded image that waits for its Load to be carried out. */
struct loaded_image
{
    uint32_t operation;
    struct image *image;
};

/* What one actor does. Lives while the run lasts. */
struct actor_work
{
    const struct host_operation *operations;
    size_t count;
    bool admitted; /* the gate (gate.h) was asked already */
};

/* What must happen outside of actors before `operation` is carried out: an image is loaded. False, and one event that
 * says why, when it cannot be carried out. */
bool operation_prepare(const struct host_operation *operation);

/* Says what an operation uses by its beginning and its end (depend.h): what the gate's books say of the names that it
 * has to do with is asked and changed. Operations that leave the state of an adapter or a handle as it is may begin and
 * end in any order. */
void operation_depends(const struct host_operation *operation);

/* The entry of an actor; `work` is a struct actor_work. */
void operation_actor(void *work);

#endif
