"""Weimann's Figure 2: future prediction, drawn from the network."""

import pytest
from pages import texts

from ecgtl import models
from ecgtl.models.contrastive import FuturePredictor
from ecgtl.report import study
from ecgtl.report.weimann import figure2


@pytest.mark.parametrize(("tier", "width"), [("reduced", 16), ("paper", 64)])
def test_the_framework_is_that_of_the_module(tier, width):
    network = figure2.future(tier)
    model = FuturePredictor(models.build("resnet18", 1, 1, width=width), 16)
    assert network.parameters["all"] == sum(p.numel() for p in model.parameters())
    assert sum(network.parameters[name] for name in ("encoder", "token", "pooling")) == network.parameters["all"]
    samples, features = {"reduced": 256, "paper": 512}[tier], 8 * width
    assert network.shapes == {"frames": (16, samples), "candidates": (9, samples), "encoded context": (16, features),
                              "with token": (17, features), "context vector": (features,), "logits": (9,)}
    drawn = " ".join(texts(figure2.framework(network)))
    assert f"{network.parameters['encoder']:,}" in drawn and f"17 × {features}" in drawn


def test_the_papers_framework_is_met_at_its_size():
    found = figure2.stated("reduced", "paper")
    said = found[found["Paper"] != "not stated"]
    assert len(said) == 8 and (said["Paper"] == said["Tier paper"]).all()
    assert "Tier paper meets 8 of 8" in study.statements_met(found).data
    assert set(said.loc[said["Paper"] != said["Tier reduced"], "What"]) == {
        "width of the attention pooling", "inner width", "samples of a frame"}


def test_the_encoders_blocks_hold_all_that_is_taken_over():
    taken = sum(block.parameters for block in figure2.encoder_blocks("reduced"))
    assert taken == figure2.future("reduced").parameters["encoder"]
