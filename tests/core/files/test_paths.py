"""Paths follow DLCC_HOME, and a file is written whole or not at all."""

from pathlib import Path

import pytest

from dlcc.core.errors import DataError
from dlcc.core.files.paths import asset, cache_dir, runs_dir, write_atomically


def test_dlcc_home_moves_everything(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DLCC_HOME", str(tmp_path))
    assert cache_dir() == tmp_path / "cache"
    assert runs_dir() == tmp_path / "data" / "runs"
    monkeypatch.delenv("DLCC_HOME")
    assert "dlcc" in cache_dir().parts[-1]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "result.txt"
    write_atomically(path, lambda temporary: temporary.write_text("old"))

    def fail(temporary: Path) -> None:
        temporary.write_text("half")
        raise RuntimeError("stopped")

    with pytest.raises(RuntimeError):
        write_atomically(path, fail)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_place_that_cannot_be_written_is_a_data_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="file is no folder"):
        write_atomically(tmp_path / "file" / "below", lambda temporary: None)


def test_a_link_stays_a_link_and_only_files_are_replaced(tmp_path: Path) -> None:
    link = tmp_path / "link.txt"
    link.symlink_to(tmp_path / "real.txt")
    write_atomically(link, lambda temporary: temporary.write_text("new"))
    assert link.is_symlink()
    assert (tmp_path / "real.txt").read_text() == "new"
    with pytest.raises(DataError, match="no ordinary file"):
        write_atomically(tmp_path, lambda temporary: temporary.write_text("new"))


def test_a_missing_asset_says_what_to_do() -> None:
    with pytest.raises(DataError, match="install dlcc again"):
        asset("nothing.bin")
