"""Tables as HTML."""

import re

import pandas as pd
import pytest
from markupsafe import Markup

from ecgtl.report import tables
from ecgtl.report.tables import Lines


def test_html_escapes_and_scopes():
    text = tables.html_text(pd.DataFrame({"a<b": ["<script>"], "c": [1], "d": [Lines(here="<b>")]}), "x & y")
    assert "<script>" not in text and "x &amp; y" in text and 'scope="col"' in text and 'scope="row"' in text
    assert "&lt;script&gt;" in text and "&lt;b&gt;" in text and "<b>" not in text
    assert "<b>bold</b>" in tables.html_text(pd.DataFrame({"a": [1], "c": [Markup("<b>bold</b>")]}), "x")


def grouped():
    cells = [(row, column, Lines(".7 ± .1", ".6", "−.1")) for row in ("None", "Beat")
             for column in (("Macro F1", ""), ("By class", "Normal"), ("By class", "AF"))]
    return tables.grid_of(cells[:-1], "Start")


def test_grouped_columns_have_a_heading_over_theirs():
    text = tables.html_text(grouped(), "x")
    head, second = re.search("<thead><tr>(.*?)</tr><tr>(.*?)</tr></thead>", text).groups()
    assert head == ('<th scope="col" rowspan="2">Start</th><td rowspan="2"></td><th scope="col" rowspan="2">Macro F1'
                    '</th><th scope="colgroup" colspan="2">By class</th>')
    assert second == '<th scope="col">Normal</th><th scope="col">AF</th>'
    # Beat has no AF: a dash; each cell says its column, for cards
    assert re.findall('<td data-head="(.*?)">', text) == ["Macro F1", "By class Normal", "By class AF"] * 2
    assert text.endswith('<td data-head="By class AF">–</td></tr></tbody></table></div>')


def test_each_line_of_a_comparison_begins_with_what_it_is():
    text = tables.html_text(grouped(), "x")
    cell = re.search('<td data-head="Macro F1">(.*?)</td>', text)[1]
    lines = re.findall('<div class="ecgtl-line"><span class="ecgtl-what">(.*?) </span>(.*?)</div>', cell)
    assert lines == [("paper", ".7 ± .1"), ("here", ".6"), ("here − paper", "−.1")]
    # To the eye the lines are named once a row; a line that no cell of a row has is left out
    assert text.count('<td class="ecgtl-lines" aria-hidden="true">') == 2
    plain = tables.html_text(tables.grid_of([("None", "a", Lines("1", "2"))], "Start"), "x")
    assert "here − paper" not in plain and plain.count("ecgtl-what") == 4
    assert "ecgtl-lines" not in tables.html_text(pd.DataFrame({"a": [1], "b": [2]}), "x")


@pytest.mark.parametrize(("rows", "compared", "sorts"), [(15, False, False), (16, False, True), (16, True, False)])
def test_a_long_table_of_runs_sorts(rows, compared, sorts):
    cell = Lines("1", "2") if compared else "1"
    text = tables.html_text(pd.DataFrame({"a": range(rows), "b": [cell] * rows}), "x")
    assert ("ecgtl-sortable" in text) == sorts


def need(*cells):
    table = pd.DataFrame([["row", *cells]], columns=["a", *map(str, range(len(cells)))])
    return int(re.search(r"ecgtl-needs-(\d+)", tables.html_text(table, "x"))[1])


def test_a_table_needs_the_more_width_the_longer_what_does_not_break():
    short, long = Lines("1", "2"), Lines("1", ".700 [.600, .800] n 10")
    assert need(*[short] * 2) < need(*[long] * 2) < need(*[long] * 3)
    assert need("word " * 40) < need("word" * 40) <= max(tables.NEEDS)
    button = Markup("{}<div popover id='x'>{}</div>").format(".7", "much that is hidden " * 9)
    assert need(Lines("1", button)) == need(Lines("1", ".7")) < need(Lines("1", ".7" * 40))
    assert need(button) == need(".7")


