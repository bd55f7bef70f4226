"""Picture data: layouts, splits that leak nothing, the cache, CIFAR-10's own archives."""

import hashlib
import pickle
import shutil
import struct
import tarfile
import urllib.request
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from dlcc.core.errors import DataError, UsageError
from dlcc.core.files import paths
from dlcc.core.files.download import RemoteFile
from dlcc.core.survey import survey
from dlcc.core.vit import cifar, decoding
from dlcc.core.vit import data as images
from dlcc.core.vit.data import load_images
from dlcc.core.vit.images import ImageData


def picture(value: int, size: tuple[int, int] = (8, 8)) -> bytes:
    buffer = BytesIO()
    Image.new("RGB", size, (value, value, 255 - value)).save(buffer, "PNG")
    return buffer.getvalue()


def write_folder(folder: Path, layout: dict[str, int], size: tuple[int, int] = (8, 8)) -> Path:
    """`count` pictures in each sub-folder, each of its own colour."""
    value = 0
    for name, count in layout.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            (folder / name / f"{number:03}.png").write_bytes(picture(value % 256, size))
            value += 1
    return folder


def sizes(data: ImageData) -> tuple[int, int, int]:
    return len(data.train), len(data.validation), len(data.test)


def test_train_and_test_folders(tmp_path: Path) -> None:
    layout = {"x/train/cat": 20, "x/train/dog": 10, "x/test/cat": 3, "x/test/dog": 2}
    data = load_images(write_folder(tmp_path, layout), 8)
    assert data.classes == ("cat", "dog")
    assert sizes(data) == (27, 3, 5)
    assert data.validation.labels.bincount().tolist() == [2, 1]
    assert all("test" in name for name in data.test.names)
    assert data.train.pixels.shape == (27, 3, 8, 8)
    names = [*data.train.names, *data.validation.names, *data.test.names]
    assert len(set(names)) == 35
    for part in (data.train, data.validation, data.test):
        for name, label in zip(part.names, part.labels.tolist(), strict=True):
            assert data.classes[label] in name


def test_a_part_may_have_a_single_picture(tmp_path: Path) -> None:
    layout = {"train/cat": 9, "train/dog": 9, "val/dog": 1, "test/cat": 1}
    assert sizes(load_images(write_folder(tmp_path, layout), 8)) == (18, 1, 1)


def test_pixels_belong_to_their_names(tmp_path: Path) -> None:
    data = load_images(write_folder(tmp_path, {"a": 20, "b": 20}), 8)
    for part in (data.train, data.validation, data.test):
        for name, pixels in zip(part.names, part.pixels, strict=True):
            value = int(name[2:5]) + 20 * (name[0] == "b")
            assert pixels[:, 0, 0].tolist() == [value, value, 255 - value]


def test_class_folders_alone_get_a_test_part_whatever_the_seed(tmp_path: Path) -> None:
    folder = write_folder(tmp_path, {"a": 50, "b": 30})
    first, second = load_images(folder, 8, 0.2, seed=0), load_images(folder, 8, 0.2, seed=1)
    assert sizes(first) == (58, 14, 8)
    assert first.test.names == second.test.names
    assert first.validation.names != second.validation.names
    assert first.split_hash != second.split_hash
    assert first.split_hash == load_images(folder, 8, 0.2, seed=0).split_hash


def test_a_validation_folder_is_used(tmp_path: Path) -> None:
    layout = {f"{part}/{name}": 4 for part in ("train", "val", "test") for name in "ab"}
    assert sizes(load_images(write_folder(tmp_path / "x", layout), 8)) == (8, 8, 8)
    layout = {f"{part}/{name}": 10 for part in ("train", "val") for name in "ab"}
    assert sizes(load_images(write_folder(tmp_path / "y", layout), 8)) == (18, 2, 20)


