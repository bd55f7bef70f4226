"""Make a bundled model from a finished run: float16 weights beside how they came about.

    python tests/tools/make_model.py RUN --hardware TEXT [--credit TEXT]
    dlcc translate compare assets/translate TWIN --data spa-eng.zip --json > compare.json
    python tests/tools/make_model.py RUN --hardware TEXT [--credit TEXT] --scores compare.json

RUN is one of `dlcc translate train`, `dlcc sentiment train` or `dlcc vit train`. The scores are
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
    parser.add_argument("run", type=Path)
    parser.add_argument("--hardware", required=True, help="what it was trained on, in words")
    parser.add_argument("--credit", default="", help="whose data it was trained on, in words")
    parser.add_argument("--scores", type=Path, nargs="*", default=[])
    arguments = parser.parse_args()
    checkpoint = load_checkpoint(arguments.run / "best", "translate", "sentiment", "vit")
    epochs = (arguments.run / "metrics.jsonl").read_text().splitlines()
    about = {
        **checkpoint.about,
        "hardware": arguments.hardware,
        "epochs": [json.loads(line) for line in epochs],
        "credit": arguments.credit,
        "scores": {path.stem: json.loads(path.read_text()) for path in arguments.scores},
    }
    save_checkpoint(
        ASSETS / checkpoint.kind,
        kind=checkpoint.kind,
        weights=checkpoint.weights,
        config=checkpoint.config,
        about=about,
        files=checkpoint.files,
        half=True,
    )


if __name__ == "__main__":
    main()
