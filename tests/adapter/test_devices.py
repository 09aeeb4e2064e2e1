r"""Paths and accounts: how a client finds the device, and who may open it."""

from __future__ import annotations

import gc

import pytest

import wintun_sim
from tests.adapter.world import ACCESS_DENIED, INVALID_HANDLE, NAME_NOT_FOUND, fails, ipv4
from wintun_sim import Adapter, BlockingHandle, ClientWarning, Handle
from wintun_sim.operations import Account
from wintun_sim.testing.plugin import AdapterFactory


@pytest.mark.parametrize(
    "path", [r"\\.\WINTUN{}", r"\\.\Global\WINTUN{}", r"\\.\wintun{}", r"\\.\GLOBAL\Wintun{}", r"\\?\WINTUN{}"]
)
def test_the_device_opens_by_the_paths_that_windows_knows(wintun_adapter: Adapter, path: str) -> None:
    """Names of devices are the same in capitals."""
    with wintun_sim.open(path.format(wintun_adapter.index)) as handle:
        assert isinstance(handle, Handle)
        handle.write([ipv4(1)])
    assert wintun_adapter.stack.received == [ipv4(1)]


def test_the_path_of_the_old_readme_opens_with_a_warning(wintun_adapter: Adapter) -> None:
    """A client that was written after it must hear of it here, and not from its users."""
    path = rf"\\.\Device\WINTUN{wintun_adapter.index}"
    with pytest.warns(ClientWarning, match="Windows does not find this path") as caught, wintun_sim.open(path):
        assert wintun_adapter.stack.connected
    assert caught[0].filename == __file__


@pytest.mark.parametrize(
    "path",
    [
        *("", "WINTUN0", r"\\.\WINTUN", r"\\.\WINTUN99", r"\\.\WINTUN00", r"\\.\WINTUN٣", r"\\.\WINTUN999999999"),
        *(r"\\.\COM1", r"\\.\Other\WINTUN0", "\\\\.\\WINTUN0\n"),
    ],
)
def test_other_paths_are_not_found_and_the_error_lists_what_there_is(wintun_adapter: Adapter, path: str) -> None:
    with fails(NAME_NOT_FOUND, "no adapter has this name", wintun_adapter.path):
        wintun_sim.open(path)


def test_a_blocking_handle_opens_by_path_too(wintun_adapter: Adapter) -> None:
    with wintun_sim.open(wintun_adapter.path, overlapped=False) as handle:
        assert isinstance(handle, BlockingHandle)
        assert handle.write([ipv4(1)]) == 48


@pytest.mark.parametrize("account", [Account.USER, Account.ADMINISTRATOR, "user", "administrator"])
def test_only_the_system_account_may_open(wintun_adapter: Adapter, account: Account | str) -> None:
    """Many a client works for its author, who is an administrator, and then for nobody."""
    with fails(ACCESS_DENIED, "open on WINTUN", "the system account alone", "service"):
        wintun_adapter.open(account=account)
    with fails(ACCESS_DENIED, "service"):
        wintun_sim.open(wintun_adapter.path, account=account)
    assert wintun_adapter.stack.link_states == [False]
    assert wintun_adapter.handles == []


def test_an_account_that_nobody_has_is_the_tests_mistake(wintun_adapter: Adapter) -> None:
    with pytest.raises(ValueError, match="root"):
        wintun_adapter.open(account="root")


def test_each_adapter_has_an_index_of_its_own(wintun_adapters: AdapterFactory) -> None:
    one, two = wintun_adapters(), wintun_adapters()
    assert one.path != two.path
    with wintun_sim.open(two.path):
        assert (one.stack.connected, two.stack.connected) == (False, True)


def test_an_index_can_be_chosen_once(wintun_adapters: AdapterFactory) -> None:
    first = wintun_adapters(index=0xABCDEF)
    assert first.path == r"\\.\WINTUN11259375"
    with pytest.raises(ValueError, match="there is a WINTUN11259375 already"):
        wintun_adapters(index=0xABCDEF)
    first.close()
    wintun_adapters(index=0xABCDEF)


@pytest.mark.parametrize("index", [-1, 1 << 24])
def test_an_index_has_24_bits(wintun_adapters: AdapterFactory, index: int) -> None:
    with pytest.raises(ValueError, match="an index is 0 to 16777215"):
        wintun_adapters(index=index)


def test_an_adapter_that_nobody_remembers_gives_its_index_back() -> None:
    adapter = Adapter(index=4711)
    del adapter
    gc.collect()
    Adapter(index=4711).close()


def test_a_halted_device_is_there_while_an_old_handle_keeps_it(wintun_adapter: Adapter) -> None:
    with wintun_adapter.open():
        wintun_adapter.remove()
        with fails(INVALID_HANDLE, "open on WINTUN", "Halted", "old handles keep its device"):
            wintun_adapter.open()
    with fails(NAME_NOT_FOUND, "open on WINTUN", "Halted"):
        wintun_adapter.open()


def test_an_open_adapter_says_so(wintun_adapter: Adapter) -> None:
    with wintun_adapter.open() as handle:
        assert wintun_adapter.handles == [handle]
        assert f"{wintun_adapter.path}, Running, 1 handles open" in repr(wintun_adapter)
        assert "open, opened at " in repr(handle)
        assert __file__ in repr(handle)
    assert "closed" in repr(handle)
