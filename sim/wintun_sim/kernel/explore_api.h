/* SPDX-License-Identifier: MIT
 *
 * The host kernel's face for exploring: one concurrent scenario, run again and again from the same world under a
 * strategy, until every schedule was taken or a budget is used up. No choice crosses into the caller.
 *
 * A run: the world is brought back to where the explorer was made; the actors do their operations as the strategy
 * interleaves them, each as soon as the gate admits it; what a miniport then owes NDIS gets virtual time; what the
 * adapters own is counted; the ending's operations are done one at a time, with the first option of every choice. A run
 * that does not end quietly (enum host_result) has no ending. What happened is the run's log: its events, their bytes,
 * its result and what was counted.
 *
 * Each distinct log is kept once, with the choices of the first run that showed it.
 */
#ifndef WINTUN_SIM_EXPLORE_API_H
#define WINTUN_SIM_EXPLORE_API_H

#include "host_api.h"

/* cffi: begin */

/* The gate: which operation may begin, as NDIS and the I/O manager let calls overlap. What is allowed in which state
 * and beside what is the caller's to say (wintun_sim.lifecycle does); the gate keeps the books. */

enum host_state
{
    HOST_STATE_HALTED = 0,
    HOST_STATE_SHUTDOWN,
    HOST_STATE_INITIALIZING,
    HOST_STATE_PAUSED,
    HOST_STATE_RESTARTING,
    HOST_STATE_RUNNING,
    HOST_STATE_PAUSING,
    HOST_STATES
};

/* The calls that NDIS makes; also who they are where calls overlap. */
enum host_call
{
    HOST_CALL_RESTART = 0,
    HOST_CALL_PAUSE,
    HOST_CALL_HALT,
    HOST_CALL_SHUTDOWN,
    HOST_CALL_SURPRISE_REMOVE,
    HOST_CALL_SET_POWER,
    HOST_CALL_OID,
    HOST_CALL_PENDING_OID, /* its handler has returned */
    HOST_CALL_DIRECT_OID,
    HOST_CALL_SEND,
    HOST_CALL_CANCEL_SEND,
    HOST_CALL_INITIALIZE,
    HOST_CALLS
};

struct host_gate_cell
{
    const char *refusal; /* why the call never comes in this state; NULL: it may */
    uint32_t next;       /* enum host_state: the state while it is under way */
    uint32_t reserved;
};

struct host_gate_rules
{
    const struct host_gate_cell *cells; /* [HOST_CALLS][HOST_STATES] */
    const char *const
        *overlaps;   /* [HOST_CALLS running][HOST_CALLS]: why the second never begins meanwhile; NULL: it may */
    uint32_t strict; /* 1: no pause while NBLs are held, no restart but in D0, nothing on a handle after cleanup */
    uint32_t names;  /* operations with ids up to this may come */
};

enum host_admission
{
    HOST_ADMITTED = 0,
    HOST_REFUSED, /* host_gate_reason says why */
    HOST_UNKNOWN  /* what it names does not exist (yet) */
};

/* Puts a gate before every operation of a host on which nothing happened yet; the texts must outlive the host. From
 * then on an operation that it does not admit is answered with HOST_EVENT_REFUSED. 1, or 0 when there is no memory. */
int host_gate(struct host *host, const struct host_gate_rules *rules);

/* Whether the operation might begin now, and why not; enum host_admission. */
int host_gate_ask(struct host *host, const struct host_operation *operation);

/* The same, and it begins if it may, or is refused for good. What happens then must be told: by the host itself, or,
 * where nothing is carried out, by these two. */
int host_gate_admit(struct host *host, const struct host_operation *operation);
void host_gate_observe(struct host *host, const struct host_event *events, size_t count);
void host_gate_end(struct host *host, const struct host_operation *operation);

/* Why the last operation that was asked about was refused; valid until the next call. */
const char *host_gate_reason(struct host *host);

struct host_explorer;

/* What is explored. All of it must outlive the explorer. */
struct host_scenario
{
    const struct host_actor *actors;
    uint64_t actor_count; /* at most 60 */
    const struct host_operation *ending;
    uint64_t ending_count;
    uint64_t point_limit; /* scheduling points in one run before it counts as endless; 0: 100,000 */
    uint32_t races;       /* 1: look for data races, which instrumented images show; 0: do not */
    uint32_t reserved;
};

enum host_strategy_kind
{
    HOST_STRATEGY_DEPTH_FIRST = 0, /* every run within `bound` */
    HOST_STRATEGY_RANDOM,          /* every choice drawn, with the same odds for each option; never at an end */
    HOST_STRATEGY_PCT,             /* priorities that change `depth` - 1 times; never at an end */
    HOST_STRATEGY_REPLAY,          /* one run: the prefix, then the first of all options */
    HOST_STRATEGY_REDUCED          /* of runs that differ in the order of independent steps only, one; needs
                                      instrumented images, and holds where there is no data race */
};

/* Where the driver asks for what may fail: the call of a function of the host kernel. */
struct host_fault_site
{
    uint32_t kind;     /* enum host_fault_kind */
    uint32_t image;    /* 1 + its number */
    uint64_t place;    /* in the code of the image, as its debugging information counts */
    uint64_t attempts; /* that were seen */
};

