/* OID requests: one at a time to an adapter, direct ones any number
 * (learn.microsoft.com/windows-hardware/drivers/network/miniport-adapter-oid-request-serialization).
 */
#include "depend.h"
#include "happens.h"
#include "io_room.h"
#include "ndis_room.h"
#include "serial.h"

#include <string.h>

#include "shadow.h"

/* What BytesWritten, BytesRead and BytesNeeded hold when the miniport gets a request: no count that anyone would set.
 */
#define NEVER_SET 0x5A5A5A5Au

/* A request under way. It stays readable until it is complete and no handler that was told of it is under way. */
struct oid_call
{
    struct oid_call *next; /* all that are under way, newest first */
    struct adapter *adapter;
    NDIS_OID_REQUEST *request; /* a BLOCK_OTHER */
    uint8_t *buffer;           /* a BLOCK_CLIENT of the length that was asked for */
    uint32_t operation;
    uint32_t length;
    uint64_t asked_at;
    bool overdue; /* which was said */
    bool direct;
    bool synchronous;
    bool at_dispatch;
    bool complete;
    uint8_t holds; /* the handler, and an actor that cancels: one each */
};

static const NDIS_REQUEST_TYPE request_types[] = {[HOST_OID_QUERY] = NdisRequestQueryInformation,
                                                  [HOST_OID_SET] = NdisRequestSetInformation,
                                                  [HOST_OID_STATISTICS] = NdisRequestQueryStatistics,
                                                  [HOST_OID_METHOD] = NdisRequestMethod};

static void fill_request(struct oid_call *call, const struct oid_question *question)
{
    NDIS_OID_REQUEST *request = call->request;
    memset(request, 0, sizeof *request);
    request->Header.Type = NDIS_OBJECT_TYPE_OID_REQUEST;
    request->Header.Revision = NDIS_OID_REQUEST_REVISION_1;
    request->Header.Size = NDIS_SIZEOF_OID_REQUEST_REVISION_1;
    request->RequestType = request_types[question->kind];
    request->RequestId = (void *)(uintptr_t)question->operation;
    request->RequestHandle = call;
    request->DATA.QUERY_INFORMATION.BytesWritten = NEVER_SET;
    request->DATA.QUERY_INFORMATION.BytesNeeded = NEVER_SET;
    if (question->kind == HOST_OID_METHOD)
    {
        request->DATA.METHOD_INFORMATION.Oid = question->oid;
        request->DATA.METHOD_INFORMATION.InformationBuffer = call->buffer;
        request->DATA.METHOD_INFORMATION.InputBufferLength =
            question->data_length < question->length ? question->data_length : question->length;
        request->DATA.METHOD_INFORMATION.OutputBufferLength = question->length;
        request->DATA.METHOD_INFORMATION.BytesWritten = NEVER_SET;
        request->DATA.METHOD_INFORMATION.BytesRead = NEVER_SET;
        request->DATA.METHOD_INFORMATION.BytesNeeded = NEVER_SET;
        return;
    }
    /* Query and set agree in where these are. */
    request->DATA.QUERY_INFORMATION.Oid = question->oid;
    request->DATA.QUERY_INFORMATION.InformationBuffer = call->buffer;
    request->DATA.QUERY_INFORMATION.InformationBufferLength = question->length;
}

_Static_assert(offsetof(NDIS_OID_REQUEST, DATA.QUERY_INFORMATION.BytesWritten) ==
                   offsetof(NDIS_OID_REQUEST, DATA.SET_INFORMATION.BytesRead),
               "query and set have their counts in one place");

/* Gives up one hold; the last one frees a request that is complete. */
static void call_release(struct oid_call *call)
{
    call->holds--;
    if (call->holds != 0 || !call->complete)
        return;
    happens_acquire(call);
    struct oid_call **place = &current_host->ndis->oids;
    while (*place != call)
        place = &(*place)->next;
    *place = call->next;
    arena_free(BLOCK_CLIENT, call->buffer, 0, "NDIS");
    arena_free(BLOCK_OTHER, call->request, 0, "NDIS");
    arena_free(BLOCK_HOST, call, 0, "NDIS");
}

