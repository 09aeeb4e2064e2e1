"""What the host remembers of each driver, adapter and handle."""

from __future__ import annotations

from enum import Enum

from wintun_sim.lifecycle.overlap import Call
from wintun_sim.lifecycle.table import State
from wintun_sim.operations import PowerState


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
