"""Three miniports that are no Wintun, in styles of their own, under the judge of rules alone.

The loopback (loopback.c) does everything later: OIDs, sends, pauses and restarts, from a work item; what it indicates
is the stack's until it comes back. The mailbox (mailbox.c) has a device, whose reads wait with a cancel routine each,
and a timer. The minimal one (minimal.c) does almost nothing. All keep the rules; each BUG_ macro takes something out of
one of them, and the judge must say what is missing.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from wintun_sim.check.finding import Finding
from wintun_sim.check.rules_only import perform
from wintun_sim.check.task import Task
from wintun_sim.check.worker import Worker
from wintun_sim.cli import main
from wintun_sim.kernel import builder

HERE = Path(__file__).parent
WALKS = 40
"""Walks until a bug must be found; most are found in the first."""

FOUND = {
    "loopback": {
        "BUG_SHORT_BUFFER": ("DRIVER_PAGE_FAULT_BEYOND_END_OF_ALLOCATION", r"into pool memory of \d+ bytes"),
        "BUG_LEAKS_FRAMES": ("LeakAtUnload", "pool memory"),
        "BUG_FREES_INDICATED": ("NblOwnership", "indicated and not returned yet"),
        "BUG_COMPLETES_UNDER_LOCK": ("CompletionUnderLock", "NdisMSendNetBufferListsComplete"),
        "BUG_LOOKS_BACK": (
            "DRIVER_PAGE_FAULT_IN_FREED_SPECIAL_POOL",
            "NET_BUFFER_LIST of the stack that was given back",
        ),
        "BUG_FORGETS_OID": ("NdisTimedOidComplete", "not completed within 12 seconds"),
        "BUG_PAUSES_EARLY": ("PauseOutstanding", "received NET_BUFFER_LISTs are not returned"),
        "BUG_FORGETS_RESTART": ("BUGCODE_NDIS_DRIVER", "NdisMRestartComplete was not called"),
        "BUG_COUNTS_CHAINS": ("BUGCODE_NDIS_DRIVER", "NdisMPauseComplete was not called"),
        "BUG_FORGETS_PAUSE": ("BUGCODE_NDIS_DRIVER", "NdisMPauseComplete was not called"),
        "BUG_LEAKS_WORK_ITEM": ("LeakAtHalt", "a work item"),
    },
    "mailbox": {
        "BUG_MARKS_NOTHING": ("MarkIrpPending2", "STATUS_PENDING was returned for IRP_MJ_READ"),
        "BUG_KEEPS_CANCEL_ROUTINE": ("IrpCancelField", "its cancel routine was still set"),
        "BUG_IGNORES_CANCEL": ("Stuck", "MiniportHaltEx waits for the holders of a remove lock"),
        "BUG_LEAVES_READS": ("Stuck", "MiniportHaltEx waits for the holders of a remove lock"),
        "BUG_LEAVES_TIMER": ("LeakAtHalt", "a timer object"),
    },
    "minimal": {
        "BUG_LEAKS": ("LeakAtHalt", "pool memory of 24 bytes"),
        "BUG_NO_GENERAL_ATTRIBUTES": ("AttributesOrder", "without having set the general attributes"),
        "BUG_LOOPS": ("Crash", r"MiniportHaltEx: endless loop: .* in halt"),
        "BUG_WAITS_FOR_EVER": ("Stuck", "MiniportHaltEx waits for an event"),
        "BUG_FAILS_PAUSE": ("MiniportPause_Return", "0xC0000001"),
        "BUG_CRASHES": ("DRIVER_PAGE_FAULT_BEYOND_END_OF_ALLOCATION", "a client's buffer"),
        "BUG_ASSERTS": ("Crash", r"MiniportOidRequest: assertion failed: .*only queries \(minimal\.c:\d+\)"),
        "BUG_NO_STATUS": ("NblStatus", "its Status never set"),
        "BUG_KEEPS_ONE": ("NdisTimedDataHang", "are not completed"),
    },
}
RACES = {"loopback": {"BUG_POPS_WITHOUT_LOCK": ("DataRace", r"loopback\.c:\d+")}}
"""Bugs that no call by itself shows, only calls at once."""

CASES = [(miniport, bug) for miniport, bugs in FOUND.items() for bug in bugs]


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    """A process that loads the images."""
    process = Worker()
    yield process
    process.close()


def built(miniport: str, place: Path, *define: str, instrumented: bool = True) -> Path:
    image = place / f"{miniport}.so"
    builder.build([HERE / f"{miniport}.c"], image, define=define, instrumented=instrumented)
    return image


def first_finding(image: Path, worker: Worker) -> Finding | None:
    for number in range(WALKS):
        order = ("strict", "raw")[number % 2]
        task = Task(order, (6, 80), 250, f"walk {number}")  # type: ignore[arg-type]
        finding = worker.call(perform, task, image).finding
        if finding is not None:
            return finding
    return None


@pytest.mark.parametrize("miniport", FOUND)
def test_every_bug_that_the_source_offers_is_tried(miniport: str) -> None:
    source = (HERE / f"{miniport}.c").read_text("utf-8")
    assert set(re.findall(r"BUG_[A-Z_]+[A-Z]", source)) == {*FOUND[miniport], *RACES.get(miniport, {})}


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize("miniport", FOUND)
def test_a_miniport_that_keeps_the_rules_passes(
    miniport: str,
    compiler: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """By the command, as its author would do it; the report says what it is silent about."""
    monkeypatch.setenv("CC", f"{compiler} -Wall -Wextra")
    image = tmp_path / f"{miniport}.so"
    assert main(["build-driver", str(HERE / f"{miniport}.c"), "-o", str(image)]) == 0
    assert main(["check", str(image), "--rules-only", "--seed", "5", "--steps", "3000"]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    lines = captured.out.splitlines()
    assert lines[0].startswith(f"{image}: instrumented image of 1 sources")
    assert lines[1:3] == ["seed 5", f"driver: {image}, instrumented"]
    device = "what its device answers (there is no model of it)"
    without = "requests to a device: the driver registered none"
    assert f"not judged: {device if miniport == 'mailbox' else without}" in lines
    assert any(line.startswith("not judged: what the driver answers") for line in lines)
    assert lines[-1] == "PASSED"


def test_a_plain_image_passes_too_and_the_report_says_what_it_cannot_show(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = built("loopback", tmp_path, instrumented=False)
    assert main(["check", str(image), "--rules-only", "--seed", "6", "--steps", "1500"]) == 0
    assert "not judged: each access to memory: the image is plain\n" in capsys.readouterr().out


@pytest.mark.parametrize(("miniport", "bug"), CASES, ids=[bug for _, bug in CASES])
def test_a_miniport_with_a_bug_is_found_and_the_finding_says_which(
    miniport: str, bug: str, tmp_path: Path, worker: Worker
) -> None:
    rule, words = FOUND[miniport][bug]
    image = built(miniport, tmp_path, bug, "DBG=1")
    finding = first_finding(image, worker)
    assert finding is not None
    assert finding.rule == rule
    assert re.search(words, finding.message)


@pytest.mark.parametrize(("miniport", "bug"), [(miniport, bug) for miniport, bugs in RACES.items() for bug in bugs])
def test_a_race_is_found_by_random_orders_of_calls_and_replayed(
    miniport: str, bug: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One call at a time it is a driver like any other."""
    monkeypatch.chdir(tmp_path)
    built(miniport, tmp_path, bug)
    image = f"{miniport}.so"
    assert main(["check", image, "--rules-only", "--seed", "1", "--steps", "500", "--schedules", "0"]) == 0
    capsys.readouterr()
    assert main(["check", image, "--rules-only", "--seed", "1", "--steps", "500", "--schedules", "1000"]) == 1
    rule, words = RACES[miniport][bug]
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith(f"FAILED rule {rule}: ") and re.search(words, line) for line in lines)
    replay = next(line for line in lines if "--replay" in line)
    assert "--rules-only" in replay
    assert main(shlex.split(replay)[1:]) == 1
    assert f"FAILED rule {rule}: " in capsys.readouterr().out


