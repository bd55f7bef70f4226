"""Arrays and JSON values in one safetensors file: all of it, or the reason why not; numpy alone."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from dlcc.core.errors import DataError
from dlcc.core.files.paths import being_read, write_atomically


def save_tensors(
    path: Path, arrays: Mapping[str, np.ndarray], name: str, values: Mapping[str, Any]
) -> None:
    """Write `arrays` and, under `name`, the JSON `values`; whole or not at all.

    Raises:
        DataError: the folder or the file cannot be written.
    """
    contiguous = {key: np.asarray(array, order="C") for key, array in arrays.items()}
    header = {name: json.dumps(values)}

    def write(temporary: Path) -> None:
        try:
            save_file(contiguous, temporary, header)
        except SafetensorError as error:  # such as a full disk
            raise OSError(str(error)) from error

    write_atomically(path, write)


def load_tensors(
    path: Path, name: str = "", framework: str = "numpy"
) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """The arrays of a file and the JSON values under `name`; None where it has none of that name.

    Args:
        path: the file.
        name: of the values.
        framework: numpy gives arrays; pt gives PyTorch's tensors.

    Raises:
        DataError: it cannot be read, is damaged or is no safetensors file.
    """
    with being_read(path, "is damaged or of another kind ({})"):
        with safe_open(path, framework) as file:
            text = (file.metadata() or {}).get(name)
            arrays = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        for key, array in arrays.items() if framework == "numpy" else ():
            if array.dtype.kind == "V":  # known to numpy where some other package tells it of it
                raise ValueError(f"{key} has numbers of the type {array.dtype}")
        values = None if text is None else json.loads(text)
    if not isinstance(values, dict | None):
        raise DataError(f"{path} is damaged: its {name} is no JSON object")
    return arrays, values
