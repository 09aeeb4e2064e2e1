/* Runs of one concurrent scenario, one after the other, from the same world (explore_api.h). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fault_site.h"
#include "gate.h"
#include "happens.h"
#include "logs.h"
#include "ndis_room.h"
#include "play.h"

enum
{
    EXPLORED_ACTORS = ACTOR_LIMIT - 4, /* room for work items, DPCs and threads */
    COUNTED_LIMIT = 16,                /* adapters whose counts belong to a log */
    DEFAULT_POINT_LIMIT = 100000,
    DEFAULT_LOG_LIMIT = 100000
};

/* How long a miniport may take in virtual time, as host_pass_time's callers let it: 600 s in units of 100 ns. */
#define PATIENCE UINT64_C(6000000000)

struct host_explorer
{
    struct host *host;
    struct host_scenario scenario;
    struct snapshot *start;
    struct host_strategy strategy;
    uint32_t *prefix;
    struct oracle *oracle; /* of the actors */
    struct oracle *first;  /* of the ending */
    struct fault_sites sites;
    struct logs *logs;
    struct host_exploration state;
    struct host_counted counted[COUNTED_LIMIT];
};

static struct oracle *make_oracle(const struct host_strategy *strategy)
{
    switch (strategy->kind)
    {
    case HOST_STRATEGY_DEPTH_FIRST:
        return oracle_depth_first_new(strategy->bound, strategy->levels == 0 ? SIZE_MAX : strategy->levels);
    case HOST_STRATEGY_RANDOM:
        return oracle_random_new(strategy->seed);
    case HOST_STRATEGY_PCT:
        return oracle_pct_new(strategy->seed, strategy->depth, strategy->length);
    case HOST_STRATEGY_REPLAY:
        return oracle_first_new();
    default:
        return NULL;
    }
}

static bool prepare(const struct host_scenario *scenario)
{
    bool prepared = true;
    for (size_t index = 0; index < scenario->actor_count; index++)
        for (size_t number = 0; number < scenario->actors[index].count; number++)
            prepared = operation_prepare(&scenario->actors[index].operations[number]) && prepared;
    return prepared;
}

struct host_explorer *host_explorer_new(struct host *host, const struct host_scenario *scenario, char *error,
                                        size_t error_size)
{
    if (scenario->actor_count > EXPLORED_ACTORS || host->api->unusable)
    {
        snprintf(error, error_size, "explore: %s",
                 host->api->unusable ? "the host is unusable: restore it first" : "too many actors: at most 60");
        return NULL;
    }
    struct host_explorer *explorer = calloc(1, sizeof *explorer);
    if (explorer == NULL)
    {
        snprintf(error, error_size, "explore: there is no memory for an explorer");
        return NULL;
    }
    explorer->host = host;
    explorer->scenario = *scenario;
    host_enter(host);
    log_clear();
    if (!prepare(scenario))
        snprintf(error, error_size, "explore: %.*s", (int)host->log.storage->events[0].data_length,
                 (const char *)host->log.storage->bytes + host->log.storage->events[0].data);
    else if ((explorer->start = snapshot_take()) == NULL || (explorer->first = oracle_first_new()) == NULL)
        snprintf(error, error_size, "explore: there is no memory for an explorer");
    host_leave();
    if (explorer->first != NULL)
        return explorer;
    host_explorer_delete(explorer);
    return NULL;
}

void host_explorer_delete(struct host_explorer *explorer)
{
    if (explorer == NULL)
        return;
    if (explorer->start != NULL)
        snapshot_delete(explorer->start);
    oracle_delete(explorer->oracle);
    oracle_delete(explorer->first);
    logs_delete(explorer->logs);
    free(explorer->prefix);
    free(explorer->sites.found);
    free(explorer);
}

static bool copy_prefix(struct host_explorer *explorer, const struct host_strategy *strategy)
{
    const size_t size = strategy->prefix_length * sizeof *strategy->prefix;
    free(explorer->prefix);
    explorer->prefix = malloc(size == 0 ? 1 : size);
    if (explorer->prefix == NULL)
        return false;
    if (size != 0)
        memcpy(explorer->prefix, strategy->prefix, size);
    return true;
}

int host_explorer_begin(struct host_explorer *explorer, const struct host_strategy *strategy)
{
    oracle_delete(explorer->oracle);
    logs_delete(explorer->logs);
    memset(&explorer->state, 0, sizeof explorer->state);
    explorer->strategy = *strategy;
    explorer->oracle = make_oracle(strategy);
    explorer->logs = logs_new(strategy->log_limit == 0 ? DEFAULT_LOG_LIMIT : strategy->log_limit);
    if (explorer->oracle == NULL || explorer->logs == NULL || !copy_prefix(explorer, strategy))
        return 0;
    oracle_begin_with(explorer->oracle, explorer->prefix, strategy->prefix_length);
    explorer->oracle->client_writes = (strategy->flags & HOST_STRATEGY_CLIENT_WRITES) != 0;
    explorer->sites.count = 0;
    explorer->sites.wanted = strategy->fault;
    if ((strategy->flags & HOST_STRATEGY_FAULT) == 0)
        explorer->sites.wanted.kind = HOST_FAULT_KINDS;
    return 1;
}

/* What a miniport still owes NDIS, a pause for one, it may bring when time passes; who is late breaks a rule. */
static int let_time_pass(struct host *host)
{
    int result = HOST_QUIET;
    const uint64_t end = clock_now() + PATIENCE;
    while (result == HOST_QUIET && time_changes() && clock_now() < end)
    {
        clock_advance_towards(end);
        result = play_to_rest(host, 0);
        time_check();
    }
    return result;
}

