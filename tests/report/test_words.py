"""Numbers in words, as the field prints them."""

import pytest
from pages import seen

from ecgtl.analysis.names import f1
from ecgtl.report.words import p_value


@pytest.mark.parametrize(("p", "text"), [(0.4456, "= .446"), (0.0004, "< .001"), (0.001, "= .001"), (1.0, "= 1.000")])
def test_p_values_are_printed_with_three_decimals(p, text):
    assert seen(p_value(p)) == text


@pytest.mark.parametrize(("value", "text"), [(0.7314, ".731"), (-0.02, "−.020"), (1.0, "1.000"), (float("nan"), "–"),
                                             (0.9996, "1.000"), (0.0, ".000")])
def test_scores_are_printed_as_the_field_does(value, text):
    assert f1(value) == text
