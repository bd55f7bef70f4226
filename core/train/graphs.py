"""Steps of a training as CUDA graphs: a GPU is told once what a step does, and then only to do it.

A small model's step is some thousand kernels of a few microseconds each, and starting one takes a
processor as long as computing it. A graph starts all of them at once.
"""

from collections import Counter
from collections.abc import Callable, Hashable

import torch
from torch import Tensor

_WARM = 3  # steps of a kind before it is recorded: torch prepares what cannot be recorded


class Graphs:
    """Runs functions of tensors, each as a graph once it has run a few times."""

    def __init__(self) -> None:
        self._runs: Counter[Hashable] = Counter()
        self._recorded: dict[Hashable, tuple[torch.cuda.CUDAGraph, tuple[Tensor, ...], Tensor]] = {}
        self._stream = torch.cuda.Stream()
        self._memory = torch.cuda.graph_pool_handle()  # one for all: they run one after another

    def run(
        self, kind: Hashable, function: Callable[..., Tensor], inputs: tuple[Tensor, ...]
    ) -> Tensor:
        """What `function` gives for `inputs`; the next run of that kind may write over it.

        Args:
            kind: with the shapes of the inputs, what tells one recording from another.
            function: asks for no value of a tensor, and draws from the GPU's own generator alone.
            inputs: all that differs between two runs, on the GPU.
        """
        key = (kind, *(each.shape for each in inputs))
        if key not in self._recorded:
            self._runs[key] += 1
            if self._runs[key] <= _WARM:
                return self._aside(function, inputs)
            kept, graph = tuple(each.clone() for each in inputs), torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, self._memory):
                output = function(*kept)
            self._recorded[key] = graph, kept, output
        graph, kept, output = self._recorded[key]
        for mine, given in zip(kept, inputs, strict=True):
            mine.copy_(given, non_blocking=True)
        graph.replay()
        return output

    def _aside(self, function: Callable[..., Tensor], inputs: tuple[Tensor, ...]) -> Tensor:
        """A run on another stream, as what is recorded later wants it."""
        self._stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._stream):
            output = function(*inputs)
        torch.cuda.current_stream().wait_stream(self._stream)
        return output
