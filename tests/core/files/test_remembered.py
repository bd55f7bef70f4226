"""What the viewer remembers: kept by name, begun anew where it is damaged, let go where it cannot
be written."""

import pytest

from dlcc.core.files.paths import remembered_file
from dlcc.core.files.remembered import damage, recall, remember


def test_values_are_kept_beside_each_other():
    assert recall("theme", str) == ""
    assert not damage()
    remember(theme="light")
    remember(recent=["a.trace"])
    assert recall("theme", str) == "light"
    assert recall("recent", list) == ["a.trace"]
    assert recall("theme", list) == []  # another type is no value


@pytest.mark.parametrize("content", [b"{", b"[]", b"\xff", b"[" * 100_000])
def test_a_damaged_file_is_begun_anew(content):
    remember(theme="light")
    remembered_file().write_bytes(content)
    assert "damaged" in damage()
    assert recall("theme", str) == ""
    remember(theme="dark")
    assert recall("theme", str) == "dark"
    assert not damage()


def test_what_cannot_be_written_is_let_go(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DLCC_HOME", str(tmp_path / "file"))
    remember(theme="light")
    assert recall("theme", str) == ""
