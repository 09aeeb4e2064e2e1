/* A miniport whose processors hand memory to each other, rightly or wrongly: a set request of OID_STORY says which
 * story it plays, and NDIS' cancel-send calls, of which any number may run at once, are its processors. The one with
 * the odd id writes, or prepares; the one with the even id reads, or frees.
 *
 * The enumeration below is the only list of stories: the tests read it from here. Each comes twice, first with a data
 * race and then without.
 */
#define NDIS_MINIPORT_DRIVER 1
#define NDIS630_MINIPORT     1
#include <ndis.h>

#define OID_STORY 0xFFA00001
#define TAG       'ycaR'

enum story
{
    WRITES_WITHOUT_A_LOCK,
    WRITES_UNDER_A_LOCK,
    TAKES_THE_LOCK_OF_ANOTHER,
    TAKES_THE_SAME_LOCK,
    WRITES_UNDER_A_SHARED_LOCK,
    WRITES_UNDER_AN_EXCLUSIVE_LOCK,
    PUBLISHES_WITHOUT_RELEASE,
    PUBLISHES_WITH_RELEASE,
    READS_WITHOUT_ACQUIRE,
    READS_AFTER_A_BARRIER,
    PUBLISHES_BY_VOLATILE,
    PUBLISHES_BY_VOLATILE_AND_BARRIERS,
    FREES_WHILE_READ,
    FREES_AFTER_THE_RUNDOWN,
    POLLS_A_PLAIN_FLAG,
    POLLS_AN_INTERLOCKED_FLAG,
    COUNTS_HALF_INTERLOCKED,
    COUNTS_INTERLOCKED,
    WRITES_AFTER_QUEUEING_WORK,
    WRITES_BEFORE_QUEUEING_WORK,
    SIGNALS_BEFORE_WRITING,
    SIGNALS_AFTER_WRITING,
    ARMS_A_TIMER_BEFORE_WRITING,
    ARMS_A_TIMER_AFTER_WRITING,
    WRITES_A_NEIGHBOUR_AS_A_WHOLE,
    WRITES_A_NEIGHBOUR,
    SETS_A_GLOBAL_VARIABLE,
    SETS_AN_INTERLOCKED_GLOBAL_VARIABLE,
    RELIES_ON_A_RUNDOWN_BEFORE_IT,
    RELIES_ON_A_FAST_MUTEX,
};

typedef struct _ADAPTER
{
    NDIS_HANDLE Handle;
    KSPIN_LOCK Lock;
    KSPIN_LOCK OtherLock;
    EX_SPIN_LOCK SharedLock;
    FAST_MUTEX Mutex;
    EX_RUNDOWN_REF Rundown;
    KEVENT Event;
    NDIS_HANDLE WorkItem;
    KTIMER Timer;
    KDPC Dpc;
    ULONG *Memory;
    BOOLEAN Freed; /* by one of the stories */
    ULONG *volatile Published;
    volatile LONG Flag;
    LONG Count;
    UCHAR Left;
    UCHAR Right;
    ULONG Value;
} ADAPTER;

static NDIS_HANDLE Driver;
static ULONG Story;
static LONG Global;
static volatile ULONG Sink;

DRIVER_INITIALIZE DriverEntry;

/* The driver's compiler sees no further than to these, and so leaves each access as it stands. */
__declspec(noinline) static VOID WriteTo(ULONG *Place)
{
    *Place = 7;
}

__declspec(noinline) static VOID ReadFrom(const ULONG *Place)
{
    Sink = *Place;
}

static VOID UnderLock(KSPIN_LOCK *Lock, ULONG *Place, BOOLEAN Writes)
{
    KIRQL Irql;

    KeAcquireSpinLock(Lock, &Irql);
    if (Writes)
        WriteTo(Place);
    else
        ReadFrom(Place);
    KeReleaseSpinLock(Lock, Irql);
}

