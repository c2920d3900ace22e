"""Weimann 2021's pages: they follow the results and the paper's numbers, and say PENDING where nothing has
been run.
"""

import dataclasses
import functools
import itertools

import matplotlib
import numpy as np
import pytest
from matplotlib import pyplot as plt
from pages import cell, run_page, unmarked
from scipy import stats

from ecgtl import experiments, models, published, results
from ecgtl.analysis import cells, coverage, names
from ecgtl.analysis.names import f1
from ecgtl.config import BASELINES, PretrainConfig
from ecgtl.jobs.pretrain import key_of
from ecgtl.models.contrastive import FuturePredictor
from ecgtl.report import figures, gains, study, tables
from ecgtl.report.jobs import finetune
from ecgtl.report.tables import Lines
from ecgtl.report.weimann import figure1, figure2, figure3, shared, table2, table3, table4, table5
from ecgtl.report.weimann import table1 as weimann_table1
from ecgtl.report.words import estimate
from ecgtl.results import Result

matplotlib.use("Agg")
PAGES = ("table1", "table2", "table3", "table4", "table5", "figure1", "figure2", "figure3")
EXPERIMENTS = tuple(shared.NAMES)
LABELS = {"SR": 20, "AFIB": 4, "SVTAC": 0}  # recordings of the test set with each label
PROVENANCE = {"commit": "0" * 40, "dirty": False, "versions": {"torch": "x"}, "device": "cpu", "machine": "m",
              "threads": 1,
              "seed": 0, "wall_seconds": 36.0, "finished": "2026-01-01T00:00:00Z", "command": "c"}
CURVE = (0.2, 0.5, 0.6, 0.62, 0.61)  # validation score by epoch: 95 % of the best is .589, reached in epoch 3


def one_label(value):
    by_class = {"normal": value + 0.1, "af": value, "other": value - 0.02, "noise": value - 0.1}
    return {"macro_f1": value, "weighted_f1": value, "accuracy": value, "challenge_f1": value + 0.03,
            "f1_per_class": by_class}


def several_labels(value, threshold=None):
    scores = {"macro_auc": value, "f_max": value - 0.1,
              "auc_per_class": {"SR": value, "AFIB": value, "SVTAC": None}}
    return scores | ({"f_beta": value - 0.2, "g_beta": value - 0.3,
                      "thresholds": {"f_beta": threshold, "g_beta": 0.5}}
                     if threshold is not None else {})


def write(run, value=0.7, best_test=None, threshold=0.3, curve=CURVE):
    """A stored result of ``run`` whose reported score is ``value``, as if it had been run."""
    entry = experiments.load(run.experiment)
    trivial, multi = run.method in BASELINES, entry.dataset != "cinc2017"
    scored = several_labels(value, threshold) if multi else one_label(value)
    scores = scored | {"validated": scored | {"epoch": 4}}
    if not trivial:
        other = several_labels if multi else one_label
        scores |= {"best_test": other(value if best_test is None else best_test), "last": other(value - 0.01)}
    counts = LABELS if multi else dict.fromkeys(shared.CLASSES, 10)
    data = {"name": entry.dataset, "version": "1", "records": 100, "classes": list(counts),
            "digest": entry.data.digest,
            "split": dict.fromkeys(("train", "validation", "test"), counts)}
    evidence = {"upstream": "none" if trivial or run.method == "random" else "substitute",
                "target": "subset" if multi else "full", "leads": "full"}
    history = [] if trivial else [{"epoch": k, "validation_score": y} for k, y in enumerate(curve, start=1)]
    results.save(Result(run.home, run.key, dataclasses.asdict(run.config), evidence, scores, history, data,
                        {"y_test": np.zeros(1, np.uint8)}, PROVENANCE))


def store(experiment, method, size, values, **options):
    """Runs of one cell in tier reduced; a shared cell is stored once."""
    runs = {(run.method, run.size, run.number): run
            for run in experiments.enumerate_runs(experiment, "reduced")}
    for number, value in enumerate(values):
        write(runs[method, size, number], value, **options)


def mixed():
    """Some cells full, some of one run, some empty."""
    wanted = {"random": 3, "beat": 3, "rhythm": 1, "heart_rate": 0, "future": 3, "majority": 1,
              "rr_boosting": 3}
    for experiment in EXPERIMENTS:
        for run in experiments.enumerate_runs(experiment, "reduced"):
            task = next((task for task in wanted if run.method.startswith(task)), None)
            if run.number < wanted[task] and not run.path.exists():
                write(run, {"random": 0.70, "beat": 0.74}.get(task, 0.72) + 0.01 * run.number)


@pytest.fixture(autouse=True)
def stored(tmp_path, monkeypatch):
    """An empty results folder; figures are closed afterwards."""
    monkeypatch.setenv("ECGTL_RESULTS", str(tmp_path))
    figures.use_style()
    yield tmp_path
    plt.close("all")


