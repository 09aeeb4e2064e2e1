"""The Wintun adapter twice, as a readable model and as a real NDIS driver in C, and a judge that compares the two.

`wintun_sim.Adapter` is the fake adapter that tests of VPN clients use; `wintun_sim.bundle` codes and decodes what the
device file carries. The command line is `wintun-sim`. Importing this package loads nothing else.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wintun_sim.adapter import (
        Adapter,
        AdapterGone,
        BlockingHandle,
        ClientWarning,
        Handle,
        IllegalCall,
        NtStatusError,
        ReadResult,
        Request,
        RequestCancelled,
        Sent,
        Stack,
        Unclean,
        open,
    )

__version__ = "0.1.0"

__all__ = [
    "Adapter",
    "AdapterGone",
    "BlockingHandle",
    "ClientWarning",
    "Handle",
    "IllegalCall",
    "NtStatusError",
    "ReadResult",
    "Request",
    "RequestCancelled",
    "Sent",
    "Stack",
    "Unclean",
    "__version__",
    "open",
]


def __getattr__(name: str) -> Any:
    """Find the names of `wintun_sim.adapter` when they are first asked for."""
    if name in __all__:
        value = getattr(importlib.import_module("wintun_sim.adapter"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
