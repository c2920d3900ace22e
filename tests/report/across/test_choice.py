"""Across the papers: every network keeps its own inputs, all else is the same, and the page follows the results."""

import dataclasses

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score
from stored_runs import PROVENANCE

from ecgtl import config as ecgtl_config
from ecgtl import experiments, models, results
from ecgtl.config import BASELINES, TIERS, FinetuneConfig, protocol, starts
from ecgtl.datasets import catalogue
from ecgtl.datasets.ptbxl import SUPERCLASSES
from ecgtl.errors import EcgtlError
from ecgtl.jobs import finetune, inputs, scoring
from ecgtl.models import checkpoint
from ecgtl.report.across import candidates, choice
from ecgtl.results import Result
from ecgtl.signals import preparation

pytestmark = pytest.mark.usefixtures("own_results")
FREE, NON_COMMERCIAL = "CC BY 4.0", "CC BY-NC-SA 4.0 (Icentia11k is among the sources)"


def planned(tier="reduced", **wanted):
    return [run for run in experiments.enumerate_runs("across", tier)
            if all(getattr(run.config, name, getattr(run, name, None)) == value for name, value in wanted.items())]


# --- the experiment -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tier", TIERS)
def test_a_network_keeps_the_inputs_and_the_training_of_its_own_paper(tier):
    own = {"cae_classifier": "jang2021", "resnet18": "weimann2021", "resnet1d101": "melep2023", "bilstm": "melep2023"}
    # A ResNet-18 reads the 10 s of PTB-XL without padding, in batches as in its paper's experiment on it
    table5 = experiments.enumerate_runs("weimann2021-table5-ptbxl", "reduced")[0].config
    for run in planned(tier):
        if run.method in BASELINES:
            continue
        alone = FinetuneConfig.of(protocol=own[run.config.arch], arch=run.config.arch, tier=tier).resolved()
        kept = {"sampling_rate", "seconds", "width", "variant", "batch_size", "learning_rate"}
        if run.config.arch == "resnet18":
            assert (run.config.seconds, run.config.batch_size) == (table5.seconds, table5.batch_size) == (10, 32)
            kept -= {"seconds", "batch_size"}
        assert {name: getattr(run.config, name) for name in kept} == {name: getattr(alone, name) for name in kept}
        assert run.config.input_protocol == own[run.config.arch] and alone.input_protocol == alone.protocol


@pytest.mark.parametrize("tier", TIERS)
def test_all_else_is_the_same_for_all(tier):
    runs, same = planned(tier), ("dataset", "protocol", "lead", "on_bad", "fraction", "epochs", "patience", "precision")
    assert {tuple(getattr(run.config, name) for name in same) for run in runs} == {
        ("ptbxl", "across", 0, "skip", 1.0, protocol("across").tiers[tier]["epochs"], 1000, "auto")}
    assert all(run.config.seed == run.number and run.config.epochs < run.config.patience for run in runs)
    rules = protocol("across")
    assert rules.split.folds == {"validation": 9, "test": 10}
    assert (rules.score, rules.report) == ("macro_auc", "validated")


def test_every_start_has_the_same_network_from_random_weights_beside_it():
    configs = {run.method: run.config for run in planned() if run.number == 0}
    assert {(c.arch, c.init) for c in configs.values() if c.arch not in BASELINES} == {
        ("cae_classifier", "random"), ("cae_classifier", "cae"),
        *(("resnet18", init) for init in ("random", "beat", "rhythm", "heart_rate", "future")),
        *((arch, init) for arch in ("resnet1d101", "bilstm") for init in ("random", "cpsc2018", "cinc2017"))}
    for config in configs.values():
        assert dataclasses.replace(config, init="random") in configs.values()
    assert len(planned()) == 3 * len(configs) == 45


def test_a_tier_has_only_rows_that_it_makes_weights_for():
    sources = protocol("melep2023").sources["melep2023-sources"]["datasets"]
    for tier in TIERS:
        asked = {run.config.init for run in planned(tier) if run.config.init in ecgtl_config.source_experiments()}
        assert asked and asked <= set(sources[tier])
    only = {run.method for run in planned()} - {run.method for run in planned("paper")}
    assert only == {"resnet1d101_cinc2017", "bilstm_cinc2017"}