@pytest.fixture(scope="module")
def some(tmp_path_factory):
    """A results folder with ``mixed`` runs."""
    folder = tmp_path_factory.mktemp("mixed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ECGTL_RESULTS", str(folder))
        mixed()
    return folder


def row_of(table, **where):
    """The one row of a readable table that has these words, with ordinary spaces."""
    table = table.map(unmarked)
    for column, words in where.items():
        table = table[table[column.replace("_", " ")] == words]
    return table.squeeze()


def paper_gap(table, first, second, *columns):
    """Welch's interval from two printed cells, by SciPy."""
    a, b = (published.lookup(".".join(("weimann2021", table, "rows", *map(str, place), *columns)))
            for place in (first, second))
    found = stats.ttest_ind_from_stats(a["mean"], a["sd"], 10, b["mean"], b["sd"], 10, equal_var=False)
    error = (a["mean"] - b["mean"]) / found.statistic
    va, vb = a["sd"] ** 2 / 10, b["sd"] ** 2 / 10
    half = stats.t.ppf(0.975, (va + vb) ** 2 / (va**2 / 9 + vb**2 / 9)) * error
    return gap(a["mean"] - b["mean"], half)


def printed_difference(ours, table, *cells):
    """Ours minus the printed one with the interval of Welch and Satterthwaite: a cell, or a difference of two."""
    printed = [published.lookup(".".join(("weimann2021", table, "rows", *map(str, place)))) for place in cells]
    signs = [1, -1][:len(ours)]
    value = sum(sign * (np.mean(own) - theirs["mean"]) for sign, own, theirs in zip(signs, ours, printed, strict=True))
    errors = [(np.var(own, ddof=1) / len(own), len(own) - 1) for own in ours]
    errors += [(theirs["sd"] ** 2 / 10, 9) for theirs in printed]
    total = sum(error for error, _ in errors)
    degrees = total**2 / sum(error**2 / free for error, free in errors)
    return gap(value, stats.t.ppf(0.975, degrees) * np.sqrt(total))


def mean_of(values):
    """Mean, 95 % interval by Student and number of runs."""
    low, high = stats.t.interval(0.95, len(values) - 1, loc=np.mean(values), scale=stats.sem(values))
    return f"{f1(np.mean(values))} [{f1(low)}, {f1(high)}] n {len(values)}"


def welch(ours, base):
    low, high = stats.ttest_ind(ours, base, equal_var=False).confidence_interval(0.95)
    return gap((low + high) / 2, (high - low) / 2)


def gap(value, half):
    return f"{f1(value, True)} [{f1(value - half, True)}, {f1(value + half, True)}]"


def texts(figure):
    return [text.get_text() for axes in figure.axes for text in axes.texts]


# --- what has been run ------------------------------------------------------------------------------------


def test_without_runs_there_is_the_paper_and_the_word_pending():
    assert cells.shown_tier(shared.TABLE3, pending=True) == "reduced"
    assert cells.shown_tier(shared.TABLE3, "paper", pending=True) == "paper"
    said = shared.state(shared.TABLE3, "reduced").data
    assert "pending" in said and "0 of 63 runs" in said
    assert "python -m ecgtl run weimann2021-table3 --tier reduced" in said
    frame = shared.comparisons(shared.TABLE3, "reduced")
    place = "Beat classification", "Sampling rate", "128 Hz"
    assert cell(shared.compared(frame, "Sampling rate"), *place) == Lines(".779 ± .012", names.PENDING)
    assert cell(shared.gains(frame, "Sampling rate"), *place) == Lines(
        paper_gap("table3", ("beat", 128), ("random", 128)), names.PENDING)


def test_state_names_the_evidence_and_drops_the_command_when_all_runs_are_there():
    for run in experiments.enumerate_runs(shared.PTBXL, "reduced"):
        write(run)
    said = shared.state(shared.PTBXL, "reduced").data
    assert "PTB-XL: 21 of 21 runs." in said and "python -m" not in said and "target: subset" in said


def test_a_page_says_how_few_subjects_its_pretraining_had():
    store(shared.TABLE2, "random", 75, [0.7])
    config = PretrainConfig.of(objective="beat", tier="reduced").resolved()
    results.save(Result("pretrain", key_of(config), dataclasses.asdict(config), {"upstream": "substitute"}, {}, [],
                        {"subjects": {"train": 31}, "sources": {"mitdb": {}}}, {"none": np.zeros(1)}, PROVENANCE))
    assert "subjects" not in shared.state(shared.TABLE2, "reduced").data  # nothing pretrained is shown
    store(shared.TABLE2, "beat", 75, [0.7])
    said = shared.state(shared.TABLE2, "reduced").data
    assert "31 subjects to learn from here (mitdb), where the paper had 11,000" in said


