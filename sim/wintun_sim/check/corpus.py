"""The concurrent scenarios that a check explores: small, each with a title, the same every time.

Most are made by rule. A *call* is what one actor does: a send, a read, a pause, a client that leaves. A *situation* is
what it meets: a read that waits, an NBL of which half was read, packets that wait, a full queue. Each call is put
against each other one, and against itself, in the situations that matter to one of the two, as far as NDIS and the I/O
manager let the two overlap (``lifecycle``). The orders, strict and raw, differ only in what NDIS calls when; calls that
both orders treat alike are put together in the strict one alone.

Three actors are a pair of calls that meet packets, and something that ends what they are about; ``deep`` has all the
others too. Beside them stand the stories in ``wintun_sim/scenarios/races``: races that real drivers had, written by
hand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations, combinations_with_replacement
from random import Random
from typing import Final

from wintun_sim import ndis
from wintun_sim.bundle import encode
from wintun_sim.model import ModelMachine
from wintun_sim.model.snapshot import Snapshot
from wintun_sim.operations import (
    Cancel,
    CancelSend,
    Cleanup,
    Close,
    Create,
    Halt,
    Initialize,
    Load,
    Nbl,
    Oid,
    OidKind,
    Operation,
    Pause,
    PowerState,
    Read,
    Restart,
    Send,
    SetPower,
    Shutdown,
    SurpriseRemove,
    Write,
)
from wintun_sim.operations.data import ipv4
from wintun_sim.operations.operation import DEFAULT_ADAPTER
from wintun_sim.scenario import Actor, Scenario, ScenarioError, Step, load, names
from wintun_sim.scenario import corpus as shipped
from wintun_sim.scenario.scenario import Order

ORDERS: Final[tuple[Order, ...]] = ("strict", "raw")

_LARGEST: Final = 61_424
_CANCEL_ID: Final = 7
_QUEUE_LIMIT: Final = 1_000

Operations = Sequence[Operation]


# What actors do


def _packet(number: int) -> bytes:
    """Make a packet that there is only one of, so that it can be followed."""
    return ipv4(20, number)


def _send(mark: int) -> Operations:
    return (Send(name=f"send{mark}", nbls=(Nbl((_packet(10 + mark), _packet(20 + mark)), cancel_id=_CANCEL_ID),)),)


def _send_chain(mark: int) -> Operations:
    nbls = (Nbl((_packet(30 + mark),)), Nbl(()), Nbl((_packet(40 + mark),), cancel_id=_CANCEL_ID))
    return (Send(name=f"chain{mark}", nbls=nbls),)


def _send_broken(mark: int) -> Operations:
    nbls = (Nbl((_packet(50 + mark), _packet(60 + mark)), unmapped=frozenset({0})), Nbl((ipv4(_LARGEST + 1),)))
    return (Send(name=f"broken{mark}", nbls=nbls),)


def _send_again(mark: int) -> Operations:
    return (Send(name=f"again{mark}", nbls=(Nbl((_packet(70 + mark),), cancel_id=_CANCEL_ID),), again=True),)


def _cancel_send(mark: int) -> Operations:
    return (CancelSend(name=f"cancel-send{mark}", cancel_id=_CANCEL_ID),)


def _read(mark: int) -> Operations:
    return (Read(name=f"read{mark}", handle="h1"),)


def _write(mark: int) -> Operations:
    return (Write(name=f"write{mark}", handle="h1", data=encode([_packet(80 + mark), b"?", _packet(90 + mark)])),)


def _cancel(mark: int) -> Operations:
    return (Cancel(name=f"cancel{mark}", request="waiting"),)


def _create(mark: int) -> Operations:
    return (Create(name=f"new{mark}"),)


def _come_and_go(mark: int) -> Operations:
    return (
        Create(name=f"guest{mark}"),
        Cleanup(name=f"guest-cleanup{mark}", handle=f"guest{mark}"),
        Close(name=f"guest-close{mark}", handle=f"guest{mark}"),
    )


def _cleanup(mark: int) -> Operations:
    return (Cleanup(name=f"cleanup{mark}", handle="h2"),)


def _leave(mark: int, handle: str = "h1") -> Operations:
    return (Cleanup(name=f"leave{mark}", handle=handle), Close(name=f"close{mark}", handle=handle))


def _other_leaves(mark: int) -> Operations:
    return _leave(mark, "h2")


def _statistics(mark: int) -> Operations:
    oid = Oid(name=f"statistics{mark}", kind=OidKind.STATISTICS, oid=ndis.OID_GEN_STATISTICS, length=152)
    return (oid,)


def _sleep(mark: int) -> Operations:
    return (SetPower(name=f"sleep{mark}", state=PowerState.D3),)


def _nod(mark: int) -> Operations:
    return (*_sleep(mark), SetPower(name=f"wake{mark}", state=PowerState.D0))


def _pause(mark: int) -> Operations:
    return (Pause(name=f"pause{mark}"),)


def _restart(mark: int) -> Operations:
    return (Restart(name=f"restart{mark}"),)


def _break(mark: int) -> Operations:
    return (*_pause(mark), *_restart(mark))


def _halt(mark: int) -> Operations:
    return (Halt(name=f"halt{mark}"),)


def _shutdown(mark: int) -> Operations:
    return (Shutdown(name=f"shutdown{mark}"),)


def _remove(mark: int) -> Operations:
    return (SurpriseRemove(name=f"remove{mark}"), *_pause(mark), *_halt(mark))


@dataclass(frozen=True, slots=True)
class Call:
    """What one actor does: ``make`` gives its operations, their names ending in a number that tells actors apart.

    ``meets`` names the situations that it makes a difference in. ``of_ndis``: the order has a say in it.
    """

    name: str
    make: Callable[[int], Operations]
    meets: tuple[str, ...]
    of_ndis: bool = False


_ANY: Final = ("a read waits", "an NBL is half read")
_PACKETS: Final = ("a read waits", "an NBL is half read", "packets wait")

CALLS: Final = (
    Call("send", _send, ("a read waits", "an NBL is half read", "one client")),
    Call("send-chain", _send_chain, ("a read waits",)),
    Call("send-broken", _send_broken, ("a read waits",)),
    Call("send-again", _send_again, ("a read waits", "one client")),
    Call("cancel-send", _cancel_send, ("an NBL is half read",)),
    Call("read", _read, ("an NBL is half read", "packets wait", "one client")),
    Call("write", _write, ("one client",)),
    Call("cancel", _cancel, ("a read waits",)),
    Call("create", _create, ("nobody is there",)),
    Call("come-and-go", _come_and_go, ("nobody is there",)),
    Call("cleanup", _cleanup, ("a read waits",)),
    Call("leave", _leave, ("one client", "packets wait")),
    Call("other-leaves", _other_leaves, ("a read waits",)),
    Call("statistics", _statistics, ()),
    Call("sleep", _sleep, ("an NBL is half read", "paused"), of_ndis=True),
    Call("nod", _nod, ("packets wait", "paused"), of_ndis=True),
    Call("pause", _pause, _PACKETS, of_ndis=True),
    Call("break", _break, _ANY, of_ndis=True),
    Call("restart", _restart, ("paused",), of_ndis=True),
    Call("halt", _halt, ("a read waits", "an NBL is half read", "paused"), of_ndis=True),
    Call("shutdown", _shutdown, ("a read waits", "an NBL is half read"), of_ndis=True),
    Call("remove", _remove, ("a read waits", "an NBL is half read"), of_ndis=True),
)
"""Everything that an actor does in a scenario made by rule."""

# What they meet

_LOADED: Final[Operations] = (Load(name="driver"), Initialize(name=DEFAULT_ADAPTER))
_RUNNING: Final[Operations] = (*_LOADED, Restart(name="restart"))
_ONE: Final[Operations] = (*_RUNNING, Create(name="h1"))
_TWO: Final[Operations] = (*_ONE, Create(name="h2"))
_WAITING: Final = Read(name="waiting", handle="h2")


def _half_read() -> Operations:
    half = Nbl((_packet(1), ipv4(_LARGEST, 2)), cancel_id=_CANCEL_ID)
    return (*_TWO, Read(name="short", handle="h2"), Send(name="half", nbls=(half, Nbl((_packet(3),)))))


def _packets_wait() -> Operations:
    return (*_ONE, Send(name="early", nbls=(Nbl((_packet(4),)), Nbl((_packet(5),), cancel_id=_CANCEL_ID))))


def _full() -> Operations:
    """Fill the queue. Each of its first packets leaves no room in a read for another, so that a run has few steps."""
    packets = [*(ipv4(_LARGEST, 6 + n) for n in range(3)), *(_packet(1000 + n) for n in range(3, _QUEUE_LIMIT))]
    return (*_ONE, Send(name="fill", nbls=tuple(Nbl((packet,)) for packet in packets)))


SITUATIONS: Final[dict[str, Operations]] = {
    "nobody is there": _RUNNING,
    "one client": _ONE,
    "a read waits": (*_TWO, _WAITING),
    "an NBL is half read": _half_read(),
    "packets wait": _packets_wait(),
    "paused": (*_LOADED, Create(name="h1"), Create(name="h2"), _WAITING),
    "the queue is full": _full(),
}
"""What is there when the actors begin, as the set-up that makes it."""

_ENDERS: Final = ("cancel-send", "cancel", "leave", "cleanup", "nod", "pause", "break", "halt", "shutdown", "remove")
_TRAFFIC: Final = (("send", "read"), ("send", "write"), ("read", "write"), ("send", "send"), ("send-again", "read"))
_FULL: Final = (("send", "read"), ("send", "send"), ("send", "cancel-send"))
"""Who meets a full queue: nobody who empties it, since each NBL that is given back is a step of its own, and the ways
in which a thousand of them can meet another actor's steps have no end."""


