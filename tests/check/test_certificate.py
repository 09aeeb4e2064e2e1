"""A certificate is worth what doing it again says of it: what was tampered with fails, and says why."""

import copy
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from wintun_sim import native
from wintun_sim.check import certificate as certificates
from wintun_sim.check import check
from wintun_sim.check.isolated import team
from wintun_sim.errors import UsageError
from wintun_sim.trace.schedule import image_hash

CAPTURES = {"ping": (bytes([0x45]) + bytes(19),)}
STEPS, SCHEDULES = 60, 1_200


@pytest.fixture(scope="module")
def certificate() -> dict[str, Any]:
    """A small check's, written down and read again, as everybody but its maker sees it."""
    report = check(None, seed=7, steps=STEPS, captures=CAPTURES, schedules=SCHEDULES)
    made = certificates.certify(report, CAPTURES)
    return certificates.parse(json.dumps(made).encode(), "made")


def again() -> dict[str, Any]:
    report = check(None, seed=7, steps=STEPS, captures=CAPTURES, schedules=SCHEDULES, jobs=1)
    return json.loads(json.dumps(certificates.result_of(report)))  # type: ignore[no-any-return]


def test_what_was_certified_comes_of_doing_it_again(certificate: dict[str, Any]) -> None:
    """With one worker instead of two."""
    assert certificates.slip(certificate) is None
    assert certificates.first_difference(certificate["result"], again()) is None
    with team(2) as executor:
        count, wrong = certificates.verify_quickly(certificate, None, executor)
    assert (count, wrong) == (certificates.SAMPLE, None)


def test_it_names_what_was_tried_with_each_scenario_and_what_came_of_it(certificate: dict[str, Any]) -> None:
    assert certificate["image"]["sha256"] == image_hash(native.driver_image(instrumented=True))
    assert certificate["result"]["verdict"] == "passed"
    entries = certificate["result"]["explored"]["scenarios"]
    assert len({entry["sha256"] for entry in entries}) >= certificates.SAMPLE
    for entry in entries:
        assert entry["algorithm"]["algorithm"] == "depth-first"
        assert entry["schedules"] >= entry["distinct"] >= len(entry["outcomes"]) > 0
        assert entry["points"] == "instrumented"
        assert len(entry["runs"]) == 64


def change_schedules(result: dict[str, Any]) -> None:
    for entry in result["explored"]["scenarios"]:
        entry["schedules"] += 1


def hide_an_outcome(result: dict[str, Any]) -> None:
    for entry in result["explored"]["scenarios"]:
        entry["outcomes"] = entry["outcomes"][1:]


def leave_a_scenario_out(result: dict[str, Any]) -> None:
    del result["explored"]["scenarios"][3]


def put_another_in(result: dict[str, Any]) -> None:
    result["explored"]["scenarios"][3]["sha256"] = "0" * 64


def claim_more(result: dict[str, Any]) -> None:
    for entry in result["explored"]["scenarios"]:
        entry["exhaustive"] = not entry["exhaustive"]


@pytest.mark.parametrize(
    "tamper", [change_schedules, hide_an_outcome, leave_a_scenario_out, put_another_in, claim_more]
)
def test_one_that_was_tampered_with_fails(
    certificate: dict[str, Any], tamper: Callable[[dict[str, Any]], None]
) -> None:
    """The hash says that something was changed; a forger who computes it anew is found out by doing it again."""
    forged = copy.deepcopy(certificate)
    tamper(forged["result"])
    assert "something in it was changed" in str(certificates.slip(forged))
    forged["sha256"] = certificates.digest(forged)
    assert certificates.slip(forged) is None
    assert certificates.first_difference(forged["result"], certificate["result"]) is not None
    with team(2) as executor:
        _, wrong = certificates.verify_quickly(forged, None, executor)
    assert wrong is not None


def test_a_verdict_that_was_turned_round_is_found_by_the_whole_check(certificate: dict[str, Any]) -> None:
    forged = copy.deepcopy(certificate)
    forged["result"]["verdict"] = "failed"
    forged["sha256"] = certificates.digest(forged)
    difference = certificates.first_difference(forged["result"], certificate["result"])
    assert difference == 'result.verdict is claimed to be "failed", and is "passed"'


def test_it_says_nothing_about_another_image_version_or_capture(certificate: dict[str, Any]) -> None:
    certificates.demand_comparable(certificate, "it", None, CAPTURES)
    with pytest.raises(UsageError, match="it says nothing about this driver"):
        certificates.demand_comparable(certificate, "it", native.driver_image(), CAPTURES)
    with pytest.raises(UsageError, match="of other captures"):
        certificates.demand_comparable(certificate, "it", None, {})
    other = {**certificate, "version": "0.0.1"}
    with pytest.raises(UsageError, match=r"made by wintun-sim 0\.0\.1"):
        certificates.demand_comparable(other, "it", None, CAPTURES)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("NaN", "NaN is no number"),
        ("[]", "not one of the format"),
        ('{"format": "wintun-sim certificate 2"}', "not one of the format"),
        ('{"format": "wintun-sim certificate 1", "version": 1}', "'version' is missing, or not a str"),
    ],
)
def test_what_is_no_certificate_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        certificates.parse(text.encode(), "it")


@pytest.mark.parametrize("number", [-1, 10**12, "7", True, None])
def test_numbers_that_no_check_takes_are_refused(certificate: dict[str, Any], number: object) -> None:
    """A budget of a billion times a billion would keep whoever verifies it busy for ever."""
    wrong = copy.deepcopy(certificate)
    wrong["parameters"]["schedules"] = number
    with pytest.raises(UsageError, match="schedules"):
        certificates.parse(json.dumps(wrong).encode(), "it")


def test_the_command_writes_one_and_verifies_it(tmp_path: Path) -> None:
    def command(*words: str) -> subprocess.CompletedProcess[str]:
        whole = [sys.executable, "-m", "wintun_sim", "check", *words]
        return subprocess.run(whole, cwd=tmp_path, capture_output=True, text=True, timeout=120)

    made = command("--seed", "3", "--steps", "50", "--schedules", "1500", "--certificate", "it.json")
    assert made.stdout.splitlines()[-1] == "PASSED"
    quick = command("--verify", "it.json", "--quick")
    assert quick.stdout.splitlines()[-2:] == ["checked: 8 of its scenarios, drawn from its hash", "PASSED"]

    text = (tmp_path / "it.json").read_text("utf-8")
    (tmp_path / "it.json").write_text(text.replace('"verdict": "passed"', '"verdict": "failed"'))
    failed = command("--verify", "it.json")
    assert failed.returncode == 1
    assert "FAILED certificate: its hash is not that of its content" in failed.stdout
    (tmp_path / "it.json").write_text(text)
    assert command("--verify", "it.json", "--plain").returncode == 2