def test_a_run_of_two_tables_shows_in_both():
    store(shared.TABLE1, "beat_2048", 75, [0.7, 0.71, 0.72])
    for experiment, place in ((shared.TABLE1, ("beat_2048", 75)), (shared.TABLE2, ("beat", 75)),
                              (shared.TABLE3, ("beat", 250)),
                              (shared.TABLE4, ("beat", "resnet18"))):
        assert cells.cells(experiment, "reduced")[place].values == (0.7, 0.71, 0.72)


# --- several scores and columns ---------------------------------------------------------------------------


def test_a_score_that_the_paper_does_not_print_stands_alone():
    store(shared.PTBXL, "beat", "ptbxl", [0.9, 0.92, 0.94])
    table = shared.compared(shared.comparisons(shared.PTBXL, "reduced", shared.MULTI_LABEL), "Score")
    ours = [0.9, 0.92, 0.94]
    assert cell(table, "Beat classification", "Score", "AUC") == Lines(
        ".962 ± .006", mean_of(ours), printed_difference([ours], "table5", ("beat", "ptbxl", "macro_auc")))
    assert cell(table, "Beat classification", "Score", "Fβ=2") == Lines("", mean_of([0.7, 0.72, 0.74]), "")
    assert [(column, any(one.paper for one in table[column])) for column in list(table)[1:]] == [
        (("Score", "AUC"), True), (("Score", "Fmax"), True), (("Score", "Fβ=2"), False), (("Score", "Gβ=2"), False)]
    # Table 2 prints macro F1 alone: its number is not that of a class
    assert cells.comparison(shared.TABLE2, "reduced", "f1_per_class.af")["paper"].isna().all()
    assert cells.comparison(shared.TABLE1, "reduced",
                             "f1_per_class.af").set_index("method")["paper"]["beat_2048"] == 0.777


def test_gains_are_differences_with_welch_beside_the_printed_one():
    ours, base = [0.74, 0.75, 0.77], [0.70, 0.71, 0.75]
    store(shared.TABLE2, "beat", 50, ours)
    store(shared.TABLE2, "random", 50, base)
    found = cell(shared.gains(shared.comparisons(shared.TABLE2, "reduced"), "Share of the data set"),
                 "Beat classification", "Share of the data set", "50 %")
    assert found == Lines(paper_gap("table2", ("beat", 50), ("random", 50)), welch(ours, base),
                          printed_difference([ours, base], "table2", ("beat", 50), ("random", 50)))


def test_a_cell_has_the_print_ours_and_welchs_difference_and_says_what_that_decides():
    ours = [0.74, 0.75, 0.77]
    store(shared.TABLE2, "beat", 25, ours)
    table = shared.compared(shared.comparisons(shared.TABLE2, "reduced"), "Share of the data set")
    assert cell(table, "Beat classification", "Share of the data set", "25 %") == Lines(
        ".739 ± .014", mean_of(ours), printed_difference([ours], "table2", ("beat", 25)))
    lines = table.iloc[table[table.columns[0]].tolist().index("Beat classification"), 1]
    assert "≈" in lines.gap and 'aria-label="the 95 % interval includes 0"' in lines.gap
    assert list(table.columns)[1:] == [("Share of the data set", words) for words in ("25 %", "50 %", "75 %")]


@pytest.mark.parametrize("n", [1, 2])
def test_fewer_than_three_runs_have_no_interval(n):
    for method in ("random", "beat"):
        store(shared.TABLE2, method, 25, [0.7, 0.8][:n])
    frame = shared.comparisons(shared.TABLE2, "reduced")
    place = "Beat classification", "Share of the data set", "25 %"
    gained = cell(shared.gains(frame, "Share of the data set"), *place)
    assert (gained.here, gained.gap) == ("+.000", "")
    shown = cell(shared.compared(frame, "Share of the data set"), *place)
    assert (shown.here.split(), shown.gap) == ([f1(0.7 + 0.05 * (n - 1)), "n", str(n)], "")


def test_steps_compare_columns_of_one_row():
    small, large = [0.70, 0.71, 0.75], [0.74, 0.75, 0.77]
    store(shared.TABLE4, "random", "resnet18", small)
    store(shared.TABLE4, "random", "resnet34", large)
    found = shared.steps(shared.comparisons(shared.TABLE4, "reduced"), "resnet34", "Networks")
    shown = cell(found, names.METHODS["random"], "Networks", "ResNet-18 − ResNet-34")
    assert (shown.paper, shown.here) == (paper_gap("table4", ("random", "resnet18"), ("random", "resnet34")),
                                         welch(small, large))
    assert not set(found["Initialisation", ""]) & {names.METHODS[name] for name in BASELINES}


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


# --- Table 1 ----------------------------------------------------------------------------------------------


