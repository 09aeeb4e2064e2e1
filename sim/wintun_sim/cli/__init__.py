"""The command line: one module per command, each with `add_parser(subparsers)` and `run(arguments) -> int`.

Exit status: 0 all is well, 1 something was found, 2 it could not be run (one line on standard error says why).
"""

import argparse
import importlib
import io
import os
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from wintun_sim import __version__
from wintun_sim.errors import WintunSimError

COMMANDS = ("demo", "check", "run", "trace", "build-driver", "bundle", "bench")


class Parser(argparse.ArgumentParser):
    """A parser that answers what makes no sense with one line, as every other error is answered."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, and end with status 2."""
        self.exit(2, f"{self.prog}: error: {' '.join(message.split())}; {self.prog} --help says what it takes\n")


def whole_number(least: int, most: int) -> Callable[[str], int]:
    """Return a type for arguments that are whole numbers between ``least`` and ``most``."""

    def parse(text: str) -> int:
        digits = text.isascii() and text.isdigit() and len(text) <= len(str(most))
        if not digits or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number between {least:,} and {most:,}")
        return int(text)

    return parse


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        print(version_text())
        parser.exit(0)


def version_text() -> str:
    """Return the version and, a line each, what is built in."""
    from wintun_sim.native import built_in

    parts = built_in()
    width = max(map(len, parts))
    return "\n".join([f"wintun-sim {__version__}", *(f"  {part:<{width}}  {state}" for part, state in parts.items())])


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    parser = Parser(
        prog="wintun-sim",
        description="Judges a Wintun driver against a model of the adapter, and speaks the bundle format.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and what is built in")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name in COMMANDS:
        importlib.import_module(f"wintun_sim.cli.{name.replace('-', '_')}").add_parser(subparsers)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv` (default: the process's) and return its exit status."""
    _open_what_is_closed()
    if isinstance(sys.stdout, io.TextIOWrapper):  # a name of a file need not be text in any encoding, or in this one
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        try:
            arguments = make_parser().parse_args(argv)
            return int(arguments.function(arguments))
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        # The reader of our output left early, as `head` does; keep the interpreter from complaining about it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 2
    except WintunSimError as error:
        return _fail(str(error))
    except OSError as error:
        where = f"{error.filename}: " if error.filename is not None else ""
        return _fail(f"{where}{error.strerror or error}")
    except MemoryError:
        return _fail("there is not enough memory for this; give it less to do")
    except KeyboardInterrupt:
        return _fail("interrupted")


def _open_what_is_closed() -> None:
    """Python has None for a standard stream that its caller closed (``>&-``); nothing goes there, or comes from it."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 open until the process ends


def _fail(message: str) -> int:
    print(f"wintun-sim: error: {' '.join(message.split())}", file=sys.stderr)
    return 2
