/* Locks, events and run-downs: what they promise under every interleaving, and what misuse is called. */
#include <ndis.h>

#include "check.h"

static KSPIN_LOCK lock_a, lock_b;
static int inside, sum;

static void guarded_step(void *argument)
{
    (void)argument;
    KIRQL irql;
    KeAcquireSpinLock(&lock_a, &irql);
    CHECK_EQUAL(KeGetCurrentIrql(), DISPATCH_LEVEL);
    CHECK_EQUAL(++inside, 1);
    int seen = sum;
    schedule_point(POINT_CALL, NULL);
    sum = seen + 1;
    inside -= 1;
    KeReleaseSpinLock(&lock_a, irql);
    CHECK_EQUAL(KeGetCurrentIrql(), PASSIVE_LEVEL);
}

static void start_guarded(void)
{
    sum = 0;
    KeInitializeSpinLock(&lock_a);
    for (int i = 0; i < 3; i++)
        actor_start(guarded_step, NULL, 1);
}

static void judge_guarded(enum run_result result)
{
    CHECK(result == RUN_QUIESCENT);
    CHECK_EQUAL(sum, 3);
    CHECK_EQUAL(broken(NULL, NULL), 0);
}

TEST(a_spin_lock_lets_one_in_at_a_time_under_every_interleaving)
{
    CHECK(explore(start_guarded, judge_guarded) >= 6);
}

static void unguarded_step(void *argument)
{
    (void)argument;
    int seen = sum;
    schedule_point(POINT_CALL, NULL);
    sum = seen + 1;
}

static void start_unguarded(void)
{
    sum = 0;
    actor_start(unguarded_step, NULL, 1);
    actor_start(unguarded_step, NULL, 2);
}

static unsigned lost;

static void judge_unguarded(enum run_result result)
{
    CHECK(result == RUN_QUIESCENT);
    lost += sum == 1;
}

/* Two actors of two steps have 4! / (2! 2!) = 6 interleavings; 2 of them run one after the other, and 4 lose an update.
 */
TEST(without_the_lock_an_update_is_lost_in_four_of_six_interleavings)
{
    CHECK_EQUAL(explore(start_unguarded, judge_unguarded), 6);
    CHECK_EQUAL(lost, 4);
}

static void in_one_order(void *argument)
{
    (void)argument;
    KIRQL irql;
    KeAcquireSpinLock(&lock_a, &irql);
    KeAcquireSpinLockAtDpcLevel(&lock_b);
    KeReleaseSpinLockFromDpcLevel(&lock_b);
    KeReleaseSpinLock(&lock_a, irql);
}

static void in_the_other_order(void *argument)
{
    (void)argument;
    KIRQL irql;
    KeAcquireSpinLock(&lock_b, &irql);
    KeAcquireSpinLockAtDpcLevel(&lock_a);
    KeReleaseSpinLockFromDpcLevel(&lock_a);
    KeReleaseSpinLock(&lock_b, irql);
}

static void start_crossed(void)
{
    KeInitializeSpinLock(&lock_a);
    KeInitializeSpinLock(&lock_b);
    actor_start(in_one_order, NULL, 1);
    actor_start(in_the_other_order, NULL, 2);
}

static unsigned deadlocks, ends;

static void judge_crossed(enum run_result result)
{
    char text[128];
    CHECK(result == RUN_BLOCKED || result == RUN_QUIESCENT);
    deadlocks += result == RUN_BLOCKED;
    ends += result == RUN_QUIESCENT;
    if (result == RUN_BLOCKED)
        CHECK(strstr(actor_describe(actor_next(0), text, sizeof text), "waits for a spin lock that") != NULL);
}

TEST(two_locks_taken_in_both_orders_deadlock_in_some_interleavings)
{
    explore(start_crossed, judge_crossed);
    CHECK(deadlocks != 0 && ends != 0);
}

static void (*body)(void);

static void call_body(void *argument)
{
    (void)argument;
    body();
}

