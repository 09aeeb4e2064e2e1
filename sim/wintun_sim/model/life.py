"""The life of an adapter: what NDIS calls to move it from state to state, and from one power state to another.

The theory is told in :mod:`wintun_sim.lifecycle`; here is what one adapter does about it. All of these handlers are
called at PASSIVE_LEVEL, one at a time; but sends, cancels, OID requests and all that clients do go on meanwhile, at any
``yield``, and a shutdown may come while a pause is pending.
"""

from __future__ import annotations

from wintun_sim import ndis
from wintun_sim.lifecycle import State
from wintun_sim.model.core import Core, Steps, Until
from wintun_sim.operations import LinkChanged, PowerState, ShutdownAction


class Life(Core):
    """The steps of initialize, restart, pause, power, removal, halt and shutdown."""

    __slots__ = ()

    def initialize(self, operation: str) -> Steps:
        """MiniportInitializeEx: the link is said to be disconnected, the device appears, the adapter is Paused.

        Once the device leads to the adapter clients come, before the adapter is Paused and even before NDIS knows that
        it is initialized: that is why the device comes last.
        """
        self.events.append(LinkChanged(self.name, False))
        yield "the link is indicated; there is no device yet"
        self.published = True
        yield "the device is registered and leads to the adapter"
        self.state = State.PAUSED
        yield "the adapter is Paused"
        self.returned(operation)

    def restart(self, operation: str) -> Steps:
        """MiniportRestart: packets may flow. Nothing else changes, and a shutdown is not undone.

        Nothing has to be taken up again, since the pause ended nothing but packets: the handles are open, the link is
        up, and reads that waited through the pause wait for the next packet.
        """
        if self.state is State.PAUSED:
            self.state = State.RESTARTING
        yield "Restarting: sends are still refused"
        if self.state is State.RESTARTING:
            self.state = State.RUNNING
        yield "Running"
        self.returned(operation)

    def pause(self, operation: str) -> Steps:
        """MiniportPause: what is queued goes back; what is under way ends by itself, and the pause with it.

        Queued NBLs would wait for the client, perhaps for ever, so they go back at once. What is under way waits for
        nobody: a copy ends, a send returns, the stack returns from an indication. If there is any of that left,
        somebody else will bring ``active`` to 0, and the pause is left to him in ``pausing`` (``leave`` in ``core``).

        To look at ``active`` and to leave the pause behind is one step, as it is one step there. Otherwise::

            pause                                a write
            sees that one transaction is left
                                                 brings active to 0, and finds no pause that waits
            leaves the pause in ``pausing``
            returns NDIS_STATUS_PENDING

        and NDIS waits for ever for NdisMPauseComplete. A shutdown may have come first: then the state stays Shutdown,
        and the pause ends all the same.
        """
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

    def set_power(self, state: int) -> Steps:
        """OID_PNP_SET_POWER to a valid state: low power returns when nothing is owned and nothing is under way.

        It asks of packets what a pause asks (…/network/oid-pnp-set-power). That page allows NDIS_STATUS_PENDING too;
        the adapter waits instead, since none of what it waits for waits for the client.
        """
        self.power = state
        if state == PowerState.D0:
            return
        flushed = self.flush(ndis.NDIS_STATUS_LOW_POWER_STATE)
        yield "low power: no send or write may come in"
        yield from self.give_back(flushed)
        yield Until("the power request waits for sends, writes and copies under way", self._nothing_active)

    def _nothing_active(self) -> bool:
        return self.active == 0

    def surprise_remove(self, operation: str) -> Steps:
        """MiniportDevicePnPEventNotify, of a surprise removal: there is no hardware to miss; pause and halt follow.

        The page wants what comes until the halt refused with NDIS_STATUS_NOT_ACCEPTED, and says "should"; this adapter
        is not gone before its halt, and serves it.
        """
        yield "the device is said to be gone"
        self.returned(operation)

    def halt(self, operation: str) -> Steps:
        """MiniportHaltEx: first nobody may wait any more, then nobody may come in, then everything goes.

        The order is the point. A read that waits holds the rundown, and its client may leave it there for ever; so
        reads are cancelled first, and the queue is closed in the same step, for a read that was admitted and is not in
        it yet. Then what is left inside waits for nobody, and the wait for the rundown ends without the client's help.
        Only then the adapter is freed, which nobody uses any more.

        Whoever comes later finds the rundown closed, which lives in the device's extension and not in the adapter. The
        client's handle stays open meanwhile: the driver's image can leave when it is closed, and not before.
        """
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
        """MiniportShutdownEx: for power-off what is queued goes back; in a bug check nothing may be touched.

        No halt follows and nothing is freed: the machine is about to go, and reads that wait may wait. But NDIS may be
        waiting for a pause or a power request when it comes, so the packets that these wait for are given back.
        """
        if action == ShutdownAction.POWER_OFF:
            self.state = State.SHUTDOWN
            flushed = self.flush(ndis.NDIS_STATUS_PAUSED)
            yield "Shutdown: no send or write may come in"
            yield from self.give_back(flushed)
            yield "nothing is queued any more; a pause or a power request under way may have ended by that"
        self.returned(operation)
