"""The codec's vectors as a scenario: each is written by a client, and what must come of it was said by their oracle.

The vectors are bundles, whole and damaged, made and taken apart by a codec in plain Python that nothing else uses. So
here the driver and the model are both held against a third opinion.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from wintun_sim import native, ndis
from wintun_sim.operations import Create, Event, Initialize, IrpCompleted, Load, PacketReceived, Restart, Write
from wintun_sim.scenario import Expectation, Scenario, Step, load, shipped

NAME: Final = "codec-vectors"

_SMALLEST, _LARGEST = 16, 15_728_640
"""Bytes of a write's buffer."""


def scenario() -> Scenario:
    """Return the scenario. Raises ``UnavailableError`` where the vectors are not installed."""
    setup = (
        Step(Load(name="driver")),
        Step(Initialize(name="adapter")),
        Step(Restart(name="restart")),
        Step(Create(name="h")),
    )
    return Scenario("The vectors of the codec, written by a client", setup=(*setup, *_writes()))


def everything() -> dict[str, Scenario]:
    """Return all scenarios of a check by name: those that ship, and this one."""
    return {name: load(path) for name, path in shipped().items()} | {NAME: scenario()}


def _writes() -> Iterator[Step]:
    place = native.vectors()
    for vector in json.loads((place / "vectors.json").read_text("utf-8")):
        name = str(vector["name"])
        data = (place / f"{name}.bundle").read_bytes()
        operation = Write(name=name, handle="h", data=data)
        if vector["stop"]["reason"] == "TOO_MANY":  # a limit of the codec's, not of a write's
            yield Step(operation)
        else:
            yield Step(operation, tuple(Expectation(event) for event in _events(name, data, vector)))


def _events(name: str, data: bytes, vector: dict[str, Any]) -> Iterator[Event]:
    status = ndis.STATUS_SUCCESS if _SMALLEST <= len(data) <= _LARGEST else ndis.STATUS_INVALID_USER_BUFFER
    if not data:
        status = ndis.STATUS_INVALID_PARAMETER
    if status == ndis.STATUS_SUCCESS:
        for offset, size in vector["packets"]:
            packet = data[offset : offset + size]
            if (size >= 20 and packet[0] >> 4 == 4) or (size >= 40 and packet[0] >> 4 == 6):
                yield PacketReceived(name, packet)
    consumed = vector["stop"]["offset"] if status == ndis.STATUS_SUCCESS else 0
    yield IrpCompleted(name, "h", status, consumed)
