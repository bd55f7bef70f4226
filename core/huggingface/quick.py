"""What makes a model of transformers appear sooner: what one answer never uses is not loaded.

Torch and transformers are left as they were.
"""

import gc
import operator
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any


@contextmanager
def uncollected() -> Iterator[None]:
    """Without the search for cycles, which takes a tenth of the time: what is imported stays."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


class _Later(ModuleType):
    """Stands for a module that only special uses of a model need, while models are imported."""

    __path__: list[str] = []  # noqa: RUF012 - what makes it a package

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if self.__name__ == "torch._dynamo":
            return _as_it_is
        return {} if name.isupper() else type(name, (), {})


class _Known(ModuleType):
    """Stands for torch's module of symbolic sizes, which loads sympy: of numbers that are known its
    questions are plain ones. Whoever asks another gets the module itself."""

    expect_true = guard_or_false = guard_or_true = guard_size_oblivious = bool
    statically_known_true = bool
    sym_eq = staticmethod(operator.eq)
    sym_and, sym_or = staticmethod(lambda *all_of: all(all_of)), staticmethod(lambda *of: any(of))
    is_nested_int = has_free_symbols = staticmethod(lambda _: False)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        sys.modules.pop(self.__name__, None)
        return getattr(import_module(self.__name__), name)


def _as_it_is(function: Any = None, *_: Any, **__: Any) -> Any:
    """In place of a decorator that compiles."""
    return function if callable(function) else _as_it_is


_SIZES = "torch.fx.experimental.symbolic_shapes"
_MODELS = "transformers.models"
_LATER = (
    "torch._dynamo",
    "torch._dynamo._trace_wrapped_higher_order_op",
    "torch.nn.attention.flex_attention",
    "transformers.image_utils",
    "transformers.loss.loss_utils",
    "transformers.video_utils",
)


@contextmanager
def undrawn() -> Iterator[None]:
    """Have layers made without first weights: they are made of nothing, and filled from a file."""
    from torch.nn import init

    names = [name for name in vars(init) if name.endswith("_") and not name.startswith("_")]
    before = {name: getattr(init, name) for name in names}
    vars(init).update(dict.fromkeys(names, lambda tensor, *_, **__: tensor))
    try:
        yield
    finally:
        vars(init).update(before)


@contextmanager
def quickly() -> Iterator[None]:
    """Import and load transformers' models without what compiles, spreads over machines and trains,
    which takes two thirds of the time; only where none of that is loaded yet."""
    import torch

    if "torch._dynamo" in sys.modules:
        yield
        return
    before = torch.distributed.is_available, torch.compile, torch.compiler.disable
    stands_in: dict[str, ModuleType] = {n: _Later(n) for n in _LATER if n not in sys.modules}
    if _SIZES not in sys.modules:
        stands_in[_SIZES] = _Known(_SIZES)
    package = find_spec("transformers")
    if package is not None and _MODELS not in sys.modules:  # it reads the files of all models
        stands_in[_MODELS] = models = ModuleType(_MODELS)
        models.__path__ = [str(Path(p, "models")) for p in package.submodule_search_locations or ()]
    sys.modules.update(stands_in)
    torch.distributed.is_available = lambda: False
    torch.compile = torch.compiler.disable = _as_it_is  # type: ignore[assignment]
    try:
        yield
    finally:
        torch.distributed.is_available, torch.compile, torch.compiler.disable = before
        for name, module in stands_in.items():
            if sys.modules.get(name) is module:
                del sys.modules[name]
        vars(torch).pop("_dynamo", None)
