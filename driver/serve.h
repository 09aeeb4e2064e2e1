/* SPDX-License-Identifier: MIT
 *
 * Packets from the stack, into the client's reads.
 */
#pragma once

#include "adapter.h"

/* Brings waiting reads and queued packets together while there are both, unless somebody else is doing so: then the
 * work is left to them. CompleteFlags are for the NBLs that this completes. The caller holds the rundown or is one of
 * NDIS's handlers. */
_IRQL_requires_max_(DISPATCH_LEVEL)
_Requires_lock_not_held_(Adapter->Lock)
VOID TunServe(_Inout_ TUN_ADAPTER *Adapter, _In_ ULONG CompleteFlags);
