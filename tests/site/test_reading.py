"""What a reader does: search, follow a number to its runs, sort and filter, all with the keyboard."""

import random
import re

import pytest

TABLE2 = "notebooks/weimann/table2"


def asked(visit, query):
    """Titles of what a search for ``query`` from the front page finds, in order."""
    visit.open("index")
    visit.tab.keyboard.press("Control+k")
    visit.tab.keyboard.type(query)
    visit.tab.keyboard.press("Enter")
    visit.tab.wait_for_url("**/search.html?q=*")
    visit.tab.wait_for_function("/found \\d+ page|did not match/.test(document.body.innerText)")
    return visit.tab.locator("#search-results li > a").all_inner_texts()


@pytest.mark.parametrize("query", ["Weimann Table 2", "weimann 2021, table 2"])
def test_search_finds_a_table_by_paper_and_number(visit, query):
    assert asked(visit, query)[0].startswith("Weimann 2021, Table 2: ")
    assert visit.errors == []


def test_search_finds_a_number(visit, site):
    found = asked(visit, ".739")
    assert any(title.startswith("Weimann 2021, Table 2: ") for title in found)
    assert len(found) < 20, "a number is no word that is everywhere"
    assert visit.errors == []


def test_search_says_that_it_finds_nothing(visit):
    assert asked(visit, "quaternion") == []


def test_a_number_opens_its_runs_and_closes(visit):
    visit.open(TABLE2)
    assert visit.focused("button.ecgtl-number"), "Tab reaches no number"
    number = visit.tab.evaluate("document.activeElement.dataset.id")
    assert re.fullmatch(r"[a-z]+\d{4}\.(table|figure)\d+(\.[\w-]+)+", number)
    visit.tab.keyboard.press("Enter")
    opened = visit.tab.locator(":popover-open")
    assert opened.count() == 1
    text = opened.inner_text()
    for word in ("run", "seed", "commit"):
        assert word in text.lower()
    assert re.search(r"\b[0-9a-f]{7,40}\b", text)
    commands = re.findall(r"(?:python -m )?ecgtl .*", text)
    assert len(commands) >= 2 and any(f"reproduce {number}" in command for command in commands)
    box = opened.bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= visit.tab.viewport_size["width"]
    visit.tab.keyboard.press("Escape")
    assert visit.tab.locator(":popover-open").count() == 0
    assert visit.tab.evaluate("document.activeElement.dataset.id") == number
    assert visit.errors == []


# Rows in an order that neither text nor parts of the numbers give; the last has no number
VALUES = [("−.020 [−.035, −.005]", -.020), ("−.006 [−.020, +.007]", -.006), ("+.003 [−.1, .1]", .003),
          (".036 ± .011", .036), (".739", .739), ("9", 9.0), ("10", 10.0), ("1,200", 1200.0), ("PENDING", None)]


@pytest.fixture
def sortable(visit, site, tmp_path):
    """A page with a table whose rows are shuffled, and the site's own script and style."""
    shuffled = random.Random(0).sample(VALUES, len(VALUES))
    rows = "".join(f"<tr><th scope='row'>run {n}</th><td>{text}</td></tr>" for n, (text, _) in enumerate(shuffled))
    page = tmp_path / "page.html"
    page.write_text(
        f"<!DOCTYPE html><html lang='en'><meta charset='utf-8'><title>t</title>"
        f"<link rel='stylesheet' href='{(site / '_static/ecgtl.css').as_uri()}'>"
        f"<script src='{(site / '_static/ecgtl.js').as_uri()}'></script><table class='ecgtl-table ecgtl-sortable'>"
        f"<thead><tr><th scope='col'>Run</th><th scope='col'>Difference</th></tr></thead><tbody>{rows}</tbody></table>",
        encoding="utf-8")
    visit.tab.goto(page.as_uri())
    return visit


def column(visit):
    return [cell.strip() for cell in visit.tab.locator("tbody tr:visible td").all_inner_texts()]


def test_a_table_sorts_by_number_with_the_keyboard(sortable):
    assert sortable.focused("th:nth-child(2) button.ecgtl-sort", 5)
    sortable.tab.keyboard.press("Enter")
    assert column(sortable) == [text for text, _ in VALUES]
    assert sortable.tab.locator("[aria-sort]").evaluate_all("all => all.map(one => one.ariaSort)") == ["ascending"]
    sortable.tab.keyboard.press("Enter")
    assert column(sortable) == [text for text, _ in reversed(VALUES)]
    assert sortable.tab.locator("[aria-sort]").get_attribute("aria-sort") == "descending"
    sortable.tab.get_by_role("button", name="Run").click()
    assert sortable.tab.locator("tbody th").all_inner_texts() == [f"run {n}" for n in range(len(VALUES))]
    assert sortable.tab.locator("[aria-sort]").count() == 1
    assert sortable.errors == []


def test_a_table_filters_by_words(sortable):
    field = sortable.tab.get_by_label("Filter rows")
    field.fill("pend")
    assert column(sortable) == ["PENDING"]
    assert sortable.tab.locator("output").inner_text().strip() == f"1 of {len(VALUES)}"
    field.fill(".739 run")
    assert column(sortable) == [".739"]
    field.fill("")
    assert len(column(sortable)) == len(VALUES)