@pytest.mark.parametrize("arch", candidates.NETWORKS)
def test_inputs_are_those_of_the_networks_own_paper(arch, session_cache):
    run = planned("demo", arch=arch)[0].config
    recordings = inputs.read(run.plan()).select(np.arange(6))
    alone = dataclasses.replace(run, protocol=run.input_protocol)
    x = inputs.Prepared(run.plan(), recordings).inputs()
    np.testing.assert_array_equal(x, inputs.Prepared(alone.plan(), recordings).inputs())
    others = {preparation.prepare(recordings, run.sampling_rate, run.n_samples, (0,),
                                  preparation.Input("start", kind, None)).tobytes()
              for kind in preparation.STANDARDS} - {np.asarray(x).tobytes()}
    assert len(others) >= 2, "three ways of scaling make three inputs"
    assert recordings.classes == SUPERCLASSES and recordings.leads.tolist() == [["I"]] * 6


@pytest.mark.needs("ptb-xl")
def test_all_networks_see_the_same_real_recordings(real_data):
    entry = experiments.load("across")
    if catalogue.available(catalogue.entry("ptbxl"), real_data).state == "no":
        pytest.skip("no recording of PTB-XL is available here")
    recordings = inputs.read(planned()[0].config.plan())
    if len(recordings) != entry.data.records:
        pytest.skip("another part of PTB-XL is available here than the experiment stands on")
    for arch in candidates.NETWORKS:
        assert inputs.drop_unusable(planned(arch=arch)[0].config.plan(), recordings).digest == entry.data.digest


def test_weights_say_the_protocol_that_makes_their_inputs(tmp_path):
    config = dataclasses.replace(planned("demo", method="bilstm_random")[0].config, epochs=1,
                                 save_weights=str(tmp_path / "w.safetensors"))
    finetune.run(config)
    weights, facts = checkpoint.load(tmp_path / "w.safetensors")
    assert (facts.protocol, facts.dataset, facts.seconds) == ("melep2023", "ptbxl", 10)
    checkpoint.network(tmp_path / "w.safetensors", weights, facts)  # it can be put together again


# --- a source's name as a start -----------------------------------------------------------------------------------


def test_the_data_set_of_a_source_is_a_start():
    config = FinetuneConfig.of(init="cpsc2018").resolved()
    assert (config.protocol, config.arch) == ("melep2023", "resnet1d101")
    assert config.plan().start.name == "cpsc2018-resnet1d101-demo.safetensors"
    with pytest.raises(EcgtlError,
                       match=r"init=georgia has no checkpoint for arch=bilstm, tier=paper yet; make it with "
                                         r"'python -m ecgtl run melep2023-sources --tier paper', use init=random"):
        _ = FinetuneConfig.of(init="georgia", arch="bilstm", tier="paper").plan().start
    with pytest.raises(EcgtlError, match="unknown init 'icentia11k'; allowed: random, cae, .*cpsc2018"):
        FinetuneConfig.of(init="icentia11k")


@pytest.mark.parametrize("facts, expected", [({"synthetic": True}, "synthetic"), ({"synthetic": False}, "substitute"),
                                             ({"synthetic": False, "evidence": "subset"}, "subset")])
def test_a_result_says_what_its_start_was_trained_on(tmp_path, facts, expected):
    own = {"sources": ["mitdb"], "licence": FREE}
    config = dataclasses.replace(planned("demo", method="bilstm_random")[0].config,
                                 init=str(tmp_path / "s.safetensors"), epochs=1)
    network = models.build("bilstm", 1, 3, width=config.width, length=config.n_samples)
    checkpoint.save(tmp_path / "s.safetensors", network.state_dict(), {
        "arch": "bilstm", "width": config.width, "variant": config.variant, "in_channels": 1,
        "sampling_rate": config.sampling_rate, "seconds": config.seconds} | own | facts)
    result = finetune.run(config)
    assert result.evidence["upstream"] == expected
    assert {name: result.data["start"][name] for name in own} == own


# --- results as if they had been run ------------------------------------------------------------------------------

N_TEST = 200
Y = (np.random.default_rng(5).random((N_TEST, len(SUPERCLASSES))) < 0.35).astype(np.uint8)


def probabilities(strength, seed):
    noise = np.random.default_rng(seed).standard_normal(Y.shape)
    return (1 / (1 + np.exp(-(strength * Y + noise)))).astype(np.float16)


def seed_of(run):
    """Another noise for every run."""
    return [run.method for run in planned()].index(run.method) * 10 + run.number


