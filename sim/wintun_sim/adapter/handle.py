"""What a client holds of an open device: a handle that makes futures, or one whose calls block.

Under Windows a client chooses when it opens the device: with FILE_FLAG_OVERLAPPED a request returns at once and may end
later, without it each call returns when its request has ended
(learn.microsoft.com/windows/win32/fileio/synchronous-and-asynchronous-i-o).

A blocking call waits for what another thread does: packets that the stack sends, ``cancel()``, ``close()``, a halt. The
calling thread holds no lock meanwhile. A pause does not wake it, as it does not cancel reads.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from wintun_sim.adapter.errors import ClientWarning
from wintun_sim.adapter.request import ReadResult, Request
from wintun_sim.adapter.switchboard import MAX_LENGTH, Switchboard
from wintun_sim.bundle import MIN_READ_SIZE, encode
from wintun_sim.operations import Read, Write

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

SERIALIZED: Final = (
    "under Windows this call would wait until the other request on this handle has ended, since a handle that was"
    " opened without FILE_FLAG_OVERLAPPED does one request after the other"
    " (devblogs.microsoft.com/oldnewthing/20130822-00/?p=3433); open with overlapped=True, or open a handle for each"
    " thread"
)


def caller() -> str:
    """Return file and line of the nearest caller outside of this package."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "wintun_sim":
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


class OpenDevice:
    """What both kinds of handle have in common; ``name`` is unlike that of any other handle of the adapter."""

    def __init__(self, switchboard: Switchboard, name: str) -> None:
        self.name = name
        self.opened_at = caller()
        self._switchboard = switchboard
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether the handle was closed."""
        return self._closed

    @property
    def pending(self) -> list[Request[Any]]:
        """The requests on this handle that are not complete, oldest first."""
        return self._switchboard.pending(self.name)

    def cancel(self) -> int:
        """Cancel all requests that are pending on this handle, as CancelIoEx does without an OVERLAPPED; return how
        many there were (learn.microsoft.com/windows/win32/fileio/cancelioex-func).
        """
        return self._switchboard.cancel_all(self.name)

    def close(self) -> None:
        """Close the handle: its reads end with STATUS_CANCELLED, and it counts no more. Closing again does nothing."""
        self._closed = True
        self._switchboard.close_handle(self.name)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "closed" if self.closed else "open"
        return f"<{type(self).__name__} of {self._switchboard.device}, {state}, opened at {self.opened_at}>"

    def _read(self, length: int) -> Request[ReadResult]:
        request: Request[ReadResult] = Request(self._switchboard.cancel)
        self._begin_read(request, length)
        return request

    def _begin_read(self, request: Request[ReadResult], length: int) -> None:
        if not 0 <= length <= MAX_LENGTH:
            raise ValueError(f"read: a buffer has 0 to {MAX_LENGTH} bytes, not {length}")
        name = self._switchboard.name("read")
        self._switchboard.submit(request, Read(name=name, handle=self.name, length=length))

    def _write(self, data: ReadableBuffer) -> Request[int]:
        request: Request[int] = Request(self._switchboard.cancel)
        name = self._switchboard.name("write")
        self._switchboard.submit(request, Write(name=name, handle=self.name, data=bytes(memoryview(data))))
        return request


class Handle(OpenDevice):
    """A handle opened for overlapped I/O: a request that is not refused at once is a future."""

    def read(self, length: int = MIN_READ_SIZE) -> Request[ReadResult]:
        """Read into a buffer of ``length`` bytes: 61,440 to 15,728,640; more of them take more packets, at most 256.

        The request ends when there are packets, or with STATUS_CANCELLED. Raises ``NtStatusError`` at once for other
        lengths and for a closed or halted device.
        """
        return self._read(length)

    def write(self, packets: Iterable[ReadableBuffer]) -> Request[int]:
        """Write a bundle of ``packets`` (0 to 256, each of at most 61,424 bytes); the result is the bytes consumed.

        Raises ``BundleError`` for packets that no bundle can carry, ``NtStatusError`` for a write that is refused: not
        Running, asleep, no packets, closed or halted. Writes end at once.
        """
        return self._write(encode(packets))

    def write_bundle(self, data: ReadableBuffer) -> Request[int]:
        """Write bytes as they are, a bundle or what is left of one; the result is the bytes consumed.

        They are fewer than ``data`` has if a record is over-long or cut short. Raises ``NtStatusError`` as ``write``,
        and for fewer than 16 or more than 15,728,640 bytes.
        """
        return self._write(data)


class BlockingHandle(OpenDevice):
    """A handle opened without FILE_FLAG_OVERLAPPED: each call returns when its request has ended."""

    def read(self, length: int = MIN_READ_SIZE, *, timeout: float | None = None) -> ReadResult:
        """Read as ``Handle.read``, and wait for the end.

        Raises what the request ended with. ``timeout``, in seconds, is for tests, as ReadFile has none: then the
        request is cancelled and ``TimeoutError`` raised.
        """
        self._warn_if_busy()
        request: Request[ReadResult] = Request(self._switchboard.cancel)
        try:
            self._begin_read(request, length)
            return request.result(timeout)
        except TimeoutError:
            if not request.cancel():
                return request.result()
            raise TimeoutError(f"read on {self._switchboard.device}: no packets within {timeout} s") from None
        except KeyboardInterrupt:
            request.cancel()
            raise

    def write(self, packets: Iterable[ReadableBuffer]) -> int:
        """Write as ``Handle.write`` and return the bytes consumed."""
        data = encode(packets)
        self._warn_if_busy()
        return self._write(data).result()

    def write_bundle(self, data: ReadableBuffer) -> int:
        """Write as ``Handle.write_bundle`` and return the bytes consumed."""
        self._warn_if_busy()
        return self._write(data).result()

    def _warn_if_busy(self) -> None:
        if self.pending:
            warnings.warn(SERIALIZED, ClientWarning, stacklevel=3)
