"""A source of one's own: which letters of one word stand in another.

Installed beside dlcc (`pip install .`), it is offered by `dlcc view` and `dlcc look letters`.
"""

import numpy as np

from dlcc.core.sources import Ask
from dlcc.core.trace.trace import AttentionTrace


class Letters:
    """Each letter of one word looks at its likes in another."""

    title = "Letters: which letters of one word stand in another"
    asks = (Ask("A word", "attention"), Ask("Another word", "intention"))

    def traces(self, query: str, key: str) -> list[AttentionTrace]:
        same = np.array([[a == b for b in key] for a in query], np.float32)
        weights = same / np.maximum(same.sum(1, keepdims=True), 1)  # [Q, K]
        return [
            AttentionTrace(
                weights[None, None],  # one layer, one head
                query=tuple(query),
                key=tuple(key),
                kind="letters",
                title=f"{query} in {key}",
            )
        ]


SOURCE = Letters()
