"""`wintun-sim build-driver`, as the author of somebody else's miniport meets it: from the installed package, far from
this source tree, with a driver that does what drivers do and now and then what they should not.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.tree.documents import blocks
from wintun_sim import native
from wintun_sim.cli import main
from wintun_sim.errors import UsageError
from wintun_sim.kernel import DriverMachine, builder
from wintun_sim.operations import Initialize, Load, Oid, OidKind, Returned, RuleBroken

ROOT = Path(__file__).parents[2]
KERNEL = ROOT / "sim/wintun_sim/kernel"


def tiny() -> str:
    """Return the source of the miniport that docs/build-driver.md shows."""
    program = next(
        block for block in blocks((ROOT / "docs/build-driver.md").read_text("utf-8")) if block.language == "python"
    )
    found = re.search(r'write_text\(r"""(.*)"""\)', program.text, re.DOTALL)
    assert found is not None
    return found[1]


def entry(body: str, before: str = "") -> str:
    """Return a source whose DriverEntry has this body."""
    return (
        f"#include <ndis.h>\n{before}\n"
        "NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)\n"
        f"{{\n    UNREFERENCED_PARAMETER(DriverObject);\n    UNREFERENCED_PARAMETER(RegistryPath);\n{body}\n}}\n"
    )


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(name: str, text: str) -> str:
    Path(name).write_text(text, encoding="utf-8")
    return name


def outside(*words: str) -> subprocess.CompletedProcess[str]:
    """Run the installed command in a directory of its own, with nothing that leads Python to this source tree."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "CC"))}
    command = [sys.executable, "-P", "-m", "wintun_sim", *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_an_installed_package_builds_and_judges_a_strangers_driver() -> None:
    """Everything that it needs of this project came with the package; the driver is one file in an empty directory."""
    write("tiny.c", tiny())
    done = outside("build-driver", "tiny.c", "-o", "tiny.so")
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(r"tiny\.so: instrumented image of 1 sources, \d+ imports\n", done.stdout)
    done = outside("check", "tiny.so", "--rules-only", "--seed", "2", "--steps", "500")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("PASSED\n")


def test_builder_and_headers_are_all_that_a_build_needs(here: Path) -> None:
    """They are what the package carries; a header that only the source tree has would be missed here."""
    place = here / "elsewhere"
    shutil.copytree(KERNEL / "include", place / "include")
    shutil.copy(KERNEL / "builder.py", place)
    write("tiny.c", tiny())
    command = [sys.executable, "-I", str(place / "builder.py"), "tiny.c", "-o", "tiny.so"]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
    assert builder.kind_of(Path("tiny.so")) == "instrumented"


def test_the_package_has_the_projects_driver_twice_and_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert builder.kind_of(native.driver_image()) == "plain"
    assert builder.kind_of(native.driver_image(instrumented=True)) == "instrumented"
    with pytest.raises(SystemExit):
        main(["--version"])
    assert "driver image  yes, instrumented" in capsys.readouterr().out
    for options, words in (([], "the project's own, instrumented"), (["--plain"], "the project's own, plain")):
        assert main(["run", "lifecycle", "--machine", "driver", *options]) == 0
        assert f"driver: {words}" in capsys.readouterr().out


def test_plain_is_a_choice_among_our_own_images(capsys: pytest.CaptureFixture[str]) -> None:
    write("tiny.c", tiny())
    assert main(["build-driver", "tiny.c", "-o", "tiny.so", "--plain"]) == 0
    assert builder.kind_of(Path("tiny.so")) == "plain"
    assert main(["check", "tiny.so", "--plain"]) == 2
    assert "--plain chooses an image of the project's own driver" in capsys.readouterr().err


def test_what_windows_compiler_takes_is_taken() -> None:
    """SAL, pragmas, structured exception handling, pool tags of four letters, wide strings of 16 bits."""
    source = """
    #pragma warning(disable : 4201)
    #pragma alloc_text(INIT, DriverEntry)
    _IRQL_requires_max_(DISPATCH_LEVEL) _Must_inspect_result_
    static NTSTATUS Guarded(_In_reads_bytes_(Length) const UCHAR *Bytes, _In_ ULONG Length)
    {
        typedef union { struct { USHORT Low, High; }; ULONG Whole; } WORDS;
        WORDS Words = {.Whole = 'gaT1'};
        __try
        {
            if (Length != 0 && Bytes[0] != 0 && Words.High == 'ga')
                return STATUS_SUCCESS;
        }
        __except (GetExceptionCode() == STATUS_ACCESS_VIOLATION ? EXCEPTION_EXECUTE_HANDLER : EXCEPTION_CONTINUE_SEARCH)
        {
            return GetExceptionCode();
        }
        __try
        {
            Words.Whole = 0;
        }
        __finally
        {
            Words.Whole++;
        }
        return Words.Whole == 1 ? STATUS_SUCCESS : STATUS_UNSUCCESSFUL;
    }
    __declspec(align(64)) static struct { LONG Counter; UCHAR Rest[60]; } Line;
    C_ASSERT(sizeof(Line) == 64 && sizeof(LONG) == 4 && sizeof(L"ab") == 6 && sizeof(PVOID) == 8);
    """
    write("odd.c", entry("    return Guarded((const UCHAR *)&Line, sizeof Line);", source))
    for compiler in ("gcc", "clang"):
        if shutil.which(compiler) is None:
            continue
        done = subprocess.run(
            [sys.executable, "-m", "wintun_sim", "build-driver", "odd.c", "-o", "odd.so"],
            env={**os.environ, "CC": compiler},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert returned(Path("odd.so")) == 0


def returned(image: Path) -> int:
    """Load an image and return what its DriverEntry said."""
    machine = DriverMachine(image)
    try:
        (event,) = machine.perform(Load(name="driver"))
        assert isinstance(event, Returned)
        return event.status
    finally:
        machine.close()


def test_a_long_is_pointed_out_where_it_is_the_drivers_own(capsys: pytest.CaptureFixture[str]) -> None:
    """It has 64 bits here: arithmetic that wraps at 32 on Windows does not wrap."""
    write("own.h", '/* long ago */\nstatic const char *const long_name = "long";\nstatic unsigned long total;\n')
    write("wide.c", entry("    return long_name[0] == 'l' && total == 0;", '#include "own.h"\nstatic long long fine;'))
    assert main(["build-driver", "wide.c", "-o", "wide.so", "-I", "."]) == 0
    notes = [line for line in capsys.readouterr().err.splitlines() if "note:" in line]
    assert len(notes) == 1
    assert re.search(r"own\.h:3: note: a long has 64 bits here and 32 on Windows", notes[0])


def test_calls_that_are_not_implemented_are_named_when_the_image_is_built_and_when_it_is_loaded(
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = "VOID NTAPI NdisUnheardOf(VOID);\nVOID NTAPI KeUnknown(VOID);"
    write("far.c", entry("    NdisUnheardOf();\n    KeUnknown();\n    return STATUS_SUCCESS;", before))
    assert main(["build-driver", "far.c", "-o", "far.so"]) == 0
    words = "the host kernel does not have KeUnknown, NdisUnheardOf"
    assert words in capsys.readouterr().err
    assert main(["check", "far.so", "--rules-only", "--seed", "1"]) == 2
    error = capsys.readouterr().err
    assert words in error
    assert len(error.splitlines()) == 1
    machine = DriverMachine(Path("far.so"))
    with pytest.raises(UsageError, match=words):
        machine.perform(Load(name="driver"))
    machine.close()


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["nowhere.c"], 2, "the source nowhere.c is not there"),
        (["odd.txt"], 2, "odd.txt is not a C file"),
        (["good.c", "-I", "nowhere"], 2, "the include directory nowhere is not there"),
        (["good.c", "--sanitize", "loneliness"], 2, "there is no sanitizer 'loneliness'"),
        (["bad.c"], 1, "the headers do not declare NdisUnheardOf, UNHEARD_OF"),
    ],
)
def test_what_goes_wrong_is_told_in_a_last_line(
    arguments: Sequence[str], status: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write("good.c", entry("    return STATUS_SUCCESS;"))
    write("odd.txt", "no source")
    write("bad.c", entry("    UNHEARD_OF x;\n    return NdisUnheardOf();"))
    assert main(["build-driver", *arguments, "-o", "out.so"]) == status
    lines = capsys.readouterr().err.splitlines()
    assert words in lines[-1]
    assert lines[-1].startswith("wintun-sim: error: build-driver: ")
    assert len(lines) == 1 or status == 1
    assert not Path("out.so").exists()


def test_a_missing_compiler_is_one_human_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write("good.c", entry("    return STATUS_SUCCESS;"))
    monkeypatch.setenv("CC", "no-such-compiler")
    assert main(["build-driver", "good.c", "-o", "out.so"]) == 2
    error = capsys.readouterr().err
    assert re.fullmatch(r"wintun-sim: error: build-driver: no C compiler: no-such-compiler cannot be run; .*\n", error)


ENDS = {
    "crash": ("return *(volatile ULONG *)(ULONG_PTR)8;", r"access violation at NULL \+ 0x8, in Oid\+"),
    "assertion": ('RtlAssert("Ready", __FILE__, __LINE__, NULL); return 0;', r"assertion failed: Ready \(bad\.c:\d+\)"),
    "bug check": ("KeBugCheckEx(0xE2, 1, 2, 3, 4);", r"bug check 0xE2, first parameter 0x1"),
    "loop of calls": (
        "for (;;) { KSPIN_LOCK Lock; KIRQL Irql; KeInitializeSpinLock(&Lock); KeAcquireSpinLock(&Lock, &Irql);"
        " KeReleaseSpinLock(&Lock, Irql); }",
        r"more steps than are allowed, in Oid\+",
    ),
    "loop without calls": ("for (;;);", r"endless loop: .* in Oid"),
    "loop over memory": ("for (Count = 0;; Count++) Table[Count % 8]++;", r"endless loop: .* in Oid"),
    "wait for ever": (
        "KEVENT Event; KeInitializeEvent(&Event, NotificationEvent, FALSE);"
        " KeWaitForSingleObject(&Event, Executive, KernelMode, FALSE, NULL); return 0;",
        r"waits for an event, in Oid\+",
    ),
}


@pytest.mark.parametrize("plain", [False, True], ids=["instrumented", "plain"])
@pytest.mark.parametrize("end", ENDS)
def test_a_driver_that_does_not_come_back_is_a_finding_with_operation_and_place(end: str, plain: bool) -> None:
    """The judge survives each, in its own process: it says during which operation, in which handler and function."""
    body, words = ENDS[end]
    source = tiny().replace("    UNREFERENCED_PARAMETER(Adapter);\n    switch", f"    {body}\n    switch")
    write(
        "bad.c", source.replace("static NDIS_STATUS Oid(", "static ULONG Table[8], Count;\n\nstatic NDIS_STATUS Oid(")
    )
    builder.build([Path("bad.c")], Path("bad.so"), instrumented=not plain)
    machine = DriverMachine(Path("bad.so"))
    try:
        machine.perform(Load(name="driver"))
        machine.perform(Initialize(name="adapter"))
        events = machine.perform(Oid(name="question", kind=OidKind.QUERY, oid=1, length=4))
    finally:
        machine.close()
    broken = [event for event in events if isinstance(event, RuleBroken)]
    assert [event.operation for event in broken] == ["question"]
    assert broken[0].rule in ("Crash", "Stuck")
    assert re.search(f"MiniportOidRequest.*{words}", broken[0].message)
