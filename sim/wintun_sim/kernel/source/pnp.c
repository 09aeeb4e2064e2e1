/* Notifications of device interfaces: NDIS enables a network interface for each adapter that was initialized, and
 * disables it before the adapter is halted; whoever asked for it is told. All devices that have a name here are control
 * devices, which no one can ask about as the target of a removal; the hardware profile never changes.
 * Page: learn.microsoft.com/windows-hardware/drivers/ddi/wdm/nf-wdm-ioregisterplugplaynotification.
 */
#include <initguid.h>

#include "object.h"

#include <ndisguid.h>
#include <stdio.h>
#include <string.h>
#include <wdmguid.h>

#include "depend.h"
#include "ndis_room.h"

enum
{
    NOTIFICATION_VERSION = 1,
    LINK_LENGTH = 62 /* UTF-16 units of an interface's symbolic link */
};

/* What a driver registered; its address is the entry that it is given. */
struct notification
{
    struct notification *next; /* oldest first */
    struct image *image;
    DRIVER_NOTIFICATION_CALLBACK_ROUTINE *routine;
    void *context;
    GUID class;
    uint32_t running; /* calls of `routine` under way */
    bool interface;   /* asked for an interface class */
    bool unregistered;
};

/* What a callback may read while it runs: one block. */
struct interface_change
{
    DEVICE_INTERFACE_CHANGE_NOTIFICATION notification;
    UNICODE_STRING name;
    WCHAR text[LINK_LENGTH + 1];
};

static void fill_change(struct interface_change *change, uint32_t index, bool arrives)
{
    char text[LINK_LENGTH + 1];
    const int length = snprintf(text, sizeof text, "\\??\\ROOT#NET#%04u#{cac88484-7515-4c03-82e6-71a87abac361}",
                                (unsigned)(index % 10000));
    memset(change, 0, sizeof *change);
    for (int place = 0; place < length; place++)
        change->text[place] = (WCHAR)text[place];
    change->name.Buffer = change->text;
    change->name.Length = (USHORT)((size_t)length * sizeof(WCHAR));
    change->name.MaximumLength = (USHORT)(change->name.Length + sizeof(WCHAR));
    change->notification.Version = NOTIFICATION_VERSION;
    change->notification.Size = sizeof change->notification;
    change->notification.Event = arrives ? GUID_DEVICE_INTERFACE_ARRIVAL : GUID_DEVICE_INTERFACE_REMOVAL;
    change->notification.InterfaceClassGuid = GUID_DEVINTERFACE_NET;
    change->notification.SymbolicLinkName = &change->name;
}

static void delete_entry(struct notification *entry)
{
    struct notification **place = &current_host->io->objects->notifications;
    while (*place != entry)
        place = &(*place)->next;
    *place = entry->next;
    arena_free(BLOCK_HOST, entry, 0, "IoUnregisterPlugPlayNotification");
}

static void tell(struct notification *entry, uint32_t index, bool arrives)
{
    struct interface_change *change = arena_allocate(BLOCK_OTHER, sizeof *change, 0, "PnP");
    if (change == NULL)
        return;
    fill_change(change, index, arrives);
    struct call call;
    call_enter(&call, "DRIVER_NOTIFICATION_CALLBACK_ROUTINE", PASSIVE_LEVEL, entry->image);
    const NTSTATUS status = entry->routine(&change->notification, entry->context);
    call_leave(&call);
    arena_free(BLOCK_OTHER, change, 0, "PnP");
    if (status != STATUS_SUCCESS)
        rule_broken("PnpNotification", "the callback for a device interface returned 0x%08X: it must succeed",
                    (unsigned)status);
}

/* The one after `before` (NULL: the first) that wants to hear of network interfaces, held until it was told. */
static struct notification *next_entry(struct notification *before)
{
    struct notification *entry = before == NULL ? current_host->io->objects->notifications : before->next;
    while (entry != NULL && (entry->unregistered || !entry->interface ||
                             memcmp(&entry->class, &GUID_DEVINTERFACE_NET, sizeof entry->class) != 0))
        entry = entry->next;
    if (entry != NULL)
        entry->running++;
    return entry;
}

static void entry_told(struct notification *entry)
{
    actor_wake(entry);
    if (--entry->running == 0 && entry->unregistered)
        delete_entry(entry);
}

void interface_changed(uint32_t index, bool arrives)
{
    for (struct notification *entry = next_entry(NULL), *next = NULL; entry != NULL; entry = next)
    {
        tell(entry, index, arrives);
        next = next_entry(entry);
        entry_told(entry);
    }
}

