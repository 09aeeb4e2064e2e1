"""What `wintun-sim check` does with certificates: writes one, or does again what one says."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wintun_sim.check.certificate import Json
    from wintun_sim.check.report import Report


def write(path: Path, report: Report, captures: Mapping[str, Sequence[bytes]]) -> None:
    """Write the certificate of a check. Raises ``OSError``."""
    from wintun_sim.check.certificate import certify

    path.write_text(json.dumps(certify(report, captures), indent=1) + "\n", encoding="utf-8")


def run(arguments: argparse.Namespace) -> int:
    """Verify a certificate: exit status 0 where it holds, 1 where it does not, 2 where it says nothing about this."""
    from wintun_sim.check.certificate import demand_comparable, load, slip
    from wintun_sim.cli.check import captures_of
    from wintun_sim.cli.output import chosen_image, write_json
    from wintun_sim.errors import UsageError

    path = arguments.verify
    if path is None:
        raise UsageError("check: --quick is about a certificate; name it with --verify FILE")
    if arguments.certificate is not None or arguments.rules_only:
        raise UsageError("check: --verify takes everything from the certificate; leave out --certificate, --rules-only")
    certificate = load(path)
    image = chosen_image("check", arguments.image, arguments.plain)
    captures = captures_of(arguments.pcap)
    wrong = slip(certificate)
    done = "its hash"
    if wrong is None:
        demand_comparable(certificate, str(path), image, captures)
        done, wrong = (_quickly if arguments.quick else _wholly)(arguments, certificate, image, captures)
    verdict = "passed" if wrong is None else "failed"
    if arguments.json is not None:
        write_json({"verdict": verdict, "checked": done, "message": wrong or ""}, arguments.json)
    if arguments.json != "-":
        print(f"seed {certificate['parameters']['seed']}")
        print(f"certificate of {certificate['image']['sha256'][:16]}…, which says: {certificate['result']['verdict']}")
        print(f"checked: {done}")
        print("PASSED" if wrong is None else f"FAILED certificate: {wrong}")
    return 0 if wrong is None else 1


def _quickly(
    arguments: argparse.Namespace, certificate: Json, image: Path | None, captures: Mapping[str, Sequence[bytes]]
) -> tuple[str, str | None]:
    from wintun_sim.check import default_jobs
    from wintun_sim.check.certificate import verify_quickly
    from wintun_sim.check.isolated import team

    with team(arguments.jobs or default_jobs()) as executor:
        count, wrong = verify_quickly(certificate, image, executor)
    return f"{count} of its scenarios, drawn from its hash", wrong


def _wholly(
    arguments: argparse.Namespace, certificate: Json, image: Path | None, captures: Mapping[str, Sequence[bytes]]
) -> tuple[str, str | None]:
    from wintun_sim.check import check, vectors
    from wintun_sim.check.certificate import first_difference, result_of
    from wintun_sim.cli.output import Display, Progress

    wanted = certificate["parameters"]
    progress, display = Progress("verify"), Display("verify")
    report = check(
        image,
        seed=wanted["seed"],
        steps=wanted["steps"],
        captures=captures,
        scenarios=vectors.everything(),
        jobs=arguments.jobs,
        watcher=progress,
        revision=wanted["revision"],
        schedules=wanted["schedules"],
        deep=wanted["deep"],
        explore_watcher=display,
    )
    progress.end()
    display.end()
    return "all of it, done again", first_difference(certificate["result"], result_of(report))
