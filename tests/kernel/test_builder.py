"""Who builds a driver image gets an image that the loader accepts, or is told in one line why not."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.kernel.core import BUILDER, IMAGES, KERNEL, ROOT

COUNTER = IMAGES / "counter.c"


def run(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the builder as the project's build runs it: as a script, by any Python, without the package."""
    command = [sys.executable, "-I", str(BUILDER), *map(str, arguments)]
    return subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=False)


def tool(*command: str | Path) -> str:
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, check=True).stdout


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """Where a test's image goes."""
    return tmp_path / "image.so"


def write(place: Path, name: str, text: str) -> Path:
    source = place / name
    source.write_text(text, "utf-8")
    return source


ENTRY = """#include <ndis.h>
NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    (void)DriverObject;
    (void)RegistryPath;
    return STATUS_SUCCESS;
}
"""


def test_an_image_needs_no_library_and_leaves_nothing_undefined(image: Path) -> None:
    """Whatever the host lacks is found by the loader, by name, and not by the system's linker in mid-run."""
    assert run(COUNTER, "-o", image, "--plain").returncode == 0
    assert "NEEDED" not in tool("readelf", "--dynamic", image)
    assert tool("nm", "--dynamic", "--undefined-only", image) == ""
    assert "wintun_sim_image" in tool("nm", "--dynamic", "--defined-only", image)


def test_the_project_s_driver_builds_without_a_word(image: Path) -> None:
    sources = sorted((ROOT / "driver").glob("*.c"))
    if not sources:
        pytest.skip("there is no driver in this tree yet")
    result = run(
        *sources, ROOT / "shared/bundle.c", "-I", ROOT / "driver", "-I", ROOT / "shared", "-o", image, "--plain"
    )
    assert (result.returncode, result.stderr) == (0, "")


def test_the_same_sources_give_the_same_image_byte_for_byte_wherever_they_lie(tmp_path: Path) -> None:
    """Traces name an image by its hash: a copy of the source tree must not be another driver."""
    images = []
    for name in ("here", "there"):
        place = tmp_path / name / "driver"
        place.mkdir(parents=True)
        source = write(place, "driver.c", COUNTER.read_text("utf-8"))
        assert run(source, "-o", place / "image.so", "--plain").returncode == 0
        images.append((place / "image.so").read_bytes())
    assert images[0] == images[1]


def test_macros_and_directories_reach_the_compiler(tmp_path: Path, image: Path) -> None:
    (tmp_path / "private").mkdir()
    write(tmp_path / "private", "private.h", "#define ANSWER 42\n")
    source = write(
        tmp_path,
        "driver.c",
        '#include "private.h"\n_Static_assert(ANSWER == 42 && FLAG == 1 && VALUE == 7, "");\n' + ENTRY,
    )
    assert run(source, "-I", tmp_path / "private", "-D", "FLAG", "-DVALUE=7", "-o", image, "--plain").returncode == 0


def test_what_the_processor_cannot_do_comes_from_the_compiler_s_library_and_not_from_windows(
    tmp_path: Path, image: Path
) -> None:
    """A 128-bit division calls __udivti3, which no kernel exports."""
    wide = "unsigned __int128"
    body = "{\n    return a / b + KeGetCurrentIrql();\n}\n"
    source = write(
        tmp_path, "driver.c", f"{ENTRY}{wide} divide({wide} a, {wide} b);\n{wide} divide({wide} a, {wide} b)\n{body}"
    )
    assert run(source, "-o", image, "--plain").returncode == 0
    assert imported_names(image) == ["KeGetCurrentIrql"]


def imported_names(image: Path) -> list[str]:
    """The names that the generated assembly made thunks for: one function each, in alphabetic order."""
    symbols = tool("nm", "--format=posix", image).splitlines()
    thunks = subprocess.run(
        ["objdump", "--disassemble", "--no-show-raw-insn", image], capture_output=True, text=True, check=True
    ).stdout
    functions = [line.split()[0] for line in symbols if line.split()[1] == "t"]
    return [name for name in functions if f"<{name}>:\n" in thunks and jumps_through_slot(thunks, name)]


def jumps_through_slot(disassembly: str, name: str) -> bool:
    body = disassembly.split(f"<{name}>:\n", 1)[1].splitlines()
    return bool(body) and (("jmp" in body[0] and "*" in body[0]) or "adrp\tx16" in body[0])


