"""What the lifecycle's tables say, as data for the gate in C (``explore_api.h``): they are written once, in
:mod:`wintun_sim.lifecycle`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from wintun_sim.lifecycle import TABLE, Call, Order, State, Trigger, may_overlap, why_apart
from wintun_sim.operations import Operation

STATES: Final = (
    State.HALTED,
    State.SHUTDOWN,
    State.INITIALIZING,
    State.PAUSED,
    State.RESTARTING,
    State.RUNNING,
    State.PAUSING,
)
"""In the order of ``enum host_state``."""

CALLS: Final = (
    (Trigger.RESTART, Call.PAUSE_RESTART),
    (Trigger.PAUSE, Call.PAUSE_RESTART),
    (Trigger.HALT, Call.HALT),
    (Trigger.SHUTDOWN, Call.SHUTDOWN),
    (Trigger.SURPRISE_REMOVE, Call.SURPRISE_REMOVE),
    (Trigger.SET_POWER, Call.SET_POWER),
    (Trigger.OID, Call.OID),
    (Trigger.OID, Call.PENDING_OID),
    (Trigger.OID, Call.DIRECT_OID),
    (Trigger.SEND, Call.SEND),
    (Trigger.CANCEL_SEND, Call.CANCEL_SEND),
    (Trigger.INITIALIZE, Call.INITIALIZE),
)
"""In the order of ``enum host_call``."""

_MET: Final = (*(trigger for trigger, _ in CALLS), Trigger.REQUEST, Trigger.RECEIVE)
"""In the order of the rows of ``host_exploration.met``."""

_REFERENCES: Final = ("name", "adapter", "driver", "handle", "request")


def count_names(operations: Iterable[Operation]) -> int:
    """Return how many different names the operations have and refer to."""
    return len({getattr(operation, field, "") for operation in operations for field in _REFERENCES})


def read_met(rows: Sequence[int]) -> frozenset[tuple[Trigger, State]]:
    """Return which call came in which state; bit s of a row says that it came in the state at s of ``STATES``."""
    return frozenset(
        (trigger, state)
        for trigger, row in zip(_MET, rows, strict=True)
        for place, state in enumerate(STATES)
        if row >> place & 1
    )


class Rules:
    """``struct host_gate_rules`` for one order, in ``struct``. Its texts live as long as this object."""

    def __init__(self, ffi: Any, order: Order, names: int) -> None:
        self._kept: list[Any] = []
        self._ffi = ffi
        cells = self._keep(ffi.new("struct host_gate_cell[]", len(CALLS) * len(STATES)))
        overlaps = self._keep(ffi.new("char *[]", len(CALLS) ** 2))
        for position, (trigger, call) in enumerate(CALLS):
            for place, state in enumerate(STATES):
                self._fill_cell(cells[position * len(STATES) + place], order, trigger, state)
            for other, (_, running) in enumerate(CALLS):
                if not may_overlap(order, running, call):
                    why, page = why_apart(running, call)
                    overlaps[other * len(CALLS) + position] = self._text(
                        f"{trigger.value} while a {running.value} is under way: the two never overlap in {order.value} "
                        f"order: {why} ({page})"
                    )
        self.struct = ffi.new("struct host_gate_rules *", (cells, overlaps, order is Order.STRICT, names))

    def _fill_cell(self, target: Any, order: Order, trigger: Trigger, state: State) -> None:
        cell = TABLE[trigger][state]
        if cell.allows(order):
            assert cell.next is not None
            target.next = STATES.index(cell.next)
            return
        only = ", which the raw order allows" if cell.next is not None else ""
        target.refusal = self._text(f"{trigger.value} in {state.value}: {cell.why}{only} ({cell.page})")

    def _text(self, text: str) -> Any:
        return self._keep(self._ffi.new("char[]", text.encode()))

    def _keep(self, memory: Any) -> Any:
        self._kept.append(memory)
        return memory
