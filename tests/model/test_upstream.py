"""The published driver of April 2019: what it does in every state, and where it surprises.

The tables are typed from the description of that driver, not from a run of the model.
"""

from collections.abc import Callable

import pytest

from tests.model.world import (
    CANCELLED,
    D0,
    D2,
    INVALID_HANDLE,
    INVALID_LENGTH,
    INVALID_PARAMETER,
    INVALID_USER_BUFFER,
    LOW_POWER,
    PAUSED,
    RESOURCES,
    SEND_ABORTED,
    SUCCESS,
    World,
    asleep,
    back_again,
    bundle,
    halted,
    initialized,
    ipv4,
    ipv6,
    link,
    nbl,
    opened,
    paused,
    received,
    record,
    returned,
    running,
    sent,
    shut_down,
)
from wintun_sim.lifecycle import State
from wintun_sim.model import UPSTREAM, UndefinedUpstream
from wintun_sim.operations import Event, Halt, IrpCompleted, OidCompleted, Operation, Pause, Restart

FAILURE = 0xC0000001
LEFT = 0x5A5A5A5A
"""What the host had in the NBL's Status before the send."""


def upstream(make: Callable[..., World] = opened) -> World:
    return make("raw", UPSTREAM)


def forced(world: World, operation: Operation) -> list[Event]:
    """Make a call that Windows would never make now."""
    for _ in world.machine.start(operation):
        pass
    return list(world.machine.take_events())


def old_bundle(*packets: bytes) -> bytes:
    """Records whose reserved bytes and padding are those of the buffer before: the host fills it with 0xA5."""
    return b"".join(
        len(packet).to_bytes(4, "little") + b"\xa5" * 12 + packet + b"\xa5" * (-len(packet) % 16) for packet in packets
    )


def filled(operation: str, *packets: bytes, handle: str = "h1") -> IrpCompleted:
    data = old_bundle(*packets)
    return IrpCompleted(operation, handle, SUCCESS, len(data), data)


# State × request


WAITS = "waits"
MATRIX: dict[str, tuple[Callable[..., World], int, int | str]] = {
    "Paused, new": (initialized, PAUSED, PAUSED),
    "Paused": (paused, PAUSED, PAUSED),
    "Running": (opened, SUCCESS, WAITS),
    "Running, D3": (asleep, LOW_POWER, LOW_POWER),
    "Shutdown": (shut_down, PAUSED, PAUSED),
    "Initializing": (initialized, PAUSED, PAUSED),
    "Restarting": (paused, PAUSED, PAUSED),
    "Pausing": (opened, PAUSED, PAUSED),
}


def in_state(name: str) -> World:
    world = upstream(MATRIX[name][0])
    if name in ("Initializing", "Paused, new"):
        world.create()
    if name in ("Initializing", "Restarting", "Pausing"):
        world.machine.adapters["a"].state = State[name.upper()]
    return world


@pytest.mark.parametrize("name", MATRIX)
def test_create_read_cleanup_and_close_work_in_every_state(name: str) -> None:
    """The commit's point: what a client holds is none of NDIS's business. Each create and close indicates the link."""
    world = in_state(name)
    assert world.create() == [link(True), world.irp("h2", handle="h2")]
    assert world.read("h2") == []
    assert world.cleanup("h2") == [
        world.irp("r1", CANCELLED, handle="h2"),
        world.irp("cleanup1", handle="h2"),
    ]
    assert world.close("h2") == [link(True), world.irp("close1", handle="h2")]


@pytest.mark.parametrize("name", MATRIX)
def test_a_write_is_refused_unless_running_and_awake(name: str) -> None:
    world = in_state(name)
    status = MATRIX[name][1]
    expected = [*received("w1", ipv4())] if status == SUCCESS else []
    assert world.write(bundle(ipv4())) == [*expected, world.irp("w1", status, 48 if status == SUCCESS else 0)]


