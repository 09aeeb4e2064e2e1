"""Exploring one scenario: every schedule, whoever does the work, and a finding that anybody can see again."""

import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.defects.build import build
from wintun_sim.check import worker
from wintun_sim.check.diagnose import diagnose, replay
from wintun_sim.check.effort import Effort
from wintun_sim.check.explain import PROPERTIES, property_of
from wintun_sim.check.explore import Discovery, Explored, explore, resolved, to_json
from wintun_sim.check.exploring import explain, explore_and_explain
from wintun_sim.check.isolated import team
from wintun_sim.check.record import Wrong
from wintun_sim.errors import UsageError
from wintun_sim.scenario import Scenario, format_scenario, parse
from wintun_sim.trace.schedule import parse_schedule

ROOT = Path(__file__).parents[2]

STORY = """
title A client reads, and writes, while the adapter is halted
order raw
load
initialize
restart
h: create
first: read h 61440
actor client:
    r: read h 61440
    w: write h bundle(ipv4(84))
actor stack:
    s: send ipv4(84)
actor system:
    halt
"""
"""Everything but the write and the halt is beside the point."""


@pytest.fixture(scope="module")
def story() -> Scenario:
    return parse(STORY)


@pytest.fixture(scope="module")
def halts_at_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A driver whose halt does not wait for the requests that are inside."""
    if "asan" in os.environ.get("LD_PRELOAD", ""):
        pytest.skip("a host kernel built with sanitizers ends where a driver hands it an address out of freed memory")
    return build(tmp_path_factory.mktemp("defect"), "races/halt-without-rundown")


@pytest.fixture(scope="module")
def found(story: Scenario, halts_at_once: Path) -> Explored:
    with team(1) as executor:
        return explore(story, halts_at_once, Effort(bound=1, runs=3000), executor)


def small() -> Scenario:
    return parse(STORY.replace("    r: read h 61440\n", "").replace("actor stack:\n    s: send ipv4(84)\n", ""))


def test_the_driver_as_it_is_shows_what_the_model_can_show_and_nothing_else() -> None:
    with team(1) as executor:
        explored = explore(small(), None, Effort(), executor)
    assert explored.discoveries == []
    assert explored.complete
    assert len(explored.outcomes) == explored.model_outcomes
    assert (explored.model_complete, explored.slack, explored.not_judged) == (True, 0, 0)
    assert explored.points == "instrumented"


@pytest.mark.parametrize("algorithm", ["depth-first", "random", "pct"])
def test_the_result_is_the_same_whoever_does_the_work(algorithm: str) -> None:
    """One worker, two, or somebody's pool of processes: shards are put together in their own order."""
    effort = Effort(algorithm, bound=1, runs=6_000, shared=True)  # type: ignore[arg-type]
    with team(1) as executor:
        one = explore(small(), None, effort, executor)
    with team(2) as executor:
        two = explore(small(), None, effort, executor)
    with ProcessPoolExecutor(2) as pool:
        others = explore(small(), None, effort, pool)
    assert to_json(one) == to_json(two) == to_json(others)
    assert one.schedules > 20


def test_sharing_out_an_exploration_changes_nothing_of_what_is_found() -> None:
    with team(2) as executor:
        whole = to_json(explore(small(), None, Effort(bound=1), executor))
        shared = to_json(explore(small(), None, Effort(bound=1, shared=True), executor))
    assert whole.pop("algorithm") != shared.pop("algorithm")
    assert whole == shared


def test_plain_images_are_explored_at_kernel_calls_and_the_result_says_so(halts_at_once: Path, found: Explored) -> None:
    assert found.points == "kernel calls"


