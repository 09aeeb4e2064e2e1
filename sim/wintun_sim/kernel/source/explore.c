/* Runs of one concurrent scenario, one after the other, from the same world (explore_api.h). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fault_site.h"
#include "gate_books.h"
#include "happens.h"
#include "io_room.h"
#include "logs.h"
#include "ndis_room.h"
#include "play.h"

enum
{
    EXPLORED_ACTORS = ACTOR_LIMIT - 4, /* room for work items, DPCs and threads */
    COUNTED_LIMIT = 16,                /* adapters whose counts belong to a log */
    DEFAULT_POINT_LIMIT = 100000,
    DEFAULT_LOG_LIMIT = 100000,
    PREPARED_BUFFERS = 8, /* of one size */
    LARGEST_PREPARED = 1 << 20,
    SPOILED = 1000 /* beside enum host_progress */
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
    struct snapshot_hole holes[SNAPSHOT_HOLES]; /* clients' unused buffers, which need not be copied to be clean */
    size_t hole_count;
    bool quiet;   /* the last run ended so, and the lists of buffers can be trusted */
    bool careful; /* a driver wrote into one that is not its own: all are cleaned before each run */
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
    case HOST_STRATEGY_REDUCED:
        return oracle_reduced_new();
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

/* Buffers for all reads of the actors at once, so that no run has to make one. */
static void prepare_buffers(const struct host_scenario *scenario)
{
    for (size_t index = 0; index < scenario->actor_count; index++)
        for (size_t number = 0; number < scenario->actors[index].count; number++)
        {
            const struct host_operation *operation = &scenario->actors[index].operations[number];
            unsigned same = 0;
            for (size_t other = 0; other < scenario->actor_count; other++)
                for (size_t place = 0; place < scenario->actors[other].count; place++)
                    same += scenario->actors[other].operations[place].kind == HOST_READ &&
                            scenario->actors[other].operations[place].length == operation->length;
            if (operation->kind == HOST_READ && operation->length <= LARGEST_PREPARED)
                client_prepare(operation->length, same < PREPARED_BUFFERS ? same : PREPARED_BUFFERS);
        }
}

static struct snapshot *take_start(struct host_explorer *explorer)
{
    explorer->hole_count = client_unused(explorer->holes, SNAPSHOT_HOLES);
    return snapshot_take_without(explorer->holes, explorer->hole_count);
}

static void restore_start(struct host_explorer *explorer)
{
    client_clean(explorer->holes, explorer->hole_count, explorer->careful || !explorer->quiet);
    explorer->quiet = true;
    snapshot_restore(explorer->start);
    explorer->host->api->unusable = false;
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
    const bool prepared = prepare(scenario);
    if (prepared)
    {
        prepare_buffers(scenario);
        explorer->start = take_start(explorer);
        explorer->first = oracle_first_new();
    }
    if (!prepared)
        snprintf(error, error_size, "explore: %.*s", (int)host->log.storage->events[0].data_length,
                 (const char *)host->log.storage->bytes + host->log.storage->events[0].data);
    else if (explorer->start == NULL || explorer->first == NULL)
        snprintf(error, error_size, "explore: there is no memory for an explorer");
    host_leave();
    if (explorer->start != NULL && explorer->first != NULL)
        return explorer;
    host_explorer_delete(explorer);
    return NULL;
}

