"""`wintun-sim bench`: how fast the parts are, each measured side by side with what it is to be compared with."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, TypeVar

from wintun_sim.cli import whole_number

if TYPE_CHECKING:
    from wintun_sim.bench.figure import Figure
    from wintun_sim.bench.measure import Row

Measured = TypeVar("Measured", "Row", "Figure")


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the command."""
    parser = subparsers.add_parser("bench", help="measure how fast a part is", allow_abbrev=False)
    subjects = parser.add_subparsers(title="subjects", metavar="SUBJECT", required=True)
    codec = subjects.add_parser(
        "codec",
        help="the bundle codec, in C and in Python",
        description="Measures the bundle codec against memcpy, an unchecked walk, pure Python, construct (if it is "
        "installed) and scapy, and prints medians, targets and verdicts. Exit status 0: all targets met; 1: some were "
        "missed.",
        allow_abbrev=False,
    )
    rounds, megabytes = whole_number(1, 1_000_000), whole_number(1, 65_536)
    codec.add_argument("--rounds", type=rounds, default=101, metavar="N", help="measurements of each (default 101)")
    codec.add_argument(
        "--megabytes",
        type=megabytes,
        default=256,
        metavar="N",
        help="bundles that are read from memory, a few times the last cache (default 256; needs twice that)",
    )
    codec.add_argument(
        "--json", nargs="?", const="-", metavar="FILE", help="write the rows as JSON (default: to stdout)"
    )
    codec.set_defaults(function=run_codec)
    driver = subjects.add_parser(
        "driver",
        help="packets through the driver and the host kernel, beside a Linux TUN device",
        description="Measures packets through the driver's plain image and the host kernel, both directions, against "
        "a Linux TUN device in the same run where one can be opened, and prints medians, targets and verdicts; then "
        "what an adapter's life and a write of one packet take. Exit status 0: no target missed; 1: some were.",
        allow_abbrev=False,
    )
    driver.add_argument("--rounds", type=rounds, default=101, metavar="N", help="measurements of each (default 101)")
    driver.add_argument(
        "--json", nargs="?", const="-", metavar="FILE", help="write the rows as JSON (default: to stdout)"
    )
    driver.set_defaults(function=run_driver)
    explore = subjects.add_parser(
        "explore",
        help="schedules of the driver a second, and what a scheduling point costs",
        description="Measures whole runs of one concurrent scenario on the driver's plain and instrumented image, a "
        "scheduling point against swapcontext, and two workers against one, and prints medians, targets and verdicts. "
        "Exit status 0: all targets met; 1: some were missed.",
        allow_abbrev=False,
    )
    explore.add_argument("--rounds", type=rounds, default=11, metavar="N", help="measurements of each (default 11)")
    explore.add_argument(
        "--runs", type=rounds, default=50_000, metavar="N", help="runs in each measurement (default 50,000)"
    )
    explore.add_argument(
        "--json", nargs="?", const="-", metavar="FILE", help="write the figures as JSON (default: to stdout)"
    )
    explore.set_defaults(function=run_explore)
    judge = subjects.add_parser(
        "judge",
        help="operations of the judge a second: fast walks beside hypothesis' state machine",
        description="Measures how many operations a second are judged by random walks, by fast walks and by the state "
        "machine of hypothesis, on the driver's instrumented image, and prints medians, targets and verdicts. Exit "
        "status 0: all targets met; 1: some were missed.",
        allow_abbrev=False,
    )
    judge.add_argument("--rounds", type=rounds, default=3, metavar="N", help="measurements of each (default 3)")
    judge.add_argument(
        "--steps",
        type=whole_number(1, 1_000_000_000),
        default=500_000,
        metavar="N",
        help="operations of a fast walk at first, and further on, in each order (default 500,000)",
    )
    judge.add_argument(
        "--json", nargs="?", const="-", metavar="FILE", help="write the figures as JSON (default: to stdout)"
    )
    judge.set_defaults(function=run_judge)


