/* An adapter's life: each of these is what NDIS does with it, up to the moment at which NDIS could go on
 * (learn.microsoft.com/windows-hardware/drivers/network/miniport-adapter-states-and-operations).
 */
#include "depend.h"
#include "happens.h"
#include "io_room.h"
#include "ndis_room.h"
#include "serial.h"

#include <string.h>

const char *adapter_state_name(enum adapter_state state)
{
    static const char *const names[] = {"Halted",     "Shutdown", "Initializing", "Paused",
                                        "Restarting", "Running",  "Pausing"};
    return (unsigned)state < sizeof names / sizeof names[0] ? names[state] : "in no state";
}

struct adapter *adapter_find(uint32_t id)
{
    struct adapter *adapter = current_host->ndis->adapters;
    while (adapter != NULL && adapter->id != id)
        adapter = adapter->next;
    return adapter;
}

struct adapter *adapter_of(NDIS_HANDLE handle, const char *function)
{
    depend(&current_host->ndis->adapters, DEPEND_READ);
    for (struct adapter *adapter = current_host->ndis->adapters; adapter != NULL; adapter = adapter->next)
        if (adapter == handle)
            return adapter;
    rule_broken("BUGCODE_NDIS_DRIVER",
                "%s was given a handle that is no adapter's, or one of an adapter that is halted", function);
    return NULL;
}

/* The returns of an adapter's handlers are one sequence. */
static void log_returned(uint32_t adapter, uint32_t operation, NDIS_STATUS status)
{
    depend(depend_name(adapter, DEPEND_RETURNS), DEPEND_WRITE);
    log_event(HOST_EVENT_RETURNED, operation)->status = (uint32_t)status;
}

static uint32_t smallest_index(void)
{
    uint32_t index = 0;
    const struct adapter *adapter = current_host->ndis->adapters;
    while (adapter != NULL)
        if (adapter->index == index)
        {
            index++;
            adapter = current_host->ndis->adapters;
        }
        else
            adapter = adapter->next;
    return index;
}

static struct adapter *adapter_new(struct miniport *miniport, uint32_t id)
{
    struct adapter *adapter = arena_allocate(BLOCK_HOST, sizeof *adapter, 0, "NDIS");
    if (adapter == NULL)
        return NULL;
    memset(adapter, 0, sizeof *adapter);
    adapter->id = id;
    adapter->index = smallest_index();
    adapter->miniport = miniport;
    adapter->state = ADAPTER_INITIALIZING;
    adapter->link = -1;
    adapter->next = current_host->ndis->adapters;
    current_host->ndis->adapters = adapter;
    depend(&current_host->ndis->adapters, DEPEND_WRITE);
    miniport->adapters++;
    return adapter;
}

static void adapter_delete(struct adapter *adapter)
{
    struct adapter **place = &current_host->ndis->adapters;
    while (*place != adapter)
        place = &(*place)->next;
    *place = adapter->next;
    happens_release(adapter->miniport);
    depend(&current_host->ndis->adapters, DEPEND_WRITE);
    adapter->miniport->adapters--;
    if (adapter->oids != NULL)
        arena_free(BLOCK_HOST, adapter->oids, 0, "NDIS");
    pnp_delete_devices(adapter);
    arena_free(BLOCK_HOST, adapter, 0, "NDIS");
}

/* What MiniportInitializeEx allocated must be gone when it failed, and when the adapter is halted. */
static void check_released(struct adapter *adapter, const char *where)
{
    const uint16_t image = image_number(adapter->miniport->image);
    uint64_t count = 0;
    const struct block *first = NULL;
    for (const struct block *block = arena_next_live(NULL, BLOCK_NONE, image); block != NULL;
         block = arena_next_live(block, BLOCK_NONE, image))
    {
        const bool can_leak = block->kind == BLOCK_POOL || block->kind == BLOCK_NBL_POOL ||
                              block->kind == BLOCK_NB_POOL || block->kind == BLOCK_WORK_ITEM ||
                              block->kind == BLOCK_TIMER || block->kind == BLOCK_CONFIGURATION;
        if (!can_leak || block->operation != adapter->id)
            continue;
        first = first == NULL ? block : first;
        count++;
    }
    if (count != 0)
        rule_broken(
            "LeakAtHalt",
            "%s left %llu allocations of MiniportInitializeEx behind; the first, %s of %llu bytes, came from %s", where,
            (unsigned long long)count, block_kind_name((enum block_kind)first->kind), (unsigned long long)first->size,
            first->caller);
    struct host_device *device = NULL;
    while ((device = device_of_adapter(adapter)) != NULL)
    {
        rule_broken("DeleteDevice", "%s left a device registered that NdisRegisterDeviceEx made", where);
        device_deregister(device);
    }
}

