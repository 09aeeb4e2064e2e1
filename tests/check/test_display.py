"""What is explored is shown on a terminal, in a few lines that are written again and again, and nowhere else."""

import io

import pytest

from wintun_sim.cli.output import Display


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def screen(written: str) -> list[str]:
    """Return what a terminal shows after all that was written: of its codes, those that are used here."""
    lines = [""]
    row = 0
    place = 0
    while place < len(written):
        if written.startswith("\x1b[F", place):
            row, place = max(row - 1, 0), place + 3
        elif written.startswith("\x1b[K", place):
            lines[row], place = "", place + 3
        elif written[place] == "\n":
            row, place = row + 1, place + 1
            lines += [""] * (row == len(lines))
        else:
            lines[row] += written[place] if written[place] != "\r" else ""
            place += 1
    return [line for line in lines if line]


def test_the_lines_are_written_over_and_taken_away_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    display = Display("check")
    display("send against pause", 0, 1_000, 4_000)
    display("read against halt", 2, 2_000, 4_000)
    assert screen(terminal.getvalue()) == [
        "check: 2,000 of 4,000 schedules (50 %)",
        "  2 scenarios explored, 2 findings",
        "  read against halt",
    ]
    display.end()
    assert screen(terminal.getvalue()) == []


def test_in_a_pipe_nothing_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = io.StringIO()
    monkeypatch.setattr("sys.stderr", pipe)
    display = Display("check")
    display("send against pause", 0, 1_000, 4_000)
    display.end()
    assert pipe.getvalue() == ""
