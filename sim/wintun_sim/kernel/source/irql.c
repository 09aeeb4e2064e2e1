/* The IRQL of the processor that an actor is. Documentation:
 * learn.microsoft.com/windows-hardware/drivers/ddi/wdm/nf-wdm-keraiseirql. */
#include <ntddk.h>

#include "host.h"

KIRQL NTAPI KeGetCurrentIrql(VOID)
{
    const struct actor *actor = actor_current();
    return actor == NULL ? PASSIVE_LEVEL : actor->irql;
}

KIRQL FASTCALL KfRaiseIrql(KIRQL NewIrql)
{
    struct actor *actor = actor_current();
    KIRQL old_irql = actor->irql;
    if (NewIrql < old_irql)
        rule_broken("IrqlKeRaiseLower", "KeRaiseIrql was asked for IRQL %u at IRQL %u, and cannot lower", NewIrql,
                    old_irql);
    actor->irql = NewIrql;
    return old_irql;
}

VOID NTAPI KeLowerIrql(KIRQL NewIrql)
{
    struct actor *actor = actor_current();
    if (NewIrql > actor->irql)
        rule_broken("IrqlKeRaiseLower", "KeLowerIrql was asked for IRQL %u at IRQL %u, and cannot raise", NewIrql,
                    actor->irql);
    if (NewIrql < DISPATCH_LEVEL && lock_spin_count(actor) != 0)
        rule_broken("IrqlKeRaiseLower2", "KeLowerIrql lowers to IRQL %u while a spin lock is held", NewIrql);
    actor->irql = NewIrql;
}

/* What PAGED_CODE() is in an image. */
VOID NTAPI NtHostPagedCode(PCSTR Function)
{
    rule_irql("PagedCode", Function, PASSIVE_LEVEL, APC_LEVEL);
}

const struct export irql_exports[] = {
    EXPORT(NtHostPagedCode), EXPORT(KeGetCurrentIrql), EXPORT(KfRaiseIrql), EXPORT(KeLowerIrql), EXPORTS_END,
};
