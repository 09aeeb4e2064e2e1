/* SPDX-License-Identifier: MIT
 *
 * The driver's way in and out: it registers with NDIS what it can do, for the highest version that both know.
 */
#include "entry.h"
#include "adapter.h"
#include "lifecycle.h"
#include "oid.h"
#include "send.h"
#include "state.h"

NDIS_HANDLE TunDriverHandle;
ULONG TunNdisVersion;

static SET_OPTIONS TunSetOptions;
_Use_decl_annotations_
static NDIS_STATUS TunSetOptions(NDIS_HANDLE NdisDriverHandle, NDIS_HANDLE DriverContext)
{
    UNREFERENCED_PARAMETER(NdisDriverHandle);
    UNREFERENCED_PARAMETER(DriverContext);

    return NDIS_STATUS_SUCCESS;
}

/* Surprise removal needs nothing beyond the pause and the halt that follow it: there is no hardware to have gone. */
static MINIPORT_DEVICE_PNP_EVENT_NOTIFY TunDevicePnPEventNotify;
_Use_decl_annotations_
static VOID TunDevicePnPEventNotify(NDIS_HANDLE MiniportAdapterContext, PNET_DEVICE_PNP_EVENT NetDevicePnPEvent)
{
    UNREFERENCED_PARAMETER(MiniportAdapterContext);
    UNREFERENCED_PARAMETER(NetDevicePnPEvent);
}

static MINIPORT_UNLOAD TunUnload;
_Use_decl_annotations_
static VOID TunUnload(PDRIVER_OBJECT DriverObject)
{
    UNREFERENCED_PARAMETER(DriverObject);

    NdisMDeregisterMiniportDriver(TunDriverHandle);
}

/* 0 where the system's NDIS is too old for this driver. */
_IRQL_requires_max_(DISPATCH_LEVEL)
static ULONG TunChooseNdisVersion(VOID)
{
    static const ULONG Known[] = {NDIS_RUNTIME_VERSION_680, NDIS_RUNTIME_VERSION_630, NDIS_RUNTIME_VERSION_620};
    const ULONG Offered = NdisGetVersion();

    for (ULONG Index = 0; Index < RTL_NUMBER_OF(Known); ++Index)
    {
        if (Known[Index] <= Offered)
            return Known[Index];
    }
    return 0;
}

_Use_decl_annotations_
NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    NDIS_MINIPORT_DRIVER_CHARACTERISTICS Characteristics;

    TunNdisVersion = TunChooseNdisVersion();
    if (TunNdisVersion == 0)
        return NDIS_STATUS_UNSUPPORTED_REVISION;

    RtlZeroMemory(&Characteristics, sizeof(Characteristics));
    Characteristics.Header.Type = NDIS_OBJECT_TYPE_MINIPORT_DRIVER_CHARACTERISTICS;
    if (TunNdisVersion >= NDIS_RUNTIME_VERSION_680)
    {
        Characteristics.Header.Revision = NDIS_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_3;
        Characteristics.Header.Size = NDIS_SIZEOF_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_3;
    }
    else
    {
        Characteristics.Header.Revision = NDIS_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_2;
        Characteristics.Header.Size = NDIS_SIZEOF_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_2;
    }
    Characteristics.MajorNdisVersion = (UCHAR)(TunNdisVersion >> 16);
    Characteristics.MinorNdisVersion = (UCHAR)TunNdisVersion;
    Characteristics.MajorDriverVersion = TUN_VERSION_MAJOR;
    Characteristics.MinorDriverVersion = TUN_VERSION_MINOR;
    Characteristics.SetOptionsHandler = TunSetOptions;
    Characteristics.InitializeHandlerEx = TunInitializeEx;
    Characteristics.HaltHandlerEx = TunHaltEx;
    Characteristics.UnloadHandler = TunUnload;
    Characteristics.PauseHandler = TunPause;
    Characteristics.RestartHandler = TunRestart;
    Characteristics.OidRequestHandler = TunOidRequest;
    Characteristics.SendNetBufferListsHandler = TunSendNetBufferLists;
    Characteristics.ReturnNetBufferListsHandler = TunReturnNetBufferLists;
    Characteristics.CancelSendHandler = TunCancelSend;
    Characteristics.DevicePnPEventNotifyHandler = TunDevicePnPEventNotify;
    Characteristics.ShutdownHandlerEx = TunShutdownEx;
    Characteristics.CancelOidRequestHandler = TunCancelOidRequest;
    Characteristics.DirectOidRequestHandler = TunDirectOidRequest;
    Characteristics.CancelDirectOidRequestHandler = TunCancelDirectOidRequest;

    return NdisMRegisterMiniportDriver(DriverObject, RegistryPath, NULL, &Characteristics, &TunDriverHandle);
}
