"""The tree itself: what lies where, and what no tool says about its texts."""

import ast
import importlib
import pkgutil
import re
from pathlib import PurePosixPath

import pytest

import wintun_sim
import wintun_sim.cli
from tests.tree.files import ROOT, texts, tracked, with_suffix
from wintun_sim.cli import COMMANDS

TOP_LEVEL = {
    *("sim", "driver", "shared", "tests", "docs"),
    *("pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md"),
}
WIDTH = 120
WIDE = re.compile(r"^\s*\||://|^\[")  # tables, addresses

# A room imports only rooms that stand before it.
ROOMS = (
    *("errors", "native", "bundle", "ndis", "operations", "lifecycle", "model", "kernel", "scenario", "trace", "check"),
    *("adapter", "testing", "client", "integrations", "render", "lessons", "bench", "cli"),
)


def test_the_top_level_holds_what_a_visitor_expects_and_nothing_else() -> None:
    """A stray file up there is the first thing that a visitor sees, and nobody ever removes it."""
    names = {PurePosixPath(path).parts[0] for path in tracked()}
    assert {name for name in names if not name.startswith(".")} == TOP_LEVEL
    assert {name for name in names if name.startswith(".")} == {
        *(".ci", ".github", ".clang-format", ".gitattributes", ".gitignore")
    }


def test_no_line_is_wider_than_a_window() -> None:
    """120 columns, for prose and code alike; tables and addresses cannot be broken."""
    wide = [
        f"{path}:{number}"
        for path, text in texts()
        if path.endswith((".py", ".c", ".h", ".S", ".md", ".toml", ".cmake", ".txt", ".svg", ".yml"))
        or path == ".ci/run"
        for number, line in enumerate(text.splitlines(), 1)
        if len(line) > WIDTH and not (path.endswith(".md") and WIDE.search(line))
    ]
    assert not wide, "\n".join(wide)


def test_text_files_end_with_one_newline_and_have_no_stray_blanks() -> None:
    for path, text in texts():
        assert not text or (text.endswith("\n") and not text.endswith("\n\n")), path
        if not path.endswith((".patch", ".diff")):
            assert not re.search(r"[ \t\r]$", text, re.MULTILINE), path


def test_nothing_tells_of_the_machine_that_it_was_written_on() -> None:
    """Paths of one person's machine, and addresses of one company's package mirror, are wrong everywhere else."""
    machine = re.compile(r"(?<![\w.])/(?:home|Users|root|work|tmp/(?:plan|venv))/|/opt/[p]ypi")
    for path, text in texts():
        assert not (found := machine.search(text)), f"{path}: {found[0]}"


def test_every_source_file_says_in_its_first_lines_what_it_is_for() -> None:
    for path in with_suffix(".py"):
        text = (ROOT / path).read_text("utf-8")
        assert not text or ast.get_docstring(ast.parse(text)), path
    for path in with_suffix(".c", ".h", ".S"):
        assert (ROOT / path).read_text("utf-8").lstrip().startswith(("/*", "//")), path


def test_every_module_can_be_imported() -> None:
    """Also one that no other imports: a dead file fails here instead of in somebody's hands."""
    for module in pkgutil.walk_packages(wintun_sim.__path__, "wintun_sim."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)


def test_every_command_is_listed_and_has_a_module() -> None:
    names = {module.name for module in pkgutil.iter_modules(wintun_sim.cli.__path__)} - {"__main__"}
    modules = {name: importlib.import_module(f"wintun_sim.cli.{name}") for name in names}
    commands = {name.replace("_", "-") for name, module in modules.items() if hasattr(module, "add_parser")}
    assert commands == set(COMMANDS)


@pytest.mark.parametrize("path", sorted((ROOT / "sim/wintun_sim").rglob("*.py")), ids=lambda path: path.name)
def test_a_room_imports_only_rooms_that_stand_before_it(path: object) -> None:
    """So each can be read, tested and replaced without the later ones."""
    file = PurePosixPath(str(path)).relative_to(PurePosixPath(str(ROOT / "sim/wintun_sim")))
    if len(file.parts) == 1 and file.stem not in ROOMS:
        assert file.stem in ("__init__", "__main__"), f"{file} is in no room"
        return
    room = file.parts[0].removesuffix(".py")
    assert room in ROOMS, f"{room} is no room"
    for imported in imports((ROOT / "sim/wintun_sim" / file).read_text("utf-8")):
        assert ROOMS.index(imported) <= ROOMS.index(room), f"{file} imports {imported}"


def imports(text: str) -> set[str]:
    """Return the rooms that a module imports, anywhere in its text."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    rooms = {name.split(".")[1] for name in names if name.startswith("wintun_sim.")}
    return rooms - {"__version__"}


def test_every_public_name_is_documented() -> None:
    for path in with_suffix(".py"):
        if not path.startswith("sim/wintun_sim/"):
            continue
        for node in ast.parse((ROOT / path).read_text("utf-8")).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not (node.name.startswith("_") or overload(node)):
                assert ast.get_docstring(node), f"{path}:{node.lineno}: {node.name} has no docstring"


def overload(node: ast.FunctionDef | ast.ClassDef) -> bool:
    """Tell whether this is one of the signatures of a function that is documented where its body is."""
    return any(isinstance(decorator, ast.Name) and decorator.id == "overload" for decorator in node.decorator_list)
