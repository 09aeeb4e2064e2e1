/* One oracle answers every choice of a run: who goes on, which allocation fails. Same answers, same run, to the byte.
 *
 * A strategy is a `choose` function with a few words of state, one small file each: oracle_first.c (always 0),
 * oracle_random.c (seeded), oracle_depth_first.c (one after the other). What was chosen is recorded for replays. A
 * choice with one option is never asked. An oracle lives outside the arena: a restore takes no choice back, whoever
 * explores does (explore.c).
 *
 * A strategy may look at current_host->scheduler: who is runnable, and each actor's point and object.
 */
#ifndef WINTUN_SIM_ORACLE_H
#define WINTUN_SIM_ORACLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct actor;

enum choice_kind
{
    CHOICE_ACTOR = 1, /* option 0 is the running actor if it can go on; the others follow in order of index */
    CHOICE_FAULT,     /* 0: succeeds, 1: fails (fault.h) */
    CHOICE_HOST,      /* whatever else the simulated system may do either way */
    CHOICE_CLIENT,    /* 1: a client has changed bytes of its buffer that the driver reads again (io_fetch.c) */
    CHOICE_KINDS
};

/* A choice as it is recorded and replayed: kind, number of options, the option taken. */
#define CHOICE(kind, options, chosen) ((uint32_t)(kind) << 16 | (uint32_t)(options) << 8 | (uint32_t)(chosen))
#define CHOICE_KIND(choice)           ((choice) >> 16)
#define CHOICE_OPTIONS(choice)        ((choice) >> 8 & 0xFF)
#define CHOICE_CHOSEN(choice)         ((choice)&0xFF)
#define CHOICE_OPTIONS_LIMIT          255

struct oracle
{
    uint32_t (*choose)(struct oracle *oracle, enum choice_kind kind, uint32_t options);

    /* Before run number `run`. NULL: need not know. */
    void (*begin)(struct oracle *oracle, uint64_t run);

    /* After a run: makes ready for the next one; false when there is none. NULL: there always is. */
    bool (*again)(struct oracle *oracle);

    /* Hears of each actor that is about to go on from its scheduling point, chosen or the only one. NULL: need not. */
    void (*step)(struct oracle *oracle, const struct actor *actor);

    /* Hear of actors that are created, and of what the step under way uses (depend.h). NULL: need not. */
    void (*begins)(struct oracle *oracle, const struct actor *actor);
    void (*use)(struct oracle *oracle, uintptr_t object, unsigned how);

    /* Hears that a run of actors has come to an end, and how (enum run_result), while who is left still stands where it
     * is. NULL: need not. */
    void (*rests)(struct oracle *oracle, int result);

    void (*discard)(struct oracle *oracle); /* gives back what the strategy holds beside itself; NULL: nothing */

    uint64_t state[4];      /* the strategy's own */
    const uint32_t *script; /* the choices that a run begins with, whatever the strategy would say */
    size_t script_length;
    size_t diverged_at; /* of `diverged`: which choice of the script */
    bool faults;        /* whether CHOICE_FAULT is asked at all */
    bool client_writes; /* whether CHOICE_CLIENT is */
    bool pruned;        /* the run is given up at its next point: what comes of it was seen, or will be */
    bool diverged;      /* the run asked for another choice than the script has */
    uint32_t *record;
    size_t count; /* choices recorded */
    size_t capacity;
    uint64_t preemptions; /* choices of another actor while the running one could go on */
};

struct oracle *oracle_first_new(void);
struct oracle *oracle_random_new(uint64_t seed);

/* Every run, one after the other, the first option of each choice first. `bound` preemptions at most in one run
 * (UINT32_MAX: any number); choices from number `levels` on stay 0 (SIZE_MAX: none does).
 */
struct oracle *oracle_depth_first_new(uint32_t bound, size_t levels);

/* PCT with `depth` 1 ... ORACLE_PCT_DEPTH, for runs of `length` steps at most, from 1; NULL for others. */
struct oracle *oracle_pct_new(uint64_t seed, uint32_t depth, uint64_t length);

enum
{
    ORACLE_PCT_DEPTH = 16
};

/* Whether it left out a run for its bound. */
bool oracle_depth_first_cut(const struct oracle *oracle);

/* Of runs that differ in the order of independent steps only, one (oracle_reduced.c); any number of preemptions. */
struct oracle *oracle_reduced_new(void);

/* Whether a run was more than it can follow, so that others may be missing. */
bool oracle_reduced_lost(const struct oracle *oracle);

/* First answers from `script`, which must outlive the oracle; then 0. */
struct oracle *oracle_replay_new(const uint32_t *script, size_t length);

void oracle_delete(struct oracle *oracle);

/* Puts `script` before what the strategy says; it must outlive the oracle. A choice of another kind or with another
 * number of options than the script has sets `diverged`, and from there the answers are 0. A choice written without
 * kind and number of options fits each that has its option.
 */
void oracle_begin_with(struct oracle *oracle, const uint32_t *script, size_t length);

/* Forgets what was recorded: another run begins, with its script; a random one goes on. */
void oracle_clear(struct oracle *oracle);

/* Asks, and records the answer. 1 <= options <= CHOICE_OPTIONS_LIMIT; 1 gives 0 without asking. */
uint32_t oracle_choose(struct oracle *oracle, enum choice_kind kind, uint32_t options);

/* Uniform in [0, options), for strategies: xoshiro256** over `state`. */
uint32_t oracle_draw(uint64_t state[4], uint32_t options);
void oracle_seed(uint64_t state[4], uint64_t seed);

/* The seed of one run of many: it depends on nothing but these two. */
void oracle_seed_run(uint64_t state[4], uint64_t seed, uint64_t run);

/* For growing arrays of strategies: room for `needed` elements of `size` bytes in *array. Ends the process when the
 * system refuses: an exploration with holes would be a lie. */
void oracle_grow(void *array, size_t *capacity, size_t needed, size_t size);

#endif
