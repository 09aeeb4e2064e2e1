/* Who goes on: scheduling points, waits, and the run as a whole (actor.h).
 *
 * Actors switch to each other directly; scheduler_run's own stack is entered only when no actor can go on. The hot path
 * of a point with one runnable actor is a count and a comparison; with more it is a question to the oracle and a change
 * of stacks.
 */
#include "scheduler.h"

#include "address.h"
#include "gate.h"
#include "host.h"
#include "switch.h"

#if defined(WITH_ASAN)
#include <sanitizer/asan_interface.h>
#endif

uint64_t scheduler_runs;

static inline struct scheduler *the_scheduler(void)
{
    return &current_host->scheduler;
}

void *scheduler_stack_bottom(const struct actor *actor)
{
    return the_scheduler()->stacks + (size_t)actor->index * ACTOR_STACK_STRIDE + ACTOR_GUARD_SIZE;
}

void *scheduler_stack_top(const struct actor *actor)
{
    return (uint8_t *)scheduler_stack_bottom(actor) + ACTOR_STACK_SIZE;
}

void scheduler_clean_stack(const struct actor *actor)
{
    address_forget(scheduler_stack_bottom(actor), ACTOR_STACK_SIZE);
#if defined(WITH_ASAN)
    ASAN_UNPOISON_MEMORY_REGION(scheduler_stack_bottom(actor), ACTOR_STACK_SIZE);
#else
    (void)actor;
#endif
}

void scheduler_initialize(struct scheduler *scheduler, struct actor *actors, uint8_t *stacks)
{
    scheduler->actors = actors;
    scheduler->stacks = stacks;
    scheduler->steps_limit = UINT64_MAX;
}

/* The sanitizer must hear of every change of stacks; `fiber` NULL: the old stack is left for good. */
static inline void announce_switch(void **fiber, const void *bottom, size_t size)
{
#if defined(WITH_ASAN)
    __sanitizer_start_switch_fiber(fiber, bottom, size);
#else
    (void)fiber;
    (void)bottom;
    (void)size;
#endif
}

static inline void announce_arrival(void *fiber)
{
#if defined(WITH_ASAN)
    struct scheduler *scheduler = the_scheduler();
    const void *bottom = NULL;
    size_t size = 0;
    __sanitizer_finish_switch_fiber(fiber, &bottom, &size);
    if (scheduler->from_main)
    {
        scheduler->main_stack_bottom = bottom;
        scheduler->main_stack_size = size;
        scheduler->from_main = false;
    }
#else
    (void)fiber;
#endif
}

/* The answer to actor_place; then the actor waits on. */
static __attribute__((noinline)) void say_place(struct actor *actor)
{
    struct scheduler *scheduler = the_scheduler();
    scheduler->place = image_calling_place();
    scheduler->current = NULL;
    announce_switch(&actor->fiber, scheduler->main_stack_bottom, scheduler->main_stack_size);
    stack_switch(&actor->stack_pointer, scheduler->main_stack_pointer);
    announce_arrival(actor->fiber);
}

/* Leaves `from`'s stack (for good when `ends`) for `next`, or for scheduler_run when `next` is NULL. */
static void leave_actor(struct actor *from, struct actor *next, bool ends)
{
    struct scheduler *scheduler = the_scheduler();
    scheduler->current = next;
    if (next != NULL)
    {
        announce_switch(ends ? NULL : &from->fiber, scheduler_stack_bottom(next), ACTOR_STACK_SIZE);
        stack_switch(&from->stack_pointer, next->stack_pointer);
    }
    else
    {
        announce_switch(ends ? NULL : &from->fiber, scheduler->main_stack_bottom, scheduler->main_stack_size);
        stack_switch(&from->stack_pointer, scheduler->main_stack_pointer);
    }
    announce_arrival(from->fiber);
    while (__builtin_expect(scheduler->asks, 0))
        say_place(from);
}

/* Of a few: the compiler's own way is a call where the processor need not have an instruction for it. */
static inline uint32_t count_bits(uint64_t bits)
{
    uint32_t count = 0;
    for (; bits != 0; bits &= bits - 1)
        count += 1;
    return count;
}

/* Asks the oracle which of several goes on. `first` is option 0 if it can. */
static inline struct actor *ask_for_next(struct scheduler *scheduler, struct oracle *oracle, const struct actor *first)
{
    uint64_t runnable = scheduler->runnable;
    uint32_t chosen = oracle_choose(oracle, CHOICE_ACTOR, count_bits(runnable));
    if (first != NULL && (runnable >> first->index & 1) != 0)
    {
        if (chosen == 0)
            return &scheduler->actors[first->index];
        oracle->preemptions += 1;
        chosen -= 1;
        runnable &= ~(UINT64_C(1) << first->index);
    }
    while (chosen-- != 0)
        runnable &= runnable - 1;
    return &scheduler->actors[__builtin_ctzll(runnable)];
}

/* The limit of steps is reached, or the run is watched. */
static __attribute__((noinline)) void at_limit(const struct scheduler *scheduler, const struct actor *actor)
{
    const struct watch *watch = current_host->watch;
    if (current_host->oracle->pruned)
        scheduler_abandon(RUN_PRUNED);
    if (scheduler->steps >= watch->steps_limit)
        scheduler_abandon(RUN_BUDGET);
    watch_point(actor, false);
}

