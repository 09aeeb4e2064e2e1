"""One operation, or one event, as a line of text, and back.

An operation is its verb, ``@`` and the adapter (or the driver, for ``initialize`` and ``unload``) unless that is the
default one, and its arguments; its name is written by the scenario around it. In the order of an adapter's life::

    load                           restart                         create [system|administrator|user]
    unload [@DRIVER]               pause                           read HANDLE [LENGTH]
    initialize [@DRIVER]           halt                            write HANDLE BYTES [rejected={0, 2}]
    shutdown [power-off|bug-check] surprise-remove                 cancel READ
    set-power D0…D3|NUMBER         cancel-send CANCEL_ID           cleanup HANDLE
    oid query|set|statistics|method OID LENGTH [BYTES] [direct]    close HANDLE
    send NBL … [again]             where NBL is BYTES or nbl(BYTES, …, cancel=5, mdl=16, offset=2, unmapped={0})

An event is its verb and what happened::

    returned pause STATUS_SUCCESS                          paused pause
    irp read STATUS_SUCCESS 112 bundle(ipv4(84))           received write ipv4(84)
    nbl send.0 STATUS_NDIS_PAUSED [again]                  link up [@ADAPTER]
    oid oid STATUS_SUCCESS written=4 needed=4 hex(…)       refused pause "why"
    broken RULE send "what happened"

``nbl send.0..9 STATUS`` stands for ten events. The bytes are those of ``data``, the statuses those of ``ndis``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from wintun_sim import ndis
from wintun_sim.operations import event as events
from wintun_sim.operations import operation as operations
from wintun_sim.operations.data import format_data, format_items, parse_data, parse_items
from wintun_sim.operations.operation import DEFAULT_ADAPTER, DEFAULT_DRIVER
from wintun_sim.operations.scan import MAX_BYTES, Scanner, Token, nearest

MAX_NBLS: Final = 0xFFFF
"""NBLs of one send, and NET_BUFFERs of one NBL, that the text can number."""

_SHUTDOWNS: Final = {
    "power-off": operations.ShutdownAction.POWER_OFF,
    "bug-check": operations.ShutdownAction.BUG_CHECK,
}
_POWERS: Final = {state.name: int(state) for state in operations.PowerState if state.name != "UNSPECIFIED"}
_POWER_NAMES: Final = {value: name for name, value in _POWERS.items()}
_ACCOUNTS: Final = {account.value: account for account in operations.Account}
_OID_KINDS: Final = {kind.value: kind for kind in operations.OidKind}

__all__ = ["MAX_NBLS", "format_event", "format_operation", "parse_events", "parse_operation"]

Value = TypeVar("Value")
Parser = Callable[[Scanner, str, str], operations.Operation]
EventParser = Callable[[Scanner, Mapping[str, str]], list[events.Event]]


# Operations: reading


def parse_operation(scanner: Scanner, name: str = "") -> operations.Operation:
    """Read one operation, up to the end of its line, and give it ``name``.

    Raises ``ScenarioError``.
    """
    verb = scanner.word("an operation", f"known are {', '.join(sorted(_PARSERS))}")
    parser = _PARSERS.get(verb.text)
    if parser is None:
        scanner.fail(f"there is no operation {verb.text!r}", nearest(verb.text, _PARSERS), verb.position)
    target = ""
    if scanner.peek().text == "@":
        mark = scanner.next()
        if verb.text not in _WITH_ADAPTER and verb.text not in ("initialize", "unload"):
            scanner.fail(f"{verb.text} has no @", "it belongs to what its argument names; remove the @", mark.position)
        target = scanner.name("an adapter or driver")
    operation = parser(scanner, name, target)
    scanner.end_line(f"this {verb.text}")
    return operation


def _parse_shutdown(scanner: Scanner, name: str, adapter: str) -> operations.Operation:
    action = operations.ShutdownAction.POWER_OFF
    if not scanner.at_line_end():
        action = _one_of(scanner, "why the system goes down", _SHUTDOWNS)
    return operations.Shutdown(name=name, adapter=adapter or DEFAULT_ADAPTER, action=action)


def _parse_set_power(scanner: Scanner, name: str, adapter: str) -> operations.Operation:
    token = scanner.word("a device power state", "write D0, D1, D2, D3 or a number")
    state = _POWERS.get(token.text)
    if state is None:
        state = scanner.number_of(token.text, "a device power state", 0xFFFFFFFF, token.position)
    return operations.SetPower(name=name, adapter=adapter or DEFAULT_ADAPTER, state=state)


def _parse_oid(scanner: Scanner, name: str, adapter: str) -> operations.Operation:
    kind = _one_of(scanner, "the type of the request", _OID_KINDS)
    oid = _ndis_value(scanner, "an OID", scanner.word("an OID"))
    length = scanner.number("the length of the information buffer", MAX_BYTES)
    data = b""
    position = scanner.peek().position
    if not scanner.at_line_end() and scanner.peek().text != "direct":
        data = parse_data(scanner)
    if len(data) > length:
        scanner.fail(f"{len(data)} bytes do not fit into {length}", "make the buffer longer", position)
    direct = False
    if scanner.peek().text == "direct":
        scanner.next()
        direct = True
    return operations.Oid(
        name=name, adapter=adapter or DEFAULT_ADAPTER, kind=kind, oid=oid, length=length, data=data, direct=direct
    )


def _parse_send(scanner: Scanner, name: str, adapter: str) -> operations.Operation:
    nbls: list[operations.Nbl] = []
    again = False
    position = scanner.peek().position
    while not again and not scanner.at_line_end():
        if scanner.peek().text == "again":
            scanner.next()
            again = True
        elif scanner.peek().text == "nbl":
            scanner.next()
            nbls.append(_parse_nbl(scanner))
        else:
            nbls += [operations.Nbl((packet,)) for packet in parse_items(scanner)]
    if not 0 < len(nbls) <= MAX_NBLS:
        scanner.fail(
            f"a send of {len(nbls)} NBLs", f"send from 1 to {MAX_NBLS}; nbl() is one without packets", position
        )
    return operations.Send(name=name, adapter=adapter or DEFAULT_ADAPTER, nbls=tuple(nbls), again=again)


def _parse_nbl(scanner: Scanner) -> operations.Nbl:
    scanner.open()
    packets: list[bytes] = []
    options: dict[str, int] = {}
    unmapped: frozenset[int] = frozenset()
    while scanner.peek().text != ")":
        token = scanner.peek()
        if token.text in ("cancel", "mdl", "offset", "unmapped"):
            scanner.next()
            scanner.demand_mark("=", f"after {token.text}")
            if token.text == "unmapped":
                unmapped = scanner.numbers("positions of NET_BUFFERs", MAX_NBLS)
            else:
                maximum = 0xFFFFFFFF if token.text == "cancel" else MAX_BYTES
                options[token.text] = scanner.number(token.text, maximum)
        else:
            packets += parse_items(scanner)
        if not scanner.take_mark(","):
            break
    position = scanner.peek().position
    scanner.close()
    if len(packets) > MAX_NBLS:
        scanner.fail(f"an NBL of {len(packets)} NET_BUFFERs", f"give it at most {MAX_NBLS}", position)
    if unmapped and max(unmapped) >= len(packets):
        scanner.fail(
            f"unmapped names NET_BUFFER {max(unmapped)}, but this NBL has {len(packets)}", "they count from 0", position
        )
    return operations.Nbl(
        tuple(packets), options.get("cancel", 0), options.get("mdl", 0), options.get("offset", 0), unmapped
    )


def _parse_cancel_send(scanner: Scanner, name: str, adapter: str) -> operations.Operation:
    cancel_id = scanner.number("a cancel id")
    return operations.CancelSend(name=name, adapter=adapter or DEFAULT_ADAPTER, cancel_id=cancel_id)


def _parse_create(scanner: Scanner, name: str, adapter: str) -> operations.Operation:
    account = operations.Account.SYSTEM
    if not scanner.at_line_end():
        account = _one_of(scanner, "an account", _ACCOUNTS)
    return operations.Create(name=name, adapter=adapter or DEFAULT_ADAPTER, account=account)


def _parse_read(scanner: Scanner, name: str, _target: str) -> operations.Operation:
    handle = scanner.name("a create")
    if scanner.at_line_end():
        return operations.Read(name=name, handle=handle)
    return operations.Read(name=name, handle=handle, length=scanner.number("a length in bytes", MAX_BYTES))


def _parse_write(scanner: Scanner, name: str, _target: str) -> operations.Operation:
    handle = scanner.name("a create")
    data = parse_data(scanner)
    rejected: frozenset[int] = frozenset()
    if scanner.peek().text == "rejected":
        scanner.next()
        scanner.demand_mark("=", "after rejected")
        rejected = scanner.numbers("positions of packets", MAX_BYTES)
    return operations.Write(name=name, handle=handle, data=data, rejected=rejected)


def _one_of(scanner: Scanner, what: str, known: Mapping[str, Value]) -> Value:
    token = scanner.word(what, f"known are {', '.join(known)}")
    if token.text not in known:
        scanner.fail(f"{token.text!r} is not {what}", nearest(token.text, known), token.position)
    return known[token.text]


def _ndis_value(scanner: Scanner, what: str, token: Token) -> int:
    try:
        return ndis.parse(token.text)
    except ValueError as error:
        scanner.fail(f"{what}: {error}", "write its name or its number", token.position)


_WITH_ADAPTER: Final[dict[str, Parser]] = {
    "restart": lambda _, name, adapter: operations.Restart(name=name, adapter=adapter or DEFAULT_ADAPTER),
    "pause": lambda _, name, adapter: operations.Pause(name=name, adapter=adapter or DEFAULT_ADAPTER),
    "halt": lambda _, name, adapter: operations.Halt(name=name, adapter=adapter or DEFAULT_ADAPTER),
    "surprise-remove": lambda _, name, adapter: operations.SurpriseRemove(
        name=name, adapter=adapter or DEFAULT_ADAPTER
    ),
    "shutdown": _parse_shutdown,
    "set-power": _parse_set_power,
    "oid": _parse_oid,
    "send": _parse_send,
    "cancel-send": _parse_cancel_send,
    "create": _parse_create,
}

_PARSERS: Final[dict[str, Parser]] = _WITH_ADAPTER | {
    "load": lambda _, name, _target: operations.Load(name=name),
    "unload": lambda _, name, driver: operations.Unload(name=name, driver=driver or DEFAULT_DRIVER),
    "initialize": lambda _, name, driver: operations.Initialize(name=name, driver=driver or DEFAULT_DRIVER),
    "cleanup": lambda scanner, name, _: operations.Cleanup(name=name, handle=scanner.name("a create")),
    "close": lambda scanner, name, _: operations.Close(name=name, handle=scanner.name("a create")),
    "read": _parse_read,
    "write": _parse_write,
    "cancel": lambda scanner, name, _: operations.Cancel(name=name, request=scanner.name("a read")),
}


# Operations: writing


def format_operation(operation: operations.Operation) -> str:
    """Write an operation without its name."""
    words = [operation.verb]
    match operation:
        case operations.AdapterOperation(adapter=adapter) if adapter != DEFAULT_ADAPTER:
            words.append(f"@{adapter}")
        case operations.Initialize(driver=driver) | operations.Unload(driver=driver) if driver != DEFAULT_DRIVER:
            words.append(f"@{driver}")
        case operations.HandleOperation(handle=handle):
            words.append(handle)
        case operations.Cancel(request=request):
            words.append(request)
    words += _arguments(operation)
    return " ".join(words)


def _arguments(operation: operations.Operation) -> list[str]:
    match operation:
        case operations.Shutdown(action=operations.ShutdownAction.BUG_CHECK):
            return ["bug-check"]
        case operations.SetPower(state=state):
            return [_POWER_NAMES.get(state, str(state))]
        case operations.CancelSend(cancel_id=cancel_id):
            return [str(cancel_id)]
        case operations.Create(account=account) if account is not operations.Account.SYSTEM:
            return [account.value]
        case operations.Read(length=length):
            return [str(length)]
        case operations.Write(data=data, rejected=rejected):
            return [format_data(data), *([f"rejected={_set(rejected)}"] if rejected else [])]
        case operations.Oid():
            words = [operation.kind.value, ndis.name_of_oid(operation.oid), str(operation.length)]
            if operation.data:
                words.append(format_data(operation.data))
            return [*words, *(["direct"] if operation.direct else [])]
        case operations.Send(nbls=nbls, again=again):
            return [*_nbls(nbls), *(["again"] if again else [])]
    return []


def _nbls(nbls: tuple[operations.Nbl, ...]) -> list[str]:
    words: list[str] = []
    plain: list[bytes] = []
    for nbl in nbls:
        if nbl == operations.Nbl(nbl.packets) and len(nbl.packets) == 1:
            plain.append(nbl.packets[0])
            continue
        words += format_items(plain)
        plain.clear()
        words.append(_nbl(nbl))
    return [*words, *format_items(plain)]


def _nbl(nbl: operations.Nbl) -> str:
    parts = list(format_items(nbl.packets))
    parts += [f"cancel={nbl.cancel_id}"] * bool(nbl.cancel_id)
    parts += [f"mdl={nbl.mdl_size}"] * bool(nbl.mdl_size)
    parts += [f"offset={nbl.data_offset}"] * bool(nbl.data_offset)
    parts += [f"unmapped={_set(nbl.unmapped)}"] * bool(nbl.unmapped)
    return f"nbl({', '.join(parts)})"


def _set(numbers: frozenset[int]) -> str:
    return "{" + ", ".join(str(number) for number in sorted(numbers)) + "}"


# Events: reading


def parse_events(scanner: Scanner, handles: Mapping[str, str]) -> list[events.Event]:
    """Read one line of events: one event, or as many as its range of NBLs says.

    ``handles`` gives the handle of each create, cleanup, close, read and write that may complete. Raises
    ``ScenarioError``.
    """
    verb = scanner.word("an event", f"known are {', '.join(sorted(_EVENT_PARSERS))}")
    parser = _EVENT_PARSERS.get(verb.text)
    if parser is None:
        scanner.fail(f"there is no event {verb.text!r}", nearest(verb.text, _EVENT_PARSERS), verb.position)
    found = parser(scanner, handles)
    scanner.end_line(f"this {verb.text} event")
    return found


def _status(scanner: Scanner) -> int:
    return _ndis_value(scanner, "a status", scanner.word("a status"))


def _parse_returned(scanner: Scanner, _handles: Mapping[str, str]) -> list[events.Event]:
    return [events.Returned(scanner.name("an operation"), _status(scanner))]


def _parse_irp(scanner: Scanner, handles: Mapping[str, str]) -> list[events.Event]:
    position = scanner.peek().position
    operation = scanner.name("a create, cleanup, close, read or write")
    if operation not in handles:
        scanner.fail(
            f"no create, cleanup, close, read or write is called {operation!r}", nearest(operation, handles), position
        )
    status = _status(scanner)
    information = 0 if scanner.at_line_end() else scanner.number("Information in bytes", MAX_BYTES)
    data = b"" if scanner.at_line_end() else parse_data(scanner)
    return [events.IrpCompleted(operation, handles[operation], status, information, data)]


def _parse_nbl_event(scanner: Scanner, _handles: Mapping[str, str]) -> list[events.Event]:
    token = scanner.word("an NBL", "write the send's name, a dot and the NBL's number, as in s.0 or s.0..9")
    first, dots, last = token.text.partition("..")
    operation, dot, start = first.rpartition(".")
    if not dot:
        scanner.fail(f"{token.text!r} names no NBL", "write the send's name, a dot and a number", token.position)
    numbers = scanner.range_of(start + dots + last, "the number of an NBL", MAX_NBLS, token.position)
    status = _status(scanner)
    again = not scanner.at_line_end() and scanner.peek().text == "again"
    if again:
        scanner.next()
    return [events.NblCompleted(operation, number, status, again) for number in numbers]


def _parse_oid_event(scanner: Scanner, _handles: Mapping[str, str]) -> list[events.Event]:
    operation = scanner.name("an oid or set-power")
    status = _status(scanner)
    numbers = {"written": 0, "needed": 0}
    while scanner.peek().text in numbers:
        word = scanner.next().text
        scanner.demand_mark("=", f"after {word}")
        numbers[word] = scanner.number(f"bytes {word}")
    data = b"" if scanner.at_line_end() else parse_data(scanner)
    return [events.OidCompleted(operation, status, numbers["written"], numbers["needed"], data)]


def _parse_received(scanner: Scanner, _handles: Mapping[str, str]) -> list[events.Event]:
    operation = scanner.name("a write")
    return [events.PacketReceived(operation, packet) for packet in parse_items(scanner)]


def _parse_link(scanner: Scanner, _handles: Mapping[str, str]) -> list[events.Event]:
    connected = _one_of(scanner, "a link state", {"up": True, "down": False})
    adapter = scanner.name("an adapter") if scanner.take_mark("@") else DEFAULT_ADAPTER
    return [events.LinkChanged(adapter, connected)]


def _parse_paused(scanner: Scanner, _handles: Mapping[str, str]) -> list[events.Event]:
    return [events.PauseCompleted(scanner.name("a pause"))]


def _parse_broken(scanner: Scanner, _handles: Mapping[str, str]) -> list[events.Event]:
    rule = scanner.string("a rule") if scanner.peek().kind == "string" else scanner.word("the name of a rule").text
    operation = scanner.name("an operation")
    return [events.RuleBroken(operation, rule, "" if scanner.at_line_end() else scanner.string("a message"))]


def _parse_refused(scanner: Scanner, _handles: Mapping[str, str]) -> list[events.Event]:
    operation = scanner.name("an operation")
    return [events.Refused(operation, "" if scanner.at_line_end() else scanner.string("a reason"))]


_EVENT_PARSERS: Final[dict[str, EventParser]] = {
    "returned": _parse_returned,
    "irp": _parse_irp,
    "nbl": _parse_nbl_event,
    "oid": _parse_oid_event,
    "received": _parse_received,
    "link": _parse_link,
    "paused": _parse_paused,
    "broken": _parse_broken,
    "refused": _parse_refused,
}


# Events: writing


def format_event(event: events.Event) -> str:
    """Write one event."""
    return " ".join((event.verb, *_event_words(event)))


def _event_words(event: events.Event) -> list[str]:
    match event:
        case events.Returned(operation, status):
            return [operation, ndis.name_of(status)]
        case events.IrpCompleted(operation, _, status, information, data):
            return [operation, ndis.name_of(status), str(information), *([format_data(data)] if data else [])]
        case events.NblCompleted(operation, index, status, again):
            return [f"{operation}.{index}", ndis.name_of(status), *(["again"] if again else [])]
        case events.OidCompleted(operation, status, information, needed, data):
            lengths = [f"written={information}", f"needed={needed}"]
            return [operation, ndis.name_of(status), *lengths, *([format_data(data)] if data else [])]
        case events.PacketReceived(operation, data):
            return [operation, format_data(data)]
        case events.LinkChanged(adapter, connected):
            return ["up" if connected else "down", *([f"@{adapter}"] if adapter != DEFAULT_ADAPTER else [])]
        case events.PauseCompleted(operation):
            return [operation]
        case events.RuleBroken(operation, rule, message):
            plain = rule.isascii() and rule.isidentifier()
            return [rule if plain else _quote(rule), operation, *([_quote(message)] if message else [])]
        case events.Refused(operation, reason):
            return [operation, *([_quote(reason)] if reason else [])]
    raise TypeError(f"{type(event).__name__} has no text form")


def _quote(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
