"""Opens the two machines, and says which driver it is. Not every platform has a host kernel: it is imported late."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wintun_sim import native
from wintun_sim.errors import UnavailableError
from wintun_sim.operations import Event, Machine, Operation
from wintun_sim.scenario.scenario import Order

if TYPE_CHECKING:
    from wintun_sim.kernel.batch import BatchMachine
    from wintun_sim.model import ModelMachine

CURRENT: Final = "CURRENT"
"""The revision that a driver is held against where nothing else is said."""


def open_model(order: Order, ndis: tuple[int, int], revision: str = CURRENT) -> ModelMachine:
    """Open the model of a revision, named as ``wintun_sim.model.revision`` takes it. Raises ``UsageError``."""
    from wintun_sim import model

    return model.ModelMachine(order=order, ndis=ndis, revision=model.revision(revision))


def describe_driver(image: Path | None) -> str:
    """Say in a few words which driver an image is. Raises ``UnavailableError`` where there is no image of our own."""
    from wintun_sim.kernel import builder

    name = "the project's own" if image is None or image == native.driver_image() else str(image)
    kind = builder.kind_of(image or native.driver_image(instrumented=True))
    return f"{name}, {kind}" + ": wrong accesses to memory are seen late, or never" * (kind == "plain")


def is_instrumented(image: Path | None) -> bool:
    """Tell whether every access of an image to memory is seen. Raises ``UnavailableError`` as ``describe_driver``."""
    from wintun_sim.kernel import builder

    return builder.kind_of(image or native.driver_image(instrumented=True)) == "instrumented"


def driver_words(image: Path | None) -> list[str]:
    """Return what makes ``wintun-sim run`` take this image."""
    if image is None:
        return []
    return ["--plain"] if image == native.driver_image() else ["--image", str(image)]


def open_driver(image: Path | None, order: Order, ndis: tuple[int, int]) -> Machine:
    """Open a driver's image (default: the project's own, instrumented) on the host kernel.

    Raises ``UnavailableError`` where there is no host kernel, ``UsageError`` for an image that cannot be used.
    """
    try:
        from wintun_sim.kernel import DriverMachine
    except ImportError as error:
        raise _unavailable(error) from error
    return DriverMachine(image or native.driver_image(instrumented=True), order=order, ndis=ndis)


def open_batches(
    image: Path | None, letters: Sequence[Operation], aims: Sequence[str], order: Order, ndis: tuple[int, int]
) -> BatchMachine:
    """Open a driver's image as one that takes arrays of ``letters``; as ``open_driver``, whose errors it raises."""
    try:
        from wintun_sim.kernel.batch import BatchMachine
    except ImportError as error:
        raise _unavailable(error) from error
    return BatchMachine(image or native.driver_image(instrumented=True), letters, aims, order=order, ndis=ndis)


def _unavailable(error: ImportError) -> UnavailableError:
    return UnavailableError(
        f"driver: the host kernel is not built in here ({error}); it needs Unix and a C compiler when wintun-sim is"
        " installed; the model does without"
    )


def inspect(machine: Machine) -> Sequence[Event]:
    """Let a machine that has memory of its own look for what was written where it must not be."""
    check = getattr(machine, "check", None)
    return check() if check is not None else ()
