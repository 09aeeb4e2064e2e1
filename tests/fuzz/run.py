"""Fuzzes a target that is Python.

    python -m tests.fuzz.run TARGET [-runs=N] [-max_total_time=SECONDS] [-seed=N] [CORPUS]
    python -m tests.fuzz.run TARGET FILE…

With atheris installed, libFuzzer drives: it sees which branches an input takes, keeps in the folder CORPUS what was
new, and takes all its other options too. Without, hypothesis changes the seeds at random, and there is no corpus. Both
leave an input that fails as a file `crash-…`; files are run once each, which reproduces a failure.
"""

import argparse
import atexit
import hashlib
import importlib
import importlib.util
import random
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

Target = Callable[[bytes], None]

RUNS: Final = 20_000
LONGEST: Final = 1 << 13  # bytes of chance that hypothesis gets for one input
CHANGES: Final = 8

interesting = st.one_of(
    st.binary(max_size=4),
    st.integers(0, 0xFFFF_FFFF).map(lambda number: number.to_bytes(4, sys.byteorder)),
    st.sampled_from([b"\0" * 16, b"\xff" * 4, b"\x10\0\0\0", b"(", b")", b'"', b"\n", b"0x", b","]),
)


@st.composite
def mutated(draw: st.DrawFn, originals: Sequence[bytes]) -> bytes:
    """A seed, with pieces of it removed, doubled, moved or overwritten."""
    data = draw(st.sampled_from(originals))
    for _ in range(draw(st.integers(0, CHANGES))):
        start = draw(st.integers(0, len(data)))
        end = draw(st.integers(start, min(len(data), start + 64)))
        piece = draw(st.one_of(interesting, st.just(b""), st.just(data[start:end] * 2)))
        data = data[:start] + piece + data[end:]
    return data


def as_test(target: Target, originals: Sequence[bytes]) -> Callable[[], None]:
    """Return the target as a test of hypothesis: it holds for every input that the seeds can become."""

    @given(st.one_of(mutated(originals), st.binary(max_size=200)))
    def holds(data: bytes) -> None:
        target(data)

    return holds


def with_atheris(name: str, options: Sequence[str], folders: Sequence[str]) -> None:
    """Fuzz with libFuzzer, which ends the process."""
    atheris = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["wintun_sim"]):  # before anything else imports it
        target = all_targets()[name]
    from tests.fuzz import seeds

    directory = tempfile.mkdtemp(prefix="wintun-sim-seeds-")
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    seeds.write(name, Path(directory))
    # What is new goes into the first folder.
    atheris.Setup([sys.argv[0], *options, *folders, directory], target)
    atheris.Fuzz()


def with_hypothesis(target: Target, originals: Sequence[bytes], runs: int, seconds: int, seed: int) -> int:
    """Run the target on changed seeds until one fails; return the exit status."""
    last = b""

    def remembering(data: bytes) -> None:
        nonlocal last
        last = data
        target(data)

    test = settings(database=None, suppress_health_check=list(HealthCheck))(as_test(remembering, originals))
    fuzz_one_input = test.hypothesis.fuzz_one_input  # type: ignore[attr-defined]
    generator = random.Random(seed)
    end = time.monotonic() + seconds if seconds else None
    done = 0
    try:
        while done < runs and (end is None or time.monotonic() < end):
            fuzz_one_input(generator.randbytes(generator.randrange(16, LONGEST >> generator.randrange(8))))
            done += 1
    except Exception:
        traceback.print_exc()
        path = Path(f"crash-{hashlib.sha1(last).hexdigest()}")
        path.write_bytes(last)
        print(f"failed after {done} runs (hypothesis, seed {seed}); the input is in {path}")
        return 1
    print(f"Done {done} runs on changed seeds (hypothesis, seed {seed})")
    return 0


def all_targets() -> Mapping[str, Target]:
    """Import the targets, and with them the package."""
    from tests.fuzz.targets import TARGETS

    return TARGETS


def main(arguments: Sequence[str] | None = None) -> int:
    """Fuzz, or run files. Exit status 0: nothing was found; 1: something; 2: bad input. libFuzzer's own is 77."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.run", description="Fuzz a target that is Python.")
    parser.add_argument(
        "target", choices=("decode", "encode", "diagnose", "scenario", "trace", "draw", "schedule", "lines", "capture")
    )
    parser.add_argument("paths", nargs="*", type=Path, metavar="PATH", help="a folder for the corpus, or files to run")
    parser.add_argument("-runs", type=int, default=RUNS, metavar="N", help=f"default: {RUNS}")
    parser.add_argument("-max_total_time", type=int, default=0, metavar="SECONDS", help="default: no limit")
    parser.add_argument("-seed", type=int, default=1, metavar="N", help="default: 1")
    given_, unknown = parser.parse_known_args(arguments)
    # Behind an option that argparse does not know it knows no paths either.
    paths = [*given_.paths, *(Path(word) for word in unknown if not word.startswith("-"))]
    others = [word for word in unknown if word.startswith("-")]
    files = [path for path in paths if path.is_file()]
    if files:
        for path in files:
            all_targets()[given_.target](path.read_bytes())
            print(f"{path}: holds")
        return 0
    if importlib.util.find_spec("atheris") is not None:
        for path in paths:
            path.mkdir(parents=True, exist_ok=True)
        options = [f"-runs={given_.runs}", f"-max_total_time={given_.max_total_time}", f"-seed={given_.seed}", *others]
        with_atheris(given_.target, options, [str(path) for path in paths])
    if others:
        parser.error(f"without atheris there is no {' '.join(others)}")
    from tests.fuzz import seeds

    target = all_targets()[given_.target]
    return with_hypothesis(target, seeds.seeds(given_.target), given_.runs, given_.max_total_time, given_.seed)


if __name__ == "__main__":
    sys.exit(main())
