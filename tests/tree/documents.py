"""Runs what documents show: the code blocks of Markdown files, so that no example can go stale.

A fenced block's language says what becomes of it:

- `console`: each line `$ command` is run by bash in an empty directory that the blocks of one document share; a
  document's blocks run in order. The lines after it are its output on both streams, where `…` stands for any text, on
  one line or, alone on a line, on several; no lines: any output. `# exit status N` at the command's end says how it
  ends (otherwise 0).
- `python`: runs as a program, in the same directory; it must end well and write nothing on standard error.
- `python NAME.py`: is saved there under that name, for a later `console` block to run.
- `text`, `mermaid`: not code.

Nothing else is allowed, except the set-up commands of the README (`sh`), which need a network and are run by `.ci/run`.
"""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

FENCE = re.compile(r"^(?P<indent> *)```(?P<language>[^\n`]*)\n(?P<text>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"python \w+\.py")
STATUS = re.compile(r"\s+# exit status (\d+)$")
RUNNABLE = ("console", "python")
INERT = ("text", "mermaid", "sh")


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, and the line of the document on which it begins."""

    language: str
    text: str
    line: int


def blocks(document: str) -> list[Block]:
    """Return the fenced blocks of a Markdown text; raise ValueError when a fence is left open."""
    found = [
        Block(match["language"].strip(), match["text"], document.count("\n", 0, match.start()) + 1)
        for match in FENCE.finditer(document)
    ]
    fences = sum(line.lstrip().startswith("```") for line in document.splitlines())
    if fences != 2 * len(found):
        raise ValueError(f"{fences} fences make no whole number of blocks")
    return found


def problems(block: Block, directory: Path) -> list[str]:
    """Run a block in `directory` and return what did not happen as it says."""
    if block.language == "console":
        return console_problems(block, directory)
    if block.language == "python":
        return program_problems(block, directory)
    if block.language in INERT:
        return []
    if FILE.fullmatch(block.language):
        (directory / block.language.removeprefix("python ")).write_text(block.text, "utf-8")
        return []
    return [
        f"line {block.line}: a block in {block.language or 'no language'!r} is not run; use console, python or text"
    ]


def never_run(document: list[Block]) -> list[str]:
    """Return the names of files that blocks save and no later `console` block mentions."""
    names: list[str] = []
    for block in document:
        if FILE.fullmatch(block.language):
            names.append(block.language.removeprefix("python "))
        elif block.language == "console":
            names = [name for name in names if name not in block.text]
    return names


def program_problems(block: Block, directory: Path) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", block.text],
        cwd=directory,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
    )
    if done.returncode != 0 or done.stderr:
        return [f"line {block.line}: the program ended with status {done.returncode}:\n{done.stderr}"]
    return []


def console_problems(block: Block, directory: Path) -> list[str]:
    found = []
    for command, expected in console_commands(block):
        status_match = STATUS.search(command)
        status = int(status_match[1]) if status_match else 0
        done = subprocess.run(
            ["bash", "-c", STATUS.sub("", command)],
            cwd=directory,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
        )
        if done.returncode != status:
            found.append(f"line {block.line}: {command}: status {done.returncode}, not {status}:\n{done.stdout}")
        elif expected and not matches(expected, done.stdout):
            found.append(f"line {block.line}: {command}: shown\n{expected}\nbut it printed\n{done.stdout}")
    return found


def console_commands(block: Block) -> list[tuple[str, str]]:
    """Return the block's pairs of command and expected output."""
    commands: list[tuple[str, str]] = []
    for line in block.text.splitlines():
        if line.startswith("$ "):
            commands.append((line[2:], ""))
        elif not commands:
            raise ValueError(f"line {block.line}: a console block begins with `$ command`, not with {line!r}")
        else:
            command, expected = commands[-1]
            commands[-1] = (command, f"{expected}{line}\n")
    return commands


def matches(expected: str, actual: str) -> bool:
    """Tell whether `actual` is `expected`, where `…` is any text on its line, and alone on a line any lines."""
    pattern = re.escape(expected)
    pattern = re.sub(r"^…\\?\n", r"(?:.*\\n)*", pattern, flags=re.MULTILINE)
    return re.fullmatch(pattern.replace("…", ".*"), actual) is not None


def environment() -> dict[str, str]:
    """The test's environment, with the commands that are installed beside this Python first.

    `python -m tests.…` finds the tests, as it does for a reader who is in the source tree's root.
    """
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    return {**os.environ, "PATH": path, "PYTHONPATH": str(Path(__file__).parents[2])}
