/* Spin locks of all families (lock.h), and the functions of KSPIN_LOCK, in-stack queued and cancel spin locks.
 *
 * A lock word says that it was initialised, of which family its first use was, and which actor holds it. Documentation:
 * learn.microsoft.com/windows-hardware/drivers/kernel/spin-locks.
 */
#include "lock.h"

#include <ntddk.h>

#include "depend.h"
#include "happens.h"
#include "host.h"
#include "io_room.h"
#include "lock_order.h"
#include "rule_fast.h"

#define WORD_MAGIC   UINT64_C(0x4b434f4c4e490000) /* the upper 48 bits */
#define WORD_RETIRED UINT64_C(0x4545524652450000)
#define MAGIC_MASK   UINT64_C(0xFFFFFFFFFFFF0000)
#define FAMILY_SHIFT 8
#define FAMILY_MASK  UINT64_C(0xFF00) /* family + 1; 0: never acquired */
#define HOLDER_MASK  UINT64_C(0xFF)   /* index + 1; 0: free */

struct family_rules
{
    const char *acquire; /* used when it should not be */
    const char *release;
    const char *at_dispatch; /* the form that does not raise the IRQL, called below DISPATCH_LEVEL */
    const char *irql;        /* acquired above DISPATCH_LEVEL */
};

static const struct family_rules rules_of[LOCK_FAMILIES] = {
    [LOCK_KE_SPIN] = {"SpinLock", "SpinlockRelease", "SpinLockDpc", "IrqlKeDispatchLte"},
    [LOCK_KE_QUEUED] = {"QueuedSpinLock", "QueuedSpinLockRelease", "QueuedSpinLock", "IrqlKeDispatchLte"},
    [LOCK_NDIS_SPIN] = {"SpinLock", "SpinLockRelease", "SpinLockDpr", "Irql_Synch_Function"},
    [LOCK_CANCEL] = {"CancelSpinLock", "CancelSpinlockRelease", "CancelSpinLock", "IrqlIoDispatch"},
};

void lock_initialize(volatile uint64_t *word)
{
    const struct actor *holder = lock_holder(word);
    if (holder != NULL)
        rule_broken("SpinLock", "a spin lock is initialised while it is held");
    *word = WORD_MAGIC;
    lock_order_begin(word);
    depend(word, DEPEND_WRITE | DEPEND_IS_FREE);
}

struct held_lock *lock_find(struct actor *actor, const volatile void *address)
{
    for (unsigned i = actor->held_count; i-- > 0;)
        if (actor->held[i].address == address)
            return &actor->held[i];
    return NULL;
}

void lock_push(struct actor *actor, struct held_lock held)
{
    if (actor->held_count == ACTOR_HELD_LIMIT)
        crash_now("%d locks are held at once, which is more than this host kernel can follow", ACTOR_HELD_LIMIT);
    actor->held[actor->held_count++] = held;
}

void lock_pop(struct actor *actor, struct held_lock *held)
{
    actor->held_count -= 1;
    for (struct held_lock *end = &actor->held[actor->held_count]; held < end; held++)
        *held = held[1];
}

static bool is_spin(const struct held_lock *held)
{
    return held->family != LOCK_FAST_MUTEX;
}

unsigned lock_spin_count(const struct actor *actor)
{
    unsigned count = 0;
    for (unsigned i = 0; i < actor->held_count; i++)
        count += is_spin(&actor->held[i]);
    return count;
}

bool lock_is_held(const struct actor *actor, const volatile void *address)
{
    for (unsigned i = 0; i < actor->held_count; i++)
        if (actor->held[i].address == address)
            return true;
    return false;
}

struct actor *lock_holder(const volatile void *address)
{
    for (struct actor *actor = actor_next(0); actor != NULL; actor = actor_next(actor->index + 1U))
        if (lock_is_held(actor, address))
            return actor;
    return NULL;
}

/* Makes the lock free again without its holder; fast mutexes too. */
static void free_word(const struct held_lock *held)
{
    void *address = (void *)(uintptr_t)held->address;
    if (held->family <= LOCK_CANCEL)
        *(volatile uint64_t *)address &= ~HOLDER_MASK;
    else if (held->family == LOCK_FAST_MUTEX)
        ((PFAST_MUTEX)address)->Count = FM_LOCK_BIT;
    else if (held->family == LOCK_EX_EXCLUSIVE)
        *(PEX_SPIN_LOCK)address = 0;
    else
        *(PEX_SPIN_LOCK)address -= 1;
}

