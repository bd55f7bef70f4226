"""Teaching attention a relation between words, and measuring what carries over to unseen words.

The comparison of chapter 8: attention with nothing to learn, with learned projections on fixed
word vectors, and with the key and value vectors learned as well.

Shapes: N pairs, K different partners, E width of the word vectors.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from dlcc.core.attend.kept import Trainings, Weights
from dlcc.core.attend.relations import RelationConfig, RelationTask, hold_out
from dlcc.core.attend.trained import TrainedAttention, prepare
from dlcc.core.nn.attention import (
    AdditiveAttention,
    TrainableDotProductAttention,
    dot_product_scores,
)
from dlcc.core.progress import Progress

PLAIN, COSINE, TRAINABLE, ADDITIVE = "dot-product", "cosine × 10", "trainable", "additive"
_STEEPEST = math.atanh(1 / math.sqrt(3))  # where tanh bends most
_BEND = 8 / (3 * math.sqrt(3))  # what one pair of tanh there multiplies a cosine by

Attention = TrainableDotProductAttention | AdditiveAttention


@dataclass(frozen=True)
class Figures:
    """How well queries find their partners among all keys."""

    accuracy: float
    """Part of the queries whose largest weight is on the partner."""
    weight: float
    """Mean weight on the partner."""


@dataclass(frozen=True)
class Kind:
    """One way to attend."""

    name: str
    """dot-product, cosine × 10, trainable or additive."""
    embeddings: str
    """fixed or learned: the vectors of keys and values."""
    start: str = ""
    """similarity: the weights start so that like words attend to each other, and are pulled back
    to that; random: as PyTorch draws those of a new layer, without a pull; empty: no weights."""


@dataclass(frozen=True)
class Row:
    """One way to attend, measured over the seeds."""

    kind: Kind
    before: tuple[Figures, ...]
    """On held-out pairs before training, a seed each."""
    after: tuple[Figures, ...]
    """On held-out pairs after training."""
    training: tuple[Figures, ...]
    """On the training pairs after training."""


@dataclass(frozen=True)
class Comparison:
    """All rows, and the attention that the first seed learned, with fixed embeddings if it did."""

    rows: tuple[Row, ...]
    trained: TrainedAttention


def kinds(embeddings: tuple[str, ...]) -> list[Kind]:
    """The rows of a comparison with fixed embeddings, learned ones, or both."""
    rows = [Kind(PLAIN, "fixed"), Kind(COSINE, "fixed")]
    for embedding in embeddings:
        if embedding == "learned":
            rows.append(Kind(PLAIN, "learned"))
        for start in ("random", "similarity"):
            rows += [Kind(TRAINABLE, embedding, start), Kind(ADDITIVE, embedding, start)]
    return rows


def compare(
    task: RelationTask,
    config: RelationConfig,
    embeddings: tuple[str, ...] = ("fixed", "learned"),
    progress: Progress | None = None,
    kept: Trainings | None = None,
) -> Comparison:
    """Train each kind of attention from each seed and measure it on held-out and training pairs.

    Args:
        task: the pairs.
        config: how.
        embeddings: fixed, learned or both.
        progress: told how many trainings are done.
        kept: those that were done before; what is done now is added.
    """
    rows: list[Row] = []
    trained: dict[str, dict[str, np.ndarray]] = {}
    total = len(kinds(embeddings)) * config.num_seeds
    for kind in kinds(embeddings):
        results = []
        for run in range(config.num_seeds):
            figures, learned = _done(task, config, run, kind, kept)
            results.append(figures)
            if learned:
                trained.setdefault(kind.name, learned)  # fixed embeddings come first
            if progress:
                progress(len(rows) * config.num_seeds + run + 1, total)
        before, after, training = (tuple(column) for column in zip(*results, strict=True))
        rows.append(Row(kind, before, after, training))
    first_training, first_held = hold_out(task, config, 0)
    about = {
        "held_out": [[task.queries[n], task.keys[task.target[n]]] for n in first_held],
        "embeddings": task.source,
    }
    return Comparison(tuple(rows), TrainedAttention(trained, _centre(task, first_training), about))


def _done(
    task: RelationTask, config: RelationConfig, run: int, kind: Kind, kept: Trainings | None
) -> tuple[list[Figures], Weights | None]:
    """The figures of `_run`, and what the first seed learned; of one that is kept, as it was."""
    name = f"{kind.name} {kind.embeddings} {kind.start} {run}"
    done = kept.get(name) if kept else None
    if done is None:
        module, *figures = _run(task, config, run, kind)
        learned = None
        if run == 0 and module is not None and kind.start == "similarity":
            learned = {name: value.numpy().copy() for name, value in module.state_dict().items()}
        done = [[each.accuracy, each.weight] for each in figures], learned
        if kept:
            kept.put(name, *done)
    return [Figures(*pair) for pair in done[0]], done[1]


def _run(
    task: RelationTask, config: RelationConfig, run: int, kind: Kind
) -> tuple[Attention | None, Figures, Figures, Figures]:
    """One kind of attention from one seed: held out before and after, training after."""
    training, held = (torch.from_numpy(part) for part in hold_out(task, config, run))
    query, key, target = _tensors(task, kind.name, training.numpy())
    module: Attention | None = None
    if kind.start:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed * 1_000_003 + run)
            module = new_attention(kind, query.shape[1], config.sharpness)
    with torch.no_grad():
        before = measure(scores(module, query[held], key), target[held])
    if module is not None or kind.embeddings == "learned":
        key = teach(module, query[training], key, target[training], config, kind)
    with torch.no_grad():
        after = measure(scores(module, query[held], key), target[held])
        seen = measure(scores(module, query[training], key), target[training])
    return module, before, after, seen


def _tensors(task: RelationTask, name: str, training: np.ndarray) -> tuple[Tensor, Tensor, Tensor]:
    """Queries [N, E], keys [K, E] and targets [N], prepared as `name` takes them."""
    query, key = task.query_vectors, task.key_vectors
    if name == COSINE:
        nothing = np.zeros(query.shape[1], np.float32)
        query = prepare(query, nothing) * np.float32(10 * math.sqrt(query.shape[1]))
        key = prepare(key, nothing)
    elif name != PLAIN:
        centre = _centre(task, training)
        query, key = prepare(query, centre), prepare(key, centre)
    return torch.from_numpy(query), torch.from_numpy(key), torch.from_numpy(task.target)


def _centre(task: RelationTask, training: np.ndarray) -> np.ndarray:
    """The mean of the training words' vectors [E]."""
    keys = np.unique(task.target[training])
    words = np.concatenate([task.query_vectors[training], task.key_vectors[keys]])
    return words.mean(0, dtype=np.float32)


