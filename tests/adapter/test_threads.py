"""A handle without FILE_FLAG_OVERLAPPED blocks, and another thread wakes it; and nobody needs a lock of his own.

Nothing here sleeps: a thread that blocks in a read is known to do so by the request that is pending on its handle, and
what a client hangs on a future runs before the call that ended the request has returned.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from tests.adapter.world import CANCELLED, INVALID_HANDLE, INVALID_USER_BUFFER, PAUSED, fails, ipv4
from wintun_sim import Adapter, AdapterGone, BlockingHandle, ClientWarning, Handle, NtStatusError, ReadResult
from wintun_sim.kernel import DriverMachine
from wintun_sim.model import ModelMachine
from wintun_sim.operations import Cancel, Counters, Event, Nbl, Operation, Send
from wintun_sim.testing.plugin import AdapterFactory

PATIENCE = 60.0  # seconds until a test that would hang fails instead; none waits that long when all is well


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(max_workers=8) as executor:
        yield executor


def until_pending(handle: BlockingHandle, blocked: Future[ReadResult]) -> None:
    """Return when another thread's read is pending on ``handle``; its end, if it comes first, is a failure."""
    while not handle.pending:
        if blocked.done():
            blocked.result()
            raise AssertionError("the read did not block")


@contextmanager
def blocked_read(adapter: Adapter, threads: ThreadPoolExecutor) -> Iterator[tuple[BlockingHandle, Future[ReadResult]]]:
    """Give a handle in whose read another thread is blocked."""
    with adapter.open(overlapped=False) as handle:
        blocked = threads.submit(handle.read)
        until_pending(handle, blocked)
        yield handle, blocked


def test_a_blocked_read_returns_when_the_stack_sends(wintun_adapter: Adapter, threads: ThreadPoolExecutor) -> None:
    with blocked_read(wintun_adapter, threads) as (_, blocked):
        wintun_adapter.stack.send(ipv4(1))
        assert blocked.result(PATIENCE).packets == [ipv4(1)]


def test_a_blocked_read_sleeps_through_pause_and_restart(wintun_adapter: Adapter, threads: ThreadPoolExecutor) -> None:
    with blocked_read(wintun_adapter, threads) as (handle, blocked):
        wintun_adapter.pause()
        assert len(handle.pending) == 1
        wintun_adapter.restart()
        wintun_adapter.stack.send(ipv4(1))
        assert blocked.result(PATIENCE).packets == [ipv4(1)]


@pytest.mark.parametrize(
    ("wake", "words"),
    [
        (lambda adapter, handle: adapter.remove(), "the adapter was halted"),
        (lambda adapter, handle: handle.close(), "its handle was closed"),
        (lambda adapter, handle: handle.cancel(), "the client cancelled it"),
        (lambda adapter, handle: (adapter.shutdown(), handle.close()), "its handle was closed"),
    ],
    ids=["halt", "close", "cancel", "shutdown, then close"],
)
def test_a_blocked_read_is_woken_from_another_thread(
    wintun_adapter: Adapter,
    threads: ThreadPoolExecutor,
    wake: Callable[[Adapter, BlockingHandle], object],
    words: str,
) -> None:
    """A client's reader thread must end when the client does."""
    with blocked_read(wintun_adapter, threads) as (handle, blocked):
        wake(wintun_adapter, handle)
        with fails(CANCELLED, words):
            blocked.result(PATIENCE)


def test_closing_the_adapter_wakes_whoever_waits(wintun_adapters: AdapterFactory, threads: ThreadPoolExecutor) -> None:
    adapter = wintun_adapters(running=False)
    with blocked_read(adapter, threads) as (handle, blocked):
        receiving = threads.submit(adapter.stack.receive)
        handle.close()
        adapter.close()
        with fails(CANCELLED):
            blocked.result(PATIENCE)
        with pytest.raises(AdapterGone):
            receiving.result(PATIENCE)


def test_a_read_with_a_timeout_gives_up_and_takes_no_packets_with_it(wintun_adapter: Adapter) -> None:
    with wintun_adapter.open(overlapped=False) as handle:
        with pytest.raises(TimeoutError, match=r"read on WINTUN.*: no packets within 0 s"):
            handle.read(timeout=0)
        assert handle.pending == []
        wintun_adapter.stack.send(ipv4(1))
        assert handle.read(timeout=0).packets == [ipv4(1)]


class SendsAtTheLastMoment(ModelMachine):
    """A packet comes just before a read is cancelled, from nowhere that a test could stand."""

    def perform(self, operation: Operation) -> Sequence[Event]:
        late: Sequence[Event] = ()
        if isinstance(operation, Cancel):
            late = super().perform(Send(name="late", nbls=(Nbl((ipv4(1),)),)))
        return [*late, *super().perform(operation)]


def test_a_read_that_ends_when_its_time_is_up_keeps_its_packets() -> None:
    """They are gone from the queue, so whoever threw them away would lose them."""
    with Adapter(SendsAtTheLastMoment()) as adapter, adapter.open(overlapped=False) as handle:
        assert handle.read(timeout=0).packets == [ipv4(1)]


def test_blocking_calls_raise_what_overlapped_ones_do(wintun_adapter: Adapter) -> None:
    with wintun_adapter.open(overlapped=False) as handle:
        assert handle.write([ipv4(1)]) == 48
        assert handle.write_bundle(b"\0" * 16) == 16
        with fails(INVALID_USER_BUFFER, "61,440"):
            handle.read(1)
        wintun_adapter.pause()
        with fails(PAUSED, "after the restart"):
            handle.write([ipv4(1)])


