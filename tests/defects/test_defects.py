"""A judge that never fails is worth nothing: it must find what was broken on purpose, and call it by its name."""

import re
from pathlib import Path

import pytest

from tests.defects.build import HERE, build
from wintun_sim.check import check, judge
from wintun_sim.integrations.pcap import read_packets, shipped_captures
from wintun_sim.scenario import parse

PATCHES = sorted(path.stem for path in HERE.glob("*.patch"))
STEPS = 12_000

CAPTURES = {"icmp": tuple(packet.data for packet in read_packets(shipped_captures()["icmp"]).packets)}


def findings_of(name: str) -> list[tuple[str, str]]:
    """Return the kinds and rules that a patch says it is found by; several where chance decides which comes first."""
    line = re.search(r"^Finding: (\w+) (\w+(?: or \w+)*)$", (HERE / f"{name}.patch").read_text(), re.MULTILINE)
    assert line is not None, f"{name}.patch has no line 'Finding: KIND RULE'"
    return [(line[1], rule) for rule in line[2].split(" or ")]


def test_the_driver_as_it_is_passes(tmp_path: Path) -> None:
    """Built in the same way as the broken ones, so that what they fail by is the patch."""
    report = check(build(tmp_path, None), seed=1, steps=3000, captures=CAPTURES)
    assert [found.finding.message for found in report.findings] == []


@pytest.mark.parametrize("name", PATCHES)
def test_the_judge_finds_what_a_patch_broke(name: str, tmp_path: Path) -> None:
    """The finding is the expected one, and its scenario file shows it again."""
    expected = findings_of(name)
    image = build(tmp_path, name)
    report = check(image, seed=1, steps=STEPS, captures=CAPTURES, most_failing=1)
    assert report.verdict == "failed"
    found = report.findings[0]
    assert found.finding.signature() in expected
    assert found.minimal
    assert len(found.finding.operations) <= 20
    again = judge(parse(found.text()), image).finding
    assert again is not None
    assert again.signature() == found.finding.signature()
