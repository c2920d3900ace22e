"""Claims follow from printed numbers and from stored runs by rule: change a run and the verdict changes."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats
from stored_runs import (
    CLASSES,
    PROVENANCE,
    around,
    by_class,
    curve,
    planned,
    store,
    store_fold,
    store_random,
    write_run,
)

from ecgtl import experiments, published, results
from ecgtl.analysis import cells, claim_rules, claims
from ecgtl.analysis.sources import Printed, epochs_to
from ecgtl.config import PretrainConfig, protocol
from ecgtl.experiments import transfers
from ecgtl.jobs.pretrain import key_of
from ecgtl.report.findings import stands_on
from ecgtl.report.weimann import shared
from ecgtl.results import Result

pytestmark = pytest.mark.usefixtures("own_results")
JANG = "jang2021-table2-ptbxl"
PRETRAINED = ("beat", "rhythm", "heart_rate", "future")
BEST = {"beat": "beat_2048", "rhythm": "rhythm_2048", "heart_rate": "heart_rate_512", "future": "future_c16_n8_o8"}
WEIMANN = published.load("weimann2021")


def judge(name, tier="reduced"):
    return claims.judge("weimann2021", name, tier)


def verdicts(name):
    return [comparison.verdict.sign for comparison in judge(name)["comparisons"]]


# --- the paper's own numbers, judged once more by SciPy ------------------------------------------------------------


def by_scipy(a, b, n=10):
    """Yes, opposite or undecided, from two printed cells of ``n`` runs by Welch's test."""
    found = stats.ttest_ind_from_stats(a["mean"], a["sd"], n, b["mean"], b["sd"], n, equal_var=False)
    if found.pvalue >= 0.05:
        return "undecided"
    return "yes" if found.statistic > 0 else "opposite"


def printed(table, *path):
    found = WEIMANN[table]["rows"]
    for key in path:
        found = found[key]
    return found


def wins(table, *columns):
    """Verdicts of every pretraining against random weights, column by column."""
    return [by_scipy(printed(table, method, *column), printed(table, "random", *column))
            for column in columns for method in PRETRAINED]


def expected_in_print():
    """Claim -> verdicts of its comparisons."""
    one = {row: printed("table1", row) for row in WEIMANN["table1"]["rows"]}
    depth = [by_scipy(printed("table4", method, "resnet34"), printed("table4", method, other))
             for other in ("resnet18", "resnet50") for method in ("random", *PRETRAINED)]

    def best(rows):
        return max(rows, key=lambda row: one[row]["f1"]["mean"])

    by_task = {task: [row for row in one if one[row]["init"] == task] for task in PRETRAINED}
    frames = {task: best(by_task[task]) for task in PRETRAINED[:3]}
    second = {task: best([row for row in by_task[task] if row != frames[task]]) for task in frames}
    assert frames == {task: BEST[task] for task in frames}
    return {
        "W1": [by_scipy(one[BEST[task]][score], one["random"][score])
               for score in ("f1", *(f"f1_{name}" for name in CLASSES)) for task in PRETRAINED],
        "W3": [by_scipy(printed("table2", "beat", "25"), printed("table2", "random", "75"))],
        "W4": wins("table3", ["128"], ["300"]), "W5": depth,
        "W5b": wins("table4", ["resnet18"], ["resnet34"], ["resnet50"]),
        "W6": wins("table5", ["ptbxl", "macro_auc"]), "W6b": wins("table5", ["cpsc2018", "macro_auc"]),
        "W11": [by_scipy(printed("table3", "random", "250"), printed("table3", "random", "300"))],
        "W9": [by_scipy(one[best(by_task["beat"] + by_task["rhythm"])]["f1"], one[best(by_task["future"])]["f1"])],
        "W10": [by_scipy(one[frames[task]]["f1"], one[second[task]]["f1"]) for task in frames],
        "size": [by_scipy(printed("table2", "random", "75"), printed("table2", "random", "25"))]}


@pytest.mark.parametrize("name", expected_in_print())
def test_printed_numbers_give_the_verdicts_of_scipy(name):
    judged, expected = judge(name, "paper"), expected_in_print()[name]
    assert [comparison.verdict.sign for comparison in judged["printed"]] == expected
    worst = next(word for word in ("opposite", "undecided", "yes") if word in expected)
    assert judged["paper"] == worst and judged["ours"] == "not tested"


def test_the_printed_gain_is_the_one_that_the_abstract_prints():
    beat, random = (printed("table1", row, "f1") for row in (BEST["beat"], "random"))
    judged, stated = judge("W2", "paper"), WEIMANN["scalars"]["best_gain"]["value"]
    assert judged["paper"] == by_scipy(beat, random) == "yes" and judged["size"] == "not tested"
    assert [place.method for place in judged["printed"][0].places] == [BEST["beat"], "random"]
    assert f"not tested here, +{stated:.2f} % in print" in judged["note"]


def test_the_printed_falls_of_two_depths_are_compared_as_four_cells():
    judged = judge("W12", "paper")
    cells = [printed("table4", method, depth) for method in ("random", "beat") for depth in ("resnet34", "resnet50")]
    value = np.dot([1, -1, -1, 1], [cell["mean"] for cell in cells])
    parts = np.array([cell["sd"] ** 2 / 10 for cell in cells])
    half = stats.t.ppf(0.975, parts.sum() ** 2 / (parts**2 / 9).sum()) * np.sqrt(parts.sum())
    found = judged["printed"][0].found
    assert (found.value, found.low, found.high) == pytest.approx((value, value - half, value + half))
    assert (judged["paper"], judged["ours"], judged["size"]) == ("yes", "not tested", "not tested")


