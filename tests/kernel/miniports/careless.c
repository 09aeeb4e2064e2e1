/* A miniport that touches memory that is not its own: a set request of OID_BREAK with the number of a defect makes it
 * do that one thing, at once or with the next NBL that it is sent. Otherwise it keeps every rule.
 *
 * The enumeration below is the only list of defects: the tests read it from here.
 */
#define NDIS_MINIPORT_DRIVER 1
#define NDIS630_MINIPORT     1
#include <ndis.h>

#define OID_BREAK 0xFFA00001
#define TAG       'eraC'

enum defect
{
    KEEPS_ALL,
    READS_FREED_MEMORY,
    WRITES_FREED_MEMORY,
    READS_BEHIND_THE_END,
    WRITES_BEHIND_THE_END,
    READS_BEFORE_THE_BEGINNING,
    COPIES_TOO_MUCH,
    FILLS_TOO_MUCH,
    READS_PAST_A_HALF_WORD,
    LOOKS_INTO_A_HANDLE,
    WRITES_INTO_A_HANDLE,
    USES_A_RETURNED_VARIABLE,
    USES_FREED_MEMORY_ATOMICALLY,
    READS_FREED_MEMORY_VOLATILE,
    READS_COMPLETED_NBL,
    READS_COMPLETED_NET_BUFFER,
    READS_INDICATED_NBL,
    READS_COMPLETED_OID,
    LOOPS_OVER_MEMORY,
    LOOPS_ON_THE_SPOT,
    READS_NULL,
    CALLS_FREED_MEMORY,
    ASSERTS,
    ASKS_FOR_A_BUG_CHECK,
    SHIFTS_TOO_FAR,
    DIVIDES_BY_ZERO,
};

typedef struct _ADAPTER
{
    NDIS_HANDLE Handle;
    NDIS_HANDLE Pool;
    volatile LONG Count;
} ADAPTER;

static NDIS_HANDLE Driver;
static ULONG Defect;
static volatile ULONG Sink;
static ULONG *Escaped;

DRIVER_INITIALIZE DriverEntry;

__declspec(noinline) static VOID Keep(ULONG *Pointer)
{
    Escaped = Pointer;
}

__declspec(noinline) static VOID LeaveVariable(VOID)
{
    ULONG Local = 5;

    Keep(&Local);
    Sink = Local;
}

__declspec(noinline) static ULONG Shift(ULONG Bits)
{
    return 1u << Bits;
}

__declspec(noinline) static ULONG Divide(ULONG By)
{
    return 100 / By;
}

__declspec(noinline) static VOID TouchFreed(ULONG *Freed)
{
    if (Defect == READS_FREED_MEMORY)
        Sink = Freed[3];
    else if (Defect == WRITES_FREED_MEMORY)
        Freed[2] = 1;
    else if (Defect == USES_FREED_MEMORY_ATOMICALLY)
        InterlockedIncrement((LONG *)Freed);
    else if (Defect == READS_FREED_MEMORY_VOLATILE)
        Sink = *(volatile ULONG *)Freed;
    else if (Defect == CALLS_FREED_MEMORY)
        (*(VOID(**)(VOID))Freed)();
}

__declspec(noinline) static VOID TouchBeside(ULONG *Memory, SIZE_T Length)
{
    UCHAR Bytes[64];

    if (Defect == READS_BEHIND_THE_END)
        Sink = Memory[Length / sizeof *Memory];
    else if (Defect == WRITES_BEHIND_THE_END)
        Memory[Length / sizeof *Memory] = 7;
    else if (Defect == READS_BEFORE_THE_BEGINNING)
        Sink = Memory[-1];
    else if (Defect == COPIES_TOO_MUCH)
        NdisMoveMemory(Bytes, Memory, Length + 4);
    else if (Defect == FILLS_TOO_MUCH)
        NdisZeroMemory(Memory, Length + 1);
    else if (Defect == READS_PAST_A_HALF_WORD)
        Sink = *(ULONG *)((UCHAR *)Memory + Length - 2);
}

