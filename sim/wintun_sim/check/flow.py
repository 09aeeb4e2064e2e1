"""What must hold of order, packets and the state at rest, whatever the model says; see ``properties``.

Whatever is said here of "before" is certain: two operations of one actor, or one of the set-up and one of an actor. Of
operations of two actors nobody knows who came first, and nothing is said of them.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Final

from wintun_sim import ndis
from wintun_sim.bundle import decode
from wintun_sim.check.finding import STATISTICS
from wintun_sim.check.record import Record, Wrong
from wintun_sim.model.client import is_ip
from wintun_sim.model.limits import LARGEST_PACKET
from wintun_sim.operations import (
    AdapterOperation,
    Cleanup,
    Close,
    Create,
    Halt,
    NblCompleted,
    PacketReceived,
    PowerState,
    Read,
    Restart,
    Send,
    SetPower,
    Write,
)

# In the right order


def _calls_return_after_what_they_did(record: Record) -> Iterator[Wrong]:
    """A synchronous request completes before its operation returns, hence before anything of the actor's next one."""
    ends = (record.requests, record.returns, record.oids)
    for operations in record.layout.actors:
        for operation in operations:
            if isinstance(operation, Read):
                continue
            places = [found[operation.name][0][0] for found in ends if operation.name in found]
            first = record.first_event_after(operation.name)
            if places and places[0] > first:
                event = record.events[first]
                message = f"{operation.name} ended after {getattr(event, 'operation', '')}, which began after it"
                yield Wrong("order", "synchronous", message, places[0])


def _nbls_complete_before_their_reads(record: Record) -> Iterator[Wrong]:
    """An NBL is back before the read that carries its last packet; told by packets that there is only one of."""
    counted = record.sent()
    carried = {packet: read for read, packets in record.delivered.items() for packet in packets}
    for (send, index), found in record.nbls.items():
        operation = record.layout.operations[send]
        assert isinstance(operation, Send)
        packets = operation.nbls[index].packets
        if not packets or counted[packets[-1]] != 1 or packets[-1] not in carried:
            continue
        read = carried[packets[-1]]
        if found[0][0] > record.requests[read][0][0]:
            message = f"NBL {send}.{index} completed after {read}, which carries its last packet"
            yield Wrong("order", "nbl-before-read", message, found[0][0])


def _nothing_follows_a_pause(record: Record) -> Iterator[Wrong]:
    """A pause ends after its NBLs and indications, and none starts before the next restart."""
    for name, end in record.ends_of_pauses.items():
        yield from _nothing_flows(record, name, end, _until(record, name, Restart))


def _nothing_follows_low_power(record: Record) -> Iterator[Wrong]:
    """A power request returns when sends, writes and copies under way have ended, and none starts before D0."""
    for name, found in record.oids.items():
        power = record.layout.operations[name]
        if isinstance(power, SetPower) and PowerState.D1 <= power.state <= PowerState.D3:
            yield from _nothing_flows(record, name, found[0][0], _until(record, name, SetPower))


def _until(record: Record, name: str, kind: type[AdapterOperation]) -> int:
    """Return the end of what can be said after an operation: where another one of a kind may follow, there is no time.

    That an operation begins is no event, so one that may follow may have begun at once.
    """
    layout = record.layout
    adapter = record.adapter_of(layout.operations[name])
    follows = any(
        isinstance(other, kind) and other.adapter == adapter and other.name != name
        for other in layout.operations.values()
        if not layout.is_before(other.name, name)
    )
    return 0 if follows else len(record.events)


def _nothing_flows(record: Record, name: str, begin: int, end: int) -> Iterator[Wrong]:
    """A send that was refused, then or before, for whatever reason there was, never was in the adapter's hands."""
    refusals = (ndis.STATUS_NDIS_PAUSED, ndis.STATUS_NDIS_LOW_POWER_STATE, ndis.NDIS_STATUS_MEDIA_DISCONNECTED)
    adapter = record.adapter_of(record.layout.operations[name])
    for place in range(begin + 1, end):
        event = record.events[place]
        if not isinstance(event, (NblCompleted, PacketReceived)):
            continue
        if record.adapter_of(record.layout.operations[event.operation]) != adapter:
            continue
        if isinstance(event, PacketReceived):
            message = f"a packet of {event.operation} was indicated after {name} had ended"
        elif event.status not in refusals:
            status = ndis.name_of(event.status)
            message = f"NBL {event.operation}.{event.index} completed with {status} after {name} had ended"
        else:
            continue
        yield Wrong("order", "nothing-after", message, place)


