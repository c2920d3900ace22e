"""In short follows from numbers by rule, and stands once on every page of a table or figure."""

import re
from pathlib import Path

import nbformat
import numpy as np
import pytest
import yaml
from pages import NOTEBOOKS, seen
from scipy import stats
from stored_runs import around, by_class, store

from ecgtl import published
from ecgtl.analysis import coverage
from ecgtl.analysis.correlations import Interval
from ecgtl.analysis.names import PENDING, f1
from ecgtl.report import gains, in_short
from ecgtl.report.in_short import Finding

TABLE2 = "weimann2021-table2"
PLAN = yaml.safe_load(Path(coverage.__file__).with_suffix(".yml").read_text(encoding="utf-8"))
PAGES = sorted({item["page"] for paper, items in PLAN.items() if paper != "claims" for item in items.values()})


def finding(label, value, half, printed=None):
    return Finding(label, Interval(value, value - half, value + half), printed)


def said(*found, **options):
    return [seen(sentence) for sentence in in_short.findings("gain", found, **options)]


def test_the_strongest_printed_number_and_the_intervals_above_and_below_0_are_said():
    found = [finding("beat, 25 %", 0.05, 0.01, 0.02), finding("beat, 50 %", -0.02, 0.01, 0.06),
             finding("rhythm, 25 %", 0.01, 0.03, 0.01), finding("rhythm, 50 %", 0.03, 0.02),
             Finding("other", Interval(), 0.04)]
    assert said(*found) == [
        "The paper's largest gain, +.060 (beat, 50 %), is −.020 [−.030, −.010] here.",
        "Of 4 that can be judged here 2 have a 95 % CI above 0 and 1 below 0; the largest is +.050 [+.040, +.060] "
        "(beat, 25 %)."]


def test_marks_say_what_each_interval_decides():
    first, second = in_short.findings("gain", [finding("a", 0.05, 0.01, 0.02), finding("b", -0.02, 0.01, 0.06)])
    assert "▼" in first and "lies below 0" in first and "▲" in second and "lies above 0" in second


def test_of_numbers_of_either_sign_the_strongest_is_the_farthest_from_0():
    found = [finding("a", -0.4, 0.1, -0.7), finding("b", 0.3, 0.1, 0.5)]
    assert said(*found, strength="strongest") == [
        "The paper's strongest gain, −.700 (a), is −.400 [−.500, −.300] here.",
        "Of 2 that can be judged here 1 has a 95 % CI above 0 and 1 below 0; the strongest is −.400 [−.500, −.300] "
        "(a)."]
    assert said(*found)[0].startswith("The paper's largest gain, +.500 (b), is +.300")


def test_what_is_missing_is_pending():
    pending = "The paper's largest gain, +.100 (a), has no interval here: PENDING."
    assert said(Finding("a", Interval(), 0.1)) == [pending]
    assert said(Finding("a", Interval())) == said() == [f"{PENDING}: no gain has been computed here."]
    assert len(said(finding("a", 0.1, 0.01))) == 1  # nothing printed: ours alone


@pytest.mark.parametrize("ours", [Interval(), Interval(0.3, None, None, 2), Interval(0.1, np.nan, np.nan)])
def test_a_number_without_an_interval_is_none_that_can_be_judged(ours):
    assert said(Finding("a", ours, 0.2)) == ["The paper's largest gain, +.200 (a), has no interval here: PENDING."]


def test_gains_are_those_of_the_stored_runs(own_results):
    gained = {"random": around(0.70), "beat": around(0.74), "rhythm": around(0.66)}
    for method, values in gained.items():
        store(TABLE2, method, 25, by_class(values))
    text = seen(in_short.of_gains({TABLE2: "reduced"}, statements=("W3",)).data)
    low, high = stats.ttest_ind(gained["beat"], gained["random"], equal_var=False).confidence_interval(0.95)
    rows = published.lookup("weimann2021.table2.rows")
    printed = {(method, size): row[size]["mean"] - rows["random"][size]["mean"]
               for method, row in rows.items() if method != "random" for size in row}
    (_, size), largest = max(printed.items(), key=lambda pair: pair[1])
    assert f"The paper's largest gain over random initialisation, {f1(largest, True)} (" in text and size == "25"
    assert (f"Of 2 that can be judged here 1 has a 95 % CI above 0 and 1 below 0; the largest is "
            f"+.040 [{f1(low, True)}, {f1(high, True)}] (Beat classification, 25 %).") in text
    assert "1 statement: in print 1 undecided; here 1 not tested. Why" in text


def test_nothing_printed_is_held_against_synthetic_data(own_results):
    for method in ("random", "beat"):
        store(TABLE2, method, 25, by_class(around(0.7)), tier="demo", target="synthetic")
    assert {one.printed for one in gains.over_random(TABLE2, "demo")} == {Interval()}


@pytest.mark.parametrize("name", PAGES)
def test_every_page_of_an_item_has_one_box_of_two_sentences_at_most(name):
    notebook = nbformat.read(NOTEBOOKS.parent / f"{name}.ipynb", as_version=4)
    shown = "".join(output.get("data", {}).get("text/html", "") for one in notebook.cells for output in
                    one.get("outputs", ()))
    assert shown.count('class="ecgtl-in-short"') == 1
    text = seen(re.search("<strong>In short</strong> (.*?)</p>", shown, re.DOTALL)[1])
    assert re.search(rf"\d|{PENDING}", text) and len(re.split(r"\. (?=[A-Z])", text)) <= 2


def test_the_pages_are_those_of_the_24_items():
    items = [(paper, item) for paper, found in PLAN.items() if paper != "claims" for item in found]
    assert len(items) == 24 == len(list(published.items())) and len(PAGES) == 24
    assert all((NOTEBOOKS.parent / f"{name}.py").is_file() for name in PAGES)
