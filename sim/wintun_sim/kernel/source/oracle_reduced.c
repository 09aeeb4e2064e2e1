/* Dynamic partial-order reduction: of all schedules that differ only in the order of independent steps, one is run.
 *
 * Each run is looked through for *races*: pairs of steps of different actors that depend on each other and that nothing
 * else puts in order. For each the other order must be run too, so some actor that could lead there is added to what is
 * still to be done at the place of the first step (source sets: Abdulla, Aronis, Jonsson and Sagonas, "Optimal Dynamic
 * Partial Order Reduction", POPL 2014; first by Flanagan and Godefroid, POPL 2005). An actor whose next step was run
 * from a place already sleeps in the places that follow until a dependent step wakes it (sleep sets: Godefroid,
 * "Partial- Order Methods for the Verification of Concurrent Systems", 1996); where all sleep, the run is given up.
 *
 * A step reaches from one scheduling point of an actor to its next; what it used is known when it was made (depend.h).
 * Whether the second step of a race could have been made first, when it begins by waiting for something, is decided by
 * what the last use of that thing, without the steps that follow from the first, left it as. Where that is not known it
 * is taken for possible. There is no bound on preemptions: with one, this would lose states (Coons, Musuvathi and
 * McKinley, "Bounded Partial-Order Reduction", OOPSLA 2013).
 */
#include <stdlib.h>
#include <string.h>

#include "happens.h"
#include "reduced.h"
#include "scheduler.h"

/* A choice of the run that is under way: who makes the next step, or which way something goes within a step. */
struct node
{
    bool is_step;
    bool fixed;       /* by somebody else's script: whoever wrote it has all other choices run elsewhere */
    uint8_t actor;    /* index of the one chosen */
    uint32_t options; /* not a step: how many, and which was taken */
    uint32_t chosen;
    uint64_t enabled; /* who could go on, by index */
    uint64_t wanted;  /* who is to go on here in some run */
    uint64_t done;    /* who did, or sleeps */
    size_t sleepers;  /* where they begin */
    size_t sleeper_count;
    size_t step;        /* the node of the step that a choice is made in */
    struct uses merged; /* a step: what it used in runs that went another way within it */
};

/* An actor that need not go on, with what its next step uses. */
struct sleeper
{
    uint8_t actor;
    struct uses uses;
};

struct reduced
{
    struct oracle oracle; /* first: an oracle is cast to this */
    struct node *nodes;
    size_t node_count;
    size_t node_capacity;
    size_t depth;   /* of the run under way: nodes passed */
    size_t current; /* the node of the step under way */
    struct sleeper *sleepers;
    size_t sleeper_count;
    size_t sleeper_capacity;
    struct trace trace;
    bool arrived; /* at the next step: `choose` did what `step` would */
    bool started; /* a step is under way */
};

static struct reduced *reduced_of(struct oracle *oracle)
{
    return (struct reduced *)oracle;
}

static uint64_t bit(unsigned index)
{
    return UINT64_C(1) << index;
}

static uint64_t asleep(const struct reduced *reduced, const struct node *node)
{
    uint64_t mask = 0;
    for (size_t i = 0; i < node->sleeper_count; i++)
        mask |= bit(reduced->sleepers[node->sleepers + i].actor);
    return mask;
}

static void add_sleeper(struct reduced *reduced, struct node *node, unsigned actor, const struct uses *first,
                        const struct uses *second)
{
    if (reduced->sleeper_count == reduced->sleeper_capacity)
    {
        const size_t old = reduced->sleeper_capacity;
        oracle_grow(&reduced->sleepers, &reduced->sleeper_capacity, reduced->sleeper_count + 1,
                    sizeof *reduced->sleepers);
        memset(reduced->sleepers + old, 0, (reduced->sleeper_capacity - old) * sizeof *reduced->sleepers);
    }
    struct sleeper *sleeper = &reduced->sleepers[reduced->sleeper_count++];
    sleeper->actor = (uint8_t)actor;
    sleeper->uses.count = 0;
    uses_add_all(&sleeper->uses, first);
    if (second != NULL)
        uses_add_all(&sleeper->uses, second);
    node->sleeper_count += 1;
}

static struct node *add_node(struct reduced *reduced)
{
    if (reduced->node_count == reduced->node_capacity)
    {
        const size_t old = reduced->node_capacity;
        oracle_grow(&reduced->nodes, &reduced->node_capacity, reduced->node_count + 1, sizeof *reduced->nodes);
        memset(reduced->nodes + old, 0, (reduced->node_capacity - old) * sizeof *reduced->nodes);
    }
    struct node *node = &reduced->nodes[reduced->node_count++];
    struct uses merged = node->merged; /* its room is kept */
    merged.count = 0;
    *node = (struct node){.merged = merged, .sleepers = reduced->sleeper_count, .step = reduced->current};
    return node;
}

/* Who sleeps after the step that was just made: who slept before, or has been run from there, and does not depend on
 * it. */
