"""A machine has so much memory and no more: that it is used up is its own limit, and never the driver's fault."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kernel.specimen import build_miniport
from wintun_sim.cli import main
from wintun_sim.kernel import DriverGone, DriverMachine, MachineFull
from wintun_sim.kernel.machine import DEFAULT_MEMORY
from wintun_sim.operations import Create, Initialize, Load, Read

BEGIN = (Load(name="driver"), Initialize(name="adapter"), Create(name="handle"))
READ = 61_440


def read_until_it_is_full(machine: DriverMachine, memory: int) -> None:
    """Let more reads be pending than `memory` bytes hold."""
    for number in range(memory // READ + 1):
        machine.perform(Read(name=f"r{number}", handle="handle", length=READ))


def test_reads_that_use_up_the_memory_end_with_the_limits_name(tmp_path: Path) -> None:
    """The error says how much there is, who has it and what to do; a snapshot brings the machine back."""
    machine = DriverMachine(build_miniport("specimen", tmp_path), order="raw", memory=4 << 20)
    for operation in BEGIN:
        machine.perform(operation)
    machine.snapshot()
    with pytest.raises(MachineFull, match=r"read 'r\d+': the machine's memory of 4 MiB is used up \([34] by buffers"):
        read_until_it_is_full(machine, 4 << 20)
    with pytest.raises(DriverGone, match="used up the machine's memory: make another machine"):
        machine.perform(Read(name="late", handle="handle", length=READ))
    machine.restore()
    assert not machine.perform(Read(name="again", handle="handle", length=READ))
    machine.close()


def test_more_memory_holds_more_reads(tmp_path: Path) -> None:
    machine = DriverMachine(build_miniport("specimen", tmp_path), order="raw", memory=8 << 20)
    for operation in BEGIN:
        machine.perform(operation)
    for number in range((4 << 20) // READ + 1):
        assert not machine.perform(Read(name=f"r{number}", handle="handle", length=READ))
    machine.close()


@pytest.mark.parametrize("memory", [0, (1 << 20) - 1, (64 << 30) + 1])
def test_memory_that_no_machine_has_is_refused(tmp_path: Path, memory: int) -> None:
    with pytest.raises(ValueError, match="at least"):
        DriverMachine(build_miniport("specimen", tmp_path), memory=memory)


def test_a_scenario_that_uses_up_the_memory_is_no_finding(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The driver answered STATUS_INSUFFICIENT_RESOURCES, and the model did not: that once was held against it."""
    reads = "".join(f"r{number}: read h {READ}\n" for number in range(DEFAULT_MEMORY // READ + 1))
    path = tmp_path / "many.scenario"
    path.write_text(f"# wintun-sim scenario 1\ntitle Many reads\n\nload\ninitialize\nh: create\n{reads}", "utf-8")
    assert main(["run", "--machine", "both", str(path)]) == 2
    assert "256 MiB is used up" in capsys.readouterr().err