def test_the_printed_gains_by_size_have_a_slope_with_an_interval():
    for comparison, method in zip(judge("W8", "paper")["printed"], ("beat", "heart_rate"), strict=True):
        ends = [printed("table2", row, size) for row in (method, "random") for size in ("75", "25")]
        means, variances = ([cell["mean"] for cell in ends], np.array([cell["sd"] ** 2 / 10 for cell in ends]))
        value, error = means[0] - means[1] - means[2] + means[3], np.sqrt(variances.sum())
        half = stats.t.ppf(0.975, variances.sum() ** 2 / (variances**2 / 9).sum()) * error
        found = comparison.found
        assert (found.value, found.low, found.high) == pytest.approx((value, value - half, value + half))
        assert comparison.verdict.sign == ("yes" if value + half < 0 else "undecided")


def test_learning_curves_are_printed_as_a_figure_and_test_nothing():
    assert judge("W7", "paper")["paper"] == "not tested"


def test_the_remark_names_the_configurations_of_the_transcriptions_note():
    below = {row for row in WEIMANN["table1"]["rows"] for name in CLASSES
             if printed("table1", row, f"f1_{name}", "mean") < printed("table1", "random", f"f1_{name}", "mean")}
    note = judge("W1", "paper")["note"]
    assert note.startswith(f"In print {len(below)} of 13 ") and note.count("(") == len(below)
    assert "Rhythm classification, 512 samples (normal)" in note and "4,096 samples (noise)" in note


# --- our runs ------------------------------------------------------------------------------------------------------


def test_the_cells_that_claims_name_are_planned():
    for paper in ("jang2021", "weimann2021"):
        for name, claim in claims.claims(paper).items():
            if "experiment" not in claim:
                continue
            cells = {(run.method, run.size) for run in planned(claim["experiment"])}
            source = Printed()
            compared = claim_rules.compare(claim, source)
            assert compared, name
            assert {(place.method, place.size) for c in compared for place in c.places} <= cells, name


def test_the_experiments_with_a_pretraining_for_every_run_replace_the_earlier_ones():
    replaced = {name: cells.successor(name) for name in ("weimann2021-table2", "jang2021-table2-ptbxl",
                                                         "weimann2021-table1")}
    assert replaced == {"weimann2021-table2": "weimann2021-table2-seeds",
                        "jang2021-table2-ptbxl": "jang2021-table2-ptbxl-seeds", "weimann2021-table1": None}


def test_the_best_configurations_are_the_protocols_own_and_those_of_the_printed_frames():
    seconds = {task: protocol("weimann2021").pretraining.objectives[task]["frame"] / 250 for task in BEST}
    scalars = WEIMANN["scalars"]
    assert {task: claim_rules.own_configuration("weimann2021-table1", task) for task in BEST} == BEST
    assert round(seconds["beat"]) == round(seconds["rhythm"]) == scalars["preferred_frame_beat_rhythm"]["value"]
    assert round(seconds["heart_rate"]) == scalars["preferred_frame_heart_rate"]["value"]
    assert {c.places[0].method for c in judge("W1")["comparisons"]} == set(BEST.values())


def table1(**means):
    for row, mean in means.items():
        store("weimann2021-table1", row, 75, by_class(around(mean)))


def test_every_class_has_to_hold():
    table1(random=0.60, beat_2048=0.70, rhythm_2048=0.70, heart_rate_512=0.70, future_c16_n8_o8=0.70)
    judged = judge("W1")
    assert judged["ours"] == "yes" and len(judged["comparisons"]) == 20
    assert all(c.found.value == pytest.approx(0.1) and 0 < c.found.detectable < 0.1 for c in judged["comparisons"])
    store("weimann2021-table1", "rhythm_2048", 75, by_class(around(0.70), noise=around(0.61)))
    assert judge("W1")["ours"] == "undecided" and verdicts("W1").count("undecided") == 1
    store("weimann2021-table1", "rhythm_2048", 75, by_class(around(0.70), noise=around(0.50)))
    assert judge("W1")["ours"] == "opposite" and verdicts("W1").count("yes") == 19


@pytest.mark.parametrize(("best", "spread", "sign", "size"), [
    (0.748, 0.01, "yes", "as printed"), (0.85, 0.01, "yes", "larger"), (0.7460, 0.08, "undecided", "undecided"),
    (0.60, 0.01, "opposite", "smaller")])
def test_the_best_gain_is_held_against_the_printed_one(best, spread, sign, size):
    for row in ("random", *BEST.values()):
        means = {"random": 0.70, BEST["rhythm"]: best}
        store("weimann2021-table1", row, 75, by_class(around(means.get(row, 0.5), spread)))
    found = judge("W2")
    assert (found["ours"], found["size"], found["worthwhile"]) == (sign, size, False if size == "smaller" else None)
    comparison = found["comparisons"][0]
    assert comparison.places[0].method == BEST["rhythm"] and "best of 4 of 13" in comparison.note
    gap = printed("table1", BEST["beat"], "f1", "mean") - printed("table1", "random", "f1", "mean")
    assert comparison.found.value == pytest.approx(best - 0.70)
    assert comparison.verdict.printed.value == pytest.approx(gap)
    assert f"{100 * (best / 0.70 - 1):+.2f} % here".replace("-", "−") in found["note"]


def test_another_configuration_may_be_the_best_but_each_objectives_own_has_to_be_there():
    table1(random=0.70, beat_2048=0.72, rhythm_2048=0.71, heart_rate_512=0.71, beat_512=0.746)
    assert judge("W2")["ours"] == "not tested"
    table1(future_c16_n8_o8=0.71)
    judged = judge("W2")
    assert (judged["ours"], judged["comparisons"][0].places[0].method) == ("yes", "beat_512")
    store("weimann2021-table1", "rhythm_4096", 75, by_class([0.95, 0.95]))  # two runs are passed over
    assert judge("W2")["comparisons"][0].places[0].method == "beat_512"


def test_labels_are_compared_with_the_future_by_the_best_of_each():
    table1(beat_2048=0.70, rhythm_2048=0.74, future_c16_n8_o8=0.60, future_c8_n4_o2=0.70)
    judged = judge("W9")
    first, second = (place.method for place in judged["comparisons"][0].places)
    assert (judged["ours"], first, second) == ("yes", "rhythm_2048", "future_c8_n4_o2")
    table1(future_c16_n16_o8=0.80)
    assert judge("W9")["ours"] == "opposite"


