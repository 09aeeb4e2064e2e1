"""A client reads through an overlapped handle: the request is a future, and what ends it is what ends it in Windows."""

from __future__ import annotations

import asyncio
import concurrent.futures

import pytest

from tests.adapter.world import CANCELLED, INVALID_HANDLE, INVALID_PARAMETER, INVALID_USER_BUFFER, SUCCESS, fails, ipv4
from wintun_sim import Adapter, NtStatusError, Request, RequestCancelled
from wintun_sim.adapter.request import ReadResult
from wintun_sim.bundle import BundleError
from wintun_sim.testing.plugin import AdapterFactory


def test_a_read_waits_until_the_stack_sends(wintun_adapter: Adapter) -> None:
    with wintun_adapter.open() as handle:
        pending = handle.read()
        assert not pending.done()
        assert handle.pending == [pending]
        sent = wintun_adapter.stack.send(ipv4(1))
        assert pending.done()
        assert handle.pending == []
        result = pending.result(timeout=0)
        assert result.packets == [ipv4(1)]
        assert result.data == b"\x14" + bytes(15) + ipv4(1) + bytes(12)
        assert sent.status == SUCCESS


def test_packets_that_came_first_are_read_at_once(wintun_adapter: Adapter) -> None:
    """One read takes all that fit; the NBLs are back before the client knows."""
    with wintun_adapter.open() as handle:
        sent = wintun_adapter.stack.send([ipv4(1), ipv4(2)])
        assert (sent.status, sent.statuses, sent.done()) == (None, (None, None), False)
        read = handle.read()
        assert read.done()
        assert read.result().packets == [ipv4(1), ipv4(2)]
        assert sent.statuses == (SUCCESS, SUCCESS)


def test_reads_are_served_in_the_order_of_their_making_over_all_handles(wintun_adapter: Adapter) -> None:
    with wintun_adapter.open() as one, wintun_adapter.open() as two:
        first, second, third = one.read(), two.read(), one.read()
        wintun_adapter.stack.send(ipv4(1))
        assert (first.done(), second.done(), third.done()) == (True, False, False)
        wintun_adapter.stack.send(ipv4(2))
        wintun_adapter.stack.send(ipv4(3))
        assert [read.result().packets for read in (first, second, third)] == [[ipv4(1)], [ipv4(2)], [ipv4(3)]]


def test_a_larger_buffer_takes_more_and_the_largest_takes_256(wintun_adapter: Adapter) -> None:
    """Who reads with the smallest buffer gets one large packet at a time."""
    large = [ipv4(mark, 61_424) for mark in range(3)]
    with wintun_adapter.open() as handle:
        wintun_adapter.stack.send(large)
        assert handle.read().result().packets == large[:1]
        assert handle.read(15_728_640).result().packets == large[1:]
        wintun_adapter.stack.send([ipv4(mark) for mark in range(300)])
        assert len(handle.read(15_728_640).result().packets) == 256
        assert len(handle.read(15_728_640).result().packets) == 44


@pytest.mark.parametrize(
    ("length", "status"),
    [(0, INVALID_PARAMETER), (61_439, INVALID_USER_BUFFER), (15_728_641, INVALID_USER_BUFFER)],
)
def test_a_buffer_of_the_wrong_size_is_refused_at_the_call(wintun_adapter: Adapter, length: int, status: int) -> None:
    with wintun_adapter.open() as handle:
        with fails(status, "read on WINTUN", "Running", f"{length:,} bytes", "give it 61,440 to 15,728,640"):
            handle.read(length)
        assert handle.pending == []


@pytest.mark.parametrize("length", [-1, 1 << 32])
def test_a_length_that_no_program_can_pass_is_the_tests_own_mistake(wintun_adapter: Adapter, length: int) -> None:
    with wintun_adapter.open() as handle, pytest.raises(ValueError, match="0 to 4294967295 bytes"):
        handle.read(length)


def test_cancelling_a_read_is_cancelioex(wintun_adapter: Adapter) -> None:
    """The packets are not lost: the next read gets them."""
    with wintun_adapter.open() as handle:
        first, second = handle.read(), handle.read()
        assert first.cancel()
        assert first.cancelled()
        with fails(CANCELLED, "read on WINTUN", "the client cancelled it"):
            first.result()
        with pytest.raises(concurrent.futures.CancelledError):
            first.result()
        assert first.cancel(), "as futures say of one that was cancelled before"
        wintun_adapter.stack.send(ipv4(1))
        assert second.result().packets == [ipv4(1)]
        assert not second.cancel(), "too late"
        assert not second.cancelled()


def test_cancel_of_a_handle_ends_all_its_reads_and_no_others(wintun_adapter: Adapter) -> None:
    with wintun_adapter.open() as one, wintun_adapter.open() as two:
        reads = [one.read(), one.read()]
        other = two.read()
        assert one.cancel() == 2
        assert all(read.cancelled() for read in reads)
        assert not other.done()
        assert one.cancel() == 0