static void pass_on_sleep(struct reduced *reduced, struct node *node, const struct node *before)
{
    const struct uses *made = trace_newest(&reduced->trace);
    for (size_t i = 0; i < before->sleeper_count; i++)
    {
        const size_t place = before->sleepers + i;
        if (!uses_conflict(&reduced->sleepers[place].uses, made))
        {
            const struct uses kept = reduced->sleepers[place].uses; /* the array may move, what it points to does not */
            add_sleeper(reduced, node, reduced->sleepers[place].actor, &kept, NULL);
        }
    }
}

/* The other order of a race is to be run: one of `actors`, of whom each could lead there, from the place of the step.
 */
static void want(void *context, size_t place, uint64_t actors, bool surely)
{
    struct reduced *reduced = context;
    struct node *node = &reduced->nodes[place];
    if (node->fixed || (actors & (node->wanted | node->done)) != 0)
        return;
    const uint64_t possible = actors & node->enabled;
    if (possible != 0)
        node->wanted |= possible & (~possible + 1);
    else if (surely) /* it must be possible: try all rather than none */
        node->wanted |= node->enabled;
}

/* The run is given up at its next point: whatever comes of it was seen, or will be. */
static void give_up(struct reduced *reduced)
{
    struct scheduler *scheduler = &current_host->scheduler;
    reduced->oracle.pruned = true;
    scheduler->steps_limit = 0;
}

static unsigned lowest(uint64_t mask)
{
    return (unsigned)__builtin_ctzll(mask);
}

/* Some of those who wait might have gone on before: what they would have done then races with what others did. */
static void look_at_waiting(struct reduced *reduced, uint64_t actors)
{
    const struct scheduler *scheduler = &current_host->scheduler;
    for (uint64_t left = actors & scheduler->alive & (scheduler->waiting | scheduler->gated); left != 0;
         left &= left - 1)
        trace_blocked(&reduced->trace, &scheduler->actors[lowest(left)], want, reduced);
}

/* Comes to the next step of the run and decides who makes it. */
static unsigned arrive(struct reduced *reduced, bool fixed)
{
    const struct scheduler *scheduler = &current_host->scheduler;
    const uint64_t enabled = scheduler->runnable;
    const struct actor *running = scheduler->current;
    const unsigned usual = running != NULL && (enabled >> running->index & 1) != 0 ? running->index : lowest(enabled);
    reduced->arrived = true;
    if (reduced->oracle.pruned)
        return usual;
    if (reduced->started)
        trace_end(&reduced->trace, want, reduced);
    else
        for (uint64_t left = scheduler->alive; left != 0; left &= left - 1)
            trace_actor(&reduced->trace, &scheduler->actors[lowest(left)]);
    if (running == NULL) /* nobody could go on; then time passed, or the gate refused somebody */
    {
        if (reduced->started)
            look_at_waiting(reduced, UINT64_MAX);
        trace_barrier(&reduced->trace);
    }
    if (reduced->depth < reduced->node_count)
    {
        reduced->current = reduced->depth++;
        return reduced->nodes[reduced->current].actor;
    }
    const size_t before = reduced->current;
    struct node *node = add_node(reduced);
    node->is_step = true;
    node->fixed = fixed;
    node->enabled = enabled;
    if (reduced->started)
        pass_on_sleep(reduced, node, &reduced->nodes[before]);
    const uint64_t sleeping = asleep(reduced, node);
    const uint64_t awake = enabled & ~sleeping;
    if (awake == 0)
    {
        reduced->node_count -= 1;
        look_at_waiting(reduced, ~enabled);
        give_up(reduced);
        return usual;
    }
    node->actor = (uint8_t)((awake >> usual & 1) != 0 ? usual : lowest(awake));
    node->wanted = bit(node->actor);
    node->done = sleeping;
    reduced->current = reduced->depth++;
    return node->actor;
}

/* The number of the option that stands for an actor. */
static uint32_t option_of(unsigned actor)
{
    const struct scheduler *scheduler = &current_host->scheduler;
    const struct actor *running = scheduler->current;
    const uint64_t runnable = scheduler->runnable;
    uint64_t before = runnable & (bit(actor) - 1);
    if (running == NULL || (runnable >> running->index & 1) == 0)
        return (uint32_t)__builtin_popcountll(before);
    if (running->index == actor)
        return 0;
    before &= ~bit(running->index);
    return 1 + (uint32_t)__builtin_popcountll(before);
}

static uint32_t choose_otherwise(struct reduced *reduced, bool fixed, uint32_t options)
{
    if (reduced->oracle.pruned || fixed || !reduced->started)
        return 0;
    if (reduced->depth < reduced->node_count)
        return reduced->nodes[reduced->depth++].chosen;
    struct node *node = add_node(reduced);
    node->options = options;
    reduced->depth += 1;
    return 0;
}

