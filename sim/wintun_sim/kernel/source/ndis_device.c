/* Devices of a miniport: NDIS makes the device object, keeps its extension, and gives the driver a part of it
 * (learn.microsoft.com/windows-hardware/drivers/ddi/ndis/nf-ndis-ndisregisterdeviceex).
 */
#include "io_room.h"
#include "ndis_header.h"
#include "ndis_room.h"

#include <string.h>

static const struct object_form ATTRIBUTES = {
    .name = "NDIS_DEVICE_OBJECT_ATTRIBUTES",
    .type = NDIS_OBJECT_TYPE_DEVICE_OBJECT_ATTRIBUTES,
    .parameter = 0x21,
    .whole = sizeof(NDIS_DEVICE_OBJECT_ATTRIBUTES),
    .revisions = {{NDIS_RUNTIME_VERSION_60, NDIS_SIZEOF_DEVICE_OBJECT_ATTRIBUTES_REVISION_1}}};

/* Whose device it is: the adapter's whose handle is given, or, given the driver's handle, that of the adapter that the
 * driver is initializing just now; the driver's own where there is none. */
static bool find_owner(NDIS_HANDLE handle, struct device_request *wanted)
{
    for (struct adapter *adapter = current_host->ndis->adapters; adapter != NULL; adapter = adapter->next)
        if (adapter == handle || (adapter->miniport == handle && adapter->id == actor_current()->operation))
        {
            wanted->adapter = adapter;
            wanted->miniport = adapter->miniport;
            return true;
        }
    wanted->miniport = miniport_of(handle, "NdisRegisterDeviceEx");
    return wanted->miniport != NULL;
}

/* NDIS takes the whole table, so one that is too short ends in something else. */
static void check_dispatch(const PDRIVER_DISPATCH *dispatch, const struct miniport *miniport)
{
    for (size_t major = 0; major <= IRP_MJ_MAXIMUM_FUNCTION; major++)
    {
        uintptr_t address = 0;
        memcpy(&address, &dispatch[major], sizeof address);
        if (address != 0 && image_of(address) != miniport->image)
            rule_broken(
                "BUGCODE_NDIS_DRIVER",
                "MajorFunctions of NDIS_DEVICE_OBJECT_ATTRIBUTES has an entry 0x%02zX that is no function of the "
                "driver: there have to be %u",
                major, IRP_MJ_MAXIMUM_FUNCTION + 1);
    }
}

/* IRQL = PASSIVE_LEVEL. The handle that it gives is the device's own. */
NDIS_STATUS NTAPI NdisRegisterDeviceEx(NDIS_HANDLE NdisHandle, PNDIS_DEVICE_OBJECT_ATTRIBUTES DeviceObjectAttributes,
                                       PDEVICE_OBJECT *pDeviceObject, PNDIS_HANDLE NdisDeviceHandle)
{
    static const char function[] = "NdisRegisterDeviceEx";
    rule_irql("Irql_Miscellaneous_Function", function, PASSIVE_LEVEL, PASSIVE_LEVEL);
    const NDIS_DEVICE_OBJECT_ATTRIBUTES *attributes = DeviceObjectAttributes;
    *NdisDeviceHandle = NULL;
    *pDeviceObject = NULL;
    if (!object_check(&attributes->Header, &ATTRIBUTES, ANY_NDIS))
        return NDIS_STATUS_INVALID_PARAMETER;
    struct device_request wanted = {.name = attributes->DeviceName,
                                    .link = attributes->SymbolicName,
                                    .sddl = attributes->DefaultSDDLString,
                                    .dispatch = attributes->MajorFunctions,
                                    .extension_size = attributes->ExtensionSize};
    if (wanted.name == NULL || wanted.dispatch == NULL || !find_owner(NdisHandle, &wanted))
        return NDIS_STATUS_INVALID_PARAMETER;
    check_dispatch(wanted.dispatch, wanted.miniport);
    if (attributes->DeviceClassGuid != NULL)
        instrument_range(attributes->DeviceClassGuid, sizeof *attributes->DeviceClassGuid, 0,
                         __builtin_return_address(0));
    struct host_device *device = NULL;
    const NTSTATUS status = device_register(&wanted, &device);
    if (status != STATUS_SUCCESS)
        return status;
    *pDeviceObject = device->object;
    *NdisDeviceHandle = device;
    return NDIS_STATUS_SUCCESS;
}

/* IRQL = PASSIVE_LEVEL. */
VOID NTAPI NdisDeregisterDeviceEx(NDIS_HANDLE NdisDeviceHandle)
{
    static const char function[] = "NdisDeregisterDeviceEx";
    rule_irql("Irql_Miscellaneous_Function", function, PASSIVE_LEVEL, PASSIVE_LEVEL);
    schedule_point(POINT_CALL, NdisDeviceHandle);
    for (struct host_device *device = current_host->io->devices; device != NULL; device = device->next)
        if (device == NdisDeviceHandle && !device->deregistered)
        {
            device_deregister(device);
            return;
        }
    rule_broken("DeleteDevice", "%s was given a handle that is no registered device's", function);
}

/* Any IRQL. What it gives lives as long as the device object. */
PVOID NTAPI NdisGetDeviceReservedExtension(PDEVICE_OBJECT DeviceObject)
{
    const struct host_device *device = device_of(DeviceObject);
    if (device != NULL)
        return device->extension;
    rule_broken("DeleteDevice", "NdisGetDeviceReservedExtension was given a device object that does not exist");
    return NULL;
}
