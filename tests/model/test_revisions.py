"""One repair at a time taken back: what one sees without it, and what one sees with it.

Each line of the table is a short story on two adapters that differ in that repair alone; what the repaired one does is
typed from the adapter's description, what the other does from the published driver's.
"""

import ast
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import pytest

from tests.model.world import (
    CANCELLED,
    D2,
    D3,
    INVALID_DATA,
    INVALID_USER_BUFFER,
    LOW_POWER,
    MEDIA_DISCONNECTED,
    PAUSED,
    RESOURCES,
    SEND_ABORTED,
    SUCCESS,
    World,
    back_again,
    bundle,
    ipv4,
    link,
    nbl,
    opened,
    packets_of,
    returned,
    sent,
)
from wintun_sim.errors import UsageError
from wintun_sim.model import (
    BEFORE,
    CURRENT,
    REPAIRS,
    REVISIONS,
    UPSTREAM,
    Adapter,
    UndefinedUpstream,
    repairs,
    revision,
    taken_back,
)
from wintun_sim.model.limits import QUEUE_LIMIT
from wintun_sim.model.repairs import PLACES, undefined
from wintun_sim.model.requests import SentNbl
from wintun_sim.operations import Event, IrpCompleted, OidCompleted, OidKind

LEFT = 0x5A5A5A5A


def delivered(world: World) -> object:
    world.read()
    return world.send(ipv4())[0]


def header(world: World) -> object:
    world.send(ipv4(21))
    event = world.read()[-1]
    assert isinstance(event, IrpCompleted)
    return event.data[4:16] + event.data[37:]


def longest(world: World) -> object:
    world.send(*[ipv4()] * 300)
    return len(packets_of(world.read()))


def short_read(world: World) -> object:
    return world.read(length=61_439)


def failed_copy(world: World) -> object:
    world.read()
    return world.send(nbl(ipv4(20, 1), ipv4(20, 2), unmapped=[1]))


def nbls_in_hand(world: World) -> object:
    """A full queue and one more NBL that is being copied."""
    adapter = world.machine.adapters["a"]
    world.send(*[ipv4()] * (QUEUE_LIMIT - 1))
    adapter.copying.append(SentNbl("other", 0, nbl(ipv4()), again=False))
    return world.send(ipv4())


def overflow(world: World) -> object:
    world.send(*[ipv4()] * (QUEUE_LIMIT + 1))
    return world.statistics()


def cancelled_half_read(world: World) -> object:
    world.send(nbl(ipv4(61_424), ipv4(), cancel_id=7))
    world.read()
    try:
        return world.cancel_send(7)
    except UndefinedUpstream as error:
        return error.place


def second_handle(world: World) -> object:
    return world.create()


def last_close(world: World) -> object:
    world.send(ipv4())
    return world.leave()


def no_client(world: World) -> object:
    world.leave()
    return world.send(ipv4())


def sleep(world: World) -> object:
    world.send(ipv4())
    return world.set_power(D3)[:-1]


def no_power_state(world: World) -> object:
    (event,) = world.set_power(77)
    assert isinstance(event, OidCompleted)
    return event.status


def shutdown(world: World) -> object:
    world.send(ipv4())
    return world.shutdown()


def late_read(world: World) -> object:
    world.cleanup()
    return world.read()


def registered(world: World) -> object:
    return world.machine.attributes("a").ndis_version


def sent_again_while_two_wait(world: World) -> object:
    world.read()
    world.read()
    events = world.send(ipv4(), again=True)
    return [(event.operation, event.information) for event in events if isinstance(event, IrpCompleted)]


def cancelled_and_sent_again(world: World) -> object:
    world.send(nbl(ipv4(), cancel_id=7), again=True)
    try:
        return world.cancel_send(7)
    except UndefinedUpstream as error:
        return error.place


def halt_running(world: World) -> object:
    world.read()
    return world.halt()


def irp(operation: str, status: int = SUCCESS, handle: str = "h1") -> IrpCompleted:
    return IrpCompleted(operation, handle, status)


Story = Callable[[World], object]
STORIES: dict[str, list[tuple[Story, object, object]]] = {
    "send-status": [
        (delivered, sent("s1", LEFT), sent("s1", SUCCESS)),
        (lambda world: world.send(nbl()), [sent("s1", LEFT)], [sent("s1", SUCCESS)]),
    ],
    "zero-padding": [(header, b"\xa5" * 23, bytes(23))],
    "packet-limit": [(longest, 300, 256)],
    "read-check": [(short_read, [], [irp("r1", INVALID_USER_BUFFER)])],
    "copy-failure": [
        (
            failed_copy,
            [sent("s1", RESOURCES)],
            [sent("s1", RESOURCES), IrpCompleted("r1", "h1", SUCCESS, 48, bundle(ipv4(20, 1)))],
        )
    ],
    "overflow-count": [(nbls_in_hand, [sent("s1", SEND_ABORTED)], [])],
    "overflow-order": [(overflow, {}, {"ifOutDiscards": 1})],
    "cancel-send": [(cancelled_half_read, "cancelled cursor", [sent("s1", SEND_ABORTED)])],
    "link-duplicates": [(second_handle, [link(True), irp("h2", handle="h2")], [irp("h2", handle="h2")])],
    "stale-packets": [
        (
            last_close,
            [irp("cleanup1"), link(False), irp("close1")],
            [irp("cleanup1"), sent("s1", MEDIA_DISCONNECTED), link(False), irp("close1")],
        ),
        (no_client, [], [sent("s1", MEDIA_DISCONNECTED)]),
    ],
    "low-power": [(sleep, [], [sent("s1", LOW_POWER)]), (no_power_state, SUCCESS, INVALID_DATA)],
    "shutdown": [(shutdown, [returned("shutdown1")], [sent("s1", PAUSED), returned("shutdown1")])],
    "version": [(registered, 0x61E, 0x650)],
    "one-pump": [(sent_again_while_two_wait, [("r2", 48), ("r1", 48)], [("r1", 96)])],
    "locked-completion": [(cancelled_and_sent_again, "lock held", [back_again("s1", SEND_ABORTED)])],
    "late-read": [(late_read, [], [irp("r1", CANCELLED)])],
    "halt-rundown": [(halt_running, [returned("halt1")], [irp("r1", CANCELLED), returned("halt1")])],
}


