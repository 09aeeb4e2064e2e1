/* Asking the gate, beginning what it admits, and waiting before it (gate.h). Each refusal is one of lifecycle.Ledger's,
 * which says where the rule comes from.
 */
#include "gate.h"

#include <string.h>

#include "gate_books.h"
#include "host.h"
#include "ndis_room.h"
#include "serial.h"

enum
{
    OID_SET_POWER = 0xFD010101 /* OID_PNP_SET_POWER */
};

int host_gate(struct host *host, const struct host_gate_rules *rules)
{
    host_enter(host);
    struct gate *gate =
        arena_allocate(BLOCK_HOST, sizeof *gate + (rules->names + UINT64_C(1)) * sizeof gate->names[0], 0, "gate");
    if (gate != NULL)
    {
        gate->rules = *rules;
        memcpy(gate->cells, rules->cells, sizeof gate->cells);
        memcpy(gate->overlaps, rules->overlaps, sizeof gate->overlaps);
        gate->version = 1;
        host->gate = gate;
    }
    host_leave();
    return gate != NULL;
}

static bool is_for_adapter(const struct host_operation *operation)
{
    return operation->kind >= HOST_RESTART && operation->kind <= HOST_CANCEL_SEND;
}

static bool is_for_handle(const struct host_operation *operation)
{
    return operation->kind >= HOST_CLEANUP && operation->kind <= HOST_WRITE;
}

static bool is_power_request(const struct host_operation *operation)
{
    return operation->kind == HOST_OID && operation->oid == OID_SET_POWER && operation->value == HOST_OID_SET;
}

static enum host_call call_of(const struct host_operation *operation)
{
    const bool is_direct = (operation->flags & HOST_FLAG_DIRECT) != 0;
    return is_power_request(operation) && !is_direct ? HOST_CALL_SET_POWER : serial_call_of(operation);
}

static struct gate_name *find(uint32_t id, enum host_operation_kind kind)
{
    struct gate_name *name = gate_name(id);
    return name != NULL && name->kind == (uint8_t)kind ? name : NULL;
}

/* Asking */

static enum host_admission refuse(const char *reason)
{
    the_gate()->reason = reason;
    return HOST_REFUSED;
}

static enum host_admission unknown(const char *reason)
{
    the_gate()->reason = reason;
    return HOST_UNKNOWN;
}

static enum host_admission ask_call(const struct gate_name *adapter, enum host_call call)
{
    const struct gate *gate = the_gate();
    const char *refusal = gate->cells[call][adapter->state].refusal;
    if (refusal != NULL)
        return refuse(refusal);
    for (unsigned running = 0; running < HOST_CALLS; running++)
        if (adapter->calls[running] != 0 && gate->overlaps[running][call] != NULL)
            return refuse(gate->overlaps[running][call]);
    return HOST_ADMITTED;
}

static enum host_admission ask_adapter(const struct host_operation *operation)
{
    const struct gate_name *adapter = find(operation->adapter, HOST_INITIALIZE);
    const bool strict = the_gate()->rules.strict != 0;
    const enum host_call call = call_of(operation);
    if (call != HOST_CALL_SET_POWER && operation->kind == HOST_OID && operation->data_length > operation->length)
        return refuse("the data do not fit into the buffer");
    else if (call == HOST_CALL_SEND && operation->nbl_count == 0 && operation->packet_count == 0)
        return refuse("a chain has at least one NBL");
    if (adapter == NULL)
        return unknown("there is no such adapter");
    const enum host_admission answer = ask_call(adapter, call);
    if (answer != HOST_ADMITTED)
        return answer;
    const struct adapter *real = adapter_find(operation->adapter);
    if (real != NULL && real->sending_again && the_gate()->overlaps[HOST_CALL_SEND][call] != NULL)
        return refuse(the_gate()->overlaps[HOST_CALL_SEND][call]);
    if (call == HOST_CALL_RESTART && strict && adapter->power != NdisDeviceStateD0)
        return refuse("NDIS restarts an adapter that it paused for sleep only after OID_PNP_SET_POWER to D0");
    if (call == HOST_CALL_PAUSE && strict && adapter->count != 0)
        return refuse("pause not reached: NBLs are held, and MiniportPause in Running comes only when every binding "
                      "above has its NBLs back");
    if (call == HOST_CALL_SURPRISE_REMOVE && adapter->removed)
        return refuse("the adapter was removed before");
    return HOST_ADMITTED;
}

static enum host_admission ask_driver(const struct host_operation *operation)
{
    const struct gate_name *driver = find(operation->driver, HOST_LOAD);
    if (driver == NULL)
        return unknown("there is no such driver");
    if (driver->phase != PHASE_OPEN)
        return refuse("the driver is not loaded, or was asked to unload");
    if (operation->kind == HOST_UNLOAD && driver->count != 0)
        return refuse("a driver is unloaded only after each of its adapters was halted");
    return HOST_ADMITTED;
}

