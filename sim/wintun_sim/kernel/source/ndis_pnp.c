/* The dispatch table of a driver object, and Plug and Play requests. NDIS fills the table when the miniport driver
 * registers, and answers what reaches it there. A driver that puts routines of its own in its place sees each request
 * first, and passes it on to what it found there before
 * (learn.microsoft.com/windows-hardware/drivers/kernel/passing-pnp-irps-down-the-device-stack).
 *
 * IRP_MJ_PNP is made only for such drivers: to all others NDIS shows the same events as calls of handlers alone.
 */
#include "io_room.h"
#include "ndis_room.h"

#include <string.h>

/* A request under way, and what NDIS does when it reaches it. */
struct pnp_call
{
    struct adapter *adapter;
    pnp_action *action; /* NULL: agrees, and does nothing */
    uint32_t operation;
    bool passed_on;
};

static const char *minor_name(uint8_t minor)
{
    switch (minor)
    {
    case IRP_MN_START_DEVICE:
        return "IRP_MN_START_DEVICE";
    case IRP_MN_QUERY_REMOVE_DEVICE:
        return "IRP_MN_QUERY_REMOVE_DEVICE";
    case IRP_MN_CANCEL_REMOVE_DEVICE:
        return "IRP_MN_CANCEL_REMOVE_DEVICE";
    case IRP_MN_SURPRISE_REMOVAL:
        return "IRP_MN_SURPRISE_REMOVAL";
    default:
        return "IRP_MN_REMOVE_DEVICE";
    }
}

static void carry_out(struct pnp_call *call)
{
    call->passed_on = true;
    if (call->action != NULL)
        call->action(call->adapter, call->operation);
}

/* NDIS' own routine, which a driver finds in its table. */
static NTSTATUS NTAPI ndis_dispatch(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    struct request *request = request_of(Irp);
    if (request == NULL)
    {
        rule_broken("DRIVER_VERIFIER_IOMANAGER_VIOLATION",
                    "NDIS was passed something that is not an IRP, or one that is complete");
        return STATUS_INVALID_PARAMETER;
    }
    if (request->pnp == NULL)
    {
        const struct host_device *device = device_of(DeviceObject);
        DRIVER_DISPATCH *dispatch =
            device == NULL || device->by_driver_object ? NULL : device->dispatch[request->major];
        if (dispatch != NULL)
            return dispatch(DeviceObject, Irp);
        Irp->IoStatus.Status = request_default_status(request->major);
        Irp->IoStatus.Information = 0;
    }
    else
    {
        carry_out(request->pnp);
        Irp->IoStatus.Status = STATUS_SUCCESS;
    }
    const NTSTATUS status = Irp->IoStatus.Status;
    IofCompleteRequest(Irp, 0);
    return status;
}

void dispatch_table_fill(struct miniport *miniport)
{
    for (unsigned major = 0; major <= IRP_MJ_MAXIMUM_FUNCTION; major++)
        if (miniport->object->MajorFunction[major] == NULL)
            miniport->object->MajorFunction[major] = ndis_dispatch;
        else
            miniport->own_majors |= 1u << major;
}

DRIVER_DISPATCH *dispatch_hook(const struct miniport *miniport, uint8_t major)
{
    DRIVER_DISPATCH *routine = miniport->object->MajorFunction[major];
    const bool is_own = (miniport->own_majors >> major & 1) != 0;
    return is_own || !miniport->registered || routine == ndis_dispatch ? NULL : routine;
}

DRIVER_DISPATCH *dispatch_of_driver(const struct miniport *miniport, uint8_t major)
{
    DRIVER_DISPATCH *routine = miniport->object->MajorFunction[major];
    return routine == ndis_dispatch ? NULL : routine;
}

static DEVICE_OBJECT *device_object_new(DRIVER_OBJECT *driver, CCHAR stack_size)
{
    DEVICE_OBJECT *object = arena_allocate(BLOCK_DEVICE, sizeof *object, 0, "NDIS");
    if (object == NULL)
        return NULL;
    memset(object, 0, sizeof *object);
    object->Type = IO_TYPE_DEVICE;
    object->Size = (USHORT)sizeof *object;
    object->DriverObject = driver;
    object->DeviceType = FILE_DEVICE_NETWORK;
    object->StackSize = stack_size;
    return object;
}

