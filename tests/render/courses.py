"""Runs that the tests of the renderers draw: small ones that are typed here, and what a stranger may send."""

from wintun_sim import ndis
from wintun_sim.operations import (
    Create,
    Event,
    Initialize,
    IrpCompleted,
    LinkChanged,
    Load,
    Nbl,
    NblCompleted,
    Operation,
    PacketReceived,
    Pause,
    Read,
    Refused,
    Restart,
    Returned,
    RuleBroken,
    Send,
    Write,
)
from wintun_sim.operations.data import ipv4
from wintun_sim.trace import Course, Moment

SUCCESS, PAUSED = ndis.STATUS_SUCCESS, ndis.STATUS_NDIS_PAUSED
EVIL = "end; %%\n\x1b[2J\u202e</title><script>alert('&')</script> ]]> #quot; -->>p0: \ud800"


def started() -> list[Moment]:
    """An adapter that runs, with one handle."""
    return [
        Moment(Load(name="driver"), events=(Returned("driver", SUCCESS),)),
        Moment(Initialize(name="adapter"), events=(LinkChanged("adapter", False), Returned("adapter", SUCCESS))),
        Moment(Restart(name="restart"), events=(Returned("restart", SUCCESS),)),
        Moment(Create(name="h"), events=(LinkChanged("adapter", True), IrpCompleted("h", "h", SUCCESS))),
    ]


def sent(name: str, count: int, *events: Event) -> Moment:
    nbls = tuple(Nbl((ipv4(84),)) for _ in range(count))
    return Moment(Send(name=name, nbls=nbls), events=events)


def thousand(status: int = PAUSED) -> Course:
    """A thousand NBLs that come back with a pause."""
    back = tuple(NblCompleted("s", index, status) for index in range(1000))
    pause = Moment(Pause(name="pause"), events=(*back, Returned("pause", SUCCESS)))
    return Course("model", "A thousand NBLs", moments=(*started(), sent("s", 1000), pause))


def many(handles: int, adapters: int) -> Course:
    """So many adapters, and handles on the first of them."""
    moments = [Moment(Load(name="driver"), events=(Returned("driver", SUCCESS),))]
    for number in range(adapters):
        moments.append(Moment(Initialize(name=f"a{number}"), events=(Returned(f"a{number}", SUCCESS),)))
    for number in range(handles):
        create = Create(name=f"h{number}", adapter="a0")
        moments.append(Moment(create, events=(IrpCompleted(f"h{number}", f"h{number}", SUCCESS),)))
    return Course("model", "Many", moments=tuple(moments))


def hostile(text: str = EVIL) -> Course:
    """A run in which every text that a stranger may choose is this one."""
    operations: list[Operation] = [
        Initialize(name=text),
        Create(name=text + "h", adapter=text),
        Read(name=text + "r", handle=text + "h"),
        Write(name=text + "w", handle=text + "h", data=text.encode(errors="replace")),
        Restart(name=text + "x", adapter="never " + text),
    ]
    events: tuple[Event, ...] = (
        LinkChanged(text, True),
        IrpCompleted(text + "r", text + "h", 0xDEADBEEF, 10**30, b"\xff" * 40),
        NblCompleted(text, -(10**30), 1),
        PacketReceived(text, b""),
        RuleBroken(text, text, text),
        Refused(text, text),
    )
    moments = tuple(Moment(operation, text, True, text, events) for operation in operations)
    return Course(text, text, "raw", (6, 20), moments, (text,), text)