static VOID NTAPI Work(PVOID Context, NDIS_HANDLE WorkItem)
{
    UNREFERENCED_PARAMETER(WorkItem);
    ReadFrom(Context);
}

static VOID NTAPI Expired(PKDPC Dpc, PVOID Context, PVOID First, PVOID Second)
{
    UNREFERENCED_PARAMETER(Dpc);
    UNREFERENCED_PARAMETER(First);
    UNREFERENCED_PARAMETER(Second);
    ReadFrom(Context);
}

static VOID ArmTimer(ADAPTER *Adapter)
{
    LARGE_INTEGER Due;

    Due.QuadPart = -10;
    KeSetTimer(&Adapter->Timer, Due, &Adapter->Dpc);
}

static VOID Write(ADAPTER *Adapter)
{
    ULONG *Memory = Adapter->Memory; /* constant */

    switch (Story)
    {
    case WRITES_WITHOUT_A_LOCK:
        WriteTo(&Adapter->Value);
        break;
    case WRITES_UNDER_A_LOCK:
    case TAKES_THE_LOCK_OF_ANOTHER:
    case TAKES_THE_SAME_LOCK:
        UnderLock(&Adapter->Lock, &Adapter->Value, TRUE);
        break;
    case WRITES_UNDER_A_SHARED_LOCK:
    {
        const KIRQL Irql = ExAcquireSpinLockShared(&Adapter->SharedLock);

        WriteTo(&Adapter->Value);
        ExReleaseSpinLockShared(&Adapter->SharedLock, Irql);
        break;
    }
    case WRITES_UNDER_AN_EXCLUSIVE_LOCK:
    {
        const KIRQL Irql = ExAcquireSpinLockExclusive(&Adapter->SharedLock);

        WriteTo(&Adapter->Value);
        ExReleaseSpinLockExclusive(&Adapter->SharedLock, Irql);
        break;
    }
    case PUBLISHES_WITHOUT_RELEASE:
        WriteTo(Memory);
        WritePointerNoFence(&Adapter->Published, Memory);
        break;
    case PUBLISHES_WITH_RELEASE:
    case READS_WITHOUT_ACQUIRE:
    case READS_AFTER_A_BARRIER:
        WriteTo(Memory);
        WritePointerRelease(&Adapter->Published, Memory);
        break;
    case PUBLISHES_BY_VOLATILE:
        WriteTo(Memory);
        Adapter->Published = Memory;
        break;
    case PUBLISHES_BY_VOLATILE_AND_BARRIERS:
        WriteTo(Memory);
        KeMemoryBarrier();
        Adapter->Published = Memory;
        break;
    case FREES_WHILE_READ:
        ReadFrom(Memory + 3);
        break;
    case FREES_AFTER_THE_RUNDOWN:
        if (ExAcquireRundownProtection(&Adapter->Rundown))
        {
            ReadFrom(Memory + 3);
            ExReleaseRundownProtection(&Adapter->Rundown);
        }
        break;
    case POLLS_A_PLAIN_FLAG:
    case POLLS_AN_INTERLOCKED_FLAG:
        WriteTo(&Adapter->Value);
        InterlockedExchange(&Adapter->Flag, 1);
        break;
    case COUNTS_HALF_INTERLOCKED:
        Adapter->Count++;
        break;
    case COUNTS_INTERLOCKED:
        InterlockedIncrement(&Adapter->Count);
        break;
    case WRITES_AFTER_QUEUEING_WORK:
        NdisQueueIoWorkItem(Adapter->WorkItem, Work, Memory);
        WriteTo(Memory);
        break;
    case WRITES_BEFORE_QUEUEING_WORK:
        WriteTo(Memory);
        NdisQueueIoWorkItem(Adapter->WorkItem, Work, Memory);
        break;
    case SIGNALS_BEFORE_WRITING:
        KeSetEvent(&Adapter->Event, IO_NO_INCREMENT, FALSE);
        WriteTo(&Adapter->Value);
        break;
    case SIGNALS_AFTER_WRITING:
        WriteTo(&Adapter->Value);
        KeSetEvent(&Adapter->Event, IO_NO_INCREMENT, FALSE);
        break;
    case ARMS_A_TIMER_BEFORE_WRITING:
        ArmTimer(Adapter);
        WriteTo(Memory);
        break;
    case ARMS_A_TIMER_AFTER_WRITING:
        WriteTo(Memory);
        ArmTimer(Adapter);
        break;
    case WRITES_A_NEIGHBOUR_AS_A_WHOLE:
        *(USHORT *)&Adapter->Left = 1;
        break;
    case WRITES_A_NEIGHBOUR:
        Adapter->Left = 1;
        break;
    case SETS_A_GLOBAL_VARIABLE:
        Global = 1;
        break;
    case SETS_AN_INTERLOCKED_GLOBAL_VARIABLE:
        InterlockedExchange(&Global, 1);
        break;
    case RELIES_ON_A_RUNDOWN_BEFORE_IT:
        if (ExAcquireRundownProtection(&Adapter->Rundown))
        {
            WriteTo(&Adapter->Value);
            ExReleaseRundownProtection(&Adapter->Rundown);
        }
        break;
    case RELIES_ON_A_FAST_MUTEX:
        ExAcquireFastMutex(&Adapter->Mutex);
        WriteTo(&Adapter->Value);
        ExReleaseFastMutex(&Adapter->Mutex);
        break;
    }
}

