"""Word vectors as a table of numbers with its words beside it."""

import json
from pathlib import Path

import numpy as np

from dlcc.core.errors import DataError
from dlcc.core.files.paths import being_read
from dlcc.core.files.tensors import load_tensors

MATRICES = (".npy", ".safetensors")
_WORD_FILES = ("vocab.txt", "words.txt", "vocab.json", "words.json")


def read_matrix(path: Path) -> tuple[list[str], np.ndarray]:
    """Words, and a vector each [N, D], of a .npy or .safetensors file with its words beside it.

    The words stand in NAME.txt, NAME.vocab, NAME.json, vocab.txt, words.txt, vocab.json or
    words.json: one a line, or a list, or as a vocabulary with the number of each.

    Raises:
        DataError: no table of numbers in it, or not as many words.
    """
    with being_read(path):
        if path.suffix.lower() == ".npy":
            matrix = np.load(path, mmap_mode="r", allow_pickle=False)
        else:
            arrays, _ = load_tensors(path)
            tables = [each for each in arrays.values() if each.ndim == 2]
            if len(tables) != 1:
                raise DataError(f"{path} holds {len(tables)} tables of numbers: one is needed")
            (matrix,) = tables
        if matrix.ndim != 2 or matrix.dtype.kind not in "fiu":
            raise DataError(f"{path} holds no table of numbers, a row a word")
    names = [*(f"{path.stem}{end}" for end in (".txt", ".vocab", ".json")), *_WORD_FILES]
    beside = next((each for name in names if (each := path.parent / name).is_file()), None)
    if beside is None:
        raise DataError(f"{path} needs its words: put them beside it, in {names[0]}, one a line")
    words = _words_of(beside)
    if len(words) != len(matrix):
        raise DataError(f"{beside} has {len(words):,} words, {path.name} {len(matrix):,} vectors")
    return words, matrix


def _words_of(path: Path) -> list[str]:
    with being_read(path):
        text = path.read_text("utf-8-sig")
        if path.suffix != ".json":
            return [line.split("\t")[0] for line in text.splitlines()]
        found = json.loads(text)
        if isinstance(found, dict):
            found = sorted(found, key=found.__getitem__)
        return [str(word) for word in found]
