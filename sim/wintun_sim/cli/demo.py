"""`wintun-sim demo`: the story of the commit that this project begins with, told by the machines themselves.

Nothing here is known beforehand: the shipped scenario `negative-count` is played on the model in three revisions and on
drivers, and what is printed is the reference count that the model keeps and the link state that was indicated. The
published driver's parent is not shipped; where the source tree is at hand it is made from the driver's sources.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from wintun_sim.operations import Event, Operation
    from wintun_sim.scenario import Scenario

SCENARIO: Final = "negative-count"
REVISIONS: Final = ("BEFORE", "UPSTREAM", "CURRENT")

BEATS: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    ("Windows starts the adapter", ("driver", "adapter", "restart")),
    ("the client opens the adapter", ("h",)),
    ("and opens it once more", ("h2",)),
    ("it reads: packets may come", ("r",)),
    ("Windows pauses the adapter", ("pause",)),
    ("the client writes", ("w",)),
    ("and reads again", ("r2",)),
    ("Windows restarts the adapter", ("restart.again",)),
    ("the client closes one handle", ("cleanup", "close")),
    ("and the other one", ("cleanup.2", "close.2")),
    ("it opens the adapter again", ("h3",)),
    ("and once more", ("h4",)),
)
"""The story, and the scenario's operations that are each of its lines."""

INTRODUCTION: Final = """\
Wintun's driver counts the handles that its client has open: the link is up while there are any. Early in 2019 its \
author ran Microsoft's NDIS tests on it, and there a client kept its handles open while Windows paused the adapter. \
BEFORE is the driver as it was then; UPSTREAM is commit 1369525, which mended it; CURRENT is the driver of this \
project. An exclamation mark stands where the link is not what the open handles make it."""

WIDTH: Final = 100
WORDS: Final = max(len(words) for words, _ in BEATS)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the story on one machine: the handles that are really open, the machine's count, and the link.

    ``count`` is None for a driver, which keeps it to itself. ``answers`` are requests that did not succeed.
    """

    words: str
    open: int
    count: int | None
    link: str
    answers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Telling:
    """The story as one machine told it. ``findings`` say where it was not the expected one."""

    machine: str
    lines: tuple[Line, ...]
    links: int
    findings: tuple[str, ...]


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "demo",
        help="the story of one commit, on the model and on drivers, in a minute",
        description="Plays a client that keeps its handles open across a pause, on the model of the published driver, "
        "of its parent and of this project's, and on drivers, and shows the reference count and the link state line by "
        "line. Exit status 1 if a machine does not do what the scenario expects.",
        allow_abbrev=False,
    )
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--before", type=Path, metavar="IMAGE", help="an image of the published driver's parent")
    source.add_argument(
        "--tree",
        type=Path,
        metavar="DIRECTORY",
        help="the project's source tree, to make that image from; default: the one that this installation runs from",
    )
    parser.add_argument("--json", nargs="?", const="-", metavar="FILE", help="as JSON, to FILE or standard output")
    parser.set_defaults(function=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the command."""
    from wintun_sim.cli.output import write_json
    from wintun_sim.scenario import load, shipped

    scenario = load(shipped()[SCENARIO])
    models = [on_model(scenario, name) for name in REVISIONS]
    with tempfile.TemporaryDirectory() as directory:
        drivers, left_out = _on_drivers(scenario, arguments, Path(directory))
    findings = [f"{told.machine}: {finding}" for told in (*models, *drivers) for finding in told.findings]
    if arguments.json is not None:
        document = {
            "models": [asdict(told) for told in models],
            "drivers": [asdict(told) for told in drivers],
            "left_out": left_out,
            "findings": findings,
        }
        write_json(document, arguments.json)
    if arguments.json != "-":
        print("\n".join(text(models, drivers, left_out)))
        for finding in findings:
            print(f"FAILED {finding}")
    return 1 if findings else 0


