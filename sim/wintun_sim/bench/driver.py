"""How fast packets go through the driver's plain image and the host kernel, beside a Linux TUN device in the same run.

What is done in one measurement, outwards (the stack sends, the client reads) and inwards (the client writes, the stack
receives):

- *arrays*: 4,096 small packets or 1,024 full ones in one call of the host's C interface. Outwards they lie one behind
  the other with an array of their sizes, and what arrives are bundles in the host's log; inwards they are bundles, and
  what arrives are packets in the log. Making and reading bundles is measured by `bench.codec`. Against it: packets of
  the same size through the TUN device, written and read one by one in C.
- *lists*: 256 packets from a list of ``bytes`` to a list of ``bytes``, with the bundle that is made or read between,
  against a loop in Python.
- *machine*: the same with ``DriverMachine``, whose operations and events are objects too.

Each measurement counts what was delivered; before the first, every byte of it is compared.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import median
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

from wintun_sim import bundle, native
from wintun_sim.bench.measure import Row, Times, alone, at_least, side_by_side
from wintun_sim.bench.tun import Tun
from wintun_sim.errors import UnavailableError, WintunSimError
from wintun_sim.kernel.machine import DriverMachine
from wintun_sim.operations import Create, Initialize, Load, Nbl, PacketReceived, Read, Restart, Send, Write

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIZES: Final = (64, 1420)  # bytes: an acknowledgement, a full packet in a tunnel
PACKETS: Final = bundle.MAX_PACKETS  # in a bundle
BUNDLES: Final = {64: 16, 1420: 4}  # in one call with arrays, so that the call itself does not show
ARRAY_TARGETS: Final = {64: 20.0, 1420: 8.0}  # times as fast as the TUN device
LIST_TARGET: Final = 5.0
PACKETS_IN_C: Final = native.load_module("wintun_sim.bundle._packets")
"""Makes a list of bytes of what lies in memory, and the other way round, as the bundle's own functions do."""

OUT: Final = "stack to client"
IN: Final = "client to stack"


@dataclass(frozen=True, slots=True)
class Duration:
    """How long something takes that is not done per packet: a median, in microseconds."""

    subject: str
    microseconds: float


def measure(rounds: int, tun: Tun | None) -> Iterator[Row]:
    """Yield one comparison after the other: medians over ``rounds``; without ``tun``, the driver's side alone."""
    for size in SIZES:
        yield from _arrays(size, rounds, tun)
        yield from _lists(size, rounds, tun)
        yield from _machine(size, rounds, tun)


def durations(rounds: int) -> Iterator[Duration]:
    """Yield what loading, starting and stopping takes, and a write of one packet: medians over ``rounds``."""
    with Host() as host:
        yield from _lifetimes(host, rounds)
    with Adapter() as adapter:
        write = adapter.write(bundle.encode([packet_of(SIZES[0])]))

        def one_packet() -> None:
            adapter.perform(write, 1)

        one_packet()
        (arrived,) = adapter.received(SIZES[0], 1)
        if adapter.log_bytes()[arrived[0]["data"] :][: SIZES[0]] != packet_of(SIZES[0]):
            raise WintunSimError("bench: the stack received another packet than was written")
        times = side_by_side({"write": one_packet}, 1, rounds)["write"]
        yield Duration(f"write of one packet of {SIZES[0]} B", median(times) / 1000)


def packet_of(size: int) -> bytes:
    """Return an IPv4 packet with a UDP header's worth of zeros, between addresses for documentation (RFC 5737)."""
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, size, 0, 0, 64, 17, 0, bytes((192, 0, 2, 1)), bytes((192, 0, 2, 2)))
    return header.ljust(size, b"\0")


