"""Write the graphs of a bundled model anew, by which it answers without torch.

    python tests/tools/make_graphs.py [vit] [sentiment] [translate]

To be run whenever a model in assets/ is replaced; a test says so. Needs pip install '.[onnx]'.
"""

import hashlib
import json
import sys
from pathlib import Path

import torch

from dlcc.core.export import largest_difference, link_weights, name_it, onnx_of
from dlcc.core.runner import SUFFIX, Graph, TorchRunner

ASSETS = Path(__file__).parents[2] / "assets"
CPU = torch.device("cpu")
WEIGHTS = "model.safetensors"


def functions(kind: str) -> tuple[torch.nn.Module, dict[str, Graph]]:
    """The bundled model, and those of its functions that answering takes."""
    model: torch.nn.Module | None
    if kind == "vit":
        from dlcc.core.vit.classifier import PictureClassifier
        from dlcc.core.vit.graphs import graphs as vit_graphs

        model = PictureClassifier.load(ASSETS / kind, CPU).model
        assert model is not None
        return model, _some(vit_graphs(model), "answer", "attend")
    if kind == "sentiment":
        from dlcc.core.sentiment.classifier import Classifier
        from dlcc.core.sentiment.graphs import graphs as sentiment_graphs

        model = Classifier.load(ASSETS / kind, CPU).model
        assert model is not None
        return model, _some(sentiment_graphs(model), "answer", "attend")
    if kind == "translate":
        from dlcc.core.translate.graphs import graphs as translate_graphs
        from dlcc.core.translate.translator import Translator

        model = Translator.load(ASSETS / kind, CPU).model
        return model, translate_graphs(model)
    raise SystemExit(f"no model {kind}")


def _some(graphs: dict[str, Graph], *names: str) -> dict[str, Graph]:
    return {name: graphs[name] for name in names}


def make(kind: str) -> None:
    folder = ASSETS / kind
    header = json.loads((folder / "config.json").read_text())
    model, graphs = functions(kind)
    runner = TorchRunner(model, graphs, exact=True)
    for old in folder.glob(f"*{SUFFIX}"):
        old.unlink()
        header["sha256"].pop(old.name, None)
    for name, graph in graphs.items():
        place = folder / f"{name}{SUFFIX}"
        proto = onnx_of(model, graph)
        link_weights(proto, folder / WEIGHTS)
        name_it(proto, {"weights": header["sha256"][WEIGHTS]}, f"dlcc {kind}: {name}")
        place.write_bytes(proto.SerializeToString())
        header["sha256"][place.name] = hashlib.sha256(place.read_bytes()).hexdigest()
        gap = largest_difference(proto, runner, name, place)
        print(f"{place}: {place.stat().st_size / 1000:.0f} kB, within {gap:.1e} of torch")
    text = json.dumps(header, indent=2, ensure_ascii=False)
    (folder / "config.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    for asked in sys.argv[1:] or ("vit", "sentiment", "translate"):
        make(asked)
