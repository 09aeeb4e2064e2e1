/* SPDX-License-Identifier: MIT
 *
 * The reads that wait for packets.
 */
#pragma once

#include "adapter.h"

typedef enum _TUN_READ_QUEUE_END
{
    TunReadQueueHead, /* for a read that was taken out and got nothing */
    TunReadQueueTail
} TUN_READ_QUEUE_END;

_IRQL_requires_max_(DISPATCH_LEVEL)
VOID TunReadQueueInitialize(_Inout_ TUN_ADAPTER *Adapter);

/* Queues a read that is marked pending, was mapped, and holds the rundown on its own account; or completes it as
 * cancelled: because it was, or its handle was cleaned up, or the adapter halts. Either way it is no longer the
 * caller's. */
_IRQL_requires_max_(DISPATCH_LEVEL)
_Requires_lock_not_held_(Adapter->Lock)
VOID TunReadQueueInsert(_Inout_ TUN_ADAPTER *Adapter, _Inout_ IRP *Irp, _In_ TUN_READ_QUEUE_END End);

/* Takes out the oldest read, of this handle or of any (NULL), which then cannot be cancelled any more. NULL: there is
 * none. May be called with Adapter->Lock held. */
_IRQL_requires_max_(DISPATCH_LEVEL)
_Requires_lock_not_held_(Adapter->ReadQueue.Lock)
_Must_inspect_result_
IRP *TunReadQueueRemove(_Inout_ TUN_ADAPTER *Adapter, _In_opt_ FILE_OBJECT *FileObject);

/* Cancels the reads of a handle that its owner has closed, and any that reaches the queue later. */
_IRQL_requires_max_(DISPATCH_LEVEL)
_Requires_lock_not_held_(Adapter->Lock)
VOID TunReadQueueCleanup(_Inout_ TUN_ADAPTER *Adapter, _Inout_ FILE_OBJECT *FileObject);

/* Cancels all reads, and any that reaches the queue later. */
_IRQL_requires_max_(DISPATCH_LEVEL)
_Requires_lock_not_held_(Adapter->Lock)
VOID TunReadQueueClose(_Inout_ TUN_ADAPTER *Adapter);

/* Completes a read that is in no queue, and gives back its hold of the rundown. Unless the caller has one of its own,
 * the adapter may be gone when this returns. */
_IRQL_requires_max_(DISPATCH_LEVEL)
_Requires_lock_not_held_(Adapter->Lock)
VOID TunReadComplete(_In_ const TUN_ADAPTER *Adapter, _Inout_ IRP *Irp, _In_ NTSTATUS Status,
                     _In_ ULONG_PTR Information);
