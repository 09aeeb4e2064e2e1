/* A small miniport that keeps every rule, until it is told to break one: a set request of OID_BREAK with the number of
 * a defect makes it do that one thing wrong wherever it has the opportunity. Reads wait in a cancel-safe queue for the
 * next packet sent; a write is received as one packet.
 *
 * The enumeration below is the only list of defects: the tests read it from here.
 */
#define NDIS_MINIPORT_DRIVER 1
#define NDIS630_MINIPORT     1
#include <ndis.h>

#define OID_BREAK 0xFFA00001
#define TAG       'cepS'

enum defect
{
    KEEPS_ALL,
    COMPLETES_TWICE,
    KEEPS_REMOVE_LOCK,
    COMPLETES_UNDER_SPIN_LOCK,
    COMPLETES_WITH_CANCEL_ROUTINE,
    COMPLETES_AS_PENDING,
    CLAIMS_TOO_MUCH,
    MARKS_AND_RETURNS_SUCCESS,
    RETURNS_PENDING_UNMARKED,
    MARKS_AFTER_QUEUING,
    MARKS_AFTER_INTERLOCKED_QUEUING,
    COMPLETES_AND_RETURNS_PENDING,
    FORGETS_TO_COMPLETE,
    RETURNS_ANOTHER_STATUS,
    COMPLETES_AT_HIGH_LEVEL,
    WRITES_BEHIND_INFORMATION,
    WRITES_FAR_BEHIND_INFORMATION,
    TOUCHES_COMPLETED_IRP,
    CHANGES_DRIVER_CONTEXT,
    SETS_NO_NBL_STATUS,
    SETS_ODD_NBL_STATUS,
    COMPLETES_NBL_TWICE,
    COMPLETES_NBL_OF_OTHERS,
    CHANGES_SENT_DATA,
    COMPLETES_NBL_UNDER_LOCK,
    CLAIMS_DISPATCH_LEVEL,
    TOUCHES_COMPLETED_NBL,
    KEEPS_NBL,
    COUNTS_WRONG,
    INDICATES_WITHOUT_SOURCE,
    INDICATES_MORE_THAN_IT_HAS,
    INDICATES_WHILE_PAUSED,
    INDICATES_FREED_NBL,
    FREES_NBL_TWICE,
    FREES_MDL_TWICE,
    FREES_NO_MDL,
    FREES_POOL_IN_USE,
    FREES_NO_POOL,
    INDICATES_STATUS_TOO_EARLY,
    INDICATES_STATUS_TOO_LATE,
    INDICATES_LINK_TWICE,
    INDICATES_BAD_HEADER,
    INDICATES_WITH_FLAGS,
    INDICATES_TO_SOMEBODY,
    DESCRIBES_POWER_WITH_BAD_HEADER,
    SETS_ATTRIBUTES_OF_AN_OLDER_REVISION,
    REGISTERS_DEVICE_WITH_ODD_SIZE,
    REGISTERS_DEVICE_WITH_SHORT_TABLE,
    ALLOCATES_POOL_OF_A_LATER_REVISION,
    ALLOCATES_POOL_AS_A_PROTOCOL,
    INDICATES_READ_ONLY,
    MAPS_MEMORY_TO_BE_EXECUTED,
    FREES_MEMORY_WITH_FLAGS,
    ALIGNS_TO_NOTHING,
    COMPLETES_NBL_AS_A_SWITCH,
    SETS_GENERAL_FIRST,
    SETS_NO_GENERAL,
    FAILS_INITIALIZE_AND_LEAKS,
    FAILS_PAUSE,
    COMPLETES_PAUSE_AND_SUCCEEDS,
    COMPLETES_PAUSE_UNASKED,
    LEAKS_AT_HALT,
    LEAKS_AT_UNLOAD,
    KEEPS_DEVICE,
    DEREGISTERS_DEVICE_TWICE,
    CHANGES_DEVICE_EXTENSION,
    FAILS_QUERY_POWER,
    COMPLETES_OID_TWICE,
    ACQUIRES_IN_A_CIRCLE,
    RUNS_PAGED_CODE_AT_DISPATCH,
    COMPLETES_OID_AND_SUCCEEDS,
    WRITES_MORE_THAN_ASKED,
    SETS_NO_BYTES_WRITTEN,
    SETS_NO_BYTES_NEEDED,
    FORGETS_OID,
    UNLOCKS_UNLOCKED_PAGES,
    MAPS_UNLOCKED_PAGES,
    KEEPS_REGISTRATION,
    SETS_ATTRIBUTES_AT_DISPATCH,
    KEEPS_CONFIGURATION,
};

typedef struct _ADAPTER
{
    NDIS_HANDLE Handle;
    NDIS_HANDLE Pool;
    NDIS_HANDLE Device;
    PDEVICE_OBJECT DeviceObject;
    NET_BUFFER_LIST *Kept;
    NET_BUFFER_LIST *Completed;
    KSPIN_LOCK Lock;
    LIST_ENTRY Reads;
    IO_CSQ Csq;
    IO_REMOVE_LOCK RemoveLock;
} ADAPTER;

