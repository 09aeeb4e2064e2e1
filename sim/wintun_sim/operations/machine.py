"""What the model and the driver on the host kernel have in common: operations in, events out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from wintun_sim.operations.event import Event
from wintun_sim.operations.operation import Operation


@dataclass(frozen=True, slots=True)
class Counters:
    """What can be counted of one adapter from outside, at rest.

    ``nbls_owned``: NBLs lent to the adapter and not yet back; ``reads_pending``: IRP_MJ_READ requests not yet complete;
    ``handles``: file objects created on the live device object and not yet closed.
    """

    nbls_owned: int
    reads_pending: int
    handles: int


class Machine(Protocol):
    """Takes operations, one at a time, and gives the events of each."""

    def perform(self, operation: Operation) -> Sequence[Event]:
        """Carry out one operation until nothing can go on, and return what happened, in order.

        An operation that Windows would never do in this state changes nothing and gives one ``Refused``. A name that
        was never introduced (an unknown handle, adapter, request) raises ``ValueError``: scenarios are checked for
        that before they run.
        """

    def counters(self, adapter: str) -> Counters:
        """Count what ``adapter`` owns now."""

    def close(self) -> None:
        """Give everything back; the machine cannot be used afterwards."""
