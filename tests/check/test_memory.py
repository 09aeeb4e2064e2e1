"""A driver may hold as much memory as it likes, and not more each time that all is as it was."""

from wintun_sim.check.memory import GROWTHS, Memory


def first_complaint(*blocks: int) -> int | None:
    """Say after how many looks at one and the same situation the memory has grown too often."""
    memory = Memory()
    return next((number for number, held in enumerate(blocks, 1) if memory.grows("idle", held)), None)


def test_what_grows_each_time_is_found() -> None:
    assert first_complaint(*range(2, 20)) == 1 + GROWTHS


def test_so_is_what_grows_now_and_then() -> None:
    assert first_complaint(2, 2, 3, 3, 3, 4, 5, 5, 6, 6) == 9


def test_what_stays_or_is_given_back_is_not() -> None:
    assert first_complaint(*[2] * 100) is None
    assert first_complaint(*[2, 5, 9, 2] * 25) is None


def test_a_cache_may_fill_up() -> None:
    assert first_complaint(2, *range(3, 2 + GROWTHS), *[1 + GROWTHS] * 100) is None


def test_situations_have_nothing_to_do_with_each_other() -> None:
    memory = Memory()
    assert not any(memory.grows(handles, blocks) for blocks in range(GROWTHS) for handles in range(9))
    assert not any(memory.grows(number, 100 + number) for number in range(10, 50))
