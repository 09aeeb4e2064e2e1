/* How long a scheduling point takes with two runnable actors and random choices, against swapcontext in the same run;
 * and how long a run of 50 points takes, the restore of the world included. Prints nanoseconds; a person judges (goal:
 * a point <= 0.25 swapcontext).
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <ucontext.h>

#include "host.h"

enum
{
    ROUNDS = 15,
    POINTS = 1000000,
    RUNS = 20000
};

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static int compare(const void *left, const void *right)
{
    double difference = *(const double *)left - *(const double *)right;
    return (difference > 0) - (difference < 0);
}

static double median(double (*measure)(void))
{
    double values[ROUNDS];
    for (int i = 0; i < ROUNDS; i++)
        values[i] = measure();
    qsort(values, ROUNDS, sizeof values[0], compare);
    return values[ROUNDS / 2];
}

static void pass_points(void *argument)
{
    for (unsigned i = *(const unsigned *)argument; i != 0; i--)
        schedule_point(POINT_CALL, NULL);
}

static double measure_points(void)
{
    static const unsigned each = POINTS / 2;
    oracle_clear(current_host->oracle);
    actor_start(pass_points, (void *)(uintptr_t)&each, 1);
    actor_start(pass_points, (void *)(uintptr_t)&each, 2);
    double start = now();
    scheduler_run(0);
    return (now() - start) / POINTS;
}

static ucontext_t here, there;

static void bounce(void)
{
    for (;;)
        swapcontext(&there, &here);
}

static double measure_swapcontext(void)
{
    static char stack[65536];
    getcontext(&there);
    there.uc_stack.ss_sp = stack;
    there.uc_stack.ss_size = sizeof stack;
    makecontext(&there, bounce, 0);
    double start = now();
    for (unsigned i = 0; i < POINTS / 2; i++)
        swapcontext(&here, &there);
    return (now() - start) / POINTS;
}

static struct snapshot *snapshot;

static double measure_runs(void)
{
    static const unsigned each = 25;
    double start = now();
    for (unsigned i = 0; i < RUNS; i++)
    {
        oracle_clear(current_host->oracle);
        actor_start(pass_points, (void *)(uintptr_t)&each, 1);
        actor_start(pass_points, (void *)(uintptr_t)&each, 2);
        scheduler_run(0);
        snapshot_restore(snapshot);
    }
    return (now() - start) / RUNS;
}

int main(void)
{
    char error[256];
    struct host *host = host_open(0, error, sizeof error);
    if (host == NULL)
    {
        fprintf(stderr, "%s\n", error);
        return 1;
    }
    host_enter(host);
    oracle_delete(host->oracle);
    host->oracle = oracle_random_new(1);
    for (int i = 0; i < 40; i++)
        arena_allocate(BLOCK_POOL, 300, 1, "bench");
    snapshot = snapshot_take();
    double point = median(measure_points);
    snapshot_restore(snapshot);
    double swap = median(measure_swapcontext);
    double run = median(measure_runs);
    printf(
        "a scheduling point of 2 runnable actors, random: %.1f ns; swapcontext: %.1f ns; ratio %.3f (goal <= 0.25)\n",
        point, swap, point / swap);
    printf("a run of 50 points with a restore of %zu bytes: %.0f ns\n", snapshot_size(snapshot), run);
    snapshot_delete(snapshot);
    host_leave();
    host_close(host);
    return 0;
}
