/* A miniport with a device that is a mailbox: what a client writes, the next read gets. In the manner of the nineties:
 * buffered I/O, reads on a list with a cancel routine each, a remove lock, and a timer that gives up on reads that have
 * waited for five seconds. Packets go nowhere.
 *
 * BUG_ macros break it.
 */
#define NDIS_MINIPORT_DRIVER 1
#define NDIS_WDM             1
#define NDIS620_MINIPORT     1
#include <ndis.h>

#define MAILBOX_TAG 'xobM'
#define PATIENCE    5 /* seconds */
#define LETTER_SIZE 256

struct mailbox
{
    NDIS_HANDLE adapter;
    NDIS_HANDLE device;
    NDIS_HANDLE timer;
    struct extension *extension;
    KSPIN_LOCK lock;
    BOOLEAN closed;
    LIST_ENTRY reads;
    ULONG letter_length;
    UCHAR letter[LETTER_SIZE];
};

/* Outlives the mailbox for as long as a client keeps a handle. */
struct extension
{
    IO_REMOVE_LOCK remove_lock;
    struct mailbox *box;
};

static NDIS_HANDLE driver;
static LONG next_number;

DRIVER_INITIALIZE DriverEntry;
static DRIVER_CANCEL cancel_read;
static DRIVER_DISPATCH dispatch;

static struct extension *extension_of(PIRP irp)
{
    return NdisGetDeviceReservedExtension(IoGetCurrentIrpStackLocation(irp)->DeviceObject);
}

static NTSTATUS finish(PIRP irp, NTSTATUS status, ULONG_PTR information)
{
    irp->IoStatus.Status = status;
    irp->IoStatus.Information = information;
    IoCompleteRequest(irp, IO_NO_INCREMENT);
    return status;
}

/* Completes a request that holds the remove lock. */
static NTSTATUS finish_locked(PIRP irp, NTSTATUS status, ULONG_PTR information)
{
    struct extension *extension = extension_of(irp);

    finish(irp, status, information);
    IoReleaseRemoveLock(&extension->remove_lock, NULL);
    return status;
}

static VOID cancel_read(PDEVICE_OBJECT device, PIRP irp)
{
    struct mailbox *box = ((struct extension *)NdisGetDeviceReservedExtension(device))->box;
    KIRQL irql;

    IoReleaseCancelSpinLock(irp->CancelIrql);
    KeAcquireSpinLock(&box->lock, &irql);
    RemoveEntryList(&irp->Tail.Overlay.ListEntry);
    KeReleaseSpinLock(&box->lock, irql);
    finish_locked(irp, STATUS_CANCELLED, 0);
}

/* The oldest read that is not being cancelled; with the lock held. One that is, is its cancel routine's to complete. */
static PIRP take_read(struct mailbox *box)
{
    while (!IsListEmpty(&box->reads))
    {
        PIRP irp = CONTAINING_RECORD(RemoveHeadList(&box->reads), IRP, Tail.Overlay.ListEntry);

#ifdef BUG_KEEPS_CANCEL_ROUTINE
        return irp;
#endif
        if (IoSetCancelRoutine(irp, NULL) != NULL)
            return irp;
        InitializeListHead(&irp->Tail.Overlay.ListEntry);
    }
    return NULL;
}

static NTSTATUS deliver(PIRP irp, const UCHAR *letter, ULONG length)
{
    const ULONG room = IoGetCurrentIrpStackLocation(irp)->Parameters.Read.Length;

    if (length > room)
        return finish_locked(irp, STATUS_BUFFER_TOO_SMALL, 0);
    RtlCopyMemory(irp->AssociatedIrp.SystemBuffer, letter, length);
    return finish_locked(irp, STATUS_SUCCESS, length);
}

/* Waits for a letter; with the lock held, which it releases. */
static NTSTATUS wait_for_letter(struct mailbox *box, PIRP irp, KIRQL irql)
{
    if (box->closed)
    {
        KeReleaseSpinLock(&box->lock, irql);
        return finish_locked(irp, STATUS_DEVICE_REMOVED, 0);
    }
#ifndef BUG_MARKS_NOTHING
    IoMarkIrpPending(irp);
#endif
    irp->Tail.Overlay.DriverContext[0] = (PVOID)0; /* seconds that it has waited */
    InsertTailList(&box->reads, &irp->Tail.Overlay.ListEntry);
#ifndef BUG_IGNORES_CANCEL
    IoSetCancelRoutine(irp, cancel_read);
#endif
    if (irp->Cancel && IoSetCancelRoutine(irp, NULL) != NULL)
    {
        RemoveEntryList(&irp->Tail.Overlay.ListEntry);
        KeReleaseSpinLock(&box->lock, irql);
        finish_locked(irp, STATUS_CANCELLED, 0);
        return STATUS_PENDING;
    }
    KeReleaseSpinLock(&box->lock, irql);
    return STATUS_PENDING;
}

