"""`wintun-sim bench codec`: what is measured is what was named, and targets are judged as they are printed.

No test here looks at how long anything took.
"""

import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable
from itertools import groupby

import pytest

from tests.bundle import oracle
from wintun_sim.bench import others, pure
from wintun_sim.bench.measure import Row, at_least, at_most, side_by_side, table
from wintun_sim.errors import UnavailableError


@pytest.mark.parametrize(
    ("time", "compare", "target", "ratio", "verdict"),
    [
        (5.0, at_most, 1.25, 1.25, "met"),
        (5.01, at_most, 1.25, 1.2525, "missed"),
        (2.0, at_least, 2.0, 2.0, "met"),
        (2.01, at_least, 2.0, 4 / 2.01, "missed"),
        (99.0, at_least, None, 4 / 99, ""),
    ],
)
def test_a_target_is_met_or_missed(
    time: float, compare: Callable[..., Row], target: float | None, ratio: float, verdict: str
) -> None:
    row = compare("subject", "64 B", "baseline", [time] * 3, [4.0] * 3, target)
    assert row.ratio == pytest.approx(ratio)
    assert row.verdict == verdict


def test_rounds_are_compared_with_themselves() -> None:
    """The machine was slow for two rounds of five, and interrupted in a third: twice as long is twice as long."""
    row = at_most("subject", "64 B", "baseline", [2.0, 20.0, 20.0, 2.0, 900.0], [1.0, 10.0, 10.0, 1.0, 1.0], 2.0)
    assert (row.time_ns, row.baseline_ns, row.ratio, row.verdict) == (20.0, 1.0, 2.0, "met")


def test_the_table_shows_both_sides_the_target_and_the_verdict() -> None:
    rows = [
        at_most("encode", "64 B", "memcpy", [2.5], [2.0], 1.2),
        at_least("decode", "mixed", "struct", [2.0], [500.0], 50),
    ]
    heading, first, second = table(rows).splitlines()
    assert heading.split() == ["what", "packets", "ns", "against", "ns", "ratio", "target", "verdict"]
    assert first.split() == ["encode", "64", "B", "2.50", "memcpy", "2.00", "1.25", "<=", "1.2", "missed"]
    assert second.split() == ["decode", "mixed", "2.00", "struct", "500.00", "250", ">=", "50", "met"]


def test_contenders_take_turns() -> None:
    """What disturbs the machine in one round disturbs all contenders."""
    order: list[str] = []
    times = side_by_side({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, packets=1, rounds=3)
    assert {name: len(rounds) for name, rounds in times.items()} == {"a": 3, "b": 3}
    assert "".join(turn for turn, _ in groupby(order)) == "abababab", "each is warmed up, then three rounds"


def test_the_python_that_the_codec_is_compared_with_does_the_same_work() -> None:
    packets = [bytes([65]) * size for size in (0, 1, 15, 16, 17, 1420)]
    assert pure.encode(packets) == oracle.encode(packets)
    assert pure.decode(oracle.encode(packets)) == packets
    for damaged in (oracle.encode(packets)[:-1], oracle.encode(packets) + b"\xff" * 20, oracle.encode([b""]) * 300):
        assert pure.decode(damaged) == oracle.decode(damaged).packets
    for refused in ([bytes(61_425)], [b""] * 257):
        with pytest.raises(ValueError, match="packet"):
            pure.encode(refused)


@pytest.mark.parametrize("library", ["scapy", "construct", "construct, compiled"])
def test_the_libraries_that_the_codec_is_compared_with_do_the_same_work(library: str) -> None:
    if library == "scapy":
        decode = others.with_scapy()
    else:
        pytest.importorskip("construct", reason="only the bench extra brings it")
        decode = others.with_construct(compiled=library.endswith("compiled"))
    packets = [bytes([65]) * size for size in (0, 1, 15, 16, 17, 1420)]
    assert decode(oracle.encode(packets)) == packets
    assert len(decode(oracle.encode([b"x"] * 256))) == 256


def test_without_construct_the_reason_and_the_repair_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "construct", None)
    with pytest.raises(UnavailableError):
        others.with_construct()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert others.missing() == "construct is not installed (pip install 'wintun-sim[bench]')"


def test_the_command_prints_every_comparison_and_says_by_its_status_whether_a_target_was_missed() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "wintun_sim", "bench", "codec", "--rounds", "1", "--megabytes", "1", "--json"],
        capture_output=True, check=False,
    )  # fmt: skip
    report = json.loads(done.stdout)
    assert done.stderr == b""
    assert done.returncode == (1 if report["missed"] else 0)
    assert report["missed"] == sum(row["verdict"] == "missed" for row in report["rows"])
    with_target = {(row["subject"], row["size"], row["target"]) for row in report["rows"] if row["target"] is not None}
    assert with_target == {
        *(("C encode", f"{size} B", target) for size, target in ((64, 1.15), (576, 1.06), (1420, 1.06))),
        *(("C decode", f"{size} B", 1.2) for size in (64, 576, 1420)),
        *(("C decode", f"{size} B, memory", target) for size, target in ((64, 1.2), (576, 0.6), (1420, 0.45))),
        ("decode to list of bytes", "64 B", 6.0),
        *(("decode to arrays, 64 bundles", f"{size} B", 50.0) for size in (64, 576, 1420)),
        *(("decode to list of bytes", "64 B", target) for target in (300.0, 1300.0)),
        *(("decode to arrays, 64 bundles", f"{size} B", goal) for size in (64, 576, 1420) for goal in (300.0, 1300.0)),
    }
    against = {(row["baseline"], row["target"]) for row in report["rows"]}
    assert {("construct", 300.0), ("scapy", 1300.0)} <= against
    assert all(row["time_ns"] > 0 for row in report["rows"])
    unmeasured = {row["baseline"] for row in report["rows"] if not row["baseline_ns"]}
    assert unmeasured == ({"construct"} if report["not_measured"] else set())
    assert all(row["verdict"] in ("not measured", "") for row in report["rows"] if not row["baseline_ns"])


@pytest.mark.parametrize("arguments", [(), ("nonsense",), ("codec", "--rounds", "0"), ("codec", "--megabytes", "x")])
def test_bad_arguments_end_with_status_2(arguments: tuple[str, ...]) -> None:
    done = subprocess.run([sys.executable, "-m", "wintun_sim", "bench", *arguments], capture_output=True, check=False)
    assert done.returncode == 2
    assert b"Traceback" not in done.stderr
