/* Miniport drivers: DriverEntry, registration with NDIS, unload
 * (learn.microsoft.com/windows-hardware/drivers/network/initializing-a-miniport-driver, …/unloading-a-miniport-driver).
 */
#include "happens.h"
#include "io_room.h"
#include "ndis_header.h"
#include "ndis_room.h"
#include "object.h"

#include <string.h>

#define REGISTRY_PATH L"\\Registry\\Machine\\System\\CurrentControlSet\\Services\\miniport"
#define DRIVER_NAME   L"\\Driver\\miniport"

/* What DriverEntry is given the address of: one block, which is freed when the driver is gone. */
struct driver_block
{
    DRIVER_OBJECT object;
    DRIVER_EXTENSION extension;
    UNICODE_STRING registry_path;
    WCHAR driver_name[sizeof DRIVER_NAME / sizeof(WCHAR)];
    WCHAR path[sizeof REGISTRY_PATH / sizeof(WCHAR)];
};

struct miniport *miniport_find(uint32_t id)
{
    struct miniport *miniport = current_host->ndis->miniports;
    while (miniport != NULL && miniport->id != id)
        miniport = miniport->next;
    return miniport;
}

struct miniport *miniport_of(NDIS_HANDLE handle, const char *function)
{
    for (struct miniport *miniport = current_host->ndis->miniports; miniport != NULL; miniport = miniport->next)
        if (miniport == handle)
            return miniport;
    rule_broken("BUGCODE_NDIS_DRIVER", "%s was given a handle that is no registered miniport driver's", function);
    return NULL;
}

static struct miniport *current_miniport(void)
{
    for (struct miniport *miniport = current_host->ndis->miniports; miniport != NULL; miniport = miniport->next)
        if (miniport->image == actor_current()->image)
            return miniport;
    return NULL;
}

static void set_string(UNICODE_STRING *string, WCHAR *text, size_t size)
{
    string->Buffer = text;
    string->Length = (USHORT)(size - sizeof(WCHAR));
    string->MaximumLength = (USHORT)size;
}

static struct miniport *miniport_new(uint32_t id, struct image *image)
{
    struct miniport *miniport = arena_allocate(BLOCK_HOST, sizeof *miniport, 0, "IoLoadDriver");
    struct driver_block *block = arena_allocate(BLOCK_OTHER, sizeof *block, 0, "IoLoadDriver");
    if (miniport == NULL || block == NULL)
        return NULL;
    memset(miniport, 0, sizeof *miniport);
    memset(block, 0, sizeof *block);
    memcpy(block->driver_name, DRIVER_NAME, sizeof block->driver_name);
    memcpy(block->path, REGISTRY_PATH, sizeof block->path);
    set_string(&block->registry_path, block->path, sizeof block->path);
    set_string(&block->object.DriverName, block->driver_name, sizeof block->driver_name);
    block->object.Type = IO_TYPE_DRIVER;
    block->object.Size = (CSHORT)sizeof block->object;
    block->object.DriverExtension = &block->extension;
    block->extension.DriverObject = &block->object;
    miniport->id = id;
    miniport->image = image;
    miniport->object = &block->object;
    miniport->next = current_host->ndis->miniports;
    current_host->ndis->miniports = miniport;
    return miniport;
}

/* The image itself stays until nobody can be in it any more (miniport_unload_finished). */
static void miniport_delete(struct miniport *miniport)
{
    struct image **finished = current_host->ndis->finished;
    while (*finished != NULL)
        finished++;
    *finished = miniport->image;
    struct miniport **place = &current_host->ndis->miniports;
    while (*place != miniport)
        place = &(*place)->next;
    *place = miniport->next;
    arena_free(BLOCK_OTHER, miniport->object, 0, "IoDeleteDriver");
    arena_free(BLOCK_HOST, miniport, 0, "IoDeleteDriver");
}