void lock_drop(struct actor *actor, unsigned count)
{
    while (actor->held_count > count)
    {
        const struct held_lock *last = &actor->held[--actor->held_count];
        free_word(last);
        depend(last->address, DEPEND_GIVE);
        actor_wake(last->address);
        actor_wake((const volatile char *)last->address + 1); /* who waits to share it (lock_other.c) */
    }
}

/* Whether the word can be used at all; one that cannot is reported and made usable, so that the run goes on. */
static void check_word(enum lock_family family, volatile uint64_t *word, const char *caller)
{
    uint64_t magic = *word & MAGIC_MASK;
    const char *rule = rules_of[family].acquire;
    if (magic == WORD_RETIRED)
        rule_broken(rule, "%s was given a spin lock that NdisFreeSpinLock had freed", caller);
    else if (magic != WORD_MAGIC)
        rule_broken(rule, "%s was given a spin lock that was never initialised, or was overwritten", caller);
    if (magic != WORD_MAGIC)
        *word = WORD_MAGIC;
    uint64_t used = (*word & FAMILY_MASK) >> FAMILY_SHIFT;
    if (used != 0 && used != (uint64_t)family + 1)
        rule_broken(rule, "%s is used for a spin lock that was acquired as a %s before: one lock, one family", caller,
                    lock_family_name((enum lock_family)(used - 1)));
}

static bool is_free(const volatile uint64_t *word)
{
    return (*word & HOLDER_MASK) == 0;
}

static void take(struct actor *actor, enum lock_family family, volatile uint64_t *word, struct held_lock held)
{
    *word = WORD_MAGIC | ((uint64_t)family + 1) << FAMILY_SHIFT | (actor->index + 1U);
    actor_taken(word);
    happens_acquire(word);
    depend(word, DEPEND_TAKE);
    lock_push(actor, held);
}

uint8_t lock_acquire(enum lock_family family, volatile uint64_t *word, const volatile void *handle, bool raises,
                     const char *caller, const void *place)
{
    struct actor *actor = actor_current();
    uint8_t old_irql = actor->irql;
    if (raises)
        check_at_most_dispatch(rules_of[family].irql, caller);
    else
        rule_irql(rules_of[family].at_dispatch, caller, DISPATCH_LEVEL, HIGH_LEVEL);
    check_word(family, word, caller);
    if (lock_is_held(actor, word))
        rule_broken(rules_of[family].acquire,
                    "%s waits for a lock that this processor holds already: it waits for ever", caller);
    if (raises && actor->irql < DISPATCH_LEVEL)
        actor->irql = DISPATCH_LEVEL;
    const struct held_lock wanted = {word, handle, (uint8_t)family, old_irql, raises, place};
    if (actor->held_count != 0)
        lock_order_acquire(actor, &wanted);
    do
        actor_wait(POINT_ACQUIRE, word, is_free(word), ACTOR_NO_DEADLINE);
    while (!is_free(word));
    take(actor, family, word, wanted);
    return old_irql;
}

bool lock_try(enum lock_family family, volatile uint64_t *word, const char *caller, const void *place)
{
    struct actor *actor = actor_current();
    rule_irql(rules_of[family].at_dispatch, caller, DISPATCH_LEVEL, HIGH_LEVEL);
    check_word(family, word, caller);
    schedule_point(POINT_ACQUIRE, word);
    if (!is_free(word))
    {
        depend(word, DEPEND_READ | DEPEND_WAS_TAKEN | DEPEND_IS_TAKEN);
        return false;
    }
    take(actor, family, word, (struct held_lock){word, NULL, (uint8_t)family, actor->irql, false, place});
    return true;
}

/* Locks may be released in another order than that of their acquisition, with their IRQLs exchanged; what counts is
 * that the last one restores the first one's.
 */
static void check_irql(struct actor *actor, struct held_lock *held, uint8_t irql, const char *caller)
{
    if (held->old_irql == irql)
        return;
    for (unsigned i = 0; i < actor->held_count; i++)
        if (actor->held[i].raised && actor->held[i].old_irql == irql)
        {
            actor->held[i].old_irql = held->old_irql;
            return;
        }
    rule_broken("IrqlKeRaiseLower2", "%s restores IRQL %u, but the lock was acquired at IRQL %u", caller, irql,
                held->old_irql);
}

