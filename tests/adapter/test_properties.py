"""Whatever a client and the stack do, in whatever order: packets come through once and in order.

The oracle is a few lists; it knows nothing of operations and events.
"""

from __future__ import annotations

from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.adapter.world import CANCELLED, INVALID_HANDLE, PAUSED, fails
from wintun_sim import Adapter, Handle, IllegalCall, NtStatusError, ReadResult, Request, Sent
from wintun_sim.lifecycle import State
from wintun_sim.testing.strategies import packets

Machine = Literal["model", "driver"]
SMALL = packets(ip=True, max_size=200)


@settings(max_examples=40)
@given(st.lists(packets(max_size=2000), max_size=20), st.integers(61_440, 200_000))
def test_what_the_stack_sends_a_client_reads(wintun_machine: Machine, sent: list[bytes], length: int) -> None:
    """Any packets, not only IP: nothing looks into them on the way out."""
    with Adapter(wintun_machine) as adapter, adapter.open() as handle:
        chain = adapter.stack.send(sent) if sent else None
        read: list[bytes] = []
        while chain is not None and not chain.done():
            read += handle.read(length).result(timeout=0).packets
        assert read == sent


@settings(max_examples=40)
@given(st.lists(SMALL, min_size=1, max_size=256))
def test_what_a_client_writes_the_stack_receives(wintun_machine: Machine, written: list[bytes]) -> None:
    with Adapter(wintun_machine) as adapter, adapter.open() as handle:
        assert handle.write(written).result() == sum(16 + -(-len(packet) // 16) * 16 for packet in written)
        assert adapter.stack.receive_all() == written


class Life(RuleBasedStateMachine):
    """A client with up to three handles, and a stack in strict order."""

    machine: Machine = "model"

    @initialize()
    def begin(self) -> None:
        self.adapter = Adapter(self.machine)
        self.handles: list[Handle] = []
        self.reads: list[tuple[Handle, Request[ReadResult]]] = []
        self.queue: list[tuple[bytes, Sent]] = []

    def teardown(self) -> None:
        if hasattr(self, "adapter"):
            for handle in self.handles:
                handle.close()
            self.adapter.close()
            for _, sent in self.queue:
                assert sent.done()

    @precondition(lambda self: len(self.handles) < 3)
    @rule()
    def opens(self) -> None:
        self.handles.append(self.adapter.open())

    @precondition(lambda self: self.handles)
    @rule(number=st.integers(0, 2))
    def closes(self, number: int) -> None:
        handle = self.handles.pop(number % len(self.handles))
        handle.close()
        for owner, read in self.reads:
            if owner is handle:
                error = read.exception(timeout=0)
                assert isinstance(error, NtStatusError)
                assert error.status == CANCELLED
        self.reads = [(owner, read) for owner, read in self.reads if owner is not handle]
        if not self.handles:
            assert all(sent.done() for _, sent in self.queue)
            self.queue.clear()

    @precondition(lambda self: self.handles)
    @rule(number=st.integers(0, 2))
    def reads_something(self, number: int) -> None:
        handle = self.handles[number % len(self.handles)]
        read = handle.read()
        if self.queue:
            assert read.result(timeout=0).packets == [packet for packet, _ in self.queue]
            assert all(sent.status == 0 for _, sent in self.queue)
            self.queue.clear()
        else:
            assert not read.done()
            self.reads.append((handle, read))

    @precondition(lambda self: self.reads)
    @rule(number=st.integers(0, 10))
    def cancels(self, number: int) -> None:
        _, read = self.reads.pop(number % len(self.reads))
        assert read.cancel()

    @rule(packet=SMALL)
    def sends(self, packet: bytes) -> None:
        if self.adapter.state is not State.RUNNING:
            with pytest.raises(IllegalCall, match=self.adapter.state.value):
                self.adapter.stack.send(packet)
            return
        sent = self.adapter.stack.send(packet)
        if not self.handles:
            assert sent.status == 0xC023001F
        elif self.reads:
            assert sent.status == 0
            _, read = self.reads.pop(0)
            assert read.result(timeout=0).packets == [packet]
        else:
            assert sent.status is None
            self.queue.append((packet, sent))

    @precondition(lambda self: self.handles)
    @rule(number=st.integers(0, 2), written=st.lists(SMALL, min_size=1, max_size=5))
    def writes(self, number: int, written: list[bytes]) -> None:
        handle = self.handles[number % len(self.handles)]
        if self.adapter.state is State.RUNNING:
            handle.write(written)
            assert self.adapter.stack.receive_all() == written
        else:
            with fails(PAUSED):
                handle.write(written)
            assert self.adapter.stack.received == []

    @rule()
    def pauses_or_restarts(self) -> None:
        if self.adapter.state is State.PAUSED:
            self.adapter.restart()
            return
        if self.queue:
            with pytest.raises(IllegalCall, match=f"{len(self.queue)} NBLs held"):
                self.adapter.pause()
        else:
            self.adapter.pause()

    @rule()
    def is_updated(self) -> None:
        """The adapter goes, every read ends, the client closes, the driver leaves, and another adapter comes."""
        if self.queue:
            return
        self.adapter.remove()
        self.adapter.unload()
        for _, read in self.reads:
            error = read.exception(timeout=0)
            assert isinstance(error, NtStatusError)
            assert error.status == CANCELLED
        for handle in self.handles:
            assert not self.adapter.unloaded
            with fails(INVALID_HANDLE):
                handle.read()
            handle.close()
        assert self.adapter.unloaded
        self.adapter.close()
        self.begin()

    @invariant()
    def the_link_is_up_while_a_handle_is_open(self) -> None:
        if hasattr(self, "adapter"):
            assert self.adapter.stack.connected == bool(self.handles)
            assert self.adapter.handles == self.handles
            assert self.adapter.broken_rules == []


def test_the_life_of_a_client(wintun_machine: Machine) -> None:
    class OnThisMachine(Life):
        machine = wintun_machine

    run_state_machine_as_test(OnThisMachine, settings=settings(max_examples=40, stateful_step_count=40, deadline=None))
