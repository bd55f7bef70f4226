"""What a notebook shows of a trace."""

import base64
import re
from io import BytesIO

import numpy as np
from PIL import Image
from viewing import random_weights, text_trace

from dlcc.core.trace.html import png
from dlcc.core.trace.trace import AttentionTrace


def test_a_small_trace_is_a_table_of_words_with_all_heads_below() -> None:
    trace = text_trace(title="<b>model</b>")
    page = trace._repr_html_()
    assert "&lt;b&gt;model" in page
    assert "<b>model" not in page
    assert "the → her" in page
    assert page.count("<img") == trace.num_layers * trace.num_heads
    assert 'src="http' not in page
    mean = trace.weights[-1].mean(0)
    assert f"the → her {mean[1, 5]:.3f}" in page


def test_the_pictures_are_whole_and_darkest_where_the_weight_is() -> None:
    weights = np.zeros((1, 2, 3, 3), np.float32)
    weights[..., 1] = 1
    page = AttentionTrace(weights, ("a", "b", "c"), ("a", "b", "c"))._repr_html_()
    data = re.findall(r"base64,([^\"]+)", page)[0]
    pixels = np.asarray(Image.open(BytesIO(base64.b64decode(data))))
    assert pixels.shape == (3, 3, 3)
    assert (pixels[:, 0] == 255).all()
    assert (pixels[:, 1] < 120).all()


def test_a_large_one_in_half_precision_is_a_picture() -> None:
    names = tuple(map(str, range(1000)))
    weights = random_weights(1, 1, 1000, 1000).astype(np.float16)
    page = AttentionTrace(weights, names, names)._repr_html_()
    assert page.count("<img") == 1
    assert "<table" not in page
    assert len(page) < 2_000_000


def test_a_png_holds_its_pixels() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    assert np.array_equal(np.asarray(Image.open(BytesIO(png(pixels)))), pixels)
