"""Devices by name, bfloat16 only where it is fast, seeds that keep purposes apart."""

import platform
import subprocess
import sys

import pytest
import torch

from dlcc.core.errors import DeviceError, UsageError
from dlcc.core.train import runtime
from dlcc.core.train.runtime import autocast, choose_device, seeded_generator


def test_devices_are_chosen_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert choose_device("cpu") == choose_device("auto") == torch.device("cpu")
    with pytest.raises(DeviceError, match="device cuda"):
        choose_device("cuda")
    with pytest.raises(UsageError, match="device tpu: choose one of auto"):
        choose_device("tpu")


@pytest.mark.parametrize(("has", "seconds"), [(True, 1), (True, 3), (False, 1)])
def test_bfloat16_is_used_where_the_processor_has_it_and_gains_by_it(
    monkeypatch: pytest.MonkeyPatch, has: bool, seconds: int
) -> None:
    fast = has and seconds < 2
    taken = {torch.bfloat16: seconds, torch.float32: 2}
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: has)
    monkeypatch.setattr(runtime, "product_seconds", taken.__getitem__)
    monkeypatch.setattr(runtime, "_bfloat16_wins", runtime._bfloat16_wins.__wrapped__)
    with autocast(torch.device("cpu")):
        product = torch.ones(2, 2) @ torch.ones(2, 2)
    assert product.dtype == (torch.bfloat16 if fast else torch.float32)
    with autocast(torch.device("cpu"), enabled=False):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32


def test_a_product_takes_time() -> None:
    assert 0 < runtime.product_seconds(torch.float32) < 1


def test_generators_repeat_and_differ_by_stream() -> None:
    def draw(*numbers: int) -> list[float]:
        return torch.rand(3, generator=seeded_generator(*numbers)).tolist()

    assert draw(1, 2) == draw(1, 2)
    assert len({tuple(draw(*key)) for key in [(1,), (2,), (1, 0), (1, 1), (1, 0, 0)]}) == 5


_STEPS = """
import resource, torch
from dlcc.cli.app import keep_freed_memory
keep_freed_memory()
model = torch.nn.Sequential(torch.nn.Linear(16, 4096), torch.nn.GELU(), torch.nn.Linear(4096, 16))
faults = []
for _ in range(8):
    model(torch.ones(4096, 16)).sum().backward()
    faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
print(faults[-1] - faults[2])
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another library gives memory back")
def test_large_tensors_find_the_memory_of_earlier_ones() -> None:
    shown = subprocess.run([sys.executable, "-c", _STEPS], capture_output=True, check=True).stdout
    # Four tensors of 64 MB a step: mapped anew each time they would be 65,536 pages a step.
    assert int(shown) < 65_536
