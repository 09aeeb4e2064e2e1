"""`wintun-sim trace`: a run on a machine, with actors or without, as text or as a picture."""

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from wintun_sim.check.courses import follow
from wintun_sim.cli import main
from wintun_sim.errors import UsageError
from wintun_sim.operations import IrpCompleted, NblCompleted
from wintun_sim.scenario import find, parse
from wintun_sim.scenario.scenario import Scenario

DOCUMENTS = Path(__file__).parents[2] / "docs"

ACTORS = """
    title A client reads while the adapter is paused
    load
    initialize
    restart
    h: create
    s: send ipv4(84)
    actor client:
        r: read h 61440
        w: write h bundle(ipv4(84))
    actor stack:
        pause
"""


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["trace", *arguments]) == 0
    return capsys.readouterr().out


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["trace", *arguments]) == 2
    out, error = capsys.readouterr()
    assert out == ""
    assert error.count("\n") == 1
    return error


def actors() -> Scenario:
    return parse(ACTORS)


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "actors.scenario"
    path.write_text(ACTORS, "utf-8")
    return str(path)


@pytest.mark.parametrize("machine", ["model", "driver"])
def test_a_shipped_scenario_is_drawn_as_it_happens(machine: str, capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown(capsys, "half-read-nbl", "--machine", machine).splitlines()
    assert lines[1] == f"{machine}, order raw, NDIS 6.80"
    assert sum("send s: 1 NBL, 3 packets, 61,464 bytes" in line for line in lines) == 1
    assert sum("✗ s2.0: STATUS_NDIS_PAUSED" in line for line in lines) == 1


def test_revisions_tell_different_stories(capsys: pytest.CaptureFixture[str]) -> None:
    before = shown(capsys, "negative-count", "--revision", "BEFORE")
    assert before.splitlines()[1] == "model, BEFORE, order strict, NDIS 6.80"
    assert "✗ r: STATUS_CANCELLED" in before.split("pause returns")[0]
    current = shown(capsys, "negative-count")
    assert "✗ r: STATUS_CANCELLED" not in current.split("pause returns")[0]


def test_the_outputs_name_says_its_form(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, beginning in (("a.svg", "<svg "), ("a.mmd", "sequenceDiagram\n"), ("a.txt", "The life of an adapter")):
        assert shown(capsys, "lifecycle", "-o", str(tmp_path / name)) == ""
        assert (tmp_path / name).read_text("utf-8").startswith(beginning[:4])
    assert shown(capsys, "lifecycle", "--to", "mermaid", "-o", str(tmp_path / "b.svg")) == ""
    assert (tmp_path / "b.svg").read_text("utf-8").startswith("sequenceDiagram\n")


def test_a_recorded_trace_is_drawn_as_the_run_was(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(tmp_path / "trace.json")
    assert main(["run", "half-read-nbl", "--json", path]) == 0
    capsys.readouterr()
    assert shown(capsys, path) == shown(capsys, "half-read-nbl")
    document = json.loads(Path(path).read_text())
    Path(path).write_text(json.dumps(document["traces"][0]))
    assert shown(capsys, path) == shown(capsys, "half-read-nbl")


@pytest.mark.parametrize("machine", ["model", "driver"])
def test_a_run_of_actors_is_kept_and_drawn_again(
    machine: str, file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = str(tmp_path / "kept.json")
    options = ("--seed", "5", "--steps")
    drawing = shown(capsys, file, "--machine", machine, *options, "--json", kept)
    assert shown(capsys, kept, *options) == drawing
    document = json.loads(shown(capsys, file, "--machine", machine, *options, "--json"))
    assert document == json.loads(Path(kept).read_text())
    assert document["actors"] == ["client", "stack"]


def test_the_life_of_an_adapter_is_drawn_in_each_form(capsys: pytest.CaptureFixture[str]) -> None:
    assert "MiniportPause" in shown(capsys, "--lifecycle")
    assert shown(capsys, "--lifecycle", "--to", "mermaid").startswith("stateDiagram-v2\n")
    ElementTree.fromstring(shown(capsys, "--lifecycle", "--to", "svg"))


@pytest.mark.parametrize(
    ("name", "arguments"), [("trace.svg", ("half-read-nbl",)), ("states.svg", ("--lifecycle", "--to", "svg"))]
)
def test_the_pictures_in_the_documents_are_what_is_drawn_now(
    name: str, arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    made = f"wintun-sim trace {' '.join(arguments)} -o docs/{name}"
    text = shown(capsys, *arguments, *(() if "--to" in arguments else ("--to", "svg")))
    assert (DOCUMENTS / name).read_text("utf-8") == text, f"make it anew: {made}"


# Actors


@pytest.mark.parametrize("machine", ["model", "driver"])
def test_a_seed_says_who_takes_which_turn(machine: str, file: str, capsys: pytest.CaptureFixture[str]) -> None:
    drawings = [shown(capsys, file, "--machine", machine, "--seed", str(seed)) for seed in range(8)]
    again = [shown(capsys, file, "--machine", machine, "--seed", str(seed)) for seed in range(8)]
    assert drawings == again
    assert len({drawing.replace(f"seed {seed}", "") for seed, drawing in enumerate(drawings)}) > 1
    assert "seed 3" in drawings[3].splitlines()[1]
    # Whether the write came before the pause or after it is all that may differ.
    for drawing in drawings:
        assert ("received of w" in drawing) == ("client: w: STATUS_SUCCESS" in drawing)
        assert ("received of w" in drawing) != ("w: STATUS_NDIS_PAUSED" in drawing)


def test_steps_say_where_each_call_stands(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "· client: " not in shown(capsys, file)
    assert "· client: the read is inside" in shown(capsys, file, "--steps")
    assert " at driver/state.c:" in shown(capsys, file, "--steps", "--machine", "driver")


@pytest.mark.parametrize("machine", ["model", "driver"])
def test_the_course_of_actors_has_all_events_and_begins_each_operation_once(machine: str) -> None:
    course = follow(actors(), "model" if machine == "model" else "driver", seed=5)
    assert course.ended == ""
    begun = [moment.operation.name for moment in course.moments if moment.begins]
    assert sorted(begun) == ["adapter", "driver", "h", "pause", "r", "restart", "s", "w"]
    events = [event for moment in course.moments for event in moment.events]
    completed = sorted(event.operation for event in events if isinstance(event, IrpCompleted))
    # The read gets what was sent before, unless the pause gave that back first.
    (nbl,) = [event for event in events if isinstance(event, NblCompleted)]
    assert completed == ["h", "r", "w"] if nbl.status == 0 else ["h", "w"]


def test_actors_that_ndis_never_lets_overlap_are_not_let_loose_on_a_driver() -> None:
    text = "load\ninitialize\nrestart\nactor a:\n pause\nactor b:\n halt\n"
    with pytest.raises(UsageError, match="a's pause pause and b's halt halt would overlap, which NDIS never lets"):
        follow(parse(text), "driver")
    text = "load\nactor a:\n initialize\nactor b:\n load\n"
    with pytest.raises(UsageError, match="b would load a driver while others use it"):
        follow(parse(text), "driver")
    text = "load\ninitialize\nrestart\nh: create\nactor a:\n cleanup h\n close h\nactor b:\n read h\n"
    with pytest.raises(UsageError, match="b uses the handle h while a may close it"):
        follow(parse(text), "driver")


def test_where_the_published_driver_leaves_undefined_what_follows_the_course_ends() -> None:
    course = follow(find("cancel-sends"), "model", revision="UPSTREAM")
    assert "cancelled cursor" in course.ended or course.ended == ""
    text = (
        "order raw\nload\ninitialize\nrestart\nh: create\nr: read h 61440\n"
        "actor a:\n s: send nbl(ipv4(61424), ipv4(20), cancel=7)\n cancel-send 7\n q: read h 61440\n"
        "actor b:\n oid query OID_GEN_XMIT_OK 8\n"
    )
    assert follow(parse(text), "model", revision="UPSTREAM").ended != ""


# What cannot be drawn


def test_what_makes_no_sense_is_refused_in_one_line(
    tmp_path: Path, file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "neither a file nor one that ships" in refused(capsys, "nothing")
    assert "the model has no image" in refused(capsys, file, "--plain")
    assert "--revision chooses a model" in refused(capsys, file, "--machine", "driver", "--revision", "BEFORE")
    assert "there is no image" in refused(capsys, file, "--machine", "driver", "--image", "nothing.so")
    assert "there is none" in refused(capsys, file, "--revision", "NEVER")
    empty = tmp_path / "empty.scenario"
    empty.write_text("title Nothing\n")
    assert "there is no operation in it" in refused(capsys, str(empty))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "is no JSON"),
        ("[" * 100_000, "is no JSON"),
        ("[]", "a trace is list, not an object"),
        ("{}", "the format is None"),
        ('{"traces": []}', "has 0 traces"),
        ('{"traces": [1, 2]}', "has 2 traces"),
        ('{"traces": [null]}', "a trace is NoneType"),
        ('{"format": "wintun-sim course 1"}', "'order' is missing"),
        ('{"format": "wintun-sim course 2"}', "the format is 'wintun-sim course 2'"),
    ],
)
def test_a_file_that_is_no_trace_is_refused_in_one_line(
    text: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.json"
    path.write_text(text)
    assert words in refused(capsys, str(path))
