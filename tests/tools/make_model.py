"""Make a bundled model from a finished run: float16 weights beside how they came about.

    python tests/tools/make_model.py RUN [RUN ...] --hardware TEXT [--credit TEXT]
    dlcc translate compare assets/translate TWIN --data spa-eng.zip --json > compare.json
    python tests/tools/make_model.py RUN --hardware TEXT [--credit TEXT] --scores compare.json

RUN is one of `dlcc translate train`, `dlcc sentiment train` or `dlcc vit train`; of several, each
started from the one before, the mean of the weights is taken. The scores are
those of the float16 model, so it is made twice: the second time with what commands such as the one
above printed.
"""

import argparse
import json
from pathlib import Path

from dlcc.core.train.checkpoint import load_checkpoint, save_checkpoint

ASSETS = Path(__file__).parents[2] / "assets"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN")
    parser.add_argument("--hardware", required=True, help="what it was trained on, in words")
    parser.add_argument("--credit", default="", help="whose data it was trained on, in words")
    parser.add_argument("--scores", type=Path, nargs="*", default=[])
    arguments = parser.parse_args()
    kinds = ("translate", "sentiment", "vit")
    *before, last = [load_checkpoint(run / "best", *kinds) for run in arguments.runs]
    every = [*before, last]
    epochs = (arguments.runs[-1] / "metrics.jsonl").read_text().splitlines()
    about = {
        **last.about,
        **({"mean_with": [each.about for each in before]} if before else {}),
        "hardware": arguments.hardware,
        "epochs": [json.loads(line) for line in epochs if "train_loss" in line],
        "credit": arguments.credit,
        "scores": {path.stem: json.loads(path.read_text()) for path in arguments.scores},
    }
    if "temperature" in about:
        about["temperature"] = sum(each.about["temperature"] for each in every) / len(every)
    save_checkpoint(
        ASSETS / last.kind,
        kind=last.kind,
        weights={
            name: sum(each.weights[name].float() for each in every) / len(every)
            for name in last.weights
        },
        config=last.config,
        about=about,
        files=last.files,
        half=True,
    )


if __name__ == "__main__":
    main()
