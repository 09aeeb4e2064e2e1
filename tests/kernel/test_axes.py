"""Choices beyond order: calls that fail, and a client that changes its buffer while the driver reads it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.defects.unrepaired import build_without
from tests.kernel.specimen import PACKET, broken
from tests.kernel.test_explorer import SETUP, explorer
from wintun_sim import native
from wintun_sim.bundle import encode
from wintun_sim.errors import UnavailableError
from wintun_sim.kernel.explorer import Explorer, Result, Strategy, choice, pct_bound
from wintun_sim.kernel.machine import DriverMachine, Fault
from wintun_sim.operations import (
    Cleanup,
    Close,
    Create,
    Halt,
    IrpCompleted,
    Nbl,
    Operation,
    PacketReceived,
    Pause,
    RuleBroken,
    Send,
    Unload,
    Write,
)

WRITE = Write(name="write", handle="client", data=encode([PACKET, PACKET]))
ENDING: tuple[Operation, ...] = (
    Pause(name="last pause"),
    Halt(name="halt"),
    Cleanup(name="cleanup", handle="client"),
    Close(name="close", handle="client"),
    Unload(name="unload"),
)
CHOICE_FAULT, CHOICE_CLIENT = 2, 4


def writing(image: Path | None = None, *, against: Operation) -> Explorer:
    try:
        image = image or native.driver_image()
    except UnavailableError as error:
        pytest.skip(str(error))
    return Explorer(image, order="raw", setup=SETUP, actors=[[WRITE], [against]], ending=ENDING)


def test_each_call_that_may_fail_is_named_by_purpose_and_place() -> None:
    with writing(against=Send(name="send", nbls=(Nbl((PACKET,)),))) as made:
        sites = made.fault_sites()
        assert made.fault_sites() == sites
    assert {site.fault for site in sites} == {Fault.MAPPING, Fault.MDL, Fault.NBL}
    assert len({(site.fault, site.place) for site in sites}) == len(sites)
    (mapping,) = (str(site) for site in sites if site.fault is Fault.MAPPING)
    assert mapping.startswith("mapping in TunMapClientBuffer (driver/irp.c:")
    for site in sites:
        source, line = str(site).rsplit("(", 1)[1].rstrip(")").split(":")
        text = (Path(__file__).parents[2] / source).read_text("utf-8").splitlines()[int(line) - 1]
        assert {Fault.MAPPING: "", Fault.MDL: "NdisAllocateMdl", Fault.NBL: "NdisAllocateNet"}[site.fault] in text


def test_each_of_them_fails_once_and_nothing_is_lost() -> None:
    """Every attempt at the site fails in some run, and none twice in one; what the driver has taken it gives back."""
    with writing(against=Pause(name="pause")) as made:
        for site in made.fault_sites():
            found = made.explore(Strategy.DEPTH_FIRST, bound=1, fault=site)
            assert found.complete
            struck = {sum(choice(number) == (CHOICE_FAULT, 2, 1) for number in log.choices) for log in found.logs}
            assert struck == {0, 1}
            for log in found.logs:
                assert log.result is Result.QUIET
                assert not broken(log.events)
            received = {sum(isinstance(event, PacketReceived) for event in log.events) for log in found.logs}
            assert received == ({0, 1, 2} if site.fault is not Fault.MAPPING else {0, 2})


def test_a_fault_is_part_of_the_schedule_and_is_replayed_with_it() -> None:
    with writing(against=Pause(name="pause")) as made:
        site = next(site for site in made.fault_sites() if site.fault is Fault.MDL)
        for log in made.explore(Strategy.RANDOM, runs=100, fault=site).logs:
            (again,) = made.explore(Strategy.REPLAY, choices=log.choices, fault=site).logs
            assert again.events == log.events


def test_pct_says_its_bound_from_what_the_runs_were() -> None:
    with explorer() as made:
        found = made.explore(Strategy.PCT, depth=3, runs=200, seed=4)
        assert found.bound == pct_bound(found.actors, found.longest + found.actors, 3)
        assert found.actors == 2
        assert made.explore(Strategy.PCT, depth=3, runs=200, seed=4) == found
        assert made.explore(Strategy.PCT, depth=3, runs=200, length=1000).bound == pct_bound(2, 1000, 3)
        with pytest.raises(ValueError, match="errors of depth 1 to 16, not 17"):
            made.explore(Strategy.PCT, depth=17, runs=1)


@pytest.fixture(scope="module")
def fetches_twice(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The driver that loads a packet's size again after it was checked."""
    return build_without(tmp_path_factory.mktemp("image"), ["double-fetch"], instrumented=True)


def test_a_byte_that_is_read_twice_is_a_broken_rule(fetches_twice: Path) -> None:
    machine = DriverMachine(fetches_twice)
    for operation in SETUP:
        machine.perform(operation)
    (found,) = broken(machine.perform(WRITE))
    assert found.rule == "DoubleFetch"
    assert "reads 4 bytes" in found.message
    assert "at the beginning of a client's buffer for the second time" in found.message
    machine.close()


def test_the_drivers_own_reads_are_no_double_fetch() -> None:
    """It reads each size once, and the packets' first bytes once; so does the shipped image under any schedule."""
    try:
        image = native.driver_image(instrumented=True)
    except UnavailableError as error:
        pytest.skip(str(error))
    with writing(image, against=Write(name="other", handle="client", data=WRITE.data)) as made:
        found = made.explore(Strategy.DEPTH_FIRST, bound=1, client_writes=True)
    assert not [event for log in found.logs for event in broken(log.events)]
    assert not [number for log in found.logs for number in log.choices if choice(number)[0] == CHOICE_CLIENT]


def test_a_client_that_changes_a_size_between_two_reads_gets_the_driver_out_of_its_buffer(fetches_twice: Path) -> None:
    """What was checked is 20; what is used then is its complement, more than 4 GB."""
    with writing(fetches_twice, against=Create(name="other")) as made:
        left = made.explore(Strategy.DEPTH_FIRST, bound=0)
        changed = made.explore(Strategy.DEPTH_FIRST, bound=0, client_writes=True)
    assert {event.rule for log in left.logs for event in broken(log.events)} == {"DoubleFetch"}
    rules = {event.rule for log in changed.logs for event in log.events if isinstance(event, RuleBroken)}
    assert rules > {"DoubleFetch"}
    for log in changed.logs:
        if any(choice(number) == (CHOICE_CLIENT, 2, 1) for number in log.choices):
            assert len({event.rule for event in log.events if isinstance(event, RuleBroken)}) > 1 or not any(
                isinstance(event, IrpCompleted) and event.operation == "write" and event.information == len(WRITE.data)
                for event in log.events
            )