static VOID Read(ADAPTER *Adapter)
{
    LARGE_INTEGER Moment = {.QuadPart = -10000}; /* 1 ms: the timer expires */
    ULONG *Published;

    switch (Story)
    {
    case WRITES_WITHOUT_A_LOCK:
        ReadFrom(&Adapter->Value);
        break;
    case WRITES_UNDER_A_LOCK:
    case TAKES_THE_SAME_LOCK:
        UnderLock(&Adapter->Lock, &Adapter->Value, FALSE);
        break;
    case TAKES_THE_LOCK_OF_ANOTHER:
        UnderLock(&Adapter->OtherLock, &Adapter->Value, FALSE);
        break;
    case WRITES_UNDER_A_SHARED_LOCK:
    case WRITES_UNDER_AN_EXCLUSIVE_LOCK:
    {
        const KIRQL Irql = ExAcquireSpinLockShared(&Adapter->SharedLock);

        ReadFrom(&Adapter->Value);
        ExReleaseSpinLockShared(&Adapter->SharedLock, Irql);
        break;
    }
    case PUBLISHES_WITHOUT_RELEASE:
    case PUBLISHES_WITH_RELEASE:
        Published = ReadPointerAcquire(&Adapter->Published);
        if (Published != NULL)
            ReadFrom(Published);
        break;
    case READS_WITHOUT_ACQUIRE:
        Published = ReadPointerNoFence(&Adapter->Published);
        if (Published != NULL)
            ReadFrom(Published);
        break;
    case READS_AFTER_A_BARRIER:
        Published = ReadPointerNoFence(&Adapter->Published);
        KeMemoryBarrier();
        if (Published != NULL)
            ReadFrom(Published);
        break;
    case PUBLISHES_BY_VOLATILE:
        Published = Adapter->Published;
        if (Published != NULL)
            ReadFrom(Published);
        break;
    case PUBLISHES_BY_VOLATILE_AND_BARRIERS:
        Published = Adapter->Published;
        KeMemoryBarrier();
        if (Published != NULL)
            ReadFrom(Published);
        break;
    case FREES_WHILE_READ:
        ExFreePoolWithTag(Adapter->Memory, TAG);
        Adapter->Freed = TRUE;
        break;
    case FREES_AFTER_THE_RUNDOWN:
        ExWaitForRundownProtectionRelease(&Adapter->Rundown);
        ExFreePoolWithTag(Adapter->Memory, TAG);
        Adapter->Freed = TRUE;
        break;
    case POLLS_A_PLAIN_FLAG:
        if (*(LONG *)&Adapter->Flag != 0)
            ReadFrom(&Adapter->Value);
        break;
    case POLLS_AN_INTERLOCKED_FLAG:
        if (InterlockedOr(&Adapter->Flag, 0) != 0)
            ReadFrom(&Adapter->Value);
        break;
    case COUNTS_HALF_INTERLOCKED:
    case COUNTS_INTERLOCKED:
        InterlockedDecrement(&Adapter->Count);
        break;
    case ARMS_A_TIMER_BEFORE_WRITING:
    case ARMS_A_TIMER_AFTER_WRITING:
        KeDelayExecutionThread(KernelMode, FALSE, &Moment);
        break;
    case SIGNALS_BEFORE_WRITING:
    case SIGNALS_AFTER_WRITING:
        KeWaitForSingleObject(&Adapter->Event, Executive, KernelMode, FALSE, NULL);
        ReadFrom(&Adapter->Value);
        break;
    case WRITES_A_NEIGHBOUR_AS_A_WHOLE:
    case WRITES_A_NEIGHBOUR:
        Adapter->Right = 2;
        break;
    case SETS_A_GLOBAL_VARIABLE:
        Sink = (ULONG)Global;
        break;
    case SETS_AN_INTERLOCKED_GLOBAL_VARIABLE:
        Sink = (ULONG)ReadAcquire(&Global);
        break;
    case RELIES_ON_A_RUNDOWN_BEFORE_IT:
        if (ExAcquireRundownProtection(&Adapter->Rundown))
        {
            ReadFrom(&Adapter->Value);
            ExReleaseRundownProtection(&Adapter->Rundown);
        }
        break;
    case RELIES_ON_A_FAST_MUTEX:
        ExAcquireFastMutex(&Adapter->Mutex);
        ReadFrom(&Adapter->Value);
        ExReleaseFastMutex(&Adapter->Mutex);
        break;
    }
}

