/* The oracle that makes every choice, one run after the other: the first run takes the first options, and each run
 * after it takes the next option of the last choice that has one left.
 *
 * A preemption is the choice of another actor while the running one could go on. With a bound, runs with more of them
 * are left out; most errors need two at most (Musuvathi and Qadeer, "Iterative context bounding for systematic testing
 * of multithreaded programs", PLDI 2007).
 */
#include <stdlib.h>

#include "oracle.h"
#include "scheduler.h"

struct level
{
    uint32_t spent; /* preemptions before this choice */
    bool preempts;  /* any option of it but the first is one */
};

struct depth_first
{
    struct oracle oracle; /* first: an oracle is cast to this */
    uint32_t bound;
    bool cut;
    size_t levels;
    size_t floor; /* choices that somebody else's script makes: they stay */
    uint32_t *path;
    size_t path_length;
    size_t path_capacity;
    struct level *level; /* of each choice of the run */
    size_t level_capacity;
};

static uint32_t choose_next(struct oracle *oracle, enum choice_kind kind, uint32_t options)
{
    (void)options;
    struct depth_first *mine = (struct depth_first *)oracle;
    const size_t place = oracle->count;
    oracle_grow(&mine->level, &mine->level_capacity, place + 1, sizeof *mine->level);
    mine->level[place].preempts = kind == CHOICE_ACTOR && scheduler_running_can_go_on();
    mine->level[place].spent = (uint32_t)oracle->preemptions;
    return 0;
}

/* Makes the run's path up to a choice that has an option left, with that option, the script of the next run. */
static bool take_next_path(struct oracle *oracle)
{
    struct depth_first *mine = (struct depth_first *)oracle;
    if (oracle->script != mine->path)
        mine->floor = oracle->script_length;
    size_t place = oracle->count < mine->levels ? oracle->count : mine->levels;
    while (place > mine->floor)
    {
        place -= 1;
        const uint32_t choice = oracle->record[place];
        if (CHOICE_CHOSEN(choice) + 1 == CHOICE_OPTIONS(choice))
            continue;
        if (mine->level[place].preempts && mine->level[place].spent >= mine->bound)
        {
            mine->cut = true;
            continue;
        }
        oracle_grow(&mine->path, &mine->path_capacity, place + 1, sizeof *mine->path);
        for (size_t i = 0; i < place; i++)
            mine->path[i] = oracle->record[i];
        mine->path[place] = choice + 1;
        oracle_begin_with(oracle, mine->path, place + 1);
        return true;
    }
    return false;
}

static void discard(struct oracle *oracle)
{
    struct depth_first *mine = (struct depth_first *)oracle;
    free(mine->path);
    free(mine->level);
}

struct oracle *oracle_depth_first_new(uint32_t bound, size_t levels)
{
    struct depth_first *mine = calloc(1, sizeof *mine);
    if (mine == NULL)
        return NULL;
    mine->oracle.choose = choose_next;
    mine->oracle.again = take_next_path;
    mine->oracle.discard = discard;
    mine->bound = bound;
    mine->levels = levels;
    return &mine->oracle;
}

bool oracle_depth_first_cut(const struct oracle *oracle)
{
    return ((const struct depth_first *)oracle)->cut;
}