# No packet is lost, doubled, or overtakes another


def _packets_are_delivered_once(record: Record) -> Iterator[Wrong]:
    """No packet is delivered oftener than it was sent, and whoever was told that all went well was told the truth."""
    delivered = Counter(packet for packets in record.delivered.values() for packet in packets)
    for packet in delivered - record.sent():
        yield Wrong("property", "packet-twice", f"a packet of {len(packet)} bytes was delivered oftener than sent")
    promised: Counter[bytes] = Counter()
    for (send, index), found in record.nbls.items():
        operation = record.layout.operations[send]
        assert isinstance(operation, Send)
        promised.update(
            packet
            for _, event in found
            if event.status == ndis.NDIS_STATUS_SUCCESS
            for packet in operation.nbls[index].packets
        )
    if record.is_whole:
        for packet in promised - delivered:
            message = f"a packet of {len(packet)} bytes was never delivered, but its NBL ended with success"
            yield Wrong("property", "packet-lost", message)


def _packets_keep_their_order(record: Record) -> Iterator[Wrong]:
    """What was sent before something else is not read after it; told by packets that there is only one of."""
    counted = record.sent()
    sent = [
        (packet, (operation.name, index, number))
        for operation in record.layout.operations.values()
        if isinstance(operation, Send)
        for index, nbl in enumerate(operation.nbls)
        for number, packet in enumerate(nbl.packets)
        if counted[packet] == 1
    ]
    read = {packet: (name, place) for name, packets in record.delivered.items() for place, packet in enumerate(packets)}
    both = [(where, read[packet]) for packet, where in sent if packet in read]
    for (one, one_read), (other, other_read) in ((one, other) for one in both for other in both):
        if _precedes(record, one, other) and _precedes(record, other_read, one_read):
            message = f"the packet {_packet(one)} was sent before {_packet(other)}, and read after it"
            yield Wrong("property", "packet-order", message, record.requests[one_read[0]][0][0])


def _packet(where: tuple[str, int, int]) -> str:
    return f"{where[0]}.{where[1]}[{where[2]}]"


def _precedes(record: Record, one: tuple[str, *tuple[int, ...]], other: tuple[str, *tuple[int, ...]]) -> bool:
    if one[0] == other[0]:
        return one[1:] < other[1:]
    return record.layout.is_before(one[0], other[0])


def _writes_are_received_whole(record: Record) -> Iterator[Wrong]:
    """The stack receives the packets of a write that succeeded, in order, and of one that did not none."""
    for name, found in record.requests.items():
        write = record.layout.operations[name]
        if not isinstance(write, Write):
            continue
        received = [event.data for _, event in record.received.get(name, ())]
        expected: list[bytes] = []
        if found[0][1].status == ndis.STATUS_SUCCESS:
            expected = [packet for packet in _parse(write.data[: found[0][1].information]) if is_ip(packet)]
        if received != expected:
            message = f"of {name} the stack received {len(received)} packets, which are not the {len(expected)} written"
            yield Wrong("property", "packets-received", message, found[0][0])


def _parse(data: bytes) -> Iterator[bytes]:
    while data:
        part = decode(data)
        yield from part.tolist()
        if not part.consumed:
            return
        data = data[part.consumed :]


def _packets_come_before_their_write_ends(record: Record) -> Iterator[Wrong]:
    for name, packets in record.received.items():
        if name in record.requests and packets[-1][0] > record.requests[name][0][0]:
            message = f"the stack received a packet of {name} after {name} had completed"
            yield Wrong("order", "received-late", message, packets[-1][0])


# At rest all is accounted for