static NDIS_HANDLE Driver;
static NDIS_HANDLE LastHandle;
static PVOID LastLeak;
static KSPIN_LOCK OtherLock;
static LIST_ENTRY Interlocked = {&Interlocked, &Interlocked};
static ULONG Defect;

#define BREAKS(name) (Defect == (name))

DRIVER_INITIALIZE DriverEntry;

/* The read queue */

static ADAPTER *AdapterOf(PIO_CSQ Csq)
{
    return CONTAINING_RECORD(Csq, ADAPTER, Csq);
}

static VOID NTAPI Insert(PIO_CSQ Csq, PIRP Irp)
{
    InsertTailList(&AdapterOf(Csq)->Reads, &Irp->Tail.Overlay.ListEntry);
}

static VOID NTAPI Remove(PIO_CSQ Csq, PIRP Irp)
{
    UNREFERENCED_PARAMETER(Csq);
    RemoveEntryList(&Irp->Tail.Overlay.ListEntry);
}

static PIRP NTAPI Peek(PIO_CSQ Csq, PIRP Irp, PVOID Context)
{
    PLIST_ENTRY Head = &AdapterOf(Csq)->Reads;
    PLIST_ENTRY Next = Irp == NULL ? Head->Flink : Irp->Tail.Overlay.ListEntry.Flink;

    for (; Next != Head; Next = Next->Flink)
    {
        PIRP Found = CONTAINING_RECORD(Next, IRP, Tail.Overlay.ListEntry);

        if (Context == NULL || IoGetCurrentIrpStackLocation(Found)->FileObject == Context)
            return Found;
    }
    return NULL;
}

static VOID NTAPI Acquire(PIO_CSQ Csq, PKIRQL Irql)
{
    KeAcquireSpinLock(&AdapterOf(Csq)->Lock, Irql);
}

static VOID NTAPI Release(PIO_CSQ Csq, KIRQL Irql)
{
    KeReleaseSpinLock(&AdapterOf(Csq)->Lock, Irql);
}

static NTSTATUS Complete(PIRP Irp, NTSTATUS Status, ULONG_PTR Information)
{
    Irp->IoStatus.Status = Status;
    Irp->IoStatus.Information = Information;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return Status;
}

static VOID NTAPI CompleteCanceled(PIO_CSQ Csq, PIRP Irp)
{
    UNREFERENCED_PARAMETER(Csq);
    Complete(Irp, STATUS_CANCELLED, 0);
}

/* Receiving */

static VOID FreeReceived(ADAPTER *Adapter, NET_BUFFER_LIST *Nbl)
{
    MDL *Mdl = NET_BUFFER_FIRST_MDL(NET_BUFFER_LIST_FIRST_NB(Nbl));

    UNREFERENCED_PARAMETER(Adapter);
    NdisFreeNetBufferList(Nbl);
    if (BREAKS(FREES_NBL_TWICE))
        NdisFreeNetBufferList(Nbl);
    if (BREAKS(FREES_NO_MDL))
        return;
    NdisFreeMdl(Mdl);
    if (BREAKS(FREES_MDL_TWICE))
        NdisFreeMdl(Mdl);
}

static VOID Indicate(ADAPTER *Adapter, PVOID Data, ULONG Length)
{
    MDL *Mdl = NdisAllocateMdl(Adapter->Handle, Data, Length);
    NET_BUFFER_LIST *Nbl;

    if (Mdl == NULL)
        return;
    Nbl = NdisAllocateNetBufferAndNetBufferList(Adapter->Pool, 0, 0, Mdl, 0,
                                                Length + (BREAKS(INDICATES_MORE_THAN_IT_HAS) ? 1 : 0));
    if (Nbl == NULL)
    {
        NdisFreeMdl(Mdl);
        return;
    }
    Nbl->SourceHandle = BREAKS(INDICATES_WITHOUT_SOURCE) ? NULL : Adapter->Handle;
    NdisSetNblFlag(Nbl, NDIS_NBL_FLAGS_IS_IPV4 | (BREAKS(INDICATES_READ_ONLY) ? NDIS_NBL_FLAGS_SEND_READ_ONLY : 0));
    NET_BUFFER_LIST_INFO(Nbl, NetBufferListFrameType) = (VOID *)(ULONG_PTR)RtlUshortByteSwap(0x0800);
    if (BREAKS(INDICATES_FREED_NBL))
    {
        FreeReceived(Adapter, Nbl);
        NdisMIndicateReceiveNetBufferLists(Adapter->Handle, Nbl, 0, 1, NDIS_RECEIVE_FLAGS_RESOURCES);
        return;
    }
    NdisMIndicateReceiveNetBufferLists(Adapter->Handle, Nbl, 0, BREAKS(COUNTS_WRONG) ? 2 : 1,
                                       NDIS_RECEIVE_FLAGS_RESOURCES);
    FreeReceived(Adapter, Nbl);
}