static enum run_result run(void (*actor)(void))
{
    body = actor;
    log_clear();
    actor_start(call_body, NULL, 1);
    return scheduler_run(1000);
}

static void acquire_twice(void)
{
    KIRQL irql;
    KeInitializeSpinLock(&lock_a);
    KeAcquireSpinLock(&lock_a, &irql);
    KeAcquireSpinLock(&lock_a, &irql);
}

TEST(acquiring_what_one_holds_is_reported_and_blocks_for_ever)
{
    char text[128];
    CHECK(run(acquire_twice) == RUN_BLOCKED);
    CHECK_EQUAL(broken("SpinLock", "holds already"), 1);
    CHECK(strstr(actor_describe(actor_next(0), text, sizeof text), "that it holds itself") != NULL);
}

static void release_free_lock(void)
{
    KIRQL irql;
    KeInitializeSpinLock(&lock_a);
    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    KeReleaseSpinLock(&lock_a, PASSIVE_LEVEL);
}

TEST(releasing_what_nobody_holds_is_reported)
{
    CHECK(run(release_free_lock) == RUN_QUIESCENT);
    CHECK_EQUAL(broken("SpinlockRelease", "nobody holds"), 1);
}

static void forget_to_initialise(void)
{
    KIRQL irql;
    memset(&lock_a, 0xCD, sizeof lock_a);
    KeAcquireSpinLock(&lock_a, &irql);
    KeReleaseSpinLock(&lock_a, irql);
}

TEST(a_lock_in_fresh_memory_is_reported_and_then_works)
{
    CHECK(run(forget_to_initialise) == RUN_QUIESCENT);
    CHECK_EQUAL(broken("SpinLock", "never initialised"), 1);
    CHECK_EQUAL(broken(NULL, NULL), 1);
}

static void acquire_at_dpc_level_below_it(void)
{
    KeInitializeSpinLock(&lock_a);
    KeAcquireSpinLockAtDpcLevel(&lock_a);
    KeReleaseSpinLockFromDpcLevel(&lock_a);
}

TEST(the_form_for_dispatch_level_is_refused_below_it)
{
    CHECK(run(acquire_at_dpc_level_below_it) == RUN_QUIESCENT);
    CHECK_EQUAL(broken("SpinLockDpc", "at least DISPATCH_LEVEL is needed"), 1);
    CHECK_EQUAL(broken("IrqlKeReleaseSpinLock", NULL), 1);
}

static void two_families(void)
{
    KIRQL irql;
    KLOCK_QUEUE_HANDLE handle;
    KeInitializeSpinLock(&lock_a);
    KeAcquireSpinLock(&lock_a, &irql);
    KeReleaseSpinLock(&lock_a, irql);
    KeAcquireInStackQueuedSpinLock(&lock_a, &handle);
    KeReleaseInStackQueuedSpinLock(&handle);
}

TEST(a_lock_of_two_families_is_reported)
{
    CHECK(run(two_families) == RUN_QUIESCENT);
    CHECK_EQUAL(broken("QueuedSpinLock", "one lock, one family"), 1);
}

static void release_in_order_of_acquisition(void)
{
    KIRQL outer, inner;
    KeInitializeSpinLock(&lock_a);
    KeInitializeSpinLock(&lock_b);
    KeAcquireSpinLock(&lock_a, &outer);
    KeAcquireSpinLock(&lock_b, &inner);
    KeReleaseSpinLock(&lock_a, inner);
    CHECK_EQUAL(KeGetCurrentIrql(), DISPATCH_LEVEL);
    KeReleaseSpinLock(&lock_b, outer);
    CHECK_EQUAL(KeGetCurrentIrql(), PASSIVE_LEVEL);
}

TEST(hand_over_hand_locking_with_exchanged_irqls_is_legal)
{
    CHECK(run(release_in_order_of_acquisition) == RUN_QUIESCENT);
    CHECK_EQUAL(broken(NULL, NULL), 0);
}

