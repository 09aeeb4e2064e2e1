/* A miniport in another style than the specimen: what is sent comes back as received, from a work item, without the
 * RESOURCES flag; NDIS spin locks; OID requests that are completed later, by the work item too; a pause that is pending
 * while anything is lent. It has no device at all.
 *
 * Built with STUCK it waits in MiniportHaltEx for an event that nobody sets; with CRASH it follows a null pointer in
 * MiniportRestart.
 */
#define NDIS_MINIPORT_DRIVER 1
#define NDIS620_MINIPORT     1
#include <ndis.h>

#define TAG 'pooL'

typedef struct _ADAPTER
{
    NDIS_HANDLE Handle;
    NDIS_HANDLE Pool;
    NDIS_HANDLE WorkItem;
    NDIS_SPIN_LOCK Lock; /* guards everything below */
    NET_BUFFER_LIST *First;
    NET_BUFFER_LIST *Last;
    NDIS_OID_REQUEST *Oid;
    ULONG Lent;     /* received and not returned */
    ULONG Owned;    /* sent and not completed */
    BOOLEAN Queued; /* the work item is */
    BOOLEAN Running;
    BOOLEAN Pausing;
} ADAPTER;

static NDIS_HANDLE Driver;

DRIVER_INITIALIZE DriverEntry;
static NDIS_IO_WORKITEM Work;

static VOID Queue(ADAPTER *Adapter)
{
    BOOLEAN First;

    NdisAcquireSpinLock(&Adapter->Lock);
    First = !Adapter->Queued;
    Adapter->Queued = TRUE;
    NdisReleaseSpinLock(&Adapter->Lock);
    if (First)
        NdisQueueIoWorkItem(Adapter->WorkItem, Work, Adapter);
}

/* Completes the pause, if one waits and nothing is lent or owned any more. */
static VOID Leave(ADAPTER *Adapter)
{
    BOOLEAN Paused;

    NdisAcquireSpinLock(&Adapter->Lock);
    Paused = Adapter->Pausing && Adapter->Lent == 0 && Adapter->Owned == 0 && !Adapter->Queued;
    if (Paused)
        Adapter->Pausing = FALSE;
    NdisReleaseSpinLock(&Adapter->Lock);
    if (Paused)
        NdisMPauseComplete(Adapter->Handle);
}

/* A copy of the packet in memory of our own, as a NET_BUFFER_LIST that we may lend. NULL when there is no memory. */
static NET_BUFFER_LIST *Copy(ADAPTER *Adapter, NET_BUFFER *Nb)
{
    ULONG Length = NET_BUFFER_DATA_LENGTH(Nb);
    PUCHAR Data = ExAllocatePoolWithTag(NonPagedPoolNx, Length + 1, TAG);
    PVOID Found = Data == NULL ? NULL : NdisGetDataBuffer(Nb, Length, Data, 1, 0);
    MDL *Mdl = Found == NULL ? NULL : NdisAllocateMdl(Adapter->Handle, Data, Length);
    NET_BUFFER_LIST *Nbl =
        Mdl == NULL ? NULL : NdisAllocateNetBufferAndNetBufferList(Adapter->Pool, 0, 0, Mdl, 0, Length);

    if (Nbl != NULL)
    {
        if (Found != Data)
            RtlCopyMemory(Data, Found, Length);
        Nbl->SourceHandle = Adapter->Handle;
        NET_BUFFER_LIST_STATUS(Nbl) = NDIS_STATUS_SUCCESS;
        return Nbl;
    }
    if (Mdl != NULL)
        NdisFreeMdl(Mdl);
    if (Data != NULL)
        ExFreePoolWithTag(Data, TAG);
    return NULL;
}

static VOID NTAPI ReturnNbls(NDIS_HANDLE Context, PNET_BUFFER_LIST First, ULONG Flags)
{
    ADAPTER *Adapter = Context;
    NET_BUFFER_LIST *Next;

    UNREFERENCED_PARAMETER(Flags);
    for (NET_BUFFER_LIST *Nbl = First; Nbl != NULL; Nbl = Next)
    {
        MDL *Mdl = NET_BUFFER_FIRST_MDL(NET_BUFFER_LIST_FIRST_NB(Nbl));

        Next = NET_BUFFER_LIST_NEXT_NBL(Nbl);
        ExFreePoolWithTag(MmGetMdlVirtualAddress(Mdl), TAG);
        NdisFreeMdl(Mdl);
        NdisFreeNetBufferList(Nbl);
        NdisAcquireSpinLock(&Adapter->Lock);
        Adapter->Lent--;
        NdisReleaseSpinLock(&Adapter->Lock);
    }
    Leave(Adapter);
}

