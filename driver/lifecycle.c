/* SPDX-License-Identifier: MIT
 *
 * An adapter's beginning and its end.
 */
#include "lifecycle.h"
#include "adapter.h"
#include "attributes.h"
#include "device.h"
#include "link.h"
#include "read_queue.h"
#include "send_queue.h"
#include "state.h"

/* NDIS calls no other handler of this adapter before this returns, but requests may arrive once the device exists. */
_IRQL_requires_(PASSIVE_LEVEL)
static VOID TunAdapterInitialize(_Out_ TUN_ADAPTER *Adapter, _In_ NDIS_HANDLE Handle)
{
    RtlZeroMemory(Adapter, sizeof(*Adapter));
    Adapter->Handle = Handle;
    KeInitializeSpinLock(&Adapter->Lock);
    Adapter->State = TunStatePaused;
    Adapter->Power = NdisDeviceStateD0;
    KeInitializeEvent(&Adapter->Idle, SynchronizationEvent, FALSE);
    Adapter->Statistics.Header.Type = NDIS_OBJECT_TYPE_DEFAULT;
    Adapter->Statistics.Header.Revision = NDIS_STATISTICS_INFO_REVISION_1;
    Adapter->Statistics.Header.Size = NDIS_SIZEOF_STATISTICS_INFO_REVISION_1;
    Adapter->Statistics.SupportedStatistics = TUN_SUPPORTED_STATISTICS;
    TunReadQueueInitialize(Adapter);
}

_IRQL_requires_max_(DISPATCH_LEVEL)
_Must_inspect_result_
static NDIS_HANDLE TunAllocateNblPool(_In_ NDIS_HANDLE Handle)
{
    NET_BUFFER_LIST_POOL_PARAMETERS Parameters;

    RtlZeroMemory(&Parameters, sizeof(Parameters));
    Parameters.Header.Type = NDIS_OBJECT_TYPE_DEFAULT;
    Parameters.Header.Revision = NET_BUFFER_LIST_POOL_PARAMETERS_REVISION_1;
    Parameters.Header.Size = NDIS_SIZEOF_NET_BUFFER_LIST_POOL_PARAMETERS_REVISION_1;
    Parameters.ProtocolId = NDIS_PROTOCOL_ID_DEFAULT;
    Parameters.fAllocateNetBuffer = TRUE;
    Parameters.PoolTag = TUN_MEMORY_TAG;
    return NdisAllocateNetBufferListPool(Handle, &Parameters);
}

_Use_decl_annotations_
NDIS_STATUS TunInitializeEx(NDIS_HANDLE NdisMiniportHandle, NDIS_HANDLE MiniportDriverContext,
                            PNDIS_MINIPORT_INIT_PARAMETERS MiniportInitParameters)
{
    VOID *Memory;
    TUN_ADAPTER *Adapter;

    UNREFERENCED_PARAMETER(MiniportDriverContext);

    if (NdisMiniportHandle == NULL)
        return NDIS_STATUS_FAILURE;

    if (NdisAllocateMemoryWithTag(&Memory, sizeof(*Adapter), TUN_MEMORY_TAG) != NDIS_STATUS_SUCCESS)
        return NDIS_STATUS_FAILURE;
    Adapter = (TUN_ADAPTER *)Memory;
    TunAdapterInitialize(Adapter, NdisMiniportHandle);

    if (TunSetAttributes(Adapter) != NDIS_STATUS_SUCCESS)
        goto cleanupAdapter;

    TunLinkIndicateFirst(Adapter);

    Adapter->NblPool = TunAllocateNblPool(NdisMiniportHandle);
    if (Adapter->NblPool == NULL)
        goto cleanupAdapter;

    if (TunDeviceCreate(Adapter, (ULONG)MiniportInitParameters->NetLuid.Info.NetLuidIndex) != NDIS_STATUS_SUCCESS)
        goto cleanupNblPool;

    return NDIS_STATUS_SUCCESS;

cleanupNblPool:
    NdisFreeNetBufferListPool(Adapter->NblPool);
cleanupAdapter:
    NdisFreeMemory(Adapter, 0, 0);
    return NDIS_STATUS_FAILURE;
}

/* Releases everything, in whatever state the adapter is, and waits for no client: reads are cancelled, not answered,
 * and open handles stay behind as handles of a device that refuses them. */
_Use_decl_annotations_
VOID TunHaltEx(NDIS_HANDLE MiniportAdapterContext, NDIS_HALT_ACTION HaltAction)
{
    TUN_ADAPTER *Adapter = (TUN_ADAPTER *)MiniportAdapterContext;
    TUN_NBL_CHAIN Chain;
    KIRQL Irql;

    UNREFERENCED_PARAMETER(HaltAction);

    TunReadQueueClose(Adapter);

    KeAcquireSpinLock(&Adapter->Lock, &Irql);
    Adapter->State = TunStateHalted;
    Chain = TunSendQueueFlush(Adapter, NDIS_STATUS_PAUSED);
    KeReleaseSpinLock(&Adapter->Lock, Irql);
    TunGiveBack(Adapter, Chain, 0);

    TunDeviceDestroy(Adapter);
    NdisFreeNetBufferListPool(Adapter->NblPool);
    NdisFreeMemory(Adapter, 0, 0);
}
