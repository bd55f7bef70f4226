"""A trained model as functions of numpy arrays, computed by torch or by onnxruntime.

Each family names its functions once (its `graphs`); searches, explanations and classifiers call
them by name and import neither library. A checkpoint whose files hold these functions as ONNX
graphs answers without torch, which takes far longer to load.
"""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from dlcc.core.errors import DataError, UsageError
from dlcc.core.files.paths import being_read, read_bytes
from dlcc.core.settings import one_of
from dlcc.core.train.folders import best_of, check_hashes, read_header, whole

if TYPE_CHECKING:
    from torch import nn

RUNNERS = ("auto", "onnx", "torch")
SUFFIX = ".onnx"
HEADER = "dlcc"
"""The metadata of an exported graph under which its checkpoint's header and files stand."""


class Graph(NamedTuple):
    """One function of a model."""

    function: Any
    """Tensors in, a tuple of tensors out."""
    inputs: Sequence[str]
    outputs: Sequence[str]
    examples: Callable[[], Mapping[str, tuple[Any, Mapping[int, str]]]]
    """Makes, by its name, an example of each input, on the CPU; and which of its axes may have any
    length, by what that is called. No two lengths are the same, nor any that is fixed: where a
    graph is recorded they could not be told apart."""
    kept: frozenset[str] = frozenset()
    """Outputs that only this runner reads again: they stay where it computes."""


class Runner(Protocol):
    """A model's functions."""

    def run(self, name: str, **inputs: Any) -> dict[str, Any]:
        """What the function of that name gives, by name: arrays, but for what is `Graph.kept`. An
        exported graph may lack outputs, and inputs that only these need."""
        ...


class TorchRunner:
    """Runs a model's functions as they are, in float32: in bfloat16 a row's values depend on how
    many rows are computed with it."""

    def __init__(self, model: "nn.Module", graphs: Mapping[str, Graph]) -> None:
        self.model, self.graphs = model, graphs

    def run(self, name: str, **inputs: Any) -> dict[str, Any]:
        import torch

        graph = self.graphs[name]
        device = next(self.model.parameters()).device
        given = [_tensor(inputs[each], device) for each in graph.inputs]
        with torch.no_grad():
            found = zip(graph.outputs, graph.function(*given), strict=True)
        return {each: value if each in graph.kept else array_of(value) for each, value in found}


class OnnxRunner:
    """Runs a model's functions by onnxruntime, each loaded when it is first called.

    Args:
        graphs: by a function's name the file of its graph.
        contents: what is in these files, by their names; or where they are, with weights beside.
        called: what messages call the model.
    """

    def __init__(
        self, graphs: Mapping[str, str], contents: Mapping[str, bytes | Path], called: object
    ) -> None:
        self.graphs, self.contents, self.called = graphs, contents, called
        self._sessions: dict[str, Callable[[], Any]] = {}  # by file; asking waits for it

    def run(self, name: str, **inputs: Any) -> dict[str, Any]:
        session = self._session(name)
        feed = {each.name: inputs[each.name] for each in session.get_inputs()}
        names = [each.name for each in session.get_outputs()]
        return dict(zip(names, session.run(names, feed), strict=True))

    def ahead(self, *names: str) -> None:
        """Begin to load what these functions need in the background; calling them waits for it."""
        from concurrent.futures import ThreadPoolExecutor

        import onnxruntime  # noqa: F401  # here, so that no two threads import at once

        background = ThreadPoolExecutor(1)
        for file in map(self._file, names):  # in the order in which they are called
            if file not in self._sessions:
                loading = background.submit(session_of, self.contents[file], self.called)
                self._sessions[file] = loading.result
        background.shutdown(wait=False)

    def _session(self, name: str) -> Any:
        file = self._file(name)
        if file not in self._sessions:
            session = session_of(self.contents[file], self.called)
            self._sessions[file] = lambda: session
        return self._sessions[file]()

    def _file(self, name: str) -> str:
        if name not in self.graphs:
            raise DataError(f"{self.called} has no graph {name}: export it anew")
        return self.graphs[name]


