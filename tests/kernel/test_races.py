"""Data races: what two processors do to the same memory while nothing puts one before the other.

The driver is racy (miniports/racy.c): two processors hand memory to each other, in thirty stories of which every second
one is told right. A story told wrong is found whatever the schedule, since it is the lack of an order that is found and
not the bad outcome that may come of it; so each is explored without a single preemption, and the right ones with two.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.kernel.core import ROOT
from tests.kernel.specimen import MINIPORTS, PACKET, broken
from wintun_sim import native
from wintun_sim.kernel import builder
from wintun_sim.kernel.explorer import Explorer, Strategy
from wintun_sim.operations import (
    CancelSend,
    Create,
    Halt,
    Initialize,
    Load,
    Oid,
    OidKind,
    Operation,
    Pause,
    Restart,
    RuleBroken,
    Unload,
    Write,
)

# By name what a later access to freed memory breaks, where one comes in the same run.
FREED = "DRIVER_PAGE_FAULT_IN_FREED_SPECIAL_POOL"

# What the message says of each story that is told wrong: who, what, of which memory, and the other one.
RACES = {
    "WRITES_WITHOUT_A_LOCK": r"in MiniportCancelSend: \w+\+\S+ \(image \+\S+\) (writes|reads) 4 bytes, \d+ bytes into"
                             r" pool memory of \d+ bytes that ExAllocatePoolWithTag allocated during adapter, while"
                             r" \w+\+\S+ \(.*\) (writes|reads) 4 bytes of the same during (one|two), and nothing puts"
                             r" one before the other",
    "TAKES_THE_LOCK_OF_ANOTHER": r"bytes into pool memory",
    "WRITES_UNDER_A_SHARED_LOCK": r"bytes into pool memory",
    "PUBLISHES_WITHOUT_RELEASE": r"reads 4 bytes at the beginning of pool memory of 40 bytes.* while .* writes 4 bytes"
                                 r" of the same during one",
    "READS_WITHOUT_ACQUIRE": r"reads 4 bytes at the beginning of pool memory of 40 bytes",
    "PUBLISHES_BY_VOLATILE": r"reads 4 bytes at the beginning of pool memory of 40 bytes",
    "FREES_WHILE_READ": r" frees by ExFreePoolWithTag what .* uses during one, which reads 4 bytes, 12 bytes into pool"
                        r" memory of 40 bytes",
    "POLLS_A_PLAIN_FLAG": r"reads 4 bytes, .* \w+\+\S+ \(.*\) writes atomically 4 bytes of the same",
    "COUNTS_HALF_INTERLOCKED": r"writes atomically 4 bytes",
    "WRITES_AFTER_QUEUEING_WORK": r"in (an NDIS work item's routine: .* reads|MiniportCancelSend: .* writes) 4",
    "SIGNALS_BEFORE_WRITING": r"4 bytes, \d+ bytes into pool memory",
    "ARMS_A_TIMER_BEFORE_WRITING": r"in a DPC: .* reads 4 bytes .* writes 4 bytes of the same",
    "WRITES_A_NEIGHBOUR_AS_A_WHOLE": r"writes (1 byte|2 bytes),",
    "SETS_A_GLOBAL_VARIABLE": r"(writes|reads) 4 bytes of the variable Global,",
    "RELIES_ON_A_RUNDOWN_BEFORE_IT": r"bytes into pool memory",
}  # fmt: skip


def stories() -> list[str]:
    listed = re.search(r"enum story\n\{(.*?)\}", (MINIPORTS / "racy.c").read_text("utf-8"), re.DOTALL)
    assert listed is not None
    return re.findall(r"[A-Z_]+", listed[1])


ACTORS = ([CancelSend(name="one", cancel_id=1)], [CancelSend(name="two", cancel_id=2)])
ENDING = (Pause(name="pause"), Halt(name="halt"), Unload(name="unload"))


def setup(story: str) -> list[Operation]:
    number = stories().index(story).to_bytes(4, "little")
    return [
        Load(name="driver"),
        Initialize(name="adapter"),
        Restart(name="restart"),
        Oid(name="tell", kind=OidKind.SET, oid=0xFFA00001, length=4, data=number),
    ]


@pytest.fixture(scope="module", params=["gcc", "clang"])
def image(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The racy miniport, instrumented by one compiler after the other."""
    if shutil.which(request.param) is None:
        pytest.skip(f"{request.param} is not installed")
    built = tmp_path_factory.mktemp("racy") / "racy.so"
    compiler = builder.find_compiler(request.param)
    builder.build([MINIPORTS / "racy.c"], built, compiler=compiler, instrumented=True)
    return built


def explore(
    image: Path, story: str, actors: Sequence[Sequence[Operation]], bound: int, *, races: bool = True
) -> list[RuleBroken]:
    with Explorer(image, order="raw", setup=setup(story), actors=actors, ending=ENDING, races=races) as explorer:
        found = explorer.explore(Strategy.DEPTH_FIRST, bound=bound)
    assert found.complete
    return [event for log in found.logs for event in broken(log.events)]


