"""`wintun-sim bench driver`: what is measured really went through, and where there is no TUN device it says so.

No test here looks at how long anything took.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from wintun_sim import bundle
from wintun_sim.bench import driver
from wintun_sim.bench import tun as tun_module
from wintun_sim.bench.measure import alone, table
from wintun_sim.bench.tun import Tun
from wintun_sim.errors import UnavailableError, WintunSimError

FORMS = (("arrays", "64 B", 20), ("arrays", "1420 B", 8), ("lists", "64 B", 5), ("lists", "1420 B", 5))
TARGETS = {(f"{way}, {form}", size, target) for way in (driver.OUT, driver.IN) for form, size, target in FORMS}


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "wintun_sim", "bench", "driver", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_command_reports_every_way_and_says_by_its_status_whether_a_target_was_missed() -> None:
    done = bench("--rounds", "1", "--json")
    report = json.loads(done.stdout)
    assert done.stderr == ""
    assert done.returncode == (1 if report["missed"] else 0)
    with_target = {(row["subject"], row["size"], row["target"]) for row in report["rows"] if row["target"] is not None}
    assert with_target == TARGETS
    measured = report["not_measured"] is None
    for row in report["rows"]:
        assert row["time_ns"] > 0
        assert (row["baseline_ns"] is not None) is (row["ratio"] is not None) is measured
        assert (row["verdict"] == "not measured") is (not measured and row["target"] is not None)
    assert [each["subject"] for each in report["durations"]] == [
        *("load", "initialize", "restart", "pause", "halt", "unload", "from load to unload"),
        "write of one packet of 64 B",
    ]
    assert all(each["microseconds"] > 0 for each in report["durations"])


def test_people_get_tables(tmp_path: Path) -> None:
    done = bench("--rounds", "1", "--json", str(tmp_path / "report.json"))
    assert "stack to client, arrays" in done.stdout
    assert "from load to unload" in done.stdout
    assert json.loads((tmp_path / "report.json").read_text())["rounds"] == 1


def test_where_no_tun_device_can_be_opened_the_driver_is_measured_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user without the right to make devices still learns how fast the driver is, and no verdict is made up."""
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(tun_module, "_PROGRAM", ["-c", "raise SystemExit('/dev/net/tun: Permission denied')"])
        with pytest.raises(UnavailableError, match=r"no TUN device: /dev/net/tun: Permission denied"):
            Tun()
    row = alone("stack to client, arrays", "64 B", "TUN, in C", [100.0], 20)
    assert table([row]).splitlines()[1].split("  ")[-1] == "not measured"
    assert {row.verdict for row in driver.measure(1, None)} == {"not measured", ""}


@pytest.fixture
def device() -> Tun:
    try:
        return Tun()
    except UnavailableError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("size", [64, 1420])
def test_packets_cross_the_tun_device_whole_in_both_directions(device: Tun, size: int) -> None:
    packets = [driver.packet_of(size)[:-1] + bytes([number]) for number in range(2 * tun_module.BURST)]
    with device:
        for source, target in ((device.stack, device.device), (device.device, device.stack)):
            assert device.carry_list(source, target, packets) == packets
            device.carry(source, target, packets[0], len(packets))


def test_a_packet_that_does_not_arrive_is_no_measurement(device: Tun) -> None:
    """The device is asked at the end where nothing comes out: both loops give up, and say what is missing."""
    packet = driver.packet_of(64)
    with device:
        with pytest.raises(WintunSimError, match="of 64 packets through the TUN device 0 arrived"):
            device.carry(device.device, device.device, packet, 64)
        with pytest.raises(WintunSimError, match="did not arrive"):
            device.carry_list(device.device, device.device, [packet])


def test_a_packet_that_the_stack_did_not_get_is_no_measurement() -> None:
    """What is checked after each measurement would notice: here fewer packets are written than are asked for."""
    with driver.Adapter() as adapter:
        adapter.perform(adapter.write(bundle.encode([driver.packet_of(64)])), 1)
        assert len(adapter.received(64, 1)) == 1
        for size, count in ((64, 2), (65, 1)):
            with pytest.raises(WintunSimError, match="the stack received others"):
                adapter.received(size, count)
        with pytest.raises(WintunSimError, match="the client read others"):
            adapter.read(64, 1)


@pytest.mark.parametrize("arguments", [("--rounds", "0"), ("--rounds", "x"), ("--megabytes", "1")])
def test_bad_arguments_end_with_status_2(arguments: tuple[str, ...]) -> None:
    done = bench(*arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
