"""Makes docs/reference.md: every public name, a line each, in the words of its own documentation.

    python -m tests.tree.reference > docs/reference.md

A module's public names are those in its ``__all__``; where it has none, those that it defines itself and that do not
begin with an underscore. What a constant is, is said by the text or the comment behind it, or by the comment before.
"""

import ast
import importlib
import inspect
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TypeVar

from tests.tree.files import ROOT

PUBLIC = (
    "wintun_sim",
    "wintun_sim.errors",
    "wintun_sim.bundle",
    "wintun_sim.ndis",
    "wintun_sim.operations",
    "wintun_sim.operations.data",
    "wintun_sim.operations.text",
    "wintun_sim.operations.outcome",
    "wintun_sim.lifecycle",
    "wintun_sim.model",
    "wintun_sim.model.space",
    "wintun_sim.kernel",
    "wintun_sim.kernel.explorer",
    "wintun_sim.scenario",
    "wintun_sim.trace",
    "wintun_sim.trace.schedule",
    "wintun_sim.check",
    "wintun_sim.check.courses",
    "wintun_sim.check.effort",
    "wintun_sim.check.explore",
    "wintun_sim.check.isolated",
    "wintun_sim.check.refine",
    "wintun_sim.adapter",
    "wintun_sim.testing.plugin",
    "wintun_sim.testing.strategies",
    "wintun_sim.testing.damage",
    "wintun_sim.integrations.pcap",
    "wintun_sim.integrations.pcapng",
    "wintun_sim.integrations.bundled",
    "wintun_sim.render",
    "wintun_sim.render.terminal",
    "wintun_sim.render.mermaid",
    "wintun_sim.render.svg",
    "wintun_sim.render.states",
)
"""What people import. The other modules are parts of these, and may change without notice."""

INTERNAL = {"bench", "cli", "native"}
"""Rooms that nobody imports: commands, and what they share."""

NUMBERED = ("STATUS_", "NDIS_STATUS_", "OID_")
"""Beginnings of names in `wintun_sim.ndis` that are a table of Microsoft's own names and need no words of ours."""

INTRODUCTION = """\
# Reference

Every public name of the package `wintun_sim`, by module. This page is made from the names' own documentation, by
`python -m tests.tree.reference > docs/reference.md`; a test fails when the two differ. `help(NAME)` in Python tells all
of it: shapes, units, ranges, and what is raised.
"""


@dataclass(frozen=True)
class Name:
    """A public name: what it is called, what kind of thing it is, and the first sentence about it; "" where is none."""

    name: str
    kind: str
    words: str


def names(module: ModuleType) -> Iterator[Name]:
    """Give the public names of a module, in its own order, but for Microsoft's."""
    for name in public(module):
        value = getattr(module, name)
        if isinstance(value, TypeVar) or (module.__name__ == "wintun_sim.ndis" and name.startswith(NUMBERED)):
            continue
        if inspect.isclass(value):
            yield Name(name, "class", sentence(value.__doc__ or ""))
        elif inspect.isfunction(value) or hasattr(value, "__wrapped__"):
            yield Name(f"{name}()", "function", sentence(value.__doc__ or ""))
        else:
            yield Name(name, "constant", sentence(constant_words(module, name)))


def public(module: ModuleType) -> list[str]:
    """Return the public names of a module; see above."""
    listed = getattr(module, "__all__", None)
    if listed is not None:
        return [str(name) for name in listed if not name.startswith("__")]
    found: list[str] = []
    for node in tree(module).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.append(node.name)
        found += assigned(node)
    return [name for name in dict.fromkeys(found) if not name.startswith("_")]


def sentence(text: str) -> str:
    """Return the first sentence of a text, on one line."""
    paragraph = inspect.cleandoc(text).split("\n\n")[0].replace("\n", " ")
    end = paragraph.find(". ")
    first = paragraph if end < 0 else paragraph[: end + 1]
    first = re.sub(r":\w+:`", "`", first.strip().rstrip(":")).replace("|", "\\|").replace("``", "`")
    return first[:1].upper() + first[1:]


def constant_words(module: ModuleType, name: str) -> str:
    """Return what is said of a constant where it is assigned, in this module or in one of the package's."""
    for source in (module, *parts(module)):
        body = tree(source).body
        for place, node in enumerate(body):
            if name in assigned(node):
                return text_behind(body, place) or comment(lines(source), node)
    return ""


def assigned(node: ast.stmt) -> list[str]:
    """Return the names that a statement assigns at the top of a module."""
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return [
        each.id
        for target in targets
        for each in (target.elts if isinstance(target, ast.Tuple) else [target])
        if isinstance(each, ast.Name)
    ]


def text_behind(body: list[ast.stmt], place: int) -> str:
    following = body[place + 1] if place + 1 < len(body) else None
    if isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant):
        return following.value.value if isinstance(following.value.value, str) else ""
    return ""


def comment(text: list[str], node: ast.stmt) -> str:
    """Return the comment behind a statement, or the one before it, for as many lines as it has."""
    _, mark, behind = text[(node.end_lineno or node.lineno) - 1].partition("  # ")
    if mark and not behind.startswith(("type:", "noqa")):
        return behind.strip()
    before: list[str] = []
    for line in reversed(text[: node.lineno - 1]):
        if not line.startswith("# "):
            break
        before.insert(0, line.removeprefix("# "))
    return " ".join(before)


@cache
def parts(module: ModuleType) -> tuple[ModuleType, ...]:
    """Return the modules of the package from which this one takes names."""
    found = []
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("wintun_sim."):
            found.append(importlib.import_module(str(node.module)))
    return tuple(dict.fromkeys(found))


@cache
def tree(module: ModuleType) -> ast.Module:
    return ast.parse(Path(module.__file__ or "").read_text("utf-8"))


@cache
def lines(module: ModuleType) -> list[str]:
    return Path(module.__file__ or "").read_text("utf-8").splitlines()


def page() -> str:
    """Return docs/reference.md."""
    text = [INTRODUCTION]
    for name in PUBLIC:
        module = importlib.import_module(name)
        text += [f"## {name}\n", f"{sentence(module.__doc__ or '')}\n"]
        rows = [f"| `{each.name}` | {each.words} |" for each in names(module)]
        if name == "wintun_sim":
            text.append("The names of `wintun_sim.adapter`, below; none of it is loaded before it is asked for.\n")
            continue
        if name == "wintun_sim.ndis":
            count = sum(each.startswith(NUMBERED) for each in public(module))
            rows.append(
                f"| `STATUS_…`, `NDIS_STATUS_…`, `OID_…` | {count} numbers, each by the name Microsoft gives it |"
            )
        text += ["| name | what it is |", "|---|---|", *rows, ""]
    return "\n".join(text)


def rooms() -> set[str]:
    """Return the rooms that there are."""
    directory = ROOT / "sim" / "wintun_sim"
    files = {path.stem for path in directory.glob("*.py") if not path.stem.startswith("_")}
    return files | {path.parent.name for path in directory.glob("*/__init__.py")}


if __name__ == "__main__":
    sys.stdout.write(page())
