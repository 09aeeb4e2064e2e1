/* Devices of a miniport: NDIS makes the device object, keeps its extension, and gives the driver a part of it
 * (learn.microsoft.com/windows-hardware/drivers/ddi/ndis/nf-ndis-ndisregisterdeviceex).
 */
#include "io_room.h"
#include "ndis_room.h"

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

/* IRQL = PASSIVE_LEVEL. The handle that it gives is the device's own. */
NDIS_STATUS NTAPI NdisRegisterDeviceEx(NDIS_HANDLE NdisHandle, PNDIS_DEVICE_OBJECT_ATTRIBUTES DeviceObjectAttributes,
                                       PDEVICE_OBJECT *pDeviceObject, PNDIS_HANDLE NdisDeviceHandle)
{
    static const char function[] = "NdisRegisterDeviceEx";
    rule_irql("Irql_Miscellaneous_Function", function, PASSIVE_LEVEL, PASSIVE_LEVEL);
    const NDIS_DEVICE_OBJECT_ATTRIBUTES *attributes = DeviceObjectAttributes;
    const NDIS_OBJECT_HEADER *header = &attributes->Header;
    *NdisDeviceHandle = NULL;
    *pDeviceObject = NULL;
    if (header->Type != NDIS_OBJECT_TYPE_DEVICE_OBJECT_ATTRIBUTES ||
        header->Revision < NDIS_DEVICE_OBJECT_ATTRIBUTES_REVISION_1 ||
        header->Size < NDIS_SIZEOF_DEVICE_OBJECT_ATTRIBUTES_REVISION_1)
    {
        rule_broken("BUGCODE_NDIS_DRIVER",
                    "NDIS_DEVICE_OBJECT_ATTRIBUTES has a header of type 0x%02X, revision %u and size %u (0x21)",
                    header->Type, header->Revision, header->Size);
        return NDIS_STATUS_INVALID_PARAMETER;
    }
    struct device_request wanted = {.name = attributes->DeviceName,
                                    .link = attributes->SymbolicName,
                                    .sddl = attributes->DefaultSDDLString,
                                    .dispatch = attributes->MajorFunctions,
                                    .extension_size = attributes->ExtensionSize};
    if (wanted.name == NULL || wanted.dispatch == NULL || !find_owner(NdisHandle, &wanted))
        return NDIS_STATUS_INVALID_PARAMETER;
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
