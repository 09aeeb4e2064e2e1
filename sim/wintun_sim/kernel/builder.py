"""Builds a driver image from the C sources of an NDIS 6 miniport.

    python builder.py SOURCE... -o IMAGE [-I DIR] [-D NAME] [--plain] [--sanitize address,undefined]

An image is a shared object that needs no library and has no undefined symbol. The sources are compiled on this
package's own headers (`include/`, beside this file); for every name that they leave undefined, a thunk of one jump
through a slot is generated, and a table that lists names and slots. The host kernel's loader fills the slots, so that
`memcpy`, `NdisMIndicateStatusEx` and a sanitizer's call-outs are all bound in one way, and says by name what it does
not have.

An instrumented image is compiled with -fsanitize=thread and linked without what belongs to it: each access to memory
calls the host kernel, which looks whether the driver may do that.

This file imports nothing but the standard library: the project's own build runs it before the package is installed.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

INCLUDE = Path(__file__).resolve().parent / "include"

# As image.h of the host kernel has them.
MAGIC = 0x31474D4957544E57
VERSION = 1
INSTRUMENTED = 1
LARGEST_IMAGE = 64 << 20

ADDRESS = 2

SANITIZERS = ("address", "undefined")

# What every source is compiled with. Microsoft's compiler does not exploit aliasing, signed overflow or null checks, so
# drivers may rely on that; wchar_t has 16 bits there; and a kernel has no stack protector of ours.
COMPILE_FLAGS = (
    "-std=gnu11",
    "-fshort-wchar",
    "-fms-extensions",
    "-fPIC",
    "-O2",
    "-g",
    "-ffreestanding",
    "-fvisibility=hidden",
    "-fno-common",
    "-fno-stack-protector",
    "-fno-strict-aliasing",
    "-fwrapv",
    "-fno-delete-null-pointer-checks",
    "-Wno-unknown-pragmas",
    "-Wno-multichar",
    "-Werror=implicit-function-declaration",
    "-Werror=int-conversion",
    "-Werror=incompatible-pointer-types",
)
# A call of the host kernel says by its return address which line makes the access, so none may be a jump.
GCC_INSTRUMENTED = (
    "-fsanitize=thread",
    "-fno-optimize-sibling-calls",
    "--param=tsan-distinguish-volatile=1",
    "--param=tsan-instrument-func-entry-exit=0",
    "-Wno-tsan",
)
CLANG_INSTRUMENTED = (
    "-fsanitize=thread",
    "-fno-optimize-sibling-calls",
    *("-mllvm", "-tsan-distinguish-volatile=1"),
    *("-mllvm", "-tsan-instrument-func-entry-exit=0"),
)
# The address sanitizer as operating systems use it, who have no runtime library of it either: each access is a call,
# and variables are marked in a map that the host kernel makes at this place (address.h).
ADDRESS_MAP = 0x200000000000
GCC_ADDRESS = (
    "-fsanitize=kernel-address",
    f"-fasan-shadow-offset={ADDRESS_MAP:#x}",
    *("--param=asan-instrumentation-with-call-threshold=0", "--param=asan-stack=1", "--param=asan-globals=1"),
)
CLANG_ADDRESS = (
    "-fsanitize=kernel-address",
    *("-mllvm", f"-asan-mapping-offset={ADDRESS_MAP:#x}"),
    *("-mllvm", "-asan-instrumentation-with-call-threshold=0"),
    *("-mllvm", "-asan-stack=1", "-mllvm", "-asan-globals=1"),
)
# Two things that the standard leaves undefined are none on Windows: x64 and ARM64 read and write at any address, and
# drivers find structures by what lies before them.
UNDEFINED_FLAGS = ("-fsanitize=undefined", "-fno-sanitize=alignment,pointer-overflow")
CLANG_FLAGS = ("-fdeclspec", "-Wno-microsoft", "-Wno-pragma-pack", "-Wno-four-char-constants")
LINK_FLAGS = ("-shared", "-nostdlib", "-Wl,-z,now", "-Wl,-z,noexecstack", "-Wl,-Bsymbolic", "-Wl,--build-id=none")

# The type `long` alone, and what in a source is not code.
LONG = re.compile(r"(?<!long )\blong\b(?!\s+(?:unsigned\s+|signed\s+)?(?:long|double)\b)")
NO_CODE = re.compile(
    r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'|^[ \t]*#[^\n]*", re.DOTALL | re.MULTILINE
)

MISSING = re.compile(
    r"(?:implicit declaration of function|call to undeclared function|unknown type name|use of undeclared identifier)"
    r" ['‘](\w+)['’]|['‘](\w+)['’] undeclared|fatal error: ['‘]?([\w./]+\.h)['’]?(?:: No such file| file not found)"
)


class BuildError(Exception):
    """An image could not be built. The message is one line; what the compiler said went to standard error."""


class BadInputError(BuildError):
    """What was asked for cannot be done: a source or a compiler that is not there, a machine that is not known."""


@dataclass(frozen=True, slots=True)
class Compiler:
    """A C compiler driver: the words of its command, and whether it is clang."""

    command: tuple[str, ...]
    is_clang: bool


def find_compiler(command: str | None = None) -> Compiler:
    """Return the compiler `command`, else $CC, else cc, gcc or clang; BadInputError when there is none."""
    wanted = command or os.environ.get("CC")
    candidates = [wanted] if wanted else ["cc", "gcc", "clang"]
    for candidate in candidates:
        try:
            words = shlex.split(candidate)
        except ValueError as error:
            raise BadInputError(f"the compiler's command {candidate!r} cannot be read: {error}") from error
        if not words or shutil.which(words[0]) is None:
            continue
        version = _call([*words, "--version"])
        if version.returncode == 0:
            return Compiler(tuple(words), "clang" in version.stdout)
    raise BadInputError(
        f"no C compiler: {' and '.join(candidates)} cannot be run; install gcc or clang, or set CC to one that is there"
    )


def build(
    sources: Sequence[Path],
    output: Path,
    *,
    include: Iterable[Path] = (),
    define: Iterable[str] = (),
    compiler: Compiler | None = None,
    instrumented: bool = False,
    sanitize: Iterable[str] = (),
) -> list[str]:
    """Build the image `output`, whole or not at all, from C `sources`; return the names that it imports.

    `include` are directories searched before the package's headers; `define` are macros, NAME or NAME=VALUE;
    `sanitize` are some of SANITIZERS. Raises BadInputError for what is not there and BuildError when the compiler or
    the linker refuses the sources.
    """
    machine = platform.machine()
    if machine not in THUNKS:
        raise BadInputError(f"images for {machine} cannot be built: this builder knows {' and '.join(THUNKS)}")
    include = tuple(include)
    _check_files(sources, include)
    compiler = compiler or find_compiler()
    sanitize = _known_sanitizers(sanitize)
    flags = _flags(compiler, include, define, instrumented, sanitize)
    with tempfile.TemporaryDirectory(prefix="wintun-sim-build-") as directory:
        place = Path(directory)
        objects = _compile_all(compiler, sources, flags, place)
        _warn_of_long(place)
        imports = [name for name in _undefined_names(compiler, objects, place) if name not in OURS]
        kind = ADDRESS if "address" in sanitize else INSTRUMENTED if instrumented else 0
        assembly = place / "imports.S"
        assembly.write_text(_imports_source(machine, imports, kind, len(objects)), encoding="ascii")
        linked = place / "image.so"
        _run([*compiler.command, *LINK_FLAGS, "-Wl,--no-undefined", *map(str, objects), str(assembly),
              *_support_library(compiler), "-o", str(linked)], "the image could not be linked")  # fmt: skip
        _publish(linked, output)
    return imports


def kind_of(image: Path) -> str:
    """Return what an image file says of itself: "plain", "instrumented" or "address-sanitized". Raises OSError."""
    with open(image, "rb") as file:
        data = file.read(LARGEST_IMAGE)
    place = data.find(MAGIC.to_bytes(8, "little"))
    flags = int.from_bytes(data[place + 12 : place + 16] if place >= 0 else b"", "little")
    return "address-sanitized" if flags & ADDRESS else "instrumented" if flags & INSTRUMENTED else "plain"


def _check_files(sources: Sequence[Path], include: Iterable[Path]) -> None:
    if not sources:
        raise BadInputError("no sources were given")
    for source in sources:
        if not source.is_file():
            raise BadInputError(f"the source {source} is not there, or is no file")
        if source.suffix != ".c":
            raise BadInputError(f"the source {source} is not a C file (*.c)")
    for directory in include:
        if not directory.is_dir():
            raise BadInputError(f"the include directory {directory} is not there")
    if not INCLUDE.is_dir():
        raise BadInputError(
            "the headers of Windows that belong to this builder are not beside it: install the package again"
        )


def _known_sanitizers(names: Iterable[str]) -> tuple[str, ...]:
    chosen = tuple(names)
    for name in chosen:
        if name not in SANITIZERS:
            raise BadInputError(f"there is no sanitizer {name!r} for images: known are {', '.join(SANITIZERS)}")
    return chosen


def _flags(
    compiler: Compiler, include: Iterable[Path], define: Iterable[str], instrumented: bool, sanitize: Sequence[str]
) -> list[str]:
    flags = [*COMPILE_FLAGS, *(CLANG_FLAGS if compiler.is_clang else ())]
    if "address" in sanitize:
        flags += CLANG_ADDRESS if compiler.is_clang else GCC_ADDRESS
    elif instrumented:
        flags += CLANG_INSTRUMENTED if compiler.is_clang else GCC_INSTRUMENTED
    if "undefined" in sanitize:
        flags += UNDEFINED_FLAGS
    flags += [f"-D{name}" for name in define]
    flags += [f"-I{directory}" for directory in include]
    return [*flags, "-isystem", str(INCLUDE)]


def _compile_all(compiler: Compiler, sources: Sequence[Path], flags: Sequence[str], place: Path) -> list[Path]:
    """Compile in parallel, report in the order of the sources."""
    common = [*compiler.command, *flags]

    def compile_one(number: int) -> tuple[Path, subprocess.CompletedProcess[str]]:
        source = sources[number]
        target = place / f"{number}-{source.stem}.o"
        # Debug information names a source by its directory's name: the same image comes out wherever it is built.
        folder = source.resolve().parent
        prefix = f"-ffile-prefix-map={folder}={folder.name}"
        command = [*common, prefix, "-MMD", "-c", str(source.resolve()), "-o", str(target)]
        return target, _call(command)

    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        results = list(pool.map(compile_one, range(len(sources))))
    for _, result in results:
        sys.stderr.write(result.stderr)
    refused = [source for source, (_, result) in zip(sources, results, strict=True) if result.returncode != 0]
    if refused:
        missing = sorted({name for _, result in results for name in _missing_names(result.stderr)})
        text = (
            f"{len(refused)} of {len(sources)} sources did not compile: {', '.join(str(source) for source in refused)}"
        )
        raise BuildError(text + (f"; the headers do not declare {', '.join(missing)}" if missing else ""))
    return [target for target, _ in results]


def _warn_of_long(place: Path) -> None:
    """Say on standard error where the driver's own files use a type that is wider here than on Windows."""
    files = {Path(name) for rules in place.glob("*.d") for name in _prerequisites(os.fsdecode(rules.read_bytes()))}
    for file in sorted(file for file in files if INCLUDE not in file.parents):
        text = NO_CODE.sub(lambda match: "\n" * match[0].count("\n"), file.read_text("latin-1"))
        found = LONG.search(text)
        if found is not None:
            line = text.count("\n", 0, found.start()) + 1
            print(
                f"{file}:{line}: note: a long has 64 bits here and 32 on Windows; LONG and ULONG have 32 on both",
                file=sys.stderr,
            )


