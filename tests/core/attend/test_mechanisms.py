"""Tokens, and the numpy attention held to the torch one."""

import math

import numpy as np
import pytest
import torch

from dlcc.core.attend.mechanisms import (
    BOOK_KEY,
    BOOK_QUERY,
    MECHANISMS,
    AttendConfig,
    attend,
    masked_softmax,
    tokenise,
    untrained_weights,
)
from dlcc.core.errors import DataError, UsageError
from dlcc.core.files.vectors import look_up
from dlcc.core.nn.attention import (
    AdditiveAttention,
    MultiHeadAttention,
    TrainableDotProductAttention,
    dot_product_attention,
)

E = 12


@pytest.mark.parametrize(
    ("sentence", "tokens"),
    [
        ("The cat sat, twice.", ["The", "cat", "sat", ",", "twice", "."]),
        ("She's here; don't go", ["She", "'s", "here", ";", "do", "n't", "go"]),
        ("I’ll see WE'RE", ["I", "'ll", "see", "WE", "'RE"]),
        ("[CLS] a [/b] [red]b </s>", ["[CLS]", "a", "[/b]", "[red]", "b", "</s>"]),
        ("well-known o'clock U.S. 3.14", ["well-known", "o'clock", "U.S.", "3.14"]),
        ("no - yes -- so...", ["no", "-", "yes", "--", "so", "..."]),
        ("👩‍🔬 🇪🇸🇫🇷 👍🏽❤️ 1️⃣", ["👩‍🔬", "🇪🇸", "🇫🇷", "👍🏽", "❤️", "1️⃣"]),
        ("我爱北京。", ["我", "爱", "北", "京", "。"]),
        ("cafe\u0301 नमस्ते ¿Qué?", ["café", "नमस्ते", "¿", "Qué", "?"]),
        ("a\x1b[31mb\x07c\u202ed\ue000", ["a", "b", "c", "d\ue000"]),
        ("x\udcffy", ["x", "y"]),
    ],
)
def test_tokens(sentence, tokens):
    assert tokenise(sentence) == tokens


@pytest.mark.parametrize("sentence", ["", "  \n\t ", "\x00\x1b[0m", "\u200b"])
def test_a_sentence_of_nothing_is_a_usage_error(sentence):
    with pytest.raises(UsageError, match="without a word"):
        tokenise(sentence)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mechanism": "magic"}, "mechanism magic: choose one of dot"),
        ({"mask": "future"}, "mask future: choose one of none, causal"),
        ({"temperature": 0.0}, "temperature 0.0"),
        ({"temperature": math.nan}, "temperature nan"),
        ({"num_heads": 0}, "heads 0"),
    ],
)
def test_a_config_names_the_option_and_its_value(options, message):
    with pytest.raises(UsageError, match=message):
        AttendConfig(**options)


def sides(queries=4, keys=6, width=E):
    rng = np.random.default_rng(0)
    tokens = [f"w{n}" for n in range(10)]
    return [
        (tokens[:length], rng.normal(size=(length, width)).astype(np.float32))
        for length in (queries, keys)
    ]


def by_torch(config, query, key, weights):
    """The same attention with the modules of core.nn.attention: output per head and weights."""
    query, key = torch.from_numpy(query)[None], torch.from_numpy(key)[None]
    mask = None
    if config.mask == "causal":
        mask = torch.ones(query.shape[1], key.shape[1], dtype=torch.bool).tril()
    if config.mechanism == "dot":
        output, found = dot_product_attention(query, key, key, mask)
        return output[:, None], found[:, None]
    module = {
        "trainable": lambda: TrainableDotProductAttention(E),
        "additive": lambda: AdditiveAttention(E),
        "multihead": lambda: MultiHeadAttention(E, config.num_heads),
    }[config.mechanism]()
    state = {name: torch.from_numpy(array) for name, array in weights.items()}
    module.load_state_dict(state)  # strict: names and shapes are the module's
    with torch.no_grad():
        if config.mechanism == "multihead":
            _, found = module(query, key, mask, need_weights=True)
            return found @ module.project(query, key)[2], found
        output, found = module(query, key, key, mask)
    return output[:, None], found[:, None]


