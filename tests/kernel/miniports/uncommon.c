/* A miniport that uses what few miniports need: a device and a name of its own, references and handles, processes and
 * security descriptors. A set request of OID_DO with the number of a deed makes it do that, and succeeds when the host
 * kernel answered as Windows does. The deeds from FIRST_DEFECT on break a rule.
 *
 * The enumeration below is the only list of deeds: the tests read it from here.
 */
#define NDIS_MINIPORT_DRIVER 1
#define NDIS630_MINIPORT     1
#include <initguid.h>
#include <ntifs.h>

#include <ndis.h>
#include <ndisguid.h>
#include <wdmguid.h>

#define OID_DO 0xFFA00001
#define TAG    'ocnU'

enum deed
{
    DOES_NOTHING,
    OPENS_A_DEVICE,
    USES_HANDLES,
    SHUTS_USERS_OUT,
    LETS_EVERYONE_IN,
    REFUSES_BAD_ACLS,
    VISITS_A_PROCESS,
    REMEMBERS_A_PROCESS,
    ASKS_FOR_THE_VERIFIER,
    HEARS_OF_INTERFACES,
    FIRST_DEFECT,
    DEREFERENCES_TOO_OFTEN,
    REFERENCES_NO_OBJECT,
    CLOSES_A_HANDLE_TWICE,
    TRUSTS_A_USER_HANDLE,
    REFERENCES_AT_DISPATCH,
    DELETES_A_DEVICE_TWICE,
    DELETES_THE_DEVICE_OF_NDIS,
    DETACHES_UNATTACHED,
    STAYS_ATTACHED,
    ATTACHES_AT_DISPATCH,
    PROBES_ODDLY,
    UNREGISTERS_TWICE,
    FAILS_A_NOTIFICATION,
    KEEPS_A_NOTIFICATION,
    KEEPS_A_REFERENCE,
    KEEPS_A_HANDLE,
    KEEPS_A_LINK,
    KEEPS_THE_DEVICE,
    HOLDS_ITS_OWN_FILE,
    PROBES_KERNEL_MEMORY,
    PROBES_MISALIGNED,
};

typedef struct _ADAPTER
{
    NDIS_HANDLE Handle;
    NDIS_HANDLE DeviceHandle;
    PDEVICE_OBJECT Device;
} ADAPTER;

static NDIS_HANDLE Driver;
static PDRIVER_OBJECT DriverObjectOfOurs;
static PDEVICE_OBJECT Control;
static ULONG Deed;
static ULONG Creates, Cleanups, Closes;
static HANDLE ClientId;
static PEPROCESS Remembered;
static ULONG Arrivals, Removals;
static PVOID Entry;

static UNICODE_STRING ControlName = RTL_CONSTANT_STRING(L"\\Device\\Uncommon");
static UNICODE_STRING ControlLink = RTL_CONSTANT_STRING(L"\\DosDevices\\Uncommon");
static UNICODE_STRING OtherLink = RTL_CONSTANT_STRING(L"\\DosDevices\\Other");
static UNICODE_STRING AdapterName = RTL_CONSTANT_STRING(L"\\Device\\UncommonAdapter");
static UNICODE_STRING AdapterSddl = RTL_CONSTANT_STRING(L"D:P(A;;GA;;;WD)");

DRIVER_INITIALIZE DriverEntry;

/* Requests */

static NTSTATUS Complete(PIRP Irp, NTSTATUS Status, ULONG_PTR Information)
{
    Irp->IoStatus.Status = Status;
    Irp->IoStatus.Information = Information;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return Status;
}

static NTSTATUS NTAPI DispatchControl(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    UCHAR Major = IoGetCurrentIrpStackLocation(Irp)->MajorFunction;

    Creates += Major == IRP_MJ_CREATE;
    Cleanups += Major == IRP_MJ_CLEANUP;
    Closes += Major == IRP_MJ_CLOSE;
    return Complete(Irp,
                    DeviceObject == Control && Irp->RequestorMode == KernelMode ? STATUS_SUCCESS
                                                                                : STATUS_INVALID_DEVICE_REQUEST,
                    0);
}

