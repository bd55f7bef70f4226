"""What answers without torch answers as torch does, and says so where it cannot."""

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

from dlcc.core.errors import DataError, UsageError
from dlcc.core.export import largest_difference, onnx_of
from dlcc.core.runner import OnnxRunner, TorchRunner, opened, threads
from dlcc.core.sentiment.classifier import Classifier
from dlcc.core.sentiment.explain import METHODS, Explainer
from dlcc.core.translate.config import ATTENTIONS, Seq2SeqConfig
from dlcc.core.translate.translator import GREEDY, SearchOptions, Translator, new_model
from dlcc.core.vit.classifier import PictureClassifier

ROOT = Path(__file__).parents[2]
ASSETS = ROOT / "assets"
CPU = torch.device("cpu")
KINDS = ("vit", "sentiment", "translate")
SENTENCES = [
    "The book that I bought is very interesting.",
    "I bought a book.",
    "She does not like the dog that her brother has, and he does not like the cat. Do you?",
    "",
]
REVIEW = "The acting is good, but the story is slow and the ending is a waste of time."
ANSWERS = [
    ["vit", "predict", str(ASSETS / "ship.png")],
    ["vit", "predict", str(ASSETS / "ship.png"), "--json"],
    ["vit", "predict", str(ASSETS / "ship.png"), "--attention", "--method", "rollout"],
    ["sentiment", REVIEW],
    ["sentiment", REVIEW, "--attention", "--json"],
    ["sentiment", REVIEW, "--explain", "gradient"],
    ["translate", SENTENCES[0], "--attention", "--n-best", "3"],
    ["translate", SENTENCES[1], "--json"],
    ["look", "translate", SENTENCES[1]],
    ["look", "sentiment", REVIEW],
    ["look", "vit", str(ASSETS / "ship.png")],
]


@pytest.mark.parametrize("kind", KINDS)
def test_the_bundled_graphs_belong_to_the_bundled_weights(kind: str) -> None:
    """Otherwise: python tests/tools/make_graphs.py."""
    folder = ASSETS / kind
    hashes = json.loads((folder / "config.json").read_text())["sha256"]
    graphs = sorted(folder.glob("*.onnx"))
    assert graphs, "run python tests/tools/make_graphs.py"
    for path in graphs:
        assert hashes[path.name] == hashlib.sha256(path.read_bytes()).hexdigest()
        onnx.checker.check_model(str(path))
        metadata = {
            each.key: each.value
            for each in onnx.load(path, load_external_data=False).metadata_props
        }
        assert metadata["weights"] == hashes["model.safetensors"]
        assert path.stat().st_size < 300_000


