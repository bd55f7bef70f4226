"""Attention against PyTorch's own, and additive attention against a double loop.

Outputs and gradients, in float32 and bfloat16, with and without masks, with rows that may attend
to nothing. Each mutation that a slip could make is shown to be noticed.
"""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from dlcc.core.nn import attention
from dlcc.core.nn.attention import (
    AdditiveAttention,
    MultiHeadAttention,
    TrainableDotProductAttention,
    dot_product_attention,
    dot_product_scores,
    masked_softmax,
)

B, Q, K, D, DV, H = 3, 5, 7, 8, 6, 2
TYPES = pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["fp32", "bf16"])
MASKS = pytest.mark.parametrize("masking", ["none", "random", "causal", "empty-row"])
TOLERANCE = {torch.float32: 1e-5, torch.bfloat16: 4e-2}


def draw(*shape, dtype=torch.float32, seed=0):
    generator = torch.Generator().manual_seed(seed + sum(shape))
    return torch.randn(*shape, generator=generator).to(dtype).requires_grad_()


def make_mask(masking, queries=Q, keys=K):
    if masking == "none":
        return None
    if masking == "causal":
        return torch.ones(queries, keys, dtype=torch.bool).tril()
    mask = torch.rand(B, queries, keys, generator=torch.Generator().manual_seed(1)) > 0.4
    mask[..., 0] = True
    if masking == "empty-row":
        mask[:, 2] = False
    return mask


def assert_close(ours, theirs, dtype=torch.float32):
    tolerance = TOLERANCE[dtype]
    torch.testing.assert_close(ours.float(), theirs.float(), atol=tolerance, rtol=tolerance)


def gradients(output, inputs):
    """Gradients of a weighted sum, so that every output counts differently."""
    weighting = torch.linspace(-1, 1, output.numel()).reshape(output.shape).to(output.dtype)
    return torch.autograd.grad((output * weighting).sum(), inputs, retain_graph=True)


def assert_same_with_gradients(ours, theirs, inputs, dtype):
    assert_close(ours, theirs, dtype)
    for a, b in zip(gradients(ours, inputs), gradients(theirs, inputs), strict=True):
        assert torch.isfinite(a).all()
        assert_close(a, b, dtype)


def reference(query, key, value, mask, scale=None):
    """PyTorch's kernel; rows without a key, which it leaves undefined, are zeros here."""
    if mask is None:
        return F.scaled_dot_product_attention(query, key, value, scale=scale)
    empty = ~mask.any(-1, keepdim=True)
    output = F.scaled_dot_product_attention(query, key, value, mask | empty, scale=scale)
    return output.masked_fill(empty, 0.0)


@TYPES
@MASKS
@pytest.mark.parametrize("need_weights", [True, False])
@pytest.mark.parametrize("scale", [None, 0.7])
def test_dot_product_attention_is_pytorchs(dtype, masking, need_weights, scale):
    query, key, value = draw(B, Q, D, dtype=dtype), draw(B, K, D, dtype=dtype), draw(B, K, DV)
    value = value.detach().to(dtype).requires_grad_()
    mask = make_mask(masking)
    output, weights = dot_product_attention(
        query, key, value, mask, scale=scale, need_weights=need_weights
    )
    expected = reference(query, key, value, mask, scale)
    assert_same_with_gradients(output, expected, (query, key, value), dtype)
    assert output.dtype == dtype
    assert (weights is None) == (not need_weights)
    if masking == "empty-row":
        assert not output[:, 2].any()


@TYPES
@MASKS
def test_weights_are_probabilities_and_give_the_output(dtype, masking):
    query, key, value = draw(B, Q, D, dtype=dtype), draw(B, K, D, dtype=dtype), draw(B, K, DV)
    mask = make_mask(masking)
    output, weights = dot_product_attention(query, key, value.to(dtype), mask)
    sums = torch.ones(B, Q)
    if masking == "empty-row":
        sums[:, 2] = 0
    assert_close(weights.sum(-1), sums, dtype)
    assert_close(weights @ value.to(dtype), output, dtype)
    if mask is not None:
        assert not weights[~mask.expand_as(weights)].any()


def test_scores_by_hand():
    query = torch.tensor([[1.0, 2.0, 0.0, 0.0]])
    key = torch.tensor([[3.0, 1.0, 0.0, 0.0], [0.0, -1.0, 5.0, 0.0]])
    assert torch.equal(dot_product_scores(query, key), torch.tensor([[2.5, -1.0]]))
    assert torch.equal(dot_product_scores(query, key, 1.0), torch.tensor([[5.0, -2.0]]))
    with pytest.raises(ValueError, match="4 wide and keys 3"):
        dot_product_scores(query, key[:, :3])


