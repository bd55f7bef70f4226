"""Small labelled texts and classifiers trained on them, for the tests of `dlcc sentiment`."""

import atexit
import csv
import random
import shutil
import tempfile
from functools import lru_cache
from pathlib import Path

import torch

from dlcc.core.sentiment.classifier import Classifier
from dlcc.core.sentiment.codec import ReviewCodec
from dlcc.core.sentiment.config import ClassifyConfig, EncoderConfig, SplitConfig
from dlcc.core.sentiment.data import Corpus, load_corpus
from dlcc.core.sentiment.model import SentimentModel
from dlcc.core.sentiment.task import ClassifyTask
from dlcc.core.train.config import FitConfig
from dlcc.core.train.fit import fit

WORDS = {
    "good": ["wonderful", "great", "lovely", "superb"],
    "bad": ["awful", "dull", "boring", "terrible"],
}
_FILL = "the a plot film music cast end start day was is and came of with very so this that".split()
SIZES = {"embed_dim": 16, "width": 16, "num_layers": 2, "num_heads": 2, "hidden_dim": 32}


def rows(count: int = 240) -> list[tuple[str, str]]:
    """Texts of 4 to 20 words with one or two telling ones, and their labels."""
    draw = random.Random(0)
    found = []
    for number in range(count):
        label = ("bad", "good")[number % 2]
        words = draw.choices(_FILL, k=draw.randint(3, 18))
        for word in draw.sample(WORDS[label], draw.randint(1, 2)):
            words.insert(draw.randrange(len(words)), word)
        found.append((" ".join(words).capitalize() + ".", label))
    return found


def write_csv(path: Path, columns: tuple[str, str] = ("text", "label")) -> Path:
    """`rows` as a table."""
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([columns, *rows()])
    return path


@lru_cache
def home() -> Path:
    """A folder that lasts as long as the tests."""
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@lru_cache
def table() -> Path:
    return write_csv(home() / "reviews.csv")


@lru_cache
def corpus() -> Corpus:
    return load_corpus(table(), SplitConfig(validation_share=0.2))


@lru_cache
def codec() -> ReviewCodec:
    return ReviewCodec.learn([review.text for review in corpus().train], "subwords", 120)


def model(architecture: str = "transformer", max_length: int = 24) -> SentimentModel:
    """A classifier with drawn weights."""
    torch.manual_seed(0)
    config = EncoderConfig(
        codec().size, architecture=architecture, max_length=max_length, dropout=0.0, **SIZES
    )
    return SentimentModel(config, 2)


def trained_run(architecture: str = "transformer") -> Path:
    """A run of a classifier that has learned the telling words; trained once."""
    return _trained_run(architecture)


@lru_cache
def _trained_run(architecture: str) -> Path:
    how = ClassifyConfig(batch_tokens=600, word_dropout=0.15)  # masked words are learned to be none
    task = ClassifyTask(model(architecture), codec(), corpus(), how, {"data": {}})
    task.metric, task.higher_is_better = "log_loss", False  # all are right long before all are sure
    task.about["data"] = {"split_hash": corpus().split_hash, "validation_share": 0.2}
    fit_config = FitConfig(epochs=24, learning_rate=0.02, bfloat16=False)
    run = home() / architecture
    list(fit(task, fit_config, run))
    return run


def trained(architecture: str = "transformer", long_texts: str = "windows") -> Classifier:
    return Classifier.load(trained_run(architecture), torch.device("cpu"), long_texts)
