/* Status indications: what a miniport tells the layers above about itself
 * (learn.microsoft.com/windows-hardware/drivers/ddi/ndis/nf-ndis-ndismindicatestatusex). Only the link state means
 * anything to this stack.
 */
#include "depend.h"
#include "ndis_header.h"
#include "ndis_room.h"

static const struct object_form INDICATION = {
    .name = "NDIS_STATUS_INDICATION",
    .type = NDIS_OBJECT_TYPE_STATUS_INDICATION,
    .parameter = 0x20,
    .whole = sizeof(NDIS_STATUS_INDICATION),
    .revisions = {{NDIS_RUNTIME_VERSION_60, NDIS_SIZEOF_STATUS_INDICATION_REVISION_1}}};

static const struct object_form LINK_STATE = {
    .name = "NDIS_LINK_STATE",
    .type = NDIS_OBJECT_TYPE_DEFAULT,
    .parameter = 0x20,
    .whole = sizeof(NDIS_LINK_STATE),
    .revisions = {{NDIS_RUNTIME_VERSION_60, NDIS_SIZEOF_LINK_STATE_REVISION_1}}};

/* This stack's OIDs ask for no indications, and its adapters have no ports but the default one. */
static void check_unasked(const NDIS_STATUS_INDICATION *indication)
{
    if (indication->PortNumber != 0 || indication->Flags != 0)
        rule_broken("NdisMIndicateStatusEx",
                    "NDIS_STATUS_INDICATION has the PortNumber %u and the Flags 0x%X: there is no such port, and the "
                    "flags are NDIS' own",
                    indication->PortNumber, indication->Flags);
    if (indication->DestinationHandle != NULL || indication->RequestId != NULL)
        rule_broken("NdisMIndicateStatusEx",
                    "NDIS_STATUS_INDICATION has a DestinationHandle or a RequestId, but no OID request asked for it");
}

/* The same link state twice is no harm to Windows, but says that the miniport does not know what it indicated. */
static void indicate_link(struct adapter *adapter, const NDIS_STATUS_INDICATION *indication)
{
    const NDIS_LINK_STATE *link = indication->StatusBuffer;
    if (link == NULL || indication->StatusBufferSize < NDIS_SIZEOF_LINK_STATE_REVISION_1)
    {
        rule_broken("BUGCODE_NDIS_DRIVER",
                    "NDIS_STATUS_LINK_STATE was indicated without a whole NDIS_LINK_STATE (0x20)");
        return;
    }
    if (!object_check(&link->Header, &LINK_STATE, ANY_NDIS))
        return;
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
    if (!object_check(&StatusIndication->Header, &INDICATION, ANY_NDIS))
        return;
    check_unasked(StatusIndication);
    if (StatusIndication->SourceHandle != adapter)
        rule_broken("NdisMIndicateStatusEx", "%s was given a SourceHandle that is not the adapter's handle", function);
    if (StatusIndication->StatusCode == NDIS_STATUS_LINK_STATE)
        indicate_link(adapter, StatusIndication);
}