def test_closing_a_handle_ends_its_reads(wintun_adapter: Adapter) -> None:
    with wintun_adapter.open() as handle:
        reads = [handle.read(), handle.read()]
    for read in reads:
        with fails(CANCELLED, "its handle was closed"):
            read.result()
        assert not read.cancelled(), "nobody called cancel"
    assert handle.closed
    handle.close()
    with fails(INVALID_HANDLE, "the handle was closed", "open another one"):
        handle.read()
    with fails(INVALID_HANDLE, "the handle was closed"):
        handle.write([ipv4()])


def test_a_halt_ends_reads_and_leaves_handles_for_closing(wintun_adapter: Adapter) -> None:
    """The client that then closes its handle lets the driver be updated without a reboot."""
    with wintun_adapter.open() as handle:
        read = handle.read()
        wintun_adapter.remove()
        with fails(CANCELLED, "Halted", "the adapter was halted", "close the handle"):
            read.result()
        with fails(INVALID_HANDLE, "was halted while this handle was open", "close the handle"):
            handle.read()
        with fails(INVALID_HANDLE, "close the handle"):
            handle.write([ipv4()])


def test_a_pause_does_not_end_reads(wintun_adapter: Adapter) -> None:
    with wintun_adapter.open() as handle:
        read = handle.read()
        wintun_adapter.suspend()
        assert not read.done()
        wintun_adapter.resume()
        wintun_adapter.stack.send(ipv4(1))
        assert read.result().packets == [ipv4(1)]


def test_what_hangs_on_a_read_may_read_again(wintun_adapter: Adapter) -> None:
    """A client that keeps a read pending does just that, and the adapter must not be locked then."""
    packets: list[bytes] = []
    with wintun_adapter.open() as handle:

        def again(read: concurrent.futures.Future[ReadResult]) -> None:
            if read.exception() is None:
                packets.extend(read.result().packets)
                handle.read().add_done_callback(again)

        handle.read().add_done_callback(again)
        for mark in range(5):
            wintun_adapter.stack.send(ipv4(mark))
        assert packets == [ipv4(mark) for mark in range(5)]
        assert len(handle.pending) == 1


def test_requests_are_futures_as_concurrent_futures_knows_them(wintun_adapter: Adapter) -> None:
    with wintun_adapter.open() as handle:
        first, second = handle.read(), handle.read()
        wintun_adapter.stack.send(ipv4(1))
        done, waiting = concurrent.futures.wait([first, second], return_when=concurrent.futures.FIRST_COMPLETED)
        assert (done, waiting) == ({first}, {second})
        with pytest.raises(TimeoutError):
            second.result(timeout=0)
        assert handle.pending == [second], "a wait that gives up does not give up the request"


def test_asyncio_can_await_a_read_and_cancel_it(wintun_adapter: Adapter) -> None:
    async def result(read: Request[ReadResult]) -> ReadResult:
        return await asyncio.wrap_future(read)

    async def client() -> list[bytes]:
        with wintun_adapter.open() as handle:
            first, second = handle.read(), handle.read()
            wintun_adapter.stack.send(ipv4(1))
            packets = (await result(first)).packets
            task = asyncio.create_task(result(second))
            await asyncio.sleep(0)  # lets the task begin
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert second.cancelled()
            third = asyncio.create_task(result(handle.read()))
            await asyncio.sleep(0)
            wintun_adapter.remove()
            with pytest.raises(NtStatusError, match="the adapter was halted"):
                await third
            return packets

    assert asyncio.run(client()) == [ipv4(1)]


def test_an_error_is_the_same_whoever_asks(wintun_adapters: AdapterFactory) -> None:
    """``exception()``, ``result()`` and a callback see one object."""
    adapter = wintun_adapters()
    with adapter.open() as handle:
        read: Request[ReadResult] = handle.read()
        seen: list[BaseException | None] = []
        read.add_done_callback(lambda future: seen.append(future.exception()))
        read.cancel()
    assert seen == [read.exception()]
    assert isinstance(read.exception(), RequestCancelled)


def test_a_result_that_is_no_bundle_is_not_passed_off_as_packets() -> None:
    """The project's driver writes none; somebody else's might."""
    assert ReadResult(b"").packets == []
    with pytest.raises(BundleError, match="no bundle"):
        _ = ReadResult(b"\x14" + bytes(15) + ipv4()).packets


def test_a_result_of_more_than_256_packets_loses_none() -> None:
    """Older drivers put more into one bundle."""
    record = b"\x14" + bytes(15) + ipv4(7) + bytes(12)
    assert ReadResult(record * 600).packets == [ipv4(7)] * 600