static void lower_too_early(void)
{
    KIRQL outer, inner;
    KeInitializeSpinLock(&lock_a);
    KeInitializeSpinLock(&lock_b);
    KeAcquireSpinLock(&lock_a, &outer);
    KeAcquireSpinLock(&lock_b, &inner);
    KeReleaseSpinLock(&lock_a, outer);
    KeReleaseSpinLock(&lock_b, inner);
}

TEST(lowering_the_irql_with_another_lock_held_is_reported)
{
    CHECK(run(lower_too_early) == RUN_QUIESCENT);
    CHECK_EQUAL(broken("IrqlKeReleaseSpinLock", "while another spin lock is held"), 1);
}

static void ndis_lock_after_free(void)
{
    NDIS_SPIN_LOCK lock;
    NdisAllocateSpinLock(&lock);
    NdisAcquireSpinLock(&lock);
    NdisReleaseSpinLock(&lock);
    NdisFreeSpinLock(&lock);
    CHECK_EQUAL(broken(NULL, NULL), 0);
    NdisAcquireSpinLock(&lock);
    NdisReleaseSpinLock(&lock);
}

TEST(an_ndis_lock_used_after_its_free_is_reported)
{
    CHECK(run(ndis_lock_after_free) == RUN_QUIESCENT);
    CHECK_EQUAL(broken("SpinLock", "NdisFreeSpinLock had freed"), 1);
}

static void leave_handler_badly(void)
{
    KIRQL irql;
    struct call call;
    KeInitializeSpinLock(&lock_a);
    call_enter(&call, "MiniportPause", PASSIVE_LEVEL, NULL);
    KeAcquireSpinLock(&lock_a, &irql);
    call_leave(&call);
    CHECK_EQUAL(KeGetCurrentIrql(), PASSIVE_LEVEL);
    KeAcquireSpinLock(&lock_a, &irql);
    KeReleaseSpinLock(&lock_a, irql);
}

TEST(a_handler_that_returns_with_a_lock_and_a_raised_irql_is_reported_and_put_right)
{
    CHECK(run(leave_handler_badly) == RUN_QUIESCENT);
    CHECK_EQUAL(broken("SpinLockBalanced", "MiniportPause returned with a spin lock held"), 1);
    CHECK_EQUAL(broken("IrqlReturn", "called at IRQL 0 and returned at IRQL 2"), 1);
    CHECK_EQUAL(broken(NULL, NULL), 2);
}

static void keep_cancel_lock(void)
{
    KIRQL irql;
    struct call call;
    call_enter(&call, "a cancel routine", DISPATCH_LEVEL, NULL);
    IoAcquireCancelSpinLock(&irql);
    call_leave(&call);
}

TEST(a_handler_that_keeps_the_cancel_spin_lock_is_reported_by_its_own_rule)
{
    CHECK(run(keep_cancel_lock) == RUN_QUIESCENT);
    CHECK_EQUAL(broken("CancelSpinLock", "cancel spin lock held"), 1);
}

static EX_SPIN_LOCK shared_lock;
static int readers, most_readers, writers;

static void read_shared(void *argument)
{
    (void)argument;
    KIRQL irql = ExAcquireSpinLockShared(&shared_lock);
    CHECK_EQUAL(writers, 0);
    readers += 1;
    most_readers = readers > most_readers ? readers : most_readers;
    schedule_point(POINT_CALL, NULL);
    readers -= 1;
    ExReleaseSpinLockShared(&shared_lock, irql);
}

static void write_shared(void *argument)
{
    (void)argument;
    KIRQL irql = ExAcquireSpinLockExclusive(&shared_lock);
    CHECK_EQUAL(readers, 0);
    writers += 1;
    schedule_point(POINT_CALL, NULL);
    writers -= 1;
    ExReleaseSpinLockExclusive(&shared_lock, irql);
}

static void start_shared(void)
{
    shared_lock = 0;
    actor_start(read_shared, NULL, 1);
    actor_start(read_shared, NULL, 2);
    actor_start(write_shared, NULL, 3);
}

