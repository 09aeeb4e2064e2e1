/* Device objects of a driver's own, names that lead to them, and opening a device from inside the kernel. Pages:
 * learn.microsoft.com/windows-hardware/drivers/ddi/wdm/nf-wdm-iocreatedevice, …/nf-wdm-iocreatesymboliclink,
 * …/nf-wdm-iogetdeviceobjectpointer.
 */
#include "object.h"

#include <string.h>

#include "ndis_room.h"

/* IRQL = PASSIVE_LEVEL. The driver clears DO_DEVICE_INITIALIZING, but for devices that DriverEntry makes. */
NTSTATUS NTAPI IoCreateDevice(PDRIVER_OBJECT DriverObject, ULONG DeviceExtensionSize, PUNICODE_STRING DeviceName,
                              DEVICE_TYPE DeviceType, ULONG DeviceCharacteristics, BOOLEAN Exclusive,
                              PDEVICE_OBJECT *DeviceObject)
{
    rule_irql("IrqlIoPassive1", "IoCreateDevice", PASSIVE_LEVEL, PASSIVE_LEVEL);
    struct miniport *miniport = current_host->ndis->miniports;
    while (miniport != NULL && miniport->object != DriverObject)
        miniport = miniport->next;
    *DeviceObject = NULL;
    if (miniport == NULL)
        return STATUS_INVALID_PARAMETER;
    const struct device_request wanted = {
        .miniport = miniport, .name = DeviceName, .extension_size = DeviceExtensionSize};
    struct host_device *device = NULL;
    const NTSTATUS status = device_register(&wanted, &device);
    if (status != STATUS_SUCCESS)
        return status;
    DEVICE_OBJECT *object = device->object;
    object->Flags = DO_DEVICE_INITIALIZING | (Exclusive ? DO_EXCLUSIVE : 0);
    object->DeviceType = DeviceType;
    object->Characteristics = DeviceCharacteristics;
    object->DeviceExtension = device->device_extension = device->extension;
    object->NextDevice = DriverObject->DeviceObject;
    DriverObject->DeviceObject = object;
    *DeviceObject = object;
    return STATUS_SUCCESS;
}

static void delete_device(struct host_device *device)
{
    DEVICE_OBJECT **place = &device->object->DriverObject->DeviceObject;
    while (*place != NULL && *place != device->object)
        place = &(*place)->NextDevice;
    if (*place != NULL)
        *place = device->object->NextDevice;
    device_deregister(device);
}

/* IRQL <= APC_LEVEL. */
VOID NTAPI IoDeleteDevice(PDEVICE_OBJECT DeviceObject)
{
    rule_irql("IrqlIoApcLte", "IoDeleteDevice", PASSIVE_LEVEL, APC_LEVEL);
    struct host_device *device = device_of(DeviceObject);
    if (device == NULL || device->deregistered)
        rule_broken("DeleteDevice", "IoDeleteDevice was given a device object that does not exist or is deleted");
    else if (!device->by_driver_object)
        rule_broken("DeleteDevice", "IoDeleteDevice was given a device of NdisRegisterDeviceEx, which "
                                    "NdisDeregisterDeviceEx deletes");
    else
        delete_device(device);
}

static struct symbolic_link **link_place(const UNICODE_STRING *name)
{
    struct symbolic_link **place = &current_host->io->objects->links;
    while (*place != NULL &&
           !name_is((*place)->name, (*place)->name_length, name->Buffer, name->Length / sizeof(WCHAR)))
        place = &(*place)->next;
    return place;
}

bool link_is_taken(const UNICODE_STRING *name)
{
    return *link_place(name) != NULL;
}

