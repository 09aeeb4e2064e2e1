/* Receives: the miniport indicates NET_BUFFER_LISTs, the stack takes the packets out of them, and gives the lists back:
 * at the indication's return when NDIS_RECEIVE_FLAGS_RESOURCES is set, else through MiniportReturnNetBufferLists
 * (learn.microsoft.com/windows-hardware/drivers/ddi/ndis/nf-ndis-ndismindicatereceivenetbufferlists).
 *
 * This stack gives lists that it may keep back at once, from within the indication, which is the hardest that it may
 * do; a Write with HOST_FLAG_HOLD makes it keep them until the operation's end.
 */
#include "depend.h"
#include "io_room.h"
#include "ndis_room.h"
#include "rule_fast.h"

struct indication
{
    struct adapter *adapter;
    struct request *request; /* the client's write that it comes from, NULL if there is none any more */
    bool resources;
    uint32_t count;
};

void check_call_up(const char *function, const char *irql_rule, bool says_dispatch)
{
    check_at_most_dispatch(irql_rule, function);
    check_no_spin_lock("CompletionUnderLock", function);
    if (says_dispatch && actor_current()->irql != DISPATCH_LEVEL)
        rule_broken("Flags_Irql", "%s was told that it is called at DISPATCH_LEVEL, which it is not", function);
}

/* Whether the client asked the stack to refuse the packet at this position of its write. */
static bool is_rejected(const struct request *request, uint32_t position)
{
    if (request == NULL)
        return false;
    uint32_t low = 0;
    uint32_t high = request->rejected_count;
    while (low < high)
    {
        const uint32_t middle = low + (high - low) / 2;
        if (request->rejected[middle] < position)
            low = middle + 1;
        else
            high = middle;
    }
    return low < request->rejected_count && request->rejected[low] == position;
}

/* Puts a NET_BUFFER's data into the log; false when its MDLs do not have as many bytes as it says. */
static bool log_packet(const NET_BUFFER *nb, uint64_t *offset)
{
    const MDL *mdl = nb->CurrentMdl;
    const uint32_t length = nb->DataLength;
    const bool in_place = mdl != NULL && mdl->MdlFlags & (MDL_SOURCE_IS_NONPAGED_POOL | MDL_MAPPED_TO_SYSTEM_VA) &&
                          nb->CurrentMdlOffset <= mdl->ByteCount && length <= mdl->ByteCount - nb->CurrentMdlOffset;
    if (in_place)
    {
        *offset = log_bytes((const uint8_t *)mdl->MappedSystemVa + nb->CurrentMdlOffset, length);
        return true;
    }
    *offset = log_bytes(NULL, length);
    return net_buffer_copy(nb, length, log_bytes_at(*offset));
}

static void receive_packet(const struct indication *indication, const NET_BUFFER *nb)
{
    uint64_t offset = 0;
    const bool good = log_packet(nb, &offset);
    if (!good)
        rule_broken("ReceiveIndication", "a received NET_BUFFER says that it has %u bytes, which its MDLs do not have",
                    nb->DataLength);
    depend(depend_name(indication->adapter->id, DEPEND_PACKETS), DEPEND_WRITE);
    struct host_event *event = log_event(HOST_EVENT_PACKET, actor_current()->operation);
    event->adapter = indication->adapter->id;
    event->data = offset;
    event->data_length = good ? nb->DataLength : 0;
}

/* Where NDIS takes no packets. A shutdown waits for nothing, so what was under way may still come. */
static void check_state(const struct adapter *adapter, const char *function)
{
    if (adapter->state == ADAPTER_HALTED || adapter->state == ADAPTER_INITIALIZING || adapter->state == ADAPTER_PAUSED)
        rule_broken("ReceiveIndication", "%s was called for an adapter that is %s", function,
                    adapter_state_name(adapter->state));
}

/* On a medium without link headers the stack knows by the NBL's flag and frame type whose packet it is; the two must
 * agree. What the packet itself says is not compared: its client may have changed it meanwhile. */
