"""Attention on sentences with numpy alone: tokens in, a trace out.

The forward passes of `core.nn.attention` again, without torch, so that the first picture is there
before torch would have been loaded. Tests hold the two to each other.

Shapes: Q query tokens, K key tokens, E width of the word vectors, H heads, D width of a head.
"""

import math
import re
import unicodedata
from dataclasses import dataclass
from typing import Any

import numpy as np

from dlcc.core.errors import DataError, UsageError
from dlcc.core.settings import Bound, Settings, at_least, one_of, setting
from dlcc.core.trace.trace import AttentionTrace
from dlcc.core.typed import typed_letters

BOOK_QUERY = "The teacher praised a student because she improved"
BOOK_KEY = "A student asked the teacher to help her improve"
MECHANISMS = ("dot", "trainable", "additive", "multihead")
MASKS = ("none", "causal")
_MECHANISM = Bound(
    f"choose one of {', '.join((*MECHANISMS, 'all'))}", lambda value: value in MECHANISMS
)
_TEMPERATURES = Bound("from 0.001 to 1000", lambda value: 0.001 <= value <= 1000)
TITLES = {
    "dot": "scaled dot-product",
    "trainable": "trainable dot-product",
    "additive": "additive",
    "multihead": "multi-head",
}

Weights = dict[str, np.ndarray]
"""The learned tensors of one mechanism, named as in its module in `core.nn.attention`."""