static NTSTATUS Write(ADAPTER *Adapter, PIRP Irp)
{
    const ULONG Priority = NormalPagePriority | (BREAKS(MAPS_MEMORY_TO_BE_EXECUTED) ? 0 : MdlMappingNoExecute);
    PVOID Data = Irp->MdlAddress == NULL ? NULL : MmGetSystemAddressForMdlSafe(Irp->MdlAddress, Priority);
    ULONG Length = IoGetCurrentIrpStackLocation(Irp)->Parameters.Write.Length;
    KIRQL Irql;

    if (Data == NULL)
        return Complete(Irp, STATUS_INVALID_PARAMETER, 0);
    Indicate(Adapter, Data, Length);
    switch (Defect)
    {
    case COMPLETES_TWICE:
        Complete(Irp, STATUS_SUCCESS, Length);
        IoCompleteRequest(Irp, IO_NO_INCREMENT);
        return STATUS_SUCCESS;
    case COMPLETES_UNDER_SPIN_LOCK:
        KeAcquireSpinLock(&Adapter->Lock, &Irql);
        Complete(Irp, STATUS_SUCCESS, Length);
        KeReleaseSpinLock(&Adapter->Lock, Irql);
        return STATUS_SUCCESS;
    case COMPLETES_AS_PENDING:
        return Complete(Irp, STATUS_PENDING, Length);
    case CLAIMS_TOO_MUCH:
        return Complete(Irp, STATUS_SUCCESS, Length + 1);
    case MARKS_AND_RETURNS_SUCCESS:
        IoMarkIrpPending(Irp);
        return Complete(Irp, STATUS_SUCCESS, Length);
    case COMPLETES_AND_RETURNS_PENDING:
        Complete(Irp, STATUS_SUCCESS, Length);
        return STATUS_PENDING;
    case RETURNS_ANOTHER_STATUS:
        Complete(Irp, STATUS_SUCCESS, Length);
        return STATUS_UNSUCCESSFUL;
    case FORGETS_TO_COMPLETE:
        return STATUS_SUCCESS;
    case COMPLETES_AT_HIGH_LEVEL:
        KeRaiseIrql(HIGH_LEVEL, &Irql);
        Complete(Irp, STATUS_SUCCESS, Length);
        KeLowerIrql(Irql);
        return STATUS_SUCCESS;
    case TOUCHES_COMPLETED_IRP:
        Complete(Irp, STATUS_SUCCESS, Length);
        Irp->IoStatus.Information = 0;
        return STATUS_SUCCESS;
    default:
        return Complete(Irp, STATUS_SUCCESS, Length);
    }
}

/* Reading */

static VOID NTAPI Cancel(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    UNREFERENCED_PARAMETER(DeviceObject);
    IoReleaseCancelSpinLock(Irp->CancelIrql);
    Complete(Irp, STATUS_CANCELLED, 0);
}

static NTSTATUS Read(ADAPTER *Adapter, PIRP Irp)
{
    PVOID Address = NULL;
    MDL *Mdl;
    KIRQL Irql;

    switch (Defect)
    {
    case MARKS_AFTER_QUEUING:
        KeAcquireSpinLock(&Adapter->Lock, &Irql);
        InsertTailList(&Adapter->Reads, &Irp->Tail.Overlay.ListEntry);
        KeReleaseSpinLock(&Adapter->Lock, Irql);
        IoMarkIrpPending(Irp);
        return STATUS_PENDING;
    case MARKS_AFTER_INTERLOCKED_QUEUING:
        ExInterlockedInsertTailList(&Interlocked, &Irp->Tail.Overlay.ListEntry, &OtherLock);
        IoMarkIrpPending(Irp);
        return STATUS_PENDING;
    case RETURNS_PENDING_UNMARKED:
        InsertTailList(&Adapter->Reads, &Irp->Tail.Overlay.ListEntry);
        return STATUS_PENDING;
    case COMPLETES_WITH_CANCEL_ROUTINE:
        IoSetCancelRoutine(Irp, Cancel);
        return Complete(Irp, STATUS_SUCCESS, 0);
    case WRITES_BEHIND_INFORMATION:
        *((PUCHAR)MmGetSystemAddressForMdlSafe(Irp->MdlAddress, NormalPagePriority | MdlMappingNoExecute) + 100) = 1;
        return Complete(Irp, STATUS_SUCCESS, 10);
    case WRITES_FAR_BEHIND_INFORMATION:
        *((PUCHAR)MmGetSystemAddressForMdlSafe(Irp->MdlAddress, NormalPagePriority | MdlMappingNoExecute) + 30000) = 1;
        return Complete(Irp, STATUS_SUCCESS, 10);
    case UNLOCKS_UNLOCKED_PAGES:
        Mdl = IoAllocateMdl(Adapter, sizeof *Adapter, FALSE, FALSE, NULL);
        MmUnlockPages(Mdl);
        IoFreeMdl(Mdl);
        return Complete(Irp, STATUS_SUCCESS, 0);
    case MAPS_UNLOCKED_PAGES:
        Mdl = IoAllocateMdl(Adapter, sizeof *Adapter, FALSE, FALSE, NULL);
        Address = MmGetSystemAddressForMdlSafe(Mdl, NormalPagePriority | MdlMappingNoExecute);
        MmUnmapLockedPages(Address, Mdl);
        IoFreeMdl(Mdl);
        return Complete(Irp, STATUS_SUCCESS, 0);
    default:
        IoCsqInsertIrp(&Adapter->Csq, Irp, NULL);
        if (BREAKS(CHANGES_DRIVER_CONTEXT))
            Irp->Tail.Overlay.DriverContext[3] = NULL;
        return STATUS_PENDING;
    }
}

