"""`wintun-sim build-driver`: makes an image of a miniport's unmodified sources."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the command."""
    from wintun_sim.kernel import builder

    parser = subparsers.add_parser(
        "build-driver",
        help="make an image of an NDIS 6 miniport that check and run can load",
        description="Compiles the unmodified sources of an NDIS 6 miniport on the headers of this package, with the C "
        "compiler that $CC names, else cc, gcc or clang, and links them to an image. Exit status 0: it is there; 1: "
        "the compiler or the linker refused the sources, and its messages say why; 2: it could not be tried.",
        allow_abbrev=False,
    )
    builder.add_arguments(parser)
    parser.set_defaults(function=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the command."""
    from wintun_sim.errors import UsageError
    from wintun_sim.kernel import builder

    try:
        imports = builder.build_as_asked(arguments)
    except builder.BadInputError as error:
        raise UsageError(f"build-driver: {error}") from error
    except builder.BuildError as error:
        print(f"wintun-sim: error: build-driver: {error}", file=sys.stderr)
        return 1
    kind, sources = builder.kind_of(arguments.output), len(arguments.sources)
    print(f"{arguments.output}: {kind} image of {sources} sources, {len(imports)} imports")
    missing = _missing(imports)
    if missing:
        print(
            f"wintun-sim: note: the host kernel does not have {', '.join(missing)}: the image cannot be loaded",
            file=sys.stderr,
        )
    return 0


def _missing(imports: Sequence[str]) -> list[str]:
    from wintun_sim import native

    ffi, lib = native.load(native.HOST)
    return [name for name in imports if not lib.host_exports(ffi.new("char[]", name.encode()))]