static VOID Reflect(ADAPTER *Adapter, NET_BUFFER_LIST *Nbl)
{
    NDIS_STATUS Status = NDIS_STATUS_SUCCESS;

    for (NET_BUFFER *Nb = NET_BUFFER_LIST_FIRST_NB(Nbl); Nb != NULL; Nb = NET_BUFFER_NEXT_NB(Nb))
    {
        NET_BUFFER_LIST *Received = Copy(Adapter, Nb);

        if (Received == NULL)
        {
            Status = NDIS_STATUS_RESOURCES;
            continue;
        }
        NdisAcquireSpinLock(&Adapter->Lock);
        Adapter->Lent++;
        NdisReleaseSpinLock(&Adapter->Lock);
        NdisMIndicateReceiveNetBufferLists(Adapter->Handle, Received, 0, 1, 0);
    }
    NET_BUFFER_LIST_STATUS(Nbl) = Status;
    NET_BUFFER_LIST_NEXT_NBL(Nbl) = NULL;
    NdisMSendNetBufferListsComplete(Adapter->Handle, Nbl, 0);
    NdisAcquireSpinLock(&Adapter->Lock);
    Adapter->Owned--;
    NdisReleaseSpinLock(&Adapter->Lock);
}

static VOID NTAPI Work(PVOID Context, NDIS_HANDLE WorkItem)
{
    ADAPTER *Adapter = Context;
    NET_BUFFER_LIST *Nbl;
    NDIS_OID_REQUEST *Oid;

    UNREFERENCED_PARAMETER(WorkItem);
    for (;;)
    {
        NdisAcquireSpinLock(&Adapter->Lock);
        Nbl = Adapter->First;
        Oid = Adapter->Oid;
        Adapter->Oid = NULL;
        if (Nbl != NULL)
            Adapter->First = NET_BUFFER_LIST_NEXT_NBL(Nbl);
        if (Nbl == NULL && Oid == NULL)
            Adapter->Queued = FALSE;
        NdisReleaseSpinLock(&Adapter->Lock);
        if (Nbl == NULL && Oid == NULL)
            break;
        if (Oid != NULL)
        {
            Oid->DATA.QUERY_INFORMATION.BytesWritten = 0;
            Oid->DATA.QUERY_INFORMATION.BytesNeeded = 0;
            NdisMOidRequestComplete(Adapter->Handle, Oid, NDIS_STATUS_SUCCESS);
        }
        if (Nbl != NULL)
            Reflect(Adapter, Nbl);
    }
    Leave(Adapter);
}

static VOID NTAPI Send(NDIS_HANDLE Context, PNET_BUFFER_LIST First, NDIS_PORT_NUMBER Port, ULONG Flags)
{
    ADAPTER *Adapter = Context;
    NET_BUFFER_LIST *Last = First;
    ULONG Count = 1;
    BOOLEAN Accepted;

    UNREFERENCED_PARAMETER(Port);
    UNREFERENCED_PARAMETER(Flags);
    for (; NET_BUFFER_LIST_NEXT_NBL(Last) != NULL; Last = NET_BUFFER_LIST_NEXT_NBL(Last))
        Count++;
    NdisAcquireSpinLock(&Adapter->Lock);
    Accepted = Adapter->Running;
    if (Accepted)
    {
        if (Adapter->First == NULL)
            Adapter->First = First;
        else
            NET_BUFFER_LIST_NEXT_NBL(Adapter->Last) = First;
        Adapter->Last = Last;
        Adapter->Owned += Count;
    }
    NdisReleaseSpinLock(&Adapter->Lock);
    if (Accepted)
    {
        Queue(Adapter);
        return;
    }
    for (NET_BUFFER_LIST *Nbl = First; Nbl != NULL; Nbl = NET_BUFFER_LIST_NEXT_NBL(Nbl))
        NET_BUFFER_LIST_STATUS(Nbl) = NDIS_STATUS_PAUSED;
    NdisMSendNetBufferListsComplete(Adapter->Handle, First, 0);
}

