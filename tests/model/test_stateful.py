"""Long random lives of two adapters: whatever is done to them, what must hold holds after every step.

The bookkeeping here is the test's own: which requests and NBLs are out, what was sent, what was received. It knows no
state of the model but what can be seen from outside.
"""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle as Names
from hypothesis.stateful import MultipleResults, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule

from tests.model.world import (
    CANCELLED,
    INVALID_HANDLE,
    INVALID_LENGTH,
    LOW_POWER,
    MEDIA_DISCONNECTED,
    PAUSED,
    PENDING,
    RESOURCES,
    SEND_ABORTED,
    SUCCESS,
    World,
    ipv4,
    nbl,
    packets_of,
    record,
)
from wintun_sim.lifecycle import State
from wintun_sim.operations import (
    Event,
    IrpCompleted,
    LinkChanged,
    NblCompleted,
    PacketReceived,
    Refused,
    Returned,
    Send,
    ShutdownAction,
)

NBL_STATUSES = {SUCCESS, PAUSED, LOW_POWER, MEDIA_DISCONNECTED, SEND_ABORTED, INVALID_LENGTH, RESOURCES}
ADAPTERS = ("a", "b")


class Tally:
    """What the outside knows of one adapter."""

    def __init__(self) -> None:
        self.reads: list[str] = []
        self.nbls: dict[tuple[str, int], tuple[bytes, ...]] = {}
        self.sent: list[bytes] = []
        self.promised: list[bytes] = []
        self.delivered: list[bytes] = []
        self.octets_in = 0
        self.packets_in = 0
        self.handles: set[str] = set()
        self.link: list[bool] = []
        self.halted = False


