"""A picture classifier's functions, as torch runs them and as they are exported.

Shapes: B pictures, S side of the square pictures, C classes; L layers, H heads, T tokens, D width
of a head.
"""

import torch
from torch import Tensor

from dlcc.core.nn.layers import recorded_projections
from dlcc.core.runner import Graph
from dlcc.core.vit.model import ViT

_SHOWN = ("logits", "weights", "pooling", "query", "key", "value")


def graphs(model: ViT) -> dict[str, Graph]:
    """By name, of pixels [B, 3, S, S] uint8:

    `answer`: `logits` [B, C].
    `attend`: also what was attended to, `weights` [B, L, H, T, T]; how much each of these raises
    the logit of the class `target` [B], the most probable one where that is negative, `slopes`;
    the share [B, T] of each token in what is classified, `pooling`; and what the weights compare,
    `query`, `key` and `value` [B, L, H, T, D].
    `shown`: as `attend`, without slopes.
    """

    def examples() -> dict[str, tuple[Tensor, dict[int, str]]]:
        pixels = torch.zeros(13, 3, *[model.config.image_size] * 2, dtype=torch.uint8)
        pixels[1:, 0] = 99
        classes = torch.arange(13) % model.config.num_classes - 1
        return {"pixels": (pixels, {0: "batch"}), "target": (classes, {0: "batch"})}

    def answer(pixels: Tensor) -> tuple[Tensor, ...]:
        return (model(from_bytes(pixels)),)

    def shown(pixels: Tensor) -> tuple[Tensor, ...]:
        return tuple(_attended(model, from_bytes(pixels))[0].values())

    def attend(pixels: Tensor, target: Tensor) -> tuple[Tensor, ...]:
        with torch.enable_grad():
            # Of the pixels, so that a model with frozen weights has gradients too.
            found, weights = _attended(model, from_bytes(pixels).requires_grad_())
            number = torch.where(target < 0, found["logits"].argmax(-1), target)
            chosen = found["logits"].gather(1, number[:, None])
            slopes = torch.autograd.grad(chosen, weights, torch.ones_like(chosen))
        return *found.values(), torch.stack(slopes, 1)

    return {
        "answer": Graph(answer, ("pixels",), ("logits",), examples),
        "attend": Graph(attend, ("pixels", "target"), (*_SHOWN, "slopes"), examples),
        "shown": Graph(shown, ("pixels",), _SHOWN, examples),
    }


def exported(model: ViT) -> dict[str, str]:
    """For each function that answering takes the graph that is exported for it."""
    return {"answer": "shown", "attend": "shown"}


def _attended(model: ViT, images: Tensor) -> tuple[dict[str, Tensor], list[Tensor]]:
    """What `shown` gives, by name, and the weights of each layer."""
    with recorded_projections(model.blocks) as parts:
        logits, weights, shares = model.attend(images)
    compared = {name: torch.stack(each, 1) for name, each in parts.items()}
    stacked = torch.stack(weights, 1)
    return {"logits": logits, "weights": stacked, "pooling": shares, **compared}, weights


def from_bytes(pixels: Tensor) -> Tensor:
    """Pictures of uint8 as the model takes them, from 0 to 1."""
    return pixels.float() / 255
