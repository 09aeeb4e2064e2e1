/* Sends: the protocol binding above an adapter builds NET_BUFFER_LISTs, lends them to the miniport, and takes each back
 * exactly once, as it was but for its status
 * (learn.microsoft.com/windows-hardware/drivers/ddi/ndis/nc-ndis-miniport_send_net_buffer_lists).
 *
 * The usual NBL is one slab object: list, buffer and MDL together, copied from a template. Only further NET_BUFFERs,
 * data over several MDLs and data that cannot be mapped take more.
 */
#include "depend.h"
#include "io_room.h"
#include "ndis_room.h"
#include "serial.h"

#include <string.h>

/* What of an NBL that came back is poisoned: all that drivers use, up to the out-of-band information. */
#define POISONED offsetof(NET_BUFFER_LIST, NetBufferListInfo)

/* What NBL.Status holds when the miniport gets it: no status that anyone would set. */
#define STATUS_NEVER_SET ((NDIS_STATUS)0x5A5A5A5A)

/* The packets of one Send: they stay until its last NBL is back. */
struct sent_data
{
    uint32_t users;
    uint32_t padding[3];
    uint8_t bytes[];
};

struct sent_nbl
{
    NET_BUFFER_LIST nbl;
    NET_BUFFER nb; /* the first */
    MDL mdl;       /* the first one's, where it has one that can be mapped */
    struct adapter *adapter;
    struct sent_data *data;
    uint32_t operation;
    uint32_t index;
    uint32_t call;   /* the number of the call that it came with last */
    uint32_t length; /* of all NBs: what the miniport must leave as it is */
    uint32_t nb_count;
    bool again;   /* to be sent once more when it comes back */
    bool overdue; /* which was said */
    uint64_t lent_at;
};

/* A call of MiniportSendNetBufferLists under way, on the stack of the actor that makes it. */
struct send_call
{
    struct send_call *next;
    uint32_t number;
};

struct sent_nb
{
    NET_BUFFER nb;
    MDL mdl;
};

_Static_assert(offsetof(struct sent_nbl, nb) == sizeof(NET_BUFFER_LIST), "one clearing is enough for both");
_Static_assert(offsetof(struct sent_nbl, nbl) == 0 && offsetof(struct sent_nb, nb) == 0, "addresses are the same");

/* Where the packets of an operation come from, one after another. */
struct send_build
{
    struct adapter *adapter;
    const struct host_operation *operation;
    struct sent_data *data;
    uint8_t *next; /* where the next bytes go */
    NET_BUFFER_LIST *first;
    NET_BUFFER_LIST **last;
};

static const struct slab *sent_slab(void)
{
    return &current_host->ndis->sent_slab;
}

bool send_room_open(struct ndis_room *room)
{
    slab_initialize(&room->sent_slab, "a NET_BUFFER_LIST of the stack", sizeof(struct sent_nbl), POISONED);
    slab_initialize(&room->sent_nb_slab, "a NET_BUFFER of the stack", sizeof(struct sent_nb), sizeof(struct sent_nb));
    return true;
}

/* Of the packets that lie one behind the other. */
static uint64_t packets_length(const struct host_operation *operation)
{
    uint64_t length = 0;
    for (uint32_t packet = 0; packet < operation->packet_count; packet++)
        length += operation->packet_sizes[packet];
    return length;
}

/* Room for every packet, and what lies unused before it. */
static uint64_t bytes_needed(const struct host_operation *operation)
{
    uint64_t needed = packets_length(operation);
    for (uint32_t list = 0; list < operation->nbl_count; list++)
        for (uint32_t buffer = 0; buffer < operation->nbls[list].nb_count; buffer++)
        {
            const struct host_nb *nb = &operation->nbls[list].nbs[buffer];
            needed += (uint64_t)nb->length + nb->data_offset;
        }
    return needed;
}

static void init_nb(NET_BUFFER *nb, MDL *chain, uint32_t data_offset, uint32_t length)
{
    nb->Next = NULL;
    nb->MdlChain = chain;
    nb->DataOffset = data_offset;
    nb->stDataLength = length;
    nb->CurrentMdlOffset = data_offset;
    while (chain != NULL && nb->CurrentMdlOffset >= chain->ByteCount && chain->Next != NULL)
    {
        nb->CurrentMdlOffset -= chain->ByteCount;
        chain = chain->Next;
    }
    nb->CurrentMdl = chain;
}