static NTSTATUS read(struct mailbox *box, PIRP irp)
{
    UCHAR letter[LETTER_SIZE];
    ULONG length;
    KIRQL irql;

    KeAcquireSpinLock(&box->lock, &irql);
    length = box->letter_length;
    if (length == 0)
        return wait_for_letter(box, irp, irql);
    RtlCopyMemory(letter, box->letter, length);
    box->letter_length = 0;
    KeReleaseSpinLock(&box->lock, irql);
    return deliver(irp, letter, length);
}

static NTSTATUS write(struct mailbox *box, PIRP irp)
{
    const ULONG length = IoGetCurrentIrpStackLocation(irp)->Parameters.Write.Length;
    NTSTATUS status = STATUS_SUCCESS;
    PIRP reader;
    KIRQL irql;

    if (length == 0 || length > LETTER_SIZE)
        return finish_locked(irp, STATUS_INVALID_PARAMETER, 0);
    KeAcquireSpinLock(&box->lock, &irql);
    reader = take_read(box);
    if (reader == NULL && box->letter_length != 0)
        status = STATUS_DEVICE_BUSY;
    else if (reader == NULL)
    {
        RtlCopyMemory(box->letter, irp->AssociatedIrp.SystemBuffer, length);
        box->letter_length = length;
    }
    KeReleaseSpinLock(&box->lock, irql);
    if (reader != NULL)
        deliver(reader, irp->AssociatedIrp.SystemBuffer, length);
    return finish_locked(irp, status, status == STATUS_SUCCESS ? length : 0);
}

/* Completes the reads of a file object that is being closed (NULL: all). */
static VOID drain(struct mailbox *box, PFILE_OBJECT file, NTSTATUS status)
{
    LIST_ENTRY kept;
    LIST_ENTRY done;
    PIRP irp;
    KIRQL irql;

    InitializeListHead(&kept);
    InitializeListHead(&done);
    KeAcquireSpinLock(&box->lock, &irql);
    while ((irp = take_read(box)) != NULL)
    {
        const BOOLEAN theirs = file == NULL || IoGetCurrentIrpStackLocation(irp)->FileObject == file;

        if (!theirs)
            IoSetCancelRoutine(irp, cancel_read);
        InsertTailList(theirs ? &done : &kept, &irp->Tail.Overlay.ListEntry);
    }
    while (!IsListEmpty(&kept))
        InsertTailList(&box->reads, RemoveHeadList(&kept));
    KeReleaseSpinLock(&box->lock, irql);
    while (!IsListEmpty(&done))
        finish_locked(CONTAINING_RECORD(RemoveHeadList(&done), IRP, Tail.Overlay.ListEntry), status, 0);
}

static NTSTATUS dispatch(PDEVICE_OBJECT device, PIRP irp)
{
    struct extension *extension = NdisGetDeviceReservedExtension(device);
    const PIO_STACK_LOCATION stack = IoGetCurrentIrpStackLocation(irp);

    if (!NT_SUCCESS(IoAcquireRemoveLock(&extension->remove_lock, NULL)))
        return finish(irp,
                      stack->MajorFunction == IRP_MJ_CLEANUP || stack->MajorFunction == IRP_MJ_CLOSE
                          ? STATUS_SUCCESS
                          : STATUS_DEVICE_REMOVED,
                      0);
    switch (stack->MajorFunction)
    {
    case IRP_MJ_READ:
        return read(extension->box, irp);
    case IRP_MJ_WRITE:
        return write(extension->box, irp);
    case IRP_MJ_CLEANUP:
        drain(extension->box, stack->FileObject, STATUS_CANCELLED);
        return finish_locked(irp, STATUS_SUCCESS, 0);
    case IRP_MJ_CREATE:
    case IRP_MJ_CLOSE:
        return finish_locked(irp, STATUS_SUCCESS, 0);
    default:
        return finish_locked(irp, STATUS_INVALID_DEVICE_REQUEST, 0);
    }
}