/* Who goes on; NULL when nobody can. */
static inline struct actor *choose_next(struct scheduler *scheduler, const struct actor *first)
{
    if (__builtin_expect(scheduler->gated != 0, 0))
        gate_update();
    const uint64_t runnable = scheduler->runnable;
    if (runnable == 0)
        return NULL;
    struct oracle *oracle = current_host->oracle;
    struct actor *next = (runnable & (runnable - 1)) == 0 ? &scheduler->actors[__builtin_ctzll(runnable)]
                                                          : ask_for_next(scheduler, oracle, first);
    if (__builtin_expect(oracle->step != NULL, 0))
        oracle->step(oracle, next);
    return next;
}

static inline void pass_point(struct scheduler *scheduler, struct actor *actor)
{
    actor->points += 1;
    if (__builtin_expect(++scheduler->steps >= scheduler->steps_limit, 0))
        at_limit(scheduler, actor);
    struct actor *next = choose_next(scheduler, actor);
    if (next != actor)
        leave_actor(actor, next, false);
}

void schedule_point(enum point_kind kind, const volatile void *object)
{
    struct scheduler *scheduler = the_scheduler();
    struct actor *actor = scheduler->current;
    if (actor == NULL)
        return;
    actor->point = (uint8_t)kind;
    actor->object = object;
    pass_point(scheduler, actor);
}

static bool wait_at(enum point_kind kind, const char *purpose, const volatile void *object, bool available,
                    uint64_t deadline)
{
    struct scheduler *scheduler = the_scheduler();
    struct actor *actor = scheduler->current;
    if (actor == NULL)
        return available;
    uint64_t bit = UINT64_C(1) << actor->index;
    actor->point = (uint8_t)kind;
    actor->object = object;
    actor->purpose = purpose;
    actor->deadline = deadline;
    actor->timed_out = 0;
    scheduler->waiting |= bit;
    if (!available && deadline <= current_host->clock.now)
        actor->timed_out = 1;
    else if (!available)
        scheduler->runnable &= ~bit;
    pass_point(scheduler, actor);
    scheduler->waiting &= ~bit;
    actor->deadline = ACTOR_NO_DEADLINE;
    actor->purpose = NULL;
    return !actor->timed_out;
}

bool actor_wait(enum point_kind kind, const volatile void *object, bool available, uint64_t deadline)
{
    return wait_at(kind, NULL, object, available, deadline);
}

bool actor_wait_for(const char *purpose, const volatile void *object, bool available, uint64_t deadline)
{
    return wait_at(POINT_WAIT, purpose, object, available, deadline);
}

void scheduler_actor_main(void)
{
    announce_arrival(NULL);
    struct scheduler *scheduler = the_scheduler();
    struct actor *actor = scheduler->current;
    actor->entry(actor->argument);
    if (current_host->watch->on)
        watch_point(actor, true);
    uint64_t bit = UINT64_C(1) << actor->index;
    scheduler->alive &= ~bit;
    scheduler->runnable &= ~bit;
    leave_actor(actor, choose_next(scheduler, NULL), true);
    __builtin_unreachable();
}

void scheduler_abandon(enum run_result result)
{
    struct scheduler *scheduler = the_scheduler();
    struct actor *actor = scheduler->current;
    if (actor == NULL)
        __builtin_trap();
    scheduler->result = (uint8_t)result;
    leave_actor(actor, NULL, result == RUN_CRASHED);
    __builtin_unreachable();
}

uintptr_t actor_place(struct actor *actor)
{
    struct scheduler *scheduler = the_scheduler();
    if (actor->points == 0)
        return 0; /* it has not begun */
    scheduler->asks = true;
    scheduler->current = actor;
    scheduler->from_main = true;
    announce_switch(&scheduler->main_fiber, scheduler_stack_bottom(actor), ACTOR_STACK_SIZE);
    stack_switch(&scheduler->main_stack_pointer, actor->stack_pointer);
    announce_arrival(scheduler->main_fiber);
    scheduler->asks = false;
    return scheduler->place;
}

enum run_result scheduler_run(uint64_t budget)
{
    struct scheduler *scheduler = the_scheduler();
    scheduler_runs += 1;
    scheduler->steps_limit =
        budget == 0 || budget > UINT64_MAX - scheduler->steps ? UINT64_MAX : scheduler->steps + budget;
    current_host->watch->steps_limit = scheduler->steps_limit;
    if (current_host->watch->on)
        scheduler->steps_limit = 0;
    scheduler->result = RUN_QUIESCENT;
    uint64_t limit = current_host->clock.run_limit == 0 ? CLOCK_RUN_LIMIT : current_host->clock.run_limit;
    limit = limit > UINT64_MAX - current_host->clock.now ? UINT64_MAX : current_host->clock.now + limit;
    while (scheduler->alive != 0)
    {
        struct actor *next = choose_next(scheduler, NULL);
        if (next == NULL && (clock_jump(limit) || gate_refuse_first()))
            continue;
        if (next == NULL)
            return RUN_BLOCKED;
        scheduler->current = next;
        scheduler->from_main = true;
        announce_switch(&scheduler->main_fiber, scheduler_stack_bottom(next), ACTOR_STACK_SIZE);
        stack_switch(&scheduler->main_stack_pointer, next->stack_pointer);
        announce_arrival(scheduler->main_fiber);
        if (scheduler->result != RUN_QUIESCENT)
        {
            if (scheduler->result == RUN_CRASHED)
                crash_report();
            return (enum run_result)scheduler->result;
        }
    }
    return RUN_QUIESCENT;
}