@pytest.mark.parametrize(("frames", "verdict"), [
    ({"512": 0.60, "2048": 0.70, "4096": 0.65}, "yes"), ({"512": 0.60, "2048": 0.655, "4096": 0.65}, "undecided"),
    ({"512": 0.75, "2048": 0.70, "4096": 0.65}, "opposite"), ({"512": 0.60, "2048": 0.70}, "not tested")])
def test_a_frame_is_preferred_when_it_beats_the_second_best(frames, verdict):
    table1(**{f"beat_{frame}": mean for frame, mean in frames.items()})
    assert verdicts("W10") == [verdict, "not tested", "not tested"]


def test_rates_and_depths_are_compared_column_by_column():
    for method in ("random", *PRETRAINED):
        for size in (128, 300):
            store("weimann2021-table3", method, size, by_class(around(0.6 if method == "random" else 0.7)))
    assert judge("W4")["ours"] == "yes"
    store("weimann2021-table3", "future", 300, by_class(around(0.5)))
    assert judge("W4")["ours"] == "opposite" and verdicts("W4").count("opposite") == 1
    for method in ("random", *PRETRAINED):
        for size, mean in (("resnet18", 0.6), ("resnet34", 0.7), ("resnet50", 0.65)):
            store("weimann2021-table4", method, size, by_class(around(mean)))
    assert (judge("W5")["ours"], judge("W5b")["ours"]) == ("yes", "undecided")
    assert (len(verdicts("W5")), len(verdicts("W5b"))) == (10, 12)


def test_claims_are_judged_on_the_experiment_that_they_rest_on():
    for method, mean in (("random", 0.6), ("beat", 0.7)):
        store("weimann2021-table3", method, 128, by_class(around(mean)))
    judged = {one["name"]: one for one in claims.judged_on("weimann2021-table3", "reduced")}
    rest_on = {name for name, of in claims.claims("weimann2021").items() if of["experiment"] == "weimann2021-table3"}
    assert set(judged) == rest_on and judged["W4"] == judge("W4") | {"name": "W4"}
    assert [one["name"] for one in claims.judged_on("weimann2021-table3", "reduced", ["W4", "W1"])] == ["W4"]
    assert {one.runs for one in judged["W4"]["comparisons"]} == {(0, 0), (0, 3), (3, 3)}  # beat, random; runs of each


def test_a_higher_rate_and_a_deeper_network_cost_random_weights_more():
    for size, mean in ((250, 0.72), (300, 0.70)):
        store("weimann2021-table3", "random", size, by_class(around(mean, 0.002)), upstream="none")
    judged = judge("W11")
    assert (judged["ours"], judged["size"]) == ("yes", "as printed")
    assert "In tier reduced the columns 250 and 300 Hz stand for 125 and 150 Hz." in judged["note"]
    assert "stand for" not in judge("W11", "paper")["note"]
    assert "columns 128 and 300 Hz stand for 64 and 150" in judge("W4")["note"]
    for method, fall in (("random", 0.08), ("beat", 0.01)):
        for size, mean in (("resnet34", 0.80), ("resnet50", 0.80 - fall)):
            store("weimann2021-table4", method, size, by_class(around(mean)))
    judged = judge("W12")
    assert (judged["ours"], judged["evidence"]["upstream"]) == ("yes", "none/substitute")
    assert judged["comparisons"][0].found.value == pytest.approx(0.07) and judged["comparisons"][0].runs == (3, 3, 3, 3)
    store("weimann2021-table4", "beat", "resnet50", by_class(around(0.60)))
    assert judge("W12")["ours"] == "opposite"


def test_no_size_is_asked_where_the_print_goes_against_the_statement():
    for method in ("random", *PRETRAINED):
        for size in ("resnet18", "resnet34", "resnet50"):
            store("weimann2021-table4", method, size, by_class(around(0.6 if method == "random" else 0.7)))
    against = [one for one in judge("W5b")["comparisons"] if one.verdict.printed.value <= 0]
    assert [(one.places[0].method, one.places[0].size, one.verdict.sign, one.verdict.size) for one in against] == [
        ("future", "resnet34", "yes", None)]


def test_a_part_of_the_data_judges_and_says_so():
    for method in ("random", *PRETRAINED):
        values = around(0.90 if method == "random" else 0.95)
        store("weimann2021-table5-cpsc2018", method, "cpsc2018", [{"macro_auc": value} for value in values],
              target="subset")
    assert (judge("W6b")["ours"], judge("W6")["ours"]) == ("yes", "not tested")
    found = {verdict["name"]: verdict for verdict in claims.all_judged() if verdict["of"] == "weimann2021"}
    tested = found["W6b"]
    assert (tested["evidence"]["target"], tested["tier"], found["W6"]["evidence"]) == ("subset", "reduced", {})


def test_an_epoch_count_is_the_first_to_reach_the_share():
    assert [epochs_to(curve(k), 0.95) for k in (1, 4, 9)] == [1, 4, 9]
    assert epochs_to([0.1, 0.94, 0.949, 0.951, 1.0], 0.95) == 4
    assert epochs_to([0.5], 0.95) == epochs_to([0.5, 0.5], 1.0) == 1


@pytest.mark.parametrize(("epochs", "verdict"), [
    ([2, 3, 4], "yes"), ([2, 12, 4], "undecided"), ([9, 10, 11], "no"), ([2, 3], "not tested")])
def test_fewer_epochs_are_tested_by_ranks(epochs, verdict):
    for method, counts in (("random", [8, 9, 10, 9, 12]), ("beat", epochs)):
        store("weimann2021-table2", method, 75, by_class([0.7] * len(counts)), [curve(count) for count in counts])
    judged = judge("W7")
    assert [c.verdict.sign for c in judged["comparisons"]] == [verdict, "not tested", "not tested", "not tested"]
    found = judged["comparisons"][0].found
    if verdict == "yes":
        assert (found.first, found.second, found.p) == (3, 9, pytest.approx(1 / 56))