@pytest.mark.parametrize("mask", ["none", "causal"])
@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_numpy_and_torch_agree(mechanism, mask):
    query, key = sides()
    config = AttendConfig(mechanism, num_heads=3, mask=mask, seed=7)
    weights = untrained_weights(mechanism, E, seed=7)
    trace = attend(query, key, config)
    output, expected = by_torch(config, query[1], key[1], weights)
    np.testing.assert_allclose(trace.weights, expected.numpy(), atol=1e-5)
    ours = trace.weights @ trace.tensors["value"]
    np.testing.assert_allclose(ours, output.numpy(), atol=1e-5)
    assert trace.num_heads == (3 if mechanism == "multihead" else 1)


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_scores_come_from_the_tensors_and_the_scale(mechanism):
    query, key = sides()
    trace = attend(query, key, AttendConfig(mechanism, temperature=2.0))
    tensors = trace.tensors
    if mechanism == "additive":
        sums = tensors["query"][..., :, None, :] + tensors["key"][..., None, :, :]
        scores = np.tanh(sums) @ tensors["score"][0, 0]
        assert trace.scale == 0.5
    else:
        scores = tensors["query"] @ tensors["key"].swapaxes(-2, -1)
        width = E / 2 if mechanism == "multihead" else E
        assert trace.scale == pytest.approx(0.5 / math.sqrt(width))
    np.testing.assert_allclose(trace.scores, scores * trace.scale, atol=1e-5)


def test_scale_temperature_and_mask():
    query, key = sides()
    plain = attend(query, key, AttendConfig())
    raw = attend(query, key, AttendConfig(scaled=False))
    np.testing.assert_allclose(raw.scores, plain.scores * math.sqrt(E), rtol=1e-5)
    hot = attend(query, key, AttendConfig(temperature=1000.0))
    np.testing.assert_allclose(hot.weights, 1 / 6, atol=1e-2)
    causal = attend(query, key, AttendConfig(mask="causal"))
    assert np.array_equal(causal.weights[0, 0] > 0, np.tril(np.ones((4, 6), bool)))
    assert causal.weights[0, 0, 0, 0] == 1.0


def test_the_seed_draws_the_weights():
    query, key = sides()
    first, again, other = (
        attend(query, key, AttendConfig("trainable", seed=seed)).weights for seed in (1, 1, 2)
    )
    assert np.array_equal(first, again)
    assert not np.allclose(first, other)
    bound = 1 / math.sqrt(E)
    drawn = untrained_weights("additive", E, 0)["query_proj.weight"]
    assert 0.9 * bound < np.abs(drawn).max() <= bound


def test_a_row_of_nothing_is_zeros():
    scores = np.array([[1.0, -np.inf], [-np.inf, -np.inf], [1e4, -1e4]], np.float32)
    assert masked_softmax(scores).tolist() == [[1.0, 0.0], [0.0, 0.0], [1.0, 0.0]]


def test_heads_that_do_not_divide_the_width():
    query, key = sides()
    with pytest.raises(UsageError, match="heads 5: vectors of width 12 split into 1, 2, 3, 4, 6"):
        attend(query, key, AttendConfig("multihead", num_heads=5))


def test_weights_of_another_width_are_a_data_error():
    query, key = sides()
    with pytest.raises(DataError, match="vectors of width 12"):
        attend(query, key, AttendConfig("trainable"), untrained_weights("trainable", E + 1, 0))
    with pytest.raises(DataError, match="vectors of width 12"):
        attend(query, key, AttendConfig("additive"), untrained_weights("trainable", E, 0))


def test_the_books_pair_on_the_bundled_vectors():
    asks, asked = tokenise(BOOK_QUERY), tokenise(BOOK_KEY)
    vectors = look_up(asks + asked).vectors
    trace = attend((asks, vectors[: len(asks)]), (asked, vectors[len(asks) :]), AttendConfig())
    weights = trace.weights[0, 0]
    largest = {word: asked[weights[row].argmax()] for row, word in enumerate(asks)}
    assert largest["she"] == "her"
    assert largest["teacher"] == "teacher"
    assert largest["student"] == "student"
    assert weights[asks.index("she"), asked.index("her")] >= 0.40


@pytest.mark.parametrize("mechanism", [*MECHANISMS])
def test_vectors_whose_scores_are_infinite_are_refused(mechanism: str) -> None:
    large = ["a", "b"], np.full((2, E), 1e38, np.float32)
    if mechanism == "additive":  # tanh bounds them
        assert np.isfinite(attend(large, large, AttendConfig(mechanism)).weights).all()
        return
    with pytest.raises(DataError, match="too large"):
        attend(large, large, AttendConfig(mechanism))
