"""Pictures kept in the cache: more than memory holds, after a kill, by several processes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from vision_samples import TINY, write_pictures

from dlcc.core.errors import DataError
from dlcc.core.files import paths
from dlcc.core.train.parts import train_hash
from dlcc.core.vit import data as data_of
from dlcc.core.vit import decoding
from dlcc.core.vit.config import VisionConfig
from dlcc.core.vit.data import load_images
from dlcc.core.vit.images import ImageData, MappedPictures
from dlcc.core.vit.model import ViT
from dlcc.core.vit.task import VisionTask


def write_folder(folder: Path, count: int, sides: tuple[int, ...] = (8,)) -> Path:
    """`count` pictures of noise in two classes, of sides in turn; every 50th is none."""
    random = np.random.default_rng(0)
    for number in range(count):
        side = sides[number % len(sides)]
        file = folder / "ab"[number % 2] / f"{number:05}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        noise = random.integers(0, 256, (side, side, 3), dtype=np.uint8)
        Image.fromarray(noise).save(file)
        if number % 50 == 49:
            file.write_bytes(b"no picture")
    return folder


@pytest.fixture
def mapped(monkeypatch: pytest.MonkeyPatch) -> None:
    """No memory for pictures."""
    monkeypatch.setattr(data_of, "room_in_memory", lambda: 0)


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of what is decoded, in lots of four."""
    names: list[str] = []
    real = decoding.decode_picture

    def counting(data: bytes, name: str, at_least: int | None = None) -> Image.Image:
        names.append(name)
        return real(data, name, at_least)

    monkeypatch.setattr(decoding, "decode_picture", counting)
    monkeypatch.setattr(decoding, "_LOT", 4)
    return names


def hash_of(data: ImageData) -> str:
    return train_hash([*data.train.names, data.train.bytes_of_pixels()])


@pytest.mark.parametrize("sides", [(8,), (20,), (8, 8, 8, 8, 8, 20), (20, 8), (24, 20, 8, 12)])
def test_mapped_pictures_are_those_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sides: tuple[int, ...]
) -> None:
    folder = write_folder(tmp_path, 60, sides)
    inside = load_images(folder, 16)
    monkeypatch.setattr(data_of, "room_in_memory", lambda: 0)
    mapped = load_images(folder, 16)
    assert isinstance(inside.train.pixels, torch.Tensor)
    assert isinstance(mapped.train.pixels, MappedPictures)
    assert (mapped.split_hash, mapped.skipped) == (inside.split_hash, inside.skipped)
    assert hash_of(mapped) == hash_of(inside)
    for part in ("train", "validation", "test"):
        one, other = getattr(inside, part), getattr(mapped, part)
        assert one.names == other.names
        assert one.pixels.shape == other.pixels.shape
        places = torch.randperm(len(one))
        assert torch.equal(one.pixels[places], other.pixels[places])
        assert torch.equal(one.pixels[-1], other.pixels[-1])
        assert torch.equal(one.part(places[:2]).pixels, other.part(places[:2]).pixels[:])
        lots = zip(one.pixels.split(5), other.pixels.split(5), strict=True)
        assert all(torch.equal(a, b) for a, b in lots)
    everything = mapped.everything().pixels
    assert torch.equal(inside.everything().pixels, everything[torch.arange(len(everything))])