static uint32_t choose_reduced(struct oracle *oracle, enum choice_kind kind, uint32_t options)
{
    struct reduced *reduced = reduced_of(oracle);
    const bool fixed = oracle->count < oracle->script_length;
    if (kind != CHOICE_ACTOR)
        return choose_otherwise(reduced, fixed, options);
    return option_of(arrive(reduced, fixed));
}

static void step_reduced(struct oracle *oracle, const struct actor *actor)
{
    struct reduced *reduced = reduced_of(oracle);
    if (!reduced->arrived)
        arrive(reduced, false);
    reduced->arrived = false;
    if (oracle->pruned)
        return;
    struct node *node = &reduced->nodes[reduced->current];
    if (node->fixed)
    {
        node->actor = actor->index;
        node->wanted = bit(actor->index);
    }
    if (node->actor != actor->index)
    {
        oracle->diverged = true; /* the run is not what it was */
        oracle->diverged_at = oracle->count;
    }
    reduced->started = true;
    trace_begin(&reduced->trace, reduced->current, actor);
}

static void use_reduced(struct oracle *oracle, uintptr_t object, unsigned how)
{
    struct reduced *reduced = reduced_of(oracle);
    if (reduced->started && !oracle->pruned)
        trace_use(&reduced->trace, object, how);
}

static void actor_reduced(struct oracle *oracle, const struct actor *actor)
{
    struct reduced *reduced = reduced_of(oracle);
    if (reduced->started) /* who was there before the first step is told of then */
        trace_actor(&reduced->trace, actor);
}

/* Who is left waits for ever: what its next step would have done to what it waits for races with others as well. Where
 * the driver crashed nobody knows what the others were about to do, so every order is to be tried. */
static void rests_reduced(struct oracle *oracle, int result)
{
    struct reduced *reduced = reduced_of(oracle);
    if (oracle->pruned || !reduced->started)
        return;
    trace_end(&reduced->trace, want, reduced);
    if (result == RUN_CRASHED || result == RUN_BUDGET)
        for (size_t place = 0; place < reduced->node_count; place++)
            if (reduced->nodes[place].is_step && !reduced->nodes[place].fixed)
                reduced->nodes[place].wanted |= reduced->nodes[place].enabled;
    if (result == RUN_BLOCKED)
        look_at_waiting(reduced, UINT64_MAX);
}

/* The next run takes another way at this node: false when there is none left. */
static bool turn(struct reduced *reduced, size_t place)
{
    struct node *node = &reduced->nodes[place];
    if (!node->is_step)
    {
        struct node *step = &reduced->nodes[node->step];
        const struct uses *made = trace_at(&reduced->trace, node->step);
        if (made != NULL)
            uses_add_all(&step->merged, made);
        node->chosen += 1;
        return node->chosen < node->options;
    }
    node->done |= bit(node->actor);
    const uint64_t left = node->wanted & ~node->done;
    if (node->fixed || left == 0)
        return false;
    add_sleeper(reduced, node, node->actor, trace_at(&reduced->trace, place), &node->merged);
    node->merged.count = 0;
    node->actor = (uint8_t)lowest(left);
    return true;
}

static bool again_reduced(struct oracle *oracle)
{
    struct reduced *reduced = reduced_of(oracle);
    bool found = false;
    while (!found && reduced->node_count != 0)
    {
        const struct node *last = &reduced->nodes[reduced->node_count - 1];
        reduced->sleeper_count = last->sleepers + last->sleeper_count;
        found = turn(reduced, reduced->node_count - 1);
        if (!found)
        {
            reduced->sleeper_count = last->sleepers;
            reduced->node_count -= 1;
        }
    }
    trace_clear(&reduced->trace);
    reduced->depth = 0;
    reduced->current = 0;
    reduced->started = false;
    reduced->arrived = false;
    oracle->pruned = false;
    return found;
}

static void discard_reduced(struct oracle *oracle)
{
    struct reduced *reduced = reduced_of(oracle);
    for (size_t i = 0; i < reduced->node_capacity; i++)
        free(reduced->nodes[i].merged.of);
    for (size_t i = 0; i < reduced->sleeper_capacity; i++)
        free(reduced->sleepers[i].uses.of);
    free(reduced->nodes);
    free(reduced->sleepers);
    trace_delete(&reduced->trace);
}

struct oracle *oracle_reduced_new(void)
{
    struct reduced *reduced = calloc(1, sizeof *reduced);
    if (reduced == NULL)
        return NULL;
    reduced->oracle.choose = choose_reduced;
    reduced->oracle.again = again_reduced;
    reduced->oracle.step = step_reduced;
    reduced->oracle.use = use_reduced;
    reduced->oracle.begins = actor_reduced;
    reduced->oracle.rests = rests_reduced;
    reduced->oracle.discard = discard_reduced;
    return &reduced->oracle;
}

bool oracle_reduced_lost(const struct oracle *oracle)
{
    return ((const struct reduced *)oracle)->trace.lost;
}
