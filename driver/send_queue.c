/* SPDX-License-Identifier: MIT
 *
 * The queue of what the stack sent, and a cursor in it, for an NBL can be read NB by NB by several reads.
 *
 * The verdict on an NBL lives in its Status: success when it is queued, the first failure of one of its NBs from then
 * on, and whatever takes the NBL out of the queue before its time overrides both. While some of its NBs are copied
 * outside the lock the NBL cannot be completed by anyone else: with the last NB it leaves the queue and is the copier's
 * own; before, taking it out of the queue only writes the verdict and detaches it, and the copier finds that out when
 * it comes back.
 */
#include "send_queue.h"
#include "bundle.h"

_Use_decl_annotations_
VOID TunSendQueueAppend(TUN_ADAPTER *Adapter, NET_BUFFER_LIST *Nbl)
{
    TUN_SEND_QUEUE *Queue = &Adapter->SendQueue;

    NET_BUFFER_LIST_STATUS(Nbl) = NDIS_STATUS_SUCCESS;
    NET_BUFFER_LIST_NEXT_NBL(Nbl) = NULL;
    if (Queue->Last == NULL)
    {
        Queue->First = Nbl;
        Queue->NextNb = NET_BUFFER_LIST_FIRST_NB(Nbl);
    }
    else
        NET_BUFFER_LIST_NEXT_NBL(Queue->Last) = Nbl;
    Queue->Last = Nbl;
    ++Queue->Count;
    ++Adapter->Active;
}

/* Takes the head out of a queue that is not empty. The head remains the caller's to complete, unless it is being
 * copied. */
_IRQL_requires_(DISPATCH_LEVEL)
static NET_BUFFER_LIST *TunSendQueueRemoveHead(_Inout_ TUN_SEND_QUEUE *Queue)
{
    NET_BUFFER_LIST *Nbl = Queue->First;

    Queue->First = NET_BUFFER_LIST_NEXT_NBL(Nbl);
    if (Queue->First == NULL)
        Queue->Last = NULL;
    Queue->NextNb = Queue->First == NULL ? NULL : NET_BUFFER_LIST_FIRST_NB(Queue->First);
    --Queue->Count;
    NET_BUFFER_LIST_NEXT_NBL(Nbl) = NULL;
    if (Nbl == Queue->Copying)
        Queue->CopyingDetached = TRUE;
    return Nbl;
}

/* Moves the cursor of a queue that is not empty past one NB. Returns the head if this took it out of the queue, else
 * NULL. */
_IRQL_requires_(DISPATCH_LEVEL)
static NET_BUFFER_LIST *TunSendQueueAdvance(_Inout_ TUN_SEND_QUEUE *Queue)
{
    Queue->NextNb = NET_BUFFER_NEXT_NB(Queue->NextNb);
    return Queue->NextNb == NULL ? TunSendQueueRemoveHead(Queue) : NULL;
}

_Use_decl_annotations_
TUN_NBL_CHAIN TunSendQueueDropOldest(TUN_ADAPTER *Adapter)
{
    TUN_SEND_QUEUE *Queue = &Adapter->SendQueue;
    TUN_NBL_CHAIN Chain = TUN_NO_NBLS;
    NET_BUFFER_LIST *Nbl;

    for (NET_BUFFER *Nb = Queue->NextNb; Nb != NULL; Nb = NET_BUFFER_NEXT_NB(Nb))
        ++Adapter->Statistics.ifOutDiscards;
    Nbl = TunSendQueueRemoveHead(Queue);
    NET_BUFFER_LIST_STATUS(Nbl) = NDIS_STATUS_SEND_ABORTED;
    if (Nbl != Queue->Copying)
        TunNblChainAppend(&Chain, Nbl);
    return Chain;
}

_Use_decl_annotations_
TUN_NBL_CHAIN TunSendQueueFlush(TUN_ADAPTER *Adapter, NDIS_STATUS Status)
{
    TUN_SEND_QUEUE *Queue = &Adapter->SendQueue;
    TUN_NBL_CHAIN Chain = TUN_NO_NBLS;

    if (Queue->First == NULL)
        return Chain;
    for (NET_BUFFER_LIST *Nbl = Queue->First; Nbl != NULL; Nbl = NET_BUFFER_LIST_NEXT_NBL(Nbl))
        NET_BUFFER_LIST_STATUS(Nbl) = Status;
    if (Queue->First == Queue->Copying)
        (VOID) TunSendQueueRemoveHead(Queue);

    Chain.First = Queue->First;
    Chain.Last = Queue->Last;
    Chain.Count = Queue->Count;
    Queue->First = NULL;
    Queue->Last = NULL;
    Queue->NextNb = NULL;
    Queue->Count = 0;
    return Chain;
}

