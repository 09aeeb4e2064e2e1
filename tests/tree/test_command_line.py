"""The command line as a whole: what it says when asked nothing, something wrong, or what is built in."""

import subprocess
import sys

import pytest

import wintun_sim
from wintun_sim import native
from wintun_sim.cli import COMMANDS, main
from wintun_sim.errors import UnavailableError


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
    assert "Traceback" not in done.stderr
    assert "error:" in done.stderr.splitlines()[-1]


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