@pytest.mark.parametrize("name", MATRIX)
def test_a_send_is_refused_unless_running_and_awake(name: str) -> None:
    """Whole chains with one status, NBLs without NET_BUFFERs too."""
    world = in_state(name)
    status = MATRIX[name][2]
    world.machine.ledger.adapters["a"].state = State.RUNNING  # so that the host calls it in Shutdown too
    events = world.send(ipv4(), nbl())
    if isinstance(status, str):
        assert events == [sent("s1", LEFT, 1)]
    else:
        assert events == [sent("s1", status), sent("s1", status, 1)]


@pytest.mark.parametrize("name", MATRIX)
def test_only_a_running_adapter_can_be_paused_and_only_a_paused_one_restarted(name: str) -> None:
    world = in_state(name)
    state = world.machine.adapters["a"].state
    pause, restart = Pause(name="p", adapter="a"), Restart(name="q", adapter="a")
    assert forced(world, pause) == [returned("p", SUCCESS if state is State.RUNNING else FAILURE)]
    world = in_state(name)
    assert forced(world, restart) == [returned("q", SUCCESS if state is State.PAUSED else FAILURE)]
    assert world.machine.adapters["a"].handles == 1


@pytest.mark.parametrize("name", MATRIX)
def test_halt_does_nothing_unless_paused(name: str) -> None:
    world = in_state(name)
    world.read()
    state = world.machine.adapters["a"].state
    events = forced(world, Halt(name="x", adapter="a"))
    if state is State.PAUSED:
        assert events == [world.irp("r1", CANCELLED), returned("x")]
        assert not world.machine.adapters["a"].published
    else:
        assert events == [returned("x")]
        assert world.machine.adapters["a"].published
        assert len(world.machine.adapters["a"].reads) == 1


def test_after_halt_an_old_handle_gets_nothing() -> None:
    world = upstream(halted)
    assert world.read() == [world.irp("r1", INVALID_HANDLE)]
    assert world.write(bundle(ipv4())) == [world.irp("w1", INVALID_HANDLE)]
    assert world.create() == [world.irp("h2", INVALID_HANDLE, handle="h2")]
    assert world.cleanup() == [world.irp("cleanup1", INVALID_HANDLE)]
    assert world.close() == [world.irp("close1", INVALID_HANDLE)]


def test_paused_is_what_a_sleeping_paused_adapter_says() -> None:
    world = upstream(paused)
    world.set_power(D2)
    assert world.write(bundle(ipv4())) == [world.irp("w1", PAUSED)]


# Edge cases of reads


@pytest.mark.parametrize(
    ("length", "status"),
    [(61_439, INVALID_USER_BUFFER), (0, INVALID_PARAMETER), (15_728_641, INVALID_USER_BUFFER)],
)
def test_a_read_that_cannot_succeed_waits_for_a_packet_to_say_so(length: int, status: int) -> None:
    """The packet then goes to the next read."""
    world = upstream()
    assert world.read(length=length) == []
    assert world.read() == []
    assert world.send(ipv4()) == [world.irp("r1", status), sent("s1", LEFT), filled("r2", ipv4())]


def test_a_packet_whose_only_read_is_bad_stays_in_the_queue() -> None:
    world = upstream()
    world.read(length=61_439)
    assert world.send(ipv4()) == [world.irp("r1", INVALID_USER_BUFFER)]
    assert world.counters().nbls_owned == 1
    assert world.read() == [sent("s1", LEFT), filled("r2", ipv4())]


def test_a_bad_read_can_be_cancelled_while_it_waits() -> None:
    world = upstream()
    world.read(length=0)
    assert world.cancel("r1") == [world.irp("r1", CANCELLED)]


def test_the_smallest_buffer_takes_the_largest_packet_and_the_next_one_waits() -> None:
    world = upstream()
    world.send(ipv4(61_424, 1), ipv4(20, 2))
    assert world.read() == [sent("s1", LEFT), filled("r1", ipv4(61_424, 1))]
    assert world.read() == [sent("s1", LEFT, 1), filled("r2", ipv4(20, 2))]


