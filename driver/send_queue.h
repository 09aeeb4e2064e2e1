/* SPDX-License-Identifier: MIT
 *
 * Packets from the stack, until the client reads them.
 */
#pragma once

#include "adapter.h"
#include "nbl_chain.h"

struct bundle_writer;

/* NBs that were taken out of the queue to be copied outside the lock: Count of them from Nb on, which is one of Nbl's,
 * and then on from NBL to NBL by Next. */
typedef struct _TUN_TAKEN
{
    NET_BUFFER_LIST *Nbl;
    NET_BUFFER *Nb;
    ULONG Count;

    /* The NBLs that left the queue with the last of their NBs. Copying, if there is one, is linked behind them until
     * the copies have ended. */
    TUN_NBL_CHAIN Whole;
} TUN_TAKEN;

/* Puts an NBL, with at least one NB, at the tail. The caller has made sure that there is room. */
_IRQL_requires_(DISPATCH_LEVEL)
_Requires_lock_held_(Adapter->Lock)
VOID TunSendQueueAppend(_Inout_ TUN_ADAPTER *Adapter, _Inout_ NET_BUFFER_LIST *Nbl);

/* In the chains that the following return, each NBL has the status that it is to be completed with. */

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

/* Drops over-long NBs at the head while there are any: the next NB, if there is one, is one that a read can take. The
 * chain has the NBLs that were used up by that. Only for whoever serves reads, and not while copying. */
_IRQL_requires_(DISPATCH_LEVEL)
_Requires_lock_held_(Adapter->Lock)
_Must_inspect_result_
TUN_NBL_CHAIN TunSendQueueStrip(_Inout_ TUN_ADAPTER *Adapter);

/* Takes the next NBs, as many as the bundle has room for, perhaps none. Only for whoever serves reads, and not while
 * copying. */
_IRQL_requires_(DISPATCH_LEVEL)
_Requires_lock_held_(Adapter->Lock)
_Must_inspect_result_
TUN_TAKEN TunSendQueueTake(_Inout_ TUN_ADAPTER *Adapter, _In_ const struct bundle_writer *Writer);

/* One NB of an NBL that was taken could not be copied. */
_IRQL_requires_(DISPATCH_LEVEL)
_Requires_lock_held_(Adapter->Lock)
VOID TunSendQueueFailed(_Inout_ TUN_ADAPTER *Adapter, _Inout_ NET_BUFFER_LIST *Nbl);

/* Ends what TunSendQueueTake began, if that was not nothing. Returns the NBLs to be completed: those of which nothing
 * is left, and Copying if it lost its place in the queue meanwhile. */
_IRQL_requires_(DISPATCH_LEVEL)
_Requires_lock_held_(Adapter->Lock)
_Must_inspect_result_
TUN_NBL_CHAIN TunSendQueueTaken(_Inout_ TUN_ADAPTER *Adapter, _In_ const TUN_TAKEN *Taken);
