"""Where and how tensors are computed: device, number format, seeds."""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from dlcc.core.errors import DeviceError, UsageError

DEVICES = ("auto", "cpu", "cuda", "mps")


def choose_device(name: str = "auto") -> torch.device:
    """The device called `name`, or with `auto` the fastest there is; a CPU is made ready.

    Raises:
        UsageError: a name that is none of `DEVICES`.
        DeviceError: a device that this machine lacks.
    """
    if name not in DEVICES:
        raise UsageError(f"--device {name}: choose one of {', '.join(DEVICES)}")
    present = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if name == "auto":
        name = next(kind for kind, there in present.items() if there)
    if not present[name]:
        raise DeviceError(f"--device {name}: this machine has none; use --device auto")
    if name == "cpu":
        keep_freed_memory()
    return torch.device(name)


def has_fast_bfloat16(device: torch.device) -> bool:
    """Whether bfloat16 products run faster than float32 on `device`.

    A CPU without the AVX-512 bfloat16 instructions emulates them, slower than float32.
    """
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "cpu":
        return bool(torch.cpu._is_avx512_bf16_supported())
    return False


def autocast(device: torch.device, enabled: bool = True) -> torch.autocast:
    """A context that computes products in bfloat16 where `device` is faster with it."""
    return torch.autocast(device.type, torch.bfloat16, enabled and has_fast_bfloat16(device))


@contextmanager
def one_thread() -> Iterator[None]:
    """Within it one core computes: matrices that are small are not worth sharing."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def keep_freed_memory() -> None:
    """Let this process use the memory of freed tensors again instead of giving it back.

    Otherwise glibc maps every large tensor anew and the kernel clears its pages: on a CPU that is
    up to half of the time of a training step. Elsewhere than on glibc nothing changes.
    """
    try:
        set_option = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # macOS; a library without it; Windows
        return
    trim_threshold, mmap_max = -1, -4  # of malloc.h
    set_option(mmap_max, 0)
    set_option(trim_threshold, -1)  # never: steps of more than 2 GB gave theirs back


def seeded_generator(seed: int, *stream: int) -> torch.Generator:
    """A CPU generator for one purpose: the same (seed, stream) gives the same numbers.

    `stream` numbers keep purposes apart, such as (epoch,) for shuffling.
    """
    mixed = seed
    for number in stream:
        mixed = (mixed * 1_000_003 + number + 1) % 2**63
    return torch.Generator().manual_seed(mixed)
