"""A picture classifier's attention on one picture, as a trace for pictures and the viewer.

Shapes: L layers, H heads, P patches, T tokens (P, and 1 with a class token), S side of the square
pictures, C classes.
"""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from dlcc.core.errors import UsageError
from dlcc.core.nn.layers import recorded_projections
from dlcc.core.trace import maps
from dlcc.core.trace.trace import AttentionTrace
from dlcc.core.vit.classifier import KIND, PictureClassifier

CLASS_TOKEN = "[CLS]"
METHODS = ("last", "rollout", "gradient")
"""How the patches that an answer came from are found: the last layer's attention, rollout
(Abnar & Zuidema 2020), or gradient × attention (Chefer et al. 2021)."""
_TOP = 5


def trace_of(
    answers: PictureClassifier, pixels: Tensor, target: int | None = None, top: int = 5
) -> AttentionTrace:
    """All layers and heads on one picture.

    Args:
        answers: the classifier.
        pixels: [3, S, S] uint8.
        target: number of the class that the gradient explains; the most probable one when None.
        top: most probable classes that the trace names.

    Returns:
        A trace whose tensors hold the queries, keys and values, `pooling` [T] (the share of each
        token in what is classified) and one `explanation.METHOD` [T] for each of `METHODS`.
    """
    image = answers.prepare(pixels[None])
    with torch.enable_grad(), recorded_projections(answers.model.blocks) as parts:
        image.requires_grad_()  # so that a model with frozen weights has gradients too
        logits, weights, shares = answers.model.attend(image)
        probabilities = answers.probabilities(logits.detach().float().cpu())[0]
        number = int(probabilities.argmax()) if target is None else target
        slopes = torch.autograd.grad(logits[0, number], weights)
    tensors = {name: _array(torch.cat(each)) for name, each in parts.items()}
    maps_of = _array(torch.cat(weights))  # [L, H, T, T]
    pooling = _array(shares[0])
    tensors |= {"pooling": pooling, "explanation.last": pooling @ maps_of[-1].mean(0)}
    tensors["explanation.rollout"] = pooling @ maps.rollout(maps_of)
    tensors["explanation.gradient"] = pooling @ maps.relevance(maps_of, _array(torch.cat(slopes)))
    scale = tensors["query"].shape[-1] ** -0.5
    rows, columns = answers.model.config.grid
    names = tuple(
        f"{row},{column}" for row in range(1, rows + 1) for column in range(1, columns + 1)
    )
    if answers.model.config.class_token:
        names = (CLASS_TOKEN, *names)
    best, label = probabilities.max(0)
    return AttentionTrace(
        maps_of,
        names,
        names,
        kind=KIND,
        title=f"{answers.classes[int(label)]} {best:.2f}",
        scores=(tensors["query"] * scale) @ tensors["key"].swapaxes(-2, -1),
        special=(CLASS_TOKEN,),
        image=(_array(image[0]).transpose(1, 2, 0) * 255).round().astype(np.uint8),
        grid=(rows, columns),
        tensors=tensors,
        scale=scale,
        details={
            "answers": top_answers(answers, probabilities, top),
            "explains": answers.classes[number],
        },
    )


def top_answers(
    answers: PictureClassifier, probabilities: Tensor, count: int
) -> list[tuple[str, float]]:
    """The most probable classes, best first, of probabilities [C]."""
    values, places = probabilities.topk(min(count, len(answers.classes)))
    return [
        (answers.classes[place], round(value, 6))
        for value, place in zip(values.tolist(), places.tolist(), strict=True)
    ]


def cutmix_trace(
    answers: PictureClassifier, first: Tensor, second: Tensor, names: tuple[str, str]
) -> AttentionTrace:
    """Attention on a picture whose lower right quarter, or so, is another's.

    Args:
        answers: the classifier.
        first: [3, S, S] uint8: the picture that is pasted into.
        second: [3, S, S] uint8: the one that is pasted from.
        names: their classes.
    """
    side = first.shape[-1]
    top = left = side * 2 // 5
    bottom = right = side * 19 // 20
    mixed = first.clone()
    mixed[:, top:bottom, left:right] = second[:, top:bottom, left:right]
    trace = trace_of(answers, mixed)
    assert trace.image is not None
    scale = trace.image.shape[0] / side
    share = 1 - (bottom - top) * (right - left) / side**2
    cutmix = {
        "box": [round(edge * scale) for edge in (top, left, bottom, right)],
        "labels": [[names[0], round(share, 4)], [names[1], round(1 - share, 4)]],
    }
    sources = {
        f"cutmix.{name}": (_array(answers.prepare(picture[None])[0]).transpose(1, 2, 0) * 255)
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
    if method not in METHODS:
        raise UsageError(f"--method {method}: choose one of {', '.join(METHODS)}")
    assert trace.grid is not None
    row = trace.tensors[f"explanation.{method}"]
    if layer is not None or head is not None:
        if method != "last":
            raise UsageError(f"--layer and --head choose a map: leave --method {method} out")
        for flag, number, count in (
            ("--layer", layer, trace.num_layers),
            ("--head", head, trace.num_heads),
        ):
            if number is not None and not 0 <= number < count:
                raise UsageError(f"{flag} {number + 1}: this model has {count}, from 1")
        heads = trace.weights[-1 if layer is None else layer]
        row = trace.tensors["pooling"] @ (heads.mean(0) if head is None else heads[head])
    return row[-trace.grid[0] * trace.grid[1] :].reshape(trace.grid)


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.detach().float().cpu().numpy()
