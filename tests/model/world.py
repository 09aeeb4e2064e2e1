"""A model with hands: each method does one operation, gives it a name, and returns what happened.

Expected events are written with the same short words, so that a test reads as what it tells. The bundles that a client
writes and reads are coded here a second time, from the description of the format, and not by the codec.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import Final

from wintun_sim import ndis
from wintun_sim.model import CURRENT, Adapter, ModelMachine
from wintun_sim.operations import (
    Account,
    Cancel,
    CancelSend,
    Cleanup,
    Close,
    Counters,
    Create,
    Event,
    Halt,
    Initialize,
    IrpCompleted,
    LinkChanged,
    Load,
    Nbl,
    NblCompleted,
    Oid,
    OidCompleted,
    OidKind,
    Operation,
    PacketReceived,
    Pause,
    Read,
    Refused,
    Restart,
    Returned,
    Send,
    SetPower,
    Shutdown,
    ShutdownAction,
    SurpriseRemove,
    Unload,
    Write,
)

SUCCESS: Final = 0x00000000
PENDING: Final = 0x00000103
INVALID_HANDLE: Final = 0xC0000008
INVALID_PARAMETER: Final = 0xC000000D
ACCESS_DENIED: Final = 0xC0000022
RESOURCES: Final = 0xC000009A
NOT_SUPPORTED: Final = 0xC00000BB
INVALID_USER_BUFFER: Final = 0xC00000E8
CANCELLED: Final = 0xC0000120
INVALID_LENGTH: Final = 0xC0010014
INVALID_DATA: Final = 0xC0010015
INVALID_OID: Final = 0xC0010017
SEND_ABORTED: Final = 0xC023000C
MEDIA_DISCONNECTED: Final = 0xC023001F
PAUSED: Final = 0xC023002A
UNSUPPORTED_REVISION: Final = 0xC023002C
LOW_POWER: Final = 0xC023002F

D0, D1, D2, D3 = 1, 2, 3, 4

FIELDS: Final = (
    *("ifInDiscards", "ifInErrors", "ifHCInOctets", "ifHCInUcastPkts", "ifHCInMulticastPkts", "ifHCInBroadcastPkts"),
    *("ifHCOutOctets", "ifHCOutUcastPkts", "ifHCOutMulticastPkts", "ifHCOutBroadcastPkts", "ifOutErrors"),
    *("ifOutDiscards", "ifHCInUcastOctets", "ifHCInMulticastOctets", "ifHCInBroadcastOctets", "ifHCOutUcastOctets"),
    *("ifHCOutMulticastOctets", "ifHCOutBroadcastOctets"),
)


def ipv4(size: int = 20, mark: int = 0) -> bytes:
    """An IPv4 packet as far as the adapter looks; ``mark`` tells it from others."""
    return (b"\x45" + mark.to_bytes(4, "big") + bytes(size))[:size]


def ipv6(size: int = 40) -> bytes:
    """An IPv6 packet as far as the adapter looks."""
    return (b"\x60" + bytes(size))[:size]


def record(packet: bytes) -> bytes:
    """A header of 16 bytes that begins with the size, the packet, and zeros up to a multiple of 16."""
    return struct.pack("<I12x", len(packet)) + packet + bytes(-len(packet) % 16)


def bundle(*packets: bytes) -> bytes:
    """Records one after another."""
    return b"".join(map(record, packets))


def nbl(*packets: bytes, cancel_id: int = 0, unmapped: Iterable[int] = ()) -> Nbl:
    return Nbl(tuple(packets), cancel_id=cancel_id, unmapped=frozenset(unmapped))


def sent(operation: str, status: int, index: int = 0) -> NblCompleted:
    """NBL ``index`` of a send is back."""
    return NblCompleted(operation, index, status)


def back_again(operation: str, status: int, index: int = 0) -> NblCompleted:
    """NBL ``index`` of a send is back, and the stack sends it again from there."""
    return NblCompleted(operation, index, status, again=True)


def received(operation: str, *packets: bytes) -> list[Event]:
    """The stack received packets."""
    return [PacketReceived(operation, packet) for packet in packets]


class World:
    """One machine, one adapter ``a`` of driver ``d`` at hand, and names that count up: h1, r1, s1, …"""

    def __init__(
        self, order: str = "raw", version: tuple[int, int] = (6, 80), revision: type[Adapter] = CURRENT
    ) -> None:
        self.machine = ModelMachine(order=order, ndis=version, revision=revision)
        self.numbers: dict[str, int] = {}

    def name(self, letter: str) -> str:
        """Give the next name that begins with ``letter``."""
        self.numbers[letter] = self.numbers.get(letter, 0) + 1
        return f"{letter}{self.numbers[letter]}"

    def perform(self, operation: Operation) -> list[Event]:
        return list(self.machine.perform(operation))

    def counters(self, adapter: str = "a") -> Counters:
        return self.machine.counters(adapter)

    # The system

    def load(self, name: str = "d") -> list[Event]:
        return self.perform(Load(name=name))

    def unload(self, driver: str = "d") -> list[Event]:
        return self.perform(Unload(name=self.name("unload"), driver=driver))

    def initialize(self, name: str = "a", driver: str = "d") -> list[Event]:
        return self.perform(Initialize(name=name, driver=driver))

    def restart(self, adapter: str = "a") -> list[Event]:
        return self.perform(Restart(name=self.name("restart"), adapter=adapter))

    def pause(self, adapter: str = "a") -> list[Event]:
        return self.perform(Pause(name=self.name("pause"), adapter=adapter))

    def halt(self, adapter: str = "a") -> list[Event]:
        return self.perform(Halt(name=self.name("halt"), adapter=adapter))

    def shutdown(self, action: ShutdownAction = ShutdownAction.POWER_OFF, adapter: str = "a") -> list[Event]:
        return self.perform(Shutdown(name=self.name("shutdown"), adapter=adapter, action=action))

    def surprise_remove(self, adapter: str = "a") -> list[Event]:
        return self.perform(SurpriseRemove(name=self.name("removal"), adapter=adapter))

    def set_power(self, state: int, adapter: str = "a") -> list[Event]:
        return self.perform(SetPower(name=self.name("power"), adapter=adapter, state=state))

    # The stack

    def send(self, *nbls: Nbl | bytes, adapter: str = "a", again: bool = False) -> list[Event]:
        """Send a chain; a packet stands for an NBL with that packet."""
        chain = tuple(item if isinstance(item, Nbl) else nbl(item) for item in nbls)
        return self.perform(Send(name=self.name("s"), adapter=adapter, nbls=chain, again=again))

    def cancel_send(self, cancel_id: int, adapter: str = "a") -> list[Event]:
        return self.perform(CancelSend(name=self.name("cancel-send"), adapter=adapter, cancel_id=cancel_id))

    def oid(
        self,
        kind: OidKind,
        oid: int,
        length: int,
        data: bytes = b"",
        *,
        direct: bool = False,
        adapter: str = "a",
    ) -> OidCompleted:
        """Make an OID request, which ends at once."""
        request = Oid(name=self.name("o"), adapter=adapter, kind=kind, oid=oid, length=length, data=data, direct=direct)
        (event,) = self.perform(request)
        assert isinstance(event, OidCompleted)
        return event

    def statistics(self, adapter: str = "a") -> dict[str, int]:
        """Query NDIS_STATISTICS_INFO and return the counters that are not 0."""
        event = self.oid(OidKind.QUERY, ndis.OID_GEN_STATISTICS, 152, adapter=adapter)
        assert (event.status, event.information, event.needed) == (SUCCESS, 152, 152)
        kind, revision, size, supported, *values = struct.unpack("<BBHI18Q", event.data)
        assert (kind, revision, size, supported) == (0x80, 1, 152, 0x003F87FF)
        return {name: value for name, value in zip(FIELDS, values, strict=True) if value}

    # The client

    def create(self, adapter: str = "a", account: Account = Account.SYSTEM) -> list[Event]:
        return self.perform(Create(name=self.name("h"), adapter=adapter, account=account))

    def cleanup(self, handle: str = "h1") -> list[Event]:
        return self.perform(Cleanup(name=self.name("cleanup"), handle=handle))

    def close(self, handle: str = "h1") -> list[Event]:
        return self.perform(Close(name=self.name("close"), handle=handle))

    def leave(self, handle: str = "h1") -> list[Event]:
        """Close a handle as CloseHandle does: cleanup, then close."""
        return [*self.cleanup(handle), *self.close(handle)]

    def read(self, handle: str = "h1", length: int = 61_440) -> list[Event]:
        return self.perform(Read(name=self.name("r"), handle=handle, length=length))

    def write(self, data: bytes, handle: str = "h1", rejected: Iterable[int] = ()) -> list[Event]:
        return self.perform(Write(name=self.name("w"), handle=handle, data=data, rejected=frozenset(rejected)))

    def cancel(self, request: str) -> list[Event]:
        return self.perform(Cancel(name=self.name("cancel"), request=request))

    # Expectations that repeat

    def irp(self, operation: str, status: int = SUCCESS, information: int = 0, handle: str = "h1") -> IrpCompleted:
        """A request other than a read with data completed."""
        return IrpCompleted(operation, handle, status, information)

    def filled(self, operation: str, *packets: bytes, handle: str = "h1") -> IrpCompleted:
        """A read completed with packets."""
        data = bundle(*packets)
        return IrpCompleted(operation, handle, SUCCESS, len(data), data)


def packets_of(events: Iterable[Event]) -> list[bytes]:
    """Take the packets out of all reads that completed, in order."""
    packets = []
    for event in events:
        if isinstance(event, IrpCompleted) and event.data:
            assert len(event.data) == event.information
            offset = 0
            while offset < len(event.data):
                (size,) = struct.unpack_from("<I12x", event.data, offset)
                packets.append(event.data[offset + 16 : offset + 16 + size])
                offset += len(record(packets[-1]))
    return packets


def refused(events: Sequence[Event], *words: str) -> bool:
    """Tell whether the one event is a refusal whose reason has these words in it."""
    (event,) = events
    assert isinstance(event, Refused), event
    assert all(word in event.reason for word in words), event.reason
    return True


def returned(operation: str, status: int = SUCCESS) -> Returned:
    return Returned(operation, status)


def link(connected: bool, adapter: str = "a") -> LinkChanged:
    return LinkChanged(adapter, connected)


# Adapters in each state, each made from the one before


def initialized(order: str = "raw", revision: type[Adapter] = CURRENT) -> World:
    """A new adapter: Paused."""
    world = World(order, revision=revision)
    world.load()
    world.initialize()
    return world


def running(order: str = "raw", revision: type[Adapter] = CURRENT) -> World:
    """Running, and nobody has it open."""
    world = initialized(order, revision)
    world.restart()
    return world


def opened(order: str = "raw", revision: type[Adapter] = CURRENT) -> World:
    """Running, and open once as h1."""
    world = running(order, revision)
    world.create()
    return world


def paused(order: str = "raw", revision: type[Adapter] = CURRENT) -> World:
    """Paused after it ran, and open once as h1."""
    world = opened(order, revision)
    world.pause()
    return world


def asleep(order: str = "raw", revision: type[Adapter] = CURRENT) -> World:
    """Running in D3, which only the raw order reaches, and open once as h1."""
    world = opened(order, revision)
    world.set_power(D3)
    return world


def shut_down(order: str = "raw", revision: type[Adapter] = CURRENT) -> World:
    """Shutdown for power-off, and open once as h1."""
    world = opened(order, revision)
    world.shutdown()
    return world


def halted(order: str = "raw", revision: type[Adapter] = CURRENT) -> World:
    """Halted with a handle left behind as h1."""
    world = paused(order, revision)
    world.halt()
    return world