def _prerequisites(rule: str) -> list[str]:
    """What a rule as compilers write them for make needs: names, with blanks in them escaped."""
    names = re.findall(r"(?:\\ |\S)+", rule.replace("\\\n", " ").partition(": ")[2])
    return [name.replace("\\ ", " ") for name in names]


def _missing_names(messages: str) -> set[str]:
    return {next(group for group in match.groups() if group) for match in MISSING.finditer(messages)}


def _support_library(compiler: Compiler) -> list[str]:
    """The compiler's own static library, for arithmetic that the processor does not have."""
    found = _run(
        [*compiler.command, "-print-libgcc-file-name"], "the compiler does not say where its library is"
    ).strip()
    return [found] if found and Path(found).is_file() else []


def _undefined_names(compiler: Compiler, objects: Sequence[Path], place: Path) -> list[str]:
    """What no object and not the compiler's library defines: the imports, in alphabetic order."""
    trial = place / "trial.so"
    _run([*compiler.command, *LINK_FLAGS, "-Wl,--unresolved-symbols=ignore-all", *map(str, objects),
          *_support_library(compiler), "-o", str(trial)], "the objects could not be linked")  # fmt: skip
    nm = shutil.which(os.environ.get("NM", "nm")) or shutil.which("llvm-nm")
    if nm is None:
        raise BadInputError("the tool nm is not there: install binutils, or set NM")
    listing = _run([nm, "--dynamic", "--undefined-only", "--format=posix", str(trial)], "nm cannot read the objects")
    names = {line.split()[0].partition("@")[0] for line in listing.splitlines() if line.strip()}
    return sorted(names)


