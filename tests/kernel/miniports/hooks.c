/* A miniport that looks at Plug and Play requests before NDIS does: it puts a routine of its own into its driver
 * object's dispatch table, and passes each request on to the one that it found there. Before its device is removed it
 * takes the clients' handles away, which would keep the driver loaded. OID_BREAK makes it do one thing differently.
 *
 * The enumeration below is the only list of what it does: the tests read it from here.
 */
#define NDIS_MINIPORT_DRIVER 1
#define NDIS630_MINIPORT     1
#include <ntifs.h>

#include <ndis.h>

#define OID_BREAK  0xFFA00001
#define OID_COUNTS 0xFFA00002
#define TAG        'kooH'

enum defect
{
    KEEPS_ALL,
    LEAVES_HANDLES,
    VETOES,
    PASSES_NOTHING_ON,
    HOOKS_CREATE,
};

/* In the order of the answer to OID_COUNTS. */
enum count
{
    STARTS,
    QUERIES,
    CANCELS,
    SURPRISES,
    REMOVES,
    CREATES,
    CLEANUPS,
    CLOSES,
    HOOKED_CREATES,
    COUNTS
};

/* Not in the WDK's headers; whoever uses it declares it. */
#define SystemExtendedHandleInformation 64

typedef struct _HANDLE_ENTRY
{
    PVOID Object;
    ULONG_PTR UniqueProcessId;
    ULONG_PTR HandleValue;
    ULONG GrantedAccess;
    USHORT CreatorBackTraceIndex;
    USHORT ObjectTypeIndex;
    ULONG HandleAttributes;
    ULONG Reserved;
} HANDLE_ENTRY;

typedef struct _HANDLE_LIST
{
    ULONG_PTR NumberOfHandles;
    ULONG_PTR Reserved;
    HANDLE_ENTRY Handles[1];
} HANDLE_LIST;

NTSTATUS NTAPI ZwQuerySystemInformation(ULONG SystemInformationClass, PVOID SystemInformation,
                                        ULONG SystemInformationLength, PULONG ReturnLength);

static NDIS_HANDLE Driver, AdapterHandle, DeviceHandle;
static PDEVICE_OBJECT Device, Physical, Functional, Next;
static PDRIVER_DISPATCH NdisPnp, NdisCreate;
static PFILE_OBJECT Opened;
static ULONG Defect, Counts[COUNTS];

DRIVER_INITIALIZE DriverEntry;

static VOID CloseHandle(const HANDLE_ENTRY *Entry)
{
    PEPROCESS Process;
    KAPC_STATE State;

    if (PsLookupProcessByProcessId((HANDLE)Entry->UniqueProcessId, &Process) != STATUS_SUCCESS)
        return;
    KeStackAttachProcess((PRKPROCESS)Process, &State);
    (VOID) ObCloseHandle((HANDLE)Entry->HandleValue, UserMode);
    KeUnstackDetachProcess(&State);
    ObDereferenceObject(Process);
}

static VOID CloseHandles(VOID)
{
    ULONG Length = 0;
    HANDLE_LIST *List;

    if (Opened == NULL ||
        ZwQuerySystemInformation(SystemExtendedHandleInformation, NULL, 0, &Length) != STATUS_INFO_LENGTH_MISMATCH)
        return;
    List = ExAllocatePoolWithTag(NonPagedPoolNx, Length, TAG);
    if (List == NULL)
        return;
    if (ZwQuerySystemInformation(SystemExtendedHandleInformation, List, Length, NULL) == STATUS_SUCCESS)
        for (ULONG_PTR Index = 0; Index < List->NumberOfHandles; Index++)
            if (List->Handles[Index].Object == Opened)
                CloseHandle(&List->Handles[Index]);
    ExFreePoolWithTag(List, TAG);
}

static NTSTATUS Complete(PIRP Irp, NTSTATUS Status)
{
    Irp->IoStatus.Status = Status;
    Irp->IoStatus.Information = 0;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return Status;
}