def test_equal_pictures_stay_on_one_side_and_the_split_as_it_was(tmp_path: Path) -> None:
    layout = {f"{part}/{name}": 6 for part in ("train", "val", "test") for name in "ab"}
    folder = write_folder(tmp_path, layout)
    for copy, original in (
        ("train/a/000.png", "test/a/001.png"),
        ("train/b/001.png", "val/a/002.png"),
        ("val/b/003.png", "test/b/004.png"),
    ):
        Image.open(folder / original).save(folder / copy, compress_level=0)  # other bytes
    data = load_images(folder, 8)
    assert (sizes(data), data.left_out) == ((10, 11, 12), 3)
    prints = [{p.numpy().tobytes() for p in part.pixels} for part in (data.train, data.validation)]
    test = {p.numpy().tobytes() for p in data.test.pixels}
    assert not prints[0] & prints[1]
    assert not test & (prints[0] | prints[1])
    whole = load_images(folder, 8, keep_copies=True)
    assert (sizes(whole), whole.left_out) == ((12, 12, 12), 0)
    assert whole.split_hash == data.split_hash
    for part in ("train", "val"):
        for number in range(6):
            shutil.copy(folder / f"test/a/{number:03}.png", folder / f"{part}/a/{number:03}.png")
    with pytest.raises(DataError, match="all validation pictures of a class also validate or test"):
        load_images(folder, 8)


def test_copies_are_left_out_of_drawn_parts_too(tmp_path: Path) -> None:
    folder = write_folder(tmp_path, {"a": 30, "b": 30})
    for number in range(30, 60):
        shutil.copy(folder / f"a/{number - 30:03}.png", folder / f"a/{number:03}.png")
    data = load_images(folder, 8)
    parts = [
        {p.numpy().tobytes() for p in part.pixels}
        for part in (data.train, data.validation, data.test)
    ]
    assert len(set.union(*parts)) == sum(map(len, parts)) == 60
    assert data.left_out > 0


def test_an_archive_gives_the_same_as_its_folder(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "f", {"a": 9, "b": 9})
    archive = tmp_path / "f.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        for file in sorted(folder.rglob("*.png"), reverse=True):
            tar.add(file, file.relative_to(folder).as_posix())
    assert load_images(folder, 8).split_hash == load_images(archive, 8).split_hash


def test_small_pictures_stay_small_and_others_are_cut_to_the_size(tmp_path: Path) -> None:
    assert (
        load_images(write_folder(tmp_path / "s", {"a": 4, "b": 4}), 98).train.pixels.shape[2] == 8
    )
    large = write_folder(tmp_path / "l", {"a": 4, "b": 4}, (40, 30))
    assert load_images(large, 16).train.pixels.shape[1:] == (3, 16, 16)
    (large / "a" / "other.png").write_bytes(picture(1, (12, 12)))
    assert load_images(large, 16).train.pixels.shape[1:] == (3, 16, 16)


def test_an_unreadable_picture_is_left_out_and_told_of(tmp_path: Path) -> None:
    folder = write_folder(tmp_path, {"a": 5, "b": 5})
    (folder / "a" / "bad.jpg").write_text("no picture")
    (folder / "readme.txt").write_text("not looked at")
    (folder / "b" / "lock.png").symlink_to(tmp_path / "gone")
    (folder / "logo.png").write_bytes(picture(1))
    data = load_images(folder, 8)
    assert sum(sizes(data)) == 10
    assert len(data.skipped) == 1
    assert "a/bad.jpg" in data.skipped[0]
    assert load_images(folder, 8).skipped == data.skipped


