"""Operations to C structures, and C events to operations' events."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from wintun_sim.operations import (
    Account,
    AdapterOperation,
    Cancel,
    CancelSend,
    Create,
    Event,
    HandleOperation,
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
    PauseCompleted,
    Read,
    Refused,
    Returned,
    RuleBroken,
    Send,
    SetPower,
    Shutdown,
    Unload,
    Write,
)

KINDS: Final = (
    "load",
    "unload",
    "initialize",
    "restart",
    "pause",
    "halt",
    "shutdown",
    "surprise-remove",
    "set-power",
    "oid",
    "send",
    "cancel-send",
    "create",
    "cleanup",
    "close",
    "read",
    "write",
    "cancel",
)
"""Verbs in the order of ``enum host_operation_kind``, which begins with 1."""

_KIND: Final = {verb: number for number, verb in enumerate(KINDS, start=1)}
_OID_KIND: Final = {OidKind.QUERY: 0, OidKind.SET: 1, OidKind.STATISTICS: 2, OidKind.METHOD: 3}
_ACCOUNT: Final = {Account.SYSTEM: 0, Account.ADMINISTRATOR: 1, Account.USER: 2}
_DIRECT: Final = 1
_AGAIN: Final = 4
_NUMBER: Final = re.compile(r"(?:operation )?#(\d+)")
"""How C writes an operation in a message."""

_U32: Final = 0xFFFFFFFF
_U64: Final = 0xFFFFFFFFFFFFFFFF


class Names:
    """Names and their numbers: 1, 2, 3, … in the order in which they are first heard."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._names: list[str] = [""]

    def number(self, name: str) -> int:
        """Return the number of a name, a new one if it is new."""
        number = self._numbers.setdefault(name, len(self._names))
        if number == len(self._names):
            self._names.append(name)
        return number

    def name(self, number: int) -> str:
        """Return the name that bears this number; 0 is nobody's, and gives an empty name."""
        return self._names[number]


class Operations:
    """Makes ``struct host_operation`` of operations. The memory of the last ones is given up for the next."""

    def __init__(self, ffi: Any, names: Names, demand: Callable[[Operation], int]) -> None:
        self._ffi = ffi
        self._names = names
        self._demand = demand
        self._kept: list[Any] = []

    def array(self, operations: Sequence[tuple[Operation, Path | None]]) -> Any:
        """Return an array of structures; with each operation comes the path of what a Load loads."""
        self._kept.clear()
        return self._array(operations)

    def actors(self, actors: Sequence[Sequence[tuple[Operation, Path | None]]]) -> Any:
        """Return an array of ``struct host_actor``."""
        self._kept.clear()
        array = self._ffi.new("struct host_actor[]", len(actors))
        for target, operations in zip(array, actors, strict=True):
            target.operations = self._keep(self._array(operations))
            target.count = len(operations)
        return array

    def groups(self, groups: Sequence[Sequence[tuple[Operation, Path | None]]]) -> list[Any]:
        """Return an array of structures for each group."""
        self._kept.clear()
        return [self._keep(self._array(operations)) for operations in groups]

    def _array(self, operations: Sequence[tuple[Operation, Path | None]]) -> Any:
        array = self._ffi.new("struct host_operation[]", len(operations))
        for target, (operation, path) in zip(array, operations, strict=True):
            target.kind = _KIND[operation.verb]
            target.id = self._names.number(operation.name)
            if isinstance(operation, AdapterOperation):
                target.adapter = self._names.number(operation.adapter)
            elif isinstance(operation, HandleOperation):
                target.handle = self._names.number(operation.handle)
            self._fill(target, operation, path)
            target.flags |= self._demand(operation)
        return array

    def _fill(self, target: Any, operation: Operation, path: Path | None) -> None:
        match operation:
            case Load():
                assert path is not None, "a Load comes with the path of its image"
                target.path = self._keep(self._ffi.new("char[]", os.fsencode(path)))
            case Unload() | Initialize():
                target.driver = self._names.number(operation.driver)
            case Shutdown():
                target.value = int(operation.action)
            case SetPower():
                target.value = operation.state & _U32
            case Oid():
                target.value = _OID_KIND[operation.kind]
                target.oid = operation.oid & _U32
                target.length = operation.length
                target.flags = _DIRECT if operation.direct else 0
                self._fill_data(target, operation.data)
            case Send():
                target.flags = _AGAIN if operation.again else 0
                self._fill_nbls(target, operation)
            case CancelSend():
                target.wide = operation.cancel_id & _U64
            case Create():
                target.value = _ACCOUNT[operation.account]
            case Read():
                target.length = operation.length
            case Write():
                self._fill_data(target, operation.data)
                if operation.rejected:
                    target.rejected = self._keep(self._ffi.new("uint32_t[]", sorted(operation.rejected)))
                    target.rejected_count = len(operation.rejected)
            case Cancel():
                target.target = self._names.number(operation.request)

    def _keep(self, memory: Any) -> Any:
        """Keep memory alive that the structure only points to."""
        self._kept.append(memory)
        return memory

    def _bytes(self, data: bytes) -> Any:
        return self._keep(self._ffi.from_buffer("uint8_t[]", data)) if data else self._ffi.NULL

    def _fill_data(self, target: Any, data: bytes) -> None:
        target.data = self._bytes(data)
        target.data_length = len(data)

    def _fill_nbls(self, target: Any, operation: Send) -> None:
        if operation.nbls and all(map(_is_plain, operation.nbls)):
            self._fill_packets(target, [nbl.packets[0] for nbl in operation.nbls])
            return
        nbls = self._keep(self._ffi.new("struct host_nbl[]", len(operation.nbls)))
        for wanted, nbl in zip(operation.nbls, nbls, strict=True):
            nbs = self._keep(self._ffi.new("struct host_nb[]", len(wanted.packets)))
            for position, packet in enumerate(wanted.packets):
                nb = nbs[position]
                nb.data = self._bytes(packet)
                nb.length = len(packet)
                nb.mdl_size = wanted.mdl_size
                nb.data_offset = wanted.data_offset
                nb.unmapped = position in wanted.unmapped
            nbl.cancel_id = wanted.cancel_id & _U64
            nbl.nbs = nbs
            nbl.nb_count = len(wanted.packets)
        target.nbls = nbls
        target.nbl_count = len(operation.nbls)

    def _fill_packets(self, target: Any, packets: list[bytes]) -> None:
        """Give the host the packets one after another: it makes the NBLs, and nothing is made here for each."""
        target.packets = self._bytes(b"".join(packets) or b"\0")  # an address, even if all are empty
        target.packet_sizes = self._keep(self._ffi.new("uint32_t[]", list(map(len, packets))))
        target.packet_count = len(packets)


