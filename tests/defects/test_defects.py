"""A judge that never fails is worth nothing: it must find what was broken on purpose, and call it by its name."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from wintun_sim.check import check, judge
from wintun_sim.integrations.pcap import read_packets, shipped_captures
from wintun_sim.kernel import builder
from wintun_sim.scenario import parse

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PATCHES = sorted(path.stem for path in HERE.glob("*.patch"))
STEPS = 12_000

CAPTURES = {"icmp": tuple(packet.data for packet in read_packets(shipped_captures()["icmp"]).packets)}


def built(directory: Path, patch: Path | None) -> Path:
    """Build the driver in a copy of its sources, patched; return the image."""
    for room in ("driver", "shared"):
        shutil.copytree(ROOT / room, directory / room)
    if patch is not None:
        subprocess.run(["git", "apply", str(patch)], cwd=directory, check=True)
    image = directory / "image.so"
    sources = [*sorted((directory / "driver").glob("*.c")), directory / "shared" / "bundle.c"]
    builder.build(sources, image, include=[directory / "driver", directory / "shared"])
    return image


def test_the_driver_as_it_is_passes(tmp_path: Path) -> None:
    """Built in the same way as the broken ones, so that what they fail by is the patch."""
    report = check(built(tmp_path, None), seed=1, steps=3000, captures=CAPTURES)
    assert [found.finding.message for found in report.findings] == []


@pytest.mark.parametrize("name", PATCHES)
def test_the_judge_finds_what_a_patch_broke(name: str, tmp_path: Path) -> None:
    """The finding is the expected one, and its scenario file shows it again."""
    patch = HERE / f"{name}.patch"
    expected = re.search(r"^Finding: (\w+) (\w+)$", patch.read_text(), re.MULTILINE)
    assert expected is not None
    image = built(tmp_path, patch)
    report = check(image, seed=1, steps=STEPS, captures=CAPTURES, most_failing=1)
    assert report.verdict == "failed"
    found = report.findings[0]
    assert found.finding.signature() == expected.groups()
    assert found.minimal
    assert len(found.finding.operations) <= 20
    again = judge(parse(found.text()), image).finding
    assert again is not None
    assert again.signature() == expected.groups()
