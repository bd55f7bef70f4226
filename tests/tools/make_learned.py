"""Make the demo of learned embeddings: words whose partners' vectors were learned, but for some.

python tests/tools/make_learned.py

Dot-product attention asks with GloVe's vectors; the vectors of the partners begin as GloVe's and
are learned on the pairs of all bundled relations, read backwards where the words ask so, without
the partners of `UNSEEN`.
"""

import tempfile
from pathlib import Path

import numpy as np
import torch

from dlcc.core.attend.relations import RelationConfig, RelationTask, load_task
from dlcc.core.attend.teaching import PLAIN, Kind, scores, teach
from dlcc.core.files.paths import asset
from dlcc.core.trace.trace import AttentionTrace, save_traces

WORDS = "paris rome madrid cats children went took good large she".split()
UNSEEN = ("madrid", "children", "took", "large")
BACKWARDS = ("country-capital", "singular-plural", "present-past")
FORWARDS = ("adjective-opposite", "pronoun-object")


def pairs() -> RelationTask:
    lines = [
        "\t".join(reversed(line.split("\t")) if name in BACKWARDS else line.split("\t"))
        for name in (*BACKWARDS, *FORWARDS)
        for line in asset(f"relations/{name}.tsv").read_text("utf-8").splitlines()
        if line and not line.startswith("#")
    ]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "pairs.tsv")
        file.write_text("\n".join(lines), "utf-8")
        return load_task([str(file)])


def main() -> None:
    task = pairs()
    shown = [task.queries.index(word) for word in WORDS]
    asked = [int(task.target[number]) for number in shown]
    unseen = {int(task.target[task.queries.index(word)]) for word in UNSEEN}
    seen = [n for n, target in enumerate(task.target.tolist()) if target not in unseen]
    query, key, target = map(torch.from_numpy, (task.query_vectors, task.key_vectors, task.target))
    how = RelationConfig(), Kind(PLAIN, "learned")
    learned = teach(None, query[seen], key, target[seen], *how)
    raw = scores(None, query[shown], learned[asked])
    trace = AttentionTrace(
        raw.softmax(-1).numpy()[None, None],
        tuple(WORDS),
        tuple(task.keys[number] for number in asked),
        title="dot-product, learned embeddings",
        scores=raw.numpy()[None, None].astype(np.float32),
        layer_names=("learned embeddings",),
        tensors={
            "query": query[shown].numpy()[None, None],
            "key": learned[asked].numpy()[None, None],
        },
        scale=query.shape[1] ** -0.5,
        made_by={"embeddings": f"{task.source}, learned but for those of {', '.join(UNSEEN)}"},
    )
    save_traces(asset("demos") / "words-and-their-partners-learned.trace", [trace])
    for row, word in enumerate(WORDS):
        weights = trace.weights[0, 0, row]
        print(word, trace.key[int(weights.argmax())], f"{weights[row]:.2f}", word in UNSEEN)


if __name__ == "__main__":
    main()