/* Every second: reads that have waited long enough get an answer of a kind. */
static VOID tick(PVOID unused1, PVOID context, PVOID unused2, PVOID unused3)
{
    struct mailbox *box = context;
    LIST_ENTRY *entry;
    PIRP late = NULL;

    UNREFERENCED_PARAMETER(unused1);
    UNREFERENCED_PARAMETER(unused2);
    UNREFERENCED_PARAMETER(unused3);
    KeAcquireSpinLockAtDpcLevel(&box->lock);
    for (entry = box->reads.Flink; entry != &box->reads; entry = entry->Flink)
    {
        PIRP irp = CONTAINING_RECORD(entry, IRP, Tail.Overlay.ListEntry);
        ULONG_PTR *waited = (ULONG_PTR *)&irp->Tail.Overlay.DriverContext[0];

        *waited += 1;
    }
    if (!IsListEmpty(&box->reads))
    {
        PIRP oldest = CONTAINING_RECORD(box->reads.Flink, IRP, Tail.Overlay.ListEntry);

        if ((ULONG_PTR)oldest->Tail.Overlay.DriverContext[0] >= PATIENCE)
            late = take_read(box);
    }
    KeReleaseSpinLockFromDpcLevel(&box->lock);
    if (late != NULL)
        finish_locked(late, STATUS_IO_TIMEOUT, 0);
}

static NTSTATUS register_device(struct mailbox *box)
{
    WCHAR name_text[32];
    WCHAR link_text[32];
    UNICODE_STRING name = {0, sizeof name_text, name_text};
    UNICODE_STRING link = {0, sizeof link_text, link_text};
    PDRIVER_DISPATCH functions[IRP_MJ_MAXIMUM_FUNCTION + 1];
    NDIS_DEVICE_OBJECT_ATTRIBUTES attributes;
    struct extension *extension;
    PDEVICE_OBJECT object;
    NTSTATUS status;
    const LONG number = InterlockedIncrement(&next_number);

    RtlAppendUnicodeToString(&name, L"\\Device\\MAILBOX");
    RtlAppendUnicodeToString(&link, L"\\DosDevices\\MAILBOX");
    name_text[name.Length / sizeof(WCHAR)] = link_text[link.Length / sizeof(WCHAR)] = (WCHAR)('A' + number % 26);
    name_text[name.Length / sizeof(WCHAR) + 1] = link_text[link.Length / sizeof(WCHAR) + 1] =
        (WCHAR)('A' + number / 26 % 26);
    name.Length += 2 * sizeof(WCHAR);
    link.Length += 2 * sizeof(WCHAR);
    RtlZeroMemory(functions, sizeof functions);
    functions[IRP_MJ_CREATE] = functions[IRP_MJ_CLEANUP] = functions[IRP_MJ_CLOSE] = dispatch;
    functions[IRP_MJ_READ] = functions[IRP_MJ_WRITE] = dispatch;
    RtlZeroMemory(&attributes, sizeof attributes);
    attributes.Header.Type = NDIS_OBJECT_TYPE_DEVICE_OBJECT_ATTRIBUTES;
    attributes.Header.Revision = NDIS_DEVICE_OBJECT_ATTRIBUTES_REVISION_1;
    attributes.Header.Size = NDIS_SIZEOF_DEVICE_OBJECT_ATTRIBUTES_REVISION_1;
    attributes.DeviceName = &name;
    attributes.SymbolicName = &link;
    attributes.MajorFunctions = functions;
    attributes.ExtensionSize = sizeof *extension;
    status = NdisRegisterDeviceEx(driver, &attributes, &object, &box->device);
    if (status != NDIS_STATUS_SUCCESS)
        return status;
    extension = NdisGetDeviceReservedExtension(object);
    IoInitializeRemoveLock(&extension->remove_lock, MAILBOX_TAG, 0, 0);
    extension->box = box;
    box->extension = extension;
    object->Flags |= DO_BUFFERED_IO;
    object->Flags &= ~DO_DEVICE_INITIALIZING;
    return STATUS_SUCCESS;
}

