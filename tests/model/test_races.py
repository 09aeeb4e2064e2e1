"""Two calls at once, in every order of their steps. What may come of it, and what must hold whatever comes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import combinations, pairwise

import pytest

from tests.model.brute_force import Exploration, explore
from tests.model.world import (
    CANCELLED,
    D0,
    INVALID_HANDLE,
    LOW_POWER,
    MEDIA_DISCONNECTED,
    PAUSED,
    PENDING,
    SEND_ABORTED,
    SUCCESS,
    bundle,
    ipv4,
    nbl,
    packets_of,
)
from wintun_sim.lifecycle import Order, State
from wintun_sim.model import ModelMachine
from wintun_sim.model.interleave import Interleaving
from wintun_sim.operations import (
    Cancel,
    CancelSend,
    Cleanup,
    Close,
    Create,
    Event,
    Halt,
    HandleOperation,
    Initialize,
    IrpCompleted,
    LinkChanged,
    Load,
    NblCompleted,
    Oid,
    OidCompleted,
    OidKind,
    Operation,
    PacketReceived,
    Pause,
    PauseCompleted,
    Read,
    Refused,
    Restart,
    Returned,
    Send,
    SetPower,
    Shutdown,
    Write,
)

LARGEST = ipv4(61_424)
RUNNING: list[Operation] = [
    Load(name="d"),
    Initialize(name="a", driver="d"),
    Restart(name="restart0", adapter="a"),
]
OPENED: list[Operation] = [*RUNNING, Create(name="h1", adapter="a")]


def read(number: int = 1, handle: str = "h1") -> Read:
    return Read(name=f"r{number}", handle=handle)


def send(number: int = 1, *packets: bytes, cancel_id: int = 0) -> Send:
    return Send(name=f"s{number}", adapter="a", nbls=(nbl(*(packets or (ipv4(mark=number),)), cancel_id=cancel_id),))


def write(number: int = 1) -> Write:
    return Write(name=f"w{number}", handle="h1", data=bundle(ipv4(mark=number)))


PAUSE = Pause(name="p", adapter="a")
HALT = Halt(name="halt", adapter="a")
LEAVE: list[Operation] = [Cleanup(name="cleanup", handle="h1"), Close(name="close", handle="h1")]


def status_of(events: Sequence[Event], operation: str) -> int | None:
    """Return the status of the request, NBL 0 or handler; None if it has not ended."""
    for event in events:
        if isinstance(event, IrpCompleted | NblCompleted | Returned | OidCompleted) and event.operation == operation:
            return event.status
    return None


class Judge:
    """What must hold at the end of every run, whoever went first."""

    def __init__(self, setup: Sequence[Operation], actors: Sequence[Sequence[Operation]]) -> None:
        self.operations = [*setup, *(operation for actor in actors for operation in actor)]
        self.before = ModelMachine(order=Order.RAW)
        self.setup = [event for operation in setup for event in self.before.perform(operation)]

    def __call__(self, machine: ModelMachine) -> None:
        events = [*self.setup, *machine.events]
        self.each_ends_once(machine, events)
        self.packets_keep_their_order(events)
        self.nothing_comes_late(machine)
        for adapter in machine.adapters.values():
            assert not adapter.serving
            assert not adapter.indicating
            assert not adapter.copying
            assert adapter.pausing is None, "a pause has not ended"
            assert adapter.active == len(adapter.queue)
            assert adapter.rundown == len(adapter.reads), "only reads that wait hold the rundown"
            assert adapter.link_indicated == adapter.link_changes
            told = [event.connected for event in events if isinstance(event, LinkChanged)]
            if adapter.published:
                assert told[-1] == (adapter.handles > 0)
            assert all(one != other for one, other in pairwise(told))
            assert (adapter.state is State.HALTED) == (not adapter.published)
            if adapter.state is not State.RUNNING or adapter.power != D0:
                assert not adapter.queue
            if Returned("down", SUCCESS) in events:
                assert adapter.state is State.SHUTDOWN
            assert adapter.packets_out == len(packets_of(events))
            assert adapter.octets_out == sum(map(len, packets_of(events)))
            assert adapter.packets_in == sum(isinstance(event, PacketReceived) for event in events)

    def nothing_comes_late(self, machine: ModelMachine) -> None:
        """What a handler ended has ended: no packet after a pause or low power, nothing at all after halt."""
        if any(isinstance(operation, Restart) for operation in self.operations[len(RUNNING) :]):
            return
        ended: set[str] = set()
        for event in machine.events:
            if "halt" in ended and not isinstance(event, Refused):
                assert isinstance(event, IrpCompleted)
                assert event.status == INVALID_HANDLE
            if ended:
                assert not isinstance(event, PacketReceived)
                assert not (isinstance(event, NblCompleted) and event.status == SUCCESS)
            match event:
                case Returned("p" | "halt" as name, status) if status == SUCCESS:
                    ended.add(name)
                case PauseCompleted(name) | OidCompleted("power" as name):
                    ended.add(name)

    def each_ends_once(self, machine: ModelMachine, events: list[Event]) -> None:
        """Every request and every NBL is given back exactly once, but for reads and NBLs that still wait."""
        ends = Counter(
            (type(event), event.operation, getattr(event, "index", 0))
            for event in events
            if isinstance(event, IrpCompleted | NblCompleted | OidCompleted | PauseCompleted)
        )
        assert not ends or max(ends.values()) == 1
        refused = {event.operation for event in events if isinstance(event, Refused)}
        waiting = {request.operation for adapter in machine.adapters.values() for request in adapter.reads}
        queued = {(item.operation, item.index) for adapter in machine.adapters.values() for item in adapter.queue}
        for operation in self.operations:
            if operation.name in refused:
                continue
            if isinstance(operation, Create | HandleOperation):
                assert ((IrpCompleted, operation.name, 0) in ends) == (operation.name not in waiting)
            elif isinstance(operation, Send):
                for index in range(len(operation.nbls)):
                    key = (operation.name, index)
                    assert ((NblCompleted, *key) in ends) == (key not in queued)
            elif isinstance(operation, Pause):
                returned = [
                    event.status
                    for event in events
                    if isinstance(event, Returned) and event.operation == operation.name
                ]
                assert len(returned) == 1
                assert returned[0] in (SUCCESS, PENDING)
                assert ((PauseCompleted, operation.name, 0) in ends) == (returned[0] == PENDING)

    def packets_keep_their_order(self, events: list[Event]) -> None:
        """What reads carry, in the order in which they were asked for, is what was sent, in order, if one sends."""
        sends = [operation for operation in self.operations if isinstance(operation, Send)]
        reads = [operation.name for operation in self.operations if isinstance(operation, Read)]
        filled = {event.operation: event for event in events if isinstance(event, IrpCompleted) and event.data}
        delivered = packets_of(filled[name] for name in reads if name in filled)
        offered = [packet for operation in sends for item in operation.nbls for packet in item.packets]
        assert len(delivered) == len(set(delivered)) <= len(offered)
        assert set(delivered) <= set(offered)
        lost = {
            packet
            for operation in sends
            for index, item in enumerate(operation.nbls)
            for packet in item.packets
            if NblCompleted(operation.name, index, SUCCESS) in events
        } - set(delivered)
        assert not lost, "an NBL that succeeded was delivered whole"


def race(*actors: Sequence[Operation] | Operation, setup: Sequence[Operation] = OPENED) -> Exploration:
    """Explore what actors can do after ``setup``, and judge every end."""
    lists = [[actor] if isinstance(actor, Operation) else list(actor) for actor in actors]
    found = explore(lambda: ModelMachine(order=Order.RAW), setup, lists, at_end=Judge(setup, lists))
    assert found.complete
    return found


def statuses(found: Exploration, *operations: str) -> set[tuple[int | None, ...]]:
    """Return what became of the operations, over all outcomes."""
    return {tuple(status_of(events, name) for name in operations) for events in found.events.values()}


def test_a_send_against_the_last_close_leaves_nothing_behind() -> None:
    """Queued before and emptied, or refused after: the stack has its NBL back, and the next client finds no old one."""
    found = race(send(), LEAVE)
    assert statuses(found, "s1") == {(MEDIA_DISCONNECTED,)}


def test_a_send_against_the_last_close_with_a_read_may_still_be_delivered() -> None:
    found = race(send(), [read(), *LEAVE])
    assert statuses(found, "s1", "r1") == {(SUCCESS, SUCCESS), (MEDIA_DISCONNECTED, CANCELLED)}


def test_a_write_against_a_pause_is_refused_or_the_pause_waits_for_it() -> None:
    found = race(write(), PAUSE)
    assert statuses(found, "w1", "p") == {(SUCCESS, SUCCESS), (SUCCESS, PENDING), (PAUSED, SUCCESS)}
    for events in found.events.values():
        if status_of(events, "p") == PENDING:
            assert sum(isinstance(event, PauseCompleted) for event in events) == 1
            received = [place for place, event in enumerate(events) if isinstance(event, PacketReceived)]
            assert received[0] < events.index(PauseCompleted("p")), "the indication is over when the pause is"


def test_a_pause_may_complete_before_it_has_returned_that_it_is_pending() -> None:
    found = race(write(), PAUSE)
    orders = {
        events.index(PauseCompleted("p")) < events.index(Returned("p", PENDING))
        for events in found.events.values()
        if PauseCompleted("p") in events
    }
    assert orders == {True, False}


def test_a_read_against_halt_ends_in_every_case() -> None:
    """Cancelled if it was let in before the rundown closed, else on a handle that leads nowhere."""
    found = race(read(), HALT)
    assert statuses(found, "r1", "halt") == {(CANCELLED, SUCCESS), (INVALID_HANDLE, SUCCESS)}


def test_a_read_that_is_being_filled_holds_up_halt_and_not_for_long() -> None:
    """It has taken all that it has room for; what it has no room for goes back, as halt finds it in the queue."""
    found = race(read(), HALT, setup=[*OPENED, send(1), send(2), send(3, LARGEST)])
    assert statuses(found, "r1", "s1", "s2", "s3", "halt") == {
        (SUCCESS, SUCCESS, SUCCESS, PAUSED, SUCCESS),
        (CANCELLED, PAUSED, PAUSED, PAUSED, SUCCESS),
        (INVALID_HANDLE, PAUSED, PAUSED, PAUSED, SUCCESS),
    }
    for events in found.events.values():
        assert events.index(Returned("halt", SUCCESS)) == len(events) - 1, "nothing is touched after halt returned"


def test_every_request_against_halt() -> None:
    """Whatever comes while the adapter goes is let in and ended, or turned away at the door."""
    others: list[Operation] = [Create(name="h2", adapter="a"), write(), Cleanup(name="c", handle="h1"), read(2)]
    for other in others:
        found = race(other, HALT, setup=[*OPENED, read(1)])
        assert (INVALID_HANDLE,) in statuses(found, other.name)
        assert statuses(found, "r1") == {(CANCELLED,)}
    assert statuses(race(write(), HALT), "w1") == {(SUCCESS,), (PAUSED,), (INVALID_HANDLE,)}


def test_a_cancel_against_a_packet_ends_the_read_once() -> None:
    found = race(send(), Cancel(name="c", request="r1"), setup=[*OPENED, read()])
    assert statuses(found, "r1", "s1") == {(SUCCESS, SUCCESS), (CANCELLED, None)}


def test_a_cancel_of_a_read_left_without_a_packet_is_not_lost() -> None:
    """While the read is in hand nobody can take it out of a queue; when it goes back the cancel is found."""
    broken = Send(name="s1", adapter="a", nbls=(nbl(ipv4(), unmapped=[0]),))
    found = race(broken, Cancel(name="c", request="r1"), setup=[*OPENED, read()])
    assert statuses(found, "r1") == {(CANCELLED,)}
    found = race(broken, Cleanup(name="c", handle="h1"), setup=[*OPENED, read()])
    assert statuses(found, "r1") == {(CANCELLED,)}
    found = race(broken, HALT, setup=[*OPENED, read()])
    assert statuses(found, "r1") == {(CANCELLED,)}


def test_a_read_against_its_handles_cleanup_never_waits_for_ever() -> None:
    found = race(read(), Cleanup(name="c", handle="h1"))
    assert statuses(found, "r1") == {(CANCELLED,)}


def test_two_sends_and_two_reads_keep_each_senders_order() -> None:
    """One serves, whoever it is, so no packet overtakes another on its way into bundles."""
    first = Send(name="s1", adapter="a", nbls=(nbl(ipv4(mark=1)), nbl(ipv4(mark=2))))
    found = race(first, send(3), read(2), setup=[*OPENED, read(1)])
    for events in found.events.values():
        filled = {event.operation: event for event in events if isinstance(event, IrpCompleted) and event.data}
        delivered = packets_of(filled[name] for name in ("r1", "r2") if name in filled)
        ours = [packet for packet in delivered if packet != ipv4(mark=3)]
        assert ours == [ipv4(mark=1), ipv4(mark=2)][: len(ours)]


def test_a_flush_meets_an_nbl_whose_packet_is_being_copied() -> None:
    """It decides the verdict and takes the rest away; whoever copies gives the NBL back."""
    found = race(read(), PAUSE, setup=[*OPENED, send(1, ipv4(mark=1), LARGEST)])
    assert statuses(found, "s1") == {(PAUSED,)}, "the second packet does not fit"
    halves = [
        events
        for events in found.events.values()
        if status_of(events, "s1") == PAUSED and packets_of(events) == [ipv4(mark=1)]
    ]
    assert {status_of(events, "p") for events in halves} == {SUCCESS, PENDING}, "a pause waits for a copy under way"


def test_packets_in_hand_are_delivered_though_what_was_behind_them_has_gone_back_before() -> None:
    """A read takes what it has room for at once, so a flush finds none of it; only what did not fit is flushed."""
    found = race(read(), PAUSE, setup=[*OPENED, send(1), send(2), send(3, LARGEST)])
    ends = {
        tuple((event.operation, event.status) for event in events if isinstance(event, NblCompleted))
        for events in found.events.values()
    }
    delivered = [("s1", SUCCESS), ("s2", SUCCESS)]
    assert ends == {
        (("s3", PAUSED), *delivered),
        (delivered[0], ("s3", PAUSED), delivered[1]),
        (*delivered, ("s3", PAUSED)),
        (("s1", PAUSED), ("s2", PAUSED), ("s3", PAUSED)),
    }


def test_a_cancel_meets_an_nbl_whose_packet_is_being_copied() -> None:
    found = race(
        read(),
        CancelSend(name="c", adapter="a", cancel_id=7),
        setup=[*OPENED, send(1, ipv4(mark=1), LARGEST, cancel_id=7), send(5)],
    )
    ends = {(status_of(events, "s1"), len(packets_of(events))) for events in found.events.values()}
    assert ends == {(SEND_ABORTED, 2), (SEND_ABORTED, 1)}, "the first half, the next NBL, or both"


def test_low_power_returns_when_copies_and_writes_have_ended() -> None:
    power = SetPower(name="power", adapter="a", state=4)
    found = race(read(), power, setup=[*OPENED, send()])
    assert statuses(found, "s1") == {(SUCCESS,), (LOW_POWER,)}
    for events in found.events.values():
        places = {event.operation: place for place, event in enumerate(events) if hasattr(event, "operation")}
        assert places["s1"] < places["power"]
    found = race(write(), power)
    assert statuses(found, "w1") == {(SUCCESS,), (LOW_POWER,)}


def test_clients_come_and_go_at_once_and_every_change_is_told_in_order() -> None:
    """Four processors, one link: up and down as often as it was, and in the end as it is."""
    found = race([Create(name="h2", adapter="a")], LEAVE)
    stories = {
        tuple(event.connected for event in events if isinstance(event, LinkChanged)) for events in found.events.values()
    }
    assert stories == {(), (False, True)}
    race(Create(name="h2", adapter="a"), Create(name="h3", adapter="a"), LEAVE)


def test_a_shutdown_ends_the_pause_that_it_overtakes() -> None:
    down = Shutdown(name="down", adapter="a")
    found = race(PAUSE, down, setup=[*OPENED, send()])
    assert statuses(found, "p", "s1") == {(SUCCESS, PAUSED), (PENDING, PAUSED), (None, PAUSED)}, (
        "paused, or never asked"
    )
    found = race(write(), [PAUSE], [down])
    assert (SUCCESS, PENDING, SUCCESS) in statuses(found, "w1", "p", "down")


def test_a_send_against_pause_and_restart_is_delivered_or_refused_never_lost() -> None:
    found = race(send(), [PAUSE, Restart(name="again", adapter="a")], setup=[*OPENED, read()])
    assert statuses(found, "s1", "again") == {(SUCCESS, SUCCESS), (PAUSED, SUCCESS)}


def test_the_oldest_is_dropped_at_once_while_somebody_else_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    """The queue is full, and the one that could make room is busy copying. A limit of 3 shows it as well as 1,000."""
    monkeypatch.setattr("wintun_sim.model.sending.QUEUE_LIMIT", 3)
    full = Send(name="fill", adapter="a", nbls=tuple(nbl(ipv4(mark=mark), LARGEST[mark:]) for mark in range(3)))
    found = race(read(), send(20), setup=[*OPENED, full])
    dropped = {
        tuple(event.index for event in events if isinstance(event, NblCompleted) and event.status == SEND_ABORTED)
        for events in found.events.values()
    }
    assert dropped == {(0,)}, "half read or not, it is the oldest"
    assert {len(packets_of(events)) for events in found.events.values()} == {1, 2}, "the read goes on behind the drop"
    single = Send(name="fill", adapter="a", nbls=tuple(nbl(ipv4(mark=mark)) for mark in range(3)))
    found = race(read(), send(20), setup=[*OPENED, single])
    assert {status_of(events, "fill") for events in found.events.values()} == {SUCCESS, SEND_ABORTED}
    race(send(20), send(21), setup=[*OPENED, single])


def test_a_chain_against_whatever_empties_the_queue() -> None:
    """The adapter is asked for each NBL, in the step that queues it: nothing slips in behind a flush."""
    chain = Send(name="s1", adapter="a", nbls=(nbl(ipv4(mark=1)), nbl(), nbl(ipv4(mark=2))))
    enders: list[tuple[list[Operation], int]] = [
        ([PAUSE], PAUSED),
        (LEAVE, MEDIA_DISCONNECTED),
        ([SetPower(name="power", adapter="a", state=4)], LOW_POWER),
        ([Shutdown(name="down", adapter="a")], PAUSED),
    ]
    for actor, status in enders:
        found = race(chain, actor)
        ends = {
            tuple(event.status for event in sorted(events, key=repr) if isinstance(event, NblCompleted))
            for events in found.events.values()
        }
        assert (status, SUCCESS, status) in ends, "the first was queued, the second had nothing to wait for"
        assert (status, status, status) in ends


def test_a_send_that_serves_to_make_room_asks_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """While it serves, the lock is free, and a pause may empty the queue: then there is room, but no way in."""
    monkeypatch.setattr("wintun_sim.model.sending.QUEUE_LIMIT", 1)
    found = race(send(2), PAUSE, setup=[*OPENED, send(1)])
    assert statuses(found, "s1", "s2") == {(PAUSED, PAUSED), (SEND_ABORTED, PAUSED)}


def test_a_call_that_has_begun_may_find_the_machine_going_down() -> None:
    """The host asked it in Running; between that and its first look at the state a shutdown comes."""
    down = Shutdown(name="down", adapter="a")
    assert statuses(race(send(), down), "s1") == {(PAUSED,), (None,)}
    assert (PENDING,) not in statuses(race(PAUSE, down), "p")
    again = Restart(name="again", adapter="a")
    found = race(again, down, setup=[*OPENED, Pause(name="p0", adapter="a")])
    assert statuses(found, "again", "down") == {(SUCCESS, SUCCESS), (None, SUCCESS)}


def test_while_halt_waits_nobody_comes_in() -> None:
    """Else a client that asks often enough could hold it up for ever."""
    machine = ModelMachine(order=Order.RAW)
    for operation in OPENED:
        machine.perform(operation)
    run = Interleaving(machine, [[write()], [HALT], [Create(name="h2", adapter="a")]])
    while run.actors[0].key()[1:] == () or machine.adapters["a"].active == 0:
        run.choose(run.able(), 0)
    while run.actors[1].waiting is None:
        run.choose([1], 0)
    assert not run.actors[1].can_step(machine)
    while 2 in run.able():
        run.choose([2], 0)
    assert machine.events == [IrpCompleted("h2", "h2", INVALID_HANDLE)]
    assert not run.actors[1].can_step(machine)
    while able := run.able():
        run.choose(able, 0)
    assert [type(event) for event in machine.events[1:]] == [PacketReceived, IrpCompleted, Returned]


CORPUS: list[Operation] = [
    send(1, LARGEST, ipv4(mark=1), cancel_id=7),
    read(1),
    write(1),
    Create(name="h3", adapter="a"),
    Cleanup(name="cleanup", handle="h2"),
    Close(name="close", handle="h2"),
    Cancel(name="cancel", request="r0"),
    CancelSend(name="cancel-send", adapter="a", cancel_id=7),
    Oid(name="oid", adapter="a", kind=OidKind.QUERY, oid=0x00020106, length=152),
    SetPower(name="power", adapter="a", state=4),
    PAUSE,
    HALT,
    Shutdown(name="down", adapter="a"),
]
TWO_HANDLES: list[Operation] = [*OPENED, Create(name="h2", adapter="a")]
SETUPS: dict[str, list[Operation]] = {
    "a read waits": [*TWO_HANDLES, read(0, "h2")],
    "an NBL is half read": [*TWO_HANDLES, send(0, ipv4(mark=90), LARGEST, cancel_id=7), read(0, "h2")],
    "packets wait": [
        *TWO_HANDLES,
        read(0, "h2"),
        Cancel(name="c0", request="r0"),
        send(0, ipv4(mark=91), b"\x45", b""),
    ],
}


@pytest.mark.parametrize("setup", SETUPS)
@pytest.mark.parametrize(("one", "other"), list(combinations(CORPUS, 2)), ids=lambda operation: operation.verb)
def test_any_call_against_any_other(setup: str, one: Operation, other: Operation) -> None:
    """As far as NDIS and the I/O manager let them overlap; where they do not, one waits for the other."""
    actors: list[list[Operation]] = [[one], [other]]
    for actor in actors:
        if isinstance(actor[0], Close):
            actor.insert(0, Cleanup(name="before", handle="h2"))
    race(*actors, setup=SETUPS[setup])
