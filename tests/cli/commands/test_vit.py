"""`dlcc vit` by its commands: train, resume, eval, predict, compare, and what goes wrong."""

import itertools
import json
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from vision_samples import (
    CLASSES,
    COLOURS,
    TINY_OPTIONS,
    hugging_face_folder,
    learned_classifier,
    pixels_of,
    save_classifier,
    write_pictures,
)

from dlcc.cli.options import command_of
from dlcc.core.files.paths import asset
from dlcc.core.trace.trace import load_traces
from dlcc.core.train.checkpoint import load_checkpoint
from dlcc.core.vit.classifier import PictureClassifier


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pictures(tmp_path_factory.mktemp("pictures"))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_classifier(tmp_path_factory.mktemp("model") / "best", learned_classifier())


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    Image.fromarray(pixels_of("red", 77)).resize((64, 48)).save(path)
    return path


def train_options(pictures: Path, run: Path, *more: object) -> list[object]:
    options = ["vit", "train", "--data", pictures, "--run", run, *TINY_OPTIONS, "--epochs", 2]
    return [*options, "--device", "cpu", *more]


def test_train_then_eval_then_predict(run_dlcc: Any, pictures: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    result = run_dlcc(*train_options(pictures, run, "--cutmix", "--no-mixup"))
    assert result.exit_code == 0, result.stderr
    assert result.stdout.strip() == str(run / "best")
    assert "3 classes, 8 × 8 pixels, 54 pictures to train on, 6 to validate, 60 to test" in (
        " ".join(result.stderr.split())
    )
    about = load_checkpoint(run / "best", "vit").about
    assert about["command"].startswith("dlcc vit train --data")
    assert about["command"].endswith(" --cutmix --no-mixup")
    assert str(tmp_path) not in json.dumps(about)
    assert about["vision"]["cutmix_share"] == 0.5
    assert len(about["data"]["split_hash"]) == 64
    assert "cutmix" in load_traces(run / "traces/epoch-002.trace")[0].details

    result = run_dlcc("vit", "eval", "--checkpoint", run, "--data", pictures, "--json", "-q")
    (scores,) = json.loads(result.stdout)["results"]
    assert scores["count"] == 60
    some = ("vit", "eval", "--checkpoint", run, "--data", pictures, "--json", "--limit", 7)
    assert json.loads(run_dlcc(*some).stdout)["results"][0]["count"] == 7
    assert sum(map(sum, scores["confusion"])) == 60
    assert not result.stderr

    picture = next((pictures / "test" / "red").iterdir())
    result = run_dlcc("vit", "predict", picture, "--checkpoint", run, "--json")
    (answer,) = json.loads(result.stdout)["results"]
    assert {a["label"] for a in answer["answers"]} == set(CLASSES)
    assert sum(a["probability"] for a in answer["answers"]) == pytest.approx(1, abs=1e-4)


def test_killed_and_resumed_it_ends_with_the_same_weights(
    run_dlcc: Any, pictures: Path, tmp_path: Path
) -> None:
    options = ["--epochs", 4, "--cutmix", "--augment", "strong"]
    assert run_dlcc(*train_options(pictures, tmp_path / "whole", *options)).exit_code == 0
    command = [*train_options(pictures, tmp_path / "killed", *options)]
    process = subprocess.Popen(
        [sys.executable, "-m", "dlcc.cli", *map(str, command)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    first = tmp_path / "killed/last/config.json"
    deadline = time.monotonic() + 300
    while not first.exists() and time.monotonic() < deadline:
        time.sleep(0.005)
    assert first.exists()
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    result = run_dlcc(*command, "--resume")
    assert result.exit_code == 0, result.stderr
    for name in ("last", "best"):
        whole = load_checkpoint(tmp_path / "whole" / name, "vit").weights
        killed = load_checkpoint(tmp_path / "killed" / name, "vit").weights
        assert all(torch.equal(whole[key], killed[key]) for key in whole)


def test_the_presets_make_the_models_they_promise() -> None:
    from dlcc.core.vit.config import RECIPE, ViTConfig
    from dlcc.core.vit.model import ViT

    sizes = {}
    for name in RECIPE.presets:
        chosen = RECIPE.choose({}, name)
        config = chosen.make(ViTConfig, num_classes=10)
        sizes[name] = sum(p.numel() for p in ViT(config).parameters())
        for each in set(RECIPE.configs) - {ViTConfig}:
            chosen.make(each)
    assert sizes["book"] == pytest.approx(6.3e6, rel=0.01)
    assert max(sizes["best"], sizes["plain"]) < 4e6


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--preset", "fast"], 2, "--preset fast"),
        (["--freeze"], 2, "--freeze: needs a backbone"),
        (["--resume"], 2, "--resume needs --run"),
        (["--stem", "a,b"], 2, "--stem a,b"),
        (["--heads", "5"], 2, "--heads 5: does not divide"),
        (["--size", "30"], 2, "--size 30: no multiple"),
        (["--backbone", "resnet"], 2, "--backbone resnet"),
        (["--data", "nowhere.zip"], 3, "nowhere.zip: no such file"),
        (["--device", "tpu"], 2, "--device tpu"),
        (["--validation", "0", "--data", "."], 2, "--validation 0"),
        (["--epochs", "0"], 2, "--epochs 0"),
        (["--cutmix", "--mixup", "--calm", "7"], 2, "--calm 7"),
    ],
)
def test_what_train_refuses(run_dlcc: Any, options: list[str], code: int, message: str) -> None:
    result = run_dlcc("vit", "train", *options)
    assert result.exit_code == code
    assert message in " ".join(result.stderr.split())
    assert "Traceback" not in result.stderr


def test_a_hostile_archive_is_refused(run_dlcc: Any, tmp_path: Path) -> None:
    import zipfile

    archive = tmp_path / "bad.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("../../a/1.png", b"x")
    result = run_dlcc("vit", "train", "--data", archive)
    assert (result.exit_code, "outside its folder" in result.stderr) == (3, True)


def test_a_backbone_is_fine_tuned_or_probed(run_dlcc: Any, pictures: Path, tmp_path: Path) -> None:
    folder = tmp_path / "backbone"
    folder.mkdir()
    hugging_face_folder(folder)
    options = ["--data", pictures, "--backbone", folder, "--epochs", 1, "--size", 14]
    for name, more in (("tuned", []), ("probed", ["--freeze"])):
        run = tmp_path / name
        result = run_dlcc("vit", "train", *options, "--run", run, *more)
        assert result.exit_code == 0, result.stderr
        found = load_checkpoint(run / "last", "vit")
        assert found.config["image_size"] == 14
        assert found.config["pixel_mean"] == [0.485, 0.456, 0.406]
        assert found.about["backbone"] == "backbone"
        assert found.weights["head.weight"].shape == (3, 24)
    probed, tuned = (load_checkpoint(tmp_path / n / "last", "vit") for n in ("probed", "tuned"))
    name = "blocks.0.feed_forward.up.weight"
    before = load_file(folder / "model.safetensors")["encoder.layer.0.mlp.fc1.weight"]
    assert torch.equal(probed.weights[name], before)
    assert not torch.equal(tuned.weights[name], before)
    result = run_dlcc("vit", "train", *options, "--layers", 3)
    assert (result.exit_code, "--layers: the backbone brings its own" in result.stderr) == (2, True)


def test_eval_shows_classes_confusion_and_mistakes(
    run_dlcc: Any, pictures: Path, model: Path
) -> None:
    result = run_dlcc("vit", "eval", "--checkpoint", model, "--data", pictures, "--worst", 2)
    assert result.exit_code == 0, result.stderr
    assert "60 pictures (test)  accuracy" in result.stdout
    assert "true \\ given" in result.stdout
    for name in CLASSES:
        assert name in result.stdout
    tta = run_dlcc("vit", "eval", "--checkpoint", model, "--data", pictures, "--tta", "--json")
    assert json.loads(tta.stdout)["results"][0]["tta"] is True


def test_eval_of_other_data(run_dlcc: Any, model: Path, tmp_path: Path) -> None:
    folder = write_pictures(tmp_path, 4)
    (folder / "train" / "green").rename(folder / "train" / "teal")
    (folder / "test" / "green").rename(folder / "test" / "teal")
    result = run_dlcc("vit", "eval", "--checkpoint", model, "--data", folder)
    assert result.exit_code == 3
    assert "the class teal is unknown to the model" in result.stderr
    result = run_dlcc("vit", "eval", "--checkpoint", model, "--data", folder, "--part", "dev")
    assert result.exit_code == 2


def test_predict_prints_answers_and_draws_when_asked(
    run_dlcc: Any, model: Path, photo: Path
) -> None:
    plain = run_dlcc("vit", "predict", photo, "--checkpoint", model)
    assert plain.exit_code == 0, plain.stderr
    assert plain.stdout.splitlines()[1].split()[0] == "red"
    assert "what counted" not in plain.stdout
    drawn = run_dlcc("vit", "predict", photo, "--checkpoint", model, "--attention", "--top", 1)
    lines = drawn.stdout.splitlines()
    assert lines[1].strip() == "what counted (gradient):"
    assert len(lines) == 3 + 4  # 8 pixels are 4 lines
    assert lines[-1].split()[0] == "red"  # where it is seen, however high the picture is
    chosen = run_dlcc(
        "vit", "predict", photo, "--checkpoint", model, "--layer", 1, "--head", 2, "--json"
    )
    (answer,) = json.loads(chosen.stdout)["results"]
    assert answer["method"] == "last, layer 1, head 2"
    assert np.array(answer["patches"]).shape == (2, 2)


def test_predict_saves_and_exports(run_dlcc: Any, model: Path, photo: Path, tmp_path: Path) -> None:
    trace, png, page = (tmp_path / name for name in ("a.trace", "a.png", "a.html"))
    options = ("vit", "predict", photo, photo, "--checkpoint", model, "-q")
    assert run_dlcc(*options, "--save", trace, "--export", png).exit_code == 0
    assert run_dlcc(*options, "--export", page).exit_code == 0
    saved = load_traces(trace)
    assert len(saved) == 2
    assert saved[0].title.startswith("photo.png: red")
    again = shlex.split(command_of(saved[0].made_by) or "")
    assert again == ["dlcc", "vit", "predict", str(photo), "--checkpoint", str(model)]
    with Image.open(png) as image:
        assert image.getpixel((0, 0))[:3] == (255, 255, 255)
    text = page.read_text()
    assert text.count("<svg") == 2  # and the attention below
    assert "photo.png" in text
    result = run_dlcc(*options, "--export", tmp_path / "a.gif")
    assert (result.exit_code, "a.gif: end it in .svg" in result.stderr) == (2, True)


def test_predict_goes_on_past_what_is_no_picture(
    run_dlcc: Any, model: Path, photo: Path, tmp_path: Path
) -> None:
    letter = tmp_path / "letter.jpg"
    letter.write_text("Dear reader,")
    result = run_dlcc("vit", "predict", letter, photo, "--checkpoint", model)
    assert result.exit_code == 3
    assert "letter.jpg is no picture" in result.stderr
    assert "1 of 2 pictures could not be read" in result.stderr
    assert "photo.png" in result.stdout
    alone = run_dlcc("vit", "predict", letter, "--checkpoint", model)
    assert (alone.exit_code, alone.stdout) == (3, "")
    assert len(alone.stderr.strip().splitlines()) == 1


def test_predict_reads_and_answers_a_batch_at_a_time_and_attends_only_for_who_looks(
    run_dlcc: Any, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = [tmp_path / f"{name}.png" for name in "abcde"]
    for name, path in zip(COLOURS, itertools.cycle(photos), strict=False):
        Image.new("RGB", (9, 9), COLOURS[name]).save(path)
    for path in photos[len(COLOURS) :]:
        Image.new("RGB", (9, 9), "white").save(path)
    photos[1].write_text("no picture")
    options = ("vit", "predict", *photos, "--checkpoint", model)
    explained = json.loads(run_dlcc(*options, "--json").stdout)["results"]
    done: list[str] = []
    monkeypatch.setattr("dlcc.cli.commands.vit_predict._BATCH", 2)
    for name in ("read", "answer", "attend"):
        real = getattr(PictureClassifier, name)

        def counting(self: Any, what: Any, *rest: Any, name: str = name, real: Any = real) -> Any:
            done.append(f"{name} {len(what)}" if name == "answer" else name)
            return real(self, what, *rest)

        monkeypatch.setattr(PictureClassifier, name, counting)
    plain = run_dlcc(*options)
    assert plain.exit_code == 3
    assert done.count("read") == 5  # ahead of the answers
    assert [each for each in done if each != "read"] == ["answer 1", "answer 1", "answer 2"]
    lines = iter(plain.stdout.splitlines())
    for one in explained:
        assert next(lines) == one["file"]
        for answer in one["answers"]:
            shown = next(lines)
            assert answer["label"] in shown
            assert f"{answer['probability']:.1%}" in shown
    done.clear()
    run_dlcc(*options, "--attention")
    assert sorted(done) == [*["attend"] * 4, *["read"] * 5]


def test_the_pictures_of_a_folder_are_answered_in_their_order_and_gone_on_with(
    run_dlcc: Any, model: Path, tmp_path: Path
) -> None:
    folder, answers = tmp_path / "photos", tmp_path / "answers"
    for number, name in enumerate(["red", "blue"] * 4):
        file = folder / f"{number % 2}" / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (9, 9), COLOURS[name]).save(file)
    (folder / "0" / "2.png").write_text("no picture")
    options = ("vit", "predict", folder, "--checkpoint", model, "--json")
    printed = run_dlcc(*options)
    assert printed.exit_code == 3
    found = [json.loads(line) for line in printed.stdout.splitlines()]
    assert [Path(each["file"]).name for each in found] == [
        f"{n}.png" for n in (0, 2, 4, 6, 1, 3, 5, 7)
    ]
    assert "no picture" in found[1]["error"]
    assert {each["label"] for each in found[4:]} == {"blue"}
    answers.write_text(printed.stdout[: len(printed.stdout) // 2])
    assert run_dlcc(*options, "--resume-output", answers).stdout == ""
    again = [json.loads(line) for line in answers.read_text().splitlines()]
    assert [each["file"] for each in again] == [each["file"] for each in found]
    explained = run_dlcc(*options, "--attention").stdout.splitlines()
    assert len(explained) == 8
    assert np.array(json.loads(explained[-1])["patches"]).shape == (2, 2)
    (tmp_path / "none").mkdir()
    assert run_dlcc("vit", "predict", tmp_path / "none", "--checkpoint", model).exit_code == 3


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "I;16", "CMYK"])
def test_predict_takes_any_kind_of_picture(
    run_dlcc: Any, model: Path, tmp_path: Path, mode: str
) -> None:
    path = tmp_path / ("picture.jpg" if mode == "CMYK" else "picture.png")
    if mode == "I;16":
        Image.fromarray(np.full((9, 7), 40_000, np.uint16)).save(path)
    else:
        Image.new("RGB", (1, 1), COLOURS["red"]).convert(mode).save(path)
    result = run_dlcc("vit", "predict", path, "--checkpoint", model, "--json")
    assert result.exit_code == 0, result.stderr
    if mode in ("RGBA", "P", "CMYK"):
        assert json.loads(result.stdout)["results"][0]["label"] == "red"


def test_without_a_model_it_says_how_to_get_one(
    run_dlcc: Any, photo: Path, monkeypatch: pytest.MonkeyPatch, model: Path, tmp_path: Path
) -> None:
    from dlcc.core.errors import DataError
    from dlcc.core.files import paths

    def missing(name: str) -> Path:
        raise DataError("none")

    monkeypatch.setattr(paths, "asset", missing)
    for options in (["predict", photo], ["eval"]):
        result = run_dlcc("vit", *options)
        assert result.exit_code == 3
        assert "dlcc vit train" in result.stderr
        assert len(result.stderr.strip().splitlines()) == 1
    monkeypatch.setattr(paths, "asset", {"vit": model}.get)
    assert run_dlcc("vit", "predict", photo).exit_code == 0
    result = run_dlcc("vit", "predict", photo, "--checkpoint", tmp_path)
    assert (result.exit_code, "no checkpoint in" in result.stderr) == (3, True)


def test_compare_trains_all_three_and_goes_on_where_it_was(
    run_dlcc: Any, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dlcc.core.vit.config import PRESETS

    tiny = {"image_size": 8, "embed_dim": 16, "num_layers": 1, "num_heads": 2, "hidden_dim": 16}
    monkeypatch.setitem(PRESETS, "book", tiny)
    backbone = tmp_path / "backbone"
    backbone.mkdir()
    hugging_face_folder(backbone)
    options = ["vit", "compare", "--data", pictures, "--minutes", 0.001, "--size", 14]
    options += ["--backbone", backbone, "--run", tmp_path / "runs"]
    result = run_dlcc(*options, "--json")
    assert result.exit_code == 0, result.stderr
    outcomes = json.loads(result.stdout)["results"]
    assert [outcome["kind"] for outcome in outcomes] == [
        "without CutMix",
        "with CutMix",
        "pretrained",
    ]
    kept = load_checkpoint(tmp_path / "runs/with-CutMix-0/best", "vit").about
    assert kept["vision"]["cutmix_share"] == 0.5
    for new, end in (("without-CutMix-0", "new"), ("with-CutMix-0", "old")):  # cut off by kills
        folder = tmp_path / "runs" / new
        (folder / "last").rename(folder / f".last.{end}")
    again = run_dlcc(*options)
    assert again.exit_code == 0, again.stderr
    gain = outcomes[1]["test"] - outcomes[0]["test"]
    assert f"with CutMix against without CutMix: {gain:+.2%} of the test pictures" in again.stdout
    assert "validation accuracy, seed 0" in again.stdout
    assert "● without CutMix   ▲ with CutMix   ■ pretrained" in again.stdout


def test_the_bundled_model_knows_a_ship(run_dlcc: Any) -> None:
    result = run_dlcc("vit", "predict", asset("ship.png"), "--json")
    (answer,) = json.loads(result.stdout)["results"]
    assert answer["label"] == "ship"
    record = json.loads(asset("vit/config.json").read_text())["about"]
    assert record["command"].startswith("dlcc vit train --data ")
    assert record["scores"]["validation"]["accuracy"] == pytest.approx(
        record["metrics"]["accuracy"], abs=0.005
    )


def test_heads_are_switched_off_in_turn(run_dlcc, tmp_path):
    picture = next(write_pictures(tmp_path / "data", 1).rglob("*.png"))
    run = save_classifier(tmp_path / "vit", learned_classifier())
    result = run_dlcc("vit", "predict", picture, "--checkpoint", run, "--ablate", "heads", "--json")
    (found,) = json.loads(result.stdout)["results"]
    assert len(found["heads"]) == 4