def _thunk_x86_64(name: str, number: int) -> str:
    return f"{name}:\n    jmp *.Lslot{number}(%rip)\n"


def _thunk_aarch64(name: str, number: int) -> str:
    return f"{name}:\n    adrp x16, .Lslot{number}\n    ldr x16, [x16, :lo12:.Lslot{number}]\n    br x16\n"


THUNKS = {"x86_64": _thunk_x86_64, "aarch64": _thunk_aarch64}

# Instrumented code calls these when it is mapped or unmapped, whether or not slots are filled: the first and the last
# need do nothing, the second tells of an object file's global variables, which the image keeps for the host kernel.
CONSTRUCTOR = "__tsan_init"
GLOBALS = "__asan_register_globals"
FORGET_GLOBALS = "__asan_unregister_globals"
OURS = (CONSTRUCTOR, GLOBALS, FORGET_GLOBALS)

_KEEP_GLOBALS = {
    "x86_64": """
    movq .Lglobals(%rip), %rax
    leaq .Lglobals+8(%rip), %rcx
    incq .Lglobals(%rip)
    shlq $4, %rax
    movq %rdi, (%rcx,%rax)
    movq %rsi, 8(%rcx,%rax)
    ret
""",
    "aarch64": """
    adrp x9, .Lglobals
    add x9, x9, :lo12:.Lglobals
    ldr x10, [x9]
    add x11, x9, x10, lsl #4
    stp x0, x1, [x11, #8]
    add x10, x10, #1
    str x10, [x9]
    ret
""",
}