def session_of(graph: bytes | Path, called: object) -> Any:
    """An onnxruntime session on the CPU, with as many threads as torch would take.

    Raises:
        DataError: it is damaged, or no ONNX graph.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # it is raised besides
    options.intra_op_num_threads = threads()
    # Threads that wait sleep: those that spin take a core from what is done between two calls.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    content = str(graph) if isinstance(graph, Path) else graph
    try:
        return onnxruntime.InferenceSession(content, options, ["CPUExecutionProvider"])
    except Exception as error:  # its own kinds, and what protobuf raises
        raise DataError(f"{called} is damaged, or no ONNX graph that can be run here") from error


def threads() -> int:
    """How many threads compute: OMP_NUM_THREADS, or one a core that this process may use."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return int(asked) if asked.isdigit() and int(asked) else cores or 1


@dataclass(frozen=True)
class Opened:
    """A checkpoint that answers by onnxruntime."""

    place: Path
    config: dict[str, Any]
    about: dict[str, Any]
    files: dict[str, bytes]
    runner: OnnxRunner = field(repr=False)


def opened(place: Path, kind: str, runner: str = "auto", device: str = "auto") -> Opened | None:
    """A checkpoint as onnxruntime answers it; None where torch has to.

    Args:
        place: a checkpoint folder or run, or an exported ONNX file.
        kind: the model family.
        runner: one of `RUNNERS`.
        device: auto, or torch's name: onnxruntime computes on the CPU.

    Raises:
        UsageError: a runner that is none, or that this checkpoint or installation has not.
        DataError: damaged, or of another kind.
    """
    one_of(RUNNERS).ask(runner, "runner")
    exported = place.suffix == SUFFIX
    if exported and runner == "torch":
        raise UsageError(f"{place} has a graph and no weights for torch", "runner", runner)
    if runner == "torch" or (runner == "auto" and not exported and device not in ("auto", "cpu")):
        return None
    if find_spec("onnxruntime") is None:
        if runner == "onnx" or exported:
            raise UsageError("is not installed: pip install onnxruntime", "runner", "onnx")
        return None
    return _exported(place, kind) if exported else _in_folder(place, kind, runner)


def _in_folder(place: Path, kind: str, runner: str) -> Opened | None:
    folder = whole(best_of(place))
    header = read_header(folder)
    graphs = [name for name in header["sha256"] if name.endswith(SUFFIX)]
    if header["kind"] != kind or not graphs:
        if runner == "onnx" and header["kind"] == kind:
            raise UsageError(
                f"{place} has no graphs: export it, and name the file", "runner", "onnx"
            )
        return None  # what is wrong with it is said as it is loaded
    files = {name: read_bytes(folder / name) for name in header["sha256"]}
    check_hashes(folder, files)
    found = OnnxRunner(
        {Path(name).stem: name for name in graphs}, {name: folder / name for name in graphs}, folder
    )
    return Opened(folder, header["config"], header["about"], files, found)


def _exported(place: Path, kind: str) -> Opened:
    """What `export` wrote: one file, or of several graphs this one and those that it names."""
    content = read_bytes(place)
    session = session_of(content, place)
    metadata = session.get_modelmeta().custom_metadata_map
    if HEADER not in metadata:
        raise DataError(f"{place} is an ONNX graph that was not exported here: it names no labels")
    with being_read(place):
        header = json.loads(metadata[HEADER])
        graphs = dict(header["graphs"])
        contents: dict[str, bytes | Path] = {place.name: content}
        for file in {*graphs.values()} - {place.name}:
            contents[file] = read_bytes(place.with_name(Path(file).name))
        files = {name: text.encode() for name, text in header["files"].items()}
        there, config, about = header["kind"], dict(header["config"]), dict(header["about"])
    if there != kind:
        raise DataError(f"{place} holds a {there} model, {kind} was asked for")
    return Opened(place, config, about, files, OnnxRunner(graphs, contents, place))


def _tensor(given: Any, device: Any) -> Any:
    """An array as a tensor on the device; what is one already as it is."""
    import torch

    if not isinstance(given, np.ndarray):
        return given
    return torch.from_numpy(np.ascontiguousarray(given)).to(device)


def array_of(tensor: Any) -> np.ndarray:
    """A tensor as numpy has it, floating-point ones as float32; an array as it is."""
    if isinstance(tensor, np.ndarray):
        return tensor
    plain = tensor.detach()
    array: np.ndarray = (plain.float() if plain.is_floating_point() else plain).cpu().numpy()
    return array
