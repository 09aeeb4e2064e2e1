/* SPDX-License-Identifier: MIT
 *
 * What the adapter may do now: running or paused, powered or not, and who is still at it.
 *
 * Active counts the NBLs that the adapter owns and the sends and writes that were admitted and are still inside. A call
 * that is refused is not counted, so that nobody can put off a pause by knocking at the door; nor are reads, creates
 * and closes, so that a client which keeps its handle open and its reads pending is none of the pause's business.
 *
 * Admission and count are one step under the lock, and so are the fall of the count to zero and the decision what it
 * ends. Therefore a pause that found somebody inside ends exactly once, by whoever leaves last, and one that found
 * nobody ends where it is.
 */
#include "state.h"

_Use_decl_annotations_
NDIS_STATUS TunAdmit(const TUN_ADAPTER *Adapter)
{
    if (Adapter->State != TunStateRunning)
        return NDIS_STATUS_PAUSED;
    if (Adapter->Power != NdisDeviceStateD0)
        return NDIS_STATUS_LOW_POWER_STATE;
    return NDIS_STATUS_SUCCESS;
}

_Use_decl_annotations_
BOOLEAN TunLeaveLocked(TUN_ADAPTER *Adapter, ULONG Count)
{
    BOOLEAN PauseEnds;

    Adapter->Active -= Count;
    if (Adapter->Active > 0)
        return FALSE;

    if (Adapter->IdleAwaited)
    {
        Adapter->IdleAwaited = FALSE;
        KeSetEvent(&Adapter->Idle, IO_NO_INCREMENT, FALSE);
    }

    PauseEnds = Adapter->PausePending;
    Adapter->PausePending = FALSE;
    if (PauseEnds && Adapter->State == TunStatePausing)
        Adapter->State = TunStatePaused;
    return PauseEnds;
}

_Use_decl_annotations_
VOID TunLeave(TUN_ADAPTER *Adapter, ULONG Count)
{
    KIRQL Irql;
    BOOLEAN PauseEnds;

    KeAcquireSpinLock(&Adapter->Lock, &Irql);
    PauseEnds = TunLeaveLocked(Adapter, Count);
    KeReleaseSpinLock(&Adapter->Lock, Irql);
    if (PauseEnds)
        NdisMPauseComplete(Adapter->Handle);
}

_Use_decl_annotations_
VOID TunGiveBack(TUN_ADAPTER *Adapter, TUN_NBL_CHAIN Chain, ULONG CompleteFlags)
{
    if (Chain.First == NULL)
        return;
    NdisMSendNetBufferListsComplete(Adapter->Handle, Chain.First, CompleteFlags);
    TunLeave(Adapter, Chain.Count);
}

_Use_decl_annotations_
VOID TunSetPower(TUN_ADAPTER *Adapter, NDIS_DEVICE_POWER_STATE Power)
{
    KIRQL Irql;
    TUN_NBL_CHAIN Chain = TUN_NO_NBLS;
    BOOLEAN Wait;

    KeAcquireSpinLock(&Adapter->Lock, &Irql);
    Adapter->Power = Power;
    if (Power != NdisDeviceStateD0)
        Chain = TunSendQueueFlush(Adapter, NDIS_STATUS_LOW_POWER_STATE);
    KeReleaseSpinLock(&Adapter->Lock, Irql);

    if (Power == NdisDeviceStateD0)
        return;
    TunGiveBack(Adapter, Chain, 0);

    KeAcquireSpinLock(&Adapter->Lock, &Irql);
    Wait = Adapter->Active > 0;
    Adapter->IdleAwaited = Wait;
    KeReleaseSpinLock(&Adapter->Lock, Irql);
    if (Wait)
        KeWaitForSingleObject(&Adapter->Idle, Executive, KernelMode, FALSE, NULL);
}

/* Never fails. Reads stay pending, handles open, and the link up: a pause is the stack's affair, not the client's. */
_Use_decl_annotations_
NDIS_STATUS TunPause(NDIS_HANDLE MiniportAdapterContext, PNDIS_MINIPORT_PAUSE_PARAMETERS PauseParameters)
{
    TUN_ADAPTER *Adapter = (TUN_ADAPTER *)MiniportAdapterContext;
    KIRQL Irql;
    TUN_NBL_CHAIN Chain;
    NDIS_STATUS Status;

    UNREFERENCED_PARAMETER(PauseParameters);

    KeAcquireSpinLock(&Adapter->Lock, &Irql);
    if (Adapter->State == TunStateRunning) /* and not shut down in the meantime */
        Adapter->State = TunStatePausing;
    Chain = TunSendQueueFlush(Adapter, NDIS_STATUS_PAUSED);
    KeReleaseSpinLock(&Adapter->Lock, Irql);

    TunGiveBack(Adapter, Chain, 0);

    KeAcquireSpinLock(&Adapter->Lock, &Irql);
    if (Adapter->Active > 0)
    {
        Adapter->PausePending = TRUE;
        Status = NDIS_STATUS_PENDING;
    }
    else
    {
        if (Adapter->State == TunStatePausing)
            Adapter->State = TunStatePaused;
        Status = NDIS_STATUS_SUCCESS;
    }
    KeReleaseSpinLock(&Adapter->Lock, Irql);
    return Status;
}

/* Where a shutdown came first the machine is about to lose its power, and there is nothing to be gained from a failure.
 */
_Use_decl_annotations_
NDIS_STATUS TunRestart(NDIS_HANDLE MiniportAdapterContext, PNDIS_MINIPORT_RESTART_PARAMETERS RestartParameters)
{
    TUN_ADAPTER *Adapter = (TUN_ADAPTER *)MiniportAdapterContext;
    KIRQL Irql;

    UNREFERENCED_PARAMETER(RestartParameters);

    KeAcquireSpinLock(&Adapter->Lock, &Irql);
    if (Adapter->State == TunStatePaused)
        Adapter->State = TunStateRunning;
    KeReleaseSpinLock(&Adapter->Lock, Irql);
    return NDIS_STATUS_SUCCESS;
}

_Use_decl_annotations_
VOID TunShutdownEx(NDIS_HANDLE MiniportAdapterContext, NDIS_SHUTDOWN_ACTION ShutdownAction)
{
    TUN_ADAPTER *Adapter = (TUN_ADAPTER *)MiniportAdapterContext;
    KIRQL Irql;
    TUN_NBL_CHAIN Chain;

    /* Nothing works any more in a bug check: a processor that was stopped may hold the lock for ever. */
    if (ShutdownAction == NdisShutdownBugCheck)
        return;

    KeAcquireSpinLock(&Adapter->Lock, &Irql);
    Adapter->State = TunStateShutdown;
    Chain = TunSendQueueFlush(Adapter, NDIS_STATUS_PAUSED);
    KeReleaseSpinLock(&Adapter->Lock, Irql);

    TunGiveBack(Adapter, Chain, 0);
}
