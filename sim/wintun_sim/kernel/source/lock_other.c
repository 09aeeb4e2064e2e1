/* Reader-writer spin locks (EX_SPIN_LOCK) and fast mutexes.
 *
 * An EX_SPIN_LOCK is 0 when free, -1 when held exclusively, n when shared by n; who waits to share it waits for the
 * address after the lock's, so that a reader's arrival disables writers alone; and what readers hand over is handed
 * over there, to writers alone. Documentation:
 * learn.microsoft.com/windows-hardware/drivers/kernel/reader-writer-spin-locks, …/fast-mutexes-and-guarded-mutexes.
 */
#include <ntddk.h>

#include "depend.h"
#include "happens.h"
#include "host.h"
#include "lock_order.h"

enum
{
    EXCLUSIVE = -1
};

static const volatile void *for_sharing(PEX_SPIN_LOCK lock)
{
    return (const volatile char *)lock + 1;
}

static KIRQL acquire_ex(PEX_SPIN_LOCK lock, bool exclusive, bool raises, const char *caller, const void *place)
{
    struct actor *actor = actor_current();
    KIRQL old_irql = actor->irql;
    if (raises)
        rule_irql("IrqlKeDispatchLte", caller, PASSIVE_LEVEL, DISPATCH_LEVEL);
    else
        rule_irql("SpinLockDpc", caller, DISPATCH_LEVEL, HIGH_LEVEL);
    if (*lock < EXCLUSIVE || *lock > ACTOR_LIMIT)
    {
        rule_broken("SpinLock", "%s was given an EX_SPIN_LOCK that was never initialised, or was overwritten", caller);
        *lock = 0;
    }
    if (lock_is_held(actor, lock))
        rule_broken("SpinLock", "%s waits for a lock that this processor holds already", caller);
    if (raises && actor->irql < DISPATCH_LEVEL)
        actor->irql = DISPATCH_LEVEL;
    const uint8_t family = exclusive ? LOCK_EX_EXCLUSIVE : LOCK_EX_SHARED;
    const struct held_lock wanted = {lock, NULL, family, old_irql, raises, place};
    if (actor->held_count != 0)
        lock_order_acquire(actor, &wanted);
    const volatile void *object = exclusive ? (const volatile void *)lock : for_sharing(lock);
    do
        actor_wait(POINT_ACQUIRE, object, exclusive ? *lock == 0 : *lock >= 0, ACTOR_NO_DEADLINE);
    while (exclusive ? *lock != 0 : *lock < 0);
    *lock = exclusive ? EXCLUSIVE : *lock + 1;
    actor_taken(lock);
    if (exclusive)
        actor_taken(for_sharing(lock));
    happens_acquire(lock);
    if (exclusive)
        happens_acquire(for_sharing(lock));
    depend(lock, exclusive ? DEPEND_TAKE : DEPEND_READ);
    if (exclusive)
        depend(for_sharing(lock), DEPEND_TAKE);
    lock_push(actor, wanted);
    return old_irql;
}

static void release_ex(PEX_SPIN_LOCK lock, bool exclusive, bool lowers, KIRQL irql, const char *caller)
{
    struct actor *actor = actor_current();
    rule_irql("IrqlKeReleaseSpinLock", caller, DISPATCH_LEVEL, lowers ? DISPATCH_LEVEL : HIGH_LEVEL);
    struct held_lock *held = lock_find(actor, lock);
    if (held == NULL || held->family != (exclusive ? LOCK_EX_EXCLUSIVE : LOCK_EX_SHARED))
        rule_broken("SpinlockRelease", "%s releases a lock that this processor does not hold so", caller);
    else
    {
        if (lowers && held->old_irql != irql)
            rule_broken("IrqlKeRaiseLower2", "%s restores IRQL %u, but the lock was acquired at IRQL %u", caller, irql,
                        held->old_irql);
        lock_pop(actor, held);
        *lock = exclusive ? 0 : *lock - 1;
        happens_release(exclusive ? (const volatile void *)lock : for_sharing(lock));
        depend(lock, exclusive ? DEPEND_GIVE : DEPEND_READ);
        if (exclusive)
            depend(for_sharing(lock), DEPEND_GIVE);
        if (*lock == 0)
            actor_wake(lock);
        if (exclusive)
            actor_wake(for_sharing(lock));
    }
    if (lowers)
        actor->irql = irql;
    schedule_point(POINT_RELEASE, lock);
}

