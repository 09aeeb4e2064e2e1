"""A driver's image as a machine: operations in, events out, by way of the host kernel's C.

Names become numbers on the way in and names again on the way out; everything else is done in C (``host_api.h``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from enum import IntEnum, IntFlag
from pathlib import Path
from typing import Any, Final

from wintun_sim import native
from wintun_sim.errors import UsageError, WintunSimError
from wintun_sim.kernel.marshal import Events, Names, Operations
from wintun_sim.lifecycle import Ledger, Order
from wintun_sim.operations import Attributes, Counters, Event, Load, Operation, Refused

ERROR_SIZE: Final = 512

DEFAULT_MEMORY: Final = 256 << 20
"""Bytes of memory that a machine has for clients, the stack and drivers together; committed as they are used."""


class DriverGone(WintunSimError):
    """The driver crashed or waits for ever: the machine can only be closed. What it did is in the events before."""


class MachineFull(UsageError):
    """The machine's memory is used up: that is its own limit, and says nothing of the driver.

    What the machine did since is not to be judged; it can only be closed, or restored.
    """


class Fault(IntEnum):
    """What can be made to fail (``DriverMachine.inject``); the numbers are those of ``enum host_fault_kind``."""

    POOL = 0
    MDL = 1
    MAPPING = 2
    NBL = 3
    NBL_POOL = 4
    DEVICE = 5
    ATTRIBUTES = 6
    REGISTER = 7


class Demand(IntFlag):
    """How the stack may do an operation; the numbers are those of ``enum host_flag``."""

    NONE = 0
    AT_DISPATCH = 2
    """A send, cancel-send, read, write, cancel or direct OID request is called at DISPATCH_LEVEL; with CANCEL, what
    cancels an OID request."""
    HOLD = 8
    """What is received on behalf of a send or write, and may be kept, the stack keeps as long as it can."""
    KEEP = 16
    """With HOLD: until time passes or the adapter is halted, and not only until the operation's end."""
    CANCEL = 32
    """An OID request is cancelled as soon as it pends: MiniportCancelOidRequest, or MiniportCancelDirectOidRequest."""
    SYNCHRONOUS = 64
    """An OID request comes as MiniportSynchronousOidRequest, from NDIS 6.80 on, where the driver has that."""