def test_a_request_that_windows_would_put_off_is_warned_of(
    wintun_adapter: Adapter, threads: ThreadPoolExecutor
) -> None:
    """One thread reads and one writes, through one handle without FILE_FLAG_OVERLAPPED: under Windows the writer hangs
    until the next packet comes.
    """
    with blocked_read(wintun_adapter, threads) as (handle, _):
        with pytest.warns(ClientWarning, match="FILE_FLAG_OVERLAPPED") as caught:
            handle.write([ipv4(1)])
        assert caught[0].filename == __file__
        with pytest.warns(ClientWarning, match="one request after the other"):
            handle.write_bundle(b"\0" * 16)
        with pytest.warns(ClientWarning, match="a handle for each thread"), pytest.raises(TimeoutError):
            handle.read(timeout=0)
        assert wintun_adapter.stack.received == [ipv4(1)], "it is done all the same"


@pytest.fixture
def interruptible() -> Iterator[None]:
    """A process that a shell started in the background ignores SIGINT, unless it asks for it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_an_interrupted_read_is_cancelled(wintun_adapter: Adapter, threads: ThreadPoolExecutor) -> None:
    """Else the read that nobody waits for any more would take the next packets. The interrupt may come while the read
    has only just begun, and is not waited for yet."""
    main = threading.get_ident()
    with wintun_adapter.open(overlapped=False) as handle:

        def interrupt() -> None:
            while not handle.pending:
                pass
            signal.pthread_kill(main, signal.SIGINT)

        interrupter = threads.submit(interrupt)
        with pytest.raises(KeyboardInterrupt):
            handle.read(timeout=PATIENCE)
        interrupter.result(PATIENCE)
        assert handle.pending == []


def test_the_stack_waits_for_what_another_thread_writes(wintun_adapter: Adapter, threads: ThreadPoolExecutor) -> None:
    stack = wintun_adapter.stack
    connected = threads.submit(stack.wait_until_connected, PATIENCE)
    received = [threads.submit(stack.receive, PATIENCE) for _ in range(2)]
    with wintun_adapter.open() as handle:
        connected.result(PATIENCE)
        handle.write([ipv4(1)])
        handle.write([ipv4(2)])
        assert {future.result(PATIENCE) for future in received} == {ipv4(1), ipv4(2)}
        disconnected = threads.submit(stack.wait_until_disconnected, PATIENCE)
    disconnected.result(PATIENCE)


def test_a_send_waits_until_another_thread_has_read(wintun_adapter: Adapter, threads: ThreadPoolExecutor) -> None:
    with wintun_adapter.open() as handle:
        sent = wintun_adapter.stack.send(ipv4(1))
        waiting = threads.submit(sent.wait, PATIENCE)
        assert handle.read().result().packets == [ipv4(1)]
        assert waiting.result(PATIENCE) == 0


class Watched:
    """A machine that notes how many threads were in it at once."""

    def __init__(self, machine: ModelMachine | DriverMachine) -> None:
        self.machine = machine
        self.ledger = machine.ledger
        self.inside = 0
        self.most = 0

    def perform(self, operation: Operation) -> Sequence[Event]:
        self.inside += 1
        self.most = max(self.most, self.inside)
        events = self.machine.perform(operation)
        self.inside -= 1
        return events

    def counters(self, adapter: str) -> Counters:
        return self.machine.counters(adapter)

    def close(self) -> None:
        self.machine.close()


def test_a_client_of_many_threads_loses_no_packet_and_gets_none_twice(
    wintun_machine: str, threads: ThreadPoolExecutor
) -> None:
    """Two threads read, two write, two send and one pauses, from the same moment on.

    In raw order sends and writes meet pauses, are refused, and are made again: whatever succeeded was delivered once.
    """
    count = 150
    start = threading.Barrier(7)
    machine = Watched(ModelMachine(order="raw") if wintun_machine == "model" else DriverMachine(order="raw"))
    with Adapter(machine) as adapter:
        handles = [adapter.open(overlapped=False) for _ in range(2)]

        def reads(handle: BlockingHandle) -> list[bytes]:
            packets: list[bytes] = []
            start.wait(PATIENCE)
            try:
                while True:
                    packets += handle.read().packets
            except NtStatusError as error:
                if error.status not in (CANCELLED, INVALID_HANDLE):
                    raise
            return packets

        def writes(marks: range) -> None:
            with adapter.open() as handle:
                start.wait(PATIENCE)
                for mark in marks:
                    while not written(handle, ipv4(mark)):
                        pass

        def written(handle: Handle, packet: bytes) -> bool:
            try:
                return handle.write([packet]).result() == 48
            except NtStatusError as error:
                if error.status != PAUSED:
                    raise
                return False

        def sends(marks: range) -> None:
            start.wait(PATIENCE)
            for mark in marks:
                while adapter.stack.send(ipv4(mark)).wait(PATIENCE):
                    pass

        def pauses() -> None:
            start.wait(PATIENCE)
            for _ in range(count):
                adapter.pause()
                adapter.restart()

        readers = [threads.submit(reads, handle) for handle in handles]
        halves = (range(count), range(count, 2 * count))
        others = [threads.submit(call, half) for call in (writes, sends) for half in halves]
        others.append(threads.submit(pauses))
        for future in others:
            future.result()
        for handle in handles:
            handle.close()
        everything = sorted(ipv4(mark) for mark in range(2 * count))
        assert sorted(packet for reader in readers for packet in reader.result()) == everything
        assert sorted(adapter.stack.received) == everything
        statistics = adapter.stack.statistics()
        assert (statistics["ifHCInUcastPkts"], statistics["ifHCOutUcastPkts"]) == (2 * count, 2 * count)
    assert machine.most == 1
