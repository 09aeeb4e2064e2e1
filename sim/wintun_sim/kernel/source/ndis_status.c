/* Status indications: what a miniport tells the layers above about itself
 * (learn.microsoft.com/windows-hardware/drivers/ddi/ndis/nf-ndis-ndismindicatestatusex). Only the link state means
 * anything to this stack.
 */
#include "depend.h"
#include "ndis_room.h"

static bool check_header(const NDIS_STATUS_INDICATION *indication)
{
    const NDIS_OBJECT_HEADER *header = &indication->Header;
    if (header->Type == NDIS_OBJECT_TYPE_STATUS_INDICATION && header->Revision >= NDIS_STATUS_INDICATION_REVISION_1 &&
        header->Size >= NDIS_SIZEOF_STATUS_INDICATION_REVISION_1)
        return true;
    rule_broken("BUGCODE_NDIS_DRIVER",
                "NDIS_STATUS_INDICATION has a header of type 0x%02X, revision %u and size %u (0x20)", header->Type,
                header->Revision, header->Size);
    return false;
}

/* The same link state twice is no harm to Windows, but says that the miniport does not know what it indicated. */
static void indicate_link(struct adapter *adapter, const NDIS_STATUS_INDICATION *indication)
{
    const NDIS_LINK_STATE *link = indication->StatusBuffer;
    if (link == NULL || indication->StatusBufferSize < NDIS_SIZEOF_LINK_STATE_REVISION_1 ||
        link->Header.Type != NDIS_OBJECT_TYPE_DEFAULT || link->Header.Revision < NDIS_LINK_STATE_REVISION_1 ||
        link->Header.Size < NDIS_SIZEOF_LINK_STATE_REVISION_1)
    {
        rule_broken("BUGCODE_NDIS_DRIVER",
                    "NDIS_STATUS_LINK_STATE was indicated without a valid NDIS_LINK_STATE (0x20)");
        return;
    }
    const int8_t connected = link->MediaConnectState == MediaConnectStateConnected;
    if (adapter->link == connected)
        rule_broken("LinkStateDuplicate", "the link state %s was indicated twice in a row",
                    connected ? "Connected" : "Disconnected");
    adapter->link = connected;
    adapter->told.link_duplex_state = link->MediaDuplexState;
    adapter->told.link_send_speed = link->XmitLinkSpeed;
    adapter->told.link_receive_speed = link->RcvLinkSpeed;
    adapter->told.link_pause_functions = link->PauseFunctions;
    adapter->told.link_negotiation = link->AutoNegotiationFlags;
    depend(depend_name(adapter->id, DEPEND_LINKS), DEPEND_WRITE);
    struct host_event *event = log_event(HOST_EVENT_LINK, actor_current()->operation);
    event->adapter = adapter->id;
    event->value = (uint32_t)connected;
}

/* IRQL <= DISPATCH_LEVEL, after the registration attributes were set and until MiniportHaltEx returns. */
VOID NTAPI NdisMIndicateStatusEx(NDIS_HANDLE MiniportAdapterHandle, PNDIS_STATUS_INDICATION StatusIndication)
{
    static const char function[] = "NdisMIndicateStatusEx";
    check_call_up(function, "Irql_StatusIndication_Function", false);
    schedule_point(POINT_SIGNAL, MiniportAdapterHandle);
    struct adapter *adapter = NULL;
    for (struct adapter *other = current_host->ndis->adapters; other != NULL; other = other->next)
        if (other == MiniportAdapterHandle)
            adapter = other;
    if (adapter == NULL || !adapter->has_registration)
    {
        rule_broken("NdisMIndicateStatusEx",
                    adapter == NULL ? "%s was called for an adapter that is halted, or never was"
                                    : "%s was called before the registration attributes were set",
                    function);
        return;
    }
    if (!check_header(StatusIndication))
        return;
    if (StatusIndication->SourceHandle != adapter)
        rule_broken("NdisMIndicateStatusEx", "%s was given a SourceHandle that is not the adapter's handle", function);
    if (StatusIndication->StatusCode == NDIS_STATUS_LINK_STATE)
        indicate_link(adapter, StatusIndication);
}
