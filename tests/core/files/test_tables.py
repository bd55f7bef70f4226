"""Tables: damage of every kind names its line."""

from pathlib import Path

import pytest

from dlcc.core.errors import DataError
from dlcc.core.files.paths import read_bytes
from dlcc.core.files.tables import read_rows


@pytest.mark.parametrize(
    "line",
    ["[" * 100_000, r'{"text": "\ud800"}', r'{"text": "a", "\udfff": "b"}', "9" * 5000, "5", "{"],
    ids=["nested", "half a pair", "half a pair in a name", "a long number", "a number", "cut off"],
)
def test_a_line_that_is_no_row_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "fine"}\n' + line + "\n")
    with pytest.raises(DataError, match=r"a\.jsonl, line 2 is "):
        list(read_rows(path, "text"))


def test_whole_pairs_are_characters(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(r'{"text": "\ud83d\ude00 \u00e9"}')
    assert [text for _, text, _ in read_rows(path, None)] == ["😀 é"]


def test_a_file_without_an_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dlcc.core.files.paths._MAX_STREAM", 2**20)
    with pytest.raises(DataError, match="has no end"):
        read_bytes(Path("/dev/zero"))
    assert read_bytes(Path("/dev/null")) == b""
