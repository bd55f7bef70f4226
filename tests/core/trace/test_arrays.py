import numpy as np
import pytest
from safetensors.numpy import save_file

from dlcc.core.errors import DataError, UsageError
from dlcc.core.trace.arrays import read_tokens, read_weights, traces_of


def weights(*shape: int, seed: int = 0) -> np.ndarray:
    raw = np.random.default_rng(seed).gamma(0.5, 1, shape)
    return raw / raw.sum(-1, keepdims=True)


@pytest.mark.parametrize("shape", [(3, 4), (2, 3, 4), (5, 2, 3, 4)])
def test_an_array_of_any_shape_is_layers_of_heads(tmp_path, shape):
    np.save(tmp_path / "x.npy", weights(*shape))
    (trace,) = traces_of(read_weights(tmp_path / "x.npy"), ["a"] * 3, ["b"] * 4)
    assert trace.weights.shape == (1, 1, 1, 1)[: 4 - len(shape)] + shape
    assert np.allclose(trace.weights.reshape(shape), weights(*shape))
    assert (trace.query, trace.key) == (("a",) * 3, ("b",) * 4)


def test_arrays_of_one_layer_each_are_the_layers_of_a_trace_in_the_order_of_their_numbers(tmp_path):
    arrays = {f"layer{n}": weights(1, 2, 3, 3, seed=n).astype(np.float32) for n in (10, 2, 1)}
    save_file(arrays, tmp_path / "x.safetensors")
    (trace,) = traces_of(read_weights(tmp_path / "x.safetensors"), title="mine")
    assert trace.layer_names == ("layer1", "layer2", "layer10")
    assert trace.query == ("1", "2", "3")
    assert np.array_equal(trace.weights[2], arrays["layer10"][0])


def test_arrays_of_other_shapes_are_traces_each_with_the_tokens_that_fit(tmp_path):
    parts = {"encoder": weights(2, 4, 4), "decoder": weights(2, 3, 3), "cross": weights(2, 3, 4)}
    np.savez(tmp_path / "x.npz", ids=np.arange(3), **parts)
    read, written = tuple("abcd"), tuple("xyz")
    traces = traces_of(read_weights(tmp_path / "x.npz"), written, read)
    assert {trace.title: (trace.query, trace.key) for trace in traces} == {
        "encoder": (read, read),
        "decoder": (written, written),
        "cross": (written, read),
    }
    (alone,) = traces_of(read_weights(tmp_path / "x.npz", ["cross"]), written, read)
    assert np.allclose(alone.weights[0], parts["cross"])


def test_rows_are_normalised_where_that_is_asked_for():
    array = 3 * weights(1, 1, 2, 2)
    array[0, 0, 1] = 0
    with pytest.raises(DataError, match="query 1 of layer 1, head 1 sums to 3, not 1"):
        traces_of({"x": array})
    (trace,) = traces_of({"x": array}, normalise=True)
    assert trace.weights.sum(-1).ravel() == pytest.approx([1, 0])


def test_tokens_are_lines_or_a_list(tmp_path):
    (tmp_path / "x.txt").write_text("the\n cat\n")
    (tmp_path / "x.json").write_text('["the", " cat"]')
    assert read_tokens(tmp_path / "x.txt") == read_tokens(tmp_path / "x.json") == ["the", " cat"]
    (tmp_path / "x.json").write_text('{"the": 1}')
    with pytest.raises(DataError, match="no list of tokens"):
        read_tokens(tmp_path / "x.json")


@pytest.mark.parametrize(
    ("array", "why"),
    [
        (np.array([[np.nan, 1.0]]), "NaN"),
        (np.array([[-1.0, 2.0]]), "after the softmax"),
        (np.ones((1, 3)) / 3, "x has 3 keys, the tokens are 2 or 1: give 3"),
        (np.zeros((0, 3)), "0 cells"),
    ],
)
def test_what_is_no_weights_is_refused(array, why):
    with pytest.raises(DataError, match=why):
        traces_of({"x": array[None, None]}, ["a"], ["b", "c"])


def test_what_cannot_be_read_is_refused(tmp_path):
    np.savez(tmp_path / "ids.npz", ids=np.arange(3))
    np.savez(tmp_path / "objects.npz", x=np.array([print], object))
    with pytest.raises(DataError, match=r"holds ids \[3\]"):
        read_weights(tmp_path / "ids.npz")
    with pytest.raises(UsageError, match=r"array q.* holds ids"):
        read_weights(tmp_path / "ids.npz", ["q"])
    with pytest.raises(DataError, match="damaged"):
        read_weights(tmp_path / "objects.npz")
    with pytest.raises(DataError, match="No such file"):
        read_weights(tmp_path / "none.npz")
    with pytest.raises(UsageError, match=r"\.npz"):
        read_weights(tmp_path / "x.txt")
