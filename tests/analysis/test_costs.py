"""Costs are counted and measured, not typed."""

import dataclasses

import numpy as np
import pytest
from stored_runs import PROVENANCE, store_fold

from ecgtl import experiments, models, results
from ecgtl.analysis import costs
from ecgtl.datasets import catalogue
from ecgtl.experiments import pretrainings, sources, transfers


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


def test_costs_cover_every_tier_and_grow_with_it(own_results, monkeypatch):
    monkeypatch.setattr(costs, "_names", lambda: ["weimann2021-table2"])
    table = costs.costs().set_index(["experiment", "tier"]).loc["weimann2021-table2"]
    assert list(table.index) == ["demo", "reduced", "paper"]
    assert table["gpu_hours"].is_monotonic_increasing
    assert (table["basis"] == "unknown").all(), "no run has been made in an empty results folder"
    assert table.loc["paper", "gpu_hours"] / table.loc["reduced", "gpu_hours"] > 100


def hours(experiment, tier):
    """One row of the table: all of them take a while."""
    return costs._row(experiment, tier)


def test_folds_cost_their_training_part_in_every_epoch_at_the_measured_speed_of_each_network(own_results):
    runs = transfers.enumerate_runs("melep2023-ptbxl", "reduced")
    for run in runs:
        if run.config.fold < 2:
            store_fold(run, 0.3, 0.7)  # two seconds an epoch, on one thread
    row = hours("melep2023-ptbxl", "reduced")
    assert (row["runs"], row["basis"]) == (120, "measured")
    assert costs._training_records(runs[0]) == pytest.approx(630), "of 1,000, 300 test and 70 validate"
    drawn = experiments.enumerate_runs("jang2021-table2-cinc2017", "paper")[-1]
    trained = 0.8 * drawn.config.fraction * costs._records(drawn)
    assert costs._training_records(drawn) == pytest.approx(trained), "the others of a bootstrap validate"
    assert row["cpu_hours"] == pytest.approx(120 * 50 * 2 / 2 / 3600), "two cores do two folds at a time"
    assert np.isnan(row["gpu_hours"]) and row["download_gb"] == catalogue.entry("ptbxl").download_gb
    for run in runs:
        if run.config.arch == "bilstm" and run.path.is_file():
            run.path.unlink()
    assert hours("melep2023-ptbxl", "reduced")["basis"] == "estimated"


def test_a_frozen_encoder_sees_each_recording_once_and_forward(own_results):
    for run in experiments.enumerate_runs("probe-cinc2017", "paper"):
        if run.config.arch == "resnet18":
            forward = resnet18_forward(run.config.width, run.config.n_samples, 4)
            assert costs._flops(run) == pytest.approx(8528 * forward, rel=0.01), "whatever share trains"


def test_work_of_a_recurrent_network_is_counted_step_by_step():
    assert costs._recurrent_flops(12, 80, 20) == models.training_flops("bilstm", 12, 4, 80, width=20, length=80)


def test_a_larger_network_is_estimated_from_the_speed_of_the_smaller_one(own_results):
    for run in transfers.enumerate_runs("melep2023-ptbxl", "reduced")[:1]:
        store_fold(run, 0.3, 0.7)
    small, large = (models.training_flops("resnet1d101", leads, 4, 1000, width=width)
                                          for leads, width in ((1, 16), (12, 64)))
    assert [run.config.arch for run in transfers.enumerate_runs("melep2023-selection", "paper")].count("bilstm") == 3
    lstm = costs._recurrent_flops(12, 1000, 100)
    found = hours("melep2023-selection", "paper")
    assert found["basis"] == "estimated"
    assert found["cpu_hours"] == pytest.approx(3 * 50 * 2 / 2 * (large + lstm) / small / 3600)


def test_sources_cost_their_share_of_a_release_and_download_each_once(own_results):
    runs = sources.enumerate_runs("melep2023-sources", "reduced")
    records = {"cpsc2018": 6877, "cinc2017": 8528}
    sample = {"resnet1d101": models.training_flops("resnet1d101", 1, 4, 1000, width=16),
              "bilstm": costs._recurrent_flops(1, 1000, 100)}
    work = sum(sample[run.config.arch] * records[run.config.dataset] * (1 - 0.23 - 0.10) * 50 for run in runs)
    found = hours("melep2023-sources", "reduced")
    assert found["runs"] == 4 and found["gpu_hours"] == pytest.approx(work / costs.gpu_speed() / 3600)
    assert found["download_gb"] == pytest.approx(sum(catalogue.entry(name).download_gb for name in records))


def test_the_page_shows_folds_and_sources(own_results, monkeypatch):
    kept = ["weimann2021-table2", "melep2023-sources", "melep2023-csn"]
    assert set(kept) < set(costs._names())
    monkeypatch.setattr(costs, "_names", lambda: kept)
    monkeypatch.setattr(costs, "TIERS", ("reduced", "paper"))
    shown = costs.readable().set_index(["Experiment", "Tier"])
    assert list(shown.index) == [(name, tier) for name in kept for tier in ("reduced", "paper")
                                 if (name, tier) != ("melep2023-csn", "reduced")], "it has no folds there"
    assert shown.loc[("melep2023-csn", "paper"), "Runs"] == 600
    assert shown.loc[("melep2023-csn", "paper"), "One GPU (estimated)"] == "unknown"


