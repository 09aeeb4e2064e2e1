"""The table of what is reached: that it counts right, and that the page which shows it is not about another driver."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.coverage import image as images
from tests.coverage import report
from tests.coverage.__main__ import BEGIN, DOCUMENT, END
from tests.coverage.counts import Counts, Lines, read_lines
from tests.coverage.image import ROOT, CannotCount, CountedImage
from tests.coverage.machine import CountingMachine
from tests.coverage.sources import play_scenarios
from wintun_sim.errors import UnavailableError
from wintun_sim.scenario import parse

LIVES: Final = """
load
initialize
h: create
h2: create
cleanup h
close h
cleanup h2
close h2
halt
unload
second: load
again: initialize @second
h3: create @again
"""


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> CountedImage:
    try:
        return images.build(tmp_path_factory.mktemp("coverage"))
    except CannotCount as reason:
        pytest.skip(str(reason))


def lines_after(counted: CountedImage, counts: Counts) -> Lines:
    for path in counted.notes.glob("*.gcda"):
        path.unlink()
    counts.write()
    return read_lines(counted.notes, report.NAMES)


def open_machine(counted: CountedImage, counts: Counts) -> CountingMachine:
    try:
        return CountingMachine(counted.path, counts)
    except UnavailableError as reason:
        pytest.skip(str(reason))


def executed(lines: Lines, source: str, function: str) -> int:
    """Return how often the first line of a function was executed."""
    return next(line.count for line in lines[source].values() if line.function == function)


def test_a_line_was_executed_as_often_as_the_client_had_it_executed(counted: CountedImage) -> None:
    """Also where an image is loaded again after its unload, and begins with counters of zero."""
    counts = Counts()
    machine = open_machine(counted, counts)
    for operation in parse(LIVES).operations():
        machine.perform(operation)
    machine.close()
    lines = lines_after(counted, counts)
    calls = {"DriverEntry": 2, "TunUnload": 1, "TunSetOptions": 2}
    assert {name: executed(lines, "entry.c", name) for name in calls} == calls
    calls = {"TunCreate": 3, "TunCleanup": 2, "TunClose": 2, "TunRead": 0, "TunDispatch": 7}
    assert {name: executed(lines, "device.c", name) for name in calls} == calls
    (last_handle,) = [
        line
        for number, line in lines["device.c"].items()
        if "--Adapter->Handles == 0" in report.TEXTS["device.c"][number - 1]
    ]
    assert sorted(last_handle.branches) == [1, 1], "the first close leaves a handle, the second one does not"


def test_a_line_without_an_excuse_is_named_and_so_is_an_excuse_without_a_line(counted: CountedImage) -> None:
    nothing = lines_after(counted, Counts())
    complaints = report.wrong(nothing)
    assert any(
        re.fullmatch(r"link\.c:\d+: .*TunLinkTell.*: not reached, and there is no excuse", text) for text in complaints
    )
    assert [text for text in complaints if text.endswith("has an excuse, but was reached or is not there")] == []
    nonsense = report.Excuse("link.c", "TunLinkTell", ("there is no such line",), "none")
    assert report.wrong(nothing, [nonsense])[-1].startswith("link.c: there is no such line: has an excuse, but")


def documented() -> dict[str, list[str]]:
    """Return the cells of the page's first table, by source."""
    measured = DOCUMENT.read_text("utf-8").partition(BEGIN)[2].partition(END)[0]
    rows = re.findall(r"^\| `([^`]*)` \| (.*) \|$", measured.partition("| function")[0], re.MULTILINE)
    return {Path(source).name if "*" not in source else source: cells.split(" | ") for source, cells in rows}


def percentages(cell: str) -> list[int]:
    return [int(number) for number in re.findall(r"(\d+) %", cell)]


def test_the_page_describes_this_driver(counted: CountedImage) -> None:
    """A page that is not written again after a change lies. `python -m tests.coverage --write` writes it.

    The whole measurement takes too long for this; the scenarios alone show a page that claims too much.
    """
    text = DOCUMENT.read_text("utf-8")
    if f"Counted with gcc {counted.version}." not in text:
        pytest.skip(f"the page was written with another gcc than {counted.version}, which counts branches differently")
    counts = Counts()
    open_machine(counted, counts).close()
    play_scenarios(counted.path, counts)
    lines = lines_after(counted, counts)
    repair = "run python -m tests.coverage --write"
    assert {source: cells[0] for source, cells in documented().items()} == {
        source: str(size) for source, size in report.whole(lines).items()
    }, repair
    assert report.reasons() in text, repair
    for source, (size, hopeless, scenarios, *_, last) in documented().items():
        whole, out = (report.Size(*map(int, cell.split(" / "))) for cell in (size, hopeless))
        now = report.reached(lines)[source].share_of(whole.less(out))
        assert all(old <= new for old, new in zip(percentages(scenarios), percentages(now), strict=True)), repair
        assert percentages(last) == [100, 100], f"{source}: something can be reached that is not"


def test_without_a_compiler_one_line_says_so_and_the_status_is_2(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.coverage", "--keep", str(tmp_path)],
        env={"PATH": str(tmp_path)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr == "coverage: error: gcc is needed to count lines and branches, and is not here\n"
