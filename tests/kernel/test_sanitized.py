"""Images with the compilers' sanitizers: no runtime library is preloaded, the host kernel takes the calls.

A driver that overruns its variables (miniports/overruns.c) shows what only the address sanitizer sees; the drivers that
keep the rules show that it sees nothing else.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.kernel.specimen import MINIPORTS
from wintun_sim.check import check
from wintun_sim.check.rules_only import check_rules
from wintun_sim.cli import main
from wintun_sim.kernel import DriverMachine, builder
from wintun_sim.operations import Event, Load, Returned, RuleBroken

ROOT = Path(__file__).parents[2]
STACK = "DRIVER_OVERRAN_STACK_BUFFER"
BEYOND = "DRIVER_PAGE_FAULT_BEYOND_END_OF_ALLOCATION"

FOUND = {
    1: (STACK, r"Fill\+\S+ .* writes 1 byte just behind the end of the local variable Small of 13 bytes"),
    2: (BEYOND, r"Fill\+\S+ .* writes 1 byte just behind the end of the global variable Table of 10 bytes"),
    3: (BEYOND, r"Copy\+\S+ .* reads 12 bytes at the beginning of the global variable Table of 10 bytes"),
    4: (BEYOND, r"DriverEntry\+\S+ .* reads 1 byte just behind the end of the global variable Numbers of 5 bytes"),
    5: (STACK, r"Before\+\S+ .* reads 4 bytes, 4 bytes before the beginning of the local variable Pair of 8 bytes"),
}


@pytest.fixture(params=["gcc", "clang"])
def compiler(request: pytest.FixtureRequest) -> builder.Compiler:
    if shutil.which(request.param) is None:
        pytest.skip(f"{request.param} is not installed")
    return builder.find_compiler(request.param)


def loaded(image: Path) -> Sequence[Event]:
    machine = DriverMachine(image)
    try:
        return machine.perform(Load(name="driver"))
    finally:
        machine.close()


def overruns(how: int, place: Path, compiler: builder.Compiler) -> Path:
    image = place / f"overruns-{how}.so"
    source = MINIPORTS / "overruns.c"
    builder.build([source], image, define=[f"HOW={how}"], compiler=compiler, sanitize=["address"])
    assert builder.kind_of(image) == "address-sanitized"
    return image


@pytest.mark.parametrize("how", FOUND)
def test_an_access_behind_a_variable_is_found_and_the_variable_named(
    how: int, compiler: builder.Compiler, tmp_path: Path
) -> None:
    rule, words = FOUND[how]
    broken, returned = loaded(overruns(how, tmp_path, compiler))
    assert isinstance(broken, RuleBroken)
    assert broken.rule == rule
    assert re.search(words, broken.message)
    assert returned == Returned("driver", 0)


def test_variables_that_are_used_to_their_last_byte_are_no_overrun(compiler: builder.Compiler, tmp_path: Path) -> None:
    assert loaded(overruns(0, tmp_path, compiler)) == [Returned("driver", 0)]


def test_marks_of_an_image_go_with_it(compiler: builder.Compiler, tmp_path: Path) -> None:
    """The next image may lie at the same place with other variables; hosts come and go."""
    images = [overruns(how, tmp_path, compiler) for how in (2, 0)]
    for _ in range(3):
        assert len(loaded(images[0])) == 2
        assert len(loaded(images[1])) == 1


def test_the_projects_driver_passes_with_both_sanitizers(compiler: builder.Compiler, tmp_path: Path) -> None:
    image = tmp_path / "wintun.so"
    builder.build(
        [*sorted((ROOT / "driver").glob("*.c")), ROOT / "shared/bundle.c"],
        image,
        include=[ROOT / "driver", ROOT / "shared"],
        compiler=compiler,
        sanitize=["address", "undefined"],
    )
    report = check(image, seed=3, steps=1500, captures={})
    assert [found.finding.message for found in report.findings] == []


@pytest.mark.parametrize("miniport", ["loopback", "mailbox"])
def test_other_miniports_pass_too(miniport: str, compiler: builder.Compiler, tmp_path: Path) -> None:
    image = tmp_path / f"{miniport}.so"
    source = ROOT / "tests/miniports" / f"{miniport}.c"
    builder.build([source], image, compiler=compiler, sanitize=["address", "undefined"])
    report = check_rules(image, seed=4, steps=1500)
    assert [found.finding.message for found in report.findings] == []
    assert not any("image is plain" in line for line in report.not_judged())


def test_the_command_says_which_kind_it_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, image = str(ROOT / "tests/miniports/minimal.c"), str(tmp_path / "minimal.so")
    assert main(["build-driver", source, "-o", image, "--sanitize", "address,undefined"]) == 0
    assert capsys.readouterr().out.startswith(f"{image}: address-sanitized image of 1 sources")
