"""Work that may end its process is done in one of its own, and any executor can hand it out."""

import os
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import pytest

from wintun_sim.check import worker
from wintun_sim.check.isolated import Death, _own, isolated, team


def double(number: int) -> int:
    return 2 * number


def fall_over(steps: int) -> int:
    for _ in range(steps):
        worker.progress.step()
    os.abort()


@pytest.mark.parametrize("kind", ["team", "threads", "processes"])
def test_work_that_kills_its_process_is_a_result_like_any_other(kind: str) -> None:
    """The work handed out after it is done all the same, whoever the executor is."""
    executor: Executor = ThreadPoolExecutor(2) if kind == "threads" else ProcessPoolExecutor(2)
    if kind == "team":
        executor.shutdown()
        with team(2) as members:
            check_results(members)
    else:
        with executor:
            check_results(executor)


def test_processes_that_are_forked_later_have_workers_of_their_own() -> None:
    """They used to write into the connection of the one that their parent had, all at once."""
    assert isolated(double, 1) == 2
    with ProcessPoolExecutor(2, get_context("fork")) as executor:
        assert list(executor.map(isolated, [double] * 20, range(20))) == [2 * number for number in range(20)]
    assert isolated(double, 3) == 6  # ours was not ended by them
    del _own.kept  # nor does it stay, in this directory, for the tests that follow


def check_results(executor: Executor) -> None:
    futures = [executor.submit(isolated, double, number) for number in range(3)]
    dead = executor.submit(isolated, fall_over, 5)
    futures += [executor.submit(isolated, double, number) for number in range(3, 6)]
    assert [future.result() for future in futures] == [0, 2, 4, 6, 8, 10]
    assert dead.result() == Death("crash", "SIGABRT", 5)