def test_compiler_errors_are_shown_and_missing_declarations_summed_up(tmp_path: Path, image: Path) -> None:
    source = write(
        tmp_path,
        "driver.c",
        ENTRY
        + "void f(void);\nvoid f(void)\n{\n    NdisUnheardOf();\n    UNHEARD_OF_TYPE x;\n    NdisUnheardOf();\n}\n",
    )
    result = run(source, "-o", image, "--plain")
    assert result.returncode == 1
    assert f"{source}:" in result.stderr
    last = result.stderr.splitlines()[-1]
    assert last.startswith("build-driver: error: 1 of 1 sources did not compile")
    assert last.endswith("the headers do not declare NdisUnheardOf, UNHEARD_OF_TYPE")
    assert not image.exists()


def test_a_missing_header_is_named(tmp_path: Path, image: Path) -> None:
    source = write(tmp_path, "driver.c", "#include <unheardof.h>\n" + ENTRY)
    result = run(source, "-o", image, "--plain")
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1].endswith("the headers do not declare unheardof.h")


def test_two_definitions_of_one_function_are_refused_by_the_linker(tmp_path: Path, image: Path) -> None:
    first, second = (write(tmp_path, name, ENTRY) for name in ("first.c", "second.c"))
    result = run(first, second, "-o", image, "--plain")
    assert result.returncode == 1
    assert "DriverEntry" in result.stderr
    assert not image.exists()


BAD_INPUT: Sequence[tuple[list[str], str]] = [
    (["no-such-file.c"], "the source no-such-file.c is not there"),
    ([str(KERNEL)], "is not there, or is no file"),
    ([str(BUILDER)], "is not a C file"),
    ([str(COUNTER), "-I", "no-such-directory"], "the include directory no-such-directory is not there"),
]


@pytest.mark.parametrize(("arguments", "words"), BAD_INPUT)
def test_bad_input_is_one_line_and_exit_status_2(arguments: list[str], words: str, image: Path) -> None:
    result = run(*arguments, "-o", image, "--plain")
    assert result.returncode == 2
    assert len(result.stderr.splitlines()) == 1
    assert result.stderr.startswith("build-driver: error: ")
    assert words in result.stderr


def test_a_missing_compiler_is_one_human_sentence(image: Path) -> None:
    result = run(COUNTER, "-o", image, "--plain", CC="no-such-compiler")
    assert result.returncode == 2
    assert result.stderr.startswith("build-driver: error: no C compiler: no-such-compiler cannot be run; install")


def test_a_compiler_s_command_with_half_a_quotation_is_said_to_be_such(image: Path) -> None:
    result = run(COUNTER, "-o", image, "--plain", CC='gcc "')
    assert result.returncode == 2
    assert (
        result.stderr == "build-driver: error: the compiler's command 'gcc \"' cannot be read: No closing quotation\n"
    )


def test_an_image_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    result = run(COUNTER, "-o", tmp_path / "no-such-directory/image.so", "--plain")
    assert result.returncode == 2
    assert "cannot be written" in result.stderr
    assert list(tmp_path.iterdir()) == []

    (tmp_path / "directory").mkdir()
    result = run(COUNTER, "-o", tmp_path / "directory", "--plain")
    assert result.returncode == 2
    assert "cannot be written" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["directory"]


def test_a_source_of_random_bytes_is_refused_in_the_compiler_s_words(tmp_path: Path, image: Path) -> None:
    """The compiler quotes what it disliked, byte for byte, and these bytes are text in no encoding."""
    source = tmp_path / "driver.c"
    source.write_bytes(bytes(range(1, 256)) * 8)
    result = run(source, "-o", image, "--plain")
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert result.stderr.splitlines()[-1].startswith("build-driver: error: 1 of 1 sources did not compile")


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_an_instrumented_image_calls_out_for_each_access_and_needs_no_library_either(
    compiler: str, image: Path
) -> None:
    """The host kernel provides what the compiler's own runtime would, so nothing has to be preloaded."""
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    assert run(COUNTER, "-o", image, CC=compiler).returncode == 0
    assert "NEEDED" not in tool("readelf", "--dynamic", image)
    names = imported_names(image)
    assert "__tsan_read4" in names
    assert "__tsan_init" not in names  # it is called before anything is bound


def test_a_sanitizer_adds_its_call_outs(tmp_path: Path, image: Path) -> None:
    shift = "int shift(int by);\nint shift(int by)\n{\n    return 1 << by;\n}\n"
    source = write(tmp_path, "driver.c", ENTRY + shift)
    assert run(source, "-o", image, "--plain", "--sanitize", "undefined").returncode == 0
    assert imported_names(image) == ["__ubsan_handle_shift_out_of_bounds"]


def test_an_unknown_sanitizer_is_bad_input(image: Path) -> None:
    result = run(COUNTER, "-o", image, "--sanitize", "undefined,loneliness")
    assert result.returncode == 2
    assert "there is no sanitizer 'loneliness'" in result.stderr
