/* The oracle that finds an error of depth d with a probability that it can name: probabilistic concurrency testing
 * (Burckhardt, Kothari, Musuvathi and Nagarakatte, "A randomized scheduler with probabilistic guarantees of finding
 * bugs", ASPLOS 2010).
 *
 * Each actor gets a random priority when it is first heard of, and the runnable one with the highest always goes on. At
 * d - 1 steps drawn from the k of a run, the actor that takes the step falls below all others. An error that needs d
 * scheduling constraints among n actors shows with a probability of at least 1 / (n k^(d-1)). Other choices than of an
 * actor are drawn.
 */
#include <stdlib.h>
#include <string.h>

#include "oracle.h"
#include "scheduler.h"

struct pct
{
    struct oracle oracle; /* first: an oracle is cast to this */
    uint64_t seed;
    uint64_t length; /* k */
    uint32_t changes;
    uint64_t step; /* taken in this run */
    uint64_t change_at[ORACLE_PCT_DEPTH];
    uint32_t number[ACTOR_LIMIT]; /* of the actor that the priority is of: indexes are used again */
    uint64_t priority[ACTOR_LIMIT];
};

static uint64_t draw_word(struct pct *mine)
{
    const uint64_t high = oracle_draw(mine->oracle.state, UINT32_MAX);
    return high << 32 | oracle_draw(mine->oracle.state, UINT32_MAX);
}

static void begin(struct oracle *oracle, uint64_t run)
{
    struct pct *mine = (struct pct *)oracle;
    oracle_seed_run(oracle->state, mine->seed, run);
    mine->step = 0;
    memset(mine->number, 0, sizeof mine->number);
    for (uint32_t i = 0; i < mine->changes; i++)
        mine->change_at[i] = 1 + draw_word(mine) % mine->length;
}

/* Above those of the changes, which are 0, 1, 2, … */
static uint64_t priority_of(struct pct *mine, const struct actor *actor)
{
    if (mine->number[actor->index] != actor->number)
    {
        mine->number[actor->index] = actor->number;
        mine->priority[actor->index] = draw_word(mine) | UINT64_C(1) << 63;
    }
    return mine->priority[actor->index];
}

static void take_step(struct oracle *oracle, const struct actor *actor)
{
    struct pct *mine = (struct pct *)oracle;
    mine->step += 1;
    for (uint32_t i = 0; i < mine->changes; i++)
    {
        if (mine->change_at[i] != mine->step)
            continue;
        priority_of(mine, actor);
        mine->priority[actor->index] = i;
    }
}

static uint32_t choose_highest(struct oracle *oracle, enum choice_kind kind, uint32_t options)
{
    struct pct *mine = (struct pct *)oracle;
    if (kind != CHOICE_ACTOR)
        return oracle_draw(oracle->state, options);
    const struct scheduler *scheduler = &current_host->scheduler;
    const struct actor *highest = NULL;
    for (uint64_t left = scheduler->runnable; left != 0; left &= left - 1)
    {
        const struct actor *actor = &scheduler->actors[__builtin_ctzll(left)];
        if (highest == NULL || priority_of(mine, actor) > priority_of(mine, highest))
            highest = actor;
    }
    return highest == NULL ? 0 : scheduler_option_of(highest->index);
}

struct oracle *oracle_pct_new(uint64_t seed, uint32_t depth, uint64_t length)
{
    if (depth < 1 || depth > ORACLE_PCT_DEPTH || length == 0)
        return NULL;
    struct pct *mine = calloc(1, sizeof *mine);
    if (mine == NULL)
        return NULL;
    mine->oracle.choose = choose_highest;
    mine->oracle.begin = begin;
    mine->oracle.step = take_step;
    mine->seed = seed;
    mine->changes = depth - 1;
    mine->length = length;
    return &mine->oracle;
}