def run_codec(arguments: argparse.Namespace) -> int:
    """Print the table; the exit status is 1 when a target was missed."""
    from wintun_sim.bench import others
    from wintun_sim.bench.codec import measure
    from wintun_sim.bench.measure import table
    from wintun_sim.cli.output import write_json

    rows = _collect(measure(arguments.rounds, arguments.megabytes))
    verdicts = [row.verdict for row in rows]
    missed, reason = verdicts.count("missed"), others.missing()
    if arguments.json is not None:
        value = {
            "rounds": arguments.rounds,
            "missed": missed,
            "not_measured": reason or None,
            "rows": [row.as_json() for row in rows],
        }
        write_json(value, arguments.json)
    if arguments.json == "-":
        return int(missed > 0)
    print(f"Medians of {arguments.rounds} rounds, times in nanoseconds per packet.\n")
    print(table(rows))
    print(f"\n{verdicts.count('met')} of {missed + verdicts.count('met')} targets met.")
    if reason:
        print(f"construct was not measured: {reason}.")
    return int(missed > 0)


def run_driver(arguments: argparse.Namespace) -> int:
    """Print the tables; the exit status is 1 when a target was missed."""
    from wintun_sim.bench.driver import durations, measure
    from wintun_sim.bench.measure import table
    from wintun_sim.bench.tun import Tun
    from wintun_sim.cli.output import write_json
    from wintun_sim.errors import UnavailableError

    reason = None
    with contextlib.ExitStack() as stack:
        tun = None
        try:
            tun = stack.enter_context(Tun())
        except UnavailableError as error:
            reason = str(error)
        rows = _collect(measure(arguments.rounds, tun))
    times = list(durations(arguments.rounds))
    verdicts = [row.verdict for row in rows]
    missed = verdicts.count("missed")
    if arguments.json is not None:
        value = {
            "rounds": arguments.rounds,
            "missed": missed,
            "not_measured": reason,
            "rows": [row.as_json() for row in rows],
            "durations": [asdict(each) for each in times],
        }
        write_json(value, arguments.json)
    if arguments.json == "-":
        return int(missed > 0)
    print(f"Medians of {arguments.rounds} rounds, times in nanoseconds per packet.\n")
    print(table(rows))
    if reason is None:
        print(f"\n{verdicts.count('met')} of {missed + verdicts.count('met')} targets met.\n")
    else:
        print(f"\nThe TUN device's side was not measured: {reason}.\n")
    width = max(len(each.subject) for each in times)
    for each in times:
        print(f"{each.subject.ljust(width)}  {each.microseconds:8.2f} µs")
    return int(missed > 0)


def run_explore(arguments: argparse.Namespace) -> int:
    """Print the table; the exit status is 1 when a target was missed."""
    from wintun_sim.bench.explore import measure

    figures = _collect(measure(arguments.rounds, arguments.runs))
    return _show(figures, arguments, "runs", arguments.runs)


def run_judge(arguments: argparse.Namespace) -> int:
    """Print the table; the exit status is 1 when a target was missed."""
    from wintun_sim.bench.judge import measure

    figures = _collect(measure(arguments.rounds, arguments.steps))
    return _show(figures, arguments, "steps", arguments.steps)


def _show(figures: Sequence[Figure], arguments: argparse.Namespace, unit: str, count: int) -> int:
    """Print figures, each measured in rounds of ``count`` units; return the exit status."""
    from wintun_sim.bench.figure import table
    from wintun_sim.cli.output import write_json

    verdicts = [figure.verdict for figure in figures]
    missed = verdicts.count("missed")
    if arguments.json is not None:
        value = {
            "rounds": arguments.rounds,
            unit: count,
            "missed": missed,
            "figures": [figure.as_json() for figure in figures],
        }
        write_json(value, arguments.json)
    if arguments.json == "-":
        return int(missed > 0)
    print(f"Medians of {arguments.rounds} rounds of {count:,} {unit}.\n")
    print(table(figures))
    print(f"\n{verdicts.count('met')} of {missed + verdicts.count('met')} targets met.")
    return int(missed > 0)


def _collect(measured: Iterator[Measured]) -> list[Measured]:
    """Return the rows; on a terminal, count them while they are made."""
    rows = []
    for row in measured:
        rows.append(row)
        if sys.stderr.isatty():
            print(f"\r{len(rows)} measured", end="", file=sys.stderr)
    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr)
    return rows