enum host_strategy_flag
{
    HOST_STRATEGY_FAULT = 1,        /* `fault` fails once, or not at all: a choice at each attempt until it did */
    HOST_STRATEGY_SITES = 2,        /* the sites that are met are listed */
    HOST_STRATEGY_CLIENT_WRITES = 4 /* a client changes what the driver reads again, or not */
};

struct host_strategy
{
    uint32_t kind;   /* enum host_strategy_kind */
    uint32_t bound;  /* depth-first: preemptions in one run at most; UINT32_MAX: any number */
    uint64_t levels; /* depth-first: choices from this number on stay 0; 0: none does */
    uint32_t flags;  /* enum host_strategy_flag */
    uint32_t depth;  /* PCT: of the error that is looked for, 1 ... 16 */
    uint64_t length; /* PCT: steps of a run at most: its scheduling points and its actors */
    struct host_fault_site fault;
    uint64_t seed;          /* random: run number i draws from this seed and i alone */
    uint64_t first;         /* random: the number of the first run */
    const uint32_t *prefix; /* the choices that every run begins with; read when the strategy begins */
    uint64_t prefix_length;
    uint64_t log_limit; /* distinct logs that are kept at most; 0: 100,000 */
};

enum host_progress
{
    HOST_EXPLORING = 0, /* there is more to do */
    HOST_COMPLETE,      /* the strategy has no other run */
    HOST_FULL,          /* one more distinct log than is kept */
    HOST_DIVERGED       /* the prefix asks for a choice that the run does not have */
};

enum
{
    HOST_MET_REQUEST = HOST_CALLS, /* a client's request */
    HOST_MET_RECEIVE,              /* a receive indication */
    HOST_MET_ROWS
};

struct host_exploration
{
    uint64_t runs;
    uint64_t points;            /* scheduling points passed in all of them, endings not counted */
    uint64_t pruned;            /* runs beside those that were given up, since others show what would come of them */
    uint64_t longest;           /* scheduling points of the longest */
    uint64_t actors;            /* most in one run, work items and DPCs included */
    uint64_t world;             /* bytes that bring the world back before a run */
    uint64_t longest_choices;   /* choices of the run that had most */
    uint64_t diverged_at;       /* HOST_DIVERGED: which choice of the prefix */
    uint32_t progress;          /* enum host_progress */
    uint32_t cut;               /* depth-first: 1 when runs were left out for the bound; reduced: for what a run was */
    uint8_t met[HOST_MET_ROWS]; /* of each call, with a gate: bit s where it came in state s (enum host_state) */
};

struct host_counted
{
    uint32_t adapter;
    uint32_t reserved;
    struct host_counters counters; /* without allocations */
};

/* Valid until the strategy is begun anew or the explorer deleted. */
struct host_log
{
    const struct host_event *events;
    uint64_t event_count;
    const uint8_t *bytes;
    uint64_t byte_count;
    const uint32_t *choices; /* of the first run that showed it */
    uint64_t choice_count;
    const struct host_counted *counted; /* each adapter, 16 at most, that there was when the actors had ended */
    uint64_t counted_count;
    uint64_t seen;        /* in how many runs */
    uint64_t first_run;   /* the number of the first, from 0 */
    uint64_t points;      /* its scheduling points */
    uint64_t preemptions; /* its choices of another actor while the running one could go on */
    uint32_t result;      /* enum host_result */
    uint32_t reserved;
};

/* An explorer of `scenario` from the world as it is. NULL with a reason in error: an image cannot be loaded, the host
 * is unusable, or there is no memory. The host may be used for other things between calls and is left as it was here.
 */
struct host_explorer *host_explorer_new(struct host *host, const struct host_scenario *scenario, char *error,
                                        size_t error_size);
void host_explorer_delete(struct host_explorer *explorer);

/* 1 if all images are instrumented, so that every access of theirs is seen; else 0. */
int host_explorer_instrumented(const struct host_explorer *explorer);

/* Forgets what was found, and begins. 1, or 0 when the strategy makes no sense or there is no memory. */
int host_explorer_begin(struct host_explorer *explorer, const struct host_strategy *strategy);

/* Makes `runs` runs at most, and none after `points` scheduling points were passed since the strategy began (0: no such
 * budget); enum host_progress. What is found does not depend on how it is cut into calls. */
int host_explorer_go(struct host_explorer *explorer, uint64_t runs, uint64_t points);

void host_explorer_state(const struct host_explorer *explorer, struct host_exploration *state);

/* The sites that were met under HOST_STRATEGY_SITES; valid until the strategy is begun anew. */
const struct host_fault_site *host_explorer_sites(const struct host_explorer *explorer, size_t *count);

/* The choices of the run that was made last; valid until the next. */
const uint32_t *host_explorer_choices(const struct host_explorer *explorer, size_t *count);

/* How many distinct logs were found, and the one at `index`, in the order in which they were found. */
size_t host_explorer_logs(const struct host_explorer *explorer);
void host_explorer_log(const struct host_explorer *explorer, size_t index, struct host_log *log);

/* For measurements: two actors of a host at rest pass `points` scheduling points, each with a random choice between the
 * two; and the C library's swapcontext is called `switches` times, in one thread at a time. 1, or 0 without memory. */
int host_bench_points(struct host *host, uint64_t points);
int host_bench_switches(uint64_t switches);

/* cffi: end */

#endif
