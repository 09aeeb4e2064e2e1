"""Operations, events and scenarios that hypothesis makes, with names that fit together."""

from hypothesis import strategies as st

from wintun_sim.operations import (
    Account,
    Cancel,
    CancelSend,
    Cleanup,
    Close,
    Create,
    Event,
    Halt,
    Initialize,
    IrpCompleted,
    LinkChanged,
    Load,
    Nbl,
    NblCompleted,
    Oid,
    OidCompleted,
    OidKind,
    Operation,
    PacketReceived,
    Pause,
    PauseCompleted,
    Read,
    Refused,
    Restart,
    Returned,
    RuleBroken,
    Send,
    SetPower,
    Shutdown,
    ShutdownAction,
    SurpriseRemove,
    Unload,
    Write,
)
from wintun_sim.operations.data import ipv4, ipv6
from wintun_sim.operations.outcome import Places
from wintun_sim.scenario import Actor, Expectation, Scenario, Step
from wintun_sim.scenario.names import fill

numbers = st.integers(0, 0xFFFFFFFF)
fillers = st.integers(0, 0xFFFF)
sizes = st.integers(0, 200)
labels = st.from_regex(r"[a-z_][a-z0-9_]{0,3}(-[a-z0-9])?(\.[a-z0-9_]{1,3})?", fullmatch=True)

