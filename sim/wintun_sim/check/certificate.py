"""A certificate: what a check did and what came of it, so that somebody else can check it again.

It holds the image's hash, the version, everything that the check's result depends on, the result itself with each
scenario's hash, algorithm, bound, schedules and outcomes, and a hash over all of that. Verifying means to do the check
again: the plan of a check follows from its seed and budgets, so a certificate cannot leave a scenario out, and a
number that was changed is not what comes of doing it again. The hash alone proves nothing, since anyone can compute
it; it tells a slip at once, and draws what a quick look does again, so that nobody knows beforehand what that will be.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any, Final

from wintun_sim import __version__
from wintun_sim.check.campaign import Piece, came_of, random_pieces, special_pieces
from wintun_sim.check.campaign import pieces as corpus_pieces
from wintun_sim.check.explore import Exploring, resolved
from wintun_sim.check.report import Report
from wintun_sim.errors import UsageError
from wintun_sim.trace.schedule import image_hash, scenario_hash

FORMAT: Final = "wintun-sim certificate 1"

MAX_SIZE: Final = 1 << 28
"""Bytes of a certificate that are read."""

SAMPLE: Final = 8
"""Scenarios that a quick look explores again."""

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Parameters:
    """What the result of a check depends on, beside the image and the version."""

    seed: int
    steps: int
    schedules: int
    deep: bool
    revision: str
    captures: tuple[tuple[str, str], ...]
    """Each capture that was played, by name, and a hash of its packets."""

    def to_json(self) -> Json:
        """Return them as an object."""
        return {
            "seed": self.seed,
            "steps": self.steps,
            "schedules": self.schedules,
            "deep": self.deep,
            "revision": self.revision,
            "captures": dict(self.captures),
        }


def parameters_of(report: Report, captures: Mapping[str, Sequence[bytes]]) -> Parameters:
    """Return what a report depends on."""
    campaign = report.campaign
    return Parameters(
        report.seed,
        report.planned,
        0 if campaign is None else campaign.schedules,
        campaign is not None and campaign.deep,
        report.revision,
        tuple((name, _hash_of_packets(packets)) for name, packets in sorted(captures.items())),
    )


def certify(report: Report, captures: Mapping[str, Sequence[bytes]]) -> Json:
    """Make the certificate of a check."""
    body: Json = {
        "format": FORMAT,
        "version": __version__,
        "image": {"sha256": image_hash(resolved(report.image)), "driver": _kind(report)},
        "parameters": parameters_of(report, captures).to_json(),
        "result": result_of(report),
    }
    return {**body, "sha256": digest(body)}


def result_of(report: Report) -> Json:
    """Return what came of a check, without what differs between two places where it is done."""
    whole = report.to_json()
    return {
        "verdict": whole["verdict"],
        "findings": [[found["kind"], found["rule"], found["message"]] for found in whole["findings"]],
        "counts": whole["counts"],
        "explored": whole["explored"],
    }


def digest(body: Json) -> str:
    """Hash a certificate's content, written in one way."""
    bare = {key: value for key, value in body.items() if key != "sha256"}
    text = json.dumps(bare, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def load(path: Path) -> Json:
    """Read a certificate, whoever wrote it. Raises ``UsageError`` for what is none, ``OSError`` for the file."""
    with open(path, "rb") as file:
        data = file.read(MAX_SIZE + 1)
    if len(data) > MAX_SIZE:
        raise UsageError(f"certificate: {path} has more than {MAX_SIZE:,} bytes")
    return parse(data, str(path))


def parse(data: bytes, source: str) -> Json:
    """Read the text of a certificate. Raises ``UsageError`` with the reason for what is none."""
    try:
        value = json.loads(data, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"certificate: {source} is not JSON: {error}") from None
    if not isinstance(value, dict) or value.get("format") != FORMAT:
        raise UsageError(f"certificate: {source} is not one of the format {FORMAT!r}; wintun-sim check writes them")
    _demand(value, source, {"version": str, "image": dict, "parameters": dict, "result": dict, "sha256": str})
    _demand(value["image"], source, {"sha256": str})
    kinds = {"seed": int, "steps": int, "schedules": int, "deep": bool, "revision": str, "captures": dict}
    _demand(value["parameters"], source, kinds)
    _demand(value["result"], source, {"verdict": str, "findings": list, "counts": dict})
    for name, most in (("seed", 1 << 64), ("steps", 1_000_000_001), ("schedules", 1_000_000_001)):
        if not 0 <= value["parameters"][name] < most:
            raise UsageError(f"certificate: {source}: {name} is {value['parameters'][name]}, which no check takes")
    return value


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no number")


def _demand(value: Json, source: str, kinds: Mapping[str, type]) -> None:
    for name, kind in kinds.items():
        if type(value.get(name)) is not kind:
            raise UsageError(f"certificate: {source}: {name!r} is missing, or not a {kind.__name__}")


def demand_comparable(
    certificate: Json, source: str, image: Path | None, captures: Mapping[str, Sequence[bytes]]
) -> None:
    """Demand the image, the version and the captures of a certificate. Raises ``UsageError`` with the reason."""
    ours = image_hash(resolved(image))
    theirs = certificate["image"]["sha256"]
    if theirs != ours:
        raise UsageError(
            f"certificate: {source} is of an image whose hash is {theirs[:16]}…, and that of {resolved(image).name} is"
            f" {ours[:16]}…: it says nothing about this driver"
        )
    if certificate["version"] != __version__:
        raise UsageError(
            f"certificate: {source} was made by wintun-sim {certificate['version']}, and this is {__version__}:"
            " two versions need not try the same; verify it with that one"
        )
    played = {name: _hash_of_packets(packets) for name, packets in captures.items()}
    if certificate["parameters"]["captures"] != played:
        raise UsageError(f"certificate: {source} is of other captures than these; name its own with --pcap")


def slip(certificate: Json) -> str | None:
    """Say where a certificate does not even agree with itself; None where it does."""
    if certificate["sha256"] != digest(certificate):
        return "its hash is not that of its content: something in it was changed"
    if certificate["result"]["verdict"] not in ("passed", "failed"):
        return f"its verdict is {certificate['result']['verdict']!r}"
    return None


def first_difference(claimed: object, found: object, where: str = "result") -> str | None:
    """Say where what a certificate claims is not what was found; None where it is the same."""
    if isinstance(claimed, dict) and isinstance(found, dict):
        for key in sorted(claimed.keys() | found.keys()):
            if key not in claimed or key not in found:
                return f"{where}.{key} is {'claimed' if key in claimed else 'missing'}"
            difference = first_difference(claimed[key], found[key], f"{where}.{key}")
            if difference is not None:
                return difference
        return None
    if isinstance(claimed, list) and isinstance(found, list) and len(claimed) == len(found):
        for place, (ours, theirs) in enumerate(zip(claimed, found, strict=True)):
            difference = first_difference(ours, theirs, f"{where}[{place}]")
            if difference is not None:
                return difference
        return None
    if claimed == found and type(claimed) is type(found):
        return None
    return f"{where} is claimed to be {_short(claimed)}, and is {_short(found)}"


def _short(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:59] + "…"


def verify_quickly(certificate: Json, image: Path | None, executor: Executor) -> tuple[int, str | None]:
    """Explore a few of a certificate's scenarios again, chosen by its hash; return how many, and what is wrong."""
    parameters = certificate["parameters"]
    explored = certificate["result"].get("explored")
    if explored is None:
        raise UsageError(
            "certificate: it is of a check that explored nothing, so there is no quick way; verify it whole"
        )
    claimed = explored.get("scenarios") if isinstance(explored, dict) else None
    if not isinstance(claimed, list) or not all(isinstance(entry, dict) for entry in claimed):
        return 0, "what it says of its scenarios makes no sense"
    plan = list(_plan(parameters, image, executor, claimed))
    if len(plan) != len(claimed):
        return 0, f"it claims {len(claimed)} scenarios, and a check with its seed explores others"
    for place, (entry, piece) in enumerate(zip(claimed, plan, strict=True)):
        if entry.get("sha256") != scenario_hash(piece.scenario) or entry.get("name") != piece.name:
            return 0, f"scenario {place + 1} is not the one that a check with its seed explores"
    chosen = Random(certificate["sha256"]).sample(range(len(plan)), min(SAMPLE, len(plan)))
    exploring = {place: Exploring(plan[place].scenario, resolved(image), plan[place].effort) for place in chosen}
    for each in exploring.values():
        each.revision = parameters["revision"]
        each.begin(executor)
    for place, each in sorted(exploring.items()):
        found = came_of(each.end())
        difference = first_difference({key: claimed[place].get(key) for key in found}, found, plan[place].name)
        if difference is not None:
            return len(chosen), difference
    return len(chosen), None


def _plan(parameters: Json, image: Path | None, executor: Executor, entries: Sequence[Json]) -> Iterator[Piece]:
    """Give the pieces that a check with these parameters explores, as many as are claimed of each kind."""
    seed = parameters["seed"]
    random = sum(entry.get("random") is True for entry in entries)
    corpus = corpus_pieces(seed, resolved(image), deep=parameters["deep"], schedules=parameters["schedules"])
    ordered = len(entries) - random
    yield from corpus[:ordered]
    if ordered > len(corpus):
        yield from islice(special_pieces(seed, image, executor), ordered - len(corpus))
    yield from islice(random_pieces(seed), random)


def _hash_of_packets(packets: Sequence[bytes]) -> str:
    whole = hashlib.sha256()
    for packet in packets:
        whole.update(len(packet).to_bytes(8, "little") + packet)
    return whole.hexdigest()


def _kind(report: Report) -> str:
    from wintun_sim.kernel import builder

    return builder.kind_of(resolved(report.image))