def new_attention(kind: Kind, width: int, sharpness: float) -> Attention:
    """An attention as it stands before training.

    A similarity start makes both mechanisms compare words as the cosine does: the dot product
    through identity projections, and additive attention through pairs of tanh whose difference
    has its peak where query and key agree.
    """
    identity = torch.eye(width)
    if kind.name == TRAINABLE:
        module: Attention = TrainableDotProductAttention(width)
        # The loss is on the weights alone: values stay the words' own.
        module.load_state_dict({"value_proj.weight": identity}, strict=False)
        module.value_proj.requires_grad_(False)
        start = {
            "query_proj.weight": identity * math.sqrt(sharpness * math.sqrt(width)),
            "key_proj.weight": identity * math.sqrt(sharpness * math.sqrt(width)),
        }
    else:
        module = AdditiveAttention(
            width, attention_dim=2 * width if kind.start == "similarity" else width
        )
        shift = torch.full((width,), _STEEPEST)
        ones = torch.ones(width) * sharpness / _BEND
        start = {
            "query_proj.weight": torch.cat([-identity, -identity]),
            "key_proj.weight": torch.cat([identity, identity]),
            "key_proj.bias": torch.cat([shift, -shift]),
            "score_proj.weight": torch.cat([ones, -ones])[None],
        }
    if kind.start == "similarity":
        module.load_state_dict(start, strict=False)
    return module


def scores(module: Attention | None, query: Tensor, key: Tensor) -> Tensor:
    """Scores [N, K] of an attention, or of the plain scaled dot product when None."""
    if module is None:
        return dot_product_scores(query, key)
    if isinstance(module, AdditiveAttention):
        return module.scores(query, key)
    return dot_product_scores(module.query_proj(query), module.key_proj(key))


def measure(scores: Tensor, target: Tensor) -> Figures:
    """Figures of scores [N, K] against each query's right key [N]."""
    weights = scores.softmax(-1)
    return Figures(
        accuracy=float((scores.argmax(-1) == target).float().mean()),
        weight=float(weights.gather(1, target[:, None]).mean()),
    )


def teach(
    module: Attention | None,
    query: Tensor,
    key: Tensor,
    target: Tensor,
    config: RelationConfig,
    kind: Kind,
) -> Tensor:
    """Train an attention in place, and the key vectors too where `kind` learns them.

    Args:
        module: what is trained; None for the plain dot product, which has no weights.
        query: [N, E], the training pairs' alone.
        key: [K, E], all keys: only those that are a target take part.
        target: [N], the right key's number.
        kind: its start decides on the pull, its embeddings on the keys.

    Returns:
        The keys [K, E]; where they are learned, those of the training pairs have changed.
    """
    seen, right = torch.unique(target, return_inverse=True)
    learned, similarity = kind.embeddings == "learned", kind.start == "similarity"
    keys = key[seen].clone().requires_grad_(learned)
    tensors = [] if module is None else [p for p in module.parameters() if p.requires_grad]
    sizes = [_size(tensor) if similarity else 1.0 for tensor in tensors]
    starts = [tensor.detach().clone() for tensor in tensors]
    groups = [
        {"params": [tensor], "lr": config.learning_rate * size}
        for tensor, size in zip(tensors, sizes, strict=True)
    ]
    if learned:
        groups.append({"params": [keys], "lr": config.learning_rate * _size(keys)})
    optimizer = torch.optim.Adam(groups)
    for _ in range(config.steps if similarity else 2 * config.steps):
        loss = F.cross_entropy(scores(module, query, keys), right)
        if similarity:
            for tensor, start, size in zip(tensors, starts, sizes, strict=True):
                loss = loss + config.pull * ((tensor - start) / size).square().sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if not learned:
        return key
    changed = key.clone()
    changed[seen] = keys.detach()
    return changed


def _size(tensor: Tensor) -> float:
    """The size of a tensor's entries: the largest, so that an identity counts as its diagonal."""
    return float(tensor.detach().abs().max())
