"""Makes mutants of the model's Python: the same text with one small thing changed, as somebody might get it wrong.

The kinds are those of the driver's mutants: a statement left out, a condition negated, a comparison or number off by
one, another status or constant, an operator's twin, two neighbours the other way round. A ``yield`` of words does
nothing in a call that nobody disturbs, so statements on both sides of one are neighbours. Left in peace is what in C
would not compile, or would be caught by whoever runs it once: the first binding of a local name, and what ``__init__``
sets. So are annotations, words, and ``key`` and ``forget``, by which explorations and fast walks tell states apart:
nothing of it is the adapter's.

A change is a piece of text, as the syntax tree gives its place; what a name stands for, the imported module tells.
"""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import accumulate, pairwise
from types import CodeType, ModuleType
from typing import Final

from tests.mutation.mutate import Mutant

_TWINS: Final[Mapping[type[ast.AST], tuple[str, tuple[str, ...]]]] = {
    ast.LtE: ("<=", ("<", "==")),
    ast.GtE: (">=", (">", "==")),
    ast.Lt: ("<", ("<=",)),
    ast.Gt: (">", (">=",)),
    ast.Eq: ("==", ("!=",)),
    ast.NotEq: ("!=", ("==",)),
    ast.Is: ("is", ("is not",)),
    ast.IsNot: ("is not", ("is",)),
    ast.In: ("in", ("not in",)),
    ast.NotIn: ("not in", ("in",)),
    ast.And: ("and", ("or",)),
    ast.Or: ("or", ("and",)),
    ast.Add: ("+", ("-",)),
    ast.Sub: ("-", ("+",)),
    ast.Mult: ("*", ("+",)),
    ast.FloorDiv: ("//", ("%",)),
    ast.Mod: ("%", ("//",)),
    ast.BitAnd: ("&", ("|",)),
    ast.BitOr: ("|", ("&",)),
    ast.LShift: ("<<", (">>",)),
    ast.RShift: (">>", ("<<",)),
    ast.Not: ("not ", ("",)),
    ast.USub: ("-", ("",)),
}
"""Operators as they are written, and what each becomes."""

_OPPOSITES: Final = {"True": "False", "False": "True", '"little"': '"big"'}
_METHODS: Final = {"append(": "insert(0, ", "appendleft(": "append(", "popleft(": "pop("}
"""What puts at one end or takes from it, and the same at the other end."""

_PURE: Final = frozenset({"len", "sum", "map", "enumerate", "range", "min", "nbls_of", "record_size"})
"""Functions that only return a value."""

_STATUS: Final = re.compile(r"(NDIS_)?STATUS_")
_UNTOUCHED: Final = frozenset({"key", "_keys", "file_keys", "forget"})
_ARGUMENTS: Final = 3
"""Arguments by place that a call must have for two of them to be mistaken for each other."""

_ELEMENTS: Final = 3
"""Entries that a table must have for one of them to be forgotten."""


@dataclass(frozen=True, slots=True)
class ModelMutant(Mutant):
    """A mutant of the model. ``said`` are the words for the change, without where; its place has the function too,
    since many lines of the model stand in more than one.
    """

    said: str

    def what(self) -> str:
        """Say in one line what is changed, without where."""
        return self.said

    def key(self) -> tuple[str, ...]:
        """Return what its reason is found by: stable while other lines come and go."""
        return self.file, self.function, self.context, self.said


def mutants(file: str, text: str, module: ModuleType) -> list[ModelMutant]:
    """Return every mutant of a source, in the order of the text; ``module`` is what it is when imported."""
    found = list(_Source(file, text, vars(module)).mutants())
    found.sort(key=lambda mutant: (mutant.start, mutant.kind, mutant.new))
    return found


def digest(text: str) -> str:
    """Say what Python makes of a source, places and words aside; nothing where it does not compile."""
    try:
        tree = ast.fix_missing_locations(_Wordless().visit(ast.parse(text)))
        code = compile(tree, "", "exec", dont_inherit=True)
    except SyntaxError:
        return ""
    return hashlib.sha256(repr(_plain(code)).encode()).hexdigest()


class _Wordless(ast.NodeTransformer):
    """Takes out docstrings, and makes the words of steps all the same."""

    def generic_visit(self, node: ast.AST) -> ast.AST:
        """Leave something where there were only words."""
        super().generic_visit(node)
        if getattr(node, "body", None) == []:
            node.body = [ast.Pass()]  # type: ignore[attr-defined]
        return node

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        """Look at the statements that can be nothing but words."""
        match node.value:
            case ast.Constant(value=str()):
                return None
            case ast.Yield(value=ast.Constant(value=str()) as words):
                words.value = ""
        return node