static const int16_t MAPPED = MDL_SOURCE_IS_NONPAGED_POOL | MDL_NETWORK_HEADER;

/* MDLs of at most `step` bytes over `length` bytes. NULL, with nothing left behind, when there is no memory. */
static MDL *chain_new(uint8_t *bytes, uint32_t length, uint32_t step, bool unmapped)
{
    MDL *first = NULL;
    MDL **place = &first;
    for (uint32_t done = 0; done < length || first == NULL; place = &(*place)->Next)
    {
        const uint32_t part = length - done < step ? length - done : step;
        *place = mdl_new(bytes + done, part, unmapped ? MDL_PAGES_LOCKED : MAPPED, unmapped);
        if (*place == NULL)
            break;
        done += part;
        if (done < length)
            continue;
        return first;
    }
    while (first != NULL)
    {
        MDL *next = first->Next;
        mdl_delete(first);
        first = next;
    }
    return NULL;
}

static void chain_delete(MDL *chain, const MDL *own)
{
    while (chain != NULL && chain != own)
    {
        MDL *next = chain->Next;
        mdl_delete(chain);
        chain = next;
    }
}

/* Puts the bytes of one NET_BUFFER, which is all zero yet, behind those before and describes them. `own` is the MDL to
 * use where one will do. */
static bool build_nb(struct send_build *build, NET_BUFFER *nb, MDL *own, const struct host_nb *wanted)
{
    uint8_t *bytes = build->next;
    if (wanted->data_offset != 0)
        memset(bytes, 0x11, wanted->data_offset);
    if (wanted->length != 0)
        memcpy(bytes + wanted->data_offset, wanted->data, wanted->length);
    const uint32_t total = wanted->data_offset + wanted->length;
    build->next += total;
    nb->NdisPoolHandle = build->adapter;
    MDL *chain = own;
    if (wanted->unmapped || (wanted->mdl_size != 0 && wanted->mdl_size < total))
        chain = chain_new(bytes, total, wanted->mdl_size == 0 ? UINT32_MAX : wanted->mdl_size, wanted->unmapped != 0);
    else
        mdl_initialize(own, bytes, total, MAPPED);
    init_nb(nb, chain, wanted->data_offset, wanted->length);
    return chain != NULL;
}

static struct sent_nbl *list_new(struct send_build *build, uint32_t index, uint64_t cancel_id)
{
    struct sent_nbl *item = slab_take(&current_host->ndis->sent_slab);
    if (item == NULL)
        return NULL;
    slab_clear(&item->nbl, offsetof(struct sent_nbl, mdl)); /* the first NB too */
    item->nbl.Status = STATUS_NEVER_SET;
    item->nbl.SourceHandle = build->adapter;
    item->nbl.NdisPoolHandle = build->adapter;
    item->nbl.NetBufferListInfo[NetBufferListCancelId] = (void *)(uintptr_t)cancel_id;
    item->adapter = build->adapter;
    item->data = build->data;
    item->operation = build->operation->id;
    item->index = index;
    item->call = build->adapter->send_count + 1;
    item->length = 0;
    item->nb_count = 0;
    item->again = (build->operation->flags & HOST_FLAG_SEND_AGAIN) != 0;
    item->overdue = false;
    item->lent_at = clock_now();
    build->data->users++;
    *build->last = &item->nbl;
    build->last = &item->nbl.Next;
    return item;
}

static void item_free(struct sent_nbl *item)
{
    NET_BUFFER *next = NULL;
    NET_BUFFER *nb = item->nb_count == 0 ? NULL : &item->nb;
    for (uint32_t count = 0; count < item->nb_count; count++, nb = next)
    {
        next = nb->Next;
        if (nb == &item->nb)
            chain_delete(nb->MdlChain, &item->mdl);
        else
        {
            chain_delete(nb->MdlChain, &((struct sent_nb *)(void *)nb)->mdl);
            slab_give(&current_host->ndis->sent_nb_slab, nb);
        }
    }
    if (--item->data->users == 0)
        arena_free(BLOCK_CLIENT, item->data, 0, "NDIS");
    slab_poison(&item->nb, offsetof(NET_BUFFER, ChecksumBias));
    slab_give(&current_host->ndis->sent_slab, item);
}