/* What clients see of the device that the driver made, if it made one. */
static void keep_device(struct adapter *adapter)
{
    const struct host_device *device = device_of_adapter(adapter);
    if (device == NULL)
        return;
    adapter->told.device_flags = device->object->Flags;
    adapter->told.device_links = device->link_length != 0;
}

static void initialize_now(struct adapter *adapter, uint32_t operation)
{
    struct miniport *miniport = adapter->miniport;
    NDIS_MINIPORT_INIT_PARAMETERS parameters;
    memset(&parameters, 0, sizeof parameters);
    parameters.Header.Type = NDIS_OBJECT_TYPE_MINIPORT_INIT_PARAMETERS;
    parameters.Header.Revision = NDIS_MINIPORT_INIT_PARAMETERS_REVISION_1;
    parameters.Header.Size = NDIS_SIZEOF_MINIPORT_INIT_PARAMETERS_REVISION_1;
    parameters.IfIndex = adapter->index + 1;
    parameters.NetLuid.Info.NetLuidIndex = adapter->index & 0xFFFFFFu;
    parameters.NetLuid.Info.IfType = IF_TYPE_PROP_VIRTUAL;
    struct call call;
    call_enter(&call, "MiniportInitializeEx", PASSIVE_LEVEL, miniport->image);
    call_spoil_stack();
    NDIS_STATUS status = miniport->handlers.InitializeHandlerEx(adapter, miniport->context, &parameters);
    call_leave(&call);
    if (status == NDIS_STATUS_SUCCESS && !adapter->has_general)
        rule_broken("AttributesOrder", "MiniportInitializeEx succeeded without having set the general attributes");
    if (status == NDIS_STATUS_SUCCESS)
    {
        keep_device(adapter);
        adapter->state = ADAPTER_PAUSED;
        serial_ends(adapter, HOST_CALL_INITIALIZE);
    }
    else
    {
        check_released(adapter, "a MiniportInitializeEx that failed");
        adapter_delete(adapter);
    }
    log_returned(operation, operation, status);
}

void adapter_initialize(struct miniport *miniport, uint32_t operation)
{
    if (!miniport->registered)
    {
        rule_broken("BUGCODE_NDIS_DRIVER", "there is nothing to initialize: DriverEntry succeeded and has not called "
                                           "NdisMRegisterMiniportDriver");
        log_returned(operation, operation, NDIS_STATUS_FAILURE);
        return;
    }
    happens_acquire(miniport);
    struct adapter *adapter = adapter_new(miniport, operation);
    if (adapter == NULL)
    {
        log_returned(operation, operation, NDIS_STATUS_RESOURCES);
        return;
    }
    pnp_perform(adapter, IRP_MN_START_DEVICE, initialize_now, operation);
}

static void restart_ended(struct adapter *adapter, NDIS_STATUS status)
{
    depend(&adapter->state, DEPEND_WRITE);
    serial_ends(adapter, HOST_CALL_RESTART);
    adapter->state = status == NDIS_STATUS_SUCCESS ? ADAPTER_RUNNING : ADAPTER_PAUSED;
    log_returned(adapter->id, adapter->restart_operation, status);
    adapter->restart_operation = 0;
}

void adapter_restart(struct adapter *adapter, uint32_t operation)
{
    NDIS_MINIPORT_RESTART_PARAMETERS parameters;
    memset(&parameters, 0, sizeof parameters);
    parameters.Header.Type = NDIS_OBJECT_TYPE_DEFAULT;
    parameters.Header.Revision = NDIS_MINIPORT_RESTART_PARAMETERS_REVISION_1;
    parameters.Header.Size = NDIS_SIZEOF_MINIPORT_RESTART_PARAMETERS_REVISION_1;
    adapter->state = ADAPTER_RESTARTING;
    depend(&adapter->state, DEPEND_WRITE);
    adapter->restart_operation = operation;
    adapter->changes_at = clock_now();
    adapter->overdue = false;
    struct call call;
    call_enter(&call, "MiniportRestart", PASSIVE_LEVEL, adapter->miniport->image);
    const NDIS_STATUS status = adapter->miniport->handlers.RestartHandler(adapter->context, &parameters);
    call_leave(&call);
    serial_ends(adapter, HOST_CALL_RESTART);
    if (status != NDIS_STATUS_PENDING)
        restart_ended(adapter, status);
}

