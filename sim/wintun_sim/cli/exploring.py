"""What `wintun-sim run` does with a scenario that has actors: explore its schedules, or replay one."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from wintun_sim.cli import whole_number

if TYPE_CHECKING:
    from wintun_sim.check.diagnose import Replayed
    from wintun_sim.check.effort import Effort
    from wintun_sim.check.isolated import Death
    from wintun_sim.scenario import Scenario

MOST_JOBS: Final = 256

ANY: Final = "any"
"""What ``--bound`` takes for any number of preemptions."""


def _bound(text: str) -> int | None:
    return None if text == ANY else whole_number(0, 1000)(text)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what is about schedules to the command line of `run`."""
    group = parser.add_argument_group(
        "scenarios with actors", "Their operations happen at once, on a driver's image, in an order that is chosen."
    )
    group.add_argument("--explore", action="store_true", help="try every schedule, or as many as were asked for")
    group.add_argument(
        "--strategy",
        choices=("depth-first", "reduced", "random", "pct"),
        help="which schedules are tried; default: depth-first",
    )
    group.add_argument(
        "--bound", type=_bound, default=2, metavar="N", help="depth-first: preemptions at most, or any; default: 2"
    )
    group.add_argument(
        "--depth", type=whole_number(1, 100), default=3, metavar="N", help="pct: the depth of bugs; default: 3"
    )
    group.add_argument(
        "--runs", type=whole_number(1, 1_000_000_000), metavar="N", help="schedules at most; default: 50,000"
    )
    group.add_argument(
        "--seed", type=whole_number(0, (1 << 64) - 1), default=0, metavar="N", help="of random choices; default: 0"
    )
    group.add_argument(
        "--fault", type=whole_number(1, 1000), metavar="N", help="let the call number N that may fail do so, once a run"
    )
    group.add_argument(
        "--client-writes", action="store_true", help="let a client change what a driver reads from its buffer twice"
    )
    group.add_argument(
        "--jobs", type=whole_number(1, MOST_JOBS), metavar="N", help="worker processes; default: one a processor"
    )
    group.add_argument(
        "--output", type=Path, default=Path(), metavar="DIR", help="where the scenarios of findings are written"
    )
    group.add_argument("--replay", metavar="SCHEDULE", help="carry out the one schedule that a finding printed")
    group.add_argument(
        "--gdb", action="store_true", help="with --replay: under gdb, which stops where the finding shows"
    )


def wants(arguments: argparse.Namespace) -> bool:
    """Tell whether schedules are asked for."""
    return arguments.explore or arguments.replay is not None or arguments.gdb


def run(arguments: argparse.Namespace, scenario: Scenario) -> int:
    """Explore the scenario, or replay a schedule of it."""
    from wintun_sim.cli.output import chosen_image
    from wintun_sim.errors import UsageError

    if arguments.explore and arguments.replay is not None:
        raise UsageError("run: --explore tries schedules and --replay carries out one; choose")
    if arguments.gdb and arguments.replay is None:
        raise UsageError("run: --gdb stops where a finding shows; say which, with --replay SCHEDULE")
    image = chosen_image("run", arguments.image, arguments.plain)
    if arguments.gdb:
        return _debug(arguments, scenario, image)
    return _replay(arguments, scenario, image) if arguments.replay is not None else _explore(arguments, scenario, image)


def effort_of(arguments: argparse.Namespace) -> Effort:
    """Return what the command line asks for."""
    from wintun_sim.check.effort import DEFAULT_RUNS, Effort

    return Effort(
        arguments.strategy or "depth-first",
        bound=arguments.bound,
        depth=arguments.depth,
        runs=arguments.runs or DEFAULT_RUNS,
        seed=arguments.seed,
        fault=arguments.fault or 0,
        writes=int(arguments.client_writes),
        shared=True,
        rules_only=arguments.rules_only,
    )