static enum host_admission ask_create(const struct host_operation *operation)
{
    const struct gate_name *adapter = find(operation->adapter, HOST_INITIALIZE);
    if (adapter == NULL)
        return unknown("there is no such adapter");
    if (adapter->exists)
        return HOST_ADMITTED;
    if (adapter->state == HOST_STATE_INITIALIZING)
        return refuse("the adapter has no device before it is initialized");
    if (adapter->calls[HOST_CALL_HALT] != 0)
        return HOST_ADMITTED;
    const struct gate_name *driver = find(adapter->owner, HOST_LOAD);
    if (adapter->files == 0 || driver == NULL || driver->phase != PHASE_OPEN)
        return refuse("the device of the adapter is gone: deregistered, and no handle keeps it");
    return HOST_ADMITTED;
}

static enum host_admission ask_handle(const struct host_operation *operation)
{
    const struct gate_name *handle = find(operation->handle, HOST_CREATE);
    if (handle == NULL)
        return unknown("there is no such handle");
    const bool raw = the_gate()->rules.strict == 0;
    switch (operation->kind)
    {
    case HOST_CLEANUP:
        return handle->phase == PHASE_OPEN ? HOST_ADMITTED : refuse("cleanup comes once, after create");
    case HOST_CLOSE:
        if (handle->phase != PHASE_CLEANED)
            return refuse("close comes once, after cleanup");
        return handle->count == 0 ? HOST_ADMITTED : refuse("close comes when every request of the handle is complete");
    default:
        if (handle->phase == PHASE_OPEN || (raw && handle->phase == PHASE_CLEANED))
            return HOST_ADMITTED;
        return refuse("the handle is not open: no user can use it");
    }
}

static enum host_admission ask(const struct host_operation *operation)
{
    const struct gate_name *mine = gate_name(operation->id);
    if (mine == NULL || mine->kind != 0)
        return refuse("its name is not new, or beyond those that were announced");
    if (operation->kind == HOST_LOAD)
        return HOST_ADMITTED;
    if (operation->kind == HOST_UNLOAD || operation->kind == HOST_INITIALIZE)
        return ask_driver(operation);
    if (operation->kind == HOST_CREATE)
        return ask_create(operation);
    if (is_for_handle(operation))
        return ask_handle(operation);
    if (is_for_adapter(operation))
        return ask_adapter(operation);
    return find(operation->target, HOST_READ) == NULL ? unknown("there is no such request") : HOST_ADMITTED;
}

/* Beginning */

static void begin_call(const struct host_operation *operation, struct gate_name *mine)
{
    const enum host_call call = serial_call_of(operation);
    struct gate_name *adapter = gate_name(operation->adapter);
    mine->owner = operation->adapter;
    mine->call = (uint8_t)call;
    mine->under_way = call != HOST_CALL_SEND && call != HOST_CALL_CANCEL_SEND;
    mine->calls_of = adapter->changes + 1;
    adapter->calls[call] += 1;
    adapter->state = (uint8_t)the_gate()->cells[call][adapter->state].next;
    if (call == HOST_CALL_SEND)
    {
        mine->count = operation->nbl_count + operation->packet_count;
        adapter->count += mine->count;
        return;
    }
    adapter->removed |= call == HOST_CALL_SURPRISE_REMOVE;
    mine->sets_power = call == HOST_CALL_SET_POWER || is_power_request(operation);
    mine->power = operation->value;
    if (operation->kind == HOST_OID && mine->sets_power)
    {
        mine->power = 0xA5A5A5A5;
        if (operation->data_length != 0)
            memcpy(&mine->power, operation->data, operation->data_length < 4 ? (size_t)operation->data_length : 4);
    }
}

static void begin_request(const struct host_operation *operation, struct gate_name *mine)
{
    struct gate_name *handle = gate_name(operation->handle);
    mine->owner = operation->handle;
    mine->under_way = true;
    handle->count += 1;
    if (operation->kind == HOST_CLEANUP)
        handle->phase = PHASE_CLEANED;
    else if (operation->kind == HOST_CLOSE)
        handle->phase = PHASE_ENDING;
}

static void begin(const struct host_operation *operation, struct gate_name *mine)
{
    mine->under_way = operation->kind != HOST_CANCEL;
    switch (operation->kind)
    {
    case HOST_LOAD:
        mine->phase = PHASE_BEGINNING;
        break;
    case HOST_UNLOAD:
        mine->owner = operation->driver;
        gate_name(operation->driver)->phase = PHASE_ENDING;
        break;
    case HOST_INITIALIZE:
        mine->owner = operation->driver;
        mine->state = HOST_STATE_INITIALIZING;
        mine->power = NdisDeviceStateD0;
        mine->calls[HOST_CALL_INITIALIZE] = 1;
        gate_name(operation->driver)->count += 1;
        break;
    case HOST_CREATE:
        mine->owner = operation->adapter;
        mine->phase = PHASE_BEGINNING;
        break;
    default:
        if (is_for_adapter(operation))
            begin_call(operation, mine);
        else if (is_for_handle(operation))
            begin_request(operation, mine);
    }
}

