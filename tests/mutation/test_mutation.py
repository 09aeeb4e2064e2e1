"""The tool that judges the judge: which mutants it makes, which count, and what is found in some."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.mutation import report
from tests.mutation.__main__ import run
from tests.mutation.build import DRIVER, Workshop
from tests.mutation.kill import Judges
from tests.mutation.mutate import mutants
from tests.mutation.report import SAME, Judged
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


FOUND = (
    ("nbl_chain.c", "delete: ++Chain->Count;"),
    ("oid.c", "negate: !TunTakeUlong(Request, &Value) → !(!TunTakeUlong(Request, &Value))"),
    ("oid.c", "operator: < → <="),
    ("irp.c", "number: BUNDLE_MAX_BUFFER_SIZE → (BUNDLE_MAX_BUFFER_SIZE + 1)"),
    ("send.c", "status: NDIS_STATUS_MEDIA_DISCONNECTED → NDIS_STATUS_PAUSED"),
    ("device.c", "constant: TunReadQueueTail → TunReadQueueHead"),
    ("link.c", "swap: TunLinkTell(Adapter, Connected); KeAcquireSpinLock(&Adapter->Lock, &Irql);"),
)
"""One mutant of each kind that one call at a time shows, from as many sources."""

RACE: Final = "One client leaves while another one comes"


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    try:
        return Workshop(tmp_path_factory.mktemp("mutants"))
    except (UnavailableError, builder.BuildError) as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def judges() -> Iterator[Judges]:
    made = Judges()
    yield made
    made.close()


def image_of(workshop: Workshop, file: str, change: str) -> Path:
    """Build the first mutant of a source whose change begins with these words."""
    text = (DRIVER / file).read_text("utf-8")
    mutant = next(mutant for mutant in mutants(file, text) if mutant.what().startswith(change))
    image, digest = build(workshop, file, mutant.apply(text))
    assert digest != workshop.digest(file)
    return image


def build(workshop: Workshop, file: str, text: str) -> tuple[Path, str]:
    """Return an image with another text of a source, and the digest of what that was compiled to."""
    place = workshop.directory / "mutant"
    place.mkdir(exist_ok=True)
    made = workshop.compile(file, text, place)
    assert made is not None
    assert workshop.link(file, made[0], place / "image.so")
    return place / "image.so", made[1]


def test_nothing_is_found_in_the_driver_as_it_is(workshop: Workshop, judges: Judges) -> None:
    """Else every mutant would be found for nothing. The source is compiled anew, and is the same then."""
    image, digest = build(workshop, "oid.c", (DRIVER / "oid.c").read_text("utf-8"))
    assert digest == workshop.digest("oid.c")
    assert judges.play(image) == ""
    assert judges.explore(image, RACE) == ""


@pytest.mark.parametrize(("file", "change"), FOUND)
def test_a_mutant_of_each_kind_is_found(workshop: Workshop, judges: Judges, file: str, change: str) -> None:
    assert judges.play(image_of(workshop, file, change))


def test_a_lock_that_is_not_taken_is_found_by_exploring_only(workshop: Workshop, judges: Judges) -> None:
    image = image_of(workshop, "device.c", "lock: without")
    assert judges.play(image) == ""
    assert judges.explore(image, RACE) == f"explored {RACE}: rule DataRace"


def test_a_mutant_that_breaks_only_what_is_short_is_found(workshop: Workshop, judges: Judges) -> None:
    """What a failed description of a packet leaves behind shows where memory is short, and nowhere else."""
    assert judges.play(image_of(workshop, "receive.c", "delete: NdisFreeMdl(Mdl);")).startswith("shortage: ")


def test_results_are_kept_and_a_run_goes_on_from_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was judged is not judged again; what was only played is explored, unless a reason says that it is vain."""
    calls: list[str] = []

    def play(self: Judges, image: Path) -> str:
        calls.append("play")
        return ""

    def explore(self: Judges, image: Path) -> str:
        calls.append("explore")
        return "explored a race: rule X"

    monkeypatch.setattr(Judges, "play", play)
    monkeypatch.setattr(Judges, "explore", explore)
    results = tmp_path / "results"
    try:
        first = run(["nbl_chain.c"], 3, 1, results)
    except (UnavailableError, builder.BuildError) as error:
        pytest.skip(str(error))
    real = [judged for judged in first if judged.counts]
    assert calls == ["play"] * len(real) + ["explore"] * len(real) != []
    assert {judged.found for judged in real} == {"explored a race: rule X"}
    calls.clear()
    assert run(["nbl_chain.c"], 3, 1, results) == first
    assert calls == []