static DRIVER_DISPATCH DispatchPnp;
static NTSTATUS NTAPI DispatchPnp(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    UCHAR Minor = IoGetCurrentIrpStackLocation(Irp)->MinorFunction;

    Counts[STARTS] += Minor == IRP_MN_START_DEVICE;
    Counts[QUERIES] += Minor == IRP_MN_QUERY_REMOVE_DEVICE;
    Counts[CANCELS] += Minor == IRP_MN_CANCEL_REMOVE_DEVICE;
    Counts[SURPRISES] += Minor == IRP_MN_SURPRISE_REMOVAL;
    Counts[REMOVES] += Minor == IRP_MN_REMOVE_DEVICE;
    if (Defect == VETOES && Minor == IRP_MN_QUERY_REMOVE_DEVICE)
        return Complete(Irp, STATUS_UNSUCCESSFUL);
    if (Defect == PASSES_NOTHING_ON && Minor == IRP_MN_REMOVE_DEVICE)
        return Complete(Irp, STATUS_SUCCESS);
    if (Defect != LEAVES_HANDLES && (Minor == IRP_MN_QUERY_REMOVE_DEVICE || Minor == IRP_MN_SURPRISE_REMOVAL))
        CloseHandles();
    return NdisPnp(DeviceObject, Irp);
}

static DRIVER_DISPATCH DispatchCreate;
static NTSTATUS NTAPI DispatchCreate(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    Counts[HOOKED_CREATES]++;
    return NdisCreate(DeviceObject, Irp);
}

static DRIVER_DISPATCH Dispatch;
static NTSTATUS NTAPI Dispatch(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    PIO_STACK_LOCATION Stack = IoGetCurrentIrpStackLocation(Irp);

    UNREFERENCED_PARAMETER(DeviceObject);
    if (Stack->MajorFunction == IRP_MJ_CREATE)
        Opened = Stack->FileObject;
    else if (Stack->MajorFunction == IRP_MJ_CLEANUP)
        Opened = NULL;
    Counts[CREATES] += Stack->MajorFunction == IRP_MJ_CREATE;
    Counts[CLEANUPS] += Stack->MajorFunction == IRP_MJ_CLEANUP;
    Counts[CLOSES] += Stack->MajorFunction == IRP_MJ_CLOSE;
    return Complete(Irp, STATUS_SUCCESS);
}

/* The miniport */

static NDIS_STATUS NTAPI OidRequest(NDIS_HANDLE Context, PNDIS_OID_REQUEST Request)
{
    UNREFERENCED_PARAMETER(Context);
    if (Request->DATA.QUERY_INFORMATION.Oid == OID_COUNTS &&
        Request->DATA.QUERY_INFORMATION.InformationBufferLength == sizeof Counts)
    {
        NdisMoveMemory(Request->DATA.QUERY_INFORMATION.InformationBuffer, Counts, sizeof Counts);
        Request->DATA.QUERY_INFORMATION.BytesWritten = Request->DATA.QUERY_INFORMATION.BytesNeeded = sizeof Counts;
        return NDIS_STATUS_SUCCESS;
    }
    if (Request->RequestType != NdisRequestSetInformation || Request->DATA.SET_INFORMATION.Oid != OID_BREAK ||
        Request->DATA.SET_INFORMATION.InformationBufferLength < sizeof Defect)
        return NDIS_STATUS_NOT_SUPPORTED;
    NdisMoveMemory(&Defect, Request->DATA.SET_INFORMATION.InformationBuffer, sizeof Defect);
    Request->DATA.SET_INFORMATION.BytesRead = sizeof Defect;
    if (Defect == HOOKS_CREATE)
    {
        NdisCreate = Device->DriverObject->MajorFunction[IRP_MJ_CREATE];
        Device->DriverObject->MajorFunction[IRP_MJ_CREATE] = DispatchCreate;
    }
    return NDIS_STATUS_SUCCESS;
}

static VOID NTAPI CancelOid(NDIS_HANDLE Context, PVOID RequestId)
{
    UNREFERENCED_PARAMETER(Context);
    UNREFERENCED_PARAMETER(RequestId);
}

static NDIS_STATUS RegisterDevice(VOID)
{
    static UNICODE_STRING Name = RTL_CONSTANT_STRING(L"\\Device\\Hooks");
    static UNICODE_STRING Link = RTL_CONSTANT_STRING(L"\\DosDevices\\Hooks");
    PDRIVER_DISPATCH Table[IRP_MJ_MAXIMUM_FUNCTION + 1] = {
        [IRP_MJ_CREATE] = Dispatch, [IRP_MJ_CLEANUP] = Dispatch, [IRP_MJ_CLOSE] = Dispatch};
    NDIS_DEVICE_OBJECT_ATTRIBUTES Attributes = {.Header = {NDIS_OBJECT_TYPE_DEVICE_OBJECT_ATTRIBUTES,
                                                           NDIS_DEVICE_OBJECT_ATTRIBUTES_REVISION_1,
                                                           NDIS_SIZEOF_DEVICE_OBJECT_ATTRIBUTES_REVISION_1},
                                                .DeviceName = &Name,
                                                .SymbolicName = &Link,
                                                .MajorFunctions = Table};

    return NdisRegisterDeviceEx(Driver, &Attributes, &Device, &DeviceHandle);
}

