"""MELEP's networks: the diagrams hold what the networks hold."""

import pytest
import torch
from pages import run_page

from ecgtl import models
from ecgtl.analysis import names
from ecgtl.config import TIERS
from ecgtl.report import network_blocks
from ecgtl.report.melep import figure1, figure2, network_diagrams


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("name", names.NETWORKS)
def test_blocks_hold_every_parameter_of_the_network(name, tier):
    with torch.device("meta"):
        model = models.build(name, network_diagrams.shape(tier)[0], 9, **network_diagrams.options(name, tier))
    blocks = network_diagrams.network(name, tier)
    assert network_blocks.parameters(blocks) == models.count_parameters(model) == network_blocks.parameters(
        figure1.grouped(blocks))
    assert blocks[-1].shape == (9,) and blocks[-1].name == "output"


def test_the_papers_size_takes_twelve_leads_of_ten_seconds():
    assert network_diagrams.shape("paper") == (12, 1000) and network_diagrams.shape("reduced") == (1, 1000)
    assert network_diagrams.drawn_tier() == "paper" and network_diagrams.drawn_tier("reduced") == "reduced"


def test_shapes_halve_in_time_and_double_in_channels():
    shapes = list(dict.fromkeys(block.shape for block in network_diagrams.network("resnet1d101", "paper")))
    assert shapes == [(64, 250), (256, 250), (512, 125), (1024, 63), (2048, 32), (512,), (9,)]
    lstm, output = network_diagrams.network("bilstm", "paper")
    assert lstm.shape == (200, 1000) and output.parameters == 200_000 * 9 + 9


def test_outputs_follow_the_number_of_labels():
    table = network_diagrams.outputs("bilstm", "paper")
    numbers = table["Output layer"].str.replace(",", "").astype(int)
    assert (numbers == 200_001 * table["Labels"]).all()
    assert (table["Share"].str.removesuffix(" %").astype(float) > 50).all()  # as the page says
    convolutional = network_diagrams.outputs("resnet1d101", "paper")["Share"].str.removesuffix(" %").astype(float)
    assert (convolutional < 0.1).all()


@pytest.mark.parametrize("draw", [figure1.resnet_figure, figure1.unit_figure, figure2.bilstm_figure])
@pytest.mark.parametrize("tier", ["paper", "reduced"])
def test_no_text_leaves_a_drawing(draw, tier):
    figure = draw(tier)
    figure.canvas.draw()
    for text in figure.axes[0].texts:
        box = text.get_window_extent()
        assert box.x0 >= -1 and box.x1 <= figure.bbox.x1 + 1, text.get_text()


@pytest.mark.parametrize("name", ["figure1", "figure2"])
def test_drawings_need_no_result(name):
    page = run_page("melep", name)
    assert "<table" in page and names.PENDING not in page
