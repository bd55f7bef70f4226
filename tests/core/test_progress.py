"""Windows: the first item soon, many at a time where they are quick, none twice."""

from itertools import chain, count, islice

import pytest

from dlcc.core.progress import windows


def test_windows_grow_up_to_their_size_and_keep_all_in_order() -> None:
    found = list(windows(range(100), 16))
    assert [len(each) for each in found] == [1, 2, 4, 8, 16, 16, 16, 16, 16, 5]
    assert list(chain(*found)) == list(range(100))


def test_what_is_slow_is_done_in_small_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(count(0, 5))
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    assert [len(each) for each in windows(range(5), 16)] == [1] * 5


def test_no_more_is_taken_than_is_dealt_with() -> None:
    numbers = count()
    assert list(islice(windows(numbers, 100), 3)) == [[0], [1, 2], [3, 4, 5, 6]]
    assert next(numbers) == 7
