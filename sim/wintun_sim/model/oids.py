"""What NDIS may ask and set: the OIDs, with the length that each demands.

An OID names a value that NDIS may ask for or set. Requests are made at PASSIVE_LEVEL, one after another, in every state
between initialize and halt: a paused adapter answers them too (…/ddi/ndis/nc-ndis-miniport_pause).

The rules of lengths are those of …/drivers/ddi/ndis/nc-ndis-miniport_oid_request; what each OID means has a page of
its own under learn.microsoft.com/windows-hardware/drivers/network.
"""

from __future__ import annotations

import struct
from typing import Final

from wintun_sim import ndis
from wintun_sim.model.core import Core, Steps
from wintun_sim.model.life import Life
from wintun_sim.model.limits import LARGEST_BUNDLE, LARGEST_PACKET
from wintun_sim.operations import FILLER, Oid, OidCompleted, OidKind, PowerState

VENDOR_DESCRIPTION: Final = b"Wintun Tunnel\0"
VENDOR_ID: Final = 0x00FFFFFF
"""The reserved vendor code FF-FF-FF, its bytes in the order of the wire (…/network/oid-gen-vendor-id)."""
DRIVER_VERSION: Final = 0

SUPPORTED_STATISTICS: Final = 0x003F87FF
"""The NDIS_STATISTICS_FLAGS_VALID_… bits of the counters that NDIS_STATISTICS_INFO carries."""

_OBJECT_TYPE_DEFAULT: Final = 0x80
_REVISION_1: Final = 1
_STATISTICS_INFO: Final = struct.Struct("<BBHI18Q")
"""NDIS_STATISTICS_INFO (…/drivers/ddi/ntddndis/ns-ntddndis-_ndis_statistics_info), 152 bytes."""
_INTERRUPT_MODERATION: Final = struct.pack("<BBHII", _OBJECT_TYPE_DEFAULT, _REVISION_1, 12, 0, 1)
"""NDIS_INTERRUPT_MODERATION_PARAMETERS: no flags, NdisInterruptModerationNotSupported."""

_ULONG: Final = struct.Struct("<I")
_CONSTANTS: Final[dict[int, bytes]] = {
    ndis.OID_GEN_MAXIMUM_TOTAL_SIZE: _ULONG.pack(LARGEST_PACKET),
    ndis.OID_GEN_TRANSMIT_BLOCK_SIZE: _ULONG.pack(LARGEST_PACKET),
    ndis.OID_GEN_RECEIVE_BLOCK_SIZE: _ULONG.pack(LARGEST_PACKET),
    ndis.OID_GEN_TRANSMIT_BUFFER_SPACE: _ULONG.pack(LARGEST_PACKET * LARGEST_BUNDLE),
    ndis.OID_GEN_RECEIVE_BUFFER_SPACE: _ULONG.pack(LARGEST_PACKET * LARGEST_BUNDLE),
    ndis.OID_GEN_VENDOR_ID: _ULONG.pack(VENDOR_ID),
    ndis.OID_GEN_VENDOR_DRIVER_VERSION: _ULONG.pack(DRIVER_VERSION),
    ndis.OID_GEN_VENDOR_DESCRIPTION: VENDOR_DESCRIPTION,
    ndis.OID_GEN_INTERRUPT_MODERATION: _INTERRUPT_MODERATION,
    ndis.OID_PNP_QUERY_POWER: b"",
}


def statistics_info(adapter: Core) -> bytes:
    """Return the NDIS_STATISTICS_INFO of an adapter. All its packets count as unicast."""
    return _STATISTICS_INFO.pack(
        _OBJECT_TYPE_DEFAULT,
        _REVISION_1,
        _STATISTICS_INFO.size,
        SUPPORTED_STATISTICS,
        0,  # ifInDiscards
        adapter.errors_in,  # ifInErrors
        adapter.octets_in,  # ifHCInOctets
        adapter.packets_in,  # ifHCInUcastPkts
        0,  # ifHCInMulticastPkts
        0,  # ifHCInBroadcastPkts
        adapter.octets_out,  # ifHCOutOctets
        adapter.packets_out,  # ifHCOutUcastPkts
        0,  # ifHCOutMulticastPkts
        0,  # ifHCOutBroadcastPkts
        adapter.errors_out,  # ifOutErrors
        adapter.discards_out,  # ifOutDiscards
        adapter.octets_in,  # ifHCInUcastOctets
        0,  # ifHCInMulticastOctets
        0,  # ifHCInBroadcastOctets
        adapter.octets_out,  # ifHCOutUcastOctets
        0,  # ifHCOutMulticastOctets
        0,  # ifHCOutBroadcastOctets
    )


