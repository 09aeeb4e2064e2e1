"""Errors as Windows gives them: every status that a client can meet, with the number that GetLastError would return."""

from __future__ import annotations

import errno
import pickle
from collections.abc import Callable

import pytest

from tests.adapter.world import (
    ACCESS_DENIED,
    CANCELLED,
    INVALID_HANDLE,
    INVALID_PARAMETER,
    INVALID_USER_BUFFER,
    LOW_POWER,
    NAME_NOT_FOUND,
    PAUSED,
    RESOURCES,
    UNSUPPORTED_REVISION,
    fails,
    ipv4,
)
from wintun_sim import Adapter, NtStatusError, RequestCancelled, ndis
from wintun_sim.kernel import DriverMachine
from wintun_sim.kernel.machine import Fault
from wintun_sim.operations import PowerState
from wintun_sim.testing.plugin import AdapterFactory

# learn.microsoft.com/windows/win32/debug/system-error-codes, and winerror.h for NDIS's.
WIN32 = {
    INVALID_HANDLE: 6,
    INVALID_PARAMETER: 87,
    ACCESS_DENIED: 5,
    NAME_NOT_FOUND: 2,
    RESOURCES: 1450,
    INVALID_USER_BUFFER: 1784,
    CANCELLED: 995,
    PAUSED: 0x8034002A,
    LOW_POWER: 0x8034002F,
}


def closed_handle(adapter: Adapter) -> None:
    handle = adapter.open()
    handle.close()
    handle.read()


def halted(adapter: Adapter) -> None:
    with adapter.open() as handle:
        adapter.remove()
        handle.read()


def open_halted(adapter: Adapter) -> None:
    with adapter.open():
        adapter.remove()
        adapter.open()


def open_gone(adapter: Adapter) -> None:
    adapter.remove()
    adapter.open()


def read_nothing(adapter: Adapter) -> None:
    with adapter.open() as handle:
        handle.read(0)


def read_little(adapter: Adapter) -> None:
    with adapter.open() as handle:
        handle.read(100)


def cancelled(adapter: Adapter) -> None:
    with adapter.open() as handle:
        read = handle.read()
        handle.cancel()
        read.result()


def cut_off(adapter: Adapter) -> None:
    with adapter.open() as handle:
        read = handle.read()
        adapter.remove()
        read.result()


def write_paused(adapter: Adapter) -> None:
    with adapter.open() as handle:
        adapter.pause()
        handle.write([ipv4()])


def write_asleep(adapter: Adapter) -> None:
    with adapter.open() as handle:
        adapter.set_power(PowerState.D3)
        handle.write([ipv4()])


def as_user(adapter: Adapter) -> None:
    adapter.open(account="user")


@pytest.mark.parametrize(
    ("deed", "status"),
    [
        (closed_handle, INVALID_HANDLE),
        (halted, INVALID_HANDLE),
        (open_halted, INVALID_HANDLE),
        (open_gone, NAME_NOT_FOUND),
        (read_nothing, INVALID_PARAMETER),
        (read_little, INVALID_USER_BUFFER),
        (cancelled, CANCELLED),
        (cut_off, CANCELLED),
        (write_paused, PAUSED),
        (write_asleep, LOW_POWER),
        (as_user, ACCESS_DENIED),
    ],
    ids=lambda value: value.__name__ if callable(value) else hex(value),
)
def test_every_error_names_operation_adapter_state_reason_and_repair(
    wintun_adapters: AdapterFactory, deed: Callable[[Adapter], None], status: int
) -> None:
    adapter = wintun_adapters(order="raw")
    with pytest.raises(NtStatusError) as caught:
        deed(adapter)
    error = caught.value
    assert (error.status, error.winerror) == (status, WIN32[status])
    assert isinstance(error, OSError)
    message = error.strerror
    assert message == str(error)
    operation, where, why = message.split(": ", 2)[0].split(" on "), message.split(": ")[1], message.split("): ")[1]
    assert operation[0] in ("open", "read", "write")
    assert operation[1].startswith(f"WINTUN{adapter.index}, {adapter.state.value}")
    assert where == f"{ndis.name_of(status)} (0x{status:08X})"
    reason, repair = why.split("; ", 1)
    assert len(reason.split()) > 3
    assert len(repair.split()) > 2
    assert "docs/" not in message, "what to do is said here"


def test_want_of_memory_is_told_as_such() -> None:
    """Only a real driver can run out of what maps a client's buffer."""
    machine = DriverMachine()
    with Adapter(machine) as adapter, adapter.open() as handle:
        machine.inject(Fault.MAPPING)
        with fails(RESOURCES, "could not be mapped", "try again"):
            handle.read()
        machine.inject(Fault.MAPPING)
        with fails(RESOURCES, "write on WINTUN"):
            handle.write([ipv4()])
        handle.write([ipv4()])


def test_errno_is_what_python_makes_of_the_win32_code() -> None:
    """Under Windows, OSError derives errno from winerror; a client that looks at errno must find the same here."""
    numbers = {INVALID_HANDLE: errno.EBADF, ACCESS_DENIED: errno.EACCES, NAME_NOT_FOUND: errno.ENOENT}
    for status in WIN32:
        assert NtStatusError(status, "").errno == numbers.get(status, errno.EINVAL)


@pytest.mark.parametrize("kind", [NtStatusError, RequestCancelled])
def test_errors_survive_the_way_to_another_process(kind: type[NtStatusError]) -> None:
    """Test runners send them between workers."""
    error = kind(CANCELLED, "read on WINTUN0")
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is kind
    assert (copy.status, copy.winerror, copy.errno, str(copy)) == (error.status, 995, errno.EINVAL, "read on WINTUN0")


@pytest.mark.parametrize("status", WIN32)
def test_the_table_has_the_code_of_each_status(status: int) -> None:
    assert ndis.win32_of(status) == WIN32[status]
    assert ndis.win32_of(status - (1 << 32)) == WIN32[status], "an NTSTATUS is a signed number"


def test_a_status_without_a_code_is_317_as_in_windows() -> None:
    assert ndis.win32_of(0xC0FFEE00) == 317


def test_the_table_has_a_code_for_each_name() -> None:
    """But for the range kept from the first NDIS, which no client sees, and an indication, which is no result."""
    without = {row.name for row in ndis.STATUSES if ndis.win32_of(row.value) == ndis.ERROR_MR_MID_NOT_FOUND}
    assert all(name.startswith("NDIS_STATUS_") for name in without)
    assert len(without) == 5


def test_a_driver_that_does_not_load_says_why(wintun_adapters: AdapterFactory) -> None:
    """NDIS 6.1, of Windows Vista, has not what the driver needs."""
    with fails(UNSUPPORTED_REVISION, "load on a new adapter", "6.20"):
        wintun_adapters(ndis=(6, 1))