def test_an_nbl_of_many_packets_ends_with_its_last_one() -> None:
    world = upstream()
    world.send(nbl(ipv4(61_424, 1), ipv4(61_424, 2), ipv4(20, 3)))
    assert world.read() == [filled("r1", ipv4(61_424, 1))]
    assert world.read() == [filled("r2", ipv4(61_424, 2))]
    assert world.read() == [sent("s1", LEFT), filled("r3", ipv4(20, 3))]


def test_an_overlong_packet_is_dropped_and_its_siblings_are_delivered() -> None:
    world = upstream()
    world.read()
    assert world.send(nbl(ipv4(20, 1), bytes(61_425), ipv4(20, 2))) == [
        sent("s1", INVALID_LENGTH),
        filled("r1", ipv4(20, 1), ipv4(20, 2)),
    ]
    assert world.statistics()["ifOutDiscards"] == 1


def test_an_overlong_packet_needs_no_reader() -> None:
    world = upstream()
    assert world.send(bytes(61_425)) == [sent("s1", INVALID_LENGTH)]


def test_of_several_failures_the_last_one_stays() -> None:
    world = upstream()
    world.read()
    events = world.send(nbl(bytes(61_425), ipv4(), unmapped=[1]))
    assert events == [sent("s1", RESOURCES)]


def test_an_empty_packet_is_an_empty_record() -> None:
    world = upstream()
    world.read()
    assert world.send(b"") == [sent("s1", LEFT), filled("r1", b"")]
    assert world.statistics()["ifHCOutUcastPkts"] == 1


def test_an_nbl_without_packets_keeps_the_senders_status() -> None:
    assert upstream().send(nbl()) == [sent("s1", LEFT)]


def test_a_read_takes_more_than_256_packets() -> None:
    world = upstream()
    packets = [ipv4(20, number) for number in range(300)]
    world.send(*packets)
    (*_, read) = world.read()
    assert read == filled("r1", *packets)


def test_the_1001st_nbl_pushes_out_the_first_and_nothing_counts_it() -> None:
    world = upstream()
    world.send(*[ipv4()] * 1000)
    assert world.send(ipv4()) == [sent("s1", SEND_ABORTED)]
    assert "ifOutDiscards" not in world.statistics()


def test_a_long_chain_loses_its_head_though_a_read_waits() -> None:
    """The chain is queued whole before the read is served."""
    world = upstream()
    world.read()
    events = world.send(*[ipv4(20, number) for number in range(1003)])
    assert events[:3] == [sent("s1", SEND_ABORTED, index) for index in range(3)]
    assert events[3] == sent("s1", LEFT, 3)


def test_a_packet_that_cannot_be_copied_sends_its_read_back_half_filled() -> None:
    """It goes on when the next packet comes."""
    world = upstream()
    world.read()
    assert world.send(nbl(ipv4(20, 1), ipv4(20, 2), unmapped=[1])) == [sent("s1", RESOURCES)]
    assert world.counters().reads_pending == 1
    assert world.send(ipv4(20, 3)) == [sent("s2", LEFT), filled("r1", ipv4(20, 1), ipv4(20, 3))]
    assert world.statistics()["ifOutErrors"] == 1


@pytest.mark.parametrize("end", ["cancel", "cleanup", "halt"])
def test_packets_in_a_half_filled_read_are_lost_with_it(end: str) -> None:
    """Its NBL may have gone back with success before."""
    world = upstream()
    world.read()
    assert world.send(ipv4(20, 1), nbl(ipv4(20, 2), unmapped=[0])) == [sent("s1", LEFT), sent("s1", RESOURCES, 1)]
    if end == "halt":
        world.pause()
    events = {"cancel": lambda: world.cancel("r1"), "cleanup": world.cleanup, "halt": world.halt}[end]()
    assert events[0] == world.irp("r1", CANCELLED, 0)


