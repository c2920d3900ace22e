"""Diagrams are what the networks are: totals, shapes and kernels against models and hand-made networks."""

import json
from itertools import pairwise

import pandas as pd
import pytest
import torch
from messages import one_line
from torch import nn
from torch.nn import functional

from ecgtl import models, published, results
from ecgtl.config import PretrainConfig
from ecgtl.errors import EcgtlError
from ecgtl.jobs import pretrain
from ecgtl.models.googlenet import INCEPTIONS
from ecgtl.report import flowchart, network_blocks, study
from ecgtl.report.jang import figure1, figure2

EXPERIMENT = "jang2021-table2-ptbxl"
NETWORKS = {"cae": ((1, 60), (1, 2048), {"width": 4, "variant": "text"}),
            "cae_classifier": ((1, 11), (1, 2048), {"width": 4, "variant": "code"}),
            "googlenet": ((3, 1000), (3, 224, 224), {}), "resnet18": ((1, 4), (1, 1024), {"width": 8}),
            "resnet34": ((12, 5), (12, 1000), {"width": 8, "preactivation": False}),
            "resnet50": ((1, 4), (1, 1024), {"width": 8})}


def traced(name):
    given, shape, options = NETWORKS[name]
    return network_blocks.network(name, *given, shape, **options)


def built(name):
    given, shape, options = NETWORKS[name]
    torch.manual_seed(0)
    return models.build(name, *given, **options).eval(), torch.randn(2, *shape)


# --- tracing ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NETWORKS)
def test_blocks_hold_every_parameter_once(name):
    blocks = traced(name)
    assert network_blocks.parameters(blocks) == models.count_parameters(built(name)[0])
    assert len({block.name for block in blocks}) == len(blocks)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_last_block_gives_what_the_network_gives(name):
    model, x = built(name)
    with torch.no_grad():
        assert traced(name)[-1].shape == tuple(model(x).shape[1:])


def test_shapes_are_those_of_the_signal_block_by_block():
    model, x = built("cae")
    shapes = {}
    with torch.no_grad():
        y = model.encoder.stem(x.unsqueeze(2))
        for k, block in enumerate(model.encoder.blocks):
            y = block(y)
            shapes[f"encoder.blocks.{k}"] = (y.shape[1], y.shape[3])
        y = model.decoder.expand(model.encoder(x)).unflatten(1, model.decoder.shape)
        for k, block in enumerate(model.decoder.blocks):
            y = block(y)
            shapes[f"decoder.blocks.{k}"] = (y.shape[1], y.shape[3])
    found = {block.name: block.shape for block in traced("cae")}
    assert {name: found[name] for name in shapes} == shapes
    assert found["encoder.bottleneck"] == (60,)


def test_inception_modules_have_the_sizes_of_the_published_table():
    """Szegedy et al. 2015, table 1; parameters by formula, with biases."""
    found = {block.name.removeprefix("inception_"): block for block in traced("googlenet")}
    sizes = {"3a": (256, 28), "3b": (480, 28), "4a": (512, 14), "4e": (832, 14), "5a": (832, 7),
             "5b": (1024, 7)}
    for name, (channels, size) in sizes.items():
        assert found[name].shape == (channels, size, size)
    for name, (n_in, one, three_in, three, five_in, five, pooled) in INCEPTIONS.items():
        weights = n_in * (one + three_in + five_in + pooled) + 9 * three_in * three + 25 * five_in * five
        assert found[name].parameters == weights + one + three_in + three + five_in + five + pooled
        assert found[name].words == "4 × convolution 1, convolution 3×3, convolution 5×5"


def test_a_network_is_laid_out_and_not_computed(monkeypatch):
    seen, features = [], models.resnet.ResNet.features

    def follow(self, x):
        seen.append(x.device.type)
        return features(self, x)

    monkeypatch.setattr(models.resnet.ResNet, "features", follow)
    traced("resnet18")
    assert seen == ["meta"]


