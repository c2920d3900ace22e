"""MELEP's Figure 1: ResNet1d101."""

from pages import texts

from ecgtl.report.melep import figure1, network_diagrams


def test_equal_units_share_a_bar():
    names = [block.name for block in figure1.grouped(network_diagrams.network("resnet1d101", "paper"))]
    assert names == ["stem", "units.0", "units.1–2 (2×)", "units.3", "units.4–6 (3×)", "units.7",
                     "units.8–29 (22×)", "units.30", "units.31–32 (2×)", "hidden", "output"]
    said = figure1.depth("paper").data
    assert "(3 + 4 + 23 + 3)" in said and "100" in said


def test_the_drawn_unit_is_the_first_that_shortens():
    said = texts(figure1.unit_figure("paper"))
    assert "from units.2" in said and "256 × 250" in said and "512 × 125" in said
    convolutions = [text for text in said if text.startswith("convolution")]
    assert sorted(convolutions) == ["convolution 1", "convolution 1", "convolution 1/2", "convolution 3/2"]
    assert said.count("batch norm, ReLU") == 2 and said.count("batch norm") == 2
