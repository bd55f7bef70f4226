"""A picture classifier's attention on one picture, as a trace for pictures and the viewer.

The model comes with the first picture.

Shapes: P patches, T tokens (P, and 1 with a class token), S side of the square pictures, C classes.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dlcc.core.ablation import Effect, Head, change, off
from dlcc.core.errors import UsageError
from dlcc.core.progress import Progress
from dlcc.core.settings import one_of
from dlcc.core.sources import Ask, ModelSource, loaded_once
from dlcc.core.trace import maps
from dlcc.core.trace.trace import AttentionTrace

if TYPE_CHECKING:
    from dlcc.core.vit.classifier import PictureClassifier

CLASS_TOKEN = "[CLS]"
METHODS = ("last", "rollout", "gradient")
"""How the patches that an answer came from are found: the last layer's attention, rollout
(Abnar & Zuidema 2020), or gradient × attention (Chefer et al. 2021)."""
TOP = 5
"""Classes that are named unasked."""


class PictureSource(ModelSource):
    """A picture classifier."""

    kind = "vit"
    title = "Picture: what a Vision Transformer looks at"
    asks: Sequence[Ask] = (Ask("File"),)

    @loaded_once
    def classifier(self) -> "PictureClassifier":
        from dlcc.core.vit.classifier import PictureClassifier

        return PictureClassifier.open(self.folder, self.device, self.runner)

    @loaded_once
    def by_torch(self) -> "PictureClassifier":
        """The classifier with its weights, which can be changed.

        Raises:
            UsageError: an exported graph has none.
        """
        from dlcc.core.train.runtime import choose_device
        from dlcc.core.vit.classifier import PictureClassifier

        if self.classifier.model is not None:
            return self.classifier
        self.check_weights()
        return PictureClassifier.load(self.folder, choose_device(self.device))

    def without(
        self, trace: AttentionTrace, heads: Collection[Head] = (), tokens: Collection[int] = ()
    ) -> list[AttentionTrace]:
        """The trace's picture seen without some heads, whose weighted values are then zero, and
        without some patches, in whose place the mean colour of the training is. Both numbered from
        0, as in the trace; the trace says what was off and, as `change`, what became of the answer.

        Raises:
            UsageError: the trace is another model's, or has no such head or patch.
        """
        from dlcc.core.vit.ablation import without_heads, without_patches

        whole, pixels = self.classifier, self._pixels(trace)
        classifier = without_heads(self.by_torch, heads) if heads else whole
        seen = without_patches(whole, pixels, tokens)
        before, after = whole.answer(pixels[None])[0], classifier.answer(seen[None])[0]
        made = replace(trace_of(classifier, seen), made_by=trace.made_by)
        details = {**made.details, "file": trace.details.get("file", "")}
        said = change(before, after, whole.classes)
        return [off(replace(made, details=details), trace, heads, tokens, said)]

    def ablated(self, trace: AttentionTrace, progress: Progress | None = None) -> list[Effect]:
        """What becomes of the answer to the trace's picture without each of the heads, the largest
        change of its probability first.

        Raises:
            UsageError: the trace is another model's.
        """
        from dlcc.core.vit.ablation import effects

        return effects(self.by_torch, self._pixels(trace), progress)

    def _pixels(self, trace: AttentionTrace) -> np.ndarray:
        """The trace's picture as the model takes it: [3, S, S] uint8."""
        self.check_own(trace, self.classifier.about)
        size = self.classifier.config.image_size
        if trace.image is None or trace.image.shape[0] != size:
            raise UsageError("the trace holds no picture of this model's size: predict it anew")
        return np.ascontiguousarray(trace.image.transpose(2, 0, 1))

    def traces(self, file: str) -> list[AttentionTrace]:
        path = Path(file).expanduser()
        return [self.trace(self.classifier.read(path), path)]

    def trace(self, pixels: np.ndarray, path: Path, top: int = TOP) -> AttentionTrace:
        """What is attended to in the picture [3, S, S] that was read from `path`; `top` classes are
        named."""
        classifier = self.classifier
        trace = trace_of(classifier, pixels, top=top)
        origin = self.made_by(str(path), classifier.about)
        details = {**trace.details, "file": path.name}
        return replace(trace, title=f"{path.name}: {trace.title}", details=details, made_by=origin)


SOURCE = PictureSource()