@pytest.mark.parametrize("name", STORIES)
def test_a_repair_taken_back_is_seen_and_upstream_shows_the_same(name: str) -> None:
    for story, without, repaired in STORIES[name]:
        assert story(opened("raw", taken_back(name))) == without
        assert story(opened("raw")) == repaired


def test_every_repair_that_can_be_taken_back_has_its_story() -> None:
    assert {name for name, repair in REPAIRS.items() if repair.taken_back is not None} == set(STORIES)
    for repair in REPAIRS.values():
        assert repair.taken_back is None or issubclass(UPSTREAM, repair.taken_back)


def test_the_other_repairs_are_named_too() -> None:
    assert {name for name, repair in REPAIRS.items() if repair.taken_back is None} == {*("double-fetch", "bounds")}


@pytest.mark.parametrize(("first", "second"), list(combinations(STORIES, 2)))
def test_any_two_repairs_can_be_taken_back_at_once(first: str, second: str) -> None:
    """Neither hides the other, but where one is about statuses that the other's story shows."""
    for name, other in ((first, second), (second, first)):
        if other == "send-status" or {first, second} == {"overflow-count", "overflow-order"}:
            continue
        for story, without, _ in STORIES[name]:
            if (name, other) == ("copy-failure", "zero-padding"):
                continue
            assert story(opened("raw", taken_back(first, second))) == without


def test_a_pause_that_a_shutdown_overtook_never_ends_without_the_repair() -> None:
    """NDIS waits for ever. With the repair it ends when the last NBL is back."""
    for taken in ("-shutdown", "CURRENT"):
        world = opened("raw", revision(taken))
        adapter = world.machine.adapters["a"]
        adapter.active += 1
        assert world.pause() == [returned("pause1", 0x103)]
        world.shutdown()
        for _ in adapter.leave(1):
            pass
        events: list[Event] = list(world.machine.take_events())
        assert [event.verb for event in events] == ([] if taken == "-shutdown" else ["paused"])


def test_names_of_revisions() -> None:
    assert REVISIONS == {"CURRENT": CURRENT, "UPSTREAM": UPSTREAM, "BEFORE": BEFORE}
    for name, found in REVISIONS.items():
        assert revision(name) is found
    assert issubclass(revision("-late-read,-shutdown"), REPAIRS["shutdown"].taken_back or CURRENT)
    with pytest.raises(UsageError, match=r"revision NOW: there is none; .* CURRENT, UPSTREAM, BEFORE"):
        revision("NOW")
    with pytest.raises(UsageError, match=r"revision -late: there is no such repair"):
        revision("-late")
    assert opened("raw", revision("-bounds,-version")).read(length=0) == opened("raw").read(length=0)


def test_what_all_revisions_answer_alike() -> None:
    """OIDs other than the power state, and the device's own security."""
    answers = []
    for found in REVISIONS.values():
        world = opened("raw", found)
        answers.append([world.oid(OidKind.QUERY, oid, 64) for oid in (0x00010111, 0x0001010D, 0x0001010C, 0x00020101)])
    assert answers[0] == answers[1] == answers[2]
    assert opened("raw", BEFORE).set_power(D2) == opened("raw").set_power(D2)


def test_the_page_on_revisions_has_every_repair_and_every_undefined_place() -> None:
    text = (Path(__file__).parents[2] / "docs" / "revisions.md").read_text("utf-8")
    for repair in REPAIRS.values():
        modelled = "no" if repair.taken_back is None else class_of(repair.taken_back)
        assert f"| {repair.name} | {repair.upstream} | {repair.current} | {modelled} |\n" in text
    sections = dict(section.split("\n", 1) for section in text.split("\n## ")[1:])
    assert [row[0] for row in table_of(sections["The repairs"])] == list(REPAIRS)
    assert dict(table_of(sections["What upstream leaves undefined"])) == PLACES


def class_of(taken_back: type[Adapter]) -> str:
    """Return where a reader finds the class, below wintun_sim.model.repairs."""
    return f"`{taken_back.__module__.rsplit('.', 1)[1]}.{taken_back.__name__}`"


def table_of(text: str) -> list[list[str]]:
    """Return the cells of the one table in a Markdown text, without its head."""
    rows = [line for line in text.splitlines() if line.startswith("|")]
    return [row.strip("| ").split(" | ") for row in rows[2:]]


def test_every_place_is_one_where_the_model_gives_up_and_there_are_no_others() -> None:
    """The list is kept by hand, beside the steps that raise: what raises without it would be a surprise to a user."""
    constants = {name: place for name, place in vars(undefined).items() if isinstance(place, str) and name.isupper()}
    raised = set()
    for path in Path(repairs.__path__[0]).glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "UndefinedUpstream":
                place = node.args[0]
                assert isinstance(place, ast.Name), f"{path.name}:{node.lineno}: give the place by its constant"
                raised.add(constants[place.id])
    assert raised == set(PLACES) == set(constants.values())
