"""Compilers for the driver headers: which are here, how each is called, and programs that measure what headers say."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

INCLUDE = Path(__file__).parents[2] / "sim/wintun_sim/kernel/include"
WARNINGS = ("-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror")
WINDOWS = ("-O2", "-std=gnu11", "-ffreestanding", "-isystem", str(INCLUDE / "windows"))
MINGW = "x86_64-w64-mingw32-gcc"

# Build name → command. Host builds run here; Windows builds are only compiled.
BUILDS: Mapping[str, tuple[str, ...]] = {
    "gcc": ("gcc", "-std=gnu11", "-fshort-wchar", "-fPIC", "-O2"),
    "clang": ("clang", "-std=gnu11", "-fshort-wchar", "-fPIC", "-fms-extensions", "-fdeclspec"),
    "windows-x86_64": ("clang", "--target=x86_64-pc-windows-msvc", "-fms-extensions", "-nostdlibinc", *WINDOWS),
    "windows-aarch64": ("clang", "--target=aarch64-pc-windows-msvc", "-fms-extensions", "-nostdlibinc", *WINDOWS),
    "mingw": (MINGW, *WINDOWS),
}


def missing(build: str) -> str | None:
    """Return why a build cannot be made here, or None when it can."""
    compiler = BUILDS[build][0]
    return None if shutil.which(compiler) else f"{compiler} is not installed"


def diagnostics(build: str, source: str, *options: str) -> str:
    """Compile C text with our headers and every warning an error; return what the compiler said ("" when content)."""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "unit.c"
        file.write_text(source, "utf-8")
        command = [*BUILDS[build], *WARNINGS, f"-I{INCLUDE}", *options, "-c", str(file), "-o", f"{directory}/unit.o"]
        return subprocess.run(command, capture_output=True, text=True, check=False).stderr


@cache
def measure(includes: tuple[str, ...], expressions: tuple[str, ...], *options: str) -> dict[str, int]:
    """Evaluate integer expressions under our headers on this host, as a program built with gcc says."""
    lines = [f'    printf("%lld\\n", (long long)({expression}));' for expression in expressions]
    program = "\n".join(
        [*(f"#include <{name}>" for name in includes), "#include <stdio.h>", "int main(void)", "{", *lines, "}"]
    )
    with tempfile.TemporaryDirectory() as directory:
        (Path(directory) / "measure.c").write_text(program, "utf-8")
        subprocess.run(
            [*BUILDS["gcc"], f"-I{INCLUDE}", *options, "-w", "measure.c", "-o", "measure"], cwd=directory, check=True
        )
        output = subprocess.run([f"{directory}/measure"], capture_output=True, text=True, check=True).stdout
    return dict(zip(expressions, map(int, output.split()), strict=True))


def disagreements(preamble: str, values: Mapping[str, int], guarded: Iterable[str] = ()) -> list[str]:
    """Compare values with what MinGW-w64's own headers say; return the expressions that differ.

    A name in `guarded` is a macro that MinGW's headers may not know; it is compared only if they do.
    """
    conditional = set(guarded)
    lines = [preamble]
    for expression, value in values.items():
        # Macros are of many integer types; only their 32 or 64 bits count.
        width = "" if -(1 << 31) <= value < 1 << 32 else "unsigned long long"
        left = f"({width or 'unsigned int'})({expression})"
        right = f"({width or 'unsigned int'}){value}LL"
        assertion = f'_Static_assert({left} == {right}, "DIFFERS<{expression}>");'
        lines += [f"#ifdef {expression}", assertion, "#endif"] if expression in conditional else [assertion]
    with tempfile.TemporaryDirectory() as directory:
        (Path(directory) / "check.c").write_text("\n".join(lines), "utf-8")
        headers = subprocess.run([MINGW, "-print-sysroot"], capture_output=True, text=True, check=True).stdout.strip()
        ddk = [f"-I{folder}" for folder in ddk_folders(headers)]
        done = subprocess.run(
            [MINGW, "-w", "-fmax-errors=0", *ddk, "-c", "check.c", "-o", "check.o"],
            cwd=directory,
            capture_output=True,
            text=True,
            check=False,
        )
    found = [line.split("DIFFERS<")[1].split(">")[0] for line in done.stderr.splitlines() if "error: static" in line]
    other = [line for line in done.stderr.splitlines() if " error: " in line and "error: static" not in line]
    return found + other


def ddk_folders(sysroot: str) -> list[Path]:
    """Return the folders in which MinGW-w64 keeps its driver headers, below its sysroot or where Debian has them."""
    candidates = (Path(sysroot) / "include/ddk", Path("/usr/share/mingw-w64/include/ddk"))
    return [folder for folder in candidates if folder.is_dir()]


def preprocessed(compiler: str, *headers: str) -> str:
    """Return headers after preprocessing: ours when the compiler is a build's name for this host, else MinGW's."""
    source = "".join(f"#include <{header}>\n" for header in headers)
    if compiler == MINGW:
        command = [MINGW, *(f"-I{folder}" for folder in ddk_folders("/usr/x86_64-w64-mingw32"))]
    else:
        command = [*BUILDS[compiler], f"-I{INCLUDE}"]
    return subprocess.run(
        [*command, "-E", "-P", "-xc", "-"], input=source, capture_output=True, text=True, check=True
    ).stdout


def macros(headers: tuple[str, ...] = ("ndis.h", "ntifs.h", "bcrypt.h", "ntstrsafe.h")) -> dict[str, str]:
    """Return our headers' macros without parameters, and what each stands for."""
    source = "".join(f"#include <{header}>\n" for header in headers)
    command = [*BUILDS["gcc"], f"-I{INCLUDE}", "-dM", "-E", "-xc", "-"]
    text = subprocess.run(command, input=source, capture_output=True, text=True, check=True).stdout
    found = (line.split(maxsplit=2) for line in text.splitlines())
    return {words[1]: words[2] for words in found if len(words) == 3 and "(" not in words[1]}
