import json
import struct

import numpy as np
import pytest
from safetensors.numpy import save_file

from dlcc.core.errors import DataError
from dlcc.core.trace.trace import AttentionTrace, load_traces, save_traces


def weights(*shape: int) -> np.ndarray:
    raw = np.random.default_rng(0).random(shape, dtype=np.float32)
    return raw / raw.sum(-1, keepdims=True)


def header(**changes) -> dict:
    trace = {"query": ["a", "b"], "key": ["x", "y", "z"], **changes}
    return {"format_version": 1, "traces": [trace]}


def write(path, text, arrays=None) -> None:
    arrays = {"0.weights": weights(1, 2, 2, 3)} if arrays is None else arrays
    save_file(arrays, path, {"dlcc_trace": text if isinstance(text, str) else json.dumps(text)})


def test_everything_comes_back(tmp_path):
    scores = np.full((1, 2, 2, 3), -np.inf, dtype=np.float32)
    whole = AttentionTrace(
        weights(1, 2, 2, 3),
        ("[CLS]", "e\u0301l"),
        ("[/b]", "日本", "👩\u200d🚀"),
        kind="translate",
        title="a → b",
        scores=scores,
        layer_names=("only",),
        query_words=(0, 1),
        key_words=(0, 0, 1),
        special=("[CLS]",),
        image=np.arange(12, dtype=np.uint8).reshape(2, 2, 3),
        grid=(1, 2),
        tensors={"query": np.ones((1, 2, 2, 4), np.float32), "explanation.x": np.ones(3)},
        mechanism="additive",
        scale=0.5,
        details={"alternatives": [[["a", 0.5]]]},
        made_by={"command": "dlcc attend", "seed": 3},
    )
    plain = AttentionTrace(weights(2, 1, 1, 1), ("a",), ("b",))
    save_traces(tmp_path / "t.trace", [whole, plain])
    first, second = load_traces(tmp_path / "t.trace")
    for name in ("query", "key", "kind", "title", "layer_names", "query_words", "key_words"):
        assert getattr(first, name) == getattr(whole, name)
    for name in ("special", "grid", "mechanism", "scale", "details", "made_by"):
        assert getattr(first, name) == getattr(whole, name)
    for name in ("weights", "scores", "image"):
        assert np.array_equal(getattr(first, name), getattr(whole, name))
    assert first.tensors.keys() == whole.tensors.keys()
    assert np.array_equal(first.tensors["query"], whole.tensors["query"])
    assert second.layer_names == ("layer 1", "layer 2")
    assert second.scores is None


def test_sums_and_differences_are_saved_as_combined(tmp_path):
    signed = np.array([[[[-0.5, 3.0]]]], dtype=np.float32)
    with pytest.raises(DataError, match="probabilities"):
        AttentionTrace(signed, ("a",), ("x", "y"))
    save_traces(tmp_path / "t", [AttentionTrace(signed, ("a",), ("x", "y"), kind="combined")])
    assert np.array_equal(load_traces(tmp_path / "t")[0].weights, signed)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.full((1, 1, 2, 3), np.nan, np.float32), "NaN"),
        (np.full((1, 1, 2, 3), np.inf, np.float32), "infinity"),
        (np.full((1, 1, 2, 3), -0.1, np.float32), "negatives"),
        (np.full((1, 1, 2, 3), 0.9, np.float32), "sums > 1"),
        (np.zeros((1, 0, 2, 3), np.float32), "nothing in it"),
        (np.zeros((0, 1, 2, 3), np.float32), "nothing in it"),
        (weights(1, 1, 3, 3), r"\(3, 3\)"),
        (weights(2, 3), r"\[layers, heads"),
        (weights(1, 1, 2, 3).astype(np.float64), "float32"),
    ],
)
def test_weights_that_cannot_be_shown(tmp_path, array, message):
    write(tmp_path / "t.trace", header(), {"0.weights": array})
    with pytest.raises(DataError, match=message):
        load_traces(tmp_path / "t.trace")


