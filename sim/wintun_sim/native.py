"""The compiled parts: imports an extension, refuses one of another version, and says which ones this installation has.

An extension that was built from other sources than the Python beside it would fail in ways that nobody can read, so its
version is compiled in and compared here, once, whenever one is imported.
"""

import importlib
from pathlib import Path
from types import ModuleType
from typing import Any

from wintun_sim import __version__
from wintun_sim.errors import UnavailableError

CODEC = "wintun_sim._codec"
HOST = "wintun_sim.kernel._host"


def load(name: str) -> tuple[Any, Any]:
    """Return the pair (ffi, lib) of the cffi extension `name`.

    Raises UnavailableError when the extension is not in this installation, or was built from another version.
    """
    module = _module(name)
    _compare(name, module.ffi.string(module.lib.WINTUN_SIM_VERSION).decode("ascii"))
    return module.ffi, module.lib


def load_module(name: str) -> Any:
    """Return the extension module `name`, which was written by hand and has a VERSION; raises what load() raises."""
    module = _module(name)
    _compare(name, module.VERSION)
    return module


def driver_image(*, instrumented: bool = False) -> Path:
    """Return the path of the driver image, plain or instrumented, that was built with this installation.

    Raises UnavailableError when there is none. The image lies beside the host kernel, which is not beside this file in
    an editable installation.
    """
    directory = _module(HOST).__file__
    assert directory is not None
    image = Path(directory).parent / "images" / ("wintun-instrumented.so" if instrumented else "wintun.so")
    if not image.is_file():
        raise UnavailableError(
            f"this installation was built without the driver image {image.name}: install the package again"
        )
    return image


def vectors() -> Path:
    """Return the directory of the codec's vectors. Raises UnavailableError when they were not installed."""
    directory = _module(CODEC).__file__
    assert directory is not None
    place = Path(directory).parent / "vectors"
    if not place.is_dir():
        raise UnavailableError("this installation was built without the codec's vectors: install the package again")
    return place


def built_in() -> dict[str, str]:
    """Return what this installation has: a word for each compiled part, "yes" or the reason why not."""
    parts: dict[str, str] = {}
    for label, name in (("codec", CODEC), ("host kernel", HOST)):
        try:
            load(name)
            parts[label] = "yes"
        except UnavailableError as error:
            parts[label] = f"no ({error})"
    try:
        driver_image()
        driver_image(instrumented=True)
        parts["driver image"] = "yes, instrumented (check and run use this one) and plain (with --plain)"
    except UnavailableError as error:
        parts["driver image"] = f"no ({error})"
    return parts


def _compare(name: str, built: str) -> None:
    if built != __version__:
        raise UnavailableError(
            f"{name} was built from wintun-sim {built}, but the Python code is {__version__}: install the package again"
        )


def _module(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise UnavailableError(f"{name} cannot be loaded: {error}") from error
