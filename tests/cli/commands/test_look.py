"""`dlcc look`, and a source of somebody else's package everywhere that ours are."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from installing import declare, install_into
from viewing import Viewed, view

from dlcc.cli.options import command_of
from dlcc.cli.tui.screens.map import MapScreen
from dlcc.core import sources
from dlcc.core.trace.trace import load_traces

LETTERS = Path(__file__).parents[2] / "samples" / "letters"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of installed packages."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    yield folder
    sources._loaded.cache_clear()


@pytest.fixture
def letters(site: Path) -> None:
    install_into(site, LETTERS)


def test_it_is_one_short_file() -> None:
    assert len((LETTERS / "dlcc_letters.py").read_text().splitlines()) < 40


@pytest.mark.usefixtures("letters")
def test_it_is_listed_with_what_it_asks(run_dlcc: Any) -> None:
    names = ["attend", "hf", "letters", "sentiment", "translate", "vit"]
    listed = json.loads(run_dlcc("look", "--json").stdout)["results"]
    assert [each["name"] for each in listed] == names
    assert listed[2]["asks"][0] == {"label": "A word", "example": "attention"}
    lines = run_dlcc("look").stdout.splitlines()
    assert lines[7:10] == [
        "letters    Letters: which letters of one word stand in another",
        "             A word: attention",
        "             Another word: intention",
    ]


@pytest.mark.usefixtures("letters")
def test_its_attention_is_printed_saved_exported_and_viewed(run_dlcc: Any, tmp_path: Path) -> None:
    shown = run_dlcc("look", "letters", "tea", "ate", "--numbers").stdout
    assert "tea in ate" in shown
    assert "t .00 1.0 .00 → t 1.00" in " ".join(shown.split())
    saved, exported = tmp_path / "a.trace", tmp_path / "a.csv"
    result = run_dlcc("look", "letters", "tea", "ate", "--save", saved, "--export", exported)
    assert result.stdout.splitlines()[0] == "tea in ate"
    (trace,) = load_traces(saved)
    assert trace.made_by == {"source": "letters", "asked": ["tea", "ate"]}
    assert command_of(trace.made_by) == "dlcc look letters tea ate"
    assert "tea in ate,layer 1,1,1,t,2,t,1.000000," in exported.read_text()
    (found,) = json.loads(run_dlcc("look", "letters", "tea", "ate", "--json").stdout)["results"]
    assert np.array(found["weights"]) == pytest.approx(trace.weights)
    assert found["made_by"]["command"] == "dlcc look letters tea ate"
    assert "tea in ate" in run_dlcc("look", "letters", "tea", "ate", "--tui").stdout  # no terminal
    assert "attention in intention" in run_dlcc("look", "letters").stdout  # its own examples


@pytest.mark.usefixtures("letters")
def test_the_start_screen_offers_it() -> None:
    async def steps(viewed: Viewed) -> None:
        assert "Letters: which letters of one word stand in another ..." in viewed.text
        await viewed.press("j", "j", "enter")
        await viewed.type("tea")
        await viewed.press("enter", "enter")
        await viewed.until(lambda: isinstance(viewed.app.screen, MapScreen))
        assert viewed.state.trace.title == "tea in intention"
        await viewed.press("C")
        assert "dlcc look letters tea intention --save view.trace" in viewed.text

    view(None, steps)


@pytest.mark.usefixtures("letters")
def test_another_process_finds_it_and_loads_no_torch(site: Path) -> None:
    code = (
        "import sys; sys.argv = ['dlcc', 'look', 'letters']\n"
        "from dlcc.cli import main\n"
        "try: main()\n"
        "finally: print({'torch', 'textual'} & set(sys.modules), file=sys.stderr)"
    )
    environment = {**os.environ, "PYTHONPATH": str(site)}
    command = [sys.executable, "-c", code]
    run = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    assert "attention in intention" in run.stdout
    assert run.stderr == "set()\n"


@pytest.mark.parametrize(
    ("module", "said"),
    [
        (None, "ModuleNotFoundError: No module named 'strange'"),
        ("import nowhere", "ModuleNotFoundError: No module named 'nowhere'"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("", "AttributeError: module 'strange' has no attribute 'SOURCE'"),
        ("SOURCE = 3", "strange:SOURCE is no source: it has no title, no asks, no traces"),
    ],
)
def test_one_that_does_not_load_is_one_line(
    run_dlcc: Any, site: Path, module: str | None, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare(site, "strange", {"dlcc.sources": {"strange": "strange:SOURCE"}})
    monkeypatch.delitem(sys.modules, "strange", raising=False)
    if module is not None:
        (site / "strange.py").write_text(module)
    result = run_dlcc("look", "strange", "a")
    assert result.exit_code == 3
    assert said in result.stderr
    assert len(result.stderr.splitlines()) == 1
    listed = run_dlcc("look")
    assert listed.exit_code == 0
    assert said in listed.stdout
    assert "Translate an English sentence" in listed.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["nowhere"], 2, "no source nowhere: choose one of attend, hf, sentiment, translate, vit"),
        (["vit"], 2, "vit asks for File: give it"),
        (["translate", "a", "b"], 2, "2 answers, but translate asks for 1: English"),
        (["attend", "--layer", "2"], 2, "--layer 2: from 1 to 1"),
        (["attend", "--head", "0"], 2, "--head 0: from 1 to 1"),
        (["attend", "--export", "a.bmp"], 2, "a.bmp: end it in .svg"),
        (["attend", "--json", "--tui"], 2, "give one of them"),
    ],
)
def test_what_cannot_be_looked_at_is_one_line(
    run_dlcc: Any, arguments: list[str], code: int, said: str
) -> None:
    result = run_dlcc("look", *arguments)
    assert (result.exit_code, result.stdout) == (code, "")
    assert said in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_our_own_sources_are_looked_at_by_layer_and_head(run_dlcc: Any) -> None:
    result = run_dlcc("look", "sentiment", "A fine film.", "--layer", "1", "--head", "2")
    assert result.stdout.startswith("pos 0.9")
    assert "layer 1, head 2 of 4" in result.stdout.splitlines()[0]
    last = run_dlcc("look", "sentiment", "A fine film.", "--json")
    assert json.loads(last.stdout)["results"][0]["made_by"]["command"] == (
        "dlcc sentiment 'A fine film.'"
    )
    assert (
        run_dlcc("look", "attend", "a cat", "", "dot").stdout == run_dlcc("attend", "a cat").stdout
    )
