/* Cancel-safe IRP queues: the driver keeps the list and the lock, the library keeps cancellation right
 * (learn.microsoft.com/windows-hardware/drivers/kernel/cancel-safe-irp-queues).
 *
 * What an IRP in a queue belongs to is in its DriverContext[3]: the queue, or the IO_CSQ_IRP_CONTEXT that the driver
 * gave, from which Type tells them apart. An IRP whose cancel routine somebody has taken away already is that
 * somebody's: RemoveNextIrp goes on to the next, RemoveIrp gives NULL.
 *
 * What Microsoft leaves open is settled so that no driver can rely on it: the IRP is marked pending after a successful
 * insertion and not before, and an IRP that was cancelled before is completed through CsqCompleteCanceledIrp after the
 * driver's lock was released.
 */
#include "io_room.h"
#include "rule_fast.h"

static const char CALLBACK_IRQL[] = "%s returned at another IRQL than it was called at";

static uint8_t current_irql(void)
{
    return actor_current()->irql;
}

static void check_irql(const char *callback, uint8_t before)
{
    if (current_irql() != before)
        rule_broken("IrqlReturn", CALLBACK_IRQL, callback);
}

static KIRQL lock_queue(PIO_CSQ csq)
{
    KIRQL irql = 0;
    csq->CsqAcquireLock(csq, &irql);
    return irql;
}

static void unlock_queue(PIO_CSQ csq, KIRQL irql)
{
    csq->CsqReleaseLock(csq, irql);
}

static NTSTATUS insert(PIO_CSQ csq, PIRP irp, PVOID insert_context)
{
    const uint8_t before = current_irql();
    NTSTATUS status = STATUS_SUCCESS;
    if (csq->Type == IO_TYPE_CSQ_EX)
        status = ((PIO_CSQ_INSERT_IRP_EX)(void (*)(void))csq->CsqInsertIrp)(csq, irp, insert_context);
    else
        csq->CsqInsertIrp(csq, irp);
    check_irql("CsqInsertIrp", before);
    return status;
}

static void remove_irp(PIO_CSQ csq, PIRP irp)
{
    const uint8_t before = current_irql();
    csq->CsqRemoveIrp(csq, irp);
    check_irql("CsqRemoveIrp", before);
}

static PIRP peek(PIO_CSQ csq, PIRP irp, PVOID peek_context)
{
    const uint8_t before = current_irql();
    PIRP next = csq->CsqPeekNextIrp(csq, irp, peek_context);
    check_irql("CsqPeekNextIrp", before);
    return next;
}

/* Unties an IRP from its queue: neither its context nor the IRP say any more that it is in there. */
static void untie(PIO_CSQ csq, PIRP irp)
{
    void *tie = irp->Tail.Overlay.DriverContext[3];
    if (tie != csq)
    {
        const PIO_CSQ_IRP_CONTEXT context = tie;
        if (context == NULL || context->Type != IO_TYPE_CSQ_IRP_CONTEXT || context->Csq != csq)
            rule_broken("CsqDriverContext", "DriverContext[3] of an IRP in a cancel-safe queue was changed; it is the "
                                            "queue's own");
        else
            context->Irp = NULL;
    }
    irp->Tail.Overlay.DriverContext[3] = NULL;
}

/* The cancel routine of every IRP in a queue. Called with the cancel spin lock held, which it releases. */
static VOID NTAPI csq_cancel(PDEVICE_OBJECT device, PIRP irp)
{
    (void)device;
    IoReleaseCancelSpinLock(irp->CancelIrql);
    void *tie = irp->Tail.Overlay.DriverContext[3];
    PIO_CSQ csq = tie;
    if (csq != NULL && csq->Type == IO_TYPE_CSQ_IRP_CONTEXT)
        csq = ((PIO_CSQ_IRP_CONTEXT)tie)->Csq;
    if (csq == NULL || (csq->Type != IO_TYPE_CSQ && csq->Type != IO_TYPE_CSQ_EX))
    {
        rule_broken("CsqDriverContext",
                    "DriverContext[3] of an IRP in a cancel-safe queue was changed; it is the queue's own");
        return;
    }
    const KIRQL irql = lock_queue(csq);
    remove_irp(csq, irp);
    untie(csq, irp);
    unlock_queue(csq, irql);
    csq->CsqCompleteCanceledIrp(csq, irp);
}

static NTSTATUS initialize(PIO_CSQ csq, ULONG type, PIO_CSQ_INSERT_IRP insert_irp, PIO_CSQ_REMOVE_IRP remove_callback,
                           PIO_CSQ_PEEK_NEXT_IRP peek_next, PIO_CSQ_ACQUIRE_LOCK acquire, PIO_CSQ_RELEASE_LOCK release,
                           PIO_CSQ_COMPLETE_CANCELED_IRP complete)
{
    csq->Type = type;
    csq->CsqInsertIrp = insert_irp;
    csq->CsqRemoveIrp = remove_callback;
    csq->CsqPeekNextIrp = peek_next;
    csq->CsqAcquireLock = acquire;
    csq->CsqReleaseLock = release;
    csq->CsqCompleteCanceledIrp = complete;
    csq->ReservePointer = NULL;
    return STATUS_SUCCESS;
}