def table1():
    return shared.comparisons(shared.TABLE1, "reduced", ("macro_f1", *shared.BY_CLASS))


def test_four_printed_settings_lie_below_random_weights_in_a_class():
    rows = dict(published.lookup("weimann2021.table1.rows").items())
    expected = {name: [setting for setting in rows
                       if rows[setting][column]["mean"] < rows["random"][column]["mean"]]
                for name, column in (("Normal", "f1_normal"), ("AF", "f1_af"), ("Other", "f1_other"),
                                     ("Noise", "f1_noise"))}
    assert sum(map(len, expected.values())) == 4
    table = weimann_table1.below_random(table1())
    for name, settings in expected.items():
        said = row_of(table, Score=name)["Below them, in print"]
        assert [part.rpartition(" (")[0]
                for part in said.split("; ")] == ([names.METHODS[s] for s in settings] or [""])
        assert settings or said == "none"
    assert (table["Below them, ours"] == names.PENDING).all()


def test_our_settings_below_random_weights_are_named():
    store(shared.TABLE1, "random", 75, [0.7, 0.7, 0.71])
    store(shared.TABLE1, "beat_512", 75, [0.6, 0.6, 0.61])
    store(shared.TABLE1, "rhythm_512", 75, [0.8, 0.8, 0.81])
    said = row_of(weimann_table1.below_random(table1()), Score="Macro F1")
    assert said["Below them, ours"] == "Beat classification, 512 samples (.603)"


def test_the_best_setting_of_each_task_and_its_lead():
    store(shared.TABLE1, "beat_512", 75, [0.76, 0.77, 0.79])
    store(shared.TABLE1, "beat_2048", 75, [0.70, 0.72, 0.73])
    store(shared.TABLE1, "rhythm_4096", 75, [0.70, 0.72, 0.73])
    found = weimann_table1.best_settings(table1())
    assert [text.split(" (")[0] for text in found["Best in print"]] == [
        "2,048 samples", "2,048 samples", "512 samples", "Context 16, 8 negatives, offset 8"]
    beat = row_of(found, Task="Beat classification")
    low, high = stats.ttest_ind([0.76, 0.77, 0.79], [0.70, 0.72, 0.73],
                                equal_var=False).confidence_interval(0.95)
    assert beat["Best of ours"] == "512 samples (.773)" and beat["Settings run"] == "2 of 3"
    lead, printed = gap((low + high) / 2, (high - low) / 2), paper_gap("table1", ("beat_2048",),
                                                                       ("beat_512",), "f1")
    assert beat["Lead over the second, ours"] == f"{lead} over 2,048 samples"
    assert beat["Lead over the second, in print"] == f"{printed} over 512 samples"
    rhythm = row_of(found, Task="Rhythm classification")
    assert rhythm["Best of ours"].startswith("4,096")
    assert rhythm["Lead over the second, ours"] == names.PENDING
    assert row_of(found, Task="Future prediction")["Best of ours"] == names.PENDING


def test_the_challenges_score_leaves_noise_out():
    store(shared.TABLE1, "random", 75, [0.70, 0.71, 0.72])
    row = row_of(weimann_table1.challenge(table1(), shared.TABLE1, "reduced"),
                 Initialisation=names.METHODS["random"])
    assert row["Three classes, paper"] == ".770"  # (.898 + .711 + .701) / 3
    assert row["Three classes, ours"].startswith(".740") and row["Four classes, ours"].startswith(".710")


# --- Table 2 ----------------------------------------------------------------------------------------------


def test_scores_by_class_stand_beside_table_1_at_the_largest_share_alone():
    store(shared.TABLE2, "beat", 25, [0.6, 0.7, 0.8])
    rows = table2.class_rows(shared.TABLE2, "reduced").set_index(["method", "size", "score"])
    low, high = stats.t.interval(0.95, 2, loc=0.6, scale=0.1 / np.sqrt(3))
    assert rows.loc[("beat", 25, "f1_per_class.noise"),
                    ["ours", "low", "high", "n"]].tolist() == pytest.approx([0.6, low, high, 3])
    assert rows.loc[("beat", 75, "f1_per_class.noise"), ["paper", "n"]].tolist() == [0.661, 0]
    assert rows["paper"].notna().sum() == 5 * 4 and rows.loc[("future", 75, "f1_per_class.af"), "paper"] == 0.753


def test_the_forbidden_choice_flatters_by_the_mean_of_the_pairs():
    for number, (value, best) in enumerate([(0.70, 0.71), (0.72, 0.75), (0.74, 0.76)]):
        write(next(run for run in experiments.enumerate_runs(shared.TABLE2, "reduced")
                   if (run.method, run.size, run.number) == ("future", 50, number)), value, best)
    row = row_of(table2.choices(shared.TABLE2, "reduced"),
                 Initialisation="Future prediction",
                 Data_used="50 %")
    assert row["Best on validation"] == ".720 ± .020" and row["Last epoch"] == ".710 ± .020"
    assert row["Best on test − best on validation"] == "+.020" and row["n"] == 3


