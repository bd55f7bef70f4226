"""Scores against counting by hand; models started from vectors and checkpoints; downloads."""

import hashlib
import threading
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import torch
from sentiment_samples import codec, corpus, model, trained, trained_run

from dlcc.core.errors import DataError, UsageError
from dlcc.core.files.download import RemoteFile, fetch
from dlcc.core.files.paths import cache_dir
from dlcc.core.sentiment.codec import ReviewCodec
from dlcc.core.sentiment.data import Review
from dlcc.core.sentiment.pretrain import held_out
from dlcc.core.sentiment.score import accuracy_at, score_texts
from dlcc.core.sentiment.speed import measure_speed
from dlcc.core.sentiment.start import from_checkpoint, from_scratch, from_vectors

SIZES = {"width": 24, "num_layers": 1, "num_heads": 12, "hidden_dim": 16}


def test_an_evaluation_adds_up() -> None:
    reviews = [*corpus().validation, Review("so awful " * 40, "good", "long", "")]
    result = score_texts(trained(), reviews, worst=3)
    scores = result.scores
    assert scores.count == len(reviews)
    right = sum(scores.confusion[n][n] for n in range(2))
    assert scores.accuracy == pytest.approx(right / len(reviews))
    assert sum(map(sum, scores.confusion)) == len(reviews)
    true_good = sum(review.label == "good" for review in reviews)
    assert sum(scores.confusion[1]) == true_good
    assert sum(each.texts for each in result.by_length) == len(reviews)
    assert sum(each.texts * each.accuracy for each in result.by_length) == pytest.approx(right)
    assert result.by_length[-1].lengths == "65 to 128"
    assert scores.worst[0].truth != scores.worst[0].given
    certainty = [mistake.probability for mistake in scores.worst]
    assert certainty == sorted(certainty, reverse=True)
    assert "long" in {mistake.name for mistake in scores.worst}


def test_an_unknown_class_is_named() -> None:
    with pytest.raises(DataError, match="class mixed is unknown to the model"):
        score_texts(trained(), [Review("so-so", "mixed", "a", "")])
    with pytest.raises(DataError, match="no texts"):
        score_texts(trained(), [])


def test_accuracy_falls_when_texts_are_cut_to_nothing() -> None:
    reviews = corpus().validation
    whole, cut = accuracy_at(trained(), reviews, 24), accuracy_at(trained(), reviews, 1)
    assert whole > 0.9 > cut


def test_speed_is_measured() -> None:
    speed = measure_speed(model(), 8, batch_tokens=64, seconds=0)
    assert speed.length == 8
    assert speed.infer > speed.train > 0


def test_word_vectors_become_the_first_layer() -> None:
    texts = ["good film, bad film, qqqxy"] * 3
    words = ReviewCodec.learn(texts, "words", 50)
    built, origin = from_vectors(words, SIZES, 2, 0, "bundled")
    assert built.encoder.config.embed_dim == 50
    assert built.encoder.project.weight.shape == (24, 50)
    from dlcc.core.files.vectors import look_up

    weight, tokens = built.encoder.embedding.weight, words.vocabulary()
    for word in ("good", "film"):
        expected = torch.from_numpy(look_up([word]).vectors[0])
        torch.testing.assert_close(weight[tokens.index(word)].detach(), expected)
    unknown = weight[tokens.index("qqqxy")]
    assert 0.2 < unknown.std().item() / weight[tokens.index("film")].std().item() < 5
    assert "glove" in origin
    with pytest.raises(DataError, match=r"missing\.txt"):
        from_vectors(words, SIZES, 2, 0, "missing.txt")


def test_an_encoder_is_taken_over_and_its_top_drawn_anew() -> None:
    before = trained().model.state_dict()
    again, its_codec, origin = from_checkpoint(trained_run(), 3, {"dropout": 0.5}, 0)
    assert again.encoder.config.dropout == 0.5
    for name, tensor in again.state_dict().items():
        if name.startswith("encoder."):
            assert torch.equal(tensor, before[name])
    assert again.top[-1].out_features == 3
    assert its_codec.files() == codec().files()
    assert origin.startswith("sentiment checkpoint (")
    with pytest.raises(UsageError, match="width 32: what is started from has 16"):
        from_checkpoint(trained_run(), 2, {"width": 32}, 0)
    with pytest.raises(DataError, match="no checkpoint"):
        from_checkpoint(trained_run() / "traces", 2, {}, 0)


def test_drawn_weights_depend_on_the_seed_alone() -> None:
    first, again, other = (
        from_scratch(codec(), {**SIZES, "embed_dim": 24}, 2, seed).top[1].weight
        for seed in (0, 0, 1)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize(("count", "validation"), [(20_000, 200), (1000, 100), (50, 5), (1, 1)])
def test_held_out_texts_are_others(count: int, validation: int) -> None:
    texts = [str(number) for number in range(count)]
    kept, out = held_out(texts)
    assert sorted(kept + out) == sorted(texts)
    assert len(out) == validation


CONTENT = bytes(range(256)) * 40


class Server(BaseHTTPRequestHandler):
    """Sends CONTENT, at most `limit` bytes a request, and knows Range."""

    def __init__(self, asked: list[str | None], limit: int, *args: object) -> None:
        self.asked, self.limit = asked, limit
        super().__init__(*args)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        span = self.headers.get("Range")
        self.asked.append(span)
        start = int(span.removeprefix("bytes=").rstrip("-")) if span else 0
        self.send_response(206 if span else 200)
        self.send_header("Content-Length", str(len(CONTENT) - start))
        self.end_headers()
        self.wfile.write(CONTENT[start : start + self.limit])

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[tuple[str, list[str | None]]]:
    asked: list[str | None] = []
    with HTTPServer(("127.0.0.1", 0), partial(Server, asked, 7000)) as http:
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}/data.bin", asked
        http.shutdown()
        thread.join()


def test_a_download_goes_on_where_it_was_cut_off(server: tuple[str, list[str | None]]) -> None:
    url, asked = server
    file = RemoteFile(url, f"md5:{hashlib.md5(CONTENT).hexdigest()}")
    with pytest.raises(DataError, match="try again"):
        fetch(file)
    path = fetch(file)
    assert path == cache_dir() / "downloads/data.bin"
    assert path.read_bytes() == CONTENT
    assert asked == [None, "bytes=7000-"]
    assert fetch(file) == path
    assert len(asked) == 2


def test_another_file_than_expected_is_not_kept(server: tuple[str, list[str | None]]) -> None:
    url, _ = server
    wrong = RemoteFile(url, "sha256:00")
    with pytest.raises(DataError, match="cannot fetch"):
        fetch(wrong)
    with pytest.raises(DataError, match="another file than expected"):
        fetch(wrong)
    assert list((cache_dir() / "downloads").iterdir()) == []
