"""Make the bundled word vectors: the most frequent words of GloVe 6B 50d, in half precision.

    python tests/tools/make_glove.py glove.6B.50d.txt

The input is glove.6B.50d.txt from https://nlp.stanford.edu/projects/glove/ (Pennington, Socher and
Manning 2014; Public Domain Dedication and License 1.0). Its lines stand in the order of frequency.
Words of the relation lists and of the project's examples are added where they are rarer.
"""

import argparse
import hashlib
import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from dlcc.core.attend.mechanisms import BOOK_KEY, BOOK_QUERY, tokenise

ASSETS = Path(__file__).parents[2] / "assets"
OUTPUT = ASSETS / "glove-6b-50d.safetensors"
EXAMPLES = (
    BOOK_QUERY,
    BOOK_KEY,
    "The animal didn't cross the street because it was too tired.",
    "He gave her a book and she thanked him.",
    "The cat sat on the mat.",
    "Paris is the capital of France.",
    "tirana oslo tokyo lima havana",
)


def example_words() -> set[str]:
    """Words that must have a vector whatever their frequency, in lower case."""
    words = {token.lower() for sentence in EXAMPLES for token in tokenise(sentence)}
    for path in sorted((ASSETS / "relations").glob("*.tsv")):
        for line in path.read_text("utf-8").splitlines():
            if not line.startswith("#"):
                words.update(line.split("\t"))
    return words


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("text", type=Path, help="glove.6B.50d.txt")
    parser.add_argument("--words", type=int, default=40_000, help="how many of the most frequent")
    arguments = parser.parse_args()

    wanted, kept, vectors = example_words(), [], []
    with arguments.text.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines):
            word, _, numbers = line.rstrip("\n").partition(" ")
            if number < arguments.words or word in wanted:
                kept.append(word)
                vectors.append(np.array(numbers.split(), np.float32))
    missing = sorted(wanted - set(kept))
    array = np.stack(vectors).astype(np.float16)
    blob = np.frombuffer(("\n" + "\n".join(kept) + "\n").encode(), np.uint8)
    save_file({"words": blob, "vectors": array}, OUTPUT)
    about = {
        "what": "GloVe 6B, 50 dimensions, half precision, in the order of frequency",
        "words": len(kept),
        "of_these_most_frequent": arguments.words,
        "source": "glove.6B.50d.txt of https://nlp.stanford.edu/projects/glove/",
        "licence": "Public Domain Dedication and License 1.0 (PDDL-1.0)",
        "cite": "Pennington, Socher, Manning: GloVe: Global Vectors for Word Representation (2014)",
        "made_by": "tests/tools/make_glove.py",
        "sha256": hashlib.sha256(OUTPUT.read_bytes()).hexdigest(),
    }
    OUTPUT.with_suffix(".json").write_text(json.dumps(about, indent=2) + "\n", "utf-8")
    print(f"{OUTPUT.name}: {len(kept)} words, {OUTPUT.stat().st_size / 1e6:.2f} MB; {missing=}")


if __name__ == "__main__":
    main()