KIRQL NTAPI ExAcquireSpinLockShared(PEX_SPIN_LOCK SpinLock)
{
    return acquire_ex(SpinLock, false, true, "ExAcquireSpinLockShared", CALLER_PLACE);
}

VOID NTAPI ExAcquireSpinLockSharedAtDpcLevel(PEX_SPIN_LOCK SpinLock)
{
    acquire_ex(SpinLock, false, false, "ExAcquireSpinLockSharedAtDpcLevel", CALLER_PLACE);
}

VOID NTAPI ExReleaseSpinLockShared(PEX_SPIN_LOCK SpinLock, KIRQL OldIrql)
{
    release_ex(SpinLock, false, true, OldIrql, "ExReleaseSpinLockShared");
}

VOID NTAPI ExReleaseSpinLockSharedFromDpcLevel(PEX_SPIN_LOCK SpinLock)
{
    release_ex(SpinLock, false, false, 0, "ExReleaseSpinLockSharedFromDpcLevel");
}

KIRQL NTAPI ExAcquireSpinLockExclusive(PEX_SPIN_LOCK SpinLock)
{
    return acquire_ex(SpinLock, true, true, "ExAcquireSpinLockExclusive", CALLER_PLACE);
}

VOID NTAPI ExAcquireSpinLockExclusiveAtDpcLevel(PEX_SPIN_LOCK SpinLock)
{
    acquire_ex(SpinLock, true, false, "ExAcquireSpinLockExclusiveAtDpcLevel", CALLER_PLACE);
}

VOID NTAPI ExReleaseSpinLockExclusive(PEX_SPIN_LOCK SpinLock, KIRQL OldIrql)
{
    release_ex(SpinLock, true, true, OldIrql, "ExReleaseSpinLockExclusive");
}

VOID NTAPI ExReleaseSpinLockExclusiveFromDpcLevel(PEX_SPIN_LOCK SpinLock)
{
    release_ex(SpinLock, true, false, 0, "ExReleaseSpinLockExclusiveFromDpcLevel");
}

LOGICAL NTAPI ExTryConvertSharedSpinLockExclusive(PEX_SPIN_LOCK SpinLock)
{
    struct held_lock *held = lock_find(actor_current(), SpinLock);
    schedule_point(POINT_ACQUIRE, SpinLock);
    if (held == NULL || held->family != LOCK_EX_SHARED)
    {
        rule_broken("SpinLock",
                    "ExTryConvertSharedSpinLockExclusive was given a lock that this processor does not share");
        return FALSE;
    }
    depend(SpinLock, DEPEND_WRITE);
    depend(for_sharing(SpinLock), DEPEND_WRITE);
    if (*SpinLock != 1)
        return FALSE;
    *SpinLock = EXCLUSIVE;
    held->family = LOCK_EX_EXCLUSIVE;
    actor_taken(for_sharing(SpinLock));
    happens_acquire(for_sharing(SpinLock));
    return TRUE;
}

/* Count is FM_LOCK_BIT while a fast mutex is free. `raises`: to APC_LEVEL, which the Unsafe forms and guarded mutexes
 * do not. */
static bool acquire_mutex(PFAST_MUTEX mutex, bool raises, bool waits, const char *caller, const void *place)
{
    struct actor *actor = actor_current();
    KIRQL old_irql = actor->irql;
    rule_irql("IrqlKeApcLte1", caller, PASSIVE_LEVEL, APC_LEVEL);
    if (mutex->Count != 0 && mutex->Count != FM_LOCK_BIT)
    {
        rule_broken("FastMutex", "%s was given a mutex that was never initialised, or was overwritten", caller);
        mutex->Count = FM_LOCK_BIT;
    }
    if (lock_is_held(actor, mutex))
        rule_broken("FastMutex", "%s waits for a mutex that this thread holds already: it waits for ever", caller);
    const struct held_lock wanted = {mutex, NULL, LOCK_FAST_MUTEX, old_irql, raises, place};
    if (waits && actor->held_count != 0)
        lock_order_acquire(actor, &wanted);
    if (!waits)
    {
        schedule_point(POINT_ACQUIRE, mutex);
        if (mutex->Count == 0)
        {
            depend(mutex, DEPEND_READ | DEPEND_WAS_TAKEN | DEPEND_IS_TAKEN);
            return false;
        }
    }
    else
        do
            actor_wait(POINT_ACQUIRE, mutex, mutex->Count != 0, ACTOR_NO_DEADLINE);
        while (mutex->Count == 0);
    mutex->Count = 0;
    mutex->OldIrql = old_irql;
    actor_taken(mutex);
    happens_acquire(mutex);
    depend(mutex, DEPEND_TAKE);
    lock_push(actor, wanted);
    if (raises)
        actor->irql = APC_LEVEL;
    return true;
}