def test_tracing_leaves_a_model_as_it_was():
    model, x = built("resnet18")
    model.train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    blocks = network_blocks.trace(model, x.shape[1:])
    assert model.training and not any(module._forward_hooks for module in model.modules())
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert [block.name for block in blocks] == ["stem", *(f"units.{k}" for k in range(8)), "last", "output"]


def test_tracing_leaves_a_model_as_it_was_when_the_input_does_not_fit():
    model, _ = built("cae")
    with pytest.raises(EcgtlError):
        network_blocks.trace(model.train(), (1, 100))
    assert model.training and not any(module._forward_hooks for module in model.modules())


class Recurrent(nn.Module):
    """A layer that gives a tuple, then a linear one."""

    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(3, 5, batch_first=True, bidirectional=True)
        self.output = nn.Linear(10 * 7, 2)

    def forward(self, x):
        return self.output(self.lstm(x)[0].flatten(1))


def test_a_recurrent_network_is_traced_too():
    lstm, output = network_blocks.trace(Recurrent(), (7, 3))
    assert (lstm.name, lstm.words, lstm.shape) == ("lstm", "LSTM", (7, 10))
    assert lstm.parameters == 2 * 4 * 5 * (3 + 5 + 2)  # two directions, four gates, two biases
    assert (output.shape, output.parameters) == ((2,), 142)


class Slashed(nn.Module):
    """Layers named as Caffe does: ``a`` side by side, ``b`` one after the other; ``unused`` never runs."""

    def __init__(self):
        super().__init__()
        sizes = {"a/x": (1, 3), "a/y": (1, 4), "b/reduce": (7, 2), "b/x": (2, 6), "unused": (1, 1)}
        for name, (n_in, n_out) in sizes.items():
            self.add_module(name, nn.Conv2d(n_in, n_out, 1))

    def forward(self, x):
        run = dict(self.named_children())
        y = torch.cat([functional.relu(run["a/x"](x), inplace=True), run["a/y"](x)], dim=1)
        return run["b/x"](functional.relu(run["b/reduce"](y), inplace=True))


def test_layers_side_by_side_are_joined_and_those_in_a_row_are_not():
    blocks = network_blocks.trace(Slashed(), (1, 4, 4))
    assert {block.name: block.shape for block in blocks} == {"a": (7, 4, 4), "b": (6, 4, 4)}
    assert blocks[0].parameters == 2 * 3 + 2 * 4


@pytest.mark.parametrize("layer, words", [
    (nn.Conv2d(1, 1, (1, 19), padding=(0, 9)), "convolution 19"), (nn.Conv1d(1, 1, 7, 2), "convolution 7/2"),
    (nn.Conv2d(1, 1, 3), "convolution 3×3"), (nn.Conv2d(1, 1, 1), "convolution 1"),
    (nn.ConvTranspose2d(1, 1, (1, 9), (1, 2)), "transposed convolution 9/2"),
    (nn.MaxPool2d((1, 2)), "max-pool 2"),
    (nn.MaxPool2d((1, 3), (1, 2), (0, 1)), "max-pool 3/2"), (nn.BatchNorm1d(2), "batch norm"),
    (nn.Dropout(0.3), "dropout 0.3"), (nn.LeakyReLU(0.01), "LeakyReLU"),
    (nn.Upsample(scale_factor=2), "upsampling")])
def test_layers_are_named_in_words(layer, words):
    assert str(network_blocks._layer(layer)) == words


@pytest.mark.parametrize("layer", [nn.Identity(), nn.Dropout(0.0)])
def test_what_does_nothing_is_not_named(layer):
    assert network_blocks._layer(layer) is None


def test_equal_layers_are_counted_and_kernels_of_one_left_out():
    block = next(block for block in traced("cae_classifier") if block.name == "encoder.blocks.2")
    assert block.words == ("2 × batch norm, 2 × LeakyReLU, 2 × convolution 19, max-pool 2, convolution 1, "
                           "dropout 0.3")
    assert network_blocks.kernels([block]) == ["19"] and network_blocks.kernels(traced("cae_classifier")) == ["19", "9"]


