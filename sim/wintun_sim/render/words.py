"""What pictures say of operations and events: a few words each, from which nothing hostile comes through.

Names and titles are made by whoever wrote the scenario or the trace. Whatever is not printable (control characters,
which command terminals; marks that turn the direction of writing round; halves of surrogate pairs, which no file can
hold) is shown as its number.
"""

from __future__ import annotations

from typing import Final

from wintun_sim import ndis
from wintun_sim.bundle import decode
from wintun_sim.operations import (
    Cancel,
    CancelSend,
    Create,
    Event,
    HandleOperation,
    IrpCompleted,
    LinkChanged,
    NblCompleted,
    Oid,
    OidCompleted,
    Operation,
    PacketReceived,
    PauseCompleted,
    Read,
    Refused,
    Returned,
    RuleBroken,
    Send,
    SetPower,
    Shutdown,
    ShutdownAction,
    Write,
)
from wintun_sim.operations.text import format_operation

LONGEST: Final = 200
"""Characters of a text that are shown; the rest is an ellipsis."""


def plain(text: str, longest: int = LONGEST) -> str:
    """Return a text on one line that can be printed anywhere, and is at most ``longest`` characters long."""
    shown = "".join(
        character if character.isprintable() else " " if character in "\n\t" else f"\\x{ord(character):02x}"
        for character in text[: longest + 1]
    )
    return shown if len(shown) <= longest and len(text) <= longest else shown[: longest - 1] + "…"


def operation_words(operation: Operation) -> str:
    """Say what an operation does, its name first where it has one of its own."""
    name = plain(operation.name, 40)
    label = "" if operation.name == operation.verb else f" {name}"
    match operation:
        case Send(nbls=nbls, again=again):
            packets = [packet for nbl in nbls for packet in nbl.packets]
            return f"send{label}: {_count(len(nbls), 'NBL')}, {_packets(packets)}{', each again' * again}"
        case Write(data=data):
            return f"write{label}: {_bytes(len(data))}"
        case Read(length=length):
            return f"read{label}: up to {_bytes(length)}"
        case Create() | CancelSend() | SetPower() | Oid() | Cancel() | HandleOperation():
            arguments = _arguments(operation)
            return plain(f"{operation.verb}{label}{':' * bool(label and arguments)} {arguments}".rstrip())
        case Shutdown(action=ShutdownAction.BUG_CHECK):
            return f"shutdown{label}: bug check"
    return f"{operation.verb}{label}"


def event_words(event: Event) -> str:
    """Say what happened."""
    name = plain(str(getattr(event, "operation", "")), 40)
    match event:
        case Returned(status=status):
            return f"{name} returns {ndis.name_of(status)}"
        case IrpCompleted(status=status, information=information, data=data):
            packets = f", {_count(len(decode(data)), 'packet')}" if data else ""
            size = f", {_bytes(information)}" if information else ""
            return f"{name}: {ndis.name_of(status)}{size}{packets}"
        case NblCompleted(index=index, status=status, again=again):
            return f"{name}.{index}: {ndis.name_of(status)}{', sent again' * again}"
        case OidCompleted(status=status, information=information):
            return f"{name}: {ndis.name_of(status)}{f', {_bytes(information)}' if information else ''}"
        case PacketReceived(data=data):
            return f"received of {name}: {_packets([data])}"
        case LinkChanged(connected=connected):
            return f"link {'up' if connected else 'down'}"
        case PauseCompleted():
            return f"{name} is complete"
        case RuleBroken(rule=rule, message=message):
            return plain(f"broken: {rule}: {message}")
        case Refused(reason=reason):
            return plain(f"refused: {reason}")
    return event.verb


def status_of(event: Event) -> int | None:
    """Return the status that an event carries, or None."""
    return event.status if isinstance(event, Returned | IrpCompleted | NblCompleted | OidCompleted) else None


def received_words(name: str, sizes: list[int]) -> str:
    """Say that packets were received on behalf of the write of this name."""
    least, most = min(sizes), max(sizes)
    of = f"{least:,}" if least == most else f"{least:,} to {most:,}"
    return f"received of {plain(name, 40)}: {_count(len(sizes), 'packet')} of {of} bytes"


def _arguments(operation: Operation) -> str:
    """Return what the text of an operation says behind its verb, without the adapter's name."""
    words = format_operation(operation).split(" ")[1:]
    return " ".join(word for word in words if not word.startswith("@"))


def _packets(packets: list[bytes]) -> str:
    return f"{_count(len(packets), 'packet')}, {_bytes(sum(map(len, packets)))}"


def _bytes(count: int) -> str:
    return _count(count, "byte")


def _count(count: int, what: str) -> str:
    return f"{count:,} {what}{'s' * (count != 1)}"
