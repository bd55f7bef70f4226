"""The linear models that a Transformer has to beat, and a second opinion on its labels.

    python tests/bench/sentiment_linear.py --data aclImdb_v1.tar.gz [--part validation|test]
    python tests/bench/sentiment_linear.py --data aclImdb_v1.tar.gz --data sst2 --data reviews.csv=4
    python tests/bench/sentiment_linear.py --data aclImdb_v1.tar.gz --join answers.csv > labels.csv

Features are words and pairs of neighbouring words by TF-IDF, as they are and scaled by the log of
their count ratio between the classes (NB-SVM, Wang and Manning 2012, with logistic regression).
`--join` takes what `dlcc sentiment --file FOLDER --csv` printed and prints the texts again, each
with the label and its probability by the mean of both log odds, for `dlcc sentiment train --also`.
Of several sources, as `dlcc sentiment train` takes them, one model learns all texts, weighted by
their shares, and is scored on each. scikit-learn is needed; the classes have to be two.
"""

import argparse
import csv
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from dlcc.core.files.tables import open_table, read_rows
from dlcc.core.sentiment.config import SplitConfig
from dlcc.core.sentiment.data import Corpus, Review, load_corpus, read_parts
from dlcc.core.sentiment.mixture import load_corpora, path_and_share

MODELS = ("TF-IDF", "TF-IDF × count ratio")
STRENGTH = 30  # C of the regression: little regularisation is best here


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=path_and_share, action="append", required=True)
    parser.add_argument("--part", choices=("validation", "test"), default="validation")
    parser.add_argument("--validation", type=float, default=0.06)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--score", type=Path, action="append", default=[], help="texts besides")
    parser.add_argument("--join", type=Path)
    options = parser.parse_args()
    split = SplitConfig(validation_share=options.validation, seed=options.seed)
    corpus = load_corpora(options.data, split)
    if len(corpus.labels) != 2:
        parser.error(f"the data has {len(corpus.labels)} classes: give data with two")
    if options.join:
        join(corpus, options.join)
        return
    asked = [(path, getattr(load_corpus(path, split), options.part)) for path, _ in options.data]
    asked += [(path, tuple(read_parts(path, split)[0]["train"])) for path in options.score]
    report(corpus, [(path.name, reviews) for path, reviews in asked if reviews])


def report(corpus: Corpus, asked: list[tuple[str, tuple[Review, ...]]]) -> None:
    """Print how both models do on each of several sets of reviews, by name."""
    texts = [review.text for _, reviews in asked for review in reviews]
    ends = np.cumsum([len(reviews) for _, reviews in asked])[:-1]
    for model, found in zip(MODELS, log_odds(corpus, texts), strict=True):
        for (name, reviews), odds in zip(asked, np.split(found, ends), strict=True):
            truth = classes(reviews, corpus)
            loss = np.log1p(np.exp(-np.where(truth, odds, -odds))).mean()
            right = ((odds > 0) == truth).mean()
            print(f"{name}, {model}: {right:.2%} of {len(reviews):,}, log loss {loss:.3f}")


def weights(corpus: Corpus) -> np.ndarray:
    """The share of the source of each training text."""
    return np.repeat(
        [source.share for source in corpus.sources], [source.train for source in corpus.sources]
    )


def classes(reviews: tuple[Review, ...], corpus: Corpus) -> np.ndarray:
    """Whether each review is of the second class."""
    return np.array([review.label == corpus.labels[1] for review in reviews])


def log_odds(corpus: Corpus, texts: list[str]) -> Iterator[np.ndarray]:
    """Of the second class, for each text: without and with count ratios, from the training part."""
    words = TfidfVectorizer(
        ngram_range=(1, 2),
        min_df=2,
        sublinear_tf=True,
        token_pattern=r"\b\w[\w']*\b|[!?]",
        dtype=np.float32,
    )
    known = words.fit_transform([review.text for review in corpus.train])
    asked = words.transform(texts)
    truth = classes(corpus.train, corpus)
    for scale in (np.ones(known.shape[1], np.float32), count_ratio(known, truth)):
        model = LogisticRegression(C=STRENGTH, solver="liblinear")
        model.fit(known.multiply(scale).tocsr(), truth, weights(corpus))
        yield model.decision_function(asked.multiply(scale).tocsr())


def count_ratio(features: csr_matrix, truth: np.ndarray) -> np.ndarray:
    """The log of each feature's share in the second class over its share in the first."""
    sums = [1 + np.asarray(features[truth == side].sum(0)).ravel() for side in (True, False)]
    return np.log(sums[0] / sums[0].sum() / (sums[1] / sums[1].sum())).astype(np.float32)


def join(corpus: Corpus, answers: Path) -> None:
    """Print the texts of `answers` with the labels that both models give them together."""
    rows = list(read_rows(open_table(answers), "text", {f"p_{corpus.labels[1]}": ""}))
    texts = [text for _, text, _ in rows]
    second = np.array([float(probability) for *_, (probability,) in rows]).clip(1e-4, 1 - 1e-4)
    _, scaled = log_odds(corpus, texts)
    odds = (np.log(second / (1 - second)) + scaled) / 2
    sure = 1 / (1 + np.exp(-np.abs(odds)))
    out = csv.writer(sys.stdout)
    out.writerow(("text", "label", "probability"))
    for text, positive, probability in zip(texts, odds > 0, sure, strict=True):
        out.writerow((text, corpus.labels[int(positive)], f"{probability:.4f}"))


if __name__ == "__main__":
    main()