static NTSTATUS WriteWithRemoveLock(ADAPTER *Adapter, PIRP Irp)
{
    NTSTATUS Status = IoAcquireRemoveLock(&Adapter->RemoveLock, Irp);

    if (!NT_SUCCESS(Status))
        return Complete(Irp, Status, 0);
    Status = Write(Adapter, Irp);
    if (!BREAKS(KEEPS_REMOVE_LOCK))
        IoReleaseRemoveLock(&Adapter->RemoveLock, Irp);
    return Status;
}

static NTSTATUS NTAPI Dispatch(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    PIO_STACK_LOCATION Stack = IoGetCurrentIrpStackLocation(Irp);
    ADAPTER *Adapter = *(ADAPTER **)NdisGetDeviceReservedExtension(DeviceObject);
    PIRP Pending;

    if (Adapter == NULL)
        return Complete(Irp, STATUS_INVALID_HANDLE, 0);
    switch (Stack->MajorFunction)
    {
    case IRP_MJ_READ:
        return Read(Adapter, Irp);
    case IRP_MJ_WRITE:
        return WriteWithRemoveLock(Adapter, Irp);
    case IRP_MJ_CLEANUP:
        while ((Pending = IoCsqRemoveNextIrp(&Adapter->Csq, Stack->FileObject)) != NULL)
            Complete(Pending, STATUS_CANCELLED, 0);
        return Complete(Irp, STATUS_SUCCESS, 0);
    default:
        return Complete(Irp, STATUS_SUCCESS, 0);
    }
}

/* Sending */

static VOID Deliver(ADAPTER *Adapter, NET_BUFFER *Nb)
{
    PIRP Irp = IoCsqRemoveNextIrp(&Adapter->Csq, NULL);
    ULONG Length = NET_BUFFER_DATA_LENGTH(Nb);
    PVOID Target;
    PVOID Data;

    if (Irp == NULL)
        return;
    Target = MmGetSystemAddressForMdlSafe(Irp->MdlAddress, NormalPagePriority | MdlMappingNoExecute);
    Data = Target == NULL || Length > MmGetMdlByteCount(Irp->MdlAddress)
               ? NULL
               : NdisGetDataBuffer(Nb, Length, Target, BREAKS(ALIGNS_TO_NOTHING) ? 0 : 1, 0);
    if (Data != NULL && Data != Target)
        RtlCopyMemory(Target, Data, Length);
    Complete(Irp, Data == NULL ? STATUS_INSUFFICIENT_RESOURCES : STATUS_SUCCESS, Data == NULL ? 0 : Length);
}

static VOID SendComplete(ADAPTER *Adapter, NET_BUFFER_LIST *Nbl)
{
    KIRQL Irql;
    NET_BUFFER_LIST Foreign;

    switch (Defect)
    {
    case COMPLETES_NBL_TWICE:
        NdisMSendNetBufferListsComplete(Adapter->Handle, Nbl, 0);
        NdisMSendNetBufferListsComplete(Adapter->Handle, Nbl, 0);
        break;
    case COMPLETES_NBL_AS_A_SWITCH: /* NDIS_SEND_COMPLETE_FLAGS_SWITCH_SINGLE_SOURCE */
        NdisMSendNetBufferListsComplete(Adapter->Handle, Nbl, 2);
        break;
    case COMPLETES_NBL_OF_OTHERS:
        RtlZeroMemory(&Foreign, sizeof Foreign);
        NdisMSendNetBufferListsComplete(Adapter->Handle, &Foreign, 0);
        NdisMSendNetBufferListsComplete(Adapter->Handle, Nbl, 0);
        break;
    case COMPLETES_NBL_UNDER_LOCK:
        KeAcquireSpinLock(&Adapter->Lock, &Irql);
        NdisMSendNetBufferListsComplete(Adapter->Handle, Nbl, NDIS_SEND_COMPLETE_FLAGS_DISPATCH_LEVEL);
        KeReleaseSpinLock(&Adapter->Lock, Irql);
        break;
    case CLAIMS_DISPATCH_LEVEL:
        NdisMSendNetBufferListsComplete(Adapter->Handle, Nbl, NDIS_SEND_COMPLETE_FLAGS_DISPATCH_LEVEL);
        break;
    case TOUCHES_COMPLETED_NBL:
        NdisMSendNetBufferListsComplete(Adapter->Handle, Nbl, 0);
        Nbl->Scratch = NULL;
        break;
    case KEEPS_NBL:
        Adapter->Kept = Nbl;
        break;
    default:
        NdisMSendNetBufferListsComplete(Adapter->Handle, Nbl, 0);
        break;
    }
}