def on_model(scenario: Scenario, revision: str) -> Telling:
    """Play the story on the model of a revision, and read the model's own count after each of its lines."""
    from wintun_sim.check.machines import open_model
    from wintun_sim.check.scenarios import play
    from wintun_sim.operations import DEFAULT_ADAPTER

    machine = open_model(scenario.order, scenario.ndis, revision)
    operations = {operation.name: operation for operation in scenario.operations()}
    story = _Story()
    for words, names in BEATS:
        story.tell(words, [(operations[name], machine.perform(operations[name])) for name in names])
        story.count(machine.adapters[DEFAULT_ADAPTER].handles)
    machine.close()
    return Telling(revision, tuple(story.lines), story.links, play(scenario, "model", revision=revision).findings)


def on_driver(scenario: Scenario, image: Path | None, revision: str) -> Telling:
    """Play the story on a driver that should be of a revision, in a process of its own."""
    from wintun_sim.check.scenarios import play

    played = play(scenario, "driver", image, revision)
    done = {step.operation.name: step for trace in played.traces for step in trace.steps}
    story = _Story()
    for words, names in BEATS:
        if all(name in done for name in names):
            story.tell(words, [(done[name].operation, done[name].events) for name in names])
    return Telling(revision, tuple(story.lines), story.links, played.findings)


