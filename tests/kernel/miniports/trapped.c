/* A miniport that goes wrong in some orders only: a set request of OID_STORY says how. Its processors are NDIS'
 * cancel-send calls, of which any number may run at once: the one with the odd id does one half, the even one the
 * other.
 *
 * The enumeration below is the only list of stories: the tests read it from here.
 */
#define NDIS_MINIPORT_DRIVER 1
#define NDIS630_MINIPORT     1
#include <ndis.h>

#define OID_STORY 0xFFA00001
#define TAG       'parT'

enum story
{
    DOES_NOTHING,
    LOCKS_IN_TWO_ORDERS,
    LOSES_A_WAKE_UP,
    GOES_ROUND_FOR_EVER,
    FOLLOWS_A_POINTER_TO_NOWHERE,
    COMPLETES_UNDER_ITS_LOCK,
    FORGETS_A_PAUSE,
};

typedef struct _ADAPTER
{
    NDIS_HANDLE Handle;
    KSPIN_LOCK First;
    KSPIN_LOCK Second;
    KEVENT Event;
    volatile LONG Flag;
    volatile LONG Busy;
    LONG Value;
    LONG *volatile Pointer;
} ADAPTER;

static NDIS_HANDLE Driver;
static ULONG Story;
static volatile LONG Sink;

DRIVER_INITIALIZE DriverEntry;

__declspec(noinline) static VOID LockBoth(KSPIN_LOCK *One, KSPIN_LOCK *Other)
{
    KIRQL Irql;

    KeAcquireSpinLock(One, &Irql);
    KeAcquireSpinLockAtDpcLevel(Other);
    KeReleaseSpinLockFromDpcLevel(Other);
    KeReleaseSpinLock(One, Irql);
}

__declspec(noinline) static VOID WaitUnlessSet(ADAPTER *Adapter)
{
    if (InterlockedOr(&Adapter->Flag, 0) == 0)
        KeWaitForSingleObject(&Adapter->Event, Executive, KernelMode, FALSE, NULL);
}

/* Nobody is waiting yet: the event is set and reset for nobody. */
__declspec(noinline) static VOID SetAndWake(ADAPTER *Adapter)
{
    InterlockedExchange(&Adapter->Flag, 1);
    KeSetEvent(&Adapter->Event, IO_NO_INCREMENT, FALSE);
    KeResetEvent(&Adapter->Event);
}

/* Once the flag was seen, it must be seen again. */
__declspec(noinline) static VOID SpinUntilSet(ADAPTER *Adapter)
{
    if (InterlockedOr(&Adapter->Flag, 0) == 0)
        return;
    while (InterlockedOr(&Adapter->Flag, 0) != 2)
        ;
}

__declspec(noinline) static VOID Follow(ADAPTER *Adapter)
{
    Sink = *(LONG *)InterlockedCompareExchangePointer((PVOID volatile *)&Adapter->Pointer, NULL, (PVOID)1);
}

/* Ends a pause that was told to wait for it, if it looks in time. */
__declspec(noinline) static VOID FinishPause(ADAPTER *Adapter)
{
    InterlockedExchange(&Adapter->Busy, 1);
    if (InterlockedOr(&Adapter->Flag, 0) != 0)
        NdisMPauseComplete(Adapter->Handle);
    InterlockedExchange(&Adapter->Busy, 0);
}

static VOID NTAPI CancelSend(NDIS_HANDLE Context, PVOID CancelId)
{
    ADAPTER *Adapter = Context;
    const BOOLEAN Odd = (BOOLEAN)((ULONG_PTR)CancelId & 1);

    switch (Story)
    {
    case LOCKS_IN_TWO_ORDERS:
        if (Odd)
            LockBoth(&Adapter->First, &Adapter->Second);
        else
            LockBoth(&Adapter->Second, &Adapter->First);
        break;
    case LOSES_A_WAKE_UP:
        if (Odd)
            SetAndWake(Adapter);
        else
            WaitUnlessSet(Adapter);
        break;
    case GOES_ROUND_FOR_EVER:
        if (Odd)
        {
            InterlockedExchange(&Adapter->Flag, 1);
            InterlockedExchange(&Adapter->Flag, 0);
        }
        else
            SpinUntilSet(Adapter);
        break;
    case FOLLOWS_A_POINTER_TO_NOWHERE:
        if (Odd)
        {
            InterlockedExchangePointer((PVOID volatile *)&Adapter->Pointer, NULL);
            InterlockedExchangePointer((PVOID volatile *)&Adapter->Pointer, &Adapter->Value);
        }
        else
            Follow(Adapter);
        break;
    case FORGETS_A_PAUSE:
        FinishPause(Adapter);
        break;
    default:
        break;
    }
}

