/* SPDX-License-Identifier: MIT
 *
 * What NDIS is told of the adapter when it is initialized: a virtual IP interface without hardware addresses.
 */
#include "attributes.h"
#include "bundle.h"
#include "entry.h"
#include "oid.h"

_IRQL_requires_(PASSIVE_LEVEL)
_Must_inspect_result_
static NDIS_STATUS TunSetRegistrationAttributes(_In_ TUN_ADAPTER *Adapter)
{
    NDIS_MINIPORT_ADAPTER_ATTRIBUTES Attributes;
    NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES *Registration = &Attributes.RegistrationAttributes;

    RtlZeroMemory(&Attributes, sizeof(Attributes));
    Registration->Header.Type = NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES;
    if (TunNdisVersion >= NDIS_RUNTIME_VERSION_630)
    {
        Registration->Header.Revision = NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES_REVISION_2;
        Registration->Header.Size = NDIS_SIZEOF_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES_REVISION_2;
    }
    else
    {
        Registration->Header.Revision = NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES_REVISION_1;
        Registration->Header.Size = NDIS_SIZEOF_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES_REVISION_1;
    }
    Registration->MiniportAdapterContext = Adapter;
    Registration->AttributeFlags = NDIS_MINIPORT_ATTRIBUTES_NO_HALT_ON_SUSPEND;
    Registration->InterfaceType = NdisInterfaceInternal;
    return NdisMSetMiniportAttributes(Adapter->Handle, &Attributes);
}

/* It cannot wake the system by anything. */
_IRQL_requires_(PASSIVE_LEVEL)
static VOID TunDescribePowerManagement(_Out_ NDIS_PM_CAPABILITIES *Capabilities)
{
    RtlZeroMemory(Capabilities, sizeof(*Capabilities));
    Capabilities->Header.Type = NDIS_OBJECT_TYPE_DEFAULT;
    if (TunNdisVersion >= NDIS_RUNTIME_VERSION_630)
    {
        Capabilities->Header.Revision = NDIS_PM_CAPABILITIES_REVISION_2;
        Capabilities->Header.Size = NDIS_SIZEOF_NDIS_PM_CAPABILITIES_REVISION_2;
    }
    else
    {
        Capabilities->Header.Revision = NDIS_PM_CAPABILITIES_REVISION_1;
        Capabilities->Header.Size = NDIS_SIZEOF_NDIS_PM_CAPABILITIES_REVISION_1;
    }
    Capabilities->MinMagicPacketWakeUp = NdisDeviceStateUnspecified;
    Capabilities->MinPatternWakeUp = NdisDeviceStateUnspecified;
    Capabilities->MinLinkChangeWakeUp = NdisDeviceStateUnspecified;
}

_IRQL_requires_(PASSIVE_LEVEL)
_Must_inspect_result_
static NDIS_STATUS TunSetGeneralAttributes(_In_ const TUN_ADAPTER *Adapter)
{
    NDIS_PM_CAPABILITIES PowerManagement;
    NDIS_MINIPORT_ADAPTER_ATTRIBUTES Attributes;
    NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES *General = &Attributes.GeneralAttributes;

    TunDescribePowerManagement(&PowerManagement);
    RtlZeroMemory(&Attributes, sizeof(Attributes));
    General->Header.Type = NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES;
    General->Header.Revision = NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES_REVISION_2;
    General->Header.Size = NDIS_SIZEOF_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES_REVISION_2;
    General->MediaType = NdisMediumIP;
    General->PhysicalMediumType = NdisPhysicalMediumUnspecified;
    General->MtuSize = BUNDLE_MAX_PACKET_SIZE;
    General->MaxXmitLinkSpeed = TUN_LINK_SPEED;
    General->XmitLinkSpeed = TUN_LINK_SPEED;
    General->MaxRcvLinkSpeed = TUN_LINK_SPEED;
    General->RcvLinkSpeed = TUN_LINK_SPEED;
    General->MediaConnectState = MediaConnectStateDisconnected;
    General->MediaDuplexState = MediaDuplexStateFull;
    General->LookaheadSize = BUNDLE_MAX_PACKET_SIZE;
    General->MacOptions =
        NDIS_MAC_OPTION_TRANSFERS_NOT_PEND | NDIS_MAC_OPTION_COPY_LOOKAHEAD_DATA | NDIS_MAC_OPTION_NO_LOOPBACK;
    General->SupportedPacketFilters = NDIS_PACKET_TYPE_DIRECTED | NDIS_PACKET_TYPE_ALL_MULTICAST |
                                      NDIS_PACKET_TYPE_BROADCAST | NDIS_PACKET_TYPE_ALL_LOCAL |
                                      NDIS_PACKET_TYPE_ALL_FUNCTIONAL;
    General->AccessType = NET_IF_ACCESS_BROADCAST;
    General->DirectionType = NET_IF_DIRECTION_SENDRECEIVE;
    General->ConnectionType = NET_IF_CONNECTION_DEDICATED;
    General->IfType = IF_TYPE_PROP_VIRTUAL;
    General->IfConnectorPresent = FALSE;
    General->SupportedStatistics = TUN_SUPPORTED_STATISTICS;
    General->SupportedPauseFunctions = NdisPauseFunctionsUnsupported;
    General->SupportedOidList = TunSupportedOids;
    General->SupportedOidListLength = sizeof(TunSupportedOids);
    General->PowerManagementCapabilitiesEx = &PowerManagement;
    return NdisMSetMiniportAttributes(Adapter->Handle, &Attributes);
}

_Use_decl_annotations_
NDIS_STATUS TunSetAttributes(TUN_ADAPTER *Adapter)
{
    const NDIS_STATUS Status = TunSetRegistrationAttributes(Adapter);

    return Status == NDIS_STATUS_SUCCESS ? TunSetGeneralAttributes(Adapter) : Status;
}