static struct oid_call *call_new(struct adapter *adapter, const struct oid_question *question)
{
    struct oid_call *call = arena_allocate(BLOCK_HOST, sizeof *call, 0, "NDIS");
    NDIS_OID_REQUEST *request = arena_allocate(BLOCK_OTHER, sizeof *request, 0, "NDIS");
    uint8_t *buffer = arena_allocate(BLOCK_CLIENT, question->length == 0 ? 1 : question->length, 0, "NDIS");
    if (call == NULL || request == NULL || buffer == NULL)
        return NULL;
    memset(call, 0, sizeof *call);
    memset(buffer, 0xA5, question->length);
    if (question->data_length != 0)
        memcpy(buffer, question->data,
               question->data_length < question->length ? question->data_length : question->length);
    call->adapter = adapter;
    call->request = request;
    call->buffer = buffer;
    call->operation = question->operation;
    call->asked_at = clock_now();
    call->length = question->length;
    call->direct = question->direct;
    call->synchronous = question->synchronous;
    call->at_dispatch = question->at_dispatch;
    call->holds = 1;
    call->next = current_host->ndis->oids;
    current_host->ndis->oids = call;
    fill_request(call, question);
    return call;
}

/* OIDs that a miniport must not fail (…/network/oid-pnp-set-power, oid-pnp-query-power). */
static void check_status(const struct oid_call *call, NDIS_STATUS status)
{
    const NDIS_OID_REQUEST *request = call->request;
    const NDIS_OID oid = request->DATA.QUERY_INFORMATION.Oid;
    if (status == NDIS_STATUS_PENDING)
        rule_broken("NdisOidComplete", "an OID request was completed with NDIS_STATUS_PENDING");
    if (!call->direct && oid == OID_PNP_QUERY_POWER && request->RequestType == NdisRequestQueryInformation &&
        status != NDIS_STATUS_SUCCESS)
        rule_broken("NdisOidComplete", "OID_PNP_QUERY_POWER was completed with 0x%08X, but must always succeed",
                    (unsigned)status);
}

/* A count as the requester finds it; one that may stay as it was, and did, counts nothing. */
static uint32_t count_of(uint32_t value, bool may_stay)
{
    return value == NEVER_SET && may_stay ? 0 : value;
}

/* The length of what is to be set may be wrong without there being a right one. */
static bool is_too_short(const struct oid_call *call, NDIS_STATUS status)
{
    return status == NDIS_STATUS_BUFFER_TOO_SHORT || status == NDIS_STATUS_BUFFER_OVERFLOW ||
           (status == NDIS_STATUS_INVALID_LENGTH && call->request->RequestType != NdisRequestSetInformation);
}

/* …/drivers/ddi/oidrequest/ns-oidrequest-ndis_oid_request: what the miniport owes to whoever asked. */
static void check_counts(const struct oid_call *call, NDIS_STATUS status, uint32_t information, uint32_t needed)
{
    const NDIS_OID oid = call->request->DATA.QUERY_INFORMATION.Oid;
    if (status == NDIS_STATUS_SUCCESS && information == NEVER_SET)
    {
        /* Power requests are NDIS' own, which knows what it asked. */
        if (oid != OID_PNP_QUERY_POWER && oid != OID_PNP_SET_POWER && call->length != 0)
            rule_broken("OidCounts",
                        "the OID request 0x%08X succeeded and BytesWritten (of a set, BytesRead) was never set",
                        (unsigned)oid);
    }
    else if (is_too_short(call, status) && needed == NEVER_SET)
        rule_broken("OidCounts",
                    "the OID request 0x%08X was completed with 0x%08X and BytesNeeded, the length that would do, was "
                    "never set",
                    (unsigned)oid, (unsigned)status);
    else if (information != NEVER_SET && information > call->length)
        rule_broken("BUGCODE_NDIS_DRIVER",
                    "an OID request with a buffer of %u bytes was completed with %u bytes written or read (0x1D)",
                    call->length, information);
}

static void log_completion(const struct oid_call *call, NDIS_STATUS status, uint32_t information, uint32_t needed)
{
    const NDIS_OID_REQUEST *request = call->request;
    /* A request that was looked at and refused has a count of 0; one of a kind that is not known may have none. */
    const bool looked_at =
        !call->direct && status != NDIS_STATUS_NOT_SUPPORTED && status != NDIS_STATUS_REQUEST_ABORTED;
    struct host_event *event = log_event(HOST_EVENT_OID_COMPLETED, call->operation);
    event->adapter = call->adapter->id;
    event->status = (uint32_t)status;
    event->information = count_of(information, !looked_at);
    event->needed = count_of(needed, status != NDIS_STATUS_SUCCESS && status != NDIS_STATUS_INVALID_LENGTH);
    if (request->RequestType != NdisRequestSetInformation && information != NEVER_SET)
        log_data(event, call->buffer, information < call->length ? information : call->length);
}