static NDIS_STATUS NTAPI OidRequest(NDIS_HANDLE Context, PNDIS_OID_REQUEST Request)
{
    UNREFERENCED_PARAMETER(Context);
    if (Request->RequestType != NdisRequestSetInformation || Request->DATA.SET_INFORMATION.Oid != OID_STORY)
        return NDIS_STATUS_INVALID_OID;
    Story = *(ULONG *)Request->DATA.SET_INFORMATION.InformationBuffer;
    Request->DATA.SET_INFORMATION.BytesRead = sizeof(ULONG);
    return NDIS_STATUS_SUCCESS;
}

static VOID NTAPI CancelOid(NDIS_HANDLE Context, PVOID RequestId)
{
    UNREFERENCED_PARAMETER(Context);
    UNREFERENCED_PARAMETER(RequestId);
}

static VOID NTAPI Send(NDIS_HANDLE Context, PNET_BUFFER_LIST Nbls, NDIS_PORT_NUMBER Port, ULONG Flags)
{
    ADAPTER *Adapter = Context;
    KIRQL Irql;

    UNREFERENCED_PARAMETER(Port);
    UNREFERENCED_PARAMETER(Flags);
    for (PNET_BUFFER_LIST Nbl = Nbls; Nbl != NULL; Nbl = NET_BUFFER_LIST_NEXT_NBL(Nbl))
        NET_BUFFER_LIST_STATUS(Nbl) = NDIS_STATUS_SUCCESS;
    KeAcquireSpinLock(&Adapter->First, &Irql);
    if (Story == COMPLETES_UNDER_ITS_LOCK)
        NdisMSendNetBufferListsComplete(Adapter->Handle, Nbls, NDIS_SEND_COMPLETE_FLAGS_DISPATCH_LEVEL);
    KeReleaseSpinLock(&Adapter->First, Irql);
    if (Story != COMPLETES_UNDER_ITS_LOCK)
        NdisMSendNetBufferListsComplete(Adapter->Handle, Nbls, 0);
}

static VOID NTAPI ReturnNbls(NDIS_HANDLE Context, PNET_BUFFER_LIST Nbls, ULONG Flags)
{
    UNREFERENCED_PARAMETER(Context);
    UNREFERENCED_PARAMETER(Nbls);
    UNREFERENCED_PARAMETER(Flags);
}

static NDIS_STATUS SetAttributes(ADAPTER *Adapter)
{
    NDIS_MINIPORT_ADAPTER_ATTRIBUTES Registration = {
        .RegistrationAttributes = {.Header = {NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES,
                                              NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES_REVISION_2,
                                              NDIS_SIZEOF_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES_REVISION_2},
                                   .MiniportAdapterContext = Adapter,
                                   .AttributeFlags = NDIS_MINIPORT_ATTRIBUTES_NO_HALT_ON_SUSPEND,
                                   .InterfaceType = NdisInterfaceInternal}};
    NDIS_MINIPORT_ADAPTER_ATTRIBUTES General = {
        .GeneralAttributes = {.Header = {NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES,
                                         NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES_REVISION_2,
                                         NDIS_SIZEOF_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES_REVISION_2},
                              .MtuSize = 1500}};
    NDIS_STATUS Status = NdisMSetMiniportAttributes(Adapter->Handle, &Registration);

    return Status == NDIS_STATUS_SUCCESS ? NdisMSetMiniportAttributes(Adapter->Handle, &General) : Status;
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
    Adapter->Pointer = &Adapter->Value;
    KeInitializeSpinLock(&Adapter->First);
    KeInitializeSpinLock(&Adapter->Second);
    KeInitializeEvent(&Adapter->Event, NotificationEvent, FALSE);
    if (SetAttributes(Adapter) == NDIS_STATUS_SUCCESS)
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
    ADAPTER *Adapter = Context;

    UNREFERENCED_PARAMETER(Parameters);
    if (InterlockedOr(&Adapter->Busy, 0) == 0)
        return NDIS_STATUS_SUCCESS;
    InterlockedExchange(&Adapter->Flag, 1);
    return NDIS_STATUS_PENDING;
}

static VOID NTAPI Halt(NDIS_HANDLE Context, NDIS_HALT_ACTION Action)
{
    UNREFERENCED_PARAMETER(Action);
    ExFreePoolWithTag(Context, TAG);
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

    return NdisMRegisterMiniportDriver(DriverObject, RegistryPath, NULL, &Characteristics, &Driver);
}
