"""The host kernel's core, tested in C, with and without sanitizers: actors, memory, locks, images, crashes, worlds."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kernel.core import BUILDER, BUILDS, IMAGES, TESTS, compile_program, missing, names_in_c


@pytest.fixture(scope="module", params=sorted(BUILDS))
def program(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The C tests as one program, built by one compiler after the other."""
    build = str(request.param)
    if reason := missing(build):
        pytest.skip(reason)
    return compile_program(build, sorted(TESTS.glob("*.c")), tmp_path_factory.mktemp(build))


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory of images and of files that are none."""
    place = tmp_path_factory.mktemp("images")
    for source in IMAGES.glob("*.c"):
        image = place / f"{source.stem}.so"
        subprocess.run([sys.executable, BUILDER, source, "-o", image, "--plain"], check=True)
    (place / "empty.so").touch()
    (place / "text.so").write_text("This is no image.\n", "utf-8")
    whole = (place / "counter.so").read_bytes()
    (place / "half.so").write_bytes(whole[: len(whole) // 2])
    library = place / "library.c"
    library.write_text('#include <stdio.h>\nint say(void) { return puts(""); }\n', "utf-8")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", place / "library.so", library], check=True)
    return place


@pytest.mark.parametrize("name", names_in_c())
def test_core(name: str, program: Path, images: Path) -> None:
    """Each C test runs in a process of its own, since some of them crash on purpose."""
    environment = {**os.environ, "WINTUN_SIM_TEST_IMAGES": str(images)}
    environment.pop("LD_PRELOAD", None)
    result = subprocess.run([program, name], env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stderr
