"""What commands share: where results go as JSON, where progress is shown, and how a driver's image is chosen."""

from __future__ import annotations

import json
import shutil
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

    def __init__(self, what: str, unit: str = "operations") -> None:
        self.what = what
        self.unit = unit
        self._shown = sys.stderr.isatty()
        self._last = -1

    def __call__(self, done: int, total: int) -> None:
        """Show that ``done`` of ``total`` are done."""
        percent = 100 * done // max(total, 1)
        if self._shown and percent != self._last:
            self._last = percent
            print(
                f"\r{self.what}: {done:,} of about {total:,} {self.unit} ({percent} %)\x1b[K", end="", file=sys.stderr
            )

    def end(self) -> None:
        """Take the line away."""
        if self._shown and self._last >= 0:
            print("\r\x1b[K", end="", file=sys.stderr)


class Display:
    """Three lines on standard error that say what is explored; nothing where that is no terminal."""

    def __init__(self, what: str) -> None:
        self.what = what
        self._shown = sys.stderr.isatty()
        self._lines = 0
        self._scenarios = 0
        self._findings = 0

    def __call__(self, explored: str, findings: int, done: int, total: int) -> None:
        """Show that the scenario of this title is done, with so many findings, and how far all is."""
        self._scenarios += 1
        self._findings += findings
        if not self._shown:
            return
        print("\r\x1b[K", end="", file=sys.stderr)
        self.end()
        percent = min(100 * done // max(total, 1), 100)
        width = max(shutil.get_terminal_size().columns - 1, 20)
        lines = [
            f"{self.what}: {done:,} of {total:,} schedules ({percent} %)",
            f"  {self._scenarios:,} scenarios explored, {self._findings:,} findings",
            f"  {explored}",
        ]
        print("\n".join(line[:width] for line in lines), file=sys.stderr, flush=True)
        self._lines = len(lines)

    def end(self) -> None:
        """Take the lines away."""
        if self._shown and self._lines:
            print("\x1b[F\x1b[K" * self._lines, end="", file=sys.stderr)
        self._lines = 0
