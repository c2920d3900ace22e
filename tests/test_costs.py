"""Costs are counted and measured, not typed."""

import pytest

from ecgtl import models


def conv_flops(n_in, n_out, kernel, length):
    return 2 * n_in * n_out * kernel * length


def resnet18_forward(width, n_samples, n_outputs):
    """Multiply-adds of ResNet-18 by hand: two operations each."""
    length = n_samples // 2
    total = conv_flops(1, width, 7, length)
    length, n_in = length // 2, width
    for stage, kernel in enumerate((7, 5, 5, 3)):
        n_out = width * 2**stage
        length //= 1 if stage == 0 else 2
        total += conv_flops(n_in, n_out, kernel, length) + 3 * conv_flops(n_out, n_out, kernel, length)
        total += conv_flops(n_in, n_out, 1, length) if n_in != n_out else 0
        n_in = n_out
    return total + 2 * n_in * n_outputs


def test_counted_work_is_three_forward_passes_less_the_input_gradient():
    """Backward costs two forward passes, but nobody needs the gradient of the first convolution's input."""
    forward = resnet18_forward(16, 4096, 4)
    stem = conv_flops(1, 16, 7, 2048)
    counted = models.training_flops("resnet18", 1, 4, 4096, width=16)
    assert counted == pytest.approx(3 * forward - stem, rel=1e-6)


def test_costs_cover_every_tier_and_grow_with_it(tmp_path, monkeypatch):
    from ecgtl.report import costs

    monkeypatch.setenv("ECGTL_RESULTS", str(tmp_path))
    table = costs.costs().set_index(["experiment", "tier"]).loc["weimann2021-table2"]
    assert list(table.index) == ["demo", "reduced", "paper"]
    assert table["gpu_hours"].is_monotonic_increasing
    assert (table["basis"] == "unknown").all(), "no run has been made in an empty results folder"
    assert table.loc["paper", "gpu_hours"] / table.loc["reduced", "gpu_hours"] > 100