static bool build_list(struct send_build *build, uint32_t index)
{
    const struct host_nbl *wanted = &build->operation->nbls[index];
    struct sent_nbl *item = list_new(build, index, wanted->cancel_id);
    if (item == NULL)
        return false;
    NET_BUFFER **place = &item->nbl.FirstNetBuffer;
    for (uint32_t number = 0; number < wanted->nb_count; number++)
    {
        struct sent_nb *more = number == 0 ? NULL : slab_take(&current_host->ndis->sent_nb_slab);
        if (number != 0 && more == NULL)
            return false;
        if (more != NULL)
            slab_clear(&more->nb, sizeof more->nb);
        NET_BUFFER *nb = number == 0 ? &item->nb : &more->nb;
        const bool good = build_nb(build, nb, number == 0 ? &item->mdl : &more->mdl, &wanted->nbs[number]);
        *place = nb;
        place = &nb->Next;
        item->nb_count++;
        item->length += wanted->nbs[number].length;
        if (!good)
            return false;
    }
    return true;
}

/* The usual NBL, whose packet lies where the next bytes go already. */
static bool build_packet(struct send_build *build, uint32_t index)
{
    const uint32_t length = build->operation->packet_sizes[index];
    struct sent_nbl *item = list_new(build, index, 0);
    if (item == NULL)
        return false;
    item->nb_count = 1;
    item->length = length;
    item->nbl.FirstNetBuffer = &item->nb;
    item->nb.NdisPoolHandle = build->adapter;
    mdl_initialize(&item->mdl, build->next, length, MAPPED);
    init_nb(&item->nb, &item->mdl, 0, length);
    build->next += length;
    return true;
}

/* All NBLs of the operation, in order. False: no memory, and nothing stays. */
static bool build_all(struct send_build *build)
{
    const struct host_operation *operation = build->operation;
    bool good = true;
    for (uint32_t index = 0; good && index < operation->nbl_count; index++)
        good = build_list(build, index);
    if (good && operation->packet_count != 0)
        memcpy(build->next, operation->packets, packets_length(operation));
    for (uint32_t index = 0; good && index < operation->packet_count; index++)
        good = build_packet(build, index);
    if (good)
        return true;
    while (build->first != NULL)
    {
        struct sent_nbl *item = (struct sent_nbl *)(void *)build->first;
        build->first = build->first->Next;
        item_free(item);
    }
    return false;
}

static void call_send(struct adapter *adapter, NET_BUFFER_LIST *first, bool at_dispatch)
{
    struct call call;
    struct send_call mine = {adapter->sends, ++adapter->send_count};
    adapter->sends = &mine;
    depend(&adapter->nbls_owned, DEPEND_READ); /* counted up here, down later: whoever asks for the count writes */
    call_enter(&call, "MiniportSendNetBufferLists", at_dispatch ? DISPATCH_LEVEL : PASSIVE_LEVEL,
               adapter->miniport->image);
    const bool dispatch = actor_current()->irql == DISPATCH_LEVEL;
    adapter->miniport->handlers.SendNetBufferListsHandler(adapter->context, first, NDIS_DEFAULT_PORT_NUMBER,
                                                          dispatch ? NDIS_SEND_FLAGS_DISPATCH_LEVEL : 0);
    call_leave(&call);
    struct send_call **place = &adapter->sends;
    while (*place != &mine)
        place = &(*place)->next;
    *place = mine.next;
    depend(&adapter->nbls_owned, DEPEND_READ);
    serial_ends(adapter, HOST_CALL_SEND);
}

/* IRQL <= DISPATCH_LEVEL. */
bool send_packets(struct adapter *adapter, const struct host_operation *operation)
{
    const uint32_t count = operation->nbl_count + operation->packet_count;
    if (count == 0)
        return true;
    struct send_build build = {.adapter = adapter, .operation = operation};
    build.data = arena_allocate(BLOCK_CLIENT, sizeof *build.data + bytes_needed(operation), 0, "the stack");
    if (build.data == NULL)
        return false;
    build.data->users = 1; /* ours, while the list is built */
    build.next = build.data->bytes;
    build.last = &build.first;
    const bool good = build_all(&build);
    if (--build.data->users == 0)
        arena_free(BLOCK_CLIENT, build.data, 0, "NDIS");
    if (!good)
        return false;
    if (adapter->nbls_owned == 0)
        adapter->progress_at = clock_now();
    adapter->nbls_owned += count;
    call_send(adapter, build.first, (operation->flags & HOST_FLAG_AT_DISPATCH) != 0);
    return true;
}

