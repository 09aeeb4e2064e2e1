"""Captured packets played through the adapter in both directions, while it is paused, put to sleep and closed.

Each packet is sent by the stack and, in a bundle, written by a client, so both directions see all of the traffic. And
since what goes in is known here, what comes out is checked a second time, without the model: a client reads the packets
of the sends that succeeded, each once and in their order, and the stack receives those of the writes that succeeded.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random

from wintun_sim import bundle as codec
from wintun_sim.check.walk import Namer
from wintun_sim.lifecycle import HandlePhase, Ledger, State
from wintun_sim.ndis import OID_GEN_STATISTICS, STATUS_SUCCESS
from wintun_sim.operations import (
    Cancel,
    CancelSend,
    Cleanup,
    Close,
    Create,
    Event,
    Initialize,
    IrpCompleted,
    Load,
    Nbl,
    NblCompleted,
    Oid,
    OidKind,
    Operation,
    PacketReceived,
    Pause,
    PowerState,
    Read,
    Restart,
    Send,
    SetPower,
    Write,
)
from wintun_sim.operations.operation import DEFAULT_ADAPTER
from wintun_sim.scenario.scenario import Order


class Playback:
    """Gives the operations that play ``packets``, one by one; ``ledger`` is kept up to date by whoever does them."""

    def __init__(self, random: Random, ledger: Ledger, packets: Sequence[bytes], order: Order) -> None:
        self.random = random
        self.ledger = ledger
        self.order = order
        self.packets = [packet for packet in packets if len(packet) <= codec.MAX_PACKET_SIZE]
        self.namer = Namer()
        self._operations = self._play()

    def next(self) -> Operation | None:
        """Return the next operation, or None when all packets were played."""
        return next(self._operations, None)

    def _play(self) -> Iterator[Operation]:
        yield Load(name=self.namer.name("load"))
        yield Initialize(name=self.namer.name("initialize"))
        yield Restart(name=self.namer.name("restart"))
        outwards = inwards = 0
        while outwards < len(self.packets) or inwards < len(self.packets):
            yield from self._prepare()
            yield from self._disturb()
            if outwards < len(self.packets) and self.random.random() < 0.5:
                count = self.random.choice((1, 1, 1, 2, 3, 8))
                yield self._send(self.packets[outwards : outwards + count])
                outwards += count
            elif inwards < len(self.packets):
                count = self.random.choice((1, 1, 1, 2, 5, 20))
                yield from self._write(self.packets[inwards : inwards + count])
                inwards += count
        yield from self._prepare()
        yield Oid(name=self.namer.name("oid"), kind=OidKind.QUERY, oid=OID_GEN_STATISTICS, length=152)

    def _prepare(self) -> Iterator[Operation]:
        """Keep a client there, and mostly a read or two."""
        handles = self._open_handles()
        if not handles or (len(handles) < 3 and self.random.random() < 0.02):
            create = Create(name=self.namer.name("create"))
            yield create
        handles = self._open_handles()
        if handles and sum(self.ledger.reads.values()) < 3 and self.random.random() < 0.6:
            length = self.random.choice((61_440, 61_440, 122_880, 1_048_576))
            yield Read(name=self.namer.name("read"), handle=self.random.choice(handles), length=length)

    def _disturb(self) -> Iterator[Operation]:
        """Now and then pause, restart, sleep, close or cancel."""
        random = self.random
        adapter = self.ledger.adapters[DEFAULT_ADAPTER]
        if adapter.state is State.PAUSED and random.random() < 0.4:
            yield SetPower(name=self.namer.name("set-power"), state=int(PowerState.D0))
            yield Restart(name=self.namer.name("restart"))
        if random.random() > 0.12:
            return
        match random.randrange(6):
            case 0 | 1:
                if adapter.state is State.RUNNING:
                    if self.order == "strict" and adapter.nbls:
                        yield CancelSend(name=self.namer.name("cancel-send"), cancel_id=0)
                    yield Pause(name=self.namer.name("pause"))
            case 2:
                handles = self._open_handles()
                if handles:
                    handle = random.choice(handles)
                    yield Cleanup(name=self.namer.name("cleanup"), handle=handle)
                    yield Close(name=self.namer.name("close"), handle=handle)
            case 3:
                state = random.choice((PowerState.D0, PowerState.D2, PowerState.D3))
                if adapter.state is State.PAUSED or self.order == "raw":
                    yield SetPower(name=self.namer.name("set-power"), state=int(state))
            case 4:
                pending = [name for name, waits in self.ledger.reads.items() if waits]
                if pending:
                    yield Cancel(name=self.namer.name("cancel"), request=random.choice(pending))
            case _:
                yield Oid(name=self.namer.name("oid"), kind=OidKind.QUERY, oid=OID_GEN_STATISTICS, length=152)
        if adapter.power != PowerState.D0 and random.random() < 0.5:
            yield SetPower(name=self.namer.name("set-power"), state=int(PowerState.D0))

    def _send(self, packets: Sequence[bytes]) -> Operation:
        random = self.random
        mdl_size = random.choice((0, 0, 0, 100, 1500))
        if random.random() < 0.3:
            nbls: tuple[Nbl, ...] = (Nbl(tuple(packets), mdl_size=mdl_size, data_offset=14),)
        else:
            nbls = tuple(Nbl((packet,), mdl_size=mdl_size) for packet in packets)
        return Send(name=self.namer.name("send"), nbls=nbls)

    def _write(self, packets: Sequence[bytes]) -> Iterator[Operation]:
        handles = self._open_handles()
        if handles:
            handle = self.random.choice(handles)
            yield Write(name=self.namer.name("write"), handle=handle, data=codec.encode(packets))

    def _open_handles(self) -> list[str]:
        return [name for name, handle in self.ledger.handles.items() if handle.phase is HandlePhase.OPEN]


class Packets:
    """Follows packets from one side to the other, by operations and the events of one machine."""

    def __init__(self) -> None:
        self._sent: dict[str, tuple[Nbl, ...]] = {}
        self._written: dict[str, list[bytes]] = {}
        self._received: dict[str, list[bytes]] = {}
        self._delivered: list[bytes] = []
        self._read: list[bytes] = []

    def step(self, operation: Operation, events: Sequence[Event]) -> str | None:
        """Take note of one operation and its events; say what is wrong with the packets, if anything is."""
        if isinstance(operation, Send):
            self._sent[operation.name] = operation.nbls
        elif isinstance(operation, Write):
            self._written[operation.name] = codec.decode(operation.data).tolist()
        for event in events:
            match event:
                case NblCompleted(name, index, status) if status == STATUS_SUCCESS:
                    self._delivered += self._sent[name][index].packets
                case IrpCompleted(data=data) if data:
                    self._read += codec.decode(data, strict=True).tolist()
                case PacketReceived(name, data):
                    self._received.setdefault(name, []).append(data)
                case IrpCompleted(name, status=status) if status == STATUS_SUCCESS and name in self._written:
                    if self._received.get(name, []) != self._written[name]:
                        return f"the stack did not receive the packets of {name} as they were written"
        return self._compare()

    def _compare(self) -> str | None:
        """Every packet of a delivered NBL is read, in order; one more may be read of an NBL that failed later."""
        place = 0
        for packet in self._delivered:
            while place < len(self._read) and self._read[place] != packet:
                place += 1
            if place == len(self._read):
                return f"a packet of {len(packet)} bytes was sent with success and not read, or not in order"
            place += 1
        del self._read[:place]
        self._delivered.clear()
        return None
