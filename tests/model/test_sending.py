"""Chapter 3: Running, and the stack sends. What the adapter keeps, drops and gives back, and with which verdict."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.model.world import (
    INVALID_LENGTH,
    MEDIA_DISCONNECTED,
    PAUSED,
    RESOURCES,
    SEND_ABORTED,
    SUCCESS,
    World,
    back_again,
    bundle,
    ipv4,
    nbl,
    opened,
    packets_of,
    refused,
    returned,
    running,
    sent,
)
from wintun_sim.model.limits import QUEUE_LIMIT
from wintun_sim.operations import Counters, IrpCompleted, NblCompleted

LARGEST = ipv4(61_424)
OVERLONG = ipv4(61_425)


def test_without_a_client_nothing_is_queued() -> None:
    """Nobody would ever read it, and the next client must not read what was meant for the last."""
    world = running()
    assert world.send(ipv4(), nbl()) == [sent("s1", MEDIA_DISCONNECTED), sent("s1", MEDIA_DISCONNECTED, 1)]


def test_what_waits_is_given_back_when_the_last_handle_closes() -> None:
    world = opened()
    world.create()
    world.send(ipv4(), ipv4())
    assert world.leave("h2")[-1] == world.irp("close1", handle="h2"), "not yet the last"
    assert world.cleanup() == [world.irp("cleanup2")]
    *nbls, link_down, closed = world.close()
    assert nbls == [sent("s1", MEDIA_DISCONNECTED), sent("s1", MEDIA_DISCONNECTED, 1)]
    assert closed == world.irp("close2")
    assert link_down.verb == "link"
    world.create()
    world.read("h3")
    assert world.counters().reads_pending == 1, "the next client finds an empty queue"


def test_packets_wait_for_a_read_and_come_in_the_order_in_which_they_were_sent() -> None:
    world = opened()
    assert world.send(ipv4(mark=1)) == []
    assert world.send(ipv4(mark=2), ipv4(mark=3)) == []
    assert world.read() == [
        sent("s1", SUCCESS),
        sent("s2", SUCCESS),
        sent("s2", SUCCESS, 1),
        world.filled("r1", ipv4(mark=1), ipv4(mark=2), ipv4(mark=3)),
    ]
    assert world.statistics() == {"ifHCOutOctets": 60, "ifHCOutUcastOctets": 60, "ifHCOutUcastPkts": 3}


def test_an_nbl_without_net_buffers_succeeds_at_once_and_overtakes_those_that_wait() -> None:
    world = opened()
    assert world.send(ipv4(), nbl(), ipv4()) == [sent("s1", SUCCESS, 1)]


def test_a_packet_of_no_bytes_is_a_record_of_sixteen() -> None:
    world = opened()
    world.read()
    assert world.send(b"") == [sent("s1", SUCCESS), IrpCompleted("r1", "h1", SUCCESS, 16, bytes(16))]
    assert world.statistics() == {"ifHCOutUcastPkts": 1}


def test_an_overlong_net_buffer_is_dropped_without_any_read_and_its_siblings_are_delivered() -> None:
    world = opened()
    assert world.send(nbl(OVERLONG)) == [sent("s1", INVALID_LENGTH)]
    assert world.send(nbl(OVERLONG, ipv4(mark=1), OVERLONG, ipv4(mark=2), OVERLONG)) == []
    assert world.statistics() == {"ifOutDiscards": 2}
    assert world.read() == [sent("s2", INVALID_LENGTH), world.filled("r1", ipv4(mark=1), ipv4(mark=2))]
    assert world.statistics()["ifOutDiscards"] == 4


def test_an_overlong_net_buffer_waits_its_turn() -> None:
    """Only the head is looked at, so order is kept among failures, too."""
    world = opened()
    assert world.send(ipv4(), OVERLONG) == []
    assert world.read() == [
        sent("s1", SUCCESS),
        sent("s1", INVALID_LENGTH, 1),
        world.filled("r1", ipv4()),
    ]


def test_an_nbl_may_be_read_by_several_reads_and_completes_with_the_last() -> None:
    world = opened()
    world.send(nbl(LARGEST, LARGEST, ipv4()))
    assert world.read() == [world.filled("r1", LARGEST)]
    assert world.read() == [world.filled("r2", LARGEST)]
    assert world.counters().nbls_owned == 1
    assert world.read() == [sent("s1", SUCCESS), world.filled("r3", ipv4())]


def test_the_thousand_and_first_nbl_costs_the_oldest_its_place() -> None:
    world = opened()
    for number in range(1000):
        assert world.send(ipv4(mark=number)) == []
    assert world.send(ipv4(mark=1000)) == [sent("s1", SEND_ABORTED)]
    assert world.statistics() == {"ifOutDiscards": 1}
    assert world.counters().nbls_owned == 1000
    delivered = [packet for _ in range(4) for packet in packets_of(world.read())]
    assert delivered == [ipv4(mark=number) for number in range(1, 1001)]


def test_a_chain_that_is_too_long_loses_its_own_beginning() -> None:
    world = opened()
    chain = [nbl(ipv4(mark=number), ipv4(mark=number)) for number in range(1003)]
    assert world.send(*chain) == [sent("s1", SEND_ABORTED, index) for index in range(3)]
    assert world.statistics() == {"ifOutDiscards": 6}, "each NET_BUFFER counts"


def test_waiting_reads_are_served_before_anything_is_dropped() -> None:
    """A chain of 1,500 with two reads waiting: at the thousandth the reads take 512, and nothing is lost."""
    world = opened()
    world.read()
    world.read()
    events = world.send(*[ipv4(mark=number) for number in range(1500)])
    assert [event.status for event in events if isinstance(event, NblCompleted)] == [SUCCESS] * 512
    reads = [event for event in events if isinstance(event, IrpCompleted)]
    assert packets_of(reads) == [ipv4(mark=number) for number in range(512)]
    assert world.counters() == Counters(988, 0, 1)
    assert "ifOutDiscards" not in world.statistics()


def test_a_half_read_head_that_is_dropped_discards_only_the_rest() -> None:
    world = opened()
    world.read()
    world.send(nbl(LARGEST, ipv4(), ipv4()))
    for _ in range(999):
        world.send(ipv4())
    assert world.send(ipv4()) == [sent("s1", SEND_ABORTED)]
    assert world.statistics()["ifOutDiscards"] == 2


def test_cancel_send_takes_out_what_bears_the_id_and_leaves_the_rest_in_order() -> None:
    world = opened()
    world.send(nbl(ipv4(mark=1), cancel_id=7), nbl(ipv4(mark=2), cancel_id=8), nbl(ipv4(mark=3), cancel_id=7))
    assert world.cancel_send(9) == []
    assert world.cancel_send(7) == [sent("s1", SEND_ABORTED), sent("s1", SEND_ABORTED, 2)]
    assert world.read() == [sent("s1", SUCCESS, 1), world.filled("r1", ipv4(mark=2))]
    assert world.cancel_send(8) == []


def test_of_a_cancelled_half_read_nbl_the_rest_is_not_delivered() -> None:
    """Upstream's cursor dangles here, and what follows is undefined; ours moves on to the next NBL."""
    world = opened()
    world.send(nbl(LARGEST, ipv4(mark=1), cancel_id=7), ipv4(mark=2))
    world.read()
    assert world.cancel_send(7) == [sent("s1", SEND_ABORTED)]
    assert world.read() == [sent("s1", SUCCESS, 1), world.filled("r2", ipv4(mark=2))]


