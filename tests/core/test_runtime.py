"""Devices by name, bfloat16 only where it is fast, seeds that keep purposes apart."""

import platform
import subprocess
import sys

import pytest
import torch

from dlcc.core.errors import DeviceError, UsageError
from dlcc.core.runtime import autocast, choose_device, seeded_generator


def test_devices_are_chosen_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert choose_device("cpu") == choose_device("auto") == torch.device("cpu")
    with pytest.raises(DeviceError, match="--device cuda"):
        choose_device("cuda")
    with pytest.raises(UsageError, match="--device tpu: choose one of auto"):
        choose_device("tpu")


@pytest.mark.parametrize("fast", [True, False])
def test_bfloat16_is_used_where_the_processor_has_it(
    monkeypatch: pytest.MonkeyPatch, fast: bool
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: fast)
    with autocast(torch.device("cpu")):
        product = torch.ones(2, 2) @ torch.ones(2, 2)
    assert product.dtype == (torch.bfloat16 if fast else torch.float32)
    with autocast(torch.device("cpu"), enabled=False):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32


def test_generators_repeat_and_differ_by_stream() -> None:
    def draw(*numbers: int) -> list[float]:
        return torch.rand(3, generator=seeded_generator(*numbers)).tolist()

    assert draw(1, 2) == draw(1, 2)
    assert len({tuple(draw(*key)) for key in [(1,), (2,), (1, 0), (1, 1), (1, 0, 0)]}) == 5


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another library gives memory back")
def test_a_large_tensor_finds_the_memory_of_the_last_one() -> None:
    script = (
        "import resource, torch\n"
        "from dlcc.core.runtime import keep_freed_memory\n"
        "keep_freed_memory()\n"
        "def faults():\n"
        "    torch.zeros(2**24)\n"
        "    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
        "print(-faults() + faults())"
    )
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True).stdout
    assert int(shown) < 1000  # a new mapping of 64 MB is 16,384 pages