def test_a_finding_is_shrunk_to_what_shows_it(story: Scenario, halts_at_once: Path, found: Explored) -> None:
    """Of three actors and six operations two remain that race; one switch is enough, and none is not."""
    discovery = next(each for each in found.discoveries if each.wrong.rule == "SpinLock")
    diagnosis = diagnose(story, halts_at_once, Effort(bound=1), discovery, "CURRENT")
    verbs = [[step.operation.verb for step in actor.steps] for actor in diagnosis.scenario.actors]
    assert verbs in ([["write"], ["halt"]], [["read"], ["halt"]])
    assert [step.operation.verb for step in diagnosis.scenario.setup] == ["load", "initialize", "create"]
    assert diagnosis.minimal
    assert (diagnosis.depth, diagnosis.depth_proved, diagnosis.switches) == (1, True, 1)
    assert diagnosis.wrong.kind == discovery.wrong.kind
    assert [odds.runs for odds in diagnosis.odds] == [2000, 2000]
    pct = diagnosis.odds[1]
    assert pct.guarantee is not None
    assert pct.hits >= pct.runs / pct.guarantee / 2, "PCT keeps what it promises, within what chance allows"

    again = replay(diagnosis.scenario, halts_at_once, parse_schedule(diagnosis.schedule).choices, Effort(), "CURRENT")
    assert discovery.signature() in {(wrong.kind, wrong.rule) for wrong in again.wrong}
    assert again.picture == diagnosis.picture


def test_the_picture_shows_who_did_what_in_which_line(story: Scenario, halts_at_once: Path, found: Explored) -> None:
    discovery = next(each for each in found.discoveries if each.wrong.rule == "SpinLock")
    picture = diagnose(story, halts_at_once, Effort(bound=1), discovery, "CURRENT").picture
    assert picture[0].split() == ["client", "│", "system"]
    switches = [line for line in picture if line.startswith("──▶")]
    assert len(switches) == 1
    assert "client has to stand still at device.c:" in switches[0]
    assert any("TunHaltEx: acquires lock" in line and "[DISPATCH]" in line for line in picture)
    assert any(f"broken: {discovery.wrong.rule}" in line for line in picture)
    assert max(map(len, picture)) <= 120


def test_a_schedule_goes_no_other_way(story: Scenario) -> None:
    """One choice too many or too few: the run is another one, and that is said."""
    for options in ((0,) * 9, (0, 7), (1,)):
        with pytest.raises(UsageError, match="another version of wintun-sim"):
            replay(story, resolved(None), options, Effort(), "CURRENT")


def test_each_call_that_may_fail_can_be_made_to() -> None:
    """A write without memory completes with an error, and nothing is wrong with that; the model is not asked."""
    with team(1) as executor:
        explored = explore(small(), None, Effort(bound=1, fault=1), executor)
        assert (explored.discoveries, explored.model_outcomes) == ([], None)
        assert len(explored.outcomes) > 1
        with pytest.raises(UsageError, match=r"there are: 1 .* in Tun\w+ \(driver/"):
            explore(small(), None, Effort(fault=99), executor)


def die(*_: object) -> None:
    worker.progress.step()
    raise SystemExit(3)


def test_an_image_that_ends_its_process_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it was: the work was to come back, and did not."""
    monkeypatch.setattr("wintun_sim.check.explore.explore_whole", die)
    with team(1) as executor:
        report = explore_and_explain("small", small(), None, Effort(), executor, seed=0)
    assert [(each.wrong.kind, each.wrong.rule) for each in report.explored.discoveries] == [("crash", "exit status 3")]
    assert not report.explored.complete
    assert "--explore" in list(report.lines())[-1]


def test_a_refused_send_may_be_told_so_after_the_adapter_sleeps() -> None:
    """It was refused since nobody has the device open, before the power changed, and so was never in its hands."""
    asleep = parse("""
order raw
load
initialize
restart
actor stack:
    send ipv4(84)
actor power:
    set-power D3
""")
    with team(1) as executor:
        assert explore(asleep, None, Effort(), executor).discoveries == []


def test_a_read_may_be_filled_on_both_sides_of_a_pause() -> None:
    """NDIS may restart the adapter before the call that ended the pause looks at the queue again."""
    paused = parse("""
order raw
load
initialize
restart
h: create
early: send ipv4(84, 1)
actor client:
    read h 61440
actor stack:
    pause
    restart
    late: send ipv4(84, 2)
