/* Actors as objects: starting, ending, what they wait for, what they are called in messages (actor.h). */
#include "actor.h"

#include <stdio.h>
#include <string.h>

#include "happens.h"
#include "host.h"
#include "scheduler.h"
#include "switch.h"

static const char *const point_names[POINT_KINDS] = {
    [POINT_START] = "start",       [POINT_CALL] = "call",
    [POINT_ACQUIRE] = "acquire",   [POINT_RELEASE] = "release",
    [POINT_WAIT] = "wait",         [POINT_SIGNAL] = "signal",
    [POINT_SLEEP] = "sleep",       [POINT_INTERLOCKED] = "interlocked",
    [POINT_VOLATILE] = "volatile", [POINT_CLIENT_READ] = "client read",
};

static const char *const family_names[LOCK_FAMILIES] = {
    [LOCK_KE_SPIN] = "spin lock",
    [LOCK_KE_QUEUED] = "queued spin lock",
    [LOCK_NDIS_SPIN] = "NDIS spin lock",
    [LOCK_CANCEL] = "cancel spin lock",
    [LOCK_EX_EXCLUSIVE] = "exclusive EX_SPIN_LOCK",
    [LOCK_EX_SHARED] = "shared EX_SPIN_LOCK",
    [LOCK_FAST_MUTEX] = "fast mutex",
};

const char *point_kind_name(enum point_kind kind)
{
    return kind < POINT_KINDS ? point_names[kind] : "?";
}

const char *lock_family_name(enum lock_family family)
{
    return family < LOCK_FAMILIES ? family_names[family] : "?";
}

static uint64_t bit_of(const struct actor *actor)
{
    return UINT64_C(1) << actor->index;
}

struct actor *actor_start(actor_entry *entry, void *argument, uint32_t operation)
{
    struct scheduler *scheduler = &current_host->scheduler;
    if (scheduler->alive == UINT64_MAX)
    {
        rule_broken("ActorLimit", "more than %d things happen at once, which this host kernel cannot carry out",
                    ACTOR_LIMIT);
        return NULL;
    }
    unsigned index = (unsigned)__builtin_ctzll(~scheduler->alive);
    struct actor *actor = &scheduler->actors[index];
    memset(actor, 0, sizeof *actor);
    actor->index = (uint8_t)index;
    actor->number = ++scheduler->started;
    actor->point = POINT_START;
    actor->operation = operation;
    actor->deadline = ACTOR_NO_DEADLINE;
    actor->entry = entry;
    actor->argument = argument;
    scheduler_clean_stack(actor);
    actor->stack_pointer =
        stack_prepare(scheduler_stack_bottom(actor), scheduler_stack_top(actor), scheduler_actor_main);
    if (index >= scheduler->used)
        scheduler->used = (uint8_t)(index + 1);
    scheduler->alive |= bit_of(actor);
    scheduler->runnable |= bit_of(actor);
    happens_begins(actor);
    if (current_host->oracle->begins != NULL)
        current_host->oracle->begins(current_host->oracle, actor);
    return actor;
}

void actor_taken(const volatile void *object)
{
    struct scheduler *scheduler = &current_host->scheduler;
    for (uint64_t left = scheduler->waiting; left != 0; left &= left - 1)
    {
        struct actor *actor = &scheduler->actors[__builtin_ctzll(left)];
        if (actor->object != object || actor == scheduler->current)
            continue;
        if (actor->deadline <= current_host->clock.now)
            actor->timed_out = 1;
        else
            scheduler->runnable &= ~bit_of(actor);
    }
}

void actor_wake(const volatile void *object)
{
    struct scheduler *scheduler = &current_host->scheduler;
    for (uint64_t left = scheduler->waiting; left != 0; left &= left - 1)
    {
        struct actor *actor = &scheduler->actors[__builtin_ctzll(left)];
        if (actor->object != object)
            continue;
        actor->timed_out = 0;
        scheduler->runnable |= bit_of(actor);
    }
}

uint64_t actor_first_deadline(void)
{
    const struct scheduler *scheduler = &current_host->scheduler;
    uint64_t first = ACTOR_NO_DEADLINE;
    for (uint64_t left = scheduler->alive & ~scheduler->runnable; left != 0; left &= left - 1)
    {
        const struct actor *actor = &scheduler->actors[__builtin_ctzll(left)];
        if (actor->deadline < first)
            first = actor->deadline;
    }
    return first;
}

bool actor_expire_deadlines(void)
{
    struct scheduler *scheduler = &current_host->scheduler;
    bool expired = false;
    for (uint64_t left = scheduler->alive & ~scheduler->runnable; left != 0; left &= left - 1)
    {
        struct actor *actor = &scheduler->actors[__builtin_ctzll(left)];
        if (actor->deadline > current_host->clock.now)
            continue;
        actor->timed_out = 1;
        scheduler->runnable |= bit_of(actor);
        expired = true;
    }
    return expired;
}

struct actor *actor_next(uint32_t from)
{
    const struct scheduler *scheduler = &current_host->scheduler;
    if (from >= ACTOR_LIMIT)
        return NULL;
    uint64_t left = scheduler->alive & (UINT64_MAX << from);
    return left == 0 ? NULL : &scheduler->actors[__builtin_ctzll(left)];
}

static const struct held_lock *held_by(const struct actor *actor, const volatile void *address)
{
    for (unsigned i = 0; i < actor->held_count; i++)
        if (actor->held[i].address == address)
            return &actor->held[i];
    return NULL;
}

const char *actor_describe(const struct actor *actor, char *text, size_t size)
{
    const char *handler = actor->handler == NULL ? "the host kernel" : actor->handler;
    const struct actor *holder = actor->point == POINT_ACQUIRE ? lock_holder(actor->object) : NULL;
    if (current_host->scheduler.runnable & bit_of(actor))
        snprintf(text, size, "%s can go on (next: %s)", handler, point_kind_name((enum point_kind)actor->point));
    else if (holder == actor)
        snprintf(text, size, "%s waits for a %s that it holds itself", handler,
                 lock_family_name((enum lock_family)held_by(actor, actor->object)->family));
    else if (holder != NULL)
        snprintf(text, size, "%s waits for a %s that %s holds", handler,
                 lock_family_name((enum lock_family)held_by(holder, actor->object)->family),
                 holder->handler == NULL ? "the host kernel" : holder->handler);
    else if (actor->purpose != NULL)
        snprintf(text, size, "%s waits for %s", handler, actor->purpose);
    else
        snprintf(text, size, "%s waits (%s)", handler, point_kind_name((enum point_kind)actor->point));
    return text;
}
