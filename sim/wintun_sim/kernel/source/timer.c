/* Kernel timers and the system's clocks, in virtual time (clock.h).
 *
 * A KTIMER has no room for what the clock keeps of an armed timer, so that lies in a record beside it.
 * Documentation: learn.microsoft.com/windows-hardware/drivers/kernel/timer-objects-and-dpcs.
 */
#include "timer.h"

#include "depend.h"
#include "happens.h"
#include "host.h"
#include "wait.h"

struct timer_record
{
    struct timer_record *next;
    struct clock_timer clock;
    PKTIMER timer;
    struct image *image;
    uint32_t operation;
};

enum
{
    TICK = 156250 /* 15.625 ms, the clock interrupt's usual period, in 100 ns */
};

uint32_t timer_count(const struct image *image)
{
    uint32_t count = 0;
    for (const struct timer_record *record = current_host->work.timers; record != NULL; record = record->next)
        count += image == NULL || record->image == image;
    return count;
}

static struct timer_record **place_of(const KTIMER *timer)
{
    struct timer_record **place = &current_host->work.timers;
    while (*place != NULL && (*place)->timer != timer)
        place = &(*place)->next;
    return place;
}

static bool forget(const KTIMER *timer, const char *caller)
{
    struct timer_record **place = place_of(timer);
    struct timer_record *record = *place;
    if (record == NULL)
        return false;
    clock_disarm(&record->clock);
    *place = record->next;
    arena_free(BLOCK_HOST, record, 0, caller);
    return true;
}

static void expire(struct clock_timer *clock, void *argument)
{
    struct timer_record *record = argument;
    PKTIMER timer = record->timer;
    struct image *image = record->image;
    uint32_t operation = record->operation;
    bool again = clock->armed;
    if (!again)
        forget(timer, "KeSetTimer");
    if (!dispatcher_check(&timer->Header, "a timer that expires"))
        return;
    dispatcher_signal(&timer->Header, 1);
    if (timer->Dpc != NULL)
        happens_hand(timer, timer->Dpc);
    if (timer->Dpc != NULL)
        dpc_queue(timer->Dpc, NULL, NULL, image, operation);
}

VOID NTAPI KeInitializeTimerEx(PKTIMER Timer, TIMER_TYPE Type)
{
    if (forget(Timer, "KeInitializeTimer"))
        rule_broken("DRIVER_VERIFIER_DETECTED_VIOLATION", "KeInitializeTimer was given a timer that is armed");
    memset(Timer, 0, sizeof *Timer);
    dispatcher_initialize(&Timer->Header,
                          Type == NotificationTimer ? DISPATCHER_TIMER_NOTIFICATION : DISPATCHER_TIMER_SYNCHRONIZATION,
                          sizeof *Timer, 0);
}

VOID NTAPI KeInitializeTimer(PKTIMER Timer)
{
    KeInitializeTimerEx(Timer, NotificationTimer);
}

BOOLEAN NTAPI KeSetTimerEx(PKTIMER Timer, LARGE_INTEGER DueTime, LONG Period, PKDPC Dpc)
{
    rule_irql("IrqlKeDispatchLte", "KeSetTimer", PASSIVE_LEVEL, DISPATCH_LEVEL);
    if (!dispatcher_check(&Timer->Header, "KeSetTimer"))
        return FALSE;
    bool was_armed = forget(Timer, "KeSetTimer");
    struct timer_record *record = arena_allocate(BLOCK_HOST, sizeof *record, 0, "KeSetTimer");
    if (record == NULL)
        crash_now("the host kernel has no memory left to follow timers");
    record->timer = Timer;
    record->image = work_image();
    record->operation = work_operation();
    record->clock.expired = expire;
    record->clock.argument = record;
    record->next = current_host->work.timers;
    current_host->work.timers = record;
    Timer->Header.SignalState = 0;
    Timer->Dpc = Dpc;
    Timer->Period = Period;
    happens_release(Timer);
    depend(Timer, DEPEND_WRITE | DEPEND_IS_TAKEN);
    actor_taken(Timer);
    clock_arm(&record->clock, clock_moment(DueTime.QuadPart), Period <= 0 ? 0 : (uint64_t)Period * CLOCK_MILLISECOND);
    schedule_point(POINT_CALL, Timer);
    return was_armed;
}

BOOLEAN NTAPI KeSetTimer(PKTIMER Timer, LARGE_INTEGER DueTime, PKDPC Dpc)
{
    return KeSetTimerEx(Timer, DueTime, 0, Dpc);
}

BOOLEAN NTAPI KeCancelTimer(PKTIMER Timer)
{
    rule_irql("IrqlKeDispatchLte", "KeCancelTimer", PASSIVE_LEVEL, DISPATCH_LEVEL);
    schedule_point(POINT_CALL, Timer);
    depend(Timer, DEPEND_WRITE);
    return forget(Timer, "KeCancelTimer");
}

VOID NTAPI KeQuerySystemTime(PLARGE_INTEGER CurrentTime)
{
    depend(&current_host->clock.now, DEPEND_READ);
    CurrentTime->QuadPart = (LONGLONG)(CLOCK_SYSTEM_TIME_AT_START + clock_now());
}

VOID NTAPI KeQuerySystemTimePrecise(PLARGE_INTEGER CurrentTime)
{
    KeQuerySystemTime(CurrentTime);
}

VOID NTAPI KeQueryTickCount(PLARGE_INTEGER TickCount)
{
    depend(&current_host->clock.now, DEPEND_READ);
    TickCount->QuadPart = (LONGLONG)(clock_now() / TICK);
}

ULONG NTAPI KeQueryTimeIncrement(VOID)
{
    return TICK;
}

ULONGLONG NTAPI KeQueryInterruptTime(VOID)
{
    depend(&current_host->clock.now, DEPEND_READ);
    return clock_now();
}

LARGE_INTEGER NTAPI KeQueryPerformanceCounter(PLARGE_INTEGER PerformanceFrequency)
{
    if (PerformanceFrequency != NULL)
        PerformanceFrequency->QuadPart = (LONGLONG)CLOCK_SECOND;
    depend(&current_host->clock.now, DEPEND_READ);
    return (LARGE_INTEGER){.QuadPart = (LONGLONG)clock_now()};
}

/* A processor that stalls lets time pass; what falls due meanwhile happens when next nothing can run. */
VOID NTAPI KeStallExecutionProcessor(ULONG MicroSeconds)
{
    current_host->clock.now += (uint64_t)MicroSeconds * 10;
    depend(&current_host->clock.now, DEPEND_WRITE);
    schedule_point(POINT_CALL, NULL);
}

const struct export timer_exports[] = {
    EXPORT(KeInitializeTimer),
    EXPORT(KeInitializeTimerEx),
    EXPORT(KeSetTimer),
    EXPORT(KeSetTimerEx),
    EXPORT(KeCancelTimer),
    EXPORT(KeQuerySystemTime),
    EXPORT(KeQuerySystemTimePrecise),
    EXPORT(KeQueryTickCount),
    EXPORT(KeQueryTimeIncrement),
    EXPORT(KeQueryInterruptTime),
    EXPORT(KeQueryPerformanceCounter),
    EXPORT(KeStallExecutionProcessor),
    EXPORTS_END,
};