/* IRQL <= DISPATCH_LEVEL. */
VOID NTAPI NdisMRestartComplete(NDIS_HANDLE MiniportAdapterHandle, NDIS_STATUS Status)
{
    static const char function[] = "NdisMRestartComplete";
    check_call_up(function, "Irql_Miniport_Driver_Function", false);
    schedule_point(POINT_SIGNAL, MiniportAdapterHandle);
    struct adapter *adapter = adapter_of(MiniportAdapterHandle, function);
    if (adapter == NULL)
        return;
    if (adapter->restart_operation == 0)
    {
        rule_broken("DoubleComplete", "%s was called while no restart was pending", function);
        return;
    }
    restart_ended(adapter, Status);
}

/* NDIS takes the adapter for paused from here on; nothing of the pause may be left. */
static void check_paused(const struct adapter *adapter)
{
    const uint32_t owned = adapter->nbls_owned == 0 ? 0 : send_left_behind(adapter);
    if (owned != 0)
        rule_broken("PauseOutstanding", "the pause completed while %u sent NET_BUFFER_LISTs are not completed", owned);
    if (adapter->nbls_out != 0)
        rule_broken("PauseOutstanding", "the pause completed while %u received NET_BUFFER_LISTs are not returned",
                    adapter->nbls_out);
    if (adapter->indications_inside != 0)
        rule_broken("PauseOutstanding", "the pause completed while a receive indication is under way");
}

static void pause_ended(struct adapter *adapter)
{
    depend(&adapter->state, DEPEND_WRITE);
    depend(&adapter->nbls_owned, DEPEND_WRITE);
    depend(depend_name(adapter->id, DEPEND_NBLS), DEPEND_READ); /* a pause comes after its NBLs */
    serial_ends(adapter, HOST_CALL_PAUSE);
    check_paused(adapter);
    if (adapter->state == ADAPTER_PAUSING)
        adapter->state = ADAPTER_PAUSED;
    adapter->pause_operation = 0;
}

void adapter_pause(struct adapter *adapter, uint32_t operation)
{
    NDIS_MINIPORT_PAUSE_PARAMETERS parameters;
    memset(&parameters, 0, sizeof parameters);
    parameters.Header.Type = NDIS_OBJECT_TYPE_DEFAULT;
    parameters.Header.Revision = NDIS_MINIPORT_PAUSE_PARAMETERS_REVISION_1;
    parameters.Header.Size = NDIS_SIZEOF_MINIPORT_PAUSE_PARAMETERS_REVISION_1;
    parameters.PauseReason = NDIS_PAUSE_NDIS_INTERNAL;
    adapter->state = ADAPTER_PAUSING;
    depend(&adapter->state, DEPEND_WRITE);
    adapter->pause_operation = operation;
    adapter->pause_completed = false;
    adapter->changes_at = clock_now();
    adapter->overdue = false;
    struct call call;
    call_enter(&call, "MiniportPause", PASSIVE_LEVEL, adapter->miniport->image);
    const NDIS_STATUS status = adapter->miniport->handlers.PauseHandler(adapter->context, &parameters);
    call_leave(&call);
    serial_ends(adapter, HOST_CALL_PAUSE);
    log_returned(adapter->id, operation, status);
    if (status != NDIS_STATUS_SUCCESS && status != NDIS_STATUS_PENDING)
        rule_broken("MiniportPause_Return",
                    "MiniportPause returned 0x%08X: only NDIS_STATUS_SUCCESS and "
                    "NDIS_STATUS_PENDING are allowed",
                    (unsigned)status);
    if (status == NDIS_STATUS_PENDING)
        return;
    if (adapter->pause_completed)
        rule_broken("MiniportPause_Return",
                    "MiniportPause called NdisMPauseComplete, which is for NDIS_STATUS_PENDING "
                    "alone, and returned 0x%08X",
                    (unsigned)status);
    else
        pause_ended(adapter);
}

