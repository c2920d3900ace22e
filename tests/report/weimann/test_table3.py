"""Weimann's Table 3: sampling rates."""

import pytest

from ecgtl.report.weimann import table3


def test_columns_of_table_3_are_relative_to_the_rate_of_the_tier():
    for tier, factor, seconds in (("reduced", 0.5, 32.768), ("paper", 1, 65.536)):
        rows = table3.rates(tier)
        assert rows["Column"].tolist() == ["128 Hz", "250 Hz", "300 Hz"]
        assert [float(text.removesuffix(" Hz"))
                for text in rows["Rate here"]] == [128 * factor, 250 * factor, 300 * factor]
        assert set(rows["Pretrained at, here"]) == {f"{250 * factor:g} Hz"}
        samples = [int(text.split(", ", 1)[1].removesuffix(" samples").replace(",", "")) for text in rows["Input here"]]
        assert samples == pytest.approx([factor * rate * seconds for rate in (128, 250, 300)], abs=1)
