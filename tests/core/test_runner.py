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
from dlcc.core.runner import OnnxRunner, TorchRunner, opened, threads
from dlcc.core.sentiment.classifier import Classifier
from dlcc.core.sentiment.explain import METHODS, Explainer
from dlcc.core.vit.classifier import PictureClassifier

ROOT = Path(__file__).parents[2]
ASSETS = ROOT / "assets"
CPU = torch.device("cpu")
KINDS = ("vit", "sentiment")
REVIEW = "The acting is good, but the story is slow and the ending is a waste of time."
ANSWERS = [
    ["vit", "predict", str(ASSETS / "ship.png")],
    ["vit", "predict", str(ASSETS / "ship.png"), "--json"],
    ["vit", "predict", str(ASSETS / "ship.png"), "--attention", "--method", "rollout"],
    ["sentiment", REVIEW],
    ["sentiment", REVIEW, "--attention", "--json"],
    ["sentiment", REVIEW, "--explain", "gradient"],
]


@pytest.mark.parametrize("kind", KINDS)
def test_the_bundled_graphs_belong_to_the_bundled_weights(kind: str) -> None:
    """Otherwise: python tests/tools/make_graphs.py."""
    folder = ASSETS / kind
    hashes = json.loads((folder / "config.json").read_text())["sha256"]
    graphs = sorted(folder.glob("*.onnx"))
    assert graphs
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
    slow.runner.exact = True
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


def test_what_is_asked_for_computes(run_dlcc: Any, tmp_path: Path) -> None:
    picture = str(ASSETS / "ship.png")
    shown = [
        json.loads(run_dlcc("vit", "predict", picture, "--json", "--runner", runner).stdout)
        for runner in ("onnx", "torch")
    ]
    assert shown[0][0]["answers"][0]["class"] == shown[1][0]["answers"][0]["class"] == "ship"
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
