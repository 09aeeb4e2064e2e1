/* Run-down protection: learn.microsoft.com/windows-hardware/drivers/kernel/run-down-protection.
 *
 * As in Windows, Count is twice the number of holders, plus 1 once the run-down has begun; so a reference filled with
 * zeros is one that was initialised. What a holder did happened before the end of the wait for all holders; one holder
 * is nothing to another, and that one came after the other had left puts them in no order.
 */
#include <ntddk.h>

#include "depend.h"
#include "happens.h"
#include "host.h"

enum
{
    ACTIVE = 1,
    HOLDER = 2
};

#define COUNT_LIMIT ((ULONG_PTR)1 << 40)

/* What holders hand over with their release. */
static const volatile void *for_the_wait(PEX_RUNDOWN_REF reference)
{
    return (const volatile char *)reference + 1;
}

static void check(PEX_RUNDOWN_REF reference, const char *caller)
{
    if (reference->Count < COUNT_LIMIT)
        return;
    rule_broken("RundownProtection", "%s was given a reference that was never initialised, or was overwritten", caller);
    reference->Count = 0;
}

VOID FASTCALL ExInitializeRundownProtection(PEX_RUNDOWN_REF RunRef)
{
    RunRef->Count = 0;
    happens_release(RunRef);
    depend(RunRef, DEPEND_WRITE);
}

VOID FASTCALL ExReInitializeRundownProtection(PEX_RUNDOWN_REF RunRef)
{
    check(RunRef, "ExReInitializeRundownProtection");
    if (RunRef->Count != ACTIVE)
        rule_broken("RundownProtection", "ExReInitializeRundownProtection was called before the run-down had ended");
    schedule_point(POINT_INTERLOCKED, RunRef);
    RunRef->Count = 0;
    happens_release(RunRef);
    depend(RunRef, DEPEND_WRITE);
}

BOOLEAN FASTCALL ExAcquireRundownProtectionEx(PEX_RUNDOWN_REF RunRef, ULONG Count)
{
    rule_irql("IrqlKeDispatchLte", "ExAcquireRundownProtection", PASSIVE_LEVEL, DISPATCH_LEVEL);
    check(RunRef, "ExAcquireRundownProtection");
    schedule_point(POINT_INTERLOCKED, RunRef);
    depend(RunRef, DEPEND_READ);
    if ((RunRef->Count & ACTIVE) != 0)
        return FALSE;
    RunRef->Count += (ULONG_PTR)Count * HOLDER;
    happens_acquire(RunRef);
    return TRUE;
}

BOOLEAN FASTCALL ExAcquireRundownProtection(PEX_RUNDOWN_REF RunRef)
{
    return ExAcquireRundownProtectionEx(RunRef, 1);
}

VOID FASTCALL ExReleaseRundownProtectionEx(PEX_RUNDOWN_REF RunRef, ULONG Count)
{
    rule_irql("IrqlKeDispatchLte", "ExReleaseRundownProtection", PASSIVE_LEVEL, DISPATCH_LEVEL);
    check(RunRef, "ExReleaseRundownProtection");
    if (RunRef->Count / HOLDER < Count)
    {
        rule_broken("RundownProtection", "ExReleaseRundownProtection releases what was not acquired");
        return;
    }
    RunRef->Count -= (ULONG_PTR)Count * HOLDER;
    happens_release(for_the_wait(RunRef));
    depend(RunRef, DEPEND_READ);
    if (RunRef->Count == ACTIVE)
        actor_wake(RunRef);
    schedule_point(POINT_RELEASE, RunRef);
}

VOID FASTCALL ExReleaseRundownProtection(PEX_RUNDOWN_REF RunRef)
{
    ExReleaseRundownProtectionEx(RunRef, 1);
}

VOID FASTCALL ExRundownCompleted(PEX_RUNDOWN_REF RunRef)
{
    check(RunRef, "ExRundownCompleted");
    depend(RunRef, DEPEND_WRITE);
    RunRef->Count = ACTIVE;
}

VOID FASTCALL ExWaitForRundownProtectionRelease(PEX_RUNDOWN_REF RunRef)
{
    rule_irql("RundownProtection", "ExWaitForRundownProtectionRelease", PASSIVE_LEVEL, APC_LEVEL);
    check(RunRef, "ExWaitForRundownProtectionRelease");
    schedule_point(POINT_INTERLOCKED, RunRef);
    RunRef->Count |= ACTIVE;
    depend(RunRef, DEPEND_WRITE);
    while (RunRef->Count != ACTIVE)
        actor_wait_for("the holders of a run-down protection", RunRef, false, ACTOR_NO_DEADLINE);
    depend(RunRef, DEPEND_WRITE);
    happens_acquire(for_the_wait(RunRef));
}

const struct export rundown_exports[] = {
    EXPORT(ExInitializeRundownProtection),
    EXPORT(ExReInitializeRundownProtection),
    EXPORT(ExAcquireRundownProtection),
    EXPORT(ExAcquireRundownProtectionEx),
    EXPORT(ExReleaseRundownProtection),
    EXPORT(ExReleaseRundownProtectionEx),
    EXPORT(ExRundownCompleted),
    EXPORT(ExWaitForRundownProtectionRelease),
    EXPORTS_END,
};