/* Everything that a driver can own, when it may own nothing any more. `where` says when, for the message. */
static void check_leaks(struct miniport *miniport, const char *where)
{
    const uint16_t image = image_number(miniport->image);
    static const struct
    {
        enum block_kind kind;
        const char *rule;
    } kinds[] = {{BLOCK_POOL, "LeakAtUnload"},
                 {BLOCK_WORK_ITEM, "LeakAtUnload"},
                 {BLOCK_TIMER, "LeakAtUnload"},
                 {BLOCK_CONFIGURATION, "LeakAtUnload"}};
    for (size_t index = 0; index < sizeof kinds / sizeof kinds[0]; index++)
    {
        uint64_t count = 0;
        const struct block *first = arena_next_live(NULL, kinds[index].kind, image);
        for (const struct block *block = first; block != NULL; block = arena_next_live(block, kinds[index].kind, image))
            count++;
        if (count != 0)
            rule_broken(kinds[index].rule, "%s left %llu of %s behind; the first, of %llu bytes, came from %s", where,
                        (unsigned long long)count, block_kind_name(kinds[index].kind), (unsigned long long)first->size,
                        first->caller);
    }
    const uint32_t mdls = mdl_count(image);
    if (mdls != 0)
        rule_broken("NdisAllocateMdl", "%s left %u MDLs behind", where, mdls);
    pool_check_leaks(image, where);
    object_check_leaks(image, where);
    interface_check_leaks(miniport->image, where);
    name_check_leaks(miniport, where);
    if (work_pending(miniport->image) != 0)
        rule_broken("LeakAtUnload", "%s left work items, timers or DPCs behind that are queued, running or armed",
                    where);
}