def test_a_read_waits_again_before_the_stack_hears_of_the_packet_that_failed() -> None:
    """So what the stack sends from its completion handler goes into the same read, and a second one goes on waiting."""
    world = upstream()
    world.read()
    world.read()
    events = world.send(nbl(ipv4(20, 1), ipv4(20, 2), unmapped=[1]), again=True)
    assert events == [back_again("s1", RESOURCES), sent("s1", RESOURCES)]
    assert world.counters().reads_pending == 2
    assert world.send(ipv4(20, 3)) == [
        sent("s2", LEFT),
        filled("r1", ipv4(20, 1), ipv4(20, 1), ipv4(20, 3)),
    ]
    assert world.counters().reads_pending == 1


# Edge cases of writes

VALID = record(ipv4())
WRITES = {
    "15 bytes": (bytes(15), INVALID_USER_BUFFER, 0, 0, 0),
    "nothing": (b"", INVALID_PARAMETER, 0, 0, 0),
    "an empty record": (bytes(16), SUCCESS, 16, 0, 1),
    "one packet": (VALID, SUCCESS, 48, 1, 0),
    "no padding at the end": (VALID[:36], SUCCESS, 0, 0, 0),
    "then an over-long record": (VALID + (61_425).to_bytes(4, "little") + bytes(61_436), SUCCESS, 48, 1, 0),
    "then one stray byte": (VALID + b"\xff", SUCCESS, 48, 1, 0),
    "then three stray bytes": (VALID + bytes(3), SUCCESS, 48, 1, 0),
    "then fifteen stray bytes": (VALID + bytes(15), SUCCESS, 48, 1, 0),
    "then sixteen zeros": (VALID + bytes(16), SUCCESS, 64, 1, 1),
    "first nibble 5": (record(b"\x55" + bytes(19)), SUCCESS, 48, 0, 1),
    "IPv6 of 39 bytes": (record(ipv6(39)), SUCCESS, 64, 0, 1),
    "1,000 packets": (VALID * 1000, SUCCESS, 48_000, 1000, 0),
    "too much": (bytes(15_728_641), INVALID_USER_BUFFER, 0, 0, 0),
}


@pytest.mark.parametrize("name", WRITES)
def test_a_write(name: str) -> None:
    data, status, information, packets, errors = WRITES[name]
    world = upstream()
    events = world.write(data)
    assert events == [*received("w1", *[ipv4()] * packets), world.irp("w1", status, information)]
    assert world.statistics().get("ifInErrors", 0) == errors


def test_a_packet_that_the_stack_rejects_is_an_error_and_the_write_succeeds() -> None:
    world = upstream()
    assert world.write(VALID, rejected=[0])[-1] == world.irp("w1", SUCCESS, 48)
    assert world.statistics() == {"ifInErrors": 1}


# Edge cases of handles, pause, power and shutdown


def test_every_create_and_close_indicates_the_link() -> None:
    world = upstream(running)
    links = [world.create()[0], world.create()[0]]
    world.cleanup("h1")
    links += [world.close("h1")[0]]
    world.cleanup("h2")
    links += [world.close("h2")[0]]
    assert links == [link(True), link(True), link(True), link(False)]


def test_the_next_client_reads_what_was_meant_for_the_last_one() -> None:
    world = upstream()
    world.send(ipv4())
    assert world.leave() == [world.irp("cleanup1"), link(False), world.irp("close1")]
    world.create()
    assert world.read("h2") == [sent("s1", LEFT), filled("r1", ipv4(), handle="h2")]


def test_a_pause_returns_what_the_last_client_left_behind() -> None:
    world = upstream()
    world.send(ipv4())
    world.leave()
    assert world.pause() == [sent("s1", PAUSED), returned("pause1")]


def test_a_send_without_a_client_is_queued() -> None:
    assert upstream(running).send(ipv4()) == []