def _imports_source(machine: str, names: Sequence[str], flags: int, objects: int) -> str:
    """The assembly of thunks, slots and the table `wintun_sim_image` (struct image_descriptor in image.h)."""
    thunk = THUNKS[machine]
    function = "%function" if machine == "aarch64" else "@function"
    lines = ["    .text\n"]
    if flags & INSTRUMENTED:
        lines.append(f"    .hidden {CONSTRUCTOR}\n    .globl {CONSTRUCTOR}\n{CONSTRUCTOR}:\n    ret\n")
    if flags & ADDRESS:
        lines.append(f"    .hidden {FORGET_GLOBALS}\n    .globl {FORGET_GLOBALS}\n{FORGET_GLOBALS}:\n    ret\n")
        lines.append(f"    .hidden {GLOBALS}\n    .globl {GLOBALS}\n{GLOBALS}:{_KEEP_GLOBALS[machine]}")
        lines.append('    .section .data.globals, "aw"\n    .p2align 3\n    .globl wintun_sim_globals\n')
        lines.append(f"wintun_sim_globals:\n.Lglobals:\n    .quad 0\n    .zero {16 * objects}\n")
        lines.append("    .size wintun_sim_globals, . - wintun_sim_globals\n")
        lines.append("    .type wintun_sim_globals, %object\n    .text\n")
    for number, name in enumerate(names):
        lines.append(f"    .globl {name}\n    .hidden {name}\n    .type {name}, {function}\n    .p2align 3\n")
        lines.append(thunk(name, number))
        lines.append(f"    .size {name}, . - {name}\n")
    lines.append('    .section .data.slots, "aw"\n    .p2align 3\n')
    lines += [f".Lslot{number}:\n    .quad 0\n" for number in range(len(names))]
    lines.append('    .section .rodata.imports, "a"\n')
    lines += [f'.Lname{number}:\n    .asciz "{name}"\n' for number, name in enumerate(names)]
    lines.append('    .section .data.rel.ro.imports, "aw"\n    .p2align 3\n.Limports:\n')
    lines += [f"    .quad .Lname{number}, .Lslot{number}\n" for number in range(len(names))]
    lines.append("    .globl wintun_sim_image\n    .weak DriverEntry\n    .hidden DriverEntry\nwintun_sim_image:\n")
    lines.append(
        f"    .quad {MAGIC:#x}\n    .long {VERSION}, {flags}\n    .quad {len(names)}, .Limports, DriverEntry\n"
    )
    lines.append("    .size wintun_sim_image, . - wintun_sim_image\n    .type wintun_sim_image, %object\n")
    lines.append('    .section .note.GNU-stack,"",%progbits\n')
    return "".join(lines)


