"""Where the published driver does what nobody can foretell, and the model can say no more."""

from __future__ import annotations

from typing import Final

from wintun_sim.errors import WintunSimError


class UndefinedUpstream(WintunSimError):
    """The published driver did here what nobody can foretell: memory that is no longer its own decides what follows.

    ``place`` names where, in few words; docs/revisions.md has them all. Nothing that the model would say from there on
    would be worth comparing, so the run ends.
    """

    def __init__(self, place: str, message: str) -> None:
        super().__init__(f"undefined upstream, {place}: {message}")
        self.place = place

    def __reduce__(self) -> tuple[type[UndefinedUpstream], tuple[str, str]]:
        return type(self), (self.place, str(self).split(": ", 1)[1])


CANCELLED_CURSOR: Final = "cancelled cursor"
FREED_CONTEXT: Final = "freed context"
LOCK_HELD: Final = "lock held"
HALTED_HANDLE: Final = "halted handle"

PLACES: Final = {
    CANCELLED_CURSOR: "a half-read NBL is cancelled: the queue's cursor stays in an NBL that the stack has back",
    FREED_CONTEXT: "halt frees the adapter's context while requests are inside, which go on using it",
    LOCK_HELD: "an NBL goes back under the queue's lock, and the stack sends it again from there: it waits for itself",
    HALTED_HANDLE: "an adapter that ignored its halt calls NDIS with a handle that NDIS has freed",
}
"""Every place that raises :class:`UndefinedUpstream`."""
