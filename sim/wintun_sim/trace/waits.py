"""Who holds up whom: an unload waits for the last open handle on a device of its driver.

The file object keeps the driver's code in memory (learn.microsoft.com/windows-hardware/drivers/ddi/wdm/
nf-wdm-iodeletedevice), so that a client that keeps its handle blocks an update; a person wants to know which one it is.
"""

from __future__ import annotations

from wintun_sim.lifecycle import Ledger
from wintun_sim.operations import Refused, Returned, Unload
from wintun_sim.trace.trace import Trace


def held_up(trace: Trace) -> list[str]:
    """Say of each unload of a trace that did not come at once which handles it waited for."""
    ledger = Ledger(trace.order)
    lines: list[str] = []
    for step in trace.steps:
        operation = step.operation
        if ledger.admit(operation) is None:
            for event in step.events:
                ledger.observe(event)
            ledger.end(operation)
        ended = any(
            isinstance(event, Returned | Refused) and event.operation == operation.name for event in step.events
        )
        handles = ledger.blocking_handles(operation.driver) if isinstance(operation, Unload) and not ended else []
        if handles:
            verb = "is" if len(handles) == 1 else "are"
            names = ", ".join(handles)
            lines.append(f"unload {operation.name}: the driver stays loaded until {names} {verb} closed")
    return lines