def _plain(value: object) -> object:
    if isinstance(value, CodeType):
        names = (value.co_name, value.co_varnames, value.co_names, value.co_freevars, value.co_cellvars)
        shape = (value.co_flags, value.co_argcount, value.co_kwonlyargcount, value.co_exceptiontable)
        return names, shape, value.co_code, [_plain(constant) for constant in value.co_consts]
    return type(value).__name__, value


Change = tuple[ast.AST | tuple[int, int], str, str, str]
"""What is replaced (a node, or where it begins and ends), the kind of change, the new text, and the words for it."""


class _Source:
    """One module's text and its tree."""

    def __init__(self, file: str, text: str, names: Mapping[str, object]) -> None:
        self.file = file
        self.text = text
        self.names = names
        self.tree = ast.parse(text)
        self._lines = text.splitlines(keepends=True)
        self._starts = [0, *accumulate(map(len, self._lines))]

    def mutants(self) -> Iterator[ModelMutant]:
        """Give every mutant once for each place."""
        for owner, nodes in self._owners(self.tree.body, ""):
            for where, kind, new, said in self._changes(nodes):
                start, stop = where if isinstance(where, tuple) else self.span(where)
                line = self.text.count("\n", 0, start) + 1
                context = " ".join(self._lines[line - 1].split())
                yield ModelMutant(self.file, owner, line, start, kind, self.text[start:stop], new, context, said)

    def span(self, node: ast.AST) -> tuple[int, int]:
        """Return where a node begins in the text, and where it ends."""
        assert isinstance(node, (ast.expr, ast.stmt))
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return self._place(node.lineno, node.col_offset), self._place(node.end_lineno, node.end_col_offset)

    def _place(self, line: int, column: int) -> int:
        """Return the place of a column, which the tree counts in bytes of UTF-8."""
        return self._starts[line - 1] + len(self._lines[line - 1].encode()[:column].decode())

    def said(self, node: ast.AST) -> str:
        """Return the text of a node in one line; of one with a body its head."""
        start, stop = self.span(node)
        body = getattr(node, "body", None)
        if isinstance(body, list):
            return " ".join(self.text[start : self.span(body[0])[0]].split()) + " …"
        return " ".join(self.text[start:stop].split())

    def _owners(self, body: Sequence[ast.stmt], owner: str) -> Iterator[tuple[str, ast.stmt]]:
        """Give each function, and each statement outside of any, with what a person calls its place."""
        for node in body:
            name = ".".join(filter(None, (owner, getattr(node, "name", ""))))
            if isinstance(node, ast.ClassDef):
                yield from self._owners(node.body, name)
            elif isinstance(node, ast.FunctionDef):
                if node.name not in _UNTOUCHED:
                    yield name, node
            elif isinstance(node, (ast.Assign, ast.AnnAssign)):
                yield ".".join(filter(None, (owner, ast.unparse(_targets(node)[0])))), node

    def _changes(self, node: ast.stmt) -> Iterator[Change]:
        if isinstance(node, ast.FunctionDef):
            if node.name != "__init__":
                yield from self._statements(node)
        else:
            yield from self._entries(node)
        for part in _expressions(node):
            yield from self._conditions(part)
            yield from self._operators(part)
            yield from self._constants(part)
            yield from self._calls(part)

    # Statements

    def _statements(self, function: ast.FunctionDef) -> Iterator[Change]:
        arguments = (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)
        bound = {argument.arg for argument in arguments}
        first: dict[ast.stmt, set[str]] = {}
        for statement in _inside(function):
            new = {name for target in _targets(statement) for name in _names(target, ast.Store)} - bound
            first[statement] = new
            bound |= new
            if _can_be_left_out(statement) and not new:
                said = self.said(statement)
                yield statement, "delete", "pass" + "\n" * self._breaks(statement), f"delete: {said}"
        for body in _bodies(function):
            steps = [statement for statement in body if not _is_words(statement) and not _is_docstring(statement)]
            for one, other in pairwise(steps):
                if _may_swap(one, other, first):
                    yield self._swap(one, other)

    def _breaks(self, node: ast.AST) -> int:
        start, stop = self.span(node)
        return self.text.count("\n", start, stop)

    def _swap(self, one: ast.AST, other: ast.AST) -> Change:
        (start, middle), (later, stop) = self.span(one), self.span(other)
        new = self.text[later:stop] + self.text[middle:later] + self.text[start:middle]
        return (start, stop), "swap", new, f"swap: {self.said(one)} ↔ {self.said(other)}"

    def _entries(self, node: ast.stmt) -> Iterator[Change]:
        """Leave an entry out of a table."""
        value = getattr(node, "value", None)
        entries: Sequence[tuple[ast.expr | None, ast.expr]] = []
        if isinstance(value, ast.Dict):
            entries = list(zip(value.keys, value.values, strict=True))
        elif isinstance(value, ast.Tuple):
            entries = [(entry, entry) for entry in value.elts]
        for begin, end in entries if len(entries) >= _ELEMENTS else ():
            if begin is not None:
                start, stop = self.span(begin)[0], self.span(end)[1]
                stop += len(self.text[stop:]) - len(self.text[stop:].lstrip(" ").removeprefix(","))
                yield (start, stop), "delete", "", f"delete: {' '.join(self.text[start:stop].split())}"

    # Expressions

    def _conditions(self, node: ast.AST) -> Iterator[Change]:
        tests = [node.test] if isinstance(node, (ast.If, ast.While, ast.IfExp, ast.Assert)) else []
        if isinstance(node, ast.comprehension):
            tests = node.ifs
        for test in tests:
            said = self.said(test)
            start, stop = self.span(test)
            yield test, "negate", f"not ({self.text[start:stop]})", f"negate: {said} → not ({said})"

    def _operators(self, node: ast.AST) -> Iterator[Change]:
        match node:
            case ast.Compare(left=left, ops=operators, comparators=others):
                sides = [left, *others]
                for operator, (one, other) in zip(operators, pairwise(sides), strict=True):
                    yield from self._twins(operator, self.span(one)[1], self.span(other)[0])
            case ast.BoolOp(op=operator, values=values):
                for one, other in pairwise(values):
                    yield from self._twins(operator, self.span(one)[1], self.span(other)[0])
            case ast.BinOp(left=one, op=operator, right=other):
                yield from self._twins(operator, self.span(one)[1], self.span(other)[0])
            case ast.UnaryOp(op=operator, operand=other):
                yield from self._twins(operator, self.span(node)[0], self.span(other)[0])
            case ast.AugAssign(target=one, op=operator, value=other):
                yield from self._twins(operator, self.span(one)[1], self.span(other)[0], "=")

    def _twins(self, operator: ast.AST, start: int, stop: int, suffix: str = "") -> Iterator[Change]:
        sign, twins = _TWINS.get(type(operator), ("", ()))
        for twin in twins:
            place = self.text.index(sign, start, stop)
            said = f"operator: {sign.strip()}{suffix} → {twin + suffix or 'nothing'}"
            yield (place, place + len(sign)), "operator", twin, said

    def _constants(self, node: ast.AST) -> Iterator[Change]:
        if not isinstance(node, (ast.Constant, ast.Name, ast.Attribute)):
            return
        old = self.said(node)
        value = getattr(node, "value", None) if isinstance(node, ast.Constant) else self._value(node)
        for kind, new in self._others(node, old, value):
            yield node, kind, new, f"{kind}: {old} → {new}"

    def _value(self, node: ast.expr) -> object:
        """Return what a name stands for: a constant's, an enumerator's or a status' value; else None."""
        match node:
            case ast.Name(id=name, ctx=ast.Load()) if name.strip("_").isupper():
                return self.names.get(name)
            case ast.Attribute(value=ast.Name(id=owner), attr=name, ctx=ast.Load()) if name.isupper():
                return getattr(self.names.get(owner), name, None)
        return None

    def _others(self, node: ast.expr, old: str, value: object) -> Iterator[tuple[str, str]]:
        is_named = not isinstance(node, ast.Constant)
        if old in _OPPOSITES:
            yield "constant", _OPPOSITES[old]
        elif isinstance(value, Enum):
            members = list(type(value).__members__)
            owner = old.partition(".")[0]
            yield "constant", f"{owner}.{members[(members.index(old.partition('.')[2]) + 1) % len(members)]}"
        elif isinstance(value, int) and not isinstance(value, bool):
            if is_named and "." in old:
                owner, _, name = old.partition(".")
                yield from (("status", f"{owner}.{other}") for other in _neighbours(self.names[owner], name, value))
            elif is_named:
                yield "number", f"({old} + 1)"
            else:
                yield from (("number", str(value + step)) for step in (1, -1) if value + step >= 0)
        elif isinstance(value, bytes) and value:
            yield "constant", f"{old}[:-1]"
        elif isinstance(value, str) and re.fullmatch(r"<[A-Za-z0-9]+", value):
            yield "constant", old.replace("<", ">", 1)

    def _calls(self, node: ast.AST) -> Iterator[Change]:
        if not isinstance(node, ast.Call):
            return
        if isinstance(node.func, ast.Attribute):
            end = self.span(node.func)[1]
            start = end - len(node.func.attr)
            new = _METHODS.get(self.text[start : end + 1])
            if new is not None:
                yield (start, end + 1), "operator", new, f"operator: {self.text[start:end]} → {new.strip('(, ')}"
        if len(node.args) >= _ARGUMENTS:
            for one, other in pairwise(node.args):
                if self.said(one) != self.said(other):
                    yield self._swap(one, other)