static NTSTATUS NTAPI DispatchAdapter(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    PIO_STACK_LOCATION Stack = IoGetCurrentIrpStackLocation(Irp);

    UNREFERENCED_PARAMETER(DeviceObject);
    if (Stack->MajorFunction == IRP_MJ_CREATE)
        ClientId = PsGetCurrentProcessId();
    if (Stack->MajorFunction != IRP_MJ_WRITE)
        return Complete(Irp, STATUS_SUCCESS, 0);
    ULONG Length = Stack->Parameters.Write.Length;
    PUCHAR Bytes = Irp->UserBuffer;

    if (Deed == PROBES_ODDLY)
        ProbeForRead(Bytes, Length, 3);
    else if (Deed == PROBES_KERNEL_MEMORY)
        ProbeForWrite(Irp, sizeof *Irp, 1);
    else if (Deed == PROBES_MISALIGNED)
        ProbeForRead(Bytes + 1, Length - 1, 4);
    else
        ProbeForRead(Bytes, Length, 1);
    return Complete(Irp, STATUS_SUCCESS, Length);
}

/* Names, references, handles */

static BOOLEAN OpensADevice(VOID)
{
    PFILE_OBJECT File;
    PDEVICE_OBJECT Device;
    ULONG Before = Closes;

    if (IoGetDeviceObjectPointer(&OtherLink, FILE_READ_DATA, &File, &Device) != STATUS_OBJECT_NAME_NOT_FOUND ||
        IoCreateSymbolicLink(&ControlLink, &AdapterName) != STATUS_OBJECT_NAME_COLLISION ||
        IoDeleteSymbolicLink(&OtherLink) != STATUS_OBJECT_NAME_NOT_FOUND)
        return FALSE;
    if (IoGetDeviceObjectPointer(&ControlLink, FILE_READ_DATA, &File, &Device) != STATUS_SUCCESS)
        return FALSE;
    if (Device != Control || File->DeviceObject != Control || Creates != Cleanups || Closes != Before)
        return FALSE;
    ObReferenceObject(File);
    ObDereferenceObject(File);
    if (Closes != Before)
        return FALSE;
    ObDereferenceObject(File);
    return Closes == Before + 1 && Creates == Closes;
}

static HANDLE Open(PVOID Object, ULONG Attributes, ACCESS_MASK Access)
{
    HANDLE Handle = NULL;

    return ObOpenObjectByPointer(Object, Attributes, NULL, Access, NULL, KernelMode, &Handle) == STATUS_SUCCESS ? Handle
                                                                                                                : NULL;
}

static BOOLEAN UsesHandles(VOID)
{
    HANDLE Handle = Open(Control, OBJ_KERNEL_HANDLE, READ_CONTROL);
    HANDLE UserHandle = Open(Control, 0, READ_CONTROL);
    OBJECT_HANDLE_INFORMATION Information;
    PVOID Object;
    BOOLEAN Good =
        ObReferenceObjectByHandle(Handle, 0, *IoFileObjectType, KernelMode, &Object, NULL) ==
            STATUS_OBJECT_TYPE_MISMATCH &&
        ObReferenceObjectByHandle(Handle, 0, NULL, UserMode, &Object, NULL) == STATUS_INVALID_HANDLE &&
        ObReferenceObjectByHandle(UserHandle, WRITE_DAC, NULL, UserMode, &Object, NULL) == STATUS_ACCESS_DENIED &&
        ObReferenceObjectByHandle(NULL, 0, NULL, UserMode, &Object, NULL) == STATUS_INVALID_HANDLE &&
        ObCloseHandle(Handle, UserMode) == STATUS_INVALID_HANDLE;

    if (ObReferenceObjectByHandle(Handle, 0, NULL, KernelMode, &Object, &Information) != STATUS_SUCCESS)
        return FALSE;
    ObDereferenceObject(Object);
    return Good && Object == Control && Information.GrantedAccess == READ_CONTROL &&
           ObCloseHandle(UserHandle, UserMode) == STATUS_SUCCESS && ZwClose(Handle) == STATUS_SUCCESS;
}

/* Security */

static NTSTATUS SetDacl(ADAPTER *Adapter, PACL Acl)
{
    SECURITY_DESCRIPTOR Descriptor;
    HANDLE Handle = Open(Adapter->Device, OBJ_KERNEL_HANDLE, WRITE_DAC);

    if (RtlCreateSecurityDescriptor(&Descriptor, 2) != STATUS_UNKNOWN_REVISION ||
        RtlCreateSecurityDescriptor(&Descriptor, SECURITY_DESCRIPTOR_REVISION) != STATUS_SUCCESS ||
        RtlSetDaclSecurityDescriptor(&Descriptor, TRUE, Acl, FALSE) != STATUS_SUCCESS)
        return STATUS_UNSUCCESSFUL;
    NTSTATUS Status = ZwSetSecurityObject(Handle, DACL_SECURITY_INFORMATION, &Descriptor);

    ZwClose(Handle);
    return Status;
}

