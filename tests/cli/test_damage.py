"""Damaged files through the command line: one line, an exit code, nothing left over."""

import gzip
import json
import random
import shutil
import tarfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from vision_samples import TINY_OPTIONS, classifier, hugging_face_folder, save_classifier
from vision_samples import write_pictures as write_samples

from dlcc.core.files.paths import asset

Run = Callable[..., Any]
_ODD = [b"-1", b"0", b"1e999", b"NaN", b"null", b"[]", b"{}", b'"', b"9" * 25, b"\\ud800", b"\xff"]


def mutated(data: bytes, draw: random.Random) -> bytes:
    """`data` with one to three damages."""
    for _ in range(draw.randint(1, 3)):
        place = draw.randrange(len(data) + 1)
        end = min(len(data), place + draw.choice([1, 4, 64]))
        numbers = [n for n, byte in enumerate(data[:4000]) if byte in b"0123456789"]
        match draw.randrange(7):
            case 0:
                data = data[:place]
            case 1 if place < len(data):
                flipped = bytes([data[place] ^ (1 << draw.randrange(8))])
                data = data[:place] + flipped + data[place + 1 :]
            case 2:
                data = data[:place] + draw.randbytes(draw.choice([1, 8, 100])) + data[place:]
            case 3:
                data = data[:place] + data[end:]
            case 4:
                data = data[:end] + data[place:]
            case 5 if numbers:
                place = draw.choice(numbers)
                data = data[:place] + draw.choice(_ODD) + data[place + 1 :]
            case _:
                data = data[:place] + draw.choice(_ODD) + data[end:]
    return data


class Samples:
    """A whole file of each kind, and the commands that read it."""

    def __init__(self, folder: Path, run_dlcc: Run) -> None:
        self.folder, self.run_dlcc = folder, run_dlcc
        self.model = save_classifier(folder / "model", classifier())
        pictures = write_samples(folder / "pictures", 4)
        self.picture = pictures / "train/red/000.png"
        self.text = folder / "vectors.txt"
        self.text.write_text("2 3\nthe 1 2 3\ncat 4 5 6\n")
        (folder / "vectors.gz").write_bytes(gzip.compress(self.text.read_bytes()))
        with zipfile.ZipFile(folder / "vectors.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.write(self.text, "vectors.txt")
        (folder / "rows.csv").write_text('text,label\n"Very, lovely.",pos\nDull.,neg\n')
        (folder / "rows.jsonl").write_text('{"text": "lovely \\ud83d\\ude00"}\n{"text": "dull"}\n')
        (folder / "links.tsv").write_text("a cat\tun gato\t0-0 1-1\n")
        for kind in ("", "gz", "bz2", "xz"):
            with tarfile.open(folder / f"pictures.tar{kind}", f"w:{kind}") as tar:
                tar.add(pictures, "pictures")
        shutil.make_archive(str(folder / "pictures"), "zip", pictures)
        demo = asset("demos/chapter-sentences-four-mechanisms.trace")
        shutil.copy(demo, folder / "demo.trace")
        shutil.copy(asset("relations.safetensors"), folder / "taught.safetensors")
        (folder / "backbone").mkdir()
        hugging_face_folder(folder / "backbone")
        self.train = ["vit", "train", "--data", pictures, "--preset", "plain", *TINY_OPTIONS]
        done = run_dlcc(*self.train, "--run", folder / "run", "--epochs", 1)
        assert done.exit_code == 0, done.stderr
        self.kinds = {
            "demo.trace": ["view", "FILE"],
            "taught.safetensors": ["attend", "the cat", "--load", "FILE"],
            "vectors.txt": ["attend", "the cat", "--embeddings", "FILE"],
            "vectors.gz": ["attend", "the cat", "--embeddings", "FILE"],
            "vectors.zip": ["attend", "the cat", "--embeddings", "FILE"],
            "rows.csv": ["sentiment", "--csv", "--file", "FILE"],
            "rows.jsonl": ["sentiment", "--csv", "--file", "FILE"],
            "pictures/train/red/000.png": self._predicts("FILE", self.model),
            "model/config.json": self._predicts(self.picture, "FOLDER"),
            "model/classes.json": self._predicts(self.picture, "FOLDER"),
            "model/model.safetensors": self._predicts(self.picture, "FOLDER"),
            "run/last/training_state.safetensors": self._resumes(),
            "run/last/config.json": self._resumes(),
            "run/metrics.jsonl": self._resumes(),
            "backbone/config.json": self._learns("FOLDER"),
            "backbone/model.safetensors": self._learns("FOLDER"),
            **{
                f"pictures.{end}": ["vit", "eval", "--checkpoint", self.model, "--data", "FILE"]
                for end in ("tar", "targz", "tarbz2", "tarxz", "zip")
            },
        }

    def _predicts(self, picture: object, model: object) -> list[Any]:
        return ["vit", "predict", picture, "--checkpoint", model, "--no-attention"]

    def _resumes(self) -> list[Any]:
        return [*self.train, "--run", "RUN", "--resume", "--epochs", 2]

    def _learns(self, backbone: object) -> list[Any]:
        data = self.train[2:4]
        options = ["--preset", "plain", "--size", 14, "--epochs", 1, "--run", "NEW"]
        return ["vit", "train", *data, "--backbone", backbone, *options]

    def try_one(self, name: str, seed: int) -> tuple[Any, float]:
        """Damage the file, ask for it, and make all as it was; the result and the seconds."""
        draw, file = random.Random(f"{name} {seed}"), self.folder / name
        kept = self.folder.parent / "kept"
        shutil.copytree(self.folder, kept)
        try:
            data = mutated(file.read_bytes(), draw)
            file.write_bytes(data)
            if name.endswith("metrics.jsonl") or name.startswith("run/"):
                _sign(file)
            places = {
                "FILE": file,
                "FOLDER": file.parent,
                "RUN": self.folder / "run",
                "NEW": self.folder / "new",
            }
            begun = time.monotonic()
            result = self.run_dlcc(
                *(
                    places.get(word, word) if isinstance(word, str) else word
                    for word in self.kinds[name]
                )
            )
            seconds = time.monotonic() - begun
            there = {path.name for path in self.folder.rglob(".*")}
            assert not there, f"{name} {seed}: left {there}"
            return result, seconds
        finally:
            shutil.rmtree(self.folder)
            kept.rename(self.folder)


def _sign(file: Path) -> None:
    """Write the checksum of a damaged file into its config, so that it is read at all."""
    config = file.parent / "config.json"
    if config.exists() and file != config:
        import hashlib

        header = json.loads(config.read_text())
        header["sha256"][file.name] = hashlib.sha256(file.read_bytes()).hexdigest()
        config.write_text(json.dumps(header))


@pytest.fixture
def samples(tmp_path: Path, run_dlcc: Run) -> Samples:
    (tmp_path / "files").mkdir()
    return Samples(tmp_path / "files", run_dlcc)


def check(samples: Samples, name: str, seed: int) -> None:
    result, seconds = samples.try_one(name, seed)
    said = f"{name} {seed}: {result.stderr[-300:]}"
    assert result.exit_code in (0, 2, 3), said
    assert "Traceback" not in result.stderr, said
    errors = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == (result.exit_code != 0), said
    assert seconds < 10, said


def test_damage_is_one_line(samples: Samples) -> None:
    for name in samples.kinds:
        for seed in range(2):
            check(samples, name, seed)


@pytest.mark.slow
def test_much_damage_is_one_line(samples: Samples) -> None:
    for seed in range(2, 145):
        for name in samples.kinds:
            check(samples, name, seed)