static VOID NTAPI Send(NDIS_HANDLE Context, PNET_BUFFER_LIST First, NDIS_PORT_NUMBER Port, ULONG Flags)
{
    ADAPTER *Adapter = Context;
    NET_BUFFER_LIST *Next;

    UNREFERENCED_PARAMETER(Port);
    UNREFERENCED_PARAMETER(Flags);
    for (NET_BUFFER_LIST *Nbl = First; Nbl != NULL; Nbl = Next)
    {
        Next = NET_BUFFER_LIST_NEXT_NBL(Nbl);
        NET_BUFFER_LIST_NEXT_NBL(Nbl) = NULL;
        for (NET_BUFFER *Nb = NET_BUFFER_LIST_FIRST_NB(Nbl); Nb != NULL; Nb = NET_BUFFER_NEXT_NB(Nb))
            Deliver(Adapter, Nb);
        if (!BREAKS(SETS_NO_NBL_STATUS))
            NET_BUFFER_LIST_STATUS(Nbl) = BREAKS(SETS_ODD_NBL_STATUS) ? STATUS_CANCELLED : NDIS_STATUS_SUCCESS;
        if (BREAKS(CHANGES_SENT_DATA))
            NET_BUFFER_LIST_FIRST_NB(Nbl)->DataLength--;
        SendComplete(Adapter, Nbl);
    }
}

static VOID NTAPI CancelSend(NDIS_HANDLE Context, PVOID Id)
{
    UNREFERENCED_PARAMETER(Context);
    UNREFERENCED_PARAMETER(Id);
}

static VOID NTAPI ReturnNbls(NDIS_HANDLE Context, PNET_BUFFER_LIST First, ULONG Flags)
{
    UNREFERENCED_PARAMETER(Context);
    UNREFERENCED_PARAMETER(First);
    UNREFERENCED_PARAMETER(Flags);
}

/* OIDs: queries give a ULONG, sets take one; a direct request is completed later than it is asked. */

static VOID Paged(VOID)
{
    PAGED_CODE();
}

static VOID AcquireBoth(PKSPIN_LOCK First, PKSPIN_LOCK Second)
{
    KIRQL Irql;

    KeAcquireSpinLock(First, &Irql);
    KeAcquireSpinLockAtDpcLevel(Second);
    if (BREAKS(RUNS_PAGED_CODE_AT_DISPATCH))
        Paged();
    KeReleaseSpinLockFromDpcLevel(Second);
    KeReleaseSpinLock(First, Irql);
}

static NDIS_STATUS NTAPI OidRequest(NDIS_HANDLE Context, PNDIS_OID_REQUEST Request)
{
    ADAPTER *Adapter = Context;

    if (Request->RequestType == NdisRequestSetInformation)
    {
        if (Request->DATA.SET_INFORMATION.InformationBufferLength != sizeof(ULONG))
        {
            Request->DATA.SET_INFORMATION.BytesNeeded = sizeof(ULONG);
            return NDIS_STATUS_INVALID_LENGTH;
        }
        if (Request->DATA.SET_INFORMATION.Oid == OID_BREAK)
            RtlCopyMemory(&Defect, Request->DATA.SET_INFORMATION.InformationBuffer, sizeof(ULONG));
        Request->DATA.SET_INFORMATION.BytesRead = sizeof(ULONG);
        return NDIS_STATUS_SUCCESS;
    }
    if (Request->DATA.QUERY_INFORMATION.Oid == OID_PNP_QUERY_POWER)
        return BREAKS(FAILS_QUERY_POWER) ? NDIS_STATUS_FAILURE : NDIS_STATUS_SUCCESS;
    if (BREAKS(ACQUIRES_IN_A_CIRCLE) && Request->DATA.QUERY_INFORMATION.InformationBufferLength < sizeof(ULONG))
        AcquireBoth(&OtherLock, &Adapter->Lock);
    else
        AcquireBoth(&Adapter->Lock, &OtherLock);
    if (Request->DATA.QUERY_INFORMATION.InformationBufferLength < sizeof(ULONG))
    {
        Request->DATA.QUERY_INFORMATION.BytesWritten = 0;
        if (!BREAKS(SETS_NO_BYTES_NEEDED))
            Request->DATA.QUERY_INFORMATION.BytesNeeded = sizeof(ULONG);
        return NDIS_STATUS_INVALID_LENGTH;
    }
    if (BREAKS(FORGETS_OID))
        return NDIS_STATUS_PENDING;
    RtlZeroMemory(Request->DATA.QUERY_INFORMATION.InformationBuffer, sizeof(ULONG));
    if (!BREAKS(SETS_NO_BYTES_WRITTEN))
        Request->DATA.QUERY_INFORMATION.BytesWritten = BREAKS(WRITES_MORE_THAN_ASKED) ? 1000 : sizeof(ULONG);
    NdisMOidRequestComplete(Adapter->Handle, Request, NDIS_STATUS_SUCCESS);
    if (BREAKS(COMPLETES_OID_TWICE))
        NdisMOidRequestComplete(Adapter->Handle, Request, NDIS_STATUS_SUCCESS);
    return BREAKS(COMPLETES_OID_AND_SUCCEEDS) ? NDIS_STATUS_SUCCESS : NDIS_STATUS_PENDING;
}

static VOID NTAPI CancelOid(NDIS_HANDLE Context, PVOID Id)
{
    UNREFERENCED_PARAMETER(Context);
    UNREFERENCED_PARAMETER(Id);
}

/* The adapter */

