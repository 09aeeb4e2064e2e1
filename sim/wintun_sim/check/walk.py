"""The random walk: endless sequences of operations, drawn by weights that change with the walk's mood.

A walk that draws every operation with the same weight stays shallow: queues never fill, pauses find nothing to give
back. So the walk has moods of a few dozen operations each (a flood of sends that nobody reads, many reads that wait, a
client that opens and closes, ...), and what one mood leaves behind, the next one meets. Most operations are ones that
Windows might do now, by the ledger of whoever plays the host; a few are drawn without asking it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from random import Random
from typing import Final

from wintun_sim.check.ingredients import ODD_READ_LENGTHS, READ_LENGTHS, Pantry
from wintun_sim.lifecycle import DriverPhase, HandlePhase, Ledger, State
from wintun_sim.ndis import OID_GEN_STATISTICS, OID_PNP_SET_POWER
from wintun_sim.operations import (
    Account,
    Cancel,
    CancelSend,
    Cleanup,
    Close,
    Create,
    Halt,
    Initialize,
    Load,
    Oid,
    OidKind,
    Operation,
    Pause,
    Read,
    Restart,
    Send,
    SetPower,
    Shutdown,
    ShutdownAction,
    SurpriseRemove,
    Unload,
    Write,
)
from wintun_sim.scenario.names import base

MOODS: Final[Mapping[str, Mapping[str, int]]] = {
    "traffic": {"send": 30, "read": 24, "write": 20, "cancel": 4, "cancel-send": 3, "oid": 4, "pause": 2, "restart": 8},
    "flood": {"send": 40, "read": 3, "cancel-send": 2, "cancel": 1, "oid": 2, "pause": 1, "restart": 8, "create": 1},
    "thirst": {"read": 30, "send": 5, "cancel": 8, "write": 3, "pause": 2, "restart": 8, "cleanup": 1, "create": 4},
    "clients": {"create": 20, "cleanup": 16, "close": 20, "read": 12, "write": 6, "send": 10, "cancel": 4},
    "pauses": {"pause": 20, "restart": 24, "send": 16, "read": 10, "write": 8, "set-power": 6, "create": 3, "oid": 2},
    "power": {"set-power": 20, "restart": 10, "pause": 8, "send": 12, "write": 6, "read": 6, "oid": 4},
    "oids": {"oid": 40, "send": 6, "read": 6, "write": 6, "restart": 3},
    "lives": {
        "load": 2,
        "initialize": 8,
        "restart": 10,
        "create": 8,
        "send": 8,
        "read": 8,
        "surprise-remove": 3,
        "pause": 6,
        "halt": 8,
        "shutdown": 1,
        "cleanup": 6,
        "close": 8,
        "unload": 4,
        "oid": 3,
    },
}
"""How often each operation is drawn in each mood, while there is something to do it to."""

MOOD_WEIGHTS: Final[Mapping[str, int]] = {
    "traffic": 26,
    "flood": 10,
    "thirst": 12,
    "clients": 12,
    "pauses": 14,
    "power": 8,
    "oids": 8,
    "lives": 10,
}

_MAX_DRIVERS: Final = 2
_MAX_IMAGES: Final = 12
_MAX_ADAPTERS: Final = 3
_MAX_HANDLES: Final = 6
_MAX_READS: Final = 24
_FULL: Final = 1000
_AGAIN: Final = 0.1


class Namer:
    """Gives operations the names that they would have without names, counted for each verb."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def name(self, verb: str) -> str:
        """Return the next name for an operation of this verb."""
        first = base(verb)
        self._counts[first] += 1
        return first if self._counts[first] == 1 else f"{first}.{self._counts[first]}"


