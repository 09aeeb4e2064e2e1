"""What must hold in every run, whatever the model says: each IRP and NBL comes back once, every pause ends, no packet
is lost or doubled, and at rest all is accounted for.

These are judged on the record of one run, on any machine, so they hold the driver and the model to the same words. A
run in which an allocation was made to fail, or in which a client changed its buffer under way, is judged by them alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from wintun_sim import ndis
from wintun_sim.check.flow import ALWAYS, WITHOUT_FAULT
from wintun_sim.check.record import Record, Wrong, was_sent_again
from wintun_sim.model.limits import LARGEST_BUFFER, LARGEST_PACKET, SMALLEST_READ, SMALLEST_WRITE
from wintun_sim.operations import (
    Cleanup,
    Close,
    Create,
    HandleOperation,
    IrpCompleted,
    NblCompleted,
    Oid,
    Operation,
    Pause,
    Read,
    Send,
    SetPower,
    Write,
)


def broken_properties(record: Record, *, faulted: bool = False) -> list[Wrong]:
    """Judge a record by every property. ``faulted``: something was made to fail in it, or its memory was changed."""
    checks = _ALWAYS if faulted else (*_ALWAYS, *WITHOUT_FAULT)
    wrong = [found for check in checks for found in check(record)]
    wrong += _statuses(record, _SHORT if faulted else frozenset())
    return wrong


# Everything comes back, once


def _requests_come_back(record: Record) -> Iterator[Wrong]:
    """Each request completes exactly once; each handle that was opened is cleaned up and closed once."""
    for name, found in record.requests.items():
        if len(found) > 1:
            yield Wrong("property", "completed-once", f"{name} completed {len(found)} times", found[1][0])
    if not record.is_whole:
        return
    for operation in record.layout.operations.values():
        if not isinstance(operation, (Create, HandleOperation)) or operation.name in record.layout.of_ending:
            continue
        if operation.name not in record.requests and operation.name not in record.refused:
            yield Wrong("property", "completed-once", f"the {operation.verb} {operation.name} never completed")
    for handle in _opened(record):
        for kind in (Cleanup, Close):
            names = [o.name for o in record.layout.operations.values() if isinstance(o, kind) and o.handle == handle]
            if not any(name in record.requests for name in names):
                yield Wrong("property", "completed-once", f"handle {handle} could not be brought to its {kind.verb}")


def _opened(record: Record) -> list[str]:
    return [
        name
        for name, found in record.requests.items()
        if isinstance(record.layout.operations[name], Create) and found[0][1].status == ndis.STATUS_SUCCESS
    ]


def _nbls_come_back(record: Record) -> Iterator[Wrong]:
    """Each NBL is given back exactly once, and once more for each time that the stack sent it again from there."""
    for (send, index), found in record.nbls.items():
        last = [place for place, event in found if not was_sent_again(event)]
        if len(last) > 1:
            yield Wrong("property", "completed-once", f"NBL {send}.{index} completed {len(last)} times", last[1])
    if not record.is_whole:
        return
    for operation in record.layout.all_of(Send):
        assert isinstance(operation, Send)
        for index in range(len(operation.nbls)):
            came = record.nbls.get((operation.name, index), [])
            if operation.name not in record.refused and all(was_sent_again(event) for _, event in came):
                yield Wrong("property", "completed-once", f"NBL {operation.name}.{index} never came back")


def _handlers_return(record: Record) -> Iterator[Wrong]:
    """Each handler returns once, and each pause that was pending is completed once."""
    for name, found in record.returns.items():
        if len(found) > 1:
            yield Wrong("property", "returned-once", f"{name} returned {len(found)} times", found[1][0])
    for name, ends in record.oids.items():
        if len(ends) > 1:
            yield Wrong("property", "returned-once", f"{name} ended {len(ends)} times", ends[1][0])
    for name, completions in record.pauses.items():
        statuses = [event.status for _, event in record.returns.get(name, ())]
        if len(completions) > 1:
            yield Wrong("property", "pause-ends-once", f"{name} was completed {len(completions)} times")
        elif statuses and statuses[0] != ndis.STATUS_PENDING:
            message = f"{name} was completed, but had returned {ndis.name_of(statuses[0])}"
            yield Wrong("property", "pause-ends-once", message, completions[0][0])
    if not record.is_whole:
        return
    for operation in record.layout.operations.values():
        name = operation.name
        if name in record.refused or name in record.layout.of_ending:
            continue
        if isinstance(operation, Pause) and name not in record.ends_of_pauses:
            yield Wrong("property", "pause-ends", f"{name} never ended")
        elif isinstance(operation, (Oid, SetPower)) and name not in record.oids:
            yield Wrong("property", "returned-once", f"{name} never ended")
        elif _has_return(operation) and name not in record.returns:
            yield Wrong("property", "returned-once", f"{name} never returned")


def _has_return(operation: Operation) -> bool:
    return operation.verb in ("load", "initialize", "restart", "pause", "halt", "shutdown", "surprise-remove")


# With an allowed status

_SHORT: Final = frozenset({ndis.STATUS_INSUFFICIENT_RESOURCES, ndis.NDIS_STATUS_FAILURE})
_REFUSED_TRAFFIC: Final = frozenset({ndis.STATUS_NDIS_PAUSED, ndis.STATUS_NDIS_LOW_POWER_STATE})
_UNUSABLE: Final = frozenset({ndis.STATUS_INVALID_PARAMETER, ndis.STATUS_INVALID_USER_BUFFER})
_PLAIN: Final = frozenset({ndis.STATUS_SUCCESS, ndis.STATUS_INVALID_HANDLE})
_STATUSES: Final[dict[type[Operation], frozenset[int]]] = {
    Create: _PLAIN | {ndis.STATUS_ACCESS_DENIED},
    Cleanup: _PLAIN,
    Close: _PLAIN,
    Read: _PLAIN | _UNUSABLE | {ndis.STATUS_CANCELLED},
    Write: _PLAIN | _UNUSABLE | _REFUSED_TRAFFIC,
    Send: _REFUSED_TRAFFIC
    | {
        ndis.NDIS_STATUS_SUCCESS,
        ndis.NDIS_STATUS_MEDIA_DISCONNECTED,
        ndis.NDIS_STATUS_SEND_ABORTED,
        ndis.NDIS_STATUS_INVALID_LENGTH,
        ndis.NDIS_STATUS_RESOURCES,
    },
    Pause: frozenset({ndis.STATUS_SUCCESS, ndis.STATUS_PENDING}),
}


def _statuses(record: Record, more: frozenset[int]) -> Iterator[Wrong]:
    """Each status is one that the specification allows there, and a request that failed carries nothing."""
    for place, event in enumerate(record.events):
        if not isinstance(event, (IrpCompleted, NblCompleted)):
            continue
        operation = record.layout.operations[event.operation]
        if event.status in more:
            continue
        if event.status not in _STATUSES[type(operation)]:
            message = f"{operation.verb} {operation.name} ended with {ndis.name_of(event.status)}"
            yield Wrong("property", "allowed-status", message, place)
        elif isinstance(event, IrpCompleted):
            yield from _information(operation, event, place)
        elif not _may_fail_so(operation, event):
            message = f"NBL {event.operation}.{event.index} has no packet that {ndis.name_of(event.status)} is for"
            yield Wrong("property", "allowed-status", message, place)


def _information(operation: Operation, event: IrpCompleted, place: int) -> Iterator[Wrong]:
    failed = event.status != ndis.STATUS_SUCCESS
    if failed and event.information:
        message = f"{operation.name} failed, but its Information is {event.information}"
        yield Wrong("property", "information", message, place)
    elif isinstance(operation, Read) and not failed and not 0 < event.information <= operation.length:
        message = f"the read {operation.name} of {operation.length} bytes brought {event.information}"
        yield Wrong("property", "information", message, place)
    elif isinstance(operation, Write) and event.information > len(operation.data):
        message = f"of the {len(operation.data)} bytes of {operation.name} {event.information} were taken"
        yield Wrong("property", "information", message, place)
    if isinstance(operation, (Read, Write)) and event.status in _UNUSABLE:
        size = operation.length if isinstance(operation, Read) else len(operation.data)
        smallest = SMALLEST_READ if isinstance(operation, Read) else SMALLEST_WRITE
        if smallest <= size <= LARGEST_BUFFER:
            message = f"{operation.name} has a buffer of {size} bytes, and there is nothing wrong with that"
            yield Wrong("property", "allowed-status", message, place)


def _may_fail_so(operation: Operation, event: NblCompleted) -> bool:
    assert isinstance(operation, Send)
    nbl = operation.nbls[event.index]
    if event.status == ndis.NDIS_STATUS_INVALID_LENGTH:
        return any(len(packet) > LARGEST_PACKET for packet in nbl.packets)
    if event.status == ndis.NDIS_STATUS_RESOURCES:
        return bool(nbl.unmapped)
    return True


_ALWAYS: Final[tuple[Callable[[Record], Iterator[Wrong]], ...]] = (
    _requests_come_back,
    _nbls_come_back,
    _handlers_return,
    *ALWAYS,
)
