/* SPDX-License-Identifier: MIT
 *
 * What the adapter may do now, and who is still at it.
 */
#pragma once

#include "adapter.h"
#include "send_queue.h"

/* Whether the adapter takes a packet in either direction now: NDIS_STATUS_SUCCESS, or the status to refuse it with. */
_IRQL_requires_(DISPATCH_LEVEL)
_Requires_lock_held_(Adapter->Lock)
_Must_inspect_result_
NDIS_STATUS TunAdmit(_In_ const TUN_ADAPTER *Adapter);

/* Ends that many transactions. TRUE: a pause under way ended with them, and the caller has to call NdisMPauseComplete
 * once the lock is released. */
_IRQL_requires_(DISPATCH_LEVEL)
_Requires_lock_held_(Adapter->Lock)
_Must_inspect_result_
BOOLEAN TunLeaveLocked(_Inout_ TUN_ADAPTER *Adapter, _In_ ULONG Count);

/* Ends that many transactions, and with them perhaps a pause. */
_IRQL_requires_max_(DISPATCH_LEVEL)
_Requires_lock_not_held_(Adapter->Lock)
VOID TunLeave(_Inout_ TUN_ADAPTER *Adapter, _In_ ULONG Count);

/* Gives back to NDIS NBLs that left the send queue with their status, and ends the transactions that they were. */
_IRQL_requires_max_(DISPATCH_LEVEL)
_Requires_lock_not_held_(Adapter->Lock)
VOID TunGiveBack(_Inout_ TUN_ADAPTER *Adapter, _In_ TUN_NBL_CHAIN Chain, _In_ ULONG CompleteFlags);

/* Takes the power state. On the way down it returns when everything that could touch hardware, if there were some, has
 * ended: NBLs, sends, writes and copies. None of these waits for the client. */
_IRQL_requires_(PASSIVE_LEVEL)
_Requires_lock_not_held_(Adapter->Lock)
VOID TunSetPower(_Inout_ TUN_ADAPTER *Adapter, _In_ NDIS_DEVICE_POWER_STATE Power);

MINIPORT_PAUSE TunPause;
MINIPORT_RESTART TunRestart;
MINIPORT_SHUTDOWN TunShutdownEx;
