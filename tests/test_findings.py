"""A claim's row says what was compared, how sure that is, and how many comparisons hold."""

import re

import pytest
from stored_runs import around, by_class, curve, store

from ecgtl import claims, published
from ecgtl.report import findings, tables

WEIMANN = "weimann2021"
OURS = "Our difference [95 % interval], smallest detectable"
BEST = ("beat_2048", "rhythm_2048", "heart_rate_512", "future_c16_n8_o8")


@pytest.fixture(autouse=True)
def _empty(tmp_path, monkeypatch):
    monkeypatch.setenv("ECGTL_RESULTS", str(tmp_path))


def row(name, tier="reduced"):
    return findings.finding(WEIMANN, name, tier).iloc[0]


def test_one_comparison_is_a_line_with_its_difference_and_what_could_be_detected():
    store("weimann2021-table2", "beat", 25, by_class(around(0.75)))
    store("weimann2021-table2", "random", 75, by_class(around(0.70)))
    found = claims.judge(WEIMANN, "W3", "reduced")["comparisons"][0].found
    shown = row("W3")
    numbers = [tables.f1(value, True) for value in (found.value, found.low, found.high)]
    assert numbers[0] == "+.050" and found.low < 0.05 < found.high
    text = "Beat classification, 25 % − None (random weights), 75 %: {} [{}, {}], {}".format(*numbers, tables.f1(found.detectable))
    assert shown[OURS] == f"<p>{text}</p>"
    assert ">supported<" in shown["From our runs"] and ">undecided<" in shown["From the paper's numbers"]
    assert "+.008 [−.008, +.024], .022" in shown["From the paper's numbers"]


def test_few_comparisons_are_a_list_and_many_are_folded_behind_their_counts():
    for method in ("random", *BEST):
        store("weimann2021-table1", method, 75, by_class(around(0.6 if method == "random" else 0.7)))
    store("weimann2021-table1", "rhythm_2048", 75, by_class(around(0.7), noise=around(0.5)))
    many = row("W1")[OURS]
    assert "<details><summary>19 of 20 hold; 1 fail</summary><ul>" in many and many.count("<li>") == 20
    failed = next(item for item in re.findall("<li>.*?</li>", many) if ">not supported<" in item)
    assert "Rhythm classification, 2,048 samples − None (random weights), 75 %, F1 too noisy (F1p): −.100 [" in failed
    assert "<p>In print 4 of 13 configurations" in many
    few = row("W10")
    assert "<summary>2 of 3 hold; 1 undecided</summary>" in few["From the paper's numbers"]
    assert "<details>" not in few[OURS] and few[OURS].count("<li>") == 3
    assert "<p>0 of 3 hold; 3 not tested</p>" in few[OURS] and "needs all 3 configurations" in few[OURS]
    assert few[OURS].count("fewer than 3 runs") == 3


def test_a_gain_is_shown_in_per_cent_beside_the_printed_one():
    for method in ("random", *BEST):
        store("weimann2021-table1", method, 75, by_class(around(0.70 if method == "random" else 0.72)))
    printed = published.lookup("weimann2021.scalars.best_gain.value")
    found = claims.judge(WEIMANN, "W2", "reduced")["comparisons"][0].found
    text = row("W2")[OURS]
    assert f"(best of 4 of 13 configurations): +2.86 [{found.low:+.2f}, {found.high:+.2f}] %".replace("-", "−") in text
    assert text.endswith(f"printed {printed} %</p>") and "over None (random weights), 75 %" in text


def test_epochs_are_shown_by_their_medians_and_the_least_p_that_so_few_runs_can_have():
    for method, counts in (("random", [8, 9, 10, 9, 12]), ("beat", [2, 3, 4])):
        store("weimann2021-table2", method, 75, by_class([0.6] * len(counts)), [curve(count) for count in counts])
    epochs = row("W7")[OURS]
    assert "Beat classification against None (random weights), 75 %: 3 against 9 epochs (medians), p = .018" in epochs
    assert "(.018 is the smallest that so few runs can give)" in epochs and "1 of 4 hold; 3 not tested" in epochs
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
    assert re.sub("<.*?>", "", row("trivial")["From the paper's numbers"]) == "not stated"


def test_the_autoencoders_error_is_said_in_a_note():
    assert findings.finding("jang2021", "J5", "reduced").iloc[0][OURS] == "<p>no autoencoder has been trained</p>"
