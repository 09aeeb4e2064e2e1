"""What NDIS is told of the adapter when it is initialized: a virtual IP interface without a wire.

Nothing that happens later depends on it, so it is no part of the adapter's steps.
"""

from __future__ import annotations

from typing import Final

from wintun_sim import ndis
from wintun_sim.model.limits import LARGEST_PACKET
from wintun_sim.model.oids import DRIVER_VERSION, SUPPORTED_STATISTICS
from wintun_sim.operations import Attributes

NEWEST_NDIS: Final = ((6, 20), (6, 30), (6, 80))
"""The versions of NDIS that the driver knows; it registers for the newest that Windows has too."""

LINK_SPEED: Final = 100_000_000_000
"""Bits per second, in each direction."""

_NO_HALT_ON_SUSPEND: Final = 0x20
_INTERFACE_INTERNAL: Final = 0
_MEDIUM_IP: Final = 19
_DISCONNECTED: Final = 2
_FULL_DUPLEX: Final = 2
_MAC_OPTIONS: Final = 0x1 | 0x4 | 0x8
"""Lookahead data are copied, transfers do not pend, and nothing is looped back."""
_PACKET_FILTERS: Final = 0x1 | 0x4 | 0x8 | 0x80 | 0x2000
"""Directed, all multicast, broadcast, all local, all functional."""
_ACCESS_BROADCAST: Final = 2
_SEND_AND_RECEIVE: Final = 0
_DEDICATED: Final = 1
_PROPRIETARY_VIRTUAL: Final = 53
_MEMORY_TAG: Final = int.from_bytes(b"wtun", "little")
_DIRECT_IO: Final = 0x10
"""Reads and writes describe the client's buffer, and copy nothing."""


def registered_version(host: tuple[int, int], newest: tuple[int, int]) -> int:
    """Return what the driver registers for on a ``host`` of that version: no newer than ``newest``."""
    major, minor = max(version for version in NEWEST_NDIS if version <= min(host, newest))
    return major << 8 | minor


def attributes_of(version: int) -> Attributes:
    """Return the attributes of an adapter whose driver is registered for that version."""
    return Attributes(
        ndis_version=version,
        driver_version=DRIVER_VERSION,
        flags=_NO_HALT_ON_SUSPEND,
        hang_seconds=0,
        interface_type=_INTERFACE_INTERNAL,
        media_type=_MEDIUM_IP,
        physical_medium=0,
        mtu=LARGEST_PACKET,
        lookahead=LARGEST_PACKET,
        largest_send_speed=LINK_SPEED,
        send_speed=LINK_SPEED,
        largest_receive_speed=LINK_SPEED,
        receive_speed=LINK_SPEED,
        connect_state=_DISCONNECTED,
        duplex_state=_FULL_DUPLEX,
        mac_options=_MAC_OPTIONS,
        mac_address_length=0,
        negotiation=0,
        packet_filters=_PACKET_FILTERS,
        access_type=_ACCESS_BROADCAST,
        direction_type=_SEND_AND_RECEIVE,
        connection_type=_DEDICATED,
        interface_kind=_PROPRIETARY_VIRTUAL,
        connector_present=0,
        statistics=SUPPORTED_STATISTICS,
        pause_functions=0,
        power_revision=2 if version >= 6 << 8 | 30 else 1,
        power_flags=0,
        magic_packet_wake=0,
        pattern_wake=0,
        link_change_wake=0,
        link_duplex_state=_FULL_DUPLEX,
        link_send_speed=LINK_SPEED,
        link_receive_speed=LINK_SPEED,
        link_pause_functions=0,
        link_negotiation=0,
        pool_tag=_MEMORY_TAG,
        device_flags=_DIRECT_IO,
        device_links=1,
        oids=SUPPORTED_OIDS,
    )


SUPPORTED_OIDS: Final = (
    ndis.OID_GEN_MAXIMUM_TOTAL_SIZE,
    ndis.OID_GEN_CURRENT_LOOKAHEAD,
    ndis.OID_GEN_TRANSMIT_BUFFER_SPACE,
    ndis.OID_GEN_RECEIVE_BUFFER_SPACE,
    ndis.OID_GEN_TRANSMIT_BLOCK_SIZE,
    ndis.OID_GEN_RECEIVE_BLOCK_SIZE,
    ndis.OID_GEN_VENDOR_DESCRIPTION,
    ndis.OID_GEN_VENDOR_ID,
    ndis.OID_GEN_VENDOR_DRIVER_VERSION,
    ndis.OID_GEN_XMIT_OK,
    ndis.OID_GEN_RCV_OK,
    ndis.OID_GEN_CURRENT_PACKET_FILTER,
    ndis.OID_GEN_STATISTICS,
    ndis.OID_GEN_INTERRUPT_MODERATION,
    ndis.OID_GEN_LINK_PARAMETERS,
    ndis.OID_PNP_SET_POWER,
    ndis.OID_PNP_QUERY_POWER,
)