static NDIS_STATUS NTAPI Initialize(NDIS_HANDLE Handle, NDIS_HANDLE DriverContext,
                                    PNDIS_MINIPORT_INIT_PARAMETERS Parameters)
{
    NDIS_MINIPORT_ADAPTER_ATTRIBUTES Registration = {
        .RegistrationAttributes = {.Header = {NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES,
                                              NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES_REVISION_2,
                                              NDIS_SIZEOF_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES_REVISION_2},
                                   .MiniportAdapterContext = &Driver}};
    NDIS_MINIPORT_ADAPTER_ATTRIBUTES General = {
        .GeneralAttributes = {.Header = {NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES,
                                         NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES_REVISION_2,
                                         NDIS_SIZEOF_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES_REVISION_2},
                              .MtuSize = 1500}};
    PCM_RESOURCE_LIST Resources = (PCM_RESOURCE_LIST)&Driver;

    UNREFERENCED_PARAMETER(DriverContext);
    UNREFERENCED_PARAMETER(Parameters);
    AdapterHandle = Handle;
    NdisMGetDeviceProperty(Handle, &Physical, &Functional, &Next, &Resources, NULL);
    if (Functional->DriverObject->MajorFunction[IRP_MJ_PNP] != DispatchPnp || Next != Physical || Resources != NULL ||
        NdisMSetMiniportAttributes(Handle, &Registration) != NDIS_STATUS_SUCCESS ||
        NdisMSetMiniportAttributes(Handle, &General) != NDIS_STATUS_SUCCESS)
        return NDIS_STATUS_FAILURE;
    return RegisterDevice();
}

static VOID NTAPI Halt(NDIS_HANDLE Context, NDIS_HALT_ACTION Action)
{
    UNREFERENCED_PARAMETER(Context);
    UNREFERENCED_PARAMETER(Action);
    NdisDeregisterDeviceEx(DeviceHandle);
}

static NDIS_STATUS NTAPI SetOptions(NDIS_HANDLE DriverHandle, NDIS_HANDLE DriverContext)
{
    NDIS_DRIVER_OPTIONAL_HANDLERS Handlers = {{NDIS_OBJECT_TYPE_DEFAULT, 1, sizeof(NDIS_OBJECT_HEADER)}};

    UNREFERENCED_PARAMETER(DriverContext);
    return NdisSetOptionalHandlers(DriverHandle, (PVOID)&Handlers) == NDIS_STATUS_NOT_SUPPORTED ? NDIS_STATUS_SUCCESS
                                                                                                : NDIS_STATUS_FAILURE;
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
    UNREFERENCED_PARAMETER(Context);
    UNREFERENCED_PARAMETER(Port);
    UNREFERENCED_PARAMETER(Flags);
    for (NET_BUFFER_LIST *Nbl = NetBufferLists; Nbl != NULL; Nbl = Nbl->Next)
        Nbl->Status = NDIS_STATUS_FAILURE;
    NdisMSendNetBufferListsComplete(AdapterHandle, NetBufferLists, 0);
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
        .Header = {NDIS_OBJECT_TYPE_MINIPORT_DRIVER_CHARACTERISTICS, NDIS_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_2,
                   NDIS_SIZEOF_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_2},
        .MajorNdisVersion = 6,
        .MinorNdisVersion = 30,
        .SetOptionsHandler = SetOptions,
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
        .CancelOidRequestHandler = CancelOid};

    NDIS_STATUS Status = NdisMRegisterMiniportDriver(DriverObject, RegistryPath, NULL, &Characteristics, &Driver);

    if (Status == NDIS_STATUS_SUCCESS)
    {
        NdisPnp = DriverObject->MajorFunction[IRP_MJ_PNP];
        DriverObject->MajorFunction[IRP_MJ_PNP] = DispatchPnp;
    }
    return Status;
}
