"""What the host remembers of each driver, adapter and handle."""

from __future__ import annotations

from enum import Enum

from wintun_sim.lifecycle.overlap import Call
from wintun_sim.lifecycle.table import Order, State
from wintun_sim.operations import HandleOperation, Operation, PowerState


class DriverPhase(Enum):
    """What became of a Load."""

    LOADING = "being loaded"
    LOADED = "loaded"
    UNLOADING = "asked to unload"
    UNLOADED = "unloaded"
    NEVER = "never loaded"


class HandlePhase(Enum):
    """The I/O manager's order on one file object."""

    OPENING = "being opened"
    OPEN = "open"
    CLEANED = "cleaned up"
    CLOSING = "being closed"
    CLOSED = "closed"
    NEVER = "never opened"


class Driver:
    """One Load, as the host sees it.

    ``files`` counts the open file objects on devices of this driver, halted ones too.
    """

    __slots__ = ("adapters", "files", "name", "phase")

    def __init__(self, name: str, phase: DriverPhase) -> None:
        self.name = name
        self.phase = phase
        self.adapters = 0
        self.files = 0

    def key(self) -> tuple[object, ...]:
        """Return the record as a hashable value."""
        return (self.name, self.phase, self.adapters, self.files)


class Adapter:
    """One Initialize, as the host sees it.

    ``handles`` counts the open file objects of its device, ``nbls`` the NBLs lent to the adapter, ``calls`` what NDIS
    has under way (a pause until it is complete). ``exists``: Initialize succeeded and Halt has not returned.
    """

    __slots__ = ("calls", "driver", "exists", "handles", "name", "nbls", "power", "removed", "state")

    def __init__(self, name: str, driver: Driver) -> None:
        self.name = name
        self.driver = driver
        self.state = State.HALTED
        self.exists = False
        self.power = int(PowerState.D0)
        self.nbls = 0
        self.handles = 0
        self.removed = False
        self.calls: dict[str, Call] = {}

    def key(self) -> tuple[object, ...]:
        """Return the record as a hashable value."""
        counts = (self.power, self.nbls, self.handles)
        return (self.name, self.state, self.exists, self.removed, *counts, frozenset(self.calls))


class Handle:
    """One Create, as the host sees it. ``requests`` counts its requests that are not complete."""

    __slots__ = ("adapter", "name", "phase", "requests")

    def __init__(self, name: str, adapter: Adapter) -> None:
        self.name = name
        self.adapter = adapter
        self.phase = HandlePhase.OPENING
        self.requests = 0

    def key(self) -> tuple[object, ...]:
        """Return the record as a hashable value."""
        return (self.name, self.phase, self.requests)


class Lent:
    """The NBLs of one Send that the adapter has not given back for good."""

    __slots__ = ("adapter", "count")

    def __init__(self, adapter: Adapter, count: int) -> None:
        self.adapter = adapter
        self.count = count


class Records:
    """All that the host remembers, by name."""

    def __init__(self, order: Order | str = Order.STRICT) -> None:
        """Begin with nothing loaded. ``order`` is an Order or its text; ValueError for another one."""
        self.order = Order(order)
        self.drivers: dict[str, Driver] = {}
        self.adapters: dict[str, Adapter] = {}
        self.handles: dict[str, Handle] = {}
        self.reads: dict[str, bool] = {}
        """Every read that was ever asked for, and whether it is pending."""
        self._names: set[str] = set()
        self._under_way: dict[str, Operation] = {}
        self._lent: dict[str, Lent] = {}
        self._half_paused: set[str] = set()

    def _adapter(self, name: str, verb: str) -> Adapter:
        try:
            return self.adapters[name]
        except KeyError:
            raise ValueError(
                f"{verb}: there is no adapter {name!r}; an initialize of that name must come first"
            ) from None

    def _driver(self, name: str, verb: str) -> Driver:
        try:
            return self.drivers[name]
        except KeyError:
            raise ValueError(f"{verb}: there is no driver {name!r}; a load of that name must come first") from None

    def _handle(self, operation: HandleOperation) -> Handle:
        try:
            return self.handles[operation.handle]
        except KeyError:
            raise ValueError(
                f"{operation.verb}: there is no handle {operation.handle!r}; a create of that name must come first"
            ) from None
