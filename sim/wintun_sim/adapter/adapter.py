"""The fake adapter: a network card without hardware for the tests of programs that use one."""

from __future__ import annotations

from types import TracebackType
from typing import Literal, Self, overload

from wintun_sim import ndis
from wintun_sim.adapter import devices
from wintun_sim.adapter.errors import AdapterGone, IllegalCall, NtStatusError, Unclean
from wintun_sim.adapter.handle import BlockingHandle, Handle
from wintun_sim.adapter.reasons import explain
from wintun_sim.adapter.stack import Stack
from wintun_sim.adapter.switchboard import BookedMachine, Switchboard
from wintun_sim.lifecycle import DriverPhase, Order, State
from wintun_sim.operations import (
    Account,
    Create,
    Halt,
    Initialize,
    Load,
    Operation,
    Pause,
    PowerState,
    Restart,
    SetPower,
    Shutdown,
    ShutdownAction,
    SurpriseRemove,
    Unload,
)

_ADAPTER = "adapter"
_DRIVER = "driver"


class Adapter:
    r"""A Wintun adapter with a stack above and a device below, for clients to open.

    It comes up Running, as it does under Windows, and ends with ``close``, or with a ``with`` block. All its methods,
    those of its handles and of its stack may be called from any thread. Those that do what NDIS does raise
    ``IllegalCall`` where NDIS would never do it, and then nothing changes; after ``close`` they raise ``AdapterGone``.
    """

    def __init__(
        self,
        machine: Literal["model", "driver"] | BookedMachine = "model",
        *,
        index: int | None = None,
        order: Order | str | None = None,
        ndis: tuple[int, int] | None = None,
        running: bool = True,
    ) -> None:
        r"""Make an adapter and, unless ``running`` is False, restart it: a new one is Paused.

        ``machine`` is what plays the adapter: the model, the real driver on the host kernel, or a machine of your own,
        on which nothing is loaded (``DriverMachine(image)`` for another driver, ``ModelMachine(revision=…)`` for
        another behaviour); ``close`` closes it. ``index`` is the n of its path ``\\.\WINTUN<n>``, by default the lowest
        that is free in this process. ``order`` is "strict" (default: NDIS does what it does under Windows) or "raw" (it
        does whatever a miniport has to cope with), ``ndis`` the version of NDIS, by default (6, 80).

        Raises ``ValueError`` for an index that is taken and for options that make no sense, ``UnavailableError`` where
        this installation has no driver, ``NtStatusError`` when the driver does not load or initialize.
        """
        if not isinstance(machine, str) and (order is not None or ndis is not None):
            raise ValueError("adapter: a machine of your own has its order and its NDIS already; give them there")
        opened = _open(machine, order or Order.STRICT, ndis or (6, 80)) if isinstance(machine, str) else machine
        self._switchboard = Switchboard(opened, _ADAPTER, "a new adapter")
        self.stack = Stack(self._switchboard)
        self._handles: list[Handle | BlockingHandle] = []
        self._closed = False
        try:
            self._switchboard.demand(Load(name=_DRIVER))
            self._switchboard.demand(Initialize(name=_ADAPTER, driver=_DRIVER))
            if running:
                self.restart()
            self.index = devices.register(self, index)
        except BaseException:
            self._switchboard.close()
            raise
        self._switchboard.device = f"WINTUN{self.index}"

    # What clients do

    @property
    def path(self) -> str:
        r"""The device's path for clients, ``\\.\WINTUN<n>``; ``wintun_sim.open`` opens it."""
        return rf"\\.\WINTUN{self.index}"

    @overload
    def open(self, *, overlapped: Literal[True] = True, account: Account | str = Account.SYSTEM) -> Handle: ...
    @overload
    def open(self, *, overlapped: Literal[False], account: Account | str = Account.SYSTEM) -> BlockingHandle: ...
    @overload
    def open(self, *, overlapped: bool, account: Account | str = Account.SYSTEM) -> Handle | BlockingHandle: ...
    def open(self, *, overlapped: bool = True, account: Account | str = Account.SYSTEM) -> Handle | BlockingHandle:
        """Open the device, as CreateFile does: with FILE_FLAG_OVERLAPPED if ``overlapped``.

        ``account`` is who opens it: "system", "administrator" or "user". Raises ``NtStatusError`` with
        STATUS_ACCESS_DENIED for all but the system account; after the halt with STATUS_INVALID_HANDLE, while an old
        handle keeps the device, and STATUS_OBJECT_NAME_NOT_FOUND, when nobody does.
        """
        board = self._switchboard
        create = Create(name=board.name("handle"), adapter=_ADAPTER, account=Account(account))
        try:
            board.demand(create)
        except IllegalCall:
            status = ndis.STATUS_OBJECT_NAME_NOT_FOUND
            raise NtStatusError(status, explain("open", board.device, board.state.value, status)) from None
        handle = (Handle if overlapped else BlockingHandle)(board, create.name)
        self._handles.append(handle)
        return handle

    @property
    def handles(self) -> list[Handle | BlockingHandle]:
        """The handles that are open, oldest first."""
        return [handle for handle in self._handles if not handle.closed]

    # What NDIS does

    @property
    def state(self) -> State:
        """The adapter's state, as NDIS keeps it."""
        return self._switchboard.state

    @property
    def power(self) -> PowerState:
        """The adapter's power, as NDIS keeps it."""
        return PowerState(self._switchboard.machine.ledger.adapters[_ADAPTER].power)

    def pause(self) -> None:
        """Pause a Running adapter: writes are refused from now on, reads and handles stay as they are.

        In strict order NDIS waits until the stack has its packets back, so this is illegal while the client leaves some
        unread; in raw order they go back with STATUS_NDIS_PAUSED.
        """
        self._demand(Pause(name=self._name("pause"), adapter=_ADAPTER))

    def restart(self) -> None:
        """Restart a Paused adapter: it is Running, and packets flow again."""
        self._demand(Restart(name=self._name("restart"), adapter=_ADAPTER))

    def set_power(self, state: PowerState | int) -> None:
        """Set the power to D0…D3: legal while Paused, in raw order also while Running.

        Raises ``NtStatusError`` (NDIS_STATUS_INVALID_DATA) for another state.
        """
        self._demand(SetPower(name=self._name("set-power"), adapter=_ADAPTER, state=int(state)))

    def suspend(self) -> None:
        """Put the adapter to sleep as Windows does: pause it, then set its power to D3."""
        if self.state is State.RUNNING:
            self.pause()
        self.set_power(PowerState.D3)

    def resume(self) -> None:
        """Wake the adapter as Windows does: set its power to D0, then restart it."""
        self.set_power(PowerState.D0)
        self.restart()

    def shutdown(self, action: ShutdownAction = ShutdownAction.POWER_OFF) -> None:
        """Tell the adapter that the machine goes down; nothing follows but what clients still do."""
        self._demand(Shutdown(name=self._name("shutdown"), adapter=_ADAPTER, action=action))

    def surprise_remove(self) -> None:
        """Tell the adapter that its device is gone. ``remove`` follows under Windows."""
        self._demand(SurpriseRemove(name=self._name("surprise-remove"), adapter=_ADAPTER))

    def halt(self) -> None:
        """Halt a Paused adapter: reads end with STATUS_CANCELLED, handles are good for nothing but closing."""
        self._demand(Halt(name=self._name("halt"), adapter=_ADAPTER))

    def remove(self) -> None:
        """Remove the adapter as Windows does, for a driver update, say: pause it if it is Running, then halt it."""
        if self.state is State.RUNNING:
            self.pause()
        self.halt()

    def unload(self) -> None:
        """Ask the driver of the halted adapter to unload. It does when no handle is open any more: see ``unloaded``."""
        self._demand(Unload(name=self._name("unload"), driver=_DRIVER))

    @property
    def unloaded(self) -> bool:
        """Whether the driver was unloaded. Handles that are open put it off: ``handles`` names them."""
        return self._switchboard.machine.ledger.drivers[_DRIVER].phase is DriverPhase.UNLOADED

    # The end

    @property
    def broken_rules(self) -> list[str]:
        """The rules that the driver broke so far, each with the operation and what happened."""
        return list(self._switchboard.broken)

    @property
    def closed(self) -> bool:
        """Whether ``close`` was called."""
        return self._closed

    def close(self) -> None:
        """Close all handles, remove the adapter, unload the driver, and close the machine. Closing again does nothing.

        Raises ``Unclean``, when everything is closed, for handles that the client left open and rules that the driver
        broke.
        """
        leaked, broken = self._end()
        if leaked or broken:
            raise Unclean(leaked, broken)

    def _end(self) -> tuple[list[str], list[str]]:
        """Close everything; return what was found."""
        if self._closed:
            return [], []
        self._closed = True
        handles = self.handles
        device = self._switchboard.device
        leaked = [
            f"{device}: the handle opened at {handle.opened_at} was never closed; use it in a with block, or close it"
            for handle in handles
        ]
        for handle in handles:
            handle.close()
        broken: list[str] = []
        try:
            self._leave()
        except (IllegalCall, NtStatusError) as error:
            broken.append(f"{device}: it could not be removed, although nobody has it open: {error}")
        except AdapterGone:
            pass  # what ended the driver is among the rules that it broke
        broken += [f"{device}: {words}" for words in self._switchboard.end()]
        devices.remove(self.index, self)
        return leaked, broken

    def _leave(self) -> None:
        if self.state is State.SHUTDOWN:
            return
        if self.state is not State.HALTED:
            self.remove()
        if self._switchboard.machine.ledger.drivers[_DRIVER].phase is DriverPhase.LOADED:
            self.unload()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close; an error that is under way is what matters, and gets what was found as a note."""
        try:
            self.close()
        except Unclean as unclean:
            if error is None:
                raise
            error.add_note(str(unclean))

    def __repr__(self) -> str:
        words = "closed" if self._closed else self.state.value
        return f"<Adapter {self.path}, {words}, {len(self.handles)} handles open>"

    def _name(self, verb: str) -> str:
        return self._switchboard.name(verb)

    def _demand(self, operation: Operation) -> None:
        self._switchboard.demand(operation)


@overload
def open(path: str, *, overlapped: Literal[True] = True, account: Account | str = Account.SYSTEM) -> Handle: ...
@overload
def open(path: str, *, overlapped: Literal[False], account: Account | str = Account.SYSTEM) -> BlockingHandle: ...
@overload
def open(path: str, *, overlapped: bool, account: Account | str = Account.SYSTEM) -> Handle | BlockingHandle: ...
def open(path: str, *, overlapped: bool = True, account: Account | str = Account.SYSTEM) -> Handle | BlockingHandle:
    r"""Open the device that ``path`` names, as CreateFile does: ``\.\WINTUN<n>`` or ``\.\Global\WINTUN<n>``.

    Raises ``NtStatusError`` with STATUS_OBJECT_NAME_NOT_FOUND when no adapter of this process has that path, else as
    ``Adapter.open``. The path ``\.\Device\WINTUN<n>``, which Windows does not find, opens with a ``ClientWarning``.
    """
    return devices.find(path, stacklevel=2).open(overlapped=overlapped, account=account)


def _open(machine: Literal["model", "driver"], order: Order | str, ndis: tuple[int, int]) -> BookedMachine:
    if machine == "model":
        from wintun_sim.model import ModelMachine

        return ModelMachine(order=order, ndis=ndis)
    if machine == "driver":
        from wintun_sim.kernel import DriverMachine

        return DriverMachine(order=order, ndis=ndis)
    raise ValueError(
        f"adapter: there is no machine {machine!r}; known are 'model' and 'driver', or give one of your own"
    )
