"""Numbers in words."""

import pytest
from pages import seen

from ecgtl.report.words import p_value


@pytest.mark.parametrize(("p", "text"), [(0.4456, "= .446"), (0.0004, "< .001"), (0.001, "= .001"), (1.0, "= 1.000")])
def test_p_values_are_printed_with_three_decimals(p, text):
    assert seen(p_value(p)) == text
