"""Maps in fewer cells."""

import numpy as np

from dlcc.core.trace.small import shrink


def test_shrinking_keeps_a_lone_weight():
    values = np.zeros((100, 100))
    values[57, 3] = 0.9
    small = shrink(values, 5, 10)
    assert small.shape == (5, 10)
    assert small[2, 0] == 0.9
    assert small.sum() == 0.9
    values[57, 4] = -1
    assert shrink(values, 5, 10)[2, 0] == -1
    assert shrink(np.ones((2, 3)), 8, 8).shape == (2, 3)
