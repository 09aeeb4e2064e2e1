"""An image may end the process that it is loaded into; the judge lives on and says what happened."""

import os
import signal
from collections.abc import Iterator

import pytest

from wintun_sim.check.worker import Worker, WorkerDied
from wintun_sim.errors import UsageError


@pytest.fixture
def worker() -> Iterator[Worker]:
    found = Worker()
    yield found
    found.close()


def add(left: int, right: int) -> int:
    return left + right


def refuse() -> None:
    raise UsageError("not like this")


def step_and_abort(steps: int) -> None:
    from wintun_sim.check import worker

    for _ in range(steps):
        worker.progress.step()
    os.abort()


def test_calls_are_done_in_one_other_process(worker: Worker) -> None:
    assert worker.call(add, 2, 3) == 5
    assert worker.call(os.getpid) == worker.call(os.getpid) != os.getpid()


def test_an_error_of_the_call_is_an_error_of_the_caller(worker: Worker) -> None:
    with pytest.raises(UsageError, match="not like this"):
        worker.call(refuse)
    assert worker.call(add, 1, 1) == 2


def test_a_crash_says_how_far_it_came_and_the_next_call_has_a_new_process(worker: Worker) -> None:
    worker.call(add, 1, 1)
    with pytest.raises(WorkerDied) as death:
        worker.call(step_and_abort, 3)
    assert (death.value.kind, death.value.reason, death.value.steps) == ("crash", "SIGABRT", 3)
    assert worker.call(add, 2, 2) == 4


def test_leaving_without_a_word_is_a_crash_too(worker: Worker) -> None:
    with pytest.raises(WorkerDied) as death:
        worker.call(os._exit, 7)
    assert (death.value.kind, death.value.reason) == ("crash", "exit status 7")


def test_standing_still_is_a_hang() -> None:
    worker = Worker(patience=0.1)
    with pytest.raises(WorkerDied) as death:
        worker.call(signal.pause)
    assert death.value.kind == "hang"
    worker.patience = 60
    assert worker.call(add, 3, 3) == 6
    worker.close()