class Lives(RuleBasedStateMachine):
    """Everything that the raw order allows, one operation at a time."""

    handles: Names[str] = Names("handles")
    cleaned: Names[str] = Names("cleaned")
    requests: Names[str] = Names("requests")
    adapters = st.sampled_from(ADAPTERS)

    def __init__(self) -> None:
        super().__init__()
        self.world = World("raw")
        self.tallies = {name: Tally() for name in ADAPTERS}
        self.home: dict[str, str] = {}
        self.mark = 0

    # Seeing

    def see(self, adapter: str, events: Sequence[Event]) -> bool:
        """Enter events into the books; tell whether the operation was done at all."""
        tally = self.tallies[adapter]
        for event in events:
            match event:
                case Refused():
                    assert len(events) == 1
                    return False
                case NblCompleted(operation, index, status):
                    packets = tally.nbls.pop((operation, index))
                    assert status in NBL_STATUSES
                    if status == SUCCESS:
                        tally.promised += filter(None, packets)
                case IrpCompleted(operation, _, status) if operation in tally.reads:
                    tally.reads.remove(operation)
                    packets_read = packets_of([event])
                    assert bool(packets_read) == (status == SUCCESS)
                    tally.delivered += packets_read
                case LinkChanged(_, connected):
                    tally.link.append(connected)
                case Returned(_, status):
                    assert status in (SUCCESS, PENDING)
        return True

    @initialize()
    def begin(self) -> None:
        self.world.load()
        for name in ADAPTERS:
            self.see(name, self.world.initialize(name))

    # The system

    @rule(adapter=adapters)
    def restart(self, adapter: str) -> None:
        self.see(adapter, self.world.restart(adapter))

    @rule(adapter=adapters)
    def pause(self, adapter: str) -> None:
        if self.see(adapter, self.world.pause(adapter)):
            assert not self.tallies[adapter].nbls, "a pause is over when all NBLs are back"

    @rule(adapter=adapters, state=st.integers(0, 5))
    def set_power(self, adapter: str, state: int) -> None:
        if self.world.machine.ledger.state(adapter) in (State.PAUSED, State.RUNNING):
            events = self.world.set_power(state, adapter)
            self.see(adapter, events)
            if 2 <= state <= 4:
                assert not self.tallies[adapter].nbls, "an adapter sleeps with empty hands"

    @rule(adapter=st.just("b"), sure=st.integers(0, 7))
    def halt(self, adapter: str, sure: int) -> None:
        if sure == 0 and self.see(adapter, self.world.halt(adapter)):
            tally = self.tallies[adapter]
            assert not tally.nbls
            assert not tally.reads
            tally.halted = True

    @rule(adapter=st.just("a"), sure=st.integers(0, 9), action=st.sampled_from(ShutdownAction))
    def shutdown(self, adapter: str, sure: int, action: ShutdownAction) -> None:
        if sure == 0 and self.see(adapter, self.world.shutdown(action, adapter)):
            assert action is ShutdownAction.BUG_CHECK or not self.tallies[adapter].nbls

    # The stack

    @rule(
        adapter=adapters,
        shapes=st.lists(st.lists(st.sampled_from([0, 20, 40, 61_424, 61_425]), max_size=3), min_size=1, max_size=4),
        cancel_id=st.integers(0, 2),
        broken=st.frozensets(st.integers(0, 3), max_size=1),
    )
    def send(self, adapter: str, shapes: list[list[int]], cancel_id: int, broken: frozenset[int]) -> None:
        chain = []
        for sizes in shapes:
            packets = []
            for size in sizes:
                self.mark += 1
                packets.append(ipv4(size, self.mark))
            chain.append(nbl(*packets, cancel_id=cancel_id, unmapped=broken))
        name = self.world.name("send")
        tally = self.tallies[adapter]
        operation = Send(name=name, adapter=adapter, nbls=tuple(chain))
        if self.world.machine.ledger.refusal(operation) is None:
            tally.nbls.update({(name, index): item.packets for index, item in enumerate(chain)})
            tally.sent += [packet for item in chain for packet in item.packets if packet]
        self.see(adapter, self.world.perform(operation))

    @rule(adapter=adapters, cancel_id=st.integers(0, 2))
    def cancel_send(self, adapter: str, cancel_id: int) -> None:
        self.see(adapter, self.world.cancel_send(cancel_id, adapter))

    # The client

    @rule(target=handles, adapter=adapters)
    def create(self, adapter: str) -> str | MultipleResults[str]:
        events = self.world.create(adapter)
        event = events[-1]
        name = f"h{self.world.numbers['h']}"
        if isinstance(event, Refused):
            return multiple()
        self.see(adapter, events)
        assert isinstance(event, IrpCompleted)
        if self.tallies[adapter].halted:
            assert event.status == INVALID_HANDLE
            return multiple()
        assert event.status == SUCCESS
        self.home[name] = adapter
        self.tallies[adapter].handles.add(name)
        return name

    @rule(target=cleaned, handle=consumes(handles))
    def cleanup(self, handle: str) -> str:
        adapter = self.home[handle]
        events = self.world.cleanup(handle)
        self.see(adapter, events)
        ended = [event for event in events if isinstance(event, IrpCompleted)]
        assert all(event.status == CANCELLED for event in ended[:-1])
        return handle

    @rule(handle=consumes(cleaned))
    def close(self, handle: str) -> None:
        adapter = self.home[handle]
        self.see(adapter, self.world.close(handle))
        self.tallies[adapter].handles.discard(handle)

    @rule(target=requests, handle=handles | cleaned, length=st.sampled_from([0, 61_439, 61_440, 61_440, 130_000]))
    def read(self, handle: str, length: int) -> str:
        adapter = self.home[handle]
        reads = self.tallies[adapter].reads
        name = f"r{self.world.numbers.get('r', 0) + 1}"
        reads.append(name)
        if not self.see(adapter, self.world.read(handle, length)):
            reads.remove(name)
        return name

    @rule(request=requests)
    def cancel(self, request: str) -> None:
        for name, tally in self.tallies.items():
            if request in tally.reads:
                events = self.world.cancel(request)
                self.see(name, events)
                assert [event.status for event in events if isinstance(event, IrpCompleted)] == [CANCELLED]
                return
        assert self.world.cancel(request) == []

    @rule(
        handle=handles | cleaned,
        sizes=st.lists(st.sampled_from([0, 19, 20, 300]), max_size=5),
        cut=st.integers(0, 20),
    )
    def write(self, handle: str, sizes: list[int], cut: int) -> None:
        adapter = self.home[handle]
        data = b"".join(record(ipv4(size)) for size in sizes)
        events = self.world.write(data[: len(data) - cut] if cut else data, handle)
        self.see(adapter, events)
        tally = self.tallies[adapter]
        for event in events:
            if isinstance(event, PacketReceived):
                tally.octets_in += len(event.data)
                tally.packets_in += 1

    # What must hold at rest

    @invariant()
    def the_books_agree(self) -> None:
        for name, tally in self.tallies.items():
            if name not in self.world.machine.adapters:
                continue
            counters = self.world.counters(name)
            assert counters.nbls_owned == len(tally.nbls)
            assert counters.reads_pending == len(tally.reads)
            assert counters.handles == (0 if tally.halted else len(tally.handles))
            if not tally.halted:
                assert tally.link[-1] == bool(tally.handles)
            assert all(one != other for one, other in zip(tally.link, tally.link[1:], strict=False))

    @invariant()
    def packets_are_delivered_in_order_and_once(self) -> None:
        for tally in self.tallies.values():
            assert set(tally.promised) <= set(tally.delivered), "an NBL succeeded, and a packet of it is lost"
            remaining = iter(tally.sent)
            for packet in tally.delivered:
                if packet:
                    assert packet in remaining, "delivered twice, out of order, or never sent"

    @invariant()
    def statistics_are_what_was_delivered_and_received(self) -> None:
        for name, tally in self.tallies.items():
            if name in self.world.machine.adapters and self.world.machine.ledger.state(name) in (
                State.PAUSED,
                State.RUNNING,
            ):
                statistics = self.world.statistics(name)
                assert statistics.get("ifHCOutUcastPkts", 0) == len(tally.delivered)
                assert statistics.get("ifHCOutOctets", 0) == sum(map(len, tally.delivered))
                assert statistics.get("ifHCInUcastPkts", 0) == tally.packets_in
                assert statistics.get("ifHCInOctets", 0) == tally.octets_in


TestLives = Lives.TestCase
TestLives.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