def _publish(linked: Path, output: Path) -> None:
    """Put the image where it belongs in one step, so that nobody ever loads half of one."""
    beside: Path | None = None
    try:
        with tempfile.NamedTemporaryFile(dir=output.parent, prefix=output.name, delete=False) as file:
            beside = Path(file.name)
            file.write(linked.read_bytes())
        beside.chmod(0o755)
        beside.replace(output)
    except OSError as error:
        if beside is not None:
            beside.unlink(missing_ok=True)
        raise BadInputError(f"the image {output} cannot be written: {error.strerror}") from error


def _call(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run a tool. It may quote its input, which may be anything, so what is no UTF-8 is replaced."""
    return subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", check=False)


def _run(command: Sequence[str], failure: str) -> str:
    """Run a tool and return what it printed; what it complains about goes to standard error."""
    result = _call(command)
    if result.returncode != 0:
        sys.stderr.write(result.stderr)
        raise BuildError(f"{failure} ({Path(command[0]).name} ended with status {result.returncode})")
    return result.stdout


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command line's arguments to a parser."""
    parser.add_argument("sources", nargs="+", type=Path, metavar="SOURCE", help="C files")
    parser.add_argument("-o", dest="output", required=True, type=Path, metavar="IMAGE", help="the image to write")
    parser.add_argument(
        "-I", dest="include", action="append", default=[], type=Path, metavar="DIR", help="search for headers there"
    )
    parser.add_argument("-D", dest="define", action="append", default=[], metavar="NAME[=VALUE]", help="define a macro")
    parser.add_argument(
        "--plain", action="store_true", help="without instrumentation: faster, and fewer faults are seen at once"
    )
    parser.add_argument(
        "--sanitize",
        action="append",
        default=[],
        metavar="NAME",
        help=f"with the compiler's checks as well: {', '.join(SANITIZERS)}",
    )


def build_as_asked(given: argparse.Namespace) -> list[str]:
    """Build what the parsed arguments ask for; return and raise as build()."""
    return build(
        given.sources,
        given.output,
        include=given.include,
        define=given.define,
        instrumented=not given.plain,
        sanitize=[name for names in given.sanitize for name in names.split(",")],
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Build one image. Exit status 0: it is there; 1: the sources were refused; 2: bad input."""
    parser = argparse.ArgumentParser(
        prog="build-driver", description="Build a driver image from the C sources of a miniport.", allow_abbrev=False
    )
    add_arguments(parser)
    try:
        build_as_asked(parser.parse_args(arguments))
    except BuildError as error:
        print(f"build-driver: error: {error}", file=sys.stderr)
        return 2 if isinstance(error, BadInputError) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
