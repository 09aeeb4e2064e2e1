"""What commands share: where results go as JSON, where progress is shown, and how a driver's image is chosen."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any


def write_json(value: dict[str, Any], target: str) -> None:
    """Write a result as JSON to the file ``target``, or to standard output if that is "-". Raises ``OSError``."""
    text = json.dumps(value, indent=2) + "\n"
    if target == "-":
        sys.stdout.write(text)
    else:
        Path(target).write_text(text, encoding="utf-8")


def chosen_image(command: str, image: Path | None, plain: bool) -> Path | None:
    """Return the image to take: None for the project's own instrumented one. Raises ``UsageError`` for both at once."""
    from wintun_sim import native
    from wintun_sim.errors import UsageError

    if not plain:
        return image
    if image is not None:
        raise UsageError(f"{command}: --plain chooses an image of the project's own driver; {image} is what it is")
    return native.driver_image()


class Progress:
    """One line on standard error that says how far the work is; nothing where that is no terminal."""

    def __init__(self, what: str) -> None:
        self.what = what
        self._shown = sys.stderr.isatty()
        self._last = -1

    def __call__(self, done: int, total: int) -> None:
        """Show that ``done`` of ``total`` operations are done."""
        percent = 100 * done // max(total, 1)
        if self._shown and percent != self._last:
            self._last = percent
            print(f"\r{self.what}: {done:,} of about {total:,} operations ({percent} %)\x1b[K", end="", file=sys.stderr)

    def end(self) -> None:
        """Take the line away."""
        if self._shown and self._last >= 0:
            print("\r\x1b[K", end="", file=sys.stderr)
