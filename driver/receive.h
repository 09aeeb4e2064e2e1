/* SPDX-License-Identifier: MIT
 *
 * Packets from the client to the stack.
 */
#pragma once

#include "adapter.h"

/* IRP_MJ_WRITE: gives the stack what the client wrote. Completes the IRP, and returns its status. */
_IRQL_requires_max_(DISPATCH_LEVEL)
_Requires_lock_not_held_(Adapter->Lock)
NTSTATUS TunWrite(_Inout_ TUN_ADAPTER *Adapter, _Inout_ IRP *Irp, _In_ const IO_STACK_LOCATION *Stack);