def test_a_read_sleeps_through_a_pause() -> None:
    """The commit's point, from the client's side."""
    world = upstream()
    world.read()
    assert world.pause() == [returned("pause1")]
    assert world.restart() == [returned("restart2")]
    assert world.send(ipv4()) == [sent("s1", LEFT), filled("r1", ipv4())]


def test_a_create_while_paused_connects_the_link() -> None:
    world = upstream(initialized)
    assert world.create() == [link(True), world.irp("h1")]
    assert world.machine.adapters["a"].handles == 1


def test_a_write_while_paused_completes_no_pause() -> None:
    world = upstream(paused)
    assert world.write(VALID) == [world.irp("w1", PAUSED)]
    assert world.counters().nbls_owned == 0


def test_halt_cancels_pending_reads() -> None:
    world = upstream(paused)
    world.read()
    world.read()
    assert world.halt() == [world.irp("r1", CANCELLED), world.irp("r2", CANCELLED), returned("halt1")]


def test_a_shutdown_completes_nothing_and_reads_still_drain_the_queue() -> None:
    world = upstream()
    world.send(ipv4())
    assert world.shutdown() == [returned("shutdown1")]
    assert world.read() == [sent("s1", LEFT), filled("r1", ipv4())]


def test_sleep_leaves_the_queue_alone() -> None:
    world = upstream()
    world.send(ipv4(20, 1))
    (event,) = world.set_power(D2)
    assert isinstance(event, OidCompleted)
    assert event.status == SUCCESS
    assert world.send(ipv4(20, 2)) == [sent("s2", LOW_POWER)]
    assert world.read() == [sent("s1", LEFT), filled("r1", ipv4(20, 1))]


@pytest.mark.parametrize(("state", "asleep_"), [(0, False), (D0, False), (D2, True), (5, True), (0xFFFFFFFF, True)])
def test_any_power_state_is_taken(state: int, asleep_: bool) -> None:
    """0 counts as awake, and whatever is not less than D1 as asleep."""
    world = upstream()
    (event,) = world.set_power(state)
    assert isinstance(event, OidCompleted)
    assert event.status == SUCCESS
    assert world.write(VALID)[-1] == world.irp("w1", LOW_POWER if asleep_ else SUCCESS, 0 if asleep_ else 48)


def test_a_read_after_cleanup_waits() -> None:
    world = upstream()
    world.cleanup()
    assert world.read() == []
    assert world.send(ipv4()) == [sent("s1", LEFT), filled("r1", ipv4())]


# Undefined


def test_cancelling_a_half_read_nbl_is_undefined() -> None:
    world = upstream()
    world.send(nbl(ipv4(61_424), ipv4(), cancel_id=7))
    world.read()
    with pytest.raises(UndefinedUpstream, match=r"cancelled cursor: NBL s1\.0") as error:
        world.cancel_send(7)
    assert error.value.place == "cancelled cursor"


def test_cancelling_an_untouched_nbl_is_not() -> None:
    world = upstream()
    world.send(nbl(ipv4(), cancel_id=7), nbl(ipv4(), cancel_id=8))
    assert world.cancel_send(7) == [sent("s1", SEND_ABORTED)]


def calls_up(world: World) -> dict[str, Callable[[], list[Event]]]:
    return {"create": world.create, "write": lambda: world.write(VALID), "read": world.read}


@pytest.mark.parametrize("request_", ["create", "write", "read"])
def test_an_adapter_that_ignored_its_halt_must_not_call_ndis(request_: str) -> None:
    """NDIS freed the handle that it would call it with."""
    world = upstream()
    world.send(ipv4())
    assert world.halt() == [returned("halt1")]
    with pytest.raises(UndefinedUpstream, match="halted handle"):
        calls_up(world)[request_]()


def test_halt_under_a_request_that_is_inside_is_undefined() -> None:
    """The request goes on in memory that was freed."""
    world = upstream(paused)
    world.machine.adapters["a"].rundown += 1
    with pytest.raises(UndefinedUpstream, match="freed context"):
        world.halt()
