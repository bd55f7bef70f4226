"""Checkpoints: whole or not there, checked on load, never in the way of other files."""

import json
import os
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from dlcc.core.errors import DataError
from dlcc.core.train.checkpoint import load_checkpoint, load_weights, save_checkpoint
from dlcc.core.train.folders import whole


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
        ({"sha256": {"a\0b": "00"}}, "damaged"),
        ({"config": 5}, "damaged"),
        ({"about": ["x"]}, "damaged"),
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


@pytest.mark.parametrize("text", ["", "{", "[]", '"x"', "\x00", "[" * 100_000, "9" * 5000])
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


class Killed(BaseException):
    """Stands for SIGKILL: nothing that the program does after it takes place."""


class Kills:
    """Counts what is asked of the file system, and stops at one of them; a write is then half."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left: float = float("inf")
        for name in ("mkdir", "replace", "unlink", "rmdir", "fsync"):
            monkeypatch.setattr(os, name, self._counted(name, getattr(os, name)))

    def _counted(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any, **named: Any) -> Any:
            self.left -= 1
            if self.left == 0 and name == "fsync":
                os.ftruncate(args[0], os.fstat(args[0]).st_size // 2)
            if self.left <= 0:
                raise Killed
            return None if name == "fsync" else call(*args, **named)  # it takes long

        return counted

    def write(self, folder: Path, version: int, after: float = float("inf")) -> bool:
        """Save `version`; whether that was survived when killed at the call after `after`."""
        self.left = after + 1
        try:
            save_checkpoint(
                folder,
                kind="line",
                weights={"w": torch.ones(3)},
                config={},
                about={"version": version},
                files={"vocab.json": b"[]"},
            )
        except Killed:
            return False
        finally:
            self.left = float("inf")
        return True


def version_in(folder: Path) -> int:
    return int(load_checkpoint(folder, "line").about["version"])


def test_no_two_kills_lose_a_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kills, pairs = Kills(monkeypatch), 0
    for first in count():
        for second in count():
            folder = tmp_path / f"{first}-{second}" / "last"
            kills.write(folder, 1)
            ended = kills.write(folder, 2, first)
            there = version_in(folder)
            assert there == 2 or not ended
            ended_too = kills.write(folder, 3, second)
            assert version_in(folder) in (there, 3)
            assert version_in(folder) == 3 or not ended_too
            kills.write(folder, 4)
            assert version_in(folder) == 4
            assert [path.name for path in folder.parent.iterdir()] == ["last"]
            pairs += 1
            if ended_too:
                break
        if ended:
            break
    assert pairs > 100


def test_a_first_checkpoint_cut_off_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kills = Kills(monkeypatch)
    for point in count():
        folder = tmp_path / str(point) / "last"
        if kills.write(folder, 1, point):
            break
        assert not whole(folder).exists() or version_in(folder) == 1
        kills.write(folder, 2)
        assert version_in(folder) == 2
    assert point > 4


def test_a_full_disk_leaves_nothing_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path / "model")

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DataError, match="No space left"):
        save(tmp_path / "model")
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    load_checkpoint(tmp_path / "model", "line")