static void check_protocol(const struct adapter *adapter, const NET_BUFFER_LIST *nbl)
{
    const uintptr_t type = (uintptr_t)nbl->NetBufferListInfo[NetBufferListFrameType];
    const uint32_t flags = nbl->NblFlags & (NDIS_NBL_FLAGS_IS_IPV4 | NDIS_NBL_FLAGS_IS_IPV6);
    const bool is_ipv4 = flags == NDIS_NBL_FLAGS_IS_IPV4 && type == 0x0008; /* in the order of the wire */
    const bool is_ipv6 = flags == NDIS_NBL_FLAGS_IS_IPV6 && type == 0xDD86;
    if (adapter->told.media_type == NdisMediumIP && !is_ipv4 && !is_ipv6)
        rule_broken("ReceiveIndication",
                    "a received NET_BUFFER_LIST of an IP interface has the flags 0x%X and the frame type 0x%zX, which "
                    "do not say together that it is IPv4 or IPv6",
                    (unsigned)flags, (size_t)type);
    if ((nbl->NblFlags & NDIS_NBL_FLAGS_SEND_READ_ONLY) != 0)
        rule_broken("ReceiveIndication", "a received NET_BUFFER_LIST has the flag NDIS_NBL_FLAGS_SEND_READ_ONLY, which "
                                         "is for those that are sent");
}

/* Takes the packets out of one NBL. */
static void receive_list(struct indication *indication, NET_BUFFER_LIST *nbl)
{
    if (nbl->SourceHandle != indication->adapter)
        rule_broken("ReceiveIndication",
                    "a received NET_BUFFER_LIST has another SourceHandle than the adapter's handle");
    check_protocol(indication->adapter, nbl);
    if (nbl->FirstNetBuffer == NULL)
        rule_broken("ReceiveIndication", "a received NET_BUFFER_LIST has no NET_BUFFER");
    for (const NET_BUFFER *nb = nbl->FirstNetBuffer; nb != NULL; nb = nb->Next)
    {
        const uint32_t position = indication->request == NULL ? 0 : indication->request->packets++;
        if (is_rejected(indication->request, position))
            nbl->Status = NDIS_STATUS_FAILURE;
        receive_packet(indication, nb);
    }
}

static void call_return(struct adapter *adapter, NET_BUFFER_LIST *first)
{
    depend(&adapter->nbls_owned, DEPEND_READ);
    struct call call;
    call_enter(&call, "MiniportReturnNetBufferLists", PASSIVE_LEVEL, adapter->miniport->image);
    const bool dispatch = actor_current()->irql == DISPATCH_LEVEL;
    adapter->miniport->handlers.ReturnNetBufferListsHandler(adapter->context, first,
                                                            dispatch ? NDIS_RETURN_FLAGS_DISPATCH_LEVEL : 0);
    call_leave(&call);
}

/* The NBLs of a chain, as far as it was taken, are the miniport's own again; `count` goes down by one for each. */
static void own_again(NET_BUFFER_LIST *first, uint32_t *count)
{
    for (NET_BUFFER_LIST *nbl = first; nbl != NULL && *count != 0; nbl = nbl->Next, --*count)
    {
        struct pool_nbl *item = pool_nbl_of(nbl);
        if (item == NULL)
            return;
        pool_nbl_set_out(item, false);
    }
}

/* Hands a chain back to the miniport: from here its own again. */
static void give_back(struct adapter *adapter, NET_BUFFER_LIST *first)
{
    own_again(first, &adapter->nbls_out);
    call_return(adapter, first);
}

/* Keeps a chain until nothing else happens: it is linked behind what this adapter's stack keeps already. */
static void keep(struct adapter *adapter, NET_BUFFER_LIST *first)
{
    NET_BUFFER_LIST **place = &adapter->kept;
    while (*place != NULL)
        place = &(*place)->Next;
    *place = first;
}

