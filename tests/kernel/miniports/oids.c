/* A miniport that is asked: a request of OID_PENDS pends until it is cancelled, a direct one likewise, any number of
 * them; a synchronous one is answered at once. OID_BREAK makes it do one thing wrong.
 *
 * The enumeration below is the only list of defects: the tests read it from here.
 */
#define NDIS_MINIPORT_DRIVER 1
#define NDIS680_MINIPORT     1
#include <ndis.h>

#define OID_BREAK 0xFFA00001
#define OID_PENDS 0xFFA00002

enum defect
{
    KEEPS_ALL,
    IGNORES_CANCEL,
    PENDS_SYNCHRONOUSLY,
    CANCELS_AT_ANOTHER_LEVEL,
};

typedef struct _ADAPTER
{
    NDIS_HANDLE Handle;
    NDIS_SPIN_LOCK Lock;
    PNDIS_OID_REQUEST Pending[8];
} ADAPTER;

static ADAPTER TheAdapter;
static NDIS_HANDLE Driver;
static ULONG Defect;

DRIVER_INITIALIZE DriverEntry;

static NDIS_STATUS Keep(ADAPTER *Adapter, PNDIS_OID_REQUEST Request)
{
    NDIS_STATUS Status = NDIS_STATUS_RESOURCES;

    NdisAcquireSpinLock(&Adapter->Lock);
    for (ULONG Index = 0; Index < ARRAYSIZE(Adapter->Pending) && Status != NDIS_STATUS_PENDING; Index++)
        if (Adapter->Pending[Index] == NULL)
        {
            Adapter->Pending[Index] = Request;
            Status = NDIS_STATUS_PENDING;
        }
    NdisReleaseSpinLock(&Adapter->Lock);
    return Status;
}

/* The request that is cancelled, unless it is complete already; direct ones have numbers of their own. */
static PNDIS_OID_REQUEST Find(ADAPTER *Adapter, PVOID RequestId)
{
    PNDIS_OID_REQUEST Found = NULL;

    NdisAcquireSpinLock(&Adapter->Lock);
    for (ULONG Index = 0; Index < ARRAYSIZE(Adapter->Pending); Index++)
        if (Adapter->Pending[Index] != NULL && Adapter->Pending[Index]->RequestId == RequestId)
        {
            Found = Adapter->Pending[Index];
            Adapter->Pending[Index] = NULL;
        }
    NdisReleaseSpinLock(&Adapter->Lock);
    return Found;
}

static NDIS_STATUS NTAPI OidRequest(NDIS_HANDLE Context, PNDIS_OID_REQUEST Request)
{
    if (Request->DATA.SET_INFORMATION.Oid == OID_PENDS)
        return Keep(Context, Request);
    if (Request->RequestType != NdisRequestSetInformation || Request->DATA.SET_INFORMATION.Oid != OID_BREAK ||
        Request->DATA.SET_INFORMATION.InformationBufferLength < sizeof Defect)
        return NDIS_STATUS_NOT_SUPPORTED;
    NdisMoveMemory(&Defect, Request->DATA.SET_INFORMATION.InformationBuffer, sizeof Defect);
    Request->DATA.SET_INFORMATION.BytesRead = sizeof Defect;
    return NDIS_STATUS_SUCCESS;
}

static VOID NTAPI CancelOid(NDIS_HANDLE Context, PVOID RequestId)
{
    ADAPTER *Adapter = Context;
    PNDIS_OID_REQUEST Request = Defect == IGNORES_CANCEL ? NULL : Find(Adapter, RequestId);
    KIRQL Irql;

    if (Request != NULL)
        NdisMOidRequestComplete(Adapter->Handle, Request, NDIS_STATUS_REQUEST_ABORTED);
    if (Defect == CANCELS_AT_ANOTHER_LEVEL)
        KeRaiseIrql(DISPATCH_LEVEL, &Irql);
}

static NDIS_STATUS NTAPI DirectOidRequest(NDIS_HANDLE Context, PNDIS_OID_REQUEST Request)
{
    return Keep(Context, Request);
}

static VOID NTAPI CancelDirectOid(NDIS_HANDLE Context, PVOID RequestId)
{
    ADAPTER *Adapter = Context;
    PNDIS_OID_REQUEST Request = Find(Adapter, RequestId);

    if (Request != NULL)
        NdisMDirectOidRequestComplete(Adapter->Handle, Request, NDIS_STATUS_REQUEST_ABORTED);
}

static NDIS_STATUS NTAPI SynchronousOidRequest(NDIS_HANDLE Context, PNDIS_OID_REQUEST Request)
{
    UNREFERENCED_PARAMETER(Context);
    Request->DATA.QUERY_INFORMATION.BytesWritten = 0;
    Request->DATA.QUERY_INFORMATION.BytesNeeded = 0;
    return Defect == PENDS_SYNCHRONOUSLY ? NDIS_STATUS_PENDING : NDIS_STATUS_SUCCESS;
}

