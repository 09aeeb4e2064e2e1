"""The host kernel: what Windows gives a miniport, in user mode, and the machine that plays operations on a driver."""

from wintun_sim.kernel.machine import DriverGone, DriverMachine, Fault

__all__ = ["DriverGone", "DriverMachine", "Fault"]
