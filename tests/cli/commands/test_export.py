"""What is exported answers as the model does, here and in any runtime."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from PIL import Image
from sentiment_samples import trained, trained_run
from vision_samples import learned_classifier, save_classifier

TEXT = "lovely music and a dull play"


def _outputs(path: Path) -> list[str]:
    onnx.checker.check_model(str(path), full_check=True)
    return [each.name for each in onnxruntime.InferenceSession(str(path)).get_outputs()]


@pytest.mark.parametrize(
    "architecture", ["gru", pytest.param("transformer", marks=pytest.mark.slow)]
)
def test_a_trained_text_classifier_is_exported(
    run_dlcc: Any, tmp_path: Path, architecture: str
) -> None:
    run, file = trained_run(architecture), tmp_path / "mine.onnx"
    result = run_dlcc("sentiment", "export", run, file)
    assert result.exit_code == 0, result.stderr
    assert result.stdout == f"{file}\n"
    assert "opset 20, tokens → logits" in result.stderr
    assert "largest difference from torch" in result.stderr
    metadata = {each.key: each.value for each in onnx.load(file).metadata_props}
    assert json.loads(metadata["labels"]) == list(trained(architecture).labels)
    asked = ("sentiment", TEXT, "--json", "--explain", "occlusion", "--checkpoint")
    here, there = (
        json.loads(run_dlcc(*asked, place).stdout)["results"][0] for place in (file, run)
    )
    assert here["label"] == there["label"]
    values = [[answer["probability"] for answer in each["answers"]] for each in (here, there)]
    np.testing.assert_allclose(*values, atol=5e-3)  # bfloat16
    if architecture == "gru":
        assert _outputs(file) == ["logits"]
        return
    assert _outputs(file) == ["logits", "weights", "query", "key", "value"]
    seen = run_dlcc("sentiment", TEXT, "--attention", "--explain", "rollout", "--checkpoint", file)
    assert seen.exit_code == 0, seen.stderr
    refused = run_dlcc("sentiment", TEXT, "--explain", "gradient", "--checkpoint", file)
    assert "an exported graph has none" in refused.stderr


def test_a_trained_picture_classifier_is_exported(run_dlcc: Any, tmp_path: Path) -> None:
    run, file = save_classifier(tmp_path / "run", learned_classifier()), tmp_path / "mine.onnx"
    result = run_dlcc("vit", "export", run, file)
    assert result.exit_code == 0, result.stderr
    assert _outputs(file) == ["logits", "weights", "pooling", "query", "key", "value"]
    picture = tmp_path / "red.png"
    Image.new("RGB", (9, 9), "red").save(picture)
    asked = ("vit", "predict", picture, "--json", "--method", "rollout", "--checkpoint")
    here, there = (
        json.loads(run_dlcc(*asked, place).stdout)["results"][0] for place in (file, run)
    )
    assert [each["label"] for each in here["answers"]] == [
        each["label"] for each in there["answers"]
    ]
    np.testing.assert_allclose(here["patches"], there["patches"], atol=1e-5)
    session = onnxruntime.InferenceSession(str(file))
    for count in (1, 5):  # any number of pictures
        pixels = np.zeros((count, 3, 8, 8), np.uint8)
        assert session.run(["weights"], {"pixels": pixels})[0].shape[0] == count
    plain = run_dlcc("vit", "predict", picture, "--attention", "--checkpoint", file)
    assert "what counted (rollout)" in plain.stdout
    refused = run_dlcc("vit", "predict", picture, "--method", "gradient", "--checkpoint", file)
    assert (refused.exit_code, len(refused.stderr.splitlines())) == (2, 1)


def test_the_translator_is_exported(run_dlcc: Any, tmp_path: Path) -> None:
    file = tmp_path / "mine.onnx"
    result = run_dlcc("translate", "export", "bundled", file)
    assert result.exit_code == 0, result.stderr
    assert result.stdout.splitlines() == [str(file), str(tmp_path / "mine.traced.onnx")]
    said = [
        run_dlcc("translate", "I bought a book.", "--json", *more).stdout
        for more in (["--checkpoint", file], [])
    ]
    here, there = (json.loads(each)["results"][0] for each in said)
    assert here["translation"] == there["translation"] == "Compré un libro."
    np.testing.assert_allclose(here["attention"], there["attention"], atol=2e-4)
    (tmp_path / "mine.traced.onnx").unlink()
    alone = run_dlcc("translate", "I bought a book.", "--checkpoint", file)
    assert (alone.exit_code, len(alone.stderr.splitlines())) == (3, 1)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["vit", "export", "bundled", "x.txt"], 2, "end the file's name in .onnx"),
        (["vit", "export", "nowhere", "x.onnx"], 3, "nowhere"),
    ],
)
def test_what_cannot_be_exported(
    run_dlcc: Any, arguments: list[str], code: int, message: str
) -> None:
    result = run_dlcc(*arguments)
    assert message in result.stderr
    assert (result.exit_code, len(result.stderr.splitlines())) == (code, 1)
