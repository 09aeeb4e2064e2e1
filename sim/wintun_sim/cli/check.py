"""`wintun-sim check`: judges a driver."""

from __future__ import annotations

import argparse
import secrets
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wintun_sim.cli import verifying, whole_number

if TYPE_CHECKING:
    from wintun_sim.check.report import Report
    from wintun_sim.cli.output import Display

Watcher = Callable[[int, int], None]

MOST_JOBS = 256
"""Worker processes; one more than a machine has processors gains nothing, and thousands would bring it down."""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "check",
        help="judge a driver: its image and the model, side by side",
        description="Plays scenarios, captured traffic and random operations on a driver's image and on the model, and "
        "compares all that can be seen from outside. Prints PASSED, or for each failure a scenario file and the line "
        "that replays it. With --rules-only the driver may be any NDIS 6 miniport: there is no model of it, and what "
        "holds for every miniport is judged. Exit status 0: nothing found; 1: something found; 2: it could not be run.",
        allow_abbrev=False,
    )
    parser.add_argument("image", nargs="?", type=Path, metavar="IMAGE", help="default: the project's own driver")
    parser.add_argument("--plain", action="store_true", help="take the plain image of the project's own driver")
    parser.add_argument(
        "--rules-only", action="store_true", help="judge a driver that is not a Wintun: rules, ownership, memory, ends"
    )
    seeds, steps, jobs = whole_number(0, (1 << 64) - 1), whole_number(1, 1_000_000_000), whole_number(1, MOST_JOBS)
    parser.add_argument(
        "--seed", type=seeds, metavar="N", help="where every random choice comes from; default: a new one"
    )
    parser.add_argument("--steps", type=steps, metavar="N", help="operations to carry out; default: about 20 seconds")
    parser.add_argument(
        "--schedules",
        type=whole_number(0, 1_000_000_000),
        metavar="N",
        help="schedules of concurrent scenarios to carry out, 0 for none; default: about 40 seconds, less with fewer"
        " --steps",
    )
    parser.add_argument(
        "--deep", action="store_true", help="explore all with 3 preemptions, and without a bound: hours, not seconds"
    )
    parser.add_argument(
        "--pcap", type=Path, action="append", metavar="FILE", help="play this capture, not those that ship"
    )
    parser.add_argument(
        "--revision",
        default="CURRENT",
        metavar="NAME",
        help="hold the driver against UPSTREAM, BEFORE, or CURRENT without repairs, as in"
        " --revision=-late-read,-shutdown; default: CURRENT",
    )
    parser.add_argument("--jobs", type=jobs, metavar="N", help="worker processes; default: one for each processor")
    parser.add_argument(
        "--output", type=Path, default=Path(), metavar="DIR", help="where failing scenarios are written"
    )
    parser.add_argument(
        "--json", nargs="?", const="-", metavar="FILE", help="the report as JSON, to FILE or standard output"
    )
    parser.add_argument(
        "--certificate",
        type=Path,
        metavar="FILE",
        help="write down what was done and found, so that it can be verified",
    )
    parser.add_argument(
        "--verify", type=Path, metavar="FILE", help="do again what a certificate says, and compare what comes of it"
    )
    parser.add_argument(
        "--quick", action="store_true", help="with --verify: a few scenarios, drawn from the certificate's own hash"
    )
    parser.set_defaults(function=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the command."""
    from wintun_sim.check.machines import describe_driver
    from wintun_sim.cli.output import Display, Progress, chosen_image, write_json
    from wintun_sim.errors import WintunSimError

    if arguments.verify is not None or arguments.quick:
        return verifying.run(arguments)
    seed = arguments.seed if arguments.seed is not None else secrets.randbelow(1 << 32)
    quiet = arguments.json == "-"
    if not quiet:
        print(f"seed {seed}", flush=True)
    progress = Progress("check")
    display = Display("check")
    try:
        image = chosen_image("check", arguments.image, arguments.plain)
        _look_at(image, arguments.output)
        judge = _by_rules(arguments, image) if arguments.rules_only else _by_model(arguments, image, display)
        if not quiet:
            print(f"driver: {describe_driver(image)}", flush=True)
        report = judge(seed, progress)
        progress.end()
        display.end()
        report.write_files(arguments.output)
        if arguments.certificate is not None:
            verifying.write(arguments.certificate, report, captures_of(arguments.pcap))
    except (WintunSimError, OSError) as error:
        progress.end()
        display.end()
        if arguments.json is not None:
            write_json(_error(seed, error), arguments.json)
        raise
    if arguments.json is not None:
        write_json(report.to_json(), arguments.json)
    if not quiet:
        for line in report.lines():
            print(line)
    sys.stdout.flush()
    return 1 if report.verdict == "failed" else 0


Judge = Callable[[int, Watcher], "Report"]
"""Judges with a seed, and tells somebody how far it is."""


def _by_model(arguments: argparse.Namespace, image: Path | None, display: Display) -> Judge:
    from wintun_sim.check import DEFAULT_STEPS, check, vectors
    from wintun_sim.model import revision

    captures = captures_of(arguments.pcap)
    revision(arguments.revision)
    steps = arguments.steps or DEFAULT_STEPS
    return lambda seed, watcher: check(
        image,
        seed=seed,
        steps=steps,
        captures=captures,
        scenarios=vectors.everything(),
        jobs=arguments.jobs,
        watcher=watcher,
        revision=arguments.revision,
        schedules=_schedules(arguments, steps),
        deep=arguments.deep,
        explore_watcher=display,
    )


def _schedules(arguments: argparse.Namespace, steps: int) -> int:
    """Return how many schedules are tried: as many as asked for, else in proportion to the steps."""
    from wintun_sim.check import DEFAULT_STEPS
    from wintun_sim.check.campaign import DEEP_SCHEDULES, DEFAULT_SCHEDULES

    if arguments.schedules is not None:
        return int(arguments.schedules)
    if arguments.revision != "CURRENT":  # races are what most of the repairs are about: asked for, they are listed
        return 0
    if arguments.deep:
        return DEEP_SCHEDULES
    return max(min(DEFAULT_SCHEDULES * steps // DEFAULT_STEPS, DEFAULT_SCHEDULES), 1)


def _by_rules(arguments: argparse.Namespace, image: Path | None) -> Judge:
    from wintun_sim import native
    from wintun_sim.check.rules_only import DEFAULT_STEPS, check_rules
    from wintun_sim.errors import UsageError

    if arguments.pcap is not None or arguments.revision != "CURRENT" or arguments.certificate is not None:
        raise UsageError("check: --rules-only compares with no model; leave out --pcap, --revision and --certificate")
    return lambda seed, watcher: check_rules(
        image or native.driver_image(instrumented=True),
        seed=seed,
        steps=arguments.steps or DEFAULT_STEPS,
        jobs=arguments.jobs,
        watcher=watcher,
        schedules=_schedules_by_rules(arguments, arguments.steps or DEFAULT_STEPS),
    )


def _schedules_by_rules(arguments: argparse.Namespace, steps: int) -> int:
    from wintun_sim.check.rules_only import DEFAULT_STEPS
    from wintun_sim.check.rules_races import DEFAULT_SCHEDULES

    if arguments.schedules is not None:
        return int(arguments.schedules)
    return max(min(DEFAULT_SCHEDULES * steps // DEFAULT_STEPS, DEFAULT_SCHEDULES), 1)


def captures_of(files: list[Path] | None) -> dict[str, tuple[bytes, ...]]:
    """Read the captures to play: those that ship, or these. Raises ``UsageError`` for one without packets."""
    from wintun_sim.errors import UsageError
    from wintun_sim.integrations.pcap import read_packets, shipped_captures

    chosen = shipped_captures() if files is None else {str(path): path for path in files}
    captures = {name: tuple(packet.data for packet in read_packets(path).packets) for name, path in chosen.items()}
    for name, packets in captures.items():
        if not packets:
            raise UsageError(f"check: {name} has no IP packets to play; record some, or choose another capture")
    return captures


def _look_at(image: Path | None, output: Path) -> None:
    from wintun_sim.errors import UsageError

    if image is not None and not image.is_file():
        raise UsageError(f"check: there is no image {image}; wintun-sim build-driver makes one")
    if not output.is_dir():
        raise UsageError(f"check: there is no directory {output} for failing scenarios; make it, or choose another")


def _error(seed: int, error: Exception) -> dict[str, Any]:
    return {"verdict": "error", "seed": seed, "findings": [], "message": str(error), "counts": {}}
