"""Every page as a browser shows it: nothing cut, wide, heavy, foreign, in error, or out of reach."""

import re
from pathlib import Path

import axe_playwright_python
from bs4 import BeautifulSoup

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
MOST_BYTES = 1_500_000
# A module of GoogLeNet, a machine, a kernel's data set: names that papers or systems gave
GIVEN_NAMES = re.compile(r"inception_\w+|x86_64|icu_monitor")
PAPERS = {"weimann": "Weimann 2021", "jang": "Jang 2021", "melep": "MELEP 2023"}
# What is wider than its frame, and whether the frame can have the focus so that keys scroll it
CUT = """() => [...document.querySelectorAll('.bd-article *')].filter(element =>
  ['auto', 'scroll', 'hidden', 'clip'].includes(getComputedStyle(element).overflowX)
  && element.clientWidth > 1 && element.scrollWidth > element.clientWidth + 1
  && element.matches(':has(table, pre), pre, table *')).map(element =>
  ({what: `${element.tagName}.${element.className} ${element.scrollWidth} > ${element.clientWidth}`,
    reachable: element.tabIndex >= 0 || !!element.querySelector('a[href], button, input')}))"""

def test_a_page_is_whole_light_and_accessible(visit, site, name, width, record_property):
    visit.open(name)
    tab = visit.tab
    wider = tab.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    frames, files, errors = tab.evaluate(CUT), visit.files(), list(visit.errors)
    weight = sum(file.stat().st_size for file in files if file.is_file())
    tab.evaluate(AXE)
    found = tab.evaluate("axe.run(document, {resultTypes: ['violations'], preload: false})")["violations"]
    violations = [f"{rule['id']}: {node['target']} {node['html'][:150]}" for rule in found for node in rule["nodes"]]
    for what, value in (("page", name), ("bytes", weight), ("wider", wider), ("cut", len(frames)),
                        ("axe", len(violations))):
        record_property(what, value)
    assert violations == []
    assert wider == 0, "the page is wider than the screen"
    assert [frame["what"] for frame in frames if width >= 1300 or not frame["reachable"]] == []
    assert [str(file) for file in files if not file.is_relative_to(site) or not file.is_file()] == []
    assert errors == []
    assert weight < MOST_BYTES


def test_pages_show_no_internal_names(site):
    """Neither names of the code outside code and commands nor marks for nbval anywhere."""
    found = {}
    for page in sorted(site.rglob("*.html")):
        if page.is_relative_to(site / "_static"):
            continue
        [*articles] = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser").find_all("article")
        marks = [mark for article in articles for mark in re.findall(r"NBVAL\w*", article.get_text())]
        for code in (code for article in articles for code in article.find_all(["code", "pre", "math", "script"])):
            code.decompose()
        prose = "\n".join(article.get_text("\n") for article in articles)
        prose = GIVEN_NAMES.sub("", re.sub(r"(python -m )?ecgtl .*", "", prose))
        found[page.relative_to(site).as_posix()] = marks + re.findall(r"\b[a-z]\w*_\w+", prose)
    assert len(found) > 40
    assert {page: names for page, names in found.items() if names} == {}


def test_a_title_carries_the_paper(site):
    for paper, said in PAPERS.items():
        for page in (site / "notebooks" / paper).glob("*[0-9].html"):
            kind, number = re.fullmatch(r"(table|figure)(\d+)", page.stem).groups()
            text = page.read_text(encoding="utf-8")
            assert f"<title>{said}, {kind.capitalize()} {number}: " in text
            assert f"{said}, {kind.capitalize()} {number}: " in re.search(r"<h1>.*?<a class", text)[0]


def test_the_footer_says_where_the_code_is_and_which(site):
    import tomllib

    from ecgtl import __version__, paths, results

    address = tomllib.loads((paths.repository() / "pyproject.toml").read_text())["project"]["urls"]["Repository"]
    for page in ("index.html", "notebooks/weimann/table2.html"):
        footer = re.search(r'<footer class="bd-footer-content">.*?</footer>', (site / page).read_text(), re.DOTALL)[0]
        assert f'href="{address}"' in footer
        commit = re.search(rf"version {re.escape(__version__)}, commit (\w+)", footer)[1]
        assert commit == "unknown" or results.git("cat-file", "-t", commit) == "commit"
        assert "cite.html" in footer
