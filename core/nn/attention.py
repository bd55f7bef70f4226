"""Attention from scratch: dot-product, trainable dot-product, additive and multi-head.

Each returns (output, weights). Masks are boolean, True means may attend; a query that may attend
to nothing gets zeros, never NaN.

Shapes: B batch, Q query length, K key length, H heads, D width, `...` any leading dimensions.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dlcc.core.nn.dropout import dropout as drop


def masked_softmax(scores: Tensor, mask: Tensor | None = None) -> Tensor:
    """Softmax over the keys, in which masked keys take no part.

    Args:
        scores: [..., Q, K], any float type.
        mask: boolean, broadcasts to `scores`; True means may attend.

    Returns:
        Weights [..., Q, K] of the same type: each row sums to 1, or to 0 where all is masked.

    Raises:
        ValueError: a mask that is not boolean.
    """
    if mask is None:
        return scores.softmax(-1)
    _check_boolean(mask)
    has_key = mask.any(-1, keepdim=True)
    # An empty row is left as it is, and hidden afterwards: -inf alone would carry NaN into the
    # gradients. Added while the mask is small, before it is broadcast to the scores.
    hidden = torch.zeros_like(mask, dtype=scores.dtype)
    hidden.masked_fill_(~mask & has_key, -torch.inf)
    weights = (scores + hidden).softmax(-1)
    if can_be_asked(has_key) and bool(has_key.all()):
        return weights
    return weights.masked_fill(~has_key, 0.0)


def can_be_asked(tensor: Tensor) -> bool:
    """Whether a value decides in Python without harm: not where a graph is being recorded, nor
    where a GPU would have to be waited for. On a CPU it saves writing the weights again."""
    plain = not being_recorded(tensor) and not torch.compiler.is_compiling()
    return plain and tensor.device.type == "cpu"


def being_recorded(tensor: Tensor) -> bool:
    """Whether a result stands for any value of its shape, as a graph for export is recorded."""
    return type(tensor) is not Tensor


def _check_boolean(mask: Tensor) -> None:
    """Elsewhere a mask of numbers is added to the scores: 0 and 1 would hide nothing."""
    if mask.dtype != torch.bool:
        raise ValueError(f"a mask of {mask.dtype}: give a boolean one, True where may attend")


def dot_product_scores(query: Tensor, key: Tensor, scale: float | None = None) -> Tensor:
    """Scaled dot products of every query with every key (Vaswani et al. 2017, eq. 1).

    Args:
        query: [..., Q, D].
        key: [..., K, D].
        scale: factor on the products; 1/√D when None.

    Returns:
        Scores [..., Q, K].
    """
    if query.shape[-1] != key.shape[-1]:
        raise ValueError(f"queries are {query.shape[-1]} wide and keys {key.shape[-1]}")
    scale = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    if query.dtype == torch.bfloat16 and query.shape[:-2] == key.shape[:-2] and query.ndim > 2:
        return _scaled_products(query, key, scale)
    return (query * scale) @ key.transpose(-2, -1)


def _scaled_products(query: Tensor, key: Tensor, scale: float) -> Tensor:
    """As `dot_product_scores`, the products scaled before they are rounded and not one by one: a
    training step in bfloat16 takes 1 % less on a CPU."""
    queries, keys = query.flatten(0, -3), key.flatten(0, -3).transpose(1, 2)
    nothing = queries.new_empty(()).expand(len(queries), queries.shape[1], keys.shape[2])
    scores = torch.baddbmm(nothing, queries, keys, beta=0, alpha=scale)
    return scores.unflatten(0, query.shape[:-2])


def dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None = None,
    *,
    scale: float | None = None,
    dropout: float = 0.0,
    need_weights: bool = True,
) -> tuple[Tensor, Tensor | None]:
    """Scaled dot-product attention: nothing to learn (chapter 8, "Dot-product attention").

    Args:
        query: [..., Q, D].
        key: [..., K, D].
        value: [..., K, Dv].
        mask: boolean, broadcasts to [..., Q, K]; True means may attend.
        scale: factor on the products; 1/√D when None.
        dropout: share of weights dropped, from 0 to 1; pass 0 outside training.
        need_weights: False takes PyTorch's fused kernel, which never writes the weights down.

    Returns:
        Output [..., Q, Dv], and the weights [..., Q, K] before dropout, or None.

    Raises:
        ValueError: a mask that is not boolean.
    """
    if mask is not None:
        _check_boolean(mask)
    if not need_weights and not _plain_is_faster(query, key):
        output = F.scaled_dot_product_attention(
            query, key, value, attn_mask=mask, dropout_p=dropout, scale=scale
        )
        if mask is None:
            return output, None
        return output.masked_fill(~mask.any(-1, keepdim=True), 0.0), None
    weights = masked_softmax(dot_product_scores(query, key, scale), mask)
    output = drop(weights, dropout) @ value
    return output, weights if need_weights else None


def _plain_is_faster(query: Tensor, key: Tensor) -> bool:
    """Whether writing the weights down beats the fused kernel: bfloat16 rows on a CPU, if short.

    Forward and backward, one core, torch 2.14, masked: 15 against 47 ms at 64 keys, 40 against 61
    at 256, 72 against 98 at 512.
    """
    short = query.device.type == "cpu" and key.shape[-2] <= 512
    return short and query.dtype == torch.bfloat16


class TrainableDotProductAttention(nn.Module):
    """Dot-product attention on learned projections of queries, keys and values.

    Chapter 8, "Trainable dot-product attention"; one head of Vaswani et al. 2017.

    Args:
        query_dim: width of the queries.
        key_dim: width of the keys and values; `query_dim` when None.
        attention_dim: width in which they are compared; `query_dim` when None.
        value_dim: width of the output; `key_dim` when None.
    """

    def __init__(
        self,
        query_dim: int,
        key_dim: int | None = None,
        attention_dim: int | None = None,
        value_dim: int | None = None,
    ) -> None:
        super().__init__()
        key_dim = query_dim if key_dim is None else key_dim
        attention_dim = query_dim if attention_dim is None else attention_dim
        value_dim = key_dim if value_dim is None else value_dim
        self.query_proj = nn.Linear(query_dim, attention_dim, bias=False)
        self.key_proj = nn.Linear(key_dim, attention_dim, bias=False)
        self.value_proj = nn.Linear(key_dim, value_dim, bias=False)

    def forward(
        self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Attend from `query` [..., Q, Dq] to `key` and `value` [..., K, Dk].

        Returns:
            Output [..., Q, Dv] and weights [..., Q, K].
        """
        output, weights = dot_product_attention(
            self.query_proj(query), self.key_proj(key), self.value_proj(value), mask
        )
        assert weights is not None  # asked for by default
        return output, weights


