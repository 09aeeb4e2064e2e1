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

/* The entry of an actor; `work` is a struct actor_work. */
void operation_actor(void *work);

#endif