class Walk:
    """Draws operations one by one; ``ledger`` is kept up to date by whoever carries them out."""

    def __init__(self, random: Random, ledger: Ledger) -> None:
        self.random = random
        self.ledger = ledger
        self.namer = Namer()
        self.pantry = Pantry(random)
        self._mood = "traffic"
        self._left = 0
        self._beginning = ["load", "initialize", "restart", "create", "read"]

    def next(self) -> Operation:
        """Draw the next operation. The first few make an adapter that runs, more or less."""
        if self._beginning and self.random.random() < 0.9:
            operation = self._sensible(self._beginning.pop(0))
            if operation is not None:
                return operation
        self._beginning.clear()
        if self._left == 0:
            self._mood = self.random.choices(list(MOOD_WEIGHTS), list(MOOD_WEIGHTS.values()))[0]
            self._left = self.random.randrange(10, 60)
        self._left -= 1
        if self.random.random() < 0.03:
            return self._careless()
        weights = dict(MOODS[self._mood])
        while weights:
            verb = self.random.choices(list(weights), list(weights.values()))[0]
            operation = self._sensible(verb)
            if operation is not None:
                return operation
            del weights[verb]
        return self._recover()

    # What might be done now

    def _sensible(self, verb: str) -> Operation | None:
        """Draw an operation of this verb that the ledger does not refuse, if a few attempts find one."""
        for _ in range(3):
            operation = self._draw(verb)
            if operation is None:
                return None
            if self.ledger.refusal(operation) is None:
                name = self.namer.name(verb)
                return _named(operation, name)
        return None

    def _careless(self) -> Operation:
        """Draw any operation on anything that ever was, whether or not Windows would do it."""
        verbs = ("restart", "pause", "halt", "create", "cleanup", "close", "read", "write", "cancel", "send", "oid")
        for _ in range(8):
            verb = self.random.choice((*verbs, "set-power", "cancel-send", "surprise-remove", "unload"))
            operation = self._draw(verb, careless=True)
            if operation is not None and not isinstance(operation, Halt):
                return _named(operation, self.namer.name(verb))
        return self._recover()

    def _recover(self) -> Operation:
        """Go on where a mood finds nothing to do: with an adapter, which may need a driver."""
        for verb in ("restart", "create", "initialize", "load", "cleanup", "close"):
            operation = self._sensible(verb)
            if operation is not None:
                return operation
        raise AssertionError("nothing can be done: no driver, no room for one, and no handle that keeps an old one")

    def _draw(self, verb: str, careless: bool = False) -> Operation | None:
        """Draw the arguments of an operation, without its name; None where there is nothing to do it to."""
        match verb:
            case "load":
                room = len(self._drivers()) < _MAX_DRIVERS and self._images() < _MAX_IMAGES
                return Load() if room else None
            case "unload":
                drivers = self._drivers()
                return Unload(driver=self.random.choice(drivers)) if drivers else None
            case "initialize":
                drivers = self._drivers()
                crowded = len(self._adapters(False)) >= _MAX_ADAPTERS
                return Initialize(driver=self.random.choice(drivers)) if drivers and not crowded else None
            case "cleanup" | "close" | "read" | "write":
                return self._draw_request(verb, careless)
            case "cancel":
                reads = [name for name, pending in self.ledger.reads.items() if pending or careless]
                return Cancel(request=self.random.choice(reads[:8])) if reads else None
            case "create":
                return self._draw_create(careless)
        adapters = self._adapters(careless)
        return self._draw_call(verb, self.random.choice(adapters)) if adapters else None

    def _draw_call(self, verb: str, adapter: str) -> Operation:
        random = self.random
        match verb:
            case "restart":
                return Restart(adapter=adapter)
            case "pause":
                return Pause(adapter=adapter)
            case "halt":
                return Halt(adapter=adapter)
            case "surprise-remove":
                return SurpriseRemove(adapter=adapter)
            case "shutdown":
                return Shutdown(adapter=adapter, action=random.choice(tuple(ShutdownAction)))
            case "set-power":
                state = (
                    random.choice((1, 1, 1, 2, 3, 4)) if random.random() < 0.9 else random.choice((0, 5, 0xFFFFFFFF))
                )
                return SetPower(adapter=adapter, state=state)
            case "cancel-send":
                return CancelSend(adapter=adapter, cancel_id=random.randrange(4))
            case "send":
                flood = self._mood == "flood" and self.ledger.adapters[adapter].nbls < _FULL
                return Send(adapter=adapter, nbls=self.pantry.chain(flood), again=random.random() < _AGAIN)
        return self._draw_oid(adapter)

    def _draw_oid(self, adapter: str) -> Operation:
        random = self.random
        die = random.random()
        if die < 0.3:
            return Oid(adapter=adapter, kind=OidKind.QUERY, oid=OID_GEN_STATISTICS, length=152)
        if die < 0.35:
            data = random.choice((1, 2, 3, 4, 0, 5)).to_bytes(4, "little")
            length = random.choice((0, 3, 4, 4, 4, 5, 8))
            kind = random.choice((OidKind.SET, OidKind.SET, OidKind.QUERY))
            return Oid(adapter=adapter, kind=kind, oid=OID_PNP_SET_POWER, length=length, data=data[:length])
        return self.pantry.oid("", adapter)

    def _draw_create(self, careless: bool) -> Operation | None:
        adapters = self._adapters(careless) or list(self.ledger.adapters)
        if not adapters or len(self._handles(HandlePhase.OPEN, HandlePhase.CLEANED)) >= _MAX_HANDLES:
            return None
        account = Account.SYSTEM if self.random.random() < 0.95 else self.random.choice(tuple(Account))
        return Create(adapter=self.random.choice(adapters), account=account)

    def _draw_request(self, verb: str, careless: bool) -> Operation | None:
        random = self.random
        wanted: tuple[HandlePhase, ...] = (HandlePhase.CLEANED,) if verb == "close" else (HandlePhase.OPEN,)
        if random.random() < 0.05:
            wanted = (HandlePhase.OPEN, HandlePhase.CLEANED)
        handles = list(self.ledger.handles) if careless else self._handles(*wanted)
        if not handles:
            return None
        handle = random.choice(handles)
        match verb:
            case "cleanup":
                return Cleanup(handle=handle)
            case "close":
                return Close(handle=handle)
            case "write":
                return Write(handle=handle, data=self.pantry.bundle(), rejected=self.pantry.rejected())
        if sum(self.ledger.reads.values()) >= _MAX_READS:
            return None
        odd = random.random() < 0.06
        return Read(handle=handle, length=random.choice(ODD_READ_LENGTHS if odd else READ_LENGTHS))

    # What there is

    def _drivers(self) -> list[str]:
        return [name for name, driver in self.ledger.drivers.items() if driver.phase is DriverPhase.LOADED]

    def _images(self) -> int:
        """Count the images in memory: an unloaded driver's stays while one of its handles is open."""
        gone = (DriverPhase.UNLOADED, DriverPhase.NEVER)
        return sum(driver.phase not in gone for driver in self.ledger.drivers.values())

    def _adapters(self, careless: bool) -> list[str]:
        """Name the adapters that exist, the youngest most often; all that ever were when ``careless``."""
        adapters = self.ledger.adapters
        if careless:
            return list(adapters)
        alive = [name for name, adapter in adapters.items() if adapter.exists and adapter.state is not State.SHUTDOWN]
        return alive + alive[-1:] * 2

    def _handles(self, *phases: HandlePhase) -> list[str]:
        return [name for name, handle in self.ledger.handles.items() if handle.phase in phases]


