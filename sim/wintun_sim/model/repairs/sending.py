"""Repairs taken back, of sends: which NBLs the adapter takes, which it drops, and what it says of them."""

from __future__ import annotations

from typing import Final

from wintun_sim.model.adapter import Adapter
from wintun_sim.model.core import Steps
from wintun_sim.model.limits import QUEUE_LIMIT
from wintun_sim.model.repairs.undefined import (
    CANCELLED_CURSOR,
    LOCK_HELD,
    UndefinedUpstream,
)
from wintun_sim.model.requests import SentNbl

STATUS_OF_SENDER: Final = 0x5A5A5A5A
"""What the host leaves in an NBL's Status before it sends it, so that one sees whether a driver sets it."""


class SendStatus(Adapter):
    """Success was never written into an NBL: one that was delivered, or empty, kept whatever its sender had left there.

    A sender that reads the status of its own NBL then reads its own leftovers. And of several failures the last one
    stayed, even over the verdict of a flush.
    """

    def fail(self, nbl: SentNbl, status: int) -> None:
        """Write the status, whatever was there."""
        nbl.status = status

    def complete_nbl(self, nbl: SentNbl) -> Steps:
        """Give the NBL back, and in its status what the sender had there if nothing failed."""
        nbl.status = nbl.status or STATUS_OF_SENDER
        yield from super().complete_nbl(nbl)


class OverflowCount(Adapter):
    """An NBL of which the last packet was in hand still counted against the limit of the queue.

    A queue that has room drops its oldest NBL because somebody is reading. Only calls at once can show it.
    """

    def is_full(self) -> bool:
        """Count the NBLs in hand too."""
        in_hand = sum(not nbl.queued for nbl in self.copying)
        return len(self.queue) + in_hand >= QUEUE_LIMIT


class OverflowOrder(Adapter):
    """A chain was queued whole before waiting reads were served, at the expense of its own head; nothing counted it.

    With reads at hand for everything, packets were lost, and no statistic told of it.
    """

    def should_make_room(self) -> bool:
        """Drop at once."""
        return False

    def drop_oldest(self) -> list[SentNbl]:
        """Drop without counting."""
        discards = self.discards_out
        dropped = super().drop_oldest()
        self.discards_out = discards
        return dropped


class CancelSend(Adapter):
    """To cancel an NBL that was half read left the queue's cursor inside it.

    The next read copies out of an NBL that the stack has back and may have freed.
    """

    def take_out(self, cancel_id: int) -> list[SentNbl]:
        """Take out what was not begun. Raises ``UndefinedUpstream`` for the NBL that the cursor is in."""
        if self.queue and self.queue[0].next and self.queue[0].cancel_id == cancel_id:
            nbl = self.queue[0]
            raise UndefinedUpstream(
                CANCELLED_CURSOR, f"NBL {nbl.operation}.{nbl.index} is half read and cancelled; the cursor stays in it"
            )
        return super().take_out(cancel_id)


class StalePackets(Adapter):
    """The send queue outlived the last close, and sends without a client were queued.

    The next client begins with what was meant for the one before, minutes or hours old.
    """

    def refuse_send(self) -> int:
        """Take packets whether anybody has the device open or not."""
        return self.refuse_traffic()

    def close_handle(self) -> list[SentNbl]:
        """Count a handle less, and let the queue be."""
        self.handles -= 1
        self.link_changes += self.handles == 0
        return []


class LockedCompletion(Adapter):
    """NBLs that were taken out of the queue went back to the stack under the queue's lock.

    A stack that sends from its completion handler comes back for that lock, on the processor that holds it.
    """

    def give_back(self, nbls: list[SentNbl]) -> Steps:
        """Complete NBLs. Raises ``UndefinedUpstream`` where the stack comes back in, for it never gets out again."""
        for nbl in nbls:
            if self.is_sent_again(nbl):
                which = f"NBL {nbl.operation}.{nbl.index}"
                raise UndefinedUpstream(LOCK_HELD, f"{which} goes back under the lock, and is sent again from there")
        yield from super().give_back(nbls)
