"""The transition table is Microsoft's, and says of each illegal cell who forbids it."""

from pathlib import Path

import pytest

from wintun_sim.lifecycle import OVERLAP, TABLE, Call, Order, State, Trigger, diagrams, may_overlap, why_apart

COLUMNS = (
    *(State.HALTED, State.SHUTDOWN, State.INITIALIZING, State.PAUSED, State.RESTARTING, State.RUNNING),
    State.PAUSING,
)
PAGE = {
    # learn.microsoft.com/windows-hardware/drivers/network/miniport-adapter-states-and-operations, cell by cell;
    # * marks what the pages of the handlers add in the raw order.
    Trigger.INITIALIZE: "Initializing|-|-|-|-|-|-",
    Trigger.INITIALIZE_COMPLETE: "-|-|Paused|-|-|-|-",
    Trigger.INITIALIZE_FAILED: "-|-|Halted|-|-|-|-",
    Trigger.RESTART: "-|-|-|Restarting|-|-|-",
    Trigger.RESTART_COMPLETE: "-|-|-|-|Running|-|-",
    Trigger.RESTART_FAILED: "-|-|-|-|Paused|-|-",
    Trigger.PAUSE: "-|-|-|-|-|Pausing|-",
    Trigger.PAUSE_COMPLETE: "-|-|-|-|-|-|Paused",
    Trigger.HALT: "-|-|-|Halted|-|*Halted|-",
    Trigger.SHUTDOWN: "-|-|-|Shutdown|Shutdown|Shutdown|Shutdown",
    Trigger.SEND: "-|-|-|*Paused|*Restarting|Running|Pausing",
    Trigger.RECEIVE: "-|-|-|-|*Restarting|Running|Pausing",
    Trigger.OID: "-|-|-|Paused|Restarting|Running|Pausing",
    Trigger.CANCEL_SEND: "-|-|-|Paused|Restarting|Running|Pausing",
    Trigger.SET_POWER: "-|-|-|Paused|-|*Running|-",
    Trigger.SURPRISE_REMOVE: "-|-|-|Paused|Restarting|Running|Pausing",
    Trigger.REQUEST: "Halted|Shutdown|Initializing|Paused|Restarting|Running|Pausing",
}


def test_the_page_has_every_row() -> None:
    assert set(PAGE) == set(TABLE) == set(Trigger)


@pytest.mark.parametrize("trigger", Trigger, ids=lambda trigger: trigger.name.lower())
def test_every_cell_is_as_the_page_has_it(trigger: Trigger) -> None:
    assert tuple(TABLE[trigger]) == tuple(State)
    for state, text in zip(COLUMNS, PAGE[trigger].split("|"), strict=True):
        cell = TABLE[trigger][state]
        raw = text.startswith("*")
        name = text.removeprefix("*")
        assert (cell.next.value if cell.next else "-") == name, state
        assert cell.allows(Order.RAW) == (name != "-"), state
        assert cell.allows(Order.STRICT) == (name != "-" and not raw), state


def test_every_cell_has_a_page_and_every_forbidden_one_a_reason() -> None:
    for row in TABLE.values():
        for cell in row.values():
            assert cell.page.startswith("learn.microsoft.com/")
            assert cell.why or cell.allows(Order.STRICT)


def test_what_comes_in_the_raw_order_only_has_a_page_that_has_a_miniport_cope_with_it() -> None:
    """Who forbids it and who prepares for it are two pages, most often: NDIS does not do it, and a driver may not
    rely on that."""
    pages = {
        (trigger.name, state.value): cell.raw_page.removeprefix(diagrams.DRIVERS)
        for trigger, row in TABLE.items()
        for state, cell in row.items()
        if cell.raw_page or (cell.next is not None and cell.order is Order.RAW)
    }
    assert pages == {
        ("HALT", "Running"): "ddi/ndis/nc-ndis-miniport_halt",  # "at any time after … MiniportInitializeEx"
        ("SEND", "Paused"): "ddi/ndis/nc-ndis-miniport_pause",  # "must reject all send requests"
        ("SEND", "Restarting"): "ddi/ndis/nc-ndis-miniport_send_net_buffer_lists",  # "accept all send requests"
        ("RECEIVE", "Restarting"): "ddi/ndis/nc-ndis-miniport_restart",  # "immediately after NDIS calls"
        ("SET_POWER", "Running"): "network/oid-pnp-set-power",  # "from either the Paused or Running adapter states"
    }


