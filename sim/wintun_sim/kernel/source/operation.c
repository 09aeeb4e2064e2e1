/* Each operation, step by step as the I/O manager and NDIS carry it out (operation.h). What an operation needs and is
 * not there, or what it cannot be done to, is refused with a reason, and nothing changes.
 */
#include "operation.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "depend.h"
#include "gate.h"
#include "happens.h"
#include "io_room.h"
#include "ndis_room.h"
#include "object.h"
#include "serial.h"

static void refuse(const struct host_operation *operation, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void refuse(const struct host_operation *operation, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    log_refused(operation->id, length < 0 ? "" : text);
}

bool operation_prepare(const struct host_operation *operation)
{
    if (operation->kind != HOST_LOAD)
        return true;
    char error[4096];
    miniport_unload_finished();
    struct image *image = operation->path == NULL ? NULL : image_load(operation->path, error, sizeof error);
    if (operation->path == NULL)
        refuse(operation, "the load names no image file");
    else if (image == NULL)
        refuse(operation, "%s", error);
    else if (image_symbol(image, "DriverEntry") == NULL)
    {
        refuse(operation, "%s has no function DriverEntry", operation->path);
        image_unload(image);
        image = NULL;
    }
    if (image == NULL)
        return false;
    struct loaded_image *loaded = current_host->ndis->loaded;
    while (loaded->image != NULL)
        loaded++;
    loaded->operation = operation->id;
    loaded->image = image;
    return true;
}

static void perform_load(const struct host_operation *operation)
{
    struct loaded_image *loaded = current_host->ndis->loaded;
    for (size_t index = 0; index < IMAGE_LIMIT; index++)
        if (loaded[index].image != NULL && loaded[index].operation == operation->id)
        {
            struct image *image = loaded[index].image;
            loaded[index].image = NULL;
            const NTSTATUS status = miniport_load(operation->id, image);
            log_event(HOST_EVENT_RETURNED, operation->id)->status = (uint32_t)status;
            return;
        }
    refuse(operation, "its image could not be loaded");
}

/* A request that the I/O manager makes and waits for: create, cleanup, close. */
static NTSTATUS perform_request(const struct host_operation *operation, struct host_file *file, uint8_t major)
{
    struct request *request = request_new(file, operation->id, major, NULL, 0);
    if (request != NULL)
        return request_dispatch(request, true);
    depend(depend_name(file->id, DEPEND_COMPLETIONS), DEPEND_WRITE);
    struct host_event *event = log_event(HOST_EVENT_IRP_COMPLETED, operation->id);
    event->handle = file->id;
    event->status = (uint32_t)STATUS_INSUFFICIENT_RESOURCES;
    return STATUS_INSUFFICIENT_RESOURCES;
}

/* What the object manager and the security descriptor say before any driver hears of it. */
static NTSTATUS check_open(const struct host_device *device, uint32_t account)
{
    if (device == NULL)
        return STATUS_OBJECT_NAME_NOT_FOUND;
    return device->accounts >> account & 1 ? STATUS_SUCCESS : STATUS_ACCESS_DENIED;
}

static void perform_create(const struct host_operation *operation)
{
    struct host_device *device = device_of_adapter_id(operation->adapter);
    if (device == NULL && adapter_find(operation->adapter) == NULL)
    {
        refuse(operation, "there is no such adapter, and no handle keeps its device");
        return;
    }
    NTSTATUS status = check_open(device, operation->value);
    happens_acquire(device);
    struct host_file *file = status == STATUS_SUCCESS ? file_open(device, operation->id) : NULL;
    if (file == NULL)
    {
        struct host_event *event = log_event(HOST_EVENT_IRP_COMPLETED, operation->id);
        event->handle = operation->id;
        event->status = (uint32_t)(status == STATUS_SUCCESS ? STATUS_INSUFFICIENT_RESOURCES : status);
        return;
    }
    status = perform_request(operation, file, IRP_MJ_CREATE);
    if (NT_SUCCESS(status))
    {
        file->object->Flags |= FO_FILE_OPEN | FO_HANDLE_CREATED;
        happens_release(file);
    }
    else
        file_close(file);
}

static void perform_cleanup(const struct host_operation *operation, struct host_file *file)
{
    if ((file->object->Flags & FO_CLEANUP_COMPLETE) != 0)
    {
        refuse(operation, "a driver has closed this handle");
        return;
    }
    file->object->Flags |= FO_CLEANUP_COMPLETE;
    perform_request(operation, file, IRP_MJ_CLEANUP);
}

static void perform_close(const struct host_operation *operation, struct host_file *file)
{
    if (file->closed_by_driver)
    {
        refuse(operation, "a driver has closed this handle");
        return;
    }
    if (file->requests != 0)
    {
        refuse(operation, "%" PRIu32 " requests of the handle are pending: IRP_MJ_CLOSE comes when all are complete",
               file->requests);
        return;
    }
    if (object_holds(file->object) != 0)
    {
        refuse(operation, "a driver still refers to the file object: IRP_MJ_CLOSE comes with the last reference");
        return;
    }
    struct miniport *miniport = file->device->miniport;
    happens_acquire(file_for_close(file));
    perform_request(operation, file, IRP_MJ_CLOSE);
    file_close(file);
    miniport_file_closed(miniport);
}

static bool copy_rejected(struct request *request, const struct host_operation *operation)
{
    const size_t size = operation->rejected_count * sizeof *operation->rejected;
    if (size == 0)
        return true;
    request->rejected = arena_allocate(BLOCK_HOST, size, 0, "NtWriteFile");
    if (request->rejected == NULL)
        return false;
    memcpy(request->rejected, operation->rejected, size);
    request->rejected_count = operation->rejected_count;
    return true;
}

/* The stack keeps what it receives on behalf of the operation. */
static void hold(struct adapter *adapter, const struct host_operation *operation)
{
    depend(&adapter->hold_operation, DEPEND_WRITE);
    adapter->hold_operation = operation->id;
    if ((operation->flags & HOST_FLAG_KEEP) != 0)
        adapter->keeps = true;
}

static void perform_transfer(const struct host_operation *operation, struct host_file *file)
{
    const bool is_read = operation->kind == HOST_READ;
    if (!is_read && operation->data_length > UINT32_MAX)
    {
        refuse(operation, "a write of %" PRIu64 " bytes: a length has 32 bits", operation->data_length);
        return;
    }
    const uint32_t length = is_read ? operation->length : (uint32_t)operation->data_length;
    static const uint8_t nothing[1];
    struct request *request = request_new(file, operation->id, is_read ? IRP_MJ_READ : IRP_MJ_WRITE,
                                          is_read                   ? NULL
                                          : operation->data == NULL ? nothing
                                                                    : operation->data,
                                          length);
    if (request == NULL)
    {
        struct host_event *event = log_event(HOST_EVENT_IRP_COMPLETED, operation->id);
        event->handle = file->id;
        event->status = (uint32_t)STATUS_INSUFFICIENT_RESOURCES;
        return;
    }
    request->at_dispatch = (operation->flags & HOST_FLAG_AT_DISPATCH) != 0;
    if ((operation->flags & HOST_FLAG_HOLD) != 0 && file->device->adapter != NULL)
        hold(file->device->adapter, operation);
    if (copy_rejected(request, operation))
        request_dispatch(request, false);
    else
        request_refuse(request, STATUS_INSUFFICIENT_RESOURCES);
}

static void perform_oid(const struct host_operation *operation, struct adapter *adapter)
{
    struct oid_question question = {.operation = operation->id,
                                    .kind = operation->value,
                                    .oid = operation->oid,
                                    .length = operation->length,
                                    .data = operation->data,
                                    .data_length = (uint32_t)operation->data_length,
                                    .direct = (operation->flags & (HOST_FLAG_DIRECT | HOST_FLAG_SYNCHRONOUS)) != 0,
                                    .synchronous = (operation->flags & HOST_FLAG_SYNCHRONOUS) != 0,
                                    .at_dispatch = (operation->flags & HOST_FLAG_AT_DISPATCH) != 0,
                                    .cancel = (operation->flags & HOST_FLAG_CANCEL) != 0};
    const uint32_t state = operation->value;
    if (operation->kind == HOST_SET_POWER)
    {
        question.kind = HOST_OID_SET;
        question.oid = OID_PNP_SET_POWER;
        question.length = question.data_length = sizeof state;
        question.data = (const uint8_t *)&state;
    }
    if (question.kind > HOST_OID_METHOD || operation->data_length > UINT32_MAX)
        refuse(operation, "there is no such OID request");
    else if (!oid_ask(adapter, &question))
        refuse(operation, "an earlier OID request of the adapter is not complete, or there is no memory for this one");
}

static void perform_initialize(const struct host_operation *operation, struct miniport *miniport)
{
    adapter_initialize(miniport, operation->id);
    const struct adapter *adapter = adapter_find(operation->id);
    if (adapter != NULL)
        interface_changed(adapter->index, true);
}

static void perform_on_adapter(const struct host_operation *operation, struct adapter *adapter)
{
    const bool at_dispatch = (operation->flags & HOST_FLAG_AT_DISPATCH) != 0;
    switch (operation->kind)
    {
    case HOST_RESTART:
        adapter_restart(adapter, operation->id);
        break;
    case HOST_PAUSE:
        adapter_pause(adapter, operation->id);
        break;
    case HOST_HALT:
        interface_changed(adapter->index, false);
        adapter_halt(adapter, operation->id);
        break;
    case HOST_SHUTDOWN:
        adapter_shutdown(adapter, operation->id, operation->value);
        break;
    case HOST_SURPRISE_REMOVE:
        adapter_surprise_remove(adapter, operation->id);
        break;
    case HOST_SET_POWER:
    case HOST_OID:
        perform_oid(operation, adapter);
        break;
    case HOST_SEND:
        if ((operation->flags & HOST_FLAG_HOLD) != 0)
            hold(adapter, operation);
        if (!send_packets(adapter, operation))
            refuse(operation, "there is no memory for what is to be sent");
        break;
    default:
        send_cancel(adapter, operation->wide, at_dispatch);
        break;
    }
}

static void perform_on_file(const struct host_operation *operation, struct host_file *file)
{
    happens_acquire(file);
    if (operation->kind == HOST_CLEANUP)
        perform_cleanup(operation, file);
    else if (operation->kind == HOST_CLOSE)
        perform_close(operation, file);
    else
        perform_transfer(operation, file);
}

static void perform(const struct host_operation *operation)
{
    struct miniport *miniport = NULL;
    struct adapter *adapter = NULL;
    struct host_file *file = NULL;
    struct request *request = NULL;
    switch (operation->kind)
    {
    case HOST_LOAD:
        perform_load(operation);
        break;
    case HOST_UNLOAD:
    case HOST_INITIALIZE:
        miniport = miniport_find(operation->driver);
        if (miniport == NULL || miniport->unload_operation != 0)
            refuse(operation, "there is no such driver, or it is being unloaded");
        else if (operation->kind == HOST_INITIALIZE)
            perform_initialize(operation, miniport);
        else if (miniport->adapters != 0)
            refuse(operation, "%" PRIu32 " of the driver's adapters are not halted", miniport->adapters);
        else
            miniport_unload(miniport, operation->id);
        break;
    case HOST_CREATE:
        perform_create(operation);
        break;
    case HOST_CLEANUP:
    case HOST_CLOSE:
    case HOST_READ:
    case HOST_WRITE:
        file = file_find(operation->handle);
        if (file == NULL)
            refuse(operation, "there is no such handle");
        else
            perform_on_file(operation, file);
        break;
    case HOST_CANCEL:
        request = request_find(operation->target);
        if (request != NULL)
            request_cancel(request, (operation->flags & HOST_FLAG_AT_DISPATCH) != 0);
        break;
    default:
        adapter = adapter_find(operation->adapter);
        if (operation->kind < HOST_LOAD || operation->kind > HOST_CANCEL)
            refuse(operation, "there is no operation of kind %" PRIu32, operation->kind);
        else if (adapter == NULL)
            refuse(operation, "there is no such adapter");
        else
        {
            serial_begins(adapter, serial_call_of(operation));
            perform_on_adapter(operation, adapter);
        }
        break;
    }
}

static bool changes_state(uint32_t kind)
{
    switch (kind)
    {
    case HOST_RESTART:
    case HOST_PAUSE:
    case HOST_HALT:
    case HOST_SHUTDOWN:
    case HOST_SURPRISE_REMOVE:
    case HOST_SET_POWER:
    case HOST_CLEANUP:
    case HOST_CLOSE:
        return true;
    default:
        return false;
    }
}

void operation_depends(const struct host_operation *operation)
{
    const unsigned how = changes_state(operation->kind) ? DEPEND_WRITE : DEPEND_READ;
    depend(depend_name(operation->id, DEPEND_BOOKS), DEPEND_WRITE);
    if (operation->driver != 0)
        depend(depend_name(operation->driver, DEPEND_BOOKS), DEPEND_WRITE);
    if (operation->adapter != 0)
        depend(depend_name(operation->adapter, DEPEND_BOOKS), how);
    if (operation->handle != 0)
        depend(depend_name(operation->handle, DEPEND_BOOKS), how);
    if (operation->target != 0)
        depend(depend_name(operation->target, DEPEND_BOOKS), DEPEND_READ);
    if (operation->kind == HOST_OID || operation->kind == HOST_SET_POWER) /* NDIS asks one at a time */
        depend(depend_name(operation->adapter, DEPEND_OIDS), DEPEND_WRITE);
}

void operation_actor(void *work)
{
    const struct actor_work *mine = work;
    for (size_t index = 0; index < mine->count; index++)
    {
        const struct host_operation *operation = &mine->operations[index];
        actor_current()->operation = operation->id;
        const bool admitted = mine->admitted || gate_pass(operation, index == 0);
        operation_depends(operation);
        if (!admitted)
            continue;
        happens_works_for(operation->id);
        perform(operation);
        operation_depends(operation);
        if (current_host->gate != NULL)
            gate_end(operation);
    }
}
