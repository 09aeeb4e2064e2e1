"""`wintun-sim run`: carries out one scenario, says what happened, and holds it against what was expected."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wintun_sim.cli import exploring

if TYPE_CHECKING:
    from wintun_sim.check.scenarios import Run


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "run",
        help="carry out a scenario on the model, on a driver, or on both",
        description="Carries out a scenario, prints what each operation caused, and compares it with what the scenario "
        "expects. Exit status 1 if anything was otherwise, if a rule was broken, or if the machines differ.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "scenario", metavar="SCENARIO", help="a file, - for standard input, or the name of one that ships"
    )
    parser.add_argument("--machine", choices=("model", "driver", "both"), default="model", help="default: model")
    parser.add_argument(
        "--image", type=Path, metavar="FILE", help="the driver's image; default: the project's own driver"
    )
    parser.add_argument("--plain", action="store_true", help="take the plain image of the project's own driver")
    parser.add_argument(
        "--rules-only",
        action="store_true",
        help="drive and judge a driver that is not a Wintun, as check --rules-only does; expectations do not count",
    )
    parser.add_argument(
        "--revision",
        default="CURRENT",
        metavar="NAME",
        help="the model's revision, and whose expectations count: UPSTREAM, BEFORE, or CURRENT without repairs, as in"
        " --revision=-late-read,-shutdown; default: CURRENT",
    )
    parser.add_argument(
        "--json", nargs="?", const="-", metavar="FILE", help="the trace as JSON, to FILE or standard output"
    )
    exploring.add_arguments(parser)
    parser.set_defaults(function=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the command."""
    from wintun_sim import native
    from wintun_sim.check.machines import describe_driver
    from wintun_sim.check.scenarios import play
    from wintun_sim.cli.output import chosen_image, write_json
    from wintun_sim.errors import UsageError
    from wintun_sim.model import revision
    from wintun_sim.scenario import find, parse

    revision(arguments.revision)
    on_driver = arguments.machine != "model" or arguments.rules_only or exploring.wants(arguments)
    if (arguments.image is not None or arguments.plain) and not on_driver:
        raise UsageError("run: --image and --plain are for --machine driver or both; the model has no image")
    if arguments.image is not None and not arguments.image.is_file():
        raise UsageError(f"run: there is no image {arguments.image}")
    if arguments.scenario == "-":
        scenario = parse(sys.stdin.read(), "standard input")
    else:
        scenario = find(arguments.scenario)
    if not any(True for _ in scenario.operations()):
        raise UsageError(f"run: scenario {arguments.scenario}: there is no operation in it, so nothing would be tried")
    if exploring.wants(arguments):
        return exploring.run(arguments, scenario)
    image = chosen_image("run", arguments.image, arguments.plain)
    if arguments.rules_only:
        from wintun_sim.check.rules_only import play_rules

        result = play_rules(scenario, image or native.driver_image(instrumented=True))
    else:
        result = play(scenario, arguments.machine, image, arguments.revision)
    if arguments.json is not None:
        write_json(_to_json(result), arguments.json)
    if arguments.json != "-":
        _print(result, describe_driver(image) if on_driver else "")
    return 1 if result.findings else 0


def _print(result: Run, driver: str) -> None:
    from wintun_sim.trace import format_trace, held_up

    for trace in result.traces:
        print(format_trace(trace))
        for line in held_up(trace):
            print(line)
    if driver:
        print(f"driver: {driver}")
    if result.undefined:
        print(f"ended early: {result.undefined}")
    _print_findings(result.findings)


def _print_findings(findings: Sequence[str]) -> None:
    for finding in findings:
        print(f"FAILED {finding}")
    if not findings:
        print("PASSED")


def _to_json(result: Run) -> dict[str, Any]:
    from wintun_sim.trace import to_json

    return {
        "verdict": "failed" if result.findings else "passed",
        "findings": list(result.findings),
        "undefined": result.undefined,
        "traces": [to_json(trace) for trace in result.traces],
    }
