"""MELEP's Figure 2: Bi-LSTM."""

from pages import texts

from ecgtl.report.melep import figure2


def test_directions_share_the_recurrent_layer():
    one_way = 4 * 100 * (12 + 100 + 2)  # four gates: weights of input and state, two biases
    said = " ".join(texts(figure2.bilstm_figure("paper")))
    assert said.count(f"{one_way:,} parameters") == 2
    assert "flattened: 200,000" in said and "12 × 1,000" in said
