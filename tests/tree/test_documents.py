"""What the documents show works: each code block of each Markdown file is run, and CI runs the README's set-up."""

import re
from pathlib import Path

import pytest

from tests.tree import documents
from tests.tree.documents import Block, blocks, console_commands, matches, problems
from tests.tree.files import ROOT, with_suffix


def document_names() -> list[str]:
    """Markdown files, found without git, since parameters are collected even where tests are skipped."""
    skipped = re.compile(r"(^|/)(\.|build/|dist/)")
    paths = sorted(str(path.relative_to(ROOT)) for path in ROOT.rglob("*.md"))
    return [path for path in paths if not skipped.search(path)]


@pytest.mark.parametrize("name", document_names())
def test_every_code_block_of_a_document_does_what_it_says(name: str, tmp_path: Path) -> None:
    """A reader pastes the first example; if that fails, there is no second."""
    found = [problem for block in blocks((ROOT / name).read_text("utf-8")) for problem in problems(block, tmp_path)]
    assert not found, "\n".join(found)


def test_every_file_that_a_document_shows_is_run_by_it() -> None:
    for name in document_names():
        assert documents.never_run(blocks((ROOT / name).read_text("utf-8"))) == [], name


def test_ci_runs_the_two_set_up_commands_of_the_readme_word_for_word() -> None:
    """They need a network and minutes, so no test runs them; CI does, and must run what a stranger would paste."""
    shown = [block.text.strip() for block in blocks((ROOT / "README.md").read_text("utf-8")) if block.language == "sh"]
    script = (ROOT / ".ci" / "run").read_text("utf-8")
    variables = dict(re.findall(r'^([A-Z]+)_COMMAND="(.*)"$', script, re.MULTILINE))
    assert shown == [variables["MAIN"], variables["TEST"]]
    assert 'bash -c "$MAIN_COMMAND"' in script
    assert 'bash -c "$TEST_COMMAND"' in script


def test_only_the_readme_has_blocks_that_no_test_runs() -> None:
    for name in with_suffix(".md"):
        languages = [block.language for block in blocks((ROOT / name).read_text("utf-8"))]
        assert name == "README.md" or "sh" not in languages, name


def test_links_in_documents_lead_to_files_that_are_there() -> None:
    for name in with_suffix(".md"):
        text = documents.FENCE.sub("", (ROOT / name).read_text("utf-8"))
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
            if "://" not in target and not target.startswith("mailto:"):
                assert (ROOT / name).parent.joinpath(target).exists(), f"{name}: {target}"


# The runner is itself code that could pass everything; these tests hold it to what it promises.


@pytest.mark.parametrize(
    ("language", "text", "problem"),
    [
        ("console", "$ true\n", ""),
        ("console", "$ false\n", "status 1, not 0"),
        ("console", "$ exit 3  # exit status 3\n", ""),
        ("console", "$ true # exit status 2\n", "status 0, not 2"),
        ("console", "$ echo yes\nyes\n", ""),
        ("console", "$ echo no\nyes\n", "but it printed\nno"),
        ("console", "$ echo oops >&2\noops\n", ""),
        ("console", "$ echo one\n$ echo two\ntwo\n", ""),
        ("python", "print(1)\n", ""),
        ("python", "raise SystemExit(1)\n", "ended with status 1"),
        ("python", "import sys; sys.stderr.write('careful')\n", "careful"),
        ("text", "$ false\n", ""),
        ("rust", "fn main() {}\n", "is not run"),
        ("", "whatever\n", "is not run"),
    ],
)
def test_the_runner_notices_what_did_not_happen(language: str, text: str, problem: str, tmp_path: Path) -> None:
    found = "\n".join(problems(Block(language, text, 1), tmp_path))
    assert (problem in found) if problem else (found == "")


@pytest.mark.parametrize(
    ("expected", "actual", "same"),
    [
        ("a\n", "a\n", True),
        ("a\n", "a\nb\n", False),
        ("a…\n", "abc\n", True),
        ("a…\n", "a\nb\n", False),
        ("a\n…\n", "a\nb\nc\n", True),
        ("a\n…\nz\n", "a\nz\n", True),
        ("a.c\n", "abc\n", False),
    ],
)
def test_an_ellipsis_stands_for_any_text_and_nothing_else_does(expected: str, actual: str, same: bool) -> None:
    assert matches(expected, actual) is same


def test_a_file_is_saved_for_the_blocks_that_follow(tmp_path: Path) -> None:
    saved, run = blocks("```python five.py\nprint(5)\n```\n```console\n$ python five.py\n5\n```\n")
    assert problems(saved, tmp_path) + problems(run, tmp_path) == []
    assert documents.never_run([saved, run]) == []
    assert documents.never_run([run, saved]) == ["five.py"]
    assert "is not run" in problems(Block("python ../five.py", "", 1), tmp_path)[0]


def test_a_console_block_without_a_command_and_an_open_fence_are_mistakes() -> None:
    with pytest.raises(ValueError, match="begins with"):
        console_commands(Block("console", "output\n", 1))
    with pytest.raises(ValueError, match="no whole number"):
        blocks("```python\nprint(1)\n")
