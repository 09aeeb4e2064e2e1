"""Captures become bundles and captures again, and nothing of a packet or of its time is lost on the way."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.bundle import oracle
from tests.bundle.write_vectors import PING, PING6
from wintun_sim.bundle import BundleError
from wintun_sim.cli import main
from wintun_sim.errors import UsageError
from wintun_sim.integrations.bundled import from_bundles, read_times, to_bundles, write_times
from wintun_sim.integrations.pcap import Captured, read_packets, shipped_captures, write_packets
from wintun_sim.integrations.pcapng import write_pcapng
from wintun_sim.testing.strategies import packets as ip_packets

TIMES = (1_700_000_000_123_456_789, 0, 2**32 * 10**9 - 1)
CAPTURE = tuple(Captured(time, packet) for time, packet in zip(TIMES, (PING, PING6, PING), strict=True))


def test_a_capture_becomes_bundles_of_256_packets_with_a_time_for_each() -> None:
    packets = [Captured(number, PING) for number in range(600)]
    found = to_bundles(packets)
    assert found.data == oracle.encode([PING]) * 600
    assert found.lengths.tolist() == [256 * 48, 256 * 48, 88 * 48]
    assert found.times.tolist() == list(range(600))
    assert list(from_bundles(found.data, found.lengths, found.times)) == packets


def test_no_packets_are_no_bundles() -> None:
    found = to_bundles([])
    assert (found.data, found.lengths.tolist(), found.times.tolist()) == (b"", [], [])
    assert list(from_bundles(b"", [], [])) == []


@given(st.lists(st.builds(Captured, st.integers(0, 2**63 - 1), ip_packets(max_size=100)), max_size=20))
def test_any_packets_come_back_with_their_times(packets: list[Captured]) -> None:
    found = to_bundles(packets)
    assert list(from_bundles(found.data, found.lengths, found.times)) == packets


def test_times_that_do_not_fit_and_bundles_that_are_damaged_are_refused() -> None:
    found = to_bundles(CAPTURE)
    with pytest.raises(ValueError, match="2 times are not those of 3 packets"):
        from_bundles(found.data, found.lengths, [1, 2])
    with pytest.raises(BundleError, match=r"bundle 0 .* is damaged: cut short at record 2, offset 112"):
        from_bundles(found.data[:-1], [len(found.data) - 1], found.times)


def test_times_are_a_file_of_lines(tmp_path: Path) -> None:
    write_times(tmp_path / "x.times", TIMES)
    assert (tmp_path / "x.times").read_text() == "# wintun-sim times 1\n1700000000123456789\n0\n4294967295999999999\n"
    assert read_times(tmp_path / "x.times") == list(TIMES)
    write_times(tmp_path / "empty.times", ())
    assert read_times(tmp_path / "empty.times") == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "its first line is not '# wintun-sim times 1'"),
        ("# wintun-sim times 2\n5\n", "its first line is not"),
        ("# wintun-sim times 1\n5\nfive\n", "line 3 is no time in nanoseconds: 'five'"),
        ("# wintun-sim times 1\n\n5\n", "line 2 is no time"),
        ("# wintun-sim times 1\n-5\n", "line 2 is no time"),
        (f"# wintun-sim times 1\n{2**63}\n", "line 2 is no time"),
        (f"# wintun-sim times 1\n{'9' * 5000}\n", "line 2 is no time"),
    ],
)
def test_what_are_no_times_is_refused_with_its_line(text: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "x.times"
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        read_times(path)
    assert words in str(caught.value)
    assert str(path) in str(caught.value)


def test_pcapng_keeps_nanoseconds_and_times_that_pcap_cannot_say(tmp_path: Path) -> None:
    late = (*CAPTURE, Captured(2**62, PING6))
    assert write_pcapng(tmp_path / "x.pcapng", late) == 4
    assert read_packets(tmp_path / "x.pcapng").packets == late
    with pytest.raises(UsageError, match="1970 to 2106"):
        write_packets(tmp_path / "x.pcap", late)


def test_a_pcapng_file_that_cannot_be_finished_is_not_left_behind(tmp_path: Path) -> None:
    path = tmp_path / "x.pcapng"
    with pytest.raises(UsageError, match=r"packet 1 to .*: 65576 bytes"):
        write_pcapng(path, [CAPTURE[0], Captured(0, b"\x45" + bytes(65_575))])
    assert not path.exists()


@pytest.mark.parametrize("kind", ["pcap", "pcapng"])
@pytest.mark.parametrize("name", ["icmp", "fragments"])
def test_the_command_takes_a_capture_to_bundles_and_back_without_loss(kind: str, name: str, tmp_path: Path) -> None:
    packets = read_packets(shipped_captures()[name]).packets
    assert len({packet.time_ns for packet in packets}) > 1, "or it would show nothing"
    original = tmp_path / f"a.{kind}"
    (write_pcapng if kind == "pcapng" else write_packets)(original, packets)
    bundles, times, back = (str(tmp_path / end) for end in ("a.bundle", "a.times", f"b.{kind}"))
    assert main(["bundle", "encode", str(original), "-o", bundles, "--times", times]) == 0
    assert main(["bundle", "decode", bundles, "--times", times, "-o", back]) == 0
    assert Path(back).read_bytes() == original.read_bytes()


def test_the_command_refuses_times_where_they_make_no_sense(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines, bundles, times = tmp_path / "x.txt", tmp_path / "x.bundle", tmp_path / "x.times"
    lines.write_text(PING.hex())
    bundles.write_bytes(oracle.encode([PING, PING6]))
    write_times(times, [1])
    for arguments, words in (
        (["encode", str(lines), "--times", str(times)], "keeps the times of a capture"),
        (["decode", str(bundles), "--times", str(times)], "add --to pcap"),
        (["decode", str(bundles), "--times", str(times), "-o", str(tmp_path / "y.pcap")], "1 times are not those of 2"),
        (["decode", str(bundles), "--times", str(lines), "-o", str(tmp_path / "y.pcap")], "holds no times"),
    ):
        assert main(["bundle", *arguments]) == 2
        assert words in capsys.readouterr().err
    assert not (tmp_path / "y.pcap").exists()


def test_of_damaged_bundles_the_packets_before_the_damage_keep_their_times(tmp_path: Path) -> None:
    bundles, times, back = tmp_path / "x.bundle", tmp_path / "x.times", tmp_path / "x.pcapng"
    bundles.write_bytes(oracle.encode([PING, PING6])[:-1])
    write_times(times, [11, 22])
    assert main(["bundle", "decode", str(bundles), "--times", str(times), "-o", str(back)]) == 2
    assert read_packets(back).packets == (Captured(11, PING),)