static BOOLEAN ShutsUsersOut(ADAPTER *Adapter)
{
    SID System;
    SID_IDENTIFIER_AUTHORITY Authority = {SECURITY_NT_AUTHORITY};
    ULONG Space[16];
    PACL Acl = (PACL)Space;

    RtlInitializeSid(&System, &Authority, 1);
    *RtlSubAuthoritySid(&System, 0) = SECURITY_LOCAL_SYSTEM_RID;
    return RtlCreateAcl(Acl, sizeof Space, ACL_REVISION) == STATUS_SUCCESS &&
           RtlAddAccessAllowedAce(Acl, ACL_REVISION, GENERIC_ALL, &System) == STATUS_SUCCESS &&
           SetDacl(Adapter, Acl) == STATUS_SUCCESS;
}

static BOOLEAN RefusesBadAcls(ADAPTER *Adapter)
{
    SID Sid = {SID_REVISION, 1, {SECURITY_NT_AUTHORITY}, {SECURITY_LOCAL_SYSTEM_RID}};
    ULONG Space[16];
    PACL Acl = (PACL)Space;

    if (RtlCreateAcl(Acl, sizeof *Acl - 1, ACL_REVISION) != STATUS_BUFFER_TOO_SMALL ||
        RtlCreateAcl(Acl, sizeof Space, 9) != STATUS_INVALID_PARAMETER)
        return FALSE;
    if (RtlCreateAcl(Acl, sizeof *Acl + 4, ACL_REVISION) != STATUS_SUCCESS ||
        RtlAddAccessAllowedAce(Acl, ACL_REVISION, GENERIC_ALL, &Sid) != (NTSTATUS)0xC0000099)
        return FALSE;
    Sid.SubAuthorityCount = SID_MAX_SUB_AUTHORITIES + 1;
    if (RtlValidSid(&Sid) || RtlAddAccessAllowedAce(Acl, ACL_REVISION, GENERIC_ALL, &Sid) != STATUS_INVALID_SID)
        return FALSE;
    Acl->AceCount = 1; /* and there is no room for one */
    return SetDacl(Adapter, Acl) == STATUS_INVALID_ACL;
}

/* Processes */

static BOOLEAN VisitsAProcess(VOID)
{
    PEPROCESS Process;
    KAPC_STATE State;
    HANDLE Outside = PsGetCurrentProcessId();

    if (PsLookupProcessByProcessId((HANDLE)((ULONG_PTR)ClientId + 4000), &Process) != STATUS_INVALID_CID ||
        PsLookupProcessByProcessId(ClientId, &Process) != STATUS_SUCCESS)
        return FALSE;
    KeStackAttachProcess((PRKPROCESS)Process, &State);
    BOOLEAN Good = PsGetCurrentProcessId() == ClientId && PsGetCurrentProcess() == Process;

    KeUnstackDetachProcess(&State);
    Good = Good && PsGetProcessId(Process) == ClientId && PsGetCurrentProcessId() == Outside && Outside != ClientId;
    ObDereferenceObject(Process);
    return Good;
}

/* The first time it takes a reference; later it finds the process gone, and what it refers to still there. */
static BOOLEAN RemembersAProcess(VOID)
{
    PEPROCESS Process;

    if (Remembered == NULL)
        return PsLookupProcessByProcessId(ClientId, &Remembered) == STATUS_SUCCESS;
    BOOLEAN Good =
        PsLookupProcessByProcessId(ClientId, &Process) == STATUS_INVALID_CID && PsGetProcessId(Remembered) == ClientId;

    ObDereferenceObject(Remembered);
    return Good;
}

static BOOLEAN AsksForTheVerifier(VOID)
{
    ULONG Flags = 0;

    return MmIsVerifierEnabled(&Flags) == STATUS_SUCCESS && Flags != 0;
}

/* Notifications */

static NTSTATUS NTAPI Notify(PVOID NotificationStructure, PVOID Context)
{
    const DEVICE_INTERFACE_CHANGE_NOTIFICATION *Change = NotificationStructure;

    if (Context != &Entry || !IsEqualGUID(&Change->InterfaceClassGuid, &GUID_DEVINTERFACE_NET) ||
        Change->Size != sizeof *Change || Change->SymbolicLinkName->Length < 2 * sizeof(WCHAR))
        return STATUS_INVALID_PARAMETER;
    Arrivals += IsEqualGUID(&Change->Event, &GUID_DEVICE_INTERFACE_ARRIVAL);
    Removals += IsEqualGUID(&Change->Event, &GUID_DEVICE_INTERFACE_REMOVAL);
    return Deed == FAILS_A_NOTIFICATION ? STATUS_UNSUCCESSFUL : STATUS_SUCCESS;
}

