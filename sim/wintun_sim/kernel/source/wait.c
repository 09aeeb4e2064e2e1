/* Events, semaphores, mutexes, and waiting for them and for time.
 *
 * An actor that waits for one object waits for its address; one that waits for several waits for `several`, is woken by
 * any signal and looks again. Documentation:
 * learn.microsoft.com/windows-hardware/drivers/kernel/introduction-to-kernel-dispatcher-objects.
 */
#include "wait.h"

#include "depend.h"
#include "happens.h"
#include "host.h"

static const char several[1];

void dispatcher_initialize(DISPATCHER_HEADER *header, enum dispatcher_type type, size_t size, LONG state)
{
    header->Lock = 0;
    header->Type = (UCHAR)type;
    header->Size = (UCHAR)(size / sizeof(ULONG));
    header->SignalState = state;
    InitializeListHead(&header->WaitListHead);
}

bool dispatcher_check(const DISPATCHER_HEADER *header, const char *caller)
{
    if (header->WaitListHead.Flink == &header->WaitListHead && header->WaitListHead.Blink == &header->WaitListHead)
        return true;
    rule_broken("DispatcherObject", "%s was given an object that was never initialised, was overwritten or was moved",
                caller);
    return false;
}

/* An object that goes from one state to another; who waits for several asks what is not said here. */
static void depend_on(const DISPATCHER_HEADER *header, unsigned how, LONG before, LONG after)
{
    if (header->Type != DISPATCHER_MUTANT) /* whose owner may take it again */
        how |= (before > 0 ? DEPEND_WAS_FREE : DEPEND_WAS_TAKEN) | (after > 0 ? DEPEND_IS_FREE : DEPEND_IS_TAKEN);
    depend(header, how);
    depend(several, DEPEND_READ);
}

LONG dispatcher_signal(DISPATCHER_HEADER *header, LONG state)
{
    LONG before = header->SignalState;
    header->SignalState = state;
    happens_release(header);
    depend_on(header, DEPEND_WRITE, before, state);
    actor_wake(header);
    actor_wake(several);
    return before;
}

static bool owned_by_current(const DISPATCHER_HEADER *header)
{
    return header->Type == DISPATCHER_MUTANT && ((const KMUTANT *)header)->OwnerThread == (PKTHREAD)actor_current();
}

static bool is_signalled(const DISPATCHER_HEADER *header)
{
    return header->SignalState > 0 || owned_by_current(header);
}

/* What a wait that ends does to the object. */
static void consume(DISPATCHER_HEADER *header)
{
    happens_acquire(header);
    const LONG before = header->SignalState;
    switch (header->Type)
    {
    case DISPATCHER_EVENT_SYNCHRONIZATION:
    case DISPATCHER_TIMER_SYNCHRONIZATION:
        header->SignalState = 0;
        break;
    case DISPATCHER_SEMAPHORE:
        header->SignalState -= 1;
        break;
    case DISPATCHER_MUTANT:
        header->SignalState -= 1;
        ((KMUTANT *)header)->OwnerThread = (PKTHREAD)actor_current();
        break;
    default:
        depend_on(header, DEPEND_READ, before, before);
        return;
    }
    depend_on(header, DEPEND_WRITE, before, header->SignalState);
    if (header->SignalState <= 0)
        actor_taken(header);
}

static const char *purpose_of(const DISPATCHER_HEADER *header)
{
    switch (header->Type)
    {
    case DISPATCHER_MUTANT:
        return "a mutex";
    case DISPATCHER_SEMAPHORE:
        return "a semaphore";
    case DISPATCHER_TIMER_NOTIFICATION:
    case DISPATCHER_TIMER_SYNCHRONIZATION:
        return "a timer";
    case DISPATCHER_THREAD:
        return "a system thread to end";
    default:
        return "an event";
    }
}

/* A wait that may take time is allowed up to APC_LEVEL, a look (timeout 0) up to DISPATCH_LEVEL. */
static uint64_t deadline_of(const LARGE_INTEGER *timeout, const char *caller)
{
    bool looks = timeout != NULL && timeout->QuadPart == 0;
    rule_irql("KeWaitForSingleObject", caller, PASSIVE_LEVEL, looks ? DISPATCH_LEVEL : APC_LEVEL);
    return timeout == NULL ? ACTOR_NO_DEADLINE : clock_moment(timeout->QuadPart);
}

