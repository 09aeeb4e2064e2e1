/* Carrying out operations until nothing can go on, and saying how that ended (play.h). */
#include "play.h"

#include <stdio.h>
#include <string.h>

#include "gate.h"
#include "happens.h"
#include "io_room.h"
#include "ndis_room.h"

/* One HOST_EVENT_STUCK for each actor that is left, at least one. */
static void log_stuck(enum run_result result)
{
    char text[768];
    for (struct actor *actor = actor_next(0); actor != NULL; actor = actor_next(actor->index + 1u))
    {
        struct host_event *event = log_event(HOST_EVENT_STUCK, actor->operation);
        const uintptr_t place = actor_place(actor);
        char where[256] = "";
        char why[384];
        if (place != 0)
            image_place(image_of(place), place - 1, where, sizeof where);
        int length = snprintf(text, sizeof text, "%s%s%s%s", actor_describe(actor, why, sizeof why),
                              result == RUN_BUDGET ? ", after more steps than are allowed" : "",
                              place == 0 ? "" : ", in ", where);
        log_data(event, text, length < 0 ? 0 : (size_t)length < sizeof text ? (size_t)length : sizeof text - 1);
    }
}

static int settle(struct host *host, enum run_result result)
{
    if (host->arena.exhausted)
    {
        host->api->unusable = true;
        return HOST_OUT_OF_MEMORY;
    }
    switch (result)
    {
    case RUN_QUIESCENT:
        return HOST_QUIET;
    case RUN_BLOCKED:
        log_stuck(result);
        host->api->unusable = true;
        return HOST_BLOCKED;
    case RUN_BUDGET:
        log_stuck(result);
        host->api->unusable = true;
        return HOST_EXHAUSTED;
    case RUN_PRUNED:
        host->api->unusable = true;
        return HOST_EXHAUSTED;
    case RUN_CRASHED:
    default:
        host->api->unusable = true;
        return HOST_CRASHED;
    }
}

void play_check_memory(void)
{
    arena_check();
    client_check();
}

/* What is at rest before is all in the past of what comes now. */
static enum run_result run_watched(struct host *host)
{
    if (host->happens->wanted && host->arena.shadow != NULL) /* else no image tells of its accesses */
        happens_begin();
    const enum run_result result = scheduler_run(host->api->step_limit);
    happens_end();
    return result;
}

int play_to_rest(struct host *host, uint32_t operation)
{
    enum run_result result = run_watched(host);
    while (result == RUN_QUIESCENT && receive_has_kept())
    {
        actor_start(receive_return_kept, NULL, operation);
        result = run_watched(host);
    }
    return settle(host, result);
}

int play_one(struct host *host, const struct host_operation *operation)
{
    struct actor_work work = {operation, 1, true};
    if (host->gate != NULL && gate_admit(operation) != HOST_ADMITTED)
    {
        log_refused(operation->id, host_gate_reason(host));
        return HOST_QUIET;
    }
    host->operation = operation->id;
    int result = HOST_QUIET;
    if (operation->kind == HOST_HALT)
    {
        receive_keep_no_longer();
        result = play_to_rest(host, operation->id);
    }
    if (result == HOST_QUIET && operation_prepare(operation))
    {
        actor_start(operation_actor, &work, operation->id);
        result = play_to_rest(host, operation->id);
        if (operation->kind == HOST_HALT || operation->kind == HOST_UNLOAD)
            play_check_memory();
    }
    host->operation = 0;
    return result;
}

int play_actors(struct host *host, const struct host_actor *actors, size_t count)
{
    struct actor_work work[ACTOR_LIMIT];
    for (size_t index = 0; index < count; index++)
    {
        const struct host_operation *first = actors[index].operations;
        work[index] = (struct actor_work){first, actors[index].count, false};
        struct actor *actor = actors[index].count == 0 ? NULL : actor_start(operation_actor, &work[index], first->id);
        if (actor != NULL)
            gate_hold(actor, first);
    }
    return play_to_rest(host, 0);
}

void play_count(const struct adapter *adapter, struct host_counters *counters)
{
    counters->nbls_owned = adapter->nbls_owned;
    counters->reads_pending = request_count(adapter, IRP_MJ_READ);
    for (const struct host_file *file = current_host->io->files; file != NULL; file = file->next)
        counters->handles += file->device->adapter == adapter;
}