# --- Tables 3 and 4 ---------------------------------------------------------------------------------------


def test_columns_of_table_3_are_relative_to_the_rate_of_the_tier():
    for tier, factor, seconds in (("reduced", 0.5, 32.768), ("paper", 1, 65.536)):
        rows = table3.rates(tier)
        assert rows["Column"].tolist() == ["128 Hz", "250 Hz", "300 Hz"]
        assert [float(text.removesuffix(" Hz"))
                for text in rows["Rate here"]] == [128 * factor, 250 * factor, 300 * factor]
        assert set(rows["Pretrained at, here"]) == {f"{250 * factor:g} Hz"}
        samples = [int(text.split(", ", 1)[1].removesuffix(" samples").replace(",", ""))
                   for text in rows["Input here"]]
        assert samples == pytest.approx([factor * rate * seconds for rate in (128, 250, 300)], abs=1)


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


# --- Table 5 ----------------------------------------------------------------------------------------------


def test_labels_without_positives_are_named_and_left_out():
    assert names.PENDING in table5.unscored(shared.PTBXL, "reduced").data
    store(shared.PTBXL, "beat", "ptbxl", [0.9, 0.94])
    said = table5.unscored(shared.PTBXL, "reduced").data
    assert "Of 3 labels 1 cannot be scored" in said and "SVTAC" in said
    rows = table5.label_rows(shared.PTBXL, "reduced").set_index("Label")
    assert rows.loc["AFIB", "Test"] == 4 and rows.loc["AFIB", "AUC, beat"] == ".920"
    assert rows.loc["SVTAC", "AUC, beat"] == "–" and rows.loc["SVTAC", "AUC, rhythm"] == names.PENDING


def test_thresholds_are_those_of_the_runs():
    for number, threshold in enumerate((0.2, 0.3, 0.4)):
        write(next(run for run in experiments.enumerate_runs(shared.CPSC2018, "reduced")
                   if (run.method, run.number) == ("future", number)), threshold=threshold)
    row = row_of(table5.thresholds(shared.CPSC2018, "reduced"), Initialisation="Future prediction")
    assert row["Threshold for Fβ=2"] == "0.30 (0.20 to 0.40)"
    assert row["Threshold for Gβ=2"] == "0.50 (0.50 to 0.50)"


def test_the_related_work_is_quoted_as_printed():
    rows = table5.quoted_rows()
    assert set(rows["Quoted from"]) == {"Strodthoff et al., arXiv:2004.13701"}
    assert row_of(rows, Data_set="PTB-XL")[["AUC", "Fmax", "Fβ=2"]].tolist() == [".957 ± .015", ".917 ± .008",
                                                                                 "–"]


def test_the_printed_rankings_differ_by_score():
    frames = {name: shared.comparisons(name, "reduced", shared.MULTI_LABEL)
              for name in (shared.PTBXL, shared.CPSC2018)}
    ranked = table5.rankings(frames.items())
    assert row_of(ranked, Data_set="PTB-XL", Score="AUC")["In print"].startswith("heart rate > beat > rhythm")
    assert row_of(ranked, Data_set="PTB-XL",
                  Score="Fmax")["In print"].startswith("beat > heart rate > rhythm")
    assert row_of(ranked, Data_set="CPSC 2018",
                  Score="AUC")["In print"].endswith("random weights > heart rate")
    assert row_of(ranked, Data_set="CPSC 2018",
                  Score="Fmax")["In print"].endswith("random weights = heart rate")
    assert row_of(ranked, Data_set="PTB-XL", Score="Fβ=2")["In print"] == "not printed"
    said = table5.ranking_verdict(ranked).data
    assert "PTB-XL, in print: 2 scores, 2 different ones" in said and "ours" not in said


def test_our_ranking_needs_every_row():
    for value, method in enumerate(("random", "beat", "rhythm", "heart_rate", "future")):
        assert "ours" not in table5.ranking_verdict(table5.rankings([(shared.PTBXL, labels())])).data
        store(shared.PTBXL, method, "ptbxl", [0.9 + value / 100])
    ranked = table5.rankings([(shared.PTBXL, labels())])
    assert set(ranked["Ours"]) == {"future prediction > heart rate > rhythm > beat > random weights"}
    assert "PTB-XL, ours: 4 scores, one and the same" in table5.ranking_verdict(ranked).data


def labels():
    return shared.comparisons(shared.PTBXL, "reduced", shared.MULTI_LABEL)


def test_the_size_of_the_data_stands_beside_the_papers():
    assert "2,872 recordings here, 21,066 in the paper" in table5.data_used(shared.PTBXL).data
    assert "1,369 recordings here, 6,877 in the paper" in table5.data_used(shared.CPSC2018).data