/* The bus' device object and NDIS' own, made when somebody wants to see them. */
static bool make_devices(struct adapter *adapter)
{
    if (adapter->physical == NULL)
        adapter->physical = device_object_new(NULL, 1);
    if (adapter->functional == NULL)
        adapter->functional = device_object_new(miniport_driver_object(adapter->miniport), 2);
    return adapter->physical != NULL && adapter->functional != NULL;
}

void pnp_delete_devices(struct adapter *adapter)
{
    if (adapter->functional != NULL)
        arena_free(BLOCK_DEVICE, adapter->functional, 0, "NDIS");
    if (adapter->physical != NULL)
        arena_free(BLOCK_DEVICE, adapter->physical, 0, "NDIS");
    adapter->functional = adapter->physical = NULL;
}

NTSTATUS pnp_perform(struct adapter *adapter, uint8_t minor, pnp_action *action, uint32_t operation)
{
    struct miniport *miniport = adapter->miniport;
    DRIVER_DISPATCH *hook = dispatch_hook(miniport, IRP_MJ_PNP);
    struct pnp_call call = {adapter, action, operation, false};
    struct request *request =
        hook == NULL || !make_devices(adapter) ? NULL : request_new_pnp(adapter->functional, minor, &call);
    NTSTATUS status = STATUS_SUCCESS;
    if (request != NULL)
    {
        status = request_call(request, hook, adapter->functional, miniport_image(miniport), true);
        const bool may_refuse = minor == IRP_MN_QUERY_REMOVE_DEVICE && !NT_SUCCESS(status);
        if (!call.passed_on && !may_refuse)
            rule_broken("PnpRequest", "%s was completed with 0x%08X and not passed on to NDIS", minor_name(minor),
                        (unsigned)status);
        if (may_refuse)
            return status;
    }
    if (!call.passed_on)
        carry_out(&call);
    return status;
}

/* IRQL = PASSIVE_LEVEL. A device without hardware has no resources. */
VOID NTAPI NdisMGetDeviceProperty(NDIS_HANDLE MiniportAdapterHandle, PDEVICE_OBJECT *PhysicalDeviceObject,
                                  PDEVICE_OBJECT *FunctionalDeviceObject, PDEVICE_OBJECT *NextDeviceObject,
                                  PCM_RESOURCE_LIST *AllocatedResources,
                                  PCM_RESOURCE_LIST *AllocatedResourcesTranslated)
{
    static const char function[] = "NdisMGetDeviceProperty";
    rule_irql("Irql_Miscellaneous_Function", function, PASSIVE_LEVEL, PASSIVE_LEVEL);
    struct adapter *adapter = adapter_of(MiniportAdapterHandle, function);
    const bool good = adapter != NULL && make_devices(adapter);
    if (PhysicalDeviceObject != NULL)
        *PhysicalDeviceObject = good ? adapter->physical : NULL;
    if (FunctionalDeviceObject != NULL)
        *FunctionalDeviceObject = good ? adapter->functional : NULL;
    if (NextDeviceObject != NULL)
        *NextDeviceObject = good ? adapter->physical : NULL;
    if (AllocatedResources != NULL)
        *AllocatedResources = NULL;
    if (AllocatedResourcesTranslated != NULL)
        *AllocatedResourcesTranslated = NULL;
}

/* IRQL = PASSIVE_LEVEL, in MiniportSetOptions. All optional handlers are of services that a virtual adapter, without
 * connections, hardware or offload, does not have (…/ddi/ndis/nf-ndis-ndissetoptionalhandlers). */
NDIS_STATUS NTAPI NdisSetOptionalHandlers(NDIS_HANDLE NdisHandle, PNDIS_DRIVER_OPTIONAL_HANDLERS OptionalHandlers)
{
    static const char function[] = "NdisSetOptionalHandlers";
    rule_irql("Irql_Miniport_Driver_Function", function, PASSIVE_LEVEL, PASSIVE_LEVEL);
    if (miniport_of(NdisHandle, function) == NULL)
        return NDIS_STATUS_FAILURE;
    if (OptionalHandlers->Header.Revision == 0 || OptionalHandlers->Header.Size < sizeof OptionalHandlers->Header)
        rule_broken("BUGCODE_NDIS_DRIVER", "%s was given a header of type 0x%02X, revision %u and size %u (0x21)",
                    function, OptionalHandlers->Header.Type, OptionalHandlers->Header.Revision,
                    OptionalHandlers->Header.Size);
    return NDIS_STATUS_NOT_SUPPORTED;
}