NTSTATUS miniport_load(uint32_t id, struct image *image)
{
    struct miniport *miniport = miniport_new(id, image);
    if (miniport == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    DRIVER_INITIALIZE *entry = NULL;
    void *address = image_symbol(image, "DriverEntry");
    memcpy(&entry, &address, sizeof entry);
    struct driver_block *block = (struct driver_block *)(void *)miniport->object;
    miniport->object->DriverInit = entry;
    struct call call;
    call_enter(&call, "DriverEntry", PASSIVE_LEVEL, image);
    call_spoil_stack();
    const NTSTATUS status = entry(miniport->object, &block->registry_path);
    call_leave(&call);
    for (DEVICE_OBJECT *device = miniport->object->DeviceObject; device != NULL; device = device->NextDevice)
        device->Flags &= ~(ULONG)DO_DEVICE_INITIALIZING;
    if (NT_SUCCESS(status))
    {
        happens_release(miniport);
        return status;
    }
    if (miniport->registered)
        rule_broken("BUGCODE_NDIS_DRIVER",
                    "DriverEntry failed with 0x%08X and left its miniport driver registered: it "
                    "must call NdisMDeregisterMiniportDriver first",
                    (unsigned)status);
    check_leaks(miniport, "a DriverEntry that failed");
    miniport_delete(miniport);
    return status;
}

bool miniport_has_files(const struct miniport *miniport)
{
    for (const struct host_device *device = current_host->io->devices; device != NULL; device = device->next)
        if (device->miniport == miniport && device->files != 0)
            return true;
    return false;
}

static void unload_now(struct miniport *miniport, uint32_t operation)
{
    happens_acquire(miniport);
    if (miniport->registered)
    {
        struct call call;
        call_enter_for(&call, "MiniportDriverUnload", PASSIVE_LEVEL, miniport->image, operation);
        miniport->handlers.UnloadHandler(miniport->object);
        if (miniport->registered)
            rule_broken("BUGCODE_NDIS_DRIVER",
                        "MiniportDriverUnload returned and left the miniport driver registered: it "
                        "must call NdisMDeregisterMiniportDriver");
        check_leaks(miniport, "MiniportDriverUnload");
        call_leave(&call);
    }
    log_event(HOST_EVENT_RETURNED, operation);
    miniport_delete(miniport);
}

void miniport_unload(struct miniport *miniport, uint32_t operation)
{
    if (miniport_has_files(miniport))
    {
        miniport->unload_operation = operation;
        object_check_own_files(miniport);
    }
    else
        unload_now(miniport, operation);
}

void miniport_file_closed(struct miniport *miniport)
{
    happens_release(miniport);
    if (miniport->unload_operation != 0 && !miniport_has_files(miniport))
        unload_now(miniport, miniport->unload_operation);
}

void miniport_unload_finished(void)
{
    struct image **finished = current_host->ndis->finished;
    for (size_t index = 0; index < IMAGE_LIMIT && finished[index] != NULL; index++)
    {
        image_unload(finished[index]);
        finished[index] = NULL;
    }
}

/* Any IRQL <= DISPATCH_LEVEL. */
UINT NTAPI NdisGetVersion(VOID)
{
    rule_irql("Irql_Miscellaneous_Function", "NdisGetVersion", PASSIVE_LEVEL, DISPATCH_LEVEL);
    return current_host->ndis->version;
}

static bool has_required_handlers(const NDIS_MINIPORT_DRIVER_CHARACTERISTICS *handlers)
{
    return handlers->InitializeHandlerEx != NULL && handlers->HaltHandlerEx != NULL &&
           handlers->UnloadHandler != NULL && handlers->PauseHandler != NULL && handlers->RestartHandler != NULL &&
           handlers->OidRequestHandler != NULL && handlers->SendNetBufferListsHandler != NULL &&
           handlers->ReturnNetBufferListsHandler != NULL && handlers->CancelSendHandler != NULL &&
           handlers->DevicePnPEventNotifyHandler != NULL && handlers->ShutdownHandlerEx != NULL &&
           handlers->CancelOidRequestHandler != NULL &&
           (handlers->DirectOidRequestHandler == NULL) == (handlers->CancelDirectOidRequestHandler == NULL);
}

static const struct object_form CHARACTERISTICS = {
    .name = "NDIS_MINIPORT_DRIVER_CHARACTERISTICS",
    .type = NDIS_OBJECT_TYPE_MINIPORT_DRIVER_CHARACTERISTICS,
    .parameter = 0x21,
    .whole = sizeof(NDIS_MINIPORT_DRIVER_CHARACTERISTICS),
    .revisions = {{NDIS_RUNTIME_VERSION_60, NDIS_SIZEOF_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_1},
                  {NDIS_RUNTIME_VERSION_61, NDIS_SIZEOF_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_2},
                  {NDIS_RUNTIME_VERSION_680, NDIS_SIZEOF_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_3}}};

/* A handler that is there without the driver's knowledge would be called all the same. */
static void check_handlers(const NDIS_MINIPORT_DRIVER_CHARACTERISTICS *handlers, size_t size, const struct image *image)
{
    static const size_t first = offsetof(NDIS_MINIPORT_DRIVER_CHARACTERISTICS, SetOptionsHandler);
    for (size_t place = first; place + sizeof(uintptr_t) <= size; place += sizeof(uintptr_t))
    {
        uintptr_t address = 0;
        memcpy(&address, (const uint8_t *)handlers + place, sizeof address);
        if (address != 0 && image_of(address) != image)
            rule_broken("BUGCODE_NDIS_DRIVER",
                        "NDIS_MINIPORT_DRIVER_CHARACTERISTICS has a handler at offset %zu that is no function of the "
                        "driver (0x21)",
                        place);
    }
}

/* What NDIS checks of a registration, in its order; `size` are the bytes that count. */
static NDIS_STATUS check_characteristics(const NDIS_MINIPORT_DRIVER_CHARACTERISTICS *wanted, size_t *size)
{
    const uint32_t version = (uint32_t)wanted->MajorNdisVersion << 16 | wanted->MinorNdisVersion;
    if (version > current_host->ndis->version || wanted->MajorNdisVersion < 6)
        return NDIS_STATUS_BAD_VERSION;
    if (!object_check(&wanted->Header, &CHARACTERISTICS, version))
        return NDIS_STATUS_BAD_CHARACTERISTICS;
    *size = CHARACTERISTICS.revisions[wanted->Header.Revision - 1].size;
    return has_required_handlers(wanted) ? NDIS_STATUS_SUCCESS : NDIS_STATUS_BAD_CHARACTERISTICS;
}

/* IRQL = PASSIVE_LEVEL, in DriverEntry. */
NDIS_STATUS NTAPI NdisMRegisterMiniportDriver(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath,
                                              NDIS_HANDLE MiniportDriverContext,
                                              PNDIS_MINIPORT_DRIVER_CHARACTERISTICS MiniportDriverCharacteristics,
                                              PNDIS_HANDLE NdisMiniportDriverHandle)
{
    static const char function[] = "NdisMRegisterMiniportDriver";
    rule_irql("Irql_Miniport_Driver_Function", function, PASSIVE_LEVEL, PASSIVE_LEVEL);
    struct miniport *miniport = current_miniport();
    if (miniport == NULL || DriverObject != miniport->object || RegistryPath == NULL || miniport->registered)
    {
        rule_broken("BUGCODE_NDIS_DRIVER",
                    miniport != NULL && miniport->registered
                        ? "%s was called a second time"
                        : "%s was not given what DriverEntry was given as DriverObject and RegistryPath",
                    function);
        return NDIS_STATUS_FAILURE;
    }
    size_t size = 0;
    NDIS_STATUS status = check_characteristics(MiniportDriverCharacteristics, &size);
    if (status == NDIS_STATUS_SUCCESS && fault_strikes(HOST_FAULT_REGISTER))
        status = NDIS_STATUS_RESOURCES;
    if (status != NDIS_STATUS_SUCCESS)
        return status;
    memset(&miniport->handlers, 0, sizeof miniport->handlers);
    check_handlers(MiniportDriverCharacteristics, size, miniport->image);
    memcpy(&miniport->handlers, MiniportDriverCharacteristics, size);
    miniport->context = MiniportDriverContext;
    miniport->registered = true;
    *NdisMiniportDriverHandle = miniport;
    dispatch_table_fill(miniport);
    if (miniport->handlers.SetOptionsHandler == NULL)
        return NDIS_STATUS_SUCCESS;
    struct call call;
    call_enter(&call, "MiniportSetOptions", PASSIVE_LEVEL, miniport->image);
    status = miniport->handlers.SetOptionsHandler(miniport, miniport->context);
    call_leave(&call);
    if (status != NDIS_STATUS_SUCCESS)
        miniport->registered = false;
    return status;
}

/* IRQL = PASSIVE_LEVEL, in MiniportDriverUnload, or in a DriverEntry that fails. */
VOID NTAPI NdisMDeregisterMiniportDriver(NDIS_HANDLE NdisMiniportDriverHandle)
{
    static const char function[] = "NdisMDeregisterMiniportDriver";
    rule_irql("Irql_Miniport_Driver_Function", function, PASSIVE_LEVEL, PASSIVE_LEVEL);
    struct miniport *miniport = miniport_of(NdisMiniportDriverHandle, function);
    if (miniport == NULL)
        return;
    if (!miniport->registered)
        rule_broken("BUGCODE_NDIS_DRIVER", "%s was called a second time", function);
    if (miniport->adapters != 0)
        rule_broken("BUGCODE_NDIS_DRIVER", "%s was called while %u adapters are not halted", function,
                    miniport->adapters);
    miniport->registered = false;
}

bool ndis_room_open(uint32_t major, uint32_t minor)
{
    struct ndis_room *room = arena_allocate(BLOCK_HOST, sizeof *room, 0, "host_create");
    if (room == NULL)
        return false;
    memset(room, 0, sizeof *room);
    room->version = major << 16 | minor;
    send_room_open(room);
    current_host->ndis = room;
    return true;
}