static VOID NTAPI CancelSend(NDIS_HANDLE Context, PVOID Id)
{
    UNREFERENCED_PARAMETER(Context);
    UNREFERENCED_PARAMETER(Id);
}

static NDIS_STATUS NTAPI OidRequest(NDIS_HANDLE Context, PNDIS_OID_REQUEST Request)
{
    ADAPTER *Adapter = Context;

    NdisAcquireSpinLock(&Adapter->Lock);
    Adapter->Oid = Request;
    NdisReleaseSpinLock(&Adapter->Lock);
    Queue(Adapter);
    return NDIS_STATUS_PENDING;
}

static VOID NTAPI CancelOid(NDIS_HANDLE Context, PVOID Id)
{
    UNREFERENCED_PARAMETER(Context);
    UNREFERENCED_PARAMETER(Id);
}

static NDIS_STATUS SetAttributes(ADAPTER *Adapter)
{
    NDIS_MINIPORT_ADAPTER_ATTRIBUTES Attributes;
    NDIS_STATUS Status;

    NdisZeroMemory(&Attributes, sizeof Attributes);
    Attributes.RegistrationAttributes.Header.Type = NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES;
    Attributes.RegistrationAttributes.Header.Revision = NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES_REVISION_1;
    Attributes.RegistrationAttributes.Header.Size = NDIS_SIZEOF_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES_REVISION_1;
    Attributes.RegistrationAttributes.MiniportAdapterContext = Adapter;
    Status = NdisMSetMiniportAttributes(Adapter->Handle, &Attributes);
    if (Status != NDIS_STATUS_SUCCESS)
        return Status;
    NdisZeroMemory(&Attributes, sizeof Attributes);
    Attributes.GeneralAttributes.Header.Type = NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES;
    Attributes.GeneralAttributes.Header.Revision = NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES_REVISION_2;
    Attributes.GeneralAttributes.Header.Size = NDIS_SIZEOF_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES_REVISION_2;
    Attributes.GeneralAttributes.MediaType = NdisMediumLoopback;
    return NdisMSetMiniportAttributes(Adapter->Handle, &Attributes);
}

static VOID Free(ADAPTER *Adapter)
{
    if (Adapter->WorkItem != NULL)
        NdisFreeIoWorkItem(Adapter->WorkItem);
    if (Adapter->Pool != NULL)
        NdisFreeNetBufferListPool(Adapter->Pool);
    NdisFreeSpinLock(&Adapter->Lock);
    NdisFreeMemory(Adapter, 0, 0);
}

static NDIS_STATUS NTAPI Initialize(NDIS_HANDLE Handle, NDIS_HANDLE Context, PNDIS_MINIPORT_INIT_PARAMETERS Parameters)
{
    NET_BUFFER_LIST_POOL_PARAMETERS PoolParameters;
    ADAPTER *Adapter;
    NDIS_STATUS Status;

    UNREFERENCED_PARAMETER(Context);
    UNREFERENCED_PARAMETER(Parameters);
    if (NdisAllocateMemoryWithTag((PVOID *)&Adapter, sizeof *Adapter, TAG) != NDIS_STATUS_SUCCESS)
        return NDIS_STATUS_RESOURCES;
    NdisZeroMemory(Adapter, sizeof *Adapter);
    NdisAllocateSpinLock(&Adapter->Lock);
    Adapter->Handle = Handle;
    NdisZeroMemory(&PoolParameters, sizeof PoolParameters);
    PoolParameters.Header.Type = NDIS_OBJECT_TYPE_DEFAULT;
    PoolParameters.Header.Revision = NET_BUFFER_LIST_POOL_PARAMETERS_REVISION_1;
    PoolParameters.Header.Size = NDIS_SIZEOF_NET_BUFFER_LIST_POOL_PARAMETERS_REVISION_1;
    PoolParameters.fAllocateNetBuffer = TRUE;
    PoolParameters.PoolTag = TAG;
    Adapter->Pool = NdisAllocateNetBufferListPool(Handle, &PoolParameters);
    Adapter->WorkItem = NdisAllocateIoWorkItem(Handle);
    Status = Adapter->Pool == NULL || Adapter->WorkItem == NULL ? NDIS_STATUS_RESOURCES : SetAttributes(Adapter);
    if (Status != NDIS_STATUS_SUCCESS)
        Free(Adapter);
    return Status;
}