def store(method, strengths, seconds=10.0, licence=FREE, sources=("mitdb",)):
    """Runs of one row: the stronger, the better they rank."""
    for run, strength in zip(planned(method=method), strengths, strict=False):
        trivial = method in BASELINES
        p = probabilities(strength, 0 if trivial else seed_of(run))
        scores = scoring.score_multi_label(Y, p, SUPERCLASSES)
        counts = {name: dict.fromkeys(SUPERCLASSES, 9) for name in ("train", "validation", "test")}
        data = {"name": "ptbxl", "version": "1.0.3", "records": 2931, "split": counts,
                "digest": experiments.load("across").data.digest, "classes": list(SUPERCLASSES)}
        if run.config.init != "random":
            data["start"] = {"arch": "x", "sampling_rate": 1, "seconds": 1, "sources": list(sources),
                             "licence": licence}
        history = [] if trivial else [{"epoch": k, "seconds": seconds / 2} for k in (1, 2)]
        results.save(Result(run.home, run.key, dataclasses.asdict(run.config),
                            {"upstream": "substitute", "target": "subset", "leads": "full"},
                            scores | {"validated": scores | {"epoch": 1}}, history, data,
                            {"y_test": Y, "prob_validated": p}, PROVENANCE | {"wall_seconds": 90.0 - run.number}))


def everything(**strengths):
    """All rows with three runs, of the same middling strength but for those named."""
    for method in dict.fromkeys(run.method for run in planned()):
        store(method, [strengths.get(method, 1.0)] * 3)


# --- the bootstrap over test recordings ---------------------------------------------------------------------------


def test_resampled_areas_are_scikit_learns_on_the_recordings_drawn():
    y, n = Y[:60], 60
    runs = [(y, np.round(probabilities(1.0, seed)[:60], 1)) for seed in (1, 2)]  # rounded: with ties
    found = candidates.resampled(runs, resamples=20, seed=3)
    counts = np.random.default_rng(3).multinomial(n, np.full(n, 1 / n), size=20)
    for value, drawn in zip(found, counts, strict=True):
        rows = np.repeat(np.arange(n), drawn)
        oracle = [roc_auc_score(y[rows], p[rows].astype(float), average="macro") for _, p in runs]
        assert value == pytest.approx(np.mean(oracle), abs=1e-6)
    assert found.std() > 0.01


def test_a_label_that_a_draw_leaves_without_positives_does_not_count():
    y = np.zeros((20, 2), np.uint8)
    y[0, 0] = 1  # the first label has one positive, which a third of the draws lack; it is ranked last
    y[::2, 1] = 1  # the second label is ranked rightly
    p = np.column_stack([np.r_[0.1, np.full(19, 0.9)], np.where(y[:, 1], 0.8, 0.2)]).astype(np.float16)
    found = candidates.resampled([(y, p)], resamples=200)
    assert set(np.round(found, 6)) == {0.5, 1.0}, "the mean of 0 and 1, or 1 alone"


def test_runs_of_other_recordings_are_refused():
    with pytest.raises(EcgtlError, match="not tested on the same recordings"):
        candidates.resampled([(Y, probabilities(1, 0)), (1 - Y, probabilities(1, 0))])


# --- rows and differences -----------------------------------------------------------------------------------------


def test_numbers_are_those_of_the_stored_runs():
    store("beat", (1.0, 1.2, 1.4), seconds=7)
    rows = candidates.load("reduced")
    row = choice.frame(rows).set_index("method").loc["beat"]
    stored = [results.load(run.path) for run in planned(method="beat")]
    areas = [roc_auc_score(Y, result.arrays["prob_validated"].astype(float), average="macro") for result in stored]
    low, high = stats.t.interval(0.95, 2, np.mean(areas), stats.sem(areas))
    assert row[["macro_auc", "low", "high"]].tolist() == pytest.approx([np.mean(areas), low, high], abs=1e-8)
    assert row["f_max"] == pytest.approx(np.mean([result.scores["f_max"] for result in stored]))
    assert (row["runs"], row["seconds"], row["trained_on"]) == (3, 7, "mitdb")
    assert row["test_low"] < row["macro_auc"] < row["test_high"]
    shown = choice.readable(choice.frame(rows), rows).set_index("Network and start")
    assert shown.loc["ResNet-18, beat classification", "Start was trained on"] == "MIT-BIH Arrhythmia"
    assert (shown.drop(index="ResNet-18, beat classification")["Weighted F1"] == "PENDING").all()
    assert list(rows)[-2:] == list(BASELINES)