static void finish(struct oid_call *call, NDIS_STATUS status)
{
    NDIS_OID_REQUEST *request = call->request;
    const bool is_method = request->RequestType == NdisRequestMethod;
    const uint32_t information =
        is_method ? request->DATA.METHOD_INFORMATION.BytesWritten : request->DATA.QUERY_INFORMATION.BytesWritten;
    const uint32_t needed =
        is_method ? request->DATA.METHOD_INFORMATION.BytesNeeded : request->DATA.QUERY_INFORMATION.BytesNeeded;
    serial_ends(call->adapter, call->direct ? HOST_CALL_DIRECT_OID : HOST_CALL_OID);
    serial_ends(call->adapter, HOST_CALL_SET_POWER); /* which an OID request may be, and never overlaps with one */
    happens_release(call);
    depend(call, DEPEND_GIVE);
    depend(depend_name(call->adapter->id, DEPEND_BOOKS), DEPEND_READ);
    depend(depend_name(call->adapter->id, DEPEND_OIDS), DEPEND_WRITE);
    depend(depend_name(call->adapter->id, DEPEND_RETURNS), DEPEND_WRITE);
    check_status(call, status);
    check_counts(call, status, information, needed);
    log_completion(call, status, information, needed);
    call->complete = true;
    shadow_forbid(request, sizeof *request);
    if (call->adapter->oid == call)
        call->adapter->oid = NULL;
    actor_wake(call);
    if (call->holds == 0)
    {
        call->holds = 1;
        call_release(call);
    }
}

/* NDIS_STATUS_NOT_SUPPORTED where the driver has no handler of the kind: NDIS does not get as far as the driver. */
static NDIS_STATUS call_handler(struct adapter *adapter, const struct oid_call *call)
{
    const NDIS_MINIPORT_DRIVER_CHARACTERISTICS *handlers = &adapter->miniport->handlers;
    MINIPORT_OID_REQUEST *handler = call->synchronous ? handlers->SynchronousOidRequestHandler
                                    : call->direct    ? handlers->DirectOidRequestHandler
                                                      : handlers->OidRequestHandler;
    if (handler == NULL)
        return NDIS_STATUS_NOT_SUPPORTED;
    struct call frame;
    call_enter(&frame,
               call->synchronous ? "MiniportSynchronousOidRequest"
               : call->direct    ? "MiniportDirectOidRequest"
                                 : "MiniportOidRequest",
               call->direct && call->at_dispatch ? DISPATCH_LEVEL : PASSIVE_LEVEL, adapter->miniport->image);
    const NDIS_STATUS status = handler(adapter->context, call->request);
    call_leave(&frame);
    return status;
}

/* The miniport finds the request by its id, or is through with it already. */
static void cancel(struct oid_call *call)
{
    const NDIS_MINIPORT_DRIVER_CHARACTERISTICS *handlers = &call->adapter->miniport->handlers;
    MINIPORT_CANCEL_OID_REQUEST *handler =
        call->direct ? handlers->CancelDirectOidRequestHandler : handlers->CancelOidRequestHandler;
    if (handler == NULL)
        return;
    struct call frame;
    call_enter_for(&frame, call->direct ? "MiniportCancelDirectOidRequest" : "MiniportCancelOidRequest",
                   call->at_dispatch ? DISPATCH_LEVEL : PASSIVE_LEVEL, call->adapter->miniport->image, call->operation);
    handler(call->adapter->context, (void *)(uintptr_t)call->operation);
    call_leave(&frame);
}

static void cancel_actor(void *argument)
{
    struct oid_call *call = argument;
    if (!call->complete)
        cancel(call);
    call_release(call);
}

static void ended(struct oid_call *call, NDIS_STATUS status)
{
    if (status == NDIS_STATUS_PENDING && call->synchronous)
        rule_broken("NdisOidComplete", "MiniportSynchronousOidRequest returned NDIS_STATUS_PENDING, which it may not");
    else if (status == NDIS_STATUS_PENDING)
        return;
    if (call->complete)
        rule_broken("NdisOidDoubleComplete", "an OID request was completed and 0x%08X returned for it as well",
                    (unsigned)status);
    else
        finish(call, status == NDIS_STATUS_PENDING ? NDIS_STATUS_FAILURE : status);
}

