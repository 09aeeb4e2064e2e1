/* Events, run-downs, remove locks, time, and deferred work. */
#include <ndis.h>

#include "check.h"

static KEVENT event;
static unsigned woken;

static void wait_for_event(void *argument)
{
    (void)argument;
    CHECK(KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, NULL) == STATUS_SUCCESS);
    woken += 1;
}

static void set_event(void *argument)
{
    (void)argument;
    KeSetEvent(&event, IO_NO_INCREMENT, FALSE);
}

static void start_one_for_two(void)
{
    woken = 0;
    KeInitializeEvent(&event, SynchronizationEvent, FALSE);
    actor_start(wait_for_event, NULL, 1);
    actor_start(wait_for_event, NULL, 2);
    actor_start(set_event, NULL, 3);
}

static void judge_one_for_two(enum run_result result)
{
    CHECK(result == RUN_BLOCKED);
    CHECK_EQUAL(woken, 1);
}

TEST(a_synchronization_event_wakes_exactly_one_whatever_the_order)
{
    explore(start_one_for_two, judge_one_for_two);
}

static void start_all_for_two(void)
{
    start_one_for_two();
    KeInitializeEvent(&event, NotificationEvent, FALSE);
}

static void judge_all_for_two(enum run_result result)
{
    CHECK(result == RUN_QUIESCENT);
    CHECK_EQUAL(woken, 2);
}

TEST(a_notification_event_wakes_all_whatever_the_order)
{
    explore(start_all_for_two, judge_all_for_two);
}

static void wait_a_second(void *argument)
{
    LARGE_INTEGER timeout = {.QuadPart = -(LONGLONG)CLOCK_SECOND};
    *(NTSTATUS *)argument = KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, &timeout);
}

TEST(a_wait_times_out_in_virtual_time)
{
    NTSTATUS status = STATUS_SUCCESS;
    KeInitializeEvent(&event, SynchronizationEvent, FALSE);
    actor_start(wait_a_second, &status, 1);
    CHECK(scheduler_run(0) == RUN_QUIESCENT);
    CHECK(status == STATUS_TIMEOUT);
    CHECK_EQUAL(clock_now(), CLOCK_SECOND);
}

static void look(void *argument)
{
    LARGE_INTEGER now = {.QuadPart = 0};
    KIRQL irql;
    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    *(NTSTATUS *)argument = KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, &now);
    KeLowerIrql(irql);
}

TEST(a_look_at_dispatch_level_is_legal_and_never_waits)
{
    NTSTATUS status;
    KeInitializeEvent(&event, SynchronizationEvent, FALSE);
    actor_start(look, &status, 1);
    CHECK(scheduler_run(0) == RUN_QUIESCENT);
    CHECK(status == STATUS_TIMEOUT);
    CHECK_EQUAL(clock_now(), 0);
    CHECK_EQUAL(broken(NULL, NULL), 0);
}

static void wait_at_dispatch(void *argument)
{
    (void)argument;
    KIRQL irql;
    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, NULL);
    KeLowerIrql(irql);
}

TEST(a_wait_at_dispatch_level_is_reported)
{
    KeInitializeEvent(&event, SynchronizationEvent, TRUE);
    actor_start(wait_at_dispatch, NULL, 1);
    CHECK(scheduler_run(0) == RUN_QUIESCENT);
    CHECK_EQUAL(broken("KeWaitForSingleObject", "at most APC_LEVEL is allowed"), 1);
}

static KEVENT pair[2];

static void wait_for_pair(void *argument)
{
    PVOID objects[] = {&pair[0], &pair[1]};
    *(NTSTATUS *)argument = KeWaitForMultipleObjects(2, objects, WaitAny, Executive, KernelMode, FALSE, NULL, NULL);
}

static void set_second(void *argument)
{
    (void)argument;
    KeSetEvent(&pair[1], IO_NO_INCREMENT, FALSE);
}

TEST(a_wait_for_any_of_several_says_which_one_it_was)
{
    NTSTATUS status;
    KeInitializeEvent(&pair[0], SynchronizationEvent, FALSE);
    KeInitializeEvent(&pair[1], SynchronizationEvent, FALSE);
    actor_start(wait_for_pair, &status, 1);
    actor_start(set_second, NULL, 2);
    CHECK(scheduler_run(0) == RUN_QUIESCENT);
    CHECK(status == STATUS_WAIT_1);
    CHECK_EQUAL(pair[1].Header.SignalState, 0);
}

static EX_RUNDOWN_REF rundown;
static bool ran_down;
static unsigned admitted;

static void use_protected(void *argument)
{
    (void)argument;
    if (!ExAcquireRundownProtection(&rundown))
        return;
    CHECK(!ran_down);
    admitted += 1;
    schedule_point(POINT_CALL, NULL);
    CHECK(!ran_down);
    ExReleaseRundownProtection(&rundown);
}

static void run_down(void *argument)
{
    (void)argument;
    ExWaitForRundownProtectionRelease(&rundown);
    ran_down = true;
}

static void start_rundown(void)
{
    ran_down = false;
    ExInitializeRundownProtection(&rundown);
    actor_start(use_protected, NULL, 1);
    actor_start(use_protected, NULL, 2);
    actor_start(run_down, NULL, 3);
}

static void judge_rundown(enum run_result result)
{
    CHECK(result == RUN_QUIESCENT);
    CHECK(ran_down);
    CHECK_EQUAL(broken(NULL, NULL), 0);
}

TEST(nobody_is_inside_once_a_rundown_has_ended_whatever_the_order)
{
    size_t runs = explore(start_rundown, judge_rundown);
    CHECK(admitted != 0 && admitted < 2 * runs);
}