def test_a_softmax_of_large_scores_and_of_nothing_has_no_nan():
    scores = torch.tensor([[1e4, -1e4], [5.0, 5.0]], requires_grad=True)
    mask = torch.tensor([[True, True], [False, False]])
    weights = masked_softmax(scores, mask)
    assert torch.equal(weights, torch.tensor([[1.0, 0.0], [0.0, 0.0]]))
    (gradient,) = torch.autograd.grad(weights[:, 0].sum(), scores)
    assert torch.isfinite(gradient).all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_a_masked_key_has_no_weight_whatever_its_score(dtype):
    highest = torch.finfo(dtype).max
    scores = torch.tensor([[highest, -highest, 1.0], [highest, highest, highest]]).to(dtype)
    mask = torch.tensor([[False, True, False], [False, False, False]])
    expected = torch.tensor([[0.0, 1.0, 0.0], [0.0, 0.0, 0.0]])
    assert torch.equal(masked_softmax(scores, mask).float(), expected)


@pytest.mark.parametrize("need_weights", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.int64])
def test_a_mask_of_numbers_is_refused(dtype, need_weights):
    query, mask = draw(B, Q, D), torch.ones(Q, Q).tril().to(dtype)
    with pytest.raises(ValueError, match=f"a mask of {dtype}: give a boolean one"):
        dot_product_attention(query, query, query, mask, need_weights=need_weights)
    with pytest.raises(ValueError, match="give a boolean one"):
        MultiHeadAttention(D, H)(query, mask=mask, need_weights=need_weights)
    with pytest.raises(ValueError, match="give a boolean one"):
        AdditiveAttention(D)(query, query, query, mask)


def test_dropout_drops_from_the_output_and_not_from_the_weights():
    query, key, value = draw(B, Q, D), draw(B, K, D), draw(B, K, DV)
    torch.manual_seed(0)
    output, weights = dot_product_attention(query, key, value, dropout=0.5)
    plain, plain_weights = dot_product_attention(query, key, value)
    assert torch.equal(weights, plain_weights)
    assert not torch.allclose(output, plain)


@TYPES
@MASKS
@pytest.mark.parametrize("key_dim", [D, DV])
def test_trainable_attention_is_pytorchs_on_projections(dtype, masking, key_dim):
    torch.manual_seed(0)
    module = TrainableDotProductAttention(D, key_dim, attention_dim=4, value_dim=3).to(dtype)
    query, key = draw(B, Q, D, dtype=dtype), draw(B, K, key_dim, dtype=dtype)
    mask = make_mask(masking)
    output, weights = module(query, key, key, mask)
    projected = (
        F.linear(query, module.query_proj.weight),
        F.linear(key, module.key_proj.weight),
        F.linear(key, module.value_proj.weight),
    )
    expected = reference(*projected, mask)
    assert output.shape == (B, Q, 3)
    assert weights.shape == (B, Q, K)
    assert_same_with_gradients(output, expected, (query, key, *module.parameters()), dtype)


def additive_by_loops(module, query, key, value, mask):
    """One score at a time, in the words of Bahdanau et al.: w · tanh(Wq q + Wk k + b)."""
    rows = []
    for batch in range(B):
        for i in range(Q):
            scores = []
            for j in range(K):
                if mask is not None and not mask.expand(B, Q, K)[batch, i, j]:
                    continue
                hidden = module.query_proj.weight @ query[batch, i]
                hidden = hidden + module.key_proj.weight @ key[batch, j] + module.key_proj.bias
                scores.append((module.score_proj.weight[0] @ torch.tanh(hidden), j))
            if not scores:
                rows.append(torch.zeros(DV, dtype=value.dtype))
                continue
            total = sum(torch.exp(score.float()) for score, _ in scores)
            parts = (torch.exp(s.float()) / total * value[batch, j].float() for s, j in scores)
            rows.append(sum(parts).to(value.dtype))
    return torch.stack(rows).view(B, Q, DV)


@TYPES
@MASKS
def test_additive_attention_is_a_double_loop(dtype, masking):
    torch.manual_seed(0)
    module = AdditiveAttention(D, key_dim=DV, attention_dim=4).to(dtype)
    query, key = draw(B, Q, D, dtype=dtype), draw(B, K, DV, dtype=dtype)
    value = draw(B, K, DV, seed=5).detach().to(dtype).requires_grad_()
    mask = make_mask(masking)
    output, weights = module(query, key, value, mask)
    expected = additive_by_loops(module, query, key, value, mask)
    assert weights.shape == (B, Q, K)
    inputs = (query, key, value, *module.parameters())
    assert_same_with_gradients(output, expected, inputs, dtype)


def pytorchs_multihead(module, dtype):
    theirs = nn.MultiheadAttention(D, H, batch_first=True, bias=module.in_proj.bias is not None)
    with torch.no_grad():
        theirs.in_proj_weight.copy_(module.in_proj.weight)
        theirs.out_proj.weight.copy_(module.out_proj.weight)
        if module.in_proj.bias is not None:
            theirs.in_proj_bias.copy_(module.in_proj.bias)
            theirs.out_proj.bias.copy_(module.out_proj.bias)
    return theirs.to(dtype)


