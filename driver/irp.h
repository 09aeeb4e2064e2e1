/* SPDX-License-Identifier: MIT
 *
 * What reads and writes have in common: the client's buffer, and the end.
 */
#pragma once

#include <ndis.h>

/* Where a waiting read keeps its buffer, as TunMapClientBuffer gave it. The cancel-safe queue has DriverContext[3]. */
#define TUN_IRP_ADDRESS(Irp) ((Irp)->Tail.Overlay.DriverContext[0])
#define TUN_IRP_LENGTH(Irp)  ((SIZE_T)(ULONG_PTR)(Irp)->Tail.Overlay.DriverContext[1])

/* Completes the IRP, after which it must not be touched. Returns Status, for the dispatch routine to return. */
_IRQL_requires_max_(DISPATCH_LEVEL)
NTSTATUS TunCompleteIrp(_Inout_ IRP *Irp, _In_ NTSTATUS Status, _In_ ULONG_PTR Information, _In_ CCHAR PriorityBoost);

/* Maps the buffer of a read or write of Requested bytes into the system's address space, where it stays until the IRP
 * is completed. *Length is in bytes, from Smallest to BUNDLE_MAX_BUFFER_SIZE. The client shares that memory and may
 * change it at any time. STATUS_INVALID_PARAMETER: there is no buffer. STATUS_INVALID_USER_BUFFER: its length is out of
 * bounds. STATUS_INSUFFICIENT_RESOURCES: it could not be mapped. */
_IRQL_requires_max_(DISPATCH_LEVEL)
_Must_inspect_result_
_Success_(return == STATUS_SUCCESS)
NTSTATUS TunMapClientBuffer(_In_ const IRP *Irp, _In_ ULONG Requested, _In_ ULONG Smallest, _Out_ VOID **Address,
                            _Out_ ULONG *Length);