def test_an_overlong_packet_that_a_cancel_brings_to_the_head_goes_with_the_next_call_that_looks() -> None:
    """Serving is the business of sends and reads; a cancel only takes out."""
    world = opened()
    world.send(nbl(ipv4(), cancel_id=7), OVERLONG)
    assert world.cancel_send(7) == [sent("s1", SEND_ABORTED)]
    assert world.counters().nbls_owned == 1
    assert world.send(ipv4()) == [sent("s1", INVALID_LENGTH, 1)]


def test_a_packet_that_cannot_be_copied_is_dropped_and_the_same_read_goes_on() -> None:
    world = opened()
    world.send(nbl(ipv4(mark=1), ipv4(mark=2), ipv4(mark=3), unmapped=[1]))
    assert world.read() == [sent("s1", RESOURCES), world.filled("r1", ipv4(mark=1), ipv4(mark=3))]
    assert world.statistics() == {
        "ifHCOutOctets": 40,
        "ifHCOutUcastOctets": 40,
        "ifHCOutUcastPkts": 2,
        "ifOutErrors": 1,
    }


def test_a_read_left_without_a_packet_waits_again_at_the_head() -> None:
    """It was first, and stays first; and it can be cancelled again."""
    world = opened()
    world.read()
    world.read()
    assert world.send(nbl(ipv4(), unmapped=[0])) == [sent("s1", RESOURCES)]
    assert world.counters().reads_pending == 2
    assert world.send(ipv4()) == [sent("s2", SUCCESS), world.filled("r1", ipv4())]
    assert world.send(nbl(ipv4(), unmapped=[0])) == [sent("s3", RESOURCES)]
    assert world.cancel("r2") == [world.irp("r2", 0xC0000120)]


