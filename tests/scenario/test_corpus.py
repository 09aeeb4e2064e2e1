"""The scenarios that ship: what they expect holds on the model and on the driver, with each version of NDIS.

What they expect was typed from the documentation. So where both machines agree and a scenario does not, both are wrong.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import pytest

from wintun_sim import ndis
from wintun_sim.check.task import Task, perform
from wintun_sim.check.worker import Worker
from wintun_sim.errors import UnavailableError
from wintun_sim.operations import (
    Event,
    IrpCompleted,
    NblCompleted,
    Oid,
    OidCompleted,
    OidKind,
    Operation,
    Refused,
    SetPower,
)
from wintun_sim.scenario import Scenario, load, shipped
from wintun_sim.scenario.scenario import VERSIONS

CORPUS = {name: load(path) for name, path in shipped().items()}


def versions_of(scenario: Scenario) -> tuple[tuple[int, int], ...]:
    """Return the versions of NDIS with which it is the same story: all, unless it is about another one."""
    return VERSIONS if scenario.ndis in VERSIONS else (scenario.ndis,)


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    """A process that may die of a driver, for all scenarios."""
    members = Worker()
    yield members
    members.close()


@pytest.mark.parametrize(
    ("name", "version"),
    [(name, version) for name, scenario in CORPUS.items() for version in versions_of(scenario)],
    ids=lambda value: value if isinstance(value, str) else f"{value[0]}.{value[1]}",
)
def test_a_scenario_goes_as_expected_on_both_machines(name: str, version: tuple[int, int], worker: Worker) -> None:
    scenario = CORPUS[name]
    task = Task(scenario.order, version, 0, name=name, scenario=scenario)
    try:
        finding = worker.call(perform, task, None).finding
    except UnavailableError as reason:
        pytest.skip(str(reason))
    assert finding is None, finding.message


def expected(scenario: Scenario) -> Iterator[Event]:
    """Give all the events that a scenario expects of any revision."""
    return (entry.event for step in scenario.steps() for entry in step.expected if entry.event is not None)


def operations() -> Iterator[Operation]:
    """Give the operations of the whole corpus."""
    return (operation for scenario in CORPUS.values() for operation in scenario.operations())


def test_each_scenario_says_what_it_is_about_and_expects_something() -> None:
    for name, scenario in CORPUS.items():
        assert scenario.title, name
        assert any(True for _ in expected(scenario)), name


def test_no_two_scenarios_are_about_the_same() -> None:
    assert len({scenario.title for scenario in CORPUS.values()}) == len(CORPUS)


def test_every_oid_is_queried_and_set_with_lengths_on_both_sides_of_each_limit() -> None:
    asked = {(op.kind, op.oid, op.length) for op in operations() if isinstance(op, Oid) and not op.direct}
    for kind, row in product((OidKind.QUERY, OidKind.SET), ndis.OIDS):
        assert any((kind, row.value) == (other, oid) for other, oid, _ in asked), f"{kind.value} {row.name}"
    sizes = {ndis.OID_GEN_VENDOR_DESCRIPTION: 14, ndis.OID_GEN_STATISTICS: 152, ndis.OID_GEN_INTERRUPT_MODERATION: 12}
    answered = {
        op.oid
        for scenario in CORPUS.values()
        for step in scenario.steps()
        if isinstance(op := step.operation, Oid) and op.kind is OidKind.QUERY and not op.direct
        for event in step.expected_for("CURRENT") or ()
        if isinstance(event, OidCompleted) and event.status == ndis.NDIS_STATUS_SUCCESS
    }
    for oid in answered - {ndis.OID_PNP_QUERY_POWER}:
        size = sizes.get(oid, 4)
        lengths = {length for kind, other, length in asked if (kind, other) == (OidKind.QUERY, oid)}
        assert {0, size - 1, size} <= lengths, ndis.name_of_oid(oid)
        assert max(lengths) > size, ndis.name_of_oid(oid)
    for oid in (ndis.OID_GEN_XMIT_OK, ndis.OID_GEN_RCV_OK):
        assert {3, 4, 7, 8, 9} <= {length for kind, other, length in asked if (kind, other) == (OidKind.QUERY, oid)}


def test_every_power_state_is_set_and_some_that_do_not_exist() -> None:
    assert {0, 1, 2, 3, 4, 5} <= {operation.state for operation in operations() if isinstance(operation, SetPower)}


def test_every_status_that_the_adapter_can_give_is_expected_somewhere() -> None:
    """But for those of a shortage, which a scenario cannot say (tests/driver)."""
    found: dict[type[Event], set[int]] = {IrpCompleted: set(), NblCompleted: set(), OidCompleted: set()}
    for scenario in CORPUS.values():
        for event in expected(scenario):
            if isinstance(event, IrpCompleted | NblCompleted | OidCompleted):
                found[type(event)].add(event.status)
    assert found[IrpCompleted] >= {
        ndis.STATUS_SUCCESS,
        ndis.STATUS_CANCELLED,
        ndis.STATUS_INVALID_HANDLE,
        ndis.STATUS_INVALID_PARAMETER,
        ndis.STATUS_INVALID_USER_BUFFER,
        ndis.STATUS_ACCESS_DENIED,
        ndis.STATUS_NDIS_PAUSED,
        ndis.STATUS_NDIS_LOW_POWER_STATE,
    }
    assert found[NblCompleted] >= {
        ndis.NDIS_STATUS_SUCCESS,
        ndis.NDIS_STATUS_RESOURCES,
        ndis.NDIS_STATUS_INVALID_LENGTH,
        ndis.NDIS_STATUS_SEND_ABORTED,
        ndis.NDIS_STATUS_MEDIA_DISCONNECTED,
        ndis.NDIS_STATUS_PAUSED,
        ndis.NDIS_STATUS_LOW_POWER_STATE,
    }
    assert found[OidCompleted] >= {
        ndis.NDIS_STATUS_SUCCESS,
        ndis.NDIS_STATUS_INVALID_LENGTH,
        ndis.NDIS_STATUS_INVALID_DATA,
        ndis.NDIS_STATUS_INVALID_OID,
        ndis.NDIS_STATUS_NOT_SUPPORTED,
    }


def test_what_windows_never_does_is_shown_as_refused() -> None:
    refused = {
        step.operation.verb
        for scenario in CORPUS.values()
        for step in scenario.steps()
        if any(isinstance(entry.event, Refused) for entry in step.expected)
    }
    assert refused >= {"restart", "pause", "halt", "shutdown", "unload", "create", "cleanup", "close", "read", "write"}
    assert refused >= {"send", "oid", "set-power", "surprise-remove"}
