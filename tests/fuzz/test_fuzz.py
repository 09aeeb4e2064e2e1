"""A short run of every fuzzer: that each can be built, finds nothing in what there is, and does find what is planted.

Runs that find something new take minutes and are started by hand (docs/fuzzing.md). These here keep the fuzzers from
decaying between those: a fuzzer that nobody runs soon does not compile, and one that cannot fail says nothing.
"""

import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.fuzz import native, run, seeds
from tests.fuzz.targets import TARGETS
from tests.tree import documents

RUNS = 2_000
RUNS_UNTIL_FOUND = 50_000

PLANTED = {
    "a record that ends with its buffer is refused": (
        "fuzz_decode",
        "return record_size(*packet_size) > left ?",
        "return record_size(*packet_size) >= left ?",
    ),
    "a header is read beyond the end": (
        "fuzz_decode",
        "if (left < BUNDLE_HEADER_SIZE)",
        "if (left < 1)",
    ),
    "padding is not counted at the end": (
        "fuzz_decode",
        "return record_size(*packet_size) > left ?",
        "return BUNDLE_HEADER_SIZE + *packet_size > left ?",
    ),
    "a reservation is taken back twice": (
        "fuzz_encode",
        "if (writer->previous == writer->written)",
        "if (writer->written == 0)",
    ),
    "a check of the room wraps round": (
        "fuzz_encode",
        "if (size > writer->length - writer->written)",
        "if (writer->written + size > writer->length + 15)",
    ),
    "padding is not written": (
        "fuzz_encode",
        "fill_bytes(record + size - BUNDLE_ALIGNMENT, 0, BUNDLE_ALIGNMENT);",
        ";",
    ),
    "a name of a symbol is not checked": (
        "fuzz_image",
        "return symbol->st_name < names_size ? names + symbol->st_name :",
        "return symbol->st_name < names_size + 4096 ? names + symbol->st_name :",
    ),
}
"""Mistakes that are easily made, each as the fuzzer that has to find it, right text and wrong text."""


@cache
def reason_to_skip() -> str:
    return native.missing()


@pytest.fixture(autouse=True)
def fuzzers_can_be_built(request: pytest.FixtureRequest) -> None:
    if "native" in request.node.name and reason_to_skip():
        pytest.skip(reason_to_skip())


def fuzz(fuzzer: Path, runs: int) -> subprocess.CompletedProcess[str]:
    """Run a fuzzer of C on its seeds, in the directory where it lies, always with the same choices."""
    place = fuzzer.parent / f"{fuzzer.name}.seeds"
    seeds.write(fuzzer.name, place)
    # Where the tests themselves run under a sanitizer, its library is preloaded; the fuzzer brings its own.
    environment = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
    return subprocess.run(
        [str(fuzzer), f"-runs={runs}", "-seed=1", str(place)],
        cwd=fuzzer.parent,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )


@pytest.mark.parametrize("target", native.TARGETS)
def test_a_native_fuzzer_finds_nothing_in_a_short_run(target: str, tmp_path: Path) -> None:
    done = fuzz(native.build(target, tmp_path), RUNS)
    assert done.returncode == 0, done.stdout
    assert f"Done {RUNS} runs" in done.stdout


@pytest.mark.parametrize("mistake", PLANTED)
def test_a_native_fuzzer_finds_a_mistake_that_was_planted(mistake: str, tmp_path: Path) -> None:
    target, right, wrong = PLANTED[mistake]
    original = native.TARGETS[target].read_text("utf-8")
    assert right in original, "the source has changed: plant the mistake anew"
    judged = tmp_path / native.TARGETS[target].name
    judged.write_text(original.replace(right, wrong), "utf-8")
    done = fuzz(native.build(target, tmp_path, judged), RUNS_UNTIL_FOUND)
    assert done.returncode != 0, f"{RUNS_UNTIL_FOUND} runs did not find it"
    assert "does not hold" in done.stdout or "AddressSanitizer" in done.stdout, done.stdout


def test_the_commands_for_the_native_fuzzers_do_what_their_page_shows(tmp_path: Path) -> None:
    """Those for Python are run like those of any page; these need clang, so they are run here, if it is there."""
    shown = [
        block
        for block in documents.blocks((native.ROOT / "docs" / "fuzzing.md").read_text("utf-8"))
        if block.language == "text" and block.text.startswith("$ ")
    ]
    assert len(shown) == 2
    found = [problem for block in shown for problem in documents.console_problems(block, tmp_path)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("target", TARGETS)
def test_a_python_target_holds_for_its_seeds_and_what_they_can_become(target: str) -> None:
    for seed in seeds.seeds(target):
        TARGETS[target](seed)
    test = run.as_test(TARGETS[target], seeds.seeds(target))
    settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])(test)()


@pytest.mark.parametrize("target", seeds.SEEDS)
def test_every_target_has_seeds_that_are_small_and_not_all_alike(target: str) -> None:
    found = seeds.seeds(target)
    assert len(set(found)) >= 5
    assert sum(map(len, found)) < 2_000_000
    assert target in native.TARGETS or target in TARGETS


def test_an_input_that_fails_is_kept_and_can_be_run_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A target that does not like the letter x, and hypothesis to find it out."""

    def target(data: bytes) -> None:
        if b"x" in data:
            raise ArithmeticError("found an x")

    monkeypatch.chdir(tmp_path)
    assert run.with_hypothesis(target, [b"abc", b"uvwxyz"], 100, 0, 1) == 1
    (path,) = tmp_path.iterdir()
    assert b"x" in path.read_bytes()
    assert path.name in capsys.readouterr().out

    monkeypatch.setattr(run, "all_targets", lambda: {"decode": target})
    with pytest.raises(ArithmeticError):
        run.main(["decode", str(path)])


def test_the_command_runs_without_atheris_too(tmp_path: Path) -> None:
    """So that whoever has the project's own requirements can fuzz, if less cleverly."""
    program = (
        "import importlib.util, sys; importlib.util.find_spec = lambda name: None\n"
        "from tests.fuzz import run\n"
        "sys.exit(run.main(['encode', '-runs=50', '-seed=3', 'corpus']))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(native.ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "Done 50 runs" in done.stdout
