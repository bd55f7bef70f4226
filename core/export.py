"""Trained models as ONNX graphs: with their weights, or in a checkpoint, beside its weights.

Needs the packages onnx and onnxscript. What is written was run by onnxruntime before and compared
with torch.
"""

import io
import json
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dlcc.core.errors import DataError, UsageError
from dlcc.core.files.paths import read_bytes, write_atomically
from dlcc.core.runner import HEADER, Graph, TorchRunner, array_of, session_of

OPSET = 20
TOLERANCE = 1e-3
"""Largest difference from torch of what is written, relative to the output's size."""
_INSIDE = 1024  # bytes; smaller weights stay in a graph whose others are in a checkpoint


def onnx_of(model: nn.Module, graph: Graph) -> Any:
    """One function of a model as an `onnx.ModelProto`.

    Raises:
        UsageError: the packages that this needs are not installed.
    """
    try:
        import onnx
        import onnxscript  # noqa: F401 - the exporter needs it
    except ImportError as error:
        raise UsageError(f"exporting needs {error.name}: pip install 'dlcc[onnx]'") from error
    made = graph.examples()
    examples = tuple(made[name][0] for name in graph.inputs)
    names: dict[str, Any] = {"input_names": list(graph.inputs), "output_names": list(graph.outputs)}
    axes = {name: dict(made[name][1]) for name in graph.inputs}
    function = _Function(model, graph).eval()
    with _quietly(), _frozen(model):
        if any(isinstance(module, nn.RNNBase) for module in model.modules()):
            # torch.export writes a recurrence out step by step, for one length alone.
            content = io.BytesIO()
            torch.onnx.export(
                function,
                examples,
                content,  # type: ignore[arg-type]  # a stream will do
                dynamo=False,
                opset_version=OPSET,
                dynamic_axes=axes,
                **names,
            )
            return _without_notes(onnx.load_from_string(content.getvalue()))
        program = torch.onnx.export(
            _recorded(function, examples, axes),
            dynamo=True,
            opset_version=OPSET,
            dynamic_shapes=_shapes(axes),
            optimize=False,  # a session does it; here it would make other weights of those there
            **names,
        )
        assert program is not None
        return _with_names(_without_notes(program.model_proto), axes)


def _without_notes(proto: Any) -> Any:
    """A graph without what the exporter notes on each node: where in which program it stood."""
    for node in proto.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    del proto.graph.metadata_props[:]
    del proto.graph.value_info[:]
    return proto


def _with_names(proto: Any, axes: Mapping[str, Mapping[int, str]]) -> Any:
    """A graph whose lengths are called as `axes` calls them, in its inputs and outputs."""
    lengths = {each.name: each.type.tensor_type.shape.dim for each in proto.graph.input}
    called = {
        lengths[name][axis].dim_param: length
        for name, named in axes.items()
        for axis, length in named.items()
    }
    for each in (*proto.graph.input, *proto.graph.output):
        for place in each.type.tensor_type.shape.dim:
            if place.dim_param in called:
                place.dim_param = called[place.dim_param]
    return proto


class _Function(nn.Module):
    def __init__(self, model: nn.Module, graph: Graph) -> None:
        super().__init__()
        self.model, self.graph = model, graph

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        found: tuple[Tensor, ...] = self.graph.function(*inputs)
        return tuple(each.detach() for each in found)


def _recorded(
    function: nn.Module, examples: tuple[Tensor, ...], axes: Mapping[str, Mapping[int, str]]
) -> Any:
    """The function with its gradients written out, which torch.export does not follow."""
    from torch.fx.experimental.proxy_tensor import make_fx

    recorded = make_fx(function, tracing_mode="symbolic", _allow_non_fake_inputs=True)(*examples)
    return torch.export.export(recorded, examples, dynamic_shapes=_shapes(axes))


def _shapes(axes: Mapping[str, Mapping[int, str]]) -> tuple[Any, ...]:
    return tuple(dict.fromkeys(lengths, torch.export.Dim.DYNAMIC) for lengths in axes.values())


@contextmanager
def _frozen(model: nn.Module) -> Iterator[None]:
    """Within it the weights have no gradients: none of them is recorded."""
    learned = [each for each in model.parameters() if each.requires_grad]
    try:
        for each in learned:
            each.requires_grad_(False)
        yield
    finally:
        for each in learned:
            each.requires_grad_(True)


@contextmanager
def _quietly() -> Iterator[None]:
    """Within it the exporter prints neither its steps nor what it will do one day."""
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield


def largest_difference(
    proto: Any, runner: TorchRunner, name: str, place: Path | None = None
) -> float:
    """How far an ONNX graph's outputs are from torch's on the function's example, each relative
    to its largest value.

    Args:
        place: where it was written, if its weights lie beside it.

    Raises:
        DataError: too far, or the graph is none that can be run.
    """
    import onnx

    onnx.checker.check_model(str(place) if place else proto, full_check=place is None)
    graph = runner.graphs[name]
    made = graph.examples()
    given = {key: made[key][0].numpy() for key in graph.inputs}
    expected = runner.run(name, **given)
    session = session_of(place or proto.SerializeToString(), "what was exported")
    read = {each.name: given[each.name] for each in session.get_inputs()}
    found = session.run(list(graph.outputs), read)
    worst = 0.0
    for output, here in zip(graph.outputs, found, strict=True):
        there = array_of(expected[output]).astype(np.float64)
        gap = np.abs(here - there).max(initial=0.0) / max(np.abs(there).max(initial=0.0), 1.0)
        worst = max(worst, float(gap))
    if not worst < TOLERANCE:
        raise DataError(f"the graph {name} differs from torch by {worst:.1e}: not written")
    return worst


def name_it(proto: Any, values: Mapping[str, Any], words: str) -> None:
    """Write what is known of a graph into it: JSON `values`, each also by itself where it is short,
    and `words` for people."""
    import onnx

    proto.producer_name, proto.doc_string = "dlcc", words
    short = {name: value for name, value in values.items() if isinstance(value, str)}
    onnx.helper.set_model_props(proto, {HEADER: json.dumps(values), **short})


def write_with_weights(proto: Any, path: Path) -> None:
    """Write a graph with its weights inside; whole or not at all."""
    write_atomically(path, lambda place: place.write_bytes(proto.SerializeToString()))


def link_weights(proto: Any, weights: Path) -> None:
    """Have a graph take its weights from a safetensors file that will lie beside it: cast to
    float32 where they are float16, and turned as the graph has them.

    Weights are known by their content. What the file has not stays inside.
    """
    import onnx

    saved = _places(weights)
    tensors, nodes = [], []
    for tensor in proto.graph.initializer:
        array = onnx.numpy_helper.to_array(tensor)
        found = _found(array, saved) if array.nbytes > _INSIDE else None
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
    content = read_bytes(weights)
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
    from onnx.helper import make_node

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
    import onnx

    types = {"F16": onnx.TensorProto.FLOAT16, "F32": onnx.TensorProto.FLOAT}
    tensor = onnx.TensorProto(name=name, data_type=types[kind], dims=shape)
    tensor.data_location = onnx.TensorProto.EXTERNAL
    for key, value in (("location", file), ("offset", offset), ("length", length)):
        tensor.external_data.add(key=key, value=str(value))
    return tensor