static VOID IndicateLink(NDIS_HANDLE Handle)
{
    NDIS_LINK_STATE Link;
    NDIS_STATUS_INDICATION Indication;

    RtlZeroMemory(&Link, sizeof Link);
    Link.Header.Type = NDIS_OBJECT_TYPE_DEFAULT;
    Link.Header.Revision = NDIS_LINK_STATE_REVISION_1;
    Link.Header.Size = NDIS_SIZEOF_LINK_STATE_REVISION_1;
    Link.MediaConnectState = MediaConnectStateConnected;
    RtlZeroMemory(&Indication, sizeof Indication);
    Indication.Header.Type = NDIS_OBJECT_TYPE_STATUS_INDICATION;
    Indication.Header.Revision = BREAKS(INDICATES_BAD_HEADER) ? 0 : NDIS_STATUS_INDICATION_REVISION_1;
    Indication.Header.Size = NDIS_SIZEOF_STATUS_INDICATION_REVISION_1;
    Indication.SourceHandle = Handle;
    Indication.StatusCode = NDIS_STATUS_LINK_STATE;
    Indication.Flags = BREAKS(INDICATES_WITH_FLAGS) ? 1 : 0;
    Indication.DestinationHandle = BREAKS(INDICATES_TO_SOMEBODY) ? Handle : NULL;
    Indication.StatusBuffer = &Link;
    Indication.StatusBufferSize = sizeof Link;
    NdisMIndicateStatusEx(Handle, &Indication);
}

static NDIS_STATUS SetRegistrationAttributes(NDIS_HANDLE Handle, ADAPTER *Adapter)
{
    NDIS_MINIPORT_ADAPTER_ATTRIBUTES Attributes;
    NDIS_STATUS Status;
    KIRQL Irql;

    RtlZeroMemory(&Attributes, sizeof Attributes);
    Attributes.RegistrationAttributes.Header.Type = NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES;
    Attributes.RegistrationAttributes.Header.Revision = NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES_REVISION_2;
    Attributes.RegistrationAttributes.Header.Size = NDIS_SIZEOF_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES_REVISION_2;
    Attributes.RegistrationAttributes.MiniportAdapterContext = Adapter;
    if (BREAKS(SETS_ATTRIBUTES_OF_AN_OLDER_REVISION))
        Attributes.RegistrationAttributes.Header.Revision = NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES_REVISION_1;
    if (!BREAKS(SETS_ATTRIBUTES_AT_DISPATCH))
        return NdisMSetMiniportAttributes(Handle, &Attributes);
    KeRaiseIrql(DISPATCH_LEVEL, &Irql);
    Status = NdisMSetMiniportAttributes(Handle, &Attributes);
    KeLowerIrql(Irql);
    return Status;
}

static NDIS_STATUS SetGeneralAttributes(NDIS_HANDLE Handle)
{
    NDIS_MINIPORT_ADAPTER_ATTRIBUTES Attributes;
    NDIS_PM_CAPABILITIES Power = {.Header = {NDIS_OBJECT_TYPE_DEFAULT, NDIS_PM_CAPABILITIES_REVISION_2,
                                             NDIS_SIZEOF_NDIS_PM_CAPABILITIES_REVISION_2}};

    if (BREAKS(DESCRIBES_POWER_WITH_BAD_HEADER))
        Power.Header.Size = NDIS_SIZEOF_NDIS_PM_CAPABILITIES_REVISION_1;
    RtlZeroMemory(&Attributes, sizeof Attributes);
    Attributes.GeneralAttributes.Header.Type = NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES;
    Attributes.GeneralAttributes.Header.Revision = NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES_REVISION_2;
    Attributes.GeneralAttributes.Header.Size = NDIS_SIZEOF_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES_REVISION_2;
    Attributes.GeneralAttributes.MediaType = NdisMediumIP;
    Attributes.GeneralAttributes.PowerManagementCapabilitiesEx = &Power;
    return NdisMSetMiniportAttributes(Handle, &Attributes);
}

static NDIS_STATUS AllocatePool(ADAPTER *Adapter)
{
    NET_BUFFER_LIST_POOL_PARAMETERS Parameters = {.Header = {NDIS_OBJECT_TYPE_DEFAULT,
                                                             NET_BUFFER_LIST_POOL_PARAMETERS_REVISION_1,
                                                             NDIS_SIZEOF_NET_BUFFER_LIST_POOL_PARAMETERS_REVISION_1},
                                                  .fAllocateNetBuffer = TRUE,
                                                  .PoolTag = TAG};

    if (BREAKS(ALLOCATES_POOL_OF_A_LATER_REVISION))
        Parameters.Header.Revision = NET_BUFFER_LIST_POOL_PARAMETERS_REVISION_1 + 1;
    if (BREAKS(ALLOCATES_POOL_AS_A_PROTOCOL))
        Parameters.ProtocolId = NDIS_PROTOCOL_ID_TCP_IP;

    Adapter->Pool = NdisAllocateNetBufferListPool(Adapter->Handle, &Parameters);
    return Adapter->Pool == NULL ? NDIS_STATUS_RESOURCES : NDIS_STATUS_SUCCESS;
}