@TYPES
@pytest.mark.parametrize("masking", ["none", "random", "causal"])
@pytest.mark.parametrize("itself", [True, False])
@pytest.mark.parametrize("bias", [True, False])
def test_multi_head_attention_is_pytorchs(dtype, masking, itself, bias):
    torch.manual_seed(0)
    module = MultiHeadAttention(D, H, bias=bias).to(dtype)
    theirs = pytorchs_multihead(module, dtype)
    query = draw(B, Q, D, dtype=dtype)
    key = query if itself else draw(B, K, D, dtype=dtype)
    mask = make_mask(masking, Q, key.shape[1])
    blocked = None
    if mask is not None:  # theirs: True means may not attend, one map a head
        blocked = ~mask.expand(B, Q, key.shape[1]).repeat_interleave(H, 0)
        mask = mask.unsqueeze(1) if mask.dim() == 3 else mask
    output, weights = module(query, None if itself else key, mask, need_weights=True)
    expected, expected_weights = theirs(
        query, key, key, attn_mask=blocked, average_attn_weights=False
    )
    assert_close(weights, expected_weights, dtype)
    assert weights.shape == (B, H, Q, key.shape[1])
    inputs = (query,) if itself else (query, key)
    assert_same_with_gradients(output, expected, inputs, dtype)
    ours = gradients(output, (module.in_proj.weight, module.out_proj.weight))
    wanted = gradients(expected, (theirs.in_proj_weight, theirs.out_proj.weight))
    for a, b in zip(ours, wanted, strict=True):
        assert_close(a, b, dtype)


@pytest.mark.parametrize("masking", ["none", "random", "causal", "empty-row"])
def test_multi_head_attention_gives_the_same_with_and_without_weights(masking):
    torch.manual_seed(0)
    module = MultiHeadAttention(D, H)
    query, key = draw(B, Q, D), draw(B, K, D)
    mask = make_mask(masking)
    mask = mask.unsqueeze(1) if mask is not None and mask.dim() == 3 else mask
    looked, weights = module(query, key, mask, need_weights=True)
    fast, nothing = module(query, key, mask)
    assert nothing is None
    inputs = (query, key, *module.parameters())
    assert_same_with_gradients(fast, looked, inputs, torch.float32)
    if masking == "empty-row":
        assert not weights[:, :, 2].any()
        assert_close(looked[:, 2], module.out_proj.bias.expand(B, D))


def test_projections_of_the_heads_are_what_the_weights_come_from():
    torch.manual_seed(0)
    module = MultiHeadAttention(D, H)
    query, key = draw(B, Q, D), draw(B, K, D)
    q, k, v = module.project(query, key)
    assert (q.shape, k.shape, v.shape) == ((B, H, Q, D // H), (B, H, K, D // H), (B, H, K, D // H))
    _, weights = module(query, key, need_weights=True)
    assert_close(masked_softmax(q @ k.transpose(-2, -1) / math.sqrt(D // H)), weights)


def test_heads_must_divide_the_width():
    for heads in (3, 0, -1):
        with pytest.raises(ValueError, match=f"{heads} heads"):
            MultiHeadAttention(8, heads)


# What a slip in the code would do: each mutant must fail the comparison that the code passes.


def wrong_scale(query, key, scale=None):
    return dot_product_scores(query, key, 1 / query.shape[-1] if scale is None else scale)


def swapped(query, key, scale=None):
    scale = 1 / math.sqrt(query.shape[-1])
    return ((key * scale) @ query.transpose(-2, -1)).transpose(-2, -1).flip(-1)


def no_mask(scores, mask=None):
    return scores.softmax(-1)


def inverted_mask(scores, mask=None):
    return masked_softmax(scores, None if mask is None else ~mask)


def softmax_over_queries(scores, mask=None):
    return masked_softmax(scores.transpose(-2, -1), None).transpose(-2, -1)


def additive_without_tanh(self, query, key):
    pairs = self.query_proj(query).unsqueeze(-2) + self.key_proj(key).unsqueeze(-3)
    return self.score_proj(pairs).squeeze(-1)


MUTANTS = [
    ("dot_product_scores", wrong_scale, test_dot_product_attention_is_pytorchs),
    ("dot_product_scores", swapped, test_dot_product_attention_is_pytorchs),
    ("masked_softmax", no_mask, test_dot_product_attention_is_pytorchs),
    ("masked_softmax", inverted_mask, test_dot_product_attention_is_pytorchs),
    ("masked_softmax", softmax_over_queries, test_dot_product_attention_is_pytorchs),
]


@pytest.mark.parametrize(
    ("name", "mutant", "test"), MUTANTS, ids=lambda part: getattr(part, "__name__", part)
)
def test_a_mutated_attention_fails(monkeypatch, name, mutant, test):
    monkeypatch.setattr(attention, name, mutant)
    with pytest.raises(AssertionError):
        test(torch.float32, "random", True, None)


def test_mutated_projections_fail(monkeypatch):
    project = MultiHeadAttention.project

    def swapped_heads(self, query, key=None):
        q, k, v = project(self, query, key)
        return k, q, v

    monkeypatch.setattr(MultiHeadAttention, "project", swapped_heads)
    with pytest.raises(AssertionError):
        test_multi_head_attention_is_pytorchs(torch.float32, "none", True, True)
    monkeypatch.setattr(AdditiveAttention, "scores", additive_without_tanh)
    with pytest.raises(AssertionError):
        test_additive_attention_is_a_double_loop(torch.float32, "none")
