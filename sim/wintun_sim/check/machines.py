"""Opens the two machines. The driver's is imported where it is needed: not every platform has one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from wintun_sim.errors import UnavailableError
from wintun_sim.operations import Event, Machine
from wintun_sim.scenario.scenario import Order


def open_model(order: Order, ndis: tuple[int, int]) -> Machine:
    """Open the model."""
    from wintun_sim.model import ModelMachine

    return ModelMachine(order=order, ndis=ndis)


def open_driver(image: Path | None, order: Order, ndis: tuple[int, int]) -> Machine:
    """Open a driver's image (default: the project's own) on the host kernel.

    Raises ``UnavailableError`` where there is no host kernel, ``UsageError`` for an image that cannot be used.
    """
    try:
        from wintun_sim.kernel import DriverMachine
    except ImportError as error:
        raise UnavailableError(
            f"driver: the host kernel is not built in here ({error}); it needs Unix and a C compiler when wintun-sim is"
            " installed; the model does without"
        ) from error
    return DriverMachine(image, order=order, ndis=ndis)


def inspect(machine: Machine) -> Sequence[Event]:
    """Let a machine that has memory of its own look for what was written where it must not be."""
    check = getattr(machine, "check", None)
    return check() if check is not None else ()