# What stands where in a tree


def _expressions(node: ast.AST) -> Iterator[ast.AST]:
    """Give the nodes of a tree, without annotations and decorators."""
    yield node
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from _expressions(child)


def _bodies(node: ast.AST) -> Iterator[list[ast.stmt]]:
    for child in ast.walk(node):
        for name in ("body", "orelse", "finalbody"):
            body = getattr(child, name, None)
            if isinstance(body, list):
                yield body


def _inside(function: ast.FunctionDef) -> list[ast.stmt]:
    """Return a function's statements, in the order of the text."""
    statements = [node for node in ast.walk(function) if isinstance(node, ast.stmt) and node is not function]
    return sorted(statements, key=lambda statement: (statement.lineno, statement.col_offset))


def _targets(node: ast.AST) -> list[ast.expr]:
    match node:
        case ast.Assign(targets=targets):
            return targets
        case ast.AnnAssign(target=target) | ast.AugAssign(target=target) | ast.For(target=target):
            return [target]
    return []


def _names(node: ast.AST, context: type[ast.expr_context]) -> set[str]:
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name) and isinstance(part.ctx, context)}


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _is_words(node: ast.stmt) -> bool:
    """Tell whether a statement only says where a call stands."""
    return (
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Yield) and isinstance(node.value.value, ast.Constant)
    )