# --- a dry run ----------------------------------------------------------------------------------------------------

FOLDS = "melep2023-ptbxl"


def finish(run, seconds, **provenance):
    """A fold as if it had taken ``seconds``, two of them an epoch."""
    store_fold(run, 0.3, 0.7)
    body = results.load(run.path)
    results.save(dataclasses.replace(body, provenance=body.provenance | {"wall_seconds": seconds} | provenance))


def folds(arch="resnet1d101", tier="reduced"):
    """Those that start from one checkpoint."""
    return [run for run in transfers.enumerate_runs(FOLDS, tier)
            if (run.config.arch, run.config.source) == (arch, "cpsc2018")]


@pytest.mark.parametrize(("cores", "expected"), [(1, 12), (2, 9), (64, 9)])
def test_a_run_has_one_core_and_the_longest_ends_last(cores, expected):
    assert costs.on(np.array([1.0, 9.0, 2.0]), cores) == expected
    assert costs.on(np.array([]), cores) == 0


def test_the_page_counts_a_cluster_with_the_longest_run_as_the_least(own_results):
    """Two epochs of a second each, 120 folds of 50: 100 s a fold on one core, however many cores there are."""
    for run in transfers.enumerate_runs(FOLDS, "reduced"):
        if run.config.fold < 2:
            finish(run, 1.0)
    row, cluster = hours(FOLDS, "reduced"), costs.cluster()
    assert row["cluster_hours"] == pytest.approx(max(120 * 100 / (cluster["nodes"] * cluster["cores"]), 100) / 3600)


def test_alike_runs_that_were_finished_on_a_cpu_tell_how_long_others_take(own_results):
    done, other = folds()[:3], folds()[10]
    for run, seconds in zip(done, (3600.0, 7200.0, 9000.0), strict=True):
        finish(run, seconds)
    finish(folds()[3], 9e9, device="cuda")
    forecast = costs.Forecast(FOLDS, "reduced")
    assert forecast.hours(other) == pytest.approx(2), "the median"
    # Each from the other two: 8100 for 3600, 6300 for 7200, 5400 for 9000
    assert forecast.ratios() == (pytest.approx([8100 / 3600, 6300 / 7200, 5400 / 9000]), "")
    said = forecast.lines([other] * 6, 3, (2, 1))
    assert "4 h on 3 cores, 6 h on 2 nodes of 1 cores" in said[0]
    assert "held against 3 finished runs: median estimate / actual 0.88" in said[-1]
    assert forecast.lines([], 3, (2, 1)) == said[-1:], "nothing is missing"


def test_where_none_was_finished_counted_work_is_held_against_another_tier(own_results):
    for run in folds()[:2]:
        finish(run, 40.0)
    forecast = costs.Forecast(FOLDS, "paper")
    small, large = (models.training_flops("resnet1d101", 1 if tier == "reduced" else 12, 4, 1000,
                                          width=16 if tier == "reduced" else 64) for tier in ("reduced", "paper"))
    [run, *_] = folds(tier="paper")
    # 2 s an epoch of 630 recordings, one thread
    expected = 2 * large / small * run.config.epochs * costs._training_records(run) / 630 / 3600
    assert forecast.hours(run) == forecast.counted(run) == pytest.approx(expected)
    assert forecast.ratios() == (pytest.approx([100 / 40] * 2), " of another tier"), "50 epochs were planned"


def test_pretrainings_are_counted_by_frames_and_unknown_where_data_must_be_read(own_results):
    [known, *_], [unknown] = (pretrainings.enumerate_runs(name, "paper") for name in
                              ("weimann2021-seeds", "jang2021-seeds"))
    config = known.config
    work = 3 * resnet18_forward(config.width, round(config.seconds * config.sampling_rate), 1)
    assert costs._flops(known) == pytest.approx(work * config.per_epoch * config.epochs, rel=0.01)
    assert np.isnan(costs._flops(unknown))
    said = costs.Forecast("jang2021-seeds", "paper").lines([unknown], 2, (4, 32))
    assert said[0].endswith("unknown on 2 cores, unknown on 4 nodes of 32 cores")
    assert said[1].endswith("unknown") and "no finished run" in said[2]


def test_a_finished_pretraining_tells_of_as_many_windows_and_of_no_fine_tuning(own_results):
    some, more = pretrainings.enumerate_runs("jang2021-sensitivity", "reduced")[:2]
    [whole] = pretrainings.enumerate_runs("jang2021-seeds", "reduced")
    results.save(results.Result(some.experiment, some.key, dataclasses.asdict(some.config), {"upstream": "substitute"},
                                {"mse_sum": 1.0}, [{"epoch": 1, "seconds": 1.0}], {"digest": ""},
                                {"none": np.zeros(0)}, PROVENANCE | {"wall_seconds": 60.0, "device": "cpu"}))
    forecast = costs.Forecast(some.experiment, "reduced")
    assert forecast.hours(more) == pytest.approx(2 / 60), "of twice the width"
    assert np.isnan(forecast.hours(whole)), "which learns from all windows"
    assert "no finished run" in costs.Forecast(some.experiment, "paper").lines([], 2)[-1]
