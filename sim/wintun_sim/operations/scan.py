"""Words and marks of scenario text, with the place of each, so that every error can name line, column and repair.

The text is hostile until it is read: what a number, a name or a nesting may be is bounded here, and nothing but
``ScenarioError`` comes out of a text that cannot be read.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable
from typing import Final, NamedTuple, NoReturn

from wintun_sim.errors import UsageError

MAX_BYTES: Final = 1 << 25
"""Bytes that one byte expression may make: twice the largest buffer of the device."""

MAX_TOTAL_BYTES: Final = 1 << 28
"""Bytes that all byte expressions of one text may make together."""

MAX_DEPTH: Final = 16
"""How deep expressions may stand inside each other."""

_NAME: Final = re.compile(r"(?!\d)\w(?:[\w-]*\w)?(?:\.\w(?:[\w-]*\w)?)*", re.ASCII)
_TOKEN: Final = re.compile(
    r"""(?P<word>[A-Za-z0-9_](?:[A-Za-z0-9_.\-]*[A-Za-z0-9_])?)
      | (?P<string>"(?:[^"\\\n]|\\.)*")
      | (?P<mark>=>|[(){}\[\],+=:@])""",
    re.ASCII | re.VERBOSE,
)
_BLANK: Final = re.compile(r"(?:[ \t\r]|\#[^\n]*)*")
_BLANK_AND_LINES: Final = re.compile(r"(?:[ \t\r\n]|\#[^\n]*)*")


class ScenarioError(UsageError):
    """A text that is not a scenario, an operation or an event; ``str()`` is one line with place, reason and repair.

    ``line`` and ``column`` count from 1; both are 0 where no single place is to blame.
    """

    def __init__(self, reason: str, repair: str = "", *, source: str = "", line: int = 0, column: int = 0) -> None:
        self.reason = reason
        self.repair = repair
        self.source = source
        self.line = line
        self.column = column
        place = f"line {line}, column {column}: " if line else ""
        super().__init__(f"{source}: " * bool(source) + place + reason + f"; {repair}" * bool(repair))


class Token(NamedTuple):
    """A word, a string, a mark, the end of a line or the end of the text, and where it begins."""

    kind: str  # "word", "string", "mark", "line" or "end"
    text: str
    position: int


def is_name(text: str) -> bool:
    """Whether ``text`` can name an operation: letters, digits, ``_``, inner ``-`` and inner dots; no digit first."""
    return _NAME.fullmatch(text) is not None


def nearest(word: str, known: Iterable[str]) -> str:
    """The repair for a word that is not known: the one that looks like it, else all of them."""
    names = sorted(known)
    close = difflib.get_close_matches(word, names, n=1)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"known are {', '.join(names)}" if names else "none is known here"


class Scanner:
    """Reads a text from left to right, a token at a time. Inside parentheses a line may end anywhere."""

    def __init__(self, text: str, source: str = "") -> None:
        self.text = text
        self.source = source
        self.position = 0
        self.depth = 0
        self.bytes_left = MAX_TOTAL_BYTES

    def fail(self, reason: str, repair: str = "", position: int | None = None) -> NoReturn:
        """Raise the error for the token at ``position`` (default: the next one)."""
        place = self.peek().position if position is None else position
        line = self.text.count("\n", 0, place) + 1
        column = place - (self.text.rfind("\n", 0, place) + 1) + 1
        raise ScenarioError(reason, repair, source=self.source, line=line, column=column)

    def peek(self) -> Token:
        """Look at the next token."""
        blank = _BLANK_AND_LINES if self.depth else _BLANK
        match = blank.match(self.text, self.position)
        assert match is not None
        start = match.end()
        if start == len(self.text):
            return Token("end", "the end of the text", start)
        if self.text[start] == "\n":
            return Token("line", "the end of the line", start)
        token = _TOKEN.match(self.text, start)
        if token is None:
            self.fail(f"unexpected character {self.text[start]!r}", "docs/scenarios.md has the grammar", start)
        assert token.lastgroup is not None
        return Token(token.lastgroup, token.group(), start)

    def next(self) -> Token:
        """Take the next token."""
        token = self.peek()
        if token.kind == "line":
            self.position = token.position + 1
        elif token.kind != "end":
            self.position = token.position + len(token.text)
        return token

    def at_line_end(self) -> bool:
        """Whether nothing is left on this line."""
        return self.peek().kind in ("line", "end")

    def skip_lines(self) -> None:
        """Go to the next line that has something on it."""
        while self.peek().kind == "line":
            self.next()

    def end_line(self, after: str) -> None:
        """Demand the end of the line."""
        if not self.at_line_end():
            self.fail(f"unexpected {self.peek().text!r} after {after}", "put it on a line of its own, or remove it")
        self.next()

    def rest_of_line(self) -> str:
        """Take what is left of the line as it stands, without the blanks around it."""
        end = self.text.find("\n", self.position)
        end = len(self.text) if end < 0 else end
        rest = self.text[self.position : end].strip()
        self.position = end
        return rest

    def take_mark(self, mark: str) -> bool:
        """Take the mark if it is next."""
        token = self.peek()
        if token.kind != "mark" or token.text != mark:
            return False
        self.next()
        return True

    def demand_mark(self, mark: str, where: str) -> None:
        """Take the mark, or fail."""
        if not self.take_mark(mark):
            self.fail(f"expected {mark!r} {where}, not {self.peek().text!r}", f"write {mark!r} here")

    def open(self) -> None:
        """Take ``(``; from here lines may end anywhere."""
        self.demand_mark("(", "to open the list")
        self.depth += 1
        if self.depth > MAX_DEPTH:
            self.fail(f"more than {MAX_DEPTH} parentheses are open", "build the bytes in fewer steps")

    def close(self) -> None:
        """Take ``)``."""
        token = self.peek()
        if token.text != ")":
            self.fail(f"expected ',' or ')' in the list, not {token.text!r}", "close the parenthesis")
        self.depth -= 1
        self.position = token.position + 1

    def word(self, what: str, repair: str = "") -> Token:
        """Take a word."""
        token = self.peek()
        if token.kind != "word":
            self.fail(f"expected {what}, not {token.text!r}", repair)
        return self.next()

    def name(self, what: str) -> str:
        """Take the name of an operation."""
        token = self.word(f"the name of {what}")
        if not is_name(token.text):
            self.fail(f"{token.text!r} cannot be a name", "begin it with a letter", token.position)
        return token.text

    def number(self, what: str, maximum: int = 0xFFFFFFFF) -> int:
        """Take a number from 0 to ``maximum``, decimal or 0x…"""
        token = self.word(what, f"write a number from 0 to {maximum}")
        return self.number_of(token.text, what, maximum, token.position)

    def number_of(self, text: str, what: str, maximum: int, position: int) -> int:
        """Turn the text of a word into a number."""
        if not re.fullmatch(r"[0-9]{1,20}|0[xX][0-9a-fA-F]{1,16}", text):
            self.fail(f"{text!r} is not a number for {what}", f"write a number from 0 to {maximum}", position)
        value = int(text, 16 if text[:2] in ("0x", "0X") else 10)
        if value > maximum:
            self.fail(f"{text} is too much for {what}", f"write a number from 0 to {maximum}", position)
        return value

    def string(self, what: str) -> str:
        """Take a text in double quotes, escaped as in JSON."""
        token = self.peek()
        if token.kind != "string":
            self.fail(f"expected {what} in double quotes, not {token.text!r}")
        self.next()
        try:
            text = str(json.loads(token.text))
            text.encode()  # JSON lets half a surrogate pair through, which nothing could print
        except ValueError:
            self.fail(f"{token.text} is not a string as JSON writes it", 'escape \\ and "', token.position)
        return text

    def numbers(self, what: str, maximum: int) -> frozenset[int]:
        """Take a set of numbers: ``{0, 2}``."""
        self.demand_mark("{", f"before {what}")
        found: set[int] = set()
        while not self.take_mark("}"):
            found.add(self.number(what, maximum))
            if not self.take_mark(",") and self.peek().text != "}":
                self.fail(f"expected ',' or '}}' in {what}, not {self.peek().text!r}", "close the brace")
        return frozenset(found)

    def range_of(self, text: str, what: str, maximum: int, position: int) -> range:
        """Turn ``5`` or ``0..999`` into the numbers it stands for."""
        first, dots, last = text.partition("..")
        start = self.number_of(first, what, maximum, position)
        stop = self.number_of(last, what, maximum, position) if dots else start
        if stop < start:
            self.fail(f"the range {text} is empty", "write the smaller number first", position)
        return range(start, stop + 1)

    def spend(self, size: int, position: int) -> None:
        """Count the bytes that an expression is about to make against the bounds."""
        if size > MAX_BYTES:
            self.fail(f"{size} bytes are too many for one expression", f"make at most {MAX_BYTES}", position)
        self.bytes_left -= size
        if self.bytes_left < 0:
            self.fail(f"this text makes more than {MAX_TOTAL_BYTES} bytes", "split it into several", position)