def trace_of(
    classifier: "PictureClassifier", pixels: np.ndarray, target: int | None = None, top: int = TOP
) -> AttentionTrace:
    """All layers and heads on one picture.

    Args:
        pixels: [3, S, S] uint8.
        target: number of the class that the gradient explains; the most probable one when None.
        top: most probable classes that the trace names.

    Returns:
        A trace whose tensors hold the queries, keys and values, `pooling` [T] (the share of each
        token in what is classified) and one `explanation.METHOD` [T] for each of `METHODS`, but for
        gradient where an exported graph has none.
    """
    attended = classifier.attend(pixels, target)
    query, key, pooling = attended.tensors["query"], attended.tensors["key"], attended.pooling
    explanations = {
        "last": pooling @ attended.weights[-1].mean(0),
        "rollout": pooling @ maps.rollout(attended.weights),
    }
    if attended.slopes is not None:
        relevance = maps.relevance(attended.weights, attended.slopes)
        explanations["gradient"] = pooling @ relevance
    scale = query.shape[-1] ** -0.5
    rows, columns = classifier.config.grid
    names = tuple(
        f"{row},{column}" for row in range(1, rows + 1) for column in range(1, columns + 1)
    )
    if classifier.config.class_token:
        names = (CLASS_TOKEN, *names)
    best, label = attended.probabilities.max(), attended.probabilities.argmax()
    return AttentionTrace(
        attended.weights,
        names,
        names,
        kind="vit",
        title=f"{classifier.classes[int(label)]} {best:.2f}",
        scores=(query * scale) @ key.swapaxes(-2, -1),
        special=(CLASS_TOKEN,),
        image=attended.image,
        grid=(rows, columns),
        tensors={
            **attended.tensors,
            "pooling": pooling,
            **{f"explanation.{name}": values for name, values in explanations.items()},
        },
        scale=scale,
        details={
            "answers": top_answers(classifier, attended.probabilities, top),
            "explains": classifier.classes[attended.target],
        },
    )


def top_answers(
    classifier: "PictureClassifier", probabilities: np.ndarray, count: int
) -> list[tuple[str, float]]:
    """The most probable classes, best first, of probabilities [C]."""
    places = np.argsort(-probabilities, kind="stable")[:count]
    return [(classifier.classes[place], round(float(probabilities[place]), 6)) for place in places]


def cutmix_trace(
    classifier: "PictureClassifier", first: np.ndarray, second: np.ndarray, names: tuple[str, str]
) -> AttentionTrace:
    """Attention on a picture whose lower right quarter, or so, is another's.

    Args:
        first: [3, S, S] uint8: the picture that is pasted into.
        second: [3, S, S] uint8: the one that is pasted from.
        names: their classes.
    """
    side = first.shape[-1]
    top = left = side * 2 // 5
    bottom = right = side * 19 // 20
    mixed = first.copy()
    mixed[:, top:bottom, left:right] = second[:, top:bottom, left:right]
    trace = trace_of(classifier, mixed)
    assert trace.image is not None
    scale = trace.image.shape[0] / side
    share = 1 - (bottom - top) * (right - left) / side**2
    cutmix = {
        "box": [round(edge * scale) for edge in (top, left, bottom, right)],
        "labels": [[names[0], round(share, 4)], [names[1], round(1 - share, 4)]],
    }
    sources = {
        f"cutmix.{name}": classifier.sized(picture).transpose(1, 2, 0).astype(np.float32)
        for name, picture in (("first", first), ("second", second))
    }
    return replace(
        trace,
        tensors={**trace.tensors, **sources},
        details={**trace.details, "cutmix": cutmix},
    )


def patch_relevance(
    trace: AttentionTrace, method: str, layer: int | None = None, head: int | None = None
) -> np.ndarray:
    """How much each patch counted for the answer.

    Args:
        trace: from `trace_of`.
        method: one of `METHODS`; last takes a layer and a head.
        layer: number from 0; the last when None.
        head: number from 0; the mean of all when None.

    Returns:
        [rows, columns] of patches, at least 0.

    Raises:
        UsageError: a method, layer or head that there is not.
    """
    one_of(METHODS).ask(method, "method")
    assert trace.grid is not None
    if f"explanation.{method}" not in trace.tensors:
        raise UsageError("an exported graph has no gradients: take rollout", "method", method)
    row = trace.tensors[f"explanation.{method}"]
    if layer is not None or head is not None:
        if method != "last":
            raise UsageError("a layer and a head choose a map: leave it out", "method", method)
        for name, number, count in (
            ("layer", layer, trace.num_layers),
            ("head", head, trace.num_heads),
        ):
            if number is not None and not 0 <= number < count:
                raise UsageError(f"this model has {count}, from 1", name, number + 1)
        heads = trace.weights[-1 if layer is None else layer]
        row = trace.tensors["pooling"] @ (heads.mean(0) if head is None else heads[head])
    return row[-trace.grid[0] * trace.grid[1] :].reshape(trace.grid)
