/* Virtual time and its timers (clock.h). */
#include "clock.h"

#include "depend.h"
#include "host.h"

static struct virtual_clock *the_clock(void)
{
    return &current_host->clock;
}

uint64_t clock_now(void)
{
    return the_clock()->now;
}

uint64_t clock_moment(int64_t due_time)
{
    uint64_t now = clock_now();
    depend(&the_clock()->now, DEPEND_READ);
    if (due_time <= 0)
    {
        uint64_t after = UINT64_C(0) - (uint64_t)due_time;
        return after >= UINT64_MAX - now ? UINT64_MAX - 1 : now + after;
    }
    return (uint64_t)due_time > CLOCK_SYSTEM_TIME_AT_START ? (uint64_t)due_time - CLOCK_SYSTEM_TIME_AT_START : 0;
}

static void insert(struct clock_timer *timer)
{
    struct clock_timer **place = &the_clock()->first;
    while (*place != NULL && (*place)->due <= timer->due)
        place = &(*place)->next;
    timer->next = *place;
    *place = timer;
    timer->armed = true;
}

void clock_arm(struct clock_timer *timer, uint64_t due, uint64_t period)
{
    depend(&the_clock()->first, DEPEND_WRITE); /* of those that are due together the first armed comes first */
    clock_disarm(timer);
    timer->due = due;
    timer->period = period;
    insert(timer);
}

bool clock_disarm(struct clock_timer *timer)
{
    if (!timer->armed)
        return false;
    struct clock_timer **place = &the_clock()->first;
    while (*place != timer)
        place = &(*place)->next;
    *place = timer->next;
    timer->next = NULL;
    timer->armed = false;
    return true;
}

/* Fires the timers that are due, in order. */
static bool expire_timers(void)
{
    struct virtual_clock *clock = the_clock();
    bool expired = false;
    while (clock->first != NULL && clock->first->due <= clock->now)
    {
        struct clock_timer *timer = clock->first;
        clock->first = timer->next;
        timer->next = NULL;
        timer->armed = false;
        if (timer->period != 0)
        {
            timer->due += timer->period;
            insert(timer);
        }
        timer->expired(timer, timer->argument);
        expired = true;
    }
    return expired;
}

bool clock_jump(uint64_t limit)
{
    struct virtual_clock *clock = the_clock();
    uint64_t moment = actor_first_deadline();
    if (clock->first != NULL && clock->first->due < moment)
        moment = clock->first->due;
    if (moment > limit || moment == ACTOR_NO_DEADLINE)
        return false;
    if (moment > clock->now)
        clock->now = moment;
    bool timers = expire_timers();
    return actor_expire_deadlines() || timers;
}

bool clock_advance_towards(uint64_t moment)
{
    struct virtual_clock *clock = the_clock();
    if (clock_jump(moment))
        return true;
    if (moment > clock->now)
        clock->now = moment;
    return false;
}