/* IRQL <= DISPATCH_LEVEL. */
void send_cancel(struct adapter *adapter, uint64_t cancel_id, bool at_dispatch)
{
    struct call call;
    call_enter(&call, "MiniportCancelSend", at_dispatch ? DISPATCH_LEVEL : PASSIVE_LEVEL, adapter->miniport->image);
    adapter->miniport->handlers.CancelSendHandler(adapter->context, (void *)(uintptr_t)cancel_id);
    call_leave(&call);
    serial_ends(adapter, HOST_CALL_CANCEL_SEND);
}

static bool status_is_allowed(NDIS_STATUS status)
{
    switch (status)
    {
    case NDIS_STATUS_SUCCESS:
    case NDIS_STATUS_INVALID_LENGTH:
    case NDIS_STATUS_RESOURCES:
    case NDIS_STATUS_PAUSED:
    case NDIS_STATUS_SEND_ABORTED:
    case NDIS_STATUS_RESET_IN_PROGRESS:
    case NDIS_STATUS_FAILURE:
    case NDIS_STATUS_LOW_POWER_STATE:
    case NDIS_STATUS_MEDIA_DISCONNECTED:
        return true;
    default:
        return false;
    }
}

/* Whether the buffers of an NBL are the ones that it was sent with; restores what can be restored, so that they can be
 * freed. */
static void check_unchanged(struct sent_nbl *item)
{
    if (item->nb_count == 1 && item->nbl.FirstNetBuffer == &item->nb && item->nb.Next == NULL &&
        item->nb.DataLength == item->length)
        return; /* nearly every one */
    NET_BUFFER *expected = item->nb_count == 0 ? NULL : &item->nb;
    uint64_t length = 0;
    uint32_t count = 0;
    bool same = item->nbl.FirstNetBuffer == expected;
    for (NET_BUFFER *nb = expected; nb != NULL && count < item->nb_count; nb = nb->Next)
    {
        if (count != 0 && slab_live(&current_host->ndis->sent_nb_slab, nb) == NULL)
            break;
        length += nb->DataLength;
        count++;
        if (count == item->nb_count)
            same = same && nb->Next == NULL;
    }
    if (same && count == item->nb_count && length == item->length)
        return;
    rule_broken("NblModified",
                "NBL %u of the send came back with other NET_BUFFERs, or other data in them, than it was "
                "sent with",
                item->index);
    item->nb_count = count;
}

static void check_status(const struct sent_nbl *item)
{
    const NDIS_STATUS status = item->nbl.Status;
    if (status == STATUS_NEVER_SET)
        rule_broken("NblStatus", "NBL %u of the send was completed and its Status never set", item->index);
    else if (!status_is_allowed(status))
        rule_broken("NblStatus",
                    "NBL %u of the send was completed with status 0x%08X, which a miniport does not give a send",
                    item->index, (unsigned)status);
}

/* Neighbours of one send with one status, given back in one operation, make one event; not for a gate, which reads each
 * event once. */
static void log_completion(const struct sent_nbl *item, bool again)
{
    const struct log *log = &current_host->log;
    struct host_event *last = log->count == log->sealed ? NULL : &log->storage->events[log->count - 1];
    const uint32_t status = (uint32_t)item->nbl.Status;
    if (last != NULL && current_host->gate == NULL && last->kind == HOST_EVENT_NBL_COMPLETED &&
        last->operation == item->operation && last->status == status && last->value == again &&
        last->index + last->count == item->index)
    {
        last->count++;
        return;
    }
    struct host_event *event = log_event(HOST_EVENT_NBL_COMPLETED, item->operation);
    event->adapter = item->adapter->id;
    event->index = item->index;
    event->count = 1;
    event->status = status;
    event->value = again;
}

/* One NBL of a completed chain that is really ours and lent. Returns whether it is to be sent again. */
static bool take_back(struct adapter *adapter, struct sent_nbl *item)
{
    depend(&adapter->nbls_owned, DEPEND_READ);
    depend(&adapter->state, DEPEND_READ);
    depend(depend_name(adapter->id, DEPEND_BOOKS), DEPEND_READ);
    depend(depend_name(adapter->id, DEPEND_NBLS), DEPEND_WRITE);
    check_unchanged(item);
    check_status(item);
    adapter->progress_at = clock_now();
    const bool again = item->again && !adapter->ending && !adapter->sending_again;
    log_completion(item, again);
    if (again)
    {
        item->again = false;
        item->nbl.Next = NULL;
        item->nbl.Status = STATUS_NEVER_SET;
        item->lent_at = adapter->progress_at;
        item->call = adapter->send_count + 1;
        return true;
    }
    adapter->nbls_owned--;
    item_free(item);
    return false;
}