__declspec(noinline) static VOID Loop(volatile LONG *Never, ULONG *Memory)
{
    UNREFERENCED_PARAMETER(Never);
    if (Defect == LOOPS_OVER_MEMORY)
        for (ULONG Index = 0;; Index = (Index + 1) % 8)
            Memory[Index] += Memory[(Index + 1) % 8];
    if (Defect == LOOPS_ON_THE_SPOT)
        for (;;)
            __asm__ volatile("");
}

static VOID Break(ADAPTER *Adapter)
{
    const SIZE_T Length = 40;
    ULONG *Memory = ExAllocatePoolWithTag(NonPagedPoolNx, Length, TAG);

    if (Memory == NULL)
        return;
    NdisZeroMemory(Memory, Length);
    TouchBeside(Memory, Length);
    Loop(&Adapter->Count, Memory);
    if (Defect == LOOKS_INTO_A_HANDLE)
        Sink = *(ULONG *)Adapter->Handle;
    if (Defect == WRITES_INTO_A_HANDLE)
        *(ULONG *)Adapter->Pool = 3;
    if (Defect == USES_A_RETURNED_VARIABLE)
    {
        LeaveVariable();
        Sink = *Escaped;
    }
    if (Defect == READS_NULL)
        Sink = *(volatile ULONG *)(ULONG_PTR)(Defect - READS_NULL);
    if (Defect == SHIFTS_TOO_FAR)
        Sink = Shift(Defect + 8);
    if (Defect == DIVIDES_BY_ZERO)
        Sink = Divide(Defect - DIVIDES_BY_ZERO);
    if (Defect == ASSERTS)
        RtlAssert("Defect == 0", __FILE__, __LINE__, NULL);
    if (Defect == ASKS_FOR_A_BUG_CHECK)
        KeBugCheckEx(0xE2, 7, 0, 0, 0);
    ExFreePoolWithTag(Memory, TAG);
    TouchFreed(Memory);
}

static VOID Indicate(ADAPTER *Adapter)
{
    static UCHAR Packet[20] = {0x45};
    MDL *Mdl = NdisAllocateMdl(Adapter->Handle, Packet, sizeof Packet);
    NET_BUFFER_LIST *Nbl;

    if (Mdl == NULL)
        return;
    Nbl = NdisAllocateNetBufferAndNetBufferList(Adapter->Pool, 0, 0, Mdl, 0, sizeof Packet);
    if (Nbl != NULL)
    {
        Nbl->SourceHandle = Adapter->Handle;
        NdisMIndicateReceiveNetBufferLists(Adapter->Handle, Nbl, NDIS_DEFAULT_PORT_NUMBER, 1,
                                           Defect == READS_INDICATED_NBL ? 0 : NDIS_RECEIVE_FLAGS_RESOURCES);
        if (Defect == READS_INDICATED_NBL)
        {
            Sink = (ULONG)Nbl->Status;
            return;
        }
        NdisFreeNetBufferList(Nbl);
    }
    NdisFreeMdl(Mdl);
}

static VOID NTAPI Send(NDIS_HANDLE Context, PNET_BUFFER_LIST NetBufferLists, NDIS_PORT_NUMBER Port, ULONG Flags)
{
    ADAPTER *Adapter = Context;
    NET_BUFFER *NetBuffer = NetBufferLists->FirstNetBuffer;

    UNREFERENCED_PARAMETER(Port);
    Indicate(Adapter);
    for (NET_BUFFER_LIST *Nbl = NetBufferLists; Nbl != NULL; Nbl = Nbl->Next)
        Nbl->Status = NDIS_STATUS_SUCCESS;
    NdisMSendNetBufferListsComplete(Adapter->Handle, NetBufferLists,
                                    Flags & NDIS_SEND_FLAGS_DISPATCH_LEVEL ? NDIS_SEND_COMPLETE_FLAGS_DISPATCH_LEVEL
                                                                           : 0);
    if (Defect == READS_COMPLETED_NBL)
        Sink = (ULONG)NetBufferLists->Status;
    if (Defect == READS_COMPLETED_NET_BUFFER)
        Sink = NET_BUFFER_DATA_LENGTH(NetBuffer);
}

