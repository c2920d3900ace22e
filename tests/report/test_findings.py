"""A claim's row says what was compared, how sure that is, and how many comparisons hold."""

import re

import pytest
from stored_runs import around, by_class, curve, store, store_fold

from ecgtl import published
from ecgtl.analysis import cells, claims
from ecgtl.analysis.names import f1
from ecgtl.experiments import transfers
from ecgtl.report import badges, findings, tables
from ecgtl.report.site import book_tables

pytestmark = pytest.mark.usefixtures("own_results")
WEIMANN = "weimann2021"
OURS = findings.OURS
BEST = ("beat_2048", "rhythm_2048", "heart_rate_512", "future_c16_n8_o8")


def row(name, tier="reduced"):
    return findings.finding(WEIMANN, name, tier).iloc[0]


def test_one_comparison_is_a_line_with_its_difference_and_what_could_be_detected():
    store("weimann2021-table2", "beat", 25, by_class(around(0.75)))
    store("weimann2021-table2", "random", 75, by_class(around(0.70)))
    found = claims.judge(WEIMANN, "W3", "reduced")["comparisons"][0].found
    shown = row("W3")
    numbers = [f1(value, True) for value in (found.value, found.low, found.high)]
    assert numbers[0] == "+.050" and found.low < 0.05 < found.high
    numbers = (*numbers, f1(found.detectable))
    text = "Beat classification, 25 % − None (random weights), 75 %: {} [{}, {}], {}".format(*numbers)
    protocols = cells.protocols_of(["weimann2021-table2"], "reduced", False)
    alone = "The interval covers runs alone, not test recordings. " + protocols[0]
    assert shown[OURS] == f"<p>{text}, printed +.008 [−.008, +.024]; n = 3, 3</p><p>{alone} {cells.ONE_PRETRAINING}</p>"
    assert ">yes<" in shown["Here"] and ">undecided<" in shown["In print"] and ">size: larger<" in shown["Here"]
    assert "+.008 [−.008, +.024], .022" in shown["In print"]


def test_few_comparisons_are_a_list_and_many_are_folded_behind_their_counts():
    for method in ("random", *BEST):
        store("weimann2021-table1", method, 75, by_class(around(0.6 if method == "random" else 0.7)))
    store("weimann2021-table1", "rhythm_2048", 75, by_class(around(0.7), noise=around(0.5)))
    many = row("W1")[OURS]
    assert "<details><summary>19 of 20 yes; 1 opposite</summary><ul>" in many and many.count("<li>") == 20
    failed = next(item for item in re.findall("<li>.*?</li>", many) if ">opposite<" in item)
    assert ">size: smaller<" in failed and ">no worthwhile gain<" in failed
    assert "Rhythm classification, 2,048 samples − None (random weights), 75 %, F1 too noisy (F1p): −.100 [" in failed
    assert "<p>In print 4 of 13 configurations" in many
    few = row("W10")
    assert "<summary>2 of 3 yes; 1 undecided</summary>" in few["In print"]
    assert "<details>" not in few[OURS] and few[OURS].count("<li>") == 3
    assert "<p>0 of 3 yes; 3 not tested</p>" in few[OURS] and "needs all 3 configurations" in few[OURS]
    assert few[OURS].count("fewer than 3 runs") == 3


def test_a_gain_is_shown_as_a_difference_and_in_per_cent_beside_the_printed_one():
    for method in ("random", *BEST):
        store("weimann2021-table1", method, 75, by_class(around(0.70 if method == "random" else 0.72)))
    printed = published.lookup("weimann2021.scalars.best_gain.value")
    text = row("W2")[OURS]
    assert "(best of 4 of 13 configurations against the best of 1 of 1): +.020 [" in text
    assert f"In per cent of random weights: +2.86 % here, +{printed} % in print." in text


def test_two_differences_are_named_as_such():
    for method, fall in (("random", 0.08), ("beat", 0.01)):
        for size, mean in (("resnet34", 0.80), ("resnet50", 0.80 - fall)):
            store("weimann2021-table4", method, size, by_class(around(mean)))
    text = row("W12")[OURS]
    columns = "ResNet-34 − ResNet-50"
    assert f"(None (random weights), {columns}) − (Beat classification, {columns}): +.070 [" in text
    assert "; n = 3, 3, 3, 3</p>" in text


def test_epochs_are_shown_by_their_medians_and_the_least_p_that_so_few_runs_can_have():
    for method, counts in (("random", [8, 9, 10, 9, 12]), ("beat", [2, 3, 4])):
        store("weimann2021-table2", method, 75, by_class([0.6] * len(counts)), [curve(count) for count in counts])
    epochs = row("W7")[OURS]
    assert "Beat classification against None (random weights), 75 %: 3 against 9 epochs (medians), p = .018" in epochs
    assert "(.018 is the smallest that so few runs can give)" in epochs and "1 of 4 yes; 3 not tested" in epochs
    assert "fewer than 3 runs with their learning curves" in epochs


def test_a_slope_names_the_ends_that_it_runs_between():
    for size, gain in ((25, 0.10), (50, 0.06), (75, 0.02)):
        store("weimann2021-table2", "random", size, by_class(around(0.6)))
        store("weimann2021-table2", "beat", size, by_class(around(0.6 + gain)))
    text = row("W8")[OURS]
    assert "Beat classification − None (random weights) (change from 25 to 75 %): −.080 [−" in text