/* Any IRQL. */
NTSTATUS NTAPI IoCsqInitialize(PIO_CSQ Csq, PIO_CSQ_INSERT_IRP CsqInsertIrp, PIO_CSQ_REMOVE_IRP CsqRemoveIrp,
                               PIO_CSQ_PEEK_NEXT_IRP CsqPeekNextIrp, PIO_CSQ_ACQUIRE_LOCK CsqAcquireLock,
                               PIO_CSQ_RELEASE_LOCK CsqReleaseLock,
                               PIO_CSQ_COMPLETE_CANCELED_IRP CsqCompleteCanceledIrp)
{
    return initialize(Csq, IO_TYPE_CSQ, CsqInsertIrp, CsqRemoveIrp, CsqPeekNextIrp, CsqAcquireLock, CsqReleaseLock,
                      CsqCompleteCanceledIrp);
}

/* Any IRQL. */
NTSTATUS NTAPI IoCsqInitializeEx(PIO_CSQ Csq, PIO_CSQ_INSERT_IRP_EX CsqInsertIrp, PIO_CSQ_REMOVE_IRP CsqRemoveIrp,
                                 PIO_CSQ_PEEK_NEXT_IRP CsqPeekNextIrp, PIO_CSQ_ACQUIRE_LOCK CsqAcquireLock,
                                 PIO_CSQ_RELEASE_LOCK CsqReleaseLock,
                                 PIO_CSQ_COMPLETE_CANCELED_IRP CsqCompleteCanceledIrp)
{
    return initialize(Csq, IO_TYPE_CSQ_EX, (PIO_CSQ_INSERT_IRP)(void (*)(void))CsqInsertIrp, CsqRemoveIrp,
                      CsqPeekNextIrp, CsqAcquireLock, CsqReleaseLock, CsqCompleteCanceledIrp);
}

/* IRQL <= DISPATCH_LEVEL. What CsqInsertIrpEx returned; on failure the IRP is not queued and still the driver's. */
NTSTATUS NTAPI IoCsqInsertIrpEx(PIO_CSQ Csq, PIRP Irp, PIO_CSQ_IRP_CONTEXT Context, PVOID InsertContext)
{
    check_at_most_dispatch("IrqlIoDispatch", "IoCsqInsertIrpEx");
    if (Context != NULL)
    {
        Context->Type = IO_TYPE_CSQ_IRP_CONTEXT;
        Context->Irp = Irp;
        Context->Csq = Csq;
        Irp->Tail.Overlay.DriverContext[3] = Context;
    }
    else
        Irp->Tail.Overlay.DriverContext[3] = Csq;
    const KIRQL irql = lock_queue(Csq);
    const NTSTATUS status = insert(Csq, Irp, InsertContext);
    if (!NT_SUCCESS(status))
    {
        untie(Csq, Irp);
        unlock_queue(Csq, irql);
        return status;
    }
    IoMarkIrpPending(Irp);
    if (irp_exchange_cancel(Irp, csq_cancel) != NULL)
        rule_broken("IrpCancelField", "an IRP with a cancel routine of its own was inserted into a cancel-safe queue");
    schedule_point(POINT_INTERLOCKED, Irp); /* IoCancelIrp may look for the cancel routine here */
    if (Irp->Cancel && irp_exchange_cancel(Irp, NULL) != NULL)
    {
        remove_irp(Csq, Irp);
        untie(Csq, Irp);
        unlock_queue(Csq, irql);
        Csq->CsqCompleteCanceledIrp(Csq, Irp);
        return status;
    }
    unlock_queue(Csq, irql);
    return status;
}

/* IRQL <= DISPATCH_LEVEL. */
VOID NTAPI IoCsqInsertIrp(PIO_CSQ Csq, PIRP Irp, PIO_CSQ_IRP_CONTEXT Context)
{
    (void)IoCsqInsertIrpEx(Csq, Irp, Context, NULL);
}

/* IRQL <= DISPATCH_LEVEL. The next IRP that `PeekContext` selects and that nobody is cancelling, NULL if there is none.
 */
PIRP NTAPI IoCsqRemoveNextIrp(PIO_CSQ Csq, PVOID PeekContext)
{
    check_at_most_dispatch("IrqlIoDispatch", "IoCsqRemoveNextIrp");
    const KIRQL irql = lock_queue(Csq);
    PIRP irp = peek(Csq, NULL, PeekContext);
    while (irp != NULL && irp_exchange_cancel(irp, NULL) == NULL)
        irp = peek(Csq, irp, PeekContext);
    if (irp != NULL)
    {
        remove_irp(Csq, irp);
        untie(Csq, irp);
    }
    unlock_queue(Csq, irql);
    return irp;
}

/* IRQL <= DISPATCH_LEVEL. The IRP that was inserted with `Context`, NULL when it is out of the queue or on its way. */
PIRP NTAPI IoCsqRemoveIrp(PIO_CSQ Csq, PIO_CSQ_IRP_CONTEXT Context)
{
    check_at_most_dispatch("IrqlIoDispatch", "IoCsqRemoveIrp");
    const KIRQL irql = lock_queue(Csq);
    PIRP irp = Context->Irp;
    if (irp != NULL && irp_exchange_cancel(irp, NULL) == NULL)
        irp = NULL;
    if (irp != NULL)
    {
        remove_irp(Csq, irp);
        untie(Csq, irp);
    }
    unlock_queue(Csq, irql);
    return irp;
}
