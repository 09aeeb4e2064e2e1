"""The pause of the driver before the commit from which CURRENT descends: it cut the client off.

That pause set the count of handles to 0, since it took a paused adapter for one without clients, and all requests were
refused until the restart, closes too. But a handle is the client's, and no pause closes it::

    the client        the stack        count    link
    opens                                  1    up
                      pauses               0    down
                      restarts             0    down
    closes                                -1    down
    opens                                  0    down

From here on the client has an open handle that counts for nothing. No two calls overlap, and none is wrong by itself:
nobody had thought of this order of them, until Microsoft's NDIS tests came along with a client that kept its handle.
"""

from __future__ import annotations

from wintun_sim import ndis
from wintun_sim.lifecycle import State
from wintun_sim.model.adapter import Adapter
from wintun_sim.model.core import Steps
from wintun_sim.model.requests import FileObject
from wintun_sim.operations import LinkChanged


class OldPause(Adapter):
    """No repair of ours, but what the commit before it was about: a pause cut the client off.

    All requests were refused while not Running or asleep, pending reads were cancelled, and the reference count was set
    to 0, whatever handles were open. A late close made it negative, and from then on an open device counted as closed:
    the link was down, and the stack never sent to a client that was there.
    """

    files = 0
    """File objects that are really open, which the reference count no longer tells."""

    def admit_request(self) -> bool:
        """Let a request in only where packets may flow."""
        return not self.refuse_traffic() and super().admit_request()

    def reject(self, operation: str, file: FileObject) -> None:
        """Complete a refused request with the reason."""
        if not self.published:
            super().reject(operation, file)
            return
        self.rundown += 1
        self.complete(operation, file, self.refuse_traffic())

    def open_handle(self) -> None:
        """Count the file object, and the reference."""
        self.files += 1
        super().open_handle()

    def open_files(self) -> int:
        """Return what the I/O manager knows, and the reference count does not."""
        return self.files

    def close(self, operation: str, file: FileObject) -> Steps:
        """Close; the file object is gone even if the close was refused, and the reference with it or not."""
        yield from super().close(operation, file)
        self.files -= 1

    def pause(self, operation: str) -> Steps:
        """Give back what is queued, cancel the reads of all handles, forget the handles."""
        if self.state is not State.RUNNING:
            yield "there is nothing to pause"
            self.returned(operation, ndis.NDIS_STATUS_FAILURE)
            return
        self.state = State.PAUSING
        flushed = self.flush(ndis.NDIS_STATUS_PAUSED)
        yield "Pausing: from here on nothing enters the queue"
        yield from self.give_back(flushed)
        while self.reads:
            request = self.reads.popleft()
            yield "a read that waits is taken out of the queue"
            self.complete_read(request, ndis.STATUS_CANCELLED)
        yield "no read waits any more"
        status = ndis.NDIS_STATUS_PENDING
        if self.may_end_pause():
            self.end_pause()
            status = ndis.NDIS_STATUS_SUCCESS
        else:
            self.pausing = operation
        yield "it is decided whether the pause is complete"
        self.returned(operation, status)

    def end_pause(self) -> None:
        """Forget the handles, and say that the link is down."""
        super().end_pause()
        self.handles = 0
        self.events.append(LinkChanged(self.name, False))

    def restart(self, operation: str) -> Steps:
        """Say it again, and go on."""
        if self.state is State.PAUSED:
            self.events.append(LinkChanged(self.name, self.handles > 0))
            yield "the link is indicated"
        yield from super().restart(operation)

    def key(self) -> tuple[object, ...]:
        """Add the open file objects to the state."""
        return (*super().key(), self.files)
