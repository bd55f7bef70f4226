"""Training speed of our Vision Transformer beside vit-pytorch's and torchvision's, in one run.

    python tests/bench/vit_speed.py [--threads N] [--rounds N] [--size small|book]

All take 32 × 32 pictures in patches of 4 and have the same width, layers, heads and feed-forward
width; SimpleViT, and ours with mean pooling, have no class token. vit-pytorch's projections have no
bias, nor have ours with mean pooling. A step is forward, loss, backward and a fused AdamW step on
random pictures. They take turns, so that what else the machine does meets all alike, and each gets
the median of its rounds, in processor time. vit-pytorch and torchvision are needed.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
import torchvision
import vit_pytorch
from torch import Tensor, nn

from dlcc.core.train.runtime import has_fast_bfloat16
from dlcc.core.vit.config import RECIPE, ViTConfig
from dlcc.core.vit.model import ViT

SIZES = {"small": (192, 6, 6, 384), "book": (384, 7, 12, 384)}
BATCH = 128
KINDS = (("float32", "float32"), ("bfloat16", "float32"), ("bfloat16", "bfloat16"))  # ours, theirs
# What of ours is held against what of theirs: with a class token and without.
TWINS = {
    "dlcc": ("vit-pytorch ViT", "torchvision"),
    "dlcc, mean pooling": ("vit-pytorch SimpleViT",),
}


def models(width: int, layers: int, heads: int, hidden: int) -> dict[str, nn.Module]:
    theirs = {
        "image_size": 32,
        "patch_size": 4,
        "num_classes": 10,
    }
    sizes = {"dim": width, "depth": layers, "heads": heads, "mlp_dim": hidden}
    ours = {"embed_dim": width, "num_layers": layers, "num_heads": heads, "hidden_dim": hidden}
    return {
        "dlcc": ViT(ViTConfig(10, **ours)),
        "dlcc, mean pooling": ViT(
            ViTConfig(10, **ours, class_token=False, pooling="mean", attention_bias=False)
        ),
        "vit-pytorch ViT": vit_pytorch.ViT(**theirs, **sizes, dim_head=width // heads),
        "vit-pytorch SimpleViT": vit_pytorch.SimpleViT(**theirs, **sizes, dim_head=width // heads),
        "torchvision": torchvision.models.VisionTransformer(
            **theirs, num_layers=layers, num_heads=heads, hidden_dim=width, mlp_dim=hidden
        ),
    }


def stepper(model: nn.Module, bfloat16: bool) -> Callable[[], float]:
    """A function that trains for one step and returns its seconds."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)
    images, labels = torch.rand(BATCH, 3, 32, 32), torch.randint(10, (BATCH,))

    def step() -> float:
        begun = time.process_time()
        with torch.autocast("cpu", torch.bfloat16, bfloat16):
            loss: Tensor = F.cross_entropy(model(images).float(), labels)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        return (time.process_time() - begun) / torch.get_num_threads()

    return step


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--size", choices=SIZES, default="small")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    fast = has_fast_bfloat16(torch.device("cpu"))
    print(
        f"torch {torch.__version__}, torchvision {torchvision.__version__}, {options.threads} "
        f"threads, bfloat16 {'in hardware' if fast else 'emulated'}, batch {BATCH}, "
        f"{options.size}: {SIZES[options.size]}"
    )
    steps = {}
    for bfloat16 in (False, True):
        for name, model in models(*SIZES[options.size]).items():
            steps[f"{name}, {'bfloat16' if bfloat16 else 'float32'}"] = stepper(model, bfloat16)
    if options.size == "small":
        best = ViT(RECIPE.choose({}, "best").make(ViTConfig, num_classes=10))
        steps["dlcc --preset best, bfloat16"] = stepper(best, True)
    times: dict[str, list[float]] = {name: [] for name in steps}
    for number in range(options.rounds + 1):
        for name, step in steps.items():
            seconds = step()
            if number:  # the first warms up
                times[name].append(seconds)
    speeds = {name: BATCH / statistics.median(each) for name, each in times.items()}
    for name, speed in speeds.items():
        print(f"{name:34} {speed:6.0f} pictures/s")
    for ours, twins in TWINS.items():
        for kind, theirs in KINDS:
            name = max((f"{twin}, {theirs}" for twin in twins), key=speeds.__getitem__)
            print(f"{ours}, {kind}: {speeds[f'{ours}, {kind}'] / speeds[name]:.2f} times {name}")


if __name__ == "__main__":
    main()
