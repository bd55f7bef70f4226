"""A task of one's own in one file: a causal Transformer that guesses the next word of a text."""

from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from dlcc.core.errors import DataError
from dlcc.core.nn.layers import BlockConfig, EncoderBlock
from dlcc.core.settings import Settings, at_least, setting
from dlcc.core.trace.trace import AttentionTrace
from dlcc.core.train.recipe import Recipe
from dlcc.core.train.runtime import choose_device, seeded_generator


@dataclass(frozen=True)
class NextWordConfig(Settings):
    text: Path | None = setting(None)
    """A text file."""
    words: int = setting(8, at_least(2))
    """Words seen at once."""


class NextWord(nn.Module):
    def __init__(self, vocab_size, config):
        super().__init__()
        self.embed = nn.Embedding(vocab_size, 32)
        self.block = EncoderBlock(BlockConfig(32, num_heads=2, hidden_dim=64))
        self.register_buffer("mask", torch.ones(config.words, config.words).tril().bool())

    def forward(self, words):
        x, weights = self.block(self.embed(words), self.mask, need_weights=True)
        return x @ self.embed.weight.T, weights  # [B, T, V], [B, H, T, T]


class NextWordTask:
    kind, metric, higher_is_better = "next-word", "loss", False

    def __init__(self, words, config, device):
        self.vocabulary, self.first = sorted(set(words)), tuple(words[: config.words])
        numbers = torch.tensor([self.vocabulary.index(word) for word in words], device=device)
        self.windows = numbers.unfold(0, config.words + 1, 1)  # [N, T + 1]
        self.model = NextWord(len(self.vocabulary), config).to(device)
        self.config = asdict(config) | {"text": config.text.name}
        self.files = {"vocabulary.txt": "\n".join(self.vocabulary).encode()}
        self.about = {"data": {"words": len(words)}}

    def batches(self, epoch):
        return torch.randperm(len(self.windows), generator=seeded_generator(epoch)).split(16)

    def loss(self, batch, done):
        logits = self.model(self.windows[batch, :-1])[0].flatten(0, 1)
        return F.cross_entropy(logits, self.windows[batch, 1:].flatten()), len(batch)

    def validate(self):
        return {"loss": self.loss(torch.arange(len(self.windows)), 1.0)[0].item()}

    def sample(self):
        guess = int(self.model(self.windows[:1, :-1])[0][0, -1].argmax())
        return f"{' '.join(self.first)} … {self.vocabulary[guess]}"

    def traces(self):
        weights = self.model(self.windows[:1, :-1])[1][None, 0]  # [1, H, T, T]
        return [AttentionTrace(weights.float().cpu().numpy(), self.first, self.first)]


def build(chosen, narrator):
    config = chosen.make(NextWordConfig)
    words = config.text.read_text().lower().split() if config.text else []
    if len(words) <= config.words:
        raise DataError(f"give a text of more than {config.words} words", "text", config.text)
    torch.manual_seed(chosen.seed)
    return NextWordTask(words, config, choose_device(chosen.device))


RECIPE = Recipe("Guess the next word.", "windows", (NextWordConfig,), "next_word:build")