static NDIS_STATUS NTAPI Restart(NDIS_HANDLE Context, PNDIS_MINIPORT_RESTART_PARAMETERS Parameters)
{
    ADAPTER *Adapter = Context;

    UNREFERENCED_PARAMETER(Parameters);
#ifdef CRASH
    Adapter = *(ADAPTER *volatile *)0;
#endif
    NdisAcquireSpinLock(&Adapter->Lock);
    Adapter->Running = TRUE;
    NdisReleaseSpinLock(&Adapter->Lock);
    return NDIS_STATUS_SUCCESS;
}

static NDIS_STATUS NTAPI Pause(NDIS_HANDLE Context, PNDIS_MINIPORT_PAUSE_PARAMETERS Parameters)
{
    ADAPTER *Adapter = Context;
    BOOLEAN Busy;

    UNREFERENCED_PARAMETER(Parameters);
    NdisAcquireSpinLock(&Adapter->Lock);
    Adapter->Running = FALSE;
    Busy = Adapter->Lent != 0 || Adapter->Owned != 0 || Adapter->Queued;
    Adapter->Pausing = Busy;
    NdisReleaseSpinLock(&Adapter->Lock);
    return Busy ? NDIS_STATUS_PENDING : NDIS_STATUS_SUCCESS;
}

static VOID NTAPI Halt(NDIS_HANDLE Context, NDIS_HALT_ACTION Action)
{
#ifdef STUCK
    KEVENT Event;

    KeInitializeEvent(&Event, NotificationEvent, FALSE);
    KeWaitForSingleObject(&Event, Executive, KernelMode, FALSE, NULL);
#endif
    UNREFERENCED_PARAMETER(Action);
    Free(Context);
}

static VOID NTAPI Shutdown(NDIS_HANDLE Context, NDIS_SHUTDOWN_ACTION Action)
{
    UNREFERENCED_PARAMETER(Context);
    UNREFERENCED_PARAMETER(Action);
}

static VOID NTAPI PnpEvent(NDIS_HANDLE Context, PNET_DEVICE_PNP_EVENT Event)
{
    UNREFERENCED_PARAMETER(Context);
    UNREFERENCED_PARAMETER(Event);
}

static VOID NTAPI Unload(PDRIVER_OBJECT DriverObject)
{
    UNREFERENCED_PARAMETER(DriverObject);
    NdisMDeregisterMiniportDriver(Driver);
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    NDIS_MINIPORT_DRIVER_CHARACTERISTICS Characteristics;

    NdisZeroMemory(&Characteristics, sizeof Characteristics);
    Characteristics.Header.Type = NDIS_OBJECT_TYPE_MINIPORT_DRIVER_CHARACTERISTICS;
    Characteristics.Header.Revision = NDIS_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_2;
    Characteristics.Header.Size = NDIS_SIZEOF_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_2;
    Characteristics.MajorNdisVersion = 6;
    Characteristics.MinorNdisVersion = 20;
    Characteristics.InitializeHandlerEx = Initialize;
    Characteristics.HaltHandlerEx = Halt;
    Characteristics.UnloadHandler = Unload;
    Characteristics.PauseHandler = Pause;
    Characteristics.RestartHandler = Restart;
    Characteristics.OidRequestHandler = OidRequest;
    Characteristics.SendNetBufferListsHandler = Send;
    Characteristics.ReturnNetBufferListsHandler = ReturnNbls;
    Characteristics.CancelSendHandler = CancelSend;
    Characteristics.DevicePnPEventNotifyHandler = PnpEvent;
    Characteristics.ShutdownHandlerEx = Shutdown;
    Characteristics.CancelOidRequestHandler = CancelOid;
    return NdisMRegisterMiniportDriver(DriverObject, RegistryPath, NULL, &Characteristics, &Driver);
}
