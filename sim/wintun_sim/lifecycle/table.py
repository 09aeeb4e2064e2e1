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

from wintun_sim.ndis import DDI, KERNEL, NETWORK

STATES_PAGE: Final = f"{NETWORK}/miniport-adapter-states-and-operations"
INITIALIZE_PAGE: Final = f"{DDI}/ndis/nc-ndis-miniport_initialize"
RESTART_PAGE: Final = f"{DDI}/ndis/nc-ndis-miniport_restart"
PAUSE_PAGE: Final = f"{DDI}/ndis/nc-ndis-miniport_pause"
HALT_PAGE: Final = f"{DDI}/ndis/nc-ndis-miniport_halt"
SHUTDOWN_PAGE: Final = f"{DDI}/ndis/nc-ndis-miniport_shutdown"
SEND_PAGE: Final = f"{DDI}/ndis/nc-ndis-miniport_send_net_buffer_lists"
CANCEL_SEND_PAGE: Final = f"{DDI}/ndis/nc-ndis-miniport_cancel_send"
OID_PAGE: Final = f"{DDI}/ndis/nc-ndis-miniport_oid_request"
POWER_PAGE: Final = f"{NETWORK}/oid-pnp-set-power"
PNP_PAGE: Final = f"{DDI}/ndis/nc-ndis-miniport_device_pnp_event_notify"
STACK_PAGE: Final = f"{NETWORK}/pausing-a-driver-stack"
CLEANUP_PAGE: Final = f"{KERNEL}/irp-mj-cleanup"
CLOSE_PAGE: Final = f"{KERNEL}/irp-mj-close"
REQUEST_PAGE: Final = f"{KERNEL}/irp-major-function-codes"
UNLOAD_PAGE: Final = f"{DDI}/ndis/nc-ndis-miniport_unload"
DEVICE_PAGE: Final = f"{DDI}/ndis/nf-ndis-ndisderegisterdeviceex"


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
    raw order only; ``page`` allows it, or forbids it and then ``why`` says how.
    """

    next: State | None
    order: Order
    page: str
    why: str = ""

    def allows(self, order: Order) -> bool:
        """Tell whether the trigger may come in this state and ``order``."""
        return self.next is not None and (self.order is Order.STRICT or order is Order.RAW)


Row = Mapping[State, Cell]


def _go(state: State, page: str = STATES_PAGE, why: str = "") -> Cell:
    return Cell(state, Order.STRICT, page, why)


def _raw(state: State, page: str, why: str) -> Cell:
    return Cell(state, Order.RAW, page, why)


def _never(page: str, why: str) -> Cell:
    return Cell(None, Order.RAW, page, why)


_ALIVE: Final = (State.PAUSED, State.RESTARTING, State.RUNNING, State.PAUSING)

_GONE: Final = "there is no adapter before it is initialized and after it was halted"
_DOWN: Final = "nothing is called after MiniportShutdownEx, not even MiniportHaltEx"
_YOUNG: Final = "NDIS asks nothing of an adapter until MiniportInitializeEx has returned"


def _row(cells: Mapping[State, Cell], page: str, why: str) -> Row:
    """Fill the states that ``cells`` leaves out: gone, down and young adapters have reasons of their own."""
    rest = {
        State.HALTED: _never(STATES_PAGE, _GONE),
        State.SHUTDOWN: _never(SHUTDOWN_PAGE, _DOWN),
        State.INITIALIZING: _never(INITIALIZE_PAGE, _YOUNG),
    }
    other = _never(page, why)
    return MappingProxyType({state: cells.get(state) or rest.get(state) or other for state in State})


def _end(before: State, after: State, why: str) -> Row:
    """Make the row of the end of a call, which comes only in the state that the call began."""
    never = _never(STATES_PAGE, why)
    return MappingProxyType({state: _go(after) if state is before else never for state in State})


def _initialize() -> Row:
    never = _never(INITIALIZE_PAGE, "an adapter is initialized once")
    return MappingProxyType({state: _go(State.INITIALIZING) if state is State.HALTED else never for state in State})


_PAUSE_PENDING: Final = "NDIS begins no halt, restart or power request until a pause is complete"
_RESTART_UNDER_WAY: Final = "no other PnP operation begins until a restart is complete"

TABLE: Final[Mapping[Trigger, Row]] = MappingProxyType(
    {
        Trigger.INITIALIZE: _initialize(),
        Trigger.INITIALIZE_COMPLETE: _end(State.INITIALIZING, State.PAUSED, "no initialize is under way"),
        Trigger.INITIALIZE_FAILED: _end(State.INITIALIZING, State.HALTED, "no initialize is under way"),
        Trigger.RESTART: _row(
            {State.PAUSED: _go(State.RESTARTING), State.PAUSING: _never(PAUSE_PAGE, _PAUSE_PENDING)},
            RESTART_PAGE,
            "only a Paused adapter is restarted",
        ),
        Trigger.RESTART_COMPLETE: _end(State.RESTARTING, State.RUNNING, "no restart is under way"),
        Trigger.RESTART_FAILED: _end(State.RESTARTING, State.PAUSED, "no restart is under way"),
        Trigger.PAUSE: _row({State.RUNNING: _go(State.PAUSING)}, PAUSE_PAGE, "only a Running adapter is paused"),
        Trigger.PAUSE_COMPLETE: _end(State.PAUSING, State.PAUSED, "no pause is under way"),
        Trigger.HALT: _row(
            {
                State.PAUSED: _go(State.HALTED),
                State.RESTARTING: _never(RESTART_PAGE, _RESTART_UNDER_WAY),
                State.RUNNING: _raw(State.HALTED, HALT_PAGE, "NDIS pauses an adapter before it halts it"),
                State.PAUSING: _never(PAUSE_PAGE, _PAUSE_PENDING),
            },
            HALT_PAGE,
            "",
        ),
        Trigger.SHUTDOWN: _row({state: _go(State.SHUTDOWN) for state in _ALIVE}, SHUTDOWN_PAGE, ""),
        Trigger.SEND: _row(
            {
                State.RUNNING: _go(State.RUNNING),
                State.PAUSING: _go(State.PAUSING, why="the miniport refuses it with NDIS_STATUS_PAUSED"),
                State.PAUSED: _raw(State.PAUSED, PAUSE_PAGE, "protocols above a Paused adapter do not send"),
                State.RESTARTING: _raw(State.RESTARTING, RESTART_PAGE, "protocols wait until the restart is complete"),
            },
            SEND_PAGE,
            "",
        ),
        Trigger.RECEIVE: _row(
            {
                State.RUNNING: _go(State.RUNNING),
                State.PAUSING: _go(State.PAUSING, why="the pause waits for indications that began before it"),
                State.RESTARTING: _raw(
                    State.RESTARTING, RESTART_PAGE, "receives may begin before the restart is complete"
                ),
            },
            STATES_PAGE,
            "a Paused adapter indicates nothing",
        ),
        Trigger.CANCEL_SEND: _row({state: _go(state, CANCEL_SEND_PAGE) for state in _ALIVE}, CANCEL_SEND_PAGE, ""),
        Trigger.OID: _row({state: _go(state) for state in _ALIVE}, OID_PAGE, ""),
        Trigger.SET_POWER: _row(
            {
                State.PAUSED: _go(State.PAUSED, POWER_PAGE),
                State.RUNNING: _raw(State.RUNNING, POWER_PAGE, "NDIS pauses an adapter before it changes its power"),
                State.PAUSING: _never(PAUSE_PAGE, _PAUSE_PENDING),
                State.RESTARTING: _never(RESTART_PAGE, _RESTART_UNDER_WAY),
            },
            POWER_PAGE,
            "",
        ),
        Trigger.SURPRISE_REMOVE: _row({state: _go(state, PNP_PAGE) for state in _ALIVE}, PNP_PAGE, ""),
        Trigger.REQUEST: MappingProxyType({state: _go(state, REQUEST_PAGE) for state in State}),
    }
)
"""Every trigger in every state."""
