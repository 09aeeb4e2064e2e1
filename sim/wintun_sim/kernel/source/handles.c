/* All handles of the system, and what becomes of a client's that a driver closes. A driver that must be rid of its
 * clients looks for their handles to its file objects in the list of all, attaches to the process of each, and closes
 * it there: the client gets IRP_MJ_CLEANUP and IRP_MJ_CLOSE as if it had closed the handle itself
 * (learn.microsoft.com/windows/win32/sysinfo/zwquerysysteminformation).
 */
#include "object.h"

#include <string.h>

#include "ndis_room.h"

enum
{
    EXTENDED_HANDLE_INFORMATION = 64, /* SystemExtendedHandleInformation */
    CLIENT_HANDLE = 0xC0,             /* each client's process has one handle, of this value */
    CLIENT_ACCESS = 0x0012019F        /* FILE_GENERIC_READ and FILE_GENERIC_WRITE */
};

struct handle_entry
{
    PVOID object;
    ULONG_PTR process;
    ULONG_PTR value;
    ULONG access;
    USHORT trace_index;
    USHORT type_index;
    ULONG attributes;
    ULONG reserved;
};

struct handle_list
{
    ULONG_PTR count;
    ULONG_PTR reserved;
    struct handle_entry entries[];
};

_Static_assert(sizeof(struct handle_entry) == 40 && sizeof(struct handle_list) == 16, "as Windows x64 lays them out");

static bool is_open(const struct host_file *file)
{
    return file->id != 0 && (file->object->Flags & FO_HANDLE_CREATED) != 0 &&
           (file->object->Flags & FO_CLEANUP_COMPLETE) == 0;
}

/* Fills what there is room for; returns how many there are. */
static size_t list_handles(struct handle_entry *entries, size_t room)
{
    size_t count = 0;
    struct handle_entry unused;
    for (const struct host_file *file = current_host->io->files; file != NULL; file = file->next)
        if (is_open(file))
        {
            struct handle_entry *entry = count < room ? &entries[count] : &unused;
            *entry = (struct handle_entry){.object = file->object,
                                           .process = process_id_of_file(file->id),
                                           .value = CLIENT_HANDLE,
                                           .access = CLIENT_ACCESS};
            count++;
        }
    for (const struct object_handle *one = current_host->io->objects->handles; one != NULL; one = one->next)
    {
        struct handle_entry *entry = count < room ? &entries[count] : &unused;
        *entry = (struct handle_entry){.object = one->object,
                                       .process = process_id_of_file(0),
                                       .value = one->value,
                                       .access = one->access,
                                       .attributes = one->attributes};
        count++;
    }
    return count;
}

/* IRQL = PASSIVE_LEVEL. Of the many classes, the one that drivers find handles by. */
NTSTATUS NTAPI ZwQuerySystemInformation(ULONG SystemInformationClass, PVOID SystemInformation,
                                        ULONG SystemInformationLength, PULONG ReturnLength)
{
    rule_irql("IRQL_NOT_LESS_OR_EQUAL", "ZwQuerySystemInformation", PASSIVE_LEVEL, PASSIVE_LEVEL);
    schedule_point(POINT_CALL, current_host->io);
    if (SystemInformationClass != EXTENDED_HANDLE_INFORMATION)
        return STATUS_INVALID_INFO_CLASS;
    struct handle_list *list = SystemInformation;
    const size_t count = list_handles(NULL, 0);
    const size_t needed = sizeof *list + count * sizeof list->entries[0];
    if (ReturnLength != NULL)
        *ReturnLength = (ULONG)needed;
    if (SystemInformationLength < needed)
        return STATUS_INFO_LENGTH_MISMATCH;
    list->count = count;
    list->reserved = 0;
    (void)list_handles(list->entries, count);
    return STATUS_SUCCESS;
}

static void close_file(void *argument)
{
    struct host_file *file = argument;
    struct miniport *miniport = file->device->miniport;
    struct request *request = request_new(file, 0, IRP_MJ_CLOSE, NULL, 0);
    if (request != NULL)
        request_dispatch(request, true);
    file_close(file);
    miniport_file_closed(miniport);
}

void client_closed(struct host_file *file)
{
    if (file->closed_by_driver && file->requests == 0 && object_holds(file->object) == 0)
    {
        file->closed_by_driver = false;
        actor_start(close_file, file, 0);
    }
}

/* What IRP_MJ_CLEANUP does not complete keeps the file object, as it does where the client closes it. */
bool client_handle_close(uint64_t process, HANDLE handle)
{
    if ((uint64_t)(uintptr_t)handle != CLIENT_HANDLE)
        return false;
    struct host_file *file = current_host->io->files;
    while (file != NULL && (!is_open(file) || process_id_of_file(file->id) != process))
        file = file->next;
    if (file == NULL)
        return false;
    file->object->Flags |= FO_CLEANUP_COMPLETE;
    struct request *request = request_new(file, 0, IRP_MJ_CLEANUP, NULL, 0);
    if (request != NULL)
        request_dispatch(request, true);
    file->closed_by_driver = true;
    client_closed(file);
    return true;
}

const struct export handle_exports[] = {
    EXPORT(ZwQuerySystemInformation),
    EXPORTS_END,
};
