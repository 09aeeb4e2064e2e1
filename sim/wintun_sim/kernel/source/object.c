/* References and handles (object.h). Pages: learn.microsoft.com/windows-hardware/drivers/kernel/
 * life-cycle-of-an-object, …/object-handles, …/ddi/wdm/nf-wdm-obreferenceobjectbyhandle.
 */
#include "object.h"

#include <string.h>

#include "depend.h"
#include "ndis_room.h"

struct _OBJECT_TYPE
{
    enum object_type type;
};

static struct _OBJECT_TYPE file_type = {OBJECT_FILE};
static struct _OBJECT_TYPE process_type = {OBJECT_PROCESS};

POBJECT_TYPE *NtHostIoFileObjectType(VOID)
{
    static POBJECT_TYPE const type = &file_type;
    return (POBJECT_TYPE *)(uintptr_t)&type;
}

POBJECT_TYPE *NtHostPsProcessType(VOID)
{
    static POBJECT_TYPE const type = &process_type;
    return (POBJECT_TYPE *)(uintptr_t)&type;
}

static struct host_file *file_of(const void *object)
{
    struct host_file *file = current_host->io->files;
    while (file != NULL && file->object != object)
        file = file->next;
    return file;
}

enum object_type object_type_of(const void *object)
{
    if (object == NULL)
        return OBJECT_NONE;
    if (file_of(object) != NULL)
        return OBJECT_FILE;
    if (device_of(object) != NULL)
        return OBJECT_DEVICE;
    return process_of(object) != NULL ? OBJECT_PROCESS : OBJECT_NONE;
}

const char *object_type_name(enum object_type type)
{
    static const char *const names[] = {"no object", "a file object", "a device object", "a process"};
    return names[type];
}

static struct object_reference **place_of(const void *object, uint16_t image)
{
    struct object_reference **place = &current_host->io->objects->references;
    while (*place != NULL && ((*place)->object != object || (*place)->image != image))
        place = &(*place)->next;
    return place;
}

uint32_t object_holds(const void *object)
{
    uint32_t count = 0;
    const struct object_room *room = current_host->io->objects;
    for (const struct object_reference *one = room->references; one != NULL; one = one->next)
        count += one->object == object ? one->count : 0;
    for (const struct object_handle *one = room->handles; one != NULL; one = one->next)
        count += one->object == object;
    return count;
}

bool object_take(void *object, enum object_type type)
{
    const uint16_t image = image_number(actor_current()->image);
    struct object_reference **place = place_of(object, image);
    if (*place == NULL)
    {
        struct object_reference *made = arena_allocate(BLOCK_HOST, sizeof *made, 0, "ObReferenceObject");
        if (made == NULL)
            return false;
        memset(made, 0, sizeof *made);
        made->object = object;
        made->image = image;
        made->type = (uint8_t)type;
        *place = made;
    }
    (*place)->count++;
    if (type == OBJECT_PROCESS)
        process_of(object)->references++;
    return true;
}

/* A file object that IoGetDeviceObjectPointer opened: its handle is closed, so the last reference closes it. */
static void close_file(void *object)
{
    struct host_file *file = file_of(object);
    struct miniport *miniport = file->device->miniport;
    struct request *request = request_new(file, 0, IRP_MJ_CLOSE, NULL, 0);
    if (request != NULL)
        request_dispatch(request, true);
    file_close(file);
    miniport_file_closed(miniport);
}

/* To be called when a reference or a handle is gone. What was its last one ends at PASSIVE_LEVEL. */
static void object_dropped(void *object, enum object_type type)
{
    if (type == OBJECT_PROCESS)
        process_release(process_of(object));
    if (type == OBJECT_PROCESS || object_holds(object) != 0)
        return;
    if (type == OBJECT_DEVICE)
        device_unheld(device_of(object));
    else if (file_of(object)->id == 0 && actor_current()->irql == PASSIVE_LEVEL)
        close_file(object);
    else if (file_of(object)->id != 0)
        client_closed(file_of(object));
    else
        actor_start(close_file, object, actor_current()->operation);
}

/* IRQL <= DISPATCH_LEVEL. */
LONG_PTR FASTCALL ObfReferenceObject(PVOID Object)
{
    rule_irql("IRQL_NOT_LESS_OR_EQUAL", "ObReferenceObject", PASSIVE_LEVEL, DISPATCH_LEVEL);
    const enum object_type type = object_type_of(Object);
    if (type == OBJECT_NONE)
    {
        rule_broken("REFERENCE_BY_POINTER", "ObReferenceObject was given something that is no live object");
        return 0;
    }
    return object_take(Object, type) ? (LONG_PTR)object_holds(Object) : 0;
}

