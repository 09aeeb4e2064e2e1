/* SPDX-License-Identifier: MIT
 *
 * The reads that wait for packets, in a cancel-safe queue (learn.microsoft.com/windows-hardware/drivers/kernel/
 * cancel-safe-irp-queues): a read is completed by whoever gets it out of there, and only one can.
 *
 * That a queue is closed, or a handle cleaned up, is decided under the same lock as each insertion. So a read is either
 * in the queue when the one who closes it looks, or finds it closed.
 */
#include "read_queue.h"
#include "irp.h"

/* FILE_OBJECT.FsContext of a handle that was cleaned up; NULL before. Guarded by ReadQueue.Lock. */
#define TUN_CLEANED_UP ((VOID *)(ULONG_PTR)1)

/* What an insertion tells TunCsqInsertIrpEx, and hears from it. */
typedef struct _TUN_INSERTION
{
    TUN_READ_QUEUE_END End;
    BOOLEAN Refused;
} TUN_INSERTION;

_IRQL_requires_max_(DISPATCH_LEVEL)
static TUN_ADAPTER *TunAdapterOfCsq(_In_ IO_CSQ *Csq)
{
    return CONTAINING_RECORD(Csq, TUN_ADAPTER, ReadQueue.Csq);
}

static IO_CSQ_INSERT_IRP_EX TunCsqInsertIrpEx;
_Use_decl_annotations_
static NTSTATUS TunCsqInsertIrpEx(IO_CSQ *Csq, PIRP Irp, PVOID InsertContext)
{
    TUN_READ_QUEUE *Queue = &TunAdapterOfCsq(Csq)->ReadQueue;
    TUN_INSERTION *Insertion = (TUN_INSERTION *)InsertContext;

    Insertion->Refused = Queue->Closed || IoGetCurrentIrpStackLocation(Irp)->FileObject->FsContext == TUN_CLEANED_UP;
    if (Insertion->Refused)
        return STATUS_CANCELLED;
    if (Insertion->End == TunReadQueueHead)
        InsertHeadList(&Queue->List, &Irp->Tail.Overlay.ListEntry);
    else
        InsertTailList(&Queue->List, &Irp->Tail.Overlay.ListEntry);
    return STATUS_SUCCESS;
}

static IO_CSQ_REMOVE_IRP TunCsqRemoveIrp;
_Use_decl_annotations_
static VOID TunCsqRemoveIrp(PIO_CSQ Csq, PIRP Irp)
{
    UNREFERENCED_PARAMETER(Csq);

    RemoveEntryList(&Irp->Tail.Overlay.ListEntry);
}

static IO_CSQ_PEEK_NEXT_IRP TunCsqPeekNextIrp;
_Use_decl_annotations_
static PIRP TunCsqPeekNextIrp(PIO_CSQ Csq, PIRP Irp, PVOID PeekContext)
{
    LIST_ENTRY *List = &TunAdapterOfCsq(Csq)->ReadQueue.List;
    const FILE_OBJECT *FileObject = (const FILE_OBJECT *)PeekContext;

    for (LIST_ENTRY *Entry = Irp == NULL ? List->Flink : Irp->Tail.Overlay.ListEntry.Flink; Entry != List;
         Entry = Entry->Flink)
    {
        IRP *Next = CONTAINING_RECORD(Entry, IRP, Tail.Overlay.ListEntry);

        if (FileObject == NULL || IoGetCurrentIrpStackLocation(Next)->FileObject == FileObject)
            return Next;
    }
    return NULL;
}

_IRQL_raises_(DISPATCH_LEVEL)
_IRQL_requires_max_(DISPATCH_LEVEL)
_Acquires_lock_(CONTAINING_RECORD(Csq, TUN_ADAPTER, ReadQueue.Csq)->ReadQueue.Lock)
static IO_CSQ_ACQUIRE_LOCK TunCsqAcquireLock;
_Use_decl_annotations_
static VOID TunCsqAcquireLock(PIO_CSQ Csq, PKIRQL Irql)
{
    KeAcquireSpinLock(&TunAdapterOfCsq(Csq)->ReadQueue.Lock, Irql);
}

_IRQL_requires_(DISPATCH_LEVEL)
_Releases_lock_(CONTAINING_RECORD(Csq, TUN_ADAPTER, ReadQueue.Csq)->ReadQueue.Lock)
static IO_CSQ_RELEASE_LOCK TunCsqReleaseLock;
_Use_decl_annotations_
static VOID TunCsqReleaseLock(PIO_CSQ Csq, KIRQL Irql)
{
    KeReleaseSpinLock(&TunAdapterOfCsq(Csq)->ReadQueue.Lock, Irql);
}