def test_an_item_of_two_experiments_is_counted_over_both():
    def state():
        return coverage.coverage().set_index(["paper", "item"]).loc[("weimann2021", "T5")]

    assert state()["state"] == "pending"
    for run in experiments.enumerate_runs(shared.PTBXL, "reduced"):
        write(run)
    store(shared.CPSC2018, "random", "cpsc2018", [0.9])
    found = state()
    assert (found["state"], found["why"].split(";")[0]) == ("partial", "22 of 42 runs")
    assert found["evidence"] == "tier reduced, target subset, upstream none/substitute"


@pytest.mark.parametrize("altered", [False, True])
def test_scores_of_several_labels_are_computed_again(altered):
    rng = np.random.default_rng(0)
    y, p = rng.integers(0, 2, (60, 3)).astype(np.uint8), rng.random((60, 3)).astype(np.float16)
    y[:, 2] = 0
    areas = [stats.mannwhitneyu(p[y[:, k] == 1, k].astype(float), p[y[:, k] == 0, k].astype(float)).statistic
             / (y[:, k].sum() * (60 - y[:, k].sum())) for k in (0, 1)]
    scored = {"macro_auc": float(np.mean(areas)) + 0.01 * altered}
    run = experiments.enumerate_runs(shared.PTBXL, "reduced")[0]
    path = results.save(Result(run.home, run.key, dataclasses.asdict(run.config), {},
                               scored | {"validated": scored}, [], {},
                               {"y_test": y, "prob_validated": p}, PROVENANCE))
    assert finetune.recomputed(path).endswith("DIFFERENT" if altered else "equal")


# --- figures ----------------------------------------------------------------------------------------------


def titles(figure):
    return [axes.get_title("left") for axes in figure.axes]


def points(axes):
    """The single points and lines of a panel, rounded."""
    return [np.round(line.get_xydata(), 3).tolist() for line in axes.get_lines()]


def test_the_settings_are_drawn_where_they_are_and_the_others_pend():
    store(shared.TABLE1, "random", 75, [0.70, 0.71, 0.72])
    store(shared.TABLE1, "beat_2048", 75, [0.73, 0.74, 0.75])
    found = gains.over_random(shared.TABLE1, "reduced", named=weimann_table1.gain_place)
    figure = gains.figure(found, "difference")
    beat, rhythm = figure.axes[:2]
    rows = [label.get_text() for label in beat.get_yticklabels()]
    drawn, y = points(beat), rows.index("2,048 samples")
    assert [[0.048, y - 0.17]] in drawn and [[0.03, y + 0.17]] in drawn, "the paper's .779 - .731, ours .74 - .71"
    assert titles(figure)[0] == names.METHODS["beat"]
    assert (len(beat.texts), len(rhythm.texts)) == (2, 3) and set(texts(figure)) == {names.PENDING}


def test_gains_have_the_intervals_of_welch_and_a_line_at_0():
    store(shared.TABLE3, "random", 128, [0.70, 0.71, 0.72])
    store(shared.TABLE3, "beat", 128, [0.73, 0.74, 0.78])
    found = gains.over_random(shared.TABLE3, "reduced")
    figure = gains.figure(found, "difference")
    assert titles(figure) == [names.METHODS[name] for name in shared.PRETRAINED]
    assert all([[0, 0], [0, 1]] in points(axes) for axes in figure.axes)
    (known,) = (gain for gain in found if gain.ours.value is not None)
    expected = stats.ttest_ind([0.73, 0.74, 0.78], [0.70, 0.71, 0.72], equal_var=False).confidence_interval()
    assert (known.panel, known.row) == (names.METHODS["beat"], "128 Hz")
    assert (known.ours.low, known.ours.high) == pytest.approx((expected.low, expected.high))
    assert paper_gap("table3", ("beat", 128), ("random", 128)) == estimate(
        known.printed.value, known.printed.low, known.printed.high, signed=True).replace(names.NBSP, " ")


def test_the_words_of_gains_follow_the_results():
    said = []
    for lift in (0.0, 0.2):
        store(shared.TABLE3, "random", 128, [0.50, 0.51, 0.52])
        store(shared.TABLE3, "beat", 128, [0.53 + lift, 0.54 + lift, 0.55 + lift])
        limits = stats.ttest_ind([0.53 + lift, 0.54 + lift, 0.55 + lift], [0.50, 0.51, 0.52],
                                 equal_var=False).confidence_interval()
        said.append(gains.said(gains.over_random(shared.TABLE3, "reduced")).replace(names.NBSP, " "))
        assert "Difference to random weights here: of 1, 1 above 0" in said[-1]
        assert (f"Beat classification, 128 Hz {f1(0.03 + lift, True)} [{f1(limits.low, True)}, {f1(limits.high, True)}]"
                in said[-1])
    assert said[0] != said[1] and "In print: of 12, 12 above 0" in said[0]


