"""Which scenario shows which of the published driver's edge cases, so that none is lost when scenarios are rewritten.

The rows are the edge cases that a sequence of calls shows; beside each stands a scenario that ships, and the words in
it that make the case.
"""

import pytest

from wintun_sim.lifecycle import State
from wintun_sim.model import REPAIRS
from wintun_sim.scenario import shipped

ROWS = {
    "a read of 61,439 bytes": ("repair-read-check", "read h 61439"),
    "a read of no bytes": ("read-limits", "read h 0"),
    "a read larger than any buffer": ("read-limits", "read h 15728641"),
    "a read of 61,440 bytes and the largest packet": ("read-largest", "61424"),
    "an NBL of several NET_BUFFERs across several reads": ("half-read-nbl", "nbl("),
    "a NET_BUFFER beyond the largest packet": ("read-limits", "ipv4(61425)"),
    "a NET_BUFFER of no bytes": ("read-limits", "zeros(16)"),
    "an NBL without NET_BUFFERs": ("nbl-shapes", "nbl()"),
    "the 1,001st NBL without a reader": ("overflow", "ipv4(20, 1000)"),
    "a write of no bytes": ("write-limits", "write h zeros(0)"),
    "a write of 15 bytes": ("write-limits", "write h zeros(15)"),
    "a write of 16 bytes, a record of no packet": ("write-limits", "write h zeros(16)"),
    "a write larger than any buffer": ("write-limits", "zeros(15728641)"),
    "a record and 16 zero bytes behind it": ("write-limits", "+ zeros(16)"),
    "a write of more than 256 packets": ("write-largest", "ipv4(20, 256..511)"),
    "a packet that the stack gives back as failed": ("write-limits", "rejected={0}"),
    "two creates and two closes": ("repair-link-duplicates", "close"),
    "a close with NBLs queued": ("repair-stale-packets", "close"),
    "a pause with reads pending": ("client-keeps-handle", "pause"),
    "a write while paused": ("states-paused", "write h"),
    "a halt with everything there is": ("halt-with-everything", "halt"),
    "requests on an old handle after a halt": ("states-halted", "STATUS_INVALID_HANDLE"),
    "a halt while Running": ("halt-running", "halt"),
    "a shutdown with NBLs and reads": ("repair-shutdown", "shutdown"),
    "a shutdown on a bug check": ("bug-check", "shutdown bug-check"),
    "a reference count below zero": ("negative-count", "[BEFORE]"),
    "an update while a client keeps its handle": ("hot-update", "unload"),
    "an update with a client that lets go": ("hot-update-with-a-good-client", "unload"),
    "a surprise removal": ("surprise-removal", "surprise-remove"),
    "sleep, as Windows goes about it": ("sleep-as-windows-does", "set-power D3"),
    "a stack that sends again from its completion handler": ("send-again", "again"),
}

HIDDEN = {"overflow-count", "double-fetch", "bounds"}
"""Repairs that no sequence of calls, one at a time, can show."""

ELSEWHERE = {"send-status": "nbl-shapes", "version": "lifecycle"}
"""Repairs that scenarios of another name show: by the statuses of NBLs, and by what an adapter tells NDIS."""


@pytest.mark.parametrize("row", ROWS)
def test_every_edge_case_has_its_scenario(row: str) -> None:
    name, words = ROWS[row]
    assert words in shipped()[name].read_text("utf-8")


def test_every_repair_that_can_be_seen_has_a_scenario() -> None:
    for name in REPAIRS.keys() - HIDDEN:
        assert ELSEWHERE.get(name, f"repair-{name}") in shipped()


def test_every_state_of_the_matrix_has_a_scenario() -> None:
    """What is asked of an adapter in each state at which it can be at rest, and asleep."""
    for state, name in {State.PAUSED: "paused", State.RUNNING: "running", State.HALTED: "halted"}.items():
        assert f"states-{name}" in shipped(), state
    assert {"states-shut-down", "states-asleep"} <= set(shipped())