NTSTATUS NTAPI KeWaitForSingleObject(PVOID Object, KWAIT_REASON WaitReason, KPROCESSOR_MODE WaitMode, BOOLEAN Alertable,
                                     PLARGE_INTEGER Timeout)
{
    (void)WaitReason;
    (void)WaitMode;
    (void)Alertable;
    DISPATCHER_HEADER *header = Object;
    uint64_t deadline = deadline_of(Timeout, "KeWaitForSingleObject");
    dispatcher_check(header, "KeWaitForSingleObject");
    do
    {
        if (!actor_wait_for(purpose_of(header), header, is_signalled(header), deadline))
        {
            depend(header, DEPEND_READ);
            return STATUS_TIMEOUT;
        }
    } while (!is_signalled(header));
    consume(header);
    return STATUS_SUCCESS;
}

static bool satisfies(PVOID objects[], ULONG count, WAIT_TYPE type, ULONG *which)
{
    for (ULONG i = 0; i < count; i++)
    {
        bool signalled = is_signalled(objects[i]);
        if (type == WaitAny && signalled)
        {
            *which = i;
            return true;
        }
        if (type == WaitAll && !signalled)
            return false;
    }
    *which = 0;
    return type == WaitAll;
}

NTSTATUS NTAPI KeWaitForMultipleObjects(ULONG Count, PVOID Object[], WAIT_TYPE WaitType, KWAIT_REASON WaitReason,
                                        KPROCESSOR_MODE WaitMode, BOOLEAN Alertable, PLARGE_INTEGER Timeout,
                                        PKWAIT_BLOCK WaitBlockArray)
{
    (void)WaitReason;
    (void)WaitMode;
    (void)Alertable;
    uint64_t deadline = deadline_of(Timeout, "KeWaitForMultipleObjects");
    if (Count == 0 || Count > (WaitBlockArray == NULL ? THREAD_WAIT_OBJECTS : MAXIMUM_WAIT_OBJECTS))
        crash_now("KeWaitForMultipleObjects was given %u objects: bug check 0xC, MAXIMUM_WAIT_OBJECTS_EXCEEDED", Count);
    for (ULONG i = 0; i < Count; i++)
        dispatcher_check(Object[i], "KeWaitForMultipleObjects");
    ULONG which = 0;
    do
    {
        const bool in_time =
            actor_wait_for("one of several objects", several, satisfies(Object, Count, WaitType, &which), deadline);
        for (ULONG i = 0; i < Count; i++)
            depend(Object[i], DEPEND_READ);
        if (!in_time)
            return STATUS_TIMEOUT;
    } while (!satisfies(Object, Count, WaitType, &which));
    for (ULONG i = 0; i < Count; i++)
        if (WaitType == WaitAll || i == which)
            consume(Object[i]);
    return STATUS_WAIT_0 + (NTSTATUS)which;
}

NTSTATUS NTAPI KeDelayExecutionThread(KPROCESSOR_MODE WaitMode, BOOLEAN Alertable, PLARGE_INTEGER Interval)
{
    (void)WaitMode;
    (void)Alertable;
    rule_irql("IrqlKeApcLte1", "KeDelayExecutionThread", PASSIVE_LEVEL, APC_LEVEL);
    actor_wait(POINT_SLEEP, actor_current(), false, clock_moment(Interval->QuadPart));
    return STATUS_SUCCESS;
}

VOID NTAPI KeInitializeEvent(PRKEVENT Event, EVENT_TYPE Type, BOOLEAN State)
{
    enum dispatcher_type type =
        Type == NotificationEvent ? DISPATCHER_EVENT_NOTIFICATION : DISPATCHER_EVENT_SYNCHRONIZATION;
    dispatcher_initialize(&Event->Header, type, sizeof *Event, State != FALSE);
}

LONG NTAPI KeSetEvent(PRKEVENT Event, KPRIORITY Increment, BOOLEAN Wait)
{
    (void)Increment;
    rule_irql("IrqlKeSetEvent", "KeSetEvent", PASSIVE_LEVEL, Wait ? APC_LEVEL : DISPATCH_LEVEL);
    dispatcher_check(&Event->Header, "KeSetEvent");
    LONG before = dispatcher_signal(&Event->Header, 1);
    schedule_point(POINT_SIGNAL, Event);
    return before;
}

static LONG reset(PRKEVENT event, const char *caller)
{
    rule_irql("IrqlKeDispatchLte", caller, PASSIVE_LEVEL, DISPATCH_LEVEL);
    dispatcher_check(&event->Header, caller);
    schedule_point(POINT_SIGNAL, event);
    LONG before = event->Header.SignalState;
    event->Header.SignalState = 0;
    depend_on(&event->Header, DEPEND_WRITE, before, 0);
    if (before != 0) /* who takes a signal back takes it */
        happens_acquire(event);
    actor_taken(event);
    return before;
}