@pytest.mark.parametrize(("gains", "verdict"), [
    ((0.10, 0.06, 0.02), "yes"), ((0.02, 0.06, 0.10), "opposite"), ((0.05, 0.10, 0.049), "undecided")])
def test_a_gain_that_grows_as_the_data_shrink_has_a_falling_slope(gains, verdict):
    for size, gain in zip((25, 50, 75), gains, strict=True):
        store("weimann2021-table2", "random", size, by_class(around(0.6)))
        store("weimann2021-table2", "heart_rate", size, by_class(around(0.6 + gain)))
    assert verdicts("W8") == ["not tested", verdict]
    assert judge("W8")["comparisons"][1].found.value == pytest.approx(gains[2] - gains[0])


def test_synthetic_runs_have_neither_verdict_nor_numbers():
    for method in ("random", "beat"):
        scores = by_class([0.6 if method == "random" else 0.9])
        store("weimann2021-table2", method, 75, scores, [curve(3)], target="synthetic", tier="demo")
    for name in ("W3", "W7", "W8", "size"):
        judged = judge(name, "demo")
        assert judged["ours"] == "not tested" and {c.found for c in judged["comparisons"]} == {None}


# --- Jang ----------------------------------------------------------------------------------------------------------


def write(method, size, values, index=1.0):
    """Runs of one cell with the given best weighted F1 on the test set, and learning curve indices about ``index``."""
    scores = [{"weighted_f1": value, "macro_f1": value, "accuracy": value, "f1_per_class": {},
               "learning_curve_index": index + 0.01 * number} for number, value in enumerate(values)]
    store(JANG, method, size, scores, target="substitute")


@pytest.mark.parametrize(("quarter", "matched", "collapse", "steps"), [
    (0.50, 0.71, "yes", "yes"), (0.50, 0.50, "yes", "opposite"),
    (0.70, 0.71, "opposite", "yes"), (0.58, 0.57, "undecided", "undecided")])
def test_a_collapse_is_a_drop_beyond_the_margin_and_the_control_names_its_cause(quarter, matched, collapse, steps):
    for method, size, mean in (("random", 50, 0.725), ("random", 25, quarter), ("random_matched", 25, matched)):
        write(method, size, around(mean))
    assert claims.judge("jang2021", "J2", "reduced")["ours"] == collapse
    assert claims.judge("jang2021", "steps", "reduced")["ours"] == steps


def test_equality_needs_an_interval_within_half_of_the_printed_difference_at_50():
    rows = published.lookup("jang2021.table3.rows.50")
    margin = (np.mean(rows["cae"]["trials"]) - np.mean(rows["random"]["trials"])) / 2
    for size, ours in ((100, 1.0), (50, 1.45), (25, 1.6)):
        write("cae", size, around(0.7), index=ours)
        write("random", size, around(0.7), index=1.0)
    judged = claims.judge("jang2021", "J4", "reduced")
    by_size = {one.places[0].size: one for one in judged["comparisons"]}
    assert {size: one.verdict.sign for size, one in by_size.items()} == {100: "yes", 50: "yes", 25: "yes"}
    assert (judged["ours"], judged["size"], by_size[100].verdict.size) == ("yes", "as printed", None)
    assert by_size[100].against == pytest.approx(margin) and "cover runs alone" in judged["note"]
    on_paper = {one.places[0].size: one for one in judged["printed"]}[100]
    trials = [published.lookup(f"jang2021.table3.rows.100.{arm}.trials") for arm in ("cae", "random")]
    limits = stats.ttest_ind(*trials, equal_var=False).confidence_interval()
    assert (judged["paper"], on_paper.verdict.sign) == ("undecided", "undecided")
    assert limits.high > margin and on_paper.found.high == pytest.approx(limits.high), "a p of .45 is no equality"
    write("cae", 100, around(0.7), index=2.0)
    assert claims.judge("jang2021", "J4", "reduced")["ours"] == "opposite"


def test_the_autoencoder_is_held_against_image_features_at_every_size():
    for size in (100, 50, 25):
        write("cae", size, around(0.80))
        write("image", size, around(0.75))
    judged = claims.judge("jang2021", "J6", "reduced")
    assert (judged["paper"], judged["ours"], judged["size"]) == ("yes", "yes", "as printed")
    assert len(judged["comparisons"]) == 3
    write("cae", 25, around(0.70))
    assert claims.judge("jang2021", "J6", "reduced")["ours"] == "opposite"


def test_two_trials_test_nothing():
    write("cae", 25, [0.9, 0.9])
    write("random", 25, [0.5, 0.5, 0.5])
    judged = claims.judge("jang2021", "J1", "reduced")
    assert (judged["paper"], judged["ours"]) == ("yes", "not tested")
    assert [comparison.found for comparison in judged["comparisons"]] == [None] * 3


@pytest.mark.parametrize(("upstream", "error", "verdict"), [
    ("substitute", 630.0, "not tested"), ("full", 630.0, "yes"), ("full", 747.0, "no"),
    ("full", 500.0, "no")])
def test_the_error_is_compared_on_the_papers_own_windows_alone(upstream, error, verdict):
    config = PretrainConfig.of(tier="reduced").resolved()
    results.save(Result("pretrain", key_of(config), dataclasses.asdict(config),
                        {"upstream": upstream, "target": "none", "leads": upstream}, {"mse_sum": error, "r2": 0.6}, [],
                        {"name": "x", "version": "1", "digest": "0"}, {"none": np.zeros(0, np.uint8)}, PROVENANCE))
    judged = claims.judge("jang2021", "J5", "reduced")
    assert (judged["paper"], judged["ours"]) == ("not tested", verdict)
    assert f"{error:.0f}" in judged["note"] and upstream in judged["note"]
    found = next(found for found in claims.all_judged() if found["name"] == "J5")
    assert (found["tier"], found["evidence"]["upstream"]) == ("reduced", upstream)
    seeded = dataclasses.replace(results.load(results.path_of("pretrain", key_of(config), "reduced")),
                                 experiment="jang2021-seeds", key="cae-seed0-reduced", scores={"mse_sum": 1e3, "r2": 0})
    results.save(seeded)
    assert "error 1000" in claims.judge("jang2021", "J5", "reduced")["note"], "that of Figure 4's autoencoder"


