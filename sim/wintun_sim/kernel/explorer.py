"""One concurrent scenario on a driver's image, run again and again until every schedule was taken, or enough of them.

The set-up is done once; then each run begins from the same world, without a step back into Python: the actors do their
operations as the strategy interleaves them, what the driver then owes NDIS gets virtual time, what the adapters own is
counted, and the ending's operations are done one at a time, each with the first option of every choice.

An operation begins only when NDIS and the I/O manager could begin it (:mod:`wintun_sim.lifecycle`). Until then its
actor waits at a gate, for what it names too where another actor brings that into being. When nobody can go on, the
first that waits is refused, and its actor goes on with its next operation. An operation of the ending that may not
begin is left out.

What came of a run is its log; each distinct log is here once, with the choices of the first run that showed it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any, Final

from wintun_sim.errors import UsageError
from wintun_sim.kernel.explored import (
    Choice,
    Diverged,
    Exploration,
    FaultSite,
    Log,
    Result,
    Strategy,
    choice,
    pct_bound,
    union,
)
from wintun_sim.kernel.gate import Rules, count_names, read_met
from wintun_sim.kernel.lines import lines_of
from wintun_sim.kernel.machine import Demand, DriverGone, DriverMachine, Fault
from wintun_sim.kernel.marshal import Operations
from wintun_sim.kernel.points import Arrival, read_arrivals
from wintun_sim.lifecycle import Order
from wintun_sim.operations import Counters, Event, Load, Operation, Refused, RuleBroken

__all__ = [
    "PATIENCE",
    "PCT_DEPTH",
    "SLICE",
    "UNBOUNDED",
    "Choice",
    "Diverged",
    "Exploration",
    "FaultSite",
    "Log",
    "Result",
    "Strategy",
    "choice",
    "pct_bound",
    "union",
    "Explorer",
]

SLICE: Final = 1000
"""Runs between two looks at progress at most."""

PATIENCE: Final = 0.2
"""Seconds between two looks at progress, about; nothing else depends on it."""

UNBOUNDED: Final = 0xFFFFFFFF
"""As many preemptions as there can be."""

PCT_DEPTH: Final = 16
"""The deepest errors that PCT looks for."""

_U64: Final = 0xFFFFFFFFFFFFFFFF
_ERROR_SIZE: Final = 4096


_RESULTS: Final = tuple(Result)


def _has_data_race(log: Log) -> bool:
    return any(isinstance(event, RuleBroken) and event.rule == "DataRace" for event in log.events)


class Explorer:
    """One concurrent scenario on one image, explored as often as wanted; a context manager that closes itself."""

    def __init__(
        self,
        image: Path | None = None,
        *,
        order: Order | str = Order.STRICT,
        ndis: tuple[int, int] = (6, 80),
        images: Mapping[str, Path] | None = None,
        setup: Sequence[Operation],
        actors: Sequence[Sequence[Operation]],
        ending: Sequence[Operation] = (),
        demand: Callable[[Operation], Demand] = lambda operation: Demand.NONE,
        point_limit: int = 100_000,
        races: bool = True,
    ) -> None:
        """Do ``setup`` on a new machine, and be ready to explore from there.

        A run with more scheduling points than ``point_limit`` counts as endless. With ``races`` the accesses of an
        instrumented image are watched, and a data race is a broken rule. Raises what ``DriverMachine`` raises,
        ``DriverGone`` when the set-up ends the driver, and ``UsageError`` for an image that cannot be loaded.
        """
        self._machine = DriverMachine(image, order=order, ndis=ndis, images=images, demand=demand)
        self._explorer: Any = None
        try:
            self._put_gate(chain(setup, *actors, ending))
            loads = (operation for operation in chain(setup, *actors) if isinstance(operation, Load))
            self._images = [path for load in loads if (path := self._machine._path_of(load)) is not None]
            self.setup_events = tuple(chain.from_iterable(map(self._perform, setup)))
            """What happened in the set-up."""
            self._explorer = self._begin(actors, ending, demand, point_limit, races)
        except BaseException:
            self.close()
            raise

    def _put_gate(self, operations: Iterable[Operation]) -> None:
        machine = self._machine
        self._rules = Rules(machine._ffi, machine.ledger.order, count_names(operations))
        if not machine._lib.host_gate(machine._host, self._rules.struct):
            raise DriverGone("explore: there is no memory for the gate")

    def _perform(self, operation: Operation) -> Sequence[Event]:
        """Do an operation of the set-up. What the ledger refuses the gate hears of too, so that both know the name."""
        machine = self._machine
        events = machine.perform(operation)
        if len(events) == 1 and isinstance(events[0], Refused):
            array = machine._operations.array([(operation, machine._path_of(operation))])
            machine._lib.host_gate_admit(machine._host, array)
        return events

    def _begin(
        self,
        actors: Sequence[Sequence[Operation]],
        ending: Sequence[Operation],
        demand: Callable[[Operation], Demand],
        point_limit: int,
        races: bool,
    ) -> Any:
        machine = self._machine
        machine.take_events()
        ffi, lib = machine._ffi, machine._lib
        self._ffi, self._lib = ffi, lib
        self._operations = Operations(ffi, machine._names, demand)
        *arrays, last = self._operations.groups([*map(self._with_paths, actors), self._with_paths(ending)])
        self._actors = ffi.new("struct host_actor[]", len(actors))
        for target, array in zip(self._actors, arrays, strict=True):
            target.operations, target.count = array, len(array)
        self._scenario = ffi.new(
            "struct host_scenario *", (self._actors, len(actors), last, len(ending), max(point_limit, 1), races)
        )
        error = ffi.new("char[]", _ERROR_SIZE)
        explorer = lib.host_explorer_new(machine._host, self._scenario, error, _ERROR_SIZE)
        if explorer == ffi.NULL:
            raise UsageError(ffi.string(error).decode(errors="replace"))
        return explorer

    def _with_paths(self, operations: Sequence[Operation]) -> list[tuple[Operation, Path | None]]:
        return [(operation, self._machine._path_of(operation)) for operation in operations]

    def explore(
        self,
        strategy: Strategy,
        *,
        bound: int | None = 2,
        depth: int = 3,
        length: int | None = None,
        seed: int = 0,
        first: int = 0,
        runs: int | None = None,
        steps: int | None = None,
        prefix: Sequence[int] = (),
        choices: Sequence[int] = (),
        fault: FaultSite | None = None,
        client_writes: bool = False,
        log_limit: int = 100_000,
        progress: Callable[[int, int], bool] | None = None,
    ) -> Exploration:
        """Make runs until there is no other, or ``runs`` were made or ``steps`` scheduling points passed.

        ``bound``: preemptions in one run of DEPTH_FIRST at most; None: any number. ``seed`` and ``first``: RANDOM and
        PCT draw run number ``first`` + i from the seed and that number. ``depth`` (1…16) and ``length``: PCT looks for
        errors of this depth in runs of this many steps, points and actors together; None: as many as the run that
        makes no switch has. ``fault``: the call at that site fails once in a run, whichever time it is, or not at all,
        as further choices. ``client_writes``: so may a client change what the driver reads from its buffer for the
        second time. ``prefix``: choices with which every run begins.
        ``choices``: the run of REPLAY. More than ``log_limit`` distinct logs end the exploration, incomplete.
        ``progress`` is called every thousand runs, or sooner, with the runs and distinct logs so far, and ends the
        exploration by returning True; nothing else depends on it.

        Raises ``Diverged`` with the place where a run does not have the choices of ``prefix`` or ``choices``,
        ``ValueError`` for RANDOM or PCT without ``runs`` or ``steps``, for a depth that there is not, and for REDUCED
        on a plain image or without a look for races, ``DriverGone`` after ``close``.
        """
        if strategy in (Strategy.RANDOM, Strategy.PCT) and runs is None and steps is None and progress is None:
            raise ValueError("explore: random schedules never end: say how many runs or steps there shall be")
        script = self._ffi.new("uint32_t[]", list(choices if strategy is Strategy.REPLAY else prefix))
        wanted = self._ffi.new("struct host_strategy *")
        wanted.bound = UNBOUNDED if bound is None else bound
        wanted.seed, wanted.first = seed & _U64, first
        wanted.prefix, wanted.prefix_length = script, len(script)
        wanted.log_limit = log_limit
        wanted.flags = self._lib.HOST_STRATEGY_CLIENT_WRITES * client_writes
        if fault is not None:
            wanted.flags |= self._lib.HOST_STRATEGY_FAULT
            wanted.fault = (fault.fault, fault.image, fault.place, 0)
        if strategy is Strategy.REDUCED and not self.instrumented:
            raise ValueError("explore: reduction needs to see every access: the image was built with --plain")
        if strategy is Strategy.REDUCED and not self._scenario.races:
            raise ValueError("explore: reduction holds only where no data race is found: let races be looked for")
        if strategy is Strategy.PCT:
            if not 1 <= depth <= PCT_DEPTH:
                raise ValueError(f"explore: PCT looks for errors of depth 1 to {PCT_DEPTH}, not {depth}")
            wanted.depth, wanted.length = depth, self._steps_of_one_run() if length is None else length
        self._start(strategy, wanted)
        found = self._go(strategy, runs, steps, progress, script)
        if strategy is Strategy.PCT:
            found.bound = pct_bound(found.actors, max(wanted.length, found.longest + found.actors), depth)
        return found

    def count(self, strategy: Strategy, *, runs: int, seed: int = 0, bound: int | None = 2) -> tuple[int, int]:
        """Make ``runs`` runs at most, and return how many were made and how many distinct logs they showed: an
        exploration of which nothing else is wanted."""
        wanted = self._ffi.new("struct host_strategy *")
        wanted.bound, wanted.seed = UNBOUNDED if bound is None else bound, seed & _U64
        self._start(strategy, wanted)
        self._lib.host_explorer_go(self._explorer, runs, 0)
        state = self._ffi.new("struct host_exploration *")
        self._lib.host_explorer_state(self._explorer, state)
        return state.runs, self._lib.host_explorer_logs(self._explorer)

    @property
    def instrumented(self) -> bool:
        """Whether every access to memory that others can reach is seen; else only calls of the host kernel are."""
        return bool(self._lib.host_explorer_instrumented(self._explorer))

    def _steps_of_one_run(self) -> int:
        found = self.explore(Strategy.REPLAY)
        return found.longest + found.actors

    def fault_sites(self, *, runs: int = 2000) -> list[FaultSite]:
        """Return the calls of the driver that may fail and are reached by the actors, in the order in which depth-first
        search with one preemption meets them in ``runs`` runs at most."""
        wanted = self._ffi.new("struct host_strategy *")
        wanted.bound, wanted.flags = 1, self._lib.HOST_STRATEGY_SITES
        self._start(Strategy.DEPTH_FIRST, wanted)
        self._lib.host_explorer_go(self._explorer, runs, 0)
        count = self._ffi.new("size_t *")
        sites = self._lib.host_explorer_sites(self._explorer, count)
        return [
            FaultSite(Fault(site.kind), site.image, site.place, self._place(site.image, site.place))
            for site in (sites[index] for index in range(count[0]))
        ]

    def _place(self, image: int, place: int) -> str:
        """Say in which function and line of an image a place is; the images are numbered in the order of the loads."""
        lines = lines_of(self._images[image - 1])
        line = lines.source(place)
        return f"{lines.function(place) or f'image +0x{place:x}'}{f' ({line})' if line is not None else ''}"

    def watch(
        self, choices: Sequence[int], *, fault: FaultSite | None = None, client_writes: bool = False
    ) -> tuple[Log, list[Arrival]]:
        """Replay one run, and return what came of it and where each actor stood at each scheduling point.

        A choice without kind and number of options, which is just an option's number, fits every question that has
        this option. Raises what ``explore`` raises.
        """
        machine = self._machine
        self._lib.host_watch(machine._host, 1)
        try:
            found = self.explore(Strategy.REPLAY, choices=choices, fault=fault, client_writes=client_writes)
            arrivals = read_arrivals(self._ffi, self._lib, machine._host, machine._names)
            counts = self._event_counts()
            return found.logs[0], [replace(arrival, events=counts[arrival.events]) for arrival in arrivals]
        finally:
            self._lib.host_watch(machine._host, 0)

    def _event_counts(self) -> list[int]:
        """Say, of the host's events of the only log, how many events the first 0, 1, 2, … of them are here."""
        log = self._ffi.new("struct host_log *")
        self._lib.host_explorer_log(self._explorer, 0, log)
        counts = [0]
        for number in range(log.event_count):
            event = log.events[number]
            many = event.count if event.kind == self._lib.HOST_EVENT_NBL_COMPLETED else 1
            counts.append(counts[-1] + many * (event.kind != self._lib.HOST_EVENT_PRINTED))
        return counts

    def shards(self, depth: int, *, bound: int | None = 2) -> list[tuple[int, ...]]:
        """Return prefixes of ``depth`` choices (fewer where a run has fewer) under which every run of DEPTH_FIRST with
        this bound lies exactly once, in their order. They depend on the scenario and the image alone."""
        wanted = self._ffi.new("struct host_strategy *")
        wanted.bound, wanted.levels = UNBOUNDED if bound is None else bound, max(depth, 1)
        self._start(Strategy.DEPTH_FIRST, wanted)
        found = []
        progress = self._lib.HOST_EXPLORING
        while progress == self._lib.HOST_EXPLORING:
            progress = self._lib.host_explorer_go(self._explorer, 1, 0)
            found.append(self._last_choices()[: max(depth, 1)])
        return found

    def close(self) -> None:
        """Give everything back; the explorer cannot be used afterwards. Closing twice does nothing."""
        if self._explorer is not None:
            self._lib.host_explorer_delete(self._explorer)
        self._explorer = None
        self._machine.close()

    def __enter__(self) -> Explorer:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _start(self, strategy: Strategy, wanted: Any) -> None:
        if self._explorer is None:
            raise DriverGone("the explorer is closed: make another one")
        wanted.kind = {
            Strategy.DEPTH_FIRST: self._lib.HOST_STRATEGY_DEPTH_FIRST,
            Strategy.RANDOM: self._lib.HOST_STRATEGY_RANDOM,
            Strategy.PCT: self._lib.HOST_STRATEGY_PCT,
            Strategy.REPLAY: self._lib.HOST_STRATEGY_REPLAY,
            Strategy.REDUCED: self._lib.HOST_STRATEGY_REDUCED,
        }[strategy]
        if not self._lib.host_explorer_begin(self._explorer, wanted):
            raise DriverGone("explore: there is no memory for an exploration")

    def _go(
        self,
        strategy: Strategy,
        runs: int | None,
        steps: int | None,
        progress: Callable[[int, int], bool] | None,
        script: Any,
    ) -> Exploration:
        lib = self._lib
        state = self._ffi.new("struct host_exploration *")
        left = _U64 if runs is None else runs
        stopped = False
        slice_ = 1
        while left and not stopped and state.progress == lib.HOST_EXPLORING:
            part = min(left, slice_)
            began = time.monotonic()
            lib.host_explorer_go(self._explorer, part, 0 if steps is None else max(steps, 1))
            slice_ = min(2 * slice_, SLICE) if time.monotonic() - began < PATIENCE else max(slice_ // 2, 1)
            lib.host_explorer_state(self._explorer, state)
            left -= part
            stopped = steps is not None and state.points >= steps
            if progress is not None and progress(state.runs, lib.host_explorer_logs(self._explorer)):
                stopped = True
        if state.progress == lib.HOST_DIVERGED:
            self._raise_diverged(script, state.diverged_at)
        logs = list(self._logs())
        unreduced = strategy is Strategy.REDUCED and any(map(_has_data_race, logs))
        return Exploration(
            strategy,
            logs,
            state.runs,
            state.points,
            state.progress == lib.HOST_COMPLETE,
            bool(state.cut) or unreduced,
            state.longest,
            state.longest_choices,
            state.actors,
            pruned=state.pruned,
            met=read_met(state.met),
        )

    def _last_choices(self) -> tuple[int, ...]:
        count = self._ffi.new("size_t *")
        choices = self._lib.host_explorer_choices(self._explorer, count)
        return tuple(self._ffi.unpack(choices, count[0])) if count[0] else ()

    def _raise_diverged(self, script: Any, place: int) -> None:
        made = self._last_choices()
        _, wanted, option = choice(script[place])
        there = f"a choice among {choice(made[place])[1]}" if place < len(made) else "no choice any more"
        written = f"one among {wanted}" if wanted else f"option {option}"
        raise Diverged(
            f"replay: choice {place + 1} of {len(script)} is {written}, but the run has {there} there: the "
            f"schedule belongs to another scenario or image"
        )

    def _logs(self) -> Iterator[Log]:
        log = self._ffi.new("struct host_log *")
        for index in range(self._lib.host_explorer_logs(self._explorer)):
            self._lib.host_explorer_log(self._explorer, index, log)
            events = self._machine._events.read(log.events, log.event_count, log.bytes, log.byte_count)
            yield Log(
                tuple(events),
                tuple(self._counted(log.counted[place]) for place in range(log.counted_count)),
                _RESULTS[log.result],
                tuple(self._ffi.unpack(log.choices, log.choice_count)) if log.choice_count else (),
                log.seen,
                log.first_run,
                log.points,
                log.preemptions,
            )

    def _counted(self, counted: Any) -> tuple[str, Counters]:
        counters = counted.counters
        return (
            self._machine._names.name(counted.adapter),
            Counters(counters.nbls_owned, counters.reads_pending, counters.handles),
        )
