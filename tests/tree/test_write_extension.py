"""The script that reads C declarations out of headers: what it takes, and that a damaged header ends the build."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.tree.files import ROOT

SCRIPT = ROOT / "sim" / "cmake" / "write_extension.py"

HEADER = """/* A header. */
int hidden(int);
/* cffi: begin */
#define LIMIT 7
int shown(int);
/* cffi: end */
int also_hidden(int);
    /* cffi: begin */
    struct point { int x; };
    /* cffi: end */
"""


def write(header: str, directory: Path) -> tuple[subprocess.CompletedProcess[str], Path]:
    (directory / "header.h").write_text(header)
    output = directory / "glue.c"
    command = [sys.executable, str(SCRIPT), "package._name", str(directory / "header.h"), str(output)]
    return subprocess.run(command, capture_output=True, text=True, check=False), output


@pytest.mark.skipif(not SCRIPT.exists(), reason="the source tree is not here")
def test_what_the_marks_enclose_is_declared_to_python_and_nothing_else(tmp_path: Path) -> None:
    done, output = write(HEADER, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    text = output.read_text()
    assert "_cffi_d_shown" in text
    assert "_cffi_const_LIMIT" in text
    assert "struct point" in text
    assert "hidden" not in text


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("int shown(int);\n", "there is no line"),
        (HEADER.replace("/* cffi: end */", "", 1), "needs one"),
        (HEADER + "/* cffi: end */\n", "needs one"),
        (HEADER.replace("int shown(int)", "int shown(unknown_type)"), "unknown_type"),
        (HEADER.replace("int shown(int)", "int shown(int"), "header.h"),
    ],
)
def test_a_header_that_python_would_misread_ends_the_build_with_the_reason(
    header: str, reason: str, tmp_path: Path
) -> None:
    """A declaration that is silently left out shows only when somebody calls it."""
    done, output = write(header, tmp_path)
    assert done.returncode == 1
    assert reason in done.stderr
    assert "Traceback" not in done.stderr
    assert not output.exists()