/* The first time it hears of the adapters that are there; later it tells whether another came and went. */
static BOOLEAN HearsOfInterfaces(VOID)
{
    GUID Class = GUID_DEVINTERFACE_NET;
    PVOID Other;

    if (Entry == NULL)
        return IoRegisterPlugPlayNotification(EventCategoryTargetDeviceChange, 0, Control, DriverObjectOfOurs, Notify,
                                              &Entry, &Other) == STATUS_INVALID_DEVICE_REQUEST &&
               IoRegisterPlugPlayNotification(EventCategoryDeviceInterfaceChange,
                                              PNPNOTIFY_DEVICE_INTERFACE_INCLUDE_EXISTING_INTERFACES, &Class,
                                              DriverObjectOfOurs, Notify, &Entry, &Entry) == STATUS_SUCCESS &&
               Arrivals == 1 && Removals == 0;
    return Arrivals == 2 && Removals == 1;
}

static VOID MisuseNotifications(VOID)
{
    if (Deed != UNREGISTERS_TWICE && Deed != FAILS_A_NOTIFICATION && Deed != KEEPS_A_NOTIFICATION)
        return;
    (VOID) HearsOfInterfaces();
    if (Deed != UNREGISTERS_TWICE)
        return;
    (VOID) IoUnregisterPlugPlayNotification(Entry);
    (VOID) IoUnregisterPlugPlayNotificationEx(Entry);
    Entry = NULL;
}

/* What is wrong */

static VOID MisuseObjects(VOID)
{
    PVOID Object;
    KIRQL Irql;
    HANDLE Handle = Open(Control, Deed == TRUSTS_A_USER_HANDLE ? 0 : OBJ_KERNEL_HANDLE, READ_CONTROL);

    if (Deed == DEREFERENCES_TOO_OFTEN)
        ObDereferenceObject(Control);
    else if (Deed == REFERENCES_NO_OBJECT)
        ObReferenceObject(&Object);
    else if (Deed == KEEPS_A_REFERENCE)
        ObReferenceObject(Control);
    else if (Deed == TRUSTS_A_USER_HANDLE &&
             ObReferenceObjectByHandle(Handle, 0, NULL, KernelMode, &Object, NULL) == STATUS_SUCCESS)
        ObDereferenceObject(Object);
    else if (Deed == REFERENCES_AT_DISPATCH)
    {
        KeRaiseIrql(DISPATCH_LEVEL, &Irql);
        NTSTATUS Status = ObReferenceObjectByHandle(Handle, 0, NULL, KernelMode, &Object, NULL);

        KeLowerIrql(Irql);
        if (Status == STATUS_SUCCESS)
            ObDereferenceObject(Object);
    }
    if (Deed != KEEPS_A_HANDLE)
        ZwClose(Handle);
    if (Deed == CLOSES_A_HANDLE_TWICE)
        ZwClose(Handle);
}

static VOID MisuseProcesses(VOID)
{
    PEPROCESS Process;
    KAPC_STATE State = {0};
    KIRQL Irql;

    if (Deed == DETACHES_UNATTACHED)
        KeUnstackDetachProcess(&State);
    if ((Deed != STAYS_ATTACHED && Deed != ATTACHES_AT_DISPATCH) ||
        PsLookupProcessByProcessId(ClientId, &Process) != STATUS_SUCCESS)
        return;
    if (Deed == ATTACHES_AT_DISPATCH)
    {
        KeRaiseIrql(DISPATCH_LEVEL, &Irql);
        KeStackAttachProcess((PRKPROCESS)Process, &State);
        KeLowerIrql(Irql);
    }
    else
        KeStackAttachProcess((PRKPROCESS)Process, &State);
    ObDereferenceObject(Process);
}