def _explore(arguments: argparse.Namespace, scenario: Scenario, image: Path | None) -> int:
    from wintun_sim.check.exploring import explore_and_explain
    from wintun_sim.check.isolated import team
    from wintun_sim.check.machines import describe_driver
    from wintun_sim.check.main import default_jobs
    from wintun_sim.cli.output import Progress, write_json
    from wintun_sim.errors import UsageError

    if not arguments.output.is_dir():
        raise UsageError(f"run: there is no directory {arguments.output} for findings; make it, or choose another")
    quiet = arguments.json == "-"
    if not quiet:
        print(f"seed {arguments.seed}", flush=True)
        print(f"driver: {describe_driver(image)}", flush=True)
    progress = Progress("explore", "shards")
    name = Path(arguments.scenario).stem if arguments.scenario != "-" else "scenario"
    with team(arguments.jobs or default_jobs()) as executor:
        report = explore_and_explain(
            name,
            scenario,
            image,
            effort_of(arguments),
            executor,
            seed=arguments.seed,
            revision=arguments.revision,
            watcher=progress,
        )
    progress.end()
    for race in report.races:
        race.write(arguments.output)
    if arguments.json is not None:
        write_json(report.to_json(), arguments.json)
    if not quiet:
        for line in report.lines():
            print(line)
    return 1 if report.explored.discoveries else 0


def _replay(arguments: argparse.Namespace, scenario: Scenario, image: Path | None) -> int:
    from wintun_sim.check.explain import property_of
    from wintun_sim.check.isolated import Death
    from wintun_sim.check.machines import describe_driver
    from wintun_sim.cli.output import write_json

    done = _replayed(arguments, scenario, image)
    findings: list[dict[str, Any]] = []
    if isinstance(done, Death):
        findings.append({"kind": done.kind, "rule": done.reason, "message": "the driver's process ended"})
        picture: tuple[str, ...] = ()
    else:
        findings += [{"kind": w.kind, "rule": w.rule, "message": w.message} for w in done.wrong]
        picture = done.picture
    if arguments.json is not None:
        verdict = "failed" if findings else "passed"
        write_json({"verdict": verdict, "findings": findings, "explanation": list(picture)}, arguments.json)
    if arguments.json != "-":
        print(f"driver: {describe_driver(image)}\n")
        print("\n".join(picture), end="\n\n")
        for finding in findings:
            print(f"FAILED {finding['kind']} {finding['rule']}: {finding['message']}")
        for wrong in () if isinstance(done, Death) else done.wrong[:1]:
            if property_of(wrong.kind, wrong.rule):
                print(f"  must hold: {property_of(wrong.kind, wrong.rule)}")
        if not findings:
            print("PASSED")
    return 1 if findings else 0


def _replayed(arguments: argparse.Namespace, scenario: Scenario, image: Path | None) -> Replayed | Death:
    from wintun_sim.check.diagnose import replay
    from wintun_sim.check.effort import Effort
    from wintun_sim.check.explore import resolved
    from wintun_sim.check.isolated import isolated
    from wintun_sim.trace.schedule import parse_schedule

    schedule = parse_schedule(arguments.replay)
    schedule.demand(resolved(image), scenario)
    effort = Effort(fault=schedule.fault, writes=schedule.writes, rules_only=arguments.rules_only)
    # Under a debugger the run has to be in the process that is debugged.
    if os.environ.get(_HERE):
        return replay(scenario, resolved(image), schedule.choices, effort, arguments.revision)
    return isolated(replay, scenario, resolved(image), schedule.choices, effort, arguments.revision)


_HERE: Final = "WINTUN_SIM_REPLAY_HERE"


def _debug(arguments: argparse.Namespace, scenario: Scenario, image: Path | None) -> int:
    """Become gdb, with this command as what it debugs."""
    from wintun_sim.check.isolated import Death
    from wintun_sim.errors import UsageError

    gdb = shutil.which("gdb")
    if gdb is None:
        raise UsageError("run: --gdb needs gdb, and there is none here; install it, or replay without --gdb")
    done = _replayed(arguments, scenario, image)
    stop = "wintun_sim_finding"
    if not isinstance(done, Death) and done.stop and all(wrong.place is None for wrong in done.wrong):
        stop = done.stop
        print(f"no event shows what is wrong: gdb stops at {stop}, where an actor had to stand still", flush=True)
    own = [word for word in sys.argv[1:] if word != "--gdb"]
    os.environ[_HERE] = "1"
    sys.stdout.flush()
    commands = [
        *("-ex", "set breakpoint pending on", "-ex", "set confirm off", "-ex", "set pagination off"),
        *("-ex", "handle SIGUSR1 SIGPROF SIGALRM SIGVTALRM nostop noprint pass"),
        *("-ex", f"break {stop}", "-ex", "run"),
    ]
    os.execv(gdb, [gdb, "-q", *commands, "--args", sys.executable, "-m", "wintun_sim", *own])
