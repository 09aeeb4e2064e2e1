"""`wintun-sim check` and `wintun-sim run`, as people and programs call them."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from tests.defects.build import build
from wintun_sim.cli import main
from wintun_sim.kernel import builder

RUDE = """
#include <ndis.h>
DRIVER_INITIALIZE DriverEntry;
NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    UNREFERENCED_PARAMETER(DriverObject);
    UNREFERENCED_PARAMETER(RegistryPath);
    return STATUS_UNSUCCESSFUL;
}
__attribute__((constructor)) static void leave(void) { __builtin_trap(); }
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def report_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, Any]:
    status = main(["check", *arguments, "--json"])
    return status, json.loads(capsys.readouterr().out)


def test_the_projects_driver_passes_and_says_so_last(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--seed", "7", "--steps", "1500", "--schedules", "600"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "seed 7"
    assert lines[-1] == "PASSED"
    assert lines[1] == "driver: the project's own, instrumented"
    assert "dns, fragments, icmp, ipv6, jumbo, tcp, udp" in lines[2]
    held = [int(line.split()[3].rstrip(":")) for line in lines if line.startswith("  NBLs held >= ")]
    assert held == sorted(held)


def test_the_same_seed_gives_the_same_report_whatever_the_number_of_workers(
    capsys: pytest.CaptureFixture[str],
) -> None:
    one = report_of(capsys, "--seed", "8", "--steps", "1200", "--schedules", "600", "--jobs", "1")
    two = report_of(capsys, "--seed", "8", "--steps", "1200", "--schedules", "600", "--jobs", "3")
    other = report_of(capsys, "--seed", "9", "--steps", "1200", "--schedules", "600")
    assert one == two
    assert one != other
    status, report = one
    assert status == 0
    assert report["verdict"] == "passed"
    assert report["findings"] == []
    assert report["counts"]["steps"] >= 1000


def test_a_broken_driver_fails_with_a_file_and_the_line_that_replays_it(
    capsys: pytest.CaptureFixture[str], here: Path
) -> None:
    image = build(here / "sources", "pause-forgets-nbl")
    assert main(["check", str(image), "--seed", "1", "--steps", "8000"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("FAILED rule PauseOutstanding") for line in lines)
    words = shlex.split(lines[-1])
    assert words[:2] == ["wintun-sim", "run"]
    scenario = (here / words[2]).read_text()
    assert "# the driver: " in scenario
    assert re.search(r"=> nbl \S+ STATUS_NDIS_PAUSED", scenario)
    assert main(words[1:]) == 1
    assert "PauseOutstanding" in capsys.readouterr().out
    assert main(["run", words[2]]) == 0  # the model does what the file expects


def test_an_own_capture_takes_the_place_of_those_that_ship(capsys: pytest.CaptureFixture[str]) -> None:
    from wintun_sim.integrations.pcap import shipped_captures

    capture = str(shipped_captures()["icmp"])
    status, report = report_of(capsys, "--seed", "1", "--steps", "500", "--schedules", "0", "--pcap", capture)
    assert status == 0
    played = {task for task in report["counts"]["tasks"] if not task.startswith("scenario ")}
    assert played == {f"capture {capture}", "walk", "fast-walk", "state-machine"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["check", "nowhere.so"], "there is no image nowhere.so"),
        (["check", "--pcap", "nowhere.pcap"], "nowhere.pcap"),
        (["check", "--output", "nowhere"], "no directory nowhere"),
        (["check", "text.txt", "--seed", "1", "--steps", "50"], "text.txt"),
        (["check", "--pcap", "text.txt"], "text.txt"),
        (["run", "nowhere"], "neither a file nor one that ships"),
        (["run", "lifecycl"], "did you mean 'lifecycle'?"),
        (["run", "text.txt"], "text.txt: line 1, column 1"),
        (["run", "empty.scenario"], "there is no operation in it"),
        (["run", "lifecycle", "--image", "text.txt"], "the model has no image"),
        (["run", "lifecycle", "--machine", "driver", "--image", "nowhere"], "there is no image nowhere"),
        (["run", "lifecycle", "--machine", "driver", "--image", "text.txt"], "text.txt"),
        (["run", "actors.scenario"], "actors"),
        (["run", "actors.scenario", "--machine", "both"], "actors"),
    ],
)
def test_bad_input_is_one_clear_line_and_status_2(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str], here: Path
) -> None:
    (here / "text.txt").write_text("This is no image, no capture and no scenario.\n")
    (here / "empty.scenario").write_text("# nothing yet\n")
    (here / "actors.scenario").write_text("load\ninitialize\nactor stack:\n restart\n")
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert words in error
    assert len(error.splitlines()) == 1


@pytest.mark.parametrize("option", [["--seed", "-1"], ["--steps", "0"], ["--steps", "many"], ["--jobs", "0"]])
def test_numbers_that_make_no_sense_are_refused(option: list[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["check", *option])
    assert stop.value.code == 2


def test_an_error_is_a_verdict_for_programs_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "nowhere.so", "--json"]) == 2
    captured = capsys.readouterr()
    assert json.loads(captured.out)["verdict"] == "error"
    assert "nowhere.so" in captured.err


@pytest.mark.parametrize("machine", ["model", "driver", "both"])
def test_a_shipped_scenario_is_run_by_name(machine: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "client-keeps-handle", "--machine", machine]) == 0
    out = capsys.readouterr().out
    assert "=> irp w STATUS_NDIS_PAUSED 0" in out
    assert out.endswith("PASSED\n")


@pytest.mark.parametrize("machine", ["model", "driver"])
def test_what_was_expected_otherwise_is_shown(machine: str, capsys: pytest.CaptureFixture[str], here: Path) -> None:
    (here / "wrong.scenario").write_text("load\ninitialize\n => link up\n => returned adapter 0\n")
    assert main(["run", "wrong.scenario", "--machine", machine]) == 1
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == "FAILED expectation links: adapter: initialize: expected 'link up', but got 'link down'"


def test_a_run_as_json_holds_the_traces(capsys: pytest.CaptureFixture[str]) -> None:
    from wintun_sim.trace import from_json

    assert main(["run", "lifecycle", "--machine", "both", "--json"]) == 0
    value = json.loads(capsys.readouterr().out)
    assert value["verdict"] == "passed"
    model, driver = (from_json(trace) for trace in value["traces"])
    assert (model.machine, driver.machine) == ("model", "driver")
    assert model.steps[-1] == driver.steps[-1]


def test_an_image_that_takes_its_process_down_is_a_finding(capsys: pytest.CaptureFixture[str], here: Path) -> None:
    """Whatever an image does to the process that it is loaded into, the judge reports it."""
    source = here / "rude.c"
    source.write_text(RUDE)
    builder.build([source], here / "rude.so")
    status, report = report_of(capsys, "rude.so", "--seed", "1", "--steps", "300")
    assert status == 1
    assert [(finding["kind"], finding["rule"]) for finding in report["findings"]] == [("crash", "SIGILL")]
    assert main(["run", "lifecycle", "--machine", "driver", "--image", "rude.so"]) == 1
    assert "crash SIGILL" in capsys.readouterr().out
