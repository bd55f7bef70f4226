"""Checkpoints: whole or not there, checked on load, never in the way of other files."""

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from dlcc.core.errors import DataError
from dlcc.core.train.checkpoint import load_checkpoint, load_weights, save_checkpoint


def save(folder: Path, half: bool = False) -> nn.Linear:
    torch.manual_seed(0)
    model = nn.Linear(3, 2)
    save_checkpoint(
        folder,
        kind="line",
        weights=model.state_dict(),
        config={"width": 3},
        about={"seed": 0},
        files={"vocab.json": b'["a"]'},
        half=half,
    )
    return model


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    model = save(tmp_path / "model")
    loaded = load_checkpoint(tmp_path / "model", "line")
    assert loaded.config == {"width": 3}
    assert loaded.about["seed"] == 0
    assert "torch" in loaded.about["versions"]
    assert loaded.files == {"vocab.json": b'["a"]'}
    other = nn.Linear(3, 2)
    load_weights(other, loaded.weights, tmp_path)
    assert torch.equal(other.weight, model.weight)


def test_half_precision_is_half_the_size_and_loads_as_float32(tmp_path: Path) -> None:
    model = save(tmp_path / "model", half=True)
    weights = load_checkpoint(tmp_path / "model", "line").weights
    assert weights["weight"].dtype == torch.float32
    assert torch.equal(weights["weight"], model.weight.half().float())


@pytest.mark.parametrize("name", ["model.safetensors", "vocab.json"])
def test_a_flipped_byte_is_found(tmp_path: Path, name: str) -> None:
    save(tmp_path)
    data = bytearray((tmp_path / name).read_bytes())
    data[-2] ^= 4
    (tmp_path / name).write_bytes(data)
    with pytest.raises(DataError, match=f"{name} is damaged"):
        load_checkpoint(tmp_path, "line")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format_version": 99}, "newer dlcc"),
        ({"kind": "vit"}, "holds a vit model, line was asked for"),
        ({"sha256": {"../secret": "00"}}, "outside its folder"),
        ({"sha256": {"gone.json": "00"}}, "cannot read"),
        ({"sha256": None}, "damaged"),
    ],
)
def test_a_config_that_does_not_fit_is_refused(
    tmp_path: Path, change: dict[str, object], message: str
) -> None:
    save(tmp_path)
    path = tmp_path / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(DataError, match=message):
        load_checkpoint(tmp_path, "line")


@pytest.mark.parametrize("text", ["", "{", "[]", '"x"', "\x00"])
def test_a_config_that_is_no_config_is_refused(tmp_path: Path, text: str) -> None:
    save(tmp_path)
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(DataError, match=r"config\.json is damaged"):
        load_checkpoint(tmp_path, "line")


def test_weights_of_another_shape_name_the_first_that_differs(tmp_path: Path) -> None:
    save(tmp_path)
    weights = load_checkpoint(tmp_path, "line").weights
    with pytest.raises(DataError, match=r"bias is \[2\] there, the model has \[5\]"):
        load_weights(nn.Linear(3, 5), weights, tmp_path)
    with pytest.raises(DataError, match="the model has nothing"):
        load_weights(nn.Linear(3, 2, bias=False), weights, tmp_path)


def test_tied_weights_are_saved_once_and_stay_tied(tmp_path: Path) -> None:
    def tied() -> nn.Sequential:
        model = nn.Sequential(nn.Embedding(5, 3), nn.Linear(3, 5))
        model[1].weight = model[0].weight
        return model

    model, other = tied(), tied()
    save_checkpoint(
        tmp_path / "model", kind="line", weights=model.state_dict(), config={}, about={}
    )
    weights = load_checkpoint(tmp_path / "model", "line").weights
    assert set(weights) == {"0.weight", "1.bias"}
    load_weights(other, weights, tmp_path)
    assert torch.equal(other[1].weight, model[0].weight)
    assert other[1].weight is other[0].weight


def test_a_buffer_that_begins_where_another_does_is_saved(tmp_path: Path) -> None:
    class Model(nn.Module):
        def __init__(self, start: float) -> None:
            super().__init__()
            table = torch.arange(start, start + 6).view(3, 2)
            self.register_buffer("table", table)
            self.register_buffer("head", table[:1])
            self.register_buffer("none", torch.zeros(0))
            self.register_buffer("nothing", torch.zeros(0))

    model, other = Model(0.0), Model(9.0)
    save_checkpoint(tmp_path / "m", kind="line", weights=model.state_dict(), config={}, about={})
    weights = load_checkpoint(tmp_path / "m", "line").weights
    assert set(weights) == {"table", "head", "none", "nothing"}
    load_weights(other, weights, tmp_path)
    assert other.head.tolist() == [[0, 1]]
    del weights["head"]
    with pytest.raises(DataError, match="head is nothing there"):
        load_weights(other, weights, tmp_path)


def test_saving_replaces_a_checkpoint_but_no_other_folder(tmp_path: Path) -> None:
    save(tmp_path / "model")
    save(tmp_path / "model", half=True)
    assert {path.name for path in tmp_path.iterdir()} == {"model"}
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/diary.txt").write_text("dear")
    with pytest.raises(DataError, match="no checkpoint"):
        save(tmp_path / "mine")
    assert (tmp_path / "mine/diary.txt").read_text() == "dear"