/* IRQL <= DISPATCH_LEVEL, no lock held: the protocol may send again from its completion handler. */
VOID NTAPI NdisMSendNetBufferListsComplete(NDIS_HANDLE MiniportAdapterHandle, PNET_BUFFER_LIST NetBufferList,
                                           ULONG SendCompleteFlags)
{
    static const char function[] = "NdisMSendNetBufferListsComplete";
    check_call_up(function, "Irql_SendRcv_Function",
                  (SendCompleteFlags & NDIS_SEND_COMPLETE_FLAGS_DISPATCH_LEVEL) != 0);
    schedule_point(POINT_SIGNAL, NetBufferList);
    struct adapter *adapter = adapter_of(MiniportAdapterHandle, function);
    if (adapter == NULL)
        return;
    if (NetBufferList == NULL)
        rule_broken("BUGCODE_NDIS_DRIVER", "%s was given no NET_BUFFER_LIST", function);
    if ((SendCompleteFlags & ~(ULONG)NDIS_SEND_COMPLETE_FLAGS_DISPATCH_LEVEL) != 0)
        rule_broken("BUGCODE_NDIS_DRIVER",
                    "%s was given the SendCompleteFlags 0x%X: all but the one for DISPATCH_LEVEL are for extensible "
                    "switches",
                    function, SendCompleteFlags);
    serial_ends(adapter, HOST_CALL_SEND);
    NET_BUFFER_LIST *next = NULL;
    for (NET_BUFFER_LIST *nbl = NetBufferList; nbl != NULL; nbl = next)
    {
        struct sent_nbl *item = (struct sent_nbl *)(void *)nbl;
        if (slab_live(sent_slab(), nbl) == NULL || item->adapter != adapter)
        {
            rule_broken("NblOwnership",
                        slab_free(sent_slab(), nbl) != NULL
                            ? "%s was given an NBL that was completed already"
                            : "%s was given something that is no NBL sent to this adapter",
                        function);
            break;
        }
        next = nbl->Next;
        if (!take_back(adapter, item))
            continue;
        adapter->sending_again = true;
        call_send(adapter, nbl, false);
        adapter->sending_again = false;
    }
}

/* A send that began before a pause may not have got as far as the driver's own account of it: what came with it is not
 * yet the driver's to give back.
 */
static bool is_inside(const struct sent_nbl *item)
{
    const struct send_call *call = item->adapter->sends;
    while (call != NULL && call->number != item->call)
        call = call->next;
    return call != NULL;
}

struct left_behind
{
    const struct adapter *adapter;
    uint32_t count;
};

static void count_left_behind(void *object, void *context)
{
    const struct sent_nbl *item = object;
    struct left_behind *left = context;
    left->count += item->adapter == left->adapter && !is_inside(item);
}

uint32_t send_left_behind(const struct adapter *adapter)
{
    if (adapter->sends == NULL)
        return adapter->nbls_owned;
    struct left_behind left = {adapter, 0};
    slab_visit(sent_slab(), count_left_behind, &left);
    return left.count;
}

static void look_at_age(void *object, void *context)
{
    (void)context;
    struct sent_nbl *item = object;
    if (item->overdue || clock_now() - item->lent_at < NDIS_SEND_LIMIT)
        return;
    item->overdue = true;
    current_host->operation = item->operation;
    rule_broken("NdisTimedDataSend", "NBL %u of the send was not completed within %u seconds", item->index,
                (unsigned)(NDIS_SEND_LIMIT / CLOCK_SECOND));
}

void send_check_time(void)
{
    slab_visit(sent_slab(), look_at_age, NULL);
}

void send_forget(struct adapter *adapter)
{
    if (adapter->nbls_owned != 0)
        rule_broken("BUGCODE_NDIS_DRIVER",
                    "MiniportHaltEx returned with %u sent NET_BUFFER_LISTs not completed (0x27 LEAKED_NBL)",
                    adapter->nbls_owned);
    adapter->nbls_owned = 0;
}