def test_a_finding_is_made_short_and_replayed_by_the_line_that_the_report_ends_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The scenario says all: the stack does each operation as its name decides, with no schedule to keep."""
    monkeypatch.chdir(tmp_path)
    image = built("loopback", tmp_path, "BUG_PAUSES_EARLY")
    assert main(["check", str(image), "--rules-only", "--seed", "1", "--steps", "8000"]) == 1
    words = shlex.split(capsys.readouterr().out.splitlines()[-1])
    assert words[:2] == ["wintun-sim", "run"]
    text = Path(words[2]).read_text("utf-8")
    assert len([line for line in text.splitlines() if line and line[0] not in "# "]) <= 3 + 8
    assert "# the driver: broken PauseOutstanding" in text
    assert main(words[1:]) == 1
    assert "FAILED rule PauseOutstanding" in capsys.readouterr().out
    sound = built("loopback", tmp_path)
    assert main(["run", words[2], "--rules-only", "--image", str(sound)]) == 0
    assert capsys.readouterr().out.endswith("PASSED\n")


def test_the_same_seed_gives_the_same_report_whatever_the_number_of_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    image = built("loopback", tmp_path, "BUG_FORGETS_OID")
    reports = []
    for jobs in ("1", "3"):
        options = ["--seed", "3", "--steps", "1500", "--jobs", jobs, "--json"]
        assert main(["check", str(image), "--rules-only", *options]) == 1
        reports.append(json.loads(capsys.readouterr().out))
    assert reports[0] == reports[1]
    assert reports[0]["rules_only"] is True
    assert reports[0]["not_judged"]


def test_a_driver_that_never_makes_an_adapter_is_not_said_to_pass(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "shy.c"
    source.write_text(
        "#include <ndis.h>\nNTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)\n"
        "{\n    return Driver == NULL || Path == NULL ? STATUS_SUCCESS : STATUS_UNSUCCESSFUL;\n}\n"
    )
    builder.build([source], tmp_path / "shy.so", instrumented=True)
    assert main(["check", str(tmp_path / "shy.so"), "--rules-only", "--seed", "1", "--steps", "500"]) == 2
    error = capsys.readouterr().err
    assert "could not be judged: DriverEntry on NDIS 6" in error
    assert len(error.splitlines()) == 1


def test_a_driver_that_is_no_miniport_is_told_apart_from_one_that_crashes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It loads, and NDIS knows nothing of it: there is no handler that could be called."""
    monkeypatch.chdir(tmp_path)
    Path("other.c").write_text(
        "#include <ndis.h>\nNTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)\n"
        "{\n    return Driver == NULL || Path == NULL ? STATUS_UNSUCCESSFUL : STATUS_SUCCESS;\n}\n"
    )
    builder.build([Path("other.c")], Path("other.so"), instrumented=True)
    assert main(["check", "other.so", "--rules-only", "--seed", "1", "--steps", "100"]) == 1
    out = capsys.readouterr().out
    assert "FAILED rule BUGCODE_NDIS_DRIVER" in out
    assert "has not called NdisMRegisterMiniportDriver" in out


def test_what_compares_with_a_model_does_not_go_with_rules_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--rules-only", "--revision", "UPSTREAM"]) == 2
    assert "--rules-only compares with no model" in capsys.readouterr().err
