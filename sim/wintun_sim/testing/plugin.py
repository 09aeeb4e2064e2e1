"""The pytest plugin: fixtures with a fake adapter, for tests of programs that use Wintun.

====================  =================================================================================================
``wintun_adapter``    an adapter that is Running, with a stack above it; closed when the test is over
``wintun_adapters``   makes further ones: ``wintun_adapters(order="raw")``; it takes what ``wintun_sim.Adapter`` takes
``wintun_machine``    "model" or "driver", as ``--wintun-machine`` says; for ``Adapter(wintun_machine)``, where no
                      fixture fits: one adapter for each example of a hypothesis test
====================  =================================================================================================

With ``--wintun-machine=both``, each test that uses one of them runs twice. A test that leaves a handle open, or whose
driver breaks a rule, has an error at its teardown that says so.

Every pytest of an environment imports this file, so it imports nothing but pytest until a fixture is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final, Literal

import pytest

if TYPE_CHECKING:
    from wintun_sim.adapter import Adapter

MACHINES: Final = ("model", "driver")
"""What ``--wintun-machine`` can choose, and what "both" stands for."""


class AdapterFactory:
    """Makes adapters for one test, and closes them when it is over. ``wintun_adapters`` is one."""

    def __init__(self, machine: Literal["model", "driver"]) -> None:
        self.machine = machine
        self.adapters: list[Adapter] = []

    def __call__(self, machine: Any = None, **options: Any) -> Adapter:
        """Make an adapter on the machine that ``--wintun-machine`` chose, or another; see ``wintun_sim.Adapter``."""
        from wintun_sim.adapter import Adapter

        adapter = Adapter(self.machine if machine is None else machine, **options)
        self.adapters.append(adapter)
        return adapter

    def close(self) -> list[str]:
        """Close all adapters, the youngest first; return what was found, in words."""
        from wintun_sim.adapter import Unclean

        found: list[str] = []
        for adapter in reversed(self.adapters):
            try:
                adapter.close()
            except Unclean as error:
                found.append(str(error))
        return found


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--wintun-machine``."""
    parser.getgroup("wintun-sim", "fake Wintun adapter").addoption(
        "--wintun-machine",
        choices=(*MACHINES, "both"),
        default="model",
        help="what plays the adapter of the wintun_adapter fixtures: the model in Python (default), the real driver on"
        " the host kernel, or each in turn",
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test on both machines if that is asked for, unless it says itself on which it runs."""
    if "wintun_machine" not in metafunc.fixturenames or metafunc.config.getoption("wintun_machine") != "both":
        return
    for mark in metafunc.definition.iter_markers("parametrize"):
        names = mark.args[0] if mark.args else mark.kwargs.get("argnames", ())
        if "wintun_machine" in (names.replace(" ", "").split(",") if isinstance(names, str) else names):
            return
    metafunc.parametrize("wintun_machine", MACHINES, indirect=True, scope="session")


@pytest.fixture(scope="session")
def wintun_machine(request: pytest.FixtureRequest) -> Literal["model", "driver"]:
    """Return which machine ``--wintun-machine`` chose for this test: "model" or "driver"."""
    chosen = request.config.getoption("wintun_machine")
    machine: Literal["model", "driver", "both"] = getattr(request, "param", chosen)
    if machine == "both":
        pytest.fail("--wintun-machine=both needs tests that name a wintun fixture as an argument", pytrace=False)
    if machine == "driver":
        from wintun_sim import native
        from wintun_sim.errors import UnavailableError

        try:
            native.load(native.HOST)
            native.driver_image()
        except UnavailableError as error:
            if chosen == "both":
                pytest.skip(f"wintun-sim has no driver here: {error}")
            pytest.fail(f"--wintun-machine=driver: {error}; the model does without", pytrace=False)
    return machine


@pytest.fixture
def wintun_adapters(wintun_machine: Literal["model", "driver"]) -> Iterator[AdapterFactory]:
    """Return a function that makes adapters for this test; they are closed when it is over."""
    factory = AdapterFactory(wintun_machine)
    yield factory
    found = factory.close()
    if found:
        pytest.fail("found when the adapters of this test were closed:\n" + "\n".join(found), pytrace=False)


@pytest.fixture
def wintun_adapter(wintun_adapters: AdapterFactory) -> Adapter:
    """Return an adapter that is Running, with a stack above it; it is closed when the test is over."""
    return wintun_adapters()
