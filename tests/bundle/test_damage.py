"""Bundles that are damaged on purpose are damaged as they say, judged by the tests' own oracle."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.bundle import oracle
from wintun_sim.bundle import Bundle, Gravity, Layout, diagnose
from wintun_sim.operations import Nbl
from wintun_sim.operations.data import ipv4
from wintun_sim.testing.damage import Damage, DamagedBundle, damage, damaged_examples
from wintun_sim.testing.strategies import damaged_bundles, nbls

PACKETS = [ipv4(28), ipv4(32), ipv4(45)]  # records of 48, 48 and 64 bytes

STOPS = {
    # why and where parsing stops, and at which record, for PACKETS; typed from shared/FORMAT.md
    Damage.STRAY_BYTES: ("CUT_SHORT", 160, 3),
    Damage.PACKET_CUT: ("CUT_SHORT", 96, 2),
    Damage.PADDING_CUT: ("CUT_SHORT", 96, 2),
    Damage.OVER_LONG: ("OVER_LONG", 48, 1),
    Damage.HUGE_SIZE: ("OVER_LONG", 96, 2),
    Damage.SIZE_BEYOND: ("CUT_SHORT", 96, 2),
    Damage.BYTE_ORDER: ("OVER_LONG", 0, 0),
    Damage.LATER_README: ("END", 176, 4),
    Damage.USED_RESERVED: ("END", 160, 3),
    Damage.USED_PADDING: ("END", 160, 3),
}
RECOGNISED = {
    Damage.BYTE_ORDER: Layout.OTHER_BYTE_ORDER,
    Damage.FIRST_README: Layout.FIRST_README,
    Damage.LATER_README: Layout.LATER_README,
    Damage.LATER_FORMAT: Layout.LATER_FORMAT,
}
STRICT_ONLY = {Damage.USED_RESERVED, Damage.USED_PADDING}


def check(damaged: DamagedBundle) -> None:
    """Hold what a damaged bundle says of itself to the oracle."""
    found, strictly = oracle.decode(damaged.data), oracle.decode(damaged.data, strict=True)
    assert list(damaged.packets) == found.packets
    assert (damaged.stop.reason.name, damaged.stop.offset, damaged.stop.number) == found.stop
    assert (damaged.strict_stop.reason.name, *damaged.strict_stop[1:]) == strictly.stop
    if damaged.damage in STRICT_ONLY:
        assert (found.reason, strictly.reason) == ("END", "NOT_ZERO")
        assert strictly.number == damaged.number


def test_there_is_an_example_of_each_kind_and_it_is_what_it_says() -> None:
    examples = damaged_examples()
    assert [example.damage for example in examples] == list(Damage)
    for example in examples:
        check(example)
        assert example.damage.value in example.wrong
        assert not diagnose(example.data).clean or example.damage is Damage.LATER_README


@pytest.mark.parametrize("how", STOPS)
def test_parsing_stops_where_the_format_says(how: Damage) -> None:
    damaged = damage(PACKETS, how, number=1 if how is Damage.OVER_LONG else -1)
    assert (damaged.stop.reason.name, damaged.stop.offset, damaged.stop.number) == STOPS[how]


@pytest.mark.parametrize("how", Damage)
def test_a_diagnosis_finds_what_was_broken(how: Damage) -> None:
    found = diagnose(damage(PACKETS, how).data)
    assert found.layout is RECOGNISED.get(how, found.layout)
    assert found.remarks
    assert (found.gravity is Gravity.NOTE) == (how in (*STRICT_ONLY, Damage.TOO_MANY))


@given(damaged_bundles())
def test_damaged_bundles_that_are_drawn_are_what_they_say(damaged: DamagedBundle) -> None:
    check(damaged)


@given(damaged_bundles(Damage.PADDING_CUT, Damage.LATER_README, of=st.just(b"")))
def test_kinds_can_be_chosen_and_packets_that_do_not_suit_are_replaced(damaged: DamagedBundle) -> None:
    assert damaged.damage in (Damage.PADDING_CUT, Damage.LATER_README)
    check(damaged)


@given(st.from_type(Bundle), st.from_type(DamagedBundle), st.from_type(Nbl))
def test_the_strategies_are_registered_for_their_types(bundle: Bundle, damaged: DamagedBundle, nbl: Nbl) -> None:
    assert len(bundle) <= 256
    assert isinstance(damaged, DamagedBundle)
    assert all(packet[0] >> 4 in (4, 6) for packet in nbl.packets)


def test_what_cannot_be_broken_in_a_way_is_refused() -> None:
    for how, packets in (
        (Damage.PADDING_CUT, [bytes(16)]),
        (Damage.USED_PADDING, [bytes(32)]),
        (Damage.PACKET_CUT, [b""]),
        (Damage.BYTE_ORDER, [b""]),
        (Damage.LATER_README, [bytes(17)]),
    ):
        with pytest.raises(ValueError, match="packets of these sizes cannot be broken so that"):
            damage(packets, how)
    with pytest.raises(ValueError, match="0 packets"):
        damage([], Damage.HUGE_SIZE)
    with pytest.raises(ValueError, match="amount 16"):
        damage(PACKETS, Damage.STRAY_BYTES, amount=16)
    with pytest.raises(ValueError, match="0 is the least"):
        nbls(most_packets=-1)
