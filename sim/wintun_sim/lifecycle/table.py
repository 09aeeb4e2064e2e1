"""The transition table: what each call, and each end of a call, does to an adapter in each of NDIS's seven states.

The rows and columns are those of learn.microsoft.com/windows-hardware/drivers/network/
miniport-adapter-states-and-operations ("the states page"), whose blank cells are calls that NDIS never makes. Three
rows are split or added, because the pages of the handlers say more: receive indications may begin during a restart
(…/ddi/ndis/nc-ndis-miniport_restart); power requests come while Paused, unless the driver asks not to be paused
(…/network/oid-pnp-set-power); cancelled sends, removal notices and the requests of clients follow no state of NDIS.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Final

from wintun_sim.lifecycle.pages import (
    BINDING_PAGE,
    CANCEL_SEND_PAGE,
    HALT_PAGE,
    INITIALIZE_PAGE,
    OID_PAGE,
    PAUSE_PAGE,
    PNP_PAGE,
    POWER_PAGE,
    REQUEST_PAGE,
    RESTART_PAGE,
    SEND_PAGE,
    SHUTDOWN_PAGE,
    STACK_RESTART_PAGE,
    STATES_PAGE,
)


class Order(Enum):
    """How closely the host keeps to what Windows does; see the theory of operation."""

    STRICT = "strict"
    RAW = "raw"


class State(Enum):
    """The adapter states of the states page. A halt under way is Halted: NDIS calls nothing more."""

    HALTED = "Halted"
    SHUTDOWN = "Shutdown"
    INITIALIZING = "Initializing"
    PAUSED = "Paused"
    RESTARTING = "Restarting"
    RUNNING = "Running"
    PAUSING = "Pausing"


class Trigger(Enum):
    """The rows of the table: calls of the host, and ends of calls."""

    INITIALIZE = "MiniportInitializeEx"
    INITIALIZE_COMPLETE = "initialize complete"
    INITIALIZE_FAILED = "initialize failed"
    RESTART = "MiniportRestart"
    RESTART_COMPLETE = "restart complete"
    RESTART_FAILED = "restart failed"
    PAUSE = "MiniportPause"
    PAUSE_COMPLETE = "pause complete"
    HALT = "MiniportHaltEx"
    SHUTDOWN = "MiniportShutdownEx"
    SEND = "MiniportSendNetBufferLists"
    RECEIVE = "NdisMIndicateReceiveNetBufferLists"
    CANCEL_SEND = "MiniportCancelSend"
    OID = "MiniportOidRequest"
    SET_POWER = "OID_PNP_SET_POWER"
    SURPRISE_REMOVE = "NdisDevicePnPEventSurpriseRemoved"
    REQUEST = "a client's request"


@dataclass(frozen=True, slots=True)
class Cell:
    """One trigger in one state.

    ``next`` is the state that follows, or None where the trigger never comes; ``order`` is RAW where it comes in the
    raw order only. ``page`` allows it, or forbids it and then ``why`` says how; where the raw order goes beyond that,
    ``raw_page`` is the one that has a miniport cope with it all the same.
    """

    next: State | None
    order: Order
    page: str
    why: str = ""
    raw_page: str = ""

    def allows(self, order: Order) -> bool:
        """Tell whether the trigger may come in this state and ``order``."""
        return self.next is not None and (self.order is Order.STRICT or order is Order.RAW)


Row = Mapping[State, Cell]


def _go(state: State, page: str = STATES_PAGE, why: str = "") -> Cell:
    return Cell(state, Order.STRICT, page, why)


def _raw(state: State, page: str, why: str, raw_page: str) -> Cell:
    return Cell(state, Order.RAW, page, why, raw_page)


def _never(page: str, why: str) -> Cell:
    return Cell(None, Order.RAW, page, why)


_ALIVE: Final = (State.PAUSED, State.RESTARTING, State.RUNNING, State.PAUSING)

_GONE: Final = "there is no adapter before it is initialized and after it was halted"
_DOWN: Final = "nothing is called after MiniportShutdownEx, not even MiniportHaltEx"
_YOUNG: Final = "NDIS asks nothing of an adapter until MiniportInitializeEx has returned"


def _row(cells: Mapping[State, Cell], other: Cell | None = None) -> Row:
    """Fill the states that ``cells`` leaves out: those of living adapters with ``other``; the rest has reasons of its
    own."""
    rest = {
        State.HALTED: _never(STATES_PAGE, _GONE),
        State.SHUTDOWN: _never(SHUTDOWN_PAGE, _DOWN),
        State.INITIALIZING: _never(INITIALIZE_PAGE, _YOUNG),
    }
    if other is not None:
        rest |= dict.fromkeys(_ALIVE, other)
    row = rest | dict(cells)
    return MappingProxyType({state: row[state] for state in State})


def _end(before: State, after: State, why: str) -> Row:
    """Make the row of the end of a call, which comes only in the state that the call began."""
    never = _never(STATES_PAGE, why)
    return MappingProxyType({state: _go(after) if state is before else never for state in State})


def _initialize() -> Row:
    never = _never(STATES_PAGE, "only a Halted adapter is initialized")
    return MappingProxyType({state: _go(State.INITIALIZING) if state is State.HALTED else never for state in State})


_PAUSE_UNDER_WAY: Final = "NDIS begins no other PnP operation until the pause is complete"
_RESTART_UNDER_WAY: Final = "NDIS begins no other PnP operation until the restart is complete"

TABLE: Final[Mapping[Trigger, Row]] = MappingProxyType(
    {
        Trigger.INITIALIZE: _initialize(),
        Trigger.INITIALIZE_COMPLETE: _end(State.INITIALIZING, State.PAUSED, "no initialize is under way"),
        Trigger.INITIALIZE_FAILED: _end(State.INITIALIZING, State.HALTED, "no initialize is under way"),
        Trigger.RESTART: _row(
            {State.PAUSED: _go(State.RESTARTING), State.PAUSING: _never(PAUSE_PAGE, _PAUSE_UNDER_WAY)},
            _never(RESTART_PAGE, "only a Paused adapter is restarted"),
        ),
        Trigger.RESTART_COMPLETE: _end(State.RESTARTING, State.RUNNING, "no restart is under way"),
        Trigger.RESTART_FAILED: _end(State.RESTARTING, State.PAUSED, "no restart is under way"),
        Trigger.PAUSE: _row(
            {
                State.RESTARTING: _never(RESTART_PAGE, _RESTART_UNDER_WAY),
                State.RUNNING: _go(State.PAUSING),
                State.PAUSING: _never(PAUSE_PAGE, _PAUSE_UNDER_WAY),
            },
            _never(STATES_PAGE, "only a Running adapter is paused"),
        ),
        Trigger.PAUSE_COMPLETE: _end(State.PAUSING, State.PAUSED, "no pause is under way"),
        Trigger.HALT: _row(
            {
                State.PAUSED: _go(State.HALTED),
                State.RESTARTING: _never(RESTART_PAGE, _RESTART_UNDER_WAY),
                State.RUNNING: _raw(State.HALTED, STATES_PAGE, "NDIS pauses an adapter before it halts it", HALT_PAGE),
                State.PAUSING: _never(PAUSE_PAGE, _PAUSE_UNDER_WAY),
            }
        ),
        Trigger.SHUTDOWN: _row({state: _go(State.SHUTDOWN) for state in _ALIVE}),
        Trigger.SEND: _row(
            {
                State.RUNNING: _go(State.RUNNING),
                State.PAUSING: _go(State.PAUSING, why="the miniport refuses it with NDIS_STATUS_PAUSED"),
                State.PAUSED: _raw(
                    State.PAUSED, BINDING_PAGE, "a protocol whose binding is paused sends nothing", PAUSE_PAGE
                ),
                State.RESTARTING: _raw(
                    State.RESTARTING,
                    STACK_RESTART_PAGE,
                    "bindings are restarted when the miniport is Running",
                    SEND_PAGE,
                ),
            }
        ),
        Trigger.RECEIVE: _row(
            {
                State.RUNNING: _go(State.RUNNING),
                State.PAUSING: _go(State.PAUSING, why="the pause waits for indications that began before it"),
                State.RESTARTING: _raw(
                    State.RESTARTING, STATES_PAGE, "packets flow when the restart is complete", RESTART_PAGE
                ),
            },
            _never(STATES_PAGE, "a Paused adapter indicates nothing"),
        ),
        Trigger.CANCEL_SEND: _row({state: _go(state, CANCEL_SEND_PAGE) for state in _ALIVE}),
        Trigger.OID: _row({state: _go(state, OID_PAGE) for state in _ALIVE}),
        Trigger.SET_POWER: _row(
            {
                State.PAUSED: _go(State.PAUSED, POWER_PAGE),
                State.RUNNING: _raw(
                    State.RUNNING,
                    POWER_PAGE,
                    "NDIS pauses an adapter before it changes its power, unless it is asked not to",
                    POWER_PAGE,
                ),
                State.PAUSING: _never(PAUSE_PAGE, _PAUSE_UNDER_WAY),
                State.RESTARTING: _never(RESTART_PAGE, _RESTART_UNDER_WAY),
            }
        ),
        Trigger.SURPRISE_REMOVE: _row({state: _go(state, PNP_PAGE) for state in _ALIVE}),
        Trigger.REQUEST: MappingProxyType({state: _go(state, REQUEST_PAGE) for state in State}),
    }
)
"""Every trigger in every state."""
