"""Rows of token numbers: the same in memory and in a file."""

import random

import numpy as np
import pytest

from dlcc.core.errors import DataError
from dlcc.core.files import memory, paths, rows
from dlcc.core.files.rows import Rows


@pytest.mark.parametrize("room", [2**20, 40, 0])
def test_rows_are_as_they_were_given(monkeypatch: pytest.MonkeyPatch, room: int) -> None:
    draw = random.Random(0)
    given = [[draw.randrange(2**31) for _ in range(draw.randrange(5))] for _ in range(300)]
    given[0] = given[-1] = []
    monkeypatch.setattr(rows, "room_in_memory", lambda: room)
    monkeypatch.setattr(rows, "_AT_ONCE", 100)
    found = Rows(iter(given))
    assert isinstance(found.numbers, np.memmap) == (room < 2**20)
    assert list(found) == given == found[:]
    assert found[-2] == given[-2]
    assert found[5:9] == given[5:9]
    assert list(found.lengths) == [*map(len, given)]
    assert found.numbers.tolist() == [number for row in given for number in row]
    assert not any(paths.cache_dir().glob("*"))


def test_no_rows_are_none() -> None:
    assert not Rows([])


def test_a_folder_that_cannot_be_written_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "room_in_memory", lambda: 0)
    paths.cache_dir().parent.mkdir(exist_ok=True)
    paths.cache_dir().write_text("no folder")
    with pytest.raises(DataError, match="cannot write"):
        Rows([[1, 2]])


def test_data_may_take_a_part_of_what_is_free() -> None:
    assert 2**20 < memory.room_in_memory() < 2**45
