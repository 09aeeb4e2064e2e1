/* What actor.c and scheduler.c share. */
#ifndef WINTUN_SIM_SCHEDULER_H
#define WINTUN_SIM_SCHEDULER_H

#include "host.h"

#if defined(__SANITIZE_ADDRESS__)
#define WITH_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_ASAN 1
#endif
#endif

/* Runs of this process, whatever is restored in between. */
extern uint64_t scheduler_runs;

/* The first function on an actor's stack. */
void scheduler_actor_main(void);

void *scheduler_stack_bottom(const struct actor *actor);
void *scheduler_stack_top(const struct actor *actor);

/* Forgets what the address sanitizer thinks of a stack that was left in the middle. */
void scheduler_clean_stack(const struct actor *actor);

/* For strategies: whether the actor that runs could go on now, so that any option but the first preempts it. */
static inline bool scheduler_running_can_go_on(void)
{
    const struct scheduler *scheduler = &current_host->scheduler;
    return scheduler->current != NULL && (scheduler->runnable >> scheduler->current->index & 1) != 0;
}

/* For strategies: which option the actor with this index, which can go on, is now. */
static inline uint32_t scheduler_option_of(unsigned index)
{
    const struct scheduler *scheduler = &current_host->scheduler;
    uint64_t before = scheduler->runnable & ((UINT64_C(1) << index) - 1);
    if (!scheduler_running_can_go_on())
        return (uint32_t)__builtin_popcountll(before);
    const unsigned running = scheduler->current->index;
    if (index == running)
        return 0;
    before &= ~(UINT64_C(1) << running);
    return 1 + (uint32_t)__builtin_popcountll(before);
}

/* From one actor's stack to the next, with the guard page below each. */
enum
{
    ACTOR_GUARD_SIZE = 64 << 10, /* a multiple of every page size */
    ACTOR_STACK_STRIDE = ACTOR_GUARD_SIZE + ACTOR_STACK_SIZE
};

#endif
