/* SPDX-License-Identifier: MIT
 *
 * The stack's side of the send path: what it sends is queued, and waiting reads are served.
 */
#include "send.h"
#include "send_queue.h"
#include "serve.h"
#include "state.h"

/* Whether an NBL may be queued now. Without a client nobody would ever read it. */
_IRQL_requires_(DISPATCH_LEVEL)
_Requires_lock_held_(Adapter->Lock)
_Must_inspect_result_
static NDIS_STATUS TunAdmitSend(_In_ const TUN_ADAPTER *Adapter)
{
    const NDIS_STATUS Status = TunAdmit(Adapter);

    if (Status != NDIS_STATUS_SUCCESS)
        return Status;
    return Adapter->Handles > 0 ? NDIS_STATUS_SUCCESS : NDIS_STATUS_MEDIA_DISCONNECTED;
}

/* Completes NBLs that never entered the queue. */
_IRQL_requires_max_(DISPATCH_LEVEL)
_Requires_lock_not_held_(Adapter->Lock)
static VOID TunRefuse(_In_ const TUN_ADAPTER *Adapter, _Inout_ NET_BUFFER_LIST *Nbls, _In_ NDIS_STATUS Status,
                      _In_ ULONG CompleteFlags)
{
    for (NET_BUFFER_LIST *Nbl = Nbls; Nbl != NULL; Nbl = NET_BUFFER_LIST_NEXT_NBL(Nbl))
        NET_BUFFER_LIST_STATUS(Nbl) = Status;
    NdisMSendNetBufferListsComplete(Adapter->Handle, Nbls, CompleteFlags);
}

/* An NBL without a packet is done as soon as it was sent. */
_IRQL_requires_(DISPATCH_LEVEL)
_Requires_lock_held_(Adapter->Lock)
_Must_inspect_result_
static TUN_NBL_CHAIN TunSendEmpty(_Inout_ TUN_ADAPTER *Adapter, _Inout_ NET_BUFFER_LIST *Nbl)
{
    TUN_NBL_CHAIN Chain = TUN_NO_NBLS;

    NET_BUFFER_LIST_STATUS(Nbl) = NDIS_STATUS_SUCCESS;
    TunNblChainAppend(&Chain, Nbl);
    ++Adapter->Active;
    return Chain;
}

/* Queues the NBLs of a chain one after another, until there are none left or the adapter stops taking them, which is
 * checked anew whenever the lock was let go: nothing enters the queue behind a flush. Returns what is left, and the
 * status to refuse it with. */
_IRQL_requires_(DISPATCH_LEVEL)
_Requires_lock_held_(Adapter->Lock)
_Must_inspect_result_
static NET_BUFFER_LIST *TunSendChain(_Inout_ TUN_ADAPTER *Adapter, _In_ NET_BUFFER_LIST *Nbl, _In_ ULONG CompleteFlags,
                                     _Inout_ KIRQL *Irql, _Out_ NDIS_STATUS *Status)
{
    BOOLEAN Served = FALSE; /* to make room for this NBL */

    while ((*Status = TunAdmitSend(Adapter)) == NDIS_STATUS_SUCCESS && Nbl != NULL)
    {
        NET_BUFFER_LIST *Next = NET_BUFFER_LIST_NEXT_NBL(Nbl);
        const BOOLEAN Full = Adapter->SendQueue.Count >= TUN_SEND_QUEUE_LIMIT;
        TUN_NBL_CHAIN Ended = TUN_NO_NBLS;

        if (NET_BUFFER_LIST_FIRST_NB(Nbl) == NULL)
            Ended = TunSendEmpty(Adapter, Nbl);
        else if (Full && !Served && !Adapter->Serving)
        {
            KeReleaseSpinLock(&Adapter->Lock, *Irql);
            TunServe(Adapter, CompleteFlags);
            KeAcquireSpinLock(&Adapter->Lock, Irql);
            Served = TRUE;
            continue;
        }
        else
        {
            if (Full)
                Ended = TunSendQueueDropOldest(Adapter);
            TunSendQueueAppend(Adapter, Nbl);
        }
        Nbl = Next;
        Served = FALSE;

        if (Ended.First != NULL)
        {
            KeReleaseSpinLock(&Adapter->Lock, *Irql);
            TunGiveBack(Adapter, Ended, CompleteFlags);
            KeAcquireSpinLock(&Adapter->Lock, Irql);
        }
    }
    return Nbl;
}

/* Order is kept within the chain, and between calls that do not overlap. */
_Use_decl_annotations_
VOID TunSendNetBufferLists(NDIS_HANDLE MiniportAdapterContext, PNET_BUFFER_LIST NetBufferList,
                           NDIS_PORT_NUMBER PortNumber, ULONG SendFlags)
{
    TUN_ADAPTER *Adapter = (TUN_ADAPTER *)MiniportAdapterContext;
    const ULONG CompleteFlags =
        NDIS_TEST_SEND_AT_DISPATCH_LEVEL(SendFlags) ? NDIS_SEND_COMPLETE_FLAGS_DISPATCH_LEVEL : 0;
    NET_BUFFER_LIST *Refused = NetBufferList;
    BOOLEAN Admitted;
    NDIS_STATUS Status;
    KIRQL Irql;

    UNREFERENCED_PARAMETER(PortNumber);

    KeAcquireSpinLock(&Adapter->Lock, &Irql);
    Status = TunAdmitSend(Adapter);
    Admitted = Status == NDIS_STATUS_SUCCESS;
    if (Admitted)
    {
        ++Adapter->Active;
        Refused = TunSendChain(Adapter, NetBufferList, CompleteFlags, &Irql, &Status);
    }
    KeReleaseSpinLock(&Adapter->Lock, Irql);

    if (Refused != NULL)
        TunRefuse(Adapter, Refused, Status, CompleteFlags);
    if (Admitted)
    {
        TunServe(Adapter, CompleteFlags);
        TunLeave(Adapter, 1);
    }
}

_Use_decl_annotations_
VOID TunCancelSend(NDIS_HANDLE MiniportAdapterContext, PVOID CancelId)
{
    TUN_ADAPTER *Adapter = (TUN_ADAPTER *)MiniportAdapterContext;
    TUN_NBL_CHAIN Cancelled;
    KIRQL Irql;

    KeAcquireSpinLock(&Adapter->Lock, &Irql);
    Cancelled = TunSendQueueCancel(Adapter, CancelId);
    KeReleaseSpinLock(&Adapter->Lock, Irql);

    TunGiveBack(Adapter, Cancelled, 0);
}

/* Never called: received packets are indicated with NDIS_RECEIVE_FLAGS_RESOURCES, so they are ours again when the
 * indication returns. */
_Use_decl_annotations_
VOID TunReturnNetBufferLists(NDIS_HANDLE MiniportAdapterContext, PNET_BUFFER_LIST NetBufferLists, ULONG ReturnFlags)
{
    UNREFERENCED_PARAMETER(MiniportAdapterContext);
    UNREFERENCED_PARAMETER(NetBufferLists);
    UNREFERENCED_PARAMETER(ReturnFlags);

    NT_ASSERT(FALSE);
}
