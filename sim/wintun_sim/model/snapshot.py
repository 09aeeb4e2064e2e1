"""A machine at rest, kept to be taken up from there as often as wanted.

Making a machine anew and doing the set-up again costs many times as much as the few steps that an exploration then
takes, so the machine is put away as bytes. What never changes (packets, operations, states, classes) is not among
them: all copies share it.
"""

from __future__ import annotations

import io
import pickle
from enum import Enum
from typing import Any

from wintun_sim.model.machine import ModelMachine
from wintun_sim.operations import Operation


class Snapshot:
    """A machine as it was, at rest, when this was made."""

    def __init__(self, machine: ModelMachine) -> None:
        self._shared: list[object] = []
        buffer = io.BytesIO()
        _Pickler(buffer, self._shared).dump(machine)
        self._data = buffer.getvalue()

    def restore(self) -> ModelMachine:
        """Return a machine in that state, which has nothing in common with others but what never changes."""
        unpickler: Any = pickle.Unpickler(io.BytesIO(self._data))
        unpickler.persistent_load = self._shared.__getitem__
        machine = unpickler.load()
        assert isinstance(machine, ModelMachine)
        return machine


class _Pickler(pickle.Pickler):
    def __init__(self, buffer: io.BytesIO, shared: list[object]) -> None:
        super().__init__(buffer, pickle.HIGHEST_PROTOCOL)
        self._shared = shared
        self._numbers: dict[int, int] = {}

    def persistent_id(self, obj: object) -> int | None:
        """Give what never changes a number, by which the copies find it."""
        if not isinstance(obj, (bytes, Enum, Operation, type)):
            return None
        number = self._numbers.setdefault(id(obj), len(self._shared))
        if number == len(self._shared):
            self._shared.append(obj)
        return number
