/* What a miniport says of its adapter while it initializes it: registration attributes first, general ones then, and
 * all others after those (learn.microsoft.com/windows-hardware/drivers/ddi/ndis/nf-ndis-ndismsetminiportattributes).
 */
#include "ndis_header.h"
#include "ndis_room.h"

#include <string.h>

static const struct object_form REGISTRATION = {
    .name = "NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES",
    .type = NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES,
    .parameter = 0x21,
    .whole = sizeof(NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES),
    .revisions = {{NDIS_RUNTIME_VERSION_60, NDIS_SIZEOF_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES_REVISION_1},
                  {NDIS_RUNTIME_VERSION_630, NDIS_SIZEOF_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES_REVISION_2}}};

static const struct object_form GENERAL = {
    .name = "NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES",
    .type = NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES,
    .parameter = 0x21,
    .whole = sizeof(NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES),
    .revisions = {{NDIS_RUNTIME_VERSION_60, NDIS_SIZEOF_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES_REVISION_1},
                  {NDIS_RUNTIME_VERSION_620, NDIS_SIZEOF_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES_REVISION_2}}};

static const struct object_form POWER = {
    .name = "NDIS_PM_CAPABILITIES",
    .type = NDIS_OBJECT_TYPE_DEFAULT,
    .parameter = 0x21,
    .whole = sizeof(NDIS_PM_CAPABILITIES),
    .revisions = {{NDIS_RUNTIME_VERSION_620, NDIS_SIZEOF_NDIS_PM_CAPABILITIES_REVISION_1},
                  {NDIS_RUNTIME_VERSION_630, NDIS_SIZEOF_NDIS_PM_CAPABILITIES_REVISION_2}}};

static void keep_oids(struct adapter *adapter, const NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES *general)
{
    const size_t size = general->SupportedOidListLength / sizeof(NDIS_OID) * sizeof(NDIS_OID);
    if (size == 0 || general->SupportedOidList == NULL || adapter->oids != NULL)
        return;
    instrument_range(general->SupportedOidList, size, 0, __builtin_return_address(0));
    adapter->oids = arena_allocate(BLOCK_HOST, size, 0, "NDIS");
    if (adapter->oids == NULL)
        return;
    memcpy(adapter->oids, general->SupportedOidList, size);
    adapter->oid_count = (uint32_t)(size / sizeof(NDIS_OID));
}

static uint32_t version_of(const struct adapter *adapter)
{
    const NDIS_MINIPORT_DRIVER_CHARACTERISTICS *registered = &adapter->miniport->handlers;
    return (uint32_t)registered->MajorNdisVersion << 16 | registered->MinorNdisVersion;
}

/* What an adapter can do in low power beside being woken; members that its revision lacks say nothing. */
static uint64_t abilities(const NDIS_PM_CAPABILITIES *power)
{
    const uint64_t all = power->Flags | power->SupportedWoLPacketPatterns | power->NumTotalWoLPatterns |
                         power->MaxWoLPatternSize | power->MaxWoLPatternOffset | power->MaxWoLPacketSaveBuffer |
                         power->SupportedProtocolOffloads | power->NumArpOffloadIPv4Addresses |
                         power->NumNSOffloadIPv6Addresses;
    if (power->Header.Revision < NDIS_PM_CAPABILITIES_REVISION_2)
        return all;
    return all | power->SupportedWakeUpEvents | power->MediaSpecificWakeUpEvents;
}

static void keep_general(struct adapter *adapter, const NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES *general)
{
    struct host_attributes *told = &adapter->told;
    const NDIS_PM_CAPABILITIES *power = general->Header.Revision >= NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES_REVISION_2
                                            ? general->PowerManagementCapabilitiesEx
                                            : NULL;
    told->media_type = general->MediaType;
    told->physical_medium = general->PhysicalMediumType;
    told->mtu = general->MtuSize;
    told->lookahead = general->LookaheadSize;
    told->largest_send_speed = general->MaxXmitLinkSpeed;
    told->send_speed = general->XmitLinkSpeed;
    told->largest_receive_speed = general->MaxRcvLinkSpeed;
    told->receive_speed = general->RcvLinkSpeed;
    told->connect_state = general->MediaConnectState;
    told->duplex_state = general->MediaDuplexState;
    told->mac_options = general->MacOptions;
    told->mac_address_length = general->MacAddressLength;
    told->negotiation = general->AutoNegotiationFlags;
    told->packet_filters = general->SupportedPacketFilters;
    told->access_type = general->AccessType;
    told->direction_type = general->DirectionType;
    told->connection_type = general->ConnectionType;
    told->interface_kind = general->IfType;
    told->connector_present = general->IfConnectorPresent;
    told->statistics = general->SupportedStatistics;
    told->pause_functions = general->SupportedPauseFunctions;
    if (power != NULL)
        object_check(&power->Header, &POWER, version_of(adapter));
    told->power_revision = power == NULL ? 0 : power->Header.Revision;
    told->power_flags = power == NULL ? 0 : abilities(power);
    told->magic_packet_wake = power == NULL ? UINT32_MAX : (uint32_t)power->MinMagicPacketWakeUp;
    told->pattern_wake = power == NULL ? UINT32_MAX : (uint32_t)power->MinPatternWakeUp;
    told->link_change_wake = power == NULL ? UINT32_MAX : (uint32_t)power->MinLinkChangeWakeUp;
}