/* IRQL = PASSIVE_LEVEL. The device need not exist, as a link is only a text that is looked up when it is followed. */
NTSTATUS NTAPI IoCreateSymbolicLink(PUNICODE_STRING SymbolicLinkName, PUNICODE_STRING DeviceName)
{
    rule_irql("IRQL_NOT_LESS_OR_EQUAL", "IoCreateSymbolicLink", PASSIVE_LEVEL, PASSIVE_LEVEL);
    if (!name_is_valid(SymbolicLinkName) || !name_is_valid(DeviceName))
        return STATUS_OBJECT_NAME_INVALID;
    if (name_is_taken(SymbolicLinkName))
        return STATUS_OBJECT_NAME_COLLISION;
    struct symbolic_link *made = arena_allocate(BLOCK_HOST, sizeof *made, 0, "IoCreateSymbolicLink");
    if (made == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    memset(made, 0, sizeof *made);
    made->image = image_number(actor_current()->image);
    made->name_length = SymbolicLinkName->Length / sizeof(WCHAR);
    memcpy(made->name, SymbolicLinkName->Buffer, SymbolicLinkName->Length);
    made->target_length = DeviceName->Length / sizeof(WCHAR);
    memcpy(made->target, DeviceName->Buffer, DeviceName->Length);
    made->next = current_host->io->objects->links;
    current_host->io->objects->links = made;
    return STATUS_SUCCESS;
}

/* IRQL = PASSIVE_LEVEL. */
NTSTATUS NTAPI IoDeleteSymbolicLink(PUNICODE_STRING SymbolicLinkName)
{
    rule_irql("IRQL_NOT_LESS_OR_EQUAL", "IoDeleteSymbolicLink", PASSIVE_LEVEL, PASSIVE_LEVEL);
    if (!name_is_valid(SymbolicLinkName))
        return STATUS_OBJECT_NAME_INVALID;
    struct symbolic_link **place = link_place(SymbolicLinkName);
    struct symbolic_link *link = *place;
    if (link == NULL)
        return STATUS_OBJECT_NAME_NOT_FOUND;
    *place = link->next;
    arena_free(BLOCK_HOST, link, 0, "IoDeleteSymbolicLink");
    return STATUS_SUCCESS;
}

static struct host_device *device_named(const UNICODE_STRING *name)
{
    const struct symbolic_link *link = *link_place(name);
    const WCHAR *text = link == NULL ? name->Buffer : link->target;
    const uint16_t length = link == NULL ? name->Length / sizeof(WCHAR) : link->target_length;
    struct host_device *device = current_host->io->devices;
    while (device != NULL && (device->deregistered || (!name_is(device->name, device->name_length, text, length) &&
                                                       !name_is(device->link, device->link_length, text, length))))
        device = device->next;
    return device;
}

/* What ZwOpenFile and, once the file object is referenced, ZwClose do: IRP_MJ_CREATE, then IRP_MJ_CLEANUP. */
static NTSTATUS open_file(struct host_device *device, struct host_file **opened)
{
    struct host_file *file = file_open(device, 0);
    if (file == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    struct request *request = request_new(file, 0, IRP_MJ_CREATE, NULL, 0);
    const NTSTATUS status = request == NULL ? STATUS_INSUFFICIENT_RESOURCES : request_dispatch(request, true);
    if (!NT_SUCCESS(status))
    {
        file_close(file);
        return status;
    }
    file->object->Flags |= FO_FILE_OPEN | FO_HANDLE_CREATED | FO_CLEANUP_COMPLETE;
    request = request_new(file, 0, IRP_MJ_CLEANUP, NULL, 0);
    if (request != NULL)
        request_dispatch(request, true);
    *opened = file;
    return STATUS_SUCCESS;
}

/* IRQL = PASSIVE_LEVEL. Kernel mode is not asked for its rights. Only the file object gets a reference. */
NTSTATUS NTAPI IoGetDeviceObjectPointer(PUNICODE_STRING ObjectName, ACCESS_MASK DesiredAccess, PFILE_OBJECT *FileObject,
                                        PDEVICE_OBJECT *DeviceObject)
{
    (void)DesiredAccess;
    rule_irql("IrqlIoPassive5", "IoGetDeviceObjectPointer", PASSIVE_LEVEL, PASSIVE_LEVEL);
    *FileObject = NULL;
    *DeviceObject = NULL;
    if (!name_is_valid(ObjectName))
        return STATUS_OBJECT_NAME_INVALID;
    struct host_device *device = device_named(ObjectName);
    if (device == NULL)
        return STATUS_OBJECT_NAME_NOT_FOUND;
    if (device->object->Flags & DO_DEVICE_INITIALIZING)
        return STATUS_NO_SUCH_DEVICE;
    if ((device->object->Flags & DO_EXCLUSIVE) != 0 && device->files != 0)
        return STATUS_ACCESS_DENIED;
    struct host_file *file = NULL;
    const NTSTATUS status = open_file(device, &file);
    if (!NT_SUCCESS(status))
        return status;
    if (!object_take(file->object, OBJECT_FILE))
        crash_now("there is no memory left to refer to a file object with");
    *FileObject = file->object;
    *DeviceObject = device->object;
    return STATUS_SUCCESS;
}

void name_check_leaks(struct miniport *miniport, const char *where)
{
    const uint16_t image = image_number(miniport->image);
    struct symbolic_link **place = &current_host->io->objects->links;
    while (*place != NULL)
        if ((*place)->image == image)
        {
            struct symbolic_link *link = *place;
            rule_broken("LeakAtUnload", "%s left a symbolic link behind that IoCreateSymbolicLink made", where);
            *place = link->next;
            arena_free(BLOCK_HOST, link, 0, "IoDeleteSymbolicLink");
        }
        else
            place = &(*place)->next;
    while (miniport->object->DeviceObject != NULL)
    {
        struct host_device *device = device_of(miniport->object->DeviceObject);
        rule_broken("DeleteDevice", "%s left a device behind that IoCreateDevice made", where);
        if (device == NULL)
            break; /* the driver changed the list, which is not its own */
        delete_device(device);
    }
}

const struct export io_name_exports[] = {
    EXPORT(IoCreateDevice),       EXPORT(IoCreateSymbolicLink),     EXPORT(IoDeleteDevice),
    EXPORT(IoDeleteSymbolicLink), EXPORT(IoGetDeviceObjectPointer), EXPORTS_END,
};
