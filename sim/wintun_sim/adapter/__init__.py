r"""The fake adapter, for tests of programs that use Wintun: an ``Adapter``, its ``Stack``, a client's ``Handle``.

    with Adapter() as adapter, adapter.open() as handle:
        pending = handle.read()
        adapter.stack.send(packet)
        assert pending.result().packets == [packet]

It does what ``docs/adapter.md`` says, errors included, on the model or on the real driver. ``docs/client-tests.md``
shows how to test a client with it.
"""

from wintun_sim.adapter.adapter import Adapter, open
from wintun_sim.adapter.errors import (
    AdapterGone,
    ClientWarning,
    IllegalCall,
    NtStatusError,
    RequestCancelled,
    Unclean,
)
from wintun_sim.adapter.handle import BlockingHandle, Handle
from wintun_sim.adapter.request import ReadResult, Request
from wintun_sim.adapter.sent import Sent
from wintun_sim.adapter.stack import Stack

__all__ = [
    "Adapter",
    "open",
    "Handle",
    "BlockingHandle",
    "Request",
    "ReadResult",
    "Stack",
    "Sent",
    "NtStatusError",
    "RequestCancelled",
    "IllegalCall",
    "AdapterGone",
    "Unclean",
    "ClientWarning",
]
