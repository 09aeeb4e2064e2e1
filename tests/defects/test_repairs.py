"""The driver without its repairs is the published driver; without one of them it is what the model says it would be.

What a patch takes out of the driver, a class takes out of the model, and the two must agree on random walks. Against
CURRENT the same driver must fail a scenario that ships, or the repair could as well be left out.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from tests.defects.unrepaired import build_without, patched
from wintun_sim import ndis
from wintun_sim.bundle import decode
from wintun_sim.check import check
from wintun_sim.cli import main
from wintun_sim.integrations.pcap import read_packets, shipped_captures
from wintun_sim.kernel import DriverMachine
from wintun_sim.kernel.machine import Fault
from wintun_sim.model import REPAIRS
from wintun_sim.operations import Create, Initialize, IrpCompleted, Load, Nbl, Read, Restart, RuleBroken, Send, Write
from wintun_sim.operations.data import ipv4
from wintun_sim.scenario import Scenario, load, shipped
from wintun_sim.scenario.scenario import VERSIONS

STEPS = 1_500
CAPTURES = {"icmp": tuple(packet.data for packet in read_packets(shipped_captures()["icmp"]).packets)}

UNSEEN = {"overflow-count", "double-fetch", "bounds"}
"""What no sequence of calls, one at a time, can show in a plain image."""


@cache
def corpus() -> dict[str, Scenario]:
    return {name: load(path) for name, path in shipped().items()}


def scenarios(*versions: tuple[int, int]) -> dict[str, Scenario]:
    """All scenarios that ship, each with each of these versions of NDIS; those about others with their own."""
    return {
        f"{name} with NDIS {major}.{minor}": replace(scenario, ndis=(major, minor))
        for name, scenario in corpus().items()
        for major, minor in (versions if scenario.ndis in VERSIONS else (scenario.ndis,))
    }


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Builds the driver without a repair, once."""
    return cache(lambda name: build_without(tmp_path_factory.mktemp(name), [name]))


@pytest.mark.parametrize("name", patched())
def test_a_driver_without_a_repair_is_the_model_without_it(name: str, images: Callable[[str], Path]) -> None:
    """On random walks, on captured traffic and on all scenarios, with one version of NDIS or another."""
    image = images(name)
    version = VERSIONS[patched().index(name) % len(VERSIONS)]
    played = scenarios(*(VERSIONS if name == "version" else (version,)))
    report = check(image, seed=1, steps=STEPS, captures=CAPTURES, scenarios=played, revision=f"-{name}")
    assert [found.text() for found in report.findings] == []
    assert set(report.excused) <= {f"{name}: {rule}" for rule in (*REPAIRS[name].rules, *REPAIRS[name].halted)}


@pytest.mark.parametrize("name", [name for name in patched() if name not in UNSEEN])
def test_a_driver_without_a_repair_is_not_current(name: str, images: Callable[[str], Path]) -> None:
    report = check(images(name), seed=1, steps=1, captures={}, scenarios=corpus(), most_failing=1)
    assert report.verdict == "failed"


def test_a_size_that_is_loaded_twice_is_seen_in_an_instrumented_image(tmp_path: Path) -> None:
    image = build_without(tmp_path, ["double-fetch"], instrumented=True)
    report = check(image, seed=1, steps=300, captures={}, most_failing=1)
    assert report.verdict == "failed"
    assert "DoubleFetch" in report.findings[0].text()
    excused = check(image, seed=1, steps=300, captures={}, revision="-double-fetch")
    assert [found.text() for found in excused.findings] == []
    assert list(excused.excused) == ["double-fetch: DoubleFetch"]


@pytest.fixture(scope="module")
def old_drivers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The published driver and its parent, instrumented."""
    return {
        name: build_without(tmp_path_factory.mktemp(name), patched(), old_pause=name == "BEFORE", instrumented=True)
        for name in ("UPSTREAM", "BEFORE")
    }


@pytest.mark.parametrize("name", ["UPSTREAM", "BEFORE"])
def test_without_all_repairs_it_is_the_published_driver_or_its_parent(
    name: str, old_drivers: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The whole way of a user, whose check explores what it can where nothing is said of schedules: here nothing.

    Rules that the driver breaks are counted under the repairs that it is without, runs end where it is undefined, and
    nothing else is found.
    """
    told = tmp_path / "report.json"
    words = ["check", str(old_drivers[name]), "--revision", name, "--seed", "1", "--steps", str(4 * STEPS)]
    assert main([*words, "--json", str(told)]) == 0
    report = json.loads(told.read_text("utf-8"))
    assert (report["verdict"], report["findings"], report["explored"]) == ("passed", [], None)
    counts = report["counts"]
    assert "concurrent scenarios" in counts["not_run"]
    assert {line.split(":")[0] for line in counts["excused"]} == {
        *("send-status", "link-duplicates", "locked-completion", "halt-rundown", "double-fetch", "bounds")
    }
    assert counts["undefined"].keys() == {"cancelled cursor", "lock held", "halted handle"}
    assert counts["not_visited"]["repairs"] == ["overflow-count", "cancel-send"]
    out = capsys.readouterr().out
    assert f"known of {name}, not counted: send-status: NblStatus" in out
    assert "undefined upstream, run ended there: cancelled cursor" in out
    assert out.endswith("PASSED\n")


