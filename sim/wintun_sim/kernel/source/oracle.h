/* One oracle answers every choice of a run: who goes on, which allocation fails. Same answers, same run, to the byte.
 *
 * A strategy is a `choose` function with a few words of state, one small file each: oracle_first.c (always 0),
 * oracle_random.c (seeded), oracle_replay.c (a list of choices). What was chosen is recorded for replays. A choice with
 * one option is never asked. An oracle lives outside the arena: a restore takes no choice back, whoever explores does.
 */
#ifndef WINTUN_SIM_ORACLE_H
#define WINTUN_SIM_ORACLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum choice_kind
{
    CHOICE_ACTOR = 1, /* option 0 is the running actor if it can go on; the others follow in order of index */
    CHOICE_FAULT,     /* 0: succeeds, 1: fails (fault.h) */
    CHOICE_HOST,      /* whatever else the simulated system may do either way */
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
    uint64_t state[4];      /* the strategy's own */
    const uint32_t *script; /* replay: the choices to repeat */
    size_t script_length;
    size_t script_position;
    bool faults;   /* whether CHOICE_FAULT is asked at all */
    bool diverged; /* replay: the run asked for another choice than the script has */
    uint32_t *record;
    size_t count; /* choices recorded */
    size_t capacity;
};

struct oracle *oracle_first_new(void);
struct oracle *oracle_random_new(uint64_t seed);

/* Answers from `script`, which must outlive the oracle; beyond its end 0. A choice of another kind or with another
 * number of options than the script has sets `diverged`, and from there the answers are 0.
 */
struct oracle *oracle_replay_new(const uint32_t *script, size_t length);

void oracle_delete(struct oracle *oracle);

/* Forgets what was recorded; a replay starts again at its script's beginning, a random one goes on. */
void oracle_clear(struct oracle *oracle);

/* Asks, and records the answer. 1 <= options <= CHOICE_OPTIONS_LIMIT; 1 gives 0 without asking. */
uint32_t oracle_choose(struct oracle *oracle, enum choice_kind kind, uint32_t options);

/* Uniform in [0, options), for strategies: xoshiro256** over `state`. */
uint32_t oracle_draw(uint64_t state[4], uint32_t options);
void oracle_seed(uint64_t state[4], uint64_t seed);

#endif
