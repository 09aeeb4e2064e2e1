/* OID requests: one at a time to an adapter, direct ones any number
 * (learn.microsoft.com/windows-hardware/drivers/network/miniport-adapter-oid-request-serialization).
 */
#include "happens.h"
#include "io_room.h"
#include "ndis_room.h"
#include "serial.h"

#include <string.h>

#include "shadow.h"

/* A request under way. It stays readable until it is complete and the handler has returned. */
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
    bool returned; /* the handler has, with NDIS_STATUS_PENDING */
    bool complete;
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
    if (question->kind == HOST_OID_METHOD)
    {
        request->DATA.METHOD_INFORMATION.Oid = question->oid;
        request->DATA.METHOD_INFORMATION.InformationBuffer = call->buffer;
        request->DATA.METHOD_INFORMATION.InputBufferLength =
            question->data_length < question->length ? question->data_length : question->length;
        request->DATA.METHOD_INFORMATION.OutputBufferLength = question->length;
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

static void call_delete(struct oid_call *call)
{
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

static void finish(struct oid_call *call, NDIS_STATUS status)
{
    const NDIS_OID_REQUEST *request = call->request;
    const bool is_method = request->RequestType == NdisRequestMethod;
    const uint32_t information =
        is_method ? request->DATA.METHOD_INFORMATION.BytesWritten : request->DATA.QUERY_INFORMATION.BytesWritten;
    const uint32_t needed =
        is_method ? request->DATA.METHOD_INFORMATION.BytesNeeded : request->DATA.QUERY_INFORMATION.BytesNeeded;
    serial_ends(call->adapter, HOST_CALL_OID); /* a power request among them: these two never overlap */
    serial_ends(call->adapter, HOST_CALL_SET_POWER);
    happens_release(call);
    check_status(call, status);
    if (information > call->length)
        rule_broken("BUGCODE_NDIS_DRIVER",
                    "an OID request with a buffer of %u bytes was completed with %u bytes written or read (0x1D)",
                    call->length, information);
    struct host_event *event = log_event(HOST_EVENT_OID_COMPLETED, call->operation);
    event->adapter = call->adapter->id;
    event->status = (uint32_t)status;
    event->information = information;
    event->needed = needed;
    if (request->RequestType != NdisRequestSetInformation)
        log_data(event, call->buffer, information < call->length ? information : call->length);
    call->complete = true;
    shadow_forbid(request, sizeof *request);
    if (call->adapter->oid == call)
        call->adapter->oid = NULL;
    if (call->returned)
        call_delete(call);
}

static NDIS_STATUS call_handler(struct adapter *adapter, const struct oid_call *call)
{
    const NDIS_MINIPORT_DRIVER_CHARACTERISTICS *handlers = &adapter->miniport->handlers;
    struct call frame;
    NDIS_STATUS status = NDIS_STATUS_NOT_SUPPORTED;
    if (call->direct && handlers->DirectOidRequestHandler == NULL)
        return status;
    call_enter(&frame, call->direct ? "MiniportDirectOidRequest" : "MiniportOidRequest", PASSIVE_LEVEL,
               adapter->miniport->image);
    status = call->direct ? handlers->DirectOidRequestHandler(adapter->context, call->request)
                          : handlers->OidRequestHandler(adapter->context, call->request);
    call_leave(&frame);
    return status;
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
    const NDIS_STATUS status = call_handler(adapter, call);
    call->returned = true;
    if (status != NDIS_STATUS_PENDING)
    {
        if (call->complete)
            rule_broken("NdisOidDoubleComplete", "an OID request was completed and 0x%08X returned for it as well",
                        (unsigned)status);
        else
        {
            finish(call, status);
            return true;
        }
    }
    if (call->complete)
    {
        happens_acquire(call);
        call_delete(call);
    }
    return true;
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