bool receive_has_kept(void)
{
    const struct adapter *adapter = current_host->ndis->adapters;
    while (adapter != NULL && (adapter->kept == NULL || adapter->keeps))
        adapter = adapter->next;
    return adapter != NULL;
}

void receive_keep_no_longer(void)
{
    for (struct adapter *adapter = current_host->ndis->adapters; adapter != NULL; adapter = adapter->next)
        adapter->keeps = false;
}

void receive_return_kept(void *unused)
{
    (void)unused;
    for (struct adapter *adapter = current_host->ndis->adapters; adapter != NULL; adapter = adapter->next)
    {
        if (adapter->keeps)
            continue;
        NET_BUFFER_LIST *first = adapter->kept;
        adapter->kept = NULL;
        if (first != NULL)
            give_back(adapter, first);
    }
}

/* The chain up to the first NBL that cannot be indicated; what follows is left to the driver. */
static uint32_t take_chain(struct indication *indication, NET_BUFFER_LIST *first, const char *function)
{
    uint32_t count = 0;
    for (NET_BUFFER_LIST *nbl = first; nbl != NULL; nbl = nbl->Next)
    {
        struct pool_nbl *item = pool_nbl_of(nbl);
        if (item == NULL || pool_nbl_is_out(item))
        {
            rule_broken("NblOwnership",
                        item == NULL ? "%s was given something that is no allocated NET_BUFFER_LIST of a pool"
                                     : "%s was given an NBL that was indicated already and not returned yet",
                        function);
            break;
        }
        pool_nbl_set_out(item, true);
        receive_list(indication, nbl);
        count++;
    }
    return count;
}

/* IRQL <= DISPATCH_LEVEL, no lock held. */
VOID NTAPI NdisMIndicateReceiveNetBufferLists(NDIS_HANDLE MiniportAdapterHandle, PNET_BUFFER_LIST NetBufferList,
                                              NDIS_PORT_NUMBER PortNumber, ULONG NumberOfNetBufferLists,
                                              ULONG ReceiveFlags)
{
    static const char function[] = "NdisMIndicateReceiveNetBufferLists";
    check_call_up(function, "Irql_SendRcv_Function", (ReceiveFlags & NDIS_RECEIVE_FLAGS_DISPATCH_LEVEL) != 0);
    schedule_point(POINT_SIGNAL, MiniportAdapterHandle);
    struct adapter *adapter = adapter_of(MiniportAdapterHandle, function);
    if (adapter == NULL)
        return;
    check_state(adapter, function);
    if (PortNumber != NDIS_DEFAULT_PORT_NUMBER)
        rule_broken("ReceiveIndication", "%s was given port %u, which was never allocated", function, PortNumber);
    struct indication indication = {.adapter = adapter,
                                    .request = request_find(actor_current()->operation),
                                    .resources = (ReceiveFlags & NDIS_RECEIVE_FLAGS_RESOURCES) != 0};
    depend(&adapter->state, DEPEND_READ);
    depend(&adapter->nbls_owned, DEPEND_READ);
    depend(&adapter->hold_operation, DEPEND_READ);
    adapter->indications_inside++;
    const uint32_t count = take_chain(&indication, NetBufferList, function);
    if (count != NumberOfNetBufferLists || count == 0)
        rule_broken("ReceiveIndication", "%s was told of %u NET_BUFFER_LISTs and given %u", function,
                    NumberOfNetBufferLists, count);
    schedule_point(POINT_SIGNAL, MiniportAdapterHandle); /* the stack is done: others may have gone on meanwhile */
    depend(&adapter->nbls_owned, DEPEND_READ);
    adapter->indications_inside--;
    if (indication.resources)
    {
        uint32_t taken = count;
        own_again(NetBufferList, &taken);
        return;
    }
    if (count == 0)
        return;
    adapter->nbls_out += count;
    if (adapter->hold_operation == actor_current()->operation)
        keep(adapter, NetBufferList);
    else
        give_back(adapter, NetBufferList);
}