/* The smallest index of an adapter from `from` on whose interface is enabled, UINT32_MAX when there is none. */
static uint32_t next_index(uint32_t from)
{
    uint32_t found = UINT32_MAX;
    for (const struct adapter *adapter = current_host->ndis->adapters; adapter != NULL; adapter = adapter->next)
        if (adapter->state >= ADAPTER_PAUSED && adapter->index >= from && adapter->index < found)
            found = adapter->index;
    return found;
}

/* IRQL = PASSIVE_LEVEL. */
NTSTATUS NTAPI IoRegisterPlugPlayNotification(IO_NOTIFICATION_EVENT_CATEGORY EventCategory, ULONG EventCategoryFlags,
                                              PVOID EventCategoryData, PDRIVER_OBJECT DriverObject,
                                              PDRIVER_NOTIFICATION_CALLBACK_ROUTINE CallbackRoutine, PVOID Context,
                                              PVOID *NotificationEntry)
{
    rule_irql("IRQL_NOT_LESS_OR_EQUAL", "IoRegisterPlugPlayNotification", PASSIVE_LEVEL, PASSIVE_LEVEL);
    depend(current_host->io->objects, DEPEND_WRITE);
    const bool interface = EventCategory == EventCategoryDeviceInterfaceChange;
    *NotificationEntry = NULL;
    if (EventCategory == EventCategoryTargetDeviceChange)
        return STATUS_INVALID_DEVICE_REQUEST;
    if ((!interface && EventCategory != EventCategoryHardwareProfileChange) ||
        (interface && EventCategoryData == NULL) || DriverObject == NULL || CallbackRoutine == NULL)
        return STATUS_INVALID_PARAMETER;
    struct notification *made = arena_allocate(BLOCK_HOST, sizeof *made, 0, "IoRegisterPlugPlayNotification");
    if (made == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    memset(made, 0, sizeof *made);
    made->image = actor_current()->image;
    made->routine = CallbackRoutine;
    made->context = Context;
    made->interface = interface;
    if (interface)
        memcpy(&made->class, EventCategoryData, sizeof made->class);
    struct notification **place = &current_host->io->objects->notifications;
    while (*place != NULL)
        place = &(*place)->next;
    *place = made;
    *NotificationEntry = made;
    if (!interface || (EventCategoryFlags & PNPNOTIFY_DEVICE_INTERFACE_INCLUDE_EXISTING_INTERFACES) == 0 ||
        memcmp(&made->class, &GUID_DEVINTERFACE_NET, sizeof made->class) != 0)
        return STATUS_SUCCESS;
    made->running++;
    for (uint32_t index = next_index(0); index != UINT32_MAX; index = next_index(index + 1))
        tell(made, index, true);
    entry_told(made);
    return STATUS_SUCCESS;
}

static NTSTATUS unregister(void *address, bool waits, const char *function)
{
    rule_irql("IRQL_NOT_LESS_OR_EQUAL", function, PASSIVE_LEVEL, PASSIVE_LEVEL);
    depend(current_host->io->objects, DEPEND_WRITE);
    struct notification *entry = current_host->io->objects->notifications;
    while (entry != NULL && entry != address)
        entry = entry->next;
    if (entry == NULL || entry->unregistered)
    {
        rule_broken("PnpNotification", "%s was given an entry that is not registered", function);
        return STATUS_INVALID_PARAMETER;
    }
    entry->unregistered = true;
    entry->running++;
    while (waits && entry->running != 1)
        actor_wait_for("the callback of a notification to return", entry, false, ACTOR_NO_DEADLINE);
    entry_told(entry);
    return STATUS_SUCCESS;
}

/* IRQL = PASSIVE_LEVEL. A callback that is under way goes on. */
NTSTATUS NTAPI IoUnregisterPlugPlayNotification(PVOID NotificationEntry)
{
    return unregister(NotificationEntry, false, "IoUnregisterPlugPlayNotification");
}

/* IRQL = PASSIVE_LEVEL. Waits for callbacks under way, and so is not for them. */
NTSTATUS NTAPI IoUnregisterPlugPlayNotificationEx(PVOID NotificationEntry)
{
    return unregister(NotificationEntry, true, "IoUnregisterPlugPlayNotificationEx");
}

void interface_check_leaks(const struct image *image, const char *where)
{
    for (struct notification *entry = current_host->io->objects->notifications, *next = NULL; entry != NULL;
         entry = next)
    {
        next = entry->next;
        if (entry->image != image || entry->unregistered)
            continue;
        rule_broken("LeakAtUnload", "%s left a notification registered", where);
        delete_entry(entry);
    }
}

const struct export pnp_exports[] = {
    EXPORT(IoRegisterPlugPlayNotification),
    EXPORT(IoUnregisterPlugPlayNotification),
    EXPORT(IoUnregisterPlugPlayNotificationEx),
    EXPORTS_END,
};
