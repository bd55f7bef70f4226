"""`dlcc learn`: the list, and lessons as plain text."""

import pytest

from dlcc.core.files.paths import remembered_file
from dlcc.core.files.remembered import remember
from dlcc.core.lessons import lesson


def test_the_list_says_what_is_done(run_dlcc):
    remember(lessons=["03-masks"])
    lines = run_dlcc("learn").stdout.splitlines()
    assert len(lines) == 10
    assert lines[2] == " 3  Masks  (done)"
    assert lines[3].startswith(" 4")
    assert "done" not in lines[3]


def test_damaged_progress_is_said_and_nothing_is_done(run_dlcc):
    remember(lessons=["03-masks"])
    remembered_file().write_text("{")
    listed = run_dlcc("learn")
    assert listed.exit_code == 0
    assert "done" not in listed.stdout
    assert "is damaged" in listed.stderr


@pytest.mark.parametrize("number", range(1, 11))
def test_a_lesson_is_printed_as_plain_text(run_dlcc, number):
    chosen = lesson(number)
    printed = run_dlcc("learn", number, "--print")
    assert printed.exit_code == 0
    assert "\x1b" not in printed.stdout
    assert chosen.title in printed.stdout
    words = " ".join(printed.stdout.split())
    assert chosen.question.ask in words
    answer = chosen.question.options[chosen.right()]
    assert f"Answer: {chosen.right() + 1}, {answer}." in words
    for page in chosen.pages:
        assert f"To do in the viewer: {page.do}" in words or not page.do
    assert max(map(len, printed.stdout.splitlines())) <= 80
    assert run_dlcc("learn", number).stdout == printed.stdout  # no terminal: the same


def test_no_such_lesson(run_dlcc):
    refused = run_dlcc("learn", 11)
    assert refused.exit_code == 2
    assert "from 1 to 10" in refused.stderr