static NDIS_STATUS RegisterDevice(ADAPTER *Adapter)
{
    static WCHAR Name[] = L"\\Device\\SPECIMEN";
    static WCHAR Link[] = L"\\DosDevices\\SPECIMEN";
    static const WCHAR Everyone[] = L"D:P(A;;GA;;;SY)(A;;GRGW;;;BA)(D;;GW;;;BU)(A;;GRGW;;;WD)";
    NDIS_STRING DeviceName = {sizeof Name - sizeof(WCHAR), sizeof Name, Name};
    NDIS_STRING LinkName = {sizeof Link - sizeof(WCHAR), sizeof Link, Link};
    UNICODE_STRING Security = {sizeof Everyone - sizeof(WCHAR), sizeof Everyone, (PWCH)Everyone};
    PDRIVER_DISPATCH Functions[IRP_MJ_MAXIMUM_FUNCTION + 1] = {[IRP_MJ_CREATE] = Dispatch,
                                                               [IRP_MJ_CLEANUP] = Dispatch,
                                                               [IRP_MJ_CLOSE] = Dispatch,
                                                               [IRP_MJ_READ] = Dispatch,
                                                               [IRP_MJ_WRITE] = Dispatch};
    NDIS_DEVICE_OBJECT_ATTRIBUTES Attributes = {.Header = {NDIS_OBJECT_TYPE_DEVICE_OBJECT_ATTRIBUTES,
                                                           NDIS_DEVICE_OBJECT_ATTRIBUTES_REVISION_1,
                                                           NDIS_SIZEOF_DEVICE_OBJECT_ATTRIBUTES_REVISION_1},
                                                .DeviceName = &DeviceName,
                                                .SymbolicName = &LinkName,
                                                .MajorFunctions = Functions,
                                                .ExtensionSize = sizeof(ADAPTER *),
                                                .DefaultSDDLString = &Security};
    NDIS_STATUS Status;

    if (BREAKS(REGISTERS_DEVICE_WITH_ODD_SIZE))
        Attributes.Header.Size = NDIS_SIZEOF_DEVICE_OBJECT_ATTRIBUTES_REVISION_1 + 1;
    if (BREAKS(REGISTERS_DEVICE_WITH_SHORT_TABLE)) /* the last entry is what happens to lie behind a shorter one */
        RtlFillMemory(&Functions[IRP_MJ_MAXIMUM_FUNCTION], sizeof Functions[0], 1);
    Status = NdisRegisterDeviceEx(Driver, &Attributes, &Adapter->DeviceObject, &Adapter->Device);
    if (Status != NDIS_STATUS_SUCCESS)
        return Status;
    Adapter->DeviceObject->Flags &= ~DO_BUFFERED_IO;
    Adapter->DeviceObject->Flags |= DO_DIRECT_IO;
    *(ADAPTER **)NdisGetDeviceReservedExtension(Adapter->DeviceObject) = Adapter;
    if (BREAKS(CHANGES_DEVICE_EXTENSION))
        Adapter->DeviceObject->DeviceExtension = Adapter;
    return NDIS_STATUS_SUCCESS;
}

/* There is no registry: of the two keywords only the one that NDIS answers itself is there. */
static NDIS_STATUS ReadConfiguration(NDIS_HANDLE Handle)
{
    NDIS_CONFIGURATION_OBJECT Object = {.Header = {NDIS_OBJECT_TYPE_CONFIGURATION_OBJECT,
                                                   NDIS_CONFIGURATION_OBJECT_REVISION_1,
                                                   NDIS_SIZEOF_CONFIGURATION_OBJECT_REVISION_1},
                                        .NdisHandle = Handle};
    NDIS_STRING Absent = NDIS_STRING_CONST(L"*SpeedDuplex");
    NDIS_STRING Present = NDIS_STRING_CONST(L"Environment");
    NDIS_CONFIGURATION_PARAMETER *Value;
    NDIS_HANDLE Configuration;
    NDIS_STATUS Status = NdisOpenConfigurationEx(&Object, &Configuration);

    if (Status != NDIS_STATUS_SUCCESS)
        return Status;
    NdisReadConfiguration(&Status, &Value, Configuration, &Absent, NdisParameterInteger);
    if (Status != NDIS_STATUS_SUCCESS)
        NdisReadConfiguration(&Status, &Value, Configuration, &Present, NdisParameterInteger);
    if (Status == NDIS_STATUS_SUCCESS && Value->ParameterData.IntegerData != 1)
        Status = NDIS_STATUS_FAILURE;
    if (!BREAKS(KEEPS_CONFIGURATION))
        NdisCloseConfiguration(Configuration);
    return Status;
}