@pytest.mark.parametrize("arguments", ANSWERS, ids=" ".join)
def test_an_answer_loads_no_torch(arguments: list[str]) -> None:
    script = (
        "import sys\n"
        "from dlcc.cli.app import app\n"
        f"try: app({arguments!r})\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)


def test_pictures_are_answered_as_by_torch() -> None:
    quick = PictureClassifier.open(ASSETS / "vit")
    slow = PictureClassifier.load(ASSETS / "vit", CPU)
    assert isinstance(quick.runner, OnnxRunner)
    numbers = np.random.default_rng(0)
    pixels = numbers.integers(0, 256, (5, 3, 32, 32), dtype=np.uint8)
    np.testing.assert_allclose(quick.answer(pixels), slow.answer(pixels), atol=1e-5)
    for target in (None, 3):
        here, there = quick.attend(pixels[0], target), slow.attend(pixels[0], target)
        assert here.target == there.target
        for name in ("weights", "slopes", "pooling"):
            np.testing.assert_allclose(getattr(here, name), getattr(there, name), atol=1e-4)
        for name, values in there.tensors.items():
            np.testing.assert_allclose(here.tensors[name], values, atol=1e-3)


def test_texts_are_answered_as_by_torch() -> None:
    quick = Classifier.open(ASSETS / "sentiment")
    slow = Classifier.load(ASSETS / "sentiment", CPU)
    assert isinstance(quick.runner, OnnxRunner)
    assert isinstance(slow.runner, TorchRunner)
    texts = [REVIEW, "Wonderful.", "", " ".join([REVIEW] * 40)]  # the last in two windows
    for here, there in zip(quick.answer(texts), slow.answer(texts), strict=True):
        assert (here.label, here.num_stretches) == (there.label, there.num_stretches)
        np.testing.assert_allclose(here.probabilities, there.probabilities, atol=1e-5)
    tokens = quick.codec.encode(REVIEW)
    one, other = Explainer(quick, tokens, 0), Explainer(slow, tokens, 0)
    for method in METHODS:
        mine, theirs = one.contributions(method), other.contributions(method)
        np.testing.assert_allclose(mine, theirs, atol=1e-3)
    assert one.attended is not None
    assert other.attended is not None
    np.testing.assert_allclose(one.attended.weights, other.attended.weights, atol=1e-5)


@pytest.mark.parametrize("options", [GREEDY, SearchOptions()])
def test_sentences_are_translated_as_by_torch(options: SearchOptions) -> None:
    quick = Translator.open(ASSETS / "translate")
    slow = Translator.load(ASSETS / "translate", CPU)
    assert isinstance(quick.runner, OnnxRunner)
    _same_translations(quick, slow, options)


def _same_translations(quick: Translator, slow: Translator, options: SearchOptions) -> None:
    """Texts, their scores, and what was looked at."""
    for kept in (True, False):
        pair = [each.translate(SENTENCES, options, kept) for each in (quick, slow)]
        for here, there in zip(*pair, strict=True):
            assert [text for text, _ in here.others] == [text for text, _ in there.others]
            assert (here.tokens, here.problem) == (there.tokens, there.problem)
            assert here.score == pytest.approx(there.score, abs=1e-4)
            for one, other in zip(here.parts or [here], there.parts or [there], strict=True):
                assert (one.steps is not None) == (kept and bool(one.tokens))
                if one.steps is not None and other.steps is not None:
                    _same_steps(quick.compared(one.steps), slow.compared(other.steps))
                    for name in ("weights", "probabilities"):
                        mine, theirs = getattr(one.steps, name), getattr(other.steps, name)
                        assert (mine is None) == (theirs is None)
                        if mine is not None:
                            np.testing.assert_allclose(mine, theirs, atol=1e-4)


def _same_steps(here: Any, there: Any) -> None:
    assert here[1:] == there[1:]
    assert here[0].keys() == there[0].keys()
    for name, values in there[0].items():
        np.testing.assert_allclose(here[0][name], values, atol=1e-4)


@pytest.mark.parametrize(
    "attention", [*ATTENTIONS, pytest.param("transformer", marks=pytest.mark.slow)]
)
def test_any_translator_is_exported(attention: str) -> None:
    trained = Translator.load(ASSETS / "translate", CPU)
    how = "architecture" if attention == "transformer" else "attention"
    config = Seq2SeqConfig(trained.codec.size, 16, 24, **{how: attention})
    torch.manual_seed(0)
    slow = Translator(new_model(config).eval(), trained.codec, 20, {})
    assert isinstance(slow.runner, TorchRunner)
    functions = slow.runner.graphs
    contents: dict[str, Any] = {}
    for name, graph in functions.items():
        proto = onnx_of(slow.model, graph)
        assert largest_difference(proto, slow.runner, name) < 1e-4
        assert [each.name for each in proto.graph.output] == list(graph.outputs)
        contents[name] = proto.SerializeToString()
    runner = OnnxRunner({name: name for name in contents}, contents, "it")
    quick = Translator(None, trained.codec, 20, {}, runner, config)
    for options in (GREEDY, SearchOptions(3)):
        if attention == "none":
            for each in (quick, slow):
                assert each.translate(SENTENCES[:1], options)[0].text
            continue
        _same_translations(quick, slow, options)


def test_what_is_asked_for_computes(run_dlcc: Any, tmp_path: Path) -> None:
    picture = str(ASSETS / "ship.png")
    shown = [
        json.loads(run_dlcc("vit", "predict", picture, "--json", "--runner", runner).stdout)[
            "results"
        ]
        for runner in ("onnx", "torch")
    ]
    assert shown[0][0]["answers"][0]["label"] == shown[1][0]["answers"][0]["label"] == "ship"
    np.testing.assert_allclose(shown[0][0]["patches"], shown[1][0]["patches"], atol=1e-4)
    bare = shutil.copytree(ASSETS / "vit", tmp_path / "bare")
    config = json.loads((bare / "config.json").read_text())
    for name in ("answer.onnx", "attend.onnx"):
        (bare / name).unlink()
        del config["sha256"][name]
    (bare / "config.json").write_text(json.dumps(config))
    assert opened(bare, "vit") is None
    assert opened(ASSETS / "vit", "vit", device="cuda") is None
    with pytest.raises(UsageError, match="has no graphs"):
        opened(bare, "vit", "onnx")
    with pytest.raises(UsageError, match="choose one of auto, onnx, torch"):
        opened(bare, "vit", "tensorflow")


def test_without_onnxruntime_torch_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dlcc.core.runner.find_spec", lambda name: None)
    assert opened(ASSETS / "vit", "vit") is None
    assert PictureClassifier.open(ASSETS / "vit").model is not None
    with pytest.raises(UsageError, match="pip install onnxruntime"):
        opened(ASSETS / "vit", "vit", "onnx")


def test_damage_is_one_line(run_dlcc: Any, tmp_path: Path) -> None:
    folder = shutil.copytree(ASSETS / "vit", tmp_path / "vit")
    content = (folder / "answer.onnx").read_bytes()
    (folder / "answer.onnx").write_bytes(content[:-99])
    result = run_dlcc("vit", "predict", str(ASSETS / "ship.png"), "--checkpoint", folder)
    assert result.exit_code == 3
    assert "answer.onnx is damaged" in result.stderr
    for name, data in {"cut": content[:5000], "empty": b"", "text": b"no graph at all"}.items():
        path = tmp_path / f"{name}.onnx"
        path.write_bytes(data)
        result = run_dlcc("vit", "predict", str(ASSETS / "ship.png"), "--checkpoint", path)
        assert result.exit_code == 3, name
        assert len(result.stderr.splitlines()) == 1
    there, here = (
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1]) for name in "xy"
    )
    node = onnx.helper.make_node("Identity", ["x"], ["y"])
    graph = onnx.helper.make_graph([node], "same", [there], [here])
    opsets = [onnx.helper.make_opsetid("", 20)]
    foreign = onnx.helper.make_model(graph, ir_version=10, opset_imports=opsets)
    onnx.save(foreign, tmp_path / "foreign.onnx")
    with pytest.raises(DataError, match="not exported here"):
        opened(tmp_path / "foreign.onnx", "vit")


def test_threads_are_those_that_torch_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert threads() == 3
    monkeypatch.setenv("OMP_NUM_THREADS", "many")
    assert threads() >= 1


def test_what_was_loaded_ahead_answers_alike_and_fails_when_it_is_called(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (1, 3, 32, 32), dtype=np.uint8)
    plain, ahead = (opened(ASSETS / "vit", "vit", "onnx").runner for _ in range(2))
    ahead.ahead("attend", "answer")
    found = ahead.run("answer", pixels=pixels)["logits"]
    np.testing.assert_array_equal(found, plain.run("answer", pixels=pixels)["logits"])
    with pytest.raises(DataError, match="no graph nothing"):
        ahead.ahead("nothing")
    damaged = OnnxRunner({"answer": "x"}, {"x": b"no graph"}, "a model")
    damaged.ahead("answer")
    with pytest.raises(DataError, match="a model is damaged"):
        damaged.run("answer", pixels=pixels)
