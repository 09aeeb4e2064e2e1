"""Schedules: the choices of one run as one word that a person can paste into a shell.

::

    ws1.1f0c5a9be2d47c30.a2b7c4d91e5f6083.31a7b12.4c9e21
    |   |                |                |       checksum of what stands before it
    |   |                |                choices
    |   |                the scenario's hash
    |   the image's hash
    version of this format

A run is determined by the image, by the scenario and by what the host's one oracle answered: which of the actors that
could go on went on, and whatever else may happen either way. Option 0 is the usual answer (whoever runs goes on), so
only the others are written: how many answers 0 stand before it, and a letter for the option, ``a`` for 1. A capital
letter before it adds 26 for ``A``, 52 for ``B`` and so on. A number at the end says how many answers 0 follow, so that
a replay knows how many questions the run asked, and notices if it went another way. What is special about the run
follows behind a comma, a letter and a number each (``EXTRAS``): ``31a7b12,f3``.

A schedule means nothing for another image or another scenario: it carries a hash of each and is refused there.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Final

from wintun_sim.errors import UsageError
from wintun_sim.scenario import Scenario, format_scenario
from wintun_sim.scenario.scenario import Actor, Step

VERSION: Final = "ws1"
"""The version of this format, with which a schedule begins."""

HASH_DIGITS: Final = 16
"""Hexadecimal digits of a hash that a schedule carries: against mistakes, not against forgery."""

MAX_CHOICES: Final = 1_000_000
"""Choices of a run that can be written down; a run of a small scenario has some dozens."""

MAX_LENGTH: Final = 1 << 20
"""Characters of a schedule that are read at all."""

MAX_OPTION: Final = 254
"""The largest option; the host asks nothing with more than 255."""

EXTRAS: Final[Mapping[str, str]] = MappingProxyType({"f": "fault", "w": "writes"})
"""The letters behind a comma, and what each sets: the site at which an allocation fails, a client that writes."""

_CHECK_DIGITS: Final = 6
_ENTRY: Final = re.compile(r"([1-9][0-9]{0,6})?([A-I])?([a-z])")
_REST: Final = re.compile(r"[1-9][0-9]{0,6}|")
_EXTRA: Final = re.compile(r"([a-z])([1-9][0-9]{0,8})")
_HASH: Final = re.compile(rf"[0-9a-f]{{{HASH_DIGITS}}}")


@dataclass(frozen=True, slots=True)
class Schedule:
    """One run of one scenario on one image: ``choices`` are the options taken, in order.

    ``image`` and ``scenario`` are the first ``HASH_DIGITS`` digits of their hashes. ``fault`` is the number of the site
    that fails, from 1, and 0 where none does; ``writes`` is 1 where a client changes what it has written.
    """

    image: str
    scenario: str
    choices: tuple[int, ...]
    fault: int = 0
    writes: int = 0

    def __str__(self) -> str:
        """Write the schedule; ``parse_schedule`` reads the same one back."""
        fields = [_format_choices(self.choices)]
        fields += [f"{letter}{getattr(self, name)}" for letter, name in EXTRAS.items() if getattr(self, name)]
        body = ".".join((VERSION, self.image, self.scenario, ",".join(fields)))
        return f"{body}.{_checksum(body)}"

    def demand(self, image: Path, scenario: Scenario) -> None:
        """Demand that this is a schedule of that image and of that scenario. Raises ``UsageError`` with the reason."""
        ours = image_hash(image)[:HASH_DIGITS]
        if self.image != ours:
            raise UsageError(
                f"schedule: it was found with an image whose hash begins with {self.image}, but that of {image} begins"
                f" with {ours}: replay it on the image that it was found with, or explore this one again"
            )
        ours = scenario_hash(scenario)[:HASH_DIGITS]
        if self.scenario != ours:
            raise UsageError(
                f"schedule: it belongs to a scenario whose hash begins with {self.scenario}, but that of this one"
                f" begins with {ours}: name the scenario that it was found with, with the same order and NDIS version"
            )


def make_schedule(
    image: Path, scenario: Scenario, choices: Sequence[int], *, fault: int = 0, writes: int = 0
) -> Schedule:
    """Make the schedule of a run."""
    hashes = image_hash(image)[:HASH_DIGITS], scenario_hash(scenario)[:HASH_DIGITS]
    return Schedule(*hashes, tuple(choices), fault, writes)


def parse_schedule(text: str) -> Schedule:
    """Read a schedule, whoever wrote it. Raises ``UsageError`` with the reason for what is none."""
    if len(text) > MAX_LENGTH:
        raise _wrong(f"it has {len(text):,} characters, and no run needs more than {MAX_LENGTH:,}")
    fields = text.split(".")
    if fields[0] != VERSION:
        known = re.fullmatch(r"ws[0-9]{1,3}", fields[0])
        raise _wrong(
            f"it is of version {fields[0]}, but {VERSION} can be read here" if known else f"it begins with {VERSION}."
        )
    if len(fields) != 5:
        raise _wrong(f"it has {len(fields)} parts between dots, and not 5")
    body, _, checksum = text.rpartition(".")
    if checksum != _checksum(body):
        raise _wrong("its checksum does not fit, so a letter was lost or changed")
    if not all(map(_HASH.fullmatch, fields[1:3])):
        raise _wrong(f"a hash has {HASH_DIGITS} hexadecimal digits")
    choices, *extras = fields[3].split(",")
    found = Schedule(fields[1], fields[2], _parse_choices(choices), **_parse_extras(extras))
    if str(found) != text:
        raise _wrong("the same schedule is written otherwise")
    return found


def scenario_hash(scenario: Scenario) -> str:
    """Return a hash of what a scenario does, in hexadecimal: its title and what it expects do not count."""
    bare = replace(
        scenario,
        title="",
        setup=_bare(scenario.setup),
        actors=tuple(Actor(actor.name, _bare(actor.steps)) for actor in scenario.actors),
    )
    return hashlib.sha256(format_scenario(bare).encode()).hexdigest()


def image_hash(image: Path) -> str:
    """Return the hash of an image's file, in hexadecimal. Raises ``OSError``."""
    with open(image, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _bare(steps: Sequence[Step]) -> tuple[Step, ...]:
    return tuple(Step(step.operation) for step in steps)


def _wrong(reason: str) -> UsageError:
    return UsageError(f"schedule: {reason}; paste the whole word that wintun-sim printed")


def _checksum(body: str) -> str:
    return hashlib.sha256(body.encode(errors="surrogatepass")).hexdigest()[:_CHECK_DIGITS]


def _format_choices(choices: Sequence[int]) -> str:
    if len(choices) > MAX_CHOICES:
        raise ValueError(f"a schedule of {len(choices):,} choices cannot be written; {MAX_CHOICES:,} can")
    words: list[str] = []
    zeros = 0
    for choice in choices:
        if choice == 0:
            zeros += 1
            continue
        if not 0 < choice <= MAX_OPTION:
            raise ValueError(f"there is no option {choice}; the last one is {MAX_OPTION}")
        more, letter = divmod(choice - 1, 26)
        words.append(f"{zeros or ''}{chr(ord('A') + more - 1) if more else ''}{chr(ord('a') + letter)}")
        zeros = 0
    return "".join(words) + str(zeros) * bool(zeros) or "0"


def _parse_choices(text: str) -> tuple[int, ...]:
    if text == "0":
        return ()
    choices: list[int] = []
    place = 0
    while match := _ENTRY.match(text, place):
        zeros, more, letter = match.groups()
        choices += _zeros(zeros, len(choices))
        choice = 26 * (ord(more or "@") - ord("@")) + ord(letter) - ord("a") + 1
        if choice > MAX_OPTION:
            raise _wrong(f"it takes option {choice}, and the last one is {MAX_OPTION}")
        choices.append(choice)
        place = match.end()
    if not _REST.fullmatch(text, place):
        raise _wrong(f"its choices make no sense from letter {place + 1} on")
    return (*choices, *_zeros(text[place:], len(choices)))


def _zeros(count: str | None, before: int) -> list[int]:
    number = int(count or 0)
    if before + number > MAX_CHOICES:
        raise _wrong(f"it has more than {MAX_CHOICES:,} choices")
    return [0] * number


def _parse_extras(extras: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for extra in extras:
        match = _EXTRA.fullmatch(extra)
        if match is None or match[1] not in EXTRAS:
            raise _wrong(f"nothing is known that is called {extra[:20]!r}")
        found[EXTRAS[match[1]]] = int(match[2])
    return found