static void judge_shared(enum run_result result)
{
    CHECK(result == RUN_QUIESCENT);
    CHECK_EQUAL(broken(NULL, NULL), 0);
}

TEST(readers_share_and_a_writer_is_alone_under_every_interleaving)
{
    explore(start_shared, judge_shared);
    CHECK_EQUAL(most_readers, 2);
}

static FAST_MUTEX mutex;

static void hold_mutex(void *argument)
{
    (void)argument;
    LARGE_INTEGER interval = {.QuadPart = -10000};
    ExAcquireFastMutex(&mutex);
    CHECK_EQUAL(KeGetCurrentIrql(), APC_LEVEL);
    CHECK_EQUAL(++inside, 1);
    KeDelayExecutionThread(KernelMode, FALSE, &interval);
    inside -= 1;
    ExReleaseFastMutex(&mutex);
    CHECK_EQUAL(KeGetCurrentIrql(), PASSIVE_LEVEL);
}

TEST(a_fast_mutex_can_be_held_over_a_wait)
{
    ExInitializeFastMutex(&mutex);
    actor_start(hold_mutex, NULL, 1);
    actor_start(hold_mutex, NULL, 2);
    CHECK(scheduler_run(0) == RUN_QUIESCENT);
    CHECK_EQUAL(clock_now(), 20000);
    CHECK_EQUAL(broken(NULL, NULL), 0);
}

/* Orders of locks: what is not a deadlock in this run, and would be one if both did it at once. */

static KSPIN_LOCK lock_c;
static EX_SPIN_LOCK shared_lock;

static void nest(KSPIN_LOCK *outer, KSPIN_LOCK *inner)
{
    KIRQL irql;
    KeAcquireSpinLock(outer, &irql);
    KeAcquireSpinLockAtDpcLevel(inner);
    KeReleaseSpinLockFromDpcLevel(inner);
    KeReleaseSpinLock(outer, irql);
}

static void nest_ab(void *gate)
{
    KIRQL irql;
    if (gate != NULL)
        KeAcquireSpinLock(gate, &irql);
    nest(&lock_a, &lock_b);
    if (gate != NULL)
        KeReleaseSpinLock(gate, irql);
}

static void nest_ba(void *gate)
{
    KIRQL irql;
    if (gate != NULL)
        KeAcquireSpinLock(gate, &irql);
    nest(&lock_b, &lock_a);
    if (gate != NULL)
        KeReleaseSpinLock(gate, irql);
}

static void nest_bc(void *unused)
{
    (void)unused;
    nest(&lock_b, &lock_c);
}

static void nest_ca(void *unused)
{
    (void)unused;
    nest(&lock_c, &lock_a);
}

struct nesting
{
    KSPIN_LOCK *outer, *inner;
};

static void nest_both(void *argument)
{
    const struct nesting *nesting = argument;
    nest(nesting->outer, nesting->inner);
}

static void begin_locks(void)
{
    KeInitializeSpinLock(&lock_a);
    KeInitializeSpinLock(&lock_b);
    KeInitializeSpinLock(&lock_c);
}

static void run_alone(actor_entry *entry, void *argument)
{
    actor_start(entry, argument, 1);
    CHECK(scheduler_run(0) == RUN_QUIESCENT);
}

static void nest_in_actor(KSPIN_LOCK *outer, KSPIN_LOCK *inner)
{
    struct nesting nesting = {outer, inner};
    run_alone(nest_both, &nesting);
}

TEST(two_orders_are_a_deadlock_to_come_even_if_they_never_met)
{
    begin_locks();
    run_alone(nest_ab, NULL);
    run_alone(nest_ab, NULL);
    CHECK_EQUAL(broken(NULL, NULL), 0);
    run_alone(nest_ba, NULL);
    CHECK_EQUAL(broken("DeadlockDetection", "in a circle: "), 1);
}

