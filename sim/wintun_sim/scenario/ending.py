"""What follows when all actors of a scenario are done: everything is taken down, so that what was lost shows.

First NDIS asks for the statistics, while all is as the actors left it. Then a read and a packet look whether the
adapter still works: what waits in its queue comes out, and nobody serves for ever. In the end the clients leave and
the stack pauses and halts each adapter and unloads each driver. The machine does each of these operations if the host
would do it then, and leaves it out if not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from wintun_sim import ndis
from wintun_sim.operations import (
    Cleanup,
    Close,
    Create,
    Halt,
    Initialize,
    Load,
    Nbl,
    Oid,
    OidKind,
    Operation,
    Pause,
    Read,
    Send,
    Unload,
)
from wintun_sim.operations.data import ipv4
from wintun_sim.scenario.scenario import Scenario

PROBE: Final = ipv4(33, 0xFFFF)
"""The packet that looks whether the adapter still works: no scenario of ours has another of this kind."""

_STATISTICS_LENGTH: Final = 152
"""sizeof(NDIS_STATISTICS_INFO), …/drivers/ddi/ntddndis/ns-ntddndis-_ndis_statistics_info."""


def ending(scenario: Scenario) -> tuple[Operation, ...]:
    """Return the operations that take down what a scenario sets up; their names begin with ``end``."""
    operations = tuple(scenario.operations())
    return tuple(_ending(operations, _namer({operation.name for operation in operations})))


def _namer(taken: set[str]) -> Callable[[str], str]:
    def name(wanted: str) -> str:
        while (wanted := f"end.{wanted}") in taken:
            pass
        return wanted

    return name


def _ending(operations: tuple[Operation, ...], name: Callable[[str], str]) -> Iterator[Operation]:
    adapters = [operation.name for operation in operations if isinstance(operation, Initialize)]
    handles = {operation.name: operation.adapter for operation in operations if isinstance(operation, Create)}
    for adapter in adapters:
        yield Oid(
            name=name(f"statistics.{adapter}"),
            adapter=adapter,
            kind=OidKind.STATISTICS,
            oid=ndis.OID_GEN_STATISTICS,
            length=_STATISTICS_LENGTH,
        )
    for adapter in adapters:
        for handle in (handle for handle, owner in handles.items() if owner == adapter):
            yield Read(name=name(f"read.{handle}"), handle=handle)
        yield Send(name=name(f"send.{adapter}"), adapter=adapter, nbls=(Nbl((PROBE,)),))
    for handle in handles:
        yield Cleanup(name=name(f"cleanup.{handle}"), handle=handle)
        yield Close(name=name(f"close.{handle}"), handle=handle)
    for adapter in adapters:
        yield Pause(name=name(f"pause.{adapter}"), adapter=adapter)
        yield Halt(name=name(f"halt.{adapter}"), adapter=adapter)
    for operation in operations:
        if isinstance(operation, Load):
            yield Unload(name=name(f"unload.{operation.name}"), driver=operation.name)
