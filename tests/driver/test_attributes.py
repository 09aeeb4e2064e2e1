"""What an adapter tells NDIS of itself, number by number.

The judge compares model and driver; that both are right is said here, by what a layer 3 TUN device without a wire is,
in the numbers of Windows' headers (learn.microsoft.com/windows-hardware/drivers/ddi/ndis/
ns-ndis-_ndis_miniport_adapter_general_attributes, …/ddi/ntddndis/ns-ntddndis-_ndis_link_state).
"""

from __future__ import annotations

import pytest

from wintun_sim.errors import UnavailableError
from wintun_sim.kernel import DriverMachine
from wintun_sim.model import UPSTREAM, ModelMachine
from wintun_sim.operations import Attributes, Initialize, Load

SPEED = 100_000_000_000
LARGEST_PACKET = 61_424

EXPECTED = Attributes(
    ndis_version=0x650,
    driver_version=0,
    flags=0x20,  # no halt on suspend
    hang_seconds=0,  # as NDIS has it
    interface_type=0,  # internal
    media_type=19,  # IP
    physical_medium=0,  # unspecified
    mtu=LARGEST_PACKET,
    lookahead=LARGEST_PACKET,
    largest_send_speed=SPEED,
    send_speed=SPEED,
    largest_receive_speed=SPEED,
    receive_speed=SPEED,
    connect_state=2,  # disconnected
    duplex_state=2,  # full
    mac_options=0x4 | 0x1 | 0x8,  # transfers do not pend, lookahead data are copied, no loopback
    mac_address_length=0,  # there is no MAC below layer 3
    negotiation=0,
    packet_filters=0x1 | 0x4 | 0x8 | 0x80 | 0x2000,  # directed, all multicast, broadcast, all local, all functional
    access_type=2,  # broadcast
    direction_type=0,  # sends and receives
    connection_type=1,  # dedicated
    interface_kind=53,  # proprietary virtual
    connector_present=0,
    statistics=0x003F87FF,
    pause_functions=0,  # unsupported
    power_revision=2,
    power_flags=0,
    magic_packet_wake=0,
    pattern_wake=0,
    link_change_wake=0,
    link_duplex_state=2,
    link_send_speed=SPEED,
    link_receive_speed=SPEED,
    link_pause_functions=0,
    link_negotiation=0,
    pool_tag=int.from_bytes(b"wtun", "little"),
    device_flags=0x10,  # direct I/O, and no buffered one
    device_links=1,
    oids=(
        *(0x00010111, 0x0001010F, 0x00010108, 0x00010109, 0x0001010A, 0x0001010B, 0x0001010D, 0x0001010C, 0x00010116),
        *(0x00020101, 0x00020102, 0x0001010E, 0x00020106, 0x00010209, 0x00010208, 0xFD010101, 0xFD010102),
    ),
)

VERSIONS = {(6, 20): (0x614, 1), (6, 30): (0x61E, 2), (6, 80): (0x650, 2)}
"""By the version of NDIS: what the driver registers for, and the revision of what it says of its power."""


def told_by(machine: ModelMachine | DriverMachine) -> Attributes:
    try:
        machine.perform(Load(name="driver"))
        machine.perform(Initialize(name="adapter", driver="driver"))
        return machine.attributes("adapter")
    finally:
        machine.close()


def differences(told: Attributes, version: int, power_revision: int) -> dict[str, tuple[object, object]]:
    """Return what is not as expected: both values, by name."""
    found = {}
    for name in Attributes.__dataclass_fields__:
        wanted = {"ndis_version": version, "power_revision": power_revision}.get(name, getattr(EXPECTED, name))
        if getattr(told, name) != wanted:
            found[name] = (wanted, getattr(told, name))
    return found


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("machine", ["model", "driver"])
def test_an_adapter_tells_ndis_what_it_is(machine: str, version: tuple[int, int]) -> None:
    try:
        opened = ModelMachine(ndis=version) if machine == "model" else DriverMachine(ndis=version)
    except UnavailableError as reason:
        pytest.skip(str(reason))
    assert differences(told_by(opened), *VERSIONS[version]) == {}


@pytest.mark.parametrize("version", VERSIONS)
def test_the_published_driver_told_the_same_and_knew_no_ndis_after_6_30(version: tuple[int, int]) -> None:
    told = told_by(ModelMachine(ndis=version, revision=UPSTREAM))
    assert differences(told, *VERSIONS[min(version, (6, 30))]) == {}
