/* What the gate learns from events, and from the end of a call (gate_books.h): lifecycle.Ledger's observe and end. */
#include "gate_books.h"

#include <string.h>

static void forget_call(struct gate_name *mine)
{
    struct gate_name *adapter = gate_name(mine->owner);
    if (mine->calls_of == adapter->changes + 1)
        adapter->calls[mine->call] -= 1;
    mine->calls_of = 0;
}

static void forget_calls(struct gate_name *adapter)
{
    memset(adapter->calls, 0, sizeof adapter->calls);
    adapter->changes += 1;
}

static void leave(struct gate_name *mine, enum host_state before, enum host_state after)
{
    struct gate_name *adapter = gate_name(mine->owner);
    forget_call(mine);
    if (adapter->state == (uint8_t)before)
        adapter->state = (uint8_t)after;
}

static bool is_pending(uint32_t status)
{
    return status == (uint32_t)STATUS_PENDING;
}

/* A pause may be complete before its handler has returned STATUS_PENDING; it is over when both have happened. */
static void observe_pause(struct gate_name *mine, bool completed, uint32_t status)
{
    struct gate_name *adapter = gate_name(mine->owner);
    if (completed || is_pending(status))
    {
        if (completed && adapter->state == HOST_STATE_PAUSING)
            adapter->state = HOST_STATE_PAUSED;
        if (!mine->half_paused)
        {
            mine->half_paused = true;
            return;
        }
    }
    const bool failed = !completed && !is_pending(status) && status != (uint32_t)STATUS_SUCCESS;
    leave(mine, HOST_STATE_PAUSING, failed ? HOST_STATE_RUNNING : HOST_STATE_PAUSED);
    mine->under_way = false;
}

static void observe_initialized(struct gate_name *adapter, bool success)
{
    forget_calls(adapter);
    adapter->state = success ? HOST_STATE_PAUSED : HOST_STATE_HALTED;
    adapter->exists = success;
    if (!success)
        gate_name(adapter->owner)->count -= 1;
}

static void observe_halted(struct gate_name *mine)
{
    struct gate_name *adapter = gate_name(mine->owner);
    adapter->exists = false;
    gate_name(adapter->owner)->count -= 1;
    forget_calls(adapter);
}

static void observe_returned(struct gate_name *mine, uint32_t status)
{
    const bool success = status == (uint32_t)STATUS_SUCCESS;
    if (!mine->under_way)
        return;
    if (mine->kind == HOST_PAUSE)
    {
        observe_pause(mine, false, status);
        return;
    }
    mine->under_way = false;
    switch (mine->kind)
    {
    case HOST_RESTART:
        leave(mine, HOST_STATE_RESTARTING, success ? HOST_STATE_RUNNING : HOST_STATE_PAUSED);
        break;
    case HOST_INITIALIZE:
        observe_initialized(mine, success);
        break;
    case HOST_HALT:
        observe_halted(mine);
        break;
    case HOST_LOAD:
        mine->phase = success ? PHASE_OPEN : PHASE_NEVER;
        break;
    case HOST_UNLOAD:
        gate_name(mine->owner)->phase = PHASE_ENDED;
        break;
    default:
        if (mine->calls_of != 0)
            forget_call(mine);
    }
}

static void observe_oid(struct gate_name *mine, uint32_t status)
{
    if (!mine->under_way)
        return;
    mine->under_way = false;
    forget_call(mine);
    if (status == (uint32_t)NDIS_STATUS_SUCCESS && mine->sets_power)
        gate_name(mine->owner)->power = mine->power;
}

static void observe_irp(struct gate_name *mine, uint32_t status)
{
    if (!mine->under_way)
        return;
    mine->under_way = false;
    if (mine->kind == HOST_CREATE)
    {
        /* The handle is there when the call has returned (gate_end). */
        mine->opened = NT_SUCCESS((NTSTATUS)status);
        mine->phase = mine->opened ? PHASE_BEGINNING : PHASE_NEVER;
        if (mine->opened)
            gate_name(mine->owner)->files += 1;
        return;
    }
    struct gate_name *handle = gate_name(mine->owner);
    handle->count -= 1;
    if (mine->kind == HOST_CLOSE)
    {
        handle->phase = PHASE_ENDED;
        gate_name(handle->owner)->files -= 1;
    }
}

void gate_observe(const struct host_event *event)
{
    struct gate_name *mine = gate_name(event->operation);
    if (mine == NULL || mine->kind == 0)
        return;
    switch (event->kind)
    {
    case HOST_EVENT_PACKET:
        if (mine->kind == HOST_WRITE)
            gate_meet(HOST_MET_RECEIVE, gate_name(gate_name(mine->owner)->owner)->state);
        return;
    case HOST_EVENT_IRP_COMPLETED:
        observe_irp(mine, event->status);
        break;
    case HOST_EVENT_NBL_COMPLETED:
        /* One that is sent again (value) is still lent. */
        if (mine->kind == HOST_SEND && event->value == 0 && mine->count >= event->count)
        {
            mine->count -= event->count;
            gate_name(mine->owner)->count -= event->count;
        }
        break;
    case HOST_EVENT_RETURNED:
        observe_returned(mine, event->status);
        break;
    case HOST_EVENT_OID_COMPLETED:
        observe_oid(mine, event->status);
        break;
    case HOST_EVENT_PAUSE_COMPLETED:
        if (mine->kind == HOST_PAUSE && mine->under_way)
            observe_pause(mine, true, 0);
        break;
    default:
        return;
    }
    the_gate()->version += 1;
}

/* A request whose handler has returned, and which is not complete. */
static void pend(struct gate_name *mine)
{
    struct gate_name *adapter = gate_name(mine->owner);
    if (mine->calls_of != adapter->changes + 1)
        return;
    adapter->calls[HOST_CALL_OID] -= 1;
    adapter->calls[HOST_CALL_PENDING_OID] += 1;
    mine->call = HOST_CALL_PENDING_OID;
}

void gate_note_end(struct gate_name *mine)
{
    if (mine->opened)
    {
        mine->opened = false;
        mine->phase = PHASE_OPEN;
    }
    else if (mine->calls_of != 0 &&
             (mine->kind == HOST_SEND || mine->kind == HOST_CANCEL_SEND || mine->call == HOST_CALL_DIRECT_OID))
        forget_call(mine);
    else if (mine->calls_of != 0 && mine->call == HOST_CALL_OID)
        pend(mine);
    the_gate()->version += 1;
}
