"""Memory between two inaccessible pages: a single byte read or written beyond it ends the process.

Only for systems with mmap and mprotect.
"""

import ctypes
import mmap
import os
from types import TracebackType
from typing import Self

import pytest

PAGE = mmap.PAGESIZE
unix_only = pytest.mark.skipif(os.name != "posix", reason="needs mmap and mprotect")


class Fence:
    """`room` bytes or more of memory, with an inaccessible page before and behind them."""

    def __init__(self, room: int) -> None:
        self.room = -(-room // PAGE) * PAGE
        self._map = mmap.mmap(-1, self.room + 2 * PAGE)
        self._whole = memoryview(self._map)
        self._anchor = ctypes.c_char.from_buffer(self._map)
        self._address = ctypes.addressof(self._anchor)
        self._protect(0, 0)
        self._protect(PAGE + self.room, 0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._protect(0, mmap.PROT_READ | mmap.PROT_WRITE)
        self._protect(PAGE + self.room, mmap.PROT_READ | mmap.PROT_WRITE)

    def at_end(self, length: int) -> memoryview:
        """Return the last `length` bytes before the inaccessible page behind."""
        return self._whole[PAGE + self.room - length : PAGE + self.room]

    def at_start(self, length: int) -> memoryview:
        """Return the first `length` bytes behind the inaccessible page before."""
        return self._whole[PAGE : PAGE + length]

    def _protect(self, offset: int, protection: int) -> None:
        library = ctypes.CDLL(None, use_errno=True)
        if library.mprotect(ctypes.c_void_p(self._address + offset), ctypes.c_size_t(PAGE), protection) != 0:
            raise OSError(ctypes.get_errno(), "mprotect")
