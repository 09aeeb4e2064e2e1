// The least that NDIS takes for a miniport: it accepts everything, sends nothing anywhere and knows no OID.
//
// Everything about an adapter is its handle, so there is no context to allocate; one global remembers the driver.
// BUG_... macros break it.
#include <ndis.h>

static NDIS_HANDLE driver;

#ifdef BUG_LEAKS
static void *leaked;
#endif

static NDIS_STATUS initialize(NDIS_HANDLE adapter, NDIS_HANDLE context, NDIS_MINIPORT_INIT_PARAMETERS *parameters)
{
    NDIS_MINIPORT_ADAPTER_ATTRIBUTES registration = {0}, general = {0};
    NDIS_STATUS status;

    (void)context, (void)parameters;
    registration.RegistrationAttributes.Header =
        (NDIS_OBJECT_HEADER){NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES,
                             NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES_REVISION_1,
                             NDIS_SIZEOF_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES_REVISION_1};
    registration.RegistrationAttributes.MiniportAdapterContext = adapter;
    general.GeneralAttributes.Header = (NDIS_OBJECT_HEADER){NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES,
                                                            NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES_REVISION_2,
                                                            NDIS_SIZEOF_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES_REVISION_2};
    general.GeneralAttributes.MediaType = NdisMedium802_3;
    general.GeneralAttributes.MtuSize = 1500;
    status = NdisMSetMiniportAttributes(adapter, &registration);
#ifdef BUG_NO_GENERAL_ATTRIBUTES
    return status;
#else
#ifdef BUG_LEAKS
    leaked = NdisAllocateMemoryWithTagPriority(adapter, 24, 'kaeL', NormalPoolPriority);
#endif
    return status == NDIS_STATUS_SUCCESS ? NdisMSetMiniportAttributes(adapter, &general) : status;
#endif
}

static void halt(NDIS_HANDLE adapter, NDIS_HALT_ACTION action)
{
    (void)adapter, (void)action;
#ifdef BUG_LOOPS
    for (;;)
        ;
#endif
#ifdef BUG_WAITS_FOR_EVER
    NDIS_EVENT event;
    NdisInitializeEvent(&event);
    NdisWaitEvent(&event, 0);
#endif
}

static NDIS_STATUS restart(NDIS_HANDLE adapter, NDIS_MINIPORT_RESTART_PARAMETERS *parameters)
{
    (void)adapter, (void)parameters;
    return NDIS_STATUS_SUCCESS;
}

static NDIS_STATUS pause(NDIS_HANDLE adapter, NDIS_MINIPORT_PAUSE_PARAMETERS *parameters)
{
    (void)adapter, (void)parameters;
#ifdef BUG_FAILS_PAUSE
    return NDIS_STATUS_FAILURE;
#else
    return NDIS_STATUS_SUCCESS;
#endif
}

static NDIS_STATUS request(NDIS_HANDLE adapter, NDIS_OID_REQUEST *oid)
{
    (void)adapter;
#ifdef BUG_CRASHES
    return *(NDIS_STATUS *)oid->DATA.QUERY_INFORMATION.InformationBuffer;
#endif
#ifdef BUG_ASSERTS
    ASSERTMSG("only queries", oid->RequestType != NdisRequestSetInformation);
#endif
    return oid->DATA.QUERY_INFORMATION.Oid == OID_PNP_QUERY_POWER ||
                   oid->DATA.QUERY_INFORMATION.Oid == OID_PNP_SET_POWER
               ? NDIS_STATUS_SUCCESS
               : NDIS_STATUS_NOT_SUPPORTED;
}

static void cancel_request(NDIS_HANDLE adapter, void *id)
{
    (void)adapter, (void)id;
}

static void send(NDIS_HANDLE adapter, NET_BUFFER_LIST *lists, NDIS_PORT_NUMBER port, ULONG flags)
{
    (void)port;
#ifndef BUG_NO_STATUS
    for (NET_BUFFER_LIST *list = lists; list; list = list->Next)
        list->Status = NDIS_STATUS_SUCCESS;
#endif
#ifdef BUG_KEEPS_ONE
    if (lists->Next)
    {
        NET_BUFFER_LIST *kept = lists;
        lists = lists->Next;
        kept->Next = NULL;
    }
#endif
    NdisMSendNetBufferListsComplete(
        adapter, lists, flags & NDIS_SEND_FLAGS_DISPATCH_LEVEL ? NDIS_SEND_COMPLETE_FLAGS_DISPATCH_LEVEL : 0);
}

static void take_back(NDIS_HANDLE adapter, NET_BUFFER_LIST *lists, ULONG flags)
{
    (void)adapter, (void)lists, (void)flags;
}

static void cancel_send(NDIS_HANDLE adapter, void *id)
{
    (void)adapter, (void)id;
}

static void notice(NDIS_HANDLE adapter, NET_DEVICE_PNP_EVENT *event)
{
    (void)adapter, (void)event;
}

static void shut_down(NDIS_HANDLE adapter, NDIS_SHUTDOWN_ACTION action)
{
    (void)adapter, (void)action;
}

static void unload(DRIVER_OBJECT *object)
{
    (void)object;
    NdisMDeregisterMiniportDriver(driver);
}

NTSTATUS DriverEntry(DRIVER_OBJECT *object, UNICODE_STRING *path)
{
    NDIS_MINIPORT_DRIVER_CHARACTERISTICS miniport = {
        .Header = {NDIS_OBJECT_TYPE_MINIPORT_DRIVER_CHARACTERISTICS, NDIS_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_2,
                   NDIS_SIZEOF_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_2},
        .MajorNdisVersion = 6,
        .MinorNdisVersion = 20,
        .InitializeHandlerEx = initialize,
        .HaltHandlerEx = halt,
        .UnloadHandler = unload,
        .PauseHandler = pause,
        .RestartHandler = restart,
        .OidRequestHandler = request,
        .SendNetBufferListsHandler = send,
        .ReturnNetBufferListsHandler = take_back,
        .CancelSendHandler = cancel_send,
        .DevicePnPEventNotifyHandler = notice,
        .ShutdownHandlerEx = shut_down,
        .CancelOidRequestHandler = cancel_request,
    };

    return NdisMRegisterMiniportDriver(object, path, NULL, &miniport, &driver);
}
