"""Every request in every state, in one table: what the states mean to a client, and to a stack out of order."""

from collections.abc import Callable

import pytest

from tests.model.world import (
    INVALID_HANDLE,
    LOW_POWER,
    MEDIA_DISCONNECTED,
    PAUSED,
    SUCCESS,
    World,
    asleep,
    bundle,
    halted,
    initialized,
    ipv4,
    opened,
    paused,
    running,
    shut_down,
)
from wintun_sim.lifecycle import State
from wintun_sim.operations import Event, IrpCompleted, NblCompleted, Refused


def within(state: State, make: Callable[..., World]) -> Callable[..., World]:
    """A world whose adapter is in the midst of a call that brings it from one state to another."""

    def made(order: str) -> World:
        world = make(order)
        world.machine.adapters["a"].state = state
        return world

    return made


STATES = {
    "Initializing": within(State.INITIALIZING, initialized),
    "Restarting": within(State.RESTARTING, paused),
    "Pausing": within(State.PAUSING, opened),
    "Paused, new": initialized,
    "Running, not open": running,
    "Running": opened,
    "Running, D3": asleep,
    "Paused": paused,
    "Shutdown": shut_down,
    "Halted": halted,
}
REQUESTS = ("create", "read", "write", "cleanup, close", "send")
WAITS, NO_HANDLE, NEVER = "waits", "no handle", "never"
EXPECTED = {
    "Initializing": (SUCCESS, NO_HANDLE, NO_HANDLE, NO_HANDLE, PAUSED),
    "Restarting": (SUCCESS, WAITS, PAUSED, SUCCESS, PAUSED),
    "Pausing": (SUCCESS, WAITS, PAUSED, SUCCESS, PAUSED),
    "Paused, new": (SUCCESS, NO_HANDLE, NO_HANDLE, NO_HANDLE, PAUSED),
    "Running, not open": (SUCCESS, NO_HANDLE, NO_HANDLE, NO_HANDLE, MEDIA_DISCONNECTED),
    "Running": (SUCCESS, WAITS, SUCCESS, SUCCESS, WAITS),
    "Running, D3": (SUCCESS, WAITS, LOW_POWER, SUCCESS, LOW_POWER),
    "Paused": (SUCCESS, WAITS, PAUSED, SUCCESS, PAUSED),
    "Shutdown": (SUCCESS, WAITS, PAUSED, SUCCESS, NEVER),
    "Halted": (INVALID_HANDLE, INVALID_HANDLE, INVALID_HANDLE, INVALID_HANDLE, NEVER),
}


def result(world: World, request: str) -> object:
    """Do the request on h1, and say how it ended."""
    if request not in ("create", "send") and "h1" not in world.machine.ledger.handles:
        return NO_HANDLE
    requests: dict[str, Callable[[], list[Event]]] = {
        "create": world.create,
        "read": world.read,
        "write": lambda: world.write(bundle(ipv4())),
        "cleanup, close": world.leave,
        "send": lambda: world.send(ipv4()),
    }
    events = requests[request]()
    if any(isinstance(event, Refused) for event in events):
        return NEVER
    statuses = {event.status for event in events if isinstance(event, IrpCompleted | NblCompleted)}
    assert len(statuses) <= 1
    return statuses.pop() if statuses else WAITS


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("request_", REQUESTS)
def test_a_request_in_a_state(state: str, request_: str) -> None:
    assert result(STATES[state]("raw"), request_) == EXPECTED[state][REQUESTS.index(request_)]