static NDIS_STATUS NTAPI Initialize(NDIS_HANDLE Handle, NDIS_HANDLE DriverContext,
                                    PNDIS_MINIPORT_INIT_PARAMETERS Parameters)
{
    NDIS_MINIPORT_ADAPTER_ATTRIBUTES Registration = {
        .RegistrationAttributes = {.Header = {NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES,
                                              NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES_REVISION_2,
                                              NDIS_SIZEOF_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES_REVISION_2},
                                   .MiniportAdapterContext = &TheAdapter}};
    NDIS_MINIPORT_ADAPTER_ATTRIBUTES General = {
        .GeneralAttributes = {.Header = {NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES,
                                         NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES_REVISION_2,
                                         NDIS_SIZEOF_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES_REVISION_2},
                              .MtuSize = 1500}};
    NDIS_STATUS Status = NdisMSetMiniportAttributes(Handle, &Registration);

    UNREFERENCED_PARAMETER(DriverContext);
    UNREFERENCED_PARAMETER(Parameters);
    TheAdapter.Handle = Handle;
    NdisAllocateSpinLock(&TheAdapter.Lock);
    return Status == NDIS_STATUS_SUCCESS ? NdisMSetMiniportAttributes(Handle, &General) : Status;
}

static VOID NTAPI Halt(NDIS_HANDLE Context, NDIS_HALT_ACTION Action)
{
    ADAPTER *Adapter = Context;

    UNREFERENCED_PARAMETER(Action);
    NdisFreeSpinLock(&Adapter->Lock);
}

static NDIS_STATUS NTAPI Restart(NDIS_HANDLE Context, PNDIS_MINIPORT_RESTART_PARAMETERS Parameters)
{
    UNREFERENCED_PARAMETER(Context);
    UNREFERENCED_PARAMETER(Parameters);
    return NDIS_STATUS_SUCCESS;
}

static NDIS_STATUS NTAPI Pause(NDIS_HANDLE Context, PNDIS_MINIPORT_PAUSE_PARAMETERS Parameters)
{
    UNREFERENCED_PARAMETER(Context);
    UNREFERENCED_PARAMETER(Parameters);
    return NDIS_STATUS_SUCCESS;
}

static VOID NTAPI Send(NDIS_HANDLE Context, PNET_BUFFER_LIST NetBufferLists, NDIS_PORT_NUMBER Port, ULONG Flags)
{
    ADAPTER *Adapter = Context;

    UNREFERENCED_PARAMETER(Port);
    UNREFERENCED_PARAMETER(Flags);
    for (NET_BUFFER_LIST *Nbl = NetBufferLists; Nbl != NULL; Nbl = Nbl->Next)
        Nbl->Status = NDIS_STATUS_FAILURE;
    NdisMSendNetBufferListsComplete(Adapter->Handle, NetBufferLists, 0);
}

static VOID NTAPI ReturnNbls(NDIS_HANDLE Context, PNET_BUFFER_LIST NetBufferLists, ULONG Flags)
{
    UNREFERENCED_PARAMETER(Context);
    UNREFERENCED_PARAMETER(NetBufferLists);
    UNREFERENCED_PARAMETER(Flags);
}

static VOID NTAPI CancelSend(NDIS_HANDLE Context, PVOID CancelId)
{
    UNREFERENCED_PARAMETER(Context);
    UNREFERENCED_PARAMETER(CancelId);
}

static VOID NTAPI PnpEvent(NDIS_HANDLE Context, PNET_DEVICE_PNP_EVENT Event)
{
    UNREFERENCED_PARAMETER(Context);
    UNREFERENCED_PARAMETER(Event);
}

static VOID NTAPI ShutdownHandler(NDIS_HANDLE Context, NDIS_SHUTDOWN_ACTION Action)
{
    UNREFERENCED_PARAMETER(Context);
    UNREFERENCED_PARAMETER(Action);
}

static VOID NTAPI Unload(PDRIVER_OBJECT DriverObject)
{
    UNREFERENCED_PARAMETER(DriverObject);
    NdisMDeregisterMiniportDriver(Driver);
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    NDIS_MINIPORT_DRIVER_CHARACTERISTICS Characteristics = {
        .Header = {NDIS_OBJECT_TYPE_MINIPORT_DRIVER_CHARACTERISTICS, NDIS_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_3,
                   NDIS_SIZEOF_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_3},
        .MajorNdisVersion = 6,
        .MinorNdisVersion = 80,
        .InitializeHandlerEx = Initialize,
        .HaltHandlerEx = Halt,
        .UnloadHandler = Unload,
        .PauseHandler = Pause,
        .RestartHandler = Restart,
        .OidRequestHandler = OidRequest,
        .SendNetBufferListsHandler = Send,
        .ReturnNetBufferListsHandler = ReturnNbls,
        .CancelSendHandler = CancelSend,
        .DevicePnPEventNotifyHandler = PnpEvent,
        .ShutdownHandlerEx = ShutdownHandler,
        .CancelOidRequestHandler = CancelOid,
        .DirectOidRequestHandler = DirectOidRequest,
        .CancelDirectOidRequestHandler = CancelDirectOid,
        .SynchronousOidRequestHandler = SynchronousOidRequest};

    return NdisMRegisterMiniportDriver(DriverObject, RegistryPath, NULL, &Characteristics, &Driver);
}