_Use_decl_annotations_
TUN_NBL_CHAIN TunSendQueueCancel(TUN_ADAPTER *Adapter, const VOID *CancelId)
{
    TUN_SEND_QUEUE *Queue = &Adapter->SendQueue;
    TUN_NBL_CHAIN Chain = TUN_NO_NBLS;
    NET_BUFFER_LIST *Survivor = NULL;
    NET_BUFFER_LIST *Next;

    for (NET_BUFFER_LIST *Nbl = Queue->First; Nbl != NULL; Nbl = Next)
    {
        Next = NET_BUFFER_LIST_NEXT_NBL(Nbl);
        if (NDIS_GET_NET_BUFFER_LIST_CANCEL_ID(Nbl) != CancelId)
        {
            Survivor = Nbl;
            continue;
        }

        NET_BUFFER_LIST_STATUS(Nbl) = NDIS_STATUS_SEND_ABORTED;
        if (Survivor == NULL)
            (VOID) TunSendQueueRemoveHead(Queue); /* the cursor pointed into it, and goes to the next NBL's first NB */
        else
        {
            NET_BUFFER_LIST_NEXT_NBL(Survivor) = Next;
            if (Next == NULL)
                Queue->Last = Survivor;
            --Queue->Count;
        }
        if (Nbl != Queue->Copying)
            TunNblChainAppend(&Chain, Nbl);
    }
    return Chain;
}

/* One NB of the NBL failed. The first failure counts, and none does after the NBL was taken out of the queue. */
_IRQL_requires_(DISPATCH_LEVEL)
static VOID TunNbFailed(_Inout_ NET_BUFFER_LIST *Nbl, _In_ NDIS_STATUS Status)
{
    if (NET_BUFFER_LIST_STATUS(Nbl) == NDIS_STATUS_SUCCESS)
        NET_BUFFER_LIST_STATUS(Nbl) = Status;
}

_Use_decl_annotations_
TUN_NBL_CHAIN TunSendQueueStrip(TUN_ADAPTER *Adapter)
{
    TUN_SEND_QUEUE *Queue = &Adapter->SendQueue;
    TUN_NBL_CHAIN Ended = TUN_NO_NBLS;

    while (Queue->NextNb != NULL && NET_BUFFER_DATA_LENGTH(Queue->NextNb) > BUNDLE_MAX_PACKET_SIZE)
    {
        NET_BUFFER_LIST *Whole;

        TunNbFailed(Queue->First, NDIS_STATUS_INVALID_LENGTH);
        ++Adapter->Statistics.ifOutDiscards;
        Whole = TunSendQueueAdvance(Queue);
        if (Whole != NULL)
            TunNblChainAppend(&Ended, Whole);
    }
    return Ended;
}

_Use_decl_annotations_
TUN_TAKEN TunSendQueueTake(TUN_ADAPTER *Adapter, const struct bundle_writer *Writer)
{
    TUN_SEND_QUEUE *Queue = &Adapter->SendQueue;
    TUN_TAKEN Taken = {Queue->First, Queue->NextNb, 0, TUN_NO_NBLS};
    struct bundle_writer Room = *Writer;

    while (Queue->NextNb != NULL && bundle_plan(&Room, NET_BUFFER_DATA_LENGTH(Queue->NextNb)) == BUNDLE_OK)
    {
        NET_BUFFER_LIST *Whole = TunSendQueueAdvance(Queue);

        ++Taken.Count;
        if (Whole != NULL)
            TunNblChainAppend(&Taken.Whole, Whole);
    }

    if (Taken.Count > 0 && Queue->First != NULL && Queue->NextNb != NET_BUFFER_LIST_FIRST_NB(Queue->First))
    {
        Queue->Copying = Queue->First;
        Queue->CopyingDetached = FALSE;
        if (Taken.Whole.First != NULL)
            NET_BUFFER_LIST_NEXT_NBL(Taken.Whole.Last) = Queue->Copying;
    }
    return Taken;
}

_Use_decl_annotations_
VOID TunSendQueueFailed(TUN_ADAPTER *Adapter, NET_BUFFER_LIST *Nbl)
{
    TunNbFailed(Nbl, NDIS_STATUS_RESOURCES);
    ++Adapter->Statistics.ifOutErrors;
}

_Use_decl_annotations_
TUN_NBL_CHAIN TunSendQueueTaken(TUN_ADAPTER *Adapter, const TUN_TAKEN *Taken)
{
    TUN_SEND_QUEUE *Queue = &Adapter->SendQueue;
    TUN_NBL_CHAIN Ended = Taken->Whole;

    if (Queue->Copying == NULL)
        return Ended;
    if (Ended.First != NULL)
        NET_BUFFER_LIST_NEXT_NBL(Ended.Last) = NULL;
    if (Queue->CopyingDetached)
        TunNblChainAppend(&Ended, Queue->Copying);
    Queue->Copying = NULL;
    return Ended;
}
