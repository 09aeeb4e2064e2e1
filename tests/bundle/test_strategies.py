"""The strategies that users get draw what they say, borders included; what cannot be drawn is refused at once."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.bundle import oracle
from wintun_sim.testing.strategies import bundles, packets


@given(packets(ip=True))
def test_ip_packets_are_ones_that_the_adapter_receives(packet: bytes) -> None:
    assert (packet[0] >> 4, len(packet) >= 20) == (4, True) or (packet[0] >> 4, len(packet) >= 40) == (6, True)


@given(packets(min_size=30, max_size=33))
def test_packets_keep_to_their_sizes(packet: bytes) -> None:
    assert 30 <= len(packet) <= 33


@given(bundles(packets(max_size=40), min_packets=1, zeroed=False))
def test_littered_bundles_decode_but_not_strictly(data: bytes) -> None:
    assert oracle.decode(data).reason == "END"
    assert oracle.decode(data, strict=True).reason == "NOT_ZERO"


def lengths_drawn(strategy: st.SearchStrategy[bytes], examples: int = 300) -> set[int]:
    """Return the lengths that a strategy draws in so many examples, the same ones every time."""
    lengths: set[int] = set()

    @settings(max_examples=examples, derandomize=True, database=None)
    @given(strategy)
    def draw(value: bytes) -> None:
        lengths.add(len(value))

    draw()
    return lengths


def test_the_borders_are_drawn() -> None:
    assert {0, 1, 15, 16, 17, 31, 32, 33} <= lengths_drawn(packets(max_size=33))
    assert {0, 61_424} <= lengths_drawn(packets())
    assert 0 in lengths_drawn(bundles())
    assert min(lengths_drawn(bundles(packets(min_size=1), min_packets=256), examples=3)) >= 256 * 32


@pytest.mark.parametrize("sizes", [(-1, 5), (6, 5), (0, 61_425)])
def test_impossible_sizes_are_refused(sizes: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="no packet has"):
        packets(min_size=sizes[0], max_size=sizes[1])


def test_impossible_wishes_are_refused() -> None:
    with pytest.raises(ValueError, match="no packet has 0 to 19 bytes"):
        packets(max_size=19, ip=True)
    with pytest.raises(ValueError, match="0 to 256 packets, not 0 to 257"):
        bundles(max_packets=257)
