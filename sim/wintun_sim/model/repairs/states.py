"""Repairs taken back, of the life of an adapter: its link, its power, its shutdown and its halt."""

from __future__ import annotations

from wintun_sim import ndis
from wintun_sim.lifecycle import State
from wintun_sim.model.adapter import Adapter
from wintun_sim.model.core import Steps
from wintun_sim.model.repairs.undefined import (
    FREED_CONTEXT,
    HALTED_HANDLE,
    UndefinedUpstream,
)
from wintun_sim.model.requests import SentNbl, WriteRequest
from wintun_sim.operations import LinkChanged, PowerState, ShutdownAction


class LinkDuplicates(Adapter):
    """Every create and every close indicated the link as it was then, changed or not.

    Microsoft asks drivers to indicate changes alone (…/network/ndis-status-link-state). And two indications made at
    once could overtake each other, so that the last one was the wrong one.
    """

    def indicate_link(self) -> Steps:
        """Indicate what the handles say now."""
        connected = self.handles > 0
        yield "the handles were looked at; the link is to be indicated"
        self.events.append(LinkChanged(self.name, connected))
        yield "the link is indicated"


class LowPower(Adapter):
    """Any power state was accepted, and sleep changed nothing but that sends and writes were refused.

    NDIS wants what is queued back before the device sleeps (…/network/oid-pnp-set-power), and the stack waits for it.
    Values that are no power state were taken too: 0 for awake, what is beyond D3 for asleep.
    """

    def is_power_state(self, state: int) -> bool:
        """Take anything."""
        return True

    def set_power(self, state: int) -> Steps:
        """Store the state."""
        self.power = state
        yield "the power state is stored; what is queued stays queued"

    def refuse_traffic(self) -> int:
        """Take D0 and everything below for awake."""
        status = super().refuse_traffic()
        return (
            ndis.STATUS_SUCCESS if status == ndis.STATUS_NDIS_LOW_POWER_STATE and self.power < PowerState.D1 else status
        )


class Shutdown(Adapter):
    """A shutdown overwrote the state and did nothing else; a pause under way then found another state than its own.

    Such a pause never ends, nor does NDIS's wait for it. From then on a pause and a restart fail, which a pause never
    may (…/drivers/ddi/ndis/nc-ndis-miniport_pause).
    """

    def shutdown(self, operation: str, action: ShutdownAction) -> Steps:
        """Overwrite the state."""
        if action == ShutdownAction.POWER_OFF:
            self.state = State.SHUTDOWN
            yield "Shutdown: what is queued stays queued"
        self.returned(operation)

    def may_end_pause(self) -> bool:
        """End a pause only where nothing came between."""
        return super().may_end_pause() and self.state is State.PAUSING

    def pause(self, operation: str) -> Steps:
        """Fail unless Running."""
        if self.state is not State.RUNNING:
            yield "there is nothing to pause"
            self.returned(operation, ndis.NDIS_STATUS_FAILURE)
            return
        yield from super().pause(operation)

    def restart(self, operation: str) -> Steps:
        """Fail unless Paused."""
        if self.state is not State.PAUSED:
            yield "there is nothing to restart"
            self.returned(operation, ndis.NDIS_STATUS_FAILURE)
            return
        yield from super().restart(operation)


class Version(Adapter):
    """The driver registered for NDIS 6.30 at most, that of Windows 8: no later Windows gave it what had come since.

    Which Windows has which NDIS is listed at …/network/overview-of-ndis-versions.
    """

    newest_ndis = (6, 30)


class HaltRundown(Adapter):
    """Halt cancelled the waiting reads, unpublished the context and freed it, without waiting for those inside.

    They go on in memory that is no longer theirs. It takes one request that is late::

        a read                               halt
        sees that the device leads to the
        adapter, and goes in
                                             cancels the reads that wait
                                             unpublishes the adapter and frees it
        queues itself in the freed adapter

    And in any state but Paused halt returned without releasing anything: the device, the memory and the reads stayed
    behind, and with them the driver, until a reboot.
    """

    abandoned = False
    """NDIS has halted the adapter, and the adapter has not noticed."""

    def halt(self, operation: str) -> Steps:
        """Release all that a Paused adapter has. Raises ``UndefinedUpstream`` if somebody is inside."""
        if self.state is not State.PAUSED:
            self.abandoned = True
            yield "not Paused: nothing is released"
            self.returned(operation)
            return
        while self.reads:
            request = self.reads.popleft()
            yield "a read is taken out of the queue, which stays open"
            self.complete_read(request, ndis.STATUS_CANCELLED)
            yield "the read is cancelled"
        self.published = False
        yield "the adapter is unpublished; who is inside already does not see it"
        if self.rundown:
            raise UndefinedUpstream(FREED_CONTEXT, f"halt {operation} frees what {self.rundown} request(s) are using")
        self.returned(operation)

    def _call_up(self, what: str) -> None:
        if self.abandoned:
            raise UndefinedUpstream(HALTED_HANDLE, f"{what} of adapter {self.name}, whose halt was ignored")

    def indicate_link(self) -> Steps:
        """Raise ``UndefinedUpstream`` where NDIS has no such adapter any more."""
        self._call_up("a link indication")
        yield from super().indicate_link()

    def complete_nbl(self, nbl: SentNbl) -> Steps:
        """Raise ``UndefinedUpstream`` where NDIS has no such adapter any more."""
        self._call_up("a completed NBL")
        yield from super().complete_nbl(nbl)

    def receive(self, request: WriteRequest, packets: list[bytes]) -> Steps:
        """Raise ``UndefinedUpstream`` where NDIS has no such adapter any more."""
        self._call_up("a receive indication")
        yield from super().receive(request, packets)

    def key(self) -> tuple[object, ...]:
        """Add to the state that NDIS has forgotten the adapter."""
        return (*super().key(), self.abandoned)