static NDIS_STATUS set_attributes(struct mailbox *box)
{
    NDIS_MINIPORT_ADAPTER_ATTRIBUTES attributes;
    NDIS_STATUS status;

    RtlZeroMemory(&attributes, sizeof attributes);
    attributes.RegistrationAttributes.Header.Type = NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES;
    attributes.RegistrationAttributes.Header.Revision = NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES_REVISION_1;
    attributes.RegistrationAttributes.Header.Size = NDIS_SIZEOF_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES_REVISION_1;
    attributes.RegistrationAttributes.MiniportAdapterContext = box;
    attributes.RegistrationAttributes.InterfaceType = NdisInterfaceInternal;
    status = NdisMSetMiniportAttributes(box->adapter, &attributes);
    if (status != NDIS_STATUS_SUCCESS)
        return status;
    RtlZeroMemory(&attributes, sizeof attributes);
    attributes.GeneralAttributes.Header.Type = NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES;
    attributes.GeneralAttributes.Header.Revision = NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES_REVISION_2;
    attributes.GeneralAttributes.Header.Size = NDIS_SIZEOF_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES_REVISION_2;
    attributes.GeneralAttributes.MediaType = NdisMediumIP;
    attributes.GeneralAttributes.MtuSize = 1500;
    attributes.GeneralAttributes.IfType = IF_TYPE_PROP_VIRTUAL;
    return NdisMSetMiniportAttributes(box->adapter, &attributes);
}

static NDIS_STATUS initialize(NDIS_HANDLE adapter, NDIS_HANDLE context, PNDIS_MINIPORT_INIT_PARAMETERS parameters)
{
    NDIS_TIMER_CHARACTERISTICS timer;
    struct mailbox *box = ExAllocatePoolWithTag(NonPagedPoolNx, sizeof *box, MAILBOX_TAG);
    LARGE_INTEGER second;
    NDIS_STATUS status;

    UNREFERENCED_PARAMETER(context);
    UNREFERENCED_PARAMETER(parameters);
    if (box == NULL)
        return NDIS_STATUS_RESOURCES;
    RtlZeroMemory(box, sizeof *box);
    box->adapter = adapter;
    KeInitializeSpinLock(&box->lock);
    InitializeListHead(&box->reads);
    status = set_attributes(box);
    if (status != NDIS_STATUS_SUCCESS)
        goto failed;
    RtlZeroMemory(&timer, sizeof timer);
    timer.Header.Type = NDIS_OBJECT_TYPE_TIMER_CHARACTERISTICS;
    timer.Header.Revision = NDIS_TIMER_CHARACTERISTICS_REVISION_1;
    timer.Header.Size = NDIS_SIZEOF_TIMER_CHARACTERISTICS_REVISION_1;
    timer.AllocationTag = MAILBOX_TAG;
    timer.TimerFunction = tick;
    timer.FunctionContext = box;
    status = NdisAllocateTimerObject(adapter, &timer, &box->timer);
    if (status != NDIS_STATUS_SUCCESS)
        goto failed;
    status = register_device(box);
    if (status != NDIS_STATUS_SUCCESS)
        goto failed_timer;
    second.QuadPart = -10000000;
    NdisSetTimerObject(box->timer, second, 1000, NULL);
    return NDIS_STATUS_SUCCESS;

failed_timer:
    NdisFreeTimerObject(box->timer);
failed:
    ExFreePoolWithTag(box, MAILBOX_TAG);
    return status;
}

static VOID halt(NDIS_HANDLE context, NDIS_HALT_ACTION action)
{
    struct mailbox *box = context;
    struct extension *extension = box->extension;
    KIRQL irql;

    UNREFERENCED_PARAMETER(action);
#ifndef BUG_LEAVES_TIMER
    NdisCancelTimerObject(box->timer);
#endif
    KeFlushQueuedDpcs(); /* it may be under way */
    IoAcquireRemoveLock(&extension->remove_lock, NULL);
    KeAcquireSpinLock(&box->lock, &irql);
    box->closed = TRUE;
    KeReleaseSpinLock(&box->lock, irql);
#ifndef BUG_LEAVES_READS
    drain(box, NULL, STATUS_DEVICE_REMOVED);
#endif
    IoReleaseRemoveLockAndWait(&extension->remove_lock, NULL);
    NdisDeregisterDeviceEx(box->device);
#ifndef BUG_LEAVES_TIMER
    NdisFreeTimerObject(box->timer);
#endif
    ExFreePoolWithTag(box, MAILBOX_TAG);
}