def test_a_difference_is_between_a_start_and_the_same_network_from_random_weights():
    everything(cae=2.5, bilstm_cpsc2018=0.1)
    rows = candidates.load("reduced")
    table = choice.frame(rows).set_index("method")
    means = {method: row.sample.mean for method, row in rows.items()}
    for method, base in {"cae": "cae_random", "future": "resnet18_random", "bilstm_cinc2017": "bilstm_random"}.items():
        assert table.loc[method, "over_random_value"] == pytest.approx(means[method] - means[base])
        assert table.loc[method, "over_rr_value"] == pytest.approx(means[method] - means["rr_boosting"])
        welch = stats.ttest_ind(rows[method].scores("macro_auc"), rows[base].scores("macro_auc"),
                                equal_var=False).confidence_interval(0.95)
        limits = table.loc[method, ["over_random_low", "over_random_high"]].tolist()
        assert limits == pytest.approx([welch.low, welch.high])
    assert table.loc[["cae", "bilstm_cpsc2018"], "over_random"].tolist() == ["above", "below"]
    shown = choice.differences(rows).set_index("Network and start")
    assert (shown.loc["ResNet-18, random weights"].iloc[:3] == "–").all()
    assert (shown.loc["RR intervals, boosted trees"] == "–").all()
    assert shown.loc["Convolutional encoder, autoencoder", "− random weights: verdict"] == "above"


@pytest.mark.parametrize("limits, verdict", [((0.1, 0.2, 0.05, 0.3), "above"), ((-0.2, -0.1, -0.3, -0.1), "below"),
                                             ((0.1, 0.2, -0.01, 0.3), "not distinguished"),
                                             ((-0.1, 0.2, 0.01, 0.3), "not distinguished"),
                                             ((-0.2, -0.1, -0.3, 0.01), "not distinguished")])
def test_both_intervals_have_to_leave_out_zero(limits, verdict):
    assert candidates.Gap(0.0, *limits).verdict == verdict


def test_two_classifiers_that_never_vary_leave_no_doubt_over_runs():
    store("rr_boosting", (1.5,) * 3)
    store("majority", (0.0,) * 3)
    rows = candidates.load("reduced")
    found = candidates.gap(rows["rr_boosting"], rows["majority"])
    assert found.low == found.high == found.value > 0 and found.verdict == "above"


def test_two_runs_are_shown_and_not_compared():
    everything()
    next(iter(planned(method="beat"))).path.unlink()
    rows = candidates.load("reduced")
    assert candidates.gap(rows["beat"], rows["resnet18_random"]) is None
    shown = choice.differences(rows).set_index("Network and start")
    assert (shown.loc["ResNet-18, beat classification"] == "PENDING").all()
    assert "1 of 15 rows have fewer than 3 runs" in choice.answer(rows).data


# --- what one would choose ----------------------------------------------------------------------------------------


def test_nothing_is_said_before_there_are_runs():
    rows = candidates.load("reduced")
    assert choice.answer(rows).data.count("<li>") == 1 and "PENDING: 15 of 15 rows" in choice.answer(rows).data
    assert ("0 of 45 runs; the rest by <code>python -m ecgtl run across --tier "
            "reduced</code>") in choice.state("reduced").data
    assert choice.target(rows, "reduced").set_index("What").loc["Recordings"].item() == "PENDING"


def test_the_best_row_is_chosen_where_it_stands_alone():
    everything(heart_rate=3.0)
    told = choice.answer(candidates.load("reduced")).data
    assert "Highest mean: ResNet-18, heart rate classification" in told and "Not distinguished from it: none" in told
    assert ("Choice: ResNet-18, heart rate classification, which of the rows that cannot be distinguished from the "
            "best needs least (10 s of") in told
    assert "PENDING" not in told


def test_of_rows_that_cannot_be_told_apart_the_one_that_needs_least_is_chosen():
    everything(heart_rate=3.0, cae=3.0)
    for seconds, chosen in ((4, "Convolutional encoder, autoencoder"), (40, "ResNet-18, heart rate classification")):
        store("cae", (3.0,) * 3, seconds=seconds)
        assert f"Choice: {chosen}, which" in choice.answer(candidates.load("reduced")).data, "the shorter training"
    store("bilstm_random", (3.0,) * 3, seconds=400)
    assert "Choice: Bi-LSTM, random weights, which" in choice.answer(candidates.load("reduced")).data, "no checkpoint"
    store("rr_boosting", (3.0,) * 3, seconds=4000)
    assert "Choice: RR intervals, boosted trees, which" in choice.answer(candidates.load("reduced")).data, "no network"