def test_without_an_autoencoder_its_error_is_not_tested():
    assert claims.judge("jang2021", "J5", "reduced")["note"] == "no autoencoder has been trained"


# --- MELEP ---------------------------------------------------------------------------------------------------------

PTBXL, CSN = "melep2023-ptbxl", "melep2023-csn"
OWN, OTHER = "cpsc2018", "cinc2017"
NETWORKS = ("resnet1d101", "bilstm")


def melep(name, tier="reduced"):
    return claims.judge("melep2023", name, tier)


def correlated(r, n, seed=0):
    """Two rows (n,) whose correlation is exactly ``r``."""
    rng = np.random.default_rng([seed, n])
    rows = rng.normal(size=(n, 2))
    x, rest = np.linalg.qr(rows - rows.mean(axis=0))[0].T
    return x, r * x + np.sqrt(1 - r**2) * rest


def fill(r, experiment=PTBXL, source=OWN, arch="resnet1d101", tier="reduced", n=None, seed=0, sets=13, **options):
    """Folds of a checkpoint, the first ``n`` of those planned, in which MELEP and F1 have the correlation ``r``."""
    runs = [run for run in transfers.enumerate_runs(experiment, tier)
            if (run.config.source, run.config.arch) == (source, arch)]
    x, y = correlated(r, len(runs[:n]), seed)
    for run, melep_value, f1 in zip(runs, x, y, strict=False):
        store_fold(run, melep_value, 0.7 + 0.1 * f1, label_set=f"a+b{run.config.fold % sets}", **options)


def limits(r, n=100):
    """Fisher's, as SciPy has them."""
    return stats.pearsonr(*correlated(r, n)).confidence_interval()


def test_printed_correlations_are_judged_by_scipys_limits_of_a_hundred_folds():
    rows = published.lookup("melep2023.table2.rows")
    for name, target in (("M1", "csn"), ("M2", "ptbxl")):
        judged = melep(name)
        values = {(row["source"], row["model"]): row["correlation"] for row in rows.values() if row["target"] == target}
        assert {held.checkpoints[0]: held.found.value for held in judged["printed"]} == values
        for held in judged["printed"]:
            low, high = limits(held.found.value)
            assert (held.found.low, held.found.high) == pytest.approx((low, high), abs=1e-9)
            expected = "undecided" if low < -0.6 < high else "yes"
            assert held.verdict.sign == (expected if name == "M1" else "yes" if low < -0.5 < high < 0 else "no")
    assert (melep("M1")["paper"], melep("M2")["paper"]) == ("undecided", "yes")
    assert melep("M1")["note"].startswith("In print 6 of 6 lie below −0.6.")
    assert "between −0.551 and −0.476" in melep("M2")["note"]


def test_printed_differences_are_judged_as_two_independent_correlations_would_be():
    for name, n in (("M4", 2), ("M4b", 3)):
        judged = melep(name)
        assert len(judged["printed"]) == n and judged["paper"] == "undecided"
        for held in judged["printed"]:
            (source, _), _ = held.checkpoints
            target = "csn" if name == "M4b" else "ptbxl"
            r = [published.lookup(f"melep2023.table2.rows.{model}_{source}_{target}.correlation")
                 for model in ("bilstm", "resnet1d101")]
            z = (np.arctanh(r[0]) - np.arctanh(r[1])) / np.sqrt(2 / 97)
            assert held.found.value == pytest.approx(r[0] - r[1])
            assert held.found.low < 0 < held.found.high
            assert abs(z) < 1.96
            assert held.checkpoints == ((source, "bilstm"), (source, "resnet1d101"))


def test_one_task_is_printed_for_the_choice_and_nothing_for_the_partial_correlation():
    assert {melep(name)["paper"] for name in ("M3", "M3b")} == {"not tested"}
    for name in ("M5", "M5b", "M6", "M6b"):
        assert (melep(name)["paper"], melep(name)["printed"]) == ("not stated", [])


@pytest.mark.parametrize(("r", "n", "verdict"), [(-0.5, 40, "yes"), (-0.95, 40, "no"),
                                                 (-0.3, 12, "undecided"), (0.0, 40, "no")])
def test_about_is_an_interval_that_holds_the_printed_number_and_not_zero(r, n, verdict):
    fill(r, n=n)
    fill(-0.6, arch="bilstm", seed=3)
    judged = melep("M2")
    own = {held.checkpoints[0][1]: held for held in judged["comparisons"] if held.counts}
    found = own["resnet1d101"]
    assert (found.verdict.sign, found.found.value) == (verdict, pytest.approx(r, abs=1e-6))
    assert found.found.low < -0.5 < found.found.high or verdict == "no"
    assert own["bilstm"].verdict.sign == "yes" and judged["ours"] == verdict
    assert found.note == f"{n} of 40 folds, {min(n, 13)} label sets" and own["bilstm"].note.startswith("20 of 20 folds")