static void release_mutex(PFAST_MUTEX mutex, bool lowers, const char *caller)
{
    struct actor *actor = actor_current();
    rule_irql("IrqlKeApcLte1", caller, lowers ? APC_LEVEL : PASSIVE_LEVEL, APC_LEVEL);
    struct held_lock *held = lock_find(actor, mutex);
    if (held == NULL)
    {
        rule_broken("FastMutex", "%s releases a mutex that this thread does not hold", caller);
        return;
    }
    KIRQL old_irql = held->old_irql;
    if (held->raised != lowers)
        rule_broken("FastMutex", "%s releases a mutex that was acquired by another family of functions", caller);
    lock_pop(actor, held);
    mutex->Count = FM_LOCK_BIT;
    if (lowers)
        actor->irql = old_irql;
    happens_release(mutex);
    depend(mutex, DEPEND_GIVE);
    actor_wake(mutex);
    schedule_point(POINT_RELEASE, mutex);
}

VOID FASTCALL ExAcquireFastMutex(PFAST_MUTEX FastMutex)
{
    acquire_mutex(FastMutex, true, true, "ExAcquireFastMutex", CALLER_PLACE);
}

BOOLEAN FASTCALL ExTryToAcquireFastMutex(PFAST_MUTEX FastMutex)
{
    return acquire_mutex(FastMutex, true, false, "ExTryToAcquireFastMutex", CALLER_PLACE);
}

VOID FASTCALL ExReleaseFastMutex(PFAST_MUTEX FastMutex)
{
    release_mutex(FastMutex, true, "ExReleaseFastMutex");
}

VOID FASTCALL ExAcquireFastMutexUnsafe(PFAST_MUTEX FastMutex)
{
    acquire_mutex(FastMutex, false, true, "ExAcquireFastMutexUnsafe", CALLER_PLACE);
}

VOID FASTCALL ExReleaseFastMutexUnsafe(PFAST_MUTEX FastMutex)
{
    release_mutex(FastMutex, false, "ExReleaseFastMutexUnsafe");
}

VOID NTAPI KeInitializeGuardedMutex(PKGUARDED_MUTEX Mutex)
{
    ExInitializeFastMutex(Mutex);
}

VOID NTAPI KeAcquireGuardedMutex(PKGUARDED_MUTEX Mutex)
{
    acquire_mutex(Mutex, false, true, "KeAcquireGuardedMutex", CALLER_PLACE);
}

BOOLEAN NTAPI KeTryToAcquireGuardedMutex(PKGUARDED_MUTEX Mutex)
{
    return acquire_mutex(Mutex, false, false, "KeTryToAcquireGuardedMutex", CALLER_PLACE);
}

VOID NTAPI KeReleaseGuardedMutex(PKGUARDED_MUTEX Mutex)
{
    release_mutex(Mutex, false, "KeReleaseGuardedMutex");
}

const struct export lock_other_exports[] = {
    EXPORT(ExAcquireSpinLockShared),
    EXPORT(ExAcquireSpinLockSharedAtDpcLevel),
    EXPORT(ExReleaseSpinLockShared),
    EXPORT(ExReleaseSpinLockSharedFromDpcLevel),
    EXPORT(ExAcquireSpinLockExclusive),
    EXPORT(ExAcquireSpinLockExclusiveAtDpcLevel),
    EXPORT(ExReleaseSpinLockExclusive),
    EXPORT(ExReleaseSpinLockExclusiveFromDpcLevel),
    EXPORT(ExTryConvertSharedSpinLockExclusive),
    EXPORT(ExAcquireFastMutex),
    EXPORT(ExTryToAcquireFastMutex),
    EXPORT(ExReleaseFastMutex),
    EXPORT(ExAcquireFastMutexUnsafe),
    EXPORT(ExReleaseFastMutexUnsafe),
    EXPORT(KeInitializeGuardedMutex),
    EXPORT(KeAcquireGuardedMutex),
    EXPORT(KeTryToAcquireGuardedMutex),
    EXPORT(KeReleaseGuardedMutex),
    EXPORTS_END,
};
