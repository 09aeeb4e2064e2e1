/* Remove locks: learn.microsoft.com/windows-hardware/drivers/kernel/using-remove-locks.
 *
 * IoCount counts the initialisation and every acquire; who acquired with which tag is kept aside, so that a release
 * with another tag, or without an acquire, is found at the call.
 */
#include <ntddk.h>

#include "depend.h"
#include "happens.h"
#include "host.h"

struct remove_lock_holder
{
    struct remove_lock_holder *next;
    const IO_REMOVE_LOCK *lock;
    const void *tag;
};

enum
{
    COUNT_LIMIT = 1 << 24
};

/* What holders hand over with their release, to whoever waits for all of them. */
static const volatile void *for_the_wait(const IO_REMOVE_LOCK *lock)
{
    return (const volatile char *)lock + 1;
}

static bool usable(const IO_REMOVE_LOCK *lock, const char *caller)
{
    if (lock->Common.IoCount >= 0 && lock->Common.IoCount < COUNT_LIMIT)
        return true;
    rule_broken("RemoveLockRelease2", "%s was given a remove lock that was never initialised, or was overwritten",
                caller);
    return false;
}

static void forget_all(const IO_REMOVE_LOCK *lock)
{
    struct remove_lock_holder **place = &current_host->locks.remove_locks;
    while (*place != NULL)
    {
        struct remove_lock_holder *holder = *place;
        if (holder->lock != lock)
        {
            place = &holder->next;
            continue;
        }
        *place = holder->next;
        arena_free(BLOCK_HOST, holder, 0, "IoInitializeRemoveLock");
    }
}

/* Forgets one acquire with this tag; returns whether there was one. */
static bool forget(const IO_REMOVE_LOCK *lock, const void *tag, const char *caller)
{
    for (struct remove_lock_holder **place = &current_host->locks.remove_locks; *place != NULL; place = &(*place)->next)
    {
        struct remove_lock_holder *holder = *place;
        if (holder->lock != lock || holder->tag != tag)
            continue;
        *place = holder->next;
        arena_free(BLOCK_HOST, holder, 0, caller);
        return true;
    }
    return false;
}

bool remove_lock_is_held(const void *tag)
{
    const struct remove_lock_holder *holder = current_host->locks.remove_locks;
    while (holder != NULL && holder->tag != tag)
        holder = holder->next;
    return holder != NULL;
}

VOID NTAPI IoInitializeRemoveLockEx(PIO_REMOVE_LOCK Lock, ULONG AllocateTag, ULONG MaxLockedMinutes,
                                    ULONG HighWatermark, ULONG RemlockSize)
{
    (void)AllocateTag;
    (void)MaxLockedMinutes;
    (void)HighWatermark;
    (void)RemlockSize;
    rule_irql("IrqlIoPassive1", "IoInitializeRemoveLock", PASSIVE_LEVEL, PASSIVE_LEVEL);
    forget_all(Lock);
    Lock->Common.Removed = FALSE;
    Lock->Common.IoCount = 1;
    KeInitializeEvent(&Lock->Common.RemoveEvent, SynchronizationEvent, FALSE);
    happens_release(Lock);
    depend(Lock, DEPEND_WRITE);
}

NTSTATUS NTAPI IoAcquireRemoveLockEx(PIO_REMOVE_LOCK RemoveLock, PVOID Tag, PCSTR File, ULONG Line, ULONG RemlockSize)
{
    (void)File;
    (void)Line;
    (void)RemlockSize;
    rule_irql("IrqlIoDispatch", "IoAcquireRemoveLock", PASSIVE_LEVEL, DISPATCH_LEVEL);
    if (!usable(RemoveLock, "IoAcquireRemoveLock"))
        return STATUS_DELETE_PENDING;
    schedule_point(POINT_INTERLOCKED, RemoveLock);
    depend(RemoveLock, DEPEND_READ);
    if (RemoveLock->Common.Removed)
        return STATUS_DELETE_PENDING;
    struct remove_lock_holder *holder = arena_allocate(BLOCK_HOST, sizeof *holder, 0, "IoAcquireRemoveLock");
    if (holder == NULL)
        crash_now("the host kernel has no memory left to follow remove locks");
    *holder = (struct remove_lock_holder){current_host->locks.remove_locks, RemoveLock, Tag};
    current_host->locks.remove_locks = holder;
    RemoveLock->Common.IoCount += 1;
    happens_acquire(RemoveLock);
    return STATUS_SUCCESS;
}

static bool release(PIO_REMOVE_LOCK lock, PVOID tag, const char *caller)
{
    if (!usable(lock, caller))
        return false;
    if (!forget(lock, tag, caller))
    {
        rule_broken("RemoveLockRelease2", "%s releases a remove lock that was not acquired with this tag", caller);
        return false;
    }
    lock->Common.IoCount -= 1;
    happens_release(for_the_wait(lock));
    depend(lock, DEPEND_READ);
    if (lock->Common.IoCount == 0)
        actor_wake(lock);
    return true;
}

VOID NTAPI IoReleaseRemoveLockEx(PIO_REMOVE_LOCK RemoveLock, PVOID Tag, ULONG RemlockSize)
{
    (void)RemlockSize;
    rule_irql("IrqlIoDispatch", "IoReleaseRemoveLock", PASSIVE_LEVEL, DISPATCH_LEVEL);
    release(RemoveLock, Tag, "IoReleaseRemoveLock");
    schedule_point(POINT_RELEASE, RemoveLock);
}

VOID NTAPI IoReleaseRemoveLockAndWaitEx(PIO_REMOVE_LOCK RemoveLock, PVOID Tag, ULONG RemlockSize)
{
    (void)RemlockSize;
    rule_irql("IrqlIoPassive1", "IoReleaseRemoveLockAndWait", PASSIVE_LEVEL, PASSIVE_LEVEL);
    if (RemoveLock->Common.Removed == TRUE)
        rule_broken("MultRemoveLock", "IoReleaseRemoveLockAndWait is called a second time for this remove lock");
    schedule_point(POINT_INTERLOCKED, RemoveLock);
    RemoveLock->Common.Removed = TRUE;
    depend(RemoveLock, DEPEND_WRITE);
    if (!release(RemoveLock, Tag, "IoReleaseRemoveLockAndWait"))
        return;
    RemoveLock->Common.IoCount -= 1; /* the initialisation's */
    while (RemoveLock->Common.IoCount > 0)
        actor_wait_for("the holders of a remove lock", RemoveLock, false, ACTOR_NO_DEADLINE);
    depend(RemoveLock, DEPEND_WRITE);
    happens_acquire(for_the_wait(RemoveLock));
}

const struct export remove_lock_exports[] = {
    EXPORT(IoInitializeRemoveLockEx),
    EXPORT(IoAcquireRemoveLockEx),
    EXPORT(IoReleaseRemoveLockEx),
    EXPORT(IoReleaseRemoveLockAndWaitEx),
    EXPORTS_END,
};
