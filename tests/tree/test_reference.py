"""Every public name says what it is, and can be found from the documents."""

import ast
import importlib
import inspect
import re

import pytest

from tests.tree import reference
from tests.tree.files import ROOT, with_suffix

PAGE = ROOT / "docs" / "reference.md"


@pytest.mark.parametrize("module", reference.PUBLIC)
def test_every_public_name_of_a_module_says_what_it_is(module: str) -> None:
    """Classes and functions in their docstrings, constants where they are assigned."""
    found = list(reference.names(importlib.import_module(module)))
    assert found
    assert [each.name for each in found if len(each.words.split()) < 2] == []


def test_the_reference_is_not_stale() -> None:
    again = "python -m tests.tree.reference > docs/reference.md"
    assert PAGE.read_text("utf-8") == reference.page(), f"a public name has changed: run {again}"


def test_every_room_is_public_or_said_to_be_internal() -> None:
    """So a new room is thought about."""
    public = {name.split(".")[1] for name in reference.PUBLIC if "." in name}
    assert public | reference.INTERNAL == reference.rooms()
    assert not public & reference.INTERNAL


def test_what_documents_import_is_public() -> None:
    """A reader may rely on what an example shows."""
    imported = {
        match
        for path in with_suffix(".md")
        for match in re.findall(r"^(?:from|import) (wintun_sim[\w.]*)", (ROOT / path).read_text("utf-8"), re.MULTILINE)
    }
    assert len(imported) > 10
    assert sorted(imported - set(reference.PUBLIC)) == []


def test_the_readme_leads_to_the_reference() -> None:
    assert "docs/reference.md" in (ROOT / "README.md").read_text("utf-8")


def test_every_public_method_and_field_is_documented() -> None:
    """A field by its own text, or by its name in the text of its class or of one that the class extends."""
    missing = []
    for path in with_suffix(".py"):
        if not path.startswith("sim/wintun_sim/"):
            continue
        for node in ast.parse((ROOT / path).read_text("utf-8")).body:
            if isinstance(node, ast.ClassDef):
                missing += [f"{path}:{line}: {name}" for line, name in undocumented(node)]
    assert missing == []


def undocumented(node: ast.ClassDef) -> list[tuple[int, str]]:
    """Return what a class has that nothing is said of."""
    found = []
    if node.name.startswith("_"):
        return []
    for member in node.body:
        if isinstance(member, ast.FunctionDef) and not member.name.startswith("_") and not says_nothing_new(member):
            found += [(member.lineno, f"{node.name}.{member.name}")] * (ast.get_docstring(member) is None)
    return found


def says_nothing_new(function: ast.FunctionDef) -> bool:
    """Tell whether a function is a signature of another one, or the other half of a property."""
    return any(
        (isinstance(each, ast.Name) and each.id == "overload")
        or (isinstance(each, ast.Attribute) and each.attr == "setter")
        for each in function.decorator_list
    )


def fields() -> list[tuple[str, str, str]]:
    """Return the fields of public classes of data: module, class and field."""
    found = []
    for name in reference.PUBLIC:
        module = importlib.import_module(name)
        for each in reference.public(module):
            value = getattr(module, each)
            if inspect.isclass(value) and "__dataclass_fields__" in vars(value):
                found += [
                    (value.__module__, value.__qualname__, field) for field in vars(value).get("__annotations__", {})
                ]
    return sorted(set(found))


def test_every_field_of_public_data_is_explained() -> None:
    """By a text behind it, or by its name in the text of its class, of a base, or of the module."""
    known = fields()
    assert len(known) > 100
    assert [f"{module}: {owner}.{field}" for module, owner, field in known if not explained(module, owner, field)] == []


def explained(module: str, owner: str, field: str) -> bool:
    if field.startswith("_") or field == "verb":
        return True
    source = importlib.import_module(module)
    node = next(each for each in reference.tree(source).body if isinstance(each, ast.ClassDef) and each.name == owner)
    for place, member in enumerate(node.body):
        if field in reference.assigned(member) and reference.text_behind(node.body, place):
            return True
    texts = " ".join(inspect.getdoc(each) or "" for each in (*getattr(source, owner).__mro__, source))
    return re.search(rf"\b{re.escape(field.rstrip('s'))}", texts) is not None
