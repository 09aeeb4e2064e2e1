"""Writes the C source of a cffi extension, whose declarations are read from marked blocks of C headers.

    python write_extension.py MODULE HEADER… OUTPUT

A header is read once by the C compiler and once, in part, by cffi: everything between a line `/* cffi: begin */` and
the next line `/* cffi: end */`, for as many blocks as there are. So what C and Python believe about a structure or a
function is one text. Preprocessor lines in a block must be ones that cffi knows (`#define NAME 1`).
"""

import argparse
import re
import sys
from pathlib import Path

import cffi

BEGIN = re.compile(r"^ */\* cffi: begin \*/$", re.MULTILINE)
END = re.compile(r"^ */\* cffi: end \*/$", re.MULTILINE)


def declarations(header: str) -> str:
    """Return the text of all marked blocks of `header`; raise ValueError when a mark is missing or unmatched."""
    blocks = []
    for opened in BEGIN.split(header)[1:]:
        parts = END.split(opened)
        if len(parts) != 2:
            raise ValueError("each line `/* cffi: begin */` needs one `/* cffi: end */` after it")
        blocks.append(parts[0])
    if not blocks:
        raise ValueError("there is no line `/* cffi: begin */`")
    return "\n".join(blocks)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("module")
    parser.add_argument("headers", type=Path, nargs="+", metavar="HEADER")
    parser.add_argument("output", type=Path)
    arguments = parser.parse_args()
    builder = cffi.FFI()
    for header in arguments.headers:
        try:
            builder.cdef(declarations(header.read_text(encoding="utf-8")))
        except (OSError, ValueError, cffi.CDefError) as error:
            print(f"{header}: {error}", file=sys.stderr)
            return 1
    builder.cdef("static char *const WINTUN_SIM_VERSION;")
    # CMake passes the version as VERSION_TEXT; the macro must not have the name that cffi declares.
    includes = "".join(f'#include "{header.name}"\n' for header in arguments.headers)
    prelude = f"{includes}static char *const WINTUN_SIM_VERSION = VERSION_TEXT;\n"
    builder.set_source(arguments.module, prelude)
    builder.emit_c_code(str(arguments.output))
    return 0


if __name__ == "__main__":
    sys.exit(main())
