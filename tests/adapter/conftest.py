"""Every story of this chapter is told on both machines, whatever ``--wintun-machine`` says."""

import pytest

from wintun_sim.testing.plugin import MACHINES


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "wintun_machine" in metafunc.fixturenames and metafunc.config.getoption("wintun_machine") != "both":
        metafunc.parametrize("wintun_machine", MACHINES, indirect=True, scope="session")
