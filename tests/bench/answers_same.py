"""The bundled models by onnxruntime and by torch: whether they answer alike, and how many a second.

    python tests/bench/answers_same.py SENTENCES REVIEWS PICTURES [COUNT]

A text file of sentences, one of texts, a line each, and a folder of pictures, 500 of each unless
told otherwise. Torch computes in float32 to compare, as it is used to be timed.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dlcc.core.files.paths import asset
from dlcc.core.sentiment.classifier import Classifier
from dlcc.core.translate.translator import Translator
from dlcc.core.vit.classifier import PictureClassifier

CPU = torch.device("cpu")


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    begun = time.perf_counter()
    found = work()
    return time.perf_counter() - begun, found


def report(name: str, count: int, quick: float, slow: float, says: str) -> None:
    print(
        f"{name}: onnx {count / quick:.0f} a second, torch {count / slow:.0f}; {says}", flush=True
    )


def sentences(lines: list[str]) -> None:
    quick, slow = Translator.open(asset("translate")), Translator.load(asset("translate"), CPU)
    for each in (quick, slow):
        each.translate(lines[:20])
    fast, here = timed(lambda: quick.translate(lines))
    late, there = timed(lambda: slow.translate(lines))
    same = sum(a.text == b.text for a, b in zip(here, there, strict=True))
    gap = 0.0
    shown = [each.translate(lines[:100], keep_steps=True) for each in (quick, slow)]
    for a, b in zip(*shown, strict=True):
        for one, other in zip(a.parts or [a], b.parts or [b], strict=True):
            if one.steps is not None and one.tokens == other.tokens:
                gap = max(gap, float(np.abs(one.steps.weights - other.steps.weights).max()))
    report(
        "sentences",
        len(lines),
        fast,
        late,
        f"{same} of {len(lines)} alike, attention within {gap:.1e}",
    )


def texts(lines: list[str]) -> None:
    quick, slow = Classifier.open(asset("sentiment")), Classifier.load(asset("sentiment"), CPU)
    for each in (quick, slow):
        each.answer(lines[:20])
    fast, here = timed(lambda: quick.answer(lines))
    late, there = timed(lambda: slow.answer(lines))
    same = sum(a.label == b.label for a, b in zip(here, there, strict=True))
    pairs = zip(here, there, strict=True)
    gap = max(
        abs(x - y) for a, b in pairs for x, y in zip(a.probabilities, b.probabilities, strict=True)
    )
    seen = 0.0
    for ids in quick.codec.encode_many(lines):
        given = {
            "tokens": np.array([ids[:512]]),
            "target": np.array([0]),
            "temperature": np.array([1.0], np.float32),
        }
        found = (
            [each.runner.run("attend", **given)["weights"] for each in (quick, slow)] if ids else []
        )
        seen = max(seen, float(np.abs(found[0] - found[1]).max()) if found else 0.0)
    says = f"{same} of {len(lines)} alike, probabilities within {gap:.1e}, attention {seen:.1e}"
    report("texts", len(lines), fast, late, says)


def pictures(paths: list[Path]) -> None:
    quick = PictureClassifier.open(asset("vit"))
    slow = PictureClassifier.load(asset("vit"), CPU)
    pixels = np.stack([quick.read(path) for path in paths])

    def answers(model: PictureClassifier) -> np.ndarray:
        return np.concatenate(
            [model.answer(part) for part in np.array_split(pixels, len(pixels) / 32)]
        )

    for each in (quick, slow):
        each.answer(pixels[:32])
    fast, here = timed(lambda: answers(quick))
    late, there = timed(lambda: answers(slow))
    same = int((here.argmax(1) == there.argmax(1)).sum())
    seen = 0.0
    for each in pixels[:500]:
        found = [model.attend(each).weights for model in (quick, slow)]
        seen = max(seen, float(np.abs(found[0] - found[1]).max()))
    gap = float(np.abs(here - there).max())
    says = f"{same} of {len(paths)} alike, probabilities within {gap:.1e}, attention {seen:.1e}"
    report("pictures", len(paths), fast, late, says)


def main() -> None:
    count = int(sys.argv[4]) if len(sys.argv) > 4 else 500
    pictures(sorted(Path(sys.argv[3]).rglob("*.jpg"))[:count])
    sentences(Path(sys.argv[1]).read_text("utf-8").splitlines()[:count])
    texts(Path(sys.argv[2]).read_text("utf-8").splitlines()[:count])


if __name__ == "__main__":
    main()
