"""The pytest plugin in other people's hands: their test files are run, and what pytest says is read."""

from __future__ import annotations

import subprocess
import sys

import pytest

# Imported before any inner run of pytest: what such a run imports first is forgotten at its end, and imported anew by
# the next one, with classes of errors that are not those which `wintun_sim` had given out.
import wintun_sim.adapter  # noqa: F401
from wintun_sim.testing.plugin import MACHINES

pytest_plugins = ["pytester"]

SURVIVES_PAUSE = """
import pytest
from wintun_sim import NtStatusError

PACKET = b"\\x45" + bytes(19)

def test_client_survives_pause(wintun_adapter):              # Running, the stack attached
    with wintun_adapter.open() as handle:
        pending = handle.read()                              # overlapped: stays pending
        wintun_adapter.pause()
        with pytest.raises(NtStatusError) as error:
            handle.write([PACKET])
        assert error.value.status == 0xC023002A              # STATUS_NDIS_PAUSED
        wintun_adapter.restart()
        wintun_adapter.stack.send(PACKET)
        assert pending.result().packets == [PACKET]
"""


def run(pytester: pytest.Pytester, text: str, *arguments: str, **outcomes: int) -> pytest.RunResult:
    """Run a test file and compare what became of its tests."""
    pytester.makepyfile(text)
    result = pytester.runpytest("-p", "no:cacheprovider", *arguments)
    result.assert_outcomes(**outcomes)
    return result


@pytest.mark.parametrize(("arguments", "tests"), [((), 1), (("model",), 1), (("driver",), 1), (("both",), 2)])
def test_a_client_survives_a_pause_on_each_machine(
    pytester: pytest.Pytester, arguments: tuple[str, ...], tests: int
) -> None:
    """The first example that anybody pastes."""
    run(pytester, SURVIVES_PAUSE, *(f"--wintun-machine={name}" for name in arguments), passed=tests)


def test_both_machines_are_named_in_the_report(pytester: pytest.Pytester) -> None:
    result = run(pytester, SURVIVES_PAUSE, "--wintun-machine=both", "-v", passed=2)
    for machine in MACHINES:
        result.stdout.fnmatch_lines([f"*::test_client_survives_pause?{machine}? PASSED*"])


def test_the_machine_is_the_one_that_was_asked_for(pytester: pytest.Pytester) -> None:
    text = """
        def test_it(wintun_machine, wintun_adapter, wintun_adapters):
            assert wintun_machine == "driver"
            assert type(wintun_adapter._switchboard.machine).__name__ == "DriverMachine"
            assert type(wintun_adapters("model")._switchboard.machine).__name__ == "ModelMachine"
    """
    run(pytester, text, "--wintun-machine=driver", passed=1)


def test_a_machine_that_there_is_not_is_refused(pytester: pytest.Pytester) -> None:
    result = pytester.runpytest("--wintun-machine=hardware")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--wintun-machine: invalid choice: 'hardware'*"])


def test_a_forgotten_handle_is_an_error_of_its_test_that_says_where(pytester: pytest.Pytester) -> None:
    """The test itself passes; the next one is not touched."""
    text = """
        def client(adapter):
            return adapter.open()

        def test_forgets(wintun_adapter):
            client(wintun_adapter)

        def test_next(wintun_adapter):
            assert wintun_adapter.handles == []
    """
    result = run(pytester, text, passed=2, errors=1)
    result.stdout.fnmatch_lines(
        [
            "*ERROR at teardown of test_forgets*",
            "found when the adapters of this test were closed:",
            "WINTUN0: the handle opened at *.py:2 was never closed; use it in a with block, or close it",
        ]
    )
    result.stdout.no_fnmatch_line("*plugin.py*")


def test_what_all_adapters_of_a_test_left_is_told_together(pytester: pytest.Pytester) -> None:
    text = """
        def test_two(wintun_adapters):
            for _ in range(2):
                wintun_adapters().open()
    """
    result = run(pytester, text, passed=1, errors=1)
    result.stdout.fnmatch_lines(["WINTUN1: the handle opened*", "WINTUN0: the handle opened*"])


def test_a_broken_rule_is_an_error_of_the_test(pytester: pytest.Pytester) -> None:
    text = """
        from wintun_sim.model import ModelMachine
        from wintun_sim.operations import Pause, RuleBroken

        class BreaksARule(ModelMachine):
            def perform(self, operation):
                broken = [RuleBroken(operation.name, "SpinLockBalanced", "a lock is held at return")]
                return [*super().perform(operation), *broken * isinstance(operation, Pause)]

        def test_pause(wintun_adapters):
            wintun_adapters(BreaksARule()).pause()
    """
    result = run(pytester, text, passed=1, errors=1)
    result.stdout.fnmatch_lines(["WINTUN0: pause: the driver broke SpinLockBalanced: a lock is held at return"])


