/* SPDX-License-Identifier: MIT
 *
 * Other processes: finding one, running in its address space.
 *
 * learn.microsoft.com/windows-hardware/drivers/ddi/ntifs/nf-ntifs-kestackattachprocess. Whoever attaches detaches, on
 * the same thread.
 */
#ifndef NT_PROCESS_H
#define NT_PROCESS_H

#include "nt_object.h"

typedef struct _KAPC_STATE
{
    LIST_ENTRY ApcListHead[MaximumMode];
    PKPROCESS Process;
    BOOLEAN KernelApcInProgress;
    BOOLEAN KernelApcPending;
    BOOLEAN UserApcPending;
} KAPC_STATE, *PKAPC_STATE, *PRKAPC_STATE;
_Static_assert(sizeof(KAPC_STATE) == 48 && offsetof(KAPC_STATE, Process) == 32, "KAPC_STATE");

NTKERNELAPI NTSTATUS NTAPI PsLookupProcessByProcessId(HANDLE ProcessId, PEPROCESS *Process);
NTKERNELAPI HANDLE NTAPI PsGetProcessId(PEPROCESS Process);
NTKERNELAPI VOID NTAPI KeStackAttachProcess(PRKPROCESS Process, PRKAPC_STATE ApcState);
NTKERNELAPI VOID NTAPI KeUnstackDetachProcess(PRKAPC_STATE ApcState);

#endif
