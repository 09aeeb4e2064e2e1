"""Builds the fuzzers that are C, with clang's libFuzzer and sanitizers, and writes the seeds they begin with.

    python -m tests.fuzz.native DIRECTORY
    DIRECTORY/fuzz_decode DIRECTORY/fuzz_decode.corpus DIRECTORY/fuzz_decode.seeds -runs=1000000

What is new goes into the corpus. Any of libFuzzer's options does (llvm.org/docs/LibFuzzer.html).
"""

import argparse
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.fuzz import seeds

ROOT: Final = Path(__file__).parents[2]
SOURCES: Final = ROOT / "tests" / "fuzz" / "c"
CODEC: Final = ROOT / "shared" / "bundle.c"
ELF_FILE: Final = ROOT / "sim" / "wintun_sim" / "kernel" / "source" / "elf_file.c"

TARGETS: Final = {"fuzz_decode": CODEC, "fuzz_encode": CODEC, "fuzz_image": ELF_FILE}
"""Each fuzzer, and the C file that it is for."""

WARNINGS: Final = ("-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror")
SANITIZERS: Final = ("-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=all")


def missing() -> str:
    """Return why no fuzzer can be built here, or nothing if one can."""
    if not sys.platform.startswith("linux"):
        return "the fuzzers in C are built on Linux"
    if shutil.which("clang") is None:
        return "clang is not installed"
    trial = subprocess.run(
        ["clang", "-fsanitize=fuzzer,address,undefined", "-x", "c", "-", "-o", "/dev/null"],
        input="int LLVMFuzzerTestOneInput(const void *data, unsigned long size) { return !data && size; }\n",
        capture_output=True,
        text=True,
        check=False,
    )
    return "" if trial.returncode == 0 else "clang is installed without the libraries of its fuzzer and sanitizers"


def build(target: str, directory: Path, judged: Path | None = None) -> Path:
    """Build a fuzzer into a directory and return it; `judged` takes the place of the C file that it is for.

    Raises RuntimeError with what the compiler said.
    """
    source = judged or TARGETS[target]
    output = directory / target
    include = [f"-I{path}" for path in (TARGETS[target].parent, SOURCES)]
    files = [SOURCES / f"{target}.c", SOURCES / "naive.c", source]
    command = [
        "clang",
        "-std=gnu11",
        "-g",
        "-O2",
        *WARNINGS,
        *SANITIZERS,
        *include,
        *map(str, files),
        "-o",
        str(output),
    ]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{target} cannot be built:\n{done.stdout}")
    return output


def main(arguments: Sequence[str] | None = None) -> int:
    """Build all of them; exit status 2 where that cannot be."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.native", description="Build the fuzzers that are C.")
    parser.add_argument("directory", type=Path, metavar="DIRECTORY", help="where the fuzzers and their seeds go")
    directory = parser.parse_args(arguments).directory
    if reason := missing():
        print(f"error: {reason}", file=sys.stderr)
        return 2
    directory.mkdir(parents=True, exist_ok=True)
    for target in TARGETS:
        print(build(target, directory))
        seeds.write(target, directory / f"{target}.seeds")
        (directory / f"{target}.corpus").mkdir(exist_ok=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
