"""The command line as a whole: what it says when asked nothing, something wrong, or what is built in."""

import argparse
import os
import re
import subprocess
import sys

import pytest

import wintun_sim
from wintun_sim import cli, native
from wintun_sim.cli import COMMANDS, main
from wintun_sim.errors import UnavailableError, UsageError


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "wintun_sim", *arguments], capture_output=True, text=True, check=False)


def test_the_version_says_what_is_built_in() -> None:
    done = command("--version")
    assert done.returncode == 0
    first, *parts = done.stdout.splitlines()
    assert first == f"wintun-sim {wintun_sim.__version__}"
    assert [part.split("  ")[1].strip() for part in parts] == ["codec", "host kernel", "driver image"]


@pytest.mark.parametrize(
    "arguments", [(), ("nonsense",), ("--nonsense",), *((name, "--nonsense") for name in COMMANDS)], ids=" ".join
)
def test_a_command_line_that_makes_no_sense_ends_with_status_2_and_no_traceback(arguments: tuple[str, ...]) -> None:
    done = command(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert re.fullmatch(r"wintun-sim.*: error: .*; wintun-sim.* --help says what it takes\n", done.stderr)


@pytest.mark.parametrize("option", ["--steps", "--seed", "--jobs"])
@pytest.mark.parametrize("number", ["", "-1", "abc", "1e3", "1_000", "٣", " 5", "9" * 30, "9" * 9999])
def test_a_number_that_is_none_or_too_large_is_answered_with_the_range(
    option: str, number: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["check", f"{option}={number}"])
    assert caught.value.code == 2
    assert re.fullmatch(
        rf"wintun-sim check: error: argument {option}: .* is not a whole number between [01] and [\d,]+; .*\n",
        capsys.readouterr().err,
    )


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([name, "--help"])
    assert caught.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: wintun-sim {name}")


def test_an_extension_of_another_version_is_refused_with_the_repair(monkeypatch: pytest.MonkeyPatch) -> None:
    """New Python beside old C fails in riddles; the version that is compiled in tells them apart."""
    monkeypatch.setattr(native, "__version__", "99.0")
    with pytest.raises(UnavailableError, match=r"built from wintun-sim .*, but the Python code is 99\.0: install"):
        native.load(native.CODEC)


def test_an_extension_that_was_left_out_is_named() -> None:
    with pytest.raises(UnavailableError, match=r"wintun_sim\._nothing cannot be loaded"):
        native.load("wintun_sim._nothing")


def failing_command(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> int:
    """Run the command line with a command that raises `error`, and return its exit status."""

    def run(_: argparse.Namespace) -> int:
        raise error

    parser = argparse.ArgumentParser()
    parser.set_defaults(function=run)
    monkeypatch.setattr(cli, "make_parser", lambda: parser)
    return main([])


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (UsageError("cannot read x.pcap: it is empty"), "cannot read x.pcap: it is empty"),
        (UsageError("one\n  two"), "one two"),
        (UnavailableError("no host kernel"), "no host kernel"),
        (FileNotFoundError(2, "No such file or directory", "x.pcap"), "x.pcap: No such file or directory"),
        (OSError("something"), "something"),
        (MemoryError(), "there is not enough memory for this; give it less to do"),
        (KeyboardInterrupt(), "interrupted"),
    ],
)
def test_bad_input_ends_with_one_line_and_status_2(
    error: BaseException, line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The line is for a person in a hurry and the status for a script; a traceback is for neither."""
    assert failing_command(monkeypatch, error) == 2
    assert capsys.readouterr() == ("", f"wintun-sim: error: {line}\n")


def test_a_mistake_of_our_own_is_not_disguised_as_bad_input(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ZeroDivisionError):
        failing_command(monkeypatch, ZeroDivisionError())


def test_a_reader_that_leaves_early_is_no_reason_for_a_traceback() -> None:
    """`wintun-sim … | head` closes the pipe while there is still something to say."""
    for option in ("--version", "--help"):
        reader, writer = os.pipe()
        os.close(reader)
        done = subprocess.run(
            [sys.executable, "-m", "wintun_sim", option], stdout=writer, stderr=subprocess.PIPE, check=False
        )
        os.close(writer)
        assert done.stderr == b""
        assert done.returncode in (0, 2)  # argparse passes over the error when it prints its help


@pytest.mark.skipif(os.name != "posix", reason="other shells close streams in other ways")
@pytest.mark.parametrize(
    ("command", "redirection", "status"),
    [
        ("bundle encode /dev/null", ">&-", 0),
        ("bundle encode /dev/null", "<&- >&- 2>&-", 0),
        ("run lifecycle", ">&-", 0),
        ("run lifecycle", "<&- >&- 2>&-", 0),
        ("run nothing", "2>&-", 2),
        ("run -", "<&-", 2),
        ("bundle decode", "<&-", 0),
    ],
)
def test_a_closed_stream_is_no_reason_for_a_traceback(command: str, redirection: str, status: int) -> None:
    """Services and cron jobs are started without one or the other."""
    line = f'exec "$0" -m wintun_sim {command} {redirection}'
    done = subprocess.run(["sh", "-c", line, sys.executable], capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    assert done.returncode == status
