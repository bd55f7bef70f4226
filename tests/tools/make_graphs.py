"""Write the graphs of a bundled model anew, by which it answers without torch.

    python tests/tools/make_graphs.py [vit] [sentiment] [translate]

To be run whenever a model in assets/ is replaced; a test says so. Needs pip install '.[onnx]'.
"""

import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch

from dlcc.core.export import largest_difference, name_it, onnx_of
from dlcc.core.runner import SUFFIX, Graph, TorchRunner

ASSETS = Path(__file__).parents[2] / "assets"
CPU = torch.device("cpu")
WEIGHTS = "model.safetensors"
INSIDE = 1024  # bytes; smaller weights stay in the graph


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
    runner = TorchRunner(model, graphs)
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


def link_weights(proto: Any, weights: Path) -> None:
    """Have a graph take its weights from a safetensors file that will lie beside it: cast to
    float32 where they are float16, and turned as the graph has them.

    Weights are known by their content. What the file has not stays inside.
    """
    saved = _places(weights)
    tensors, nodes = [], []
    for tensor in proto.graph.initializer:
        array = onnx.numpy_helper.to_array(tensor)
        found = _found(array, saved) if array.nbytes > INSIDE else None
        if found is None:
            tensors.append(tensor)
            continue
        (name, kind, shape, offset, length), way = found
        stored = f"{name}.saved"
        if stored not in {each.name for each in tensors}:
            tensors.append(_outside(stored, kind, shape, weights.name, offset, length))
        if kind == "F16":
            to = onnx.TensorProto.FLOAT
            nodes.append(onnx.helper.make_node("Cast", [stored], [f"{tensor.name}.float"], to=to))
            stored = f"{tensor.name}.float"
        nodes += _turning(way, stored, tensor.name)
    del proto.graph.initializer[:]
    proto.graph.initializer.extend(tensors)
    rest = list(proto.graph.node)
    del proto.graph.node[:]
    proto.graph.node.extend([*nodes, *rest])


Place = tuple[str, str, list[int], int, int]


def _places(weights: Path) -> list[tuple[Place, np.ndarray]]:
    """What a safetensors file holds: name, type, shape, offset in the file and length in bytes, and
    the values."""
    content = weights.read_bytes()
    size = int.from_bytes(content[:8], "little")
    types = {"F16": np.float16, "F32": np.float32}
    found = []
    for name, each in json.loads(content[8 : 8 + size]).items():
        if name != "__metadata__" and each["dtype"] in types:
            begin, end = each["data_offsets"]
            data = content[8 + size + begin : 8 + size + end]
            values = np.frombuffer(data, types[each["dtype"]]).reshape(each["shape"])
            place = (name, each["dtype"], each["shape"], 8 + size + begin, end - begin)
            found.append((place, values.astype(np.float32)))
    return found


def _gates(values: np.ndarray) -> np.ndarray:
    """A GRU's weights as ONNX has them: update before reset, and a direction."""
    reset, update, new = np.split(values, 3)
    return np.concatenate([update, reset, new])[None]


_WAYS: dict[str, tuple[Callable[[np.ndarray], bool], Callable[[np.ndarray], np.ndarray]]] = {
    "Identity": (lambda values: True, lambda values: values),
    "Transpose": (lambda values: values.ndim == 2, np.transpose),
    "gates": (lambda values: values.ndim == 2 and len(values) % 3 == 0, _gates),
}
"""How a saved tensor may stand in a graph: which ones, and how."""


def _found(array: np.ndarray, saved: list[tuple[Place, np.ndarray]]) -> tuple[Place, str] | None:
    """The saved tensor that an array is, and in which of `_WAYS`."""
    for place, values in saved:
        for way, (takes, turn) in _WAYS.items() if values.size == array.size else ():
            if takes(values) and np.array_equal(turn(values), array):
                return place, way
    return None


def _turning(way: str, before: str, after: str) -> list[Any]:
    """The nodes that do to a tensor what `_WAYS` says."""
    make_node = onnx.helper.make_node

    if way != "gates":
        return [make_node(way, [before], [after])]
    parts = [f"{after}.{gate}" for gate in ("reset", "update", "new")]
    return [
        make_node("Split", [before], parts, axis=0, num_outputs=3),
        make_node("Concat", [parts[1], parts[0], parts[2]], [f"{after}.rows"], axis=0),
        make_node("Constant", [], [f"{after}.axis"], value_ints=[0]),
        make_node("Unsqueeze", [f"{after}.rows", f"{after}.axis"], [after]),
    ]


def _outside(name: str, kind: str, shape: list[int], file: str, offset: int, length: int) -> Any:
    types = {"F16": onnx.TensorProto.FLOAT16, "F32": onnx.TensorProto.FLOAT}
    tensor = onnx.TensorProto(name=name, data_type=types[kind], dims=shape)
    tensor.data_location = onnx.TensorProto.EXTERNAL
    for key, value in (("location", file), ("offset", offset), ("length", length)):
        tensor.external_data.add(key=key, value=str(value))
    return tensor


if __name__ == "__main__":
    for asked in sys.argv[1:] or ("vit", "sentiment", "translate"):
        make(asked)
