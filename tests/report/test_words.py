"""Numbers in words, as the field prints them."""

import pandas as pd
import pytest
from pages import seen

from ecgtl.analysis.names import f1
from ecgtl.report.words import gap, gap_with_p, mean, p_value
from ecgtl.statistics import Sample


@pytest.mark.parametrize(("p", "text"), [(0.4456, "= .446"), (0.0004, "< .001"), (0.001, "= .001"), (1.0, "= 1.000")])
def test_p_values_are_printed_with_three_decimals(p, text):
    assert seen(p_value(p)) == text


@pytest.mark.parametrize(("value", "text"), [(0.7314, ".731"), (-0.02, "−.020"), (1.0, "1.000"), (float("nan"), "–"),
                                             (0.9996, "1.000"), (0.0, ".000")])
def test_scores_are_printed_as_the_field_does(value, text):
    assert f1(value) == text


def test_a_gap_is_of_the_runs_of_both_and_two_of_them_have_no_interval():
    assert mean([0.1, 0.2, 0.6]).startswith(".300 [")
    assert gap(Sample(0.5, 0.1, 2), Sample(0.4, 0.1, 5)) == "+.100"
    a, b = pd.Series([0.5, 0.6, 0.9], [0, 1, 5]), pd.Series([0.4, 0.4, 0.1], [0, 1, 4])
    assert gap_with_p(a, b, paired=True) == "+.150"
