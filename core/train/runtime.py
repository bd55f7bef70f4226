"""Where and how tensors are computed: device, number format, seeds."""

import logging
import platform
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from dlcc.core.errors import DeviceError
from dlcc.core.settings import one_of

DEVICES = ("auto", "cpu", "cuda", "mps")


def choose_device(name: str = "auto") -> torch.device:
    """The device called `name`, or with `auto` the fastest there is.

    Raises:
        UsageError: a name that is none of `DEVICES`.
        DeviceError: a device that this machine lacks.
    """
    one_of(DEVICES).ask(name, "device")
    present = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if name == "auto":
        name = next(kind for kind, there in present.items() if there)
    if not present[name]:
        raise DeviceError("this machine has none; use auto", "device", name)
    return torch.device(name)


def has_fast_bfloat16(device: torch.device) -> bool:
    """Whether bfloat16 products run faster than float32 on `device`.

    A CPU without the AVX-512 bfloat16 instructions emulates them, slower than float32; of those
    that have them some are twice as fast with them and some half, so it is tried, in 4 ms.
    """
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "cpu":
        wins = _bfloat16_wins if _decided is None else lambda: _decided
        return bool(torch.cpu._is_avx512_bf16_supported() and wins())
    return False


_decided: bool | None = None


@contextmanager
def computing_as(bfloat16: bool | None) -> Iterator[None]:
    """Within it a CPU that can computes in bfloat16 or not as was decided before, not by a trial;
    None leaves it to one."""
    global _decided
    before, _decided = _decided, bfloat16
    try:
        yield
    finally:
        _decided = before


@cache
def _bfloat16_wins() -> bool:
    return product_seconds(torch.bfloat16) < product_seconds(torch.float32)


def product_seconds(dtype: torch.dtype) -> float:
    """What a product of 256 × 256 numbers takes on the CPU, at best."""
    matrix, times = torch.ones(256, 256, dtype=dtype), []
    for _ in range(5):
        begun = time.perf_counter()
        F.linear(matrix, matrix)
        times.append(time.perf_counter() - begun)
    return min(times)


@contextmanager
def fast_products(device: torch.device, allowed: bool) -> Iterator[None]:
    """Within it a GPU may round the factors of float32 products (TF32), which is as good as
    bfloat16 and faster; what is rounded already is so anyway."""
    before = torch.get_float32_matmul_precision()
    if allowed and device.type == "cuda":
        torch.set_float32_matmul_precision("high")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def resident(device: torch.device, *tensors: Tensor) -> tuple[Tensor, ...]:
    """Tensors that every step reads from, on a GPU if they take at most half of what is free there;
    else where they are."""
    if device.type != "cuda":
        return tensors
    free, _ = torch.cuda.mem_get_info(device)
    takes = sum(each.nbytes for each in tensors)
    return tuple(each.to(device) for each in tensors) if takes <= free / 2 else tensors


def moved(device: torch.device, *tensors: Tensor) -> tuple[Tensor, ...]:
    """Tensors of one step on their device; a GPU takes them while the step before is computed."""
    if device.type != "cuda":
        return tuple(each.to(device) for each in tensors)
    return tuple(
        each if each.device.type == "cuda" else each.pin_memory().to(device, non_blocking=True)
        for each in tensors
    )


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of tensors through torch.compile, for each of their shapes apart."""
    torch._logging.set_logs(dynamo=logging.ERROR, inductor=logging.ERROR)
    found: Callable[..., Any] = torch.compile(function, dynamic=False)
    known = set()

    def call(*given: Any) -> Any:
        kind = tuple(each.shape if isinstance(each, Tensor) else each for each in given)
        begun = time.monotonic()
        result = found(*given)
        if kind not in known:
            known.add(kind)
            _compiling[0] += time.monotonic() - begun
        return result

    return call


_compiling = [0.0]


def seconds_compiling() -> float:
    """How long what is `compiled` took to compile so far."""
    return _compiling[0]


def autocast(device: torch.device, enabled: bool = True) -> torch.autocast:
    """A context that computes products in bfloat16 where `device` is faster with it."""
    return torch.autocast(device.type, torch.bfloat16, enabled and has_fast_bfloat16(device))


def memory_in_use() -> int:
    """Bytes that the process took at most, of the GPU's memory where there is one; 0 where nobody
    knows."""
    if torch.cuda.is_initialized():
        return torch.cuda.max_memory_allocated()
    try:
        import resource
    except ImportError:  # Windows
        return 0
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def made_here(device: torch.device) -> dict[str, Any]:
    """When and on what a checkpoint is made, as JSON values."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else _processor()
    today = datetime.now().astimezone().date().isoformat()
    return {"date": today, "processor": name, "threads": torch.get_num_threads()}


@cache
def _processor() -> str:
    """The processor's name, as far as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:  # no Linux
        return platform.processor() or platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


@contextmanager
def one_thread() -> Iterator[None]:
    """Within it one core computes: matrices that are small are not worth sharing."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def drawn(count: int, limit: int | None, seed: int) -> torch.Tensor:
    """The places [n] int64 of at most `limit` of `count` things, all where it is None, in order."""
    if limit is None or limit >= count:
        return torch.arange(count)
    return torch.randperm(count, generator=seeded_generator(seed))[:limit].sort().values


def seeded_generator(seed: int, *stream: int) -> torch.Generator:
    """A CPU generator for one purpose: the same (seed, stream) gives the same numbers.

    `stream` numbers keep purposes apart, such as (epoch,) for shuffling.
    """
    mixed = seed
    for number in stream:
        mixed = (mixed * 1_000_003 + number + 1) % 2**63
    return torch.Generator().manual_seed(mixed)