def _nobody_waits_for_the_other(record: Record) -> Iterator[Wrong]:
    """A packet that waits for a read, and a read that waits for a packet, do not wait at the same time."""
    for adapter, counters in record.counters.items():
        if counters.nbls_owned and counters.reads_pending:
            message = f"{counters.nbls_owned} NBLs and {counters.reads_pending} reads wait in {adapter} for each other"
            yield Wrong("property", "lost-wake-up", message)


def _nothing_is_owned_while_nothing_flows(record: Record) -> Iterator[Wrong]:
    """An adapter that was paused, or put to sleep, and stays so, owns nothing at rest."""
    ended: dict[str, type[AdapterOperation]] = dict.fromkeys(record.ends_of_pauses, Restart)
    for name, found in record.oids.items():
        power = record.layout.operations[name]
        if isinstance(power, SetPower) and found[0][1].status == 0 and power.state != PowerState.D0:
            ended[name] = SetPower
    for name in ended.keys() - record.layout.of_ending:
        adapter = record.adapter_of(record.layout.operations[name])
        owned = record.counters[adapter].nbls_owned if adapter in record.counters else 0
        if owned and _until(record, name, ended[name]):
            yield Wrong("property", "owned-at-rest", f"{adapter} owns {owned} NBLs, long after {name} had ended")


def _no_read_outlives_its_handle(record: Record) -> Iterator[Wrong]:
    """Whoever waits for packets when a handle's cleanup is over waits in vain, and must not be left waiting."""
    cleaned = {
        cleanup.handle: name
        for name, cleanup in record.layout.operations.items()
        if isinstance(cleanup, Cleanup) and name in record.requests and record.requests[name][0][0] < record.at_rest
    }
    for name, found in record.requests.items():
        read = record.layout.operations[name]
        if not isinstance(read, Read) or read.handle not in cleaned or name in record.layout.of_ending:
            continue
        if found[0][0] >= record.at_rest:
            message = f"{name} was left waiting after {cleaned[read.handle]}, the cleanup of its handle"
            yield Wrong("property", "late-read", message, found[0][0])


def _a_halt_waits_for_requests(record: Record) -> Iterator[Wrong]:
    """Whatever was let in is complete when a halt has returned; who comes later is refused."""
    for halt in record.layout.all_of(Halt):
        if halt.name not in record.returns:
            continue
        returned = record.returns[halt.name][0][0]
        for name, found in record.requests.items():
            if record.adapter_of(record.layout.operations[name]) != record.adapter_of(halt):
                continue
            for place, event in found:
                if place > returned and event.status != ndis.STATUS_INVALID_HANDLE:
                    message = f"{name} ended with {ndis.name_of(event.status)} after {halt.name} had returned"
                    yield Wrong("property", "halt-waits", message, place)


def _handles_and_link_agree(record: Record) -> Iterator[Wrong]:
    """Handles are creates less closes, and the link is what was said last of it; each change is said once, in order."""
    for adapter, told in record.links.items():
        for (_, one), (place, other) in pairwise(told):
            if one == other:
                word = "up" if one else "down"
                yield Wrong("property", "link", f"the link of {adapter} was said to be {word} twice", place)
    if not record.is_whole:
        return
    for adapter, counters in record.counters.items():
        if _is_halted(record, adapter):
            continue
        opened = sum(_came_to_rest(record, adapter, Create)) - sum(_came_to_rest(record, adapter, Close))
        if counters.handles != opened:
            message = f"{adapter} has {counters.handles} handles, but {opened} are open"
            yield Wrong("property", "handles", message)
        last = next((up for place, up in reversed(record.links.get(adapter, ())) if place < record.at_rest), False)
        if last != (opened > 0):
            message = (
                f"{opened} handles of {adapter} are open, but the link was last said to be {'up' if last else 'down'}"
            )
            yield Wrong("property", "link", message)


def _is_halted(record: Record, adapter: str) -> bool:
    return any(
        isinstance(operation, Halt) and operation.adapter == adapter and name in record.returns
        for name, operation in record.layout.operations.items()
        if name not in record.layout.of_ending
    )


def _came_to_rest(record: Record, adapter: str, kind: type[Create] | type[Close]) -> Iterator[bool]:
    """Give, for each operation of a kind, whether it succeeded before the ending."""
    for name, found in record.requests.items():
        operation = record.layout.operations[name]
        if isinstance(operation, kind) and record.adapter_of(operation) == adapter:
            place, event = found[0]
            yield event.status == ndis.STATUS_SUCCESS and place < record.at_rest


