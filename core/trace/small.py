"""A map in fewer cells than it has."""

import numpy as np


def shrink(values: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """The map in at most [rows, columns] cells, each the largest magnitude of those it stands for.

    A lone strong weight stays in sight, which an average would hide.
    """
    high, wide = min(rows, values.shape[0]), min(columns, values.shape[1])
    tops = np.arange(high) * values.shape[0] // high
    lefts = np.arange(wide) * values.shape[1] // wide

    def blocks(of: np.ndarray, extreme: np.ufunc) -> np.ndarray:
        return extreme.reduceat(extreme.reduceat(of, tops, 0), lefts, 1)

    most = blocks(values, np.maximum)
    if values.min() >= 0:
        return most
    least = blocks(values, np.minimum)
    return np.where(-least > most, least, most)