static size_t count_adapters(struct host_explorer *explorer)
{
    size_t count = 0;
    for (const struct adapter *adapter = explorer->host->ndis->adapters; adapter != NULL && count < COUNTED_LIMIT;
         adapter = adapter->next)
    {
        struct host_counted *counted = &explorer->counted[count++];
        *counted = (struct host_counted){.adapter = adapter->id};
        play_count(adapter, &counted->counters);
    }
    return count;
}

static int do_ending(const struct host_explorer *explorer)
{
    int result = HOST_QUIET;
    explorer->host->oracle = explorer->first;
    for (size_t number = 0; number < explorer->scenario.ending_count && result == HOST_QUIET; number++)
    {
        const struct host_operation *operation = &explorer->scenario.ending[number];
        if (explorer->host->gate == NULL || gate_ask(operation) == HOST_ADMITTED)
            result = play_one(explorer->host, operation);
    }
    return result;
}

/* One run, from the world at the beginning to its log. False when there is no room for that. */
static bool run_once(struct host_explorer *explorer)
{
    struct host *host = explorer->host;
    struct oracle *oracle = explorer->oracle;
    const struct host_scenario *scenario = &explorer->scenario;
    struct host_log log = {.first_run = explorer->state.runs};
    snapshot_restore(explorer->start);
    host->api->unusable = false;
    oracle_clear(oracle);
    oracle_clear(explorer->first);
    if (oracle->begin != NULL)
        oracle->begin(oracle, explorer->strategy.first + explorer->state.runs);
    host->oracle = oracle;
    explorer->sites.struck = false;
    host->sites =
        (explorer->strategy.flags & (HOST_STRATEGY_FAULT | HOST_STRATEGY_SITES)) != 0 ? &explorer->sites : NULL;
    const uint32_t started = host->scheduler.started;
    const uint64_t steps = host->scheduler.steps;
    int result = play_actors(host, scenario->actors, scenario->actor_count);
    log.points = host->scheduler.steps - steps;
    host->sites = NULL;
    const uint64_t actors = host->scheduler.started - started;
    if (result == HOST_QUIET)
        result = let_time_pass(host);
    log.counted_count = count_adapters(explorer);
    if (result == HOST_QUIET)
        result = do_ending(explorer);
    log.result = (uint32_t)result;
    log.counted = explorer->counted;
    log.events = host->log.storage->events;
    log.event_count = host->log.count;
    log.bytes = host->log.storage->bytes;
    log.byte_count = host->log.bytes;
    log.choices = oracle->record;
    log.choice_count = oracle->count;
    log.preemptions = oracle->preemptions;
    if (!logs_add(explorer->logs, &log))
        return false;
    struct host_exploration *state = &explorer->state;
    state->runs += 1;
    state->points += log.points;
    if (log.points > state->longest)
        state->longest = log.points;
    if (actors > state->actors)
        state->actors = actors;
    if (log.choice_count > state->longest_choices)
        state->longest_choices = log.choice_count;
    return true;
}

/* After a run: what comes next. */
static enum host_progress look_ahead(struct host_explorer *explorer)
{
    struct oracle *oracle = explorer->oracle;
    if (oracle->diverged || oracle->count < oracle->script_length)
    {
        explorer->state.diverged_at = oracle->diverged ? oracle->diverged_at : oracle->count;
        return HOST_DIVERGED;
    }
    if (explorer->strategy.kind == HOST_STRATEGY_REPLAY)
        return HOST_COMPLETE;
    const bool more = oracle->again == NULL || oracle->again(oracle);
    if (explorer->strategy.kind == HOST_STRATEGY_DEPTH_FIRST)
        explorer->state.cut = oracle_depth_first_cut(oracle);
    return more ? HOST_EXPLORING : HOST_COMPLETE;
}

int host_explorer_go(struct host_explorer *explorer, uint64_t runs)
{
    struct host *host = explorer->host;
    host_enter(host);
    struct oracle *before = host->oracle;
    host->happens->wanted = explorer->scenario.races != 0;
    const uint64_t step_limit = host->api->step_limit;
    host->api->step_limit = explorer->scenario.point_limit == 0 ? DEFAULT_POINT_LIMIT : explorer->scenario.point_limit;
    enum host_progress progress = (enum host_progress)explorer->state.progress;
    while (progress == HOST_EXPLORING && runs-- != 0)
        progress = run_once(explorer) ? look_ahead(explorer) : HOST_FULL;
    explorer->state.progress = progress;
    snapshot_restore(explorer->start);
    host->api->unusable = false;
    host->happens->wanted = false;
    host->api->step_limit = step_limit;
    host->oracle = before;
    host_leave();
    return (int)progress;
}

void host_explorer_state(const struct host_explorer *explorer, struct host_exploration *state)
{
    *state = explorer->state;
}

const struct host_fault_site *host_explorer_sites(const struct host_explorer *explorer, size_t *count)
{
    *count = explorer->sites.count;
    return explorer->sites.found;
}

const uint32_t *host_explorer_choices(const struct host_explorer *explorer, size_t *count)
{
    *count = explorer->oracle->count;
    return explorer->oracle->record;
}

size_t host_explorer_logs(const struct host_explorer *explorer)
{
    return logs_count(explorer->logs);
}

void host_explorer_log(const struct host_explorer *explorer, size_t index, struct host_log *log)
{
    logs_get(explorer->logs, index, log);
}
