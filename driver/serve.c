/* SPDX-License-Identifier: MIT
 *
 * The pump: packets that the stack sent meet the reads that wait for them.
 *
 * One at a time serves an adapter, so packets keep their order over all reads. Whoever has queued a packet or a read
 * and then finds, under the lock, somebody serving can leave: the one who serves looks at both queues under the lock
 * before it clears Serving, hence after that packet or read was queued. Nobody's work is forgotten.
 *
 * A read is taken from its queue only when there is a packet for it, in the same hold of the lock as the packet, and
 * thus ends with at least one. The exception is a packet that could not be copied: the read then goes on with the next
 * packet, or, if there is none, back to the head of its queue.
 */
#include "serve.h"
#include "bundle.h"
#include "irp.h"
#include "read_queue.h"
#include "send_queue.h"
#include "state.h"

/* The read in hand. Nobody else knows it: it is in no queue and cannot be cancelled. */
typedef struct _TUN_BUNDLE
{
    IRP *Irp; /* NULL: none */
    struct bundle_writer Writer;
} TUN_BUNDLE;

/* What is to be copied next. */
typedef struct _TUN_COPY
{
    NET_BUFFER *Nb; /* NULL: nothing */
    ULONG Length;   /* bytes */
    VOID *Where;    /* room for that many, in the read in hand */
} TUN_COPY;

/* Makes sure that there is a read in hand if there are a packet and a read. FALSE: there is none. */
_IRQL_requires_(DISPATCH_LEVEL)
_Requires_lock_held_(Adapter->Lock)
_Must_inspect_result_
static BOOLEAN TunServeTakeRead(_Inout_ TUN_ADAPTER *Adapter, _Inout_ TUN_BUNDLE *Bundle)
{
    if (Bundle->Irp == NULL && Adapter->SendQueue.First != NULL)
    {
        Bundle->Irp = TunReadQueueRemove(Adapter, NULL);
        if (Bundle->Irp != NULL)
            bundle_writer_init(&Bundle->Writer, TUN_IRP_ADDRESS(Bundle->Irp), TUN_IRP_LENGTH(Bundle->Irp));
    }
    return Bundle->Irp != NULL;
}

/* Takes the next packet for the read in hand, if there is one and it fits. */
_IRQL_requires_(DISPATCH_LEVEL)
_Requires_lock_held_(Adapter->Lock)
_Must_inspect_result_
static TUN_COPY TunServeTakePacket(_Inout_ TUN_ADAPTER *Adapter, _Inout_ TUN_BUNDLE *Bundle)
{
    TUN_COPY Copy = {NULL, 0, NULL};

    if (Adapter->SendQueue.NextNb == NULL)
        return Copy;
    Copy.Length = NET_BUFFER_DATA_LENGTH(Adapter->SendQueue.NextNb);
    if (bundle_reserve(&Bundle->Writer, Copy.Length, &Copy.Where) == BUNDLE_OK)
        Copy.Nb = TunSendQueueTake(Adapter);
    return Copy;
}

/* FALSE: the packet's memory could not be mapped. */
_IRQL_requires_max_(DISPATCH_LEVEL)
_Must_inspect_result_
static BOOLEAN TunServeCopy(_In_ const TUN_COPY *Copy)
{
    const VOID *Data;

    if (Copy->Length == 0) /* of which NdisGetDataBuffer's page promises nothing */
        return TRUE;
    Data = NdisGetDataBuffer(Copy->Nb, Copy->Length, Copy->Where, 1, 0);
    if (Data == NULL)
        return FALSE;
    if (Data != Copy->Where) /* one piece of memory, and not copied yet */
        RtlCopyMemory(Copy->Where, Data, Copy->Length);
    return TRUE;
}

/* Accounts for a packet. Returns its NBL if that is to be completed. */
_IRQL_requires_(DISPATCH_LEVEL)
_Requires_lock_held_(Adapter->Lock)
_Must_inspect_result_
static NET_BUFFER_LIST *TunServeAccount(_Inout_ TUN_ADAPTER *Adapter, _In_ const TUN_COPY *Copy, _In_ BOOLEAN Copied)
{
    if (Copied)
    {
        Adapter->Statistics.ifHCOutOctets += Copy->Length;
        Adapter->Statistics.ifHCOutUcastOctets += Copy->Length;
        ++Adapter->Statistics.ifHCOutUcastPkts;
    }
    else
        ++Adapter->Statistics.ifOutErrors;
    return TunSendQueueTaken(Adapter, Copied);
}

/* Lets go of the read in hand. */
_IRQL_requires_max_(DISPATCH_LEVEL)
_Requires_lock_not_held_(Adapter->Lock)
static VOID TunServeEndRead(_Inout_ TUN_ADAPTER *Adapter, _Inout_ TUN_BUNDLE *Bundle)
{
    const SIZE_T Written = bundle_written(&Bundle->Writer);
    IRP *Irp = Bundle->Irp;

    Bundle->Irp = NULL;
    if (Written == 0)
        TunReadQueueInsert(Adapter, Irp, TunReadQueueHead);
    else
        TunReadComplete(Adapter, Irp, STATUS_SUCCESS, Written);
}

_Use_decl_annotations_
VOID TunServe(TUN_ADAPTER *Adapter, ULONG CompleteFlags)
{
    TUN_BUNDLE Bundle;
    KIRQL Irql;

    Bundle.Irp = NULL;
    KeAcquireSpinLock(&Adapter->Lock, &Irql);
    if (Adapter->Serving)
    {
        KeReleaseSpinLock(&Adapter->Lock, Irql);
        return;
    }
    Adapter->Serving = TRUE;
    for (;;)
    {
        NET_BUFFER_LIST *Ended = TunSendQueueStrip(Adapter);

        if (Ended == NULL)
        {
            TUN_COPY Copy;
            BOOLEAN Copied;

            if (!TunServeTakeRead(Adapter, &Bundle))
                break;
            Copy = TunServeTakePacket(Adapter, &Bundle);
            KeReleaseSpinLock(&Adapter->Lock, Irql);
            if (Copy.Nb == NULL)
            {
                TunServeEndRead(Adapter, &Bundle);
                KeAcquireSpinLock(&Adapter->Lock, &Irql);
                continue;
            }
            Copied = TunServeCopy(&Copy);
            if (!Copied)
                bundle_take_back(&Bundle.Writer);
            KeAcquireSpinLock(&Adapter->Lock, &Irql);
            Ended = TunServeAccount(Adapter, &Copy, Copied);
        }

        if (Ended != NULL)
        {
            BOOLEAN PauseEnds;

            KeReleaseSpinLock(&Adapter->Lock, Irql);
            NdisMSendNetBufferListsComplete(Adapter->Handle, Ended, CompleteFlags);
            KeAcquireSpinLock(&Adapter->Lock, &Irql);
            PauseEnds = TunLeaveLocked(Adapter, 1);
            if (PauseEnds)
            {
                KeReleaseSpinLock(&Adapter->Lock, Irql);
                NdisMPauseComplete(Adapter->Handle);
                KeAcquireSpinLock(&Adapter->Lock, &Irql);
            }
        }
    }
    Adapter->Serving = FALSE;
    KeReleaseSpinLock(&Adapter->Lock, Irql);
}
