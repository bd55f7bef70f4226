"""What `capture` sees of transformers' models, beside what they say of themselves.

Small ones with random weights, made from their configs.
"""

from typing import Any

import numpy as np
import pytest
import torch

from dlcc.core.capture import capture
from dlcc.core.trace.cell import explain_cell

transformers = pytest.importorskip(
    "transformers", reason="transformers is not installed: pip install '.[models]'"
)
pytestmark = pytest.mark.filterwarnings("ignore")

TEXT = {
    "vocab_size": 50,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 16,
    "max_position_embeddings": 32,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
DISENTANGLED = {"relative_attention": True, "pos_att_type": ["c2p", "p2c"]}
GROUPED = {**TEXT, "num_key_value_heads": 2}
NARROW = {**TEXT, "num_key_value_heads": 1, "head_dim": 8}
PAIRS = {
    "vocab_size": 50,
    "d_model": 16,
    "encoder_layers": 2,
    "decoder_layers": 3,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 16,
    "decoder_ffn_dim": 16,
    "max_position_embeddings": 32,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "decoder_start_token_id": 1,
}
PICTURES = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 16,
    "image_size": 16,
    "patch_size": 4,
}
ENCODERS = {
    "BertModel": TEXT,  # MiniLM is one
    "DistilBertModel": {"vocab_size": 50, "dim": 16, "n_layers": 2, "n_heads": 4, "hidden_dim": 16},
    "RobertaModel": TEXT,
    "DebertaModel": {**TEXT, **DISENTANGLED},
    "DebertaV2Model": {**TEXT, **DISENTANGLED, "position_buckets": 8, "share_att_key": True},
    "ElectraModel": {**TEXT, "embedding_size": 8},
    "AlbertModel": {**TEXT, "embedding_size": 8},
    "ModernBertModel": {**TEXT, "num_hidden_layers": 3, "local_attention": 4},
}
DECODERS = {
    "GPT2LMHeadModel": {
        **{"vocab_size": 50, "n_embd": 16, "n_layer": 2, "n_head": 4, "n_positions": 32},
        **{"bos_token_id": 1, "eos_token_id": 2},
    },
    "LlamaForCausalLM": GROUPED,
    "Qwen2ForCausalLM": GROUPED,
    "GemmaForCausalLM": NARROW,
    "PhiForCausalLM": TEXT,
    "MistralForCausalLM": {**GROUPED, "sliding_window": 4},
    "GPTNeoXForCausalLM": TEXT,  # Pythia is one
}
TRANSLATORS = {
    "MarianMTModel": PAIRS,
    "MBartForConditionalGeneration": PAIRS,
    "M2M100ForConditionalGeneration": PAIRS,  # NLLB is one
    "T5ForConditionalGeneration": {
        **{"vocab_size": 50, "d_model": 16, "d_kv": 4, "d_ff": 16, "num_heads": 4},
        **{"num_layers": 2, "num_decoder_layers": 3, "decoder_start_token_id": 0},
    },
}
WATCHERS = {
    "ViTModel": PICTURES,
    "DeiTModel": PICTURES,
    "Dinov2Model": {**PICTURES, "mlp_ratio": 1},
    "Dinov2WithRegistersModel": {**PICTURES, "mlp_ratio": 1, "num_register_tokens": 3},
    "CLIPVisionModel": PICTURES,
    "BeitModel": {**PICTURES, "use_relative_position_bias": True},
}


def made(name: str, settings: dict[str, Any]) -> Any:
    torch.manual_seed(0)
    kind = getattr(transformers, name)
    model = kind(kind.config_class(**settings)).eval()
    for part in model.parameters():  # as they start, the weights are all but even
        torch.nn.init.normal_(part, std=0.2)
    return model


def ids(length: int = 7) -> torch.Tensor:
    return torch.randint(3, 50, (2, length), generator=torch.Generator().manual_seed(1))


