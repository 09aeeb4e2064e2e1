/* SPDX-License-Identifier: MIT
 *
 * What NDIS may ask of the adapter, and set. Nothing pends, so there is nothing to cancel.
 */
#include "oid.h"
#include "adapter.h"
#include "bundle.h"
#include "state.h"

#define TUN_BUFFER_SPACE (BUNDLE_MAX_PACKET_SIZE * BUNDLE_MAX_PACKETS)

NDIS_OID TunSupportedOids[17] = {
    OID_GEN_MAXIMUM_TOTAL_SIZE,
    OID_GEN_CURRENT_LOOKAHEAD,
    OID_GEN_TRANSMIT_BUFFER_SPACE,
    OID_GEN_RECEIVE_BUFFER_SPACE,
    OID_GEN_TRANSMIT_BLOCK_SIZE,
    OID_GEN_RECEIVE_BLOCK_SIZE,
    OID_GEN_VENDOR_DESCRIPTION,
    OID_GEN_VENDOR_ID,
    OID_GEN_VENDOR_DRIVER_VERSION,
    OID_GEN_XMIT_OK,
    OID_GEN_RCV_OK,
    OID_GEN_CURRENT_PACKET_FILTER,
    OID_GEN_STATISTICS,
    OID_GEN_INTERRUPT_MODERATION,
    OID_GEN_LINK_PARAMETERS,
    OID_PNP_SET_POWER,
    OID_PNP_QUERY_POWER,
};

/* Answers with Length bytes at Data, all of them or none. */
_IRQL_requires_max_(DISPATCH_LEVEL)
static NDIS_STATUS TunAnswer(_Inout_ NDIS_OID_REQUEST *Request, _In_reads_bytes_(Length) const VOID *Data,
                             _In_ ULONG Length)
{
    Request->DATA.QUERY_INFORMATION.BytesNeeded = Length;
    if (Request->DATA.QUERY_INFORMATION.InformationBufferLength < Length)
    {
        Request->DATA.QUERY_INFORMATION.BytesWritten = 0;
        return NDIS_STATUS_INVALID_LENGTH;
    }
    RtlCopyMemory(Request->DATA.QUERY_INFORMATION.InformationBuffer, Data, Length);
    Request->DATA.QUERY_INFORMATION.BytesWritten = Length;
    return NDIS_STATUS_SUCCESS;
}

_IRQL_requires_max_(DISPATCH_LEVEL)
static NDIS_STATUS TunAnswerUlong(_Inout_ NDIS_OID_REQUEST *Request, _In_ ULONG Value)
{
    return TunAnswer(Request, &Value, sizeof(Value));
}

/* A counter that is asked for in either width: who has room for the lower half only gets that, and is told of the rest.
 */
_IRQL_requires_max_(DISPATCH_LEVEL)
static NDIS_STATUS TunAnswerUlong32Or64(_Inout_ NDIS_OID_REQUEST *Request, _In_ ULONG64 Value)
{
    const ULONG Room = Request->DATA.QUERY_INFORMATION.InformationBufferLength;
    NDIS_STATUS Status;

    if (Room < sizeof(ULONG) || Room >= sizeof(ULONG64))
        return TunAnswer(Request, &Value, sizeof(Value));
    Status = TunAnswerUlong(Request, (ULONG)Value);
    Request->DATA.QUERY_INFORMATION.BytesNeeded = sizeof(ULONG64);
    return Status;
}

_IRQL_requires_max_(DISPATCH_LEVEL)
_Requires_lock_not_held_(Adapter->Lock)
static NDIS_STATISTICS_INFO TunStatistics(_Inout_ TUN_ADAPTER *Adapter)
{
    NDIS_STATISTICS_INFO Statistics;
    KIRQL Irql;

    KeAcquireSpinLock(&Adapter->Lock, &Irql);
    Statistics = Adapter->Statistics;
    KeReleaseSpinLock(&Adapter->Lock, Irql);
    return Statistics;
}