def corpus(deep: bool = False) -> list[Scenario]:
    """Return the scenarios that a check explores, ``deep`` or not; each has a title of its own."""
    return [*stories(), *pairs(), *triples(deep=deep)]


@cache
def stories() -> tuple[Scenario, ...]:
    """Return the stories that were written by hand."""
    return tuple(map(load, shipped.stories().values()))


@cache
def pairs() -> tuple[Scenario, ...]:
    """Return each call against each other one."""
    found = list(_combine(combinations_with_replacement(CALLS, 2)))
    calls = {call.name: call for call in CALLS}
    full = (tuple(calls[name] for name in pair) for pair in _FULL)
    return (*found, *_in_situation("the queue is full", full))


@cache
def triples(*, deep: bool = False) -> tuple[Scenario, ...]:
    """Return three actors: traffic and what ends it; ``deep``: all that can be three at once."""
    if deep:
        return tuple(_combine(combinations(CALLS, 3)))
    calls = {call.name: call for call in CALLS}
    chosen = (tuple(calls[name] for name in (*pair, ender)) for pair in _TRAFFIC for ender in _ENDERS)
    return tuple(_combine(chosen, most=1))


def _combine(groups: Iterable[tuple[Call, ...]], most: int | None = None) -> Iterator[Scenario]:
    """Put calls together in the situations that they make a difference in, ``most`` of these at most."""
    for group in groups:
        meets = dict.fromkeys(situation for call in group for situation in call.meets)
        made = 0
        for situation in meets or ("one client",):
            scenarios = list(_in_situation(situation, [group]))
            made += bool(scenarios)
            yield from scenarios
            if made == most:
                break