def check(model: Any, names: tuple[str, ...] = ("attentions",), **inputs: Any) -> list[Any]:
    """Outputs unchanged, weights as the model's own, of its default attention and of its eager."""
    with torch.no_grad():
        before = model(**inputs)[0]
        with capture(model) as fused:
            assert torch.equal(model(**inputs)[0], before)
        model.set_attn_implementation("eager")
        said = model(**inputs, output_attentions=True)
        with capture(model) as eager:
            assert torch.equal(model(**inputs)[0], said[0])
    for seen in (fused, eager):
        assert seen.notes == []
        for trace, name in zip(seen.traces(), names, strict=True):
            theirs = np.stack([layer[0].numpy() for layer in said[name]])
            assert trace.weights == pytest.approx(theirs, abs=1e-5)
            assert {"query", "key", "value"} <= set(trace.tensors)
            assert trace.scores is not None
    cell = explain_cell(eager.traces()[0], 1, 2, 3, 1)
    assert cell.product is not None
    assert cell.score == pytest.approx(
        cell.product * cell.scale + (cell.bias or 0.0), abs=5e-3 * max(1, abs(cell.product))
    )
    return fused.traces()


@pytest.mark.parametrize("name", ENCODERS)
def test_text_encoders(name: str) -> None:
    (trace,) = check(made(name, ENCODERS[name]), input_ids=ids())
    assert trace.details["attention"] == "self-attention"


@pytest.mark.parametrize("name", DECODERS)
def test_decoders(name: str) -> None:
    (trace,) = check(made(name, DECODERS[name]), input_ids=ids())
    assert trace.details["attention"] == "causal self-attention"


@pytest.mark.parametrize("name", TRANSLATORS)
def test_encoder_decoders(name: str) -> None:
    parts = ("encoder_attentions", "decoder_attentions", "cross_attentions")
    traces = check(made(name, TRANSLATORS[name]), parts, input_ids=ids(), decoder_input_ids=ids(5))
    assert [trace.details["attention"] for trace in traces] == [
        "self-attention",
        "causal self-attention",
        "cross-attention",
    ]


@pytest.mark.parametrize("name", WATCHERS)
def test_pictures(name: str) -> None:
    check(made(name, WATCHERS[name]), pixel_values=torch.randn(2, 3, 16, 16))


def test_swin_attends_in_windows_stage_by_stage() -> None:
    model = made(
        "SwinModel",
        {
            **{"image_size": 32, "patch_size": 4, "embed_dim": 8, "depths": [1, 2]},
            **{"num_heads": [2, 4], "window_size": 4},
        },
    )
    pixels = torch.randn(1, 3, 32, 32)
    with torch.no_grad(), capture(model) as seen:
        model(pixels)
    model.set_attn_implementation("eager")
    said = model(pixels, output_attentions=True).attentions
    theirs = [layer[0].detach().numpy() for stage in said for layer in [stage]]
    mine = [layer for trace in seen.traces() for layer in trace.weights]
    assert [trace.weights.shape for trace in seen.traces()] == [(1, 2, 16, 16), (2, 4, 16, 16)]
    assert mine[0] == pytest.approx(theirs[0], abs=1e-5)
    assert len(seen) == 3


def test_a_generated_text_is_one_map() -> None:
    """Token by token with a cache, as of all tokens at once."""
    for name, settings in (("LlamaForCausalLM", GROUPED), ("MarianMTModel", PAIRS)):
        model = made(name, settings)
        options: dict[str, Any] = {"max_new_tokens": 4, "min_new_tokens": 4, "do_sample": False}
        with capture(model) as seen:
            made_of = model.generate(ids()[:1], **options)
        given = made_of[:, :-1]
        with torch.no_grad(), capture(model) as whole:
            if name == "MarianMTModel":
                model(input_ids=ids()[:1], decoder_input_ids=given)
            else:
                model(given)
        for mine, other in zip(seen.traces(), whole.traces(), strict=True):
            assert mine.weights == pytest.approx(other.weights, abs=1e-5)
            assert mine.scores == pytest.approx(other.scores, abs=1e-4)


def test_gradient_times_attention_as_by_the_models_own_weights() -> None:
    model = made("BertForSequenceClassification", TEXT)
    with capture(model, gradients=True) as seen:
        logits = model(ids()).logits
    (slopes,) = seen.slopes(logits[0, 1])
    model.set_attn_implementation("eager")
    said = model(ids(), output_attentions=True)
    theirs = torch.autograd.grad(said.logits[0, 1], said.attentions)
    assert slopes == pytest.approx(np.stack([each[0].numpy() for each in theirs]), abs=1e-5)
    assert np.abs(slopes).max() > 1e-3
