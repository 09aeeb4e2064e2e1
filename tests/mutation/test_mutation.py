"""The tool that judges the judge: which mutants it makes, which count, and what is found in some."""

import pytest

from tests.mutation import report
from tests.mutation.__main__ import run
from tests.mutation.mutate import mutants
from tests.mutation.report import DOES_NOT_COMPILE, SAME, Judged
from wintun_sim.errors import UnavailableError
from wintun_sim.kernel import builder

SOURCE = """\
/* A comment; if (it) { counts = 0; } */
static int Unchanged = 7;

_Use_decl_annotations_
NTSTATUS TunExample(TUN_ADAPTER *Adapter, ULONG Count)
{
    ULONG Left = Count;

    KeAcquireSpinLock(&Adapter->Lock, &Irql);
    if (Left < 2)
        Adapter->Octets += Left; /* 3 */
    ++Adapter->Packets;
    KeReleaseSpinLock(&Adapter->Lock, Irql);
    return STATUS_CANCELLED;
}
"""


def test_each_kind_of_change_is_made_in_code_and_nowhere_else() -> None:
    """Two assignments that may change places are left as they are; declarations and comments are not touched."""
    found = [mutant.what() for mutant in mutants("example.c", SOURCE)]
    assert sorted(found) == sorted(
        [
            "delete: KeAcquireSpinLock(&Adapter->Lock, &Irql);",
            "lock: without KeAcquireSpinLock(&Adapter->Lock, &Irql) and the release that belongs to it",
            "negate: Left < 2 → !(Left < 2)",
            "operator: < → <=",
            "number: 2 → 3",
            "number: 2 → 1",
            "delete: Adapter->Octets += Left;",
            "operator: += → -=",
            "delete: ++Adapter->Packets;",
            "operator: ++ → --",
            "swap: ++Adapter->Packets; KeReleaseSpinLock(&Adapter->Lock, Irql); →"
            " KeReleaseSpinLock(&Adapter->Lock, Irql); ++Adapter->Packets;",
            "delete: KeReleaseSpinLock(&Adapter->Lock, Irql);",
            "status: STATUS_CANCELLED → STATUS_INVALID_HANDLE",
            "status: STATUS_CANCELLED → NDIS_STATUS_SUCCESS",
        ]
    )


def test_a_mutant_is_its_source_but_for_one_change_and_keeps_its_lines() -> None:
    for mutant in mutants("example.c", SOURCE):
        text = mutant.apply(SOURCE)
        assert text != SOURCE
        assert text.count("\n") == SOURCE.count("\n")
        assert mutant.function == "TunExample"
        assert mutant.context == " ".join(SOURCE.splitlines()[mutant.line - 1].split())


def test_the_reasons_can_be_read() -> None:
    for (file, line, change), reason in report.read_reasons().items():
        assert file.endswith(".c")
        assert line
        assert change
        assert reason.kind in report.KINDS


def test_a_survivor_wants_a_reason_and_a_reason_a_survivor() -> None:
    mutant = mutants("example.c", SOURCE)[0]
    found, same, survivor = Judged(mutant, "walk: outcome irps"), Judged(mutant, SAME), Judged(mutant, "")
    reasons = {survivor.key(): report.Reason("concurrency", "a reason")}
    assert report.wrong([found, same], {}, whole=True) == []
    assert "survived without a reason" in report.wrong([survivor], {}, whole=False)[0]
    assert report.wrong([survivor], reasons, whole=True) == []
    assert "a reason without a survivor" in report.wrong([found], reasons, whole=True)[0]
    assert "| all | 3 | 2 | 1 | 0 | 1 | 0 | 50.0 % |" in report.table([found, same, survivor], reasons)


def test_some_mutants_of_the_driver_are_found() -> None:
    """A few drawn from one source, always the same. Those that survive have reasons, which the campaign looks at."""
    try:
        verdicts = run(["oid.c"], 8, 2, None)
    except (UnavailableError, builder.BuildError) as error:
        pytest.skip(str(error))
    real = [judged for judged in verdicts if judged.found not in (SAME, DOES_NOT_COMPILE)]
    assert len(real) >= 4
    assert sum(bool(judged.found) for judged in real) >= 0.75 * len(real)