_STEERING = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_UNSHOWN = re.compile(
    "\x1b\\[[0-9;?]*[A-Za-z]|[\x00-\x1f\x7f-\x9f\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)
_PICTURE = (
    "[\U0001f000-\U0001f1e5\U0001f200-\U0001f3fa\U0001f400-\U0001faff"
    "\u203c\u2049\u2122\u2139\u2190-\u21ff\u2300-\u23ff\u2600-\u27bf\u2b00-\u2bff\u3030\u303d]"
)
_MODIFIER = "[\ufe0e\ufe0f\u20e3\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]"
_EMOJI = (
    "[\U0001f1e6-\U0001f1ff]{2}|[0-9#*]\ufe0f?\u20e3|"
    f"{_PICTURE}{_MODIFIER}*(?:\u200d{_PICTURE}{_MODIFIER}*)*"
)
_SIGN = (
    r"\s!-/:-@\[-`{-~\u00a1-\u00a9\u00ab-\u00b4\u00b6-\u00b9\u00bb-\u00bf\u00d7\u00f7"
    r"\u2010-\u206f\u20a0-\u2bff\u3000-\u3004\u3007-\u3030\ufe30-\ufe6f\uff01-\uff0f\uff1a-\uff20"
    r"\uff3b-\uff40\uff5b-\uff65\u0964\u0965\u060c\u061b\u061f\U0001f000-\U0001faff"
)
_HAN = "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_WORD = f"[^{_SIGN}{_HAN}]+"
_TOKEN = re.compile(
    rf"\[/?[A-Za-z][^\[\]\s]*\]|</?[A-Za-z]\w*>|{_EMOJI}|[{_HAN}]\u3099?|"
    rf"(?:[A-Za-z]\.){{2,}}|\d+(?:[.,:]\d+)+|\w+?(?=n['’]t\b)|n['’]t\b|"
    rf"['’](?i:s|re|ve|ll|m|d)\b|"
    rf"(?:(?!\w+n['’]t\b){_WORD}(?:-(?={_WORD})|['’](?!(?i:s|re|ve|ll|m|d|t)\b)(?={_WORD}))?)+|"
    r"\.{2,}|-{2,}|\S"
)


def tokenise(sentence: str) -> list[str]:
    """Words, punctuation marks and emoji of `sentence`, in their own case.

    Tokens such as [CLS] and </s> stay whole, "don't" becomes "do" and "n't" as in GloVe's texts,
    and Chinese and Japanese fall into single characters. Characters that only steer a screen are
    left out.

    Raises:
        UsageError: nothing is left.
    """
    letters = typed_letters(_STEERING.sub(" ", unicodedata.normalize("NFC", sentence)))
    tokens = _TOKEN.findall(_UNSHOWN.sub(" ", letters))
    if not tokens:
        raise UsageError(
            f'a sentence without a word: {sentence!r}; give one, such as "The cat sat on the mat"'
        )
    return tokens


@dataclass(frozen=True)
class AttendConfig(Settings):
    """How one sentence attends to another.

    Raises:
        UsageError: an option with a value that it cannot have.
    """

    mechanism: str = setting("dot", _MECHANISM)
    """dot, trainable, additive or multihead."""
    num_heads: int = setting(2, at_least(1), "heads")
    """Heads of the multi-head mechanism; the vectors' width must be a multiple of it."""
    scaled: bool = True
    """Whether dot products are divided by √D."""
    temperature: float = setting(1.0, _TEMPERATURES)
    """What the scores are divided by before the softmax: above 1 evens the weights out."""
    mask: str = setting("none", one_of(MASKS))
    """none; or causal: a query attends to no key after its own position."""
    seed: int = 0
    """Draws the weights where none are loaded."""


def untrained_weights(mechanism: str, width: int, seed: int) -> Weights:
    """Weights for vectors of `width`, drawn as PyTorch draws those of a new linear layer."""
    square, bound, rng = (width, width), 1 / math.sqrt(width), np.random.default_rng(seed)
    shapes: dict[str, dict[str, tuple[int, ...]]] = {
        "dot": {},
        "trainable": {f"{part}_proj.weight": square for part in ("query", "key", "value")},
        "additive": {
            "query_proj.weight": square,
            "key_proj.weight": square,
            "key_proj.bias": (width,),
            "score_proj.weight": (1, width),
        },
        "multihead": {
            "in_proj.weight": (3 * width, width),
            "in_proj.bias": (3 * width,),
            "out_proj.weight": square,
            "out_proj.bias": (width,),
        },
    }
    return {
        name: rng.uniform(-bound, bound, shape).astype(np.float32)
        for name, shape in shapes[mechanism].items()
    }


def attend(
    query: tuple[list[str], np.ndarray],
    key: tuple[list[str], np.ndarray],
    config: AttendConfig,
    weights: Weights | None = None,
    made_by: dict[str, Any] | None = None,
) -> AttentionTrace:
    """One sentence attends to another, or to itself.

    Args:
        query: Q tokens and their vectors [Q, E], float32.
        key: K tokens and their vectors [K, E], float32.
        weights: learned tensors; untrained ones are drawn from the seed when None.

    Returns:
        A trace of one layer with weights, scores and the tensors that they come from.

    Raises:
        DataError: vectors that do not fit the weights, or whose numbers are too large.
        UsageError: heads that do not divide the vectors' width.
    """
    title = TITLES[config.mechanism]
    if weights is None:
        title += "" if config.mechanism == "dot" else ", untrained"
        weights = untrained_weights(config.mechanism, query[1].shape[1], config.seed)
    try:
        with np.errstate(over="ignore", invalid="ignore"):  # infinite scores are refused below
            tensors = _project(config, weights, query[1], key[1])
    except (KeyError, ValueError) as error:
        raise DataError(
            f"the loaded {config.mechanism} attention does not fit vectors of width "
            f"{query[1].shape[1]} ({error}): use the embeddings that it was trained with"
        ) from error
    additive = config.mechanism == "additive"
    scale = 1 / config.temperature
    if config.scaled and not additive:
        scale /= math.sqrt(tensors["query"].shape[-1])
    with np.errstate(over="ignore", invalid="ignore"):
        scores = _scores(tensors, additive) * np.float32(scale)
    if not np.isfinite(scores).all():
        raise DataError("the numbers of these vectors are too large: their scores are infinite")
    if config.mask == "causal":
        scores[..., ~np.tril(np.ones(scores.shape[-2:], bool))] = -np.inf
    return AttentionTrace(
        weights=masked_softmax(scores),
        query=tuple(query[0]),
        key=tuple(key[0]),
        title=title,
        scores=scores,
        layer_names=(title,),
        tensors=tensors,
        mechanism="additive" if additive else "dot-product",
        scale=scale,
        made_by=made_by or {},
    )


def masked_softmax(scores: np.ndarray) -> np.ndarray:
    """Softmax over the last axis; -inf takes no part, and a row of nothing but -inf gives zeros."""
    highest = scores.max(-1, keepdims=True)
    parts = np.exp(scores - np.where(np.isfinite(highest), highest, 0))
    sums = parts.sum(-1, keepdims=True)
    return parts / np.where(sums > 0, sums, 1)


def _project(
    config: AttendConfig, weights: Weights, query: np.ndarray, key: np.ndarray
) -> dict[str, np.ndarray]:
    """Queries [1, H, Q, D], keys [1, H, K, D], values [1, H, K, Dv] and, additive, w [1, H, D]."""
    if config.mechanism == "dot":
        return {"query": query[None, None], "key": key[None, None], "value": key[None, None]}
    if config.mechanism == "multihead":
        return _split_heads(config, weights, query, key)
    tensors = {
        "query": query @ weights["query_proj.weight"].T,
        "key": key @ weights["key_proj.weight"].T,
    }
    if config.mechanism == "additive":
        tensors["key"] = tensors["key"] + weights["key_proj.bias"]
        tensors["value"] = key
        tensors["score"] = weights["score_proj.weight"][0]
    else:
        tensors["value"] = key @ weights["value_proj.weight"].T
    return {name: array[None, None] for name, array in tensors.items()}


def _split_heads(
    config: AttendConfig, weights: Weights, query: np.ndarray, key: np.ndarray
) -> dict[str, np.ndarray]:
    width, heads = query.shape[1], config.num_heads
    if width % heads:
        fitting = ", ".join(str(n) for n in range(1, width + 1) if width % n == 0)
        raise UsageError(f"vectors of width {width} split into {fitting}", "heads", heads)
    tensors = {}
    for place, (name, source) in enumerate((("query", query), ("key", key), ("value", key))):
        rows = slice(place * width, (place + 1) * width)
        projected = source @ weights["in_proj.weight"][rows].T + weights["in_proj.bias"][rows]
        tensors[name] = projected.reshape(len(source), heads, -1).swapaxes(0, 1)[None]
    return tensors


def _scores(tensors: dict[str, np.ndarray], additive: bool) -> np.ndarray:
    """Scores [1, H, Q, K] before they are scaled."""
    query, key = tensors["query"], tensors["key"]
    if not additive:
        return query @ key.swapaxes(-2, -1)
    rows = [
        np.tanh(query[0, 0, n] + key[0, 0]) @ tensors["score"][0, 0] for n in range(query.shape[2])
    ]
    return np.stack(rows)[None, None]