Orders = tuple[Order, ...]
BOTH: Orders = (Order.STRICT, Order.RAW)
RAW: Orders = (Order.RAW,)
NEVER: Orders = ()
OVERLAPS: dict[str, dict[str, Orders]] = {
    # The pages of the handlers, pair by pair; a pair that is not here never overlaps.
    "SEND": {
        "SEND": BOTH,
        "CANCEL_SEND": BOTH,
        "OID": BOTH,
        "SET_POWER": RAW,
        "REQUEST": BOTH,
        "PAUSE_RESTART": RAW,
        "SHUTDOWN": BOTH,
        "SURPRISE_REMOVE": BOTH,
    },
    "CANCEL_SEND": {
        "CANCEL_SEND": BOTH,
        "OID": BOTH,
        "SET_POWER": BOTH,
        "REQUEST": BOTH,
        "PAUSE_RESTART": BOTH,
        "SHUTDOWN": BOTH,
        "SURPRISE_REMOVE": BOTH,
    },
    "OID": {"REQUEST": BOTH, "PAUSE_RESTART": BOTH, "SHUTDOWN": BOTH, "SURPRISE_REMOVE": BOTH},
    "PENDING_OID": {  # NDIS cancels it before a halt, and waits for it
        "SEND": BOTH,
        "CANCEL_SEND": BOTH,
        "REQUEST": BOTH,
        "PAUSE_RESTART": BOTH,
        "HALT": BOTH,
        "SHUTDOWN": BOTH,
        "SURPRISE_REMOVE": BOTH,
    },
    "DIRECT_OID": {  # not serialised
        "SEND": BOTH,
        "CANCEL_SEND": BOTH,
        "OID": BOTH,
        "PENDING_OID": BOTH,
        "DIRECT_OID": BOTH,
        "SET_POWER": BOTH,
        "REQUEST": BOTH,
        "PAUSE_RESTART": BOTH,
        "SHUTDOWN": BOTH,
        "SURPRISE_REMOVE": BOTH,
    },
    "SET_POWER": {"REQUEST": BOTH, "SHUTDOWN": BOTH},
    "REQUEST": {"REQUEST": BOTH, "PAUSE_RESTART": BOTH, "HALT": BOTH, "SHUTDOWN": BOTH, "SURPRISE_REMOVE": BOTH},
    "PAUSE_RESTART": {"SHUTDOWN": BOTH},
}


def test_what_may_overlap_what() -> None:
    for one in Call:
        for other in Call:
            expected = OVERLAPS.get(one.name, {}).get(other.name) or OVERLAPS.get(other.name, {}).get(one.name) or NEVER
            assert OVERLAP[one, other] == OVERLAP[other, one] == expected, (one, other)
            assert may_overlap(Order.RAW, one, other) == (Order.RAW in expected)


def test_two_calls_that_never_overlap_have_a_reason_and_a_page() -> None:
    for one in Call:
        for other in Call:
            if OVERLAP[one, other] == BOTH:
                with pytest.raises(ValueError, match="may overlap in both orders"):
                    why_apart(one, other)
            else:
                why, page = why_apart(one, other)
                assert why
                assert page.startswith("learn.microsoft.com/")
                assert why_apart(other, one) == (why, page)


@pytest.mark.parametrize(
    ("one", "other", "page"),
    [
        ("OID", "OID", "network/miniport-adapter-oid-request-serialization"),
        ("OID", "SET_POWER", "network/miniport-adapter-oid-request-serialization"),
        ("SEND", "PAUSE_RESTART", "network/pausing-a-driver-stack"),
        ("SEND", "HALT", "ddi/ndis/nc-ndis-miniport_halt"),
        ("SEND", "SET_POWER", "network/oid-pnp-set-power"),
        ("PAUSE_RESTART", "SET_POWER", "ddi/ndis/nc-ndis-miniport_pause"),
        ("HALT", "SHUTDOWN", "ddi/ndis/nc-ndis-miniport_halt"),
        ("SHUTDOWN", "SHUTDOWN", "ddi/ndis/nc-ndis-miniport_shutdown"),
        ("INITIALIZE", "SEND", "ddi/ndis/nc-ndis-miniport_initialize"),
        ("REQUEST", "INITIALIZE", "ddi/ndis/nf-ndis-ndisregisterdeviceex"),
    ],
)
def test_who_says_that_two_calls_never_overlap(one: str, other: str, page: str) -> None:
    assert why_apart(Call[one], Call[other]).page.removeprefix(diagrams.DRIVERS) == page


def test_the_page_with_the_diagrams_is_the_one_that_the_table_gives() -> None:
    """If it fails: python -m wintun_sim.lifecycle.diagrams > docs/lifecycle.md."""
    document = Path(__file__).parents[2] / "docs" / "lifecycle.md"
    assert document.read_text("utf-8") == diagrams.page()


def test_the_strict_diagram_is_the_one_that_microsoft_draws() -> None:
    """The transitions of the page adapter-states-of-a-miniport-driver, and shutdown from the states page."""
    drawn = {(before.value, after.value) for before, after, _ in diagrams.transitions(Order.STRICT)}
    assert drawn == {
        *(("Halted", "Initializing"), ("Initializing", "Paused"), ("Initializing", "Halted")),
        *(("Paused", "Restarting"), ("Restarting", "Running"), ("Restarting", "Paused")),
        *(("Running", "Pausing"), ("Pausing", "Paused"), ("Paused", "Halted")),
        *((state, "Shutdown") for state in ("Paused", "Restarting", "Running", "Pausing")),
    }
    assert [before.value for before, _, _ in diagrams.transitions(Order.RAW)] == ["Running"]