def test_substitutes_are_shown_beside_and_decide_nothing():
    for arch in NETWORKS:
        fill(-0.6, arch=arch)
        fill(0.9, arch=arch, source=OTHER, upstream="substitute")
    for name, n in (("M2", 4), ("M4", 2), ("M5", 4)):
        judged = melep(name)
        beside = [held for held in judged["comparisons"] if not held.counts]
        assert len(judged["comparisons"]) == n == 2 * len(beside), name
        assert all(OTHER in {source for source, _ in held.checkpoints} for held in beside)
        assert all({source for source, _ in held.checkpoints} == {OWN} for held in judged["comparisons"] if held.counts)
    assert melep("M2")["ours"] == "yes" and beside[0].verdict.sign == "opposite", "judged, but beside"
    chosen = [(held.counts, len(held.checkpoints)) for held in melep("M3")["comparisons"]]
    assert chosen == [(True, 2), (True, 4)], "a choice has all"
    assert melep("M3")["evidence"]["upstream"] == "subset/substitute"
    found = {judged["name"]: judged for judged in claims.all_judged() if judged["of"] == "melep2023"}
    assert list(found) == ["M1", "M2", "M3", "M3b", "M4", "M4b", "M5", "M5b", "M2n", "M3n", "M4n", "M5n", "M6", "M6b",
                           "M7", "M8"]
    assert (found["M2"]["tier"], found["M2"]["evidence"]["target"], found["M2"]["ours"]) == ("reduced", "subset", "yes")
    assert found["M2n"]["ours"] == "no", "the normalised scores of these folds have the other sign"
    assert (found["M1"]["evidence"], found["M1"]["ours"]) == ({}, "not tested")


def test_folds_that_are_still_to_come_are_counted_and_few_label_sets_test_nothing():
    fill(-0.5, n=12)
    judged = melep("M2")
    assert "12 of 120 planned runs have ended." in judged["note"] and judged["ours"] == "not tested"
    ended = judged["comparisons"][0]
    assert (ended.verdict.sign, ended.note) == ("yes", "12 of 40 folds, 12 label sets")
    assert [held.note for held in judged["comparisons"][1:]] == ["no fold has ended"] * 3
    fill(-0.5, n=12, sets=4)
    ended = melep("M2")["comparisons"][0]
    assert (ended.verdict.sign, ended.found.groups, ended.found.low) == ("not tested", 4, None)


def test_below_the_limit_holds_for_all_six_of_csn():
    places = [(source, arch) for arch in NETWORKS for source in ("ptbxl", OWN, "georgia")]
    for k, (source, arch) in enumerate(places):
        fill(-0.95, CSN, source, arch, "paper", n=20, seed=k, target="full", upstream="full")
    judged = melep("M1", "paper")
    assert judged["ours"] == "yes" and len(judged["comparisons"]) == 6
    assert "120 of 600 planned runs have ended." in judged["note"]
    for r, verdict in ((-0.65, "undecided"), (0.0, "opposite")):
        fill(r, CSN, "georgia", "bilstm", "paper", n=20, target="full", upstream="full")
        assert melep("M1", "paper")["ours"] == verdict
    assert cells.shown_tier(CSN) == "paper", "where all_judged looks for it"


def choices(loss, n=20, missing=(), beside=True):
    """Folds of both networks: the one with the lower MELEP is worse by ``loss`` in every second fold, else the best.

    The checkpoints ``beside`` have the worst F1 and the highest MELEP, so that they change no choice.
    """
    for run in transfers.enumerate_runs(PTBXL, "reduced"):
        fold, low = run.config.fold, run.config.arch == "bilstm"
        if run.config.source == OWN and fold < n and (run.config.arch, fold) not in missing:
            f1 = 0.70 if not low else 0.75 if fold % 2 else 0.70 - loss
            store_fold(run, 0.1 if low else 0.2, f1, label_set=f"a+b{fold % 13}")
        elif run.config.source != OWN and fold < n and beside:
            store_fold(run, 0.3, 0.1, label_set=f"a+b{fold % 13}", upstream="substitute")


@pytest.mark.parametrize(("loss", "verdict"), [(0.002, "yes"), (0.02, "undecided"), (0.10, "opposite")])
def test_a_choice_is_judged_by_what_it_loses_on_average(loss, verdict):
    choices(loss)
    judged = melep("M3")
    held = judged["comparisons"][0]
    assert (judged["ours"], held.against, held.counts) == (verdict, 0.01, True)
    assert held.found.value == pytest.approx(loss / 2) and held.note == "20 of 20 folds, 13 label sets"


def test_a_choice_waits_for_all_candidates_of_a_fold():
    choices(0.10, missing=[("bilstm", fold) for fold in range(0, 12, 2)], beside=False)
    held, beside = melep("M3")["comparisons"]
    assert held.found.n == 14 and held.note.startswith("14 of 20") and held.found.value == pytest.approx(0.10 * 4 / 14)
    assert (beside.found.n, beside.note, len(beside.checkpoints)) == (0, "no fold has ended", 4)


@pytest.mark.parametrize("n", [12, 20])
def test_a_choice_among_four_is_judged_on_the_folds_that_have_all_four(n):
    """ResNet1d101 has folds from 20 on that the Bi-LSTM has not: there the choice is one among two."""
    for run in transfers.enumerate_runs(PTBXL, "reduced"):
        fold, lstm, own = run.config.fold, run.config.arch == "bilstm", run.config.source == OWN
        if fold < n or not lstm:
            f1 = 0.70 + 0.01 * own if fold < 20 else 0.90 * own  # a choice among two would lose .9 or nothing
            store_fold(run, 0.1 + 0.1 * lstm + 0.2 * own, f1, label_set=f"a+b{fold % 13}",
                       upstream="subset" if own else "substitute")
    own, every = melep("M3")["comparisons"]
    assert [len(held.checkpoints) for held in (own, every)] == [2, 4]
    assert [held.found.n for held in (own, every)] == [n, n]
    assert every.note == f"{n} of 20 folds, {min(n, 13)} label sets" and every.found.value == pytest.approx(0.01)


@pytest.mark.parametrize(("bilstm", "resnet", "verdict"), [(-0.9, 0.0, "yes"), (-0.5, -0.5, "undecided"),
                                                           (0.0, -0.9, "opposite")])