static VOID NTAPI ReturnNbls(NDIS_HANDLE Context, PNET_BUFFER_LIST NetBufferLists, ULONG Flags)
{
    UNREFERENCED_PARAMETER(Context);
    UNREFERENCED_PARAMETER(Flags);
    for (NET_BUFFER_LIST *Next; NetBufferLists != NULL; NetBufferLists = Next)
    {
        MDL *Mdl = NET_BUFFER_FIRST_MDL(NetBufferLists->FirstNetBuffer);

        Next = NetBufferLists->Next;
        NdisFreeNetBufferList(NetBufferLists);
        NdisFreeMdl(Mdl);
    }
}

static VOID NTAPI CancelSend(NDIS_HANDLE Context, PVOID CancelId)
{
    UNREFERENCED_PARAMETER(Context);
    UNREFERENCED_PARAMETER(CancelId);
}

static NDIS_STATUS NTAPI OidRequest(NDIS_HANDLE Context, PNDIS_OID_REQUEST Request)
{
    ADAPTER *Adapter = Context;

    if (Request->RequestType != NdisRequestSetInformation || Request->DATA.SET_INFORMATION.Oid != OID_BREAK ||
        Request->DATA.SET_INFORMATION.InformationBufferLength < sizeof Defect)
        return NDIS_STATUS_NOT_SUPPORTED;
    Defect = *(ULONG *)Request->DATA.SET_INFORMATION.InformationBuffer;
    Request->DATA.SET_INFORMATION.BytesRead = sizeof Defect;
    if (Defect == READS_COMPLETED_OID)
    {
        NdisMOidRequestComplete(Adapter->Handle, Request, NDIS_STATUS_SUCCESS);
        Sink = Request->DATA.SET_INFORMATION.BytesRead;
        return NDIS_STATUS_PENDING;
    }
    Break(Adapter);
    return NDIS_STATUS_SUCCESS;
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

static NDIS_STATUS NTAPI Initialize(NDIS_HANDLE Handle, NDIS_HANDLE DriverContext,
                                    PNDIS_MINIPORT_INIT_PARAMETERS Parameters)
{
    NET_BUFFER_LIST_POOL_PARAMETERS Pool = {.Header = {NDIS_OBJECT_TYPE_DEFAULT,
                                                       NET_BUFFER_LIST_POOL_PARAMETERS_REVISION_1,
                                                       NDIS_SIZEOF_NET_BUFFER_LIST_POOL_PARAMETERS_REVISION_1},
                                            .fAllocateNetBuffer = TRUE,
                                            .PoolTag = TAG};
    ADAPTER *Adapter = ExAllocatePoolWithTag(NonPagedPoolNx, sizeof *Adapter, TAG);

    UNREFERENCED_PARAMETER(DriverContext);
    UNREFERENCED_PARAMETER(Parameters);
    if (Adapter == NULL)
        return NDIS_STATUS_RESOURCES;
    NdisZeroMemory(Adapter, sizeof *Adapter);
    Adapter->Handle = Handle;
    Adapter->Pool = NdisAllocateNetBufferListPool(Handle, &Pool);
    if (Adapter->Pool != NULL && SetAttributes(Adapter) == NDIS_STATUS_SUCCESS)
        return NDIS_STATUS_SUCCESS;
    if (Adapter->Pool != NULL)
        NdisFreeNetBufferListPool(Adapter->Pool);
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
    NdisFreeNetBufferListPool(Adapter->Pool);
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
