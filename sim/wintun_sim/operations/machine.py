"""What the model and the driver on the host kernel have in common: operations in, events out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from wintun_sim.operations.event import Event
from wintun_sim.operations.operation import Operation


@dataclass(frozen=True, slots=True)
class Counters:
    """What can be counted of one adapter from outside, at rest.

    ``nbls_owned``: NBLs lent to the adapter and not yet back; ``reads_pending``: IRP_MJ_READ requests not yet complete;
    ``handles``: file objects created on the live device object and not yet closed.
    """

    nbls_owned: int
    reads_pending: int
    handles: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Attributes:
    """What an adapter told NDIS of itself when it was initialized, and with the last link state.

    The numbers are those of Windows' headers (learn.microsoft.com/windows-hardware/drivers/ddi/ndis/
    ns-ndis-_ndis_miniport_adapter_general_attributes, ns-ndis-_ndis_miniport_adapter_registration_attributes,
    …/ntddndis/ns-ntddndis-_ndis_link_state).

    - ``ndis_version``, which its driver registered for: the major version times 256 and the minor one
    - ``driver_version``, its driver's own, likewise
    - of the registration: ``flags``, ``interface_type``, and the ``hang_seconds`` after which NDIS asks for hangs
    - what it is: ``media_type``, ``physical_medium``, ``access_type``, ``direction_type``, ``connection_type``,
      ``interface_kind``, ``connector_present``, ``duplex_state``, and its ``connect_state`` to begin with
    - what it can: ``mtu`` and ``lookahead`` in bytes, ``mac_options``, ``mac_address_length``, ``negotiation``,
      ``packet_filters``, ``statistics``, ``pause_functions``, ``oids`` in its order
    - how fast it is, in bits per second: ``largest_send_speed``, ``send_speed``, ``largest_receive_speed``,
      ``receive_speed``
    - by what it may wake the system, from which NDIS_DEVICE_POWER_STATE: ``magic_packet_wake``, ``pattern_wake``,
      ``link_change_wake``, said in an NDIS_PM_CAPABILITIES of ``power_revision``; ``power_flags`` are all its other
      abilities
    - of the link: ``link_duplex_state``, ``link_send_speed``, ``link_receive_speed``, ``link_pause_functions``,
      ``link_negotiation``
    - the ``pool_tag`` of its pool of NBLs
    - of the device that clients open: ``device_flags``, and how many symbolic ``device_links`` lead there
    """

    ndis_version: int
    driver_version: int
    flags: int
    hang_seconds: int
    interface_type: int
    media_type: int
    physical_medium: int
    mtu: int
    lookahead: int
    largest_send_speed: int
    send_speed: int
    largest_receive_speed: int
    receive_speed: int
    connect_state: int
    duplex_state: int
    mac_options: int
    mac_address_length: int
    negotiation: int
    packet_filters: int
    access_type: int
    direction_type: int
    connection_type: int
    interface_kind: int
    connector_present: int
    statistics: int
    pause_functions: int
    power_revision: int
    power_flags: int
    magic_packet_wake: int
    pattern_wake: int
    link_change_wake: int
    link_duplex_state: int
    link_send_speed: int
    link_receive_speed: int
    link_pause_functions: int
    link_negotiation: int
    pool_tag: int
    device_flags: int
    device_links: int
    oids: tuple[int, ...]


class Machine(Protocol):
    """Takes operations, one at a time, and gives the events of each."""

    def perform(self, operation: Operation) -> Sequence[Event]:
        """Carry out one operation until nothing can go on, and return what happened, in order.

        An operation that Windows would never do in this state changes nothing and gives one ``Refused``. A name that
        was never introduced (an unknown handle, adapter, request) raises ``ValueError``: scenarios are checked for
        that before they run.
        """

    def counters(self, adapter: str) -> Counters:
        """Count what ``adapter`` owns now."""

    def close(self) -> None:
        """Give everything back; the machine cannot be used afterwards."""