@pytest.mark.parametrize(
    ("layout", "message"),
    [
        ({}, "no pictures in class folders"),
        ({"only": 5}, "1 class .only."),
        ({"train/a": 4, "train/b": 4, "test/c": 2}, "class c has no picture to train on"),
        ({"a": 1, "b": 1}, "too few"),
    ],
)
def test_data_that_cannot_be_learned_from(
    tmp_path: Path, layout: dict[str, int], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        load_images(write_folder(tmp_path, layout), 8)


def test_wrong_shares_and_missing_paths(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="validation 1"):
        load_images(tmp_path, 8, 1.0)
    with pytest.raises(DataError, match="no such file"):
        load_images(tmp_path / "none", 8)


def test_pictures_are_decoded_once_and_again_when_they_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_folder(tmp_path, {"a": 5, "b": 5})
    decoded: list[str] = []
    real = decoding.decode_picture

    def counting(data: bytes, name: str, at_least: int | None = None) -> Image.Image:
        decoded.append(name)
        return real(data, name, at_least)

    monkeypatch.setattr(decoding, "decode_picture", counting)
    first = load_images(folder, 8)
    second = load_images(folder, 8)
    assert len(decoded) == 10
    assert torch.equal(first.train.pixels, second.train.pixels)
    (folder / "a" / "000.png").write_bytes(picture(99))
    load_images(folder, 8)
    assert len(decoded) == 20


def _flipped(data: bytes) -> bytes:
    return data[:-9] + bytes([data[-9] ^ 1]) + data[-8:]


@pytest.mark.parametrize("damage", [_flipped, lambda data: data[:50], lambda data: b""])
@pytest.mark.parametrize("name", ["pixels", "digests", "journal", "content"])
@pytest.mark.parametrize("room", [2**30, 0])
def test_a_damaged_cache_is_decoded_anew(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    damage: Callable[[bytes], bytes],
    room: int,
) -> None:
    folder = write_folder(tmp_path, {"a": 5, "b": 5})
    wanted = pixels_of(load_images(folder, 8))
    monkeypatch.setattr(images, "room_in_memory", lambda: room)
    for file in paths.cache_dir().rglob(name):
        file.write_bytes(damage(file.read_bytes()))
    try:
        found = pixels_of(load_images(folder, 8))
    except DataError as error:
        assert room == 0 and "start again" in str(error)  # noqa: PT017, PT018
        found = pixels_of(load_images(folder, 8))
    assert torch.equal(found, wanted)


def pixels_of(data: ImageData) -> torch.Tensor:
    return data.everything().pixels[torch.arange(sum(sizes(data)))]


def test_a_cache_that_cannot_be_written_is_a_warning(tmp_path: Path) -> None:
    folder = write_folder(tmp_path, {"a": 5, "b": 5})
    said: list[str] = []
    paths.cache_dir().parent.mkdir(exist_ok=True)
    paths.cache_dir().write_text("no folder")
    data = load_images(folder, 8, warn=said.append)
    assert sum(sizes(data)) == 10
    (message,) = said
    assert "cannot write" in message
    assert "decoded anew" in message


def cifar_rows(count: int, seed: int) -> tuple[np.ndarray, list[int]]:
    random = np.random.default_rng(seed)
    rows = random.integers(0, 256, (count, 3072), dtype=np.uint8)
    return rows, [n % 10 for n in range(count)]


def cifar_archive(path: Path, kind: str) -> Path:
    names = [*(f"data_batch_{n}" for n in range(1, 6)), "test_batch"]
    with tarfile.open(path, "w:gz") as archive:
        for seed, name in enumerate(names):
            rows, labels = cifar_rows(40, seed)
            if kind == "python":
                parts = {"batch_label": name, "labels": labels, "data": rows, "filenames": ["x"]}
                data, name = pickle.dumps(parts, protocol=2), f"cifar-10-batches-py/{name}"
            else:
                with_labels = np.concatenate((np.array(labels, np.uint8)[:, None], rows), 1)
                data, name = with_labels.tobytes(), f"cifar-10-batches-bin/{name}.bin"
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, BytesIO(data))
    return path


@pytest.mark.parametrize("kind", ["python", "binary"])
def test_the_official_archives(tmp_path: Path, kind: str) -> None:
    data = load_images(cifar_archive(tmp_path / "cifar.tar.gz", kind), 32)
    assert data.classes[3] == "cat"
    assert sizes(data) == (180, 20, 40)
    rows, labels = cifar_rows(40, 5)
    assert torch.equal(data.test.pixels, torch.from_numpy(rows).view(40, 3, 32, 32))
    assert data.test.labels.tolist() == labels


