"""The tool that judges the judge by false models: which mutants it makes, which count, and what is found in some."""

import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from tests.mutation import report
from tests.mutation.model.__main__ import PARTS, REASONS, digest_of, main
from tests.mutation.model.kill import MODEL, Forge
from tests.mutation.model.mutate import ModelMutant, digest, mutants
from wintun_sim import ndis
from wintun_sim.errors import UnavailableError
from wintun_sim.lifecycle import State
from wintun_sim.native import driver_image

SOURCE = '''\
"""Words; if it counts 1."""

LIMIT: Final = 256
TABLE: Final = (ndis.OID_GEN_XMIT_OK, 2, b"x")


class Example(Core):
    """Of all kinds there is one."""

    def __init__(self) -> None:
        self.count = 0

    def pause(self, queue: deque[int]) -> Steps:
        """Words, 2 of them."""
        first = queue.popleft()
        if not first < LIMIT:
            self.count += first
        yield "in words, 3 of them"
        self.state = State.PAUSED
        self.returned(ndis.NDIS_STATUS_PAUSED)

    def key(self) -> tuple[int, ...]:
        """Return what an exploration tells states apart by."""
        return (self.count + 1,)
'''


def example() -> ModuleType:
    """Return what the names of the source stand for."""
    module = ModuleType("example")
    vars(module).update(LIMIT=256, State=State, ndis=ndis)
    return module


def test_each_kind_of_change_is_made_in_code_and_nowhere_else() -> None:
    """Words, annotations and keys are not touched; nor is the first binding of a name, nor what __init__ sets."""
    found = [mutant.what() for mutant in mutants("example.py", SOURCE, example())]
    assert sorted(found) == sorted(
        [
            "number: 256 → 257",
            "number: 256 → 255",
            "status: ndis.OID_GEN_XMIT_OK → ndis.OID_PNP_QUERY_POWER",
            "delete: ndis.OID_GEN_XMIT_OK,",
            "number: 2 → 3",
            "number: 2 → 1",
            "delete: 2,",
            'constant: b"x" → b"x"[:-1]',
            'delete: b"x"',
            "number: 0 → 1",
            "operator: popleft → pop",
            "negate: not first < LIMIT → not (not first < LIMIT)",
            "operator: not → nothing",
            "operator: < → <=",
            "number: LIMIT → (LIMIT + 1)",
            "delete: self.count += first",
            "operator: += → -=",
            "swap: if not first < LIMIT: … ↔ self.state = State.PAUSED",
            "delete: self.state = State.PAUSED",
            "constant: State.PAUSED → State.RESTARTING",
            "swap: self.state = State.PAUSED ↔ self.returned(ndis.NDIS_STATUS_PAUSED)",
            "delete: self.returned(ndis.NDIS_STATUS_PAUSED)",
            "status: ndis.NDIS_STATUS_PAUSED → ndis.NDIS_STATUS_PENDING",
            "status: ndis.NDIS_STATUS_PAUSED → ndis.NDIS_STATUS_SUCCESS",
        ]
    )


def test_a_mutant_is_its_source_but_for_one_change_and_keeps_its_lines() -> None:
    for mutant in mutants("example.py", SOURCE, example()):
        text = mutant.apply(SOURCE)
        assert text != SOURCE
        assert text.count("\n") == SOURCE.count("\n")
        assert digest(text)
        assert mutant.context == " ".join(SOURCE.splitlines()[mutant.line - 1].split())


def test_what_python_makes_the_same_of_is_one_mutant() -> None:
    """Where a thing stands does not matter; ``is not`` instead of ``is`` and the whole negated are one change."""
    assert digest("x = 1\n") == digest("\n\nx  =  1\n")
    assert digest("x = 1\n") != digest("x = True\n")
    assert digest("x = 1 if y is None else 2") != digest("x = 1 if y is not None else 2")
    assert digest("x = 1 if y is not None else 2") == digest("x = 1 if not (y is None) else 2")
    assert digest('def f():\n    yield "one"\nx = 1\n') == digest(
        'def f():\n    """Words."""\n    yield "two"\nx = 1\n"""More."""\n'
    )
    assert digest('def f():\n    """Words."""\n') != digest("def f():\n    yield 1\n")
    assert digest("x = (\n") == ""


