/* SPDX-License-Identifier: MIT
 *
 * The device file: made when the adapter is initialized, given up when it halts.
 */
#pragma once

#include "adapter.h"

/* Makes the device that clients open, \Device\WINTUN<index> and \DosDevices\WINTUN<index>, and lets requests in: from
 * its success on they arrive. NDIS_STATUS_SUCCESS or, with nothing left behind, what failed. */
_IRQL_requires_(PASSIVE_LEVEL)
_Must_inspect_result_
NDIS_STATUS TunDeviceCreate(_Inout_ TUN_ADAPTER *Adapter, _In_ ULONG LuidIndex);

/* Shuts requests out, waits for those that are inside, the cancelled ones too, and gives up the device. The read queue
 * must be closed, so that none of them waits for anybody. Clients may keep their handles. */
_IRQL_requires_(PASSIVE_LEVEL)
_Requires_lock_not_held_(Adapter->Lock)
VOID TunDeviceDestroy(_Inout_ TUN_ADAPTER *Adapter);