_INFO: Final = struct.Struct(f"<8x{len(STATISTICS)}Q")


def _statistics_add_up(record: Record) -> Iterator[Wrong]:
    """At rest the statistics are what was delivered and received, to the packet and the byte."""
    for name in record.layout.of_ending & record.oids.keys():
        place, event = record.oids[name][0]
        if event.status != ndis.NDIS_STATUS_SUCCESS or len(event.data) != _INFO.size:
            continue
        counted = dict(zip(STATISTICS, _INFO.unpack(event.data), strict=True))
        adapter = record.adapter_of(record.layout.operations[name])
        for counter, value in _expected_statistics(record, adapter, place).items():
            if counted.pop(counter) != value:
                message = f"{counter} is not {value}, which is what was read and received"
                yield Wrong("property", "statistics", message, place)
        for counter, value in counted.items():
            most = _most(record, adapter, counter)
            if value > most:
                message = f"{counter} is {value}, but there is a reason for {most} at most"
                yield Wrong("property", "statistics", message, place)


def _expected_statistics(record: Record, adapter: str, upto: int) -> dict[str, int]:
    operations = record.layout.operations
    out = [
        packet
        for read, packets in record.delivered.items()
        if record.requests[read][0][0] < upto and record.adapter_of(operations[read]) == adapter
        for packet in packets
    ]
    taken: list[bytes] = []
    errors = 0
    for name, found in record.requests.items():
        write = operations[name]
        if not isinstance(write, Write) or record.adapter_of(write) != adapter:
            continue
        received = [event.data for _, event in record.received.get(name, ())]
        taken += [packet for number, packet in enumerate(received) if number not in write.rejected]
        if found[0][1].status == ndis.STATUS_SUCCESS:
            parsed = sum(1 for _ in _parse(write.data[: found[0][1].information]))
            errors += parsed - sum(number not in write.rejected for number in range(len(received)))
    return {
        "ifHCOutUcastPkts": len(out),
        **dict.fromkeys(("ifHCOutOctets", "ifHCOutUcastOctets"), sum(map(len, out))),
        "ifHCInUcastPkts": len(taken),
        **dict.fromkeys(("ifHCInOctets", "ifHCInUcastOctets"), sum(map(len, taken))),
        "ifInErrors": errors,
    }


def _most(record: Record, adapter: str, counter: str) -> int:
    """Return the most that a counter may say for which no equation holds, since what it counts is no event."""
    sends = [o for o in record.layout.operations.values() if isinstance(o, Send) and o.adapter == adapter]
    if counter == "ifOutErrors":
        return sum(len(nbl.unmapped) * (1 + send.again) for send in sends for nbl in send.nbls)
    if counter == "ifOutDiscards":
        overlong = sum(
            (1 + send.again) * sum(len(packet) > LARGEST_PACKET for packet in nbl.packets)
            for send in sends
            for nbl in send.nbls
        )
        return overlong + sum(
            len(send.nbls[index].packets)
            for send in sends
            for index in range(len(send.nbls))
            for _, event in record.nbls.get((send.name, index), ())
            if event.status == ndis.NDIS_STATUS_SEND_ABORTED
        )
    return 0


Check = Callable[[Record], Iterator[Wrong]]

ALWAYS: Final[tuple[Check, ...]] = (
    _calls_return_after_what_they_did,
    _nbls_complete_before_their_reads,
    _nothing_follows_a_pause,
    _nothing_follows_low_power,
    _packets_are_delivered_once,
    _packets_keep_their_order,
    _packets_come_before_their_write_ends,
    _nobody_waits_for_the_other,
    _nothing_is_owned_while_nothing_flows,
    _no_read_outlives_its_handle,
    _a_halt_waits_for_requests,
    _handles_and_link_agree,
)
"""What holds even where something was made to fail."""

WITHOUT_FAULT: Final[tuple[Check, ...]] = (_writes_are_received_whole, _statistics_add_up)
"""What holds where nothing was."""
