"""What a shell offers when Tab is pressed: commands, options and values, without loading torch."""

import os
import re
import subprocess
import sys

import pytest

from dlcc.cli.app import app
from dlcc.cli.values import _KNOWN, _PALETTES, _THEMES, _names
from dlcc.core.errors import UsageError

_SHOWN = {
    "bash": lambda said: said.split(),
    "zsh": lambda said: re.findall(r'^(?:_arg.*?)?"([^"]+)"', said, re.MULTILINE),
    "fish": lambda said: [line.partition("\t")[0] for line in said.split("\n") if line],
}


def offered(
    line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], shell: str
) -> list[str]:
    words = line.split(" ")
    for name, value in {
        "_DLCC_COMPLETE": f"complete_{shell}",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
        "_TYPER_COMPLETE_ARGS": line,
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit):
        app(prog_name="dlcc")
    said = capsys.readouterr()
    assert said.err == ""
    return list(_SHOWN[shell](said.out))


@pytest.mark.parametrize("shell", _SHOWN)
@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("dlcc at", ["attend"]),
        ("dlcc attend tr", ["train"]),
        ("dlcc sentiment p", ["pretrain"]),
        ("dlcc translate ", ["train", "eval", "compare", "export", "alignments"]),
        ("dlcc attend --mecha", ["--mechanism"]),
        ("dlcc attend --mechanism t", ["trainable"]),
        ("dlcc attend --palette ", list(_PALETTES)),
        ("dlcc view --palette g", ["grey", "glyphs"]),
        ("dlcc attend --mask c", ["causal"]),
        ("dlcc attend --load r", ["relations"]),
        ("dlcc attend --explain ", []),
        ("dlcc attend train sing", ["singular-plural"]),
        ("dlcc sentiment --explain o", ["occlusion"]),
        ("dlcc sentiment --device c", ["cpu", "cuda"]),
        ("dlcc sentiment --runner o", ["onnx"]),
        ("dlcc sentiment eval --part v", ["validation"]),
        ("dlcc vit predict --method r", ["rollout"]),
        ("dlcc vit train --preset p", ["plain"]),
        ("dlcc vit train --optimizer m", ["muon"]),
        ("dlcc view --scale ro", ["row"]),
        ("dlcc look tr", ["translate"]),
        ("dlcc help vit ev", ["eval"]),
    ],
)
def test_tab_offers_commands_and_values(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    shell: str,
    line: str,
    names: list[str],
) -> None:
    assert offered(line, monkeypatch, capsys, shell) == names


def test_every_value_that_is_offered_is_known() -> None:
    from dlcc.cli.draw.figure.themes import THEMES
    from dlcc.cli.draw.palette import chosen_palette
    from dlcc.core.train.runtime import DEVICES

    for name in _PALETTES:
        assert chosen_palette(name).name == name
    with pytest.raises(UsageError, match=", ".join(_PALETTES)):
        chosen_palette("pink")
    assert [*_names(_KNOWN["--device"][0])] == list(DEVICES)  # type: ignore[index]
    assert list(_THEMES) == list(THEMES)
    for where in _KNOWN.values():
        for each in where:
            assert all(isinstance(name, str) for name in _names(each))


@pytest.mark.parametrize("line", ["dlcc vit train --optimizer ", "dlcc sentiment --explain "])
def test_tab_loads_no_torch(line: str) -> None:
    script = (
        "import atexit, sys; atexit.register(lambda: print('torch' in sys.modules, end='!'));"
        "from dlcc.cli import main; main()"
    )
    asked = {"_DLCC_COMPLETE": "complete_bash", "COMP_WORDS": line}
    run = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, **asked, "COMP_CWORD": str(line.count(" "))},
        capture_output=True,
        text=True,
    )
    assert run.stderr == ""
    assert run.stdout.endswith("False!")
    assert len(run.stdout.split()) > 1