def test_no_run_and_nothing_printed_is_no_figure():
    assert gains.figure(gains.over_random(shared.TABLE2, "demo"), "difference") is None


def test_class_panels_show_the_paper_on_the_right():
    store(shared.TABLE2, "beat", 25, [0.6, 0.7, 0.8])
    figure = table2.class_panels(table2.class_rows(shared.TABLE2, "reduced"))
    assert titles(figure) == ["Normal", "AF", "Other", "Noise"]
    # means; the caps of their bars come with them
    drawn = [line[0] for line in points(figure.axes[3]) if len(line) == 1]
    assert {0.613, 0.661, 0.66, 0.635, 0.627} <= {y for x, y in drawn if x > 2.5}
    assert {y for x, y in drawn if x < 0.5} == {0.6,
                                                *np.round(stats.t.interval(0.95, 2, loc=0.6,
                                                                           scale=0.1 / np.sqrt(3)), 3)}
    assert not texts(figure)


def test_each_score_has_its_panel_of_gains():
    store(shared.CPSC2018, "random", "cpsc2018", [0.9, 0.9, 0.9])
    store(shared.CPSC2018, "beat", "cpsc2018", [0.9, 0.91, 0.92])
    figure = gains.figure(table5.gains_by_score(shared.CPSC2018, "reduced"), "difference")
    assert titles(figure) == [shared.SCORES[score] for score in shared.MULTI_LABEL]
    assert all([[0.01, 0.17]] in points(axes) for axes in figure.axes)


# --- Figure 3 ---------------------------------------------------------------------------------------------


def write_curves(method, size, curves):
    for number, curve in enumerate(curves):
        write(next(run for run in experiments.enumerate_runs(shared.TABLE2, "reduced")
                   if (run.method, run.size, run.number) == (method, size, number)), curve=curve)


def test_validation_curves_are_random_weights_and_differences_to_them():
    # 95 % of the best in epochs 3, 2, 4
    curves = [(0.2, 0.5, 0.6, 0.62), (0.3, 0.6, 0.62, 0.61), (0.1, 0.2, 0.3, 0.6)]
    better = [(0.3, 0.6, 0.7, 0.72), (0.4, 0.7, 0.82, 0.81), (0.2, 0.3, 0.4, 0.9)]
    write_curves("random", 75, curves)
    assert figure3.validation_curves(figure3.histories("reduced"), 75) is None, "nothing to compare"
    write_curves("beat", 75, better)
    frame = figure3.histories("reduced")
    base, beat = figure3.validation_curves(frame, 75).axes
    mean, median = base.get_lines()
    assert mean.get_ydata() == pytest.approx(np.mean(curves, axis=0))
    assert mean.get_xdata().tolist() == [1, 2, 3, 4] and median.get_xdata() == [3]
    band = base.collections[0].get_paths()[0].vertices
    assert {(1, 0.1), (1, 0.3), (4, 0.6), (4, 0.62)} <= {tuple(point) for point in np.round(band, 3).tolist()}
    difference, zero, _ = beat.get_lines()
    assert difference.get_ydata() == pytest.approx(np.mean(better, axis=0) - np.mean(curves, axis=0))
    assert list(zero.get_ydata()) == [0, 0]
    band = {tuple(point) for point in np.round(beat.collections[0].get_paths()[0].vertices, 3).tolist()}
    for epoch, (ours, others) in enumerate(zip(zip(*better, strict=True), zip(*curves, strict=True), strict=True), 1):
        limits = stats.ttest_ind(ours, others, equal_var=False).confidence_interval()
        assert {(epoch, round(limits.low, 3)), (epoch, round(limits.high, 3))} <= band
    assert figure3.waiting(frame, 75) == [names.METHODS[name] for name in ("rhythm", "heart_rate", "future")]
    row = row_of(figure3.speed(frame), Initialisation=names.METHODS["random"], Data_used="75 %")
    assert row.tolist()[2:] == [3, "3 (2 to 4)", f1(np.mean([0.62, 0.62, 0.6])), ".200"]
    assert f"Beat {f1(0.2, True)}" in figure3.curves_said(frame, 75)


def test_a_mean_curve_ends_when_most_runs_have_ended():
    for method in ("random", "beat"):
        write_curves(method, 25, [CURVE[:length] for length in (2, 3, 5)])
    mean, _ = figure3.validation_curves(figure3.histories("reduced"), 25).axes[0].get_lines()
    assert mean.get_xdata().tolist() == [1, 2, 3]


# --- Figures 1 and 2 --------------------------------------------------------------------------------------


