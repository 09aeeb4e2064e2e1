"""The same operations as the walk's, drawn by a state machine of hypothesis: another mind, with other habits.

Hypothesis leans towards what is small, equal or at an edge, repeats itself on purpose and swaps whole swarms of rules
in and out, where the walk's moods make queues long. It is slower by far, so it gets a small share of a check. Where it
is not installed that share is not played, and the report says so.

Its seed decides everything, so a run can be had again; shrinking is the judge's own, as with every finding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from random import Random
from typing import Final

from hypothesis import HealthCheck, Phase, Verbosity, seed, settings
from hypothesis import strategies as st
from hypothesis.internal.conjecture import providers
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from wintun_sim import bundle as codec
from wintun_sim.check.ingredients import KINDS, LENGTHS, ODD_READ_LENGTHS, OIDS, READ_LENGTHS, Pantry
from wintun_sim.check.walk import Namer
from wintun_sim.lifecycle import Ledger
from wintun_sim.ndis import OID_PNP_SET_POWER
from wintun_sim.operations import (
    Account,
    Cancel,
    CancelSend,
    Cleanup,
    Close,
    Create,
    Halt,
    Initialize,
    Load,
    Nbl,
    Oid,
    OidKind,
    Operation,
    Pause,
    Read,
    Restart,
    Send,
    SetPower,
    Shutdown,
    ShutdownAction,
    SurpriseRemove,
    Unload,
    Write,
)
from wintun_sim.operations.data import ipv4, ipv6

RUN_LENGTH: Final = 40
"""Operations of one run of the state machine, beside those that it begins with."""

_MOST_LOADS: Final = 8
_MOST_READS: Final = 24


class Enough(Exception):
    """Whoever carries the operations out wants no more of them, in this run or another."""


Player = Callable[[Operation], None]
"""Carries out one operation, on whatever it likes, and keeps the ledger; raises ``Enough`` to end it all."""

_ANY: Final = st.integers(0, 11)
_SIZES: Final = st.one_of(st.integers(20, 200), st.sampled_from((0, 1, 1420, 61_423, 61_424, 61_425)))
_PACKETS: Final = st.builds(
    lambda six, size, filler: (ipv6 if six else ipv4)(size, filler), st.booleans(), _SIZES, st.integers(0, 99)
)
_NBLS: Final = st.builds(
    lambda packets, cancel, mdl, offset, unmapped: Nbl(
        tuple(packets), cancel, mdl, offset, frozenset(range(len(packets))[:1]) if unmapped else frozenset()
    ),
    st.lists(_PACKETS, max_size=4),
    st.integers(0, 3),
    st.sampled_from((0, 0, 1500, 16)),
    st.sampled_from((0, 0, 14)),
    st.sampled_from((False, False, False, True)),
).map(lambda nbl: replace(nbl, mdl_size=1500) if nbl.mdl_size and sum(map(len, nbl.packets)) > 1000 else nbl)
_RECORDS: Final = st.lists(_PACKETS.filter(lambda packet: len(packet) <= codec.MAX_PACKET_SIZE), max_size=4)
_BUNDLES: Final = st.one_of(
    _RECORDS.map(codec.encode),
    st.builds(lambda records, cut: codec.encode(records)[:cut], _RECORDS, st.integers(0, 300)),
    st.builds(lambda records, more: codec.encode(records) + more, _RECORDS, st.binary(max_size=20)),
    st.integers(0, 1 << 32).map(lambda number: Pantry(Random(number)).damaged_bundle()),
)


def _machine(make: Callable[[], tuple[Ledger, Player]]) -> type[RuleBasedStateMachine]:
    """Return a state machine of which each run plays on what ``make`` gives."""

    class Adapters(RuleBasedStateMachine):
        """Clients, the stack and the system, each with whatever there is."""

        def __init__(self) -> None:
            super().__init__()
            self.ledger, self.player = make()
            self.namer = Namer()

        def play(self, operation: Operation) -> None:
            object.__setattr__(operation, "name", self.namer.name(operation.verb))
            self.player(operation)

        def pick(self, names: Sequence[str], which: int) -> str | None:
            return names[-1 - which % len(names)] if names else None

        def on_adapter(self, which: int, made: Callable[[str], Operation]) -> None:
            adapter = self.pick(list(self.ledger.adapters), which)
            if adapter is not None:
                self.play(made(adapter))

        def on_handle(self, which: int, made: Callable[[str], Operation]) -> None:
            handle = self.pick(list(self.ledger.handles), which)
            if handle is not None:
                self.play(made(handle))

        @initialize()
        def begin(self) -> None:
            for operation in (Load(), Initialize(), Restart(), Create()):
                self.play(operation)

        @rule()
        def load(self) -> None:
            if len(self.ledger.drivers) < _MOST_LOADS:
                self.play(Load())

        @rule(which=_ANY)
        def unload(self, which: int) -> None:
            driver = self.pick(list(self.ledger.drivers), which)
            if driver is not None:
                self.play(Unload(driver=driver))

        @rule(which=_ANY)
        def another(self, which: int) -> None:
            driver = self.pick(list(self.ledger.drivers), which)
            if driver is not None and len(self.ledger.adapters) < _MOST_LOADS:
                self.play(Initialize(driver=driver))

        @rule(which=_ANY)
        def restart(self, which: int) -> None:
            self.on_adapter(which, lambda adapter: Restart(adapter=adapter))

        @rule(which=_ANY)
        def pause(self, which: int) -> None:
            self.on_adapter(which, lambda adapter: Pause(adapter=adapter))

        @rule(which=_ANY)
        def halt(self, which: int) -> None:
            self.on_adapter(which, lambda adapter: Halt(adapter=adapter))

        @rule(which=_ANY, action=st.sampled_from(ShutdownAction))
        def shutdown(self, which: int, action: ShutdownAction) -> None:
            self.on_adapter(which, lambda adapter: Shutdown(adapter=adapter, action=action))

        @rule(which=_ANY)
        def remove(self, which: int) -> None:
            self.on_adapter(which, lambda adapter: SurpriseRemove(adapter=adapter))

        @rule(which=_ANY, state=st.one_of(st.integers(1, 4), st.sampled_from((0, 5, 0xFFFFFFFF))))
        def set_power(self, which: int, state: int) -> None:
            self.on_adapter(which, lambda adapter: SetPower(adapter=adapter, state=state))

        @rule(
            which=_ANY,
            kind=st.sampled_from(KINDS),
            oid=st.sampled_from((*OIDS, OID_PNP_SET_POWER)),
            length=st.sampled_from(LENGTHS),
            data=st.binary(max_size=8),
            direct=st.sampled_from((False, False, True)),
        )
        def ask(self, which: int, kind: OidKind, oid: int, length: int, data: bytes, direct: bool) -> None:
            self.on_adapter(
                which,
                lambda adapter: Oid(
                    adapter=adapter, kind=kind, oid=oid, length=length, data=data[:length], direct=direct
                ),
            )

        @rule(which=_ANY, nbls=st.lists(_NBLS, min_size=1, max_size=5), again=st.booleans())
        def send(self, which: int, nbls: list[Nbl], again: bool) -> None:
            self.on_adapter(which, lambda adapter: Send(adapter=adapter, nbls=tuple(nbls), again=again))

        @rule(which=_ANY, cancel_id=st.integers(0, 3))
        def cancel_send(self, which: int, cancel_id: int) -> None:
            self.on_adapter(which, lambda adapter: CancelSend(adapter=adapter, cancel_id=cancel_id))

        @rule(which=_ANY, account=st.sampled_from((Account.SYSTEM, Account.SYSTEM, Account.USER)))
        def create(self, which: int, account: Account) -> None:
            self.on_adapter(which, lambda adapter: Create(adapter=adapter, account=account))

        @rule(which=_ANY, length=st.sampled_from((*READ_LENGTHS, *ODD_READ_LENGTHS)))
        def read(self, which: int, length: int) -> None:
            if sum(self.ledger.reads.values()) < _MOST_READS:
                self.on_handle(which, lambda handle: Read(handle=handle, length=length))

        @rule(which=_ANY, data=_BUNDLES, rejected=st.frozensets(st.integers(0, 3), max_size=2))
        def write(self, which: int, data: bytes, rejected: frozenset[int]) -> None:
            self.on_handle(which, lambda handle: Write(handle=handle, data=data, rejected=rejected))

        @rule(which=_ANY)
        def cancel(self, which: int) -> None:
            request = self.pick(list(self.ledger.reads), which)
            if request is not None:
                self.play(Cancel(request=request))

        @rule(which=_ANY)
        def cleanup(self, which: int) -> None:
            self.on_handle(which, lambda handle: Cleanup(handle=handle))

        @rule(which=_ANY)
        def close(self, which: int) -> None:
            self.on_handle(which, lambda handle: Close(handle=handle))

    return Adapters


def play(make: Callable[[], tuple[Ledger, Player]], start: str, steps: int) -> None:
    """Let the state machine play about ``steps`` operations in runs, each on what ``make`` gives it anew.

    ``start`` is where every choice comes from. ``Enough`` from a player ends everything.
    """
    ended = False

    def make_with_an_end() -> tuple[Ledger, Player]:
        ledger, player = make()

        def play_to_the_end(operation: Operation) -> None:
            nonlocal ended
            if ended:  # hypothesis plays what failed once more
                raise Enough
            try:
                player(operation)
            except Enough:
                ended = True
                raise

        return ledger, play_to_the_end

    machine = seed(int.from_bytes(start.encode(), "big"))(_machine(make_with_an_end))
    wanted = settings(
        max_examples=max(steps // RUN_LENGTH, 1),
        stateful_step_count=RUN_LENGTH,
        phases=[Phase.generate],
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
        print_blob=False,
        verbosity=Verbosity.quiet,
    )
    try:
        with _choices_from_the_seed_alone():
            run_state_machine_as_test(machine, settings=wanted)
    except Exception:
        if not ended:
            raise


@contextmanager
def _choices_from_the_seed_alone() -> Iterator[None]:
    """Keep newer versions of hypothesis from drawing constants that they find in the modules which are loaded just now:
    which ones those are differs from process to process, and the same seed must give the same report."""
    name = "_maybe_draw_constant"
    original = getattr(providers.HypothesisProvider, name, None)
    if original is None:
        yield
        return
    setattr(providers.HypothesisProvider, name, lambda *given, **named: None)
    try:
        yield
    finally:
        setattr(providers.HypothesisProvider, name, original)