def test_a_part_that_is_not_there_is_named():
    with pytest.raises(EcgtlError) as error:
        network_blocks.part(traced("resnet18"), "decoder")
    one_line(error, "no block begins with 'decoder'", "units.0")


def test_the_table_ends_in_the_sum():
    blocks = traced("resnet50")
    table = network_blocks.table(blocks)
    numbers = [int(text.replace(",", "")) for text in table["Parameters"]]
    assert len(table) == len(blocks) + 1 and sum(numbers[:-1]) == numbers[-1] == network_blocks.parameters(blocks)
    listed = network_blocks.listed({"one": blocks, "two": traced("resnet18")})
    assert listed.groupby("network")["parameters"].sum()["one"] == network_blocks.parameters(blocks)


# --- drawings -----------------------------------------------------------------------------------------------


def rectangles(figure):
    return list(figure.axes[0].patches)


def test_bars_grow_with_length_and_channels():
    blocks = traced("cae")
    bars = rectangles(flowchart.hourglass(blocks, "title", (1, 2048)))
    shapes = [(1, 2048), *(block.shape for block in blocks)]
    assert len(bars) == len(shapes)
    for (a, shape_a), (b, shape_b) in pairwise(zip(bars, shapes, strict=True)):
        assert (a.get_width() > b.get_width()) == (shape_a[-1] > shape_b[-1])
        if len(shape_a) == len(shape_b) == 2:
            assert (a.get_height() > b.get_height()) == (shape_a[0] > shape_b[0])
    assert len({bar.get_facecolor() for bar in bars}) == 2  # vectors have a colour of their own


def course():
    return study.study_chart("jang2021", figure1.overview(EXPERIMENT, "reduced"))


@pytest.mark.parametrize("draw", [lambda: flowchart.hourglass(traced("cae"), "title", (1, 2048)), course,
                                  lambda: figure2.arms("reduced"), lambda: figure2.arms("paper")])
def test_no_text_leaves_the_figure(draw):
    figure = draw()
    figure.canvas.draw()
    for text in figure.axes[0].texts:
        box = text.get_window_extent()
        assert box.x0 >= -1 and box.x1 <= figure.bbox.x1 + 1, text.get_text()


@pytest.mark.parametrize("draw", [lambda: figure2.arms("paper"), course])
def test_text_stands_in_its_box_and_boxes_stand_apart(draw):
    figure = draw()
    figure.canvas.draw()
    boxes = [patch.get_window_extent() for patch in rectangles(figure)]
    assert not any(a.overlaps(b) for k, a in enumerate(boxes) for b in boxes[k + 1:])
    for text in figure.axes[0].texts:
        if text.get_text():
            place = text.get_window_extent()
            assert any(box.x0 <= place.x0 and place.x1 <= box.x1 and box.y0 - 1 <= place.y0
                       and place.y1 <= box.y1 + 1 for box in boxes), text.get_text()


def test_arrows_lead_from_box_to_box():
    boxes = [[flowchart.Box("a", "one"), flowchart.Box("b", "two")], [flowchart.Box("c", "three")]]
    figure = flowchart.flow(boxes, [("a", "b"), ("a", "c"), ("b", "c")], {"plain": "a box"})
    a, b, c = rectangles(figure)
    drawn = [(note.xyann, note.xy) for note in figure.axes[0].texts if note.get_text() == ""]
    middle = a.get_y() + a.get_height() / 2
    assert drawn[0] == ((a.get_x() + a.get_width(), middle), (b.get_x(), middle))
    for (start, end), box in zip(drawn[1:], (a, b), strict=True):
        x = box.get_x() + box.get_width() / 2
        assert start == (x, box.get_y() + box.get_height()) and end == (x, c.get_y())


# --- Figure 2 -----------------------------------------------------------------------------------------------


def test_the_texts_variant_is_what_the_text_says():
    table = figure2.stated().set_index("What")
    said = table[table["Paper"] != "not stated"]
    assert len(said) == 8 and (said["Paper"] == said["Tier reduced"]).all()
    other = said.index[said["Paper"] != said["Tier paper"]]
    assert set(other) == {"kernel", "activation", "decoder"}  # there the authors' code is not as their text
    sentence = figure2.stated_verdict(figure2.stated()).data
    assert "Tier paper meets 5 of 8" in sentence and "(19, 9)" in sentence
    assert "Tier reduced meets 8 of 8" in sentence