class Oids(Life):
    """The steps of OID requests. None of them pends, and only a power request waits."""

    __slots__ = ()

    def oid(self, request: Oid) -> Steps:
        """MiniportOidRequest, or MiniportDirectOidRequest: direct requests are known, but none is supported."""
        if request.kind is OidKind.METHOD:
            self.complete_oid(request.name, ndis.NDIS_STATUS_NOT_SUPPORTED)
        elif request.direct:
            self.complete_oid(request.name, ndis.NDIS_STATUS_INVALID_OID)
        elif request.kind is OidKind.SET:
            # No value that is looked at is longer than a ULONG, and a buffer may be of any length.
            buffer = request.data.ljust(_ULONG.size, bytes([FILLER]))
            yield from self.set_oid(request.name, request.oid, buffer, request.length)
        else:
            yield from self.query_oid(request)

    def complete_oid(self, name: str, status: int, information: int = 0, needed: int = 0, data: bytes = b"") -> None:
        """Return from the handler with what it wrote into the request."""
        self.events.append(OidCompleted(name, status, information, needed, data))

    # Queries

    def query_oid(self, request: Oid) -> Steps:
        """Answer a query, or a query for statistics, which asks the same.

        What is counted is looked at in one step and told in another: it may be more by then.
        """
        if request.oid in (ndis.OID_GEN_XMIT_OK, ndis.OID_GEN_RCV_OK):
            count = self.packets_out if request.oid == ndis.OID_GEN_XMIT_OK else self.packets_in
            yield "the packets are counted; the handler is about to return"
            self.answer_counter(request, count)
        elif request.oid == ndis.OID_GEN_STATISTICS:
            statistics = statistics_info(self)
            yield "the statistics are copied; the handler is about to return"
            self.answer(request, statistics)
        elif request.oid in _CONSTANTS:
            self.answer(request, _CONSTANTS[request.oid])
        else:
            self.complete_oid(request.name, ndis.NDIS_STATUS_INVALID_OID)

    def answer(self, request: Oid, data: bytes) -> None:
        """Answer with all of ``data`` or, where the buffer is too short for it, with its length alone."""
        if request.length < len(data):
            self.complete_oid(request.name, ndis.NDIS_STATUS_INVALID_LENGTH, 0, len(data))
        else:
            self.complete_oid(request.name, ndis.NDIS_STATUS_SUCCESS, len(data), len(data), data)

    def answer_counter(self, request: Oid, value: int) -> None:
        """Answer with 64 bits, or with the lower 32 where there is no room for more; 64 are needed either way."""
        data = value.to_bytes(8, "little")
        if 4 <= request.length < 8:
            self.complete_oid(request.name, ndis.NDIS_STATUS_SUCCESS, 4, 8, data[:4])
        else:
            self.answer(request, data)

    # Sets

    def set_oid(self, name: str, oid: int, buffer: bytes, length: int) -> Steps:
        """Take a value; ``buffer`` begins with the bytes given, of a buffer of ``length`` bytes."""
        if oid in (ndis.OID_GEN_CURRENT_PACKET_FILTER, ndis.OID_GEN_CURRENT_LOOKAHEAD, ndis.OID_PNP_SET_POWER):
            if length != _ULONG.size:
                self.complete_oid(name, ndis.NDIS_STATUS_INVALID_LENGTH, 0, _ULONG.size)
                return
            status = ndis.NDIS_STATUS_SUCCESS
            if oid == ndis.OID_PNP_SET_POWER:
                (state,) = _ULONG.unpack_from(buffer)
                if self.is_power_state(state):
                    yield from self.set_power(state)
                    yield "the power request may return"
                else:
                    status = ndis.NDIS_STATUS_INVALID_DATA
            self.complete_oid(name, status, _ULONG.size)
        elif oid == ndis.OID_GEN_LINK_PARAMETERS:
            self.complete_oid(name, ndis.NDIS_STATUS_SUCCESS, length)
        elif oid == ndis.OID_GEN_INTERRUPT_MODERATION:
            self.complete_oid(name, ndis.NDIS_STATUS_INVALID_DATA)
        else:
            self.complete_oid(name, ndis.NDIS_STATUS_INVALID_OID)

    def is_power_state(self, state: int) -> bool:
        """Tell whether ``state`` is D0, D1, D2 or D3."""
        return PowerState.D0 <= state <= PowerState.D3
