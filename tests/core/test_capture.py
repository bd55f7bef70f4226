"""What `capture` sees of PyTorch's own attention, of libraries beside it and of what is written by
hand."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from dlcc.core.capture import capture
from dlcc.core.errors import DataError, UsageError
from dlcc.core.nn.attention import MultiHeadAttention
from dlcc.core.trace.cell import explain_cell
from dlcc.core.trace.trace import load_traces

T, H, D = 6, 4, 32
Model = nn.Module


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def tokens(*lead: int, length: int = T) -> Tensor:
    return torch.randn(*(lead or (2,)), length, D)


class ByHand(nn.Module):
    """Attention as it is written in a course, of any number of dimensions."""

    def __init__(self, way: str = "@") -> None:
        super().__init__()
        self.way, self.drop = way, nn.Dropout(0.5)
        self.q, self.k, self.v = (nn.Linear(D, D) for _ in range(3))

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        q, k, v = self.q(x), self.k(x), self.v(x)
        if self.way == "einsum":
            scores = torch.einsum("... i d, ... j d -> ... i j", q, k) / math.sqrt(D)
        elif self.way == "baddbmm":
            scores = torch.baddbmm(torch.zeros(1), q, k.mT, alpha=1 / math.sqrt(D))
        else:
            scores = (q @ k.transpose(-2, -1)).mul(1 / math.sqrt(D))
        if mask is not None:
            scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
        self.weights = nn.functional.softmax(scores, dim=-1)
        dropped = self.drop(self.weights)
        return (
            torch.einsum("...ij,...jd->...id", dropped, v)
            if self.way == "einsum"
            else (torch.matmul(dropped, v))
        )


class Stack(nn.Module):
    """Layers of the house's own attention, fused."""

    def __init__(self, layers: int = 3) -> None:
        super().__init__()
        self.layers = nn.ModuleList(MultiHeadAttention(D, H) for _ in range(layers))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = x + layer(x)[0]
        return x


def reference(attention: nn.MultiheadAttention, x: Tensor, mask: Tensor | None = None) -> Tensor:
    """The weights [H, Q, K] of `nn.MultiheadAttention` on [1, Q, D], by hand."""
    q, k, _ = nn.functional.linear(x, attention.in_proj_weight, attention.in_proj_bias).chunk(3, -1)
    q, k = (part.view(x.shape[1], H, -1).transpose(0, 1) for part in (q, k))
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf)
    return scores.softmax(-1)


def hooks(model: Model) -> int:
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())


def seen_of(model: Model, *args: Any, run: dict[str, Any] | None = None, **asked: Any) -> Any:
    with capture(model, **asked) as seen:
        model(*args, **(run or {}))
    assert hooks(model) == 0
    return seen


def test_fused_attention_is_seen_and_its_output_is_the_same_bit_for_bit() -> None:
    model, x = Stack().eval(), tokens()
    before = model(x)
    with capture(model) as seen:
        assert torch.equal(model(x), before)
    trace = seen.trace([f"t{n}" for n in range(T)])
    _, weights = model.layers[0](x, need_weights=True)
    assert trace.weights.shape == (3, H, T, T)
    assert trace.weights[0] == pytest.approx(weights[0].detach().numpy(), abs=1e-6)
    assert trace.query == trace.key == ("t0", "t1", "t2", "t3", "t4", "t5")
    assert trace.details["attention"] == "self-attention"
    assert trace.details["modules"] == ["layers.0", "layers.1", "layers.2"]
    assert seen.notes == []


@pytest.mark.parametrize("way", ["@", "einsum", "baddbmm"])
@pytest.mark.parametrize("lead", [(), (2,), (2, 3)])
def test_attention_that_is_written_by_hand_is_seen(way: str, lead: tuple[int, ...]) -> None:
    if way == "baddbmm" and len(lead) != 1:
        pytest.skip("baddbmm takes three dimensions")
    model = ByHand(way).eval()
    trace = seen_of(model, torch.randn(*lead, T, D)).trace()
    theirs = model.weights if not lead else model.weights[0]
    assert trace.weights[0].squeeze() == pytest.approx(theirs.detach().numpy(), abs=1e-7)
    scale = 1.0 if way == "baddbmm" else 1 / math.sqrt(D)
    assert trace.scale == pytest.approx(scale)
    assert trace.tensors["value"].shape[-2:] == (T, D)


def test_weights_are_those_before_dropout() -> None:
    model = ByHand().train()
    trace = seen_of(model, tokens()).trace()
    assert trace.weights[0, 0] == pytest.approx(model.weights[0].detach().numpy())
    assert trace.weights.sum(-1) == pytest.approx(1)