@pytest.mark.parametrize("name", ["UPSTREAM", "BEFORE"])
def test_the_old_drivers_do_as_the_scenarios_say_with_every_version_of_ndis(
    name: str, old_drivers: dict[str, Path]
) -> None:
    report = check(old_drivers[name], seed=1, steps=1, captures={}, scenarios=scenarios(*VERSIONS), revision=name)
    assert [found.text() for found in report.findings] == []
    assert sum(task.startswith("scenario ") for task in report.tasks) == len(scenarios(*VERSIONS)) > 2 * len(shipped())


def test_the_parent_is_not_the_published_driver(old_drivers: dict[str, Path]) -> None:
    image = old_drivers["BEFORE"]
    assert check(image, seed=1, steps=STEPS, captures=CAPTURES, most_failing=1, revision="UPSTREAM").findings


def test_the_driver_as_it_is_is_not_the_published_one(tmp_path: Path) -> None:
    image = build_without(tmp_path, [])
    assert check(image, seed=1, steps=STEPS, captures=CAPTURES, most_failing=1, revision="UPSTREAM").findings


SEEDS = 40
PACKETS = [ipv4(20, number) for number in range(4)]


def two_reads_at_once(image: Path, seed: int) -> list[list[bytes]]:
    """Queue four packets, then let two calls read at once; return what each read that completed was given."""
    machine = DriverMachine(image, seed=seed)
    try:
        for operation in (
            Load(name="d"),
            Initialize(name="a", driver="d"),
            Restart(name="restart", adapter="a"),
            Create(name="h", adapter="a"),
            Send(name="s", adapter="a", nbls=tuple(Nbl((packet,)) for packet in PACKETS)),
        ):
            machine.perform(operation)
        reads = [Read(name=name, handle="h", length=61_440) for name in ("r1", "r2")]
        events = machine.play([[read] for read in reads])
        return [decode(event.data).tolist() for event in events if isinstance(event, IrpCompleted)]
    finally:
        machine.close()


def test_several_calls_that_serve_reads_share_the_packets_out_among_them(tmp_path: Path) -> None:
    """One call at a time gives all that is there to the first read, under every schedule; several do not."""
    repaired = build_without(tmp_path / "repaired", [])
    assert all(two_reads_at_once(repaired, seed) == [PACKETS] for seed in range(SEEDS))
    image = build_without(tmp_path / "without", ["one-pump"])
    assert any(len(two_reads_at_once(image, seed)) == 2 for seed in range(SEEDS))


@pytest.mark.parametrize(
    ("names", "rules"), [(["read-check"], []), (["read-check", "locked-completion"], ["SpinLockSafe"])]
)
def test_a_bad_read_that_a_packet_finds_completes_under_the_lock_without_the_repair(
    names: list[str], rules: list[str], tmp_path: Path
) -> None:
    """The published driver did both: it looked at a read's buffer when a packet came, with the queue's lock held."""
    machine = DriverMachine(build_without(tmp_path / "image", names))
    try:
        for operation in (
            Load(name="d"),
            Initialize(name="a", driver="d"),
            Restart(name="restart", adapter="a"),
            Create(name="h", adapter="a"),
            Read(name="short", handle="h", length=61_439),
        ):
            machine.perform(operation)
        events = machine.perform(Send(name="s", adapter="a", nbls=(Nbl((PACKETS[0],)),)))
        assert IrpCompleted("short", "h", ndis.STATUS_INVALID_USER_BUFFER) in events
        assert [event.rule for event in events if isinstance(event, RuleBroken)] == rules
    finally:
        machine.close()


@pytest.mark.parametrize(("names", "crashes"), [([], False), (["bounds"], True)])
def test_a_buffer_that_cannot_be_mapped_ends_the_driver_without_the_repair(
    names: list[str], crashes: bool, tmp_path: Path
) -> None:
    machine = DriverMachine(build_without(tmp_path / "image", names))
    try:
        for operation in (
            Load(name="d"),
            Initialize(name="a", driver="d"),
            Restart(name="restart", adapter="a"),
            Create(name="h", adapter="a"),
        ):
            machine.perform(operation)
        machine.inject(Fault.MAPPING)
        events = machine.perform(Write(name="w", handle="h", data=bytes(16)))
        assert any(isinstance(event, RuleBroken) and event.rule == "Crash" for event in events) == crashes
    finally:
        machine.close()