/* The adapter may be gone when this returns, and with it Csq: the read's hold of the rundown was perhaps the last. */
static IO_CSQ_COMPLETE_CANCELED_IRP TunCsqCompleteCanceledIrp;
_Use_decl_annotations_
static VOID TunCsqCompleteCanceledIrp(PIO_CSQ Csq, PIRP Irp)
{
    TunReadComplete(TunAdapterOfCsq(Csq), Irp, STATUS_CANCELLED, 0);
}

_Use_decl_annotations_
VOID TunReadQueueInitialize(TUN_ADAPTER *Adapter)
{
    TUN_READ_QUEUE *Queue = &Adapter->ReadQueue;

    KeInitializeSpinLock(&Queue->Lock);
    InitializeListHead(&Queue->List);
    Queue->Closed = FALSE;
    /* Cannot fail: it stores what it is given. */
    (VOID) IoCsqInitializeEx(&Queue->Csq, TunCsqInsertIrpEx, TunCsqRemoveIrp, TunCsqPeekNextIrp, TunCsqAcquireLock,
                             TunCsqReleaseLock, TunCsqCompleteCanceledIrp);
}

/* IoCsqInsertIrpEx is documented to return what the callback returned, and completes an IRP that was cancelled before
 * without calling it. Whose the IRP is afterwards therefore has to be known from the callback itself. */
_Use_decl_annotations_
VOID TunReadQueueInsert(TUN_ADAPTER *Adapter, IRP *Irp, TUN_READ_QUEUE_END End)
{
    TUN_INSERTION Insertion = {End, FALSE};

    (VOID) IoCsqInsertIrpEx(&Adapter->ReadQueue.Csq, Irp, NULL, &Insertion);
    if (Insertion.Refused)
        TunReadComplete(Adapter, Irp, STATUS_CANCELLED, 0);
}

_Use_decl_annotations_
IRP *TunReadQueueRemove(TUN_ADAPTER *Adapter, FILE_OBJECT *FileObject)
{
    return IoCsqRemoveNextIrp(&Adapter->ReadQueue.Csq, FileObject);
}

/* Only for a caller that keeps the adapter from going: what it completes may not. */
_IRQL_requires_max_(DISPATCH_LEVEL)
_Requires_lock_not_held_(Adapter->Lock)
static VOID TunReadQueueDrain(_Inout_ TUN_ADAPTER *Adapter, _In_opt_ FILE_OBJECT *FileObject)
{
    IRP *Irp;

    while ((Irp = TunReadQueueRemove(Adapter, FileObject)) != NULL)
        TunReadComplete(Adapter, Irp, STATUS_CANCELLED, 0);
}

_Use_decl_annotations_
VOID TunReadQueueCleanup(TUN_ADAPTER *Adapter, FILE_OBJECT *FileObject)
{
    KIRQL Irql;

    KeAcquireSpinLock(&Adapter->ReadQueue.Lock, &Irql);
    FileObject->FsContext = TUN_CLEANED_UP;
    KeReleaseSpinLock(&Adapter->ReadQueue.Lock, Irql);
    TunReadQueueDrain(Adapter, FileObject);
}

_Use_decl_annotations_
VOID TunReadQueueClose(TUN_ADAPTER *Adapter)
{
    KIRQL Irql;

    KeAcquireSpinLock(&Adapter->ReadQueue.Lock, &Irql);
    Adapter->ReadQueue.Closed = TRUE;
    KeReleaseSpinLock(&Adapter->ReadQueue.Lock, Irql);
    TunReadQueueDrain(Adapter, NULL);
}

_Use_decl_annotations_
VOID TunReadComplete(const TUN_ADAPTER *Adapter, IRP *Irp, NTSTATUS Status, ULONG_PTR Information)
{
    /* Found now: the adapter may be gone by the time it is released. */
    EX_RUNDOWN_REF *Rundown = &Adapter->Extension->Rundown;

    (VOID) TunCompleteIrp(Irp, Status, Information, Status == STATUS_SUCCESS ? IO_NETWORK_INCREMENT : IO_NO_INCREMENT);
    ExReleaseRundownProtection(Rundown);
}