void lock_release(enum lock_family family, volatile uint64_t *word, const volatile void *handle, bool lowers,
                  uint8_t irql, const char *caller)
{
    struct actor *actor = actor_current();
    const char *rule = rules_of[family].release;
    if (actor->irql != DISPATCH_LEVEL)
        rule_irql(family == LOCK_NDIS_SPIN ? "Irql_Synch_Function" : "IrqlKeReleaseSpinLock", caller, DISPATCH_LEVEL,
                  lowers ? DISPATCH_LEVEL : HIGH_LEVEL);
    struct held_lock *held = lock_find(actor, word);
    if (held == NULL)
    {
        rule_broken(rule, "%s releases a lock that %s", caller,
                    lock_holder(word) != NULL ? "another processor holds" : "nobody holds");
        if (lowers)
            actor->irql = irql;
        return;
    }
    if (held->family != family)
        rule_broken(rule, "%s releases a lock that was acquired as a %s", caller,
                    lock_family_name((enum lock_family)held->family));
    if (held->handle != handle)
        rule_broken(rule, "%s was given another lock queue handle than the acquire", caller);
    if (held->raised != lowers)
        rule_broken(rule, "%s %s the IRQL, but the acquire did%s raise it", caller,
                    lowers ? "lowers" : "does not lower", held->raised ? "" : " not");
    if (lowers)
        check_irql(actor, held, irql, caller);
    if (actor->request != NULL)
        request_published(actor->request);
    lock_pop(actor, held);
    if (lowers)
        actor->irql = irql;
    if (actor->irql < DISPATCH_LEVEL && actor->held_count != 0 && lock_spin_count(actor) != 0)
        rule_broken("IrqlKeReleaseSpinLock", "%s lowers the IRQL to %u while another spin lock is held", caller,
                    actor->irql);
    *word &= ~HOLDER_MASK;
    happens_release(word);
    depend(word, DEPEND_GIVE);
    actor_wake(word);
    schedule_point(POINT_RELEASE, word);
}

void lock_retire(volatile uint64_t *word, const char *caller)
{
    if (lock_holder(word) != NULL)
        rule_broken("SpinLock", "%s frees a spin lock that is held", caller);
    depend(word, DEPEND_WRITE);
    *word = WORD_RETIRED;
}

/* KSPIN_LOCK is an ULONG_PTR: the word itself. */
static volatile uint64_t *word_of(PKSPIN_LOCK lock)
{
    return (volatile uint64_t *)(volatile void *)lock;
}

VOID NTAPI KeInitializeSpinLock(PKSPIN_LOCK SpinLock)
{
    lock_initialize(word_of(SpinLock));
}

KIRQL FASTCALL KeAcquireSpinLockRaiseToDpc(PKSPIN_LOCK SpinLock)
{
    return lock_acquire(LOCK_KE_SPIN, word_of(SpinLock), NULL, true, "KeAcquireSpinLock", CALLER_PLACE);
}

VOID NTAPI KeReleaseSpinLock(PKSPIN_LOCK SpinLock, KIRQL NewIrql)
{
    lock_release(LOCK_KE_SPIN, word_of(SpinLock), NULL, true, NewIrql, "KeReleaseSpinLock");
}

VOID NTAPI KeAcquireSpinLockAtDpcLevel(PKSPIN_LOCK SpinLock)
{
    lock_acquire(LOCK_KE_SPIN, word_of(SpinLock), NULL, false, "KeAcquireSpinLockAtDpcLevel", CALLER_PLACE);
}

VOID NTAPI KeReleaseSpinLockFromDpcLevel(PKSPIN_LOCK SpinLock)
{
    lock_release(LOCK_KE_SPIN, word_of(SpinLock), NULL, false, 0, "KeReleaseSpinLockFromDpcLevel");
}

BOOLEAN FASTCALL KeTryToAcquireSpinLockAtDpcLevel(PKSPIN_LOCK SpinLock)
{
    return lock_try(LOCK_KE_SPIN, word_of(SpinLock), "KeTryToAcquireSpinLockAtDpcLevel", CALLER_PLACE);
}