def test_the_first_failure_of_an_nbl_is_its_verdict() -> None:
    world = opened()
    world.send(nbl(ipv4(), OVERLONG, ipv4(), unmapped=[0]), nbl(ipv4(), OVERLONG, ipv4(), unmapped=[2]))
    assert world.read()[:2] == [sent("s1", RESOURCES), sent("s1", INVALID_LENGTH, 1)]


def test_nothing_to_map_cannot_fail_to_be_mapped() -> None:
    world = opened()
    world.read()
    assert world.send(nbl(b"", unmapped=[0]))[0] == sent("s1", SUCCESS)


def test_a_send_needs_an_nbl() -> None:
    assert refused(opened().send(), "at least one NBL")


@pytest.mark.parametrize("verb", ["pause", "halt", "shutdown"])
def test_nothing_is_left_behind_by_whatever_empties_the_queue(verb: str) -> None:
    world = opened()
    world.send(ipv4(), ipv4())
    events = getattr(world, verb)()
    assert events == [sent("s1", 0xC023002A), sent("s1", 0xC023002A, 1), returned(f"{verb}1")]


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("send"), st.lists(st.lists(st.integers(0, 3000), max_size=4), min_size=1, max_size=4)),
            st.tuples(st.just("read"), st.sampled_from([61_440, 61_441, 65_536, 200_000])),
        ),
        max_size=40,
    )
)
def test_all_bundles_together_are_all_packets_in_order(steps: list[tuple[str, object]]) -> None:
    """Whatever reads and sends there are: the packets that come out are those that went in, in order, each once."""
    world = World()
    world.load()
    world.initialize()
    world.restart()
    world.create()
    outgoing: list[bytes] = []
    events = []
    for verb, argument in steps:
        if verb == "send":
            assert isinstance(argument, list)
            chain = []
            for sizes in argument:
                packets = [ipv4(size, len(outgoing) + place) for place, size in enumerate(sizes)]
                outgoing += packets
                chain.append(nbl(*packets))
            events += world.send(*chain)
        else:
            assert isinstance(argument, int)
            events += world.read(length=argument)
    for _ in range(len(outgoing) + 1):
        events += world.read()
    assert packets_of(events) == outgoing
    assert all(len(event.data) >= 16 for event in events if isinstance(event, IrpCompleted))
    assert b"".join(event.data for event in events if isinstance(event, IrpCompleted)) == bundle(*outgoing)


def test_a_stack_that_sends_again_is_in_time_for_the_read_under_way() -> None:
    """The NBL is back before its read completes, so the second time goes into the same bundle; there is no third."""
    world = opened()
    world.read()
    assert world.send(ipv4(mark=1), ipv4(mark=2), again=True) == [
        *(back_again("s1", SUCCESS, index) for index in range(2)),
        *(sent("s1", SUCCESS, index) for index in range(2)),
        world.filled("r1", *(ipv4(mark=1), ipv4(mark=2)) * 2),
    ]
    assert world.counters() == Counters(0, 0, 1)


def test_what_a_flush_gives_back_is_refused_when_it_is_sent_again() -> None:
    world = opened()
    world.send(ipv4(), again=True)
    assert world.pause() == [back_again("s1", PAUSED), sent("s1", PAUSED), returned("pause1")]


def test_nothing_is_sent_again_once_a_halt_or_a_shutdown_has_begun() -> None:
    for end, name in ((World.halt, "halt1"), (World.shutdown, "shutdown1")):
        world = opened()
        world.send(ipv4(), again=True)
        assert end(world) == [sent("s1", PAUSED), returned(name)]


def test_an_overflow_does_not_go_round_for_ever() -> None:
    """The oldest comes back and is sent again, which drops the next oldest: that one is not, or there were no end."""
    world = opened()
    world.send(*[ipv4()] * QUEUE_LIMIT, again=True)
    assert world.send(ipv4()) == [back_again("s1", SEND_ABORTED), sent("s1", SEND_ABORTED, 1)]
    assert world.counters().nbls_owned == QUEUE_LIMIT