def _in_situation(situation: str, groups: Iterable[tuple[Call, ...]]) -> Iterator[Scenario]:
    for group in groups:
        orders = ORDERS if any(call.of_ndis for call in group) else ORDERS[:1]
        for order in orders:
            scenario = _scenario(situation, group, order)
            if scenario is not None:
                yield scenario


def _scenario(situation: str, calls: Sequence[Call], order: Order) -> Scenario | None:
    """Make a scenario, if in this situation any two of the calls may overlap."""
    actors = [call.make(number) for number, call in enumerate(calls, 1)]
    if not all(_may_overlap(order, situation, one[0], other[0]) for one, other in combinations(actors, 2)):
        return None
    title = f"{' against '.join(call.name for call in calls)}; {situation}; {order}"
    return make(title, order, SITUATIONS[situation], actors)


def make(title: str, order: Order, setup: Operations, actors: Sequence[Operations]) -> Scenario:
    """Make a scenario of operations; its actors are called a, b, c, …"""
    made = tuple(
        Actor(chr(ord("a") + number), tuple(map(Step, operations))) for number, operations in enumerate(actors)
    )
    return Scenario(title, order, (6, 80), tuple(map(Step, setup)), made)


def _may_overlap(order: Order, situation: str, one: Operation, other: Operation) -> bool:
    """Tell whether one may begin while the other is under way; False also where what one needs is not there."""
    for first, second in ((one, other), (other, one)):
        ledger = _snapshot(order, situation).restore().ledger
        try:
            if ledger.admit(first) is None and ledger.refusal(second) is None:
                return True
        except ValueError:
            return False
    return False


@cache
def _snapshot(order: Order, situation: str) -> Snapshot:
    machine = ModelMachine(order=order)
    for operation in SITUATIONS[situation]:
        machine.perform(operation)
    return Snapshot(machine)


# At random

_MOST_OPERATIONS: Final = 7


def random_scenario(seed: int | str) -> Scenario:
    """Return a small scenario that ``seed`` determines: two or three actors, of one or two calls each."""
    random = Random(seed)
    while True:
        situation = random.choice([name for name in SITUATIONS if name != "the queue is full"])
        order = random.choice(ORDERS)
        calls = [
            [random.choice(CALLS) for _ in range(random.choice((1, 1, 2)))] for _ in range(random.choice((2, 2, 3)))
        ]
        marks = iter(range(1, 10))
        actors = [[operation for call in line for operation in call.make(next(marks))] for line in calls]
        title = " against ".join(" then ".join(call.name for call in line) for line in calls)
        scenario = make(f"{title}; {situation}; {order}; seed {seed}", order, SITUATIONS[situation], actors)
        if sum(map(len, actors)) <= _MOST_OPERATIONS and _is_sound(scenario, situation):
            return scenario


def _is_sound(scenario: Scenario, situation: str) -> bool:
    try:
        names.check(scenario)
    except ScenarioError:
        return False
    firsts = [actor.steps[0].operation for actor in scenario.actors]
    return any(_may_overlap(scenario.order, situation, one, other) for one, other in combinations(firsts, 2))