def test_a_softmax_that_is_multiplied_with_nothing_is_no_attention() -> None:
    class Classes(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.softmax(-1) * 2

    with capture(Classes()) as seen:
        Classes()(torch.randn(1, 2, 3, 4))
        with pytest.raises(DataError, match="no attention was seen"):
            seen.trace()


def test_additive_attention_is_seen_where_it_is_named() -> None:
    class Additive(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.score = nn.Linear(D, 1)

        def forward(self, x: Tensor) -> Tensor:
            scores = self.score(torch.tanh(x[:, :, None] + x[:, None])).squeeze(-1)
            self.weights = scores.softmax(-1)
            return self.weights @ x

    model = nn.Sequential(Additive())
    assert len(seen_of(model, tokens())) == 0
    trace = seen_of(model, tokens(), modules="0").trace()
    assert trace.weights[0, 0] == pytest.approx(model[0].weights[0].detach().numpy())
    assert sorted(trace.tensors) == ["value"]
    assert len(seen_of(Stack(), tokens(), modules="layers.1")) == 1


def test_the_encoder_of_pytorch_is_seen_without_its_fast_path() -> None:
    layer = nn.TransformerEncoderLayer(D, H, 64, batch_first=True, dropout=0.0)
    model, x = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False).eval(), tokens()
    with torch.no_grad():
        before = model(x)
        with capture(model) as seen:
            after = model(x)
    assert after == pytest.approx(before, abs=1e-5)
    assert len(seen.notes) == 1
    assert "fast path" in seen.notes[0]
    trace = seen.trace()
    assert trace.weights.shape == (2, H, T, T)
    by_hand = reference(model.layers[0].self_attn, x[:1]).detach().numpy()
    assert trace.weights[0] == pytest.approx(by_hand, abs=1e-6)


def test_padding_is_masked_in_every_layer() -> None:
    layer = nn.TransformerEncoderLayer(D, H, 64, batch_first=True)
    model = nn.TransformerEncoder(layer, 2).eval()
    padding = torch.zeros(2, T, dtype=torch.bool)
    padding[0, 4:] = True
    with torch.no_grad():
        trace = seen_of(model, tokens(), run={"src_key_padding_mask": padding}).trace()
    assert not trace.weights[..., 4:].any()
    assert trace.scores is not None
    assert np.isneginf(trace.scores[..., 4:]).all()
    assert np.isfinite(trace.scores[..., :4]).all()


def test_encoder_decoder_and_what_lies_between_are_told_apart() -> None:
    model = nn.Transformer(D, H, 2, 3, 64, batch_first=True).eval()
    causal = model.generate_square_subsequent_mask(4)
    seen = seen_of(model, tokens(length=6), tokens(length=4), run={"tgt_mask": causal})
    encoder, decoder, cross = seen.traces(query=tuple("abcd"), key=tuple("uvwxyz"))
    assert [each.details["attention"] for each in (encoder, decoder, cross)] == [
        "self-attention",
        "causal self-attention",
        "cross-attention",
    ]
    assert (encoder.query, encoder.key) == (tuple("uvwxyz"), tuple("uvwxyz"))
    assert (decoder.query, decoder.key) == (tuple("abcd"), tuple("abcd"))
    assert (cross.query, cross.key) == (tuple("abcd"), tuple("uvwxyz"))
    assert [len(each.weights) for each in (encoder, decoder, cross)] == [2, 3, 3]
    with pytest.raises(UsageError, match=r"3 kinds of attention were seen.*take traces"):
        seen.trace()


@pytest.mark.parametrize("asked", [{}, {"average_attn_weights": False}, {"need_weights": False}])
def test_multihead_attention_is_seen_whether_it_is_asked_for_its_weights(asked: Any) -> None:
    model, x = nn.MultiheadAttention(D, H, batch_first=True).train(), tokens()
    before, weights = model(x, x, x, **asked)
    with capture(model) as seen:
        after, _ = model(x, x, x, **asked)
    assert torch.equal(before, after)
    trace = seen.trace()
    assert trace.weights[0] == pytest.approx(reference(model, x[:1]).detach().numpy(), abs=1e-6)
    assert sorted(trace.tensors) == ["key", "query", "value"]
    if weights is not None:
        mine = trace.weights[0] if weights.dim() == 4 else trace.weights[0].mean(0)
        assert mine == pytest.approx(weights[0].detach().numpy(), abs=1e-7)


def test_other_keys_of_the_same_length_are_cross_attention() -> None:
    model, x, y = nn.MultiheadAttention(D, H, batch_first=True), tokens(), tokens()
    trace = seen_of(model, x, y, y).trace()
    assert trace.details["attention"] == "cross-attention"


def test_torchvision_is_seen() -> None:
    pictures = torch.randn(2, 3, 32, 32)
    torchvision = pytest.importorskip("torchvision")
    model = torchvision.models.VisionTransformer(32, 8, 2, H, D, 64).eval()
    with torch.no_grad():
        before = model(pictures)
        with capture(model) as seen:
            assert torch.equal(model(pictures), before)
        x = model._process_input(pictures[:1])
        x = torch.cat([model.class_token, x], 1) + model.encoder.pos_embedding
        first = model.encoder.layers[0]
        theirs = reference(first.self_attention, first.ln_1(x)).numpy()
    trace = seen.trace()
    assert trace.weights.shape == (2, H, 17, 17)
    assert trace.weights[0] == pytest.approx(theirs, abs=1e-6)


@pytest.mark.filterwarnings("ignore")
def test_timm_is_seen_fused_and_plain() -> None:
    timm = pytest.importorskip("timm", reason="timm is not installed")
    pictures = torch.randn(2, 3, 32, 32)
    model = timm.create_model("vit_tiny_patch16_224", img_size=32, patch_size=8, depth=2).eval()
    before = model(pictures)
    with capture(model) as seen:
        assert torch.equal(model(pictures), before)
    for block in model.blocks:
        block.attn.fused_attn = False
    plain = seen_of(model, pictures).trace()
    assert seen.trace().weights == pytest.approx(plain.weights, abs=1e-6)
    attention, x = model.blocks[0].attn, model._pos_embed(model.patch_embed(pictures))
    qkv = attention.qkv(model.blocks[0].norm1(x)).reshape(2, 17, 3, 3, 64).permute(2, 0, 3, 1, 4)
    theirs = (qkv[0] @ qkv[1].mT / 8).softmax(-1)[0].detach().numpy()
    assert plain.weights[0] == pytest.approx(theirs, abs=1e-6)


@pytest.mark.filterwarnings("ignore")
def test_vit_pytorch_is_seen() -> None:
    vit_pytorch = pytest.importorskip("vit_pytorch", reason="vit-pytorch is not installed")
    shape = {"image_size": 32, "patch_size": 8, "num_classes": 3, "dim": D, "depth": 2, "heads": H}
    for name in ("ViT", "SimpleViT"):
        model = getattr(vit_pytorch, name)(**shape, mlp_dim=32, dim_head=8).eval()
        theirs: list[Tensor] = []

        def keep(*given: Any, theirs: list[Tensor] = theirs) -> None:
            theirs.append(given[2])

        for module in model.modules():
            if isinstance(module, nn.Softmax):
                module.register_forward_hook(keep)
        pictures = torch.randn(2, 3, 32, 32)
        before = model(pictures)
        theirs.clear()
        with capture(model) as seen:
            assert torch.equal(model(pictures), before)
        for mine, other in zip(seen.trace().weights, theirs, strict=True):
            assert mine == pytest.approx(other[0].detach().numpy(), abs=1e-7)


def test_a_cell_of_a_strangers_model_is_taken_apart() -> None:
    mask = torch.ones(T, T, dtype=torch.bool).tril()
    trace = seen_of(ByHand().eval(), tokens(), mask).trace(["a", "b", "c", "d", "e", "f"])
    cell = explain_cell(trace, 0, 0, 3, 1)
    assert cell.product is not None
    assert cell.score == pytest.approx(cell.product * trace.scale, abs=1e-4)
    assert (cell.masked, cell.bias) == (False, None)
    assert cell.share is not None
    assert explain_cell(trace, 0, 0, 1, 3).masked is True


def test_what_is_added_to_a_score_is_told() -> None:
    class Distant(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            q = x.view(1, T, H, -1).transpose(1, 2)
            places = torch.arange(T)
            bias = -0.5 * (places[:, None] - places).abs().float()
            return nn.functional.scaled_dot_product_attention(q, q, q, attn_mask=bias)

    trace = seen_of(Distant(), tokens(1)).trace()
    assert explain_cell(trace, 0, 2, 1, 4).bias == pytest.approx(-1.5, abs=1e-4)
    assert explain_cell(trace, 0, 2, 1, 1).bias is None


def test_rows_that_may_look_at_nothing_are_zero() -> None:
    class Blind(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            mask = torch.ones(T, T, dtype=torch.bool)
            mask[2] = False
            return nn.functional.scaled_dot_product_attention(x, x, x, attn_mask=mask)

    trace = seen_of(Blind(), torch.randn(1, H, T, 8)).trace()
    assert not trace.weights[:, :, 2].any()
    assert trace.weights[:, :, 1].sum(-1) == pytest.approx(1)


def test_layers_heads_and_queries_are_chosen() -> None:
    model, x = Stack().eval(), tokens()
    whole = seen_of(model, x).trace()
    seen = seen_of(model, x, layers=[0, -1], heads=[1, 3], queries=[-1, 2])
    trace = seen.trace(tuple("abcdef"))
    assert trace.weights == pytest.approx(whole.weights[np.ix_([0, 2], [1, 3], [2, 5])], abs=1e-6)
    assert trace.layer_names == ("layer 1", "layer 3")
    assert trace.query == ("c", "f")
    assert trace.key == tuple("abcdef")
    assert trace.details["heads"] == [2, 4]
    assert trace.tensors["query"].shape == (2, 2, 2, 8)
    assert trace.tensors["key"].shape == (2, 2, T, 8)
    assert "query" not in seen_of(model, x, vectors=False).trace().tensors
    assert seen_of(model, x, example=1).trace().weights[0] == pytest.approx(
        model.layers[0](x, need_weights=True)[1][1].detach().numpy(), abs=1e-6
    )
    for wrong in ({"heads": [4]}, {"queries": [6]}, {"example": 2}):
        with pytest.raises(UsageError):
            seen_of(model, x, **wrong)
        assert hooks(model) == 0


def test_more_than_a_trace_shows_is_refused_before_it_is_held(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model, x = Stack().eval(), tokens()
    cells = seen_of(model, x).trace().weights[:2].size
    monkeypatch.setattr("dlcc.core.capture.recorder.MAX_CELLS", cells)
    with pytest.raises(UsageError, match=rf"more than the {cells:,} of a trace: layers=range\(2\)"):
        seen_of(model, x)
    assert len(seen_of(model, x, layers=range(2))) == 2


@pytest.mark.parametrize(
    ("limit", "would"),
    [
        (1200, "layers=range(2) would fit"),
        (500, "layers=[0], heads=range(3) would fit"),
        (100, "layers=[0], heads=[0], queries=range(4) would fit"),
        (10, "not one row fits"),
    ],
)
def test_too_much_is_refused_with_what_would_fit(limit: int, would: str) -> None:
    model, x = Stack().eval(), tokens()
    with pytest.raises(UsageError, match=r"^max_bytes") as caught:
        seen_of(model, x, max_bytes=limit, vectors=False)
    assert would in str(caught.value)
    assert hooks(model) == 0
    if "would fit" in would:
        chosen = eval(f"dict({would.removesuffix(' would fit')})")  # what it says is true
        assert len(seen_of(model, x, max_bytes=limit, vectors=False, **chosen)) > 0


def test_large_ones_are_kept_in_half_and_say_so(tmp_path: Path) -> None:
    model, x = Stack().eval(), tokens()
    whole = seen_of(model, x).trace()
    seen = seen_of(model, x, half_above=1000)
    trace = seen.trace()
    assert "kept in float16: 3 layers × 4 heads × 6 × 6 weights" in seen.notes[0]
    assert trace.weights.dtype == np.float16
    assert trace.details["precision"] == "float16"
    assert trace.weights == pytest.approx(whole.weights, abs=1e-3)
    trace.save(tmp_path / "half.trace")
    (again,) = load_traces(tmp_path / "half.trace")
    assert again.weights.dtype == np.float16
    assert again.map(0, 0).dtype == np.float32


def test_choosing_keeps_big_models_small() -> None:
    """What is not chosen is never held, and never computed."""
    model = Stack(32).eval()
    seen = seen_of(model, tokens(1, length=256), layers=[31], heads=[0], max_bytes=2**20)
    assert len(seen) == 1
    assert seen.trace().weights.shape == (1, 1, 256, 256)


def test_everything_is_as_it_was_after_an_error() -> None:
    class Fails(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = ByHand()

        def forward(self, x: Tensor) -> Tensor:
            self.inner(x)
            raise RuntimeError("no more")

    model = Fails()
    with pytest.raises(RuntimeError, match="no more"), capture(model) as seen:
        model(tokens())
    assert hooks(model) == 0
    assert torch.overrides._get_current_function_mode() is None
    assert len(seen) == 1


def test_other_precisions_keep_their_outputs() -> None:
    model, x = Stack().eval(), tokens()
    exact = seen_of(model, x).trace().weights
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        before = model(x)
        with capture(model) as seen:
            assert torch.equal(model(x), before)
    assert seen.trace().weights == pytest.approx(exact, abs=0.02)
    model, x = model.bfloat16(), x.bfloat16()
    before = model(x)
    with capture(model) as seen, torch.inference_mode():
        assert torch.equal(model(x), before)
    assert seen.trace().weights == pytest.approx(exact, abs=0.02)


@pytest.mark.gpu
def test_it_works_on_an_accelerator() -> None:
    if not torch.cuda.is_available():
        pytest.skip("no GPU")
    model, x = Stack().eval(), tokens()
    exact = seen_of(model, x).trace().weights
    model, x = model.cuda(), x.cuda()
    before = model(x)
    with capture(model) as seen:
        assert torch.equal(model(x), before)
    assert seen.trace().weights == pytest.approx(exact, abs=1e-3)  # TF32 at worst


@pytest.mark.parametrize("model", [Stack(2), nn.Sequential(ByHand(), ByHand())])
def test_slopes_are_the_gradients_of_the_weights(model: Model) -> None:
    model.eval().requires_grad_(False)
    x = tokens(1)
    with capture(model, gradients=True) as seen:
        score = model(x)[0, 0, 0]
    (slopes,) = seen.slopes(score)
    weights = seen.trace().weights
    assert slopes.shape == weights.shape
    step = 1e-2
    first = model.layers[0] if isinstance(model, Stack) else model[0]
    v = (first.project(x)[2] if isinstance(model, Stack) else first.v(x)[:, None]).detach()

    def nudged(amount: float) -> float:
        """The score where the first head's weight of query 2 on key 3 is larger by `amount`."""

        def more(_: nn.Module, __: Any, output: Any) -> Any:
            change = torch.zeros(1, v.shape[1], T, v.shape[-1])
            change[0, 0, 2] = amount * v[0, 0, 3]
            flat = change.transpose(1, 2).flatten(2)
            if isinstance(output, tuple):
                return output[0] + flat @ first.out_proj.weight.T, output[1]
            return output + flat

        handle = first.register_forward_hook(more)
        try:
            return float(model(x)[0, 0, 0])
        finally:
            handle.remove()

    numeric = (nudged(step) - nudged(-step)) / (2 * step)
    assert slopes[0, 0, 2, 3] == pytest.approx(numeric, abs=2e-3, rel=0.02)


def test_slopes_that_cannot_be_had_say_why() -> None:
    model, x = Stack(), tokens()
    seen = seen_of(model, x)
    with pytest.raises(UsageError, match="gradients=True"):
        seen.slopes(torch.zeros(()))
    with torch.no_grad(), pytest.raises(UsageError, match="leave no_grad"):
        seen_of(model, x, gradients=True)


def test_compiled_models_run_uncompiled_meanwhile() -> None:
    model, x = Stack().eval(), tokens()
    exact = seen_of(model, x).trace().weights
    compiled = torch.compile(model, backend="eager")
    seen = seen_of(compiled, x)
    assert seen.notes == ["the compiled model ran uncompiled while it was looked at"]
    assert seen.trace().weights == pytest.approx(exact, abs=1e-6)
    model.compile(backend="eager")
    assert len(seen_of(model, x)) == 3


def test_of_several_runs_the_last_is_shown() -> None:
    model, x = Stack().eval(), tokens()
    with capture(model) as seen:
        model(tokens())
        model(x)
    trace = seen.trace()
    assert seen.notes == ["2 runs were seen: the last one is shown"]
    assert trace.weights == pytest.approx(seen_of(model, x).trace().weights, abs=1e-6)


def test_a_training_loop_saves_what_the_viewer_shows_as_epochs(
    tmp_path: Path, run_dlcc: Any
) -> None:
    """As the README has it."""
    model, x = Stack(1), tokens(1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for step in range(3):
        loss = model(x).square().mean()
        loss.backward()
        optimizer.step()
        with capture(model) as seen, torch.no_grad():
            model(x)
        seen.trace(query=tuple("abcdef")).save(tmp_path / "traces" / f"step-{step * 100}.trace")
    for folder in (tmp_path, tmp_path / "traces"):
        shown = run_dlcc("view", folder, "--epoch", 3)
        assert shown.exit_code == 0
        assert "head 1 of 4" in shown.stdout
    assert run_dlcc("view", tmp_path, "--epoch", 4).exit_code == 2