def test_stronger_is_a_difference_of_correlations_on_the_folds_of_both(bilstm, resnet, verdict):
    fill(bilstm, arch="bilstm")
    fill(resnet, n=20, seed=1)
    judged = melep("M4")
    held = judged["comparisons"][0]
    assert judged["ours"] == verdict and held.found.value == pytest.approx(bilstm - resnet, abs=1e-6)
    assert held.checkpoints == ((OWN, "bilstm"), (OWN, "resnet1d101")) and held.note.startswith("20 of 20 folds")


@pytest.mark.parametrize(("own", "verdict"), [(-1, "yes"), (0, "undecided"), (1, "opposite")])
def test_melep_adds_to_the_number_of_labels_when_it_foretells_f1_among_tasks_with_as_many(own, verdict):
    rng = np.random.default_rng(2)
    for run in transfers.enumerate_runs(PTBXL, "reduced"):
        if run.config.source == OWN:
            n_labels, noise = 2 + run.config.fold % 4, rng.normal(size=2)
            f1 = 0.9 - 0.1 * n_labels + 0.02 * (own * noise[0] + noise[1] / (3 if own else 1))
            store_fold(run, 0.1 * n_labels + 0.02 * noise[0], f1, n_labels,
                       "+".join([f"s{run.config.fold % 13}", *"abcde"[:n_labels - 1]]))
    judged = melep("M5")
    assert judged["ours"] == verdict
    assert {held.verdict.sign for held in judged["comparisons"] if held.counts} == {verdict}
    assert all(("F1 rises with it" in held.note) == (own == 1) for held in judged["comparisons"] if held.counts)
    alone = melep("M2")["comparisons"][0]
    assert alone.found.high < -0.7, "by itself it follows the number of labels"


@pytest.mark.parametrize(("gain", "verdict"), [(0.05, "yes"), (0.0, "undecided"), (-0.05, "opposite")])
def test_networks_are_held_against_the_answer_that_every_recording_has_every_label(gain, verdict):
    """One of two test recordings has all labels, so that the answer's F1 is 2/3."""
    rng = np.random.default_rng(4)
    for run in transfers.enumerate_runs(PTBXL, "reduced"):
        over = gain if run.config.source == OWN and run.config.arch == "bilstm" else 0.05
        store_fold(run, 0.1, 2 / 3 + over + 0.02 * rng.normal(), label_set=f"a+b{run.config.fold % 13}")
    judged = melep("M6")
    assert (judged["paper"], judged["printed"], judged["ours"]) == ("not stated", [], verdict)
    own = {held.checkpoints[0][1]: held for held in judged["comparisons"] if held.counts}
    assert set(own) == set(NETWORKS)
    assert own["resnet1d101"].verdict.sign == "yes"
    assert own["bilstm"].verdict.sign == verdict
    assert own["bilstm"].found.value == pytest.approx(gain, abs=0.015)
    assert own["bilstm"].note == "20 of 20 folds, 13 label sets"


@pytest.mark.parametrize(("share", "sign"), [(0.002, "yes"), (0.01, "undecided"), (0.05, "opposite")])
def test_the_cost_of_a_score_is_its_share_of_the_seconds_of_fine_tuning(share, sign):
    """One epoch of 2 s a fold, and shares that vary by half over the label sets."""
    for run in transfers.enumerate_runs(PTBXL, "reduced"):
        if run.config.source == OWN:
            spread = 1 + 0.5 * np.cos(run.config.fold % 13)
            store_fold(run, 0.1, 0.7, label_set=f"a+b{run.config.fold % 13}", score_seconds=2 * share * spread)
    judged = melep("M7")
    assert (judged["paper"], judged["ours"], judged["size"]) == ("not tested", sign, None)
    own = [held for held in judged["comparisons"] if held.counts]
    assert [held.checkpoints[0][1] for held in own] == list(NETWORKS) and own[1].note == "20 of 20 folds, 13 label sets"
    assert own[0].found.value == pytest.approx(share, rel=0.15) and own[0].against == 0.01


def test_the_cost_says_what_is_missing_where_no_seconds_are_kept():
    fill(-0.5)
    judged = melep("M7")
    assert judged["ours"] == "not tested"
    assert judged["comparisons"][0].note == "no stored fold keeps the seconds of its scores"
    assert {held.note for held in judged["printed"]} == {"no seconds are printed"}


def with_random(above, networks=NETWORKS, sources=(OWN, OTHER)):
    """Trained checkpoints of all folds, the one of the other source .1 higher, and five random networks a head.

    ``above``: by (source, network), how far the random ones lie above the highest trained one on average.
    """
    rng, found = np.random.default_rng(2), {}
    for run in transfers.enumerate_runs(PTBXL, "reduced"):
        config, task = run.config, np.random.default_rng(run.config.fold).uniform(0.2, 0.4)
        store_fold(run, task + 0.1 * (config.source == OTHER), 0.7, label_set=f"a+b{config.fold % 13}")
        if config.arch in networks and config.source in sources:
            gap = above.get((config.source, config.arch), 0.05)
            values = task + 0.1 + gap + 0.004 * rng.normal(size=5) + 0.01 * rng.normal()
            found.setdefault(config.fold, {})[config.source, config.arch] = values.tolist()
    store_random(PTBXL, found)


@pytest.mark.parametrize(("gap", "sign"), [(0.05, "yes"), (0.0, "undecided"), (-0.05, "opposite")])
@pytest.mark.parametrize("source", [OWN, OTHER])
def test_random_networks_are_held_against_the_highest_of_the_trained_ones(gap, sign, source):
    with_random({(source, "bilstm"): gap})
    judged = melep("M8")
    assert (judged["paper"], judged["printed"], judged["ours"]) == ("not stated", [], sign), "the weakest answer holds"
    own = {held.checkpoints[0]: held for held in judged["comparisons"]}
    assert set(own) == {(one, arch) for one in (OWN, OTHER) for arch in NETWORKS}
    assert all(held.counts for held in own.values())
    held = own[source, "bilstm"]
    assert held.verdict.sign == sign and held.found.value == pytest.approx(gap, abs=0.01)
    assert (held.note, held.against) == ("20 of 20 folds, 13 label sets", 0)
    assert own[OWN, "resnet1d101"].verdict.sign == "yes" and own[OWN, "resnet1d101"].found.n == 40


