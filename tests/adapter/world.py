"""Short words for what the tests of the fake adapter say again and again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from wintun_sim import Adapter, NtStatusError
from wintun_sim.lifecycle import State

SUCCESS = 0x00000000
INVALID_HANDLE = 0xC0000008
INVALID_PARAMETER = 0xC000000D
ACCESS_DENIED = 0xC0000022
NAME_NOT_FOUND = 0xC0000034
RESOURCES = 0xC000009A
INVALID_USER_BUFFER = 0xC00000E8
CANCELLED = 0xC0000120
INVALID_LENGTH = 0xC0010014
INVALID_DATA = 0xC0010015
INVALID_OID = 0xC0010017
SEND_ABORTED = 0xC023000C
MEDIA_DISCONNECTED = 0xC023001F
PAUSED = 0xC023002A
UNSUPPORTED_REVISION = 0xC023002C
LOW_POWER = 0xC023002F


def ipv4(mark: int = 0, size: int = 20) -> bytes:
    """An IPv4 packet as far as the adapter looks; ``mark`` tells it from others."""
    return (b"\x45" + mark.to_bytes(4, "big") + bytes(size))[:size]


@contextmanager
def fails(status: int, *words: str) -> Iterator[None]:
    """Expect an ``NtStatusError`` with this status and these words in its message."""
    with pytest.raises(NtStatusError) as caught:
        yield
    assert caught.value.status == status, caught.value
    for word in words:
        assert word in str(caught.value), caught.value


def state(adapter: Adapter) -> State:
    """The adapter's state now; mypy takes a property for what it was at the last look."""
    return adapter.state
