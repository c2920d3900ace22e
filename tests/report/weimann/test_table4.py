"""Weimann's Table 4: networks."""

import itertools

import pytest

from ecgtl import models
from ecgtl.analysis import names
from ecgtl.report.tables import Lines
from ecgtl.report.weimann import shared, table4


def test_networks_are_counted_in_the_models():
    rows = table4.networks("reduced").set_index("Network")
    for name, gflop in (("resnet18", 22.6), ("resnet34", 49), ("resnet50", 84)):
        row = rows.loc[name.replace("resnet", "ResNet-")]
        for words, width in (("the paper's size", 64), ("tier reduced", 16)):
            n = sum(parameter.numel() for parameter in models.build(name, 1, 4, width=width).parameters())
            assert row[f"Parameters, {words}"] == f"{n:,}"
        assert float(row["GFLOP a recording, the paper's size"]) == pytest.approx(gflop, rel=0.01)
    part = rows.loc["ResNet-50, first 3 stages, no output"]
    whole = models.build("resnet50", 1, 4, width=16)
    last_stage = sum(parameter.numel() for unit in whole.units[-3:] for parameter in unit.parameters())
    # the last norm is half as wide in front of the last stage
    norms = 2 * (whole.n_features - whole.n_features // 2)
    expected = models.count_parameters(whole) - last_stage - models.count_parameters(whole.output) - norms
    assert part["Parameters, tier reduced"] == f"{expected:,}"


def test_a_printed_mark_stays_on_its_cell_and_is_explained():
    frame = shared.comparisons(shared.TABLE4, "reduced")
    shown = shared.compared(frame, "Network", "resnet18").set_index(("Initialisation", ""))
    assert [(row, column) for row, column in itertools.product(shown.index, shown.columns)
            if getattr(shown.loc[row, [column]].item(), "paper", "").endswith("*")] == [
        ("Future prediction", ("Network", "ResNet-50"))]
    assert "<p>* Future prediction" in table4.footnotes().data and "ResNet-50v2" in table4.footnotes().data
    # Baselines know no network: they stand once
    majority = shown.loc[names.METHODS["majority"]]
    assert [isinstance(one, Lines) for one in majority] == [True, False, False] and majority.iloc[1] == "–"
