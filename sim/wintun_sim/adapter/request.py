"""A client's request that may take its time: a future, whose ``cancel`` is CancelIoEx."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TypeVar

from wintun_sim.adapter.errors import RequestCancelled

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class ReadResult:
    """What a read brought: ``data``, the bundle as the driver wrote it into the buffer, Information bytes of it."""

    data: bytes

    @property
    def packets(self) -> list[bytes]:
        """The packets in the bundle, in the order in which the stack sent them; at least one.

        Raises ``BundleError`` for bytes that are no bundle, which the project's own driver never writes.
        """
        from wintun_sim.bundle import BundleError, Reason, decode

        packets: list[bytes] = []
        rest = memoryview(self.data)
        while rest:
            part = decode(rest)
            if part.stop.reason not in (Reason.END, Reason.TOO_MANY):
                raise BundleError(f"read: the driver wrote what is no bundle: {part.stop}", part.stop)
            packets += part.tolist()
            rest = rest[part.consumed :]
        return packets


class Request(Future[Result]):
    """A read or a write. It can be given to ``concurrent.futures.wait``, and awaited with ``asyncio.wrap_future``.

    ``result()`` waits for the end and returns what the request brought, a :class:`ReadResult` or the bytes consumed, or
    raises ``NtStatusError``; with a timeout in seconds it may raise ``TimeoutError``, and the request goes on.
    """

    def __init__(self, cancel: Callable[[Request[Result]], None]) -> None:
        super().__init__()
        self._cancel_at_adapter = cancel
        self.set_running_or_notify_cancel()

    def cancel(self) -> bool:
        """Ask the driver to give the request up (learn.microsoft.com/windows/win32/fileio/cancelioex-func).

        Return whether it ended that way; ``result()`` then raises :class:`RequestCancelled`. One that is complete, or
        that another thread completes at this moment, keeps its result.
        """
        if not self.done():
            self._cancel_at_adapter(self)
        return self.cancelled()

    def cancelled(self) -> bool:
        """Tell whether the request ended because of ``cancel()``; one that halt or close ended has an error instead."""
        return self.done() and isinstance(self.exception(), RequestCancelled)
