/* The host kernel's face (host_api.h): every function enters the host, does one thing, and leaves it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "happens.h"
#include "io_room.h"
#include "ndis_room.h"
#include "play.h"

#define DEFAULT_STEP_LIMIT UINT64_C(10000000)

static struct oracle *make_oracle(const struct host_options *options, struct api_room *api)
{
    switch (options->oracle)
    {
    case HOST_ORACLE_FIRST:
        return oracle_first_new();
    case HOST_ORACLE_RANDOM:
        return oracle_random_new(options->seed);
    case HOST_ORACLE_REPLAY:
        api->script = malloc(options->choice_count == 0 ? 1 : options->choice_count * sizeof *api->script);
        if (api->script == NULL)
            return NULL;
        if (options->choice_count != 0)
            memcpy(api->script, options->choices, options->choice_count * sizeof *api->script);
        return oracle_replay_new(api->script, options->choice_count);
    default:
        return NULL;
    }
}

static void api_delete(struct api_room *api)
{
    if (api == NULL)
        return;
    if (api->snapshot != NULL)
        snapshot_delete(api->snapshot);
    free(api->script);
    free(api);
}

static bool open_rooms(struct host *host, const struct host_options *options)
{
    host_enter(host);
    const bool good = io_room_open() && ndis_room_open(options->ndis_major, options->ndis_minor);
    host_leave();
    return good;
}

struct host *host_create(const struct host_options *options, char *error, size_t error_size)
{
    if (options->ndis_major != 6 || options->ndis_minor > UINT16_MAX || options->oracle > HOST_ORACLE_REPLAY)
    {
        snprintf(error, error_size, "there is no NDIS %u.%u here, or no oracle %u", options->ndis_major,
                 options->ndis_minor, options->oracle);
        return NULL;
    }
    struct host *host = host_open(options->arena_size, error, error_size);
    if (host == NULL)
        return NULL;
    host->api = calloc(1, sizeof *host->api);
    struct oracle *oracle = host->api == NULL ? NULL : make_oracle(options, host->api);
    if (oracle != NULL)
    {
        oracle_delete(host->oracle);
        host->oracle = oracle;
        host->api->step_limit = options->step_limit == 0 ? DEFAULT_STEP_LIMIT : options->step_limit;
        if (open_rooms(host, options))
            return host;
    }
    snprintf(error, error_size, "there is not enough memory for a host");
    host_destroy(host);
    return NULL;
}

void host_destroy(struct host *host)
{
    if (host == NULL)
        return;
    struct api_room *api = host->api;
    host_close(host);
    api_delete(api);
}

static void count(uint32_t id, struct host_counters *counters)
{
    const struct adapter *adapter = adapter_find(id);
    memset(counters, 0, sizeof *counters);
    if (adapter != NULL)
        play_count(adapter, counters);
}

int host_perform_counting(struct host *host, const struct host_operation *operations, size_t how_many,
                          const uint32_t *adapters, struct host_counters *counters, size_t *done)
{
    host_enter(host);
    int result = host->api->unusable ? HOST_CRASHED : HOST_QUIET;
    size_t index = 0;
    while (result == HOST_QUIET && index < how_many)
    {
        log_seal();
        result = play_one(host, &operations[index]);
        if (counters != NULL)
            count(adapters[index], &counters[index]);
        index += result == HOST_QUIET;
    }
    if (done != NULL)
        *done = index;
    host_leave();
    return result;
}

int host_perform(struct host *host, const struct host_operation *operations, size_t how_many, size_t *done)
{
    return host_perform_counting(host, operations, how_many, NULL, NULL, done);
}

int host_pass_time(struct host *host, uint64_t least, uint64_t most)
{
    host_enter(host);
    int result = host->api->unusable ? HOST_CRASHED : HOST_QUIET;
    receive_keep_no_longer();
    if (result == HOST_QUIET)
        result = play_to_rest(host, 0);
    const uint64_t start = clock_now();
    const uint64_t soon = least > UINT64_MAX - start ? UINT64_MAX : start + least;
    const uint64_t late = most > UINT64_MAX - start ? UINT64_MAX : start + most;
    while (result == HOST_QUIET && (clock_now() < soon || (clock_now() < late && time_owed())))
    {
        clock_advance_towards(clock_now() < soon ? soon : late);
        result = play_to_rest(host, 0);
        time_check();
    }
    host->operation = 0;
    host_leave();
    return result;
}

int host_run(struct host *host, const struct host_actor *actors, size_t count)
{
    host_enter(host);
    int result = host->api->unusable || count > ACTOR_LIMIT ? HOST_CRASHED : HOST_QUIET;
    bool prepared = true;
    for (size_t index = 0; result == HOST_QUIET && index < count; index++)
        for (size_t number = 0; number < actors[index].count; number++)
            prepared = operation_prepare(&actors[index].operations[number]) && prepared;
    host->happens->wanted = true;
    if (result == HOST_QUIET && prepared)
        result = play_actors(host, actors, count);
    host->happens->wanted = false;
    host_leave();
    return result;
}

const struct host_event *host_events(struct host *host, size_t *count)
{
    *count = host->log.count;
    return host->log.storage->events;
}

const uint8_t *host_bytes(struct host *host, size_t *length)
{
    *length = host->log.bytes;
    return host->log.storage->bytes;
}

void host_clear_events(struct host *host)
{
    host_enter(host);
    log_clear();
    oracle_clear(host->oracle);
    host_leave();
}

void host_check(struct host *host)
{
    host_enter(host);
    play_check_memory();
    host_leave();
}

void host_memory(struct host *host, struct host_memory *memory)
{
    host_enter(host);
    memset(memory, 0, sizeof *memory);
    memory->limit = (uint64_t)(host->arena.limit - host->arena.start);
    for (const struct block *block = arena_next_live(NULL, BLOCK_NONE, 0); block != NULL;
         block = arena_next_live(block, BLOCK_NONE, 0))
        if (block->kind == BLOCK_CLIENT)
            memory->clients += block->size;
        else if (block->kind == BLOCK_POOL)
            memory->drivers += block->size;
    host_leave();
}

int host_counters(struct host *host, uint32_t id, struct host_counters *counters)
{
    host_enter(host);
    const struct adapter *adapter = adapter_find(id);
    count(id, counters);
    if (adapter != NULL)
    {
        const uint16_t image = image_number(adapter->miniport->image);
        for (const struct block *block = arena_next_live(NULL, BLOCK_NONE, image); block != NULL;
             block = arena_next_live(block, BLOCK_NONE, image))
            counters->allocations += block->kind == BLOCK_POOL || block->kind == BLOCK_NBL_POOL;
    }
    host_leave();
    return adapter != NULL;
}

int host_attributes(struct host *host, uint32_t id, struct host_attributes *attributes)
{
    host_enter(host);
    const struct adapter *adapter = adapter_find(id);
    memset(attributes, 0, sizeof *attributes);
    if (adapter != NULL)
        *attributes = adapter->told;
    host_leave();
    return adapter != NULL;
}

uint32_t host_oids(struct host *host, uint32_t id, uint32_t *oids, uint32_t limit)
{
    host_enter(host);
    const struct adapter *adapter = adapter_find(id);
    const uint32_t count = adapter == NULL ? 0 : adapter->oid_count;
    for (uint32_t index = 0; index < count && index < limit; index++)
        oids[index] = adapter->oids[index];
    host_leave();
    return count;
}

int host_exports(const char *name)
{
    return export_find(name) != NULL;
}

int host_inject(struct host *host, const struct host_fault *fault)
{
    host_enter(host);
    const bool known = fault_arm(fault);
    host_leave();
    return known;
}

const uint32_t *host_choices(struct host *host, size_t *count)
{
    *count = host->oracle->count;
    return host->oracle->record;
}

void host_watch(struct host *host, int on)
{
    host_enter(host);
    host->watch->on = on != 0;
    host->watch->count = 0;
    host->watch->object_count = 0;
    host_leave();
}

const struct host_point *host_points(struct host *host, size_t *count)
{
    *count = host->watch->count;
    return host->watch->points;
}

int host_snapshot(struct host *host)
{
    host_enter(host);
    struct snapshot *taken = host->api->unusable ? NULL : snapshot_take();
    if (taken != NULL)
    {
        if (host->api->snapshot != NULL)
            snapshot_delete(host->api->snapshot);
        host->api->snapshot = taken;
    }
    host_leave();
    return taken != NULL;
}

int host_restore(struct host *host)
{
    host_enter(host);
    const bool there = host->api->snapshot != NULL;
    if (there)
    {
        snapshot_restore(host->api->snapshot);
        host->api->unusable = false;
    }
    host_leave();
    return there;
}