def test_a_test_that_chooses_its_machine_keeps_it(pytester: pytest.Pytester) -> None:
    text = """
        import pytest

        @pytest.mark.parametrize("wintun_machine", ["driver"], indirect=True)
        def test_fixture(wintun_machine, wintun_adapter):
            assert wintun_machine == "driver"

        @pytest.mark.parametrize("number, wintun_machine", [(1, "model")])
        def test_direct(number, wintun_machine, wintun_adapter):
            assert wintun_machine == "model"

        @pytest.mark.parametrize(["wintun_machine"], [("model",)])
        def test_listed(wintun_machine):
            assert wintun_machine == "model"
    """
    run(pytester, text, "--wintun-machine=both", passed=3)


def test_a_fixture_that_is_asked_for_by_name_says_why_it_cannot_be_both(pytester: pytest.Pytester) -> None:
    text = """
        def test_late(request):
            request.getfixturevalue("wintun_adapter")
    """
    run(pytester, text, "--wintun-machine=driver", passed=1)
    result = run(pytester, text, "--wintun-machine=both", errors=0, failed=1)
    result.stdout.fnmatch_lines(["*needs tests that name a wintun fixture as an argument*"])


WITHOUT_DRIVER = """
    import pytest
    from wintun_sim import native
    from wintun_sim.errors import UnavailableError

    @pytest.fixture(scope="session", autouse=True)
    def no_driver():
        def load(name):
            raise UnavailableError("no host kernel here")
        native.load, load = load, native.load
        yield
        native.load = load

    def test_it(wintun_adapter):
        pass
"""


def test_where_there_is_no_driver_both_skips_it_and_driver_fails(pytester: pytest.Pytester) -> None:
    """Who asks for both wants what there is; who asks for the driver must not think that it was tried."""
    result = run(pytester, WITHOUT_DRIVER, "--wintun-machine=both", "-rs", passed=1, skipped=1)
    result.stdout.fnmatch_lines(["SKIPPED*wintun-sim has no driver here: no host kernel here"])
    result = run(pytester, WITHOUT_DRIVER, "--wintun-machine=driver", errors=1)
    result.stdout.fnmatch_lines(["*--wintun-machine=driver: no host kernel here; the model does without"])


def test_hypothesis_makes_an_adapter_for_each_example(pytester: pytest.Pytester) -> None:
    """The fixture with the machine's name lives as long as the session, so hypothesis does not complain of it."""
    text = """
        from hypothesis import given, settings
        from wintun_sim import Adapter
        from wintun_sim.testing.strategies import packets

        @settings(max_examples=20, deadline=None, database=None)
        @given(packets(ip=True, max_size=100))
        def test_any_packet_comes_through(wintun_machine, packet):
            with Adapter(wintun_machine) as adapter, adapter.open() as handle:
                handle.write([packet])
                assert adapter.stack.receive() == packet
    """
    run(pytester, text, "--wintun-machine=both", passed=2)


def test_hypothesis_complains_of_one_adapter_for_all_examples(pytester: pytest.Pytester) -> None:
    """As it must: the second example would meet the first one's packets."""
    text = """
        from hypothesis import given, settings, strategies

        @settings(database=None)
        @given(strategies.booleans())
        def test_it(wintun_adapter, flag):
            pass
    """
    result = run(pytester, text, failed=1)
    result.stdout.fnmatch_lines(["*FailedHealthCheck*function-scoped fixture*"])


def test_the_plugin_costs_a_pytest_that_does_not_use_it_nothing() -> None:
    """It is loaded by every pytest of the environment, also those that test something else."""
    program = """if True:
        import sys
        before = set(sys.modules)
        import pytest
        import wintun_sim.testing.plugin
        ours = {name for name in sys.modules if name.startswith("wintun_sim")}
        assert ours == {"wintun_sim", "wintun_sim.testing", "wintun_sim.testing.plugin"}, ours
        assert not {"cffi", "numpy", "scapy", "hypothesis"} & (set(sys.modules) - before)
    """
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_importing_the_package_loads_none_of_its_rooms() -> None:
    """And yet its names are there, for whoever asks."""
    program = """if True:
        import sys
        import wintun_sim
        assert [name for name in sys.modules if name.startswith("wintun_sim.")] == []
        assert "Adapter" in dir(wintun_sim)
        from wintun_sim import *
        assert Adapter is sys.modules["wintun_sim.adapter"].Adapter
        try:
            wintun_sim.Adaptor
        except AttributeError as error:
            assert "'Adaptor'" in str(error)
        else:
            raise AssertionError
    """
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
