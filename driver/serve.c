/* SPDX-License-Identifier: MIT
 *
 * The pump: packets that the stack sent meet the reads that wait for them.
 *
 * One at a time serves an adapter, so packets keep their order over all reads. Whoever has queued a packet or a read
 * and then finds, under the lock, somebody serving can leave: the one who serves looks at both queues under the lock
 * before it clears Serving, hence after that packet or read was queued. Nobody's work is forgotten.
 *
 * A read is taken from its queue only when there is a packet for it, in the same hold of the lock as the packet, and
 * thus ends with at least one. The exception is a packet that could not be copied: the read then goes on with the
 * packets behind it, or, if there are none, back to the head of its queue.
 *
 * All packets that the read has room for are taken in that hold, copied without the lock, and their NBLs given back
 * together: lock, unlock and the call to NDIS are paid for once a bundle, not once a packet.
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

/* What was copied into the read in hand since the lock was let go. */
typedef struct _TUN_COPIED
{
    ULONG64 Octets;
    ULONG64 Packets;
} TUN_COPIED;

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

/* Copies a packet to where there is room for it. FALSE: its memory could not be mapped. */
_IRQL_requires_max_(DISPATCH_LEVEL)
_Must_inspect_result_
static BOOLEAN TunServeCopyPacket(_In_ NET_BUFFER *Nb, _In_ ULONG Length, _Out_writes_bytes_(Length) VOID *Where)
{
    const VOID *Data;

    if (Length == 0) /* of which NdisGetDataBuffer's page promises nothing */
        return TRUE;
    Data = NdisGetDataBuffer(Nb, Length, Where, 1, 0);
    if (Data == NULL)
        return FALSE;
    if (Data != Where) /* one piece of memory, and not copied yet */
        RtlCopyMemory(Where, Data, Length);
    return TRUE;
}

/* Copies the packets that were taken for the read in hand. One that cannot be copied leaves no trace in the bundle. */
_IRQL_requires_max_(DISPATCH_LEVEL)
_Requires_lock_not_held_(Adapter->Lock)
static TUN_COPIED TunServeCopy(_Inout_ TUN_ADAPTER *Adapter, _Inout_ TUN_BUNDLE *Bundle, _In_ const TUN_TAKEN *Taken)
{
    TUN_COPIED Copied = {0, 0};
    NET_BUFFER_LIST *Nbl = Taken->Nbl;
    NET_BUFFER *Nb = Taken->Nb;

    for (ULONG Left = Taken->Count; Left > 0; --Left)
    {
        const ULONG Length = NET_BUFFER_DATA_LENGTH(Nb);
        VOID *Where;

        /* Cannot fail: there was room for all. */
        (VOID) bundle_reserve(&Bundle->Writer, Length, &Where);
        if (TunServeCopyPacket(Nb, Length, Where))
        {
            Copied.Octets += Length;
            ++Copied.Packets;
        }
        else
        {
            KIRQL Irql;

            bundle_take_back(&Bundle->Writer);
            KeAcquireSpinLock(&Adapter->Lock, &Irql);
            TunSendQueueFailed(Adapter, Nbl);
            KeReleaseSpinLock(&Adapter->Lock, Irql);
        }

        Nb = NET_BUFFER_NEXT_NB(Nb);
        if (Nb == NULL && Left > 1)
        {
            Nbl = NET_BUFFER_LIST_NEXT_NBL(Nbl);
            Nb = NET_BUFFER_LIST_FIRST_NB(Nbl);
        }
    }
    return Copied;
}

/* Accounts for packets that were taken, and copied as far as that was possible. Returns the NBLs to be completed. */
_IRQL_requires_(DISPATCH_LEVEL)
_Requires_lock_held_(Adapter->Lock)
_Must_inspect_result_
static TUN_NBL_CHAIN TunServeAccount(_Inout_ TUN_ADAPTER *Adapter, _In_ const TUN_TAKEN *Taken,
                                     _In_ const TUN_COPIED *Copied)
{
    Adapter->Statistics.ifHCOutOctets += Copied->Octets;
    Adapter->Statistics.ifHCOutUcastOctets += Copied->Octets;
    Adapter->Statistics.ifHCOutUcastPkts += Copied->Packets;
    return TunSendQueueTaken(Adapter, Taken);
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
        TUN_NBL_CHAIN Ended = TunSendQueueStrip(Adapter);

        if (Ended.First == NULL)
        {
            TUN_TAKEN Taken;
            TUN_COPIED Copied;

            if (!TunServeTakeRead(Adapter, &Bundle))
                break;
            Taken = TunSendQueueTake(Adapter, &Bundle.Writer);
            KeReleaseSpinLock(&Adapter->Lock, Irql);
            if (Taken.Count == 0)
            {
                TunServeEndRead(Adapter, &Bundle);
                KeAcquireSpinLock(&Adapter->Lock, &Irql);
                continue;
            }
            Copied = TunServeCopy(Adapter, &Bundle, &Taken);
            KeAcquireSpinLock(&Adapter->Lock, &Irql);
            Ended = TunServeAccount(Adapter, &Taken, &Copied);
        }

        if (Ended.First != NULL)
        {
            BOOLEAN PauseEnds;

            KeReleaseSpinLock(&Adapter->Lock, Irql);
            NdisMSendNetBufferListsComplete(Adapter->Handle, Ended.First, CompleteFlags);
            KeAcquireSpinLock(&Adapter->Lock, &Irql);
            PauseEnds = TunLeaveLocked(Adapter, Ended.Count);
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