/* Stores what NDIS keeps of the attributes. Reports AttributesOrder where one kind comes before the one it needs. */
static NDIS_STATUS set_attributes(struct adapter *adapter, const NDIS_MINIPORT_ADAPTER_ATTRIBUTES *attributes)
{
    const NDIS_OBJECT_HEADER *header = &attributes->RegistrationAttributes.Header;
    const bool is_registration = header->Type == NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES;
    const bool is_general = header->Type == NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES;
    if (is_registration || is_general)
    {
        if (!object_check(header, is_registration ? &REGISTRATION : &GENERAL, version_of(adapter)))
            return NDIS_STATUS_INVALID_PARAMETER;
    }
    else if (header->Revision == 0 || header->Size < sizeof *header)
    {
        rule_broken("BUGCODE_NDIS_DRIVER",
                    "miniport attributes have a header of type 0x%02X, revision %u and size %u (0x21)", header->Type,
                    header->Revision, header->Size);
        return NDIS_STATUS_INVALID_PARAMETER;
    }
    if (is_registration ? adapter->has_registration
                        : !adapter->has_registration || (!is_general && !adapter->has_general))
    {
        rule_broken("AttributesOrder",
                    "miniport attributes of type 0x%02X were set out of order: registration attributes "
                    "come first and once, then general ones, then all others",
                    header->Type);
        return NDIS_STATUS_FAILURE;
    }
    if (is_registration)
    {
        adapter->context = attributes->RegistrationAttributes.MiniportAdapterContext;
        adapter->attributes = attributes->RegistrationAttributes.AttributeFlags;
        adapter->has_registration = true;
        adapter->told.flags = adapter->attributes;
        adapter->told.hang_seconds = attributes->RegistrationAttributes.CheckForHangTimeInSeconds;
        adapter->told.interface_type = attributes->RegistrationAttributes.InterfaceType;
        adapter->told.driver_version = (uint64_t)adapter->miniport->handlers.MajorDriverVersion << 8 |
                                       adapter->miniport->handlers.MinorDriverVersion;
        adapter->told.ndis_version =
            (uint64_t)adapter->miniport->handlers.MajorNdisVersion << 8 | adapter->miniport->handlers.MinorNdisVersion;
    }
    if (is_general)
    {
        adapter->has_general = true;
        keep_oids(adapter, &attributes->GeneralAttributes);
        keep_general(adapter, &attributes->GeneralAttributes);
    }
    return NDIS_STATUS_SUCCESS;
}

/* IRQL = PASSIVE_LEVEL, in MiniportInitializeEx. */
NDIS_STATUS NTAPI NdisMSetMiniportAttributes(NDIS_HANDLE NdisMiniportHandle,
                                             PNDIS_MINIPORT_ADAPTER_ATTRIBUTES MiniportAttributes)
{
    static const char function[] = "NdisMSetMiniportAttributes";
    rule_irql("Irql_Miniport_Driver_Function", function, PASSIVE_LEVEL, PASSIVE_LEVEL);
    struct adapter *adapter = adapter_of(NdisMiniportHandle, function);
    if (adapter == NULL)
        return NDIS_STATUS_INVALID_PARAMETER;
    if (adapter->state != ADAPTER_INITIALIZING)
        rule_broken("AttributesOrder", "%s was called for an adapter that is %s: it belongs into MiniportInitializeEx",
                    function, adapter_state_name(adapter->state));
    if (fault_strikes(HOST_FAULT_ATTRIBUTES))
        return NDIS_STATUS_RESOURCES;
    return set_attributes(adapter, MiniportAttributes);
}
