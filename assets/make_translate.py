"""Make the bundled translator from a finished run: float16 weights beside how they came about.

    python assets/make_translate.py RUN --hardware TEXT
    dlcc translate compare assets/translate TWIN --data spa-eng.zip --json > compare.json
    dlcc translate alignments tests/data/alignments.tsv --json > alignments.json
    python assets/make_translate.py RUN --hardware TEXT --scores compare.json alignments.json

RUN is one of `dlcc translate train`, TWIN the same without attention. The scores are those of the
float16 model, so it is made twice: the second time with what the two commands printed.
"""

import argparse
import json
from pathlib import Path

from dlcc.core.checkpoint import load_checkpoint, load_weights, save_checkpoint
from dlcc.core.seq2seq import Seq2Seq
from dlcc.core.translator import KIND, model_config

OUTPUT = Path(__file__).parent / "translate"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--hardware", required=True, help="what it was trained on, in words")
    parser.add_argument("--scores", type=Path, nargs="*", default=[])
    arguments = parser.parse_args()
    checkpoint = load_checkpoint(arguments.run / "best", KIND)
    model = Seq2Seq(model_config(checkpoint.config))
    load_weights(model, checkpoint.weights, checkpoint.folder)
    epochs = (arguments.run / "metrics.jsonl").read_text().splitlines()
    about = {
        **checkpoint.about,
        "hardware": arguments.hardware,
        "epochs": [json.loads(line) for line in epochs],
        "credit": "sentences of tatoeba.org through manythings.org, CC BY 2.0 FR",
        "scores": {path.stem: json.loads(path.read_text()) for path in arguments.scores},
    }
    save_checkpoint(
        OUTPUT,
        kind=KIND,
        model=model,
        config=checkpoint.config,
        about=about,
        files=checkpoint.files,
        half=True,
    )


if __name__ == "__main__":
    main()