def _is_plain(nbl: Nbl) -> bool:
    """Whether an NBL is no more than one packet in one piece."""
    return len(nbl.packets) == 1 and not (nbl.cancel_id or nbl.mdl_size or nbl.data_offset or nbl.unmapped)


class Events:
    """Makes events of ``struct host_event``."""

    def __init__(self, ffi: Any, lib: Any, names: Names) -> None:
        self._ffi = ffi
        self._name = names.name
        self._count = ffi.new("size_t *")
        self._length = ffi.new("size_t *")
        self._host_events = lib.host_events
        self._host_bytes = lib.host_bytes
        self._makers: dict[int, Callable[[Any, Any], Event | None]] = {
            lib.HOST_EVENT_RETURNED: self._returned,
            lib.HOST_EVENT_OID_COMPLETED: self._oid_completed,
            lib.HOST_EVENT_IRP_COMPLETED: self._irp_completed,
            lib.HOST_EVENT_PACKET: self._packet,
            lib.HOST_EVENT_LINK: self._link,
            lib.HOST_EVENT_PAUSE_COMPLETED: self._pause_completed,
            lib.HOST_EVENT_RULE_BROKEN: self._rule_broken,
            lib.HOST_EVENT_REFUSED: self._refused,
            lib.HOST_EVENT_CRASHED: self._crashed,
            lib.HOST_EVENT_STUCK: self._stuck,
            lib.HOST_EVENT_PRINTED: lambda event, data: None,
        }
        self._nbl_completed = lib.HOST_EVENT_NBL_COMPLETED

    def take(self, host: Any) -> list[Event]:
        """Return the events of ``host``, oldest first."""
        events = self._host_events(host, self._count)
        return self.read(events, self._count[0], self._host_bytes(host, self._length), self._length[0])

    def read(self, events: Any, count: int, bytes_: Any, length: int) -> list[Event]:
        """Return what ``count`` structures say whose data lie in ``length`` bytes at ``bytes_``, oldest first."""
        data = self._ffi.buffer(bytes_, length)
        taken: list[Event] = []
        for number in range(count):
            event = events[number]
            if event.kind == self._nbl_completed:
                name, first, status, again = self._name(event.operation), event.index, event.status, bool(event.value)
                taken.extend(NblCompleted(name, index, status, again) for index in range(first, first + event.count))
                continue
            made = self._makers[event.kind](event, data)
            if made is not None:
                taken.append(made)
        return taken

    @staticmethod
    def _data(event: Any, data: Any) -> bytes:
        return data[event.data : event.data + event.data_length]  # type: ignore[no-any-return]

    def _text(self, event: Any, data: Any) -> str:
        text = self._data(event, data).decode(errors="replace")
        return _NUMBER.sub(self._named, text)

    def _named(self, match: re.Match[str]) -> str:
        number = int(match[1])
        return self._name(number) if number else "the system's own work"

    def _returned(self, event: Any, data: Any) -> Event:
        return Returned(self._name(event.operation), event.status)

    def _oid_completed(self, event: Any, data: Any) -> Event:
        return OidCompleted(
            self._name(event.operation), event.status, event.information, event.needed, self._data(event, data)
        )

    def _irp_completed(self, event: Any, data: Any) -> Event:
        return IrpCompleted(
            self._name(event.operation),
            self._name(event.handle),
            event.status,
            event.information,
            self._data(event, data),
        )

    def _packet(self, event: Any, data: Any) -> Event:
        return PacketReceived(self._name(event.operation), self._data(event, data))

    def _link(self, event: Any, data: Any) -> Event:
        return LinkChanged(self._name(event.adapter), bool(event.value))

    def _pause_completed(self, event: Any, data: Any) -> Event:
        return PauseCompleted(self._name(event.operation))

    def _rule_broken(self, event: Any, data: Any) -> Event:
        rule = self._ffi.string(event.rule).decode()
        return RuleBroken(self._name(event.operation), rule, self._text(event, data))

    def _refused(self, event: Any, data: Any) -> Event:
        return Refused(self._name(event.operation), self._text(event, data))

    def _crashed(self, event: Any, data: Any) -> Event:
        return RuleBroken(self._name(event.operation), "Crash", self._text(event, data))

    def _stuck(self, event: Any, data: Any) -> Event:
        return RuleBroken(self._name(event.operation), "Stuck", self._text(event, data))