""")
    with team(1) as executor:
        found = explore(paused, None, Effort(), executor)
    assert found.discoveries == []
    assert found.complete


def test_a_set_up_that_is_wrong_by_itself_is_said_to_be() -> None:
    nobody = parse("load\ninitialize\n")
    with team(1) as executor, pytest.raises(UsageError, match="has no actors"):
        explore(nobody, None, Effort(), executor)


def test_properties_are_said_in_the_words_of_the_page_on_the_adapter() -> None:
    text = " ".join((ROOT / "docs" / "adapter.md").read_text("utf-8").split())
    for sentence in PROPERTIES:
        assert sentence in text
    assert property_of("outcome", "irps") == PROPERTIES[6]
    assert property_of("rule", "IrqlReturn") == ""


def test_the_command_explores_explains_and_replays(halts_at_once: Path, tmp_path: Path) -> None:
    """As a person does it: explore, paste the last line into a shell, see the same in another process."""
    (tmp_path / "story.scenario").write_text(format_scenario(small()))
    words = ["run", "story.scenario", "--explore", "--bound", "1", "--image", str(halts_at_once)]
    first = command(words, tmp_path)
    assert first.returncode == 1
    lines = first.stdout.splitlines()
    assert lines[0] == "seed 0"
    headline = next(line for line in lines if line.startswith("FAILED "))
    start = lines.index("", lines.index(headline)) + 1
    picture = lines[start : lines.index("", start)]
    replay_line = lines[start + len(picture) + 1]
    assert replay_line.startswith("wintun-sim run rule-")
    again = command(replay_line.split()[1:], tmp_path)
    assert again.returncode == 1
    assert headline in again.stdout.splitlines()
    assert "\n".join(picture) in again.stdout

    wrong = command(["run", "story.scenario", "--replay", replay_line.split()[4]], tmp_path)
    assert wrong.returncode == 2
    assert "replay it on the image that it was found with" in wrong.stderr


@pytest.mark.skipif(shutil.which("gdb") is None, reason="gdb is not installed here")
def test_gdb_stops_where_the_finding_shows(halts_at_once: Path, found: Explored, tmp_path: Path) -> None:
    """With whoever did it still on the stack, by its own lines."""
    discovery = next(each for each in found.discoveries if each.wrong.rule == "SpinLock")
    (tmp_path / "story.scenario").write_text(STORY)
    schedule = str(found.schedule(discovery))
    words = ["run", "story.scenario", "--gdb", "--replay", schedule, "--image", str(halts_at_once)]
    done = command(words, tmp_path, typed="backtrace 8\nkill\n")
    assert "wintun_sim_finding ()" in done.stdout
    assert re.search(r"Tun\w+ \(.*driver/\w+\.c:\d+", done.stdout, re.DOTALL)


def test_without_gdb_the_command_says_so(tmp_path: Path) -> None:
    (tmp_path / "story.scenario").write_text(STORY)
    done = command(["run", "story.scenario", "--gdb", "--replay", "ws1"], tmp_path, PATH=str(tmp_path))
    assert (done.returncode, done.stdout) == (2, "")
    assert "there is none here" in done.stderr


def command(
    words: list[str], directory: Path, *, typed: str = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "wintun_sim", *words],
        cwd=directory,
        env={**os.environ, **environment},
        input=typed,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_reduction_needs_an_instrumented_image(halts_at_once: Path) -> None:
    with team(1) as executor, pytest.raises(UsageError, match="is a plain image; take --strategy depth-first"):
        explore(small(), halts_at_once, Effort("reduced", bound=None), executor)


def test_the_simplest_finding_comes_first() -> None:
    from wintun_sim.check.exploring import weight

    simple = Discovery(Wrong("rule", "SpinLock", ""), (), 0, 1)
    deep = Discovery(Wrong("race", "DataRace", ""), (), 1, 100)
    vague = Discovery(Wrong("outcome", "irps", ""), (), 0, 100)
    assert sorted([vague, deep, simple], key=weight) == [simple, vague, deep]


def test_what_is_wrong_with_the_model_itself_is_told_without_a_schedule(story: Scenario) -> None:
    """No run of the driver shows it, so there is nothing to shrink; exploring again shows it again."""
    explored = Explored(story, Path("image.so"), Effort())
    found = Discovery(Wrong("model", "stuck", "in the model a call waits for what nobody brings: halt"), (), 0, 0)
    with ThreadPoolExecutor(1) as nobody:
        (race,) = explain([(explored, found)], None, nobody, "story")
    lines = list(race.lines())
    assert lines[0] == "FAILED model stuck: in the model a call waits for what nobody brings: halt"
    assert lines[1] == "  found in story, whatever the driver does"
    assert "--explore" in lines[-1]
    assert "--replay" not in lines[-1]