static VOID NTAPI CancelSend(NDIS_HANDLE Context, PVOID CancelId)
{
    if ((ULONG_PTR)CancelId & 1)
        Write(Context);
    else
        Read(Context);
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

    UNREFERENCED_PARAMETER(Port);
    UNREFERENCED_PARAMETER(Flags);
    for (PNET_BUFFER_LIST Nbl = Nbls; Nbl != NULL; Nbl = NET_BUFFER_LIST_NEXT_NBL(Nbl))
        NET_BUFFER_LIST_STATUS(Nbl) = NDIS_STATUS_SUCCESS;
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
    KeInitializeSpinLock(&Adapter->Lock);
    KeInitializeSpinLock(&Adapter->OtherLock);
    ExInitializeFastMutex(&Adapter->Mutex);
    ExInitializeRundownProtection(&Adapter->Rundown);
    KeInitializeEvent(&Adapter->Event, NotificationEvent, FALSE);
    Adapter->Memory = ExAllocatePoolWithTag(NonPagedPoolNx, 40, TAG);
    Adapter->WorkItem = NdisAllocateIoWorkItem(Handle);
    if (Adapter->Memory != NULL && Adapter->WorkItem != NULL && SetAttributes(Adapter) == NDIS_STATUS_SUCCESS)
    {
        NdisZeroMemory(Adapter->Memory, 40);
        KeInitializeTimer(&Adapter->Timer);
        KeInitializeDpc(&Adapter->Dpc, Expired, Adapter->Memory);
        return NDIS_STATUS_SUCCESS;
    }
    if (Adapter->Memory != NULL)
        ExFreePoolWithTag(Adapter->Memory, TAG);
    if (Adapter->WorkItem != NULL)
        NdisFreeIoWorkItem(Adapter->WorkItem);
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
    if (!Adapter->Freed)
        ExFreePoolWithTag(Adapter->Memory, TAG);
    NdisFreeIoWorkItem(Adapter->WorkItem);
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