packets = st.one_of(
    st.builds(ipv4, sizes, fillers),
    st.builds(ipv6, sizes, fillers),
    st.binary(max_size=100),
    st.builds(bytes, sizes),
)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Records, whole and cut, clean and not, with this and that between them."""
    data = b""
    for packet in draw(st.lists(packets, max_size=4)):
        data += (
            len(packet).to_bytes(4, "little") + draw(st.sampled_from([bytes(12), b"\1" * 12, b"\xa5" * 12])) + packet
        )
        data += draw(st.sampled_from([b"\0", b"\xa5"])) * (-len(data) % 16)
    return data[: draw(st.integers(0, len(data)))] + draw(st.binary(max_size=20))


payloads = st.one_of(packets, damaged())


@st.composite
def nbls(draw: st.DrawFn) -> Nbl:
    """An NBL, its packets often a run of fillers."""
    content = draw(st.lists(packets, max_size=3))
    if draw(st.booleans()):
        size, first = draw(st.integers(20, 60)), draw(st.integers(0, 0xFF00))
        content += [ipv4(size, first + number) for number in range(draw(st.integers(0, 5)))]
    unmapped = draw(st.frozensets(st.sampled_from(range(len(content))))) if content else frozenset()
    return Nbl(tuple(content), draw(numbers), draw(sizes), draw(sizes), unmapped)


def _any_operation(draw: st.DrawFn, known: dict[str, list[str]]) -> Operation:
    """An operation without a name, on what there is."""
    adapter = draw(st.sampled_from(known["initialize"]))
    driver = draw(st.sampled_from(known["load"]))
    choices: list[st.SearchStrategy[Operation]] = [
        st.just(Load()),
        st.just(Initialize(driver=driver)),
        st.just(Unload(driver=driver)),
        st.sampled_from([Restart, Pause, Halt, SurpriseRemove]).map(lambda kind: kind(adapter=adapter)),
        st.builds(Shutdown, adapter=st.just(adapter), action=st.sampled_from(ShutdownAction)),
        st.builds(SetPower, adapter=st.just(adapter), state=st.one_of(st.integers(0, 6), numbers)),
        st.builds(CancelSend, adapter=st.just(adapter), cancel_id=numbers),
        st.builds(
            Send,
            adapter=st.just(adapter),
            nbls=st.lists(nbls(), min_size=1, max_size=4).map(tuple),
            again=st.booleans(),
        ),
        st.builds(Create, adapter=st.just(adapter), account=st.sampled_from(Account)),
        st.builds(
            lambda kind, oid, data, more, direct: Oid(
                adapter=adapter, kind=kind, oid=oid, length=len(data) + more, data=data, direct=direct
            ),
            st.sampled_from(OidKind),
            st.one_of(st.just(0x00020106), numbers),
            st.binary(max_size=12),
            sizes,
            st.booleans(),
        ),
    ]
    if known["create"]:
        handle = st.sampled_from(known["create"])
        positions = st.frozensets(st.integers(0, 9), max_size=3)
        choices += [
            st.builds(Cleanup, handle=handle),
            st.builds(Close, handle=handle),
            st.builds(Read, handle=handle, length=st.integers(0, 1 << 24)),
            st.builds(Write, handle=handle, data=payloads, rejected=positions),
        ]
    if known["read"]:
        choices.append(st.builds(Cancel, request=st.sampled_from(known["read"])))
    return draw(st.one_of(choices))


@st.composite
def operations(draw: st.DrawFn) -> list[Operation]:
    """A sequence of operations, some with names of their own, in which every name is introduced before it is used."""
    known: dict[str, list[str]] = {"load": ["driver"], "initialize": ["adapter"], "create": [], "read": []}
    found: list[Operation] = [Load(), Initialize()]
    used = {"driver", "adapter"}
    for _ in range(draw(st.integers(0, 12))):
        operation = _any_operation(draw, known)
        name = draw(st.one_of(st.just(""), labels))
        if name and name not in used:
            used.add(name)
            object.__setattr__(operation, "name", name)
        if operation.verb in known and not operation.name:
            continue  # nobody could refer to it yet: its name is filled in later
        found.append(operation)
        known.get(operation.verb, []).append(operation.name)
    return fill(found)


def events(names: list[str], handles: dict[str, str]) -> st.SearchStrategy[Event]:
    """Any event of these operations."""
    name = st.sampled_from(names)
    texts = st.text(st.characters(codec="utf-8"), max_size=20)
    choices: list[st.SearchStrategy[Event]] = [
        st.builds(Returned, name, numbers),
        st.builds(OidCompleted, name, numbers, numbers, numbers, payloads),
        st.builds(NblCompleted, name, st.integers(0, 0xFFFF), numbers, st.booleans()),
        st.builds(PacketReceived, name, payloads),
        st.builds(LinkChanged, name, st.booleans()),
        st.builds(PauseCompleted, name),
        st.builds(RuleBroken, name, st.sampled_from(["SpinLock", "a rule"]), texts),
        st.builds(Refused, name, texts),
    ]
    if handles:
        choices.append(
            st.builds(
                lambda request, status, information, data: IrpCompleted(
                    request, handles[request], status, information, data
                ),
                st.sampled_from(sorted(handles)),
                numbers,
                st.integers(0, 1 << 24),
                payloads,
            )
        )
    return st.one_of(choices)


@st.composite
def scenarios(draw: st.DrawFn) -> Scenario:
    """A scenario with expectations, and sometimes with actors."""
    sequence = draw(operations())
    handles = Places(sequence).handles
    expectation = st.builds(
        Expectation,
        st.one_of(st.none(), events([operation.name for operation in sequence], handles)),
        st.sampled_from([(), ("UPSTREAM",), ("UPSTREAM", "BEFORE")]),
    )
    steps = [Step(operation, tuple(draw(st.lists(expectation, max_size=3)))) for operation in sequence]
    cut = draw(st.integers(2, len(steps)))
    actors = (Actor("client", tuple(steps[cut:])), Actor("stack", ())) if draw(st.booleans()) else ()
    return Scenario(
        title=draw(st.sampled_from(["", "A title", "with # and “quotes”"])),
        order=draw(st.sampled_from(["strict", "raw"])),
        ndis=draw(st.sampled_from([(6, 20), (6, 30), (6, 80)])),
        setup=tuple(steps[:cut] if actors else steps),
        actors=actors,
        revisions=draw(st.sampled_from([(), ("BEFORE",), ("UPSTREAM", "BEFORE")])),
    )
