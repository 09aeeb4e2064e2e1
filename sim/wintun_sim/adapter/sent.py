"""What the stack sent, and what became of it."""

from __future__ import annotations

from collections.abc import Callable

from wintun_sim import ndis


class Sent:
    """A chain of NBLs that the stack sent, and what became of each. Made by ``Stack.send``."""

    def __init__(self, count: int, wait: Callable[[Callable[[], bool], float | None, str], None]) -> None:
        self._statuses: list[int | None] = [None] * count
        self._wait = wait

    @property
    def statuses(self) -> tuple[int | None, ...]:
        """Each NBL's status; None while the adapter holds it."""
        return tuple(self._statuses)

    def done(self) -> bool:
        """Whether all NBLs are back."""
        return None not in self._statuses

    @property
    def status(self) -> int | None:
        """None while the adapter holds an NBL; else the first status that is no success, or NDIS_STATUS_SUCCESS."""
        if not self.done():
            return None
        return next((status for status in self._statuses if status), ndis.NDIS_STATUS_SUCCESS)

    def wait(self, timeout: float | None = None) -> int:
        """Wait until all NBLs are back, at most ``timeout`` seconds, and return ``status``.

        Raises ``TimeoutError``, and ``AdapterGone`` when the adapter is closed meanwhile.
        """
        self._wait(self.done, timeout, "the NBLs of a send")
        status = self.status
        assert status is not None
        return status

    def complete(self, index: int, status: int) -> None:
        """Take note that NBL ``index`` is back."""
        self._statuses[index] = status

    def __repr__(self) -> str:
        words = ("held" if status is None else ndis.name_of(status) for status in self._statuses)
        return f"<Sent: {', '.join(words)}>"
