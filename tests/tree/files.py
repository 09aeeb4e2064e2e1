"""The files of the repository, as git knows them, and their texts."""

import subprocess
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@cache
def tracked() -> tuple[str, ...]:
    """Return the paths of all committed files that are there; skips the test outside of a git checkout."""
    if not (ROOT / ".git").exists():
        pytest.skip("this test looks at a git checkout, and here is none (a source distribution has no .git)")
    done = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True
    )
    return tuple(path for path in done.stdout.split("\0") if path and (ROOT / path).is_file())


def with_suffix(*suffixes: str) -> list[str]:
    """Return the tracked files whose names end in one of `suffixes`."""
    return [path for path in tracked() if path.endswith(suffixes)]


def texts() -> list[tuple[str, str]]:
    """Return the path and text of every tracked text file."""
    found = []
    for path in tracked():
        data = (ROOT / path).read_bytes()
        if b"\0" not in data:
            found.append((path, data.decode("utf-8")))
    return found
