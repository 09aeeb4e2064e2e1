/* Device objects, their names and symbolic links, and file objects (io_room.h).
 *
 * The names of a device go when it is deleted; device object, extension and the driver's code stay while a file object
 * refers to them (learn.microsoft.com/windows-hardware/drivers/ddi/wdm/nf-wdm-iodeletedevice).
 */
#include "depend.h"
#include "happens.h"
#include "io_room.h"

#include <string.h>

#include "ndis_room.h"
#include "object.h"
#include "security.h"

bool name_is_valid(const UNICODE_STRING *name)
{
    return name->Buffer != NULL && name->Length % sizeof(WCHAR) == 0 && name->Length >= 2 * sizeof(WCHAR) &&
           name->Length <= sizeof((struct host_device *)0)->name && name->Buffer[0] == '\\';
}

static WCHAR folded(WCHAR character)
{
    return character >= 'a' && character <= 'z' ? (WCHAR)(character - 'a' + 'A') : character;
}

bool name_is(const WCHAR *first, uint16_t first_length, const WCHAR *second, uint16_t second_length)
{
    if (first_length != second_length)
        return false;
    for (uint16_t index = 0; index < first_length; index++)
        if (folded(first[index]) != folded(second[index]))
            return false;
    return true;
}

bool name_is_taken(const UNICODE_STRING *name)
{
    const uint16_t length = name->Length / sizeof(WCHAR);
    for (const struct host_device *device = current_host->io->devices; device != NULL; device = device->next)
        if (!device->deregistered && (name_is(device->name, device->name_length, name->Buffer, length) ||
                                      name_is(device->link, device->link_length, name->Buffer, length)))
            return true;
    return link_is_taken(name);
}

static NTSTATUS check_request(const struct device_request *wanted, uint8_t *accounts)
{
    if ((wanted->name != NULL && !name_is_valid(wanted->name)) ||
        (wanted->link != NULL && !name_is_valid(wanted->link)))
        return STATUS_OBJECT_NAME_INVALID;
    if ((wanted->name != NULL && name_is_taken(wanted->name)) || (wanted->link != NULL && name_is_taken(wanted->link)))
        return STATUS_OBJECT_NAME_COLLISION;
    *accounts = SECURITY_DEFAULT;
    if (wanted->sddl != NULL && wanted->sddl->Buffer != NULL &&
        !security_parse((const uint16_t *)wanted->sddl->Buffer, wanted->sddl->Length / sizeof(WCHAR), accounts))
        return STATUS_INVALID_SECURITY_DESCR;
    return STATUS_SUCCESS;
}

/* Over which closes and the deregistration are handed to the device's end, which comes after all of them; while its own
 * address is that of its registration's, for whoever opens it. */
static const volatile void *for_the_end(const struct host_device *device)
{
    return (const volatile char *)device + 1;
}

static void device_free(struct host_device *device)
{
    depend(&current_host->io->devices, DEPEND_WRITE);
    happens_acquire(for_the_end(device));
    struct host_device **place = &current_host->io->devices;
    while (*place != device)
        place = &(*place)->next;
    *place = device->next;
    if (device->object != NULL)
        arena_free(BLOCK_DEVICE, device->object, 0, "IoDeleteDevice");
    if (device->extension != NULL)
        arena_free(BLOCK_DEVICE, device->extension, 0, "IoDeleteDevice");
    arena_free(BLOCK_HOST, device, 0, "IoDeleteDevice");
}