_IRQL_requires_max_(DISPATCH_LEVEL)
static NDIS_STATUS TunAnswerInterruptModeration(_Inout_ NDIS_OID_REQUEST *Request)
{
    NDIS_INTERRUPT_MODERATION_PARAMETERS Parameters;

    RtlZeroMemory(&Parameters, sizeof(Parameters));
    Parameters.Header.Type = NDIS_OBJECT_TYPE_DEFAULT;
    Parameters.Header.Revision = NDIS_INTERRUPT_MODERATION_PARAMETERS_REVISION_1;
    Parameters.Header.Size = NDIS_SIZEOF_INTERRUPT_MODERATION_PARAMETERS_REVISION_1;
    Parameters.InterruptModeration = NdisInterruptModerationNotSupported;
    return TunAnswer(Request, &Parameters, sizeof(Parameters));
}

_IRQL_requires_max_(DISPATCH_LEVEL)
_Requires_lock_not_held_(Adapter->Lock)
static NDIS_STATUS TunQuery(_Inout_ TUN_ADAPTER *Adapter, _Inout_ NDIS_OID_REQUEST *Request)
{
    NDIS_STATISTICS_INFO Statistics;

    switch (Request->DATA.QUERY_INFORMATION.Oid)
    {
    case OID_GEN_MAXIMUM_TOTAL_SIZE:
    case OID_GEN_TRANSMIT_BLOCK_SIZE:
    case OID_GEN_RECEIVE_BLOCK_SIZE:
        return TunAnswerUlong(Request, BUNDLE_MAX_PACKET_SIZE);

    case OID_GEN_TRANSMIT_BUFFER_SPACE:
    case OID_GEN_RECEIVE_BUFFER_SPACE:
        return TunAnswerUlong(Request, TUN_BUFFER_SPACE);

    case OID_GEN_VENDOR_ID: /* read as bytes, so the most significant one comes first */
        return TunAnswerUlong(Request, RtlUlongByteSwap(TUN_VENDOR_ID));

    case OID_GEN_VENDOR_DRIVER_VERSION:
        return TunAnswerUlong(Request, TUN_VERSION_MAJOR << 16 | TUN_VERSION_MINOR);

    case OID_GEN_VENDOR_DESCRIPTION:
        return TunAnswer(Request, TUN_VENDOR_DESCRIPTION, sizeof(TUN_VENDOR_DESCRIPTION));

    case OID_GEN_XMIT_OK:
        Statistics = TunStatistics(Adapter);
        return TunAnswerUlong32Or64(Request, Statistics.ifHCOutUcastPkts + Statistics.ifHCOutMulticastPkts +
                                                 Statistics.ifHCOutBroadcastPkts);

    case OID_GEN_RCV_OK:
        Statistics = TunStatistics(Adapter);
        return TunAnswerUlong32Or64(Request, Statistics.ifHCInUcastPkts + Statistics.ifHCInMulticastPkts +
                                                 Statistics.ifHCInBroadcastPkts);

    case OID_GEN_STATISTICS:
        Statistics = TunStatistics(Adapter);
        return TunAnswer(Request, &Statistics, sizeof(Statistics));

    case OID_GEN_INTERRUPT_MODERATION:
        return TunAnswerInterruptModeration(Request);

    case OID_PNP_QUERY_POWER: /* a miniport always agrees */
        Request->DATA.QUERY_INFORMATION.BytesNeeded = 0;
        Request->DATA.QUERY_INFORMATION.BytesWritten = 0;
        return NDIS_STATUS_SUCCESS;

    default: /* the rest of the list can only be set, or is answered by NDIS */
        Request->DATA.QUERY_INFORMATION.BytesWritten = 0;
        return NDIS_STATUS_INVALID_OID;
    }
}