@pytest.mark.parametrize("kind", ["python", "binary"])
def test_the_hundred_classes_are_read_and_surveyed(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / f"cifar-100-{kind}"
    folder.mkdir()
    for part, count in (("train", 200), ("test", 20)):
        rows, _ = cifar_rows(count, count)
        fine = np.arange(count) % 20
        if kind == "python":
            parts = {"fine_labels": fine.tolist(), "data": rows}
            (folder / part).write_bytes(pickle.dumps(parts, protocol=2))
        else:
            labels = np.stack((fine // 5, fine), 1).astype(np.uint8)
            (folder / f"{part}.bin").write_bytes(np.concatenate((labels, rows), 1).tobytes())
    names = [f"kind{n}" for n in range(100)]
    if kind == "python":
        (folder / "meta").write_bytes(pickle.dumps({"fine_label_names": names}, protocol=2))
    else:
        (folder / "fine_label_names.txt").write_text("\n".join(names) + "\n")
    data = load_images(folder, 32)
    assert data.classes[3] == "kind11"  # by name
    assert torch.equal(data.test.pixels, torch.from_numpy(rows).view(20, 3, 32, 32))
    found = survey(folder)
    assert (found.kind, found.count, found.duplicates) == ("pictures", 220, 0)
    assert found.parts["test"] == dict.fromkeys(names[:20], 1)


def test_a_hostile_pickle_is_read_but_never_run(tmp_path: Path) -> None:
    class Hostile:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.touch, (Path(tmp_path / "ran"),)  # type: ignore[return-value]

    archive = tmp_path / "cifar.tar.gz"
    data = pickle.dumps({"labels": [1], "data": Hostile()}, protocol=2)
    with tarfile.open(archive, "w:gz") as tar:
        member = tarfile.TarInfo("cifar-10-batches-py/data_batch_1")
        member.size = len(data)
        tar.addfile(member, BytesIO(data))
    with pytest.raises(DataError, match="data_batch_1 is damaged"):
        load_images(archive, 32)
    assert not (tmp_path / "ran").exists()


def python2_pickle(rows: np.ndarray, labels: list[int]) -> bytes:
    """As Python 2 wrote the archive that is online."""
    data = rows.tobytes()
    return b"".join(
        (
            b"\x80\x02}(U\x0bbatch_labelU\x15training batch 1 of 5U\x06labels](",
            b"".join(b"K%c" % label for label in labels),
            b"eU\x04datacnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85U\x01btR",
            b"(K\x01J%sM\x00\x0c\x86" % struct.pack("<i", len(rows)),
            b"cnumpy\ndtype\n(U\x02u1K\x00K\x01tR",
            b"(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb",
            b"\x89T%s" % struct.pack("<i", len(data)),
            data,
            b"tbU\tfilenames](U\x05a.pngeu.",
        )
    )


def test_pickles_of_python_2_give_the_same() -> None:
    rows, labels = cifar_rows(20, 0)
    data = python2_pickle(rows, labels)
    assert np.array_equal(pickle.loads(data, encoding="latin1")["data"], rows)
    files = {"data_batch_1": data, "test_batch": data}
    pixels, found, names = cifar.read_parts(files, Path("c"))[0]["test"]
    assert np.array_equal(pixels.reshape(20, -1), rows)
    assert found.tolist() == labels
    assert names[:2] == ["test_batch:0", "test_batch:1"]


HOSTILE = {
    "a call": b"cos\nsystem\n(U\x09touch ranRtR.",
    "an old call": b"(S'touch ran'\nios\nsystem\n.",
    "an object": b"(cos\nsystem\nS'touch ran'\no.",
    "eval": b'cbuiltins\neval\n(S\'open("ran","w")\'\ntR.',
    "a name with dots": b"\x80\x04\x8c\x05numpy\x8c\x0ddtype.__new__\x93.",
    "another of numpy": b"cnumpy.core.multiarray\nscalar\n.",
    "a file of numpy": b"cnumpy\nload\n(S'x'\ntR.",
    "an array made at once": b"cnumpy\nndarray\n(K\x01\x85U\x01OtR.",
    "an enormous array": b"cnumpy.core.multiarray\n_reconstruct\n(N\x8a\x08"
    + b"\xff" * 7
    + b"\x7ftR.",
    "an enormous text": b"\x80\x05\x96" + b"\xff" * 7 + b"\x7f.",
    "an extension": b"\x82\x01.",
    "an outside object": b"Pcos.system\n.",
    "no dictionary": b"](K\x01e.",
    "labels that are texts": b"}(U\x06labels](U\x011eU\x04datacnumpy\ndtype\n)Ru.",
    "a line feed": b"\x80\x04\x8c\x03a\nb\x8c\x01c\x93.",
    "nothing": b"",
    "cut": b"\x80\x02}(U\x06labels](K\x01",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_pickles_make_nothing(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="c: data_batch_1 is damaged") as error:
        cifar.read_parts({"data_batch_1": HOSTILE[name]}, Path("c"))
    assert "\n" not in str(error.value)
    assert not Path("ran").exists()


def test_a_label_that_is_none_is_refused() -> None:
    rows, labels = cifar_rows(2, 0)
    for wrong in (10, 255):
        files = {"data_batch_1": python2_pickle(rows, [labels[0], wrong])}
        with pytest.raises(DataError, match=f"not CIFAR-10: a label of {wrong}"):
            cifar.read_parts(files, Path("c"))


def test_a_part_that_is_missing_or_cut_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "cifar-10-batches-bin"
    folder.mkdir()
    (folder / "data_batch_1.bin").write_bytes(bytes(3073 * 2))
    with pytest.raises(DataError, match="no test part"):
        load_images(tmp_path, 32)
    (folder / "test_batch.bin").write_bytes(bytes(3000))
    with pytest.raises(DataError, match=r"test_batch\.bin is damaged"):
        load_images(tmp_path, 32)


def test_without_data_cifar_10_is_downloaded_and_verified(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from torchvision.datasets import CIFAR10

    assert RemoteFile(CIFAR10.url, f"md5:{CIFAR10.tgz_md5}") == images.CIFAR10
    archive = cifar_archive(tmp_path / CIFAR10.filename, "python")
    digest = f"md5:{hashlib.md5(archive.read_bytes()).hexdigest()}"
    monkeypatch.setattr(images, "CIFAR10", RemoteFile(archive.as_uri(), digest))
    assert sizes(load_images(None, 32)) == (180, 20, 40)

    def offline(*_: object, **__: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr(urllib.request, "urlopen", offline)
    assert sizes(load_images(None, 32)) == (180, 20, 40)
    monkeypatch.setattr(images, "CIFAR10", RemoteFile(archive.as_uri(), "md5:00"))
    with pytest.raises(DataError, match=r"no network.*give data"):
        load_images(None, 32)


@pytest.mark.parametrize(
    ("ending", "kind"),
    [("jfif", "JPEG"), ("jpe", "JPEG"), ("avif", "AVIF"), ("JPG", "JPEG"), ("heic", "HEIF")],
)
def test_a_class_of_any_ending_is_read(tmp_path: Path, ending: str, kind: str) -> None:
    if kind == "HEIF":
        pytest.importorskip("pillow_heif").register_heif_opener()
    folder = write_folder(tmp_path, {"a": 5, "b": 5, "c": 0}, (64, 64))
    for number in range(5):
        picture = Image.new("RGB", (64, 64), (number * 50, 9, 9))
        picture.save(folder / f"c/{number}.{ending}", kind)
    data = load_images(folder, 64)
    assert data.classes == ("a", "b", "c")
    assert sum(sizes(data)) == 15


@pytest.mark.parametrize("name", ["1.heic", "1.svg", "1.jpg", ""])
def test_a_class_of_which_nothing_can_be_read_is_named(tmp_path: Path, name: str) -> None:
    folder = write_folder(tmp_path, {"a": 5, "b": 5, "c": 0})
    if name:
        (folder / "c" / name).write_bytes(b"\0\0\0\x18ftyp????")
    with pytest.raises(
        DataError, match=r"the class c has no examples.*(\.\w+|nothing) in it: conv"
    ):
        load_images(folder, 8)


def test_a_linked_class_is_one_and_the_cache_sees_what_is_behind_the_link(tmp_path: Path) -> None:
    there = write_folder(tmp_path / "there", {"c": 5})
    folder = write_folder(tmp_path / "here", {"a": 5, "b": 5})
    (folder / "c").symlink_to(there / "c")
    data = load_images(folder, 8, keep_copies=True)
    assert (data.classes, sum(sizes(data))) == (("a", "b", "c"), 15)
    (there / "c/new.png").write_bytes(picture(77))
    assert sum(sizes(load_images(folder, 8, keep_copies=True))) == 16