def test_random_networks_wait_for_folds_that_all_trained_ones_have():
    with_random({})
    run = next(run for run in transfers.enumerate_runs(PTBXL, "reduced")
               if (run.config.source, run.config.arch, run.config.fold) == (OTHER, "bilstm", 7))
    run.path.unlink()
    own = {held.checkpoints[0]: held for held in melep("M8")["comparisons"]}
    assert own[OWN, "bilstm"].found.n == 19 and own[OWN, "resnet1d101"].found.n == 40


def test_nothing_is_said_of_random_networks_that_nobody_measured():
    fill(-0.5)
    judged = melep("M8")
    assert judged["ours"] == "not tested"
    assert {held.note for held in judged["comparisons"]} == {"no fold has both random networks and all trained ones"}
    with_random({}, sources=(OWN,))
    assert melep("M8")["ours"] == "not tested", "the other head is still to be measured"


def test_made_folds_are_no_evidence():
    for arch in NETWORKS:
        fill(-0.5, arch=arch, tier="demo", sets=6, target="synthetic", upstream="synthetic")
    for name in ("M2", "M3", "M4", "M5", "M6", "M8"):
        judged = melep(name, "demo")
        assert judged["ours"] == "not tested" and "planned" not in judged["note"]
        assert {held.found.n for held in judged["comparisons"]} == {0}
    assert all(found["tier"] == "demo" and found["evidence"] == {} for found in claims.all_judged()
               if found["of"] == "melep2023")


def test_statements_on_folds_quote_their_limits_and_say_which_weights_are_not_the_published_ones():
    for name, claim in claims.claims("melep2023").items():
        held = melep(name)["comparisons"][0]
        ours = "authors' code" in claim["says"]
        measure = None if name[:2] in ("M6", "M7") else "melep_normalised" if ours else "melep_published"
        assert claim.get("measure") == measure and ours == name.endswith("n")
        limit = "less than 1 %" if name == "M7" else claim_rules.signed(held.against)
        assert limit in claim["says"] or name.rstrip("bn") in ("M4", "M5", "M6", "M8"), name
        assert ("CSN" if claim["experiment"] == CSN else "PTB-XL") in claim["says"]


# --- evidence ------------------------------------------------------------------------------------------------------


def test_a_verdict_has_the_evidence_of_the_rows_that_it_compares():
    for method, size, upstream in (("random", 75, "none"), ("random", 25, "none"), ("beat", 25, "substitute")):
        store("weimann2021-table2", method, size, by_class(around(0.7)), upstream=upstream)
    found = {name: judge(name) for name in ("W3", "size", "W6")}
    words = {name: verdict["evidence"].get("upstream") for name, verdict in found.items()}
    assert words == {"W3": "none/substitute", "size": "none", "W6": None}
    notes = {name: cells.ONE_PRETRAINING in found[name]["note"] for name in words}
    assert notes == {"W3": True, "size": False, "W6": False}
    shown = stands_on(found["W3"])
    assert "target: full" in shown and "upstream: none/substitute" in shown and "tier: reduced" in shown
    assert stands_on(found["W6"]).count("<span") == 1, "the verdict alone"
    assert "upstream: none" in stands_on(found["size"])


def test_the_evidence_of_folds_is_that_of_the_checkpoints_that_count():
    for source, upstream in ((OWN, "subset"), (OTHER, "substitute")):
        fill(-0.5, source=source, upstream=upstream)
        fill(-0.5, source=source, arch="bilstm", upstream=upstream)
    judged = melep("M2")
    assert judged["evidence"]["upstream"] == "subset" and cells.ONE_PRETRAINING in judged["note"]


def test_several_pretrainings_of_a_row_are_covered_by_its_interval():
    def run(method, init, upstream="substitute"):
        one = dataclasses.replace(planned("weimann2021-table2")[0], method=method)
        return one, SimpleNamespace(evidence={"upstream": upstream}, config={"init": init})

    single, several = [run("beat", "beat")] * 3, [run("beat", f"beat{k}.safetensors") for k in range(3)]
    for some in (single, [*several, *[run("future", "future")] * 2]):
        assert cells.one_pretraining(some) == cells.ONE_PRETRAINING
    assert cells.one_pretraining(several) == cells.one_pretraining([run("random", "random", "none")] * 3) == ""
    assert cells.one_pretraining([*several, run("future", "future0.safetensors")]) == "", "the first run of a cell"


def test_claims_follow_the_results(random_row):
    verdict = claims.judge("weimann2021", "size", "reduced")
    assert (verdict["paper"], verdict["ours"]) == ("yes", "yes")
    for run in experiments.enumerate_runs("weimann2021-table2", "reduced"):
        if run.method == "random" and run.size == 25:
            write_run(run, 0.80 + 0.005 * run.number)
    assert claims.judge("weimann2021", "size", "reduced")["ours"] == "opposite"


def test_a_claim_whose_runs_are_missing_is_not_tested_by_us(random_row):
    verdict = claims.judge("weimann2021", "W3", "reduced")
    assert verdict["ours"] == "not tested"
    assert verdict["paper"] in ("yes", "undecided")
    assert claims.judge("weimann2021", "baseline", "reduced")["paper"] == "not stated"


def test_synthetic_results_never_judge_nor_stand_beside_the_paper(own_results):
    for run in experiments.enumerate_runs("weimann2021-table2", "demo"):
        if run.method == "random":
            write_run(run, 0.99, target="synthetic")
    assert cells.shown_tier("weimann2021-table2") == "demo"
    assert cells.comparison(shared.TABLE2, "demo")["paper"].isna().all()
    assert claims.judge("weimann2021", "size", "demo")["ours"] == "not tested"