def test_every_claim_of_a_table_has_its_row_and_the_page_takes_them_as_they_are():
    for experiment in ("weimann2021-table1", "weimann2021-table2", "weimann2021-table4"):
        table = findings.findings(WEIMANN, experiment, "reduced")
        named = [claim["says"] for claim in claims.claims(WEIMANN).values() if claim["experiment"] == experiment]
        assert table["Statement"].tolist() == named and len(table.columns) == 4
        page = tables.html_text(table, "Statements")
        assert "&lt;" not in page
        for tag in ("details", "summary", "ul", "li", "p", "span"):
            assert page.count(f"<{tag}") == page.count(f"</{tag}>"), tag


def test_a_statement_of_ours_has_nothing_of_the_papers_beside_it():
    assert re.sub("<.*?>", "", row("baseline")["In print"]) == "not stated"


def test_the_autoencoders_error_is_said_in_a_note():
    assert findings.finding("jang2021", "J5", "reduced").iloc[0][OURS] == "<p>no autoencoder has been trained</p>"


# --- folds -------------------------------------------------------------------------------------------------------


def folds(n=20, of=5):
    """Folds of the CPSC 2018 checkpoints of both networks, and one with CinC 2017; F1 falls as MELEP rises."""
    for run in transfers.enumerate_runs("melep2023-ptbxl", "reduced"):
        fold, own = run.config.fold, run.config.source == "cpsc2018"
        if fold < (n if own else 1):
            bias = 0.02 * (run.config.arch == "bilstm") + 0.01 * (fold * 7 % 5)
            store_fold(run, 0.1 + 0.02 * (fold % of) + bias, 0.8 - 0.05 * (fold % of) - bias,
                       label_set=f"a+b{fold % 10}", upstream="subset" if own else "substitute")


def melep(name):
    return findings.finding("melep2023", name, "reduced").iloc[0]


def test_a_correlation_is_shown_with_its_limits_and_where_these_are_to_lie():
    folds()
    shown, judged = melep("M2"), claims.judge("melep2023", "M2", "reduced")
    found = judged["comparisons"][0].found
    value, low, high = (f1(number, True) for number in (found.value, found.low, found.high))
    ended = "20 of 40 folds, 10 label sets"
    text = f"ResNet1d101, CPSC 2018 ({ended}): {value} [{low}, {high}], to include −0.5, and not 0"
    ours = shown[findings.OUR_FOLDS]
    assert f">no</span> {text}</li>" in ours and value.startswith("−.9")
    assert "<summary>0 of 2 yes; 2 no; 2 beside, on substitutes</summary>" in ours
    assert ours.count(">upstream: substitute<") == 2 and "Bi-LSTM, CinC 2017 (1 of 20 folds, 1 label set)</li>" in ours
    assert ours.endswith("<p>In print they lie between −0.551 and −0.476. 42 of 120 planned runs have ended. "
                         f"{cells.ONE_PRETRAINING}</p>")
    printed = shown["In print"]
    assert "Bi-LSTM, Georgia (Fisher&#39;s limits for 100 folds): −.517 [−" in printed and "4 of 4 yes" in printed
    assert findings.OURS not in shown and findings.OUR_FOLDS not in row("W3")


def test_a_difference_a_partial_correlation_and_a_loss_are_named_as_such():
    folds()
    assert "Bi-LSTM − ResNet1d101, CPSC 2018 (20 of 20 folds, 10 label sets): " in melep("M4")[findings.OUR_FOLDS]
    assert "ResNet1d101, CPSC 2018, the number of labels held fixed (20 of 40" in melep("M5")[findings.OUR_FOLDS]
    loss = melep("M3")[findings.OUR_FOLDS]
    assert ("F1 lost by the choice among 2 checkpoints, on folds that all of them have (20 of 20 folds, 10 label "
            "sets): .000 [.000, .000], to lie below 0.01") in loss


def test_too_few_label_sets_are_said_beside_the_value():
    folds(n=4)
    found = claims.judge("melep2023", "M2", "reduced")["comparisons"][0].found
    text = f"(4 of 40 folds, 4 label sets): {f1(found.value)}, fewer than 5 label sets</li>"
    assert text in melep("M2")[findings.OUR_FOLDS]


def test_the_page_of_claims_shows_the_numbers_behind_our_verdict(tmp_path):
    folds()
    for method, mean in (("beat", 0.75), ("random", 0.70)):
        store("weimann2021-table2", method, 25 if method == "beat" else 75, by_class(around(mean)))
    frame, _ = book_tables.table("claims", book_tables.Page("coverage", tmp_path))
    frame = frame.set_index("Claim")
    assert frame.loc["M2", "In numbers [95 % interval]"] == melep("M2")[findings.OUR_FOLDS]
    assert frame.loc["W3", "In numbers [95 % interval]"] == row("W3")[findings.OURS]
    assert "tier: reduced" in frame.loc["M2", "Evidence"] and "target: subset" in frame.loc["M2", "Evidence"]
    assert ">size: larger<" in frame.loc["W3", "Size"]
    assert frame.loc["M2", "Size"] == "–"
    assert ">yes<" in frame.loc["W3", "Here"]
    assert "not tested" in frame.loc["M1", "Here"] and frame.loc["M1", "Evidence"] == "–", "nothing ran"
    assert {"M1", "M2", "M3", "M3b", "M4", "M4b", "M5", "M5b", "M7", "J1", "J6", "W1", "W11", "W12"} <= set(frame.index)
    one, _ = book_tables.table("claims", book_tables.Page("melep", tmp_path, "melep2023"))
    assert one["Claim"].tolist() == [name for name in frame.index if name.startswith("M")]


def test_a_badge_of_several_words_has_the_colour_of_the_weakest():
    assert "ecgtl-substitute" in badges.badge("upstream:full/none/substitute")
    assert "ecgtl-synthetic" in badges.badge("target:full/synthetic")
    assert "ecgtl-full" in badges.badge("target:full") and "ecgtl-reduced" in badges.badge("tier:reduced")