BOOLEAN FASTCALL KeTestSpinLock(PKSPIN_LOCK SpinLock)
{
    check_word(LOCK_KE_SPIN, word_of(SpinLock), "KeTestSpinLock");
    schedule_point(POINT_ACQUIRE, SpinLock);
    depend(SpinLock,
           is_free(word_of(SpinLock)) ? DEPEND_WAS_FREE | DEPEND_IS_FREE : DEPEND_WAS_TAKEN | DEPEND_IS_TAKEN);
    return is_free(word_of(SpinLock));
}

static void fill_handle(PKLOCK_QUEUE_HANDLE handle, PKSPIN_LOCK lock, KIRQL old_irql)
{
    handle->LockQueue.Next = NULL;
    handle->LockQueue.Lock = lock;
    handle->OldIrql = old_irql;
}

VOID FASTCALL KeAcquireInStackQueuedSpinLock(PKSPIN_LOCK SpinLock, PKLOCK_QUEUE_HANDLE LockHandle)
{
    KIRQL old_irql = lock_acquire(LOCK_KE_QUEUED, word_of(SpinLock), LockHandle, true, "KeAcquireInStackQueuedSpinLock",
                                  CALLER_PLACE);
    fill_handle(LockHandle, SpinLock, old_irql);
}

VOID FASTCALL KeAcquireInStackQueuedSpinLockAtDpcLevel(PKSPIN_LOCK SpinLock, PKLOCK_QUEUE_HANDLE LockHandle)
{
    KIRQL old_irql = lock_acquire(LOCK_KE_QUEUED, word_of(SpinLock), LockHandle, false,
                                  "KeAcquireInStackQueuedSpinLockAtDpcLevel", CALLER_PLACE);
    fill_handle(LockHandle, SpinLock, old_irql);
}

/* The lock that a handle was filled for: from what this actor holds, since the handle may be overwritten. */
static void release_queued(PKLOCK_QUEUE_HANDLE handle, bool lowers, const char *caller)
{
    struct actor *actor = actor_current();
    for (unsigned i = actor->held_count; i-- > 0;)
        if (actor->held[i].family == LOCK_KE_QUEUED && actor->held[i].handle == handle)
        {
            volatile uint64_t *word = (volatile uint64_t *)(uintptr_t)actor->held[i].address;
            lock_release(LOCK_KE_QUEUED, word, handle, lowers, handle->OldIrql, caller);
            return;
        }
    rule_broken("QueuedSpinLockRelease", "%s was given a lock queue handle that holds nothing", caller);
}

VOID FASTCALL KeReleaseInStackQueuedSpinLock(PKLOCK_QUEUE_HANDLE LockHandle)
{
    release_queued(LockHandle, true, "KeReleaseInStackQueuedSpinLock");
}

VOID FASTCALL KeReleaseInStackQueuedSpinLockFromDpcLevel(PKLOCK_QUEUE_HANDLE LockHandle)
{
    release_queued(LockHandle, false, "KeReleaseInStackQueuedSpinLockFromDpcLevel");
}

static volatile uint64_t *cancel_word(void)
{
    volatile uint64_t *word = &current_host->locks.cancel;
    if (*word == 0)
        lock_initialize(word);
    return word;
}

VOID NTAPI IoAcquireCancelSpinLock(PKIRQL Irql)
{
    *Irql = lock_acquire(LOCK_CANCEL, cancel_word(), NULL, true, "IoAcquireCancelSpinLock", CALLER_PLACE);
}

VOID NTAPI IoReleaseCancelSpinLock(KIRQL Irql)
{
    lock_release(LOCK_CANCEL, cancel_word(), NULL, true, Irql, "IoReleaseCancelSpinLock");
}

const struct export lock_exports[] = {
    EXPORT(KeInitializeSpinLock),
    EXPORT(KeAcquireSpinLockRaiseToDpc),
    EXPORT(KeReleaseSpinLock),
    EXPORT(KeAcquireSpinLockAtDpcLevel),
    EXPORT(KeReleaseSpinLockFromDpcLevel),
    EXPORT(KeTryToAcquireSpinLockAtDpcLevel),
    EXPORT(KeTestSpinLock),
    EXPORT(KeAcquireInStackQueuedSpinLock),
    EXPORT(KeAcquireInStackQueuedSpinLockAtDpcLevel),
    EXPORT(KeReleaseInStackQueuedSpinLock),
    EXPORT(KeReleaseInStackQueuedSpinLockFromDpcLevel),
    EXPORT(IoAcquireCancelSpinLock),
    EXPORT(IoReleaseCancelSpinLock),
    EXPORTS_END,
};
