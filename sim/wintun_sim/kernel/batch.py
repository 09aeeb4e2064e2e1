"""A driver that carries out hundreds of operations in one go: arrays of numbers in, arrays of numbers out.

Making a structure of each operation and an object of each event costs many times what the driver takes for it. Where
operations are letters of an alphabet that is known beforehand, their structures are made once, and numpy puts them one
behind another; what came of them is compared, not read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from wintun_sim.kernel.machine import DriverMachine
from wintun_sim.kernel.marshal import Events, Names
from wintun_sim.lifecycle import Order
from wintun_sim.operations import (
    Counters,
    Event,
    IrpCompleted,
    LinkChanged,
    Load,
    NblCompleted,
    OidCompleted,
    Operation,
    PacketReceived,
    PauseCompleted,
    Returned,
)

Numbers = NDArray[np.int64]

DRIVER: Final = 1
"""The number of the driver that is loaded; the operations of a batch are numbered from 2 on."""

COLUMNS: Final = (
    *("kind", "operation", "subject"),
    *("index", "count", "status", "value", "needed", "information", "data_length"),
)
"""What is told of an event. ``subject`` is the handle of a request, the adapter of a link state, else 0; ``operation``
is 0 for a link state; the others are those of ``struct host_event``."""

_FIRST_VALUE: Final = 3


@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """Events in numbers: a row of int64 for each, with 0 in place of names; ``data`` is what comes with them.

    ``names`` has for each row the operation's name and the subject's, or "". ``counters`` is what is owned afterwards.
    """

    rows: bytes
    names: tuple[str, ...]
    data: bytes
    counters: bytes


@dataclass(frozen=True, slots=True, eq=False)
class Played:
    """What came of a batch: how many operations ended as they should, the events, their data, and what was owned.

    ``events`` has the columns of ``COLUMNS``, ``data`` and ``counters`` are those of all operations, end to end.
    """

    done: int
    events: Numbers
    data: bytes
    counters: bytes


class BatchMachine(DriverMachine):
    """A driver that is loaded, and takes arrays of ``letters``: operations of which names mean nothing."""

    def __init__(
        self,
        image: Path | None,
        letters: Sequence[Operation],
        aims: Sequence[str],
        *,
        order: Order | str,
        ndis: tuple[int, int],
    ) -> None:
        """Load ``image``. ``aims`` names for each letter the field with the name of what it is done to.

        Raises what ``DriverMachine`` and its ``perform`` raise.
        """
        super().__init__(image, order=order, ndis=ndis)
        self.perform(Load(name="1"))
        self._is_there = self._gone is None
        if self._is_there:
            self.snapshot()
        self._operation_type = self._dtype("struct host_operation")
        self._event_type = self._dtype("struct host_event")
        array = self._operations.array([(letter, None) for letter in letters])
        self._kept = list(self._operations._kept)
        self._letters = np.frombuffer(self._ffi.buffer(array), self._operation_type).copy()
        fields = self._operation_type.fields
        assert fields is not None
        columns = ["target" if aim == "request" else aim for aim in aims]
        for name in ("id", "driver", "adapter", "handle", "target"):
            self._letters[name] = 0
        self._aims = np.array([fields[column][1] // 4 for column in columns])
        self._printed = self._lib.HOST_EVENT_PRINTED
        self._irp, self._link = self._lib.HOST_EVENT_IRP_COMPLETED, self._lib.HOST_EVENT_LINK
        self._count = self._ffi.new("size_t *")
        self._length = self._ffi.new("size_t *")
        self._done = self._ffi.new("size_t *")

    def _dtype(self, structure: str) -> np.dtype[Any]:
        """Describe a structure of the host's, all of whose fields are unsigned numbers or addresses."""
        kind = self._ffi.typeof(structure)
        fields = {name: (f"u{self._ffi.sizeof(field.type)}", field.offset) for name, field in kind.fields}
        return np.dtype(
            {
                "names": list(fields),
                "formats": [form for form, _ in fields.values()],
                "offsets": [offset for _, offset in fields.values()],
                "itemsize": self._ffi.sizeof(kind),
            }
        )

    def play_batch(self, letters: Sequence[int], targets: Sequence[int], counted: Sequence[int]) -> Played:
        """Carry out a batch on the driver as it was when it was loaded.

        ``letters`` are places in the alphabet, ``targets`` the numbers of what they are done to, and ``counted`` those
        of the adapters whose counters are wanted, 0 for none. A driver that its load has ended carries out nothing.
        Raises ``MachineFull`` when memory is used up.
        """
        size = len(letters)
        if not self._is_there:
            return Played(0, np.zeros((0, len(COLUMNS)), np.int64), b"", b"")
        self.restore()
        operations = self._letters[letters]
        operations["id"] = np.arange(DRIVER + 1, DRIVER + 1 + size)
        words = operations.view("u4").reshape(size, -1)
        words[np.arange(size), self._aims[letters]] = targets
        adapters = np.array(counted, "u4")
        counters = self._ffi.new("struct host_counters[]", size)
        result = self._lib.host_perform_counting(
            self._host,
            self._ffi.cast("struct host_operation *", operations.ctypes.data),
            size,
            self._ffi.cast("uint32_t *", adapters.ctypes.data),
            counters,
            self._done,
        )
        if result == self._lib.HOST_OUT_OF_MEMORY:
            self._take(result, f"a batch of {size} operations")
        self._lib.host_check(self._host)
        events, data = self._what_happened()
        return Played(self._done[0], events, data, bytes(self._ffi.buffer(counters)))

    def _what_happened(self) -> tuple[Numbers, bytes]:
        pointer = self._lib.host_events(self._host, self._count)
        size = self._count[0] * self._event_type.itemsize
        found = np.frombuffer(self._ffi.buffer(pointer, size), self._event_type)
        data = self._ffi.buffer(self._lib.host_bytes(self._host, self._length), self._length[0])
        events = np.empty((len(found), len(COLUMNS)), np.int64)
        kinds = events[:, 0] = found["kind"]
        is_link = kinds == self._link
        events[:, 1] = np.where(is_link, 0, found["operation"])
        events[:, 2] = np.where(is_link, found["adapter"], np.where(kinds == self._irp, found["handle"], 0))
        for column, name in enumerate(COLUMNS[_FIRST_VALUE:], _FIRST_VALUE):
            events[:, column] = found[name]
        if not (kinds == self._printed).any():
            return events, bytes(data)
        kept = kinds != self._printed
        parts = (data[start : start + length] for start, length in found[kept][["data", "data_length"]].tolist())
        return events[kept], b"".join(parts)

    def read_batch(self, names: Sequence[str]) -> list[Event]:
        """Return the events of the last batch, whose operations have these names; the first is the driver's."""
        known = Names()
        for name in names:
            known.number(name)
        return Events(self._ffi, self._lib, known).take(self._host)

    def tell(self, events: Sequence[Event], counters: Counters) -> Told:
        """Return in numbers how the host would tell of what one operation caused, and what is owned then."""
        rows: list[list[int]] = []
        names: list[str] = []
        data: list[bytes] = []
        last: NblCompleted | None = None
        for event in events:
            row, subject = self._row(event)
            if _are_one(last, event):
                rows[-1][COLUMNS.index("count")] += 1
            else:
                rows.append([row[0], 0, 0, *row[1:]])
                names += [getattr(event, "operation", ""), subject]
            last = event if isinstance(event, NblCompleted) else None
            data.append(getattr(event, "data", b""))
        owned = self._ffi.new("struct host_counters *")
        owned.nbls_owned, owned.reads_pending = counters.nbls_owned, counters.reads_pending
        owned.handles = counters.handles
        return Told(np.array(rows, np.int64).tobytes(), tuple(names), b"".join(data), bytes(self._ffi.buffer(owned)))

    def _row(self, event: Event) -> tuple[tuple[int, ...], str]:
        """Return kind, index, count, status, value, needed, information and length of data, and the subject."""
        lib = self._lib
        match event:
            case Returned(_, status):
                return (lib.HOST_EVENT_RETURNED, 0, 0, status, 0, 0, 0, 0), ""
            case OidCompleted(_, status, information, needed, data):
                return (lib.HOST_EVENT_OID_COMPLETED, 0, 0, status, 0, needed, information, len(data)), ""
            case IrpCompleted(_, handle, status, information, data):
                return (lib.HOST_EVENT_IRP_COMPLETED, 0, 0, status, 0, 0, information, len(data)), handle
            case NblCompleted(_, index, status, again):
                return (lib.HOST_EVENT_NBL_COMPLETED, index, 1, status, int(again), 0, 0, 0), ""
            case PacketReceived(_, data):
                return (lib.HOST_EVENT_PACKET, 0, 0, 0, 0, 0, 0, len(data)), ""
            case LinkChanged(adapter, connected):
                return (lib.HOST_EVENT_LINK, 0, 0, 0, int(connected), 0, 0, 0), adapter
            case PauseCompleted():
                return (lib.HOST_EVENT_PAUSE_COMPLETED, 0, 0, 0, 0, 0, 0, 0), ""
        raise TypeError(f"the host does not tell of {event.verb}")


def _are_one(last: NblCompleted | None, event: Event) -> bool:
    """Tell whether the host makes one event of two NBLs that come back one after the other."""
    return (
        last is not None
        and isinstance(event, NblCompleted)
        and (last.operation, last.index + 1, last.status, last.again)
        == (event.operation, event.index, event.status, event.again)
    )