def of_model(part: str, function: str, change: str) -> tuple[ModelMutant, str]:
    """Return the first mutant of the model that is so described, and the text of its module."""
    text = (MODEL / part).read_text("utf-8")
    module = importlib.import_module(f"wintun_sim.model.{Path(part).stem}")
    found = [m for m in mutants(part, text, module) if (m.function, m.what()) == (function, change)]
    return found[0], found[0].apply(text)


@pytest.fixture(scope="module")
def forge() -> Iterator[Forge]:
    try:
        driver_image(instrumented=True)
    except UnavailableError as error:
        pytest.skip(str(error))
    made = Forge()
    yield made
    made.close()


@pytest.mark.parametrize(
    ("part", "function", "change"),
    [
        ("core.py", "Core.leave", "delete: self.active -= count"),
        ("life.py", "Life.pause", "negate: self.may_end_pause() → not (self.may_end_pause())"),
        ("client.py", "check_length", "operator: <= → =="),
        ("client.py", "Client.write", "number: 1 → 2"),
        ("client.py", "is_ip", "operator: < → <="),
        ("core.py", "Core.refuse_traffic", "status: ndis.STATUS_NDIS_LOW_POWER_STATE → ndis.STATUS_SUCCESS"),
        ("life.py", "Life.restart", "constant: State.RUNNING → State.PAUSING"),
        ("core.py", "Core.complete_nbl", "swap: self.sending_again = True ↔ yield from self.send((nbl,))"),
        ("pump.py", "Pump.take_read", "operator: popleft → pop"),
        ("attributes.py", "attributes_of", "number: 0 → 1"),
    ],
)
def test_a_mutant_of_each_kind_is_found(forge: Forge, part: str, function: str, change: str) -> None:
    mutant, text = of_model(part, function, change)
    assert forge.play(mutant.file, text)


def test_nothing_is_found_in_the_model_as_it_is_and_an_equivalent_mutant_is_none(forge: Forge) -> None:
    text = (MODEL / "limits.py").read_text("utf-8")
    assert forge.play("limits.py", text) == ""
    assert digest(text) == digest(text.replace("1_000", "1000"))


def test_a_mutant_without_an_end_is_ended_and_one_that_cannot_be_imported_is_found(forge: Forge) -> None:
    _, text = of_model("core.py", "Core.indicate_link", "delete: self.link_indicated += 1")
    assert forge.play("core.py", text, seconds=1) == "hang: no end"
    assert forge.play("limits.py", "raise KeyError\n") == "import: exception KeyError"


def test_the_reasons_can_be_read() -> None:
    for (file, function, line, change), reason in report.read_reasons(REASONS).items():
        assert file in PARTS
        assert function
        assert line
        assert change
        assert reason.kind in report.KINDS


def test_a_survivor_without_a_reason_and_a_reason_without_a_survivor_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The verdicts are given here, so that nothing is judged; the same file is what a campaign goes on from."""
    text = (MODEL / "limits.py").read_text("utf-8")
    made = mutants("limits.py", text, importlib.import_module("wintun_sim.model.limits"))
    survivor = made[0]
    results, reasons = tmp_path / "results", tmp_path / "reasons.toml"
    words = ["--only", "limits.py", "--quick", "--results", str(results), "--reasons", str(reasons)]

    def ends_with(reason: str, found: str) -> int:
        known = {f"limits.py/{digest(mutant.apply(text))}": "walk: outcome irps" for mutant in made}
        known |= {
            f"limits.py/{digest(survivor.apply(text))}": found,
            digest_of({part: (MODEL / part).read_text("utf-8") for part in PARTS}): "",
        }
        results.write_text("".join(json.dumps(pair) + "\n" for pair in known.items()), "utf-8")
        reasons.write_text(reason, "utf-8")
        return main(words)

    reason = f"""
        [[survivor]]
        file = "limits.py"
        function = "{survivor.function}"
        line = "{survivor.context}"
        kind = "open"
        why = "for once"
        changes = ["{survivor.what()}"]
    """
    assert ends_with("", "") == 1
    assert f"survived without a reason: limits.py:{survivor.line}" in capsys.readouterr().out
    assert ends_with(reason, "") == 0
    assert "| 0 | 0 | 1 |" in capsys.readouterr().out
    assert ends_with(reason, "walk: outcome irps") == 1
    assert "a reason without a survivor: limits.py" in capsys.readouterr().out
    assert ends_with("", "walk: outcome irps") == 0
    assert ends_with("[[survivor]]\nkind = 'none'\nwhy = ''\n", "") == 2
