"""What a notebook, and a page, shows of a trace."""

import base64
import html
import json
import re
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from viewing import random_weights, text_trace

from dlcc.core.trace.html import Style, page, page_part, png, text_part
from dlcc.core.trace.scales import SCALES, scale_of
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


def test_the_script_gets_the_weights_and_no_token_ends_it() -> None:
    trace = text_trace(title="a", seed=3)
    tokens = ("</script><script>alert(1)</script>", *trace.key[1:])
    part = page_part("a", trace.weights, tokens, tokens, trace.layer_names)
    assert "<script>alert" not in part
    found = re.findall(r'<script type="application/json">(.*?)</script>', part)
    data = json.loads(found[0])
    assert data["query"][0] == tokens[0]
    codes = np.frombuffer(base64.b64decode(data["codes"]), "<u2").reshape(data["shape"])
    assert np.allclose(codes / 65535 * data["most"], trace.weights, atol=1e-5)
    assert data["tops"][0] == pytest.approx(trace.weights.max())
    signed = Style(((0, 0, 255), (255, 255, 255), (255, 128, 0)), signed=True)
    part = page_part("a", trace.weights - 0.5, tokens, tokens, trace.layer_names, signed)
    data = json.loads(re.findall(r"json\">(.*?)</script>", part)[0])
    codes = np.frombuffer(base64.b64decode(data["codes"]), "<u2").reshape(data["shape"])
    assert np.allclose((codes / 32767 - 1) * data["most"], trace.weights - 0.5, atol=1e-4)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("shift", [0.0, 0.2])
def test_each_scale_colours_cells_heads_and_bar(scale: str, shift: float) -> None:
    trace = text_trace()
    weights = trace.weights - shift
    ramp = ((0, 0, 0), (200, 200, 200))
    style = Style(ramp, signed=shift > 0, scale=scale)
    part = page_part("model", weights, trace.query, trace.key, trace.layer_names, style, (1, 2))
    fitted = scale_of(scale, weights[1, 2], float(np.abs(weights).max()), shift > 0)
    places = fitted.places(weights[1, 2])
    shades = ((places + 1) / 2 if shift else places) * 200
    found = re.findall(r'<td style="background:rgb\((\d+),', part)
    assert list(map(int, found)) == shades.round().astype(int).ravel().tolist()
    data = re.findall(r'base64,([^"]+)" *>', part)[-1]  # of the same head, small
    pixels = np.asarray(Image.open(BytesIO(base64.b64decode(data))))
    assert np.array_equal(pixels[..., 0], shades.round().astype(int))
    said = "one scale for all heads" if scale == "shared" else html.escape(fitted.meaning)
    assert f"<small>weight, {said}</small>" in part
    assert json.loads(re.findall(r"json\">(.*?)</script>", part)[0])["scale"] == scale


def test_a_page_reads_without_its_script() -> None:
    trace = text_trace(title="model")
    weights, style = trace.weights, Style(numbers=True, most=0)
    part = page_part("model", weights, trace.query, trace.key, trace.layer_names, style, (0, 1))
    text = text_part("pos", [[("so", 1, False), ("!", -1, True)], [("it", 0, False)]], style, "", 1)
    whole = page("a <page>", [part, text], "#fff", "#000")
    plain = re.sub(r"<(script|style)>.*?</\1>", "", whole, flags=re.S)
    assert '<script type="application' not in whole
    assert "http" not in whole
    assert "<title>a &lt;page&gt;</title>" in plain
    assert f">{weights[0, 1, 0, 0]:.2f}<".replace("0.", ".") in plain
    text = re.sub(r"<[^>]+>", "", plain)
    assert "layer 1, head 2 of" in text
    assert "so!" in text
    assert whole.count('<p class="text">') == 2
    assert f"{weights.max():.2f}" in text  # of the colour bar


def test_a_png_holds_its_pixels() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    assert np.array_equal(np.asarray(Image.open(BytesIO(png(pixels)))), pixels)
