"""`wintun-sim bench explore`: what is measured really happened. No test here looks at how long anything took."""

import json
import subprocess
import sys

import pytest

from wintun_sim.bench import explore
from wintun_sim.bench.figure import Figure
from wintun_sim.errors import WintunSimError
from wintun_sim.kernel.explorer import Strategy
from wintun_sim.operations import Cleanup, IrpCompleted


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "wintun_sim", "bench", "explore", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_command_reports_each_target_and_says_by_its_status_whether_one_was_missed() -> None:
    done = bench("--rounds", "1", "--runs", "500", "--json")
    report = json.loads(done.stdout)
    # Where the tests run under the address sanitizer, it warns of the swapcontext that is measured.
    assert [line for line in done.stderr.splitlines() if "ASan doesn't fully support" not in line] == []
    assert done.returncode == (1 if report["missed"] else 0)
    targets = {figure["subject"]: figure["target"] for figure in report["figures"] if figure["target"] is not None}
    assert targets == {
        "whole runs, plain image": 150_000,
        "whole runs, instrumented image": 30_000,
        "a scheduling point against swapcontext": 0.25,
        "two workers against one": 1.9,
    }
    assert all(figure["value"] > 0 for figure in report["figures"])


def test_the_scenario_has_ten_requests_and_about_fifty_scheduling_points() -> None:
    with explore._explorer(instrumented=False) as made:
        assert 45 <= explore._look(made, 300) <= 60
        (first,) = made.explore(Strategy.REPLAY).logs
    assert sum(isinstance(event, IrpCompleted) for event in first.events) == 10


def test_a_driver_that_keeps_a_request_is_no_measurement(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(explore, "ENDING", tuple(end for end in explore.ENDING if not isinstance(end, Cleanup)))
    with (
        explore._explorer(instrumented=False) as made,
        pytest.raises(WintunSimError, match="not every request came back"),
    ):
        explore._look(made, 10)


def test_a_figure_meets_its_target_from_the_side_that_is_good() -> None:
    assert Figure("a rate", 2.0, "x", target=2.0).verdict == "met"
    assert Figure("a rate", 1.9, "x", target=2.0).verdict == "missed"
    assert Figure("a cost", 1.9, "x", "at most", 2.0).verdict == "met"
    assert Figure("a cost", 2.1, "x", "at most", 2.0).verdict == "missed"
    assert Figure("a fact", 2.1, "x").verdict == ""


@pytest.mark.parametrize("arguments", [("--rounds", "0"), ("--runs", "x")])
def test_bad_arguments_end_with_status_2(arguments: tuple[str, ...]) -> None:
    done = bench(*arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