bool oid_ask(struct adapter *adapter, const struct oid_question *question)
{
    if (!question->direct && adapter->oid != NULL)
        return false;
    struct oid_call *call = call_new(adapter, question);
    if (call == NULL)
        return false;
    if (!question->direct)
        adapter->oid = call;
    ended(call, call_handler(adapter, call));
    if (!call->complete && question->cancel && actor_start(cancel_actor, call, call->operation) != NULL)
        call->holds++;
    call_release(call);
    return true;
}

static struct oid_call *pending_of(const struct adapter *adapter)
{
    struct oid_call *call = current_host->ndis->oids;
    while (call != NULL && (call->complete || call->adapter != adapter))
        call = call->next;
    return call;
}

void oid_end(struct adapter *adapter)
{
    const uint64_t deadline = clock_now() + NDIS_OID_LIMIT;
    struct oid_call *call = NULL;
    while ((call = pending_of(adapter)) != NULL)
    {
        call->holds++;
        cancel(call);
        while (!call->complete && clock_now() < deadline)
            actor_wait_for("an OID request to be completed before the halt", call, false, deadline);
        if (!call->complete)
            rule_broken("NdisTimedOidComplete",
                        "the OID request 0x%08X is not complete %u seconds after it was cancelled because of a halt, "
                        "which comes when none is pending",
                        call->request->DATA.QUERY_INFORMATION.Oid, (unsigned)(NDIS_OID_LIMIT / CLOCK_SECOND));
        happens_acquire(call);
        const bool late = !call->complete;
        call_release(call);
        if (late)
            return;
    }
}

void oid_forget(struct adapter *adapter)
{
    struct oid_call *call = NULL;
    while ((call = pending_of(adapter)) != NULL)
    {
        call->complete = true;
        shadow_forbid(call->request, sizeof *call->request);
        call->holds++;
        call_release(call);
    }
    adapter->oid = NULL;
}

void oid_check_time(void)
{
    for (struct oid_call *call = current_host->ndis->oids; call != NULL; call = call->next)
    {
        if (call->complete || call->overdue || clock_now() - call->asked_at < NDIS_OID_LIMIT)
            continue;
        call->overdue = true;
        current_host->operation = call->operation;
        rule_broken("NdisTimedOidComplete", "the OID request 0x%08X was not completed within %u seconds",
                    call->request->DATA.QUERY_INFORMATION.Oid, (unsigned)(NDIS_OID_LIMIT / CLOCK_SECOND));
    }
}

bool oid_is_pending(void)
{
    const struct oid_call *call = current_host->ndis->oids;
    while (call != NULL && call->complete)
        call = call->next;
    return call != NULL;
}

static void complete(NDIS_HANDLE handle, PNDIS_OID_REQUEST request, NDIS_STATUS status, bool direct,
                     const char *function)
{
    rule_irql("Irql_OID_Function", function, PASSIVE_LEVEL, DISPATCH_LEVEL);
    rule_no_spin_lock("CompletionUnderLock", function);
    schedule_point(POINT_SIGNAL, request);
    struct adapter *adapter = adapter_of(handle, function);
    if (adapter == NULL)
        return;
    for (struct oid_call *call = current_host->ndis->oids; call != NULL; call = call->next)
        if (call->request == request && call->adapter == adapter && call->direct == direct && !call->complete)
        {
            finish(call, status);
            return;
        }
    rule_broken("NdisOidDoubleComplete", "%s was given a request that is not pending", function);
}

/* IRQL <= DISPATCH_LEVEL. May come before the handler has returned NDIS_STATUS_PENDING. */
VOID NTAPI NdisMOidRequestComplete(NDIS_HANDLE MiniportAdapterHandle, PNDIS_OID_REQUEST OidRequest, NDIS_STATUS Status)
{
    complete(MiniportAdapterHandle, OidRequest, Status, false, "NdisMOidRequestComplete");
}

/* IRQL <= DISPATCH_LEVEL. */
VOID NTAPI NdisMDirectOidRequestComplete(NDIS_HANDLE MiniportAdapterHandle, PNDIS_OID_REQUEST OidRequest,
                                         NDIS_STATUS Status)
{
    complete(MiniportAdapterHandle, OidRequest, Status, true, "NdisMDirectOidRequestComplete");
}
