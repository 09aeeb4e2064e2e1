"""The life of an adapter: what NDIS calls to move it from state to state, and from one power state to another."""

from __future__ import annotations

from wintun_sim import ndis
from wintun_sim.lifecycle import State
from wintun_sim.model.core import Core, Steps, Until
from wintun_sim.operations import LinkChanged, PowerState, ShutdownAction


class Life(Core):
    """The steps of initialize, restart, pause, halt, shutdown, removal and power."""

    __slots__ = ()

    def initialize(self, operation: str) -> Steps:
        """MiniportInitializeEx: the link is said to be disconnected, the device appears, the adapter is Paused."""
        self.events.append(LinkChanged(self.name, False))
        yield "the link is indicated; there is no device yet"
        self.published = True
        yield "the device is registered and leads to the adapter"
        self.state = State.PAUSED
        yield "the adapter is Paused"
        self.returned(operation)

    def restart(self, operation: str) -> Steps:
        """MiniportRestart: packets may flow. Nothing else changes, and a shutdown is not undone."""
        if self.state is State.PAUSED:
            self.state = State.RESTARTING
        yield "Restarting: sends are still refused"
        if self.state is State.RESTARTING:
            self.state = State.RUNNING
        yield "Running"
        self.returned(operation)

    def pause(self, operation: str) -> Steps:
        """MiniportPause: what is queued goes back; what is under way ends by itself, and the pause with it."""
        if self.state is State.RUNNING:
            self.state = State.PAUSING
        flushed = self.flush(ndis.NDIS_STATUS_PAUSED)
        yield "Pausing: from here on nothing enters the queue"
        yield from self.give_back(flushed)
        if self.may_end_pause():
            self.end_pause()
            status = ndis.NDIS_STATUS_SUCCESS
        else:
            self.pausing = operation
            status = ndis.NDIS_STATUS_PENDING
        yield "it is decided whether the pause is complete"
        self.returned(operation, status)

    def halt(self, operation: str) -> Steps:
        """MiniportHaltEx: first nobody may wait any more, then nobody may come in, then everything goes."""
        self.reads_closed = True
        while self.reads:
            request = self.reads.popleft()
            yield "the read queue is closed; a read is taken out of it"
            self.complete_read(request, ndis.STATUS_CANCELLED)
            yield "the read is cancelled"
        self.state = State.HALTED
        flushed = self.flush(ndis.NDIS_STATUS_PAUSED)
        yield "no send or write may come in"
        yield from self.give_back(flushed)
        self.rundown_closed = True
        yield Until("the rundown is closed; halt waits for requests that are inside", self._nobody_inside)
        self.published = False
        yield "the adapter is unpublished and freed; its device object remains while a handle is open"
        self.returned(operation)

    def _nobody_inside(self) -> bool:
        return self.rundown == 0

    def shutdown(self, operation: str, action: ShutdownAction) -> Steps:
        """MiniportShutdownEx: for power-off what is queued goes back; in a bug check nothing may be touched."""
        if action == ShutdownAction.POWER_OFF:
            self.state = State.SHUTDOWN
            flushed = self.flush(ndis.NDIS_STATUS_PAUSED)
            yield "Shutdown: no send or write may come in"
            yield from self.give_back(flushed)
            yield "nothing is queued any more; a pause or a power request under way may have ended by that"
        self.returned(operation)

    def surprise_remove(self, operation: str) -> Steps:
        """MiniportDevicePnPEventNotify: there is no hardware to miss; pause and halt follow."""
        yield "the device is said to be gone"
        self.returned(operation)

    def set_power(self, state: int) -> Steps:
        """OID_PNP_SET_POWER to a valid state: low power returns when nothing is owned and nothing is under way."""
        self.power = state
        if state == PowerState.D0:
            return
        flushed = self.flush(ndis.NDIS_STATUS_LOW_POWER_STATE)
        yield "low power: no send or write may come in"
        yield from self.give_back(flushed)
        yield Until("the power request waits for sends, writes and copies under way", self._nothing_active)

    def _nothing_active(self) -> bool:
        return self.active == 0
