"""The driver without its repairs is the published driver; without one of them it is what the model says it would be.

What a patch takes out of the driver, a class takes out of the model, and the two must agree on random walks. Against
CURRENT the same driver must fail a scenario that ships, or the repair could as well be left out.
"""

from pathlib import Path

import pytest

from tests.defects.unrepaired import build_without, patched
from wintun_sim.check import check
from wintun_sim.integrations.pcap import read_packets, shipped_captures
from wintun_sim.model import REPAIRS
from wintun_sim.scenario import load, shipped

STEPS = 1_500
CAPTURES = {"icmp": tuple(packet.data for packet in read_packets(shipped_captures()["icmp"]).packets)}

UNSEEN = {"overflow-count", "version", "one-pump", "double-fetch", "bounds"}
"""What no sequence of calls, one at a time, can show."""


@pytest.mark.parametrize("name", patched())
def test_a_driver_without_a_repair_is_the_model_without_it(name: str, tmp_path: Path) -> None:
    image = build_without(tmp_path, [name])
    report = check(image, seed=1, steps=STEPS, captures=CAPTURES, revision=f"-{name}")
    assert [found.text() for found in report.findings] == []
    assert set(report.excused) <= {f"{name}: {rule}" for rule in (*REPAIRS[name].rules, *REPAIRS[name].halted)}


@pytest.mark.parametrize("name", [name for name in patched() if name not in UNSEEN])
def test_a_driver_without_a_repair_is_not_current(name: str, tmp_path: Path) -> None:
    image = build_without(tmp_path, [name])
    scenarios = {name: load(path) for name, path in shipped().items()}
    assert check(image, seed=1, steps=1, captures={}, scenarios=scenarios, most_failing=1).verdict == "failed"


def test_without_all_repairs_it_is_the_published_driver(tmp_path: Path) -> None:
    image = build_without(tmp_path, patched())
    report = check(image, seed=1, steps=4 * STEPS, captures=CAPTURES, revision="UPSTREAM")
    assert [found.text() for found in report.findings] == []
    assert {line.split(":")[0] for line in report.excused} == {
        *("send-status", "link-duplicates", "locked-completion", "halt-rundown")
    }
    assert report.undefined


def test_with_the_old_pause_on_top_it_is_that_drivers_parent(tmp_path: Path) -> None:
    image = build_without(tmp_path, patched(), old_pause=True)
    report = check(image, seed=1, steps=4 * STEPS, captures=CAPTURES, revision="BEFORE")
    assert [found.text() for found in report.findings] == []
    assert check(image, seed=1, steps=STEPS, captures=CAPTURES, most_failing=1, revision="UPSTREAM").findings


def test_the_driver_as_it_is_is_not_the_published_one(tmp_path: Path) -> None:
    image = build_without(tmp_path, [])
    assert check(image, seed=1, steps=STEPS, captures=CAPTURES, most_failing=1, revision="UPSTREAM").findings
