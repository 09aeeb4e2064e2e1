/* What a scheduling point costs, and what it is measured against (explore_api.h). */
#include <stdlib.h>
#include <ucontext.h>

#include "play.h"

static void pass_points(void *argument)
{
    for (uint64_t left = *(const uint64_t *)argument; left != 0; left--)
        schedule_point(POINT_CALL, NULL);
}

int host_bench_points(struct host *host, uint64_t points)
{
    const uint64_t each = points / 2;
    host_enter(host);
    struct oracle *before = host->oracle;
    struct oracle *random = host->api->unusable ? NULL : oracle_random_new(1);
    if (random != NULL)
    {
        host->oracle = random;
        actor_start(pass_points, (void *)(uintptr_t)&each, 0);
        actor_start(pass_points, (void *)(uintptr_t)&each, 0);
        scheduler_run(0);
        host->oracle = before;
        oracle_delete(random);
    }
    host_leave();
    return random != NULL;
}

static ucontext_t here;
static ucontext_t there;

static void bounce(void)
{
    for (;;)
        swapcontext(&there, &here);
}

int host_bench_switches(uint64_t switches)
{
    enum
    {
        STACK_SIZE = 64 << 10
    };
    void *stack = malloc(STACK_SIZE);
    if (stack == NULL || getcontext(&there) != 0)
    {
        free(stack);
        return 0;
    }
    there.uc_stack.ss_sp = stack;
    there.uc_stack.ss_size = STACK_SIZE;
    there.uc_link = NULL;
    makecontext(&there, bounce, 0);
    for (uint64_t pair = switches / 2; pair != 0; pair--)
        swapcontext(&here, &there);
    free(stack);
    return 1;
}
