"""GitHub's workflow cannot run here, so it is held to what can be seen: it must speak of things that are there.

That it is a workflow at all, and that cibuildwheel takes its settings, is checked by .ci/run with those tools' own
schemas. A workflow that names a folder that was moved fails for everybody, and only after it was pushed.
"""

import re
import shlex
import tomllib
from typing import Any

import pytest

from tests.fuzz import native, targets
from tests.tree.files import ROOT

WORKFLOW = ROOT / ".github" / "workflows" / "ci.yml"
SYSTEMS = {"ubuntu", "macos", "windows"}

pytestmark = pytest.mark.skipif(not WORKFLOW.exists(), reason="the source tree is not here")


@pytest.fixture(scope="module")
def text() -> str:
    return WORKFLOW.read_text("utf-8")


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def folders_of(command: str) -> list[str]:
    """Return the folders that a command's text gives to pytest."""
    return re.findall(r"\btests/\w+", command)


def test_the_workflow_runs_all_that_ci_runs(text: str) -> None:
    assert re.search(r"^ +run: bash \.ci/run$", text, re.MULTILINE)


def test_codec_model_and_scenarios_are_tested_on_each_system(text: str, project: dict[str, Any]) -> None:
    matrices = re.findall(r"^ +system: \[(.+)\]$", text, re.MULTILINE)
    assert len(matrices) == 2
    for matrix in matrices:
        assert {system.split("-")[0].strip() for system in matrix.split(",")} == SYSTEMS
    folders = set(folders_of(text))
    assert {"tests/bundle", "tests/model", "tests/scenario"} <= folders
    assert all((ROOT / folder).is_dir() for folder in folders)
    pythons = set(re.findall(r'"(3\.\d+)"', text))
    assert project["project"]["requires-python"].removeprefix(">=") in pythons


def test_every_fuzzer_is_run_now_and_then(text: str) -> None:
    named = [set(match.split()) for match in re.findall(r"for target in ([^;]+); do", text)]
    assert named == [set(native.TARGETS), set(targets.TARGETS)]


def test_actions_of_others_are_named_by_what_they_are_and_may_only_read(text: str) -> None:
    """A tag can be moved to other code by whoever owns it; a hash cannot."""
    uses = re.findall(r"uses: (\S+)(.*)", text)
    assert uses
    for action, comment in uses:
        assert re.fullmatch(r"actions/[\w-]+@[0-9a-f]{40}", action), action
        assert re.fullmatch(r" # v\d+\.\d+\.\d+", comment), action
    assert re.search(r"^permissions:\n  contents: read\n\n", text, re.MULTILINE)
    assert text.count("persist-credentials: false") == sum("/checkout@" in action for action, _ in uses)


def test_wheels_are_tried_where_they_are_built_with_files_that_are_there(project: dict[str, Any]) -> None:
    settings = project["tool"]["cibuildwheel"]
    assert settings["build"] == f"{project['tool']['scikit-build']['wheel']['py-api']}-*", "one wheel for every Python"
    for source in settings["test-sources"]:
        assert (ROOT / source).exists(), source
    for commands in (settings["test-command"], settings["linux"]["test-command"]):
        (pytest_command,) = [command for command in commands if command.startswith("pytest ")]
        assert all((ROOT / folder).is_dir() for folder in shlex.split(pytest_command)[1:])
    assert set(settings["test-extras"]) <= set(project["project"]["optional-dependencies"])
