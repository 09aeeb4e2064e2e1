"""`wintun-sim demo` tells the commit's story as it was: counts and link states are typed from what is known of it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.defects.unrepaired import main as make_image
from wintun_sim import native
from wintun_sim.cli import demo, main
from wintun_sim.errors import UnavailableError
from wintun_sim.scenario import find

OPEN = [0, 1, 2, 2, 2, 2, 2, 2, 1, 0, 1, 2]
BEFORE = [0, 1, 2, 2, 0, 0, 0, 0, -1, -2, -1, 0]
DOWN_IN_BEFORE = [True, False, False, False, *([True] * 8)]
# Every create and close indicates; so do, in BEFORE, initialize, pause and restart.
LINKS = {"BEFORE": 10, "UPSTREAM": 7, "CURRENT": 4}


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    image = tmp_path_factory.mktemp("image") / "before.so"
    assert make_image(["--revision=BEFORE", "-o", str(image)]) == 0
    return image


@pytest.fixture(scope="module")
def report(before: Path) -> dict[str, list[dict[str, object]]]:
    done = subprocess.run(
        [sys.executable, "-m", "wintun_sim", "demo", "--before", str(before), "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    document: dict[str, list[dict[str, object]]] = json.loads(done.stdout)
    return document


def column(told: dict[str, object], name: str) -> list[object]:
    lines = told["lines"]
    assert isinstance(lines, list)
    return [line[name] for line in lines]


def test_the_count_falls_below_zero_in_before_alone(report: dict[str, list[dict[str, object]]]) -> None:
    counts = {str(told["machine"]): column(told, "count") for told in report["models"]}
    assert counts == {"BEFORE": BEFORE, "UPSTREAM": OPEN, "CURRENT": OPEN}


def test_the_link_stays_down_in_before_on_the_model_and_on_the_driver(
    report: dict[str, list[dict[str, object]]],
) -> None:
    both = [*report["models"], *report["drivers"]]
    assert [told["machine"] for told in both] == ["BEFORE", "UPSTREAM", "CURRENT", "BEFORE", "CURRENT"]
    for told in both:
        down = DOWN_IN_BEFORE if told["machine"] == "BEFORE" else [handles == 0 for handles in OPEN]
        assert column(told, "link") == ["down" if each else "up" for each in down]
        assert column(told, "open") == OPEN
        assert told["links"] == LINKS[str(told["machine"])]


def test_the_pause_cancels_the_read_in_before_alone(report: dict[str, list[dict[str, object]]]) -> None:
    pause = 4
    for told in report["models"] + report["drivers"]:
        cancelled = ["the read: STATUS_CANCELLED"] if told["machine"] == "BEFORE" else []
        assert column(told, "answers")[pause] == cancelled
        assert column(told, "answers")[pause + 1] == ["the write: STATUS_NDIS_PAUSED"]


def test_every_operation_of_the_scenario_is_in_the_story() -> None:
    told = [name for _, names in demo.BEATS for name in names]
    assert told == [operation.name for operation in find(demo.SCENARIO).operations()]


def test_it_can_be_read_in_a_minute(before: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--before", str(before)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) < 60
    assert max(map(len, lines)) <= 100
    assert "the client closes one handle        1      -1  down!       1    up        1    up" in lines
    assert any(
        line.startswith("BEFORE: 2 handles are open, and 0 are counted, after -2 at the lowest") for line in lines
    )


def test_a_source_tree_brings_the_driver_before(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--tree", str(Path(__file__).parents[2]), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert [told["machine"] for told in report["drivers"]] == ["BEFORE", "CURRENT"]
    assert report["left_out"] == []


def test_what_an_installed_package_cannot_show_is_said_and_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """There the command's file lies in site-packages, and no source tree is three folders up."""
    monkeypatch.setattr(demo, "__file__", str(tmp_path / "site-packages" / "wintun_sim" / "cli" / "demo.py"))
    assert main(["demo"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "The driver BEFORE was left out: it is made from the source tree" in shown
    assert "`wintun-sim demo --tree .` makes and plays it" in shown
    assert "each event of CURRENT was the one that is expected" in shown


def test_where_there_is_no_host_kernel_the_model_tells_the_story_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def load(name: str) -> None:
        raise UnavailableError("no host kernel here")

    monkeypatch.setattr(native, "load", load)
    assert main(["demo"]) == 0
    shown = capsys.readouterr().out
    assert "The drivers were left out: no host kernel here." in shown
    assert "On the driver" not in shown


def test_a_driver_that_is_another_revision_is_found_out(capsys: pytest.CaptureFixture[str]) -> None:
    """CURRENT does not cancel the read at the pause, so it cannot pass for BEFORE."""
    assert main(["demo", "--before", str(native.driver_image())]) == 1
    shown = capsys.readouterr().out
    assert "Not every driver did what was expected" in shown
    assert "FAILED BEFORE: expectation" in shown


def test_an_image_or_tree_that_is_not_there_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--before", str(tmp_path / "nothing.so")]) == 2
    assert "there is no image" in capsys.readouterr().err
    assert main(["demo", "--tree", str(tmp_path)]) == 2
    assert "is not the project's source tree" in capsys.readouterr().err


def test_images_of_revisions_are_made_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert make_image(["--revision=NEVER", "-o", str(tmp_path / "x.so")]) == 2
    assert "revision NEVER: there is none" in capsys.readouterr().err
    assert not (tmp_path / "x.so").exists()