/* IRQL <= DISPATCH_LEVEL. */
LONG_PTR FASTCALL ObfDereferenceObject(PVOID Object)
{
    rule_irql("IRQL_NOT_LESS_OR_EQUAL", "ObDereferenceObject", PASSIVE_LEVEL, DISPATCH_LEVEL);
    depend(current_host->io->objects, DEPEND_WRITE);
    struct object_reference **place = place_of(Object, image_number(actor_current()->image));
    struct object_reference *reference = *place;
    if (reference == NULL)
    {
        rule_broken("REFERENCE_BY_POINTER", "ObDereferenceObject was given something that the driver holds no "
                                            "reference to");
        return 0;
    }
    const enum object_type type = (enum object_type)reference->type;
    if (--reference->count == 0)
    {
        *place = reference->next;
        arena_free(BLOCK_HOST, reference, 0, "ObDereferenceObject");
    }
    const LONG_PTR left = (LONG_PTR)object_holds(Object);
    object_dropped(Object, type);
    return left;
}

struct object_handle *object_handle_find(HANDLE handle)
{
    struct object_handle *found = current_host->io->objects->handles;
    while (found != NULL && found->value != (uint64_t)(uintptr_t)handle)
        found = found->next;
    return found;
}

/* IRQL = PASSIVE_LEVEL. */
NTSTATUS NTAPI ObOpenObjectByPointer(PVOID Object, ULONG HandleAttributes, PACCESS_STATE PassedAccessState,
                                     ACCESS_MASK DesiredAccess, POBJECT_TYPE ObjectType, KPROCESSOR_MODE AccessMode,
                                     PHANDLE Handle)
{
    (void)PassedAccessState;
    rule_irql("IRQL_NOT_LESS_OR_EQUAL", "ObOpenObjectByPointer", PASSIVE_LEVEL, PASSIVE_LEVEL);
    depend(current_host->io->objects, DEPEND_WRITE);
    const enum object_type type = object_type_of(Object);
    *Handle = NULL;
    if (type == OBJECT_NONE)
    {
        rule_broken("REFERENCE_BY_POINTER", "ObOpenObjectByPointer was given something that is no live object");
        return STATUS_INVALID_PARAMETER;
    }
    if (ObjectType != NULL ? ObjectType->type != type : AccessMode != KernelMode)
        return STATUS_OBJECT_TYPE_MISMATCH;
    struct object_room *room = current_host->io->objects;
    struct object_handle *made = arena_allocate(BLOCK_HOST, sizeof *made, 0, "ObOpenObjectByPointer");
    if (made == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    memset(made, 0, sizeof *made);
    made->object = Object;
    made->type = (uint8_t)type;
    made->access = DesiredAccess;
    made->attributes = HandleAttributes;
    made->image = image_number(actor_current()->image);
    /* Kernel handles are negative numbers, and handles are multiples of four. */
    made->value = 4 * (uint64_t)++room->handles_made;
    if (HandleAttributes & OBJ_KERNEL_HANDLE)
        made->value |= UINT64_C(0xFFFFFFFF80000000);
    made->next = room->handles;
    room->handles = made;
    if (type == OBJECT_PROCESS)
        process_of(Object)->references++;
    *Handle = (HANDLE)(uintptr_t)made->value;
    return STATUS_SUCCESS;
}

static NTSTATUS close_handle(HANDLE handle, KPROCESSOR_MODE mode, const char *function)
{
    depend(current_host->io->objects, DEPEND_WRITE);
    struct object_handle *found = object_handle_find(handle);
    if (mode == UserMode && client_handle_close(process_current_id(), handle))
        return STATUS_SUCCESS;
    if (found != NULL && mode == UserMode && (found->attributes & OBJ_KERNEL_HANDLE) != 0)
        return STATUS_INVALID_HANDLE;
    if (found == NULL)
    {
        if (mode == KernelMode)
            rule_broken("INVALID_KERNEL_HANDLE", "%s was given a handle that is not open", function);
        return STATUS_INVALID_HANDLE;
    }
    struct object_handle **place = &current_host->io->objects->handles;
    while (*place != found)
        place = &(*place)->next;
    *place = found->next;
    void *object = found->object;
    const enum object_type type = (enum object_type)found->type;
    arena_free(BLOCK_HOST, found, 0, function);
    object_dropped(object, type);
    return STATUS_SUCCESS;
}

/* IRQL = PASSIVE_LEVEL. */
NTSTATUS NTAPI ZwClose(HANDLE Handle)
{
    rule_irql("IRQL_NOT_LESS_OR_EQUAL", "ZwClose", PASSIVE_LEVEL, PASSIVE_LEVEL);
    return close_handle(Handle, KernelMode, "ZwClose");
}

/* IRQL = PASSIVE_LEVEL. */
NTSTATUS NTAPI ObCloseHandle(HANDLE Handle, KPROCESSOR_MODE PreviousMode)
{
    rule_irql("IRQL_NOT_LESS_OR_EQUAL", "ObCloseHandle", PASSIVE_LEVEL, PASSIVE_LEVEL);
    return close_handle(Handle, PreviousMode, "ObCloseHandle");
}

/* IRQL = PASSIVE_LEVEL. */
NTSTATUS NTAPI ObReferenceObjectByHandle(HANDLE Handle, ACCESS_MASK DesiredAccess, POBJECT_TYPE ObjectType,
                                         KPROCESSOR_MODE AccessMode, PVOID *Object,
                                         POBJECT_HANDLE_INFORMATION HandleInformation)
{
    rule_irql("IrqlObPassive", "ObReferenceObjectByHandle", PASSIVE_LEVEL, PASSIVE_LEVEL);
    depend(current_host->io->objects, DEPEND_WRITE);
    *Object = NULL;
    const struct object_handle *found = object_handle_find(Handle);
    const bool kernel = found != NULL && (found->attributes & OBJ_KERNEL_HANDLE) != 0;
    if (found == NULL || (kernel && AccessMode == UserMode))
        return STATUS_INVALID_HANDLE;
    if (ObjectType != NULL && ObjectType->type != found->type)
        return STATUS_OBJECT_TYPE_MISMATCH;
    if (!kernel && AccessMode == KernelMode)
        rule_broken("DRIVER_VERIFIER_DETECTED_VIOLATION",
                    "ObReferenceObjectByHandle was given a handle that user mode can close, with AccessMode KernelMode "
                    "(first parameter 0xF6)");
    if (AccessMode == UserMode && (DesiredAccess & ~found->access) != 0)
        return STATUS_ACCESS_DENIED;
    if (!object_take(found->object, (enum object_type)found->type))
        return STATUS_INSUFFICIENT_RESOURCES;
    if (HandleInformation != NULL)
    {
        HandleInformation->HandleAttributes = found->attributes;
        HandleInformation->GrantedAccess = found->access;
    }
    *Object = found->object;
    return STATUS_SUCCESS;
}

/* IRQL <= DISPATCH_LEVEL. */
NTSTATUS NTAPI ObReferenceObjectByPointer(PVOID Object, ACCESS_MASK DesiredAccess, POBJECT_TYPE ObjectType,
                                          KPROCESSOR_MODE AccessMode)
{
    (void)DesiredAccess; /* what is not opened by a handle has no access that was granted */
    rule_irql("IRQL_NOT_LESS_OR_EQUAL", "ObReferenceObjectByPointer", PASSIVE_LEVEL, DISPATCH_LEVEL);
    depend(current_host->io->objects, DEPEND_WRITE);
    const enum object_type type = object_type_of(Object);
    if (type == OBJECT_NONE)
        rule_broken("REFERENCE_BY_POINTER", "ObReferenceObjectByPointer was given something that is no live object");
    if (type == OBJECT_NONE || (ObjectType != NULL ? ObjectType->type != type : AccessMode != KernelMode))
        return STATUS_OBJECT_TYPE_MISMATCH;
    return object_take(Object, type) ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
}

void object_check_leaks(uint16_t image, const char *where)
{
    struct object_room *room = current_host->io->objects;
    for (struct object_handle *one = room->handles, *next = NULL; one != NULL; one = next)
    {
        next = one->next;
        if (one->image != image)
            continue;
        rule_broken("LeakAtUnload", "%s left a handle to %s open", where,
                    object_type_name((enum object_type)one->type));
        close_handle((HANDLE)(uintptr_t)one->value, KernelMode, "ZwClose");
        next = room->handles;
    }
    for (struct object_reference **place = &room->references; *place != NULL;)
    {
        struct object_reference *one = *place;
        if (one->image != image)
        {
            place = &one->next;
            continue;
        }
        void *object = one->object;
        const enum object_type type = (enum object_type)one->type;
        rule_broken("LeakAtUnload", "%s left %u references to %s behind", where, one->count, object_type_name(type));
        *place = one->next;
        for (uint32_t count = one->count; type == OBJECT_PROCESS && count > 1; count--)
            process_release(process_of(object));
        arena_free(BLOCK_HOST, one, 0, "ObDereferenceObject");
        object_dropped(object, type);
        place = &room->references;
    }
}

void object_check_own_files(const struct miniport *miniport)
{
    const uint16_t image = image_number(miniport->image);
    for (const struct host_file *file = current_host->io->files; file != NULL; file = file->next)
        if (file->id == 0 && file->device->miniport == miniport && *place_of(file->object, image) != NULL)
            rule_broken("LeakAtUnload",
                        "the unload waits for a file object on a device of the driver, which the driver "
                        "itself refers to: it never comes");
}

const struct export object_exports[] = {
    EXPORT(NtHostIoFileObjectType),
    EXPORT(NtHostPsProcessType),
    EXPORT(ObCloseHandle),
    EXPORT(ObOpenObjectByPointer),
    EXPORT(ObReferenceObjectByHandle),
    EXPORT(ObReferenceObjectByPointer),
    EXPORT(ObfDereferenceObject),
    EXPORT(ObfReferenceObject),
    EXPORT(ZwClose),
    EXPORTS_END,
};