def _can_be_left_out(node: ast.stmt) -> bool:
    if isinstance(node, ast.Return):
        return node.value is None
    if isinstance(node, ast.Expr):
        return not _is_words(node) and not _is_docstring(node)
    return isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Delete, ast.Raise, ast.Continue))


def _may_swap(one: ast.stmt, other: ast.stmt, first: Mapping[ast.stmt, set[str]]) -> bool:
    """Tell whether the order of two statements can matter, and the exchanged ones might run."""
    ends = (ast.Return, ast.Raise, ast.Continue, ast.Break)
    if isinstance(one, ends) or isinstance(other, ends):
        return False
    bound = set().union(*(first.get(part, set()) for part in ast.walk(one) if isinstance(part, ast.stmt)))
    if bound & _names(other, ast.Load):
        return False
    left, right = _effects(one), _effects(other)
    if left is None or right is None:  # what only declares a name may stand anywhere
        return not ((first.get(one) and left is not None) or (first.get(other) and right is not None))
    (writes, reads), (writes_too, reads_too) = left, right
    return bool(writes & (reads_too | writes_too) or writes_too & reads)


def _effects(node: ast.stmt) -> tuple[set[str], set[str]] | None:
    """Return what an assignment writes and what it reads; None for what does more than that."""
    targets = _targets(node)
    if not targets or isinstance(node, ast.For):
        return None
    if any(isinstance(part, (ast.Yield, ast.YieldFrom)) or _may_do_more(part) for part in ast.walk(node)):
        return None
    writes = {ast.unparse(target) for target in targets}
    value = getattr(node, "value", None)
    reads = (
        {ast.unparse(part) for part in ast.walk(value) if isinstance(part, (ast.Name, ast.Attribute))}
        if value
        else set()
    )
    return writes, reads | (writes if isinstance(node, ast.AugAssign) else set())


def _may_do_more(node: ast.AST) -> bool:
    """Tell whether a node is a call that may do more than return a value."""
    return isinstance(node, ast.Call) and not (isinstance(node.func, ast.Name) and node.func.id in _PURE)


def _neighbours(owner: object, name: str, value: int) -> list[str]:
    """Choose what a status or OID becomes: the next in the table that differs, and for a failure success too."""
    match = _STATUS.match(name)
    prefix = match[0] if match else name.partition("_")[0] + "_"
    names = [other for other in dir(owner) if other.startswith(prefix)]
    place = names.index(name)
    around = names[place + 1 :] + names[:place]
    chosen = [next(other for other in around if getattr(owner, other) != value)]
    success = f"{prefix}SUCCESS"
    if match and value and success not in chosen:
        chosen.append(success)
    return chosen