class AdditiveAttention(nn.Module):
    """Additive attention: score = w · tanh(Wq query + Wk key) (Bahdanau et al. 2015, A.1.2).

    Chapter 8, "Additive attention". The values are taken as they are.

    Args:
        query_dim: width of the queries.
        key_dim: width of the keys; `query_dim` when None.
        attention_dim: width of the hidden layer; `query_dim` when None.
    """

    def __init__(
        self, query_dim: int, key_dim: int | None = None, attention_dim: int | None = None
    ) -> None:
        super().__init__()
        attention_dim = query_dim if attention_dim is None else attention_dim
        self.query_proj = nn.Linear(query_dim, attention_dim, bias=False)
        self.key_proj = nn.Linear(query_dim if key_dim is None else key_dim, attention_dim)
        self.score_proj = nn.Linear(attention_dim, 1, bias=False)

    def scores(self, query: Tensor, key: Tensor) -> Tensor:
        """Scores [..., Q, K] before the softmax."""
        pairs = self.query_proj(query).unsqueeze(-2) + self.key_proj(key).unsqueeze(-3)
        return self.score_proj(pairs.tanh()).squeeze(-1)  # [..., Q, K, D] -> [..., Q, K]

    def forward(
        self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Attend from `query` [..., Q, Dq] to `key` [..., K, Dk] and `value` [..., K, Dv].

        Returns:
            Output [..., Q, Dv] and weights [..., Q, K].
        """
        weights = masked_softmax(self.scores(query, key), mask)
        return weights @ value, weights


class MultiHeadAttention(nn.Module):
    """Several trainable dot-product attentions side by side (Vaswani et al. 2017, section 3.2.2).

    Args:
        embed_dim: width of queries, keys, values and output; a multiple of `num_heads`.
        num_heads: number of heads, each embed_dim / num_heads wide.
        dropout: share of weights dropped in training, from 0 to 1.
        bias: whether the projections have one.

    Raises:
        ValueError: `embed_dim` is no multiple of `num_heads`.
    """

    def __init__(
        self, embed_dim: int, num_heads: int, dropout: float = 0.0, bias: bool = True
    ) -> None:
        super().__init__()
        if num_heads < 1 or embed_dim % num_heads:
            raise ValueError(f"a width of {embed_dim} cannot be split into {num_heads} heads")
        self.num_heads = num_heads
        self.dropout = dropout
        self.in_proj = nn.Linear(embed_dim, 3 * embed_dim, bias=bias)  # query, key, value in a row
        self.out_proj = nn.Linear(embed_dim, embed_dim, bias=bias)

    def forward(
        self,
        query: Tensor,
        key: Tensor | None = None,
        mask: Tensor | None = None,
        *,
        need_weights: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """Attend from `query` [B, Q, D] to `key` [B, K, D], or to itself when None.

        Args:
            query: [B, Q, D].
            key: [B, K, D]: keys and values in one.
            mask: boolean, broadcasts to [B, H, Q, K]; True means may attend.
            need_weights: whether the weights are returned; without them it is faster.

        Returns:
            Output [B, Q, D], and the weights [B, H, Q, K] or None.
        """
        return self.mix(*self.project(query, key), mask, need_weights=need_weights)

    def mix(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        mask: Tensor | None = None,
        *,
        need_weights: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """As `forward`, of what `project` gave, [B, H, Q, D/H] and [B, H, K, D/H]."""
        dropped = self.dropout if self.training else 0.0
        output, weights = dot_product_attention(
            query, key, value, mask, dropout=dropped, need_weights=need_weights
        )
        return self.out_proj(output.transpose(1, 2).flatten(2)), weights

    def project(self, query: Tensor, key: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Queries [B, H, Q, D/H], keys and values [B, H, K, D/H] of every head."""
        if key is None:
            q, k, v = map(self._split, self.in_proj(query).chunk(3, -1))
            return q, k, v
        return self.queries(query), *self.keys_and_values(key)

    def queries(self, query: Tensor) -> Tensor:
        """Queries [B, H, Q, D/H] of every head."""
        width, bias = query.shape[-1], self.in_proj.bias
        q = F.linear(query, self.in_proj.weight[:width], None if bias is None else bias[:width])
        return self._split(q)

    def keys_and_values(self, key: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values [B, H, K, D/H] of every head."""
        width, bias = key.shape[-1], self.in_proj.bias
        both = F.linear(key, self.in_proj.weight[width:], None if bias is None else bias[width:])
        k, v = map(self._split, both.chunk(2, -1))
        return k, v

    def _split(self, tensor: Tensor) -> Tensor:
        batch, length, width = tensor.shape
        return tensor.view(batch, length, self.num_heads, width // self.num_heads).transpose(1, 2)