static VOID MisuseDevices(ADAPTER *Adapter)
{
    PDEVICE_OBJECT Device;
    PFILE_OBJECT File;

    if (Deed == DELETES_A_DEVICE_TWICE &&
        IoCreateDevice(DriverObjectOfOurs, 0, NULL, FILE_DEVICE_UNKNOWN, 0, FALSE, &Device) == STATUS_SUCCESS)
    {
        IoDeleteDevice(Device);
        IoDeleteDevice(Device);
    }
    else if (Deed == DELETES_THE_DEVICE_OF_NDIS)
        IoDeleteDevice(Adapter->Device);
    else if (Deed == HOLDS_ITS_OWN_FILE)
        (VOID) IoGetDeviceObjectPointer(&ControlLink, FILE_READ_DATA, &File, &Device);
}

static BOOLEAN Do(ADAPTER *Adapter)
{
    switch (Deed)
    {
    case OPENS_A_DEVICE:
        return OpensADevice();
    case USES_HANDLES:
        return UsesHandles();
    case SHUTS_USERS_OUT:
        return ShutsUsersOut(Adapter);
    case LETS_EVERYONE_IN:
        return SetDacl(Adapter, NULL) == STATUS_SUCCESS;
    case REFUSES_BAD_ACLS:
        return RefusesBadAcls(Adapter);
    case VISITS_A_PROCESS:
        return VisitsAProcess();
    case REMEMBERS_A_PROCESS:
        return RemembersAProcess();
    case HEARS_OF_INTERFACES:
        return HearsOfInterfaces();
    case ASKS_FOR_THE_VERIFIER:
        return AsksForTheVerifier();
    default:
        MisuseObjects();
        MisuseNotifications();
        MisuseProcesses();
        MisuseDevices(Adapter);
        return TRUE;
    }
}

/* The miniport */

