"""How figures are shown: one way, the same bytes, text that can be read, words that say what the results say."""

import base64
import io
import re

import numpy as np
import pytest
from bs4 import BeautifulSoup
from matplotlib import pyplot as plt
from matplotlib.image import imread
from matplotlib.text import Text
from pages import run_page

from ecgtl import paths
from ecgtl.analysis.correlations import Interval
from ecgtl.analysis.names import f1
from ecgtl.report import alt, figures

PHONE = 390 - 63  # CSS pixels that the theme leaves a figure on a telephone
LEAST = 9  # CSS pixels of text


def drawn(n=3, seed=0):
    figure, axes = plt.subplots(figsize=(figures.WIDTH, 2))
    axes.plot(np.random.default_rng(seed).normal(size=n), "o-")
    axes.set_xlabel("time (s)")
    return figure


def image_of(html):
    (image,) = BeautifulSoup(html.data, "html.parser").select("figure.ecgtl-figure > img")
    return image


def test_a_figure_has_caption_and_words_and_is_closed():
    before = plt.get_fignums()  # of other tests
    html = figures.shown(drawn(), "F1 < .7 & more", 'said "so": 3\n of 4', ["Bi-LSTM", "ResNet"])
    page = BeautifulSoup(html.data, "html.parser")
    assert image_of(html)["alt"] == 'said "so": 3 of 4'
    assert page.select_one("figure > figcaption").text == "F1 < .7 & more PENDING: Bi-LSTM; ResNet."
    assert plt.get_fignums() == before


def test_without_a_figure_one_line_says_pending():
    page = BeautifulSoup(figures.shown(None, "Gains.", "nothing").data, "html.parser")
    assert page.text == "Gains. PENDING: no run yet." and not page.find(["img", "figure"])


def test_the_same_figure_gives_the_same_bytes_and_another_one_others():
    first, again, other = (figures.shown(drawn(seed=seed), "c", "a").data for seed in (0, 0, 1))
    assert first == again != other


def test_a_drawing_is_svg_of_paths_without_ground_and_date():
    svg = figures.svg(drawn())
    root = BeautifulSoup(svg, "html.parser").svg
    assert root and root["width"] == f"{72 * figures.WIDTH:g}pt"
    assert not root.find("text") and "<dc:date" not in svg and re.search(r"\d{4}-\d\d-\d\dT", svg) is None
    assert "fill: #ffffff" not in svg


def test_what_is_smaller_as_pixels_has_two_a_pixel_of_the_page():
    source = image_of(figures.shown(drawn(20_000), "c", "a"))["src"]
    pixels = imread(io.BytesIO(base64.b64decode(source.removeprefix("data:image/png;base64,"))))
    assert pixels.shape[1] == 2 * figures.CSS_WIDTH and pixels[0, 0, 3] == 0, "transparent"


# Pages whose figures are of every kind: gains, points, curves, levels, drawings
@pytest.mark.parametrize(("paper", "name"), [("weimann", "table2"), ("weimann", "figure3"), ("jang", "figure2"),
                                             ("jang", "figure3"), ("melep", "figure5"), ("melep", "figure6")])
def test_text_can_be_read_on_a_telephone_and_the_words_have_numbers(paper, name, monkeypatch):
    sizes, shown = [], figures.shown

    def measured(figure, caption, words, pending=()):
        if figure is not None:
            texts = [text for text in figure.findobj(Text) if text.get_text().strip() and text.get_visible()]
            sizes.extend(text.get_fontsize() * PHONE / (72 * figure.get_figwidth()) for text in texts)
            assert re.search(r"\d", words)
            assert all(axes.lines or axes.patches or axes.images for axes in figure.axes if axes.axison), "empty"
        return shown(figure, caption, words, pending)

    monkeypatch.setattr(figures, "shown", measured)
    run_page(paper, name)
    assert len(sizes) > 10 and min(sizes) >= LEAST


# --- what figures say -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_words_count_the_intervals_beside_0_and_name_the_extremes(seed):
    rng = np.random.default_rng(seed)
    found = {f"row {k}": Interval(value, value - half, value + half)
             for k, (value, half) in enumerate(zip(rng.normal(0, 0.05, 12), rng.uniform(0.01, 0.08, 12), strict=True))}
    said = alt.beside_zero(found)
    above = sum(one.low > 0 for one in found.values())
    below = sum(one.high < 0 for one in found.values())
    assert (f"of 12, {above} above 0" in said and f"{below} below 0" in said
            and f"{12 - above - below} not distinguishable from 0" in said)
    values = {name: one.value for name, one in found.items()}
    high, low = max(values, key=values.get), min(values, key=values.get)
    assert said.endswith(f"the highest is {high} {f1(values[high], True)}, the lowest {low} {f1(values[low], True)}")
    moved = found | {high: Interval(0.9, 0.8, 1.0)}
    assert f"{high} +.900 [+.800, +1.000]" in alt.beside_zero(moved).replace("\N{NO-BREAK SPACE}", " ") != said


def test_values_without_limits_are_not_beside_0_and_none_is_pending():
    assert alt.beside_zero({"a": Interval(0.3), "b": Interval()}) == (
        "of 1, 0 above 0, 0 below 0, 1 not distinguishable from 0; a +.300")
    assert alt.beside_zero({"b": Interval()}).startswith("PENDING") and alt.ordered({"b": np.nan}) == "PENDING"


def test_a_few_values_are_named_in_order():
    assert alt.ordered({"a": 0.5, "b": 0.7, "c": None}) == "b .700, a .500"


def test_the_style_sheet_takes_the_ground_away_and_turns_figures_in_the_dark():
    css = (paths.repository() / "book" / "_static" / "ecgtl.css").read_text()
    rules = dict(re.findall(r"([^{}]+)\{([^{}]*)\}", re.sub(r"/\*.*?\*/", "", css, flags=re.DOTALL)))
    rules = {" ".join(name.split()): body for name, body in rules.items()}
    assert "background: none !important" in rules[".bd-content figure.ecgtl-figure img"]
    assert "invert(1) hue-rotate(180deg) !important" in rules[
        'html[data-theme="dark"] .bd-content figure.ecgtl-figure img']