/* TRUE: a ULONG was given, and is in *Value. */
_IRQL_requires_max_(DISPATCH_LEVEL)
_Must_inspect_result_
_Success_(return != FALSE)
static BOOLEAN TunTakeUlong(_Inout_ NDIS_OID_REQUEST *Request, _Out_ ULONG *Value)
{
    if (Request->DATA.SET_INFORMATION.InformationBufferLength != sizeof(*Value))
    {
        Request->DATA.SET_INFORMATION.BytesNeeded = sizeof(*Value);
        return FALSE;
    }
    RtlCopyMemory(Value, Request->DATA.SET_INFORMATION.InformationBuffer, sizeof(*Value));
    Request->DATA.SET_INFORMATION.BytesRead = sizeof(*Value);
    return TRUE;
}

_IRQL_requires_(PASSIVE_LEVEL)
_Requires_lock_not_held_(Adapter->Lock)
static NDIS_STATUS TunSet(_Inout_ TUN_ADAPTER *Adapter, _Inout_ NDIS_OID_REQUEST *Request)
{
    ULONG Value;

    Request->DATA.SET_INFORMATION.BytesNeeded = 0;
    Request->DATA.SET_INFORMATION.BytesRead = 0;
    switch (Request->DATA.SET_INFORMATION.Oid)
    {
    case OID_GEN_CURRENT_PACKET_FILTER: /* whatever the client writes is for this host, and all of it is looked at */
    case OID_GEN_CURRENT_LOOKAHEAD:
        return TunTakeUlong(Request, &Value) ? NDIS_STATUS_SUCCESS : NDIS_STATUS_INVALID_LENGTH;

    case OID_GEN_LINK_PARAMETERS: /* there is no wire to apply them to */
        Request->DATA.SET_INFORMATION.BytesRead = Request->DATA.SET_INFORMATION.InformationBufferLength;
        return NDIS_STATUS_SUCCESS;

    case OID_GEN_INTERRUPT_MODERATION:
        return NDIS_STATUS_INVALID_DATA;

    case OID_PNP_SET_POWER:
        if (!TunTakeUlong(Request, &Value))
            return NDIS_STATUS_INVALID_LENGTH;
        if (Value < NdisDeviceStateD0 || Value > NdisDeviceStateD3)
            return NDIS_STATUS_INVALID_DATA;
        TunSetPower(Adapter, (NDIS_DEVICE_POWER_STATE)Value);
        return NDIS_STATUS_SUCCESS;

    default:
        return NDIS_STATUS_INVALID_OID;
    }
}

_Use_decl_annotations_
NDIS_STATUS TunOidRequest(NDIS_HANDLE MiniportAdapterContext, PNDIS_OID_REQUEST OidRequest)
{
    TUN_ADAPTER *Adapter = (TUN_ADAPTER *)MiniportAdapterContext;

    switch (OidRequest->RequestType)
    {
    case NdisRequestQueryInformation:
    case NdisRequestQueryStatistics:
        return TunQuery(Adapter, OidRequest);
    case NdisRequestSetInformation:
        return TunSet(Adapter, OidRequest);
    default:
        return NDIS_STATUS_NOT_SUPPORTED;
    }
}

_Use_decl_annotations_
VOID TunCancelOidRequest(NDIS_HANDLE MiniportAdapterContext, PVOID RequestId)
{
    UNREFERENCED_PARAMETER(MiniportAdapterContext);
    UNREFERENCED_PARAMETER(RequestId);
}

_Use_decl_annotations_
NDIS_STATUS TunDirectOidRequest(NDIS_HANDLE MiniportAdapterContext, PNDIS_OID_REQUEST OidRequest)
{
    UNREFERENCED_PARAMETER(MiniportAdapterContext);

    switch (OidRequest->RequestType)
    {
    case NdisRequestQueryInformation:
    case NdisRequestQueryStatistics:
    case NdisRequestSetInformation:
        return NDIS_STATUS_INVALID_OID;
    default:
        return NDIS_STATUS_NOT_SUPPORTED;
    }
}

_Use_decl_annotations_
VOID TunCancelDirectOidRequest(NDIS_HANDLE MiniportAdapterContext, PVOID RequestId)
{
    UNREFERENCED_PARAMETER(MiniportAdapterContext);
    UNREFERENCED_PARAMETER(RequestId);
}