static VOID NTAPI Send(NDIS_HANDLE Context, PNET_BUFFER_LIST NetBufferLists, NDIS_PORT_NUMBER Port, ULONG Flags)
{
    ADAPTER *Adapter = Context;

    UNREFERENCED_PARAMETER(Port);
    for (NET_BUFFER_LIST *Nbl = NetBufferLists; Nbl != NULL; Nbl = Nbl->Next)
        Nbl->Status = NDIS_STATUS_SUCCESS;
    NdisMSendNetBufferListsComplete(Adapter->Handle, NetBufferLists,
                                    Flags & NDIS_SEND_FLAGS_DISPATCH_LEVEL ? NDIS_SEND_COMPLETE_FLAGS_DISPATCH_LEVEL
                                                                           : 0);
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

static NDIS_STATUS NTAPI OidRequest(NDIS_HANDLE Context, PNDIS_OID_REQUEST Request)
{
    if (Request->RequestType != NdisRequestSetInformation || Request->DATA.SET_INFORMATION.Oid != OID_DO ||
        Request->DATA.SET_INFORMATION.InformationBufferLength < sizeof Deed)
        return NDIS_STATUS_NOT_SUPPORTED;
    Deed = *(ULONG *)Request->DATA.SET_INFORMATION.InformationBuffer;
    Request->DATA.SET_INFORMATION.BytesRead = sizeof Deed;
    return Do(Context) ? NDIS_STATUS_SUCCESS : NDIS_STATUS_FAILURE;
}

static VOID NTAPI CancelOid(NDIS_HANDLE Context, PVOID RequestId)
{
    UNREFERENCED_PARAMETER(Context);
    UNREFERENCED_PARAMETER(RequestId);
}

static NDIS_STATUS SetAttributes(ADAPTER *Adapter)
{
    NDIS_MINIPORT_ADAPTER_ATTRIBUTES Registration = {
        .RegistrationAttributes = {.Header = {NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES,
                                              NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES_REVISION_2,
                                              NDIS_SIZEOF_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES_REVISION_2},
                                   .MiniportAdapterContext = Adapter,
                                   .AttributeFlags = NDIS_MINIPORT_ATTRIBUTES_NO_HALT_ON_SUSPEND}};
    NDIS_MINIPORT_ADAPTER_ATTRIBUTES General = {
        .GeneralAttributes = {.Header = {NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES,
                                         NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES_REVISION_2,
                                         NDIS_SIZEOF_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES_REVISION_2},
                              .MtuSize = 1500}};
    NDIS_STATUS Status = NdisMSetMiniportAttributes(Adapter->Handle, &Registration);

    return Status == NDIS_STATUS_SUCCESS ? NdisMSetMiniportAttributes(Adapter->Handle, &General) : Status;
}

static NDIS_STATUS RegisterDevice(ADAPTER *Adapter)
{
    PDRIVER_DISPATCH Dispatch[IRP_MJ_MAXIMUM_FUNCTION + 1] = {[IRP_MJ_CREATE] = DispatchAdapter,
                                                              [IRP_MJ_CLEANUP] = DispatchAdapter,
                                                              [IRP_MJ_CLOSE] = DispatchAdapter,
                                                              [IRP_MJ_WRITE] = DispatchAdapter};
    NDIS_DEVICE_OBJECT_ATTRIBUTES Attributes = {.Header = {NDIS_OBJECT_TYPE_DEVICE_OBJECT_ATTRIBUTES,
                                                           NDIS_DEVICE_OBJECT_ATTRIBUTES_REVISION_1,
                                                           NDIS_SIZEOF_DEVICE_OBJECT_ATTRIBUTES_REVISION_1},
                                                .DeviceName = &AdapterName,
                                                .MajorFunctions = Dispatch,
                                                .DefaultSDDLString = &AdapterSddl};
    NDIS_STATUS Status = NdisRegisterDeviceEx(Adapter->Handle, &Attributes, &Adapter->Device, &Adapter->DeviceHandle);

    if (Status == NDIS_STATUS_SUCCESS)
        Adapter->Device->Flags &= ~(ULONG)DO_BUFFERED_IO;
    return Status;
}

static NDIS_STATUS NTAPI Initialize(NDIS_HANDLE Handle, NDIS_HANDLE DriverContext,
                                    PNDIS_MINIPORT_INIT_PARAMETERS Parameters)
{
    ADAPTER *Adapter = ExAllocatePoolWithTag(NonPagedPoolNx, sizeof *Adapter, TAG);

    UNREFERENCED_PARAMETER(DriverContext);
    UNREFERENCED_PARAMETER(Parameters);
    if (Adapter == NULL)
        return NDIS_STATUS_RESOURCES;
    NdisZeroMemory(Adapter, sizeof *Adapter);
    Adapter->Handle = Handle;
    if (SetAttributes(Adapter) == NDIS_STATUS_SUCCESS && RegisterDevice(Adapter) == NDIS_STATUS_SUCCESS)
        return NDIS_STATUS_SUCCESS;
    ExFreePoolWithTag(Adapter, TAG);
    return NDIS_STATUS_FAILURE;
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

static VOID NTAPI Halt(NDIS_HANDLE Context, NDIS_HALT_ACTION Action)
{
    ADAPTER *Adapter = Context;

    UNREFERENCED_PARAMETER(Action);
    NdisDeregisterDeviceEx(Adapter->DeviceHandle);
    ExFreePoolWithTag(Adapter, TAG);
}

static VOID NTAPI ShutdownHandler(NDIS_HANDLE Context, NDIS_SHUTDOWN_ACTION Action)
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
    if (Entry != NULL && Deed != KEEPS_A_NOTIFICATION)
        IoUnregisterPlugPlayNotificationEx(Entry);
    if (Deed != KEEPS_A_LINK)
        IoDeleteSymbolicLink(&ControlLink);
    if (Deed != KEEPS_THE_DEVICE)
        IoDeleteDevice(Control);
    NdisMDeregisterMiniportDriver(Driver);
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    NDIS_MINIPORT_DRIVER_CHARACTERISTICS Characteristics = {
        .Header = {NDIS_OBJECT_TYPE_MINIPORT_DRIVER_CHARACTERISTICS, NDIS_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_2,
                   NDIS_SIZEOF_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_2},
        .MajorNdisVersion = 6,
        .MinorNdisVersion = 30,
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

    NTSTATUS Status;

    DriverObjectOfOurs = DriverObject;
    DriverObject->MajorFunction[IRP_MJ_CREATE] = DispatchControl;
    DriverObject->MajorFunction[IRP_MJ_CLEANUP] = DispatchControl;
    DriverObject->MajorFunction[IRP_MJ_CLOSE] = DispatchControl;
    Status = IoCreateDevice(DriverObject, 0, &ControlName, FILE_DEVICE_UNKNOWN, 0, FALSE, &Control);
    if (Status != STATUS_SUCCESS)
        return Status;
    Status = IoCreateSymbolicLink(&ControlLink, &ControlName);
    if (Status == STATUS_SUCCESS)
    {
        Status = NdisMRegisterMiniportDriver(DriverObject, RegistryPath, NULL, &Characteristics, &Driver);
        if (Status != STATUS_SUCCESS)
            IoDeleteSymbolicLink(&ControlLink);
    }
    if (Status != STATUS_SUCCESS)
        IoDeleteDevice(Control);
    return Status;
}