@pytest.mark.parametrize("sides", [(8,), (8, 8, 8, 8, 8, 8, 8, 8, 8, 20)])
@pytest.mark.parametrize("stop", [3, 30, 50])
def test_what_was_decoded_before_a_kill_is_not_decoded_again(
    tmp_path: Path,
    mapped: None,
    decoded: list[str],
    monkeypatch: pytest.MonkeyPatch,
    sides: tuple[int, ...],
    stop: int,
) -> None:
    folder = write_folder(tmp_path / "pictures", 60, sides)
    real = decoding.decode_lot

    def killed(lot: list[decoding.Unread], size: int) -> decoding.Lot:
        if len(decoded) >= stop:
            raise KeyboardInterrupt
        return real(lot, size)

    with monkeypatch.context() as patched:
        patched.setattr(decoding, "decode_lot", killed)
        with pytest.raises(KeyboardInterrupt):
            load_images(folder, 16)
    before = len(decoded)
    for file in paths.cache_dir().rglob("pixels"):  # as a kill in the midst of a lot leaves it
        with file.open("ab") as stream:
            stream.write(b"half a picture")
    data = load_images(folder, 16)
    assert len(decoded) == 60
    assert before == -(-stop // 4) * 4
    monkeypatch.setenv("DLCC_HOME", str(tmp_path / "another"))
    assert hash_of(load_images(folder, 16)) == hash_of(data)


def test_a_changed_source_takes_the_place_of_what_was_kept(tmp_path: Path, mapped: None) -> None:
    folder = write_folder(tmp_path, 20)
    load_images(folder, 8)
    write_folder(tmp_path, 40)
    assert len(load_images(folder, 8).everything()) == 40
    assert len(list(paths.cache_dir().glob("pictures/*/content"))) == 1


def test_damage_is_noticed_when_it_is_read_and_mended_at_the_next_start(
    tmp_path: Path, mapped: None, decoded: list[str]
) -> None:
    data = load_images(write_folder(tmp_path, 40), 8)
    wanted = data.train.pixels[:]
    (file,) = paths.cache_dir().rglob("pixels")
    with file.open("r+b") as stream:
        stream.seek(-1000, 2)
        stream.write(b"damage")
    data = load_images(tmp_path, 8)
    with pytest.raises(DataError, match="damaged: start again"):
        data.everything().pixels[:]
    before = len(decoded)
    assert torch.equal(load_images(tmp_path, 8).train.pixels[:], wanted)
    assert 0 < len(decoded) - before < 20


def test_a_disk_without_room_is_said_before_the_long_work(
    tmp_path: Path, decoded: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    free = SimpleNamespace(free=5000)
    monkeypatch.setattr(decoding.shutil, "disk_usage", lambda folder: free)
    with pytest.raises(DataError, match=r"size 8: 40 pictures .* DLCC_HOME"):
        load_images(write_folder(tmp_path, 40), 8)
    assert len(decoded) == 4


def test_many_are_decoded_by_several_processes_in_their_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_folder(tmp_path / "pictures", 60)
    alone = load_images(folder, 8)
    monkeypatch.setenv("DLCC_HOME", str(tmp_path / "another"))
    monkeypatch.setattr(decoding, "_LOT", 4)
    monkeypatch.setattr(decoding, "_ALONE", 8)
    counts: list[tuple[int, int | None]] = []
    together = load_images(folder, 8, progress=lambda *each: counts.append(each))
    assert hash_of(together) == hash_of(alone)
    assert together.skipped == alone.skipped
    assert counts[-1] == (60, 60)


def test_a_process_that_is_ended_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "_LOT", 4)
    monkeypatch.setattr(decoding, "_ALONE", 0)
    monkeypatch.setattr(decoding, "_end_with_parent", os.abort)
    with pytest.raises(DataError, match="start again, what is decoded stays"):
        load_images(write_folder(tmp_path, 20), 8)


_LOAD = """
import sys
from pathlib import Path
from dlcc.core.vit import data, decoding
data.room_in_memory = lambda: 0
decoding._LOT = 4
real = decoding.decode_lot
def counted(lot, size):
    print("lot", flush=True)
    return real(lot, size)
decoding.decode_lot = counted
found = data.load_images(Path(sys.argv[1]), 16)
print(found.split_hash, len(found.everything()))
"""


def run(folder: Path) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", _LOAD, str(folder)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_two_processes_decode_once_and_a_killed_one_is_gone_on_with(tmp_path: Path) -> None:
    folder = write_folder(tmp_path, 300, (200,))
    first = run(folder)
    assert first.stdout
    lots = [first.stdout.readline() for _ in range(5)]
    first.send_signal(signal.SIGKILL)
    lots += first.communicate()[0].splitlines()
    both = [run(folder), run(folder)]
    said = [process.communicate()[0].splitlines() for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert said[0][-1] == said[1][-1]
    again = [line for lines in said for line in lines if line == "lot"]
    assert len(lots) + len(again) in (75, 76)  # the lot that it was killed in, once more


@pytest.mark.skipif(not Path("/proc").exists(), reason="asks Linux for its processes")
def test_processes_that_decode_end_with_a_killed_parent(tmp_path: Path) -> None:
    code = "from dlcc.core.vit import decoding as d; d._ALONE = 0\n" + _LOAD
    folder = write_folder(tmp_path, 300, (200,))
    process = subprocess.Popen([sys.executable, "-c", code, str(folder)])
    children: Callable[[], list[str]] = lambda: _children(process.pid)  # noqa: E731
    while not children():
        time.sleep(0.02)
    time.sleep(0.3)
    started = children()
    process.kill()
    process.wait()
    for _ in range(300):
        if not any(Path(f"/proc/{child}").exists() for child in started):
            return
        time.sleep(0.05)
    raise AssertionError(started)


def _children(of: int) -> list[str]:
    task = Path(f"/proc/{of}/task/{of}/children")
    return task.read_text().split() if task.exists() else []


def test_a_training_learns_the_same_from_mapped_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_pictures(tmp_path, 4)
    losses = []
    for room in (2**30, 0):
        monkeypatch.setattr(data_of, "room_in_memory", lambda room=room: room)
        torch.manual_seed(0)
        task = VisionTask(ViT(TINY), load_images(tmp_path, 8), VisionConfig(batch_size=4), {})
        losses.append([task.loss(batch, 0.0)[0].item() for batch in task.batches(0)])
        losses[-1] += task.validate().values()
    assert losses[0] == losses[1]
