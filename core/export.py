"""Trained models as ONNX graphs.

Needs the packages onnx and onnxscript. What is written was run by onnxruntime before and compared
with torch.
"""

import io
import json
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dlcc.core.errors import DataError, UsageError
from dlcc.core.files.paths import write_atomically
from dlcc.core.runner import HEADER, SUFFIX, Graph, TorchRunner, array_of, session_of
from dlcc.core.train.checkpoint import Checkpoint

OPSET = 20
TOLERANCE = 1e-3
"""Largest difference from torch of what is written, relative to the output's size."""


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


def name_it(proto: Any, values: Mapping[str, str], words: str) -> None:
    """Write what is known of a graph into it, by name, and `words` for people."""
    import onnx

    proto.producer_name, proto.doc_string = "dlcc", words
    onnx.helper.set_model_props(proto, dict(values))


@dataclass(frozen=True)
class Exported:
    """A file that was written."""

    place: Path
    difference: float
    """From torch, of the outputs on an example, relative to the largest value."""
    says: str
    """Its inputs and outputs."""
    opset: int = OPSET

    @property
    def size(self) -> int:
        """In bytes."""
        return self.place.stat().st_size


def check_place(place: Path) -> None:
    """Raise UsageError unless a graph can be written there."""
    if place.suffix != SUFFIX:
        raise UsageError(f"{place}: end the file's name in {SUFFIX}")


def write_exported(
    place: Path,
    checkpoint: Checkpoint,
    model: nn.Module,
    graphs: Mapping[str, Graph],
    uses: Mapping[str, str],
) -> list[Exported]:
    """Write a model with its weights, its vocabulary and labels, and how it was made.

    Args:
        place: the file; a second graph stands beside it, FILE.NAME.onnx.
        uses: for each function that answering takes the graph that gives it.

    Raises:
        UsageError: the packages that this needs are not installed.
        DataError: a graph differs from torch, or cannot be written; none is.
    """
    names = list(dict.fromkeys(uses.values()))
    places = {name: place.with_suffix(f".{name}{SUFFIX}") for name in names}
    places[names[0]] = place
    known = _known(checkpoint) | {
        "graphs": {function: places[graph].name for function, graph in uses.items()}
    }
    runner, made = TorchRunner(model, graphs), {}
    for name in names:
        proto = onnx_of(model, graphs[name])
        name_it(proto, _metadata(known) | {"graph": name}, f"dlcc {checkpoint.kind}: {name}")
        made[name] = proto, largest_difference(proto, runner, name)
    found = []
    for name, (proto, difference) in made.items():
        content: bytes = proto.SerializeToString()
        write_atomically(places[name], partial(_write, content))
        sides = (proto.graph.input, proto.graph.output)
        says = " → ".join(", ".join(each.name for each in side) for side in sides)
        found.append(Exported(places[name], difference, says))
    return found


def _known(checkpoint: Checkpoint) -> dict[str, Any]:
    """What a checkpoint says of its model, but for the weights."""
    texts = {n: data.decode() for n, data in checkpoint.files.items() if not n.endswith(SUFFIX)}
    parts = {"kind": checkpoint.kind, "config": checkpoint.config, "about": checkpoint.about}
    return {**parts, "files": texts}


def _metadata(known: Mapping[str, Any]) -> dict[str, str]:
    """What a graph is given to say of itself: all that is known, and for others some of it."""
    classes = json.loads(known["files"].get("classes.json", "[]"))
    labels = known["config"].get("labels", classes)
    return {
        "kind": known["kind"],
        "labels": json.dumps(labels, ensure_ascii=False),
        "temperature": str(known["about"].get("temperature", 1.0)),
        "made_by": str(known["about"].get("command", "")),
        HEADER: json.dumps(known, ensure_ascii=False),
    }


def _write(content: bytes, path: Path) -> None:
    path.write_bytes(content)