def _named(operation: Operation, name: str) -> Operation:
    # Operations are frozen, and dataclasses.replace costs more than everything else in a step.
    object.__setattr__(operation, "name", name)
    return operation


def wind_down(ledger: Ledger, namer: Namer, random: Random) -> Iterator[Operation]:
    """Draw what ends everything: handles before adapters or after them, then drivers; the statistics before all.

    What the ledger refuses when it is its turn is to be left out by whoever asks.
    """
    for name, adapter in ledger.adapters.items():
        if adapter.exists:
            yield Oid(name=namer.name("oid"), adapter=name, kind=OidKind.QUERY, oid=OID_GEN_STATISTICS, length=152)
    parts = [_close_handles(ledger, namer), _halt_adapters(ledger, namer)]
    random.shuffle(parts)
    for part in parts:
        yield from part
    for name in list(ledger.drivers):
        yield Unload(name=namer.name("unload"), driver=name)


def _close_handles(ledger: Ledger, namer: Namer) -> Iterator[Operation]:
    for name in list(ledger.handles):
        yield Cleanup(name=namer.name("cleanup"), handle=name)
        yield Close(name=namer.name("close"), handle=name)


def _halt_adapters(ledger: Ledger, namer: Namer) -> Iterator[Operation]:
    for name in list(ledger.adapters):
        for cancel_id in range(4):  # in the strict order an adapter that holds NBLs is not paused
            yield CancelSend(name=namer.name("cancel-send"), adapter=name, cancel_id=cancel_id)
        yield Pause(name=namer.name("pause"), adapter=name)
        yield Halt(name=namer.name("halt"), adapter=name)