class _Story:
    """Follows a machine's events: what is open, what the link is, and what the client was told."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.links = 0
        self._open = 0
        self._link = "down"

    def tell(self, words: str, steps: Sequence[tuple[Operation, Sequence[Event]]]) -> None:
        """Add a line: what these operations caused."""
        from wintun_sim import ndis
        from wintun_sim.operations import IrpCompleted, LinkChanged

        answers = []
        for operation, events in steps:
            self._open += (operation.verb == "create") - (operation.verb == "close")
            for event in events:
                if isinstance(event, LinkChanged):
                    self.links += 1
                    self._link = "up" if event.connected else "down"
                elif isinstance(event, IrpCompleted) and not ndis.nt_success(event.status):
                    verb = {"r": "the read", "r2": "the second read", "w": "the write"}.get(event.operation, "")
                    answers.append(f"{verb or event.operation}: {ndis.name_of(event.status)}")
        self.lines.append(Line(words, self._open, None, self._link, tuple(answers)))

    def count(self, handles: int) -> None:
        """Add what the machine counts to the last line."""
        last = self.lines[-1]
        self.lines[-1] = Line(last.words, last.open, handles, last.link, last.answers)


def _on_drivers(scenario: Scenario, arguments: argparse.Namespace, place: Path) -> tuple[list[Telling], list[str]]:
    """Play the story on the drivers that there are; say of the others why not, and how to get them."""
    from wintun_sim import native
    from wintun_sim.errors import UnavailableError, UsageError

    try:
        native.load(native.HOST)
        native.driver_image(instrumented=True)
    except UnavailableError as error:
        if arguments.before is not None or arguments.tree is not None:
            raise
        return [], [f"The drivers were left out: {error}."]
    left_out = []
    before = arguments.before
    if before is not None and not before.is_file():
        raise UsageError(f"demo: there is no image {before}")
    if before is None:
        tree = arguments.tree or Path(__file__).parents[3]
        if not (tree / "tests" / "defects" / "unrepaired.py").is_file():
            if arguments.tree is not None:
                raise UsageError(f"demo: {tree} is not the project's source tree: it has no tests/defects")
            left_out.append(
                "The driver BEFORE was left out: it is made from the source tree, which an installed package does not "
                "have. In a source tree, `wintun-sim demo --tree .` makes and plays it."
            )
        else:
            before = _make_before(tree, place / "before.so", left_out)
    drivers = [on_driver(scenario, before, "BEFORE")] if before is not None else []
    return [*drivers, on_driver(scenario, None, "CURRENT")], left_out


def _make_before(tree: Path, image: Path, left_out: list[str]) -> Path | None:
    """Make the image of the published driver's parent in a source tree, or note why that failed."""
    command = [sys.executable, "-m", "tests.defects.unrepaired", "--revision=BEFORE", "-o", str(image)]
    done = subprocess.run(command, cwd=tree, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return image
    reason = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
    left_out.append(f"The driver BEFORE was left out: it could not be made from the sources in {tree}: {reason}.")
    return None


# What is printed


def text(models: Sequence[Telling], drivers: Sequence[Telling], left_out: Sequence[str]) -> Iterator[str]:
    """Give the lines of the demonstration."""
    yield from textwrap.wrap(INTRODUCTION, WIDTH)
    yield ""
    yield from _table("On the model", models)
    yield ""
    yield from (line for told in models for line in textwrap.wrap(_moral(told), WIDTH, subsequent_indent="  "))
    if drivers:
        yield ""
        yield from _table("On the driver", drivers)
        yield ""
        yield from textwrap.wrap(_agreement(drivers), WIDTH)
    for reason in left_out:
        yield ""
        yield from textwrap.wrap(reason, WIDTH)
    yield ""
    yield "Next: wintun-sim check judges a driver; wintun-sim trace negative-count draws this story."


def _table(title: str, tellings: Sequence[Telling]) -> Iterator[str]:
    """Give the story, the machines side by side; what is wrong about a line is marked."""
    counted = tellings[0].lines[0].count is not None
    heading = "count  link " if counted else "link "
    indent = " " * (WORDS + 2)
    machines = "".join(f"   {told.machine:<{len(heading)}}" for told in tellings)
    yield f"{title:<{WORDS}}  {'open':>7}{machines}".rstrip()
    yield f"{indent}{'handles':>7}{f'   {heading}' * len(tellings)}".rstrip()
    for place, (words, _) in enumerate(BEATS):
        lines = [told.lines[place] for told in tellings if place < len(told.lines)]
        if len(lines) < len(tellings):
            return
        cells = "".join(f"   {_cell(line)}" for line in lines)
        yield f"{words:<{WORDS}}  {lines[0].open:>7}{cells}".rstrip()
        yield from _answers(tellings, lines)


def _cell(line: Line) -> str:
    wrong = "!" if (line.link == "up") != (line.open > 0) else " "
    count = "" if line.count is None else f"{line.count:>5}  "
    return f"{count}{line.link:>4}{wrong}"


def _answers(tellings: Sequence[Telling], lines: Sequence[Line]) -> Iterator[str]:
    """Say what the client was told, once where all machines said the same."""
    said: dict[str, list[str]] = {}
    for told, line in zip(tellings, lines, strict=True):
        for answer in line.answers:
            said.setdefault(answer, []).append(told.machine)
    for answer, machines in said.items():
        whose = "" if len(machines) == len(tellings) else f"{', '.join(machines)}: "
        yield f"    {whose}{answer}"


def _moral(told: Telling) -> str:
    """Say in a sentence what came of it."""
    last = told.lines[-1]
    least = min(line.count or 0 for line in told.lines)
    link = f"the link is {last.link}, indicated {told.links} times"
    if last.count == last.open and least >= 0:
        return f"{told.machine}: {last.open} handles are open, {last.count} are counted; {link}."
    return (
        f"{told.machine}: {last.open} handles are open, and {last.count} are counted, after {least} at the lowest; "
        f"{link}. Windows sends nothing to a link that is down, so the client reads in vain."
    )


def _agreement(drivers: Sequence[Telling]) -> str:
    names = " and ".join(told.machine for told in drivers)
    plural = len(drivers) > 1
    if any(told.findings for told in drivers):
        return "Not every driver did what was expected; see below."
    return (
        f"{'These are' if plural else 'This is'} C, loaded into this process's children with Windows' part played by "
        f"the host kernel. A driver keeps its count to itself; but each event of {names} was the one that is expected "
        "of that revision."
    )