/* Keeps the name, so that what follows on it is refused in turn, and does not wait for it. */
static void note_refused(const struct host_operation *operation, struct gate_name *mine)
{
    mine->phase = PHASE_NEVER;
    mine->state = HOST_STATE_HALTED;
    mine->power = NdisDeviceStateD0;
    mine->owner = operation->kind == HOST_INITIALIZE ? operation->driver : operation->adapter;
}

/* Takes note of the state in which a call comes. */
static void note_met(const struct host_operation *operation)
{
    if (operation->kind == HOST_INITIALIZE)
        gate_meet(HOST_CALL_INITIALIZE, HOST_STATE_HALTED);
    else if (is_for_adapter(operation))
        gate_meet(call_of(operation), gate_name(operation->adapter)->state);
    else if (operation->kind == HOST_CREATE)
        gate_meet(HOST_MET_REQUEST, gate_name(operation->adapter)->state);
    else if (is_for_handle(operation))
        gate_meet(HOST_MET_REQUEST, gate_name(gate_name(operation->handle)->owner)->state);
}

enum host_admission gate_ask(const struct host_operation *operation)
{
    gate_update();
    return ask(operation);
}

enum host_admission gate_admit(const struct host_operation *operation)
{
    gate_update();
    const enum host_admission answer = ask(operation);
    struct gate_name *mine = gate_name(operation->id);
    if (mine == NULL || mine->kind != 0)
        return answer;
    the_gate()->version += 1;
    mine->kind = (uint8_t)operation->kind;
    if (answer == HOST_ADMITTED)
    {
        note_met(operation);
        begin(operation, mine);
    }
    else
        note_refused(operation, mine);
    return answer;
}

void gate_end(const struct host_operation *operation)
{
    struct gate_name *mine = gate_name(operation->id);
    gate_update();
    if (mine != NULL)
        gate_note_end(mine);
}

/* Waiting */

void gate_catch_up(void)
{
    struct gate *gate = the_gate();
    const struct log *log = &current_host->log;
    while (gate->observed < log->count)
        gate_observe(&log->storage->events[gate->observed++]);
}

void gate_update(void)
{
    struct gate *gate = the_gate();
    struct scheduler *scheduler = &current_host->scheduler;
    gate_catch_up();
    if (gate->updated == gate->version)
        return;
    gate->updated = gate->version;
    for (uint64_t left = scheduler->gated & ~gate->refused; left != 0; left &= left - 1)
    {
        const unsigned index = (unsigned)__builtin_ctzll(left);
        const uint64_t bit = UINT64_C(1) << index;
        if (ask(gate->waiting[index]) == HOST_ADMITTED)
            scheduler->runnable |= bit;
        else
            scheduler->runnable &= ~bit;
    }
}

bool gate_refuse_first(void)
{
    struct scheduler *scheduler = &current_host->scheduler;
    if (scheduler->gated == 0)
        return false;
    const uint64_t first = scheduler->gated & (~scheduler->gated + 1);
    the_gate()->refused |= first;
    scheduler->runnable |= first;
    return true;
}

void gate_hold(struct actor *actor, const struct host_operation *operation)
{
    struct gate *gate = the_gate();
    if (gate == NULL)
        return;
    gate->waiting[actor->index] = operation;
    gate->version += 1;
    current_host->scheduler.gated |= UINT64_C(1) << actor->index;
}

void gate_uses(const struct actor *actor)
{
    operation_depends(the_gate()->waiting[actor->index]);
}

bool gate_pass(const struct host_operation *operation, bool first)
{
    struct gate *gate = the_gate();
    struct actor *actor = actor_current();
    if (gate != NULL && !first)
        gate_hold(actor, operation);
    if (!first)
        schedule_point(POINT_START, operation);
    if (gate == NULL)
        return true;
    const uint64_t bit = UINT64_C(1) << actor->index;
    current_host->scheduler.gated &= ~bit;
    gate->refused &= ~bit;
    if (gate_admit(operation) == HOST_ADMITTED)
        return true;
    log_refused(operation->id, gate->reason);
    return false;
}

void gate_forget_log(void)
{
    struct gate *gate = the_gate();
    if (gate == NULL)
        return;
    gate_catch_up();
    gate->observed = 0;
}

/* The face (explore_api.h) */

int host_gate_ask(struct host *host, const struct host_operation *operation)
{
    host_enter(host);
    const enum host_admission answer = gate_ask(operation);
    host_leave();
    return (int)answer;
}

int host_gate_admit(struct host *host, const struct host_operation *operation)
{
    host_enter(host);
    const enum host_admission answer = gate_admit(operation);
    host_leave();
    return (int)answer;
}

void host_gate_observe(struct host *host, const struct host_event *events, size_t count)
{
    host_enter(host);
    for (size_t i = 0; i < count; i++)
        gate_observe(&events[i]);
    host_leave();
}

void host_gate_end(struct host *host, const struct host_operation *operation)
{
    host_enter(host);
    gate_end(operation);
    host_leave();
}

const char *host_gate_reason(struct host *host)
{
    return host->gate == NULL ? "" : host->gate->reason;
}