def test_a_licence_without_commerce_is_named_with_the_next_best():
    everything(heart_rate=3.0, cae=3.0)
    store("cae", (3.0,) * 3, seconds=4, licence=NON_COMMERCIAL)
    told = choice.answer(candidates.load("reduced")).data
    assert "its start is for non-commercial use. Without that condition: ResNet-18, heart rate classification." in told


def test_networks_that_do_not_beat_the_trivial_classifier_are_told_so():
    everything(rr_boosting=3.0, cae=3.0)
    told = choice.answer(candidates.load("reduced")).data
    assert ("0 of 13 networks and starts beat RR intervals alone; not told from them: Convolutional encoder, "
            "autoencoder; below") in told
    everything(rr_boosting=0.0)
    assert ("13 of 13 networks and starts beat RR intervals alone; not told from them: "
            "none") in choice.answer(candidates.load("reduced")).data


def test_each_network_says_which_starts_beat_its_random_weights():
    everything(beat=3.0, future=0.0)
    told = choice.answer(candidates.load("reduced")).data
    assert ("ResNet-18, starts against its own random weights: above: beat classification; not distinguished: rhythm "
            "classification, "
            "heart rate classification; below: future prediction.") in told


def test_a_start_that_has_seen_the_target_is_named():
    everything()
    assert ("9 say here what they were trained on; none has seen the "
            "target") in choice.unseen(candidates.load("reduced")).data
    store("cae", (1.0,) * 3, sources=("mitdb", "ptbxl"))
    assert "have seen the target: Convolutional encoder, autoencoder" in choice.unseen(candidates.load("reduced")).data


# --- the rest of the page -----------------------------------------------------------------------------------------


def test_parameters_are_counted_in_the_network_that_is_trained():
    table = choice.networks(candidates.load("reduced")).set_index("Network")
    for arch, words in candidates.NETWORKS.items():
        config = planned(arch=arch)[0].config
        recordings = inputs.read(planned("demo", arch=arch)[0].config.plan())
        counted = models.count_parameters(inputs.Prepared(config.plan(), recordings).network())
        assert table.loc[words, "Parameters"] == f"{counted:,}"
        assert table.loc[words, "Learning rate"] == f"{config.learning_rate:g}"
    assert "above 0.5 Hz" in table.loc["Convolutional encoder", "Scaled"]


def test_checkpoints_are_at_hand_or_have_a_command(monkeypatch):
    everything()
    rows = candidates.load("reduced")
    monkeypatch.setattr(starts, "stored_weights", lambda init, arch, tier: "file" if init == "cae" else None)
    table = choice.checkpoints(rows).set_index("Network and start")
    assert len(table) == 9 and set(table["Licence"]) == {FREE}
    assert table.loc["Convolutional encoder, autoencoder", "Weights"] == "available here"
    weights = table["Weights"]
    assert "python -m ecgtl run melep2023-sources --tier reduced" in weights["Bi-LSTM, labels of CPSC 2018"]
    assert "-p objective beat -p arch resnet18 -p tier reduced" in weights["ResNet-18, beat classification"]


def test_the_figure_shows_what_there_is_and_says_what_is_missing():
    store("cae_random", (1.0, 1.2, 1.4))
    store("rr_boosting", (0.5,) * 3)
    rows = candidates.load("reduced")
    drawn = choice.figure(rows)
    panels = dict(zip(candidates.NETWORKS, drawn.axes, strict=True))
    assert [len([t for t in axes.texts if t.get_text() == "PENDING"]) for axes in panels.values()] == [1, 5, 3, 3]
    lines = [line.get_xydata().tolist() for line in panels["cae_classifier"].get_lines()]
    assert [[value, 0.28] for value in rows["cae_random"].scores("macro_auc")] in lines
    mean = rows["rr_boosting"].sample.mean
    assert all([[mean, 0], [mean, 1]] in [line.get_xydata().tolist() for line in axes.get_lines()]
               for axes in drawn.axes)
    labels = [label.get_text() for label in panels["cae_classifier"].get_yticklabels()]
    assert labels == ["Random weights", "Autoencoder"]