int host_explorer_instrumented(const struct host_explorer *explorer)
{
    const struct images *images = &explorer->host->images;
    for (size_t i = 0; i < IMAGE_LIMIT; i++)
        if (images->of[i].loaded && !image_is_instrumented(&images->of[i]))
            return 0;
    return 1;
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

/* From the first run of the strategy that is already there. */
static bool begin(struct host_explorer *explorer)
{
    const struct host_strategy *strategy = &explorer->strategy;
    oracle_delete(explorer->oracle);
    logs_delete(explorer->logs);
    memset(&explorer->state, 0, sizeof explorer->state);
    explorer->oracle = make_oracle(strategy);
    explorer->logs = logs_new(strategy->log_limit == 0 ? DEFAULT_LOG_LIMIT : strategy->log_limit);
    if (explorer->oracle == NULL || explorer->logs == NULL)
        return false;
    oracle_begin_with(explorer->oracle, explorer->prefix, strategy->prefix_length);
    explorer->oracle->client_writes = (strategy->flags & HOST_STRATEGY_CLIENT_WRITES) != 0;
    explorer->sites.count = 0;
    explorer->sites.wanted = strategy->fault;
    if ((strategy->flags & HOST_STRATEGY_FAULT) == 0)
        explorer->sites.wanted.kind = HOST_FAULT_KINDS;
    return true;
}

int host_explorer_begin(struct host_explorer *explorer, const struct host_strategy *strategy)
{
    explorer->strategy = *strategy;
    return copy_prefix(explorer, strategy) && begin(explorer);
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

/* Whether a driver wrote into a buffer of a client that it should have left alone. */
static bool spoiled_a_buffer(void)
{
    const struct log *log = &current_host->log;
    for (uint32_t next = log->newest_broken; next != 0; next = log->storage->events[next - 1].reserved)
        if (strcmp(log->storage->events[next - 1].rule, "ClientBuffer") == 0)
            return true;
    return false;
}

/* The books are taken back before the next run. */
static void note_met(struct host_explorer *explorer)
{
    const struct gate *gate = explorer->host->gate;
    if (gate == NULL)
        return;
    gate_catch_up();
    for (unsigned row = 0; row < HOST_MET_ROWS; row++)
        explorer->state.met[row] |= gate->met[row];
}

/* One run, from the world at the beginning to its log. HOST_EXPLORING when it is done, HOST_FULL when there is no room
 * for its log, SPOILED when what it saw may be an earlier run's doing. */
static int run_once(struct host_explorer *explorer)
{
    struct host *host = explorer->host;
    struct oracle *oracle = explorer->oracle;
    const struct host_scenario *scenario = &explorer->scenario;
    struct host_log log = {.first_run = explorer->state.runs};
    restore_start(explorer);
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
    if (oracle->rests != NULL)
        oracle->rests(oracle, host->scheduler.result == RUN_QUIESCENT && result != HOST_QUIET ? RUN_BLOCKED
                                                                                              : host->scheduler.result);
    note_met(explorer);
    if (oracle->pruned)
    {
        explorer->state.pruned += 1;
        explorer->state.points += log.points;
        explorer->quiet = false;
        return !explorer->careful && explorer->hole_count != 0 && spoiled_a_buffer() ? SPOILED : HOST_EXPLORING;
    }
    log.counted_count = count_adapters(explorer);
    if (result == HOST_QUIET)
        result = do_ending(explorer);
    explorer->quiet = result == HOST_QUIET;
    if (!explorer->careful && explorer->hole_count != 0 && spoiled_a_buffer())
        return SPOILED;
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
        return HOST_FULL;
    struct host_exploration *state = &explorer->state;
    state->runs += 1;
    state->points += log.points;
    if (log.points > state->longest)
        state->longest = log.points;
    if (actors > state->actors)
        state->actors = actors;
    if (log.choice_count > state->longest_choices)
        state->longest_choices = log.choice_count;
    return HOST_EXPLORING;
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
    if (explorer->strategy.kind == HOST_STRATEGY_REDUCED)
        explorer->state.cut = oracle_reduced_lost(oracle);
    return more ? HOST_EXPLORING : HOST_COMPLETE;
}

/* Makes `runs` runs at most. When a driver spoiled a buffer that is not copied, everything is done once more, with all
 * buffers cleaned before each run: no run may see what another did. */
static enum host_progress make_runs(struct host_explorer *explorer, uint64_t runs, uint64_t points)
{
    const struct host_exploration *state = &explorer->state;
    const uint64_t made = state->runs + state->pruned;
    const uint64_t wanted = runs > UINT64_MAX - made ? UINT64_MAX : made + runs;
    int progress = (int)state->progress;
    while (progress == HOST_EXPLORING && state->runs + state->pruned < wanted && state->points < points)
    {
        progress = run_once(explorer);
        if (progress == HOST_EXPLORING)
            progress = (int)look_ahead(explorer);
        if (progress == HOST_EXPLORING && state->runs + state->pruned < wanted && state->points < points)
            continue;
        restore_start(explorer);
        if (explorer->careful || (progress != SPOILED && client_is_clean(explorer->holes, explorer->hole_count)))
            continue;
        explorer->careful = true;
        progress = begin(explorer) ? HOST_EXPLORING : HOST_FULL;
    }
    explorer->state.progress = (uint32_t)progress;
    return (enum host_progress)progress;
}

int host_explorer_go(struct host_explorer *explorer, uint64_t runs, uint64_t points)
{
    struct host *host = explorer->host;
    host_enter(host);
    struct oracle *before = host->oracle;
    host->happens->wanted = explorer->scenario.races != 0;
    const uint64_t step_limit = host->api->step_limit;
    host->api->step_limit = explorer->scenario.point_limit == 0 ? DEFAULT_POINT_LIMIT : explorer->scenario.point_limit;
    const enum host_progress progress = make_runs(explorer, runs, points == 0 ? UINT64_MAX : points);
    restore_start(explorer);
    host->happens->wanted = false;
    host->api->step_limit = step_limit;
    host->oracle = before;
    host_leave();
    return (int)progress;
}

void host_explorer_state(const struct host_explorer *explorer, struct host_exploration *state)
{
    *state = explorer->state;
    state->world = snapshot_size(explorer->start);
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
