/* Virtual time, in units of 100 ns since the machine started. It stands still while anything can run. When all actors
 * that are left wait, it jumps to the next deadline or timer, whichever is first; timers that nobody waits for do not
 * move it (clock_advance does).
 */
#ifndef WINTUN_SIM_CLOCK_H
#define WINTUN_SIM_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#define CLOCK_MILLISECOND UINT64_C(10000)
#define CLOCK_SECOND      UINT64_C(10000000)

/* What KeQuerySystemTime says when the machine starts: 2024-01-01 00:00 UTC, in 100 ns since 1601. */
#define CLOCK_SYSTEM_TIME_AT_START UINT64_C(133485408000000000)

struct clock_timer
{
    struct clock_timer *next; /* of the armed ones, in order of due time, then of arming */
    uint64_t due;
    uint64_t period; /* 0: once */
    uint32_t operation;
    bool armed;
    void (*expired)(struct clock_timer *timer, void *argument); /* called outside of actors, to start one or wake one */
    void *argument;
};

struct virtual_clock
{
    uint64_t now;
    uint64_t run_limit; /* in one scheduler_run time moves on by this much at most; 0 means CLOCK_RUN_LIMIT */
    struct clock_timer *first;
};

/* Far beyond NDIS' watchdogs, so that whoever waits this long waits for ever. */
#define CLOCK_RUN_LIMIT (600 * CLOCK_SECOND)

uint64_t clock_now(void);

/* Arms `timer`, whose expired and argument are set, for the moment `due` (at once, if that has passed), and then every
 * `period`; armed already: moves it.
 */
void clock_arm(struct clock_timer *timer, uint64_t due, uint64_t period);

/* Returns whether it was armed. */
bool clock_disarm(struct clock_timer *timer);

/* For the scheduler: jumps to the next moment at which something happens, `limit` at the latest. Returns whether
 * something did. */
bool clock_jump(uint64_t limit);

/* Moves time on by `duration` as far as timers and deadlines on the way let it; the caller runs the scheduler in
 * between. */
bool clock_advance_towards(uint64_t moment);

/* A relative (negative) or absolute due time as Windows gives it (100 ns), as a moment of this clock. */
uint64_t clock_moment(int64_t due_time);

#endif