class DriverMachine:
    """Plays operations on a driver; see :class:`wintun_sim.operations.Machine`."""

    def __init__(
        self,
        image: Path | None = None,
        *,
        order: Order | str = Order.STRICT,
        ndis: tuple[int, int] = (6, 80),
        images: Mapping[str, Path] | None = None,
        seed: int | None = None,
        demand: Callable[[Operation], Demand] = lambda operation: Demand.NONE,
        memory: int = DEFAULT_MEMORY,
    ) -> None:
        """Make a host with NDIS of version ``ndis`` on which nothing is loaded, and ``memory`` bytes for whatever is.

        Actors of one ``play`` take turns as chance has it that ``seed`` (0…2⁶⁴−1) determines; without a seed each
        goes on until it ends or waits. Each Load loads ``image``, by default the project's own driver, or what
        ``images`` has for the Load's name. ``demand`` says of each operation how the stack does it. Raises
        ``UnavailableError`` where there is no host kernel or no such image was built, ``UsageError`` for an image file
        that is not there, ``ValueError`` for an unknown order or version, or for memory below 1 MiB or above 64 GiB.
        """
        self.ledger = Ledger(order)
        self._ffi, self._lib = native.load(native.HOST)
        self._image = _existing(image) if image is not None else native.driver_image()
        self._images = {name: _existing(path) for name, path in (images or {}).items()}
        self._names = Names()
        self._operations = Operations(self._ffi, self._names, demand)
        self._events = Events(self._ffi, self._lib, self._names)
        self._gone: str | None = None
        self._host = self._open(ndis, seed, memory)

    def _open(self, ndis: tuple[int, int], seed: int | None, memory: int) -> Any:
        if not 1 << 20 <= memory <= 64 << 30:
            raise ValueError(f"a machine with {memory} bytes of memory: give it 1 MiB at least, and 64 GiB at most")
        options = self._ffi.new("struct host_options *")
        options.arena_size = memory
        options.ndis_major, options.ndis_minor = ndis
        if seed is not None:
            options.oracle, options.seed = self._lib.HOST_ORACLE_RANDOM, seed
        error = self._ffi.new("char[]", ERROR_SIZE)
        host = self._lib.host_create(options, error, ERROR_SIZE)
        if host == self._ffi.NULL:
            raise ValueError(self._ffi.string(error).decode())
        return host

    def perform(self, operation: Operation) -> Sequence[Event]:
        """Carry out one operation until nothing can go on, and return what happened, in order.

        An operation that Windows would never do now gives one ``Refused``. A driver that crashes, or waits for what
        nobody will bring, gives a ``RuleBroken`` named Crash or Stuck, and from then on ``DriverGone`` is raised.
        Raises ``ValueError`` for an unknown name and for one used before, ``UsageError`` for an image that cannot be
        loaded, ``MachineFull`` when the machine's memory is used up.
        """
        self._check_usable()
        reason = self.ledger.admit(operation)
        if reason is not None:
            return (Refused(operation.name, reason),)
        array = self._operations.array([(operation, self._path_of(operation))])
        result = self._lib.host_perform(self._host, array, 1, self._ffi.NULL)
        events = self._take(result, f"{operation.verb} {operation.name!r}")
        for event in events:
            self.ledger.observe(event)
            if type(event) is Refused and isinstance(operation, Load):
                raise UsageError(f"load: {event.reason}")
        self.ledger.end(operation)
        return events

    def play(self, actors: Sequence[Sequence[Operation]]) -> Sequence[Event]:
        """Carry out the operations of all actors at once until nothing can go on, and return what happened, in order.

        The ledger is not asked, since it is the caller's choice what overlaps (``lifecycle.may_overlap`` says what
        may); a handle, adapter or request that an actor needs must be there. Raises ``DriverGone`` as ``perform``
        does.
        """
        self._check_usable()
        array = self._operations.actors(
            [[(operation, self._path_of(operation)) for operation in operations] for operations in actors]
        )
        return self._take(self._lib.host_run(self._host, array, len(actors)), "a play of several actors")

    def pass_time(self, least: float = 0.0, most: float = 600.0) -> Sequence[Event]:
        """Let virtual time pass and return what happened: ``least`` seconds, and then until no miniport owes NDIS
        anything (a sent NBL, an OID request, the end of a pause or restart), ``most`` at most.

        Who is late breaks a rule. Raises ``DriverGone`` as ``perform`` does.
        """
        self._check_usable()
        result = self._lib.host_pass_time(self._host, round(least * 1e7), round(most * 1e7))
        events = self._take(result, "what happened while time passed")
        for event in events:
            self.ledger.observe(event)
        return events

    def _take(self, result: int, what: str) -> list[Event]:
        """Return the events of a call that gave ``result``, and note where it was the last one."""
        events = self.take_events()
        if result == self._lib.HOST_OUT_OF_MEMORY:
            self._gone = f"{what} used up the machine's memory"
            raise MachineFull(f"{what}: {self._say_memory()}")
        if result != self._lib.HOST_QUIET:
            self._gone = f"{what} ended the driver"
        return events

    def _say_memory(self) -> str:
        memory = self._ffi.new("struct host_memory *")
        self._lib.host_memory(self._host, memory)
        limit, clients, drivers = (size / (1 << 20) for size in (memory.limit, memory.clients, memory.drivers))
        return (
            f"the machine's memory of {limit:.0f} MiB is used up ({clients:.0f} by buffers of pending requests and what"
            f" was sent, {drivers:.0f} by what drivers allocated); let fewer requests be pending at once, or make the"
            " machine with more: DriverMachine(memory=…)"
        )

    def snapshot(self) -> None:
        """Remember the whole world as it is between two calls, in place of what was remembered before."""
        self._check_usable()
        if not self._lib.host_snapshot(self._host):
            raise DriverGone("there is no memory for a snapshot")

    def restore(self) -> None:
        """Bring the world back to the snapshot, whatever happened since; the ledger stays as it is.

        Raises ``ValueError`` when there is none.
        """
        self._check_open()
        if not self._lib.host_restore(self._host):
            raise ValueError("restore: there is no snapshot")
        self._gone = None

    def take_events(self) -> list[Event]:
        """Return what happened since the last time, and forget it. Raises ``DriverGone`` after ``close``."""
        self._check_open()
        events = self._events.take(self._host)
        self._lib.host_clear_events(self._host)
        return events

    def counters(self, adapter: str) -> Counters:
        """Count what ``adapter`` owns now: nothing after its halt. Raises ``ValueError`` for an unknown adapter."""
        counted = self._counted(adapter)
        return Counters(counted.nbls_owned, counted.reads_pending, counted.handles)

    def allocations(self, adapter: str) -> int:
        """Count the blocks of memory that the driver of ``adapter`` holds now, for whichever of its adapters: none
        after its halt. Raises ``ValueError`` for an unknown adapter."""
        return int(self._counted(adapter).allocations)

    def _counted(self, adapter: str) -> Any:
        self._check_open()
        if adapter not in self.ledger.adapters:
            raise ValueError(f"counters: there is no adapter {adapter!r}; an initialize of that name must come first")
        counted = self._ffi.new("struct host_counters *")
        self._lib.host_counters(self._host, self._names.number(adapter), counted)
        return counted

    def attributes(self, adapter: str) -> Attributes:
        """Return what ``adapter`` told NDIS of itself; nothing but zeros after its halt."""
        self._check_open()
        told = self._ffi.new("struct host_attributes *")
        self._lib.host_attributes(self._host, self._names.number(adapter), told)
        values = {field.name: int(getattr(told, field.name)) for field in fields(Attributes) if field.name != "oids"}
        return Attributes(**values, oids=self.supported_oids(adapter))

    def supported_oids(self, adapter: str) -> tuple[int, ...]:
        """Return the OIDs that ``adapter`` listed in its general attributes, in its order; none after its halt."""
        self._check_open()
        number = self._names.number(adapter)
        count = self._lib.host_oids(self._host, number, self._ffi.NULL, 0)
        oids = self._ffi.new("uint32_t[]", count)
        self._lib.host_oids(self._host, number, oids, count)
        return tuple(oids)

    def inject(self, fault: Fault, *, after: int = 0, count: int = 1) -> None:
        """Let ``after`` attempts of this kind succeed and the ``count`` that follow fail."""
        self._check_open()
        self._lib.host_inject(self._host, self._ffi.new("struct host_fault *", (fault, after, count, 0)))

    def check(self) -> Sequence[Event]:
        """Look at all memory for what was written where it must not be; return a ``RuleBroken`` for what was found."""
        self._check_open()
        self._lib.host_check(self._host)
        return self.take_events()

    def close(self) -> None:
        """Give everything back; the machine cannot be used afterwards. Closing twice does nothing."""
        if self._host is not None:
            self._lib.host_destroy(self._host)
        self._host = None

    def _path_of(self, operation: Operation) -> Path | None:
        return self._images.get(operation.name, self._image) if isinstance(operation, Load) else None

    def _check_open(self) -> None:
        if self._host is None:
            raise DriverGone("the machine is closed: make another one")

    def _check_usable(self) -> None:
        self._check_open()
        if self._gone is not None:
            raise DriverGone(f"{self._gone}: make another machine")


def _existing(image: Path) -> Path:
    if not Path(image).is_file():
        raise UsageError(f"load: there is no image file {image}")
    return Path(image).resolve()
