/* SPDX-License-Identifier: MIT
 *
 * Packets from the stack, until the client reads them.
 */
#pragma once

#include "adapter.h"

/* NBLs that belong to nobody but the holder, linked by Next, each with the status that it is to be completed with. */
typedef struct _TUN_NBL_CHAIN
{
    NET_BUFFER_LIST *First;
    ULONG Count;
} TUN_NBL_CHAIN;

/* Puts an NBL, with at least one NB, at the tail. The caller has made sure that there is room. */
_IRQL_requires_(DISPATCH_LEVEL)
_Requires_lock_held_(Adapter->Lock)
VOID TunSendQueueAppend(_Inout_ TUN_ADAPTER *Adapter, _Inout_ NET_BUFFER_LIST *Nbl);

/* Drops the oldest NBL of a queue that is not empty. The chain is empty where that NBL is being copied. */
_IRQL_requires_(DISPATCH_LEVEL)
_Requires_lock_held_(Adapter->Lock)
_Must_inspect_result_
TUN_NBL_CHAIN TunSendQueueDropOldest(_Inout_ TUN_ADAPTER *Adapter);

/* Empties the queue with this status. The chain lacks an NBL that is being copied. */
_IRQL_requires_(DISPATCH_LEVEL)
_Requires_lock_held_(Adapter->Lock)
_Must_inspect_result_
TUN_NBL_CHAIN TunSendQueueFlush(_Inout_ TUN_ADAPTER *Adapter, _In_ NDIS_STATUS Status);

/* Takes out each NBL with this cancel id. The chain lacks an NBL that is being copied. */
_IRQL_requires_(DISPATCH_LEVEL)
_Requires_lock_held_(Adapter->Lock)
_Must_inspect_result_
TUN_NBL_CHAIN TunSendQueueCancel(_Inout_ TUN_ADAPTER *Adapter, _In_ const VOID *CancelId);

/* Drops over-long NBs at the head while there are any. Where that used up an NBL it is returned, to be completed, and
 * there may be more to drop; NULL: the next NB, if there is one, is one that a read can take. Only for whoever serves
 * reads, and not while copying. */
_IRQL_requires_(DISPATCH_LEVEL)
_Requires_lock_held_(Adapter->Lock)
_Must_inspect_result_
NET_BUFFER_LIST *TunSendQueueStrip(_Inout_ TUN_ADAPTER *Adapter);

/* Takes the next NB, of a queue that is not empty, to be copied outside the lock. Only for whoever serves reads. */
_IRQL_requires_(DISPATCH_LEVEL)
_Requires_lock_held_(Adapter->Lock)
_Must_inspect_result_
NET_BUFFER *TunSendQueueTake(_Inout_ TUN_ADAPTER *Adapter);

/* Ends what TunSendQueueTake began. Returns the NBL, to be completed, if that was its last NB or if it lost its place
 * in the queue meanwhile; else NULL. */
_IRQL_requires_(DISPATCH_LEVEL)
_Requires_lock_held_(Adapter->Lock)
_Must_inspect_result_
NET_BUFFER_LIST *TunSendQueueTaken(_Inout_ TUN_ADAPTER *Adapter, _In_ BOOLEAN Copied);
