"""A run can be watched point by point, so that it can be told where each actor stood and who came between."""

from wintun_sim import native
from wintun_sim.kernel import DriverMachine
from wintun_sim.kernel.lines import lines_of
from wintun_sim.kernel.points import Arrival, read_arrivals, steps_of
from wintun_sim.operations import Create, Initialize, Load, Nbl, Operation, Read, Restart, Send
from wintun_sim.operations.data import ipv4


def arrival(actor: int, what: str, events: int, runnable: tuple[int, ...] = (0, 1)) -> Arrival:
    return Arrival(actor, "", what, "", 0, events, 0, frozenset(runnable), 0, 0, 0, ())


def test_what_an_actor_stands_before_is_done_when_it_is_chosen_again() -> None:
    """Actor 0 comes to its acquire and is preempted; actor 1 comes to two points and ends; then 0 acquires."""
    arrivals = [
        arrival(0, "acquire", 0),
        arrival(1, "interlocked", 0),
        arrival(1, "signal", 1),
        arrival(1, "", 2, (0,)),
        arrival(0, "release", 2, (0,)),
        arrival(0, "", 3, ()),
    ]
    steps = steps_of(arrivals, 3)
    assert [(step.at.actor, step.at.what) for step in steps] == [
        (1, "interlocked"),
        (1, "signal"),
        (0, "acquire"),
        (0, "release"),
    ]
    assert [list(step.events) for step in steps] == [[0], [1], [], [2]]
    assert [step.preempted for step in steps] == [False, False, True, False]
    assert not any(step.waited for step in steps)


def test_who_waits_was_not_preempted_and_who_never_went_on_stands_at_the_end() -> None:
    arrivals = [arrival(0, "acquire", 0, (1,)), arrival(1, "wait", 0, ())]
    steps = steps_of(arrivals, 1)
    assert [(step.at.actor, step.waited, step.done) for step in steps] == [(0, True, False), (1, True, False)]
    assert [list(step.events) for step in steps] == [[], [0]]


def test_the_driver_s_points_have_lines_irqls_and_locks() -> None:
    """A send takes a lock at DISPATCH_LEVEL in send.c. Nothing is recorded once nobody watches."""
    machine = DriverMachine(native.driver_image(instrumented=True), order="raw", seed=3)
    for operation in (Load(name="driver"), Initialize(name="adapter"), Restart(name="restart"), Create(name="h")):
        machine.perform(operation)
    machine.snapshot()
    actors: list[list[Operation]] = [
        [Send(name="s", nbls=(Nbl((ipv4(84),)),))],
        [Read(name="r", handle="h", length=61440)],
    ]
    lines = lines_of(native.driver_image(instrumented=True))
    machine._lib.host_watch(machine._host, 1)
    events = machine.play(actors)
    arrivals = read_arrivals(machine._ffi, machine._lib, machine._host, machine._names)
    machine._lib.host_watch(machine._host, 0)
    machine.restore()
    machine.play(actors)
    assert read_arrivals(machine._ffi, machine._lib, machine._host, machine._names) == []
    machine.close()

    steps = steps_of(arrivals, len(events))
    assert sorted(place for step in steps for place in step.events) == list(range(len(events)))
    acquires = [step.at for step in steps if step.at.what == "acquire" and step.at.operation == "s"]
    first = acquires[0]
    assert (first.irql, first.handler) == (2, "MiniportSendNetBufferLists")
    assert str(lines.source(first.place)).startswith("driver/send.c:")
    assert any(step.at.locks and step.at.locks[0][1] == "spin lock" for step in steps)
    assert any(step.preempted for step in steps)
