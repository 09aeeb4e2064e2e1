"""What the driver's sources say to the tools of Windows, in words that no compiler here checks.

Each function says at which IRQL it may be called
(learn.microsoft.com/windows-hardware/drivers/devtest/irql-annotations-for-drivers): above its body, or where it is
declared, which ``_Use_decl_annotations_`` points to.
"""

import re
from pathlib import Path

import pytest

DRIVER = Path(__file__).parents[2] / "driver"
FUNCTION = re.compile(r"^(?:static )?[A-Za-z_]+ \*?(\w+)\([^;{}]*\)\n\{", re.MULTILINE)


def functions(source: Path) -> list[tuple[str, str]]:
    """Return the functions that a source defines, each with the lines that stand right above it."""
    text = source.read_text("utf-8")
    return [(found[1], text[: found.start()].rpartition("\n\n")[2]) for found in FUNCTION.finditer(text)]


@pytest.mark.parametrize("source", sorted(DRIVER.glob("*.c")), ids=lambda path: path.name)
def test_every_function_says_at_which_irql_it_may_be_called(source: Path) -> None:
    assert functions(source), "a source without functions, or a style that is not understood here"
    for name, above in functions(source):
        assert "_IRQL_" in above or "_Use_decl_annotations_" in above, f"{source.name}: {name}"


@pytest.mark.parametrize("header", sorted(DRIVER.glob("*.h")), ids=lambda path: path.name)
def test_what_a_header_declares_says_so_too(header: Path) -> None:
    """Or it is of a type that says it: DRIVER_DISPATCH, MINIPORT_PAUSE and their kin."""
    for declared in re.finditer(r"^[A-Za-z_]+ \*?(\w+)\([^;{}]*\);", header.read_text("utf-8"), re.MULTILINE):
        above = header.read_text("utf-8")[: declared.start()].rpartition("\n\n")[2]
        assert "_IRQL_" in above, f"{header.name}: {declared[1]}"
