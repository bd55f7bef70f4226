"""Damaged files through the command line: one line, an exit code, nothing left over."""

import gzip
import json
import os
import random
import resource
import shutil
import tarfile
import tempfile
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sentiment_samples import codec, write_csv
from sentiment_samples import model as text_model
from vision_samples import TINY_OPTIONS, classifier, hugging_face_folder, save_classifier
from vision_samples import write_pictures as write_samples

from dlcc.core.files.paths import asset
from dlcc.core.train.checkpoint import save_checkpoint

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


@dataclass(frozen=True)
class Ran:
    """What one command left."""

    exit_code: int
    stderr: str
    seconds: float
    """Of the processor."""
    memory: int
    """Bytes, at most at once, beyond those that it began with."""


def in_own_process(run: Callable[[], Any], said: Path) -> Ran:
    """Run a command in a child of this process, which has imported all; as a user's would be."""
    before = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # newer Pythons warn of threads, which wait here
        process = os.fork()
    if not process:
        code = 99
        try:
            result = run()
            said.write_text(result.stderr)
            code = result.exit_code
        except BaseException as error:
            said.write_text(f"Traceback: {error!r}")
        finally:
            os._exit(code)
    _, status, used = os.wait4(process, 0)
    code, text = os.waitstatus_to_exitcode(status), said.read_text() if said.exists() else ""
    said.unlink(missing_ok=True)
    return Ran(code, text, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024 - before)


def save_text_classifier(folder: Path) -> Path:
    made = text_model()
    save_checkpoint(
        folder,
        kind="sentiment",
        weights=made.state_dict(),
        config={"encoder": vars(made.encoder.config), "labels": ["bad", "good"]},
        about={"temperature": 1.0},
        files=codec().files(),
    )
    return folder


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
        (folder / "pairs.tsv").write_text("".join(f"cat {n}\tgato {n}\n" for n in range(40)))
        (folder / "partners.tsv").write_text(asset("relations/pronoun-object.tsv").read_text())
        write_csv(folder / "reviews.csv")
        self.texts = save_text_classifier(folder / "texts")
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
        shutil.copytree(folder / "run", folder / "shown")
        taught = ["attend", "train", "pronoun-object", "--seeds", 1, "--steps", 2]
        done = run_dlcc(*taught, "--run", folder / "taught")
        assert done.exit_code == 0, done.stderr
        self.kinds = {
            "demo.trace": ["view", "FILE"],
            "taught.safetensors": ["attend", "the cat", "--load", "FILE"],
            "vectors.txt": ["attend", "the cat", "--embeddings", "FILE"],
            "vectors.gz": ["attend", "the cat", "--embeddings", "FILE"],
            "vectors.zip": ["attend", "the cat", "--embeddings", "FILE"],
            "rows.csv": ["sentiment", "--csv", "--file", "FILE"],
            "rows.jsonl": ["sentiment", "--csv", "--file", "FILE"],
            "links.tsv": ["translate", "alignments", "FILE"],
            "pairs.tsv": self._translates("FILE"),
            "partners.tsv": ["attend", "train", "FILE", "--seeds", 1, "--steps", 2],
            "reviews.csv": ["sentiment", "eval", "--data", "FILE", "--checkpoint", self.texts],
            "texts/config.json": ["sentiment", "lovely", "--checkpoint", "FOLDER"],
            "texts/tokenizer.json": ["sentiment", "lovely", "--checkpoint", "FOLDER"],
            "texts/model.safetensors": ["sentiment", "lovely", "--checkpoint", "FOLDER"],
            "pictures/train/red/000.png": self._predicts("FILE", self.model),
            "model/config.json": self._predicts(self.picture, "FOLDER"),
            "model/classes.json": self._predicts(self.picture, "FOLDER"),
            "model/model.safetensors": self._predicts(self.picture, "FOLDER"),
            "run/last/training_state.safetensors": self._resumes(),
            "run/last/config.json": self._resumes(),
            "run/metrics.jsonl": self._resumes(),
            "run/run.json": ["resume", "RUN", "--epochs", 2],
            "shown/run.json": ["runs", "show", "FOLDER"],
            "shown/last/config.json": ["runs", "compare", self.folder / "shown"],
            "shown/metrics.jsonl": ["runs", "show", "FOLDER"],
            "taught/trainings.jsonl": ["resume", "FOLDER"],
            "taught/run.json": ["resume", "FOLDER"],
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

    def _translates(self, pairs: object) -> list[Any]:
        sizes = ["--embed-dim", 8, "--hidden-dim", 8, "--encoder-layers", 1]
        return ["translate", "train", "--data", pairs, *sizes, "--epochs", 1, "--run", "NEW"]

    def try_one(self, name: str, seed: int) -> Ran:
        """Damage the file, ask for it, look at what is left, and make all as it was."""
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
            words = [
                places.get(word, word) if isinstance(word, str) else word
                for word in self.kinds[name]
            ]
            before = self._there()
            result = in_own_process(lambda: self.run_dlcc(*words), self.folder.parent / "said")
            left = sorted(self._there() - before)
            if result.exit_code == 0:
                left = [path for path in left if not path.startswith(("new", "run", "taught"))]
            assert not left, f"{name} {seed}: left {left}"
            return result
        finally:
            shutil.rmtree(self.folder)
            kept.rename(self.folder)

    def _there(self) -> set[str]:
        """All that lies here and among the temporary files."""
        places = self.folder, Path(tempfile.gettempdir())
        return {str(path.relative_to(place)) for place in places for path in place.rglob("*")}


def _sign(file: Path) -> None:
    """Write the checksum of a damaged file into its config, so that it is read at all."""
    config = file.parent / "config.json"
    if config.exists() and file != config:
        import hashlib

        header = json.loads(config.read_text())
        header["sha256"][file.name] = hashlib.sha256(file.read_bytes()).hexdigest()
        config.write_text(json.dumps(header))


@pytest.fixture
def samples(tmp_path: Path, run_dlcc: Run, monkeypatch: pytest.MonkeyPatch) -> Samples:
    (tmp_path / "files").mkdir()
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    return Samples(tmp_path / "files", run_dlcc)


def check(samples: Samples, name: str, seed: int) -> str:
    """What is wrong with how one damage is answered; nothing where all is well."""
    result = samples.try_one(name, seed)
    errors = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    wrong = (
        (result.exit_code not in (0, 2, 3), f"exit {result.exit_code}"),
        ("Traceback" in result.stderr, "a traceback"),
        (len(errors) != (result.exit_code != 0), f"{len(errors)} errors"),
        (result.seconds > 10, f"{result.seconds:.1f} s"),
        (result.memory > 2**30, f"{result.memory >> 20} MiB"),
    )
    found = ", ".join(what for holds, what in wrong if holds)
    return f"{name} {seed}: {found}: {result.stderr[-300:]}" if found else ""


def test_damage_is_one_line(samples: Samples) -> None:
    for name in samples.kinds:
        for seed in range(2):
            assert not check(samples, name, seed)


@pytest.mark.slow
def test_much_damage_is_one_line(samples: Samples) -> None:
    """3,000 damages in all."""
    wrong = [check(samples, name, seed) for seed in range(2, 110) for name in samples.kinds]
    assert len(wrong) >= 3000
    assert not [*filter(None, wrong)]
