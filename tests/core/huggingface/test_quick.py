"""Models that are loaded quickly answer as those that transformers loads by itself."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

transformers = pytest.importorskip(
    "transformers", reason="transformers is not installed: pip install '.[models]'"
)
pytestmark = pytest.mark.filterwarnings("ignore")

TEXT = {
    **{"vocab_size": 50, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4},
    **{"intermediate_size": 16, "max_position_embeddings": 32, "pad_token_id": 0},
    **{"bos_token_id": 1, "eos_token_id": 2},
}
WRITER = {"vocab_size": 50, "n_embd": 16, "n_layer": 2, "n_head": 4, "n_positions": 32}
PAIR = {
    **{"vocab_size": 50, "d_model": 16, "encoder_layers": 2, "decoder_layers": 2},
    **{"encoder_attention_heads": 4, "decoder_attention_heads": 4, "encoder_ffn_dim": 16},
    **{"decoder_ffn_dim": 16, "max_position_embeddings": 32, "pad_token_id": 0},
    **{"decoder_start_token_id": 1, "eos_token_id": 2, "bos_token_id": 1},
}
PICTURE = {
    **{"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4},
    **{"intermediate_size": 16, "image_size": 16, "patch_size": 4},
}
FAMILIES: dict[str, dict[str, Any]] = {
    "BertForMaskedLM": TEXT,
    "RobertaForSequenceClassification": TEXT,
    "ModernBertModel": {**TEXT, "local_attention": 4},
    "GPT2LMHeadModel": {**WRITER, "bos_token_id": 1, "eos_token_id": 2},
    "LlamaForCausalLM": TEXT,
    "MistralForCausalLM": {**TEXT, "num_key_value_heads": 2, "sliding_window": 4},
    "MarianMTModel": PAIR,
    "T5ForConditionalGeneration": {
        **{"vocab_size": 50, "d_model": 16, "d_kv": 4, "d_ff": 16, "num_heads": 4},
        **{"num_layers": 2, "decoder_start_token_id": 0},
    },
    "ViTForImageClassification": PICTURE,
    "Dinov2Model": {**PICTURE, "mlp_ratio": 1},
    "CLIPVisionModel": PICTURE,
}
LOADING = """
import sys
from pathlib import Path
import torch
from dlcc.core.huggingface.loading import load
for folder in sorted(Path(sys.argv[1]).iterdir()):
    inputs = torch.load(folder / "inputs.pt")
    model = load(str(folder)).model
    with torch.inference_mode():
        torch.save(model(**inputs)[0], folder / "output.pt")
import transformers
assert transformers.AutoModel and transformers.models.gpt2.GPT2Config  # it is whole afterwards
assert torch.compile(lambda x: x + 1, backend="eager")(torch.ones(2)).sum() == 4
"""


def _inputs(name: str) -> dict[str, torch.Tensor]:
    if "16" in str(FAMILIES[name].get("image_size")):
        return {"pixel_values": torch.rand(1, 3, 16, 16)}
    ids = torch.randint(3, 50, (1, 7))
    written = {"decoder_input_ids": ids[:, :4]} if "MT" in name or "T5" in name else {}
    return {"input_ids": ids, **written}


def test_every_family_answers_as_if_loaded_slowly(tmp_path: Path) -> None:
    torch.manual_seed(0)
    expected = {}
    for name, settings in FAMILIES.items():
        kind = getattr(transformers, name)
        model = kind(kind.config_class(**settings)).eval()
        for part in model.parameters():
            torch.nn.init.normal_(part, std=0.2)
        inputs = _inputs(name)
        model.save_pretrained(tmp_path / name)
        torch.save(inputs, tmp_path / name / "inputs.pt")
        with torch.inference_mode():
            expected[name] = kind.from_pretrained(tmp_path / name).eval()(**inputs)[0]
    done = subprocess.run(
        [sys.executable, "-c", LOADING, tmp_path], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    for name, output in expected.items():
        assert torch.equal(torch.load(tmp_path / name / "output.pt"), output), name
