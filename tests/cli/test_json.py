"""One JSON for all commands: the same frame, the same names, plain keys, and traces come back."""

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.main import get_command

from dlcc.cli.app import app
from dlcc.cli.console import json_of
from dlcc.core.errors import DataError
from dlcc.core.files.paths import asset
from dlcc.core.trace.trace import AttentionTrace
from dlcc.core.trace.values import as_values, read_traces, traces_from_json

ROOT = Path(__file__).parents[2]
QUICK = {
    "attend": "attend --explain she:her",
    "attend train": "attend train singular-plural --seeds 1 --steps 2",
    "data": f"data {ROOT}/tests/data/hand_reviews.tsv",
    "heads": "heads attend fine",
    "import": "import weights.npy",
    "look": "look",
    "models": "models",
    "models show": "models show vit",
    "runs": "runs",
    "sentiment": "sentiment fine",
    "sentiment eval": f"sentiment eval --data {ROOT}/tests/data/hand_reviews.tsv --limit 3",
    "translate": "translate bread",
    "translate alignments": "translate alignments two.tsv",
    "vit predict": f"vit predict {ROOT}/assets/ship.png",
}
"""By command a quick use of it."""
TESTED_ELSEWHERE = {  # with data and trainings of their own
    *("runs show", "runs compare", "sentiment compare", "translate eval", "translate compare"),
    *("vit eval", "vit compare"),
}


def with_json(command: Any = None, name: str = "") -> Iterator[str]:
    command = command or get_command(app)
    for child in getattr(command, "commands", {}):
        yield from with_json(command.resolve_command(None, [child])[1], f"{name} {child}")
    if not hasattr(command, "commands") and any("--json" in each.opts for each in command.params):
        yield name.removesuffix(" run").strip()


def keys(values: Any) -> Iterator[str]:
    if isinstance(values, dict):
        for name, value in values.items():
            yield name
            yield from keys(value)
    elif isinstance(values, list):
        for value in values:
            yield from keys(value)


def test_every_command_with_json_is_tested() -> None:
    assert {*with_json()} == {*QUICK, *TESTED_ELSEWHERE}


@pytest.mark.parametrize("command", QUICK)
def test_every_command_prints_one_frame(
    run_dlcc: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("weights.npy", np.full((2, 2), 0.5))
    pairs = [*filter(None, (ROOT / "tests/data/alignments.tsv").read_text().splitlines())]
    Path("two.tsv").write_text("\n".join(line for line in pairs[:9] if line[0] != "#") + "\n")
    result = run_dlcc(*QUICK[command].split(), "--json", "-q")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.count("\n") == 1
    found = json.loads(result.stdout, parse_constant=pytest.fail)
    assert [*found][:3] == ["dlcc", "command", "made_by"]
    assert (found["dlcc"], found["command"]) == (1, command)
    assert found["made_by"]["command"] == f"dlcc {QUICK[command]} --json -q"
    assert {"dlcc"} <= found["made_by"]["versions"].keys()
    assert isinstance(found["results"], list)
    assert all(isinstance(each, dict) for each in found["results"])
    names = {*keys(found)}
    assert all(name.isascii() for name in names)
    if command != "models show":  # a model keeps what was said when it was made
        assert not names & {"class", "given", "texts_per_second", "pictures_per_second", "traces"}
    if "answers" in names:
        (first, *_) = found["results"]
        assert first["answers"][0] == {each: first[each] for each in ("label", "probability")}


def test_numbers_have_six_digits_and_what_is_none_is_null() -> None:
    values = json_of([{"a": np.float32(1 / 3), "b": math.nan, "c": (np.int64(3), Path("x"))}])
    assert values["results"] == [{"a": 0.333333, "b": None, "c": [3, "x"]}]


def test_traces_come_back_from_a_file_and_a_pipe(
    run_dlcc: Callable[..., Any], tmp_path: Path
) -> None:
    for command in ("attend the she --mask causal", "translate bread --export FILE"):
        file = tmp_path / f"{command[:3]}.json"
        said = run_dlcc(*(str(file) if word == "FILE" else word for word in command.split()), *(
            () if "FILE" in command else ("--json",)
        ))  # fmt: skip
        if not file.exists():
            file.write_text(said.stdout)
        shown = run_dlcc("view", file).stdout
        assert "weight" in shown
        piped = run_dlcc("view", "-", input=file.read_bytes())
        assert piped.stdout == shown, piped.stderr
    saved = asset("demos") / "chapter-sentences-four-mechanisms.trace"
    piped = run_dlcc("view", "-", input=saved.read_bytes())
    assert piped.stdout == run_dlcc("view", saved).stdout


def test_a_trace_is_the_same_as_json() -> None:
    weights = np.array([[[[0.25, 0.75], [1.0, 0.0]]]], np.float32)
    scores = np.array([[[[0.0, 1.0], [2.0, -np.inf]]]], np.float32)
    trace = AttentionTrace(
        weights,
        ("a", "b"),
        ("c", "[d]"),
        scores=scores,
        special=("[d]",),
        query_words=(0, 0),
        layer_names=("only",),
        details={"x": 1},
    )
    text = json.dumps({"dlcc": 1, "results": [as_values(trace)]})
    (back,) = traces_from_json(text, "x")
    assert as_values(back) == as_values(trace)
    assert np.isneginf(back.scores[0, 0, 1, 1])  # type: ignore[index]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"dlcc": 2, "results": []}', "version 2"),
        ('{"dlcc": 1, "results": [{"label": "pos"}]}', "holds no attention"),
        ('{"results": [{"weights": [[1]]}]}', "damaged"),
        ('{"dlcc": 1, "results"', "no JSON"),
    ],
)
def test_json_that_cannot_be_shown_says_why(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(DataError, match=said):
        read_traces(tmp_path / "x.json")
