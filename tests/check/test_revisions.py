"""Other revisions than CURRENT, from the command line and by the scenarios that ship."""

from pathlib import Path

import pytest

from wintun_sim.check.excuses import Excuses
from wintun_sim.check.scenarios import play
from wintun_sim.check.task import expected_of
from wintun_sim.cli import main
from wintun_sim.model import REPAIRS, REVISIONS, ModelMachine, revision
from wintun_sim.operations import Halt, Initialize, Load, Restart, RuleBroken
from wintun_sim.scenario import load, parse, shipped

UNDEFINED = """\
load
initialize
restart
h: create
s: send nbl(ipv4(61424), ipv4(20), cancel=7)
r: read h 61440
c: cancel-send 7
   => [CURRENT] nbl s.0 NDIS_STATUS_SEND_ABORTED
r2: read h 61440
   => nothing
"""


def marked() -> list[tuple[str, str]]:
    """The shipped scenarios that say what another revision does, with that revision."""
    return [
        (name, other)
        for name, path in shipped().items()
        for other in ("UPSTREAM", "BEFORE")
        if other in (scenario := load(path)).revisions
        or any(other in entry.revisions for step in scenario.steps() for entry in step.expected)
    ]


def test_there_are_scenarios_for_both_old_revisions() -> None:
    assert {other for _, other in marked()} == {"UPSTREAM", "BEFORE"}


@pytest.mark.parametrize(("name", "other"), marked())
def test_a_scenario_holds_on_the_models_other_revisions(name: str, other: str) -> None:
    """Where a scenario names a revision, what it expects was typed from that driver's description."""
    run = play(load(shipped()[name]), "model", None, other)
    assert [line for line in run.findings if "expectation" not in line] == []
    scenario = load(shipped()[name])
    named = {step.operation.name for step in scenario.steps() if expected_of(scenario, step, other) is not None}
    wrong = [line for line in run.findings if any(f": {operation}:" in line for operation in named)]
    assert wrong == []


def test_a_run_ends_where_upstream_is_undefined_and_nothing_is_found() -> None:
    scenario = parse(UNDEFINED)
    assert play(scenario, "model").findings == ()
    run = play(scenario, "model", None, "UPSTREAM")
    assert run.findings == ()
    assert "cancelled cursor" in run.undefined
    assert [step.operation.name for step in run.traces[0].steps][-1] == "r"


def test_the_command_line_says_why_it_ended(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "undefined.scenario"
    path.write_text(UNDEFINED)
    assert main(["run", str(path), "--revision", "UPSTREAM"]) == 0
    assert "ended early: undefined upstream, cancelled cursor: NBL s.0" in capsys.readouterr().out


@pytest.mark.parametrize("command", [["run", "lifecycle"], ["check"]])
@pytest.mark.parametrize("name", ["upstream", "-nothing", ""])
def test_a_revision_that_is_none_is_refused_in_one_line(
    command: list[str], name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command, f"--revision={name}"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def broken(rule: str, message: str = "") -> RuleBroken:
    return RuleBroken("w", rule, message)


def test_a_rule_is_excused_by_the_repair_that_keeps_it_and_by_no_other() -> None:
    model = ModelMachine(revision=revision("UPSTREAM"))
    assert Excuses("UPSTREAM").repair(broken("NblStatus"), model) == "send-status"
    assert Excuses("-late-read").repair(broken("NblStatus"), model) is None
    assert Excuses("-send-status").repair(broken("NblStatus"), model) == "send-status"
    for name in ("CURRENT", "-version"):
        assert all(
            Excuses(name).repair(broken(rule), model) is None
            for repair in REPAIRS.values()
            for rule in (*repair.rules, *repair.halted)
        )
    assert Excuses("UPSTREAM").repair(broken("DoubleCompletion"), model) is None
    assert set(REVISIONS) == {"CURRENT", "UPSTREAM", "BEFORE"}


def test_what_is_read_past_the_end_is_excused_in_a_write_alone() -> None:
    """Three bytes of a record's size; not whatever else a driver might read beyond an allocation."""
    model = ModelMachine(revision=revision("UPSTREAM"))
    rule = "DRIVER_PAGE_FAULT_BEYOND_END_OF_ALLOCATION"
    where = "bundle_next+0x84 (image +0x62b4)"
    for message, repair in {
        f"in IRP_MJ_WRITE: {where} reads 4 bytes, 48 bytes into a client's buffer of 49 bytes": "bounds",
        f"in IRP_MJ_WRITE: {where} reads 64 bytes, 48 bytes into a client's buffer of 49 bytes": None,
        f"in IRP_MJ_WRITE: {where} writes 4 bytes, 48 bytes into a client's buffer of 49 bytes": None,
        f"in IRP_MJ_READ: {where} reads 4 bytes, 48 bytes into a client's buffer of 49 bytes": None,
        f"in IRP_MJ_WRITE: {where} reads 4 bytes, 48 bytes into a pool block of 49 bytes": None,
    }.items():
        assert Excuses("UPSTREAM").repair(broken(rule, message), model) == repair


def test_what_halt_leaves_behind_is_excused_only_when_it_was_ignored() -> None:
    model = ModelMachine(order="raw", revision=revision("UPSTREAM"))
    for operation in (Load(name="d"), Initialize(name="a", driver="d"), Restart(name="r", adapter="a")):
        model.perform(operation)
    assert Excuses("UPSTREAM").repair(broken("LeakAtHalt"), model) is None
    model.perform(Halt(name="h", adapter="a"))
    assert Excuses("UPSTREAM").repair(broken("LeakAtHalt"), model) == "halt-rundown"
