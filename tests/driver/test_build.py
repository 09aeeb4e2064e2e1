"""The driver's C, as compilers and linkers see it: clean everywhere, and a driver that Windows could load."""

import re
import struct
from pathlib import Path

import pytest

from tests.driver.toolchain import DRIVER, TARGETS, WINDOWS_MACHINES, Target, compile_sources, find, run, windows

LIBRARIES = {"ndis.sys": "libndis.a", "ntoskrnl.exe": "libntoskrnl.a"}
PE_MACHINES = {"x86_64": 0x8664, "aarch64": 0xAA64}
DLLTOOL_MACHINES = {"x86_64": "i386:x86-64", "aarch64": "arm64"}
NATIVE_SUBSYSTEM = 1


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_the_driver_compiles_without_a_warning(target: Target, tmp_path: Path) -> None:
    """A warning that one compiler has and another has not is how conversions and layouts go wrong between systems."""
    for path in compile_sources(target, tmp_path):
        assert path.is_file()


def test_the_warnings_are_errors(tmp_path: Path) -> None:
    """Else the test above would pass whatever the compiler thinks."""
    source = tmp_path / "narrow.c"
    source.write_text("unsigned char narrow(int wide);\nunsigned char narrow(int wide) { return wide; }\n")
    with pytest.raises(AssertionError, match="conversion"):
        compile_sources(TARGETS[0], tmp_path, [source])


def test_the_driver_knows_windows_and_the_codec_and_nothing_else() -> None:
    """What it includes is what it can know: one name of the host kernel in there, and it is no driver for Windows."""
    own = {path.name for path in DRIVER.glob("*.h")}
    for path in [*DRIVER.glob("*.[ch]"), DRIVER / "wintun.rc"]:
        included = set(re.findall(r'^#include [<"](.+)[>"]$', path.read_text("utf-8"), re.MULTILINE))
        assert included - own <= {"ndis.h", "ntstrsafe.h", "bundle.h", "winver.h"}, path.name


@pytest.fixture(scope="module", params=WINDOWS_MACHINES)
def linked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """A wintun.sys, and the machine that it is for."""
    machine: str = request.param
    directory = tmp_path_factory.mktemp(machine)
    objects = compile_sources(windows(machine), directory)
    return machine, link(machine, objects, directory, "wintun.sys")


def link(machine: str, objects: list[Path], directory: Path, name: str) -> Path:
    """Link a driver with import libraries of just the names that it wants, each in the file that its prefix tells."""
    symbols = [line.split() for line in run(find("llvm-nm"), *objects, directory=directory).splitlines()]
    defined = {words[2] for words in symbols if len(words) == 3}
    wanted = sorted({words[1].removeprefix("__imp_") for words in symbols if words[:1] == ["U"]} - defined)
    libraries = []
    for library in LIBRARIES:
        names = [name for name in wanted if name.startswith("Ndis") == (library == "ndis.sys")]
        definition = directory / f"{library}.def"
        definition.write_text("\n".join([f"LIBRARY {library}", "EXPORTS", *names, ""]))
        libraries.append(definition.with_suffix(".lib"))
        tool = (find("llvm-dlltool"), "-m", DLLTOOL_MACHINES[machine])
        run(*tool, "-d", definition, "-l", libraries[-1], directory=directory)
    options = ("-driver", "-subsystem:native", "-entry:DriverEntry", "-nodefaultlib", "-dynamicbase", "-Brepro")
    run(find("lld-link"), *options, f"-out:{name}", *objects, *libraries, directory=directory)
    return directory / name


def imports(image: Path) -> dict[str, set[str]]:
    """Return the names that an image imports, by the file that it imports them from."""
    found: dict[str, set[str]] = {}
    text = run(find("llvm-readobj"), "--coff-imports", image, directory=image.parent)
    for block in text.split("Import {")[1:]:
        (library,) = re.findall(r"^ *Name: (.+)$", block, re.MULTILINE)
        found[library] = set(re.findall(r"^ *Symbol: (\w+)", block, re.MULTILINE))
    return found


def test_a_driver_links_for_windows(linked: tuple[str, Path]) -> None:
    """Without Windows at hand: the file is a native image for its machine, with relocations and an entry point."""
    machine, image = linked
    data = image.read_bytes()
    (header,) = struct.unpack_from("<I", data, 0x3C)
    signature, pe_machine = struct.unpack_from("<4sH", data, header)
    (entry,) = struct.unpack_from("<I", data, header + 24 + 16)
    (subsystem,) = struct.unpack_from("<H", data, header + 24 + 68)
    (relocations,) = struct.unpack_from("<I", data, header + 24 + 112 + 5 * 8 + 4)
    assert (data[:2], signature, pe_machine) == (b"MZ", b"PE\0\0", PE_MACHINES[machine])
    assert subsystem == NATIVE_SUBSYSTEM
    assert entry != 0
    assert relocations != 0


def test_the_same_sources_make_the_same_driver(linked: tuple[str, Path], tmp_path: Path) -> None:
    """Whoever doubts a file can build it again and compare."""
    machine, image = linked
    objects = compile_sources(windows(machine), tmp_path)
    assert link(machine, objects, tmp_path, "again.sys").read_bytes() == image.read_bytes()


def test_windows_exports_all_that_the_driver_imports(linked: tuple[str, Path], tmp_path: Path) -> None:
    """A name that neither ndis.sys nor ntoskrnl.exe has would keep the driver from loading. mingw's lists, which nobody
    here wrote, are the judge."""
    _, image = linked
    compiler = find("x86_64-w64-mingw32-gcc")
    found = imports(image)
    assert set(found) == set(LIBRARIES)
    for library, names in found.items():
        archive = run(compiler, f"-print-file-name={LIBRARIES[library]}", directory=tmp_path).strip()
        exported = {
            line.split()[2]
            for line in run(find("llvm-nm"), "--defined-only", archive, directory=tmp_path).splitlines()
            if len(line.split()) == 3
        }
        assert len(names) >= 10
        assert names <= exported, f"{library} has no {', '.join(sorted(names - exported))}"
