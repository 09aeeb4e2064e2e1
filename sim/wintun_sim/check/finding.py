"""What a check finds, and what it is called."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from wintun_sim.operations import Event, OidCompleted, Operation
from wintun_sim.operations.outcome import Difference
from wintun_sim.operations.text import format_event, format_operation
from wintun_sim.scenario import Scenario, Step
from wintun_sim.scenario.scenario import Order

KINDS: Final = (
    *("outcome", "order", "counters", "attributes", "packets", "rule", "crash", "hang", "expectation", "repetition"),
)
"""What kinds of findings there are.

``outcome``: an entry of one of the five sequences differs, ``rule`` names the sequence. ``order``: two events came in
an order that no run may show. ``counters``: at rest the host counts otherwise than the model; ``rule`` is the counter.
``attributes``: the adapter told NDIS something wrong about itself; ``rule`` is the attribute.
``packets``: a packet was lost, doubled or changed on the way. ``rule``: a rule was broken, by its name. ``crash``: the
image ended its process, ``rule`` names the signal. ``hang``: it never came back. ``expectation``: a scenario expected
something else. ``repetition``: carried out twice, the same operations did not have the same effects.
"""

STATISTICS: Final = (
    "ifInDiscards",
    "ifInErrors",
    "ifHCInOctets",
    "ifHCInUcastPkts",
    "ifHCInMulticastPkts",
    "ifHCInBroadcastPkts",
    "ifHCOutOctets",
    "ifHCOutUcastPkts",
    "ifHCOutMulticastPkts",
    "ifHCOutBroadcastPkts",
    "ifOutErrors",
    "ifOutDiscards",
    "ifHCInUcastOctets",
    "ifHCInMulticastOctets",
    "ifHCInBroadcastOctets",
    "ifHCOutUcastOctets",
    "ifHCOutMulticastOctets",
    "ifHCOutBroadcastOctets",
)
"""The counters of an NDIS_STATISTICS_INFO, 64 bits each, behind 8 bytes of header
(learn.microsoft.com/windows-hardware/drivers/ddi/ntddndis/ns-ntddndis-_ndis_statistics_info)."""

_STATISTICS_SIZE: Final = 8 + 8 * len(STATISTICS)
_LONGEST: Final = 160


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, and the operations that show it, the last one being where it shows.

    ``kind`` says what kind of thing, ``rule`` which one of that kind, and ``message`` what happened, in a sentence.
    ``order`` and ``ndis`` are how the host called the driver, as in a Scenario.
    """

    kind: str
    rule: str
    message: str
    operations: tuple[Operation, ...]
    order: Order
    ndis: tuple[int, int]
    source: str = ""
    """The scenario that ships with the package and shows this by itself, where there is one."""
    revision: str = "CURRENT"
    """The revision of the adapter that the driver was held against."""

    def signature(self) -> tuple[str, str]:
        """What two findings of the same defect have in common, as far as one can tell."""
        return self.kind, self.rule

    def scenario(self) -> Scenario:
        """Return the operations as a scenario."""
        steps = tuple(Step(operation) for operation in self.operations)
        return Scenario(f"{self.kind}: {self.rule}", self.order, self.ndis, steps)


def shorten(text: str) -> str:
    """Make a text fit a line."""
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def say_operation(operation: Operation) -> str:
    """Write an operation, with its name where that is not its first word."""
    named = "" if operation.name == operation.verb else f"{operation.name}: "
    return shorten(f"{named}{format_operation(operation)}")


def say_event(event: Event | str | None) -> str:
    """Write an event, a refusal, or that there was none."""
    if event is None:
        return "nothing"
    return shorten(f"refused {event}" if isinstance(event, str) else format_event(event))


def say_difference(difference: Difference) -> str:
    """Write where two outcomes differ, the model's being the left one."""
    left, right = difference.left, difference.right
    if isinstance(left, OidCompleted) and isinstance(right, OidCompleted):
        wrong = _wrong_statistics(left.data, right.data)
        if wrong:
            return "; ".join(wrong)
    return f"the model gives '{say_event(difference.left)}', the driver '{say_event(difference.right)}'"


def say_unexpected(difference: Difference) -> str:
    """Write where an outcome, the right one, differs from what was expected."""
    return f"expected '{say_event(difference.left)}', but got '{say_event(difference.right)}'"


def _wrong_statistics(ours: bytes, theirs: bytes) -> list[str]:
    """Say which counters of two NDIS_STATISTICS_INFO differ; nothing if these are none."""
    if len(ours) != len(theirs) or len(ours) != _STATISTICS_SIZE or ours[:8] != theirs[:8]:
        return []
    return [
        f"{name} is {left} in the model, {right} in the driver"
        for name, (left,), (right,) in zip(
            STATISTICS, struct.iter_unpack("=Q", ours[8:]), struct.iter_unpack("=Q", theirs[8:]), strict=True
        )
        if left != right
    ]