class Host:
    """A host kernel by way of its C interface, on which nothing is loaded; a context manager that destroys it."""

    def __init__(self) -> None:
        self.ffi, self.lib = native.load(native.HOST)
        error = self.ffi.new("char[]", 512)
        options = self.ffi.new("struct host_options *", {"ndis_major": 6, "ndis_minor": 80})
        self._host = self.lib.host_create(options, error, len(error))
        if self._host == self.ffi.NULL:
            raise UnavailableError(f"bench: no host kernel: {self.ffi.string(error).decode()}")
        self._image = self.ffi.new("char[]", bytes(native.driver_image()))
        self._count = self.ffi.new("size_t *")
        self._length = self.ffi.new("size_t *")
        self._next_id = 1
        fields = dict(self.ffi.typeof("struct host_event").fields)
        wanted = {"kind": "u4", "count": "u4", "status": "u4", "information": "u8", "data": "u8", "data_length": "u8"}
        self._event = np.dtype(
            {
                "names": list(wanted),
                "formats": list(wanted.values()),
                "offsets": [fields[name].offset for name in wanted],
                "itemsize": self.ffi.sizeof("struct host_event"),
            }
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.lib.host_destroy(self._host)

    def operations(self, *operations: dict[str, Any]) -> Any:
        """Return these as an array of ``struct host_operation``."""
        return self.ffi.new("struct host_operation[]", list(operations))

    def load(self) -> Any:
        """Return the array of one operation that loads the image."""
        return self.operations({"kind": self.lib.HOST_LOAD, "path": self._image})

    def perform(self, operations: Any, count: int) -> int:
        """Carry them out, with new ids, in place of what happened before; return the last id."""
        self.lib.host_clear_events(self._host)
        for position in range(count):
            operations[position].id = self._next_id
            self._next_id += 1
        if self.lib.host_perform(self._host, operations, count, self.ffi.NULL) != self.lib.HOST_QUIET:
            raise WintunSimError("bench: the driver crashed or waits for ever: find out more with wintun-sim check")
        return self._next_id - 1

    def events(self) -> NDArray[Any]:
        """Return what happened, as an array over the host's memory: valid until the next call."""
        events = self.lib.host_events(self._host, self._count)
        return np.frombuffer(self.ffi.buffer(events, self._count[0] * self._event.itemsize), self._event)

    def log_bytes(self) -> Any:
        """Return the bytes that belong to the events, as a buffer over the host's memory; its slices are copies."""
        return self.ffi.buffer(self.lib.host_bytes(self._host, self._length), self._length[0])

    def succeed(self, operations: Any) -> int:
        """Carry out one operation that brings something into being, and return its id."""
        name = self.perform(operations, 1)
        self.check_success()
        return name

    def check_success(self) -> None:
        """Raise ``WintunSimError`` unless the last operation ended, and well."""
        events, lib = self.events(), self.lib
        ends = (lib.HOST_EVENT_RETURNED, lib.HOST_EVENT_IRP_COMPLETED, lib.HOST_EVENT_PAUSE_COMPLETED)
        bad = (lib.HOST_EVENT_REFUSED, lib.HOST_EVENT_RULE_BROKEN)
        kinds, statuses = events["kind"], events["status"]
        ended = np.isin(kinds, ends)
        if not ended.any() or statuses[ended].any() or np.isin(kinds, bad).any():
            raise WintunSimError(f"bench: operation {self._next_id - 1} of the driver did not end well")


class Adapter(Host):
    """A host with a running adapter and a client's handle."""

    def __init__(self) -> None:
        super().__init__()
        self._kept: list[Any] = []
        driver = self.succeed(self.load())
        self.adapter = self.succeed(self.operations({"kind": self.lib.HOST_INITIALIZE, "driver": driver}))
        self.succeed(self.operations({"kind": self.lib.HOST_RESTART, "adapter": self.adapter}))
        self.handle = self.succeed(self.operations({"kind": self.lib.HOST_CREATE, "adapter": self.adapter}))

    def write(self, data: bytes | bytearray, count: int = 1) -> Any:
        """Return ``count`` writes of the same bytes."""
        self._kept.append(data)
        pointer = self.ffi.from_buffer("uint8_t[]", data)
        fields = {"kind": self.lib.HOST_WRITE, "handle": self.handle, "data": pointer, "data_length": len(data)}
        return self.operations(*[fields] * count)

    def send_and_read(self, size: int, count: int = 1) -> Any:
        """Return ``count`` pairs of a Send without packets and a Read of a length that is enough for them."""
        send = {"kind": self.lib.HOST_SEND, "adapter": self.adapter, "packet_count": PACKETS}
        read = {"kind": self.lib.HOST_READ, "handle": self.handle, "length": _read_length(size)}
        return self.operations(*[send, read] * count)

    def received(self, size: int, count: int, bundles: int = 1) -> NDArray[Any]:
        """Return the events of the packets that the stack received of bundles of ``count``, a row for each bundle.

        They are looked at first: nobody measures packets that did not arrive.
        """
        events = self.events()
        if len(events) == bundles * (count + 1):
            rows = events.reshape(bundles, count + 1)
            packets, completed = rows[:, :-1], rows[:, -1]
            if (
                (packets["kind"] == self.lib.HOST_EVENT_PACKET).all()
                and (packets["data_length"] == size).all()
                and (completed["kind"] == self.lib.HOST_EVENT_IRP_COMPLETED).all()
                and not completed["status"].any()
            ):
                return packets
        raise WintunSimError(f"bench: a client wrote {bundles * count} packets, and the stack received others")

    def read(self, size: int, bundles: int) -> Any:
        """Return the bytes of the bundles that the client read, after making sure that every packet is there."""
        events = [event[:4] for event in self.events().tolist()]  # kind, count, status, information
        sent = (self.lib.HOST_EVENT_NBL_COMPLETED, PACKETS, 0, 0)
        read = (self.lib.HOST_EVENT_IRP_COMPLETED, 0, 0, PACKETS * bundle.record_size(size))
        if events != [sent, read] * bundles:
            raise WintunSimError(f"bench: the stack sent {bundles * PACKETS} packets, and the client read others")
        return self.log_bytes()


def _read_length(size: int) -> int:
    return max(bundle.MIN_READ_SIZE, PACKETS * bundle.record_size(size))


class _Ways:
    """The ways of packets of one size through the driver."""

    def __init__(self, adapter: Adapter, size: int) -> None:
        self.size = size
        self.packets = [bytes(bytearray(packet_of(size))) for _ in range(PACKETS)]  # as many objects
        self._adapter = adapter
        self._bundles = BUNDLES[size]
        self._joined = b"".join(self.packets)
        self._sizes = np.full(PACKETS, size, np.uint32)
        self._sends = adapter.send_and_read(size, self._bundles)
        self._packets_pointer = adapter.ffi.from_buffer("uint8_t[]", self._joined)
        self._sizes_pointer = adapter.ffi.from_buffer("uint32_t[]", self._sizes)
        for number in range(0, 2 * self._bundles, 2):
            self._sends[number].packets = self._packets_pointer
            self._sends[number].packet_sizes = self._sizes_pointer
        self._writes = adapter.write(bundle.encode(self.packets), self._bundles)
        self._send = adapter.send_and_read(size)
        self._memory = bytearray(PACKETS * size)  # the stack's own, used again and again
        self._memory_sizes = np.zeros(PACKETS, np.uint32)
        self._memory_pointer = adapter.ffi.from_buffer("uint8_t[]", self._memory)
        self._memory_sizes_pointer = adapter.ffi.from_buffer("uint32_t[]", self._memory_sizes)
        self._send[0].packets, self._send[0].packet_sizes = self._memory_pointer, self._memory_sizes_pointer
        self._bundle = bytearray(PACKETS * bundle.record_size(size))  # the client's own memory, used again and again
        self._write = adapter.write(self._bundle)

    def arrays_out(self) -> Any:
        """Return the bundles that the client read, one behind the other."""
        self._adapter.perform(self._sends, 2 * self._bundles)
        return self._adapter.read(self.size, self._bundles)

    def arrays_in(self) -> NDArray[Any]:
        """Return the events of the packets that the stack received."""
        self._adapter.perform(self._writes, self._bundles)
        return self._adapter.received(self.size, PACKETS, self._bundles)

    def list_out(self) -> list[bytes]:
        if PACKETS_IN_C.join_into(self._memory, self._memory_sizes, tuple(self.packets)) != len(self._memory):
            raise WintunSimError("bench: not all packets could be joined")
        self._adapter.perform(self._send, 2)
        return self._counted(bundle.decode(self._adapter.read(self.size, 1)).tolist())

    def list_in(self) -> list[bytes]:
        bundle.encode_into(self._bundle, self.packets)
        self._adapter.perform(self._write, 1)
        (arrived,) = self._adapter.received(self.size, PACKETS)
        places, sizes = arrived["data"].copy(), arrived["data_length"].astype(np.uint32)  # without gaps
        return self._counted(PACKETS_IN_C.packets(self._adapter.log_bytes(), places, sizes, len(sizes)))

    def _counted(self, packets: list[bytes]) -> list[bytes]:
        if len(packets) != PACKETS:
            raise WintunSimError(f"bench: {len(packets)} of {PACKETS} packets arrived")
        return packets

    def compare(self) -> None:
        """Carry the packets each way once, and compare every byte."""
        expected = self.packets * self._bundles
        if bytes(self.arrays_out()) != bundle.encode(self.packets) * self._bundles:
            raise WintunSimError("bench: the client read other bundles than were sent")
        starts = self.arrays_in()["data"].ravel().tolist()
        data = self._adapter.log_bytes()
        _same([data[start : start + self.size] for start in starts], expected)
        _same(self.list_out(), self.packets)
        _same(self.list_in(), self.packets)


def _same(arrived: list[bytes], packets: list[bytes]) -> None:
    if arrived != packets:
        raise WintunSimError("bench: other packets arrived than were sent")


def _arrays(size: int, rounds: int, tun: Tun | None) -> Iterator[Row]:
    with Adapter() as adapter:
        ways = _Ways(adapter, size)
        ways.compare()
        calls: dict[str, Callable[[], object]] = {OUT: ways.arrays_out, IN: ways.arrays_in}
        if tun is not None:
            packet = ways.packets[0]
            # Fewer packets in a call than the others have, so that its timings are not longer and thus interrupted.
            calls["TUN out"] = lambda: tun.carry(tun.stack, tun.device, packet, PACKETS)
            calls["TUN in"] = lambda: tun.carry(tun.device, tun.stack, packet, PACKETS)
        times = side_by_side(calls, PACKETS, rounds)
    for way in (OUT, IN):
        times[way] = [each / BUNDLES[size] for each in times[way]]
    for way, baseline in ((OUT, "TUN out"), (IN, "TUN in")):
        yield _row(f"{way}, arrays", size, "TUN, in C", times[way], times.get(baseline), ARRAY_TARGETS[size])


def _lists(size: int, rounds: int, tun: Tun | None) -> Iterator[Row]:
    with Adapter() as adapter:
        ways = _Ways(adapter, size)
        ways.compare()
        yield from _list_rows("lists", ways.packets, (ways.list_out, ways.list_in), rounds, tun, LIST_TARGET)


def _machine(size: int, rounds: int, tun: Tun | None) -> Iterator[Row]:
    with _Machine(size) as machine:
        for call in (machine.list_out, machine.list_in):
            _same(call(), machine.packets)
        yield from _list_rows("machine", machine.packets, (machine.list_out, machine.list_in), rounds, tun, None)


def _list_rows(
    subject: str,
    packets: list[bytes],
    ways: tuple[Callable[[], list[bytes]], Callable[[], list[bytes]]],
    rounds: int,
    tun: Tun | None,
    target: float | None,
) -> Iterator[Row]:
    calls: dict[str, Callable[[], object]] = dict(zip((OUT, IN), ways, strict=True))
    if tun is not None:
        _same(tun.carry_list(tun.stack, tun.device, packets), packets)
        _same(tun.carry_list(tun.device, tun.stack, packets), packets)
        calls["TUN out"] = lambda: tun.carry_list(tun.stack, tun.device, packets)
        calls["TUN in"] = lambda: tun.carry_list(tun.device, tun.stack, packets)
    times = side_by_side(calls, PACKETS, rounds)
    for way, baseline in ((OUT, "TUN out"), (IN, "TUN in")):
        yield _row(f"{way}, {subject}", len(packets[0]), "TUN, in Python", times[way], times.get(baseline), target)


def _row(subject: str, size: int, baseline: str, times: Times, baselines: Times | None, target: float | None) -> Row:
    if baselines is None:
        return alone(subject, f"{size} B", baseline, times, target)
    return at_least(subject, f"{size} B", baseline, times, baselines, target)


class _Machine:
    """A DriverMachine with a running adapter and a handle; a context manager that closes it."""

    def __init__(self, size: int) -> None:
        self._machine = DriverMachine(native.driver_image())
        self.packets = [bytes(bytearray(packet_of(size))) for _ in range(PACKETS)]
        self._read_length = _read_length(size)
        self._count = 0
        for operation in (Load(name="d"), Initialize(name="a", driver="d"), Restart(name="r", adapter="a")):
            self._machine.perform(operation)
        self._machine.perform(Create(name="h", adapter="a"))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._machine.close()

    def _name(self) -> str:
        self._count += 1
        return f"operation {self._count}"

    def list_out(self) -> list[bytes]:
        nbls = tuple([Nbl((packet,)) for packet in self.packets])
        self._machine.perform(Send(name=self._name(), adapter="a", nbls=nbls))
        (event,) = self._machine.perform(Read(name=self._name(), handle="h", length=self._read_length))[-1:]
        return bundle.decode(getattr(event, "data", b"")).tolist()

    def list_in(self) -> list[bytes]:
        events = self._machine.perform(Write(name=self._name(), handle="h", data=bundle.encode(self.packets)))
        return [event.data for event in events if type(event) is PacketReceived]


def _lifetimes(host: Host, rounds: int) -> Iterator[Duration]:
    """Load → initialize → restart → pause → halt → unload, again and again on one host."""
    lib = host.lib
    steps = {
        "load": host.load(),
        "initialize": host.operations({"kind": lib.HOST_INITIALIZE}),
        "restart": host.operations({"kind": lib.HOST_RESTART}),
        "pause": host.operations({"kind": lib.HOST_PAUSE}),
        "halt": host.operations({"kind": lib.HOST_HALT}),
        "unload": host.operations({"kind": lib.HOST_UNLOAD}),
    }
    times: dict[str, list[float]] = {name: [] for name in (*steps, "all")}
    for _ in range(rounds):
        total = 0
        driver = adapter = 0
        for name, step in steps.items():
            step[0].driver = driver if name in ("initialize", "unload") else 0
            step[0].adapter = adapter if name in ("restart", "pause", "halt") else 0
            start = time.perf_counter_ns()
            done = host.perform(step, 1)
            took = time.perf_counter_ns() - start
            driver, adapter = (done if name == "load" else driver), (done if name == "initialize" else adapter)
            host.check_success()
            times[name].append(took)
            total += took
        times["all"].append(total)
    for name, values in times.items():
        yield Duration("from load to unload" if name == "all" else name, median(values) / 1000)
