"""What can go wrong with the fake adapter, by whose fault it is.

==========================  ===========================================================================================
``NtStatusError``           the adapter refused a client's request, as it would under Windows: part of what is tested
``RequestCancelled``        likewise, because the client itself cancelled the request
``IllegalCall``             the test did what Windows would never do; nothing changed
``Unclean``                 found when the adapter was closed: handles that the client left open, rules that were broken
``AdapterGone``             the adapter was closed, or its driver crashed: nobody is left to ask
``ClientWarning``           it works here, but not, or not as well, under Windows
==========================  ===========================================================================================
"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from concurrent.futures import CancelledError
from typing import Final

from wintun_sim import ndis
from wintun_sim.errors import WintunSimError

_ERRNO: Final = {
    2: errno.ENOENT,
    5: errno.EACCES,
    6: errno.EBADF,
}
"""How Python under Windows turns Win32 error codes into ``errno``; what is not here becomes EINVAL."""


class NtStatusError(OSError):
    """A request that ended with a status that is no success, as Windows reports it.

    ``status`` is the NTSTATUS, 0…0xFFFFFFFF (``wintun_sim.ndis`` has their names); ``winerror`` what GetLastError
    returns for it (``ndis.win32_of``); ``errno`` what Python makes of that under Windows; ``strerror`` names operation,
    adapter, state, reason and what to do.
    """

    def __init__(self, status: int, message: str) -> None:
        self.status = status & 0xFFFFFFFF
        winerror = ndis.win32_of(status)
        super().__init__(_ERRNO.get(winerror, errno.EINVAL), message)
        self.winerror = winerror

    def __str__(self) -> str:
        return str(self.strerror)

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.status, self.strerror)


class RequestCancelled(NtStatusError, CancelledError):
    """STATUS_CANCELLED after ``cancel()``: a request that its own client gave up.

    It is also the ``CancelledError`` that a future's users expect.
    """


class IllegalCall(WintunSimError):
    """The test asked for what Windows would never do in this state; nothing changed.

    The message names the operation, the state and the page that forbids it.
    """


class AdapterGone(WintunSimError):
    """The adapter was closed, or its driver crashed or hangs."""


class Unclean(WintunSimError):
    """What was found when the adapter was closed.

    ``leaked`` says of each handle that the client left open where it was opened; ``broken`` has the rules that the
    driver broke, each with what happened.
    """

    def __init__(self, leaked: Sequence[str], broken: Sequence[str]) -> None:
        self.leaked = tuple(leaked)
        self.broken = tuple(broken)
        super().__init__(self.leaked, self.broken)

    def __str__(self) -> str:
        return "\n".join((*self.leaked, *self.broken))


class ClientWarning(UserWarning):
    """The client does what works with the fake adapter and would not work so well under Windows."""