static NDIS_STATUS NTAPI Initialize(NDIS_HANDLE Handle, NDIS_HANDLE Context, PNDIS_MINIPORT_INIT_PARAMETERS Parameters)
{
    ADAPTER *Adapter;
    NDIS_STATUS Status;

    UNREFERENCED_PARAMETER(Context);
    UNREFERENCED_PARAMETER(Parameters);
    Adapter = ExAllocatePoolWithTag(NonPagedPoolNx, sizeof *Adapter, TAG);
    if (Adapter == NULL)
        return NDIS_STATUS_RESOURCES;
    RtlZeroMemory(Adapter, sizeof *Adapter);
    Adapter->Handle = LastHandle = Handle;
    IoInitializeRemoveLock(&Adapter->RemoveLock, TAG, 0, 0);
    KeInitializeSpinLock(&Adapter->Lock);
    InitializeListHead(&Adapter->Reads);
    IoCsqInitialize(&Adapter->Csq, Insert, Remove, Peek, Acquire, Release, CompleteCanceled);
    if (BREAKS(FAILS_INITIALIZE_AND_LEAKS))
        return NDIS_STATUS_FAILURE;
    if (BREAKS(INDICATES_STATUS_TOO_EARLY))
        IndicateLink(Handle);
    if (BREAKS(SETS_GENERAL_FIRST))
        SetGeneralAttributes(Handle);
    Status = ReadConfiguration(Handle);
    if (Status == NDIS_STATUS_SUCCESS)
        Status = SetRegistrationAttributes(Handle, Adapter);
    if (Status == NDIS_STATUS_SUCCESS && !BREAKS(SETS_NO_GENERAL))
        Status = SetGeneralAttributes(Handle);
    if (Status != NDIS_STATUS_SUCCESS)
        goto cleanupAdapter;
    Status = AllocatePool(Adapter);
    if (Status != NDIS_STATUS_SUCCESS)
        goto cleanupAdapter;
    Status = RegisterDevice(Adapter);
    if (Status != NDIS_STATUS_SUCCESS)
        goto cleanupPool;
    IndicateLink(Handle);
    if (BREAKS(INDICATES_LINK_TWICE))
        IndicateLink(Handle);
    return NDIS_STATUS_SUCCESS;

cleanupPool:
    NdisFreeNetBufferListPool(Adapter->Pool);
cleanupAdapter:
    ExFreePoolWithTag(Adapter, TAG);
    return Status;
}

static NDIS_STATUS NTAPI Restart(NDIS_HANDLE Context, PNDIS_MINIPORT_RESTART_PARAMETERS Parameters)
{
    UNREFERENCED_PARAMETER(Context);
    UNREFERENCED_PARAMETER(Parameters);
    return NDIS_STATUS_SUCCESS;
}

static NDIS_STATUS NTAPI Pause(NDIS_HANDLE Context, PNDIS_MINIPORT_PAUSE_PARAMETERS Parameters)
{
    ADAPTER *Adapter = Context;

    UNREFERENCED_PARAMETER(Parameters);
    if (BREAKS(COMPLETES_PAUSE_AND_SUCCEEDS))
        NdisMPauseComplete(Adapter->Handle);
    return BREAKS(FAILS_PAUSE) ? NDIS_STATUS_FAILURE : NDIS_STATUS_SUCCESS;
}

static VOID NTAPI Halt(NDIS_HANDLE Context, NDIS_HALT_ACTION Action)
{
    static UCHAR Late[20] = {0x45};
    ADAPTER *Adapter = Context;
    NET_BUFFER_LIST *Nbl = NULL;
    PIRP Irp;

    UNREFERENCED_PARAMETER(Action);
    while ((Irp = IoCsqRemoveNextIrp(&Adapter->Csq, NULL)) != NULL)
        Complete(Irp, STATUS_CANCELLED, 0);
    *(ADAPTER **)NdisGetDeviceReservedExtension(Adapter->DeviceObject) = NULL;
    if (BREAKS(COMPLETES_PAUSE_UNASKED))
        NdisMPauseComplete(Adapter->Handle);
    if (BREAKS(INDICATES_WHILE_PAUSED))
        Indicate(Adapter, Late, sizeof Late);
    if (!BREAKS(KEEPS_DEVICE))
        NdisDeregisterDeviceEx(Adapter->Device);
    if (BREAKS(DEREGISTERS_DEVICE_TWICE))
        NdisDeregisterDeviceEx(Adapter->Device);
    if (BREAKS(FREES_POOL_IN_USE))
        Nbl = NdisAllocateNetBufferAndNetBufferList(Adapter->Pool, 0, 0, NULL, 0, 0);
    UNREFERENCED_PARAMETER(Nbl);
    if (!BREAKS(FREES_NO_POOL))
        NdisFreeNetBufferListPool(Adapter->Pool);
    if (!BREAKS(LEAKS_AT_HALT))
        ExFreePoolWithTag(Adapter, TAG);
    if (BREAKS(FREES_MEMORY_WITH_FLAGS) && NdisAllocateMemoryWithTag(&LastLeak, 16, TAG) == NDIS_STATUS_SUCCESS)
        NdisFreeMemory(LastLeak, 16, 2); /* noncached, for NDIS 5 */
    if (BREAKS(LEAKS_AT_UNLOAD))
        LastLeak = ExAllocatePoolWithTag(NonPagedPoolNx, 16, TAG);
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
    if (BREAKS(INDICATES_STATUS_TOO_LATE))
        IndicateLink(LastHandle);
    if (!BREAKS(KEEPS_REGISTRATION))
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

#ifdef STRAY_HANDLER
    RtlFillMemory(&Characteristics.CheckForHangHandlerEx, sizeof Characteristics.CheckForHangHandlerEx, 1);
#endif
#ifdef HALF_OF_DIRECT_OIDS
    Characteristics.DirectOidRequestHandler = OidRequest;
#endif

    KeInitializeSpinLock(&OtherLock);
    return NdisMRegisterMiniportDriver(DriverObject, RegistryPath, NULL, &Characteristics, &Driver);
}