def test_each_wrong_story_is_followed_by_one_told_right() -> None:
    assert stories()[0::2] == list(RACES)


@pytest.mark.parametrize("story", RACES)
def test_a_race_is_found_in_a_schedule_in_which_nothing_went_wrong(story: str, image: Path) -> None:
    """Both ways round: a publication, for one, is a race only for who finds it."""
    found = explore(image, story, ACTORS, 0) + explore(image, story, ACTORS[::-1], 0)
    assert {event.rule for event in found} - {FREED} == {"DataRace"}
    assert any(re.search(RACES[story], event.message) for event in found), found


@pytest.mark.parametrize("story", stories()[1::2])
def test_what_is_put_in_order_by_a_documented_way_is_no_race(story: str, image: Path) -> None:
    assert explore(image, story, ACTORS, 2) == []


def test_a_lock_that_is_left_out_of_the_driver_is_found(tmp_path: Path) -> None:
    """The statistics are copied without the lock under which a write counts: no run shows a wrong number, since a copy
    is no point at which others have their turn."""
    for source in (*ROOT.glob("driver/*.[ch]"), *ROOT.glob("shared/*.[ch]")):
        (tmp_path / source.name).write_bytes(source.read_bytes())
    whole = (tmp_path / "oid.c").read_text("utf-8")
    without = re.sub(r" {4}Ke(Acquire|Release)SpinLock\(&Adapter->Lock, &?Irql\);\n", "", whole)
    assert len(whole.splitlines()) == len(without.splitlines()) + 2
    (tmp_path / "oid.c").write_text(without, "utf-8")
    image = tmp_path / "image.so"
    builder.build(sorted(tmp_path.glob("*.c")), image, include=[tmp_path], instrumented=True)
    begin = (Load(name="driver"), Initialize(name="adapter"), Restart(name="restart"), Create(name="handle"))
    record = (20).to_bytes(4, "little") + bytes(12) + PACKET + bytes(12)
    actors = (
        [Write(name="write", handle="handle", data=record)],
        [Oid(name="oid", kind=OidKind.STATISTICS, oid=0x00020106, length=152)],
    )
    with Explorer(image, setup=begin, actors=actors) as explorer:
        found = explorer.explore(Strategy.DEPTH_FIRST, bound=1)
    messages = {event.message for log in found.logs for event in broken(log.events)}
    assert messages
    assert all(re.search(r"TunStatistics|TunQuery|TunWriteEnds|TunWrite", message) for message in messages)


def test_a_device_s_end_comes_after_its_deregistration_whoever_lets_it_go_last() -> None:
    """A halt is the last thing that an adapter does with its device, even where the device outlives it: the client
    whose handle kept it closes the handle later, and the system frees it then."""
    begin = (Load(name="driver"), Initialize(name="adapter"), Restart(name="restart"))
    actors = ([Create(name="guest")], [Pause(name="pause"), Halt(name="halt")])
    with Explorer(native.driver_image(instrumented=True), setup=begin, actors=actors) as explorer:
        found = explorer.explore(Strategy.DEPTH_FIRST, bound=2)
    assert found.complete
    assert {event.message for log in found.logs for event in broken(log.events)} == set()


def test_a_race_takes_from_reduction_what_it_stands_on(image: Path) -> None:
    for story, holds in (("WRITES_WITHOUT_A_LOCK", False), ("WRITES_UNDER_A_LOCK", True)):
        with Explorer(image, order="raw", setup=setup(story), actors=ACTORS, ending=ENDING) as explorer:
            found = explorer.explore(Strategy.REDUCED)
        assert found.complete
        assert found.holds == holds


def test_whoever_does_not_look_for_races_is_not_told_of_any(image: Path) -> None:
    assert explore(image, "WRITES_WITHOUT_A_LOCK", ACTORS, 1, races=False) == []


def test_two_operations_of_one_actor_are_in_order(image: Path) -> None:
    assert explore(image, "WRITES_WITHOUT_A_LOCK", ([ACTORS[0][0], ACTORS[1][0]],), 2) == []


def test_a_race_is_told_once_for_each_pair_of_places(image: Path) -> None:
    """Two writers and one reader: of the three pairs of accesses two are of one pair of places."""
    third = [CancelSend(name="three", cancel_id=3)]
    with Explorer(image, order="raw", setup=setup("WRITES_WITHOUT_A_LOCK"), actors=(*ACTORS, third)) as explorer:
        found = explorer.explore(Strategy.DEPTH_FIRST, bound=0)
    told = [[event.message for event in broken(log.events)] for log in found.logs]
    assert min(map(len, told)) >= 2
    assert all(len(messages) == len(set(messages)) for messages in told)
