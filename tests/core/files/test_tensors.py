"""Arrays and JSON in one file: what goes in comes out, and every damage is one line."""

import random
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from dlcc.core.errors import DataError
from dlcc.core.files.tensors import load_tensors, save_tensors


def test_everything_comes_back(tmp_path: Path) -> None:
    arrays = {
        "number": np.array(2.5),
        "turned": np.arange(6, dtype=np.int16).reshape(2, 3).T,
        "half": np.ones(2, np.float16),
    }
    save_tensors(tmp_path / "x", arrays, "about", {"names": ["é", 1, None]})
    found, values = load_tensors(tmp_path / "x", "about")
    assert values == {"names": ["é", 1, None]}
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        assert found[name].shape == array.shape
        assert np.array_equal(found[name], array)
    assert load_tensors(tmp_path / "x", "other")[1] is None
    assert load_tensors(tmp_path / "x", "about", "pt")[0]["turned"].tolist() == [
        [0, 3],
        [1, 4],
        [2, 5],
    ]


def test_a_number_format_without_numpy_is_named_not_a_crash(tmp_path: Path) -> None:
    save_file({"a": torch.ones(2, dtype=torch.bfloat16)}, tmp_path / "x")
    with pytest.raises(DataError, match="x is damaged or of another kind"):
        load_tensors(tmp_path / "x")
    assert load_tensors(tmp_path / "x", framework="pt")[0]["a"].dtype == torch.bfloat16


@pytest.mark.parametrize("text", ["", "no json", "[1]", "5", "[" * 100_000, "9" * 5000])
def test_values_that_are_no_json_object(tmp_path: Path, text: str) -> None:
    save_file({"a": torch.ones(2)}, tmp_path / "x", {"about": text})
    with pytest.raises(DataError, match="x is damaged"):
        load_tensors(tmp_path / "x", "about")


def test_a_damaged_file_is_one_line_that_names_it(tmp_path: Path) -> None:
    save_tensors(tmp_path / "x", {"a": np.ones((2, 3)), "b": np.ones(1)}, "about", {"n": [1, "x"]})
    whole = (tmp_path / "x").read_bytes()
    draw = random.Random(0)
    reasons = []
    for _ in range(300):
        data = bytearray(whole)
        for _ in range(draw.choice((1, 2, 5))):
            data[draw.randrange(len(data) - 56)] = draw.randrange(256)
        (tmp_path / "x").write_bytes(data)
        try:
            load_tensors(tmp_path / "x", "about")
        except DataError as error:
            reasons.append(str(error))
    assert len(reasons) > 100
    assert all(str(tmp_path / "x") in reason and "\n" not in reason for reason in reasons)
    for data in (b"", whole[:20], whole[:-1], bytes(200)):
        (tmp_path / "x").write_bytes(data)
        with pytest.raises(DataError, match="x is damaged"):
            load_tensors(tmp_path / "x")
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(DataError, match="cannot read"):
            load_tensors(path)
