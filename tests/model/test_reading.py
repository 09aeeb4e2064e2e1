"""Chapter 4: the client reads. Which buffers will do, what fits into them, and what becomes of a read that waits."""

import pytest

from tests.model.world import (
    CANCELLED,
    INVALID_PARAMETER,
    INVALID_USER_BUFFER,
    SUCCESS,
    bundle,
    ipv4,
    nbl,
    opened,
    packets_of,
    paused,
    refused,
    sent,
)
from wintun_sim.operations import Counters, IrpCompleted, NblCompleted

LARGEST = ipv4(61_424)


@pytest.mark.parametrize(
    ("length", "status"),
    [
        (0, INVALID_PARAMETER),
        (1, INVALID_USER_BUFFER),
        (61_439, INVALID_USER_BUFFER),
        (15_728_641, INVALID_USER_BUFFER),
        (0xFFFFFFFF, INVALID_USER_BUFFER),
    ],
)
def test_a_buffer_that_will_not_do_is_refused_at_once(length: int, status: int) -> None:
    """And not when the first packet arrives, perhaps an hour later, as upstream did."""
    for world in (opened(), paused()):
        assert world.read(length=length) == [world.irp("r1", status)]
        assert world.counters().reads_pending == 0


@pytest.mark.parametrize("length", [61_440, 61_441, 15_728_640])
def test_a_buffer_of_the_right_size_waits(length: int) -> None:
    world = opened()
    assert world.read(length=length) == []
    assert world.counters().reads_pending == 1


def test_the_largest_packet_fills_the_smallest_buffer_to_the_byte() -> None:
    world = opened()
    world.send(LARGEST, ipv4())
    assert world.read() == [sent("s1", SUCCESS), world.filled("r1", LARGEST)]
    assert world.read() == [sent("s1", SUCCESS, 1), world.filled("r2", ipv4())]


def test_a_packet_that_would_not_fit_waits_for_the_next_read() -> None:
    """61,440 bytes hold a record of 61,408 and one of 32, but not one of 48."""
    world = opened()
    world.send(ipv4(61_392), ipv4(16), ipv4(1))
    assert packets_of(world.read()) == [ipv4(61_392), ipv4(16)]
    world = opened()
    world.send(ipv4(61_392), ipv4(17))
    assert packets_of(world.read()) == [ipv4(61_392)]


def test_a_bundle_has_at_most_256_packets() -> None:
    world = opened()
    world.send(*[ipv4(mark=number) for number in range(300)])
    first, second = world.read(length=15_728_640)[-1], world.read(length=15_728_640)[-1]
    assert isinstance(first, IrpCompleted)
    assert isinstance(second, IrpCompleted)
    assert (len(packets_of([first])), len(packets_of([second]))) == (256, 44)


def test_an_nbl_completes_before_the_read_that_carries_its_last_packet() -> None:
    world = opened()
    world.read()
    events = world.send(nbl(ipv4(mark=1), ipv4(mark=2)), ipv4(mark=3))
    assert [type(event) for event in events] == [NblCompleted, NblCompleted, IrpCompleted]


def test_reads_of_all_handles_stand_in_one_line() -> None:
    """Two handles share one queue, as wireguard-go's two do: first come, first served."""
    world = opened()
    world.create()
    world.read("h2")
    world.read("h1")
    assert world.send(ipv4()) == [sent("s1", SUCCESS), world.filled("r1", ipv4(), handle="h2")]
    assert world.send(ipv4()) == [sent("s2", SUCCESS), world.filled("r2", ipv4())]


def test_a_read_at_a_full_queue_takes_what_it_can() -> None:
    world = opened()
    world.send(*[ipv4(mark=number) for number in range(1000)])
    assert packets_of(world.read()) == [ipv4(mark=number) for number in range(256)]
    assert world.counters() == Counters(744, 0, 1)


def test_cancelling_ends_a_read_that_waits_once() -> None:
    world = opened()
    world.read()
    world.read()
    assert world.cancel("r1") == [world.irp("r1", CANCELLED)]
    assert world.cancel("r1") == []
    assert world.send(ipv4()) == [sent("s1", SUCCESS), world.filled("r2", ipv4())]
    assert world.cancel("r2") == [], "what is complete cannot be cancelled"


def test_cleanup_cancels_the_reads_of_its_handle_alone_oldest_first() -> None:
    world = opened()
    world.create()
    for handle in ("h1", "h2", "h1", "h2"):
        world.read(handle)
    assert world.cleanup("h1") == [
        world.irp("r1", CANCELLED),
        world.irp("r3", CANCELLED),
        world.irp("cleanup1"),
    ]
    assert world.counters() == Counters(0, 2, 2)


def test_a_read_after_its_handles_cleanup_does_not_wait_for_ever() -> None:
    """Only a client in kernel mode can send one. Nobody would cancel it, and the handle could never be closed."""
    world = opened("raw")
    world.cleanup()
    assert world.read() == [world.irp("r1", CANCELLED)]
    assert world.close()[-1] == world.irp("close1")


def test_a_user_cannot_read_or_write_after_cleanup() -> None:
    world = opened("strict")
    world.cleanup()
    assert refused(world.read(), "cleaned up", "irp-mj-cleanup")
    assert refused(world.write(bundle(ipv4())), "cleaned up", "irp-mj-cleanup")


def test_close_comes_last_and_once() -> None:
    world = opened()
    assert refused(world.close(), "open", "irp-mj-close")
    world.cleanup()
    assert refused(world.cleanup(), "cleaned up")
    world.close()
    assert refused(world.close(), "closed")
    assert refused(world.read(), "closed")


def test_information_counts_headers_and_padding_too() -> None:
    world = opened()
    world.send(ipv4(20), ipv4(32), ipv4(33))
    event = world.read()[-1]
    assert isinstance(event, IrpCompleted)
    assert event.information == 48 + 48 + 64
    assert event.data == bundle(ipv4(20), ipv4(32), ipv4(33))