LONG NTAPI KeResetEvent(PRKEVENT Event)
{
    return reset(Event, "KeResetEvent");
}

VOID NTAPI KeClearEvent(PRKEVENT Event)
{
    reset(Event, "KeClearEvent");
}

LONG NTAPI KeReadStateEvent(PRKEVENT Event)
{
    dispatcher_check(&Event->Header, "KeReadStateEvent");
    schedule_point(POINT_SIGNAL, Event);
    depend_on(&Event->Header, DEPEND_READ, Event->Header.SignalState, Event->Header.SignalState);
    return Event->Header.SignalState;
}

VOID NTAPI KeInitializeSemaphore(PRKSEMAPHORE Semaphore, LONG Count, LONG Limit)
{
    dispatcher_initialize(&Semaphore->Header, DISPATCHER_SEMAPHORE, sizeof *Semaphore, Count);
    Semaphore->Limit = Limit;
}

LONG NTAPI KeReleaseSemaphore(PRKSEMAPHORE Semaphore, KPRIORITY Increment, LONG Adjustment, BOOLEAN Wait)
{
    (void)Increment;
    rule_irql("IrqlKeDispatchLte", "KeReleaseSemaphore", PASSIVE_LEVEL, Wait ? APC_LEVEL : DISPATCH_LEVEL);
    dispatcher_check(&Semaphore->Header, "KeReleaseSemaphore");
    LONG before = Semaphore->Header.SignalState;
    if (Adjustment <= 0 || Adjustment > Semaphore->Limit - before)
        crash_now("KeReleaseSemaphore raises STATUS_SEMAPHORE_LIMIT_EXCEEDED: %d + %d is over the limit of %d", before,
                  Adjustment, Semaphore->Limit);
    dispatcher_signal(&Semaphore->Header, before + Adjustment);
    schedule_point(POINT_SIGNAL, Semaphore);
    return before;
}

VOID NTAPI KeInitializeMutex(PRKMUTEX Mutex, ULONG Level)
{
    (void)Level;
    dispatcher_initialize(&Mutex->Header, DISPATCHER_MUTANT, sizeof *Mutex, 1);
    Mutex->OwnerThread = NULL;
    Mutex->Abandoned = FALSE;
    Mutex->ApcDisable = 1;
}

LONG NTAPI KeReleaseMutex(PRKMUTEX Mutex, BOOLEAN Wait)
{
    (void)Wait;
    rule_irql("IrqlKeDispatchLte", "KeReleaseMutex", PASSIVE_LEVEL, DISPATCH_LEVEL);
    dispatcher_check(&Mutex->Header, "KeReleaseMutex");
    if (!owned_by_current(&Mutex->Header))
        crash_now("KeReleaseMutex raises STATUS_MUTANT_NOT_OWNED: another thread holds the mutex, or none does");
    LONG before = Mutex->Header.SignalState;
    if (before == 0)
        Mutex->OwnerThread = NULL;
    if (before == 0)
        dispatcher_signal(&Mutex->Header, 1);
    else
    {
        Mutex->Header.SignalState = before + 1;
        depend(Mutex, DEPEND_WRITE);
    }
    schedule_point(POINT_SIGNAL, Mutex);
    return before;
}

PKTHREAD NTAPI KeGetCurrentThread(VOID)
{
    return (PKTHREAD)actor_current();
}

VOID NTAPI KeEnterCriticalRegion(VOID)
{
    rule_irql("IrqlKeApcLte2", "KeEnterCriticalRegion", PASSIVE_LEVEL, APC_LEVEL);
}

VOID NTAPI KeLeaveCriticalRegion(VOID)
{
    rule_irql("IrqlKeApcLte2", "KeLeaveCriticalRegion", PASSIVE_LEVEL, APC_LEVEL);
}

const struct export wait_exports[] = {
    EXPORT(KeInitializeEvent),
    EXPORT(KeSetEvent),
    EXPORT(KeResetEvent),
    EXPORT(KeClearEvent),
    EXPORT(KeReadStateEvent),
    EXPORT(KeInitializeSemaphore),
    EXPORT(KeReleaseSemaphore),
    EXPORT(KeInitializeMutex),
    EXPORT(KeReleaseMutex),
    EXPORT(KeWaitForSingleObject),
    EXPORT(KeWaitForMultipleObjects),
    EXPORT(KeDelayExecutionThread),
    EXPORT(KeGetCurrentThread),
    EXPORT(KeEnterCriticalRegion),
    EXPORT(KeLeaveCriticalRegion),
    EXPORTS_END,
};