/* IRQL <= DISPATCH_LEVEL. May come before MiniportPause has returned NDIS_STATUS_PENDING. */
VOID NTAPI NdisMPauseComplete(NDIS_HANDLE MiniportAdapterHandle)
{
    static const char function[] = "NdisMPauseComplete";
    check_call_up(function, "Irql_Miniport_Driver_Function", false);
    schedule_point(POINT_SIGNAL, MiniportAdapterHandle);
    struct adapter *adapter = adapter_of(MiniportAdapterHandle, function);
    if (adapter == NULL)
        return;
    if (adapter->pause_operation == 0)
    {
        rule_broken("DoubleComplete", "%s was called while no pause was pending", function);
        return;
    }
    adapter->pause_completed = true;
    depend(depend_name(adapter->id, DEPEND_RETURNS), DEPEND_WRITE);
    log_event(HOST_EVENT_PAUSE_COMPLETED, adapter->pause_operation);
    pause_ended(adapter);
}

static void tell_removal(struct adapter *adapter, uint32_t operation)
{
    (void)operation;
    NET_DEVICE_PNP_EVENT event;
    memset(&event, 0, sizeof event);
    event.Header.Type = NDIS_OBJECT_TYPE_DEFAULT;
    event.Header.Revision = NET_DEVICE_PNP_EVENT_REVISION_1;
    event.Header.Size = NDIS_SIZEOF_NET_DEVICE_PNP_EVENT_REVISION_1;
    event.DevicePnPEvent = NdisDevicePnPEventSurpriseRemoved;
    adapter->removed = true;
    struct call call;
    call_enter(&call, "MiniportDevicePnPEventNotify", PASSIVE_LEVEL, adapter->miniport->image);
    adapter->miniport->handlers.DevicePnPEventNotifyHandler(adapter->context, &event);
    call_leave(&call);
}

static void halt_now(struct adapter *adapter, uint32_t operation)
{
    const uint32_t id = adapter->id;
    struct call call;
    call_enter(&call, "MiniportHaltEx", PASSIVE_LEVEL, adapter->miniport->image);
    adapter->miniport->handlers.HaltHandlerEx(adapter->context, adapter->removed ? NdisHaltDeviceSurpriseRemoved
                                                                                 : NdisHaltDeviceDisabled);
    if (adapter->nbls_out != 0)
        rule_broken("BUGCODE_NDIS_DRIVER",
                    "MiniportHaltEx returned while %u received NET_BUFFER_LISTs are not returned", adapter->nbls_out);
    depend(&adapter->nbls_owned, DEPEND_WRITE);
    send_forget(adapter);
    oid_forget(adapter);
    check_released(adapter, "MiniportHaltEx");
    call_leave(&call);
    adapter_delete(adapter);
    log_returned(id, operation, NDIS_STATUS_SUCCESS);
}

void adapter_halt(struct adapter *adapter, uint32_t operation)
{
    adapter->ending = true;
    oid_end(adapter);
    /* A device whose removal the driver refuses is taken away all the same. */
    if (!adapter->removed && !NT_SUCCESS(pnp_perform(adapter, IRP_MN_QUERY_REMOVE_DEVICE, NULL, operation)))
    {
        pnp_perform(adapter, IRP_MN_CANCEL_REMOVE_DEVICE, NULL, operation);
        pnp_perform(adapter, IRP_MN_SURPRISE_REMOVAL, tell_removal, operation);
    }
    pnp_perform(adapter, IRP_MN_REMOVE_DEVICE, halt_now, operation);
}

void adapter_shutdown(struct adapter *adapter, uint32_t operation, uint32_t action)
{
    /* In a bug check nothing is told any more, and the adapter stays as it is. */
    if (action != NdisShutdownBugCheck)
        adapter->state = ADAPTER_SHUTDOWN;
    depend(&adapter->state, DEPEND_WRITE);
    adapter->ending = true;
    struct call call;
    call_enter(&call, "MiniportShutdownEx", PASSIVE_LEVEL, adapter->miniport->image);
    adapter->miniport->handlers.ShutdownHandlerEx(adapter->context, (NDIS_SHUTDOWN_ACTION)action);
    call_leave(&call);
    serial_ends(adapter, HOST_CALL_SHUTDOWN);
    log_returned(adapter->id, operation, NDIS_STATUS_SUCCESS);
}

void adapter_surprise_remove(struct adapter *adapter, uint32_t operation)
{
    pnp_perform(adapter, IRP_MN_SURPRISE_REMOVAL, tell_removal, operation);
    serial_ends(adapter, HOST_CALL_SURPRISE_REMOVE);
    log_returned(adapter->id, operation, NDIS_STATUS_SUCCESS);
}
