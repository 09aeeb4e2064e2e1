"""A failure that a person is to understand must be short, and must still be the same failure."""

from collections.abc import Sequence

from hypothesis import given, settings

from tests.scenario.strategies import operations
from wintun_sim.check.shrink import shrink
from wintun_sim.operations import Create, Initialize, Load, Nbl, Operation, Read, Send
from wintun_sim.operations.data import ipv4
from wintun_sim.scenario.names import check_operations


@given(operations())
@settings(max_examples=50)
def test_no_candidate_uses_a_name_that_it_does_not_introduce(sequence: list[Operation]) -> None:
    candidates: list[Sequence[Operation]] = []

    def test(candidate: Sequence[Operation]) -> bool:
        candidates.append(candidate)
        return False

    shrink(sequence, test)
    assert all(check_operations(candidate) for candidate in candidates)


def test_two_operations_that_matter_are_found_among_many() -> None:
    sequence: list[Operation] = [Load(name="driver"), Initialize(name="adapter"), Create(name="h")]
    sequence += [Read(name=f"read.{number}", handle="h") for number in range(200)]

    def test(candidate: Sequence[Operation]) -> bool:
        names = {operation.name for operation in candidate}
        return {"read.17", "read.171"} <= names

    shrunk = shrink(sequence, test)
    assert [operation.name for operation in shrunk.operations] == ["driver", "adapter", "h", "read.17", "read.171"]


def test_a_flood_becomes_the_one_packet_that_matters() -> None:
    bad = Nbl((ipv4(84, 500), ipv4(20, 1)), cancel_id=3, mdl_size=16, data_offset=2)
    nbls = tuple(bad if number == 500 else Nbl((ipv4(84, number),)) for number in range(1000))
    sequence: list[Operation] = [Load(name="driver"), Initialize(name="adapter"), Send(name="send", nbls=nbls)]

    def test(candidate: Sequence[Operation]) -> bool:
        return any(
            isinstance(operation, Send) and any(nbl.cancel_id == 3 and nbl.packets for nbl in operation.nbls)
            for operation in candidate
        )

    shrunk = shrink(sequence, test).operations[-1]
    assert isinstance(shrunk, Send)
    assert shrunk.nbls == (Nbl((ipv4(20),), cancel_id=3),)


def test_a_budget_that_runs_out_is_said() -> None:
    sequence: list[Operation] = [Load(name=f"driver.{number}") for number in range(100)]
    shrunk = shrink(sequence, lambda candidate: len(candidate) >= 90, budget=500)
    assert not shrunk.complete
    assert len(shrunk.operations) >= 90
