/* Which calls of NDIS never overlap (serial.h). A kind of call has an address within the adapter, never followed, over
 * which its end is handed to those that wait for it. */
#include "serial.h"

#include "gate_books.h"
#include "happens.h"
#include "ndis_room.h"

#define BIT(call) (1u << HOST_CALL_##call)
#define CHANGES   (BIT(RESTART) | BIT(PAUSE))
#define ALWAYS    (BIT(HALT) | BIT(INITIALIZE)) /* never during these */

/* Without a gate: never while one of these is under way, in either order. */
static const uint16_t never_during[HOST_CALLS] = {
    [HOST_CALL_SEND] = ALWAYS,
    [HOST_CALL_CANCEL_SEND] = ALWAYS,
    [HOST_CALL_OID] = BIT(OID) | BIT(PENDING_OID) | BIT(SET_POWER) | ALWAYS,
    [HOST_CALL_DIRECT_OID] = ALWAYS,
    [HOST_CALL_SET_POWER] = BIT(OID) | BIT(PENDING_OID) | BIT(SET_POWER) | CHANGES | BIT(SURPRISE_REMOVE) | ALWAYS,
    [HOST_CALL_RESTART] = BIT(SET_POWER) | CHANGES | BIT(SURPRISE_REMOVE) | ALWAYS,
    [HOST_CALL_PAUSE] = BIT(SET_POWER) | CHANGES | BIT(SURPRISE_REMOVE) | ALWAYS,
    [HOST_CALL_SHUTDOWN] = BIT(SHUTDOWN) | BIT(SURPRISE_REMOVE) | ALWAYS,
    [HOST_CALL_SURPRISE_REMOVE] = BIT(SET_POWER) | CHANGES | BIT(SHUTDOWN) | BIT(SURPRISE_REMOVE) | ALWAYS,
    [HOST_CALL_HALT] = (1u << HOST_CALLS) - 1,
    [HOST_CALL_INITIALIZE] = (1u << HOST_CALLS) - 1,
};

_Static_assert(HOST_CALLS < sizeof(struct adapter), "each kind of call has an address in the adapter");

static const volatile void *end_of(const struct adapter *adapter, unsigned call)
{
    return (const volatile char *)adapter + 1 + call;
}

enum host_call serial_call_of(const struct host_operation *operation)
{
    switch (operation->kind)
    {
    case HOST_RESTART:
        return HOST_CALL_RESTART;
    case HOST_PAUSE:
        return HOST_CALL_PAUSE;
    case HOST_HALT:
        return HOST_CALL_HALT;
    case HOST_SHUTDOWN:
        return HOST_CALL_SHUTDOWN;
    case HOST_SURPRISE_REMOVE:
        return HOST_CALL_SURPRISE_REMOVE;
    case HOST_SET_POWER:
        return HOST_CALL_SET_POWER;
    case HOST_OID:
        return (operation->flags & (HOST_FLAG_DIRECT | HOST_FLAG_SYNCHRONOUS)) != 0 ? HOST_CALL_DIRECT_OID
                                                                                    : HOST_CALL_OID;
    case HOST_SEND:
        return HOST_CALL_SEND;
    default:
        return HOST_CALL_CANCEL_SEND;
    }
}

static bool never_overlap(enum host_call one, enum host_call other)
{
    const struct gate *gate = current_host->gate;
    return gate == NULL ? (never_during[one] >> other & 1) != 0 : gate->overlaps[other][one] != NULL;
}

void serial_begins(const struct adapter *adapter, enum host_call call)
{
    if (!happens_watched())
        return;
    for (unsigned other = 0; other < HOST_CALLS; other++)
        if (never_overlap(call, (enum host_call)other))
            happens_object_acquired(end_of(adapter, other));
}

void serial_ends(const struct adapter *adapter, enum host_call call)
{
    happens_release(end_of(adapter, call));
}