static NDIS_STATUS restart(NDIS_HANDLE context, PNDIS_MINIPORT_RESTART_PARAMETERS parameters)
{
    UNREFERENCED_PARAMETER(context);
    UNREFERENCED_PARAMETER(parameters);
    return NDIS_STATUS_SUCCESS;
}

static NDIS_STATUS pause(NDIS_HANDLE context, PNDIS_MINIPORT_PAUSE_PARAMETERS parameters)
{
    UNREFERENCED_PARAMETER(context);
    UNREFERENCED_PARAMETER(parameters);
    return NDIS_STATUS_SUCCESS;
}

static NDIS_STATUS oid_request(NDIS_HANDLE context, PNDIS_OID_REQUEST request)
{
    UNREFERENCED_PARAMETER(context);
    return request->DATA.QUERY_INFORMATION.Oid == OID_PNP_QUERY_POWER ? NDIS_STATUS_SUCCESS : NDIS_STATUS_NOT_SUPPORTED;
}

static VOID cancel_oid_request(NDIS_HANDLE context, PVOID id)
{
    UNREFERENCED_PARAMETER(context);
    UNREFERENCED_PARAMETER(id);
}

static VOID send(NDIS_HANDLE context, PNET_BUFFER_LIST lists, NDIS_PORT_NUMBER port, ULONG flags)
{
    const struct mailbox *box = context;
    PNET_BUFFER_LIST list;

    UNREFERENCED_PARAMETER(port);
    for (list = lists; list != NULL; list = NET_BUFFER_LIST_NEXT_NBL(list))
        NET_BUFFER_LIST_STATUS(list) = NDIS_STATUS_MEDIA_DISCONNECTED;
    NdisMSendNetBufferListsComplete(
        box->adapter, lists, NDIS_TEST_SEND_AT_DISPATCH_LEVEL(flags) ? NDIS_SEND_COMPLETE_FLAGS_DISPATCH_LEVEL : 0);
}

static VOID cancel_send(NDIS_HANDLE context, PVOID id)
{
    UNREFERENCED_PARAMETER(context);
    UNREFERENCED_PARAMETER(id);
}

static VOID return_lists(NDIS_HANDLE context, PNET_BUFFER_LIST lists, ULONG flags)
{
    UNREFERENCED_PARAMETER(context);
    UNREFERENCED_PARAMETER(lists);
    UNREFERENCED_PARAMETER(flags);
}

static VOID pnp_event(NDIS_HANDLE context, PNET_DEVICE_PNP_EVENT event)
{
    UNREFERENCED_PARAMETER(context);
    UNREFERENCED_PARAMETER(event);
}

static VOID shut_down(NDIS_HANDLE context, NDIS_SHUTDOWN_ACTION action)
{
    UNREFERENCED_PARAMETER(context);
    UNREFERENCED_PARAMETER(action);
}

static VOID unload(PDRIVER_OBJECT object)
{
    UNREFERENCED_PARAMETER(object);
    NdisMDeregisterMiniportDriver(driver);
}

NTSTATUS DriverEntry(PDRIVER_OBJECT object, PUNICODE_STRING path)
{
    NDIS_MINIPORT_DRIVER_CHARACTERISTICS miniport;

    RtlZeroMemory(&miniport, sizeof miniport);
    miniport.Header.Type = NDIS_OBJECT_TYPE_MINIPORT_DRIVER_CHARACTERISTICS;
    miniport.Header.Revision = NDIS_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_2;
    miniport.Header.Size = NDIS_SIZEOF_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_2;
    miniport.MajorNdisVersion = NDIS_MINIPORT_MAJOR_VERSION;
    miniport.MinorNdisVersion = NDIS_MINIPORT_MINOR_VERSION;
    miniport.InitializeHandlerEx = initialize;
    miniport.HaltHandlerEx = halt;
    miniport.UnloadHandler = unload;
    miniport.PauseHandler = pause;
    miniport.RestartHandler = restart;
    miniport.OidRequestHandler = oid_request;
    miniport.CancelOidRequestHandler = cancel_oid_request;
    miniport.SendNetBufferListsHandler = send;
    miniport.CancelSendHandler = cancel_send;
    miniport.ReturnNetBufferListsHandler = return_lists;
    miniport.DevicePnPEventNotifyHandler = pnp_event;
    miniport.ShutdownHandlerEx = shut_down;
    return NdisMRegisterMiniportDriver(object, path, NULL, &miniport, &driver);
}
