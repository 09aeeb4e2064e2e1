"""How many packets of a write the stack is given at once: a bundle's worth, whatever the client wrote.

Which packets go into which call makes no difference to an outcome, so no scenario can say it; the points at which the
host lets others come in, before the stack has the packets of a call and after it, do.
"""

from pathlib import Path

import pytest

from tests.defects.unrepaired import build_without
from wintun_sim.bundle import encode
from wintun_sim.errors import UnavailableError
from wintun_sim.operations import Create, Initialize, Load, Restart, Write
from wintun_sim.operations.data import ipv4

SETUP = [
    Load(name="driver"),
    Initialize(name="adapter"),
    Restart(name="restart"),
    Create(name="h"),
]


def indications(image: Path | None, count: int) -> list[int]:
    """Write ``count`` packets at once, and return how many of them came with each indication."""
    try:
        from wintun_sim.kernel.explorer import Explorer
    except ImportError as error:
        pytest.skip(str(error))
    data = b"".join(encode([ipv4(20, number)]) for number in range(count))
    try:
        with Explorer(image, setup=SETUP, actors=[[Write(name="w", handle="h", data=data)]]) as explorer:
            _, arrivals = explorer.watch(())
    except UnavailableError as error:
        pytest.skip(str(error))
    seen = [at.events for at in arrivals if at.operation == "w" and at.what == "signal"]
    *stack, completion = seen  # the last point is that of the request's own completion
    assert completion == count
    return [after - before for before, after in zip(stack[::2], stack[1::2], strict=True)]


@pytest.mark.parametrize(
    ("count", "expected"), [(1, [1]), (256, [256]), (257, [256, 1]), (513, [256, 256, 1]), (1000, [256, 256, 256, 232])]
)
def test_a_write_is_indicated_in_chains_of_at_most_256_packets(count: int, expected: list[int]) -> None:
    assert indications(None, count) == expected


def test_the_published_driver_indicated_a_write_at_once(tmp_path: Path) -> None:
    assert indications(build_without(tmp_path, ["packet-limit"]), 513) == [513]