@pytest.mark.parametrize(
    "changes",
    [
        {"query": ["a"]},
        {"query": ["a", 2]},
        {"query": "ab"},
        {"key": {"x": 1, "y": 2, "z": 3}},
        {"title": ["a"]},
        {"title": 3},
        {"kind": None},
        {"special": [1]},
        {"layer_names": ["one", "two"]},
        {"layer_names": [1]},
        {"query_words": [0]},
        {"query_words": ["0", "1"]},
        {"key_words": [0, 1, 1.5]},
        {"grid": [2, 2]},
        {"grid": [0, 1]},
        {"grid": [1]},
        {"grid": ["a", "b"]},
        {"mechanism": "magic"},
        {"scale": "big"},
        {"scale": float("nan")},
        {"details": [1]},
        {"made_by": "me"},
        {"image": 5},
        {"scores": [1]},
        {"tokens": ["unknown field"]},
        {"weights": [1]},
    ],
)
def test_header_fields_of_the_wrong_kind(tmp_path, changes):
    arrays = {} if "weights" in changes else None
    write(tmp_path / "t.trace", header(**changes), arrays)
    with pytest.raises(DataError) as error:
        load_traces(tmp_path / "t.trace")
    assert "\n" not in str(error.value)
    assert "t.trace" in str(error.value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not json",
        "[]",
        "5",
        "null",
        "{}",
        '{"format_version": 1}',
        '{"format_version": 1, "traces": []}',
        '{"format_version": 1, "traces": {}}',
        '{"format_version": 1, "traces": [5]}',
        '{"format_version": 1, "traces": [{}]}',
        "[" * 100_000,
        '{"format_version": 1, "traces": [{"scale": ' + "9" * 5000 + "}]}",
    ],
)
def test_hostile_headers(tmp_path, text):
    write(tmp_path / "t.trace", text)
    with pytest.raises(DataError) as error:
        load_traces(tmp_path / "t.trace")
    assert "\n" not in str(error.value)
    assert "t.trace" in str(error.value)


def test_a_future_format_says_what_to_do(tmp_path):
    write(tmp_path / "t.trace", {"format_version": 2, "pages": []})
    with pytest.raises(DataError, match=r"format 2.*install a newer dlcc"):
        load_traces(tmp_path / "t.trace")


@pytest.mark.parametrize(
    "tensors",
    [
        {"query": weights(1, 2, 3, 4)},
        {"key": weights(2, 3)},
        {"score": weights(1, 4)},
        {"explanation.rollout": weights(1, 2)[0]},
        {"cutmix.first": weights(4, 4)},
        {"value": np.full((1, 2, 3, 4), np.nan, np.float32)},
    ],
)
def test_tensors_that_do_not_fit(tensors):
    with pytest.raises(DataError, match=next(iter(tensors))):
        AttentionTrace(weights(1, 2, 2, 3), ("a", "b"), ("x", "y", "z"), tensors=tensors)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_scores_must_be_numbers_or_masked(bad):
    scores = np.full((1, 1, 1, 2), bad, np.float32)
    with pytest.raises(DataError, match="scores"):
        AttentionTrace(weights(1, 1, 1, 2), ("a",), ("x", "y"), scores=scores)


def test_files_that_are_no_traces(tmp_path):
    whole = tmp_path / "whole.trace"
    save_traces(whole, [AttentionTrace(weights(1, 1, 2, 3), ("a", "b"), ("x", "y", "z"))])
    data = whole.read_bytes()
    damaged = {
        "empty": b"",
        "half": data[: len(data) // 2],
        "cut": data[:-1],
        "long": struct.pack("<Q", 2**60) + data[8:],
        "text": b"a sentence that is no trace at all",
        "zeros": bytes(200),
    }
    for name, content in damaged.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match=name):
            load_traces(tmp_path / name)
    save_file({"x": np.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(DataError, match="save one first"):
        load_traces(tmp_path / "other.safetensors")
    with pytest.raises(DataError, match="No such file"):
        load_traces(tmp_path / "absent.trace")
    with pytest.raises(DataError, match="cannot read"):
        load_traces(tmp_path)


def test_bfloat16_is_refused_not_a_crash(tmp_path):
    text = json.dumps({"dlcc_trace": json.dumps(header())})
    meta = {
        "__metadata__": json.loads(text),
        "0.weights": {"dtype": "BF16", "shape": [1, 1, 2, 3], "data_offsets": [0, 12]},
    }
    raw = json.dumps(meta).encode()
    (tmp_path / "t.trace").write_bytes(struct.pack("<Q", len(raw)) + raw + bytes(12))
    with pytest.raises(DataError):
        load_traces(tmp_path / "t.trace")
