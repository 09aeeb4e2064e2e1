"""`wintun-sim trace`: draws what happened in a run, or the life of an adapter, for people to look at."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wintun_sim.cli import whole_number

if TYPE_CHECKING:
    from wintun_sim.trace import Course

FORMS: Final = ("terminal", "mermaid", "svg")
SUFFIXES: Final = {".svg": "svg", ".mmd": "mermaid", ".mermaid": "mermaid"}
WIDEST: Final = 400
NARROWEST: Final = 60


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "trace",
        help="draw a run as a timeline, a Mermaid diagram or a picture",
        description="Carries out a scenario and draws what happened: who did what to whom, what came back, and the "
        "adapter's states. With actors, a seed decides who takes which turn. It judges nothing; run and check do.",
        allow_abbrev=False,
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "scenario",
        nargs="?",
        metavar="SCENARIO",
        help="a file, - for standard input, the name of one that ships, or a JSON file that --json wrote",
    )
    what.add_argument("--lifecycle", action="store_true", help="draw the states of an adapter instead of a run")
    parser.add_argument("--machine", choices=("model", "driver"), default="model", help="default: model")
    parser.add_argument(
        "--image", type=Path, metavar="FILE", help="the driver's image; default: the project's own driver"
    )
    parser.add_argument("--plain", action="store_true", help="take the plain image of the project's own driver")
    parser.add_argument("--revision", default="CURRENT", metavar="NAME", help="the model's revision; default: CURRENT")
    parser.add_argument(
        "--seed", type=whole_number(0, 2**64 - 1), default=0, metavar="N", help="of the actors' turns; default: 0"
    )
    parser.add_argument("--steps", action="store_true", help="with actors: show where each call stands at each turn")
    parser.add_argument(
        "--to", choices=FORMS, help="default: what the output's name ends in (.svg, .mmd), otherwise terminal"
    )
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="default: standard output")
    parser.add_argument(
        "--width",
        type=whole_number(NARROWEST, WIDEST),
        metavar="N",
        help=f"of the timeline, in characters; default: the terminal's, 132 where there is none, {NARROWEST} at least",
    )
    parser.add_argument(
        "--json", nargs="?", const="-", metavar="FILE", help="the run itself as JSON, to FILE or standard output"
    )
    parser.set_defaults(function=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the command."""
    form = arguments.to or (SUFFIXES.get(arguments.output.suffix, "terminal") if arguments.output else "terminal")
    text = _lifecycle(arguments, form) if arguments.lifecycle else _drawn(arguments, form)
    if arguments.json == "-" and arguments.output is None:
        return 0
    if arguments.output is not None:
        arguments.output.write_text(text, encoding="utf-8", newline="\n")
    else:
        sys.stdout.write(text)
    return 0


def _lifecycle(arguments: argparse.Namespace, form: str) -> str:
    from wintun_sim.errors import UsageError
    from wintun_sim.lifecycle import Order
    from wintun_sim.render import states

    if arguments.json is not None:
        raise UsageError("trace: --json writes a run; the states of an adapter are wintun_sim.lifecycle.TABLE")
    if form == "svg":
        return states.svg()
    return states.mermaid(Order.STRICT) if form == "mermaid" else states.terminal()


def _drawn(arguments: argparse.Namespace, form: str) -> str:
    from wintun_sim.cli.output import write_json
    from wintun_sim.render import mermaid, story_of, svg, terminal
    from wintun_sim.trace import course_to_json

    course = _course(arguments)
    if arguments.json is not None:
        write_json(course_to_json(course), arguments.json)
    story = story_of(course, seed=arguments.seed, steps=arguments.steps)
    if form == "svg":
        return svg.render(story)
    if form == "mermaid":
        return mermaid.render(story)
    width = arguments.width
    if width is None:
        terminals = arguments.output is None and sys.stdout.isatty()
        width = max(NARROWEST, shutil.get_terminal_size().columns) if terminals else 132
    return terminal.render(story, width)


def _course(arguments: argparse.Namespace) -> Course:
    """Return what is to be drawn: a recorded trace, or a scenario that is carried out now."""
    from wintun_sim.check.courses import follow
    from wintun_sim.cli.output import chosen_image
    from wintun_sim.errors import UsageError
    from wintun_sim.model import revision
    from wintun_sim.scenario import find, parse

    if arguments.machine == "model" and (arguments.image is not None or arguments.plain):
        raise UsageError("trace: --image and --plain are for --machine driver; the model has no image")
    if arguments.machine == "driver" and arguments.revision != "CURRENT":
        raise UsageError("trace: --revision chooses a model; of a driver the image decides what it does")
    if arguments.image is not None and not arguments.image.is_file():
        raise UsageError(f"trace: there is no image {arguments.image}")
    revision(arguments.revision)
    if arguments.scenario.endswith(".json"):
        return _recorded(Path(arguments.scenario))
    if arguments.scenario == "-":
        scenario = parse(sys.stdin.read(), "standard input")
    else:
        scenario = find(arguments.scenario)
    image = chosen_image("trace", arguments.image, arguments.plain)
    course = follow(scenario, arguments.machine, image=image, revision=arguments.revision, seed=arguments.seed)
    if not course.moments and not course.ended:
        raise UsageError(f"trace: scenario {arguments.scenario}: there is no operation in it, so nothing can be drawn")
    return course


def _recorded(path: Path) -> Course:
    """Read a course, a trace, or what `run --json` wrote, if it has one trace only."""
    from wintun_sim.errors import UsageError
    from wintun_sim.trace import course_from_json, course_of, from_json
    from wintun_sim.trace.course_form import COURSE_FORMAT

    try:
        document = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise UsageError(f"trace: {path} is no JSON: {error}") from error
    ended = ""
    if isinstance(document, dict) and document.get("format") == COURSE_FORMAT:
        return course_from_json(document)
    if isinstance(document, dict) and isinstance(document.get("traces"), list):
        if len(document["traces"]) != 1:
            raise UsageError(
                f"trace: {path} has {len(document['traces'])} traces, and one can be drawn: run on one machine"
            )
        ended = str(document.get("undefined") or "")
        document = document["traces"][0]
    return course_of(from_json(document), ended)