def test_parameters_beside_the_statements_are_those_of_the_models():
    table = figure2.stated().set_index("What")
    for tier, width, variant in (("paper", 32, "code"), ("reduced", 8, "text")):
        model = models.build("cae", 1, 60, width=width, variant=variant)
        column = table[f"Tier {tier}"]
        assert column["parameters of the autoencoder"] == f"{models.count_parameters(model):,}"
        assert column["of them in the encoder"] == f"{models.count_parameters(model.encoder):,}"
        assert column["channels of the stem (width)"] == str(width)


def test_the_arms_share_the_encoder_and_the_image_arm_trains_one_layer():
    texts = [text.get_text() for text in figure2.arms("reduced").axes[0].texts]
    said = " ".join(texts)
    encoder = models.count_parameters(models.build("cae", 1, 60, width=8, variant="text").encoder)
    assert said.count(f"{encoder:,}") == 2 and said.count("60 features") == 2 and "1,024 features" in said
    assert f"linear, {(60 + 1) * 11:,}" in said and f"linear, {(1024 + 1) * 11:,}" in said
    assert said.count("11 rhythms") == 3


# --- Figure 1 -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def steps():
    return figure1.overview(EXPERIMENT, "reduced").set_index("what")


def test_the_course_shows_the_numbers_of_the_results(steps):
    key = pretrain.key_of(PretrainConfig.of(tier="reduced").resolved())
    stored = json.loads(results.path_of("pretrain", key, "reduced").read_text())
    windows, subjects = stored["data"]["windows"], stored["data"]["subjects"]
    assert steps.loc["unlabelled windows", "ours"] == f"{sum(windows.values()):,}"
    assert steps.loc["unlabelled subjects", "ours"] == f"{sum(subjects.values()):,}"
    assert steps.loc["squared error of a test window", "ours"] == f"{stored['scores']['mse_sum']:.0f}"
    run = json.loads(next((results.folder("reduced") / EXPERIMENT).glob("*.json")).read_text())
    assert steps.loc["labelled recordings", "ours"] == f"{run['data']['records']:,}"
    assert steps.loc["rhythms", "ours"] == str(len(run["data"]["classes"]))


def test_the_course_shows_the_papers_numbers_as_printed(steps):
    printed = published.load("jang2021")["scalars"]
    assert steps.loc["unlabelled windows", "paper"].replace(",", "") == str(printed["aumc_samples"]["value"])
    assert steps.loc["squared error of a test window", "paper"] == "626.583"
    assert steps.loc["training to test recordings", ["paper", "ours"]].tolist() == ["8:2", "8:2"]


def test_what_is_the_same_is_worked_out():
    rows = pd.DataFrame([("Data", "unlabelled source", "one", "two"), ("Data", "n", "5", "5"),
                         ("Data", "m", "not stated", "3")], columns=["phase", "what", "paper", "ours"])
    assert study.readable_study(rows)["Same"].tolist() == ["no", "yes", "decided here"]
    said = study.study_verdict(rows).data
    assert "Of 3 entries 1 are as printed (n), and 1 are not (unlabelled source)" in said
    assert "context" in said
    assert "context" not in study.study_verdict(rows[1:]).data


def test_without_runs_the_course_says_what_to_run(tmp_path, monkeypatch):
    source = results.folder("reduced") / "pretrain"
    (tmp_path / "pretrain").mkdir()
    for file in source.glob("cae-cae-reduced-*"):
        (tmp_path / "pretrain" / file.name).write_bytes(file.read_bytes())
    monkeypatch.setenv("ECGTL_RESULTS", str(tmp_path))
    with pytest.raises(EcgtlError) as error:
        figure1.overview(EXPERIMENT, "reduced")
    one_line(error, f"no result of {EXPERIMENT}", f"python -m ecgtl run {EXPERIMENT} --tier reduced")