def write_pretraining(objective, accuracy=0.8):
    config = PretrainConfig.of(objective=objective, tier="reduced").resolved()
    scores = {"accuracy": accuracy, "n": 960} | ({} if objective == "future"
                                                 else {"macro_f1": 0.5, "majority": 0.6})
    data = {"frames": {"train": 1000, "validation": 100, "test": 100},
            "subjects": {"train": 36, "validation": 7, "test": 5}}
    results.save(Result("pretrain", key_of(config), dataclasses.asdict(config),
                        {"upstream": "substitute", "target": "none", "leads": "substitute"}, scores,
                        [{"epoch": 1}, {"epoch": 2}], data, {"none": np.zeros(0)}, PROVENANCE))


def test_the_overview_follows_pretrainings_and_runs():
    steps = figure1.overview("reduced").set_index("what")
    assert steps.loc["subjects", "ours"] == steps.loc["macro F1, best pretraining", "ours"] == names.PENDING
    for objective in ("beat", "future"):
        write_pretraining(objective)
    store(shared.TABLE2, "random", 75, [0.70, 0.71, 0.72])
    store(shared.TABLE2, "beat", 75, [0.73, 0.74, 0.75])
    steps = figure1.overview("reduced").set_index("what")
    ours = steps["ours"]
    assert ours["subjects"] == "36 to learn from, 7 to choose the epoch, 5 to test"
    assert ours["tasks"] == "beat, future prediction"
    assert ours["frames seen"] == "2,000 to 2,000"
    assert ours["macro F1, random weights"] == ".710" and ours["macro F1, best pretraining"] == ".740 (beat)"
    assert steps.loc["macro F1, best pretraining",
                     "paper"] == ".779 (beat)" and ours["runs a cell"] == "0 to 3"
    drawn = " ".join(texts(study.study_chart(shared.PAPER, steps.reset_index())))
    assert "subjects: 36 to learn from" in drawn and ".740" in drawn
    learned = figure1.learned("reduced")
    assert row_of(learned, Task="Future prediction")[["Accuracy", "Without looking",
                                                      "Macro F1"]].tolist() == [".800", ".111", "–"]
    assert row_of(learned, Task="Rhythm classification")["Accuracy"] == names.PENDING


@pytest.mark.parametrize(("tier", "width"), [("reduced", 16), ("paper", 64)])
def test_the_framework_is_that_of_the_module(tier, width):
    network = figure2.future(tier)
    model = FuturePredictor(models.build("resnet18", 1, 1, width=width), 16)
    assert network.parameters["all"] == sum(p.numel() for p in model.parameters())
    assert sum(network.parameters[name]
               for name in ("encoder", "token", "pooling")) == network.parameters["all"]
    samples, features = {"reduced": 256, "paper": 512}[tier], 8 * width
    assert network.shapes == {"frames": (16, samples), "candidates": (9, samples),
                              "encoded context": (16, features),
                              "with token": (17, features), "context vector": (features,), "logits": (9,)}
    drawn = " ".join(texts(figure2.framework(network)))
    assert f"{network.parameters['encoder']:,}" in drawn and f"17 × {features}" in drawn


def test_the_papers_framework_is_met_at_its_size():
    found = figure2.stated("reduced", "paper")
    said = found[found["Paper"] != "not stated"]
    assert len(said) == 8 and (said["Paper"] == said["Tier paper"]).all()
    assert "Tier paper meets 8 of 8 statements" in study.statements_met(found).data
    assert set(said.loc[said["Paper"] != said["Tier reduced"], "What"]) == {"width of the attention pooling",
                                                                            "inner width",
                                                                           "samples of a frame"}


def test_the_encoders_blocks_hold_all_that_is_taken_over():
    taken = sum(block.parameters for block in figure2.encoder_blocks("reduced"))
    assert taken == figure2.future("reduced").parameters["encoder"]


# --- the pages --------------------------------------------------------------------------------------------


page = functools.partial(run_page, "weimann")


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", PAGES)
def test_pages_work_without_any_run(name, monkeypatch):
    monkeypatch.setattr(tables, "write_csv", lambda table, file: table.to_csv())
    said = page(name)
    assert said.count("ecgtl-in-short") == 1
    assert "<table" in said and (names.PENDING in said) == (name != "figure2")


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", PAGES)
def test_pages_work_with_some_runs(name, some, monkeypatch):
    monkeypatch.setenv("ECGTL_RESULTS", str(some))
    monkeypatch.setattr(tables, "write_csv", lambda table, file: table.to_csv())
    said = page(name)
    if name.startswith("table"):
        assert "the rest by <code>python -m ecgtl run" in said and names.PENDING in said
    if name != "figure2":
        assert "tier: reduced" in said


@pytest.mark.parametrize("name", ["table1", "table4", "table5"])
def test_pages_work_in_a_tier_that_has_no_runs(name, monkeypatch):
    monkeypatch.setattr(tables, "write_csv", lambda table, file: table.to_csv())
    assert names.PENDING in page(name, "demo")