TEST(a_circle_of_three_is_found_too)
{
    begin_locks();
    run_alone(nest_ab, NULL);
    run_alone(nest_bc, NULL);
    CHECK_EQUAL(broken(NULL, NULL), 0);
    run_alone(nest_ca, NULL);
    CHECK_EQUAL(broken("DeadlockDetection", "is held while lock A is acquired"), 1);
}

/* A run must be the same whatever was run before, or its schedule would not replay what it showed. */
TEST(an_order_counts_from_before_a_snapshot_and_not_from_another_run)
{
    begin_locks();
    run_alone(nest_bc, NULL);
    struct snapshot *before = snapshot_take();
    run_alone(nest_ab, NULL);
    snapshot_restore(before);
    run_alone(nest_ba, NULL);
    CHECK_EQUAL(broken("DeadlockDetection", NULL), 0);
    snapshot_restore(before);
    run_alone(nest_ab, NULL);
    run_alone(nest_ca, NULL);
    CHECK_EQUAL(broken("DeadlockDetection", NULL), 1);
    snapshot_delete(before);
}

TEST(orders_behind_one_gate_cannot_meet)
{
    begin_locks();
    run_alone(nest_ab, &lock_c);
    run_alone(nest_ba, &lock_c);
    CHECK_EQUAL(broken(NULL, NULL), 0);
    run_alone(nest_ba, NULL);
    CHECK_EQUAL(broken("DeadlockDetection", NULL), 1);
}

TEST(a_lock_that_is_initialised_again_is_another_one)
{
    begin_locks();
    run_alone(nest_ab, NULL);
    begin_locks();
    run_alone(nest_ba, NULL);
    CHECK_EQUAL(broken(NULL, NULL), 0);
}

/* Memory that was freed and allocated again after a restore holds another lock than the one that an order is known of.
 */
TEST(a_lock_in_memory_that_came_later_than_the_snapshot_is_another_one)
{
    begin_locks();
    struct snapshot *before = snapshot_take();
    KSPIN_LOCK *first = arena_allocate(BLOCK_POOL, sizeof *first, 0, "test");
    KeInitializeSpinLock(first);
    run_alone(nest_ab, NULL);
    nest_in_actor(&lock_a, first);
    snapshot_restore(before);
    KSPIN_LOCK *second = arena_allocate(BLOCK_POOL, sizeof *second, 0, "test");
    CHECK(second == first);
    *second = lock_c; /* without an initialisation that would tell of a new lock */
    nest_in_actor(second, &lock_a);
    CHECK_EQUAL(broken("DeadlockDetection", NULL), 0);
    snapshot_delete(before);
}

static void share_then_a(void *unused)
{
    (void)unused;
    KIRQL irql = ExAcquireSpinLockShared(&shared_lock);
    KeAcquireSpinLockAtDpcLevel(&lock_a);
    KeReleaseSpinLockFromDpcLevel(&lock_a);
    ExReleaseSpinLockShared(&shared_lock, irql);
}

static void a_then_share(void *unused)
{
    (void)unused;
    KIRQL irql;
    KeAcquireSpinLock(&lock_a, &irql);
    ExAcquireSpinLockSharedAtDpcLevel(&shared_lock);
    ExReleaseSpinLockSharedFromDpcLevel(&shared_lock);
    KeReleaseSpinLock(&lock_a, irql);
}

static void a_then_exclude(void *unused)
{
    (void)unused;
    KIRQL irql;
    KeAcquireSpinLock(&lock_a, &irql);
    ExAcquireSpinLockExclusiveAtDpcLevel(&shared_lock);
    ExReleaseSpinLockExclusiveFromDpcLevel(&shared_lock);
    KeReleaseSpinLock(&lock_a, irql);
}

TEST(who_only_shares_a_lock_waits_for_nobody_who_shares_it)
{
    begin_locks();
    run_alone(share_then_a, NULL);
    run_alone(a_then_share, NULL);
    CHECK_EQUAL(broken(NULL, NULL), 0);
    run_alone(a_then_exclude, NULL);
    CHECK_EQUAL(broken("DeadlockDetection", NULL), 1);
}