NTSTATUS device_register(const struct device_request *wanted, struct host_device **made)
{
    uint8_t accounts = 0;
    const NTSTATUS status = check_request(wanted, &accounts);
    if (status != STATUS_SUCCESS)
        return status;
    if (fault_strikes(HOST_FAULT_DEVICE))
        return STATUS_INSUFFICIENT_RESOURCES;
    struct host_device *device = arena_allocate(BLOCK_HOST, sizeof *device, 0, "IoCreateDevice");
    if (device == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    memset(device, 0, sizeof *device);
    device->next = current_host->io->devices;
    current_host->io->devices = device;
    device->object = arena_allocate(BLOCK_DEVICE, sizeof *device->object, 0, "IoCreateDevice");
    if (wanted->extension_size != 0)
        device->extension = arena_allocate(BLOCK_DEVICE, wanted->extension_size, 0, "IoCreateDevice");
    if (device->object == NULL || (wanted->extension_size != 0 && device->extension == NULL))
    {
        device_free(device);
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    if (device->extension != NULL)
        memset(device->extension, 0, wanted->extension_size);
    device->miniport = wanted->miniport;
    device->adapter = wanted->adapter;
    device->adapter_id = wanted->adapter == NULL ? 0 : wanted->adapter->id;
    device->accounts = accounts;
    device->by_driver_object = wanted->dispatch == NULL;
    if (wanted->dispatch != NULL)
        memcpy(device->dispatch, wanted->dispatch, sizeof device->dispatch);
    if (wanted->name != NULL)
    {
        device->name_length = wanted->name->Length / sizeof(WCHAR);
        memcpy(device->name, wanted->name->Buffer, wanted->name->Length);
    }
    if (wanted->link != NULL)
    {
        device->link_length = wanted->link->Length / sizeof(WCHAR);
        memcpy(device->link, wanted->link->Buffer, wanted->link->Length);
    }
    DEVICE_OBJECT *object = device->object;
    memset(object, 0, sizeof *object);
    object->Type = IO_TYPE_DEVICE;
    object->Size = (USHORT)sizeof *object;
    object->ReferenceCount = 0;
    object->DriverObject = miniport_driver_object(wanted->miniport);
    object->Flags = DO_BUFFERED_IO; /* NDIS' choice, which the driver may change before the first open */
    object->Characteristics = FILE_DEVICE_SECURE_OPEN;
    object->DeviceType = FILE_DEVICE_NETWORK;
    object->StackSize = 1;
    /* What lies there is NDIS' own, and not for the driver: its part is what NdisGetDeviceReservedExtension gives. */
    device->device_extension = device;
    object->DeviceExtension = device->device_extension;
    happens_release(device);
    depend(&current_host->io->devices, DEPEND_WRITE);
    *made = device;
    return STATUS_SUCCESS;
}

void device_deregister(struct host_device *device)
{
    depend(&current_host->io->devices, DEPEND_WRITE);
    depend(&device->files, DEPEND_WRITE);
    if (device->object->DeviceExtension != device->device_extension)
        rule_broken("DeviceExtension",
                    "the driver changed DEVICE_OBJECT.DeviceExtension, which is NDIS' own: its memory "
                    "is what NdisGetDeviceReservedExtension gives");
    device->deregistered = true;
    device->adapter = NULL;
    happens_release(for_the_end(device));
    device_unheld(device);
}

void device_unheld(struct host_device *device)
{
    if (device->deregistered && device->files == 0 && object_holds(device->object) == 0)
        device_free(device);
}

struct host_device *device_of(const DEVICE_OBJECT *object)
{
    for (struct host_device *device = current_host->io->devices; device != NULL; device = device->next)
        if (device->object == object)
            return device;
    return NULL;
}

struct host_device *device_of_adapter(const struct adapter *adapter)
{
    for (struct host_device *device = current_host->io->devices; device != NULL; device = device->next)
        if (device->adapter == adapter && !device->deregistered)
            return device;
    return NULL;
}

struct host_device *device_of_adapter_id(uint32_t id)
{
    depend(&current_host->io->devices, DEPEND_READ);
    struct host_device *device = current_host->io->devices;
    while (device != NULL && device->adapter_id != id)
        device = device->next;
    return device;
}

struct host_file *file_open(struct host_device *device, uint32_t id)
{
    struct host_file *file = arena_allocate(BLOCK_HOST, sizeof *file, 0, "IoCreateFile");
    FILE_OBJECT *object = arena_allocate(BLOCK_FILE, sizeof *object, 0, "IoCreateFile");
    if (file == NULL || object == NULL)
    {
        if (file != NULL)
            arena_free(BLOCK_HOST, file, 0, "IoCreateFile");
        if (object != NULL)
            arena_free(BLOCK_FILE, object, 0, "IoCreateFile");
        return NULL;
    }
    memset(file, 0, sizeof *file);
    memset(object, 0, sizeof *object);
    object->Type = IO_TYPE_FILE;
    object->Size = (CSHORT)sizeof *object;
    object->DeviceObject = device->object;
    object->ReadAccess = TRUE;
    object->WriteAccess = TRUE;
    file->id = id;
    file->device = device;
    file->object = object;
    file->next = current_host->io->files;
    current_host->io->files = file;
    device->files++;
    depend(&device->files, DEPEND_READ);
    device->object->ReferenceCount++;
    return file;
}

void file_close(struct host_file *file)
{
    struct host_device *device = file->device;
    struct host_file **place = &current_host->io->files;
    while (*place != file)
        place = &(*place)->next;
    *place = file->next;
    process_exit(file->id);
    happens_release(for_the_end(device));
    depend(&device->files, DEPEND_WRITE);
    arena_free(BLOCK_FILE, file->object, 0, "IoCloseFile");
    arena_free(BLOCK_HOST, file, 0, "IoCloseFile");
    device->object->ReferenceCount--;
    device->files--;
    device_unheld(device);
}

struct host_file *file_find(uint32_t id)
{
    struct host_file *file = current_host->io->files;
    while (file != NULL && file->id != id)
        file = file->next;
    return id == 0 ? NULL : file;
}
