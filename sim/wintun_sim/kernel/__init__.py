"""The host kernel: what Windows gives a miniport, in user mode, and the machine that plays operations on a driver.

The machine is imported when it is asked for: whoever wants the image builder alone should not wait for it.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wintun_sim.kernel.machine import Demand, DriverGone, DriverMachine, Fault, MachineFull

__all__ = ["Demand", "DriverGone", "DriverMachine", "Fault", "MachineFull"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from wintun_sim.kernel import machine

    return getattr(machine, name)
