"""The encoder, its GRU twin and masked words: shapes that matter, masks, sizes, learning."""

import pytest
import torch
import torch.nn.functional as F

from dlcc.core.errors import UsageError
from dlcc.core.sentiment.config import ARCHITECTURES, EncoderConfig
from dlcc.core.sentiment.model import MaskedWordModel, SentimentModel, gru_width

SMALL = {"embed_dim": 12, "width": 12, "num_layers": 2, "num_heads": 3, "hidden_dim": 24}


def build(**changes: object) -> SentimentModel:
    torch.manual_seed(0)
    return SentimentModel(EncoderConfig(40, **{**SMALL, "max_length": 16, **changes}), 3).eval()


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_padding_changes_nothing(architecture: str) -> None:
    model = build(architecture=architecture)
    short, long = torch.tensor([[5, 6, 7]]), torch.tensor([[5, 9, 7, 8, 10, 11]])
    padded = torch.zeros(2, 6, dtype=torch.long)
    padded[0, :3], padded[1] = short, long
    together = model(padded)
    assert together.shape == (2, 3)
    torch.testing.assert_close(together[:1], model(short), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(together[1:], model(long), rtol=1e-4, atol=1e-5)


def test_the_mean_is_over_the_tokens_alone() -> None:
    model = build()
    hidden = torch.randn(1, 4, 12)
    mask = torch.tensor([[True, True, False, False]])
    torch.testing.assert_close(model.classify(hidden, mask), model.top(hidden[:, :2].mean(1)))


def test_order_matters_through_positions() -> None:
    model = build()
    first, second = model(torch.tensor([[5, 6, 7]])), model(torch.tensor([[7, 6, 5]]))
    assert (first - second).abs().max() > 1e-4
    with torch.no_grad():
        model.encoder.positions.zero_()
    torch.testing.assert_close(
        model(torch.tensor([[5, 6, 7]])), model(torch.tensor([[7, 6, 5]])), rtol=1e-4, atol=1e-6
    )


@pytest.mark.parametrize("norm_first", [True, False])
def test_weights_are_those_that_made_the_output(norm_first: bool) -> None:
    model = build(norm_first=norm_first)
    tokens = torch.tensor([[5, 6, 7, 0]])
    embedded, mask = model.encoder.embed(tokens), tokens != 0
    fast, nothing = model.encoder(embedded, mask)
    slow, weights = model.encoder(embedded, mask, need_weights=True)
    torch.testing.assert_close(fast[:, :3], slow[:, :3], rtol=1e-4, atol=1e-5)
    assert nothing == []
    assert [tuple(layer.shape) for layer in weights] == [(1, 3, 4, 4)] * 2
    assert weights[0][..., 3].abs().max() == 0  # padding gets nothing
    torch.testing.assert_close(weights[1].sum(-1), torch.ones(1, 3, 4))


@pytest.mark.parametrize(("width", "layers"), [(256, 4), (300, 4), (32, 1), (12, 2)])
def test_the_twins_are_of_equal_size(width: int, layers: int) -> None:
    sizes = {**SMALL, "embed_dim": width, "width": width, "num_layers": layers, "hidden_dim": 64}
    config = EncoderConfig(40, **{**sizes, "num_heads": 4})
    models = [
        SentimentModel(EncoderConfig(40, **{**sizes, "num_heads": 4, "architecture": name}), 2)
        for name in ARCHITECTURES
    ]
    blocks, gru = [sum(p.numel() for p in m.encoder.layers.parameters()) for m in models]
    assert abs(gru / blocks - 1) < 0.06
    assert gru_width(config) % 2 == 0


def test_frozen_vectors_stay() -> None:
    model = build(frozen_embeddings=True)
    model(torch.tensor([[5, 6]])).sum().backward()
    assert model.encoder.embedding.weight.grad is None
    assert model.encoder.layers[0].attention.in_proj.weight.grad is not None


def test_masked_words_are_guessed_at_their_places_with_tied_vectors() -> None:
    torch.manual_seed(0)
    model = MaskedWordModel(EncoderConfig(40, **SMALL, max_length=16)).eval()
    tokens = torch.randint(5, 40, (2, 6))
    places = torch.tensor([1, 7, 11])
    logits = model(tokens, places)
    assert logits.shape == (3, 40)
    torch.testing.assert_close(logits, model(tokens, torch.arange(12))[places])
    assert (model(tokens, places, start=9) - logits).abs().max() > 1e-4
    logits.sum().backward()
    assert model.encoder.embedding.weight.grad[0].abs().max() > 0  # through the output alone


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_it_overfits_a_tiny_batch(architecture: str) -> None:
    model = build(architecture=architecture, dropout=0.0).train()
    tokens, targets = torch.randint(5, 40, (6, 8)), torch.tensor([0, 1, 2, 2, 1, 0])
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(40):
        loss = F.cross_entropy(model(tokens), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.05


@pytest.mark.parametrize(
    ("changes", "flag"),
    [
        ({"architecture": "lstm"}, "model lstm"),
        ({"num_heads": 5}, "heads 5"),
        ({"num_heads": 0}, "heads 0"),
        ({"num_layers": 0}, "layers 0"),
        ({"max_length": 0}, "length 0"),
        ({"width": 0}, "width 0"),
        ({"dropout": 2.0}, "dropout 2.0"),
    ],
)
def test_impossible_sizes_name_their_flag(changes: dict[str, object], flag: str) -> None:
    with pytest.raises(UsageError, match=flag):
        build(**changes)