static void release_too_often(void *argument)
{
    (void)argument;
    ExInitializeRundownProtection(&rundown);
    ExReleaseRundownProtection(&rundown);
}

TEST(releasing_a_rundown_without_an_acquire_is_reported)
{
    actor_start(release_too_often, NULL, 1);
    CHECK(scheduler_run(0) == RUN_QUIESCENT);
    CHECK_EQUAL(broken("RundownProtection", "releases what was not acquired"), 1);
}

static IO_REMOVE_LOCK remove_lock;

static void use_remove_lock(void *argument)
{
    (void)argument;
    char tag, other;
    IoInitializeRemoveLock(&remove_lock, 0x74736554UL, 0, 0);
    CHECK(IoAcquireRemoveLock(&remove_lock, &tag) == STATUS_SUCCESS);
    IoReleaseRemoveLock(&remove_lock, &other);
    CHECK_EQUAL(broken("RemoveLockRelease2", "not acquired with this tag"), 1);
    IoReleaseRemoveLockAndWait(&remove_lock, &tag);
    CHECK(IoAcquireRemoveLock(&remove_lock, &tag) == STATUS_DELETE_PENDING);
}

TEST(a_remove_lock_matches_tags_and_refuses_after_the_removal)
{
    actor_start(use_remove_lock, NULL, 1);
    CHECK(scheduler_run(0) == RUN_QUIESCENT);
    CHECK_EQUAL(broken(NULL, NULL), 1);
}

static void sleep_for(void *argument)
{
    LARGE_INTEGER interval = {.QuadPart = -(LONGLONG) * (uint64_t *)argument};
    KeDelayExecutionThread(KernelMode, FALSE, &interval);
    *(uint64_t *)argument = clock_now();
}

TEST(sleepers_wake_in_order_of_virtual_time)
{
    uint64_t times[] = {3000, 1000, 2000};
    for (int i = 0; i < 3; i++)
        actor_start(sleep_for, &times[i], 1);
    CHECK(scheduler_run(0) == RUN_QUIESCENT);
    CHECK(times[0] == 3000 && times[1] == 1000 && times[2] == 2000);
}

static KTIMER timer;
static KDPC dpc;
static unsigned expirations;

static void NTAPI on_timer(PKDPC the_dpc, PVOID context, PVOID first, PVOID second)
{
    (void)first;
    (void)second;
    CHECK(the_dpc == &dpc && context == &expirations);
    CHECK_EQUAL(KeGetCurrentIrql(), DISPATCH_LEVEL);
    if (++expirations == 5)
    {
        KeCancelTimer(&timer);
        KeSetEvent(&event, IO_NO_INCREMENT, FALSE);
    }
}

static void use_timer(void *argument)
{
    (void)argument;
    LARGE_INTEGER due = {.QuadPart = -20000};
    KeInitializeEvent(&event, NotificationEvent, FALSE);
    KeInitializeTimer(&timer);
    KeInitializeDpc(&dpc, on_timer, &expirations);
    CHECK(!KeSetTimerEx(&timer, due, 1, &dpc));
    CHECK_EQUAL(work_pending(NULL), 1);
    KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, NULL);
}

TEST(a_periodic_timer_queues_its_dpc_until_it_is_cancelled)
{
    actor_start(use_timer, NULL, 1);
    CHECK(scheduler_run(0) == RUN_QUIESCENT);
    CHECK_EQUAL(expirations, 5);
    CHECK_EQUAL(clock_now(), 60000);
    CHECK_EQUAL(work_pending(NULL), 0);
    CHECK_EQUAL(broken(NULL, NULL), 0);
}

static void arm_for_later(void *argument)
{
    (void)argument;
    LARGE_INTEGER due = {.QuadPart = -(LONGLONG)CLOCK_SECOND};
    KeInitializeTimer(&timer);
    KeInitializeDpc(&dpc, on_timer, &expirations);
    KeSetTimer(&timer, due, &dpc);
}

TEST(a_timer_that_nobody_waits_for_does_not_move_time)
{
    actor_start(arm_for_later, NULL, 1);
    CHECK(scheduler_run(0) == RUN_QUIESCENT);
    CHECK_EQUAL(clock_now(), 0);
    CHECK_EQUAL(work_pending(NULL), 1);
    CHECK(clock_advance_towards(2 * CLOCK_SECOND));
    CHECK_EQUAL(clock_now(), CLOCK_SECOND);
    CHECK(scheduler_run(0) == RUN_QUIESCENT);
    CHECK(!clock_advance_towards(2 * CLOCK_SECOND));
    CHECK_EQUAL(clock_now(), 2 * CLOCK_SECOND);
    CHECK_EQUAL(expirations, 1);
}

static NDIS_HANDLE item;
static unsigned worked;

static void NTAPI work_routine(PVOID context, NDIS_HANDLE handle)
{
    CHECK(handle == item && context == &worked);
    CHECK_EQUAL(KeGetCurrentIrql(), PASSIVE_LEVEL);
    worked += 1;
    NdisFreeIoWorkItem(handle);
}

static void queue_work(void *argument)
{
    item = NdisAllocateIoWorkItem(argument);
    NdisQueueIoWorkItem(item, work_routine, &worked);
}

TEST(a_work_item_runs_once_at_passive_level_and_may_free_itself)
{
    actor_start(queue_work, &worked, 1);
    CHECK(scheduler_run(0) == RUN_QUIESCENT);
    CHECK_EQUAL(worked, 1);
    CHECK_EQUAL(current_host->arena.live_count, 0);
    CHECK_EQUAL(broken(NULL, NULL), 0);
}
